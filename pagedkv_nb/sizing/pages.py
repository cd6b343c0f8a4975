"""From memory to tokens, the way vLLM deals its pages out: layers of one kind form groups of
equal size, pages of all kinds are equally large (its kv_cache_utils.py; 95 % of 104 start-ups
that log both come out within 0.5 %)."""
from typing import NamedTuple

from ..paging import pages_for

PAGE_SIZE = 16  # tokens a page of vLLM


class Kind(NamedTuple):
    """Layers that keep the same: bytes a token of one layer on one GPU, or of its state."""

    layers: int
    page_tokens: int  # a page of this kind; of a state: between two copies of it
    page_bytes: int  # a page of one layer
    keeps: str  # full, window, chunk, state


def kinds_of(model, n_gpus, dtype, grouped):
    """The kinds of layers of a model on one of n GPUs; without groups every layer keeps all."""
    own = {"full": (model.layers - model.local_layers, model.layer_bytes_on(n_gpus, dtype)),
           "chunk" if model.chunked else "window":
               (model.local_layers, model.layer_bytes_on(n_gpus, dtype, local=True))}
    own = {keeps: found for keeps, found in own.items() if found[0]}
    if not grouped:
        own = {"full": (model.layers, sum(n * size for n, size in own.values()) / model.layers)}
    state = model.state_bytes / n_gpus if grouped else 0
    page = PAGE_SIZE * max(size for _, size in own.values())
    page *= max(pages_for(state, page), 1)  # so that a state fits in
    kinds = [Kind(n, int(page // size), page, keeps) for keeps, (n, size) in own.items()]
    return kinds + [Kind(model.state_layers, kinds[0].page_tokens, page, "state")] * (state > 0)


class Layout:
    """How one GPU's memory for the KV cache is cut into pages, and what a request takes."""

    def __init__(self, model, n_gpus, dtype, engine, batch_tokens):
        """The groups of layers of a model under an engine of engines.csv: as large as the rarest
        kind of layers, or as the most frequent one if that has hardly more."""
        self.model, self.engine, self.batch_tokens = model, engine, batch_tokens
        self.kinds = kinds_of(model, n_gpus, dtype, engine.merge_below > 0)
        counts = [kind.layers for kind in self.kinds]
        rarest, most = min(counts), max(counts)
        self.size = most if most < engine.merge_below * rarest else rarest
        self.groups = [pages_for(kind.layers, self.size) for kind in self.kinds]
        self.page_bytes = self.kinds[0].page_bytes * self.size  # of a group

    def pages_of(self, kind, n_tokens):
        """Pages of one group at admission; beside a window lies what is computed."""
        if kind.keeps == "state":
            every = self.engine.mamba_every_block and self.model.state == "mamba"
            return pages_for(n_tokens, kind.page_tokens) if every else self.engine.state_pages
        window, ahead = self.model.window, self.batch_tokens
        kept = {"full": n_tokens, "chunk": window + ahead,
                "window": window - 1 + ahead * self.engine.batches_in_flight}[kind.keeps]
        return pages_for(min(n_tokens, kept), kind.page_tokens) + (kind.keeps == "window")

    def pages_of_request(self, n_tokens):
        """Pages of a request of n tokens at admission, over all groups."""
        return sum(n * self.pages_of(kind, n_tokens) for n, kind in zip(self.groups, self.kinds))

    def concurrency(self, kv_bytes, n_tokens):
        """Requests of n tokens that memory admits at once."""
        return kv_bytes // self.page_bytes / self.pages_of_request(n_tokens)

    def tokens(self, kv_bytes, longest):
        """The tokens that the engine prints for so many bytes on one GPU."""
        n_pages = int(kv_bytes // self.page_bytes)
        if len(self.kinds) == 1 and self.kinds[0].keeps == "full":
            return n_pages * self.kinds[0].page_tokens
        if self.engine.printed == "tokens":
            return int(self.concurrency(kv_bytes, longest) * longest)
        return n_pages // sum(self.groups) * min(kind.page_tokens for kind in self.kinds)
