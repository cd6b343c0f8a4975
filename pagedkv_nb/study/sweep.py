"""Run a notebook over a grid of parameters, here or on a Dask cluster.

    python -m pagedkv_nb.study.sweep 05 grid.yml [tcp://host:8786]

Each figure's csv comes out as one table over all points, the parameters as columns.
"""
import asyncio
import json
import os
import sys
import tempfile
from contextlib import contextmanager, nullcontext, suppress
from hashlib import sha256
from io import StringIO
from pathlib import Path
from time import perf_counter

import pandas as pd
import papermill

from .grid import files_of, read_grid
from .notebook import csv, write_together
from .run import BUILD, execute, located, notebooks, plain_error, stoppable, workplace

PACKAGE = Path(__file__).parents[1]
SAME = "must have this version of pagedkv_nb, with the extras run and sweep"


def code_of(path):
    """The bytes of a notebook with nothing but its code."""
    nb = json.loads(path.read_text())
    nb["cells"] = [c | {"outputs": []} for c in nb["cells"] if c["cell_type"] == "code"]
    return json.dumps(nb).encode()


def digest(contents):
    """One hash of several contents, in order."""
    return sha256(b"".join(sha256(content).digest() for content in contents)).hexdigest()


def package_key():
    """A hash of the package as it is here, its data included."""
    paths = {path.relative_to(PACKAGE): path for path in PACKAGE.rglob("[!.]*.*")}
    return digest(paths[p].read_bytes() for p in sorted(paths)
                  if paths[p].is_file() and not {"tests", "__pycache__"} & set(p.parts))


def key_of(package, notebook, point, files):
    """What a point's result depends on: package, notebook, parameters and their files."""
    told = "\n".join([package, json.dumps(point, sort_keys=True), *files])
    return digest([told.encode(), notebook, *files.values()])[:16]


def run_point(key, name, notebook, point, files):
    """Run one point wherever this is, in a folder of its own; returns a mapping: the csv
    of each figure, seconds, and the one line of an error, or "". Its key must be ours."""
    start, tables, error = perf_counter(), {}, f"this worker {SAME}"
    with suppress(ImportError, ValueError):  # not in a worker: anywhere
        from distributed import get_worker
        tempfile.tempdir = get_worker().local_directory  # which Dask clears
    with tempfile.TemporaryDirectory() as folder:
        folder, given = Path(folder), dict(point)
        (folder / name).write_bytes(notebook)
        for parameter, content in files.items():
            sent = folder / parameter / Path(point[parameter]).name
            write_together({sent: content})
            given[parameter] = str(sent)
        try:
            if key == key_of(package_key(), notebook, point, files):
                execute(folder / name, folder / "run", given | {"figures_dir": str(folder / "made")})
                made, error = sorted((folder / "made").glob("*.csv")), ""
                tables = {path.stem: path.read_text() for path in made}
        except Exception as failure:
            error = plain_error(failure).replace(f"{folder}/", "")
    return {"tables": tables, "error": error, "seconds": round(perf_counter() - start, 1)}


@contextmanager
def cluster(address):
    """A Dask client: of the scheduler at that address, or of two worker processes here;
    ValueError in one line if none answers, or a worker has not this very package."""
    try:
        from distributed import Client, Security
        from distributed.comm import connect
    except ImportError:
        raise ValueError("a sweep needs dask: pip install 'pagedkv_nb[sweep]'") from None
    problem, here = f"SCHEDULER={address.strip()}: ", {"n_workers": 2, "threads_per_worker": 1,
                                               "dashboard_address": None, "silence_logs": "ERROR"}
    with nullcontext() if address else workplace() as work:
        try:
            if address:  # a client would wait for ever
                secured = Security().get_connection_args("client")
                asyncio.run(asyncio.wait_for(connect(address, **secured), 20))
            client = Client(address, timeout=10) if address else Client(local_directory=work, **here)
            workers = client.run(package_key, on_error="return")
        except Exception as error:  # whatever it is that answers
            raise ValueError(f"{problem}no Dask scheduler answers: {plain_error(error)}") from None
        with client:
            strange = [worker for worker, key in workers.items()
                       if key != package_key() and not isinstance(key, OSError)]  # lost meanwhile
            if strange or not workers:
                raise ValueError(f"{problem}{(strange or ['a worker, there is none,'])[0]} {SAME}")
            yield client


def run_points(path, missing, folder, address):
    """Run the points that are missing, {key: (point, files)}, and keep each as it comes."""
    with cluster(address) as client:
        from distributed import as_completed
        notebook = code_of(path)
        futures = [client.submit(run_point, key, path.name, notebook, *work, key=key,
                                 pure=False, retries=3) for key, work in missing.items()]
        for done, (future, result) in enumerate(
                as_completed(futures, with_results=True, raise_errors=False), 1):
            if future.status != "finished":
                result = {"tables": {}, "error": f"lost: {future.exception()}", "seconds": 0}
            kept_in = folder / f"{future.key}.json"
            write_together({kept_in: json.dumps(result).encode()})
            told = ", ".join(f"{k}={v}" for k, v in missing[future.key][0].items())
            print(f"[{done}/{len(missing)}] {told}: "
                  f"{result['error'] or 'ok'}, {result['seconds']} s", flush=True)


def kept(folder, key):
    """The result of a point as it was kept, or one that says it is missing."""
    try:
        return json.loads((folder / f"{key}.json").read_text())
    except (OSError, ValueError):
        return {"tables": {}, "error": "not run", "seconds": 0}


def gather(points, results):
    """{table: DataFrame} over all points: the parameters, then the columns of the csv; and
    `points`, one row each with its error."""
    rows = {}
    for point, result in zip(points, results):
        tables = {name: pd.read_csv(StringIO(text)) for name, text in result["tables"].items()}
        for name, table in ({"points": pd.DataFrame([{"error": result["error"]}])} | tables).items():
            given = {f"parameter_{k}" if k in table else k: v for k, v in point.items()}
            rows.setdefault(name, []).append(pd.DataFrame([given]).merge(table, how="cross"))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in rows.items()}


def run_grid(number, grid, address=""):
    """Run what is missing of a grid and gather all of it into build/sweep/NOTEBOOK/GRID/;
    returns the exit code, 1 if a point fails."""
    path, = notebooks([number], "NB")
    points = read_grid(grid, papermill.inspect_notebook(path))
    folder, work = BUILD / "sweep" / path.stem / Path(grid).stem, [(p, files_of(p)) for p in points]
    version, notebook = package_key(), code_of(path)
    keyed = {key_of(version, notebook, *item): item for item in work}
    missing = {k: item for k, item in keyed.items() if kept(folder / "points", k)["error"]}
    print(f"{len(work)} points, {len(missing)} to run", flush=True)
    if missing:
        run_points(path, missing, folder / "points", address)
    tables = gather(points, [kept(folder / "points", key) for key in keyed])
    files = {folder / f"{name}.csv": csv(table) for name, table in tables.items()}
    write_together(files)
    for old in set(folder.glob("*.csv")) - set(files):
        old.unlink()
    n_failed = sum(tables["points"]["error"] != "")
    print(f"{located(folder)}: {', '.join(f'{name}.csv' for name in tables)}"
          f"; {n_failed} of {len(work)} points failed")
    return min(n_failed, 1)


if __name__ == "__main__":
    stoppable("stopped; the same command goes on from here")
    try:
        sys.exit(run_grid(*sys.argv[1:]))
    except (ValueError, OSError) as error:
        sys.exit(plain_error(error))
