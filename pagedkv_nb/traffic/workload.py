"""Request lengths in tokens: the article's, measured ones, and a user's own trace."""
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import pi, sin, sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pandas as pd

from ..facts import fact, facts
from ..parameter import choice, number, positive_int, shown
from .table import floats, format_of, read_table, token_counts

ARTICLE = {"mean": 500, "std": 200, "shortest": 200, "longest": 2048}
# Columns of prompt and output, and of arrivals if they are there, as the world writes them.
KNOWN = {
    ("ContextTokens", "GeneratedTokens"): ["TIMESTAMP"],  # Azure 2023 and 2024
    ("input_length", "output_length"): ["timestamp"],  # Mooncake
    ("num_prefill_tokens", "num_decode_tokens"): ["arrived_at"],  # Vidur
    ("Request tokens", "Response tokens"): ["Timestamp"],  # BurstGPT
    ("prompt_tokens", "completion_tokens"): ["arrival_s"],  # OpenAI, in `usage` too
    ("input_tokens", "output_tokens"): ["arrival_s"],
    ("num_prompt_tokens", "num_output_tokens"): ["arrival_s"],
    ("input_lens", "output_lens"): ["arrival_s"],  # vLLM's benchmark results
    ("prompt", "output"): ["arrival_s"],
}


@dataclass(frozen=True)
class Workload:
    """Requests in order: `prompt` and `output` are arrays of whole numbers of tokens."""

    name: str
    prompt: np.ndarray
    output: np.ndarray
    arrival_s: np.ndarray | None = None  # seconds from the first request, if known
    n_cut: int = 0  # requests `within` has shortened
    n_refused: int = 0  # and left out

    @property
    def lengths(self):
        """Prompt and output together."""
        return self.prompt + self.output

    def within(self, limit, name="context_limit"):
        """The requests under a limit of that name: an output is cut there, a prompt that leaves no
        room for a token is refused, both are counted. ValueError if all are refused."""
        served = self._below(limit, name, self.prompt, "prompt")
        output = np.minimum(served.output, int(limit) - served.prompt)
        return replace(served, output=output, n_cut=int((output < served.output).sum()))

    def shorter_than(self, limit, name="max_seq_len"):
        """The requests of which prompt and output together stay below a limit of that name,
        as the paper's artifact keeps them. ValueError if there are none."""
        return self._below(limit, name, self.lengths, "request")

    def _below(self, limit, name, tokens, what):
        """The requests with fewer tokens than a limit; the others are counted as refused."""
        kept = tokens < positive_int(name, limit)
        if not kept.any():
            raise ValueError(f"{name}={limit}: must be more than the shortest {what} of "
                             f"{self.name}, {tokens.min()} tokens")
        times = None if self.arrival_s is None else self.arrival_s[kept]
        return Workload(self.name, self.prompt[kept], self.output[kept], times,
                        n_refused=self.n_refused + int((~kept).sum()))


def read_workload(name, n, rng):
    """n requests drawn with rng, for "article" and the names of workloads.csv; for the path
    of a trace file all of its rows. ValueError names what is missing or the first bad row."""
    if format_of(name):
        return Workload(Path(name).name, *read_columns(name))
    file = "the path of a .csv, .jsonl or .json file (or .gz of one)"
    if choice("workload", name, ["article", *facts("workloads")["name"], file]) == "article":
        lengths = article_lengths(n, rng)
        return Workload(name, lengths // 2, lengths - lengths // 2)  # our split: even
    return measured(name, n, rng)


def read_columns(path):
    """(prompt, output, arrival_s or None) of a trace as arrays; ValueError in one line names
    the file, and the row (from 1, below a header) and column or what is missing."""
    problem = f"{shown('workload', str(path))}: "
    rows = one_after_another(read_table(path, problem, KNOWN))
    if rows.empty:
        raise ValueError(f"{problem}needs at least one row")
    prompt, output, *times = (rows[column] for column in rows)
    return (token_counts(prompt, problem), token_counts(output, problem, 0),
            arrivals(times[0]) if times else None)


def one_after_another(table):
    """A table; where each entry is a list of its own, a row for each place in them."""
    if not all(isinstance(entry, list) for column in table for entry in table[column]):
        return table
    rows = [row for entries in zip(*map(table.get, table)) for row in zip_longest(*entries)]
    return pd.DataFrame(rows, columns=table.columns, dtype=object)


def arrivals(column):
    """Arrival times in seconds from the first one; None if one of them is no time."""
    if column.name == "TIMESTAMP":  # Azure's are dates
        dates = pd.to_datetime(column.astype(str), errors="coerce", format="ISO8601", utc=True)
        seconds = (dates - dates.min()).dt.total_seconds().to_numpy(float)
    else:  # Mooncake's are milliseconds
        seconds = floats(column).to_numpy() * (1e-3 if column.name == "timestamp" else 1)
    return seconds - seconds.min() if (np.abs(seconds) < 1e12).all() else None


def article_lengths(n, rng):
    """n lengths as the article draws them: normal(500, 200), truncated, then clipped."""
    drawn = rng.normal(ARTICLE["mean"], ARTICLE["std"], positive_int("n", n))
    return np.clip(drawn.astype(int), ARTICLE["shortest"], ARTICLE["longest"])


def article_distribution():
    """Every length the article can draw, and its exact probability."""
    lengths = np.arange(ARTICLE["shortest"], ARTICLE["longest"] + 1)
    below = map(NormalDist(ARTICLE["mean"], ARTICLE["std"]).cdf, lengths[1:])
    return lengths, np.diff([*below], prepend=0.0, append=1.0)


def measured(name, n, rng):
    """n requests with the quantiles of a published trace (lengths.csv) and its Spearman
    correlation rho of prompt and output (workloads.csv): two normals with correlation
    2 sin(pi rho / 6) go through the normal distribution function into the tables."""
    r = 2 * sin(pi * fact("workloads", "workload", name)["spearman_rho"] / 6)
    table = facts("lengths")
    z = rng.normal(size=(2, positive_int("n", n)))
    z[1] = r * z[0] + sqrt(1 - r * r) * z[1]
    drawn = [np.interp([*map(NormalDist().cdf, normal)], table["probability"],
                       table[f"{name}_{part}"]) for part, normal in zip(("prompt", "output"), z)]
    return Workload(name, *np.rint(drawn).astype(int))


def poisson_arrivals(rate_per_s, duration_s, rng):
    """Arrival times in seconds at that mean rate, before `duration_s`; ValueError if none comes."""
    mean = number("rate_per_s", rate_per_s) * number("duration_s", duration_s)
    times = np.sort(rng.uniform(0, duration_s, rng.poisson(mean) if mean <= 10**5 else 0))
    if not len(times):
        raise ValueError(f"rate_per_s={float(rate_per_s):g}: must give at least one request in "
                         f"{duration_s:g} s, and at most 100,000")
    return times
