"""Speed as ratios, each against a yardstick measured in the same run: `make bench`.

    python -m pagedkv_nb.study.bench [pool server attention model]
"""
import sys
from collections import deque
from functools import partial
from timeit import Timer
from types import SimpleNamespace

import numpy as np
import pandas as pd

from ..attention import PagedKVCache, attention
from ..contiguous import BuddyAllocator, FirstFitAllocator
from ..generation import LanguageModel
from ..generation.language_model import FILE
from ..paging import PagedRequest, PagePool
from ..serving import POLICIES, Server
from ..traffic import read_workload

PAGE = 16  # tokens
SERVERS = [("max", FirstFitAllocator, 2048), ("oracle", FirstFitAllocator, 750),
           ("pow2", BuddyAllocator, 1100), ("oracle", BuddyAllocator, 1000),
           ("paged", None, 450)]  # slots that one running ShareGPT request takes


def fastest(tries, *timers):
    """The shortest time of each piece of work, in seconds; they take turns."""
    return np.min([[timer.timeit(1) for timer in timers] for _ in range(tries)], axis=0)


def row(what, size, ours, yardstick, goal=""):
    """A row of the table; seconds of ours and of the yardstick."""
    return {"what": what, "size": size, "ratio": f"{ours / yardstick:.3g}", "goal": goal}


def appends(request, n):
    """A decode loop: n tokens, one by one."""
    for _ in range(n):
        request.append()


def inline_appends(n, take):
    """The least it has to do: a page for every 16th token, one count a token."""
    table, request = [], SimpleNamespace(n_tokens=0)
    for _ in range(n):
        if request.n_tokens % PAGE == 0:
            table.append(take())
        request.n_tokens += 1


def pool_rows(pages):
    """A request in a pool of that size, against a bare list."""
    request, free, taken = PagedRequest(PagePool(pages, PAGE)), deque(range(pages)), min(pages, 500)
    ours, loop = fastest(
        20, Timer(partial(appends, request, PAGE * taken), request.free),
        Timer(partial(inline_appends, PAGE * taken, free.popleft), lambda: free.extend(range(taken))))
    yield row("append / inline loop", f"{pages:,} pages", ours, loop, 3)


def server_rows(running):
    """A server's request-token steps, against an inline count of one for each."""
    requests = read_workload("sharegpt", 20_000, np.random.RandomState(0)).within(2048)
    for policy, allocator, slots in SERVERS:
        memory = POLICIES[policy].memory(slots * running + 2048, 2048, allocator=allocator)
        server, iterations = Server(memory, requests), max(300, 60_000 // running)
        server.run(1000)
        ours, counts = fastest(3, Timer(partial(server.run, iterations)),
                               Timer(partial(inline_appends, 10_000, int)))
        steps = sum(row[0] for row in server.history[-iterations:])
        name = f"server step, {policy}, {getattr(allocator, '__name__', 'pages')} / inline append"
        yield row(name, f"{steps // iterations:,} running", ours / steps, counts / 10_000) | {
            "million steps/s": f"{steps / ours / 1e6:.1f}"}


def attention_rows(tokens):
    """Attention through the block table, its pages in random order, against attention over
    contiguous arrays."""
    rng = np.random.RandomState(0)
    k, v = rng.standard_normal((2, tokens, 8, 64)).astype(np.float32)
    q = rng.standard_normal((32, 64)).astype(np.float32)
    for page_size in (1, 4, PAGE, 64, 256):
        pool = PagePool(-(-tokens // page_size) + 8, page_size)
        for page in rng.permutation([pool.allocate() for _ in range(pool.total_pages)]):
            pool.release(int(page))
        cache, request = PagedKVCache(pool, 8, 64), PagedRequest(pool)
        cache.write(request, k, v)
        ours, dense = fastest(7, Timer(partial(cache.attend, request, q)), Timer(partial(attention, q, k, v)))
        goal = 1.25 if (tokens, page_size) == (4096, PAGE) else ""
        yield row(f"attention, pages of {page_size} / contiguous", f"{tokens:,} tokens", ours, dense, goal)


def model_rows(running):
    """The real model: prompts read, and as many requests decoded together, against the linear
    layers alone for as many tokens."""
    model, rng = LanguageModel.load(), np.random.RandomState(0)
    shape = model.shape
    cache = PagedKVCache(PagePool(16 * running, PAGE), shape.kv_heads, shape.head_dim, layers=shape.layers)
    requests = [PagedRequest(cache.pool) for _ in range(running)]
    prompts = [(request, rng.randint(100, 40_000, 36)) for request in requests]
    words = [(request, [7]) for request in requests]
    for what, batch, n, tries in (("read", prompts, 36 * running, 1), ("decode", words, running, 5)):
        ours, alone = fastest(tries, Timer(partial(model.forward, batch, cache)),
                              Timer(partial(linear_layers, model, n, running)))
        goal = 1.5 if (what, running) == ("decode", 16) else ""
        yield row(f"{what} / linear layers alone", f"{running} requests", ours, alone, goal) | {
            "tokens/s": f"{n / ours:.0f}"}


def linear_layers(model, n, running):
    """The matrix products of n tokens and of the words after `running` requests, alone."""
    x = np.ones((n, model.shape.hidden), np.float32)
    for w in model.layers:
        inner = x @ w["ffn_up"].T
        inner @ w["ffn_down"].T
        for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate"):
            x @ w[name].T
    x[:running] @ model.embedding.T


GROUPS = {
    "pool": [partial(pool_rows, 10**p) for p in range(2, 7)],
    "server": [partial(server_rows, 10**p) for p in range(1, 5)],
    "attention": [partial(attention_rows, n) for n in (128, 1024, 4096, 32768)],
    "model": [partial(model_rows, n) for n in (1, 4, 16) if FILE.is_file()],  # `make model`
}


if __name__ == "__main__":
    table = [row for name in sys.argv[1:] or GROUPS for rows in GROUPS[name] for row in rows()]
    print(pd.DataFrame(table).fillna("").to_string(index=False))
