"""Recorded runs of vLLM's block manager, replayed operation by operation.

A recording has `page_size`, `n_pages`, `ops` and `states`. The operations are
["create", id, tokens], ["append", id], ["fork", parent, id] and ["release", id]. A state is
[free pages, copies so far, first 16 hex digits of the SHA-256 of the canonical tables].

With prefix caching, `tokens` is a string, one letter a token, of `create` and of `append`,
and the middle of a state is the tokens found by this operation, null if it was refused."""
import json
from hashlib import sha256
from importlib.resources import files

from ..paging import OutOfPages, PagedRequest, PagePool
from ..prefix import PrefixPool, PrefixRequest, page_keys


def recorded(name):
    """The recording `data/NAME.json`."""
    return json.loads((files("pagedkv_nb") / "data" / f"{name}.json").read_text())


def replay(recording, pool_class=None):
    """Yield our state after each operation, as recorded; `pool_class` stands in for our pool."""
    caching = any(op[0] == "create" and isinstance(op[2], str) for op in recording["ops"])
    pool_class = pool_class or (PrefixPool if caching else PagePool)
    pool = pool_class(recording["n_pages"], recording["page_size"])
    live, texts, copies = {}, {}, 0
    for op in recording["ops"]:
        done = operate(pool, live, texts, op)
        copies += 0 if caching else done
        tables = json.dumps(canonical_tables(live), separators=(",", ":"))
        yield [pool.n_free, done if caching else copies, sha256(tables.encode()).hexdigest()[:16]]


def operate(pool, live, texts, op):
    """Do an operation; returns the tokens found in a text, or else the pages copied, 0 or 1."""
    kind, name, *rest = op
    if kind == "release":
        live.pop(name).free()
    elif kind == "fork":
        live[rest[0]] = live[name].fork(rest[0])
    elif rest and isinstance(rest[0], str):
        return tokens_found(pool, live, texts, op)
    else:
        if kind == "create":
            live[name] = PagedRequest(pool, name)
        return int(live[name].append(*rest) is not None)
    return 0


def tokens_found(pool, live, texts, op):
    """Create or append a text; returns the tokens found, None if it was refused: a new request
    is not live then, an old one keeps what it has."""
    kind, name, more = op
    text = more if kind == "create" else texts[name] + more
    keys = page_keys(text, pool.page_size)
    try:
        if kind == "create":
            live[name] = PrefixRequest(pool, len(text), keys, name)
        else:
            live[name].append(len(more), keys)
    except OutOfPages:
        return None
    texts[name] = text
    return live[name].n_found if kind == "create" else 0


def canonical_tables(live):
    """[[id, pages]] of live requests in order of creation, pages relabelled 0, 1, 2 ... as
    they first appear: two allocators agree although they choose other free pages."""
    labels = {}
    return [[name, [labels.setdefault(page, len(labels)) for page in request.block_table]]
            for name, request in live.items()]
