"""Grids of parameters, run here and on a real cluster of the loopback."""
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from pagedkv_nb.study import grid as grids
from pagedkv_nb.study import run

from .conftest import ROOT
from .test_runner import tiny

pytest.importorskip("distributed", reason="dask.distributed is not installed")
from pagedkv_nb.study import sweep  # noqa: E402

KNOWN = ["size", "name", "trace", "figures_dir"]
PARAMETERS = """size: int = 1  # a number
name: str = "a"  # a name
trace: str = ""  # a file
pause: float = 0.0  # seconds
figures_dir: str = ""  # folder"""
WORK = """import time
import pandas as pd
from pagedkv_nb.study.notebook import Figures
from pagedkv_nb.study.style import canvas
if size < 0:
    raise ValueError(f"size={size}: must be positive")
time.sleep(pause)
text = open(trace).read() if trace else ""
table = pd.DataFrame({"doubled": [size, 2 * size], "text": text})
Figures(figures_dir).show(canvas("a title")[0], "01a-dot", "alt", table)"""


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A study of our own with one notebook."""
    for module in (run, sweep):
        monkeypatch.setattr(module, "BUILD", tmp_path / "build")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    tiny(tmp_path / "notebooks", "01_dot.ipynb", PARAMETERS, WORK)
    return tmp_path


@pytest.mark.parametrize("grid, n, last", [
    ({"size": [1, 2], "name": ["a", "b", "c"]}, 6, {"size": 2, "name": "c"}),
    ({"size": 3}, 1, {"size": 3}),
    ([{"size": 1}, {"size": [1, 2]}, {"name": "x", "size": 1}], 3, {"name": "x", "size": 1}),
    ({"size": [[1, 2], [3]]}, 2, {"size": [3]})])
def test_lists_multiply_and_no_point_comes_twice(grid, n, last):
    points = grids.points_of(grid, KNOWN)
    assert len(points) == n and points[-1] == last


@pytest.mark.parametrize("text, message", [
    ("seize: 1", "parameter='seize': must be one of size, name, trace"), ("figures_dir: x", "'figures_dir': must be"),
    ("", "it is empty"), ("~", "None: must be a mapping"), ("[]", "[]: must be a mapping"), ("{}", "{}: must be a mapping"),
    ("size: []", "size=[]: must be a value"), ("size:", "size=None"), ("- 3", "3: must be a mapping"),
    ("size: [1", "expected ',' or ']'"), ("a: b: c", "mapping values"), ("\t- x", "cannot start"),
    ("size: 1\nsize: 2", "size: is there twice"), ("- {size: 1}\n- {name: a, size: [1, 2], size: 3}", "size: is there"),
    ("size: 2024-01-01", "date is not JSON"), ("size: !!binary eA==", "bytes is not JSON"),
    ("size: &a [1, 2]\nname: *a", "*: must be written out"), ("size: &a [*a]", "*: must be written out"),
    ("size: " + "[" * 999, "recursion"), ("size: " + "9" * 5000, "Exceeds the limit"), ("1: 2", "parameter=1: must be one of"),
    ("? [1, 2]\n: 3", "unhashable key"), ("size: {1: 2, a: 3}", "not supported between"), ("\0", "no text (byte 0)"),
    (f"size: {list(range(1000))}\nname: {list(range(1000))}", "1,000,000 points: must be at most 10,000")])
def test_a_bad_grid_is_one_line_that_names_the_file(tmp_path, text, message):
    (tmp_path / "grid.yml").write_text(text)
    with pytest.raises(ValueError) as error:
        grids.read_grid(tmp_path / "grid.yml", KNOWN)
    assert "grid.yml: " in str(error.value) and message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_not_there_is_one_line(tmp_path, monkeypatch):
    for grid, message in ((tmp_path / "none.yml", "none.yml: cannot be read: No such file"), (tmp_path, "it is no regular file")):
        with pytest.raises(ValueError, match=message):
            sweep.run_grid("05", grid)
    monkeypatch.setattr(sys, "argv", ["sweep", "99", "x.yml"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit, match=r"\ANB=99: must be one of [^\n]+\Z"), pytest.warns(RuntimeWarning):
        runpy.run_module("pagedkv_nb.study.sweep", run_name="__main__")


def in_process(monkeypatch):
    """Points run here one by one, without a cluster; returns the list of those that did."""
    ran = []

    def run_points(path, missing, folder, address):
        errors = {}
        for key, work in missing.items():
            ran.append(work[0])
            try:
                result = sweep.run_point(key, path.name, sweep.code_of(path), *work)
                sweep.write_together({folder / f"{key}.json": json.dumps(result).encode()})
            except ValueError as error:
                errors[key] = str(error)
        return errors
    monkeypatch.setattr(sweep, "run_points", run_points)
    return ran


def quickly(path, folder, parameters, **bar):
    """What the notebook does, without a kernel."""
    text = Path(parameters["trace"]).read_text()
    table = pd.DataFrame({"doubled": [parameters["size"], 2 * parameters["size"]], "text": text})
    if parameters["size"] < 0:
        raise RuntimeError("ValueError: size=-1: must be positive")
    made = Path(parameters["figures_dir"])
    made.mkdir()
    table.to_csv(made / "01a-dot.csv", index=False)


def test_a_second_start_does_what_is_missing_or_stale(house, monkeypatch, capsys):
    ran = in_process(monkeypatch)
    monkeypatch.setattr(sweep, "execute", quickly)
    grid = house / "grid.yml"
    grid.write_text(f"size: [1, -1]\ntrace: {house / 'trace.txt'}\n")
    (house / "trace.txt").write_text("old")
    assert sweep.run_grid("01", grid) == 1
    assert [p["size"] for p in ran] == [1, -1]
    table = pd.read_csv(house / "build/sweep/01_dot/grid/01a-dot.csv")
    assert table[["size", "doubled", "text"]].values.tolist() == [[1, 1, "old"], [1, 2, "old"]]
    points = pd.read_csv(house / "build/sweep/01_dot/grid/points.csv").fillna("")
    assert points["error"].tolist() == ["", "ValueError: size=-1: must be positive"]
    assert "1 of 2 points failed" in capsys.readouterr().out
    grid.write_text(f"size: [1, 2]\ntrace: {house / 'trace.txt'}\n")
    assert sweep.run_grid("01", grid) == 0 and ran.pop() == {"size": 2, "trace": str(house / "trace.txt")}
    assert sweep.run_grid("01", grid) == 0 and len(ran) == 2
    grid.write_text(f"size: 1\ntrace: {house / 'trace.txt'}\n")
    (house / "trace.txt").write_text("new")
    assert sweep.run_grid("01", grid) == 0 and len(ran) == 3
    assert set(pd.read_csv(house / "build/sweep/01_dot/grid/01a-dot.csv")["text"]) == {"new"}
    notebook = house / "notebooks" / "01_dot.ipynb"
    nb = nbformat.read(notebook, 4)
    nb.cells[1].source += "\n1 + 1"
    nbformat.write(nb, notebook)
    assert sweep.run_grid("01", grid) == 0 and len(ran) == 4


def test_a_result_of_another_package_is_refused_and_not_kept(house, monkeypatch):
    ran = in_process(monkeypatch)
    monkeypatch.setattr(sweep, "execute", quickly)
    (house / "grid.yml").write_text(f"size: 1\ntrace: {house / 'grid.yml'}\n")
    ours, versions = sweep.package_key(), iter(["client", "worker"])
    monkeypatch.setattr(sweep, "package_key", lambda: next(versions, ours))
    assert sweep.run_grid("01", house / "grid.yml") == 1
    told = pd.read_csv(house / "build/sweep/01_dot/grid/points.csv")["error"].tolist()
    assert told == ["this worker must have this version of pagedkv_nb, with the extras run and sweep"]
    assert sweep.run_grid("01", house / "grid.yml") == 0 and len(ran) == 2


def test_the_key_of_a_package_is_of_its_files_wherever_it_lies(tmp_path, monkeypatch):
    key = sweep.package_key()
    copy = tmp_path / "tests" / "pagedkv_nb"
    shutil.copytree(sweep.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    monkeypatch.setattr(sweep, "PACKAGE", copy)
    assert sweep.package_key() == key
    (copy / "data" / "gpus.csv").write_text("")
    assert sweep.package_key() != key


def test_the_package_is_hashed_once_for_all_points(house, monkeypatch):
    monkeypatch.setattr(sweep, "run_points", lambda _, missing, *__: dict.fromkeys(missing, "not run"))
    calls, key = [], sweep.package_key
    monkeypatch.setattr(sweep, "package_key", lambda: calls.append(1) or key())
    (house / "grid.yml").write_text(f"size: {list(range(9))}\n")
    assert sweep.run_grid("01", house / "grid.yml") == 1 and len(calls) == 1


def test_grids_of_one_name_share_no_folder_and_old_tables_go(house, monkeypatch):
    in_process(monkeypatch)
    monkeypatch.setattr(sweep, "execute", quickly)
    tiny(house / "notebooks", "02_other.ipynb", PARAMETERS, WORK)
    (house / "grid.yml").write_text(f"size: 1\ntrace: {house / 'grid.yml'}\n")
    for number in ("01", "02"):
        assert sweep.run_grid(number, house / "grid.yml") == 0
    old = house / "build/sweep/02_other/grid/09z-old.csv"
    old.write_text("x")
    assert sweep.run_grid("02", house / "grid.yml") == 0 and not old.exists()
    assert (house / "build/sweep/01_dot/grid/01a-dot.csv").is_file()


def test_a_parameter_that_is_a_column_too_keeps_both(tmp_path):
    (tmp_path / "points").mkdir()
    (tmp_path / "points" / "key.json").write_text(json.dumps({"t": "size,y\n5,6\n"}))
    sweep.gather(tmp_path, {"key": ({"size": 1}, {})}, {})
    assert (tmp_path / "t.csv").read_text() == "parameter_size,size,y\n1,5,6\n"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.slow
def test_a_killed_worker_of_a_real_cluster_loses_no_point(house, tmp_path, capsys):
    address = f"tcp://127.0.0.1:{free_port()}"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started = [subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_scheduler", "--host",
                                 "127.0.0.1", "--port", address.split(":")[2], "--no-dashboard"],
                                stderr=subprocess.DEVNULL, cwd=elsewhere)]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1",
              "--no-dashboard", "--no-nanny", "--local-directory", str(elsewhere)]
    try:
        started += [subprocess.Popen(worker, stderr=subprocess.DEVNULL, cwd=elsewhere, env=environment)
                    for _ in range(2)]
        grid = house / "grid.yml"
        (house / "trace.txt").write_text("sent along")
        grid.write_text(f"size: [1, 2, 3, 4, 5, -1]\npause: 1.0\ntrace: {house / 'trace.txt'}\n")
        killer = subprocess.Popen([sys.executable, "-c", "import os, sys, time; time.sleep(5); "
                                   f"os.kill({started[2].pid}, {int(signal.SIGKILL)})"])
        assert sweep.run_grid("01", grid, address) == 1
        assert killer.wait() == 0 and started[2].wait() == -signal.SIGKILL
    finally:
        for process in started:
            process.kill()
            process.wait()
    table = pd.read_csv(house / "build/sweep/01_dot/grid/01a-dot.csv")
    assert table["size"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert set(table["text"]) == {"sent along"}
    out = capsys.readouterr().out
    assert "[6/6]" in out and "size=-1, pause=1.0" in out and "must be positive" in out


ONLY_THE_PACKAGE = "import sys; sys.modules['nbformat'] = None; from distributed.cli.dask_worker import main; main()"


@pytest.fixture
def scheduler():
    """The address of a Dask scheduler without workers; a function that starts one that runs code."""
    address = f"tcp://127.0.0.1:{free_port()}"
    quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "cwd": ROOT}
    started = [subprocess.Popen([sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1",
                                 "--port", address.split(":")[2], "--no-dashboard"], **quiet)]

    def worker(code, *options):
        started.append(subprocess.Popen([sys.executable, "-c", code, address, "--no-dashboard", "--no-nanny",
                                         *options], **quiet))
    yield address, worker
    for process in started:
        process.kill()
        process.wait()


def refused(house, address, within=40):
    """The one line that a sweep ends with."""
    (house / "grid.yml").write_text("size: 1")
    start = time.monotonic()
    with pytest.raises(ValueError) as error:
        sweep.run_grid("01", house / "grid.yml", address)
    assert time.monotonic() - start < within and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.slow
def test_workers_without_what_a_sweep_needs_are_named_before_the_first_point(house, scheduler, tmp_path, capsys):
    address, worker = scheduler
    while "no Dask scheduler" in (told := refused(house, address)):
        time.sleep(1)
    assert told.startswith(f"SCHEDULER={address}: a worker, there is none, must have this version")
    worker(ONLY_THE_PACKAGE, "--local-directory", str(tmp_path))
    while "there is none" in (told := refused(house, address)):
        time.sleep(1)
    assert told.startswith(f"SCHEDULER={address}: tcp://127.0.0.1:") and "with the extras run and sweep" in told
    assert "[1/1]" not in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"])
def test_what_is_no_scheduler_is_one_line(house, said):
    kept = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            with suppress(OSError):
                while True:
                    kept.append(server.accept()[0])
                    kept[-1].sendall(said)
        threading.Thread(target=serve, daemon=True).start()
        for scheme in ("tcp", "tls"):
            address = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
            assert refused(house, address).startswith(f"SCHEDULER={address}: no Dask scheduler answers: ")


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "ucx://127.0.0.1:1", "http://x", "nonsense", "\n"])
def test_no_scheduler_there_is_one_line(house, address):
    assert refused(house, address).startswith("SCHEDULER=")


@pytest.mark.slow
@pytest.mark.parametrize("sent, code", [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_sweep_that_is_stopped_leaves_nothing_in_the_temporary_folder(house, tmp_path, sent, code):
    (house / "grid.yml").write_text("pause: [30, 31]\n")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    start = (f"import runpy, sys, pathlib; from pagedkv_nb.study import run; run.ROOT = pathlib.Path({str(house)!r}); "
             f"run.BUILD = run.ROOT / 'build'; sys.argv = ['sweep', '01', {str(house / 'grid.yml')!r}]\n"
             "if __name__ == '__main__': runpy.run_module('pagedkv_nb.study.sweep', run_name='__main__')")
    (tmp_path / "start.py").write_text(start)
    run_ = subprocess.Popen([sys.executable, tmp_path / "start.py"], cwd=ROOT, stderr=subprocess.PIPE, text=True,
                            env=os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)})
    made = house / "build"
    for _ in range(600):
        if list(made.rglob("01_dot.ipynb")):
            break
        time.sleep(0.1)
    time.sleep(3)
    os.kill(run_.pid, sent)
    start = time.monotonic()
    assert run_.wait(5) == code and time.monotonic() - start < 5
    if sent == signal.SIGINT:
        assert run_.stderr.read() == "stopped; the same command goes on from here\n"
    time.sleep(3)
    assert not [p for p in temporary.rglob("*") if p.is_file()]
    (house / "notebooks" / "01_dot.ipynb").unlink()
    assert run.main() == 0
    assert not list(made.glob(".run-*"))
