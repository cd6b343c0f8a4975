"""The commands a person uses, run as that person runs them."""
import subprocess
import sys

import nbformat
import pytest

from pagedkv_nb.study import runner
from pagedkv_nb.study.notebook import Figures, write_together

from .conftest import ROOT

NOTEBOOK = ROOT / "notebooks" / "03_paged_allocation.ipynb"


def stored():
    return {p: p.read_bytes() for d in ("notebooks", "figures") for p in (ROOT / d).iterdir()}


def command(*arguments, cwd=ROOT):
    return subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, text=True, capture_output=True)


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A build folder of our own."""
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    return tmp_path


@pytest.mark.parametrize("number, arguments, message", [
    ("", [], "NB=: must be one of 01_sizing, 02_naive_waste"),
    ("99", [], "NB=99: must be one of 01_sizing"),
    ("05", ["page_sise=3"], "page_sise: must be NAME=VALUE with a name of batch_sizes, max_seq_len"),
    ("05", ["32"], "32: must be NAME=VALUE"),
])
def test_unknown_notebooks_and_parameters_are_refused(build, capsys, number, arguments, message):
    assert runner.run_one(number, arguments) == 1
    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1 and not out
    assert not list(build.iterdir())


@pytest.mark.parametrize("number, argument, message", [
    ("01", "model=GPT-9", "01_sizing: ValueError: model='GPT-9': must be one of GPT-3-175B,"),
    ("05", "workload=none.csv", "workload='none.csv': cannot be read"),
])
def test_a_bad_value_is_one_line_and_changes_no_file(build, capsys, number, argument, message):
    before = stored()
    assert runner.run_one(number, [argument]) == 1
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 2 and "Traceback" not in err
    assert stored() == before
    assert [p.suffix for p in build.iterdir()] == [".ipynb"]  # the failed run is kept


def test_a_run_with_other_parameters_writes_only_to_build(build, capsys):
    before = stored()
    assert runner.run_one("03", ["page_size=5", "token_counts=[7, 11]", "workload=lmsys", "seed=7"]) == 0
    assert stored() == before
    files = sorted(p.name for p in (build / "figures" / NOTEBOOK.stem).iterdir())
    assert len(files) == 9 and all(f.startswith("03") for f in files)
    text = (build / NOTEBOOK.name).read_text()
    assert "5 of 512 pages" in text and "[3, 4]" in text and "[2, 3]" in text


def test_a_failing_notebook_leaves_the_stored_one_alone(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "ROOT", tmp_path / "root")
    folder = tmp_path / "root" / "notebooks"
    folder.mkdir(parents=True)
    good, bad = folder / "01_good.ipynb", folder / "02_bad.ipynb"
    for path, last in ((good, "print('fine')"), (bad, "1 / 0")):
        cells = [nbformat.v4.new_code_cell("figures_dir: str = ''  # folder", id="a"),
                 nbformat.v4.new_code_cell(last, id="b")]
        cells[0].metadata["tags"] = ["parameters"]
        metadata = {"language_info": {"name": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    before = bad.read_bytes()
    assert runner.run_all() == 1
    out = capsys.readouterr().out
    assert "02_bad: ZeroDivisionError: division by zero" in out and "01_good ok" in out
    assert bad.read_bytes() == before and "fine" in good.read_text()
    assert "ZeroDivisionError" in (build / "02_bad.ipynb").read_text()
    assert {p.name for p in folder.iterdir()} == {"01_good.ipynb", "02_bad.ipynb"}


def test_plain_papermill_works_from_any_directory(tmp_path):
    done = command("papermill", str(NOTEBOOK), "out.ipynb", "-p", "page_size", "32",
                   "--no-progress-bar", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["out.ipynb"]


def test_plain_papermill_refuses_a_bad_value(tmp_path):
    done = command("papermill", str(NOTEBOOK), "out.ipynb", "-p", "page_size", "0",
                   "--no-progress-bar", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == \
        "ValueError: page_size=0: must be a whole number, at least 1 and at most 4,096"


def test_help_explains_every_parameter():
    done = command("papermill", "--help-notebook", str(NOTEBOOK))
    assert "page_size: int (default 16)" in done.stdout
    assert "tokens a page (vLLM's default)" in done.stdout


def test_values_are_literals_or_text():
    texts = ["3", "3.5", "1e3", "[1, 2]", "azure_conv", "a/b.csv", "True"]
    assert [runner.value_of(t) for t in texts] == [3, 3.5, 1000.0, [1, 2], "azure_conv", "a/b.csv", True]


def test_figure_folders_are_checked_and_files_written_whole(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, 3, str(tmp_path / "file")):
        with pytest.raises(ValueError, match="figures_dir="):
            Figures(folder)
    with pytest.raises(TypeError):
        write_together({tmp_path / "a": b"1", tmp_path / "b": "no bytes"})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
