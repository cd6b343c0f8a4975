"""The commands a person uses, run as that person runs them."""
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import papermill.cli
import pytest
from psutil import pid_exists

from pagedkv_nb.study import run
from pagedkv_nb.study.notebook import Figures, rendered, write_together
from pagedkv_nb.study.style import canvas, settle

from .conftest import ROOT

NOTEBOOK = ROOT / "notebooks" / "03_paged_allocation.ipynb"


def wait_until(true):
    """Wait for what must come true, for a minute at most."""
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    pytest.fail("it did not come true")


def stored():
    return {p: p.read_bytes() for d in ("notebooks", "figures") for p in (ROOT / d).iterdir()}


def refused(*arguments):
    """The one line that the command ends with."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as end:
        run.command(run.main, *arguments)
    signal.signal(signal.SIGINT, before)
    assert "\n" not in end.value.code and "Traceback" not in end.value.code
    return end.value.code


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A build folder of our own."""
    monkeypatch.setattr(run, "BUILD", tmp_path)
    return tmp_path


@pytest.mark.parametrize("number, arguments, message", [
    ("", [], "NB=: must be one of 01_sizing, 02_naive_waste"),
    ("99", [], "NB=99: must be one of 01_sizing"),
    ("0", [], "NB=0: must be one of 01_sizing"), ("01_s", [], "NB=01_s: must be one of 01_sizing"),
    ("05", ["page_sise=3"], "page_sise: must be NAME=VALUE, once, with a name of batch_sizes, max_seq_len"),
    ("05", ["seed=7", "seed=8"], "seed: must be NAME=VALUE, once"),
    ("05", ["32"], "32: must be NAME=VALUE"), ("--only", ["99"], "ONLY=99: must be one of 01_sizing"),
    ("--only", ["05", "*"], "ONLY=05 *: must be one of"), ("--only", ["05 x"], "ONLY=05 x: must be one of"),
])
def test_unknown_notebooks_and_parameters_are_refused(build, capsys, number, arguments, message):
    assert message in refused(number, *arguments)
    assert not capsys.readouterr().out and not list(build.iterdir())


@pytest.mark.parametrize("number, argument, message", [
    ("01", "model=GPT-9", "01_sizing: ValueError: model='GPT-9': must be one of GPT-3-175B,"),
    pytest.param("05", "workload=none.csv", "workload='none.csv': cannot be read", marks=pytest.mark.slow)])
def test_a_bad_value_is_one_line_and_changes_no_file(build, number, argument, message):
    before = stored()
    assert message in refused(number, argument)
    assert stored() == before
    assert [p.suffix for p in build.iterdir()] == [".ipynb"]  # the failed run is kept


@pytest.mark.slow
def test_a_run_with_other_parameters_writes_only_to_build(build, capsys):
    before = stored()
    assert not run.main("03", "page_size=5", "token_counts=[7, 11]", "workload=lmsys", "seed=7")
    assert stored() == before
    files = sorted(p.name for p in (build / "figures" / NOTEBOOK.stem).iterdir())
    assert len(files) == 9 and all(f.startswith("03") for f in files)
    text = (build / NOTEBOOK.name).read_text()
    assert "5 of 512 pages" in text and "[3, 4]" in text and "[2, 3]" in text


def test_a_failing_notebook_leaves_the_stored_one_alone(build, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run, "ROOT", tmp_path / "root")
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
    assert run.main() == 1
    out = capsys.readouterr().out
    assert "02_bad: ZeroDivisionError: division by zero" in out and "01_good ok" in out
    assert bad.read_bytes() == before and "fine" in good.read_text()
    assert "ZeroDivisionError" in (build / "02_bad.ipynb").read_text()
    assert {p.name for p in folder.iterdir()} == {"01_good.ipynb", "02_bad.ipynb"}


def plain_papermill(*arguments):
    """The command `papermill`, in this process: starting one takes seconds."""
    papermill.cli.papermill([str(a) for a in arguments], standalone_mode=False)


@pytest.mark.slow
def test_plain_papermill_works_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain_papermill(NOTEBOOK, "out.ipynb", "-p", "page_size", 32, "--no-progress-bar")
    assert [p.name for p in tmp_path.iterdir()] == ["out.ipynb"]


