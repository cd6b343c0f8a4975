"""Course material: student copies, slides, the page of figures, the book's and Binder's way in."""
import os
import re
import shutil
import signal
import subprocess
from base64 import b64encode
from contextlib import chdir
from hashlib import sha384

import nbformat
import pandas as pd
import papermill
import pytest
import yaml
from nbconvert.nbconvertapp import NbConvertApp
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pagedkv_nb.study import course, grade, notebook, run

from . import decks
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
    monkeypatch.setattr(course, "notebooks", lambda: [tmp_path / "09_small.ipynb"])
    return tmp_path


def convert(kind, folder, *paths):
    """Make those notebooks into that folder, by the options with which `make` calls nbconvert."""
    recipe = subprocess.run(["make", "-n", kind, "READY="], cwd=ROOT, text=True,
                            capture_output=True, check=True).stdout
    options, = re.findall(r"-m nbconvert (.+) notebooks/\[0-9\]\*\.ipynb$", recipe, re.M)
    app = NbConvertApp()
    with chdir(ROOT):
        app.initialize([*options.replace(f"build/{kind}", str(folder)).split(), *map(str, paths)])
        app.start()


def test_a_student_copy_ends_before_the_solutions_and_runs(small):
    convert("student", small / "student", small / "09_small.ipynb")
    copy = small / "student" / "09_small.ipynb"
    text = copy.read_text()
    assert "Solutions" not in text and "Forty-two" not in text and "# solved" not in text
    assert nbformat.read(copy, 4).cells[-1].outputs == []
    run = papermill.execute_notebook(copy, None, progress_bar=False)
    assert "not answered yet" in run.cells[-1].outputs[0].text


def before_solutions(nb):
    """The cells above the heading of the solutions, which must open a cell."""
    at = next(i for i, c in enumerate(nb.cells) if c.source.startswith("## Solutions"))
    assert not any("\n## Solutions" in c.source for c in nb.cells)
    return nb.cells[:at]


@pytest.mark.parametrize("kind", ["student", "slides"])
def test_a_notebook_that_is_none_ends_what_is_made_of_it(kind, small):
    (small / "torn.ipynb").write_text((small / "09_small.ipynb").read_text()[:300])
    with pytest.raises(nbformat.reader.NotJSONError):
        convert(kind, small / kind, small / "torn.ipynb")


def test_student_copies_of_the_study_hold_no_solution(tmp_path):
    convert("student", tmp_path, *PATHS)
    copies = sorted(tmp_path.glob("*.ipynb"))
    assert [c.name for c in copies] == [p.name for p in PATHS]
    for copy, path in zip(copies, PATHS):
        whole = nbformat.read(path, 4)
        cells = nbformat.read(copy, 4).cells
        assert [c.id for c in cells] == [c.id for c in before_solutions(whole)]
        assert not any(c.get("outputs") or c.get("execution_count") for c in cells)


def test_solutions_are_in_files_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "BUILD", tmp_path)
    course.solutions()
    for path in PATHS:
        cells = nbformat.read(tmp_path / "solutions" / path.name, 4).cells
        assert cells[0].source.startswith("## Exercises")
        assert [c for c in nbformat.read(path, 4).cells if "solution" in c.metadata.get("tags", [])] == [
            c for c in cells if "solution" in c.metadata.get("tags", [])]


SUBMITTED = {"right": "%pip --version\nanswer_1 = 655_360 // 4", "wrong": "answer_1 = 7",
             "prints": "answer_1 = 7\nprint('Exercise 1.1: right')",
             "patches": "from types import SimpleNamespace\n"
                        "from pagedkv_nb.study.exercises import EXERCISES, check\nanswer_1 = 7\n"
                        "EXERCISES['1.1'] = SimpleNamespace(hint=lambda answer: None)\n"
                        "check('1.1', answer_1)",
             "hangs": "answer_1 = 163_840\nwhile True:\n    pass",
             "raises": "answer_1 = 163_840\n1 / 0", "dies": "import os\nos._exit(1)"}
CHECK = 'from pagedkv_nb.study.exercises import check\ncheck("1.1", answer_1)'


def graded(folder, names, monkeypatch):
    """The table of marks of a folder, once those of SUBMITTED are in it too."""
    monkeypatch.setattr(grade, "CELL_S", 5)
    monkeypatch.setattr(grade, "BUILD", folder.parent)
    for name in names:
        nb = new_notebook(cells=[new_code_cell(SUBMITTED[name]), new_code_cell(CHECK)])
        nbformat.write(nb, folder / f"{name}.ipynb")
    monkeypatch.setenv("FOLDER", str(folder))
    grade.main()
    return pd.read_csv(folder.parent / "grades.csv", index_col="student", dtype=str,
                       keep_default_na=False)


