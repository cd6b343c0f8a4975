"""Course material: student copies, slides, the page of figures, the book's and Binder's way in."""
import os
import re
import subprocess
from collections import Counter

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pagedkv_nb.study import course, decks, gallery, slides

from .browser import chromium, needed
from .conftest import ROOT

PATHS = course.notebooks()
MARKS = new_output("stream", name="stdout", text="Exercise 99.1: not answered yet\n")


def figure(alt):
    return new_output("display_data", data={"image/png": "AAAA", "text/plain": alt})


def small(solutions="## Solutions\n\nThe mean, of course: forty-two."):
    """A notebook with each part that course material is made of."""
    return new_notebook(cells=[
        new_markdown_cell("# 9. Small\n\n**A question?**\n\nTwo sentences. Of why."),
        new_markdown_cell("## Words first\n\n- **Page**: a page."),
        new_markdown_cell("Prose that no slide needs."),
        new_code_cell("page_size: int = 4  # tokens", metadata={"tags": ["parameters"]}),
        new_markdown_cell("## A case small enough to draw by hand\n\nFive tokens."),
        new_code_cell("assert -(-5 // page_size) == 2"),
        new_code_cell('figures = "09a-a-figure"', outputs=[figure("Alt with 5 & [x]")]),
        new_markdown_cell("**Figure 9.1.** Read it\nso: 5 % & `more_x`.\n\n> **Takeaway.** Five.\n\nOn."),
        new_markdown_cell("## What we found"), new_code_cell("42"),
        new_markdown_cell("## Exercises\n\nWhich number?"),
        new_code_cell("answer_1 = None  # a number\nprint('Exercise 99.1: not answered yet')",
                      outputs=[MARKS]),
        new_markdown_cell("Next comes notebook ten.\n\n" + solutions),
        new_code_cell("answer_1 = 42  # solved")])


def test_a_student_copy_ends_before_the_solutions_and_runs(tmp_path):
    nb = course.unsolved(small())
    text = nbformat.writes(nb)
    assert "Solutions" not in text and "forty-two" not in text and "# solved" not in text
    assert nb.cells[-1].source == "Next comes notebook ten."
    assert nb.cells[-2].outputs == [MARKS]
    nb.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(nb, tmp_path / "09.ipynb")
    run = papermill.execute_notebook(tmp_path / "09.ipynb", None, progress_bar=False)
    assert "not answered yet" in run.cells[-2].outputs[0].text
    alone = small("## Solutions")
    alone.cells[-2].source = "## Solutions"
    assert course.unsolved(alone).cells[-1].source.startswith("answer_1 = None")


def test_student_copies_of_the_study_hold_no_solution(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(course, "BUILD", tmp_path)
    monkeypatch.setattr(course, "told", lambda folder, how: print(folder, how))
    course.student()
    copies = sorted((tmp_path / "student").glob("*.ipynb"))
    assert [c.name for c in copies] == [p.name for p in PATHS]
    for copy, path in zip(copies, PATHS):
        nb, whole = nbformat.read(copy, 4), nbformat.read(path, 4)
        assert not re.search("^## Solutions", "\n".join(c.source for c in nb.cells), re.M)
        assert [c.id for c in nb.cells] == [c.id for c in whole.cells][:len(nb.cells)]
    assert "build/student" in capsys.readouterr().out.replace(str(tmp_path), "build")


def test_slides_follow_the_rules():
    nb = small()
    assert slides.slide_types(nb.cells) == [
        "slide", "slide", "skip", "skip", "slide", "-", "slide", "-", "slide", "-", "slide",
        "skip", "skip", "skip"]
    made = slides.deck(nb)
    text = [c.source for c in made.cells]
    assert "> **Takeaway.** Five." in text and not any("On." == t for t in text)
    assert not any("solved" in t or "no slide" in t for t in text)
    assert len({c.id for c in made.cells}) == len(made.cells)
    long = "One sentence of ten words, which is easily counted here. " * 20
    assert 60 <= len(slides.shortened(long).split()) <= slides.WORDS


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_every_deck_has_12_to_20_slides_with_every_figure_and_takeaway(path):
    nb = nbformat.read(path, 4)
    made = slides.deck(nb)
    assert 12 <= sum(c.metadata.slideshow.slide_type == "slide" for c in made.cells) <= 20
    text = "\n".join(c.source for c in made.cells)
    told = "\n".join(c.source for c in course.unsolved(nb).cells if c.cell_type == "markdown")
    for mark in (r"^> \*\*Takeaway", r"^\*\*Figure \d"):
        assert len(re.findall(mark, text, re.M)) == len(re.findall(mark, told, re.M))


OUT = """[...Reveal.getCurrentSlide().querySelectorAll('*')].filter(e => e.getClientRects().length)
    .map(e => e.getBoundingClientRect()).filter(r => r.bottom > 721 || r.right > 1281).length"""


@pytest.mark.parametrize("number", ["01", "06"])
def test_nothing_is_cut_off_a_slide(number, tmp_path):
    store = needed("reveal.js", "dist/reveal.js").parents[3]
    needed("requirejs", "require.js")
    settings = decks.scripts(tmp_path, store)
    path = next(p for p in PATHS if p.stem.startswith(number))
    target = tmp_path / "deck.html"
    decks.write(decks.exporter(settings), path, target)
    assert not re.search(r'<(?:script|link)[^>]*(src|href)="https?:', target.read_text())
    with chromium(tmp_path) as page:
        page.open(target.as_uri(), width=1280, height=720)
        page.wait("window.Reveal && Reveal.isReady()")
        for _ in range(page.run("Reveal.getTotalSlides()")):
            page.run("fit()")
            assert page.run(OUT) == 0, page.run("Reveal.getCurrentSlide().innerText")[:80]
            page.run("Reveal.next()")


def test_the_page_of_figures_is_todays_and_complete(tmp_path):
    stored = ROOT / "figures" / "README.md"
    made = gallery.figures_readme(PATHS, ROOT / "figures", tmp_path).read_text()
    assert made == stored.read_text(), "run: python -m pagedkv_nb.study.course derived"
    named = re.findall(r"^### (.*)", made, re.M)
    assert sorted(named) == sorted(p.stem for p in (ROOT / "figures").glob("*.svg"))
    for target in re.findall(r"\]\(([^)#:]+)\)", re.sub("```.*?```", "", made, flags=re.S)):
        assert (ROOT / "figures" / target).exists(), target


def test_lines_to_paste_are_escaped():
    (name, alt, caption), = gallery.figures_of(small())
    page = gallery.entry(name, alt, caption)
    assert (name, caption) == ("09a-a-figure", "**Figure 9.1.** Read it so: 5 % & `more_x`.")
    assert r"\caption{Figure 9.1. Read it so: 5 \% \& more\_x.}" in page
    assert 'alt="Alt with 5 &amp; [x]"' in page and r"![Alt with 5 & \[x\]]" in page
    bare = small()
    bare.cells[7].source = "No caption."
    with pytest.raises(ValueError, match="^figure 09a-a-figure: "):
        list(gallery.figures_of(bare))


def test_cell_ids_differ_over_all_notebooks():
    ids = Counter(c.id for p in PATHS for c in nbformat.read(p, 4).cells)
    assert ids.most_common(1)[0][1] == 1


def test_the_book_and_the_plans_name_what_exists():
    toc = (ROOT / "course" / "_toc.yml").read_text()
    entries = re.findall(r"(?:root|file): (\S+)", toc)
    assert [e for e in entries if e.startswith("notebooks/")] == [f"notebooks/{p.stem}" for p in PATHS]
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
