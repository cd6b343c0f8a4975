"""Which cells of a notebook become slides, by rule: the title, the terms, the hand case, each
figure with its caption, each takeaway and surprise, what we found, the exercises."""
import re
from copy import deepcopy

WORDS = 75  # the prose that a slide has room for
HAND_CASE = re.compile(r"## A (case|pool|check) ")
OPENS = re.compile(r"> \*\*Takeaway|\*\*Surprise|## ")
STYLE = """<style>
.reveal .slides section {text-align: left; top: 0 !important; padding: 24px 40px;}
.reveal .slides h1 {font-size: 52px;} .reveal .slides h2 {font-size: 38px;}
.reveal .slides h3 {font-size: 30px;}
.reveal .slides p, .reveal .slides li, .reveal .slides td, .reveal .slides th
  {font-size: 23px; line-height: 1.35;}
.reveal .slides li {margin: 4px 0;}
.reveal .slides pre, .reveal .slides code {font-size: 17px; line-height: 1.3;}
.reveal .slides td, .reveal .slides th {font-size: 18px; padding: 4px 10px;}
.reveal .slides figure {margin: 0;}
.reveal .slides figure img {max-width: 860px !important; max-height: 470px;
  width: auto; height: auto; margin: 0;}
.reveal .slides blockquote {width: 90%; margin: 150px auto; font-style: normal;
  padding: 20px 30px; border-left: 8px solid #0072B2;}
.reveal .slides blockquote p {font-size: 32px;}
.jp-InputPrompt, .jp-OutputPrompt {display: none;}
</style>
"""


def slide_types(cells):
    """The slide type of each cell (nbformat cells, in order): "slide" begins one, "-" goes on
    with it, "skip" leaves the cell out."""
    types, part, was_figure = [], "", False
    for at, cell in enumerate(cells):
        heading = re.search(r"^## .*", cell.source, re.M) if prose(cell) else None
        part = heading[0] if heading else part
        if part.startswith("## Solutions"):
            types.append("skip")
        else:
            types.append(slide_type(cell, at, part, was_figure))
        was_figure = shows_figure(cell)
    return types


def slide_type(cell, at, part, after_figure):
    """The type of one cell, which stands in the part of that heading."""
    if at == 0 or shows_figure(cell):
        return "slide"
    if prose(cell):
        if after_figure:
            return "-" if cell.source.startswith("**Figure") else "skip"
        told = OPENS.match(cell.source) or HAND_CASE.match(part)
        return "slide" if told and not part.startswith("## Parameters") else "skip"
    kept = HAND_CASE.match(part) or part.startswith("## What we found")
    return "-" if kept else "skip"


def prose(cell):
    """Whether the cell is Markdown."""
    return cell.cell_type == "markdown"


def shows_figure(cell):
    """Whether the cell has a figure in its outputs."""
    return any("image/png" in o.get("data", {}) for o in cell.get("outputs", []))


def tagged(nb):
    """The same notebook with the rules' slide type in each cell's metadata."""
    nb = deepcopy(nb)
    for cell, kind in zip(nb.cells, slide_types(nb.cells)):
        cell.metadata["slideshow"] = {"slide_type": kind}
    return nb


def deck(nb):
    """The notebook as `nbconvert --to slides` is given it: only what is shown, figures and
    the last table without their code, long prose cut at a sentence."""
    nb = tagged(nb)
    nb.cells = [c for c in nb.cells if c.metadata.slideshow.slide_type != "skip"]
    for cell in nb.cells:
        if prose(cell):
            cell.source = shortened(cell.source)
        elif shows_figure(cell):
            cell.metadata["tags"] = ["remove_input"]
    nb.cells[0].source = STYLE + nb.cells[0].source
    return nb


def shortened(text):
    """The paragraphs and sentences of a text that fit a slide; the first always stays."""
    kept, count = [], 0
    for paragraph in text.split("\n\n"):
        sentences = re.split(r"(?<=[.?!]) (?=[A-Z*])", paragraph)
        if paragraph.startswith(("-", "|", "1.")):
            sentences = [paragraph]
        fits = []
        for sentence in sentences:
            count += len(sentence.split())
            if count > WORDS and (kept or fits):
                break
            fits.append(sentence)
        kept += [" ".join(fits)] if fits else []
        if len(fits) < len(sentences):
            break
    return "\n\n".join(kept)
