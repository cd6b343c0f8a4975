"""Which cells of a notebook become slides, by rule: the title, the terms, the hand case, each
figure with its caption, each takeaway and surprise, what we found, the exercises."""
import re
from copy import deepcopy

from nbformat import from_dict

WORDS, MOST = 75, 20  # words a slide has room for; slides a deck has room for
HAND_CASE = re.compile(r"## A (case|pool|check) ")
TOLD = re.compile(r"> \*\*Takeaway|\*\*Surprise", re.M)
BREAKS = re.compile(r"\n+(?=## |> \*\*Takeaway|\*\*Surprise)")
STYLE = """<style>
.reveal .slides section {text-align: left; top: 0 !important; padding: 24px 40px;
  box-sizing: border-box; width: 1280px;}
.reveal .slides h1 {font-size: 52px;} .reveal .slides h2 {font-size: 38px;}
.reveal .slides h3 {font-size: 30px;}
.reveal .slides p, .reveal .slides li, .reveal .slides td, .reveal .slides th
  {font-size: 27px; line-height: 1.35;}
.reveal .slides li {margin: 4px 0;}
.reveal .slides pre, .reveal .slides code {font-size: 19px; line-height: 1.3;}
.reveal .slides td, .reveal .slides th {font-size: 22px; padding: 4px 10px;}
.reveal .slides figure {margin: 0;}
.reveal .slides figure img {max-width: 860px !important; max-height: 430px;
  width: auto; height: auto; margin: 0;}
.reveal .slides blockquote {width: 90%; margin: 150px auto; font-style: normal;
  padding: 20px 30px; border-left: 8px solid #0072B2;}
.reveal .slides blockquote p {font-size: 32px;}
.jp-InputPrompt, .jp-OutputPrompt {display: none;}
.reveal .slides .jp-OutputArea, .reveal .slides .jp-OutputArea-output {overflow: visible;}
</style>
"""


def slide_types(cells):
    """The slide type of each cell (nbformat cells, in order): "slide" begins one, "-" goes on
    with it, "skip" leaves the cell out. Where there would be too many, tables go first, then
    the last openings of sections."""
    types, tables, part = [], [], ""
    for at, cell in enumerate(cells):
        heading = re.findall(r"^## .*", cell.source, re.M) if prose(cell) else []
        part = heading[-1] if heading else part
        types.append(slide_type(cells, at, part))
        if types[at] == "table":
            tables.append(at)
    room = MOST - types.count("slide")
    for at in [at for at, cell in enumerate(cells) if is_opener(cell)][::-1][:max(0, -room)]:
        types[at] = "skip"
    for count, at in enumerate(tables):
        types[at] = "-" if count < room else "skip"
        if types[at - 1] == "skip" and count < room:
            types[at - 1 if prose(cells[at - 1]) else at] = "slide"
    return types


def slide_type(cells, at, part):
    """The type of one cell, which stands in the part of that heading; "table" if it may
    become one."""
    cell, before = cells[at], cells[max(0, at - 1)]
    if at == 0 or shows(cell, "image/png") and not part.startswith("## Solutions"):
        return "slide"
    if part.startswith(("## Parameters", "## Solutions")):
        return "skip"
    if prose(cell):
        if shows(before, "image/png"):
            return "-" if cell.source.startswith("**Figure") else "skip"
        return "slide" if told(cell.source) or HAND_CASE.match(part) else "skip"
    if HAND_CASE.match(part) or part.startswith("## What we found"):
        return "-"
    return "table" if is_table(cell) else "skip"


def told(text):
    """Whether the text opens a section, or is a takeaway or a surprise."""
    return bool(TOLD.search(text) or re.search(r"^## ", text, re.M))


def is_opener(cell):
    """Whether the cell only opens a section of the notebook's own."""
    fixed = r"## (A (case|pool|check)|Words|Parameters|What we found|Exercises|Solutions)"
    return (prose(cell) and re.match("## ", cell.source) and not re.match(fixed, cell.source)
            and not TOLD.search(cell.source))


def is_table(cell):
    """Whether the cell shows a table."""
    return any("<table" in o.get("data", {}).get("text/html", "")
               for o in cell.get("outputs", []))


def prose(cell):
    """Whether the cell is Markdown."""
    return cell.cell_type == "markdown"


def shows(cell, kind):
    """Whether the cell has an output of that kind."""
    return any(kind in o.get("data", {}) for o in cell.get("outputs", []))


def tagged(nb):
    """The same notebook with the rules' slide type in each cell's metadata."""
    nb = deepcopy(nb)
    for cell, kind in zip(nb.cells, slide_types(nb.cells)):
        cell.metadata["slideshow"] = {"slide_type": kind}
    return nb


def deck(nb):
    """The notebook as `nbconvert --to slides` is given it: only what is shown, figures and
    the last table without their code, long prose cut at a sentence."""
    nb = deepcopy(nb)
    nb.cells = [part for cell in nb.cells for part in parts(cell)]
    nb = tagged(nb)
    nb.cells = [c for c in nb.cells if c.metadata.slideshow.slide_type != "skip"]
    for cell in nb.cells:
        if prose(cell):
            cell.source = shortened(cell.source)
        elif shows(cell, "image/png") or is_table(cell):
            cell.metadata["tags"] = ["remove_input"]
    nb.cells[0].source = STYLE + nb.cells[0].source
    return nb


def parts(cell):
    """The cell, or if it is prose that holds several, one cell for each section, takeaway and
    surprise in it."""
    if not prose(cell):
        return [cell]
    texts = [own_words(text) for text in BREAKS.split(cell.source) if text.strip()]
    return [from_dict({**cell, "id": f"{cell.id}-{i}", "metadata": {}, "source": text})
            for i, text in enumerate(texts)]


def own_words(text):
    """A caption's, takeaway's or surprise's own paragraph; other text whole."""
    single = text.startswith(("**Figure", "> ", "**Surprise"))
    return text.split("\n\n")[0] if single else text


def shortened(text):
    """The sentences and list items of a text that a slide has room for."""
    kept, count = [], 0
    for line in re.split(r"(\n+|(?<=[.?!]) (?=[A-Z*]))", text):
        count += len(line.split())
        if count > WORDS and kept:
            break
        kept.append(line)
    return "".join(kept).rstrip()
