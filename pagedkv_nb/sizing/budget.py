"""The budget of a deployment line by line, and the command that prints it."""
import argparse
import sys

from ..facts import facts
from ..parameter import choice, positive_int
from .deployment import Deployment
from .model import BYTES_PER_VALUE, GIB, KIB, Model

OPTIONS = [("n-gpus", int, 1, "GPUs that share the model (1)"),
           ("memory-gib", float, 0.0, "what a card that is not listed reports"),
           ("dtype", str, "auto", "of K and V: fp32, fp16, bf16, fp8; auto: the checkpoint's"),
           ("tokens", int, 0, "of a sequence (8192, or the model's longest)"),
           ("weights-gib", float, 0.0, "of the weights; 0: from the checkpoint (0)"),
           ("usable", float, None, "share of the memory the server may take (the engine's)"),
           ("engine", str, "vllm-0.33", "a name of engines.csv (vllm-0.33)"),
           ("overhead-gib", float, None, "a GPU, instead of what the engine takes"),
           *((name, int, 0, "0: the engine's own default") for name in (
               "max-model-len", "max-num-seqs", "max-num-batched-tokens"))]


def budget(d):
    """{line: bytes} over all GPUs of a deployment; the lines add up to the listed memory."""
    listed = int(d.n_gpus * max(d.card[0], d.card_gib) * GIB)
    kept_back = d.reported_bytes - int(d.reported_bytes * d.share)
    return {"listed, not reported": listed - d.reported_bytes,
            f"kept back ({1 - d.share:.3g} of the reported)": kept_back,
            "weights": d.weight_bytes, **d.overheads, "KV cache": d.kv_budget_bytes}


def remarks(d):
    """What is not known of a deployment and what stands in for it, a sentence each."""
    sentences, model = [], d.model
    if not d.weights_gib:
        how = ("what its files or its parameters, stored as it says, give"
               if model.checkpoint_bytes else "parameters at 2 bytes")
        sentences.append(f"The weights are {how}; weights_gib sets others.")
    if d.overhead_gib is None and not (model.vocab and model.hidden and model.intermediate):
        sentences.append(f"Vocabulary, hidden or intermediate size of {model.name} is not "
                         "known: its activations are those of Llama-3.1-8B.")
    if not d.card[1] > 0:
        sentences.append(f"No log tells what one {d.gpu} reports: 98.9 % of the listed memory.")
    if model.stateless_layers and not model.state_bytes:
        sentences.append("States of layers without K and V are not counted: they do not grow.")
    if d.admitted(d.longest) < 1:
        sentences.append(f"A request of {d.longest:,} tokens does not fit: the server asks for a "
                         "smaller max_model_len.")
    return sentences


def report(d, n_tokens=0, dtype="auto"):
    """The budget as text: its lines in GiB, their sum, tokens and their range, and sequences
    of n tokens (8,192, or the longest the server takes if that is less)."""
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


def listed():
    """The cards, engines and models that have names, a line of each."""
    names = {"cards": "gpus", "engines": "engines", "models": "models"}
    return "\n".join(f"{kind}: {', '.join(facts(table)['name'])}" for kind, table in names.items())


def arguments():
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m pagedkv_nb.sizing",
        description="How many tokens of KV cache a model has on GPUs.")
    parser.add_argument("model", nargs="?", help="a config.json, a folder that has one, a name of "
                        "models.csv, or LAYERSxKV_HEADSxHEAD_DIM")
    parser.add_argument("--gpu", help="a name of gpus.csv, or any with --memory-gib")
    parser.add_argument("--list", action="store_true", help="print the names that are known")
    for name, kind, default, meaning in OPTIONS:
        parser.add_argument(f"--{name}", type=kind, default=default, help=meaning)
    parser.error = refuse
    return parser


def refuse(message):
    """ValueError instead of argparse's many lines."""
    raise ValueError(message if len(message) <= 200 else message[:197] + "...")


def main(argv=None):
    """Print the budget that the command line asks for; returns the exit code, 2 with one
    line on stderr if something is wrong."""
    try:
        given = vars(arguments().parse_args(argv))
        if given.pop("list"):
            print(listed())
            return 0
        if not given["model"] or not given["gpu"]:
            refuse("a model and --gpu are needed (or --list)")
        dtype = choice("dtype", given.pop("dtype"), BYTES_PER_VALUE)
        n_tokens = positive_int("tokens", given.pop("tokens"), most=10**9, least=0)
        print(report(Deployment(Model.named(given.pop("model")), **given), n_tokens, dtype))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
