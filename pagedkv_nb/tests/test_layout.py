"""What needs what: the system runs on numpy and pandas, its core on nothing."""
import ast
import re
import subprocess
import sys

import pytest

from .conftest import ROOT

PACKAGE = ROOT / "pagedkv_nb"
SYSTEM = sorted(p.stem for p in PACKAGE.glob("*.py") if p.stem != "__init__")
CORE = ["paging", "parameter", "contiguous", *(["prefix"] if "prefix" in SYSTEM else [])]
SHOWING = ["matplotlib", "IPython", "pygments", "papermill", "nbformat", "dask", "distributed", "yaml"]


def imports_without(modules, absent):
    """Import modules in a fresh interpreter in which others cannot be; returns its errors."""
    code = "\n".join([f"import sys; sys.modules |= dict.fromkeys({absent!r})",
                      *(f"import pagedkv_nb.{module}" for module in modules)])
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stderr


def test_the_system_needs_numpy_and_pandas_alone():
    assert not imports_without(SYSTEM, SHOWING)


def test_the_core_needs_the_standard_library_alone():
    assert not imports_without(CORE, [*SHOWING, "numpy", "pandas"])


def test_reading_a_notebook_needs_no_papermill():
    text = "".join(path.read_text() for path in (ROOT / "notebooks").glob("*.ipynb"))
    shown = sorted(set(re.findall(r"pagedkv_nb\.study\.(\w+)", text)))
    assert "notebook" in shown
    assert not imports_without([f"study.{name}" for name in shown],
                               ["papermill", "nbformat", "nbclient", "dask", "distributed", "yaml"])


def imported(path):
    """Modules of the package that a module of the system imports."""
    nodes = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ImportFrom)]
    return {n.module for n in nodes if n.level == 1}


def test_modules_do_not_import_in_circles():
    seen = {}

    def depth(name, above=()):
        assert name not in above, (name, above)
        if name not in seen:
            below = [m for m in imported(PACKAGE / f"{name}.py") if m in SYSTEM]
            seen[name] = 1 + max((depth(m, (*above, name)) for m in below), default=0)
        return seen[name]

    assert all(depth(name) < 10 for name in SYSTEM)
    assert not any("study" in str(m) for name in SYSTEM for m in imported(PACKAGE / f"{name}.py"))


@pytest.mark.parametrize("path", [*PACKAGE.glob("*.py"), *(PACKAGE / "study").rglob("*.py")],
                         ids=lambda p: p.stem)
def test_a_module_is_read_in_one_sitting(path):
    written = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(written) <= 170 and max(map(len, written), default=0) <= 112
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(path.read_text())))
