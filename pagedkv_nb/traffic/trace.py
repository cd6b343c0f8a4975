"""Request lengths, and arrivals where stated, of a user's own trace."""
from itertools import chain

import numpy as np
import pandas as pd

from .table import read_table

MOST_TOKENS = 10**9  # of a prompt or an output

# Columns of prompt and output, and of the arrival with its unit, as the world writes them;
# case does not matter.
KNOWN = {
    ("ContextTokens", "GeneratedTokens"): ("TIMESTAMP", "date"),  # Azure 2023 and 2024
    ("input_length", "output_length"): ("timestamp", 1e-3),  # Mooncake
    ("num_prefill_tokens", "num_decode_tokens"): ("arrived_at", 1),  # Vidur
    ("Request tokens", "Response tokens"): ("Timestamp", 1),  # BurstGPT
    ("prompt_tokens", "completion_tokens"): ("arrival_s", 1),  # OpenAI, in `usage` too
    ("input_tokens", "output_tokens"): ("arrival_s", 1),
    ("num_prompt_tokens", "num_output_tokens"): ("arrival_s", 1),
    ("input_lens", "output_lens"): ("arrival_s", 1),  # vLLM's benchmark results
    ("prompt", "output"): ("arrival_s", 1),
}
USAGE = (("usage",), ("response", "body", "usage"), ("response", "usage"), ("body", "usage"))


def read_columns(path):
    """(prompt, output, arrival_s or None) of a trace as arrays; ValueError in one line names
    the file, and the row (from 1, below a header) and column or what is missing."""
    problem = f"workload={str(path)!r}: "
    table = read_table(path, problem, known_columns, usage_of)
    pair, names = known_pair(table), plain_names(table)
    if pair is None or table.empty:
        raise ValueError(f"{problem}{needs(table)}")
    table = pd.DataFrame({column: one_after_another(table[column]) for column in table})
    prompt, output = (token_counts(table[names[name.lower()]], problem) for name in pair)
    when, unit = KNOWN[pair]
    times = table[names[when.lower()]] if when.lower() in names else None
    return prompt, output, times if times is None else arrivals(times, unit, problem)


def plain_names(columns):
    """{name in lower case, without blanks: column}."""
    return {str(column).strip().lower(): column for column in columns}


def known_pair(columns):
    """The first pair of KNOWN among the columns, or None."""
    names = plain_names(columns)
    return next((pair for pair in KNOWN if {name.lower() for name in pair} <= set(names)), None)


def known_columns(columns):
    """Those of the columns that are a known pair and its arrivals."""
    pair, names = known_pair(columns), plain_names(columns)
    wanted = (*pair, KNOWN[pair][0]) if pair else ()
    return [names[name.lower()] for name in wanted if name.lower() in names]


def needs(columns):
    """What a trace must have, and which columns this one has."""
    found = ", ".join(map(str, list(columns)[:20])) or "none"
    known = " or ".join(",".join(pair) for pair in KNOWN)
    return f"needs at least one row, and columns {known}; found: {found}"[:1000]


def usage_of(record):
    """The part of a record that counts tokens: `usage` as OpenAI's servers write it, or the
    record itself."""
    for keys in USAGE:
        inner = record
        for key in keys:
            inner = inner.get(key) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            return record | inner
    return record


def one_after_another(column):
    """A column; where each entry is a list of its own, all of them in turn."""
    if not all(isinstance(entry, list) for entry in column):
        return column
    return pd.Series(list(chain.from_iterable(column)), dtype=object)


def token_counts(column, problem):
    """A column as whole numbers of at least 1 (servers write at least one token a
    request); ValueError names the first row that is negative, fractional or no number."""
    if column.dtype == object:  # true is no 1
        column = column.mask(column.map(type) == bool, "true or false")
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    bad = ~((numbers >= 0) & (numbers <= MOST_TOKENS) & (numbers % 1 == 0))
    if bad.any():
        row = int(bad.to_numpy().argmax())
        shown = " ".join(str(column.iloc[row]).split())[:40]  # it may be a whole prompt
        raise ValueError(f"{problem}row {row + 1}, {column.name}={shown}: must be a whole "
                         f"number, not negative, at most {MOST_TOKENS:,}")
    return np.maximum(1, numbers.to_numpy()).astype(int)


def arrivals(column, unit, problem):
    """Arrival times in seconds from the first one; None if one of them is no time."""
    if unit == "date":
        dates = pd.to_datetime(column, errors="coerce", format="ISO8601", utc=True)
        seconds = (dates - dates.min()).dt.total_seconds().to_numpy(float)
    else:
        seconds = pd.to_numeric(column, errors="coerce").to_numpy(float) * unit
    return seconds - seconds.min() if np.isfinite(seconds).all() else None
