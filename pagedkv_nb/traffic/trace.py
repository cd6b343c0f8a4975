"""Request lengths, and arrivals where stated, of a user's own trace: CSV, JSONL or JSON."""
import csv
import gzip
import json
import zlib
from io import StringIO
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

SUFFIXES = (".csv", ".jsonl", ".json")
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


def is_trace(name):
    """Whether a workload's name is that of a trace file."""
    return Path(str(name).removesuffix(".gz")).suffix.lower() in SUFFIXES


def read_columns(path):
    """(prompt, output, arrival_s or None) of a trace as arrays; ValueError in one line names
    the file, and the row (from 1, below a header) and column or what is missing."""
    problem = f"workload={str(path)!r}: "
    text = text_of(path, problem)
    reader = csv_table if Path(str(path).removesuffix(".gz")).suffix.lower() == ".csv" \
        else json_table
    table = reader(text, problem)
    pair = known_pair(table)
    if pair is None or table.empty:
        raise ValueError(f"{problem}{needs(table)}")
    names = {str(column).strip().lower(): column for column in table}
    prompt, output = (token_counts(table[names[name.lower()]], problem) for name in pair)
    when, unit = KNOWN[pair]
    times = table[names[when.lower()]] if when.lower() in names else None
    return prompt, output, times if times is None else arrivals(times, unit, problem)


def text_of(path, problem):
    """The text of a file, unzipped if it is zipped."""
    try:
        content = Path(path).read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except OSError as error:  # absent, a folder, not a zip after all
        raise ValueError(f"{problem}cannot be read: {error.strerror or error}") from None
    except (EOFError, zlib.error):
        raise ValueError(f"{problem}cannot be read: the gzip file ends too soon") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{problem}cannot be read: no UTF-8 text (byte {error.start})") from None
    if "\0" in text:
        raise ValueError(f"{problem}cannot be read: no text (byte {text.index(chr(0))})")
    if not text.strip():
        raise ValueError(f"{problem}cannot be read: it is empty")
    return text


def needs(columns):
    """What a trace must have, and which columns this one has."""
    found = ", ".join(map(str, list(columns)[:20])) or "none"
    known = " or ".join(",".join(pair) for pair in KNOWN)
    return f"needs at least one row, and columns {known}; found: {found}"[:1000]


def known_pair(columns):
    """The first pair of KNOWN among the columns, or None."""
    names = {str(column).strip().lower() for column in columns}
    return next((pair for pair in KNOWN if {name.lower() for name in pair} <= names), None)


def csv_table(text, problem):
    """The columns of a CSV that may matter; commas, semicolons or tabs."""
    header, separator = next(line for line in text.splitlines() if line.strip()), ","
    for mark in ",;\t":
        columns = next(csv.reader([header], delimiter=mark, skipinitialspace=True))
        if known_pair(columns):
            separator = mark
            break
    wanted = {name.lower() for pair, (when, _) in KNOWN.items() for name in (*pair, when)}
    if not known_pair(columns):
        raise ValueError(f"{problem}{needs(next(csv.reader([header])))}")
    try:
        return pd.read_csv(StringIO(text), sep=separator, index_col=False,
                           skipinitialspace=True, low_memory=False,
                           usecols=lambda name: name.strip().lower() in wanted)
    except (ValueError, csv.Error) as error:  # pandas' ParserError is one
        raise ValueError(f"{problem}cannot be read: {' '.join(str(error).split())}") from None


def json_table(text, problem):
    """The columns of JSON: a list of objects, an object of lists, or an object a line."""
    try:
        whole = json.loads(text)
    except RecursionError:
        raise ValueError(f"{problem}cannot be read: nested too deeply") from None
    except ValueError:
        whole = [parsed(line, row, problem) for row, line in
                 enumerate(filter(str.strip, text.splitlines()), 1)]
    records = [usage_of(record) for record in (whole if isinstance(whole, list) else [whole])]
    bad = next((i for i, record in enumerate(records, 1) if not isinstance(record, dict)), None)
    pair = bad or not records or known_pair(records[0])
    if bad or not pair or not records:
        told = f"row {bad}: must be an object" if bad else needs(records[0] if records else [])
        raise ValueError(f"{problem}{told}")
    names = {name.strip().lower(): name for name in records[0]}
    columns = [names[n.lower()] for n in (*pair, KNOWN[pair][0]) if n.lower() in names]
    return pd.DataFrame({column: pd.Series(values(records, column), dtype=object)
                         for column in columns})


def parsed(line, row, problem):
    """One line of JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"{problem}row {row}: is no JSON: {line[:40]}") from None


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


def values(records, column):
    """A column of records; lists are put one after another."""
    found = [record.get(column) for record in records]
    return list(chain.from_iterable(found)) if all(isinstance(x, list) for x in found) else found


def token_counts(column, problem):
    """A column as whole numbers of at least 1 (servers write at least one token a
    request); ValueError names the first row that is negative, fractional or no number."""
    if column.dtype in (bool, object):  # true is no 1
        column = column.astype(object)
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
