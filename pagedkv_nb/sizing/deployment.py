"""What GPUs have left for the KV cache beside a model."""
from dataclasses import dataclass

from ..facts import fact
from ..paging import pages_for
from ..parameter import number, positive_int
from .engine import Engine
from .model import GIB, Model

PAGE_SIZE = 16  # tokens a page of vLLM


@dataclass(frozen=True)
class Deployment:
    """A model on equal GPUs and the KV cache that is left; all sizes are over all GPUs.

    `weights_gib` 0 means what the config or the parameters at 2 bytes give. `usable` is the
    share of the reported memory the server may take (vLLM's gpu_memory_utilization).
    `overhead_gib` a GPU, for activations and memory outside PyTorch, is your number, or
    None for what this `engine` takes. The last three are the engine's own defaults if 0.
    ValueError if nothing is left.
    """

    model: Model
    gpu: str
    n_gpus: int = 1
    weights_gib: float = 0.0
    usable: float = 0.9
    engine: str = "vllm-0.19"
    overhead_gib: float | None = None
    max_model_len: int = 0
    max_num_seqs: int = 0
    max_num_batched_tokens: int = 0

    def __post_init__(self):
        """Check every field."""
        positive_int("n_gpus", self.n_gpus, most=100_000)
        number("weights_gib", self.weights_gib, most=2**30)
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
            raise ValueError(f"model={name!r}: its weights are not known; set weights_gib")
        if weights >= have:
            raise ValueError(f"n_gpus={self.n_gpus}: the weights of {name} take "
                             f"{weights / GIB:.1f} GiB, {self.gpu} x {self.n_gpus} has "
                             f"{have / GIB:.1f} GiB for weights and cache")

    @property
    def weight_bytes(self):
        """Bytes of the weights."""
        known = self.model.checkpoint_bytes or self.model.params_billion * 2e9
        return int(self.weights_gib * GIB or known)

    @property
    def reported_bytes(self):
        """Bytes of all GPUs as a server sees them; 98.9 % of the listed size, as the 80 GB
        cards report, where no log tells."""
        card = fact("gpus", "gpu", self.gpu)
        reported, listed = card["reported_gib"] * GIB, card["memory_bytes"]
        return int(self.n_gpus * (min(reported, listed) if reported > 0 else 0.989 * listed))

    def load(self):
        """What the engine profiles at start-up: (max_num_seqs, max_num_batched_tokens)."""
        engine = Engine.named(self.engine)
        seqs, tokens = engine.load(self.reported_bytes / self.n_gpus / GIB,
                                   self.max_model_len or self.model.max_context)
        return self.max_num_seqs or seqs, self.max_num_batched_tokens or tokens

    @property
    def activation_bytes(self):
        """Bytes of activations at the start-up's profiling run; 0 if overhead is given."""
        if self.overhead_gib is not None:
            return 0
        return int(self.n_gpus * Engine.named(self.engine).activation_bytes(
            self.model, self.load(), self.n_gpus))

    @property
    def outside_bytes(self):
        """Bytes outside PyTorch (or the whole overhead, if it is given)."""
        overhead = self.overhead_gib
        if overhead is None:
            overhead = Engine.named(self.engine).outside_gib(self.n_gpus)
        return int(self.n_gpus * overhead * GIB)

    @property
    def offered_bytes(self):
        """Bytes for weights and KV cache."""
        usable = int(self.reported_bytes * self.usable)
        return usable - self.activation_bytes - self.outside_bytes

    @property
    def kv_budget_bytes(self):
        """Bytes left for the KV cache."""
        return self.offered_bytes - self.weight_bytes

    def token_slots(self, dtype="fp16"):
        """Tokens the cache holds when every layer keeps every token."""
        return self.sequences(1, dtype)

    def sequences(self, n_tokens, dtype="fp16"):
        """Sequences of n tokens the cache holds in the steady state of decoding, when local
        layers have freed all but their window."""
        return int(self.kv_budget_bytes // self.model.kv_bytes_on(self.n_gpus, n_tokens, dtype))

    def admitted(self, n_tokens, dtype="fp16"):
        """Sequences of n tokens at the moment of admission, which vLLM V1 prints as "maximum
        concurrency": a local layer is charged its window and a whole batch of prefill, in
        pages, with layers in equal groups (facts/servers.md)."""
        model, local = self.model, self.model.local_layers
        full = model.layers - local
        size = min(filter(None, (full, local)))
        full_groups, local_groups = -(-full // size), -(-local // size)  # rounded up
        page = size * PAGE_SIZE * model.kv_bytes_on(self.n_gpus, 1, dtype) / model.layers
        charged = min(n_tokens, model.window - 1 + self.load()[1])
        each = (full_groups * pages_for(n_tokens, PAGE_SIZE)
                + local_groups * (pages_for(charged, PAGE_SIZE) + 1))
        return self.kv_budget_bytes // page / each
