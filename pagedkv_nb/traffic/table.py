"""Tables that users bring: CSV, JSONL or JSON, zipped or not, read as columns."""
import csv
from io import StringIO
from pathlib import Path

import pandas as pd

from ..files import json_of, text_of

MOST_BYTES = 2**31 - 1  # of a file, unpacked
MOST_FIELDS = 4 * 10**7  # some 210 bytes of memory each, measured: 8 GiB
MOST_TOKENS = 10**9  # of a prompt or an output


def format_of(name):
    """What the name of a file we read, zipped or not, says is inside: csv or json; else None."""
    name = str(name).removesuffix(".gz") if isinstance(name, str | Path) else ""
    return {".csv": "csv", ".jsonl": "json", ".json": "json"}.get(Path(name).suffix.lower())


def read_table(path, problem, wanted, opened=lambda record: record):
    """The columns of a file that `wanted(columns)` names, as text from a CSV and as they are
    from JSON, whose records `opened` may unwrap. Without any of them the table is empty and
    has the first columns found. ValueError in one line begins with `problem`."""
    text = text_of(path, problem, MOST_BYTES)
    try:
        if sum(map(text.count, ",;\t\n")) > MOST_FIELDS:
            raise ValueError(f"must have at most {MOST_FIELDS:,} fields (what 16 GiB of memory "
                             "hold)")
        columns, rows = (csv_rows(text, wanted) if format_of(path) == "csv" else
                         json_rows(text, opened))
        if not (names := wanted(columns)):
            return pd.DataFrame(columns=columns[:20])
        plain = [str(column).strip().lower() for column in columns]
        if twice := [name for name in names if plain.count(name.strip().lower()) > 1]:
            raise ValueError(f"column {twice[0]} is there twice, capitals aside")
        rows = [[None if row.get(name) == "" else row.get(name) for name in names] for row in rows]
        return pd.DataFrame(rows, columns=names, dtype=object)
    except (ValueError, LookupError, csv.Error) as error:
        raise ValueError(f"{problem}{error}") from None


def csv_rows(text, wanted):
    """(columns, rows) of a CSV: commas, semicolons or tabs, the first with columns we want."""
    csv.field_size_limit(MOST_BYTES)  # a prompt may be long
    readers = [csv.DictReader(StringIO(text.lstrip("\r\n"), None), delimiter=mark, strict=True,
                              skipinitialspace=True) for mark in ",;\t"]
    reader = next((one for one in readers if wanted(one.fieldnames)), readers[0])
    return reader.fieldnames, whole_rows(reader)


def whole_rows(reader):
    """The rows of a CSV as mappings; ValueError at one with more fields than the header."""
    for number, row in enumerate(reader, 1):
        if any(row.get(None, ())):
            raise ValueError(f"row {number}: has more fields than the header; a text or list "
                             "with commas must stand in quotes")
        yield row


def json_rows(text, opened):
    """(columns, rows) of JSON: a list of objects, one object, or an object a line."""
    try:
        whole = json_of(text)
    except RecursionError:
        raise ValueError("cannot be read: nested too deeply") from None
    except ValueError as error:
        lines = enumerate(filter(str.strip, text.split("\n")), 1)
        whole = [parsed(line, row, error) for row, line in lines]
    records = [opened(record) for record in (whole if isinstance(whole, list) else [whole])]
    for row, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise ValueError(f'row {row}: must be an object, {{"column": value, ...}}')
    return list(dict.fromkeys(name for record in records for name in record)), records


def parsed(line, row, error):
    """One line of JSON; if it is the first, `error` tells what ails the whole."""
    try:
        return json_of(line)
    except (ValueError, RecursionError):
        where, what = (f"row {row}: ", line[:40]) if row > 1 else ("", error)
        raise ValueError(f"{where}is no JSON: {what}") from None


def floats(column):
    """A column as floats, NaN where there is no number (true is no 1)."""
    return pd.to_numeric(column.astype(str), errors="coerce").astype(float)
