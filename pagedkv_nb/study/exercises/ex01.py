"""Judges of notebook 01's exercises."""
from bisect import bisect_right

from ...sizing import GIB, Model
from .hints import first_wrong, number, smallest, whole


def exercise_1(answer):
    """Bytes of one token of Llama-3-70B in fp8."""
    model = Model.named("Llama-3-70B")
    right = model.kv_bytes(1, "fp8")
    return number(answer, right, {
        2 * right: "that is the number for two bytes a value",
        right // 2: "a token leaves a K and a V",
        right * model.q_heads // model.kv_heads: "query heads are not stored, KV heads are",
        right // model.layers: "that is one layer's",
        right // model.kv_heads: "that is one KV head's",
        right // 1024: "the question is for bytes, not KiB"},
        "multiply layers, K and V, KV heads, their dimension, and bytes a value")


def exercise_2(answer):
    """Smallest length at which Gemma-3-27B costs half of what it would without windows."""
    model = Model.named("Gemma-3-27B")
    return smallest(answer, lambda n: model.kv_bytes(n) <= n * model.kv_bytes_per_token() / 2,
                    "at that length it still costs more than half",
                    "a shorter sequence costs half already")


def exercise_3(longest_context):
    """The longest sequence that fits, judged by what the function returns."""
    cases = (("Llama-3.1-8B", 3), ("Llama-3-70B", 0.25), ("Llama-2-7B", 100),
             ("Gemma-3-27B", 4), ("Gemma-3-27B", 0.25), ("gpt-oss-20b", 0.5),
             ("DeepSeek-V3", 1), ("Falcon-7B", 0.001), ("OPT-13B", 0))
    return first_wrong(longest_context, ((case, longest(*case)) for case in cases), why)


def longest(name, gib):
    """The tokens of the longest fp16 sequence of a model that fits, within its maximum."""
    model = Model.named(name)
    return bisect_right(range(1, model.max_context + 1), gib * GIB, key=model.kv_bytes)


def why(found, right, name, gib):
    """What is wrong with a length that does not solve the third exercise."""
    model = Model.named(name)
    if not whole(found):
        return "a length is a whole number of tokens"
    if found > model.max_context:
        return "the model's maximum is less"
    if model.local_layers and found == gib * GIB // model.kv_bytes_per_token():
        return "local layers stop growing at their window"
    mistaken = {2: "K and V are both kept, with two bytes a value",
                0.5: "a value of fp16 has two bytes, not four",
                1e9 / GIB: "a GiB is 2³⁰ bytes",
                (model.kv_heads or 1) / (model.q_heads or 1): "query heads are not stored"}
    mistakes = {longest(name, factor * gib): hint for factor, hint in mistaken.items()}
    otherwise = "that takes more than there is" if found > right else "a longer one fits"
    return mistakes.get(found, otherwise)
