"""Bytes of KV cache of a token and of a sequence, from the shape of a model."""
import json
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from ..facts import fact, facts, stored_rows
from ..parameter import choice, positive_int
from .config import Fields, model_shape
from .weights import checkpoint_bytes, counted_parameters

KIB, MIB, GIB = 2**10, 2**20, 2**30
BYTES_PER_VALUE = {"fp32": 4, "fp16": 2, "bf16": 2, "fp8": 1}
NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
INHERITED = ("quantization_config", "tie_word_embeddings", "is_encoder_decoder")


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
    stateless_layers: int = 0
    checkpoint_bytes: int = 0

    @classmethod
    def named(cls, name):
        """A model of models.csv, a bare shape "LAYERSxKV_HEADSxHEAD_DIM", or the path of a
        config.json or of a folder that has one; ValueError in one line says what is wrong or
        lists the known names."""
        parts = str(name).split("x")
        if len(parts) == 3 and all(part.isdecimal() for part in parts):
            return cls(name, *(positive_int("model", int(part)) for part in parts))
        if isinstance(name, str) and is_path(name) and name not in list(facts("models")["name"]):
            return cls(**read_config(name))
        row = fact("models", "model", name)
        return cls(**{field.name: field.type(row[field.name]) for field in fields(cls)
                      if pd.notna(row.get(field.name))})

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
        the GPU with the most sets the pace; a latent is one head, which every GPU holds."""
        full = replace(self, layers=self.layers - self.local_layers, local_layers=0)
        in_full = full.kv_bytes(n_tokens, dtype)
        in_local = self.kv_bytes(n_tokens, dtype) - in_full
        heads = 1 if self.latent_dim else self.kv_heads
        local_heads = self.local_kv_heads or heads
        return in_full * copies(heads, n_gpus) + in_local * copies(local_heads, n_gpus)

    def copies_on(self, n_gpus):
        """How often n tensor-parallel GPUs store a token: 8 heads take 1 copy on 8 GPUs,
        1.5 on 12, and 1.5 on 6."""
        return float(self.kv_bytes_on(n_gpus, 1) / self.kv_bytes(1))

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
        return ", ".join(said)


def copies(heads, n_gpus):
    """How often n GPUs hold each of some heads; exact where that is a whole number."""
    held = n_gpus * -(-heads // n_gpus)
    return held // heads if held % heads == 0 else held / heads


def is_path(name):
    """Whether a name is meant as a file or folder."""
    try:
        return name.endswith(".json") or "/" in name or Path(name).exists()
    except (OSError, ValueError):  # no name a file system could have
        return False


def read_config(path):
    """The fields of a `Model` from a config.json, or from a folder that has one."""
    file = Path(path).expanduser()
    called = file.resolve().parent.name if file.name == "config.json" else file.stem
    file = file / "config.json" if file.is_dir() else file
    config = text_part(path, read_object(path, file))
    shape = model_shape(config)
    n_params = counted_parameters(config, shape)
    return {"name": called, **shape, "params_billion": sum(n_params) / 1e9,
            "checkpoint_bytes": checkpoint_bytes(config, file, n_params)}


def read_object(path, file):
    """The JSON object in a file; ValueError in one line if it cannot be read."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = str(getattr(error, "strerror", None) or error).splitlines()[0][:80]
        close = get_close_matches(file.name, stored_rows("models"), 1)
        reason += f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"model={path!r}: cannot be read as JSON: {reason}") from None
    if not isinstance(found, dict):
        raise ValueError(f"model={path!r}: must hold a JSON object, as config.json does")
    return found


def text_part(path, config):
    """The fields of the language model, which may be nested in those of a larger one."""
    for key in NESTED:
        if config.get(key) is not None:
            Fields(path, config).part(key)
            outer = {name: config[name] for name in INHERITED if config.get(name) is not None}
            return text_part(path, outer | config[key])
    return Fields(path, config)
