"""The stored notebooks: what nbval cannot see, because it passes a notebook without outputs."""
import json
import re
import tomllib
from html import unescape

import nbformat
import papermill
import pytest

from .conftest import ROOT

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NUMBERS = ["01", "02", "03", "04", "05", "06", "07", "08", "09", "10"]
FIGURES = [
    "01a-kv-bytes-per-token", "01b-cache-vs-context",
    "02a-reserved-slabs", "02b-where-memory-goes", "02c-memory-through-time",
    "03a-block-table", "03b-page-map", "03c-waste-vs-page-size",
    "04a-copy-on-write", "04b-pages-vs-requests",
    "05a-utilisation-vs-batch", "05b-requests-that-fit", "05c-memory-through-time",
    "06a-words-in-pages", "06b-real-memory-through-time", "06c-shared-by-forks-and-beams",
    "07a-pages-found-again", "07b-hit-rate-vs-cache", "07c-return-times",
    "08a-throughput", "08b-latency-vs-rate", "08c-worth-of-memory",
    "09a-paper-fig2", "09b-measured-run", "10a-measured-servers", "10b-usual-mistakes"]
SMALL_CASE = "^## A (case|pool|check) "  # the heading under which a notebook's story begins
LECTURER = (ROOT / "course" / "README.md").read_text()
README = (ROOT / "README.md").read_text()
ALLOWED_METADATA = {"tags", "slideshow"}
WORDS_A_MINUTE, SECONDS_A_CELL = 150, 45  # the honest minutes of reading
COURSE, FURTHER = (1300, 24), (2000, 30)  # words of prose and code cells, at most


def cells(path, kind=None):
    found = json.loads(path.read_text())["cells"]
    return [c for c in found if kind in (None, c["cell_type"])]


def source(cell):
    return "".join(cell["source"])


def outputs(path):
    return [o for c in cells(path, "code") for o in c["outputs"]]


def figures(path):
    return [o for o in outputs(path) if "image/png" in o.get("data", {})]


def story(path):
    """Words of prose and code cells before the exercises."""
    read = cells(path)
    read = read[:next(i for i, c in enumerate(read) if re.search("^## Exercises", source(c), re.M))]
    prose = [source(c) for c in read if c["cell_type"] == "markdown"]
    return sum(len(text.split()) for text in prose), len(read) - len(prose)


def minutes(path):
    """What a reader takes for it, exercises aside."""
    words, n_code = story(path)
    return words / WORDS_A_MINUTE + n_code * SECONDS_A_CELL / 60