def test_a_mark_is_of_what_was_computed(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    table = graded(tmp_path / "in", ["patches", "raises"], monkeypatch)
    assert dict(table["1.1"]) == {"patches": "0", "raises": "1"}
    assert dict(table["remark"]) == {
        "patches": "", "raises": "cell 1: ZeroDivisionError: division by zero"}


@pytest.mark.slow
def test_nobody_costs_another_a_mark(tmp_path, monkeypatch):
    folder = tmp_path / "in"
    (folder / "two").mkdir(parents=True)
    nbformat.write(new_notebook(cells=[new_code_cell(CHECK.replace("answer_1", "163_840"))]),
                   folder / "two" / "01.ipynb")
    nbformat.write(new_notebook(cells=[new_code_cell(CHECK.replace("1.1", "5.1").replace(
        "answer_1", "38 / 48"))]), folder / "two" / "05.ipynb")
    (folder / "letter.ipynb").write_text("Dear professor,\nmy dog ...")
    table = graded(folder, SUBMITTED, monkeypatch)
    assert list(table.columns) == ["1.1", "5.1", "remark"]
    assert dict(table["1.1"]) == {"right": "1", "wrong": "0", "prints": "0", "patches": "0",
                                  "hangs": "1", "raises": "1", "dies": "0", "letter": "", "two": "1"}
    assert table.loc["two", "5.1"] == "1"
    remarks = table["remark"]
    assert remarks["right"] == remarks["prints"] == "" and remarks["hangs"] == "cell 1: stopped after 5 s"
    assert remarks["raises"] == "cell 1: ZeroDivisionError: division by zero"
    assert "Kernel died" in remarks["dies"] and "JSON" in remarks["letter"]


@pytest.mark.parametrize("folder", ["", "no/such", "$(touch x)", "README.md"])
def test_a_folder_that_is_none_is_one_line(folder, monkeypatch):
    monkeypatch.setenv("FOLDER", folder)
    with pytest.raises(ValueError, match="must be a folder with submitted notebooks$"):
        grade.main()


def test_a_deck_shows_what_the_notebook_says(small):
    convert("slides", small / "slides", small / "09_small.ipynb")
    html = (small / "slides" / "09_small.slides.html").read_text()
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
        if re.search(r"^(> \*\*Takeaway|\*\*Surprise|# |## (Words|What we|Exer))",
                     cell.source, re.M):
            assert kinds[cell.id] in ("slide", "subslide", "-", "fragment"), cell.source
        if any("image/png" in o.get("data", {}) for o in cell.get("outputs", [])):
            assert kinds[cell.id] in ("slide", "subslide", "-")
            assert "slide-output" in cell.metadata.tags


@pytest.mark.slow
def test_the_check_of_decks_names_what_is_wrong(small, tmp_path):
    needed("reveal.js", "dist/reveal.js"), needed("requirejs", "require.js")
    cells = [marked(new_markdown_cell(text), "slide") for text in (
        "# A deck", "## A heading alone", "A sentence.\n\n<p style='font-size: 12px'>small</p>\n\n![](none.png)",
        "one line\n\n" * 40)]
    cells += [marked(new_markdown_cell("What the speaker says."), "notes")]
    nbformat.write(new_notebook(cells=cells, metadata={"title": "9. Small"}), small / "deck.ipynb")
    with chromium(tmp_path) as page:
        found = " | ".join(decks.faults(page, small / "deck.ipynb"))
    assert re.match(r"4 slides: must be 12 to 20 \| .*slide 2 \(A heading alone\): a heading alone", found)
    assert "slide 3 (A sentence.): a picture that does not load" in found
    assert "slide 3 (A sentence.): text of 12.0 px" in found and "slide 4 (one line): cut off" in found
    assert "speaker" not in found


@pytest.mark.slow
def test_without_npm_a_decks_scripts_have_the_hashes_of_the_packages(small):
    for file in ("slides_config.py", "slides.html.j2"):
        shutil.copy(ROOT / "course" / file, small)
    html = decks.exporter(small).from_filename(small / "09_small.ipynb")[0]
    hashes = dict(re.findall(r'"([a-z]+\.js)": "sha384-(.+?)"', html))
    hashes["require.js"] = re.search(r'integrity="sha384-([^"]+)" src="[^"]+/require.js"', html)[1]
    for package, file in (("reveal.js", "dist/reveal.js"), ("reveal.js", "plugin/notes/notes.js"),
                          ("requirejs", "require.js")):
        content = needed(package, file).read_bytes()
        assert hashes[file.split("/")[-1]] == b64encode(sha384(content).digest()).decode()


def test_the_page_of_figures_is_todays_and_complete():
    made = course.page(PATHS, ROOT / "figures")
    assert made == (ROOT / "figures" / "README.md").read_text(), "run: make"
    named = re.findall(r"^### (.*)", made, re.M)
    assert sorted(named) == sorted(p.stem for p in (ROOT / "figures").glob("*.svg"))
    for target in re.findall(r"\]\(([^)#:]+)\)", re.sub("```.*?```", "", made, flags=re.S)):
        assert (ROOT / "figures" / target).exists(), target


def test_a_figure_has_a_caption_and_a_line_to_paste(small):
    svg = small / "09a-a-figure.svg"
    svg.write_text("<svg><desc id='x'>Alt with 5 &amp;\n[x]</desc></svg>")
    page = course.page(course.notebooks(), small)
    assert "```markdown\n![Alt with 5 & \\[x\\]](figures/09a-a-figure.svg)\n```\n" in page
    assert "\n**Figure 9.1.** Read it.\n" in page
    svg.with_name("09b-another.svg").write_text(svg.read_text())
    with pytest.raises(ValueError):
        course.page(course.notebooks(), small)


def test_the_book_and_the_plans_name_what_exists():
    toc = (ROOT / "course" / "_toc.yml").read_text()
    for entry in re.findall(r"(?:root|file): (\S+)", toc):
        assert (ROOT / f"{entry}.md").is_file(), entry
    pattern = re.search(r"glob: (\S+)", toc)[1]
    assert sorted(ROOT.glob(f"{pattern}.ipynb")) == PATHS and "course/README" not in toc
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


@pytest.mark.parametrize("address", ["", "https://github.com/me/pagedkv_nb"])
def test_a_book_has_links_to_its_repository_once_it_is_known(address, tmp_path, monkeypatch):
    monkeypatch.setattr(course, "BUILD", tmp_path)
    monkeypatch.setenv("REPOSITORY", address)
    course.book()
    source = tmp_path / "book" / "source"
    config = yaml.safe_load((source / "_config.yml").read_text())
    assert "REPOSITORY" not in (source / "_config.yml").read_text()
    assert config["html"].get("use_edit_page_button", False) == bool(address)
    assert config.get("repository", {}).get("url", "") == address
    assert ("colab_url" in config.get("launch_buttons", {})) == bool(address)
    assert (source / "extra" / "course" / "playground" / "index.html").is_file()
    assert 'href="course/playground/index.html"' in (source / "README.md").read_text()
    assert (source / "course" / "README.md").read_text().startswith("---\norphan: true\n---\n")


def test_a_books_solutions_are_folded():
    """All that stands below the heading of the solutions is shown by a click, and they stand nowhere else."""
    config = yaml.safe_load((ROOT / "course" / "_config.yml").read_text())["sphinx"]["config"]
    assert "#solutions > :not(h2)" in config["togglebutton_selector"].split(", ")
    for path in PATHS:
        cells = nbformat.read(path, 4).cells
        below = cells[len(before_solutions(nbformat.from_dict({"cells": cells}))):]
        assert [c for c in cells if "solution" in c.metadata.get("tags", [])] == below and len(below) >= 6
        assert not any(re.search("^#", c.source, re.M) for c in below[1:] if c.cell_type == "markdown")


def test_what_is_cited_stands_in_the_bibliography():
    bib = (ROOT / "course" / "references.bib").read_text()
    texts = [ROOT / "README.md", *PATHS, *(ROOT / "pagedkv_nb").rglob("*.csv")]
    cited = {number for path in texts for number in re.findall(
        r"arXiv[ :](\d{4}\.\d{5})", path.read_text())}
    assert len(cited) > 3 and cited <= set(re.findall(r"arXiv (\d{4}\.\d{5})", bib))
    assert bib.count("{") == bib.count("}")


def test_on_a_disk_that_takes_nothing_derived_is_one_line_and_changes_nothing(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")
    page = ROOT / "course" / "playground" / "index.html"
    before = page.read_bytes()
    monkeypatch.setattr(notebook.Path, "write_bytes", full)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit, match=r"\A[^\n]+: No space left on device\Z"):
        run.command(course.derived)
    assert page.read_bytes() == before


def test_a_torn_page_is_made_anew_from_its_source(tmp_path, monkeypatch):
    for name in ("course/playground", "figures"):
        shutil.copytree(ROOT / name, tmp_path / name)
    page = tmp_path / "course" / "playground" / "index.html"
    whole = page.read_text()
    page.write_text(whole[:9000])
    monkeypatch.setattr(course, "ROOT", tmp_path)
    course.derived()
    assert page.read_text() == whole


def test_the_version_is_the_same_everywhere():
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    cff = (ROOT / "CITATION.cff").read_text()
    released = re.search(r'^date-released: "(.+)"', cff, re.M)[1]
    changes = (ROOT / ".github" / "CHANGELOG.md").read_text()
    assert re.findall(r"^## (.+)", changes, re.M)[0] == f"{version} ({released})"
    assert f"\nversion: {version}\n" in cff


def test_the_citation_names_the_licences():
    text = (ROOT / "CITATION.cff").read_text()
    assert "MIT" in text and "CC-BY-4.0" in text and "cff-version: 1.2.0" in text
    assert "creativecommons.org" in (ROOT / "LICENSE-CC-BY-4.0.txt").read_text()
