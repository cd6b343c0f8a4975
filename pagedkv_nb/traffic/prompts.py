"""Prompts one after another, as keys of their full pages: two traces of Mooncake's, and a
user's own, of block ids, tokens or text."""
from dataclasses import dataclass, replace
from importlib.resources import files

import pandas as pd

from ..paging import pages_for
from ..parameter import positive_int, shown
from ..prefix import page_keys
from .table import MOST_TOKENS, floats, format_of, read_table

TOKENS_PER_ID = 512  # that an id of Mooncake's stands for
SHIPPED = ("conversation", "synthetic")
NUMBERS = "a list of at least one whole number"
FIELDS = {"hash_ids": NUMBERS, "tokens": NUMBERS, "text": "words"}  # what they must be
COLUMNS = (*FIELDS, "input_length", "timestamp")


@dataclass(frozen=True)
class Prompts:
    """Requests in order of arrival. `keys` are those of the full pages of each prompt, each
    standing for everything before it too; `seconds` is when it came; lengths are in tokens."""

    name: str
    page_size: int
    keys: list
    n_tokens: list
    seconds: list

    @property
    def n_asked(self):
        """Full pages of all prompts."""
        return sum(map(len, self.keys))

    @property
    def n_distinct(self):
        """Different ones among them."""
        return len(set().union(*self.keys))

    def only(self, numbers):
        """Those of them, by their numbers from 0."""
        return replace(self, **{field: [getattr(self, field)[i] for i in numbers]
                                for field in ("keys", "n_tokens", "seconds")})


def read_prompts(trace, page_size=TOKENS_PER_ID):
    """The prompts of a trace: a name in SHIPPED, or a file of `hash_ids` (an id a started page,
    standing for all before it too), `tokens` or `text`; CSV or JSONL, zipped or not. `timestamp` is
    in ms (absent: a second apart). ValueError in one line says what is wrong."""
    page_size = positive_int("page_size", page_size, MOST_TOKENS)
    problem = f"{shown('trace', trace)}: "
    if not isinstance(trace, str) or trace not in SHIPPED and not format_of(trace):
        raise ValueError(f"{problem}must be {', '.join(SHIPPED)}, or a .csv, .jsonl or "
                         ".json file with hash_ids, tokens or text")
    found = shipped(trace, page_size) if trace in SHIPPED else own(trace, page_size, problem)
    if not found.n_asked:
        raise ValueError(f"{problem}has no prompt of a full page, page_size={page_size} tokens")
    return found


def read_traces(trace, page_size=TOKENS_PER_ID):
    """{name: prompts} of a trace as `read_prompts`, and of Mooncake's other if it is one."""
    names = SHIPPED if isinstance(trace, str) and trace in SHIPPED else [trace]
    return {name: read_prompts(name, page_size) for name in names}


def own(trace, page_size, problem):
    """The prompts of a user's file."""
    table = read_table(trace, problem, lambda columns: [c for c in columns if c in COLUMNS])
    if not set(table) & set(FIELDS) or table.empty:
        raise ValueError(f"{problem}needs at least one row with hash_ids, tokens or text; "
                         f"found: {', '.join(map(str, table))[:200]}")
    keys, n_tokens, parents = [], [], {}
    for number, row in enumerate(table.to_dict("records"), 1):
        where = f"{problem}row {number}, "
        one, n = keyed(row, page_size, where)
        if row.get("hash_ids"):
            check_chain(one, parents, f"{where}hash_ids")
        keys.append(one[:n // page_size])
        n_tokens.append(n)
    return Prompts(trace, page_size, keys, n_tokens, times(table, problem))


def shipped(name, page_size):
    """One of Mooncake's traces; pages of several blocks go by their last block's id."""
    if page_size % TOKENS_PER_ID:
        raise ValueError(f"page_size={page_size}: must be a multiple of {TOKENS_PER_ID}, which "
                         f"the ids of the trace {name} stand for")
    table = pd.read_csv(files("pagedkv_nb") / "data" / f"mooncake_{name}.csv.gz")
    n_tokens, ids, fresh = table["input_length"].tolist(), [], 0
    for n, parent, shared in zip(n_tokens, table["parent"], table["shared"]):
        new = pages_for(n, TOKENS_PER_ID) - shared
        begun = ids[parent][:shared] if shared else []
        ids.append([*begun, *range(fresh, fresh + new)])
        fresh += new
    step = page_size // TOKENS_PER_ID
    keys = [one[step - 1:n // TOKENS_PER_ID:step] for one, n in zip(ids, n_tokens)]
    return Prompts(name, page_size, keys, n_tokens, (table["timestamp"] / 1000).tolist())


def keyed(row, page_size, where):
    """(keys, tokens) of a row, with a key for each started page if it has `hash_ids`."""
    field = next((field for field in FIELDS if row.get(field) not in (None, "")), "text")
    content = listed(field, row.get(field))
    if not content:
        raise ValueError(f"{where}{shown(field, row.get(field))}: must be {FIELDS[field]}")
    if field == "hash_ids":
        return content, n_of_ids(row, content, page_size, where)
    return page_keys(content, page_size), len(content)


def n_of_ids(row, content, page_size, where):
    """Tokens of a row with `hash_ids`; ValueError unless they are as many as ids."""
    n = row.get("input_length")
    if n is None:
        return len(content) * page_size
    n = int(n) if isinstance(n, str) and n.strip().isdecimal() else n  # from a CSV
    needed = pages_for(positive_int(f"{where}input_length", n, MOST_TOKENS), page_size)
    if len(content) != needed:
        raise ValueError(f"{where}hash_ids: {len(content)} ids for input_length={n}, "
                         f"must be {needed} at page_size={page_size}")
    return n


def listed(field, content):
    """The words of a text, or a list of whole numbers, which a CSV has as text with blanks,
    commas or brackets; [] if it is none."""
    if field == "text":
        return content.split() if isinstance(content, str) else []
    try:
        if isinstance(content, str):
            text = content.strip()
            text = text[1:-1] if text[:1] + text[-1:] == "[]" else text
            content = list(map(int, text.replace(",", " ").split()))
    except ValueError:
        return []
    whole = isinstance(content, list) and all(type(x) is int for x in content)
    return content if whole else []


def check_chain(ids, parents, where):
    """ValueError if an id stands for another beginning than before, or is there twice."""
    for before, one in zip([None, *ids], ids):
        if parents.setdefault(one, before) != before:
            raise ValueError(f"{where}: {one} follows {before} here and {parents[one]} before; "
                             "an id must stand for its page and everything before it")


def times(table, problem):
    """Seconds from the first arrival; a second apart if no row has a timestamp."""
    if "timestamp" not in table or table["timestamp"].isna().all():
        return [float(i) for i in range(len(table))]
    seconds = floats(table["timestamp"]) / 1000
    bad = ~(seconds.abs() < 1e12) | (seconds.diff() < 0)
    if bad.any():
        row = int(bad.to_numpy().argmax())
        given = shown("timestamp", table["timestamp"].iloc[row])
        raise ValueError(f"{problem}row {row + 1}, {given}: must be milliseconds, not before "
                         "the row above")
    return (seconds - seconds.iloc[0]).tolist()
