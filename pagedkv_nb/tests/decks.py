"""What is wrong with a deck, slide by slide, in a real Chromium.

    python -m pagedkv_nb.tests.decks [01 05 ...]      all decks or these; prints what it finds
"""
import sys
import tempfile
from pathlib import Path

from nbconvert import SlidesExporter
from traitlets.config import PyFileConfigLoader

from pagedkv_nb.study.run import notebooks

from .browser import chromium, needed
from .conftest import ROOT

LOOK = """(() => {
  fit();
  const slide = Reveal.getCurrentSlide(), zoom = +slide.style.zoom || 1;
  const seen = [...slide.querySelectorAll('*')].filter(e => e.getClientRects().length && !e.closest('aside'));
  const texts = seen.filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
  const sizes = texts.map(e => parseFloat(getComputedStyle(e).fontSize) * zoom);
  const rects = seen.map(e => e.getBoundingClientRect());
  return {title: slide.innerText.trim().split('\\n')[0].slice(0, 50), zoom,
          smallest: Math.min(99, ...sizes),
          alone: !seen.some(e => e.matches('img, svg, table, pre')) &&
                 texts.every(e => e.closest('h1, h2, h3, h4, p:only-child > strong:only-child')),
          broken: seen.some(e => e.matches('img') && !e.naturalWidth),
          spilt: seen.some(e => e.matches('pre') && e.scrollWidth > e.clientWidth),
          cut: rects.some(r => r.bottom > 721 || r.right > 1281)};
})()"""


def exporter(folder=ROOT / "course"):
    """nbconvert's exporter of slides, as the configuration in that folder says."""
    return SlidesExporter(config=PyFileConfigLoader("slides_config.py", str(folder)).load_config())


def faults(page, path):
    """A line for each thing that is wrong with the deck of a notebook."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "js").symlink_to(ROOT / "build" / "js")
        (Path(folder) / "figures").symlink_to(ROOT / "figures")
        deck = Path(folder) / "slides" / "deck.html"
        deck.parent.mkdir()
        deck.write_text(exporter().from_filename(path)[0])
        page.open(deck.as_uri(), width=1280, height=720)
        page.wait("!!window.Reveal && Reveal.isReady()")
        n = page.run("Reveal.getTotalSlides()")
        found = [] if 12 <= n <= 20 else [f"{n} slides: must be 12 to 20"]
        for at in range(1, n + 1):
            slide = page.run(LOOK)
            wrong = {"a heading alone": slide["alone"], "cut off": slide["cut"],
                     "a picture that does not load": slide["broken"],
                     "a listing wider than its box": slide["spilt"],
                     f"drawn at {slide['zoom']:.2f}": slide["zoom"] < 0.8 - 1e-6,
                     f"text of {slide['smallest']:.1f} px": slide["smallest"] < 18}
            found += [f"slide {at} ({slide['title']}): {what}" for what, so in wrong.items() if so]
            while page.run("Reveal.availableFragments().next"):
                page.run("Reveal.next()")
            page.run("Reveal.next()")
        page.run(needed("axe-core", "axe.min.js").read_text() + ";0")
        found += page.run("axe.run({runOnly: ['color-contrast', 'empty-table-header']}).then(r => "
                          "r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.target).join(' ')))")
    return found


def main(numbers):
    """Print what is wrong with the decks; returns the exit code."""
    needed("reveal.js", "dist/reveal.js")
    total = 0
    with tempfile.TemporaryDirectory() as folder, chromium(Path(folder)) as page:
        for path in notebooks(numbers):
            found = faults(page, path)
            print(path.stem, *(found or ["nothing to mend"]), sep="\n  ", flush=True)
            total += len(found)
    return min(total, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
