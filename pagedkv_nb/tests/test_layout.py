"""What needs what, and how long it is: every import of every file, those inside functions too."""
import ast
import re
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from .conftest import ROOT

PACKAGE = ROOT / "pagedkv_nb"
PATHS = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
         for path in sorted(PACKAGE.glob("*/**/*.py")) if "tests" not in path.parts}
PATHS |= {f"pagedkv_nb.{path.stem}": path for path in PACKAGE.glob("[a-z]*.py")}
HEART = ["paging", "prefix", "contiguous", "attention", "parameter", "facts"]
# Arrows only go up this list, or stay in a room.
LEVELS = [["heart", "files"], ["sizing", "traffic"], ["serving", "generation"], ["evidence"], ["study"]]
PLAIN = {f"pagedkv_nb.{name}" for name in (
    "paging", "prefix", "contiguous", "parameter", "serving.server", "serving.memory", "serving.policy")}


def named(module, node):
    """What an import statement names, in full."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    package = module if PATHS[module].name == "__init__.py" else module.rpartition(".")[0]
    above = package.split(".")[:len(package.split(".")) + 1 - node.level] if node.level else []
    base = ".".join([*above, *filter(None, [node.module])])
    inside = [f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in PATHS]
    return inside if len(inside) == len(node.names) else [base, *inside]


def imports(module):
    """The modules that a module of ours imports, and the rooms that they wake up on the way."""
    nodes = [n for n in ast.walk(ast.parse(PATHS[module].read_text()))
             if isinstance(n, (ast.Import, ast.ImportFrom))]
    found = {name for node in nodes for name in named(module, node)}
    woken = {parent for name in found & set(PATHS) for parent in PATHS if name.startswith(f"{parent}.")}
    return found | {parent for parent in woken if not f"{module}.".startswith(f"{parent}.")}


IMPORTS = {module: imports(module) for module in PATHS}
OURS = {module: found & set(PATHS) for module, found in IMPORTS.items()}


def room(module):
    """The room of a module: the heart is one too."""
    name = module.split(".")[1]
    return "heart" if name in HEART else name


def level(module):
    return next(i for i, rooms in enumerate(LEVELS) if room(module) in rooms)


def reached(modules):
    """Those modules and all that they import, by any path."""
    seen, ahead = set(), list(modules)
    while ahead:
        module = ahead.pop()
        if module not in seen:
            seen.add(module)
            ahead += OURS[module]
    return seen


def foreign(modules):
    """The packages of others that modules import."""
    found = {name.split(".")[0] for module in modules for name in IMPORTS[module]}
    return found - set(sys.stdlib_module_names) - {"pagedkv_nb"}


def lines(modules):
    return sum(PATHS[module].read_text().count("\n") for module in modules)


def test_every_import_of_ours_is_of_a_file():
    ours = {name for found in IMPORTS.values() for name in found if name.startswith("pagedkv_nb")}
    assert ours <= set(PATHS)


def test_arrows_only_go_up():
    wrong = [f"{module} imports {below}" for module, found in OURS.items() for below in found
             if room(module) != room(below) and level(below) >= level(module)]
    assert not wrong


def test_modules_do_not_import_in_circles():
    try:
        TopologicalSorter(OURS).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_the_plain_files_need_the_standard_library_and_each_other():
    assert not foreign(PLAIN)
    assert {below for module in PLAIN for below in OURS[module]} <= PLAIN


def test_only_what_shows_imports_what_shows():
    system = [module for module in PATHS if room(module) != "study"]
    assert foreign(system) <= {"numpy", "pandas", "tokenizers", "gguf"}


def test_reading_a_notebook_needs_no_papermill():
    text = "".join(path.read_text() for path in (ROOT / "notebooks").glob("*.ipynb"))
    shown = {name for name in re.findall(r"from (pagedkv_nb[\w.]*) import", text)}
    assert "pagedkv_nb.study.notebook" in shown
    assert foreign(reached(shown)) <= {"numpy", "pandas", "tokenizers", "gguf",
                                       "matplotlib", "IPython"}


@pytest.mark.parametrize("module", PATHS)
def test_a_module_is_read_in_one_sitting(module):
    text = PATHS[module].read_text()
    assert text.count("\n") <= 200 and max(map(len, text.splitlines()), default=0) <= 112
    assert not any(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(text)))


def test_the_house_stays_small():
    rooms = {module: room(module) for module in PATHS}
    heart = lines(module for module in PATHS if rooms[module] == "heart")
    system = lines(module for module in PATHS if rooms[module] != "study")
    study = lines(module for module in PATHS if rooms[module] == "study")
    assert (heart <= 680, system <= 3502, study <= 1961) == (True, True, True), (heart, system, study)
