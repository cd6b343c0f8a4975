"""Prompts as keys of their full pages: two traces of Mooncake's, and a user's own."""
from dataclasses import dataclass, replace
from importlib.resources import files

import pandas as pd

from ..paging import pages_for
from ..parameter import positive_int, shown
from ..prefix import page_keys
from .table import MOST_TOKENS, floats, format_of, read_table, refuse, token_counts

TOKENS_PER_ID = 512  # that an id of Mooncake's stands for
SHIPPED = ("conversation", "synthetic")
NUMBERS = "a list of at least one whole number"
FIELDS = {"hash_ids": NUMBERS, "tokens": NUMBERS, "text": "words"}  # what they must be


@dataclass(frozen=True)
class Prompts:
    """Requests in order of arrival. `keys` are those of the full pages of each prompt, each
    standing for everything before it too; `seconds` is when it came; lengths are in tokens."""

    page_size: int
    keys: list
    n_tokens: list
    seconds: list

    @property
    def n_asked(self):
        """Full pages of all prompts."""
        return sum(map(len, self.keys))

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
    known = {(field,): ["input_length", "timestamp"] for field in FIELDS}
    table = read_table(trace, problem, known, str)  # Timestamp and TIMESTAMP are no milliseconds
    field = table.columns[0]
    contents = [listed(field, content) for content in table[field]]
    refuse([not content for content in contents], table[field], problem, FIELDS[field])
    n_tokens = [len(content) for content in contents]
    if field == "hash_ids":
        check_chains(contents, problem)
        n_tokens = lengths(table, contents, page_size, problem)
        keys = [ids[:n // page_size] for ids, n in zip(contents, n_tokens)]
    else:
        keys = [page_keys(content, page_size) for content in contents]
    return Prompts(page_size, keys, n_tokens, times(table, problem))


def lengths(table, ids, page_size, problem):
    """Tokens of rows with `hash_ids`: whole pages where no `input_length` says it."""
    full = pd.Series([len(one) * page_size for one in ids])
    told = table.get("input_length", full).fillna(full).rename("input_length")
    n_tokens = token_counts(told, problem)
    refuse(pages_for(n_tokens, page_size) * page_size != full, told, problem,
           f"as many pages of {page_size} tokens as the row has hash_ids")
    return n_tokens.tolist()


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
    return Prompts(page_size, keys, n_tokens, (table["timestamp"] / 1000).tolist())


def listed(field, content):
    """The words of a text, or a list of whole numbers, which a CSV has as text with blanks,
    commas or brackets; [] if it is none."""
    if field == "text":
        return content.split() if isinstance(content, str) else []
    try:
        if isinstance(content, str):
            text = content.strip().replace("_", "?")  # 1_2 is no number here
            text = text[1:-1] if text[:1] + text[-1:] == "[]" else text
            content = list(map(int, text.replace(",", " ").split()))
    except ValueError:
        return []
    whole = isinstance(content, list) and all(type(x) is int for x in content)
    return content if whole else []


def check_chains(rows, problem):
    """ValueError if an id stands for another beginning than before, or is there twice."""
    parents = {}
    for row, ids in enumerate(rows, 1):
        for before, one in zip([None, *ids], ids):
            if parents.setdefault(one, before) != before:
                raise ValueError(f"{problem}row {row}, hash_ids: {one} follows {before} here and "
                                 f"{parents[one]} before; an id must stand for its page and "
                                 "everything before it")


def times(table, problem):
    """Seconds from the first arrival; a second apart if no row has a timestamp."""
    if "timestamp" not in table or table["timestamp"].isna().all():
        return [float(i) for i in range(len(table))]
    seconds = floats(table["timestamp"]) / 1000
    refuse(~(seconds.abs() < 1e12) | (seconds.diff() < 0), table["timestamp"], problem,
           "milliseconds, not before the row above")
    return (seconds - seconds.iloc[0]).tolist()
