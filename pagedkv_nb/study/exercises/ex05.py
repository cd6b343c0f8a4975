"""Judges of the exercises of notebook 05."""
from math import isclose
from random import Random

from ...traffic.workload import article_distribution


def exercise_1(answer):
    """Paged utilisation of 5, 16 and 17 tokens in pages of 8."""
    if isclose(answer, 38 / 64, rel_tol=0.005):
        return "that is the answer for pages of 16"
    if answer > 1:
        return "utilisation is a share, from 0 to 1"
    if isclose(answer, 38 / 40, rel_tol=0.005):
        return "a page that is begun is taken whole"
    if not isclose(answer, 38 / 48, rel_tol=0.005):
        return "count each request's pages and round up; then tokens / slots"
    return None


def exercise_2(answer):
    """The batch whose naive utilisation has a standard deviation of 0.1 points."""
    lengths, probability = article_distribution()
    variance = probability @ lengths**2 - (probability @ lengths) ** 2
    ratio = variance**0.5 / 2048 / 0.001
    if isclose(answer, ratio**2, rel_tol=0.02):
        return None
    if isclose(answer, ratio, rel_tol=0.05):
        return "the spread falls with the root of the batch size, not with the size"
    if isclose(answer, (ratio / 100) ** 2, abs_tol=1.5):
        return "0.1 points are 0.001 of utilisation"
    return "the spread of one request is `one_sd`; which n brings it down to 0.001?"


def cost(lengths, entry, size):
    """Empty slots of last pages, and `entry` slots a line of the block tables."""
    pages = sum(-(-n // size) for n in lengths)
    return pages * size - sum(lengths) + entry * pages


def exercise_3(best_page_size):
    """`best_page_size(lengths, entry, sizes)`: the least cost, the smaller if equal."""
    rng = Random(5)
    few = [5, 16, 17]
    cases = [(few, 0, [1, 8, 16]), (few, 100, [8, 16, 32]), ([7], 2, [16, 8, 4])]
    for _ in range(200):
        lengths = [rng.randint(1, 900) for _ in range(rng.randint(1, 40))]
        sizes = rng.sample([1, 2, 4, 8, 16, 32, 64, 128], 5)
        cases.append((lengths, rng.choice([0, 1, 4, 9]), sizes))
    return next(filter(None, (judged(best_page_size, *case) for case in cases)), None)


def judged(best_page_size, lengths, entry, sizes):
    """A hint on one case, or None if the answer is right."""
    found = best_page_size(list(lengths), entry, list(sizes))
    costs = {size: cost(lengths, entry, size) for size in sizes}
    right = min(sizes, key=lambda size: (costs[size], size))
    first = f"{lengths[:5]}{'...' if lengths[5:] else ''}"
    case = f"lengths {first}, entry {entry}, sizes {sizes}: "
    if found not in costs:
        return case + f"{found} is none of the sizes"
    if found == right:
        return None
    if costs[found] == costs[right]:
        return case + "of two sizes that cost the same the smaller is asked for"
    if found == min(sizes):
        return case + "small pages waste little, but each has a line in the block table"
    return case + "empty slots of last pages cost too: round each request's pages up"
