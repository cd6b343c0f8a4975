"""The judges of notebook 06."""
from bisect import bisect_left
from itertools import accumulate, count, permutations, product

from ...paging import pages_for
from .hints import first_wrong, number


def exercise_1(answer):
    """When one of four prompts of 36 tokens in 12 pages of 16 is first preempted."""
    right = next(k for k in count(1) if 4 * pages_for(36 + k - 1, 16) > 12)
    return number(answer, right, {
        right - 1: "the first iteration reads the prompt and appends nothing: count from there",
        **dict.fromkeys((right - 2, right - 3), "which token no longer fits the third page of 16?"),
        right + 1: "one iteration earlier: the page is missing when the token is written"},
        "three pages hold 48 tokens; how many does a request have after iteration k?")


def exercise_2(nucleus):
    """`nucleus(probabilities, p)`: the likeliest words that reach p together."""
    shares = [[part / 16 for part in parts] for n in (1, 2, 3, 4)  # sums without rounding
              for parts in permutations(range(1, 17), n) if sum(parts) == 16]
    cases = product(shares, (0.1, 0.25, 0.5, 0.6, 1.0))
    return first_wrong(lambda *case: [int(word) for word in nucleus(*case)],
                       ((case, likeliest(*case)) for case in cases), why)


def likeliest(shares, p):
    """The likeliest words, in order, until they reach p."""
    order = sorted(range(len(shares)), key=lambda word: -shares[word])
    sums = list(accumulate(shares[word] for word in order))
    return order[:bisect_left(sums, p) + 1]


def why(found, right, *case):
    """What is wrong with a nucleus."""
    if sorted(found) == sorted(right):
        return "the right words; the likeliest comes first"
    if len(found) < len(right):
        return "that does not reach p; the word that crosses it belongs to it"
    if len(found) > len(right):
        return "more words than are needed to reach p"
    return "there are likelier words than these"


def exercise_3(shortest_first):
    """`shortest_first(prompts, free_pages, page_size)`: numbers in order of admission."""
    prompts = [list(lengths) for n in range(4) for lengths in product((5, 8, 9, 40), repeat=n)]
    cases = product(prompts, (0, 1, 2, 4, 8), [8])
    return first_wrong(lambda *case: list(shortest_first(*case)),
                       ((case, admitted(*case)) for case in cases), missed, keeps=True)


def admitted(prompts, free_pages, page_size):
    """The numbers of those that have room, the shortest first."""
    order = sorted(range(len(prompts)), key=prompts.__getitem__)
    taken = accumulate(pages_for(prompts[i], page_size) for i in order)
    return [i for i, pages in zip(order, taken) if pages <= free_pages]


def missed(found, right, prompts, *others):
    """What a wrong order of admission forgot."""
    if set(found) - set(range(len(prompts))) or len(set(found)) < len(found):
        return "each is the number of a prompt, once"
    if sorted(found) == sorted(right):
        return "the right ones in another order; the shortest first, of equals the first"
    if len(found) > len(right):
        return "a prompt takes whole pages, and they run out sooner"
    if len(found) < len(right):
        return "there is room for more"
    return "a shorter prompt is still waiting, or an equal one before it"
