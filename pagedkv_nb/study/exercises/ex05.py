"""Judges of the exercises of notebook 05."""
from itertools import product

from ...paging import paged_utilisation
from ...traffic.workload import article_distribution
from .hints import first_wrong, number


def exercise_1(answer):
    """Paged utilisation of 5, 16 and 17 tokens in pages of 8."""
    right = paged_utilisation([5, 16, 17], 8)
    whole = "a page that is begun is taken whole, for each request"
    return number(answer, right, {
        38 / 64: "that is the answer for pages of 16", 38 / 40: whole, 38 / 32: whole,
        38 / 96: "the naive one, in reservations of 32", 1 - right: "the share that is empty",
        38 / 56: "16 tokens fill two pages of 8 exactly",
        (5 / 8 + 1 + 17 / 24) / 3: "all tokens over all slots, not the mean of three shares"},
        "count each request's pages and round up; then tokens / slots: a share, from 0 to 1",
        rel_tol=0.005)


def exercise_2(answer):
    """The batch whose naive utilisation has a standard deviation of 0.1 points."""
    lengths, probability = article_distribution()
    mean = probability @ lengths
    sd = (probability @ lengths**2 - mean**2) ** 0.5
    ratio, points = sd / 2048 / 0.001, "0.1 points are 0.001 of utilisation"
    return number(answer, ratio**2, {
        ratio: "the spread falls with the root of the batch size, not with the size",
        ratio**0.5: "solve for n: the root is on the other side, so square",
        (ratio / 100) ** 2: points, 1: points, (ratio / 10) ** 2: points,
        (200 / 2.048) ** 2: "clipping narrows the lengths: their deviation is not 200 any more",
        (sd / mean / 0.001) ** 2: "points of utilisation, not a share of its level",
        (1.645 * ratio) ** 2: "the standard deviation is asked for, not the middle 90 %",
        (sd / 0.001) ** 2: "tokens are divided by the maximum: utilisation is a share"},
        "the spread of one request is `one_sd`; which n brings it down to 0.001?", rel_tol=0.02)


def exercise_3(best_page_size):
    """`best_page_size(lengths, entry, sizes)`: the least cost, the smaller if equal."""
    cases = product(([7], [5, 16, 17], [100, 300], list(range(1, 900, 23))), (0, 1, 4, 9, 100),
                    ([1, 8, 16], [16, 8, 4], [64, 2, 32, 128, 1]))
    return first_wrong(best_page_size, ((case, cheapest(*case)) for case in cases), why)


def costs(lengths, entry, sizes):
    """{page size: slots of the pages, and `entry` for each line of the block tables}."""
    return {size: (size + entry) * sum(-(-n // size) for n in lengths) for size in sizes}


def cheapest(*case):
    """The size of least cost, the smaller of equal ones."""
    cost = costs(*case)
    return min(sorted(cost), key=cost.get)


def why(found, right, *case):
    """What is wrong with a page size."""
    cost = costs(*case)
    if found not in cost:
        return "that is none of the sizes"
    if cost[found] == cost[right]:
        return "of two sizes that cost the same the smaller is asked for"
    if found < right:
        return "small pages waste little, but each has a line in the block table"
    return "empty slots of last pages cost too: round each request's pages up"
