"""What GPUs have left for the KV cache beside a model, line by line and as text."""
from dataclasses import dataclass
from typing import Annotated

from ..facts import fact
from ..parameter import number, positive_int
from .engine import Engine, Layout
from .model import GIB, KIB, Model


@dataclass
class Deployment:
    """A model on equal GPUs and the KV cache that is left; all sizes are over all GPUs. 0 and
    None stand for what the engine, the checkpoint or the table of cards says. Worked out: `rules`
    and `load` of the engine, tokens of the `longest` request, `card_gib` that a server sees, its
    `share`; `reported_bytes`, `weight_bytes`, `overheads` {what: bytes}, `kv_budget_bytes`."""

    model: Model
    gpu: str
    n_gpus: Annotated[int, "GPUs that share the model"] = 1
    weights_gib: Annotated[float, "0: what the checkpoint, or parameters at 2 bytes, give"] = 0.0
    usable: Annotated[float | None, "share of what it reports (gpu_memory_utilization)"] = None
    engine: Annotated[str, "a name of engines.csv"] = "vllm-0.33"
    overhead_gib: Annotated[float | None, "a GPU: activations, CUDA graphs, outside PyTorch"] = None
    max_model_len: Annotated[int, "0: the model's"] = 0
    max_num_seqs: Annotated[int, "0: the engine's"] = 0
    max_num_batched_tokens: Annotated[int, "0: the engine's"] = 0
    memory_gib: Annotated[float, "what a card that is not listed reports"] = 0.0

    def __post_init__(self):
        """Check the fields and work the budget out, from the card to what is left."""
        self.check_fields()
        rules, n = Engine.named(self.engine), self.n_gpus
        self.rules, self.longest = rules, self.max_model_len or self.model.max_context or 8192
        self.listed_gib, reported = self.memory_of_card()
        self.is_logged = reported > 0
        self.card_gib = reported if self.is_logged else 0.989 * self.listed_gib
        self.reported_bytes = int(n * self.card_gib * GIB)
        default = rules.usable(self.card_gib, n)
        self.share = default if self.usable is None else self.usable
        self.load = rules.load(self)
        self.weight_bytes = int(self.weights_gib * GIB or self.model.weight_bytes_on(n))
        self.overheads = rules.overheads(self)
        beside = self.weight_bytes + sum(self.overheads.values())
        self.kv_budget_bytes = int(self.reported_bytes * self.share) - beside
        self.check_that_some_is_left()

    def check_fields(self):
        """ValueError by the first field that is out of its range."""
        self.n_gpus = positive_int("n_gpus", self.n_gpus, most=1024)
        for name in ("max_model_len", "max_num_seqs", "max_num_batched_tokens"):
            setattr(self, name, positive_int(name, getattr(self, name), least=0, most=10**9))
        for name, most in (("weights_gib", 2**30), ("memory_gib", 2**30), ("usable", 1),
                           ("overhead_gib", 2**30)):
            if getattr(self, name) is not getattr(Deployment, name):  # None may be
                setattr(self, name, number(name, getattr(self, name), most=most))

    def memory_of_card(self):
        """(GiB of one GPU by its label, GiB that servers logged of it or nan)."""
        if self.memory_gib:
            return self.memory_gib, self.memory_gib
        row = fact("gpus", "gpu", self.gpu, "; or tell its memory_gib")
        return row["memory_bytes"] / GIB, row["reported_gib"]

    def check_that_some_is_left(self):
        """ValueError if the weights are not known, or do not leave room for one token."""
        name, weights, left = self.model.name, self.weight_bytes, self.kv_budget_bytes
        if not weights:
            why = self.model.unknown_weights or "its weights are not known"
            raise ValueError(f"model={name!r}: {why}; name another model or set weights_gib")
        if left <= 0:
            raise ValueError(
                f"model={name!r}: its weights take {weights / GIB:.1f} GiB, {self.n_gpus} x "
                f"{self.gpu} with usable={self.share:.3g} has {max(weights + left, 0) / GIB:.1f} "
                "GiB for weights and cache: it needs more GPUs, or larger ones")

    def layout(self, dtype="auto"):
        """How the engine cuts one GPU's cache into pages."""
        return Layout(self.model, self.n_gpus, dtype, self.rules, self.load[1])

    def token_slots(self, dtype="auto", more_gib=0.0):
        """Tokens of KV cache, as the engine prints them; with so many GiB a GPU more for it."""
        kv_bytes = max(self.kv_budget_bytes / self.n_gpus + more_gib * GIB, 0)
        return self.layout(dtype).tokens(kv_bytes, self.longest)

    def error_gib(self):
        """GiB a GPU by which the cache may be off: 90 % of the start-ups in kv_logs.csv lie
        within. Estimated weights, images and unified memory add to it."""
        weights = 0 if self.weights_gib else self.weight_bytes / self.n_gpus / GIB
        return (0.6 + self.model.weights_off * weights + 2.0 * (self.model.image_tokens > 0)
                + (0.1 * self.card_gib if "GB10" in self.gpu else 0))

    def token_range(self, dtype="auto"):
        """(least, most) tokens of KV cache, the error of its memory taken off and added."""
        return tuple(self.token_slots(dtype, sign * self.error_gib()) for sign in (-1, 1))

    def sequences(self, n_tokens, dtype="auto"):
        """Sequences of n tokens while they decode: local layers keep their window only."""
        return int(self.kv_budget_bytes // self.model.kv_bytes_on(self.n_gpus, n_tokens, dtype))

    def admitted(self, n_tokens, dtype="auto"):
        """Sequences of n tokens at admission, vLLM's "maximum concurrency": a local layer is
        charged its window and what is computed beside it."""
        return self.layout(dtype).concurrency(self.kv_budget_bytes / self.n_gpus, n_tokens)


def budget(d):
    """{line: bytes} over all GPUs of a deployment; the lines add up to the listed memory."""
    listed = int(d.n_gpus * max(d.listed_gib, d.card_gib) * GIB)
    kept_back = d.reported_bytes - int(d.reported_bytes * d.share)
    return {"listed, not reported": listed - d.reported_bytes,
            f"kept back ({1 - d.share:.3g} of the reported)": kept_back,
            "weights": d.weight_bytes, **d.overheads, "KV cache": d.kv_budget_bytes}


def remarks(d):
    """What is not known of a deployment and what stands in for it, a sentence each."""
    model, plain = d.model, d.model.checkpoint_bytes == int(d.model.params_billion * 2e9)
    told = {
        f"The weights are {'parameters at 2 bytes' if plain else 'what its files or its name give'}"
        "; weights_gib sets others.": not d.weights_gib,
        f"Vocabulary, hidden or intermediate size of {model.name} is not known: its activations "
        "are those of Llama-3.1-8B.": d.overhead_gib is None and not (
            model.vocab and model.hidden and model.intermediate),
        f"No log tells what one {d.gpu} reports: 98.9 % of the listed memory.": not d.is_logged,
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
