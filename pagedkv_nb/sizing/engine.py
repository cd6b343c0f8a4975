"""What a serving engine takes beside weights and KV cache, by its version (engines.csv)."""
from types import SimpleNamespace

from ..facts import fact, facts
from .model import GIB

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
        if self.generation != "SGLang":
            return self.default_usable
        rows = facts("sglang_reserves").query("engine == @self.name and below_gib > @card_gib")
        kept_mib = rows["fixed_mib"].iloc[0] + n_gpus * rows["per_gpu_mib"].iloc[0]
        return max(0, 1 - kept_mib / (card_gib * 1024))

    def load(self, gpu, card_gib, longest):
        """The batch of the start-up's profiling run: (requests, tokens). A GB10 does not tell
        how much memory it has, and an A100 counts as small for newer versions."""
        small = "GB10" in gpu or self.a100_counts_small and "A100" in gpu
        size = 0 if small else sum(card_gib >= int(gib) for gib in self.larger_from_gib.split())
        requests, tokens = (int(by_size.split()[size]) for by_size in (
            self.max_num_seqs, self.max_num_batched_tokens))
        if self.generation == "V0" and not self.in_chunks(gpu, longest):
            tokens = max(tokens, longest)
        return requests, tokens

    def in_chunks(self, gpu, longest):
        """Whether V0 reads the prompts of its profile in chunks, and then samples nothing."""
        return self.generation == "V0" and longest > 32768 and "V100" not in gpu

    def overheads(self, d):
        """{what: bytes} of all that lies beside weights and cache of a deployment."""
        if d.overhead_gib is not None:
            return {"your overhead": int(d.n_gpus * d.overhead_gib * GIB)}
        chunks, n = self.in_chunks(d.gpu, d.longest), d.n_gpus
        small = d.card_gib < 70 or "GB10" in d.gpu
        several = self.small_parallel_gib if small else self.parallel_gib
        return {"activations": int(n * self.activation_bytes(d.model, d.load, n, chunks)),
                "CUDA graphs": int(n * self.graph_bytes(d.model, d.load[0])),
                "outside PyTorch": int(n * GIB * (several if n > 1 else self.one_gpu_gib))}

    def activation_bytes(self, model, load, n_gpus=1, in_chunks=False):
        """Bytes of activations a GPU: the larger of sampling, one prefill and images."""
        if self.generation == "SGLang":
            return 0
        requests, tokens = load
        sampled = 0 if in_chunks else requests * (model.vocab or VOCAB) * self.logits_bytes
        images = model.image_token_bytes * max(tokens, model.image_tokens)
        return self.base_gib * GIB + max(sampled, images, prefill_bytes(model, tokens, n_gpus))

    def graph_bytes(self, model, requests):
        """Bytes a GPU of the CUDA graphs, where this version counts them: a stand-in, 0.2 GiB
        off in the median of twelve logs. They are captured for batches by 8, then by 16."""
        dense = not model.experts_per_token
        if (self.graphs == "none" or self.graphs == "mixtures" and dense
                or dense and model.family in self.graphs.split()):
            return 0
        captured = sum(3 + min(n, 256) // 8 + max(min(n, 512) - 256, 0) // 16
                       for n in (requests, 2 * requests))
        return (0.05 + 0.025 * (model.layers + model.stateless_layers) * captured / 86) * GIB


def prefill_bytes(model, tokens, n_gpus):
    """Bytes a GPU of the activations of one prefill; each expert of a token has its own."""
    hidden, inner = model.hidden or HIDDEN, model.expert_inner / n_gpus
    experts = 2 * model.experts_per_token * (max(2 * inner, hidden) + inner)
    return tokens * (6 * hidden + (experts or 6 * (model.intermediate or INTERMEDIATE) / n_gpus))
