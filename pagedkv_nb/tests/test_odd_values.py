"""Odd values of every parameter of every notebook: each works, or is refused in one line by
its own name, before anything is computed."""
import re
from types import SimpleNamespace

import numpy as np
import papermill
import pytest

from pagedkv_nb.generation import LanguageModel
from pagedkv_nb.parameter import number, positive_ints, shown
from pagedkv_nb.serving import Clock
from pagedkv_nb.sizing import Deployment, Model
from pagedkv_nb.study.notebook import Figures
from pagedkv_nb.study.parameters import check_sweep
from pagedkv_nb.traffic import read_prompts, read_workload

from .test_notebooks import PATHS, check

NAN, INF = float("nan"), float("inf")
ODD = [-1, 0, 1, 10**6, 10**12, 2**63, -(2**63), 0.5, 1.5, 1e300, NAN, INF, -INF, True, None, "", " ",
       "ünïcödé-模型", "none.csv", "none/config.json", ".", "/", "x" * 500, "1", "a\nb", b"x", [], [0], [1],
       [-1], [10**12], [NAN], [None], ["x"], [[1]], list(range(1, 200)), {}, {"a": 1}, (1, 2), object]
PARAMETERS = [(path, name) for path in PATHS for name in papermill.inspect_notebook(path)]


@pytest.mark.slow
@pytest.mark.parametrize("path, name", PARAMETERS, ids=lambda x: getattr(x, "stem", x))
def test_an_odd_value_works_or_is_one_line(path, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole, stand_in = LanguageModel.load, SimpleNamespace(shape=Model.named("Llama-3.1-8B"))
    monkeypatch.setattr(LanguageModel, "load", lambda path: whole(path) if path != "" else stand_in)
    for value in ODD:
        try:
            check(path, **{name: value})
        except ValueError as error:
            told = str(error)
            named = re.match(r"(\w+)(\[\d+\])?=", told)  # a value may make another one wrong
            assert named and (path, named[1]) in PARAMETERS, (name, str(value)[:80], told[:200])
            assert "\n" not in told and len(told) < 1200, (name, str(value)[:80], told[:200])


READERS = {"model": Model.named, "workload": lambda name: read_workload(name, 1, None), "trace": read_prompts,
           "model_path": LanguageModel.load, "figures_dir": Figures}


@pytest.mark.parametrize("parameter", READERS)
def test_what_names_no_file_is_one_short_line(parameter, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for value in (10**5000, [10**5000], np.array(3), np.array([1, 2]), 5000 * "9" + "x1x1", "a\0/config.json",
                  2500 * "/x" + "/config.json", 5000 * "x" + ".csv", 2000 * "ü" + ".json"):
        with pytest.raises(ValueError) as error:
            READERS[parameter](value)
        told = str(error.value)
        assert told.startswith(f"{parameter}=") and "\n" not in told and len(told) < 1100, told[:200]


def test_a_link_to_itself_is_no_config(tmp_path):
    (tmp_path / "config.json").symlink_to("config.json")
    for path in (tmp_path, tmp_path / "config.json"):
        with pytest.raises(ValueError, match="^model=.*Too many levels of symbolic links"):
            Model.named(str(path))


@pytest.mark.parametrize("call, message", [
    (lambda: positive_ints("x", np.array(3)), "x=3: must be a list of at least one whole number"),
    (lambda: positive_ints("x", np.array([])), "x=[]: must be a list"),
    (lambda: positive_ints("x", {1, 2}), "x={1, 2}: must be a list"),
    (lambda: positive_ints("x", {1: 2}), "x={1: 2}: must be a list"),
    (lambda: positive_ints("x", np.array([2**63], "uint64"), 10), f"x[0]={2**63}: must be a whole number"),
    (lambda: number("x", 10**400), f"x=1{116 * '0'}...{40 * '0'}: must be a number, at least 0"),
    (lambda: Model.named("1000001x1x1"), "model=1000001: must be a whole number, at least 1 and at most 1,000,000"),
    (lambda: Model.named("12345678901x1x1"), "model=1234567890: must be a whole number"),
    (lambda: Clock.of(Model.named("OPT-13B"), "A100-40GB", 10**400), "n_gpus=1"),
    (lambda: Deployment(Model.named("OPT-13B"), "H100-80GB", 1000, engine="sglang-0.5.10"),
     "model='OPT-13B': its weights take 24.2 GiB, 1000 x H100-80GB with usable=0 has 0.0 GiB"),
    (lambda: read_prompts("conversation", 10**5000), "page_size=a number of thousands of digits: must be a whole"),
    (lambda: Figures("\ud800"), "figures_dir='\\ud800': must be a folder"),
    (lambda: check_sweep([1], 2048, 16, 2, 999), "iterations=999: must be a whole number, at least 1000"),
    (lambda: check_sweep([1], 2048, 16, 2, np.array([1, 2])), "iterations=array([1, 2]): must be a whole number"),
    (lambda: Deployment(Model.named("OPT-13B"), "A100-80GB", weights_gib=None), "weights_gib=None: must be a number")])
def test_an_odd_number_or_list_is_one_line(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value).startswith(message)


def test_numbers_of_numpy_are_numbers():
    for name in ("Llama-3.1-8B", "OPT-13B"):
        plain, same = (Deployment(Model.named(name), "A100-80GB", n, usable=usable)
                       for n, usable in ((2, 0.75), (np.int64(2), np.float64(0.75))))
        assert plain == same and plain.token_slots() == same.token_slots() and plain.overheads == same.overheads


def test_what_is_long_is_cut_in_its_middle():
    assert shown("x", "a" * 158) == f"x='{158 * 'a'}'"
    assert shown("x", "a" * 100 + "b" * 100) == f"x='{100 * 'a'}{16 * 'b'}...{39 * 'b'}'"