def test_the_notebooks_are_there():
    assert [p.name[:2] for p in PATHS] == NUMBERS


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
class TestStored:
    def test_was_run_in_order(self, path):
        counts = [c["execution_count"] for c in cells(path, "code")]
        assert counts == list(range(1, len(counts) + 1))
        assert len(outputs(path)) >= len(counts) / 2

    def test_has_no_error_and_no_warning(self, path):
        kinds = {(o["output_type"], o.get("name")) for o in outputs(path)}
        assert kinds <= {("stream", "stdout"), ("display_data", None), ("execute_result", None)}

    def test_has_one_parameters_cell_that_explains_itself(self, path):
        tagged = [c for c in cells(path, "code") if "parameters" in c["metadata"].get("tags", [])]
        assert len(tagged) == 1
        for line in source(tagged[0]).splitlines():
            assert re.fullmatch(r"[a-z_]+: (int|float|str|list) = .+  # .+", line), line
        known = papermill.inspect_notebook(path)
        assert all(p["help"] and p["inferred_type_name"] for p in known.values())
        assert known["figures_dir"]["default"] == '""'

    def test_has_no_trace_of_the_machine_that_ran_it(self, path):
        text = path.read_text()
        assert "injected-parameters" not in text and text.endswith("}\n")
        assert all(set(c["metadata"]) <= ALLOWED_METADATA for c in cells(path))
        metadata = json.loads(text)["metadata"]
        assert set(metadata) == {"kernelspec", "language_info", "title"}
        assert source(cells(path)[0]).startswith(f"# {metadata['title']}\n")
        assert "version" not in metadata["language_info"]
        shown = re.sub(r"base64,[^\"]*|\"image/png\": \"[^\"]*\"", "", json.dumps(outputs(path)))
        assert not re.search(r"0x[0-9a-f]{6,}|/(home|root|tmp|work|Users)/|[A-Z]:\\\\", shown)

    def test_figures_have_alt_text_a_caption_and_files(self, path):
        shown = figures(path)
        assert len(shown) == sum(name.startswith(path.stem[:2]) for name in FIGURES)
        for output in shown:
            html = "".join(output["data"]["text/html"])
            alt = re.search(r'<img alt="([^"]+)"', html)
            assert alt and len(alt[1]) > 40 and re.search(r"\d", alt[1])
            assert unescape(alt[1]) == "".join(output["data"]["text/plain"])
        captions = re.findall(r"\*\*Figure (\d+)\.(\d)\.\*\*", " ".join(map(source, cells(path, "markdown"))))
        assert captions == [(str(int(path.stem[:2])), str(i + 1)) for i in range(len(shown))]

    def test_has_its_eight_parts(self, path):
        text = "\n".join(map(source, cells(path, "markdown")))
        parts = [rf"^# {int(path.stem[:2])}\. ", r"^\*\*.+\?\*\*$", "^## Words first", "^## Parameters",
                 SMALL_CASE, "^## What we found", r"^\*\*What this leaves out\.\*\*", "^## Exercises"]
        places = [re.search(part, text, re.M) for part in parts]
        assert all(places) and [p.start() for p in places] == sorted(p.start() for p in places)

    def test_links_to_what_is_there(self, path):
        for cell in cells(path, "markdown"):
            for target in re.findall(r"\]\((?!https?:)([^)]+)\)", source(cell)):
                file, _, heading = target.partition("#")
                there = path.parent / file if file else path
                assert there.is_file(), target
                if heading:  # as Jupyter and GitHub name it
                    titles = "\n".join(source(c) for c in cells(there, "markdown"))
                    assert f"\n## {heading.replace('-', ' ')}\n" in f"\n{titles}\n", target

    def test_is_no_longer_than_it_may_be(self, path):
        most = COURSE if path.stem < "07" else FURTHER
        assert all(n <= m for n, m in zip(story(path), most)), story(path)

    def test_tells_its_minutes_and_so_does_the_lecturers_page(self, path):
        told = re.search(r"\*You will be able to\* .+ \*Assumes\* .+ "
                         r"\*About (\d+) minutes\.\*$", source(cells(path)[0]), re.M)[1]
        page = re.search(rf"^\| \[.+\]\(../notebooks/{path.name}\) \| (\d+) \|", LECTURER, re.M)[1]
        assert told == page and abs(int(told) - minutes(path)) <= 1, minutes(path)

    def test_says_with_the_defaults_once_and_checks_parameters_in_a_few_lines(self, path):
        prose = "\n".join(source(c) for c in cells(path, "markdown"))
        code = cells(path, "code")
        at = next(i for i, c in enumerate(code) if "parameters" in c["metadata"].get("tags", []))
        assert prose.count("with the default") <= 1
        assert len(source(code[at + 1]).splitlines()) <= 6

    def test_stands_in_the_readme_with_its_question(self, path):
        question = re.search(r"^\*\*(.+\?)\*\*$", source(cells(path)[0]), re.M)[1]
        assert f"(notebooks/{path.name}) | {question} |" in README

    def test_has_three_exercises(self, path):
        text = "\n".join(map(source, cells(path)))
        shown = "\n".join("".join(o.get("text", "")) for o in outputs(path))
        for i in (1, 2, 3):
            name = f"{int(path.stem[:2])}.{i}"
            assert len(re.findall(rf"^\*\*{name}\*\* \*", text, re.M)) >= 1
            assert text.count(f'check("{name}"') == 2
            told = re.findall(rf"^Exercise {name}: .*", shown, re.M)
            assert told == [f"Exercise {name}: not answered yet", f"Exercise {name}: right"]

    def test_cells_are_short_and_have_no_magic(self, path):
        for cell in cells(path, "code"):
            lines = [x for x in source(cell).splitlines() if x.strip()]
            assert len(lines) <= 15 and max(map(len, lines)) <= 79, source(cell)
            assert not any(x.lstrip().startswith(("%", "!")) for x in lines)
            assert "sys.path" not in source(cell) and "import *" not in source(cell)


def test_the_lab_adds_its_minutes_up():
    rows = [int(m) for m in re.findall(r"^\| \[.+\]\(../notebooks/.+\) \| (\d+) \|", LECTURER, re.M)]
    assert len(rows) == len(PATHS) and f"notebooks 1 and 2 ({rows[0] + rows[1]} minutes)" in LECTURER


