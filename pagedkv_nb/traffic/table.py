"""Tables that users bring: CSV, JSONL or JSON, zipped or not, read as columns."""
import csv
import json
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from ..files import once, text_of

MOST_BYTES = 2**31 - 1  # of a file, unpacked
MOST_FIELDS = 4 * 10**7  # some 210 bytes of memory each, measured: 8 GiB
MOST_TOKENS = 10**9  # of a prompt or an output


def format_of(name):
    """What the name of a file we read, zipped or not, says is inside: csv or json; else None."""
    name = str(name).removesuffix(".gz") if isinstance(name, str | Path) else ""
    return {".csv": "csv", ".jsonl": "json", ".json": "json"}.get(Path(name).suffix.lower())


def read_table(path, problem, known, spelt=str.lower):
    """The columns of a file that the first fitting entry of `known`, {needed: welcome}, names, as
    text from a CSV and as they are from JSON; `spelt` makes equal what is spelt differently.
    ValueError in one line begins with `problem`."""
    text = text_of(path, problem, MOST_BYTES)
    try:
        if sum(map(text.count, ",;\t\n")) > MOST_FIELDS:
            raise ValueError(f"must have at most {MOST_FIELDS:,} fields")
        columns, rows = csv_rows(text) if format_of(path) == "csv" else json_rows(text)
        names = chosen(columns, known, spelt)
        rows = [[None if row.get(name) == "" else row.get(name) for name in names.values()]
                for row in rows]
        return pd.DataFrame(rows, columns=list(names), dtype=object)
    except (ValueError, LookupError) as error:
        raise ValueError(f"{problem}{' '.join(str(error).split())}") from None


def chosen(columns, known, spelt):
    """{our name: theirs} of the columns to read; blanks around them do not count."""
    names = [column.strip().lower() for column in columns]
    theirs = {spelt(column.strip()): column for column in columns}
    for needed, welcome in known.items():
        there = [name for name in (*needed, *welcome) if spelt(name) in theirs]
        if set(needed) <= set(there):
            if twice := [name for name in there if names.count(name.lower()) > 1]:
                raise ValueError(f"column {twice[0]} is there twice, capitals aside")
            return {name: theirs[spelt(name)] for name in there}
    raise ValueError(f"needs columns {' or '.join(map(','.join, known))}; "
                     f"found: {', '.join(columns) or 'none'}"[:1000])


def csv_rows(text):
    """(columns, rows) of a CSV, by the mark that its first line has most of."""
    csv.field_size_limit(MOST_BYTES)  # a prompt may be long
    text = text.lstrip("\r\n")
    mark = max(",;\t", key=text.partition("\n")[0].count)
    table = csv.DictReader(StringIO(text, None), delimiter=mark, strict=True, skipinitialspace=True)
    try:
        rows = list(table)
    except csv.Error as error:
        raise ValueError(f"is no CSV: line {table.reader.line_num}, at a quote: {error}") from None
    for number, row in enumerate(rows, 1):
        if any(row.get(None, ())):
            raise ValueError(f"row {number}: has more fields than the header; a text or list "
                             "with commas must stand in quotes")
    return table.fieldnames, rows


def json_rows(text):
    """(columns, rows) of JSON: a list of objects, or objects one after another."""
    try:
        decoder, blank = json.JSONDecoder(object_pairs_hook=once), re.compile(r"\s*")
        rows, at = [], 0
        while (at := blank.match(text, at).end()) < len(text):
            row, at = decoder.raw_decode(text, at)
            rows.append(row)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON: {error}") from None
    rows = rows[0] if len(rows) == 1 and isinstance(rows[0], list) else rows
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ValueError(f'row {number}: must be an object, {{"column": value, ...}}')
    rows = list(map(with_usage, rows))
    return list(dict.fromkeys(name for row in rows for name in row)), rows


def with_usage(record):
    """A record with its `usage`, in which OpenAI's servers count tokens."""
    parts = [record]
    for key in ("response", "body"):
        parts += [part[key] for part in parts if isinstance(part.get(key), dict)]
    usage = [part["usage"] for part in parts if isinstance(part.get("usage"), dict)]
    return record | usage[0] if usage else record


def floats(column):
    """A column as floats, NaN where there is no number (true is no 1)."""
    return pd.to_numeric(column.astype(str), errors="coerce").astype(float)


def token_counts(column, problem, least=1):
    """A column as whole numbers of at least 1; ValueError names the first row that is less than
    `least`, fractional or no number. Of an output it is 0: servers write at least one token."""
    numbers = floats(column)
    whole = (numbers >= least) & (numbers <= MOST_TOKENS) & (numbers % 1 == 0)
    refuse(~whole, column, problem, f"a whole number from {least} to {MOST_TOKENS:,}")
    return np.maximum(1, numbers.to_numpy()).astype(int)


def refuse(bad, column, problem, allowed):
    """ValueError that names the first bad row of a column, its value and what is allowed."""
    if np.any(bad):
        row = int(np.argmax(bad))
        given = " ".join(str(column.iloc[row]).split())[:40]  # it may be a whole prompt
        raise ValueError(f"{problem}row {row + 1}, {column.name}={given}: must be {allowed}")