@pytest.mark.slow
def test_plain_papermill_refuses_a_bad_value(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(papermill.PapermillExecutionError) as error:
        plain_papermill(NOTEBOOK, tmp_path / "out.ipynb", "-p", "page_size", 0, "--no-progress-bar")
    assert str(error.value).strip().splitlines()[-1] == \
        "ValueError: page_size=0: must be a whole number, at least 1 and at most 4,096"


def test_help_explains_every_parameter(capsys):
    with pytest.raises(SystemExit):
        plain_papermill("--help-notebook", NOTEBOOK)
    out = capsys.readouterr().out
    assert "page_size: int (default 16)" in out and "tokens a page (vLLM's default)" in out


def test_a_notebook_is_chosen_by_its_number_or_its_name():
    for only in (["5"], ["05"], ["05_batch_sweep"], ["5", "05"]):
        assert [p.stem for p in run.notebooks(only)] == ["05_batch_sweep"]
    assert [p.stem[:2] for p in run.notebooks(["10", "3"])] == ["03", "10"]
    assert len(run.notebooks()) == 10


def test_values_are_literals_or_text():
    texts = ["3", "3.5", "1e3", "[1, 2]", "azure_conv", "a/b=c.csv", "True"]
    values = run.assigned([f"{i}={text}" for i, text in enumerate(texts)], "0123456")
    assert list(values.values()) == [3, 3.5, 1000.0, [1, 2], "azure_conv", "a/b=c.csv", True]


HOSTILE = ["; touch A", "$(touch A)", "`touch A`", "$(shell touch A)", "${shell touch A}", "$$(touch A)", "| touch A",
           "&& touch A", "& touch A", "\ntouch A\n", "' ; touch A ; '", '" ; touch A ; "', "\\$(touch A)", "> A",
           "$(info x)$(file >A,x)", "{touch,A}", "<(touch A)", "%s $(eval $(shell touch A))", "# $(shell touch A)",
           "--make", "--only", "-x", "$(MAKE) clean", "\x1b[31m", "05;touch A", "*"]


PASSED = ("P", "NB", "ONLY", "GRID", "SCHEDULER", "FOLDER", "REPOSITORY")


def test_make_hands_values_over_unread_by_a_shell(tmp_path):
    """A stand-in for Python writes down what reached it: make and the shell have changed nothing."""
    told = tmp_path / "told"
    stand_in = tmp_path / "python"
    stand_in.write_text(f"""#!/bin/sh\nprintf '%s\\0' "$#" "$@" {" ".join(f'"${name}"' for name in PASSED)} >> {told}\n""")
    stand_in.chmod(0o755)
    for hostile in HOSTILE:
        value = hostile.replace("A", str(tmp_path / "a"))
        subprocess.run(["make", "all", "run", "sweep", "grade", f"PYTHON={stand_in}", "READY=",
                        *(f"{name}={value}" for name in PASSED)], cwd=ROOT, check=True, capture_output=True)
        value = value.lstrip()  # make takes blanks before a value away
        asked = [["study.run", "--only", value], ["study.course", "derived"], ["study.run", "--make"],
                 ["study.sweep", *[value] * 3], ["study.grade"]]
        expected = [[str(len(one) + 1), "-m", f"pagedkv_nb.{one[0]}", *one[1:], *[value] * len(PASSED)] for one in asked]
        assert told.read_text().split("\0") == [*sum(expected, []), ""]
        told.unlink()
        assert [p.name for p in tmp_path.iterdir()] == ["python"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_values_are_refused_in_one_line(hostile, monkeypatch):
    for number, values in (("05", hostile), ("05", f"seed=7 {hostile}"), (hostile, "seed=7")):
        monkeypatch.setenv("NB", number)
        monkeypatch.setenv("P", values)
        monkeypatch.setattr(run, "execute", lambda *_, **__: pytest.fail("it ran"))
        assert re.match("NB=|P=|.*: must be NAME=VALUE, once|No closing quotation", refused("--make"))
    assert refused("--only", hostile).startswith("ONLY=") if hostile != " " else True


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
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(run, "BUILD", tmp_path / "build")
    tiny(tmp_path / "notebooks", "01_dot.ipynb", FIGURE, WRITE)
    return tmp_path


def files_in(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


DRAWN = ["01a-dot.csv", "01a-dot.png", "01a-dot.svg"]


@pytest.fixture
def no_kernel(monkeypatch):
    """What the notebook of our own draws comes without a kernel."""
    def execute(path, folder, parameters, **bar):
        drawn = Path(parameters["figures_dir"])
        drawn.mkdir(parents=True)
        for name in DRAWN:
            (drawn / name).write_text("drawn")
        (folder / path.name).write_bytes(path.read_bytes())
        return nbformat.read(path, 4)
    monkeypatch.setattr(run, "execute", execute)


def test_figures_may_lie_on_another_filesystem(house, no_kernel):
    shared_memory = Path("/dev/shm")
    if not shared_memory.is_dir() or shared_memory.stat().st_dev == house.stat().st_dev:
        pytest.skip("/dev/shm is no other filesystem here")
    with TemporaryDirectory(dir=shared_memory) as other:
        (house / "figures").symlink_to(other)
        assert run.main() == 0
        assert files_in(Path(other)) == DRAWN


@pytest.fixture
def full_disk(tmp_path):
    """A disk of 64 KiB, for real: only for tests that are slow, which nobody starts unawares."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk],
                             capture_output=True)
    if mounted.returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
def test_a_full_disk_is_one_line_with_the_path(house, full_disk, capsys):
    (house / "figures").symlink_to(full_disk)
    (full_disk / "ballast").write_bytes(b"x" * 60_000)
    before = (house / "notebooks" / "01_dot.ipynb").read_bytes()
    assert run.main() == 1
    out = capsys.readouterr().out
    assert "figures/01a-dot." in out and "No space left on device" in out
    assert files_in(full_disk) == ["ballast"]
    assert (house / "notebooks" / "01_dot.ipynb").read_bytes() == before


@pytest.mark.slow
def test_a_full_build_folder_is_one_line_with_the_path(house, full_disk, capsys):
    (house / "build").symlink_to(full_disk)
    (full_disk / "ballast").write_bytes(b"x" * 65_536)
    for told in (refused("01"), run.main() and capsys.readouterr().out):
        assert "No space left on device" in told and "build" in told and "Traceback" not in told
    assert files_in(full_disk) == ["ballast"] and not (house / "figures").exists()


def test_figures_that_cannot_be_written_are_one_line(house, no_kernel, capsys):
    (house / "figures").write_text("not a folder")
    assert run.main() == 1
    assert "figures" in capsys.readouterr().out and files_in(house / "build") == ["01_dot.ipynb"]


@pytest.mark.slow
def test_what_a_killed_run_left_is_cleared(house, tmp_path):
    tiny(house / "notebooks", "02_slow.ipynb", FIGURE, "import time; time.sleep(60)")
    code = (f"import pathlib; from pagedkv_nb.study import run; run.ROOT = "
            f"pathlib.Path({str(house)!r}); run.BUILD = run.ROOT / 'build'; run.main()")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    killed = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE,
                              env=os.environ | {"TMPDIR": str(temporary)})
    killed.stdout.readline()  # the first notebook is done, the second sleeps
    killed.kill()
    killed.wait()
    (house / "figures" / f".01a-dot.svg.{killed.pid}.part").write_text("half")
    left = [p.name for p in (house / "build").iterdir()]
    assert len(left) == 1 and left[0].startswith(".run-") and left[0].endswith(f".{killed.pid}.part")
    assert not list(temporary.iterdir())
    (house / "notebooks" / "02_slow.ipynb").unlink()
    assert run.main() == 0
    assert files_in(house / "build") == [] and files_in(house / "figures") == DRAWN


def test_files_of_others_stay_and_a_run_killed_while_it_wrote_is_told(house, no_kernel, capsys):
    others = ["figures/.x.part", "figures/.a.b.part", f"figures/.a.{'9' * 30}.part", "build/.run-old", "build/.part"]
    for name in others:
        (house / name).parent.mkdir(exist_ok=True)
        (house / name).write_text("")
    (house / "notebooks" / ".01_dot.ipynb.999999999.part").write_text("new")
    assert run.main() == 0
    told = capsys.readouterr().out
    assert "notebooks/.01_dot.ipynb.999999999.part: a run was killed while it wrote; `make` heals it" in told
    assert all((house / name).exists() for name in others if "99" not in name)
    assert files_in(house / "notebooks") == ["01_dot.ipynb"]


def test_no_run_was_killed_while_it_wrote_what_is_stored():
    assert not [*ROOT.glob("notebooks/.*.part"), *ROOT.glob("figures/.*.part")]


@pytest.mark.parametrize("arguments", ["", pytest.param(", '02'", marks=pytest.mark.slow)])
def test_ctrl_c_is_one_line_at_once(house, arguments):
    tiny(house / "notebooks", "02_slow.ipynb", FIGURE, f"import os; open({str(house / 'pid')!r}, 'w').write(str("
         "os.getpid())); import time; time.sleep(600)")
    (house / "notebooks" / "01_dot.ipynb").unlink()
    code = ("import pathlib; from pagedkv_nb.study import run; run.ROOT = "
            f"pathlib.Path({str(house)!r}); run.BUILD = run.ROOT / 'build'; run.command(run.main{arguments})")
    stopped = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: (house / "pid").exists() and (house / "pid").read_text())
    stopped.send_signal(signal.SIGINT)
    assert stopped.wait(60) == 130  # the notebook would take ten minutes
    assert stopped.stderr.read().splitlines()[-1] == "stopped"
    wait_until(lambda: not pid_exists(int((house / "pid").read_text())))


@pytest.mark.slow
def test_two_runs_at_once_end_well(house):
    with ThreadPoolExecutor(2) as threads:
        code = (f"import pathlib; from pagedkv_nb.study import run; run.ROOT = "
                f"pathlib.Path({str(house)!r}); run.BUILD = run.ROOT / 'build'; "
                "raise SystemExit(run.main())")
        runs = list(threads.map(lambda _: subprocess.run([sys.executable, "-c", code], cwd=ROOT), [1, 2]))
    assert [r.returncode for r in runs] == [0, 0]
    assert files_in(house / "figures") == DRAWN and files_in(house / "build") == []


def test_an_answer_is_printed_and_a_long_run_says_where_it_is(house, capsys):
    tiny(house / "notebooks", "02_answer.ipynb", FIGURE, "import time; time.sleep(1.1)", "print(42)")
    nb = nbformat.read(house / "notebooks" / "02_answer.ipynb", 4)
    nb.cells[2].metadata["tags"] = ["answer"]
    nbformat.write(nb, house / "notebooks" / "02_answer.ipynb")
    assert not run.main("02")
    out, err = capsys.readouterr()
    assert out.endswith("\n42\n")
    assert re.search(r"02_answer: 3 of 4 cells, 00:\d\d\n", err)
    assert "answer" in (house / "build" / "02_answer.ipynb").read_text()
    assert nbformat.read(house / "notebooks" / "02_answer.ipynb", 4) == nb and not (house / "figures").exists()


def test_a_rerun_that_fails_leaves_the_figures_of_the_one_before(house):
    assert not run.main("01")
    build = house / "build"
    assert files_in(build) == ["01_dot.ipynb", *DRAWN] and str(build / "figures") in (build / "01_dot.ipynb").read_text()
    before = (build / "figures" / "01_dot" / "01a-dot.csv").read_bytes()
    tiny(house / "notebooks", "01_dot.ipynb", FIGURE, WRITE.replace("[1]", "[2]"), "1 / 0")
    assert refused("01").startswith("FAILED 01_dot: ZeroDivisionError")
    assert (build / "figures" / "01_dot" / "01a-dot.csv").read_bytes() == before


def test_figure_folders_are_checked_and_files_written_whole(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path, 3, str(tmp_path / "file")):
        with pytest.raises(ValueError, match="figures_dir="):
            Figures(folder)
    assert Figures("~/x").folder == Path.home() / "x"
    with pytest.raises(TypeError):
        write_together({tmp_path / "a": b"1", tmp_path / "b": "no bytes"})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_two_dollars_in_a_name_are_no_formula():
    fig, ax = canvas("a $b_{ $c", xlabel="d $e_{ $f", xscale="log")
    ax.plot([1, 1e6], [0, 1], label="g $h_{ $i")
    ax.set_yticks([0, 1], ["j $k_{ $l", "m"])
    ax.legend()
    settle(fig)
    svg = rendered(fig, "svg", {"Date": None})
    assert all(name in svg for name in (b"a $b_{ $c", b"d $e_{ $f", b"g $h_{ $i", b"j $k_{ $l", b"mathdefault"))
