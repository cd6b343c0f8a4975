"""Recorded runs of vLLM's block manager, replayed operation by operation.

A recording has `page_size`, `n_pages`, `ops` and `states`. The operations are
["create", id, tokens], ["append", id], ["fork", parent, id] and ["release", id]. A state is
[free pages, copies so far, first 16 hex digits of the SHA-256 of the canonical tables].
"""
import json
from hashlib import sha256

from .paging import PagedRequest, PagePool


def replay(recording, pool_class=PagePool):
    """Yield our state after each operation of a recording, in the recording's form."""
    pool, live, copies = pool_class(recording["n_pages"], recording["page_size"]), {}, 0
    for kind, name, *rest in recording["ops"]:
        if kind == "create":
            live[name] = PagedRequest(pool, name)
            live[name].append(rest[0])
        elif kind == "append":
            copies += live[name].append() is not None
        elif kind == "fork":
            live[rest[0]] = live[name].fork(rest[0])
        else:
            live.pop(name).free()
        tables = json.dumps(canonical_tables(live), separators=(",", ":"))
        yield [pool.n_free, copies, sha256(tables.encode()).hexdigest()[:16]]


def canonical_tables(live):
    """[[id, pages]] of live requests in order of creation, pages relabelled 0, 1, 2 ... as
    they first appear: two allocators agree although they choose other free pages."""
    labels = {}
    return [[name, [labels.setdefault(page, len(labels)) for page in request.block_table]]
            for name, request in live.items()]
