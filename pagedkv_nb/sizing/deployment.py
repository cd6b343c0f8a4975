"""What GPUs have left for the KV cache beside a model."""
from dataclasses import dataclass
from functools import cached_property

from ..facts import fact
from ..parameter import number, positive_int
from .engine import Engine
from .model import GIB, Model
from .pages import Layout

LONGEST = 8192  # tokens of a request where a model does not tell


@dataclass(frozen=True)
class Deployment:
    """A model on equal GPUs and the KV cache that is left; all sizes are over all GPUs.

    `weights_gib` 0 means what the checkpoint or the parameters at 2 bytes give. `usable` is
    the share of the reported memory the server may take (vLLM's gpu_memory_utilization), None
    for the engine's default. `overhead_gib` a GPU, for activations, CUDA graphs and memory
    outside PyTorch, is your number, or None for what this `engine` takes. `memory_gib` is
    what a card that is not in gpus.csv reports. The last three are the engine's own defaults
    if 0. ValueError if nothing is left.
    """

    model: Model
    gpu: str
    n_gpus: int = 1
    weights_gib: float = 0.0
    usable: float | None = None
    engine: str = "vllm-0.33"
    overhead_gib: float | None = None
    max_model_len: int = 0
    max_num_seqs: int = 0
    max_num_batched_tokens: int = 0
    memory_gib: float = 0.0

    def __post_init__(self):
        """Check every field."""
        positive_int("n_gpus", self.n_gpus, most=1024)
        for name in ("weights_gib", "memory_gib"):
            number(name, getattr(self, name), most=2**30)
        if self.usable is not None:
            number("usable", self.usable, most=1)
        if self.overhead_gib is not None:
            number("overhead_gib", self.overhead_gib, most=2**30)
        for name in ("max_model_len", "max_num_seqs", "max_num_batched_tokens"):
            positive_int(name, getattr(self, name), least=0, most=10**9)
        Engine.named(self.engine)
        self.check_that_some_is_left()

    def check_that_some_is_left(self):
        """ValueError if the weights are not known, or do not leave room for one token."""
        name, weights, have = self.model.name, self.weight_bytes, self.offered_bytes
        if not weights:
            why = self.model.unknown_weights or "its weights are not known"
            raise ValueError(f"model={name!r}: {why}; set weights_gib")
        if weights >= have:
            share = "" if self.share > 0 else f" (usable={self.share:g})"
            raise ValueError(f"model={name!r}: its weights take {weights / GIB:.1f} GiB, {self.gpu} "
                             f"x {self.n_gpus} has {max(have, 0) / GIB:.1f} GiB for weights and "
                             f"cache{share}: more GPUs (n_gpus={self.n_gpus}), or larger ones")

    @cached_property
    def parts(self):
        """The engine and what it profiles at start-up: (requests, tokens)."""
        engine = Engine.named(self.engine)
        requests, tokens = engine.load(self.gpu, self.card_gib, self.longest)
        requests = self.max_num_seqs or requests
        tokens = self.max_num_batched_tokens or min(tokens, requests * self.longest)
        return engine, (requests, tokens)

    @property
    def longest(self):
        """Tokens of the longest request the server takes."""
        return self.max_model_len or self.model.max_context or LONGEST

    @property
    def card_gib(self):
        """GiB of one GPU as a server sees them; 98.9 % of the listed size, as the 80 GB cards
        report, where no log tells."""
        if self.memory_gib:
            return self.memory_gib
        card = fact("gpus", "gpu", self.gpu)
        return card["reported_gib"] if card["reported_gib"] > 0 else (
            0.989 * card["memory_bytes"] / GIB)

    @property
    def listed_bytes(self):
        """Bytes of all GPUs as they are sold."""
        listed = self.memory_gib * GIB or fact("gpus", "gpu", self.gpu)["memory_bytes"]
        return int(self.n_gpus * max(listed, self.card_gib * GIB))

    @property
    def reported_bytes(self):
        """Bytes of all GPUs as a server sees them."""
        return int(self.n_gpus * self.card_gib * GIB)

    @property
    def share(self):
        """The share of the reported memory that the server may take (0..1)."""
        if self.usable is not None:
            return self.usable
        return self.parts[0].usable(self.card_gib, self.n_gpus)

    @property
    def weight_bytes(self):
        """Bytes of the weights, parts that every GPU holds counted for each."""
        if self.weights_gib:
            return int(self.weights_gib * GIB)
        model = self.model
        known = model.checkpoint_bytes or (
            0 if model.unknown_weights else model.params_billion * 2e9)
        return int(known + (self.n_gpus - 1) * model.copied_bytes)

    @property
    def activation_bytes(self):
        """Bytes of activations at the start-up's profiling run; 0 if overhead is given."""
        engine, load = self.parts
        return 0 if self.overhead_gib is not None else int(self.n_gpus * engine.activation_bytes(
            self.model, load, self.n_gpus, engine.in_chunks(self.gpu, self.longest)))

    @property
    def graph_bytes(self):
        """Bytes of CUDA graphs, where the engine counts them; 0 if overhead is given."""
        engine, (requests, _) = self.parts
        return 0 if self.overhead_gib is not None else int(
            self.n_gpus * engine.graph_bytes(self.model, requests))

    @property
    def outside_bytes(self):
        """Bytes outside PyTorch (or the whole overhead, if it is given)."""
        overhead = self.overhead_gib
        if overhead is None:
            overhead = self.parts[0].outside_gib(self.gpu, self.card_gib, self.n_gpus)
        return int(self.n_gpus * overhead * GIB)

    @property
    def offered_bytes(self):
        """Bytes for weights and KV cache."""
        usable = int(self.reported_bytes * self.share)
        return usable - self.activation_bytes - self.graph_bytes - self.outside_bytes

    @property
    def kv_budget_bytes(self):
        """Bytes left for the KV cache."""
        return self.offered_bytes - self.weight_bytes

    def layout(self, dtype="auto"):
        """How the engine cuts one GPU's cache into pages."""
        engine, (_, tokens) = self.parts
        return Layout(self.model, self.n_gpus, dtype, engine, tokens)

    def token_slots(self, dtype="auto"):
        """Tokens of KV cache, as the engine prints them when it starts."""
        return self.tokens_of(self.kv_budget_bytes, dtype)

    def tokens_of(self, kv_bytes, dtype="auto"):
        """The tokens that the engine prints for so many bytes of cache over all GPUs."""
        return self.layout(dtype).tokens(max(kv_bytes, 0) / self.n_gpus, self.longest)

    def error_gib(self):
        """GiB a GPU by which the memory of the cache may be off, from the start-ups of
        kv_logs.csv: nine of ten lie within it."""
        model = self.model
        estimated = 0 if self.weights_gib else model.weights_off * self.weight_bytes / self.n_gpus / GIB
        image = 2.0 if model.image_tower else 0
        unified = 0.1 * self.card_gib if "GB10" in self.gpu else 0
        return 0.6 + estimated + image + unified

    def token_range(self, dtype="auto"):
        """(least, most) tokens of KV cache, the error of its memory taken off and added."""
        error = int(self.error_gib() * self.n_gpus * GIB)
        return tuple(self.tokens_of(self.kv_budget_bytes + sign * error, dtype)
                     for sign in (-1, 1))

    def sequences(self, n_tokens, dtype="auto"):
        """Sequences of n tokens the cache holds in the steady state of decoding, when local
        layers have freed all but their window."""
        return int(self.kv_budget_bytes // self.model.kv_bytes_on(self.n_gpus, n_tokens, dtype))

    def admitted(self, n_tokens, dtype="auto"):
        """Sequences of n tokens at the moment of admission, which vLLM V1 prints as "maximum
        concurrency": a local layer is charged its window and what is computed beside it."""
        return self.layout(dtype).concurrency(self.kv_budget_bytes / self.n_gpus, n_tokens)
