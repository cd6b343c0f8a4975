"""Speed as ratios, each against a yardstick measured in the same run: `make bench`.

    python -m pagedkv_nb.study.bench [pool server attention sweep model study]
"""
import sys
from collections import deque
from functools import partial
from timeit import Timer
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd

from ..attention import PagedKVCache, attention
from ..contiguous import BuddyAllocator, FirstFitAllocator, naive_utilisation
from ..generation import LanguageModel
from ..generation.language_model import FILE
from ..paging import PagedRequest, PagePool, paged_utilisation
from ..serving import POLICIES, Server
from ..traffic import article_lengths, read_workload
from .run import execute, notebooks, workplace

PAGE, PROMPT = 16, 992  # tokens
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


def life(request):
    """The pages of a prompt given back, taken for another one, shared with a fork that ends."""
    request.free()
    request.append(PROMPT)
    request.fork().free()


def inline_life(free, counts):
    """The same in lists, without a single check."""
    table = [free.pop() for _ in range(PROMPT // PAGE)]
    for step in (1, 1, -1, -1):
        for page in table:
            counts[page] += step
    free.extend(table)


def pool_rows(pages):
    """A request in a pool of that size, against bare lists and the article's `pop(0)`."""
    size, taken = f"{pages:,} pages", min(pages, 500)
    request, n = PagedRequest(PagePool(pages, PAGE)), PAGE * taken
    free, numbers = deque(range(pages)), list(range(pages))
    ours, loop, pop0 = fastest(
        20, Timer(partial(appends, request, n), request.free),
        Timer(partial(inline_appends, n, free.popleft), lambda: free.extend(range(taken))),
        Timer(partial(inline_appends, n, partial(numbers.pop, 0)), lambda: numbers.extend(range(taken))))
    yield row("append / inline loop", size, ours, loop, 3)
    yield row("append / article's pop(0)", size, ours, pop0)
    ours, lists = fastest(20, Timer(partial(life, request)), Timer(partial(inline_life, numbers, [0] * pages)))
    yield row("prompt and fork, freed / inline lists", size, ours, lists)


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
    """Attention through the block table against attention over contiguous arrays."""
    rng = np.random.RandomState(0)
    k, v = rng.standard_normal((2, tokens, 8, 64)).astype(np.float32)
    q = rng.standard_normal((32, 64)).astype(np.float32)
    for page_size in (1, 4, PAGE, 64, 256):
        cache = PagedKVCache(PagePool(-(-tokens // page_size) + 8, page_size), 8, 64)
        for page in rng.permutation([cache.pool.allocate() for _ in range(cache.pool.total_pages)]):
            cache.pool.release(int(page))
        request = PagedRequest(cache.pool)
        cache.write(request, k, v)
        ours, dense = fastest(7, Timer(lambda: cache.attend(request, q)), Timer(lambda: attention(q, k, v)))
        yield row(f"attention, pages of {page_size} / contiguous", f"{tokens:,} tokens", ours, dense,
                  1.25 if (tokens, page_size) == (4096, PAGE) else "")


def sweep_rows(n):
    """Both utilisations of n requests, against drawing their lengths."""
    lengths = article_lengths(n, np.random.RandomState(0))
    ours, drawn = fastest(
        5, Timer(lambda: (naive_utilisation(lengths, 2048), paged_utilisation(lengths, PAGE))),
        Timer(lambda: article_lengths(n, np.random.RandomState(0))))
    yield row("utilisations / drawing lengths", f"{n:,} requests", ours, drawn, 2)


def study_rows(path):
    """A whole notebook, run headlessly, against a kernel that does its imports alone."""
    with workplace() as work:
        nb, bare = nbformat.read(path, 4), work / path.name
        nb.cells = [cell for cell in nb.cells if cell.source.startswith(("import ", "from "))]
        nbformat.write(nb, bare)
        ours, kernel = fastest(2, Timer(partial(execute, path, work / "whole", {"figures_dir": ""})),
                               Timer(partial(execute, bare, work / "bare", {})))
    yield row("notebook / its imports in a kernel", path.stem, ours, kernel, 1.5)


def model_rows():
    """The real model: a prompt read, and requests decoded together, against the linear layers
    alone for as many tokens."""
    model, rng = LanguageModel.load(), np.random.RandomState(0)
    shape = model.shape
    for running in (1, 4, 16):
        cache = PagedKVCache(PagePool(16 * running, PAGE), shape.kv_heads, shape.head_dim,
                             layers=shape.layers)
        requests = [PagedRequest(cache.pool) for _ in range(running)]
        prompts = [(request, rng.randint(100, 40_000, 36)) for request in requests]
        read = Timer(partial(model.forward, prompts, cache))
        decode = Timer(partial(model.forward, [(r, [7]) for r in requests], cache))
        for what, n, timer, tries in (("read", 36 * running, read, 1), ("decode", running, decode, 5)):
            ours, alone = fastest(tries, timer, Timer(partial(linear_layers, model, n, running)))
            yield row(f"{what} / linear layers alone", f"{running} requests", ours, alone,
                      1.5 if (what, running) == ("decode", 16) else "") | {
                "tokens/s": f"{n / ours:.0f}"}


def linear_layers(model, n, running):
    """The matrix products of n tokens and of the words after `running` requests, alone."""
    x, inner = (np.ones((n, size), np.float32) for size in (model.shape.hidden,
                                                            model.shape.intermediate))
    for w in model.layers:
        for name, matrix in w.items():
            if matrix.ndim == 2:
                (inner if name == "ffn_down" else x) @ matrix.T
    x[:running] @ model.embedding.T


GROUPS = {
    "pool": [partial(pool_rows, 10**p) for p in range(2, 7)],
    "server": [partial(server_rows, 10**p) for p in range(1, 5)],
    "attention": [partial(attention_rows, n) for n in (128, 1024, 4096, 32768)],
    "sweep": [partial(sweep_rows, 10**p) for p in range(3, 8)],
    "model": [model_rows] if FILE.is_file() else [],  # `make model` fetches it
    "study": [partial(study_rows, path) for path in notebooks()],
}


if __name__ == "__main__":
    table = [row for name in sys.argv[1:] or GROUPS for rows in GROUPS[name] for row in rows()]
    print(pd.DataFrame(table).fillna("").to_string(index=False))
