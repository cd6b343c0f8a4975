"""What a course takes from the study, written into build/ or derived beside the sources.

    python -m pagedkv_nb.study.course student      copies without solutions
    python -m pagedkv_nb.study.course slides       a deck a notebook
    python -m pagedkv_nb.study.course book         a Jupyter Book 1 site
    python -m pagedkv_nb.study.course playground   the page, served on 127.0.0.1
    python -m pagedkv_nb.study.course derived      figures/README.md, the page's sources
"""
import os
import re
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copytree, rmtree, which

import nbformat

from . import gallery, playground, slides

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
REVEAL, REQUIRE = "reveal.js@4.6.1", "requirejs@2.3.7"  # what a deck loads


def notebooks():
    """The paths of the study's notebooks, in order."""
    return sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def emptied(name):
    """build/NAME, empty."""
    folder = BUILD / name
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def unsolved(nb):
    """The notebook without its section of solutions; changes it in place."""
    for at, cell in enumerate(nb.cells):
        found = cell.cell_type == "markdown" and re.search(r"^## Solutions\b", cell.source, re.M)
        if found:
            cell.source = cell.source[:found.start()].rstrip()
            nb.cells = nb.cells[:at + bool(cell.source)]
            break
    return nb


def student():
    """Write the copies for students; returns the exit code."""
    folder = emptied("student")
    for path in notebooks():
        nbformat.write(unsolved(nbformat.read(path, as_version=4)), folder / path.name)
    if (ROOT / "figures").is_dir():
        copytree(ROOT / "figures", BUILD / "figures", dirs_exist_ok=True)
    return told(folder, "jupyter lab build/student")


def decks():
    """Write a deck of slides a notebook; returns the exit code."""
    from nbconvert import SlidesExporter
    folder = emptied("slides")
    exporter = SlidesExporter(reveal_width="1280", reveal_height="720", reveal_number="c/t",
                              reveal_transition="none", **scripts(folder))
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    exporter.register_preprocessor(remover(), enabled=True)
    paths = notebooks()
    for count, path in enumerate(paths, 1):
        nb = slides.deck(nbformat.read(path, as_version=4))
        html, _ = exporter.from_notebook_node(nb, {"metadata": {"name": path.stem}})
        (folder / f"{path.stem}.html").write_text(html, encoding="utf-8")
        print(f"[{count}/{len(paths)}] {path.stem}", flush=True)
    return told(folder, f"open build/slides/{paths[0].stem}.html in a browser (S: notes)")


def remover():
    """What takes the code off the slides that show a figure."""
    from nbconvert.preprocessors import TagRemovePreprocessor
    return TagRemovePreprocessor(enabled=True, remove_input_tags={"remove_input"})


def scripts(folder):
    """Where a deck finds reveal.js and require.js: beside it if npm can fetch them, else at
    nbconvert's own addresses."""
    npm = which("npm")
    command = [npm, "install", "--prefix", str(BUILD / "js"), "--silent", "--ignore-scripts",
               "--no-audit", "--no-fund", REVEAL, REQUIRE]
    if not npm or subprocess.run(command, capture_output=True).returncode:
        print("without npm the slides load reveal.js from a CDN: presenting needs a network")
        return {}
    modules = BUILD / "js" / "node_modules"
    for part in ("dist", "plugin"):
        copytree(modules / "reveal.js" / part, folder / "reveal.js" / part)
    (folder / "require.js").write_bytes((modules / "requirejs" / "require.js").read_bytes())
    return {"reveal_url_prefix": "reveal.js", "require_js_url": "require.js"}


def book():
    """Build the Jupyter Book 1 site with the tools of build/book-env (made by `make book`);
    returns the exit code."""
    folder = emptied("book")
    tool = BUILD / "book-env" / "bin" / "jupyter-book"
    built = subprocess.run([tool, "build", ".", "--config", "course/_config.yml", "--toc",
                            "course/_toc.yml", "--path-output", folder, "-W", "--keep-going"],
                           cwd=ROOT)
    if built.returncode:
        return built.returncode
    return told(folder / "_build" / "html", "open build/book/_build/html/index.html")


def derived():
    """Rewrite what is made from the notebooks and the package; returns the exit code."""
    gallery.figures_readme(notebooks(), ROOT / "figures")
    page = ROOT / "course" / "playground" / "index.html"
    page.write_text(playground.embedded(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def serve(port=8765):
    """Write the page into build/playground and serve it until interrupted."""
    derived()
    folder = emptied("playground")
    copytree(ROOT / "course" / "playground", folder, dirs_exist_ok=True)
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        told(folder, f"http://127.0.0.1:{port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0


def told(folder, how):
    """Say where the result lies and how to open it; returns the exit code 0."""
    print(f"{os.path.relpath(folder, ROOT)}/\n  {how}", flush=True)
    return 0


if __name__ == "__main__":
    commands = {"student": student, "slides": decks, "book": book, "playground": serve,
                "derived": derived}
    sys.exit(commands[sys.argv[1]]())
