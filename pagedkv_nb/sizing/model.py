"""Bytes of KV cache of a token and of a sequence, from the shape of a model."""
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import pandas as pd

from .config import model_fields
from ..facts import facts
from ..parameter import choice, positive_int

KIB, MIB, GIB = 2**10, 2**20, 2**30
BYTES_PER_VALUE = {"fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1}


@dataclass(frozen=True)
class Model:
    """What the KV cache, and the memory beside it, depend on in a model.

    `layers` keep K and V, `stateless_layers` keep none that grow. `local_layers` of `layers`
    keep only the last `window` tokens, in KV heads of their own shape if `local_kv_heads`
    is set. Multi-head latent attention (MLA) keeps one vector of `latent_dim` values a
    token and layer instead of K and V heads (DeepSeek-V2, arXiv 2405.04434). `vocab`,
    `hidden` and `intermediate` set what a server needs beside weights and cache;
    `checkpoint_bytes` are the weights where a config tells them. 0 is not known, or none.
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
    vocab: int = 0
    hidden: int = 0
    intermediate: int = 0
    local_kv_heads: int = 0
    local_head_dim: int = 0
    stateless_layers: int = 0
    checkpoint_bytes: int = 0

    @classmethod
    def named(cls, name):
        """A model of models.csv or model_sizes.csv, a bare shape
        "LAYERSxKV_HEADSxHEAD_DIM", or the path of a config.json or of a folder that has
        one; ValueError in one line says what is wrong or lists the known names."""
        parts = str(name).split("x")
        if len(parts) == 3 and all(part.isdecimal() for part in parts):
            return cls(name, *(positive_int("model", int(part)) for part in parts))
        if isinstance(name, str) and name not in known_models() and is_path(name):
            path = Path(name)
            called = path.resolve().parent.name if path.name == "config.json" else path.stem
            return cls(name=called, **model_fields(name))
        known = known_models()
        return cls(**known[choice("model", name, known)])

    def values_per_token(self, local=False):
        """Numbers one layer keeps for one token: a latent, or K and V of every KV head; of
        a local layer if asked."""
        if local and self.local_kv_heads:
            return 2 * self.local_kv_heads * self.local_head_dim
        return self.latent_dim or 2 * self.kv_heads * self.head_dim

    def kv_bytes(self, n_tokens, dtype="fp16"):
        """Bytes of a sequence of n tokens; local layers keep at most their window."""
        everywhere = (self.layers - self.local_layers) * n_tokens
        in_window = self.local_layers * min(n_tokens, self.window)
        width = BYTES_PER_VALUE[choice("dtype", dtype, BYTES_PER_VALUE)]
        return (everywhere * self.values_per_token()
                + in_window * self.values_per_token(local=True)) * width

    def kv_bytes_per_token(self, dtype="fp16"):
        """Bytes of one more token, while it is inside every window."""
        return self.kv_bytes(1, dtype)

    def kv_bytes_on(self, n_gpus, n_tokens, dtype="fp16"):
        """Bytes of a sequence over n tensor-parallel GPUs. KV heads are dealt out whole and
        the GPU with the most sets the pace; a latent counts as one head, which every GPU
        holds whole."""
        width = BYTES_PER_VALUE[choice("dtype", dtype, BYTES_PER_VALUE)]
        everywhere = (self.layers - self.local_layers) * n_tokens
        in_window = self.local_layers * min(n_tokens, self.window)
        heads = 0 if self.latent_dim else self.kv_heads
        local_heads = self.local_kv_heads or heads
        held = (everywhere * self.values_per_token() * dealt(heads, n_gpus)
                + in_window * self.values_per_token(local=True) * dealt(local_heads, n_gpus))
        return held * width

    def copies_on(self, n_gpus):
        """How often n tensor-parallel GPUs store a token: 8 heads take 1 copy on 8 GPUs,
        1.5 on 12, and 1.5 on 6."""
        return float(self.kv_bytes_on(n_gpus, 1) / self.kv_bytes(1))

    def sentence(self):
        """The layers in words, with all that keeps the cache from being a plain product."""
        told, kept = [f"{self.layers + self.stateless_layers} layers"], self.layers
        if self.stateless_layers:
            told.append(f"of which {self.stateless_layers} keep no K and V of their own")
        if self.local_layers:
            kept -= self.local_layers
            own = (f" in {self.local_kv_heads} KV heads of {self.local_head_dim}"
                   if self.local_kv_heads else "")
            told.append(f"of which {self.local_layers} keep only the last "
                        f"{self.window:,} tokens{own}")
        shape = (f"a latent of {self.latent_dim} values" if self.latent_dim else
                 f"{self.kv_heads} KV heads of {self.head_dim}")
        told.append(shape if kept == self.layers or not kept else f"{kept} keep all: {shape}")
        return ", ".join(told)


def dealt(heads, n_gpus):
    """How often n GPUs hold each of some heads (0: one latent), as a fraction that stays
    exact for whole numbers."""
    heads = heads or 1
    held = n_gpus * -(-heads // n_gpus)
    return held // heads if held % heads == 0 else held / heads


def is_path(name):
    """Whether a name is meant as a file or folder."""
    try:
        return name.endswith(".json") or "/" in name or Path(name).exists()
    except (OSError, ValueError):  # no name a file system could have
        return False


@lru_cache(1)
def known_models():
    """{name: the fields of its Model}: models.csv, then the further ones of
    model_sizes.csv, which also gives the sizes of both."""
    shapes, sizes = (facts(table).set_index("name") for table in ("models", "model_sizes"))
    table = shapes.combine_first(sizes).reindex(shapes.index.union(sizes.index, sort=False))
    table = table.reset_index().astype({"params_billion": float})
    kinds = {f.name: f.type for f in fields(Model) if f.name in table}
    return {row["name"]: {field: kind(0 if pd.isna(row[field]) else row[field])
                          for field, kind in kinds.items()}
            for row in table.to_dict("records")}
