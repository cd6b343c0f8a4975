"""Request lengths in tokens: the article's, measured ones, and a user's own trace."""
from dataclasses import dataclass
from math import erf, pi, sin, sqrt
from pathlib import Path

import numpy as np
import pandas as pd

from .facts import fact, facts
from .parameter import choice, positive_int

# columns of prompt and output: the Azure, Vidur and Mooncake traces, and plain names
TRACE_COLUMNS = (("ContextTokens", "GeneratedTokens"), ("input_length", "output_length"),
                 ("num_prefill_tokens", "num_decode_tokens"), ("prompt", "output"))
ARTICLE = {"mean": 500, "std": 200, "shortest": 200, "longest": 2048}


@dataclass(frozen=True)
class Workload:
    """Requests in order: `prompt` and `output` are arrays of whole numbers of tokens."""

    name: str
    prompt: np.ndarray
    output: np.ndarray
    n_cut: int = 0  # requests `within` has shortened
    n_refused: int = 0  # and left out

    @property
    def lengths(self):
        """Prompt and output together."""
        return self.prompt + self.output

    def within(self, limit, name="context_limit"):
        """What a server with a limit of that name makes of the requests: an output that
        would pass it is cut there, a prompt that leaves no room for a token is refused;
        both are counted. ValueError if all are refused."""
        room = positive_int(name, limit) - self.prompt
        if not (room > 0).any():
            raise ValueError(f"{name}={limit}: must be more than the shortest prompt of "
                             f"{self.name}, {self.prompt.min()} tokens")
        served, cut = room > 0, (room > 0) & (self.output > room)
        return Workload(self.name, self.prompt[served], np.minimum(self.output, room)[served],
                        n_cut=int(cut.sum()), n_refused=int((~served).sum()))


def read_workload(name, n, rng):
    """n requests drawn with rng, for "article" and the names of workloads.csv; for the
    path of a CSV or JSONL file all of its rows."""
    if Path(str(name)).suffix in (".csv", ".jsonl"):
        return read_trace(name)
    file = "the path of a .csv or .jsonl file"
    if choice("workload", name, ["article", *facts("workloads")["name"], file]) == "article":
        lengths = article_lengths(n, rng)
        return Workload(name, lengths // 2, lengths - lengths // 2)  # our split: even
    return measured(name, n, rng)


def article_lengths(n, rng):
    """n lengths as the article draws them: normal(500, 200), truncated, then clipped."""
    drawn = rng.normal(ARTICLE["mean"], ARTICLE["std"], positive_int("n", n))
    return np.clip(drawn.astype(int), ARTICLE["shortest"], ARTICLE["longest"])


def article_distribution():
    """Every length the article can draw, and its exact probability."""
    lengths = np.arange(ARTICLE["shortest"], ARTICLE["longest"] + 1)
    below = normal_cdf((lengths[1:] - ARTICLE["mean"]) / ARTICLE["std"])
    return lengths, np.diff(below, prepend=0.0, append=1.0)


def normal_cdf(z):
    """The standard normal distribution function of an array."""
    return np.array([0.5 + 0.5 * erf(x / sqrt(2)) for x in z])


def measured(name, n, rng):
    """n requests with the quantiles of a published trace (lengths.csv) and its Spearman
    correlation of prompt and output (workloads.csv).

    Two normals with correlation 2 sin(pi rho / 6) go through the normal distribution
    function into the tables.
    """
    rho = fact("workloads", "workload", name)["spearman_rho"]
    table = facts("lengths")
    r = 2 * sin(pi * rho / 6)
    z = rng.normal(size=(2, positive_int("n", n)))
    ranks = {"prompt": z[0], "output": r * z[0] + sqrt(1 - r * r) * z[1]}
    drawn = {part: np.interp(normal_cdf(rank), table["probability"], table[f"{name}_{part}"])
             for part, rank in ranks.items()}
    return Workload(name, **{part: np.rint(x).astype(int) for part, x in drawn.items()})


def read_trace(path):
    """The requests of a CSV or JSONL file with a pair of TRACE_COLUMNS; ValueError names
    what is missing or the first bad row (rows count from 1, below a header)."""
    problem = f"workload={str(path)!r}: "
    reader, options = pd.read_json, {"lines": True}
    if Path(path).suffix == ".csv":
        reader, options = pd.read_csv, {"index_col": False}  # never take a column as index
    try:
        table = reader(path, **options)
    except (OSError, ValueError) as error:  # absent; empty or unreadable
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{problem}cannot be read: {reason}") from None
    pair = next((pair for pair in TRACE_COLUMNS if set(pair) <= set(table)), None)
    if table.empty or pair is None:
        known = " or ".join(",".join(pair) for pair in TRACE_COLUMNS)
        raise ValueError(f"{problem}needs at least one row, and columns {known}")
    prompt, output = (token_counts(table[column], problem) for column in pair)
    return Workload(Path(path).name, prompt, output)


def token_counts(column, problem):
    """A column as whole numbers of at least 1 (servers write at least one token a
    request); ValueError names the first row that is negative, fractional or no number."""
    values = pd.to_numeric(column, errors="coerce")
    bad = ~(values >= 0) | (values % 1 != 0) | np.isinf(values)
    if bad.any():
        row = int(bad.to_numpy().argmax())
        shown = " ".join(str(column.iloc[row]).split())[:40]  # it may be a whole prompt
        raise ValueError(f"{problem}row {row + 1}, {column.name}={shown}: "
                         "must be a whole number, not negative")
    return np.maximum(1, values.to_numpy()).astype(int)
