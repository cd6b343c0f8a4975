"""Bytes of KV cache of a token and of a sequence, from the shape of a model."""
from dataclasses import dataclass, fields
from pathlib import Path

import pandas as pd

from ..facts import fact, facts
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

    `layers` keep K and V, `stateless_layers` keep none that grow. `local_layers` of `layers`
    keep only the last `window` tokens (`chunked`: the current chunk of so many), in KV heads of
    their own shape if `local_kv_heads` is set. Multi-head latent attention (MLA) keeps one
    vector of `latent_dim` values a token and layer instead of K and V heads (DeepSeek-V2,
    arXiv 2405.04434). `index_layers` keep `index_bytes` a token besides, for sparse attention.
    `state_layers` of the `stateless_layers` keep a `state` ("mamba", "linear") of `state_bytes`
    a sequence each. `cache_dtype` is what the checkpoint asks for, `checkpoint_bytes` its weights,
    `copied_bytes` those of them that every GPU holds, `unknown_weights` why they are unknown.
    `image_tower`: (hidden, inner, merged patches a token, tokens of the largest image).
    """

    name: str
    layers: int
    kv_heads: int = 0
    head_dim: int = 0
    q_heads: int = 0
    local_layers: int = 0
    window: int = 0
    latent_dim: int = 0
    max_context: int = 0
    params_billion: float = 0
    vocab: int = 0
    hidden: int = 0
    intermediate: int = 0
    local_kv_heads: int = 0
    local_head_dim: int = 0
    v_head_dim: int = 0  # that of K unless set
    stateless_layers: int = 0
    checkpoint_bytes: int = 0
    chunked: bool = False
    index_layers: int = 0
    index_bytes: int = 0
    state_layers: int = 0
    state: str = ""
    state_bytes: int = 0
    family: str = ""
    experts_per_token: int = 0
    expert_inner: int = 0
    cache_dtype: str = "fp16"
    copied_bytes: int = 0
    unknown_weights: str = ""
    weights_off: float = 0.03  # the share by which they may be off
    image_tower: tuple = ()

    @classmethod
    def named(cls, name):
        """A model of models.csv, also with the scheme its weights are stored in
        ("Qwen3-14B-AWQ"), a bare shape "LAYERSxKV_HEADSxHEAD_DIM", or the path of a
        config.json or of a folder that has one; ValueError in one line says what is wrong or
        lists the known names."""
        parts = str(name).split("x")
        if len(parts) == 3 and all(part.isdecimal() for part in parts):
            return cls(name, *(positive_int("model", int(part[:10])) for part in parts))
        known = list(facts("models")["name"])
        base, scheme = named_scheme(name, known)
        if name not in known and (is_there(name) or base not in known and is_path(base)):
            return cls(**read_config(name))
        row = fact("models", "model", base)
        told = {field.name: field.type(row[field.name]) for field in fields(cls)
                if pd.notna(row.get(field.name))}
        told |= {"name": name, "family": base.split("-")[0].lower(),
                 "image_tower": tuple(map(int, str(row["image_tower"]).replace("nan", "").split()))}
        return cls(**told | scheme_bytes(row, scheme))

    def values_per_token(self, local=False, n_gpus=1):
        """Numbers one layer keeps for one token on one of n GPUs: a latent, or K and V of its
        KV heads, which are dealt out whole; of a local layer if asked."""
        if self.latent_dim:
            return self.latent_dim
        heads, width = self.kv_heads, self.head_dim
        if local and self.local_kv_heads:
            heads, width = self.local_kv_heads, self.local_head_dim
        return pages_for(heads, n_gpus) * (width + (self.v_head_dim or width))

    def bytes_per_value(self, dtype="fp16"):
        """Bytes of a value of K and V; "auto" is what the checkpoint asks for."""
        auto = choice("dtype", dtype, BYTES_PER_VALUE) == "auto"
        size = BYTES_PER_VALUE[self.cache_dtype if auto else dtype]
        return INDEXED_FP8 if self.index_layers and self.latent_dim and size == 1 else size

    def kv_bytes(self, n_tokens, dtype="fp16", n_gpus=1):
        """Bytes of a sequence of n tokens on one of n GPUs; local layers keep at most their
        window."""
        everywhere = (self.layers - self.local_layers) * n_tokens
        in_window = self.local_layers * min(n_tokens, self.window)
        values = (everywhere * self.values_per_token(n_gpus=n_gpus)
                  + in_window * self.values_per_token(local=True, n_gpus=n_gpus))
        index = self.index_layers * self.index_bytes * n_tokens
        return round(values * self.bytes_per_value(dtype)) + index

    def kv_bytes_per_token(self, dtype="fp16"):
        """Bytes of one more token, while it is inside every window."""
        return self.kv_bytes(1, dtype)

    def kv_bytes_on(self, n_gpus, n_tokens, dtype="fp16"):
        """Bytes of a sequence over n tensor-parallel GPUs. The GPU with the most KV heads
        sets the pace; a latent is one head, which every GPU holds."""
        return n_gpus * self.kv_bytes(n_tokens, dtype, n_gpus)

    def layer_bytes_on(self, n_gpus, dtype, local=False):
        """Bytes of a token in one layer on one of n GPUs, with its share of an index."""
        index = 0 if local else (self.index_layers * self.index_bytes
                                 / max(self.layers - self.local_layers, 1))
        return self.values_per_token(local, n_gpus) * self.bytes_per_value(dtype) + index

    def copies_on(self, n_gpus):
        """How often n tensor-parallel GPUs store a token: 8 heads take 1 copy on 8 GPUs,
        1.5 on 12, and 1.5 on 6."""
        return self.kv_bytes_on(n_gpus, 1) / self.kv_bytes(1)

    def image_bytes(self, tokens):
        """Bytes of activations while a batch of images passes the tower; 0 without one."""
        if not self.image_tower:
            return 0
        hidden, inner, patches, largest = self.image_tower
        return 2 * patches * max(tokens, largest) * (6 * hidden + 2 * inner)

    def sentence(self):
        """The layers in words, with all that keeps the cache from being a plain product."""
        said, kept = [f"{self.layers + self.stateless_layers} layers"], self.layers
        if self.stateless_layers:
            said.append(f"of which {self.stateless_layers} keep no K and V of their own")
        if self.local_layers:
            kept -= self.local_layers
            own = (f" in {self.local_kv_heads} KV heads of {self.local_head_dim}"
                   if self.local_kv_heads else "")
            said.append(f"of which {self.local_layers} keep only the last "
                        f"{self.window:,} tokens{own}")
        shape = (f"a latent of {self.latent_dim} values" if self.latent_dim else
                 f"{self.kv_heads} KV heads of {self.head_dim}")
        said.append(shape if kept == self.layers or not kept else f"{kept} keep all: {shape}")
        if self.index_layers:
            said.append(f"{self.index_layers} keep {self.index_bytes} bytes of index a token")
        return ", ".join(said)


def is_path(name):
    """Whether a name is meant as a file or folder."""
    return isinstance(name, str) and (name.endswith(".json") or "/" in name or is_there(name))


def is_there(name):
    """Whether there is a file or folder of this name."""
    try:
        return isinstance(name, str) and Path(name).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # no name a file system could have
        return False
