"""Request lengths, and arrivals where stated, of a user's own trace."""
import numpy as np
import pandas as pd

from ..parameter import shown
from .table import MOST_TOKENS, floats, read_table

# Columns of prompt, output and arrival, and the arrival's unit in seconds, as the world writes
# them; case does not matter.
KNOWN = (
    ("ContextTokens", "GeneratedTokens", "TIMESTAMP", "date"),  # Azure 2023 and 2024
    ("input_length", "output_length", "timestamp", 1e-3),  # Mooncake
    ("num_prefill_tokens", "num_decode_tokens", "arrived_at", 1),  # Vidur
    ("Request tokens", "Response tokens", "Timestamp", 1),  # BurstGPT
    ("prompt_tokens", "completion_tokens", "arrival_s", 1),  # OpenAI, in `usage` too
    ("input_tokens", "output_tokens", "arrival_s", 1),
    ("num_prompt_tokens", "num_output_tokens", "arrival_s", 1),
    ("input_lens", "output_lens", "arrival_s", 1),  # vLLM's benchmark results
    ("prompt", "output", "arrival_s", 1),
)
USAGE = (("usage",), ("response", "body", "usage"), ("response", "usage"), ("body", "usage"))


def read_columns(path):
    """(prompt, output, arrival_s or None) of a trace as arrays; ValueError in one line names
    the file, and the row (from 1, below a header) and column or what is missing."""
    problem = f"{shown('workload', str(path))}: "
    table = read_table(path, problem, lambda columns: known_columns(columns)[0], usage_of)
    columns, unit = known_columns(table)
    rows = pd.DataFrame({column: one_after_another(table[column]) for column in columns})
    if rows.empty:
        found = ", ".join(map(str, table)) or "none"
        known = " or ".join(f"{prompt},{output}" for prompt, output, *_ in KNOWN)
        needs = f"needs at least one row, and columns {known}; found: {found}"
        raise ValueError(f"{problem}{needs[:1000]}")
    prompt, output = (token_counts(rows[column], problem) for column in columns[:2])
    times = arrivals(rows[columns[2]], unit) if len(columns) == 3 else None
    return prompt, output, times


def known_columns(columns):
    """Those of the columns that are the first pair of KNOWN, and its arrivals if they are
    there, as a list that is empty if there is no pair; and the unit of the arrivals."""
    names = {str(column).strip().lower(): column for column in columns}
    for *known, unit in KNOWN:
        found = [names.get(name.lower()) for name in known]
        if None not in found[:2]:
            return [column for column in found if column is not None], unit
    return [], None


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
    return pd.Series([one for entry in column for one in entry], dtype=object)


def token_counts(column, problem):
    """A column as whole numbers of at least 1 (servers write at least one token a
    request); ValueError names the first row that is negative, fractional or no number."""
    numbers = floats(column)
    bad = ~((numbers >= 0) & (numbers <= MOST_TOKENS) & (numbers % 1 == 0))
    if bad.any():
        row = int(bad.to_numpy().argmax())
        given = " ".join(str(column.iloc[row]).split())[:40]  # it may be a whole prompt
        raise ValueError(f"{problem}row {row + 1}, {column.name}={given}: must be a whole "
                         f"number, not negative, at most {MOST_TOKENS:,}")
    return np.maximum(1, numbers.to_numpy()).astype(int)


def arrivals(column, unit):
    """Arrival times in seconds from the first one; None if one of them is no time."""
    if unit == "date":
        dates = pd.to_datetime(column.astype(str), errors="coerce", format="ISO8601", utc=True)
        seconds = (dates - dates.min()).dt.total_seconds().to_numpy(float)
    else:
        seconds = floats(column).to_numpy() * unit
    return seconds - seconds.min() if np.isfinite(seconds).all() else None
