"""A tiny llama and what it writes by the definition alone: no pages, no forks, no batches."""
from functools import lru_cache

import numpy as np

from pagedkv_nb.attention import PagedKVCache
from pagedkv_nb.generation import LanguageModel
from pagedkv_nb.sizing import Model

VOCAB, HIDDEN, WIDE, BASE = 40, 18, 24, 100.0


def tiny(seed=0, q_heads=4, kv_heads=2, head_dim=4, end_token=26):
    """Two layers of random weights in float64, strong enough that every token before counts."""
    rng = np.random.RandomState(seed)
    shapes = {"attn_q": (q_heads * head_dim, HIDDEN), "attn_k": (kv_heads * head_dim, HIDDEN),
              "attn_v": (kv_heads * head_dim, HIDDEN), "attn_output": (HIDDEN, q_heads * head_dim),
              "ffn_gate": (WIDE, HIDDEN), "ffn_up": (WIDE, HIDDEN), "ffn_down": (HIDDEN, WIDE)}
    layers = [{name: rng.standard_normal(shape) / 2 for name, shape in shapes.items()}
              | {name: rng.uniform(0.5, 1.5, HIDDEN) for name in ("attn_norm", "ffn_norm")}
              for _ in range(2)]
    shape = Model("tiny", 2, kv_heads, head_dim, q_heads=q_heads, vocab=VOCAB, hidden=HIDDEN)
    return LanguageModel(shape=shape, embedding=rng.standard_normal((VOCAB, HIDDEN)) / 4, layers=layers,
                         output_norm=rng.uniform(0.5, 1.5, HIDDEN), rope_base=BASE, end_token=end_token)


def prompt(n, seed=0):
    return np.random.RandomState(seed).randint(3, VOCAB, n).tolist()


def cache_for(model, pool, dtype=np.float64):
    return PagedKVCache(pool, model.shape.kv_heads, model.shape.head_dim, dtype, model.shape.layers)


def norm(x, weight):
    return x / np.sqrt(np.mean(x**2, axis=1, keepdims=True) + 1e-5) * weight


def heads(x, head_dim, turn=True):
    """(heads, tokens, head_dim); a pair of neighbours is a complex number that turns."""
    x = x.reshape(len(x), -1, head_dim).swapaxes(0, 1)
    if not turn:
        return x
    angle = np.outer(np.arange(x.shape[1]), BASE ** (-2 * np.arange(head_dim // 2) / head_dim))
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angle)
    return np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)


def dense(model, tokens):
    """Logits after the last token: all tokens at once, full causal attention head by head."""
    x, dim = model.embedding[list(tokens)], model.shape.head_dim
    for w in model.layers:
        h = norm(x, w["attn_norm"])
        q, k = heads(h @ w["attn_q"].T, dim), heads(h @ w["attn_k"].T, dim)
        v, out = heads(h @ w["attn_v"].T, dim, turn=False), []
        for i, query in enumerate(q):
            mine = i * len(k) // len(q)
            weight = np.tril(np.exp(query @ k[mine].T / np.sqrt(dim)))
            out.append(weight / weight.sum(axis=1, keepdims=True) @ v[mine])
        x = x + np.concatenate(out, axis=1) @ w["attn_output"].T
        h = norm(x, w["ffn_norm"])
        gate = h @ w["ffn_gate"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w["ffn_up"].T)) @ w["ffn_down"].T
    return model.embedding @ norm(x, model.output_norm)[-1]


@lru_cache(None)
def alone(model, prompt, limit, temperature=0.0, seed=0):
    """What the dense model writes after a prompt, a tuple, and its least margin."""
    written, margin, rng = [], np.inf, np.random.RandomState(seed)
    while len(written) < limit and model.end_token not in written:
        logits = dense(model, prompt + tuple(written))
        if temperature:
            logits = logits / temperature + rng.gumbel(size=len(logits))
        margin = min(margin, np.diff(np.sort(logits)[-2:]).item())
        written.append(int(np.argmax(logits)))
    return written, margin


def slow_beams(logits_after, end_token, width, limit):
    """Beam search to the very end: `width` beams go on, and a token that ends one counts if it
    is among the best `width`; [(score, tokens)], best first. `logits_after` tells those after
    some tokens of the answer."""
    going, ended = [(0.0, [])], []
    for _ in range(limit):
        longer = []
        for score, tokens in going:
            chances = np.exp(logits_after(tokens))
            longer += [(score + np.log(c / chances.sum()), [*tokens, i]) for i, c in enumerate(chances)]
        longer.sort(reverse=True)
        ended += [beam for beam in longer[:width] if beam[1][-1] == end_token]
        going = [beam for beam in longer if beam[1][-1] != end_token][:width]
    return sorted(ended + going, reverse=True)[:width]
