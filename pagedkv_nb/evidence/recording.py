"""Recorded runs of vLLM's block manager, replayed operation by operation.

A recording has `page_size`, `n_pages`, `ops` and `states`. The operations are
["create", id, tokens], ["append", id], ["fork", parent, id] and ["release", id]. A state is
[free pages, copies so far, first 16 hex digits of the SHA-256 of the canonical tables].

With prefix caching, `tokens` is a string, one letter a token, of `create` and of `append`,
and the middle of a state is the tokens found by this operation, null if it was refused.
"""
import json
from hashlib import sha256
from importlib.resources import files

from ..paging import OutOfPages, PagedRequest, PagePool
from ..prefix import PrefixPool, PrefixRequest, page_keys


def recorded(name):
    """The recording `data/NAME.json`."""
    return json.loads((files("pagedkv_nb") / "data" / f"{name}.json").read_text())


def replay(recording, pool_class=None):
    """Yield our state after each operation of a recording, in the recording's form; of the
    recordings with prefix caching too. `pool_class` stands in for our own pool."""
    caching = any(op[0] == "create" and isinstance(op[2], str) for op in recording["ops"])
    pool_class = pool_class or (PrefixPool if caching else PagePool)
    replayed = Caching if caching else Copying
    run = replayed(pool_class(recording["n_pages"], recording["page_size"]))
    for kind, *rest in recording["ops"]:
        middle = getattr(run, kind)(*rest)
        tables = json.dumps(canonical_tables(run.live), separators=(",", ":"))
        yield [run.pool.n_free, middle, sha256(tables.encode()).hexdigest()[:16]]


class Copying:
    """Requests with forks and copy on write; each operation returns the copies so far."""

    def __init__(self, pool):
        """No request yet."""
        self.pool, self.live, self.copies = pool, {}, 0

    def create(self, name, n_tokens):
        """A request with its prompt."""
        self.live[name] = PagedRequest(self.pool, name)
        self.live[name].append(n_tokens)
        return self.copies

    def append(self, name):
        """One token more, with a copy if its page is shared."""
        self.copies += self.live[name].append() is not None
        return self.copies

    def fork(self, parent, name):
        """A second request with the same pages."""
        self.live[name] = self.live[parent].fork(name)
        return self.copies

    def release(self, name):
        """The request leaves."""
        self.live.pop(name).free()
        return self.copies


class Caching:
    """Requests that find pages; each operation returns the tokens found, None if refused."""

    def __init__(self, pool):
        """No request yet."""
        self.pool, self.live, self.text = pool, {}, {}

    def create(self, name, tokens):
        """A request with its prompt; one that is refused is not live."""
        keys = page_keys(tokens, self.pool.page_size)
        try:
            request = PrefixRequest(self.pool, len(tokens), keys, name)
        except OutOfPages:
            return None
        self.live[name], self.text[name] = request, tokens
        return request.n_found

    def append(self, name, tokens):
        """More tokens; a refused request keeps what it has."""
        text = self.text[name] + tokens
        try:
            self.live[name].append(len(tokens), page_keys(text, self.pool.page_size))
        except OutOfPages:
            return None
        self.text[name] = text
        return 0

    def release(self, name):
        """The request leaves, if it was ever there."""
        if name in self.live:
            self.live.pop(name).free()
        return 0


def canonical_tables(live):
    """[[id, pages]] of live requests in order of creation, pages relabelled 0, 1, 2 ... as
    they first appear: two allocators agree although they choose other free pages."""
    labels = {}
    return [[name, [labels.setdefault(page, len(labels)) for page in request.block_table]]
            for name, request in live.items()]