def test_the_readme_names_what_exists():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
    extra = re.search(r'pip install -e "\.\[(\w+)\]"', README)[1]
    with open(ROOT / "pyproject.toml", "rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    assert {"jupyterlab", "papermill"} <= set(extras[extra])
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M)
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.M)) <= set(targets)


def test_cell_ids_differ_over_all_notebooks():
    ids = [cell["id"] for path in PATHS for cell in cells(path)]
    assert len(ids) == len(set(ids))


def check(path, **values):
    """The names after the imports, the parameters and the checks of a notebook, with other values."""
    names = {}
    for cell in cells(path):
        if cell["cell_type"] == "markdown" and re.search(SMALL_CASE, source(cell), re.M):
            return names
        if cell["cell_type"] == "code":
            exec(source(cell), names)
            names |= values if "parameters" in cell["metadata"].get("tags", []) else {}


PARAMETERS = [(path, name) for path in PATHS for name in papermill.inspect_notebook(path)]


@pytest.mark.parametrize("path, name", PARAMETERS, ids=lambda x: getattr(x, "stem", x))
def test_nonsense_is_refused_in_one_line_by_its_own_name(path, name):
    for value in (-1, ["x"], float("nan")):
        with pytest.raises(ValueError) as error:
            check(path, **{name: value})
        assert re.match(rf"{name}(\[0\])?=", str(error.value)) and "\n" not in str(error.value)


@pytest.mark.parametrize("number, name, value, allowed", [
    ("01", "context_length", 5000, "at most 4,096"), ("01", "n_gpus", 1.5, "a whole number"),
    ("01", "model", "none/config.json", "cannot be read"),
    ("02", "max_seq_len", 20000, "at most 8,192"), ("02", "max_seq_len", 1, "more than the shortest"),
    ("03", "page_size", 0, "at least 1"), ("03", "total_pages", 60, "at least 61"),
    ("03", "model", "DeepSeek-V3", "a model with K and V heads"),
    ("04", "n_outputs", [], "at least one whole number"), ("04", "n_outputs", [100] * 200, "300 outputs"),
    ("04", "max_requests", 1, "at least 2"), ("04", "max_requests", 501, "500, or 250,000 pages"),
    ("05", "iterations", 5, "at least 1000"),
    ("05", "n_seeds", 10**6, "10 million lengths"), ("06", "max_tokens", 129, "minutes on a CPU"),
    ("05", "batch_sizes", [], "at least one whole number"), ("05", "batch_sizes", "ten", "a list"),
    ("05", "context_limit", 10**6, "at most 120,384"), ("09", "page_size", 15728, "at most 7,864"),
    ("09", "workload", "none.jsonl", "cannot be read"), ("08", "memory_slots", 15, "at least 16"),
    ("07", "server_tokens", 10**9, "at most 512,000,000 .ten million pages in all"),
    ("10", "context_length", 200000, "at most 131,072"), ("10", "gpu", "TPU", "H100-80GB"),
    ("10", "engine", "sglang", "vllm-0.19"), ("10", "usable", 1.5, "at most 1"),
    ("10", "dtype", "int3", "fp8"), ("10", "model", "none/config.json", "cannot be read")])
def test_values_out_of_range_are_told_what_is_allowed(number, name, value, allowed):
    path = next(p for p in PATHS if p.stem.startswith(number))
    with pytest.raises(ValueError, match=rf"^{name}=.*{allowed}"):
        check(path, **{name: value})


@pytest.mark.parametrize("number, name", [("01", "dtype"), ("10", "engine")])
def test_a_number_of_thousands_of_digits_is_no_name(number, name):
    path = next(p for p in PATHS if p.stem.startswith(number))
    with pytest.raises(ValueError, match=f"^{name}=a number of thousands of digits: must be"):
        check(path, **{name: 10**5000})


def test_a_bare_shape_is_a_model_once_its_weights_are_told():
    path = next(p for p in PATHS if p.stem.startswith("01"))
    with pytest.raises(ValueError, match="^model='32x32x128': .* name another model or set weights_gib$"):
        check(path, model="32x32x128")
    told = check(path, model="32x32x128", weights_gib=12.55)["deployment"]
    assert told.token_slots() == pytest.approx(check(path)["deployment"].token_slots(), rel=0.02)


