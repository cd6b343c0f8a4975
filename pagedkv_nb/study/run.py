"""Run the notebooks headlessly: all of them in parallel, or one with other parameters.

    python -m pagedkv_nb.study.run                         all: rewrites notebooks/ and figures/
    python -m pagedkv_nb.study.run --only 05 06            only these, likewise
    python -m pagedkv_nb.study.run 05 page_size=32 seed=7  one: into build/
"""
import os
import sys
from ast import literal_eval
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter

import nbformat

from .execution import (answers, execute, known_parameters, located, normalised, plain_error,
                        workplace)
from .notebook import write_together

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"


def notebooks(only=()):
    """The paths of the notebooks, or of those whose numbers are given."""
    return [path for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
            if not only or path.stem[:2] in only]


def places():
    """The workplace of a run, cleared of what killed runs have left."""
    return workplace(BUILD, BUILD, ROOT / "notebooks", ROOT / "figures",
                     ROOT / "course" / "playground",
                     *BUILD.glob("figures/*"))


def regenerate(path, work, position):
    """Run a notebook and, if it succeeds, put it and its figures in their places together;
    returns the seconds it took."""
    start = perf_counter()
    bar = {"desc": path.stem, "position": position, "leave": False,
           "disable": None}  # shown on a terminal only
    folder = work / path.stem
    nb = execute(path, folder, {"figures_dir": str(folder / "figures")}, progress_bar=bar)
    files = {ROOT / "figures" / file.name: file.read_bytes()
             for file in sorted((folder / "figures").glob("*.*"))}
    write_together(files | {path: stored(normalised(nb))})
    return perf_counter() - start


def stored(nb):
    """The bytes of a notebook as Jupyter writes it."""
    return (nbformat.writes(nb).rstrip("\n") + "\n").encode()


def run_all(only=()):
    """Regenerate every notebook, or those whose numbers are given, one a core at a time;
    returns the exit code."""
    paths = notebooks(only)
    failures = 0
    with places() as work, ThreadPoolExecutor(os.cpu_count()) as threads:
        jobs = {threads.submit(regenerate, path, work, i): path
                for i, path in enumerate(paths[::-1])}  # the last ones take longest
        for done, job in enumerate(as_completed(jobs), 1):
            name, error = jobs[job].stem, job.exception()
            told = f"ok, {job.result():.1f} s" if not error else failed(name, work, error)
            failures += error is not None
            print(f"[{done}/{len(paths)}] {name} {told}", flush=True)
    return 1 if failures else 0


def failed(name, work, error):
    """What to say of a failed notebook, whose run is kept in build/ if there is one."""
    run = work / name / f"{name}.ipynb"
    told = f"FAILED\n  {name}: {plain_error(error)}"
    if run.exists() and run.stat().st_size:
        os.replace(run, BUILD / run.name)
        told += f"\n  the failed run: {located(BUILD / run.name, ROOT)}"
    return told


def run_one(number, assignments):
    """Run one notebook with other parameters into build/; returns the exit code."""
    path = next((p for p in notebooks() if number and p.stem.startswith(number)), None)
    if path is None:
        return refuse(f"NB={number}: must be one of {', '.join(p.stem for p in notebooks())}")
    known, parameters = known_parameters(path), {}
    for name, equals, value in (a.partition("=") for a in assignments):
        if not equals or name not in known:
            return refuse(f"{name}: must be NAME=VALUE with a name of {', '.join(known)}")
        parameters[name] = value_of(value)
    with places() as work:
        try:
            return place(path, work / path.stem, parameters)
        except Exception as error:
            return refuse(failed(path.stem, work, error).removeprefix("FAILED\n").strip())


def place(path, folder, parameters):
    """Run a notebook in a folder, put what it made into build/ and say where; returns 0."""
    made, end = folder / "figures", BUILD / "figures" / path.stem
    nb = execute(path, folder, {"figures_dir": str(made)} | parameters, told=True)
    text = stored(nb).decode().replace(str(made), str(end))
    files = {end / file.name: file.read_bytes() for file in sorted(made.glob("*.*"))}
    write_together(files | {BUILD / path.name: text.encode()})
    for old in set(end.glob("*.*")) - set(files):
        old.unlink()
    elsewhere = sorted(Path(parameters.get("figures_dir") or end).glob(f"{path.stem[:2]}*.*"))
    for file in (BUILD / path.name, *elsewhere):
        print(located(file, ROOT))
    print("", *answers(nb), sep="\n", end="")
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


def main(arguments):
    """Run all or one; returns the exit code. A disk that cannot be written is one line."""
    first, *others = arguments or ["--only"]
    try:
        return run_all(others) if first == "--only" else run_one(first, others)
    except OSError as error:
        return refuse(plain_error(error))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
