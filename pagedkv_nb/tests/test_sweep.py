"""Grids of parameters, run here and on a real cluster of the loopback."""
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from pagedkv_nb.study import run, sweep

from .conftest import ROOT
from .test_runner import tiny

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
        monkeypatch.setattr(module, "ROOT", tmp_path)
        monkeypatch.setattr(module, "BUILD", tmp_path / "build")
    tiny(tmp_path / "notebooks", "01_dot.ipynb", PARAMETERS, WORK)
    return tmp_path


@pytest.mark.parametrize("grid, n, last", [
    ({"size": [1, 2], "name": ["a", "b", "c"]}, 6, {"size": 2, "name": "c"}),
    ({"size": 3}, 1, {"size": 3}),
    ([{"size": 1}, {"size": [1, 2]}, {"name": "x", "size": 1}], 3, {"name": "x", "size": 1}),
    ({"size": [[1, 2], [3]]}, 2, {"size": [3]})])
def test_lists_multiply_and_no_point_comes_twice(grid, n, last):
    points = sweep.points_of(grid, KNOWN)
    assert len(points) == n and points[-1] == last


@pytest.mark.parametrize("text, message", [
    ("seize: 1", "seize: must be one of size, name, trace"), ("figures_dir: x", "figures_dir: must be"),
    ("", "None: must be a mapping"), ("[]", "[]: must be a mapping"), ("{}", "{}: must be a mapping"),
    ("size: []", "size=[]: must be a value"), ("size:", "size=None"), ("- 3", "3: must be a mapping"),
    ("size: [1", "expected ',' or ']'"), ("a: b: c", "mapping values"), ("\t- x", "cannot start")])
def test_a_bad_grid_is_one_line_that_names_the_file(tmp_path, text, message):
    (tmp_path / "grid.yml").write_text(text)
    with pytest.raises(ValueError) as error:
        sweep.read_grid(tmp_path / "grid.yml", KNOWN)
    assert "grid.yml: " in str(error.value) and message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_not_there_is_one_line(tmp_path):
    for grid, message in ((tmp_path / "none.yml", "none.yml: No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ValueError, match=message):
            sweep.run_grid("05", grid)
    done = subprocess.run([sys.executable, "-m", "pagedkv_nb.study.sweep", "99", "x.yml"],
                          cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 1 and done.stderr.startswith("NB=99: must be one of")
    assert done.stderr.count("\n") == 1


def in_process(monkeypatch):
    """Points run here one by one, without a cluster; returns the list of those that did."""
    ran = []

    def run_points(path, missing, folder, address):
        for key, work in missing.items():
            ran.append(work[0])
            result = sweep.run_point(path.name, path.read_bytes(), *work)
            sweep.write_together({folder / f"{key}.json": json.dumps(result).encode()})
    monkeypatch.setattr(sweep, "run_points", run_points)
    return ran


def quickly(path, folder, parameters):
    """What the notebook does, without a kernel."""
    text = Path(parameters["trace"]).read_text()
    table = pd.DataFrame({"doubled": [parameters["size"], 2 * parameters["size"]], "text": text})
    made = Path(parameters["figures_dir"])
    made.mkdir()
    table.to_csv(made / "01a-dot.csv", index=False)


def test_a_second_start_does_what_is_missing_or_stale(house, monkeypatch, capsys):
    ran = in_process(monkeypatch)
    grid = house / "grid.yml"
    grid.write_text(f"size: [1, -1]\ntrace: {house / 'trace.txt'}\n")
    (house / "trace.txt").write_text("old")
    assert sweep.run_grid("01", grid) == 1
    assert [p["size"] for p in ran] == [1, -1]
    table = pd.read_csv(house / "build/sweep/grid/01a-dot.csv")
    assert table[["size", "doubled", "text"]].values.tolist() == [[1, 1, "old"], [1, 2, "old"]]
    points = pd.read_csv(house / "build/sweep/grid/points.csv").fillna("")
    assert points["error"].tolist() == ["", "ValueError: size=-1: must be positive"]
    assert "1 of 2 points failed" in capsys.readouterr().out
    grid.write_text(f"size: [1, 2]\ntrace: {house / 'trace.txt'}\n")
    assert sweep.run_grid("01", grid) == 0 and ran.pop() == {"size": 2, "trace": str(house / "trace.txt")}
    assert sweep.run_grid("01", grid) == 0 and len(ran) == 2
    monkeypatch.setattr(sweep, "execute", quickly)
    grid.write_text(f"size: 1\ntrace: {house / 'trace.txt'}\n")
    (house / "trace.txt").write_text("new")
    assert sweep.run_grid("01", grid) == 0 and len(ran) == 3
    assert set(pd.read_csv(house / "build/sweep/grid/01a-dot.csv")["text"]) == {"new"}
    notebook = house / "notebooks" / "01_dot.ipynb"
    nb = nbformat.read(notebook, 4)
    nb.cells[1].source += "\n1 + 1"
    nbformat.write(nb, notebook)
    assert sweep.run_grid("01", grid) == 0 and len(ran) == 4


def test_a_parameter_that_is_a_column_too_keeps_both():
    tables = {"t": "size,y\n5,6\n"}
    gathered = sweep.gather([{"size": 1}], [{"tables": tables, "error": ""}])
    assert gathered["t"].to_dict("records") == [{"parameter_size": 1, "size": 5, "y": 6}]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.mark.slow
def test_a_killed_worker_of_a_real_cluster_loses_no_point(house, tmp_path, capsys):
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
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
    table = pd.read_csv(house / "build/sweep/grid/01a-dot.csv")
    assert table["size"].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert set(table["text"]) == {"sent along"}
    out = capsys.readouterr().out
    assert "[6/6]" in out and "size=-1, pause=1.0" in out and "must be positive" in out


@pytest.mark.slow
def test_no_scheduler_there_is_one_line(house):
    pytest.importorskip("distributed", reason="dask.distributed is not installed")
    (house / "grid.yml").write_text("size: 1")
    with pytest.raises(ValueError, match="SCHEDULER=tcp://127.0.0.1:1: "):
        sweep.run_grid("01", house / "grid.yml", "tcp://127.0.0.1:1")
