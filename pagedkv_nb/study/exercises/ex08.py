"""The judges of notebook 08."""


def exercise_1(answer):
    """How large a cache, in tokens, makes an iteration take twice as long as without one."""
    right = 26e9 / 819_200
    if abs(answer / right - 1) < 0.005:
        return None
    if abs(answer / (26 * 2**30 / 819_200) - 1) < 0.005:
        return "the parameters are counted in 10⁹, so the weights are in GB, not GiB"
    if abs(answer / (13e9 / 819_200) - 1) < 0.005:
        return "each parameter has two bytes"
    return "the cache must be as many bytes as the weights: divide by the bytes of a token"


def exercise_2(answer):
    """From how many tokens in an iteration on the arithmetic takes longer than the weights."""
    right = 312e12 / 1555e9
    if abs(answer / right - 1) < 0.02:
        return None
    if abs(answer / (2 * right) - 1) < 0.02 or abs(answer / (right / 2) - 1) < 0.02:
        return "a parameter is two bytes to read, and two operations for each token"
    return "set bytes of weights / bandwidth equal to 2 × parameters × tokens / flops"


def exercise_3(chunks):
    """Tokens of each iteration when prompts are cut to a budget beside decoding requests."""
    cases = (([10], 2, 5, [5, 5, 5, 3]), ([3, 4], 1, 5, [5, 4]), ([4], 0, 4, [4]),
             ([], 3, 8, []), ([1, 1, 1], 3, 4, [4, 4, 4]))
    for prompts, decoding, budget, right in cases:
        found = list(chunks(list(prompts), decoding, budget))
        if found == right:
            continue
        asked = f"chunks({prompts}, {decoding}, {budget}) gives {found}"
        if sum(found) != sum(right) and len(found) == len(right):
            return f"{asked}: the decoding requests pass a token each in every iteration"
        return f"{asked}: fill each iteration up to the budget, across prompts"
    return None
