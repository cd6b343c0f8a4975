"""The budget of a deployment line by line, and the command that prints it."""
import argparse
import sys

from ..facts import fact, facts
from ..parameter import choice, positive_int
from .deployment import Deployment
from .model import BYTES_PER_VALUE, GIB, KIB, Model

OPTIONS = [("n-gpus", int, 1, "GPUs that share the model (1)"),
           ("dtype", str, "fp16", "of K and V: fp32, fp16, bf16, fp8 (fp16)"),
           ("tokens", int, 8192, "of a sequence (8192)"),
           ("weights-gib", float, 0.0, "of the weights; 0: from the config (0)"),
           ("usable", float, 0.9, "share of the memory the server may take (0.9)"),
           ("engine", str, "vllm-0.19", "a name of engines.csv (vllm-0.19)"),
           ("overhead-gib", float, None, "a GPU, instead of what the engine takes"),
           *((name, int, 0, "0: the engine's own default") for name in (
               "max-model-len", "max-num-seqs", "max-num-batched-tokens"))]


def budget(d):
    """{line: bytes} over all GPUs of a deployment; the lines add up to the listed memory."""
    listed = int(d.n_gpus * fact("gpus", "gpu", d.gpu)["memory_bytes"])
    kept_back = d.reported_bytes - int(d.reported_bytes * d.usable)
    outside = "outside PyTorch" if d.overhead_gib is None else "your overhead"
    return {"listed, not reported": listed - d.reported_bytes,
            f"kept back ({1 - d.usable:.3g} of the reported)": kept_back,
            "weights": d.weight_bytes, "activations": d.activation_bytes,
            outside: d.outside_bytes, "KV cache": d.kv_budget_bytes}


def remarks(d):
    """What is not known of a deployment and what stands in for it, a sentence each."""
    sentences, model = [], d.model
    if not d.weights_gib:
        how = ("what its files or parameters at the bits of its config give"
               if model.checkpoint_bytes else "parameters at 2 bytes")
        sentences.append(f"The weights are {how}; weights_gib sets others.")
    if d.overhead_gib is None and not (model.vocab and model.hidden and model.intermediate):
        sentences.append(f"Vocabulary, hidden or intermediate size of {model.name} is not "
                         "known: its activations are those of Llama-3.1-8B.")
    if not fact("gpus", "gpu", d.gpu)["reported_gib"] > 0:
        sentences.append(f"No log tells what one {d.gpu} reports: 98.9 % of the listed memory.")
    if model.stateless_layers:
        sentences.append("States of layers without K and V are not counted: they do not grow.")
    return sentences


def report(d, n_tokens, dtype="fp16"):
    """The budget as text: its lines in GiB, their sum, tokens, and sequences of n tokens."""
    model, sizes, per_token = d.model, budget(d), d.model.kv_bytes_on(d.n_gpus, 1, dtype)
    sizes["listed memory"] = sum(sizes.values())
    counts = {f"one token ({dtype})": f"{per_token / KIB:>9.4g} KiB",
              "tokens of KV cache": f"{d.token_slots(dtype):>9,}",
              f"sequences of {n_tokens:,} tokens": f"{d.sequences(n_tokens, dtype):>9,}"}
    if model.local_layers:
        counts["  at the moment of admission"] = f"{d.admitted(n_tokens, dtype):>9,.1f}"
    lines = [f"{model.name} on {d.n_gpus} x {d.gpu}, {d.engine}", model.sentence(), "",
             *(f"{name:<36}{size / GIB:>9.2f} GiB" for name, size in sizes.items()), "",
             *(f"{name:<36}{count}" for name, count in counts.items())]
    return "\n".join(lines + [""] * bool(remarks(d)) + remarks(d))


def arguments():
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m pagedkv_nb.sizing",
        description="How many tokens of KV cache a model has on GPUs.")
    gpus = ", ".join(facts("gpus")["name"])
    parser.add_argument("model", help="a config.json, a folder that has one, a name of "
                        "models.csv, or LAYERSxKV_HEADSxHEAD_DIM")
    parser.add_argument("--gpu", required=True, help=f"one of {gpus}")
    for name, kind, default, meaning in OPTIONS:
        parser.add_argument(f"--{name}", type=kind, default=default, help=meaning)
    return parser


def main(argv=None):
    """Print the budget that the command line asks for; returns the exit code, 2 with one
    line on stderr if something is wrong."""
    given = vars(arguments().parse_args(argv))
    try:
        dtype = choice("dtype", given.pop("dtype"), BYTES_PER_VALUE)
        n_tokens = positive_int("tokens", given.pop("tokens"), most=10**9)
        print(report(Deployment(Model.named(given.pop("model")), **given), n_tokens, dtype))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
