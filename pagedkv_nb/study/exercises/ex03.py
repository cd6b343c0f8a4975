"""The judges of notebook 03."""
from ...traffic.workload import article_distribution
from .hints import smallest


def exercise_1(answer):
    """Requests of 100 tokens in 1,600 slots, with pages of 16 and of 64."""
    hints = {(14, 12): None,
             (16, 16): "a request takes whole pages, and the end of its last one is lost"}
    return hints.get(tuple(answer), "how many pages are there, and how many does one request "
                                    "take, rounded up?")


def exercise_2(answer):
    """The smallest page size at which the article's lengths fill less than 90 %."""
    lengths, probability = article_distribution()
    tokens = probability @ lengths
    return smallest(answer, lambda p: tokens / (p * (probability @ -(-lengths // p))) < 0.9,
                    "the pages are still fuller than that; try larger ones",
                    "a smaller page size is already below 90 %; page sizes need be no powers of two")


def exercise_3(queue):
    """A pool that takes the page freed first."""
    pool = queue(4, 4)
    taken = [pool.allocate() for _ in range(3)]
    if len(set(taken)) != 3:
        return "three pages taken from a new pool must be three different pages"
    pool.share(taken[0])
    for page in (taken[1], taken[0], taken[2]):
        pool.release(page)
    after = [pool.allocate() for _ in range(3)]
    if taken[0] in after:
        return "a page with another holder is not free yet when one of them leaves"
    if after[1:] != [taken[1], taken[2]]:
        return f"freed in the order {[taken[1], taken[2]]}, taken again as {after[1:]}"
    try:
        pool.release(99)
    except ValueError:
        return None
    return "releasing a page that is not held must still be a ValueError"
