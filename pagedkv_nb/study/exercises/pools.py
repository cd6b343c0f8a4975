"""The exercises that change a pool of pages: their answers are played with."""
from ...paging import PagedRequest, PagePool
from .exercise import Exercise


def handed_out(queue):
    """The pages that a pool of six hands out, named in that order: five, then, with four free (the
    first has another holder), five more; and what it says to a page that is not held."""
    pool, names = queue(6, 4), {}
    pages = [pool.allocate() for _ in range(5)]
    if len(set(pages)) == 5:
        pool.share(pages[0])
        for i in (3, 1, 0, 4):
            pool.release(pages[i])
        for attempt in [pool.allocate] * 5 + [lambda: pool.release(99)]:
            try:
                pages.append(attempt())
            except Exception as error:  # the reader's code
                pages.append(type(error).__name__)
    return [x if isinstance(x, str) else names.setdefault(x, len(names)) for x in pages]


def searched(step, parents):
    """What three beams of 8, 9 and 10 tokens become: how many, how many objects, tokens of each,
    whose full pages each has, pages that nobody holds, and how many last pages."""
    pool = PagePool(64, 4)
    first = PagedRequest(pool)
    first.append(6)
    beams = [first, first.fork(), first.fork()]
    for more, beam in enumerate(beams, 2):
        beam.append(more)
    full = {tuple(beam.block_table[:2]): i for i, beam in enumerate(beams)}
    new = list(step(beams, parents))
    tables = [tuple(beam.block_table) for beam in new]
    return [len(new), len(set(map(id, new))), [beam.n_tokens for beam in new],
            [full.get(table[:2]) for table in tables], pool.n_used - len(set(sum(tables, ()))),
            len({table[-1] for table in tables})]


POOLS = {
    "3.3": Exercise(lambda: [0, 1, 2, 3, 4, 5, 3, 1, 4, "OutOfPages", "ValueError"], {
        "a new pool of six must hand out five different pages": lambda pages, _: len(pages) == 5,
        "a page with another holder is not free when one leaves": lambda pages, _: 0 in pages[5:10],
        "of four free pages each comes back once": lambda pages, _: len(set(pages[5:10])) < 5,
        "pages freed in the order 3, 1, 4 must be taken so": lambda x, right: x[6:9] != right[6:9],
        "an empty pool must raise OutOfPages": lambda pages, right: pages[9] != right[9]},
        "a page not held must still be a ValueError", run=handed_out),
    "4.3": Exercise(lambda parents: [*[len(parents)] * 2, [9 + p for p in parents], parents, 0,
                                     len(parents)], {
        "there is a new beam for each parent": lambda x, right, _: x[0] != right[0],
        "two new beams are the same request: one must be a fork": lambda x, y, _: x[1] != y[1],
        "a beam that was freed is empty: fork from it before": lambda x, *_: {*x[2]} == {1},
        "a new beam has one token more than the beam it continues": lambda x, y, _: x[2] != y[2],
        "keep sharing the full pages of the beam it continues": lambda x, y, _: x[3] != y[3],
        "pages are left over: who frees the dropped beams?": lambda x, *_: x[4] > 0},
        "two beams write into the same last page: append to each, it copies", run=searched,
        cases=lambda: [([0, 0, 2],), ([2, 1, 2],), ([0, 1, 1],), ([1, 0],)]),
}
