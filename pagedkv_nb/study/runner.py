"""Run the notebooks headlessly: all of them in parallel, or one with other parameters.

    python -m pagedkv_nb.study.runner                         all: rewrites notebooks/ and figures/
    python -m pagedkv_nb.study.runner --only 05 06            only these, likewise
    python -m pagedkv_nb.study.runner 05 page_size=32 seed=7  one: into build/
"""
import os
import sys
from ast import literal_eval
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from shutil import rmtree
from time import perf_counter

# An optional URL grammar that takes jsonschema 0.7 s to compile.
sys.modules["rfc3987_syntax"] = None

# Builds the font cache once, before kernels race to do it.
import matplotlib.font_manager  # noqa: E402, F401
import nbformat  # noqa: E402
import papermill  # noqa: E402

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"


def normalised(nb):
    """The notebook as it is stored: without injected cell and execution metadata, its
    cells numbered from 1."""
    nb.cells = [c for c in nb.cells
                if "injected-parameters" not in c.metadata.get("tags", [])]
    code = [c for c in nb.cells if c.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    for cell in nb.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items()
                         if k in ("tags", "slideshow") and v}
    language = {k: v for k, v in nb.metadata.language_info.items() if k != "version"}
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python",
              "name": "python3"}
    nb.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": language})
    return nb


def execute(path, parameters, position=0):
    """Run a notebook into build/ and return it; RuntimeError with one line if a cell fails."""
    bar = {"desc": path.stem, "position": position, "leave": False,
           "disable": None}  # shown on a terminal only
    try:
        return papermill.execute_notebook(
            path, BUILD / path.name, parameters, kernel_name="python3",
            record_timing=False, progress_bar=bar, request_save_on_cell_execute=False,
            shutdown_kernel="immediate",
            coalesce_streams=True,  # a print may arrive in pieces
            extra_arguments=["--log-level=ERROR"])
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(f"{path.stem}: {error.ename}: {error.evalue}") from None


def regenerate(path, position):
    """Run a notebook and, if it succeeds, put it and its figures in their places; returns
    the seconds it took."""
    start = perf_counter()
    figures = BUILD / "figures" / path.stem
    rmtree(figures, ignore_errors=True)
    nb = normalised(execute(path, {"figures_dir": str(figures)}, position))
    stored = BUILD / f"{path.stem}.stored.ipynb"
    nbformat.write(nb, stored)
    (ROOT / "figures").mkdir(exist_ok=True)
    for file in sorted(figures.glob("*.*")):
        os.replace(file, ROOT / "figures" / file.name)
    os.replace(stored, path)
    return perf_counter() - start


def run_all(only=()):
    """Regenerate every notebook, or those whose numbers are given, one a core at a time;
    returns the exit code."""
    paths = [path for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
             if not only or path.stem[:2] in only]
    failures = 0
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        jobs = {threads.submit(regenerate, path, i): path
                for i, path in enumerate(paths[::-1])}  # the last ones take longest
        for done, job in enumerate(as_completed(jobs), 1):
            error = job.exception()
            failures += error is not None
            told = (f"FAILED\n  {error}\n  the failed run: build/{jobs[job].name}" if error
                    else f"ok, {job.result():.1f} s")
            print(f"[{done}/{len(paths)}] {jobs[job].stem} {told}", flush=True)
    return 1 if failures else 0


def run_one(number, assignments):
    """Run one notebook with other parameters into build/; returns the exit code."""
    paths = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    path = next((p for p in paths if number and p.stem.startswith(number)), None)
    if path is None:
        return refuse(f"NB={number}: must be one of {', '.join(p.stem for p in paths)}")
    known = papermill.inspect_notebook(path)
    parameters = {"figures_dir": str(BUILD / "figures" / path.stem)}
    for name, equals, value in (a.partition("=") for a in assignments):
        if not equals or name not in known:
            return refuse(f"{name}: must be NAME=VALUE with a name of {', '.join(known)}")
        parameters[name] = value_of(value)
    rmtree(BUILD / "figures" / path.stem, ignore_errors=True)
    try:
        execute(path, parameters)
    except RuntimeError as error:
        return refuse(f"{error}\nthe failed run: build/{path.name}")
    print(f"build/{path.name}")
    for file in sorted(Path(parameters["figures_dir"]).glob("*")):
        print(os.path.relpath(file, ROOT) if file.is_relative_to(ROOT) else file)
    return 0


def value_of(text):
    """A Python literal, or the text itself."""
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def refuse(message):
    """Print one message to stderr; returns the exit code 1."""
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    BUILD.mkdir(exist_ok=True)
    first, *others = sys.argv[1:] or ["--only"]
    sys.exit(run_all(others) if first == "--only" else run_one(first, others))
