"""The judges of notebook 08."""
from .hints import first_wrong, number


def exercise_1(answer):
    """How large a cache, in tokens, makes an iteration take twice as long as without one."""
    return number(answer, 26e9 / 819_200, {
        26 * 2**30 / 819_200: "parameters are counted in 10⁹, so the weights are in GB, not GiB",
        13e9 / 819_200: "each parameter has two bytes"},
        "the cache must be as many bytes as the weights: divide by the bytes of a token",
        rel_tol=0.005)


def exercise_2(answer):
    """From how many tokens in an iteration on the arithmetic takes longer than the weights."""
    right = 312e12 / 1555e9
    two = "a parameter is two bytes to read, and two operations for each token"
    return number(answer, right, {2 * right: two, right / 2: two}, "set bytes of weights / "
                  "bandwidth equal to 2 × parameters × tokens / flops", rel_tol=0.02)


def exercise_3(chunks):
    """Tokens of each iteration when prompts are cut to a budget beside decoding requests."""
    cases = ((([10], 2, 5), [5, 5, 5, 3]), (([3, 4], 1, 5), [5, 4]), (([4], 0, 4), [4]),
             (([], 3, 8), []), (([1, 1, 1], 3, 4), [4, 4, 4]))
    return first_wrong(lambda *case: list(chunks(*case)), cases, why)


def why(found, right, *case):
    """What is wrong with the tokens of the iterations."""
    if sum(found) != sum(right) and len(found) == len(right):
        return "the decoding requests pass a token each in every iteration"
    return "fill each iteration up to the budget, across prompts"
