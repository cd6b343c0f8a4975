"""Speed as ratios, each against a yardstick measured in the same run: `make bench`.

    python -m pagedkv_nb.study.bench [pool server sweep attention study]
"""
import ast
import sys
from collections import deque
from functools import partial
from time import perf_counter

import nbformat
import numpy as np
import pandas as pd

from ..attention import PagedKVCache, attention
from ..contiguous import FirstFitAllocator, naive_utilisation
from ..serving.memory import PagedMemory, ReservedMemory
from ..paging import PagedRequest, PagePool, paged_utilisation
from ..serving.server import Server
from ..traffic.workload import article_lengths, read_workload
from .execution import execute, workplace
from .run import BUILD, notebooks
from .yardsticks import PAGE, InlinePages, inline_appends


def best(tries, *works, before=lambda: None):
    """The shortest time of each piece of work, in seconds; they take turns. Each is called
    with what `before` returns, which is not timed."""
    times = [float("inf")] * len(works)
    for _ in range(tries):
        for i, work in enumerate(works):
            prepared = before()
            start = perf_counter()
            work(*prepared) if prepared else work()
            times[i] = min(times[i], perf_counter() - start)
    return times


def row(what, size, ours, yardstick, goal=""):
    """A row of the table; seconds of ours and of the yardstick."""
    return {"what": what, "size": size, "ratio": f"{ours / yardstick:.3g}", "goal": goal}


def pool_rows(pages):
    """Appends in a pool of that size, against an inline loop and the article's `pop(0)`."""
    n, request = PAGE * min(pages, 500), PagedRequest(PagePool(pages, PAGE))

    def appends():
        for _ in range(n):
            request.append()

    ours = best(20, appends, before=request.free)[0]
    loop = best(20, partial(inline_appends, n, take=deque.popleft),
                before=lambda: [deque(range(pages))])[0]
    pop0 = best(20, partial(inline_appends, n, take=lambda free: free.pop(0)),
                before=lambda: [list(range(pages))])[0]
    yield row("append / inline loop", f"{pages:,} pages", ours, loop, 1.5)
    yield row("append / article's pop(0)", f"{pages:,} pages", ours, pop0)


