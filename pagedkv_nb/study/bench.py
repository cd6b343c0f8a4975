"""Speed, each piece of work against a yardstick measured in the same run: `make bench`."""
from collections import deque
from timeit import timeit
from types import SimpleNamespace

import numpy as np

from ..attention import PagedKVCache, attention
from ..generation.language_model import FILE, LanguageModel
from ..paging import PagedRequest, PagePool
from ..serving import POLICIES, Server
from ..traffic import read_workload


def count(n):
    """The least that n tokens need: a page for every 16th, one count each."""
    free, table, request = deque(range(n)), [], SimpleNamespace(n_tokens=0)
    for _ in range(n):
        if request.n_tokens % 16 == 0:
            table.append(free.popleft())
        request.n_tokens += 1
    free.extend(table)


def append(n):
    """A request takes n tokens, one by one, and is freed."""
    def work():
        request = PagedRequest(PagePool(n))
        for _ in range(n):
            request.append()
        request.free()
    return work, lambda: count(n)


def serve(n):
    """n iterations of a server in which about a hundred requests of ShareGPT run at once."""
    requests = read_workload("sharegpt", 20_000, np.random.RandomState(0)).within(2048)

    def work():
        return Server(POLICIES["paged"].memory(43_000, 2048), requests).run(n).history
    n_tokens = sum(running for running, *_ in work())
    return work, lambda: count(n_tokens)


def attend(n):
    """A query of 32 heads over n tokens, in pages that lie in random order."""
    rng, pool = np.random.RandomState(0), PagePool(n // 16)
    for page in rng.permutation([pool.allocate() for _ in range(pool.total_pages)]):
        pool.release(int(page))
    k, v = rng.standard_normal((2, n, 8, 64)).astype(np.float32)
    q = rng.standard_normal((32, 64)).astype(np.float32)
    cache, request = PagedKVCache(pool, 8, 64), PagedRequest(pool)
    cache.write(request, k, v)
    return lambda: cache.attend(request, q), lambda: attention(q, k, v)


def decode(n):
    """The next token of n requests of the real model, after prompts of 36."""
    model, pool = LanguageModel.load(), PagePool(16 * n)
    cache = PagedKVCache(pool, model.shape.kv_heads, model.shape.head_dim, layers=len(model.layers))
    batch = [(PagedRequest(pool), [100] * 36) for _ in range(n)]
    model.forward(batch, cache)
    matrices = [w for layer in model.layers for w in layer.values() if w.ndim == 2]
    pairs = [(np.ones((n, w.shape[1]), np.float32), w.T) for w in [*matrices, model.embedding]]
    return (lambda: model.forward([(request, [100]) for request, _ in batch], cache),
            lambda: [x @ w for x, w in pairs])


TABLE = [("append {:,} tokens", append, 8000, 20, "an inline loop", "goal 3"),
         ("serve {:,} iterations", serve, 1000, 5, "an inline loop over its tokens", "no goal"),
         ("attend to {:,} tokens", attend, 4096, 7, "contiguous arrays", "goal 1.25"),
         ("decode {} tokens at once", decode, 16, 5, "the model's matrices alone", "goal 1.5")]

if __name__ == "__main__":
    # The last needs `make model`.
    for what, made, n, tries, yardstick, goal in TABLE if FILE.is_file() else TABLE[:-1]:
        works = made(n)  # which take turns; the shortest time counts
        times = [[timeit(work, number=1) for work in works] for _ in range(tries)]
        own, other = np.min(times, axis=0)
        print(f"{what.format(n):24}{1e3 * own:7.3g} ms,{own / other:6.3g} × {yardstick:33}{goal}")
