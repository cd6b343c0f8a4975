"""Judges of notebook 01's exercises."""
from pagedkv_nb.sizing.deployment import Deployment, Model


def exercise_1(answer):
    """Bytes of one token of Llama-3-70B in fp8 over 16 GPUs."""
    model = Model.named("Llama-3-70B")
    if answer == model.kv_bytes_on(16, 1, "fp8"):
        return None
    if answer == model.kv_bytes_on(16, 1, "fp16"):
        return "that is the number for two bytes a value"
    if answer == model.kv_bytes(1, "fp8"):
        return "that would do if there were as many KV heads as GPUs"
    return "mind layers, K and V, KV heads (not query heads), and what happens to spare GPUs"


def exercise_2(answer):
    """Smallest length at which Gemma-3-27B costs half of what it would without windows."""
    model = Model.named("Gemma-3-27B")

    def share(n):
        return model.kv_bytes(n) / (n * model.kv_bytes_per_token())

    if isinstance(answer, bool) or answer != int(answer) or answer < 1:
        return "a length is a whole number of tokens"
    if share(int(answer)) > 0.5:
        return "at that length it still costs more than half"
    if share(int(answer) - 1) <= 0.5:
        return "a shorter sequence costs half already"
    return None


def exercise_3(answer):
    """GPUs needed for a number of sequences, judged by what the function returns."""
    cases = [("Llama-3.1-8B", "H100-80GB", 1, 1000), ("Llama-3.1-70B", "H100-80GB", 1, 8192),
             ("Llama-3.1-70B", "H100-80GB", 100, 8192), ("DeepSeek-V3", "A100-40GB", 1, 100)]
    for case in cases:
        expected, found = fewest(*case), answer(*case)
        if found != expected:
            fits = "too few" if found and expected and found < expected else "not the fewest"
            told = f"returns {found!r}"
            return f"for {case} it {told}: {'16 are too few there' if expected is None else fits}"
    return None


def fewest(name, gpu, n_sequences, n_tokens):
    """The fewest of 1 to 16 GPUs, in powers of two, that hold so many sequences, or None."""
    for n in (1, 2, 4, 8, 16):
        try:
            if Deployment(Model.named(name), gpu, n).sequences(n_tokens) >= n_sequences:
                return n
        except ValueError:
            pass
    return None
