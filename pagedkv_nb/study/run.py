"""Run the notebooks headlessly: all of them in parallel, or one with other parameters.

    python -m pagedkv_nb.study.run [--only 05 06]          all, or these: into notebooks/, figures/
    python -m pagedkv_nb.study.run 05 page_size=32 seed=7  one: into build/; --make: $NB with $P
"""
import os
import shlex
import signal
import sys
import tempfile
from ast import literal_eval
from contextlib import contextmanager, suppress
from multiprocessing.pool import ThreadPool
from pathlib import Path
from shutil import rmtree
from time import perf_counter

sys.modules["rfc3987_syntax"] = None  # an optional URL grammar: jsonschema compiles it for 0.7 s

import nbformat  # noqa: E402
import papermill  # noqa: E402
from psutil import Process, pids  # noqa: E402

from ..generation.language_model import FILE  # noqa: E402
from .notebook import write_together  # noqa: E402

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"


def notebooks(only=(), what="ONLY"):
    """The paths of all notebooks, or of those of some numbers or names; ValueError for others."""
    paths = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    known = {name: path for path in paths for name in (path.stem, path.stem[:2])}
    if None in (chosen := {known.get(name.zfill(2)) for name in only}):
        names = ", ".join(path.stem for path in paths)
        raise ValueError(f"{what}={' '.join(only)}: must be one of {names}")
    return sorted(chosen) or paths


def command(work, *arguments, stopped="stopped"):
    """Run what a person asked for, and end with its exit code. What is refused, by a disk too, is
    one line; so is Ctrl-C, which ends at once, with all processes that were started."""
    def stop(*_):
        for child in Process().children(recursive=True):
            child.kill()
        os._exit(print(stopped, file=sys.stderr) or 130)
    signal.signal(signal.SIGINT, stop)
    try:
        sys.exit(work(*arguments))
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(plain_error(error))


@contextmanager
def workplace():
    """A temporary folder in build/ for everything a run leaves on its way, connection files
    of its kernels included. What killed runs have left goes first."""
    BUILD.mkdir(parents=True, exist_ok=True)
    clear()
    with tempfile.TemporaryDirectory(f".{os.getpid()}.part", ".run-", BUILD, True) as work:
        tempfile.tempdir = work
        try:
            yield Path(work)
        finally:
            tempfile.tempdir = None


def clear():
    """Remove the files and folders `.NAME.PID.part` of processes that run no more."""
    others = set(map(str, pids())) - {str(os.getpid())}
    places = ("*", "course/*", "build/figures/*")
    for part in (p for place in places for p in ROOT.glob(f"{place}/.*.*.part")):
        if (pid := part.name.split(".")[-2]).isdecimal() and pid not in others:
            if BUILD not in part.parents:
                print(f"{located(part)}: a run was killed while it wrote; `make` heals it")
            rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)


def execute(path, folder, parameters, **bar):
    """Run a notebook into a folder, with a progress bar, and return it; RuntimeError with one
    line if a cell fails."""
    folder.mkdir(parents=True, exist_ok=True)
    end = "" if sys.stderr.isatty() else "\n"  # a log has lines
    bar |= {"desc": path.stem, "leave": False, "mininterval": 1, "miniters": 1,
            "bar_format": "{desc}: {n_fmt} of {total_fmt} cells, {elapsed}" + end}
    try:
        return papermill.execute_notebook(
            path, folder / path.name, parameters, kernel_name="python3", progress_bar=bar,
            record_timing=False, request_save_on_cell_execute=False, coalesce_streams=True,
            shutdown_kernel="immediate", extra_arguments=["--log-level=ERROR"])
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(f"{error.ename}: {error.evalue}") from None


def drawn(path, folder, given, figures, **bar):
    """Run a notebook into a folder; returns it, and {place in `figures`: bytes} of what it drew."""
    place = {"figures_dir": given.get("figures_dir") or str(folder / "figures")}
    nb = execute(path, folder, given | place, **bar)
    return nb, {figures / f.name: f.read_bytes() for f in (folder / "figures").glob("*.*")}


