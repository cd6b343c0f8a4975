"""Bytes of KV cache: of a token, of a sequence, and left on GPUs that hold the weights."""
from dataclasses import dataclass

import pandas as pd

from .facts import fact
from .parameter import choice, number, positive_int

KIB, MIB, GIB = 2**10, 2**20, 2**30
BYTES_PER_VALUE = {"fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1}


@dataclass(frozen=True)
class Model:
    """What the KV cache depends on in a model.

    `local_layers` of `layers` keep only the last `window` tokens. Multi-head latent
    attention (MLA) keeps one vector of `latent_dim` values a token and layer instead of
    K and V heads (DeepSeek-V2, arXiv 2405.04434).
    """

    name: str
    layers: int
    kv_heads: int
    head_dim: int
    q_heads: int = 0
    local_layers: int = 0
    window: int = 0
    latent_dim: int = 0
    max_context: int = 0
    params_billion: float = 0

    @classmethod
    def named(cls, name):
        """A model of models.csv, or a bare shape "LAYERSxKV_HEADSxHEAD_DIM"; ValueError
        lists the known names."""
        parts = str(name).split("x")
        if len(parts) == 3 and all(part.isdecimal() for part in parts):
            return cls(name, *(positive_int("model", int(part)) for part in parts))
        row = pd.Series(fact("models", "model", name)).fillna(0)
        whole = {field: int(row[field]) for field, kind in cls.__annotations__.items()
                 if kind is int}
        return cls(name=name, params_billion=float(row["params_billion"]), **whole)

    def values_per_token(self):
        """Numbers a layer keeps for one token."""
        return self.latent_dim or 2 * self.kv_heads * self.head_dim

    def kv_bytes(self, n_tokens, dtype="fp16"):
        """Bytes of a sequence of n tokens; local layers keep at most their window."""
        everywhere = (self.layers - self.local_layers) * n_tokens
        in_window = self.local_layers * min(n_tokens, self.window)
        width = BYTES_PER_VALUE[choice("dtype", dtype, BYTES_PER_VALUE)]
        return (everywhere + in_window) * self.values_per_token() * width

    def kv_bytes_per_token(self, dtype="fp16"):
        """Bytes of one more token, while it is inside every window."""
        return self.kv_bytes(1, dtype)

    def copies_on(self, n_gpus):
        """How often n tensor-parallel GPUs store a token. KV heads are dealt out whole, a
        latent counts as one head, and the GPU with the most heads sets the pace: 8 heads
        take 1 copy on 8 GPUs, 1.5 on 12, and 1.5 on 6."""
        heads = self.kv_heads or 1
        return n_gpus * -(-heads // n_gpus) / heads


@dataclass(frozen=True)
class Deployment:
    """A model on equal GPUs and the KV cache that is left; all sizes are over all GPUs.

    `weights_gib` 0 means parameters x 2 bytes. `usable` is the share of memory the server
    may take (vLLM's gpu_memory_utilization, default 0.9). `overhead_gib` a GPU, for
    activations and CUDA graphs, is our assumption. ValueError if nothing is left.
    """

    model: Model
    gpu: str
    n_gpus: int = 1
    weights_gib: float = 0.0
    usable: float = 0.9
    overhead_gib: float = 1.0

    def __post_init__(self):
        """Check every field."""
        positive_int("n_gpus", self.n_gpus)
        number("weights_gib", self.weights_gib)
        number("usable", self.usable, most=1)
        number("overhead_gib", self.overhead_gib)
        model = self.model
        if not self.weight_bytes:
            raise ValueError(f"model={model.name!r}: a bare shape has no parameter count; "
                             "set weights_gib")
        if self.kv_budget_bytes <= 0:
            raise ValueError(f"n_gpus={self.n_gpus}: the weights of {model.name} take "
                             f"{self.weight_bytes / GIB:.1f} GiB, {self.gpu} x {self.n_gpus} "
                             f"has {self.offered_bytes / GIB:.1f} GiB for weights and cache")

    @property
    def weight_bytes(self):
        """Bytes of the weights."""
        return int(self.weights_gib * GIB or self.model.params_billion * 2e9)

    @property
    def offered_bytes(self):
        """Bytes for weights and KV cache."""
        memory = fact("gpus", "gpu", self.gpu)["memory_bytes"]
        return int(self.n_gpus * (memory * self.usable - self.overhead_gib * GIB))

    @property
    def kv_budget_bytes(self):
        """Bytes left for the KV cache."""
        return self.offered_bytes - self.weight_bytes

    def token_slots(self, dtype="fp16"):
        """Tokens the cache holds when every layer keeps every token."""
        return self.sequences(1, dtype)

    def sequences(self, n_tokens, dtype="fp16"):
        """Sequences of n tokens the cache holds; local layers keep only their window."""
        copies = self.model.copies_on(self.n_gpus)
        return int(self.kv_budget_bytes // (copies * self.model.kv_bytes(n_tokens, dtype)))
