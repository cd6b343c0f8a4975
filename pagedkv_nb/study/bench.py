"""Speed as ratios, each against a yardstick measured in the same run: `make bench`.

    python -m pagedkv_nb.study.bench [pool server attention model]

Each group yields what it measures: (what, goal, how often it is tried, the work, its yardstick).
"""
import sys
from collections import deque
from timeit import timeit
from types import SimpleNamespace

import numpy as np
import pandas as pd

from ..attention import PagedKVCache, attention
from ..generation import LanguageModel
from ..generation.language_model import FILE
from ..paging import PagedRequest, PagePool, pages_for
from ..serving import POLICIES, Server
from ..traffic import read_workload

PAGE = 16  # tokens
TAKEN = {"max": 2048, "pow2": 1100, "oracle": 1000, "paged": 450}  # slots a ShareGPT request takes


def ratio(tries, *work):
    """The shortest time of a piece of work over that of another; they take turns."""
    times = [[timeit(piece, number=1) for piece in work] for _ in range(tries)]
    return np.divide(*np.min(times, axis=0))


def decode(pool, n):
    """A request that takes n tokens, one by one, and is freed."""
    request = PagedRequest(pool)
    for _ in range(n):
        request.append()
    request.free()


def count(free, n):
    """The least it has to do: a page for every 16th token, one count a token."""
    table, request = [], SimpleNamespace(n_tokens=0)
    for _ in range(n):
        if request.n_tokens % PAGE == 0:
            table.append(free.popleft())
        request.n_tokens += 1
    free.extend(table)


def pools(pages):
    """A request in a pool of that size, against a bare list."""
    pool, free, n = PagePool(pages, PAGE), deque(range(pages)), PAGE * min(pages, 500)
    yield "append / inline loop", 3, 20, lambda: decode(pool, n), lambda: count(free, n)


def servers(running):
    """A server's tokens, about so many an iteration, against an inline count of each."""
    requests = read_workload("sharegpt", 20_000, np.random.RandomState(0)).within(2048)
    n, free = max(300, 60_000 // running), deque(range(625))  # pages of 10,000 tokens
    for policy, taken in TAKEN.items():
        server = Server(POLICIES[policy].memory(taken * running + 2048, 2048), requests)
        server.run(1000)
        yield (f"server step, {policy} / inline append", "", 3, lambda: server.run(n), lambda: [
            count(free, 10_000)
            for _ in range(sum(row[0] for row in server.history[-n:]) // 10_000)])


def attentions(tokens):
    """Attention through the block table, its pages in random order, against contiguous arrays."""
    rng = np.random.RandomState(0)
    k, v = rng.standard_normal((2, tokens, 8, 64)).astype(np.float32)
    q = rng.standard_normal((32, 64)).astype(np.float32)
    for page_size in (1, 4, PAGE, 64, 256):
        pool = PagePool(pages_for(tokens, page_size) + 8, page_size)
        for page in rng.permutation([pool.allocate() for _ in range(pool.total_pages)]):
            pool.release(int(page))
        cache, request = PagedKVCache(pool, 8, 64), PagedRequest(pool)
        cache.write(request, k, v)
        yield (f"attention, pages of {page_size} / contiguous",
               1.25 if (tokens, page_size) == (4096, PAGE) else "", 7,
               lambda: cache.attend(request, q), lambda: attention(q, k, v))


def models(running):
    """Prompts read by the real model, and decoded together, against its linear layers alone."""
    model, rng = LanguageModel.load(), np.random.RandomState(0)
    shape, pool = model.shape, PagePool(16 * running, PAGE)
    cache = PagedKVCache(pool, shape.kv_heads, shape.head_dim, layers=shape.layers)
    requests = [PagedRequest(pool) for _ in range(running)]
    linear = [w.T for layer in model.layers for w in layer.values() if w.ndim == 2]
    for what, tries, n in (("read", 1, 36), ("decode", 5, 1)):
        batch = [(request, rng.randint(100, 40_000, n)) for request in requests]
        pairs = [(np.ones((n * running, len(w)), np.float32), w) for w in linear]
        pairs.append((np.ones((running, shape.hidden), np.float32), model.embedding.T))
        yield (f"{what} / linear layers alone", 1.5 if (what, running) == ("decode", 16) else "",
               tries, lambda: model.forward(batch, cache), lambda: [x @ w for x, w in pairs])


GROUPS = {"pool": (pools, "pages", [10**p for p in range(2, 7)]),
          "server": (servers, "running", [10**p for p in range(1, 5)]),
          "attention": (attentions, "tokens", [128, 1024, 4096, 32768]),
          "model": (models, "requests", [1, 4, 16] if FILE.is_file() else [])}  # `make model`


if __name__ == "__main__":
    groups = [GROUPS[name] for name in sys.argv[1:] or GROUPS]
    rows = [(what, f"{size:,} {unit}", ratio(tries, *work), goal) for group, unit, sizes in groups
            for size in sizes for what, goal, tries, *work in group(size)]
    print(pd.DataFrame(rows, columns=["what", "size", "ratio", "goal"]).to_string(
        index=False, float_format="{:.3g}".format))