def run_all(only=()):
    """Regenerate all notebooks, or those of some numbers, one a core; returns the exit code."""
    paths, failures = [p for p in notebooks(only) if p.stem[:2] != "06" or FILE.is_file()], 0
    if len(paths) < len(notebooks(only)):
        print("06_real_model stays as it is stored: `make model` fetches what it needs", flush=True)
    with workplace() as work, ThreadPool() as threads:
        places = [(path, work, place) for place, path in enumerate(paths[::-1])]  # longest first
        for done, told in enumerate(threads.imap_unordered(regenerate, places), 1):
            failures += told.startswith("FAILED")
            print(f"[{done}/{len(paths)}] {told}", flush=True)
    return min(failures, 1)


def regenerate(place):
    """Run a notebook, put it and its figures in their places together; returns a line on it."""
    (path, work, at), start = place, perf_counter()
    try:  # a bar is shown on a terminal only
        nb, files = drawn(path, work / path.stem, {}, ROOT / "figures", position=at, disable=None)
        write_together(files | {path: nbformat.writes(normalised(nb)).encode() + b"\n"})
    except Exception as error:
        return failed(path.stem, work, error)
    return f"{path.stem} ok, {perf_counter() - start:.1f} s"


def run_one(number, assignments):
    """Run one notebook with other parameters into build/ and say where all of it lies."""
    path, = notebooks([number], "NB")
    given = assigned(assignments, papermill.inspect_notebook(path))
    end = BUILD / "figures" / path.stem
    with workplace() as work:
        try:
            nb, files = drawn(path, work / path.stem, given, end)
            text = nbformat.writes(nb).replace(str(work / path.stem / "figures"), str(end))
            write_together(files | {BUILD / path.name: text.encode() + b"\n"})
        except Exception as error:
            raise RuntimeError(failed(path.stem, work, error)) from None
    answers = [output.text for cell in nb.cells if "answer" in cell.metadata.get("tags", [])
               for output in cell.outputs if output.output_type == "stream"]
    written = BUILD / path.name, Path(given.get("figures_dir") or end)
    print(*map(located, written), "", *answers, sep="\n", end="")


def assigned(texts, known):
    """{name: value} of texts NAME=VALUE, values as Python literals or else text; or ValueError."""
    values = dict(text.partition("=")[::2] for text in texts)
    for name, value in values.items():
        if name not in known or sum(text.startswith(f"{name}=") for text in texts) != 1:
            raise ValueError(f"{name}: must be NAME=VALUE, once, with a name of {', '.join(known)}")
        with suppress(ValueError, SyntaxError):
            values[name] = literal_eval(value)
    return values


def normalised(nb):
    """The notebook as it is stored, with no trace of its run; changes it in place."""
    nb.cells = [c for c in nb.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    for count, cell in enumerate((c for c in nb.cells if c.cell_type == "code"), 1):
        for numbered in (cell, *(o for o in cell.outputs if "execution_count" in o)):
            numbered.execution_count = count
    for cell in nb.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in ("tags", "slideshow") and v}
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    language = {k: v for k, v in nb.metadata.language_info.items() if k != "version"}
    nb.metadata = {"kernelspec": kernel, "language_info": language,
                   "title": nb.cells[0].source.partition("\n")[0].lstrip("# ")}
    return nb


def failed(name, work, error):
    """One line on a notebook that failed, whose run is kept in build/ if there is one."""
    told, run, kept = plain_error(error), work / name / f"{name}.ipynb", BUILD / f"{name}.ipynb"
    if run.exists() and run.stat().st_size:
        os.replace(run, kept)
        told += f"; the failed run: {located(kept)}"
    return f"FAILED {name}: {told}"


def plain_error(error):
    """An error as one line; of a file that cannot be written, its path and why."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'build'}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def located(path):
    """A path as a person in the project's folder would write it."""
    return os.path.relpath(path, ROOT) if path.is_relative_to(ROOT) else str(path)


def main(first="--only", *others):
    """Run all or one; returns the exit code."""
    if first == "--make":  # no shell has read these
        return run_one(os.environ["NB"], shlex.split(os.environ["P"]))
    return run_all(" ".join(others).split()) if first == "--only" else run_one(first, others)


if __name__ == "__main__":
    command(main, *sys.argv[1:])
