"""Judges of the exercises of notebook 08."""
from random import Random

from ...timing import TimeModel


def exercise_1(answer):
    """The gain over Oracle with weights of 52 GB."""
    cache = 12 * 2**30
    right = 30.42 / 13.62 * (52e9 + 0.382 * cache) / (52e9 + 0.963 * cache)
    if abs(answer - right) <= 0.006:
        return None
    if abs(answer - 30.42 / 13.62) <= 0.006:
        return "that is the ratio of the batches; the larger one still reads more cache"
    return "only the weights change; both systems read them, and each its own cache"


def exercise_2(answer):
    """Tokens at which multiplying takes as long as reading, on two GPUs."""
    a100, h100 = (float(x) for x in answer)
    off = [abs(a100 - 312e3 / 1555), abs(h100 - 989e3 / 3350)]
    if max(off) <= 1.0:
        return None
    if max(abs(a100 - 312e3 / 3110), abs(h100 - 989e3 / 6700)) <= 1.0:
        return "a multiplication and an addition are two operations, a weight two bytes"
    return "set bytes / bandwidth equal to operations / flops; units: G is 1e9, T is 1e12"


def exercise_3(chunked):
    """`chunked(model, prompt, chunk, others)`: the seconds of each iteration."""
    rng = Random(8)
    cases = [(10, 10, (0, 0)), (10, 3, (2, 40)), (1, 5, (1, 7))]
    cases += [(rng.randint(1, 90), rng.randint(1, 40), (rng.randint(0, 9), rng.randint(0, 500)))
              for _ in range(60)]
    return next(filter(None, (judged(chunked, *case) for case in cases)), None)


def judged(chunked, prompt, chunk, others):
    """A hint on one case, or None if the answer is right."""
    model = TimeModel(100, 5, 1, 10, 20, 1.0, 0.5, 0.25)
    sizes = [min(chunk, prompt - i) for i in range(0, prompt, chunk)]
    right = [model.seconds(size + others[0], others[1] + sum(sizes[:i + 1]) + (i + 1) * others[0],
                           others[0] + 1) for i, size in enumerate(sizes)]
    found = [float(x) for x in chunked(model, prompt, chunk, others)]
    if len(found) != len(right):
        hint = f"{len(found)} iterations, {len(right)} are needed"
    elif all(abs(x - y) <= 1e-9 * y for x, y in zip(found, right)):
        return None
    else:
        hint = missed(model, right, found, (sizes, others))
    return f"prompt {prompt}, chunks of {chunk}, others {others}: {hint}"


def missed(model, right, found, case):
    """What seconds of the right number may have forgotten."""
    first = next(i for i, (x, y) in enumerate(zip(found, right)) if abs(x - y) > 1e-9 * y)
    sizes, (n, cached) = case
    if first == len(sizes) - 1 and sizes[-1] < sizes[0]:
        return "the last chunk is what is left"
    if abs(found[0] - model.seconds(sizes[0] + n, cached, n + 1)) < 1e-9:
        return "the tokens of a chunk are cached in its own iteration"
    return "who passes the layers, what is cached by then, and who runs?"
