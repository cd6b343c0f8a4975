"""The judges of notebook 03."""
from ...paging import pages_for
from ...traffic.workload import article_distribution
from .hints import smallest


def exercise_1(answer):
    """Requests of 100 tokens in 1,600 slots, with pages of 16 and of 64."""
    ends = "a request takes whole pages, and the end of its last one is lost"
    right = tuple(1600 // (pages_for(100, size) * size) for size in (16, 64))
    hints = {right: None, (16, 16): ends, (14, 16): ends, (16, 12): ends,
             (12, 14): "pages of 16 come first", (100, 25): "those are the pages of the memory",
             (7, 2): "those are the pages of one request",
             (14, 25): "does one page of 64 hold 100 tokens?",
             (16, 25): "100 tokens take 7 pages of 16, and more than one of 64",
             (15, 13): "a request of which only a part fits is not admitted",
             (14, 13): "a request of which only a part fits is not admitted"}
    return hints.get(tuple(answer), "how many pages are there, and how many does one request "
                                    "take, rounded up?")


def exercise_2(answer):
    """The smallest page size at which the article's lengths fill less than 90 %."""
    even = "(page size - 1) / 2 is for remainders that are equally likely; these are not"
    hints = {94: "that is the mean of each request's share; divide all tokens by all slots",
             112: even, 113: even, 114: even,
             63: "the mean length alone does not do; each length has its own last page"}
    if answer in hints:
        return hints[answer]
    lengths, probability = article_distribution()
    tokens = probability @ lengths
    return smallest(answer, lambda p: tokens / (p * (probability @ pages_for(lengths, p))) < 0.9,
                    "the pages are still fuller than that; try larger ones",
                    "a smaller page size is already below 90 %; page sizes need be no powers of two")


def exercise_3(queue):
    """A pool that takes the page freed first."""
    pool = queue(6, 4)
    taken = [pool.allocate() for _ in range(5)]
    if len(set(taken)) != 5:
        return "five pages taken from a new pool of six must be five different pages"
    pool.share(taken[0])
    for i in (3, 1, 0, 4):  # of taken[0] one holder stays, of taken[2] the only one
        pool.release(taken[i])
    freed, after = [taken[i] for i in (3, 1, 4)], [outcome(pool.allocate) for _ in range(5)]
    return next((hint for wrong, hint in (
        (taken[0] in after, "a page with another holder is not free when one of them leaves"),
        (len(set(after)) < 5, f"four pages were free, taken were {after}; each comes back once"),
        (after[1:4] != freed, f"freed in the order {freed}, taken again as {after[1:4]}"),
        (after[4] != "OutOfPages", f"an empty pool must raise OutOfPages; this one: {after[4]}"),
        (outcome(pool.release, 99) != "ValueError", "a page not held must still be a ValueError"),
    ) if wrong), None)


def outcome(do, *arguments):
    """What it returns, or the name of the error that it raises: the reader's code."""
    try:
        return do(*arguments)
    except Exception as error:
        return type(error).__name__
