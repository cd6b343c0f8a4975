"""Writes the slides of a notebook as a deck that is presented without a network."""
import re
import subprocess
from shutil import copy, copytree, which

import nbformat

from .slides import deck

REVEAL, REQUIRE = "reveal.js@4.6.1", "requirejs@2.3.7"  # what a deck loads
OUTSIDE = re.compile(r'<script src="https?://[^"]*"></script>|<script[^>]*>\s*import mermaid'
                     r'.*?</script>|<!-- Load mathjax -->.*?<!-- End of mathjax[^>]*-->', re.DOTALL)
FIT = """<script>
window.MathJax = {Hub: {getAllJax: () => null}};
async function fit() {  // a slide that is too large is drawn smaller
  const slide = Reveal.getCurrentSlide();
  await Promise.all([...slide.querySelectorAll("img")].map(i => i.decode().catch(() => 0)));
  slide.style.zoom = 1;
  const scale = Reveal.getScale(), box = slide.getBoundingClientRect();
  const inside = [...slide.querySelectorAll("*")].map(e => e.getBoundingClientRect());
  const far = side => Math.max(1, ...inside.map(r => r[side])) / scale;
  slide.style.zoom = Math.min(1, 700 / (far("bottom") - box.top / scale),
                              1250 / (far("right") - box.left / scale));
}
</script>
"""
OPENING = "function(Reveal, RevealNotes){"  # in nbconvert's own template
START = """
        window.Reveal = Reveal;
        Reveal.on("ready", fit);
        Reveal.on("slidechanged", fit);"""


def scripts(folder, store):
    """Put reveal.js and require.js beside the decks, by npm into the folder `store`; returns
    nbconvert's settings for them, none (its own addresses) if npm cannot fetch them."""
    npm = which("npm")
    command = [npm, "install", "--prefix", str(store), "--silent", "--ignore-scripts",
               "--no-audit", "--no-fund", REVEAL, REQUIRE]
    if not npm or subprocess.run(command, capture_output=True).returncode:
        print("npm cannot fetch reveal.js: the decks load it from a CDN, over the network")
        return {}
    modules = store / "node_modules"
    for part in ("dist", "plugin"):
        copytree(modules / "reveal.js" / part, folder / "reveal.js" / part)
    copy(modules / "requirejs" / "require.js", folder)
    return {"reveal_url_prefix": "reveal.js", "require_js_url": "require.js"}


def exporter(settings):
    """nbconvert's exporter for 1280 x 720, without prompts and without tagged inputs."""
    from nbconvert import SlidesExporter
    from nbconvert.preprocessors import TagRemovePreprocessor
    made = SlidesExporter(reveal_width="1280", reveal_height="720", reveal_number="c/t",
                          reveal_theme="white", reveal_transition="none", **settings)
    made.exclude_input_prompt = made.exclude_output_prompt = True
    made.register_preprocessor(TagRemovePreprocessor(remove_input_tags={"remove_input"}),
                               enabled=True)
    return made


def write(exporter, path, target):
    """Write a notebook's deck; returns its number of slides."""
    nb = deck(nbformat.read(path, as_version=4))
    html, _ = exporter.from_notebook_node(nb, {"metadata": {"name": path.stem}})
    if exporter.reveal_url_prefix == "reveal.js":
        html = OUTSIDE.sub("", html)
    html = html.replace("</head>", FIT + "</head>", 1).replace(OPENING, OPENING + START, 1)
    target.write_text(html, encoding="utf-8")
    return sum(c.metadata.slideshow.slide_type == "slide" for c in nb.cells)
