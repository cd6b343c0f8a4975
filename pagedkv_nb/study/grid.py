"""The points of a grid of parameters, read from YAML.

A grid is a mapping whose lists multiply, or a list of such mappings:

    - model: [Llama-2-7B, Llama-3.1-8B]
      gpu: [A100-80GB, H100-80GB]
    - {model: Llama-3.1-70B, gpu: H100-80GB, n_gpus: 4}
"""
import json
import os
from itertools import product
from math import prod
from pathlib import Path

import yaml

from ..files import text_of
from ..parameter import choice
from .run import plain_error

MOST_POINTS = 10_000


class Once(yaml.SafeLoader):
    """YAML in which no key comes twice."""

    def construct_mapping(self, node, deep=False):
        """As its parent's; YAMLError for a key that does."""
        keys = [key.value for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.YAMLError(f"{twice[0]}: is there twice")
        return super().construct_mapping(node, deep)


def points_of(grid, allowed):
    """The points of a grid as mappings, in order, none twice; ValueError for what is none."""
    parts = []
    for part in grid if isinstance(grid, list) and grid else [grid]:
        if not isinstance(part, dict) or not part:
            raise ValueError(f"{part!r}: must be a mapping of parameters to values or lists")
        for name, values in part.items():
            choice("parameter", name, allowed)
            if values in (None, []):
                raise ValueError(f"{name}={values}: must be a value or a list of some")
        parts.append({k: v if isinstance(v, list) else [v] for k, v in part.items()})
    if (n := sum(prod(map(len, part.values())) for part in parts)) > MOST_POINTS:
        raise ValueError(f"{n:,} points: must be at most {MOST_POINTS:,} (a night or more)")
    points = [dict(zip(part, values)) for part in parts for values in product(*part.values())]
    return list({json.dumps(p, sort_keys=True): p for p in points}.values())


def read_grid(path, known):
    """The points of a YAML file; ValueError with one line that names the file."""
    text = text_of(path, f"GRID={path}: ")
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise ValueError("*: must be written out")
        return points_of(yaml.load(text, Once), [name for name in known if name != "figures_dir"])
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"GRID={path}: {plain_error(error)}") from None


def files_of(point):
    """The contents of the files that a point names, by parameter: they travel with it."""
    paths = {name: os.path.expanduser(v) for name, v in point.items() if isinstance(v, str)}
    return {name: Path(path).read_bytes() for name, path in paths.items() if os.path.isfile(path)}
