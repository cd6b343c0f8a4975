"""Bytes of KV cache of a token and of a sequence, from the shape of a model."""
from dataclasses import dataclass, fields
from os.path import exists

import pandas as pd

from ..facts import fact, stored_rows
from ..paging import pages_for
from ..parameter import choice, positive_int
from .checkpoint import read_config
from .scheme import named_scheme, scheme_bytes

KIB, MIB, GIB = 2**10, 2**20, 2**30
BYTES_PER_VALUE = {"auto": 0, "fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1}
INDEXED_FP8 = 656 / 576  # bytes a value of a latent beside an index: four scales, rope in 16 bits


@dataclass(frozen=True)
class Model:
    """What the KV cache, and the memory beside it, depend on in a model; 0 is none or not known.
    A latent (MLA; DeepSeek-V2, arXiv 2405.04434) is one vector in place of K and V of all heads."""

    name: str
    layers: int  # that keep K and V
    kv_heads: int = 0
    head_dim: int = 0
    q_heads: int = 0
    local_layers: int = 0  # of `layers`, that keep only the last `window` tokens
    window: int = 0
    latent_dim: int = 0  # values a token and layer, in place of K and V
    max_context: int = 0
    params_billion: float = 0
    vocab: int = 0
    hidden: int = 0
    intermediate: int = 0
    local_kv_heads: int = 0  # of local layers, where they have a shape of their own
    local_head_dim: int = 0
    v_head_dim: int = 0  # that of K unless set
    stateless_layers: int = 0  # that keep no K and V
    checkpoint_bytes: int = 0  # of the weights
    chunked: bool = False  # local layers keep the current chunk of `window` tokens
    index_layers: int = 0  # that keep `index_bytes` a token besides, for sparse attention
    index_bytes: int = 0
    state_layers: int = 0  # of `stateless_layers`, that keep a state a sequence
    state: str = ""  # mamba, linear
    state_bytes: int = 0
    family: str = ""
    experts_per_token: int = 0
    expert_inner: int = 0
    cache_dtype: str = "fp16"  # what the checkpoint asks for
    copied_bytes: int = 0  # of the weights, that every GPU holds
    unknown_weights: str = ""  # why they are
    weights_off: float = 0.03  # the share by which they may be
    image_token_bytes: int = 0  # of activations while images pass their tower
    image_tokens: int = 0  # of the largest image

    @classmethod
    def named(cls, name):
        """A model of models.csv, also with a scheme ("Qwen3-14B-AWQ"), a bare shape
        "LAYERSxKV_HEADSxHEAD_DIM", or the path of a config.json or of a folder that has one;
        ValueError in one line says what is wrong or lists the known names."""
        known = list(stored_rows("models"))
        parts = (name if isinstance(name, str) else choice("model", name, known)).split("x")
        if len(parts) == 3 and all(part.isdecimal() for part in parts):
            return cls(name, *(positive_int("model", int(part[:10]), 10**6) for part in parts))
        base, scheme = named_scheme(name, known)
        meant = base not in known and (name.endswith(".json") or "/" in name)
        if name not in known and (meant or exists(name)):
            return cls(**read_config(name))
        row = fact("models", "model", base)
        told = {field.name: field.type(row[field.name]) for field in fields(cls)
                if pd.notna(row.get(field.name))}
        named = {"name": name, "family": base.split("-")[0].lower()}
        return cls(**told | named | scheme_bytes(row, scheme))

    def layer_bytes_on(self, n_gpus, dtype, local=False):
        """Bytes of a token in one layer on one of n GPUs: a latent, or K and V of KV heads, which
        are dealt out whole, and its share of an index; "auto" is what the checkpoint asks for."""
        auto = choice("dtype", dtype, BYTES_PER_VALUE) == "auto"
        size = BYTES_PER_VALUE[self.cache_dtype if auto else dtype]
        heads, width = self.kv_heads, self.head_dim
        if local and self.local_kv_heads:
            heads, width = self.local_kv_heads, self.local_head_dim
        values = pages_for(heads, n_gpus) * (width + (self.v_head_dim or width))
        if self.latent_dim:
            values, size = self.latent_dim, INDEXED_FP8 if self.index_layers and size == 1 else size
        full = max(self.layers - self.local_layers, 1)
        return values * size + (0 if local else self.index_layers * self.index_bytes / full)

    def weight_bytes_on(self, n_gpus):
        """Bytes of the weights over n GPUs, what each holds counted for each; 0: not known."""
        return self.checkpoint_bytes and self.checkpoint_bytes + (n_gpus - 1) * self.copied_bytes

    def kv_bytes(self, n_tokens, dtype="fp16", n_gpus=1):
        """Bytes of a sequence on one of n GPUs; local layers keep at most their window."""
        everywhere = (self.layers - self.local_layers) * n_tokens
        in_window = self.local_layers * min(n_tokens, self.window)
        return round(everywhere * self.layer_bytes_on(n_gpus, dtype)
                     + in_window * self.layer_bytes_on(n_gpus, dtype, local=True))

    def kv_bytes_per_token(self, dtype="fp16"):
        """Bytes of one more token, while it is inside every window."""
        return self.kv_bytes(1, dtype)

    def kv_bytes_on(self, n_gpus, n_tokens, dtype="fp16"):
        """Bytes of a sequence over n tensor-parallel GPUs, each as the one with most KV heads."""
        return n_gpus * self.kv_bytes(n_tokens, dtype, n_gpus)

    def copies_on(self, n_gpus):
        """How often n tensor-parallel GPUs store a token: 8 heads once on 8, 1.5 times on 6."""
        return self.kv_bytes_on(n_gpus, 1) / self.kv_bytes(1)

    def sentence(self):
        """The layers in words, with all that keeps the cache from being a plain product."""
        full, index = self.layers - self.local_layers, self.index_layers
        shape = (f"a latent of {self.latent_dim} values" if self.latent_dim else
                 f"{self.kv_heads} KV heads of {self.head_dim}")
        own = f" in {self.local_kv_heads} KV heads of {self.local_head_dim}"
        told = {
            f"{self.layers + self.stateless_layers} layers": True,
            f"of which {self.stateless_layers} keep no K and V of their own": self.stateless_layers,
            f"of which {self.local_layers} keep only the last {self.window:,} tokens"
            + own * bool(self.local_kv_heads): self.local_layers,
            f"{full} keep all: {shape}" if 0 < full < self.layers else shape: True,
            f"{index} keep {self.index_bytes} bytes of index a token": index}
        return ", ".join(words for words, holds in told.items() if holds)
