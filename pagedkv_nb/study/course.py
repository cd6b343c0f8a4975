"""What a course takes from the study, written into build/ or derived beside the sources.

    python -m pagedkv_nb.study.course student      copies without solutions and outputs
    python -m pagedkv_nb.study.course solutions    the exercises, solved
    python -m pagedkv_nb.study.course slides       a deck a notebook
    python -m pagedkv_nb.study.course book         a Jupyter Book 1 site
    python -m pagedkv_nb.study.course derived      figures/README.md, the playground page
"""
import os
import re
import subprocess
import sys
from pathlib import Path
from shutil import copy, copytree, ignore_patterns, rmtree

import nbformat
from nbconvert import NotebookExporter, SlidesExporter
from traitlets.config import Config

from .derived import embedded, page
from .notebook import write_together
from .run import BUILD, ROOT, notebooks, plain_error

NOT_IN_BOOK = ignore_patterns(".git", ".venv", ".ci", "build", "__pycache__", "*.part", "*.py",
                              "template.html")
DECK = {"template_file": str(Path(__file__).with_name("slides.html.j2")), "embed_images": True,
        "exclude_input_prompt": True, "exclude_output_prompt": True, "reveal_number": "c/t",
        "reveal_theme": "white", "reveal_transition": "none", "reveal_width": "1280",
        "reveal_height": "720"}


def emptied(name):
    """build/NAME, empty."""
    folder = BUILD / name
    rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def export(exporter, name, how):
    """Write every notebook through one of nbconvert's exporters into build/NAME, the figures
    beside; returns the exit code."""
    folder = emptied(name)
    for path in notebooks():
        text, _ = exporter.from_filename(path)
        (folder / f"{path.stem}{exporter.file_extension}").write_text(text, encoding="utf-8")
    copytree(ROOT / "figures", BUILD / "figures", dirs_exist_ok=True)
    return announce(folder, how)


def student():
    """Write the copies for students, without what a prediction is about; returns the exit code."""
    config = Config(TagRemovePreprocessor={"enabled": True, "remove_cell_tags": {"solution"}},
                    ClearOutputPreprocessor={"enabled": True})
    return export(NotebookExporter(config=config), "student",
                  "jupyter lab --ServerApp.root_dir=build, then the folder student")


def solutions():
    """Write each notebook's exercises with their solutions; returns the exit code."""
    folder = emptied("solutions")
    for path in notebooks():
        nb = nbformat.read(path, as_version=4)
        starts = [cell.source.startswith("## Exercises") for cell in nb.cells]
        nb.cells = nb.cells[starts.index(True):]
        nbformat.write(nb, folder / path.name)
    return announce(folder, "what the exercises ask, and the answers")


def slides():
    """Write the decks, as the notebooks' `slideshow` metadata says; returns the exit code."""
    return export(deck_exporter(), "slides", "open one of them in a browser")


def deck_exporter():
    """nbconvert's exporter of slides, with the reveal.js that `make slides` put into build/js; if
    npm could not, with that of a CDN."""
    here = (BUILD / "js" / "node_modules" / "requirejs").is_dir()
    place, ours, theirs = (("../js/node_modules", "", "") if here else
                           ("https://cdn.jsdelivr.net/npm", "@4.6.1", "@2.3.7"))
    tags = {"enabled": True, "remove_input_tags": {"slide-output"}}
    return SlidesExporter(config=Config(TagRemovePreprocessor=tags), **DECK,
                          reveal_url_prefix=f"{place}/reveal.js{ours}",
                          require_js_url=f"{place}/requirejs{theirs}/require.js")


def book():
    """Build the Jupyter Book 1 site with the tools of build/book-env (made by `make book`);
    a warning fails it. Returns the exit code."""
    folder = emptied("book")
    copytree(ROOT, folder / "source", ignore=NOT_IN_BOOK)
    as_book(folder / "source", os.environ.get("REPOSITORY"))
    tool = BUILD / "book-env" / "bin" / "jupyter-book"
    built = subprocess.run([tool, "build", "source", "--path-output", ".", "-W",
                            "--keep-going"], cwd=folder)
    page = "build/book/_build/html/index.html"
    return built.returncode or announce(folder / "_build" / "html", f"open {page} in a browser")


def as_book(source, repository):
    """Change a copy of the study into a book's source: solutions folded, the playground as a page,
    the lecturer's page outside the navigation, and what needs the repository's address."""
    for path in source.glob("notebooks/*.ipynb"):
        nb = nbformat.reads(path.read_text().replace("<th></th>", "<td></td>"), as_version=4)
        for cell in nb.cells:
            if "solution" in cell.metadata.get("tags", []):
                fold(cell)
        nbformat.write(nb, path)
    (source / "extra").mkdir()
    (source / "course" / "playground").rename(source / "extra" / "playground")
    for path in (source / "README.md", source / "course" / "README.md", *source.glob(".github/*.md")):
        top, head = ("", "") if path.parent == source else ("../", "---\norphan: true\n---\n")
        link = rf'<a href="{top}playground/index.html">\1</a>'
        text = re.sub(r"\[([^]]+)\]\([a-z/]*playground/index.html\)", link, path.read_text())
        path.write_text(head + text)
    plain, _, linked = (source / "course" / "_config.yml").read_text().partition("  # From here on")
    linked = linked.partition("\n")[2].replace("REPOSITORY", repository) if repository else ""
    (source / "_config.yml").write_text(plain + linked)
    copy(source / "course" / "_toc.yml", source)


def fold(cell):
    """Let a solution of the book be opened by a click."""
    cell.metadata.tags.append("hide-cell")
    if cell.cell_type == "markdown":
        title, line, words = cell.source.rpartition("## Solutions\n\n")
        cell.source = f"{title}{line}:::{{dropdown}} Solution\n{words}\n:::"


def derived():
    """Rewrite what is made from the notebooks and the package; returns the exit code."""
    figures, place = ROOT / "figures", ROOT / "course" / "playground"
    template = (place / "template.html").read_text(encoding="utf-8")
    texts = {figures / "README.md": page(notebooks(), figures),
             place / "index.html": embedded(template)}
    write_together({path: text.encode() for path, text in texts.items()})
    return 0


def announce(folder, how):
    """Say where the result lies and how to open it; returns the exit code 0."""
    print(f"{os.path.relpath(folder, ROOT)}/\n  {how}", flush=True)
    return 0


def main():
    """Do what the command line says; returns the exit code. What a disk refuses is one line."""
    commands = {"student": student, "solutions": solutions, "slides": slides, "book": book,
                "derived": derived}
    try:
        return commands[sys.argv[1]]()
    except (OSError, ValueError) as error:
        sys.exit(plain_error(error))


if __name__ == "__main__":
    sys.exit(main())