def operation_rows(pages, tokens=992):
    """Whole operations on a request of 62 pages, against the same lists without checks."""
    request, inline = PagedRequest(PagePool(pages, PAGE)), InlinePages(pages)

    def again():
        request.free()
        inline.release()

    def one_by_one():
        for _ in range(tokens):
            request.append()

    size = f"{pages:,} pages"
    whole, turns, lists = best(30, partial(request.append, tokens), one_by_one,
                               partial(inline.take, tokens // PAGE), before=again)
    yield row(f"append({tokens}) / {tokens} x append()", size, whole, turns, 0.05)
    yield row("prompt append / inline lists", size, whole, lists)

    def filled():
        again()
        request.append(tokens - 1)
        inline.take(tokens // PAGE)

    ours, lists = best(30, request.free, inline.release, before=filled)
    yield row("release / inline lists", size, ours, lists)
    filled()
    ours, lists = best(30, request.fork, inline.fork)
    yield row("fork / inline lists", size, ours, lists)
    ours, lists = best(30, lambda twin: twin.append(), lambda twin: inline.copy_on_write(),
                       before=lambda: [request.fork()])
    yield row("copy on write / inline lists", size, ours, lists)


def memories(running):
    """For each policy a memory in which about that many ShareGPT requests run at once."""
    first_fit = partial(ReservedMemory, longest=2048, allocator=FirstFitAllocator)
    buddy = partial(ReservedMemory, longest=2048)
    return {"max, first fit": first_fit(2048 * running, "max"),
            "oracle, first fit": first_fit(750 * running + 2048, "oracle"),
            "pow2, buddy": buddy(1100 * running + 2048, "pow2"),
            "oracle, buddy": buddy(1000 * running + 2048, "oracle"),
            "paged": PagedMemory(450 * running + 2048)}


def server_rows(running):
    """A server's request-token steps, against an inline count of one for each."""
    requests = read_workload("sharegpt", 20_000, np.random.RandomState(0)).within(2048)
    for policy, memory in memories(running).items():
        server, iterations = Server(memory, requests), max(300, 60_000 // running)
        server.run(1000)
        ours, inline = best(3, partial(server.run, iterations), partial(
            inline_appends, 10_000, deque(range(9999)), deque.copy))
        steps = sum(row[0] for row in server.history[-iterations:])
        goal = {"paged": 6, "max, first fit": 20, "oracle, first fit": 20}.get(policy, "")
        yield row(f"server step, {policy} / inline append", f"{steps // iterations:,} running",
                  ours / steps, inline / 10_000) | {
            "million steps/s": f"{steps / ours / 1e6:.1f}", "goal": goal and f"{goal} M/s"}


def attention_rows(tokens):
    """Attention through the block table against attention over contiguous arrays."""
    rng = np.random.RandomState(0)
    k, v = rng.standard_normal((2, tokens, 8, 64)).astype(np.float32)
    q = rng.standard_normal((32, 64)).astype(np.float32)
    for page_size in (1, 4, PAGE, 64, 256):
        cache = PagedKVCache(PagePool(-(-tokens // page_size) + 8, page_size), 8, 64)
        scattered = [cache.pool.allocate() for _ in range(cache.pool.total_pages)]
        for page in rng.permutation(scattered):
            cache.pool.release(int(page))
        request = PagedRequest(cache.pool)
        cache.write(request, k, v)
        ours, dense = best(7, lambda: cache.attend(request, q), lambda: attention(q, k, v))
        goal = 1.25 if (tokens, page_size) == (4096, PAGE) else ""
        yield row(f"attention, pages of {page_size} / contiguous", f"{tokens:,} tokens",
                  ours, dense, goal)


def sweep_rows(n):
    """Both utilisations of n requests, against drawing their lengths."""
    lengths = article_lengths(n, np.random.RandomState(0))

    def ours():
        naive_utilisation(lengths, 2048)
        paged_utilisation(lengths, PAGE)

    swept, drawn = best(5, ours, lambda: article_lengths(n, np.random.RandomState(0)))
    yield row("utilisations / drawing lengths", f"{n:,} requests", swept, drawn, 2)


def only_imports(nb):
    """A notebook of the import cells of another."""
    nb.cells = [cell for cell in nb.cells if cell.cell_type == "code" and all(
        isinstance(line, (ast.Import, ast.ImportFrom)) for line in ast.parse(cell.source).body)]
    return nb


def study_rows(path):
    """A whole notebook, run headlessly, against a kernel that does its imports alone."""
    with workplace(BUILD) as work:
        bare = work / "bare" / path.name
        bare.parent.mkdir()
        nbformat.write(only_imports(nbformat.read(path, 4)), bare)
        ours, kernel = best(2, partial(execute, path, work, {"figures_dir": ""}),
                            partial(execute, bare, work, {}))
    yield row("notebook / its imports in a kernel", path.stem, ours, kernel, 1.5)


GROUPS = {
    "pool": [partial(rows, 10**p) for p in range(2, 7) for rows in (pool_rows, operation_rows)],
    "server": [partial(server_rows, 10**p) for p in range(1, 5)],
    "attention": [partial(attention_rows, n) for n in (128, 1024, 4096, 32768)],
    "sweep": [partial(sweep_rows, 10**p) for p in range(3, 8)],
    "study": [partial(study_rows, path) for path in notebooks()],
}


def main(names):
    """Print the rows of those groups, or of all."""
    rows = [row for name in names or GROUPS for rows in GROUPS[name] for row in rows()]
    pd.set_option("display.max_rows", None, "display.width", 120)
    print(pd.DataFrame(rows).fillna("").to_string(index=False))


if __name__ == "__main__":
    main(sys.argv[1:])
