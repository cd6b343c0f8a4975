"""The budget of a deployment line by line, and as text."""
from .model import GIB, KIB


def budget(d):
    """{line: bytes} over all GPUs of a deployment; the lines add up to the listed memory."""
    listed = int(d.n_gpus * max(d.card[0], d.card_gib) * GIB)
    kept_back = d.reported_bytes - int(d.reported_bytes * d.share)
    return {"listed, not reported": listed - d.reported_bytes,
            f"kept back ({1 - d.share:.3g} of the reported)": kept_back,
            "weights": d.weight_bytes, **d.overheads, "KV cache": d.kv_budget_bytes}


def remarks(d):
    """What is not known of a deployment and what stands in for it, a sentence each."""
    model = d.model
    estimate = ("what its files or its parameters, stored as it says, give"
                if model.checkpoint_bytes else "parameters at 2 bytes")
    told = {
        f"The weights are {estimate}; weights_gib sets others.": not d.weights_gib,
        f"Vocabulary, hidden or intermediate size of {model.name} is not known: its activations "
        "are those of Llama-3.1-8B.": d.overhead_gib is None and not (
            model.vocab and model.hidden and model.intermediate),
        f"No log tells what one {d.gpu} reports: 98.9 % of the listed memory.": not d.card[1] > 0,
        "States of layers without K and V are not counted: they do not grow.":
            model.stateless_layers and not model.state_bytes,
        f"A request of {d.longest:,} tokens does not fit: the server asks for a smaller "
        "max_model_len.": d.admitted(d.longest) < 1}
    return [sentence for sentence, holds in told.items() if holds]


def report(d, n_tokens=0, dtype="auto"):
    """The budget as text, with tokens and sequences of n tokens (8,192, or the longest if less)."""
    n_tokens = n_tokens or min(8192, d.longest)
    model, sizes, per_token = d.model, budget(d), d.model.kv_bytes_on(d.n_gpus, 1, dtype)
    sizes["listed memory"] = sum(sizes.values())
    low, high = d.token_range(dtype)
    counts = {f"one token ({dtype})": f"{per_token / KIB:>9.4g} KiB",
              "tokens of KV cache": f"{d.token_slots(dtype):>9,}",
              f"  give or take {d.error_gib():.1f} GiB a GPU": f"{low:>9,} to {high:,}",
              f"sequences of {n_tokens:,} tokens": f"{d.sequences(n_tokens, dtype):>9,}"}
    if model.local_layers or model.state_bytes:
        counts["  at the moment of admission"] = f"{d.admitted(n_tokens, dtype):>9,.1f}"
    lines = [f"{model.name} on {d.n_gpus} x {d.gpu}, {d.engine}", model.sentence(), "",
             *(f"{name:<36}{size / GIB:>9.2f} GiB" for name, size in sizes.items()), "",
             *(f"{name:<36}{count}" for name, count in counts.items())]
    return "\n".join(lines + [""] * bool(remarks(d)) + remarks(d))
