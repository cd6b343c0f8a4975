"""Judges of the exercises of notebook 10."""
from ...facts import fact
from ...sizing import Deployment, Model
from .hints import first_wrong, number


def exercise_1(answer):
    """Bytes of one token of Llama-3-70B in fp8 over 16 GPUs."""
    model = Model.named("Llama-3-70B")
    right, one = model.kv_bytes_on(16, 1, "fp8"), model.kv_bytes(1, "fp8")
    return number(answer, right, {
        2 * right: "that is the number for two bytes a value",
        one: "that would do if there were as many KV heads as GPUs",
        16 * one: "a GPU does not hold all heads",
        right // 16: "that is one GPU's; the question is for all of them",
        one * model.q_heads // model.kv_heads: "query heads are not stored, KV heads are",
        right // model.layers: "that is one layer's"},
        "mind layers, K and V, KV heads (not query heads), and what happens to spare GPUs")


def exercise_2(answer):
    """The share of an RTX 4080 that Llama-2-7B and one sequence of 2,048 tokens need."""
    d = Deployment(Model.named("Llama-2-7B"), "RTX-4080-16GB")
    cache, overhead = d.model.kv_bytes(2048), sum(d.overheads.values())
    needed, card = d.weight_bytes + overhead + cache, d.reported_bytes
    listed = fact("gpus", "gpu", d.gpu)["memory_bytes"]
    if not 0 <= answer <= 1:
        return "a share lies between 0 and 1"
    return number(answer, needed / card, {
        needed / listed: "the share is of what the card reports, not of its label",
        d.share: "that is the default, which does not do",
        (needed - overhead) / card: "what lies beside weights and cache needs room too",
        (needed - d.weight_bytes) / card: "the weights need room too",
        (needed - cache) / card: "that leaves room for no token",
        (needed - cache / 2) / card: "that is room for half of the sequence"},
        "the sequence does not fit yet" if answer < needed / card else "a smaller share is enough",
        abs_tol=0.0005)  # three decimals


def exercise_3(gpus_needed):
    """GPUs needed for a number of sequences, judged by what the function returns."""
    cases = (("Llama-3.1-8B", "H100-80GB", 1, 1000), ("DeepSeek-V3", "A100-40GB", 1, 100),
             ("DeepSeek-V3", "H100-80GB", 1, 32768), ("Llama-3.1-8B", "L4-24GB", 100, 2048),
             ("Llama-3.1-8B", "L4-24GB", 1000, 2048), ("Gemma-3-27B", "L40S-48GB", 30, 32768),
             ("gpt-oss-20b", "A100-80GB", 80, 32768))
    return first_wrong(gpus_needed, ((case, fewest(*case)) for case in cases), why)


def sequences(d, n_tokens):
    """Sequences that a deployment holds."""
    return d.sequences(n_tokens, "fp16")


MISTAKES = {
    "only 1, 2, 4, 8 and 16 GPUs are asked about": {"counts": range(1, 17)},
    "16 GPUs are asked about too": {"counts": (1, 2, 4, 8)},
    "one GPU may do": {"counts": (2, 4, 8, 16)},
    "with more GPUs than KV heads each head is stored more than once":
        {"holds": lambda d, n: d.kv_budget_bytes // d.model.kv_bytes(n, "fp16")},
    "that many sequences are asked for, not one": {"holds": lambda d, n: sequences(d, n) * 10**6},
    "local layers stop growing at their window":
        {"holds": lambda d, n: d.kv_budget_bytes // n // d.model.kv_bytes_on(d.n_gpus, 1, "fp16")},
    "that is the moment of admission; later a window holds less":
        {"holds": lambda d, n: d.admitted(n, "fp16")},
    "a value of fp16 has two bytes": {"holds": lambda d, n: d.sequences(n, "fp8")}}


def why(found, right, *case):
    """What is wrong with a number of GPUs."""
    for hint, mistake in MISTAKES.items():
        if found == fewest(*case, **mistake):
            return hint
    if right is None:
        return "16 are too few there, which None says"
    if found is None:
        return "it can be done with 16 or fewer"
    return "they do not hold as many" if found < right else "fewer do"


def fewest(name, gpu, n_sequences, n_tokens, counts=(1, 2, 4, 8, 16), holds=sequences):
    """The fewest of so many GPUs that hold that many sequences, or None."""
    for n in counts:
        try:
            if holds(Deployment(Model.named(name), gpu, n), n_tokens) >= n_sequences:
                return n
        except ValueError:  # the weights do not fit
            pass
    return None
