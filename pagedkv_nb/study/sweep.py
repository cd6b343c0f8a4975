"""Run a notebook over a grid of parameters, here or on a Dask cluster.

    python -m pagedkv_nb.study.sweep 05 grid.yml [tcp://host:8786]

Each figure's csv comes out as one table over all points, the parameters as columns.
"""
import asyncio
import json
import sys
import tempfile
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path

import pandas as pd
import papermill

try:
    from dask.base import tokenize
    from distributed import Client, Security, as_completed, get_worker
    from distributed.comm import connect
except ImportError:
    sys.exit("a sweep needs dask: pip install 'pagedkv_nb[sweep]'")

from .grid import files_of, read_grid
from .notebook import csv, write_together
from .run import BUILD, command, execute, located, notebooks, plain_error, workplace

PACKAGE = Path(__file__).parents[1]
HERE = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": "ERROR"}
SAME = "must have this version of pagedkv_nb, with the extras run and sweep"


def code_of(path):
    """The bytes of a notebook with nothing but its code."""
    nb = json.loads(path.read_text())
    nb["cells"] = [c | {"outputs": []} for c in nb["cells"] if c["cell_type"] == "code"]
    return json.dumps(nb).encode()


def package_key():
    """A hash of the package as it is here, its data included."""
    paths = {path.relative_to(PACKAGE): path for path in PACKAGE.rglob("[!.]*.*") if path.is_file()}
    return tokenize(*(paths[path].read_bytes() for path in sorted(paths)
                      if not {"tests", "__pycache__"} & set(path.parts)))


def run_point(key, name, notebook, point, files):
    """Run one point wherever this is; returns the csv of each figure, {name: text}. ValueError
    in one line if it fails, or if this package makes another key of it."""
    with suppress(ValueError):  # not in a worker: anywhere
        tempfile.tempdir = get_worker().local_directory  # which Dask clears
    if key != tokenize(package_key(), notebook, point, files):
        raise ValueError(f"this worker {SAME}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            return tables_of(Path(folder), name, notebook, point, files)
        except Exception as failure:
            raise ValueError(plain_error(failure).replace(f"{folder}/", "")) from None


def tables_of(folder, name, notebook, point, files):
    """The csv of each figure that a notebook draws in a folder, at a point with its files."""
    sent = {parameter: folder / parameter / Path(point[parameter]).name for parameter in files}
    write_together({folder / name: notebook} | {sent[p]: content for p, content in files.items()})
    given = {parameter: str(path) for parameter, path in sent.items()}
    given["figures_dir"] = str(folder / "made")
    execute(folder / name, folder / "run", point | given, disable=True)
    return {path.stem: path.read_text() for path in sorted((folder / "made").glob("*.csv"))}


@contextmanager
def cluster(address):
    """A Dask client: of the scheduler at that address, or of two worker processes here.
    ValueError in one line if none answers, or a worker has not this very package."""
    problem = f"SCHEDULER={address.strip()}: "
    try:
        client = Client(reachable(address), timeout=10) if address else Client(**HERE)
        workers = client.run(package_key, on_error="return")
    except Exception as error:  # whatever it is that answers
        raise ValueError(f"{problem}no Dask scheduler answers: {plain_error(error)}") from None
    with client:
        strange = [worker for worker, key in workers.items()
                   if key != package_key() and not isinstance(key, OSError)]  # lost meanwhile
        if strange or not workers:
            raise ValueError(f"{problem}{(strange or ['a worker, there is none,'])[0]} {SAME}")
        yield client


def reachable(address):
    """The address, once it takes a connection: a client would wait for ever."""
    secured = Security().get_connection_args("client")
    asyncio.run(asyncio.wait_for(connect(address, **secured), 20))
    return address


def run_points(path, missing, folder, address):
    """Run and keep the points that are missing, {key: (point, files)}; returns {key: error}."""
    errors, this = {}, (path.name, code_of(path))
    with workplace(), cluster(address) as client:
        futures = [client.submit(run_point, key, *this, *work, key=key)
                   for key, work in missing.items()]
        for done, future in enumerate(as_completed(futures), 1):
            key, point = future.key, missing[future.key][0]
            if future.status == "finished":
                write_together({folder / f"{key}.json": json.dumps(future.result()).encode()})
            else:
                errors[key] = plain_error(future.exception())
            given = ", ".join(f"{name}={value}" for name, value in point.items())
            print(f"[{done}/{len(missing)}] {given}: {errors.get(key, 'ok')}", flush=True)
    return errors


def gather(folder, work, errors):
    """Write a csv a figure over all points, and `points.csv` of their errors; returns which."""
    rows = {}
    for key, (point, _) in work.items():
        texts = {} if key in errors else json.loads((folder / f"points/{key}.json").read_text())
        tables = {"points": pd.DataFrame({"error": [errors.get(key, "")]})}
        tables |= {name: pd.read_csv(StringIO(text)) for name, text in texts.items()}
        for name, table in tables.items():
            given = {f"parameter_{k}" if k in table else k: v for k, v in point.items()}
            rows.setdefault(name, []).append(pd.DataFrame([given]).merge(table, how="cross"))
    files = {folder / f"{name}.csv": csv(pd.concat(parts)) for name, parts in rows.items()}
    write_together(files)
    for old in set(folder.glob("*.csv")) - set(files):
        old.unlink()
    return files


def run_grid(number, grid, address=""):
    """Run what is missing of a grid, gather all in build/sweep/NOTEBOOK/GRID/; the exit code."""
    path, = notebooks([number], "NB")
    points = read_grid(grid, papermill.inspect_notebook(path))
    folder, here = BUILD / "sweep" / path.stem / Path(grid).stem, (package_key(), code_of(path))
    work = {tokenize(*here, *item): item for item in zip(points, map(files_of, points))}
    kept = {file.stem for file in folder.glob("points/*.json")}
    missing = {key: work[key] for key in work if key not in kept}
    print(f"{len(work)} points, {len(missing)} to run", flush=True)
    errors = run_points(path, missing, folder / "points", address) if missing else {}
    written = ", ".join(path.name for path in gather(folder, work, errors))
    print(f"{located(folder)}: {written}; {len(errors)} of {len(work)} points failed")
    return min(len(errors), 1)


if __name__ == "__main__":
    command(run_grid, *sys.argv[1:], stopped="stopped; the same command goes on from here")
