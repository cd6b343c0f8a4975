"""The commands a person uses, run as that person runs them."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pytest

from pagedkv_nb.study import execution, run as runner
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


def tiny(folder, name, *code):
    """A notebook of those cells, the first of them its parameters."""
    cells = [nbformat.v4.new_code_cell(x, id=f"c{i}") for i, x in enumerate(code)]
    cells[0].metadata["tags"] = ["parameters"]
    folder.mkdir(parents=True, exist_ok=True)
    metadata = {"language_info": {"name": "python"}, "kernelspec": {
        "name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / name)


WRITE = """import pandas as pd
from pagedkv_nb.study.notebook import Figures
from pagedkv_nb.study.style import canvas
Figures(figures_dir).show(canvas("a title")[0], "01a-dot", "alt", pd.DataFrame({"x": [1]}))"""
FIGURE = 'figures_dir: str = ""  # folder'


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A study of our own with one notebook that draws a figure."""
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "BUILD", tmp_path / "build")
    tiny(tmp_path / "notebooks", "01_dot.ipynb", FIGURE, WRITE)
    return tmp_path


def files_in(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


DRAWN = ["01a-dot.csv", "01a-dot.png", "01a-dot.svg"]


def test_figures_may_lie_on_another_filesystem(house):
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == house.stat().st_dev:
        pytest.skip("/dev/shm is no other filesystem here")
    with TemporaryDirectory(dir=shared_memory) as other:
        (house / "figures").symlink_to(other)
        assert runner.main([]) == 0
        assert files_in(Path(other)) == DRAWN


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 64 KiB, for real."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk],
                             capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_one_line_with_the_path(house, full_disk, capsys):
    (house / "figures").symlink_to(full_disk)
    (full_disk / "ballast").write_bytes(b"x" * 60_000)
    before = (house / "notebooks" / "01_dot.ipynb").read_bytes()
    assert runner.main([]) == 1
    out = capsys.readouterr().out
    assert "figures/01a-dot." in out and "No space left on device" in out
    assert files_in(full_disk) == ["ballast"]
    assert (house / "notebooks" / "01_dot.ipynb").read_bytes() == before


def test_a_full_build_folder_is_one_line_with_the_path(house, full_disk, capsys):
    (house / "build").symlink_to(full_disk)
    (full_disk / "ballast").write_bytes(b"x" * 65_536)
    assert runner.main([]) == 1 and runner.main(["01"]) == 1
    told = capsys.readouterr()
    for text in (told.out, told.err):
        assert "No space left on device" in text and "build" in text and "Traceback" not in text
    assert files_in(full_disk) == ["ballast"] and not (house / "figures").exists()


def test_figures_that_cannot_be_written_are_one_line(house, capsys):
    (house / "figures").write_text("not a folder")
    assert runner.main([]) == 1
    assert "figures" in capsys.readouterr().out and files_in(house / "build") == ["01_dot.ipynb"]


def test_what_a_killed_run_left_is_cleared(house, tmp_path):
    tiny(house / "notebooks", "02_slow.ipynb", FIGURE, "import time; time.sleep(60)")
    code = (f"import pathlib; from pagedkv_nb.study import runner; runner.ROOT = "
            f"pathlib.Path({str(house)!r}); runner.BUILD = runner.ROOT / 'build'; runner.main([])")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    killed = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE,
                              env=os.environ | {"TMPDIR": str(temporary)})
    killed.stdout.readline()  # the first notebook is done, the second sleeps
    killed.kill()
    killed.wait()
    (house / "figures" / f".01a-dot.svg.{killed.pid}.part").write_text("half")
    left = [p.name for p in (house / "build").iterdir()]
    assert left == [f".run-{killed.pid}"] and not list(temporary.iterdir())
    (house / "notebooks" / "02_slow.ipynb").unlink()
    assert runner.main([]) == 0
    assert files_in(house / "build") == [] and files_in(house / "figures") == DRAWN


def test_two_runs_at_once_end_well(house):
    with ThreadPoolExecutor(2) as threads:
        code = (f"import pathlib; from pagedkv_nb.study import runner; runner.ROOT = "
                f"pathlib.Path({str(house)!r}); runner.BUILD = runner.ROOT / 'build'; "
                "raise SystemExit(runner.main([]))")
        runs = list(threads.map(lambda _: subprocess.run([sys.executable, "-c", code], cwd=ROOT), [1, 2]))
    assert [r.returncode for r in runs] == [0, 0]
    assert files_in(house / "figures") == DRAWN and files_in(house / "build") == []


def test_an_answer_is_printed_and_a_long_run_says_where_it_is(house, capsys, monkeypatch):
    monkeypatch.setattr(execution.Progress, "every_s", 0.2)
    tiny(house / "notebooks", "02_answer.ipynb", FIGURE, "import time; time.sleep(1)", "print(42)")
    nb = nbformat.read(house / "notebooks" / "02_answer.ipynb", 4)
    nb.cells[2].metadata["tags"] = ["answer"]
    nbformat.write(nb, house / "notebooks" / "02_answer.ipynb")
    assert runner.main(["02"]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("\n42\n") and "02_answer: cell 3 of 4" in err
    assert "answer" in (house / "build" / "02_answer.ipynb").read_text()


def test_figure_folders_are_checked_and_files_written_whole(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, 3, str(tmp_path / "file")):
        with pytest.raises(ValueError, match="figures_dir="):
            Figures(folder)
    with pytest.raises(TypeError):
        write_together({tmp_path / "a": b"1", tmp_path / "b": "no bytes"})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
