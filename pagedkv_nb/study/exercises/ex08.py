"""The judges of notebook 08."""
from ...serving import Clock
from ...sizing import GIB, Model
from .hints import first_wrong, number


def opt_clock():
    """The clock of the exercises: OPT-13B on an A100-40GB."""
    return Clock.of(Model.named("OPT-13B"), "A100-40GB")


def exercise_1(answer):
    """How large a cache, in tokens, makes an iteration take twice as long as without one."""
    clock = opt_clock()
    weights, token = clock.weight_bytes, clock.kv_bytes_per_token
    right, each = weights / token, "each parameter has two bytes"
    return number(answer, right, {
        right * GIB / 1e9: "parameters are counted in 10⁹, so the weights are in GB, not GiB",
        right * 1.024: "800 KiB are 819,200 bytes", right / 2: each, weights: "tokens, not bytes",
        2 * right: "twice as long means as much time again, not twice as much for the cache",
        right / clock.efficiency: "an efficiency divides both, and cancels", 15_728:
        "the paper's memory says nothing here", 40e9 / token: "what a GPU has does not matter, "
        "but what it reads"},
        "the cache must be as many bytes as the weights: divide by the bytes of a token",
        rel_tol=0.005)


def exercise_2(answer):
    """From how many tokens in an iteration on the arithmetic takes longer than the weights."""
    clock = opt_clock()
    right = clock.flops_per_s / clock.bandwidth_bytes_per_s
    two = "a parameter is two bytes to read, and two operations for each token"
    units = "TFLOPS are 10¹² a second, GB/s 10⁹"
    return number(answer, right, {
        2 * right: two, right / 2: two, right / 4: two, right / 1000: units, right * 1000: units,
        right * clock.efficiency: "an efficiency divides both, and cancels",
        1 / right: "it is the other way round: many tokens make arithmetic",
        right * 13: "the model's size is on both sides"},
        "set bytes of weights / bandwidth equal to 2 × parameters × tokens / flops", rel_tol=0.02)


def exercise_3(chunks):
    """Tokens of each iteration when prompts are cut to a budget beside decoding requests."""
    cases = ((([5, 3], 1, 4), [4, 4, 3]), (([10], 2, 5), [5, 5, 5, 3]), (([3, 4], 1, 5), [5, 4]),
             (([4], 0, 4), [4]), (([], 3, 8), []), (([1, 1, 1], 3, 4), [4, 4, 4]),
             (([6], 1, 4), [4, 4]))
    return first_wrong(lambda *case: list(chunks(*case)), cases, why, keeps=True)


def why(found, right, prompts, decoding, budget):
    """What is wrong with the tokens of the iterations."""
    if found and max(found) > budget:
        return "an iteration passes more than the budget"
    if found[:len(right)] == right:
        return "an iteration passes no prompt: they have all passed before"
    if len(found) == len(right):
        if sum(found) - sum(right) == -decoding * len(right):
            return "the decoding requests pass a token each in every iteration"
    if found[:-1] == right[:-1]:
        return "the last iteration passes what is left, and the decoding requests' tokens"
    if len(found) >= len(right):
        return "fill each iteration up to the budget, across prompts"
    return "the decoding requests take a token each of the budget, in every iteration"