@pytest.mark.parametrize("number", ["02", "09"])
def test_steps_that_serve_over_a_million_requests_are_refused_before_they_run(number):
    path = next(p for p in PATHS if p.stem.startswith(number))
    for name, values in (("memory_slots", {"memory_slots": 10**7, "max_seq_len": 200}),
                         ("memory_slots", {"max_seq_len": 5}), ("iterations", {"memory_slots": 5 * 10**6})):
        with pytest.raises(ValueError, match=rf"^{name}=.* at most [\d,]+ \(a million requests"):
            check(path, **{"iterations": 10**6} | values)


def test_more_requests_at_once_than_minutes_serve_are_refused(tmp_path):
    path, trace = next(p for p in PATHS if p.stem.startswith("05")), tmp_path / "short.csv"
    trace.write_text("prompt,output\n1,1\n")
    for values in ({"workload": str(trace)}, {"context_limit": 2}, {"model": "Falcon-7B", "gpu": "MI325X-256GB"}):
        with pytest.raises(ValueError, match=r"^workload='.*': [\d,]+ slots hold [\d,]+ of its requests, cut"):
            check(path, **values)
    assert check(path, model="Falcon-7B", gpu="H200-141GB")["slots"] > 14e6


def test_seeds_are_told_apart_without_leaving_their_range():
    for path in PATHS:
        assert not re.search(r"\bseed \+ ", "\n".join(map(source, cells(path, "code")))), path


def test_a_limit_that_nobody_has_set_is_what_the_memory_can_hold():
    path = next(p for p in PATHS if p.stem.startswith("05"))
    small = {"model": "Llama-3.1-8B", "gpu": "L4-24GB"}  # the model accepts 131,072 tokens
    names = check(path, **small)
    assert names["limit"] == names["slots"] < 131_072 and check(path)["limit"] == 4096
    with pytest.raises(ValueError, match=r"^context_limit=131072: .*\(what the memory can hold\)"):
        check(path, **small, context_limit=131_072)


def test_every_figure_file_belongs_to_a_notebook():
    named = re.findall(r'"(\d\d[a-z]-[a-z0-9-]+)"', "\n".join(source(c) for p in PATHS for c in cells(p, "code")))
    assert sorted(named) == FIGURES
    stored = sorted(p.name for p in (ROOT / "figures").iterdir())
    files = [f"{n}.{end}" for n in FIGURES for end in ("svg", "png", "csv")]
    assert stored == sorted([*files, "README.md"])


def test_promised_columns():
    def columns(name):
        return (ROOT / "figures" / f"{name}.csv").read_text().splitlines()[0].split(",")
    assert columns("05a-utilisation-vs-batch") == [
        "batch_size", "tokens", "pages", "naive_utilisation", "paged_utilisation"]
    assert columns("09a-paper-fig2") == [
        "system", "source", "used", "reserved", "internal", "external", "mean_batch"]
    assert {"server", "model", "gpu", "n_gpus", "engine", "weights", "logged_tokens",
            "predicted_tokens"} <= set(columns("10a-measured-servers"))
    assert columns("10b-usual-mistakes") == ["mistake", "factor", "of"]


MINE = ("from pagedkv_nb.serving import POLICIES, Policy\nPOLICIES['half'] = Policy('half', 'Half', "
        "lambda prompt, output, longest: max(prompt + output, longest // 2))")


@pytest.mark.slow
@pytest.mark.parametrize("number, figures", [("02", ["02b", "02c"]), ("05", ["05b"]), ("08", ["08a", "08b"]),
                                             ("09", ["09a"])])
def test_a_readers_policy_stands_in_every_figure_that_compares_policies(number, figures, tmp_path):
    path = next(p for p in PATHS if p.stem.startswith(number))
    nb = nbformat.read(path, 4)
    last = max(i for i, c in enumerate(nb.cells) if c.cell_type == "code" and "from pagedkv_nb" in c.source)
    nb.cells.insert(last + 1, nbformat.v4.new_code_cell(MINE))
    nbformat.write(nb, tmp_path / path.name)
    run = papermill.execute_notebook(tmp_path / path.name, None, {"figures_dir": str(tmp_path)},
                                     kernel_name="python3", progress_bar=False)
    shown = [o.get("text", "") + str(o.get("data", {}).get("text/plain", ""))
             for c in run.cells for o in c.get("outputs", [])]
    assert sum("half" in text.lower() for text in shown) >= 3
    for figure in figures:
        assert "half" in next(tmp_path.glob(f"{figure}-*.csv")).read_text().lower()
