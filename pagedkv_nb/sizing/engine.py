"""What a serving engine takes beside weights and KV cache, by its version (engines.csv), and how
it deals pages out, vLLM's way: layers of one kind form groups of equal size, pages of all kinds
are equally large (its kv_cache_utils.py; 95 % of 104 start-ups that log both memory and tokens
come out within 0.5 %)."""
from types import SimpleNamespace
from typing import NamedTuple

from ..facts import fact, facts
from ..paging import pages_for
from .model import GIB

PAGE_SIZE = 16  # tokens a page of vLLM
VOCAB, HIDDEN, INTERMEDIATE = 128256, 4096, 14336  # of Llama-3.1-8B, where one is not known


class Engine(SimpleNamespace):
    """A version of an engine, its columns of engines.csv as attributes: the batch it profiles
    with, by the size of the card; `logits_bytes` a request and word of the vocabulary when it
    samples; GiB a GPU outside PyTorch; whose CUDA graphs it counts; how it prints tokens."""

    @classmethod
    def named(cls, name):
        """An engine of engines.csv; ValueError lists the known names."""
        return cls(**fact("engines", "engine", name))

    def usable(self, card_gib, n_gpus):
        """The share of a card it takes unless told otherwise; SGLang keeps the rest back for
        activations and graphs."""
        if self.era != "SGLang":
            return self.default_usable
        rows = facts("sglang_reserves").query("engine == @self.name and below_gib > @card_gib")
        kept_mib = rows["fixed_mib"].iloc[0] + n_gpus * rows["per_gpu_mib"].iloc[0]
        return max(0, 1 - kept_mib / (card_gib * 1024))

    def load(self, d):
        """The batch of the start-up's profiling run: (requests, tokens). A GB10 does not tell
        how much memory it has, and an A100 counts as small for newer versions."""
        small = "GB10" in d.gpu or self.a100_counts_small and "A100" in d.gpu
        size = 0 if small else sum(d.card_gib >= int(gib) for gib in self.larger_from_gib.split())
        requests, tokens = (int(by_size.split()[size]) for by_size in (
            self.max_num_seqs, self.max_num_batched_tokens))
        if self.era == "V0" and not self.in_chunks(d):
            tokens = max(tokens, d.longest)
        requests = d.max_num_seqs or requests
        return requests, d.max_num_batched_tokens or min(tokens, requests * d.longest)

    def in_chunks(self, d):
        """Whether V0 reads the prompts of its profile in chunks, and then samples nothing."""
        return self.era == "V0" and d.longest > 32768 and "V100" not in d.gpu

    def overheads(self, d):
        """{what: bytes} of all that lies beside weights and cache of a deployment."""
        if d.overhead_gib is not None:
            return {"your overhead": int(d.n_gpus * d.overhead_gib * GIB)}
        small = d.card_gib < 70 or "GB10" in d.gpu
        several = self.small_parallel_gib if small else self.parallel_gib
        each = {"activations": self.activation_bytes(d), "CUDA graphs": self.graph_bytes(d),
                "outside PyTorch": GIB * (several if d.n_gpus > 1 else self.one_gpu_gib)}
        return {what: int(d.n_gpus * size) for what, size in each.items()}

    def activation_bytes(self, d):
        """Bytes of activations a GPU: the larger of sampling, one prefill (each expert of a token
        has its own) and images."""
        if self.era == "SGLang":
            return 0
        model, (requests, tokens) = d.model, d.load
        words = 0 if self.in_chunks(d) else model.vocab or VOCAB
        hidden, inner = model.hidden or HIDDEN, model.expert_inner / d.n_gpus
        experts = 2 * model.experts_per_token * (max(2 * inner, hidden) + inner)
        dense = 6 * (model.intermediate or INTERMEDIATE) / d.n_gpus
        sampling, prefill = requests * words * self.logits_bytes, 6 * hidden + (experts or dense)
        images = model.image_token_bytes * max(tokens, model.image_tokens)
        return self.base_gib * GIB + max(sampling, tokens * prefill, images)

    def graph_bytes(self, d):
        """Bytes a GPU of the CUDA graphs, where this version counts them: a stand-in, 0.2 GiB
        off in the median of twelve logs. They are captured for batches by 8, then by 16."""
        model, requests, without = d.model, d.load[0], self.graphs.split()
        dense = not model.experts_per_token
        if self.graphs == "none" or dense and ("dense" in without or model.family in without):
            return 0
        captured = sum(3 + min(n, 256) // 8 + max(min(n, 512) - 256, 0) // 16
                       for n in (requests, 2 * requests))
        return (0.05 + 0.025 * (model.layers + model.stateless_layers) * captured / 86) * GIB


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
