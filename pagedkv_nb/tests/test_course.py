"""Course material: student copies, slides, the page of figures, the book's and Binder's way in."""
import os
import re
import subprocess

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pagedkv_nb.study import course, gallery

from .browser import chromium, needed
from .conftest import ROOT

PATHS = course.notebooks()
MARKS = new_output("stream", name="stdout", text="Exercise 99.1: not answered yet\n")


def marked(cell, kind, *tags):
    """The cell with its slide type and tags."""
    cell.metadata = {"slideshow": {"slide_type": kind}} | ({"tags": list(tags)} if tags else {})
    return cell


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A study of one notebook in a folder of its own, which course material is made of."""
    nb = new_notebook(metadata={"title": "9. Small"}, cells=[
        marked(new_markdown_cell("# 9. Small"), "slide"),
        marked(new_markdown_cell("Prose that no slide needs."), "skip"),
        marked(new_code_cell("figures = 'drawn'"), "slide", "slide-output"),
        marked(new_markdown_cell("**Figure 9.1.** Read it."), "-"),
        marked(new_code_cell("shown = 6 * 7"), "slide"),
        marked(new_code_cell("print('Exercise 99.1: not answered yet')", outputs=[MARKS]), "skip"),
        marked(new_markdown_cell("## Solutions\n\nForty-two."), "skip", "solution"),
        marked(new_code_cell("answer_1 = 42  # solved"), "skip", "solution")])
    nb.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(nb, tmp_path / "09_small.ipynb")
    monkeypatch.setattr(course, "BUILD", tmp_path / "build")
    monkeypatch.setattr(course, "notebooks", lambda: [tmp_path / "09_small.ipynb"])
    monkeypatch.setattr(course, "scripts", lambda folder: {})
    return tmp_path


def test_a_student_copy_ends_before_the_solutions_and_runs(small):
    assert course.student() == 0
    copy = small / "build" / "student" / "09_small.ipynb"
    text = copy.read_text()
    assert "Solutions" not in text and "Forty-two" not in text and "# solved" not in text
    assert nbformat.read(copy, 4).cells[-1].outputs == [MARKS]
    run = papermill.execute_notebook(copy, None, progress_bar=False)
    assert "not answered yet" in run.cells[-1].outputs[0].text


def before_solutions(nb):
    """The cells above the heading of the solutions, which must open a cell."""
    at = next(i for i, c in enumerate(nb.cells) if c.source.startswith("## Solutions"))
    assert not any("\n## Solutions" in c.source for c in nb.cells)
    return nb.cells[:at]


def test_student_copies_of_the_study_hold_no_solution(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(course, "BUILD", tmp_path)
    course.student()
    copies = sorted((tmp_path / "student").glob("*.ipynb"))
    assert [c.name for c in copies] == [p.name for p in PATHS]
    for copy, path in zip(copies, PATHS):
        whole = nbformat.read(path, 4)
        assert [c.id for c in nbformat.read(copy, 4).cells] == [c.id for c in before_solutions(whole)]
    assert (tmp_path / "figures" / "03a-block-table.svg").is_file()
    assert "student/\n" in capsys.readouterr().out


def test_a_deck_shows_what_the_notebook_says(small):
    course.slides()
    html = (small / "build" / "slides" / "09_small.slides.html").read_text()
    shown = re.sub("<[^>]+>", "", html[html.index('<div class="slides">'):html.index("</main>")])
    assert "9. Small" in shown and "Read it." in shown and "shown" in shown
    assert not re.search("no slide needs|drawn|Forty-two|solved", shown)
    assert len(re.findall("<section[^>]*><section", html)) == 3


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_every_deck_has_12_to_20_slides_with_every_figure_and_takeaway(path):
    cells = nbformat.read(path, 4).cells
    kinds = {c.id: c.metadata.get("slideshow", {}).get("slide_type") for c in cells}
    assert None not in kinds.values(), "slideshow metadata: View > Right sidebar > Property inspector"
    assert 12 <= sum(kind in ("slide", "subslide") for kind in kinds.values()) <= 20
    for cell in before_solutions(nbformat.from_dict({"cells": cells})):
        if re.search(r"^(> \*\*Takeaway|\*\*Surprise|\*\*Figure|# |## (Words|What we|Exer))",
                     cell.source, re.M):
            assert kinds[cell.id] in ("slide", "subslide", "-"), cell.source
        if any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])):
            assert kinds[cell.id] in ("slide", "subslide", "-")
            assert "slide-output" in cell.metadata.tags


OUT = """[...Reveal.getCurrentSlide().querySelectorAll('*')].filter(e => e.getClientRects().length)
    .map(e => e.getBoundingClientRect()).filter(r => r.bottom > 721 || r.right > 1281).length"""


@pytest.mark.parametrize("number", ["01", "09"])
@pytest.mark.slow
def test_nothing_is_cut_off_a_slide(number, tmp_path):
    needed("reveal.js", "dist/reveal.js"), needed("requirejs", "require.js")
    path = next(p for p in PATHS if p.stem.startswith(number))
    target = tmp_path / "deck.html"
    target.write_text(course.deck_exporter(tmp_path).from_filename(path)[0])
    assert not re.search(r'<(?:script|link|img)[^>]*(src|href)="https?:', target.read_text())
    with chromium(tmp_path) as page:
        page.open(target.as_uri(), width=1280, height=720)
        page.wait("window.Reveal && Reveal.isReady()")
        for _ in range(page.run("Reveal.getTotalSlides()")):
            page.run("fit()")
            assert page.run(OUT) == 0, page.run("Reveal.getCurrentSlide().innerText")[:80]
            page.run("Reveal.next()")


def test_the_page_of_figures_is_todays_and_complete():
    made = gallery.page(PATHS, ROOT / "figures")
    assert made == (ROOT / "figures" / "README.md").read_text(), "run: make"
    named = re.findall(r"^### (.*)", made, re.M)
    assert sorted(named) == sorted(p.stem for p in (ROOT / "figures").glob("*.svg"))
    for target in re.findall(r"\]\(([^)#:]+)\)", re.sub("```.*?```", "", made, flags=re.S)):
        assert (ROOT / "figures" / target).exists(), target


def test_a_figure_has_a_caption_and_a_line_to_paste(small):
    svg = small / "09a-a-figure.svg"
    svg.write_text("<svg><desc id='x'>Alt with 5 &amp;\n[x]</desc></svg>")
    page = gallery.page(course.notebooks(), small)
    assert "```markdown\n![Alt with 5 & \\[x\\]](figures/09a-a-figure.svg)\n```\n" in page
    assert "\n**Figure 9.1.** Read it.\n" in page and "**Alt text.** Alt with 5 & [x]\n" in page
    svg.with_name("09b-another.svg").write_text(svg.read_text())
    with pytest.raises(ValueError):
        gallery.page(course.notebooks(), small)


def test_the_book_and_the_plans_name_what_exists():
    toc = (ROOT / "course" / "_toc.yml").read_text()
    for entry in re.findall(r"(?:root|file): (\S+)", toc):
        assert (ROOT / f"{entry}.md").is_file(), entry
    for text in (toc, (ROOT / "course" / "myst.yml").read_text()):
        pattern = re.search(r"(?:glob|pattern): (\S+)", text)[1].removesuffix(".ipynb")
        assert sorted(ROOT.glob(f"{pattern}.ipynb")) == PATHS
    plans = (ROOT / "course" / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", plans):
        assert (ROOT / "course" / target).is_file(), target


@pytest.mark.parametrize("value, own", [("pagedkv_nb", True), ("base", False), ("", False),
                                        ("{full}", True), ("{empty}", False)])
def test_make_uses_the_conda_environment_that_has_the_study(value, own, tmp_path):
    full = tmp_path / "full"
    (full / "lib/python3.12/site-packages/pagedkv_nb-1.0.0.dist-info").mkdir(parents=True)
    name = value.format(full=full, empty=tmp_path / "empty")
    env = {**os.environ, "CONDA_DEFAULT_ENV": name}
    env.pop("MAKEFLAGS", None)
    said = subprocess.run(["make", "-n", "student"], cwd=ROOT, env=env, text=True,
                          capture_output=True, check=True).stdout
    assert (".venv" not in said) == own


def test_the_citation_names_the_licences():
    text = (ROOT / "CITATION.cff").read_text()
    assert "MIT" in text and "CC-BY-4.0" in text and "cff-version: 1.2.0" in text
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert f"version: {version}" in text
    assert "creativecommons.org" in (ROOT / "LICENSE-CC-BY-4.0.txt").read_text()
