"""Judges of the exercises of notebook 05."""
from itertools import product

from ...traffic.workload import article_distribution
from .hints import first_wrong, number


def exercise_1(answer):
    """Paged utilisation of 5, 16 and 17 tokens in pages of 8."""
    if answer > 1:
        return "utilisation is a share, from 0 to 1"
    return number(answer, 38 / 48, {38 / 64: "that is the answer for pages of 16",
                                    38 / 40: "a page that is begun is taken whole"},
                  "count each request's pages and round up; then tokens / slots", rel_tol=0.005)


def exercise_2(answer):
    """The batch whose naive utilisation has a standard deviation of 0.1 points."""
    lengths, probability = article_distribution()
    variance = probability @ lengths**2 - (probability @ lengths) ** 2
    ratio = variance**0.5 / 2048 / 0.001
    points = "0.1 points are 0.001 of utilisation"
    return number(answer, ratio**2, {
        ratio: "the spread falls with the root of the batch size, not with the size",
        (ratio / 100) ** 2: points, 1: points},
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
    if found == min(cost):
        return "small pages waste little, but each has a line in the block table"
    return "empty slots of last pages cost too: round each request's pages up"
