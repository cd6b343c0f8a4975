"""Odd values of every parameter of every notebook: each works, or is refused in one line by
its own name, before anything is computed."""
import re
from types import SimpleNamespace

import papermill
import pytest

from pagedkv_nb.generation import LanguageModel
from pagedkv_nb.sizing import Model

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
