"""The judges of notebook 06."""
from random import Random

from ...paging import OutOfPages, PagedRequest, PagePool, pages_for


def first_preemption():
    """The iteration in which four prompts of 36 tokens first find no page among 12."""
    pool = PagePool(12, 16)
    requests = [PagedRequest(pool) for _ in range(4)]
    for request in requests:
        request.append(36)
    iteration = 1
    while True:
        iteration += 1
        try:
            for request in requests:
                request.append()
        except OutOfPages:
            return iteration


def exercise_1(answer):
    """When a request is preempted for the first time."""
    right = first_preemption()
    if answer == right:
        return None
    if answer == right - 1:
        return "the first iteration reads the prompt and appends nothing: count from there"
    if answer in (right - 2, 12, 48 - 36 - 1):
        return "which token no longer fits the third page of 16?"
    if answer == right + 1:
        return "one iteration earlier: the page is missing when the token is written"
    return "three pages hold 48 tokens; how many does a request have after iteration k?"


def exercise_2(nucleus):
    """`nucleus(probabilities, p)`: the likeliest words that reach p together."""
    cases = [([0.5, 0.3, 0.2], 0.5, [0]), ([0.5, 0.3, 0.2], 0.6, [0, 1]),
             ([0.3, 0.5, 0.2], 0.7, [1, 0]), ([1.0], 1.0, [0]),
             ([0.0625, 0.25, 0.5, 0.1875], 1.0, [2, 1, 3, 0])]
    rng = Random(6)
    for _ in range(100):
        weights = rng.sample(range(1, 400), rng.randint(2, 12))
        p = rng.choice([0.1, 0.35, 0.6, 0.9])
        shares = [weight / sum(weights) for weight in weights]
        order = sorted(range(len(shares)), key=lambda i: -shares[i])
        sums = [sum(shares[i] for i in order[:n]) for n in range(len(order) + 1)]
        if min(abs(total - p) for total in sums) > 1e-6:  # rounding decides nothing
            cases.append((shares, p, order[:next(n for n, x in enumerate(sums) if x >= p)]))
    return next(filter(None, (judged(nucleus, *case) for case in cases)), None)


def judged(nucleus, probabilities, p, right):
    """A hint on one case, or None if the answer is right."""
    found = [int(word) for word in nucleus(list(probabilities), p)]
    if found == right:
        return None
    case = f"probabilities {[round(x, 3) for x in probabilities]}, p={p}: {found}"
    if sorted(found) == sorted(right):
        return f"{case} has the right words; the likeliest comes first"
    if len(found) < len(right):
        return f"{case} does not reach p; the word that crosses it belongs to it"
    if len(found) > len(right):
        return f"{case} has more words than are needed to reach p"
    return f"{case}: there are likelier words than these"


def exercise_3(shortest_first):
    """`shortest_first(prompts, free_pages, page_size)`: numbers in order of admission."""
    rng = Random(60)
    cases = [([], 4, 16), ([16, 17], 1, 16), ([40, 5, 5], 2, 16), ([9, 9], 3, 8)]
    cases += [([rng.randint(1, 90) for _ in range(rng.randint(1, 8))], rng.randint(0, 14), 8)
              for _ in range(200)]
    for prompts, free, size in cases:
        right, left = [], free
        for i in sorted(range(len(prompts)), key=prompts.__getitem__):
            left -= pages_for(prompts[i], size)
            right += [i] * (left >= 0)
        given = list(prompts)
        found = list(shortest_first(given, free, size))
        if given != list(prompts):
            return "the list of prompts was changed; return numbers only"
        if found != right:
            return f"prompts {prompts}, {free} free pages of {size}: {missed(found, right, prompts)}"
    return None


def missed(found, right, prompts):
    """What a wrong order of admission forgot."""
    if set(found) - set(range(len(prompts))) or len(set(found)) < len(found):
        return f"{found}: each is the number of a prompt, once"
    if sorted(found) == sorted(right):
        return f"{found}: the right ones in another order; the shortest first, of equals the first"
    if len(found) > len(right):
        return f"{found}: a prompt takes whole pages, and they run out sooner"
    if len(found) < len(right):
        return f"{found}: there is room for more"
    return f"{found}: a shorter prompt is still waiting"
