"""What GPUs have left for the KV cache beside a model."""
from dataclasses import dataclass
from functools import cached_property

from ..facts import fact
from ..parameter import number, positive_int
from .engine import Engine
from .model import GIB, Model
from .pages import Layout


@dataclass(frozen=True)
class Deployment:
    """A model on equal GPUs and the KV cache that is left; all sizes are over all GPUs. 0 and
    None stand for what the engine, the checkpoint or the table of cards says."""

    model: Model
    gpu: str
    n_gpus: int = 1
    weights_gib: float = 0.0  # 0: what the checkpoint, or the parameters at 2 bytes, give
    usable: float | None = None  # share of the reported memory (vLLM's gpu_memory_utilization)
    engine: str = "vllm-0.33"
    overhead_gib: float | None = None  # a GPU: activations, CUDA graphs, outside PyTorch
    max_model_len: int = 0
    max_num_seqs: int = 0
    max_num_batched_tokens: int = 0
    memory_gib: float = 0.0  # what a card reports that is not in gpus.csv

    def __post_init__(self):
        """Check every field, and that something is left."""
        positive_int("n_gpus", self.n_gpus, most=1024)
        for name in ("max_model_len", "max_num_seqs", "max_num_batched_tokens"):
            positive_int(name, getattr(self, name), least=0, most=10**9)
        number("weights_gib", self.weights_gib, most=2**30)
        number("memory_gib", self.memory_gib, most=2**30)
        number("usable", 0.0 if self.usable is None else self.usable, most=1)
        number("overhead_gib", 0.0 if self.overhead_gib is None else self.overhead_gib, most=2**30)
        self.check_that_some_is_left()

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
        """Tokens of the longest request the server takes; 8,192 where a model does not tell."""
        return self.max_model_len or self.model.max_context or 8192

    @property
    def card(self):
        """(GiB of one GPU by its label, GiB a server sees or nan); ValueError if not known."""
        if self.memory_gib:
            return self.memory_gib, self.memory_gib
        try:
            row = fact("gpus", "gpu", self.gpu)
        except ValueError as error:
            raise ValueError(f"{error}; or tell its memory_gib") from None
        return row["memory_bytes"] / GIB, row["reported_gib"]

    @property
    def card_gib(self):
        """GiB of one GPU as a server sees them; 98.9 %, as 80 GB cards do, where no log tells."""
        listed, reported = self.card
        return reported if reported > 0 else 0.989 * listed

    @property
    def reported_bytes(self):
        """Bytes of all GPUs as a server sees them."""
        return int(self.n_gpus * self.card_gib * GIB)

    @property
    def share(self):
        """The share of the reported memory that the server may take (0..1)."""
        default = self.parts[0].usable(self.card_gib, self.n_gpus)
        return default if self.usable is None else self.usable

    @property
    def weight_bytes(self):
        """Bytes of the weights, parts that every GPU holds counted for each; 0: not known."""
        model = self.model
        if self.weights_gib or model.checkpoint_bytes:
            copies = (self.n_gpus - 1) * model.copied_bytes
            return int(self.weights_gib * GIB or model.checkpoint_bytes + copies)
        return 0 if model.unknown_weights else int(model.params_billion * 2e9)

    @property
    def overheads(self):
        """{what: bytes} of all that lies beside weights and cache while the server runs."""
        if self.overhead_gib is not None:
            return {"your overhead": int(self.n_gpus * self.overhead_gib * GIB)}
        (engine, load), n = self.parts, self.n_gpus
        chunks = engine.in_chunks(self.gpu, self.longest)
        small = self.card_gib < 70 or "GB10" in self.gpu
        several = engine.small_parallel_gib if small else engine.parallel_gib
        return {"activations": int(n * engine.activation_bytes(self.model, load, n, chunks)),
                "CUDA graphs": int(n * engine.graph_bytes(self.model, load[0])),
                "outside PyTorch": int(n * GIB * (several if n > 1 else engine.one_gpu_gib))}

    @property
    def kv_budget_bytes(self):
        """Bytes left for the KV cache."""
        overheads = sum(self.overheads.values())
        return int(self.reported_bytes * self.share) - overheads - self.weight_bytes

    def layout(self, dtype="auto"):
        """How the engine cuts one GPU's cache into pages."""
        engine, (_, tokens) = self.parts
        return Layout(self.model, self.n_gpus, dtype, engine, tokens)

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
