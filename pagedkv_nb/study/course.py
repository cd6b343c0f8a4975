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
from shutil import copy, copytree, ignore_patterns, rmtree

import nbformat

from . import decks, gallery, playground
from .notebook import write_together

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
PAGES = ["notebooks", "figures", "course", "pagedkv_nb/data", "README.md", "LICENSE",
         "LICENSE-CC-BY-4.0.txt", "CITATION.cff", "environment.yml", "requirements.lock",
         "Makefile"]  # and their links


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
        found = re.search(r"^## Solutions\b", cell.source, re.M)
        if found and cell.cell_type == "markdown":
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
    return told(folder, "jupyter lab --ServerApp.root_dir=build, then the folder student")


def slides():
    """Write a deck of slides a notebook; returns the exit code."""
    folder, paths = emptied("slides"), notebooks()
    exporter = decks.exporter(decks.scripts(folder, BUILD / "js"))
    for count, path in enumerate(paths, 1):
        target = folder / f"{path.stem}.html"
        n_slides = decks.write(exporter, path, target)
        print(f"[{count}/{len(paths)}] {path.stem}: {n_slides} slides", flush=True)
    return told(folder, f"open build/slides/{paths[0].stem}.html in a browser")


def book():
    """Build the Jupyter Book 1 site with the tools of build/book-env (made by `make book`);
    a warning fails it. Returns the exit code."""
    folder = emptied("book")
    for name in PAGES:
        if (ROOT / name).is_dir():
            copytree(ROOT / name, folder / "source" / name, ignore=ignore_patterns(".*"))
        else:
            copy(ROOT / name, folder / "source")
    tool = BUILD / "book-env" / "bin" / "jupyter-book"
    for name in ("_config.yml", "_toc.yml"):
        copy(ROOT / "course" / name, folder / "source")
    built = subprocess.run([tool, "build", "source", "--path-output", ".", "-W",
                            "--keep-going"], cwd=folder)
    page = "build/book/_build/html/index.html"
    return built.returncode or told(folder / "_build" / "html", f"open {page} in a browser")


def derived():
    """Rewrite what is made from the notebooks and the package; returns the exit code."""
    gallery.figures_readme(notebooks(), ROOT / "figures")
    page = ROOT / "course" / "playground" / "index.html"
    write_together({page: playground.embedded(page.read_text(encoding="utf-8")).encode()})
    return 0


def serve(port=8765):
    """Write the page into build/playground and serve it until interrupted."""
    derived()
    folder = emptied("playground")
    copytree(ROOT / "course" / "playground", folder, dirs_exist_ok=True)
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:  # taken: any other
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    told(folder, f"http://127.0.0.1:{server.server_address[1]}/ (Ctrl-C ends it)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 0


def told(folder, how):
    """Say where the result lies and how to open it; returns the exit code 0."""
    print(f"{os.path.relpath(folder, ROOT)}/\n  {how}", flush=True)
    return 0


if __name__ == "__main__":
    commands = {"student": student, "slides": slides, "book": book, "playground": serve,
                "derived": derived}
    sys.exit(commands[sys.argv[1]]())
