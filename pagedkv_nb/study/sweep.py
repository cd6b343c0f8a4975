"""Run a notebook over a grid of parameters, here or on a Dask cluster.

    python -m pagedkv_nb.study.sweep 05 grid.yml [tcp://host:8786]

A grid is a mapping whose lists multiply, or a list of such mappings:

    - model: [Llama-2-7B, Llama-3.1-8B]
      gpu: [A100-80GB, H100-80GB]
    - {model: Llama-3.1-70B, gpu: H100-80GB, n_gpus: 4}

Each figure's csv comes out as one table over all points, the parameters as columns.
"""
import json
import sys
from hashlib import sha256
from io import StringIO
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import pandas as pd
import yaml

from .notebook import csv, write_together
from .run import BUILD, ROOT, chosen, execute, located, plain_error


def points_of(grid, known):
    """The points of a grid as mappings, in order, none twice; ValueError for what is no
    grid, no parameter, or an empty list."""
    points, allowed = [], [name for name in known if name != "figures_dir"]
    for part in grid if isinstance(grid, list) and grid else [grid]:
        if not isinstance(part, dict) or not part:
            raise ValueError(f"{part!r}: must be a mapping of parameters to values or lists")
        for name, values in part.items():
            if name not in allowed:
                raise ValueError(f"{name}: must be one of {', '.join(allowed)}")
            if values in (None, []):
                raise ValueError(f"{name}={values}: must be a value or a list of some")
        lists = [v if isinstance(v, list) else [v] for v in part.values()]
        points += [dict(zip(part, values)) for values in product(*lists)]
    return list({json.dumps(p, sort_keys=True, default=str): p for p in points}.values())


def read_grid(path, known):
    """The points of a YAML file; ValueError with one line that names the file."""
    try:
        return points_of(yaml.safe_load(Path(path).read_text()), known)
    except OSError as error:
        raise ValueError(f"GRID={path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"GRID={path}: {plain_error(error)}") from None


def files_of(point):
    """The contents of the files that a point names, by parameter: they travel with it."""
    paths = {name: Path(value) for name, value in point.items() if isinstance(value, str)}
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


def key_of(notebook, point, files):
    """What a point's result depends on: notebook, package, parameters and their files."""
    package = [path for path in sorted((ROOT / "pagedkv_nb").rglob("*.*"))
               if path.is_file() and not {"tests", "__pycache__"} & set(path.parts)]
    cells = [c["source"] for c in json.loads(notebook)["cells"] if c["cell_type"] == "code"]
    read = [sha256(x).hexdigest() for x in (*(p.read_bytes() for p in package), *files.values())]
    told = json.dumps([cells, point, read], sort_keys=True, default=str)
    return sha256(told.encode()).hexdigest()[:16]


def run_point(name, notebook, point, files):
    """Run one point wherever this is, in a folder of its own; returns a mapping: the csv
    of each figure, seconds, and the one line of an error, or ""."""
    start, tables, error = perf_counter(), {}, ""
    with TemporaryDirectory() as folder:
        folder, given = Path(folder), dict(point)
        (folder / name).write_bytes(notebook)
        for parameter, content in files.items():
            sent = folder / parameter / Path(point[parameter]).name
            write_together({sent: content})
            given[parameter] = str(sent)
        try:
            execute(folder / name, folder / "run", given | {"figures_dir": str(folder / "made")})
            tables = {p.stem: p.read_text() for p in sorted((folder / "made").glob("*.csv"))}
        except Exception as failure:
            error = plain_error(failure).replace(f"{folder}/", "")
    return {"tables": tables, "error": error, "seconds": round(perf_counter() - start, 1)}


def cluster(address):
    """A Dask client: of the scheduler at that address, or of two worker processes here."""
    try:
        from distributed import Client
        return Client(address, timeout=10) if address else Client(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="ERROR")
    except ImportError:
        raise ValueError("a sweep needs dask: pip install 'pagedkv_nb[sweep]'") from None
    except OSError as error:
        raise ValueError(f"SCHEDULER={address}: {plain_error(error)}") from None


def run_points(path, missing, folder, address):
    """Run the points that are missing, {key: (point, files)}, and keep each as it comes."""
    with cluster(address) as client:
        from distributed import as_completed
        futures = [client.submit(run_point, path.name, path.read_bytes(), *work, key=key,
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
    """Run what is missing of a grid and gather all of it into build/sweep/NAME/; returns the
    exit code, 1 if a point fails."""
    path, known = chosen(number)
    folder = BUILD / "sweep" / Path(grid).stem
    work = [(point, files_of(point)) for point in read_grid(grid, known)]
    keyed = {key_of(path.read_bytes(), *item): item for item in work}
    missing = {k: item for k, item in keyed.items() if kept(folder / "points", k)["error"]}
    print(f"{len(work)} points, {len(missing)} to run", flush=True)
    if missing:
        run_points(path, missing, folder / "points", address)
    tables = gather([p for p, _ in work], [kept(folder / "points", key) for key in keyed])
    write_together({folder / f"{name}.csv": csv(table) for name, table in tables.items()})
    n_failed = sum(tables["points"]["error"] != "")
    print(f"{located(folder)}: {', '.join(f'{name}.csv' for name in tables)}"
          f"; {n_failed} of {len(work)} points failed")
    return min(n_failed, 1)


if __name__ == "__main__":
    try:
        sys.exit(run_grid(*sys.argv[1:]))
    except (ValueError, OSError) as error:
        sys.exit(plain_error(error))
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here")
