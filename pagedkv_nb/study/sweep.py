"""Run a notebook over a grid of parameters, here or on a Dask cluster.

    python -m pagedkv_nb.study.sweep 05 grid.yml [tcp://host:8786]

A grid is a mapping whose lists multiply, or a list of such mappings:

    - model: [Llama-2-7B, Llama-3.1-8B]
      gpu: [A100-80GB, H100-80GB]
    - {model: Llama-3.1-70B, gpu: H100-80GB, n_gpus: 4}

Each figure's csv comes out as one table over all points, the parameters as columns.
"""
import json
import os
import sys
from contextlib import contextmanager
from hashlib import sha256
from io import StringIO
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import pandas as pd

from .execution import execute, known_parameters, located, plain_error
from .notebook import write_together
from .run import BUILD, ROOT, notebooks, refuse


def points_of(grid, known):
    """The points of a grid as mappings, in order, none twice; ValueError for what is no
    grid, no parameter, or an empty list."""
    points = []
    for part in grid if isinstance(grid, list) else [grid]:
        if not isinstance(part, dict) or not part:
            raise ValueError(f"{part!r}: must be a mapping of parameters to values or lists")
        for name, values in part.items():
            if name not in known or name == "figures_dir":
                allowed = ", ".join(k for k in known if k != "figures_dir")
                raise ValueError(f"{name}: must be one of {allowed}")
            if values is None or values == []:
                raise ValueError(f"{name}={values}: must be a value or a list of some")
        lists = [v if isinstance(v, list) else [v] for v in part.values()]
        points += [dict(zip(part, values)) for values in product(*lists)]
    unique = {json.dumps(point, sort_keys=True, default=str): point for point in points}
    if not unique:
        raise ValueError("the grid has no points: it must be a mapping or a list of mappings")
    return list(unique.values())


def read_grid(path, known):
    """The points of a YAML file; ValueError with one line that names the file."""
    try:
        import yaml
    except ImportError:
        raise ValueError("a sweep needs PyYAML and dask: pip install 'pagedkv_nb[sweep]'") from None
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
    cells = [cell["source"] for cell in json.loads(notebook)["cells"] if
             cell["cell_type"] == "code"]
    digest = sha256(json.dumps([cells, point], sort_keys=True, default=str).encode())
    for content in (*(path.read_bytes() for path in package), *files.values()):
        digest.update(sha256(content).digest())
    return digest.hexdigest()[:16]


def run_point(name, notebook, point, files):
    """Run one point wherever this is, in a folder of its own; returns a mapping: the csv
    of each figure, seconds, and the one line of an error, or ""."""
    start, tables, error = perf_counter(), {}, ""
    with TemporaryDirectory() as folder:
        folder, given = Path(folder), dict(point)
        (folder / name).write_bytes(notebook)
        for parameter, content in files.items():
            sent = folder / parameter / Path(point[parameter]).name
            sent.parent.mkdir()
            sent.write_bytes(content)
            given[parameter] = str(sent)
        try:
            execute(folder / name, folder / "run", given | {"figures_dir": str(folder / "made")})
            tables = {p.stem: p.read_text() for p in sorted((folder / "made").glob("*.csv"))}
        except Exception as failure:
            error = plain_error(failure).replace(f"{folder}/", "")
    return {"tables": tables, "error": error, "seconds": round(perf_counter() - start, 1)}


@contextmanager
def cluster(address):
    """A Dask client: of the scheduler at that address, or of two worker processes here."""
    from distributed import Client, LocalCluster
    if address:
        try:
            with Client(address, timeout=10) as client:
                yield client
        except OSError as error:
            raise ValueError(f"SCHEDULER={address}: {plain_error(error)}") from None
        return
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None,
                      silence_logs="ERROR") as local, Client(local) as client:
        yield client


def run_points(path, missing, folder, address):
    """Run the points that are missing, {key: (point, files)}, and keep each as it comes."""
    from distributed import as_completed
    with cluster(address) as client:
        futures = {client.submit(run_point, path.name, path.read_bytes(), *work, key=key,
                                 pure=False, retries=3): key for key, work in missing.items()}
        for done, (future, result) in enumerate(
                as_completed(futures, with_results=True, raise_errors=False), 1):
            key = futures[future]
            if future.status != "finished":
                result = {"tables": {}, "error": f"lost: {future.exception()}", "seconds": 0}
            write_together({folder / f"{key}.json": json.dumps(result).encode()})
            told = ", ".join(f"{k}={v}" for k, v in missing[key][0].items())
            print(f"[{done}/{len(missing)}] {told}: "
                  f"{result['error'] or 'ok'}, {result['seconds']} s", flush=True)


def gather(points, results):
    """{table: DataFrame} over all points: the parameters, then the columns of the csv; and
    `points`, one row each with its error."""
    rows = {"points": [pd.DataFrame([point | {"error": result["error"]}])
                       for point, result in zip(points, results)]}
    for point, result in zip(points, results):
        for name, text in result["tables"].items():
            table = pd.read_csv(StringIO(text))
            for parameter, value in reversed(point.items()):
                column = f"parameter_{parameter}" if parameter in table else parameter
                table.insert(0, column, str(value) if isinstance(value, list) else value)
            rows.setdefault(name, []).append(table)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in rows.items()}


def sweep(number, grid, address="", build=None):
    """Run what is missing of a grid and gather all of it into build/sweep/NAME/; returns the
    exit code, 1 if a point fails."""
    path = next((p for p in notebooks() if number and p.stem.startswith(number)), None)
    if path is None:
        raise ValueError(f"NB={number}: must be one of {', '.join(p.stem for p in notebooks())}")
    points = read_grid(grid, known_parameters(path))
    folder = (build or BUILD) / "sweep" / Path(grid).stem
    work = [(point, files_of(point)) for point in points]
    keys = [key_of(path.read_bytes(), *item) for item in work]
    kept = {key: result for key in keys if not (result := kept_result(folder, key))["error"]}
    missing = {key: item for key, item in zip(keys, work) if key not in kept}
    print(f"{len(points)} points, {len(missing)} to run", flush=True)
    if missing:
        run_points(path, missing, folder / "points", address)
    results = [kept_result(folder, key) for key in keys]
    tables = gather(points, results)
    write_together({folder / f"{name}.csv": table.to_csv(
        index=False, float_format="%.6g", lineterminator="\n").encode()
        for name, table in tables.items()})
    failed = [result for result in results if result["error"]]
    print(f"{located(folder, ROOT)}: {', '.join(f'{name}.csv' for name in tables)}"
          f"; {len(failed)} of {len(points)} points failed")
    return 1 if failed else 0


def kept_result(folder, key):
    """The result of a point as it was kept, or one that says it is missing."""
    try:
        return json.loads((folder / "points" / f"{key}.json").read_text())
    except (OSError, ValueError):
        return {"tables": {}, "error": "not run", "seconds": 0}


if __name__ == "__main__":
    try:
        sys.exit(sweep(*sys.argv[1:]))
    except (ValueError, OSError) as error:
        sys.exit(refuse(plain_error(error)))
    except KeyboardInterrupt:
        sys.exit(refuse("stopped; the same command goes on from here"))
