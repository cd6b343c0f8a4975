"""Tables that users bring: CSV, JSONL or JSON, zipped or not, read as columns."""
import csv
import gzip
import json
import zlib
from io import StringIO
from pathlib import Path

import pandas as pd


def format_of(name):
    """What the name of a file we read, zipped or not, says is inside: csv or json; else None."""
    suffix = Path(str(name).removesuffix(".gz")).suffix.lower()
    return {".csv": "csv", ".jsonl": "json", ".json": "json"}.get(suffix)


def read_table(path, problem, wanted, opened=lambda record: record):
    """The columns of a file that `wanted(columns)` names, as text from a CSV and as they are
    from JSON, whose records `opened` may unwrap. Without any of them the table is empty and
    has the columns found. ValueError in one line begins with `problem`."""
    text = text_of(path, problem)
    if format_of(path) == "csv":
        return csv_table(text, problem, wanted)
    return json_table(text, problem, wanted, opened)


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


def csv_table(text, problem, wanted):
    """The wanted columns of a CSV as text; commas, semicolons or tabs, the first that gives
    columns we want."""
    header = next(line for line in text.splitlines() if line.strip())
    split = {mark: next(csv.reader([header], delimiter=mark, skipinitialspace=True))
             for mark in ",;\t"}
    mark = next((mark for mark, columns in split.items() if wanted(columns)), None)
    if mark is None:
        return pd.DataFrame(columns=split[","])
    try:
        return pd.read_csv(StringIO(text), sep=mark, index_col=False, skipinitialspace=True,
                           dtype=str, keep_default_na=False, na_values=[""],
                           usecols=set(wanted(split[mark])).__contains__)
    except (ValueError, csv.Error) as error:  # pandas' ParserError is one
        raise ValueError(f"{problem}cannot be read: {' '.join(str(error).split())}") from None


def json_table(text, problem, wanted, opened):
    """The wanted columns of JSON: a list of objects, one object, or an object a line."""
    try:
        whole = json.loads(text)
    except RecursionError:
        raise ValueError(f"{problem}cannot be read: nested too deeply") from None
    except ValueError:
        whole = [parsed(line, row, problem) for row, line in
                 enumerate(filter(str.strip, text.splitlines()), 1)]
    records = [opened(record) for record in (whole if isinstance(whole, list) else [whole])]
    for row, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise ValueError(f"{problem}row {row}: must be an object")
    columns = list(dict.fromkeys(name for record in records for name in record))
    names = wanted(columns)
    if not names:
        return pd.DataFrame(columns=columns)
    return pd.DataFrame([[record.get(name) for name in names] for record in records],
                        columns=names, dtype=object)


def parsed(line, row, problem):
    """One line of JSON."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError(f"{problem}row {row}: is no JSON: {line[:40]}") from None
