"""What a serving engine takes beside weights and KV cache, by its version (engines.csv)."""
from dataclasses import dataclass

from ..facts import fact, facts
from .model import GIB

STAND_IN = {"vocab": 128256, "hidden": 4096, "intermediate": 14336}  # Llama-3.1-8B


@dataclass(frozen=True)
class Engine:
    """A version of an engine: the batch it profiles with at start-up, by the size of the
    card; what a request and word of the vocabulary take in a sampled batch; GiB a GPU outside
    PyTorch; the models whose CUDA graphs it counts; how it turns memory into tokens.

    From the engines' sources and from the start-ups of kv_logs.csv. SGLang keeps all but a
    share of the card back, activations and graphs included.
    """

    name: str
    generation: str
    default_usable: float
    logits_bytes: float
    max_num_seqs: int
    max_num_batched_tokens: int
    small_max_num_seqs: int
    small_max_num_batched_tokens: int
    large_from_gib: float
    a100_counts_small: int
    huge_from_gib: float
    huge_max_num_batched_tokens: int
    base_gib: float
    one_gpu_gib: float
    parallel_gib: float
    small_parallel_gib: float
    graphs: str
    merge_below: float
    printed: str
    batches_in_flight: int
    state_pages: int
    mamba_every_block: int

    @classmethod
    def named(cls, name):
        """An engine of engines.csv; ValueError lists the known names."""
        row = fact("engines", "engine", name)
        return cls(**{field: row[field] for field in cls.__annotations__})

    def usable(self, card_gib, n_gpus):
        """The share of a card it takes unless told otherwise; SGLang's comes from tables of
        what it keeps back."""
        if self.generation != "SGLang":
            return self.default_usable
        rows = facts("sglang_reserves").query("engine == @self.name and below_gib > @card_gib")
        kept_mib = rows["fixed_mib"].iloc[0] + n_gpus * rows["per_gpu_mib"].iloc[0]
        return 1 - kept_mib / (card_gib * 1024)

    def is_large(self, gpu, card_gib):
        """Whether a card counts as large. One that shares its memory with the host does not
        tell how much it has, and an A100 is small for newer versions."""
        small = "GB10" in gpu or self.a100_counts_small and "A100" in gpu
        return not small and card_gib >= self.large_from_gib

    def load(self, gpu, card_gib, longest):
        """The batch of the start-up's profiling run: (requests, tokens)."""
        if self.is_large(gpu, card_gib):
            huge = card_gib >= self.huge_from_gib
            requests, tokens = self.max_num_seqs, self.max_num_batched_tokens
            tokens = self.huge_max_num_batched_tokens if huge else tokens
        else:
            requests, tokens = self.small_max_num_seqs, self.small_max_num_batched_tokens
        if self.generation == "V0" and not self.in_chunks(gpu, longest):
            tokens = max(tokens, longest)
        return requests, tokens

    def in_chunks(self, gpu, longest):
        """Whether V0 reads the prompts of its profile in chunks, and then samples nothing."""
        return self.generation == "V0" and longest > 32768 and "V100" not in gpu

    def activation_bytes(self, model, load, n_gpus=1, in_chunks=False):
        """Bytes of activations a GPU: the larger of sampling and of one prefill."""
        if self.generation == "SGLang":
            return 0
        (requests, tokens), sizes = load, known_sizes(model)
        sampled = requests * sizes["vocab"] * self.logits_bytes
        return self.base_gib * GIB + max(0 if in_chunks else sampled,
                                         prefill_bytes(model, tokens, n_gpus),
                                         model.image_bytes(tokens))

    def graph_bytes(self, model, requests):
        """Bytes a GPU of the CUDA graphs, where this version takes them off: a stand-in,
        0.2 GiB off in the median of twelve logs."""
        dense = not model.experts_per_token
        if (self.graphs == "none" or self.graphs == "mixtures" and dense
                or dense and model.family in self.graphs.split()):
            return 0
        sizes = 3 + min(2 * requests, 256) // 8 + max(min(2 * requests, 512) - 256, 0) // 16
        full = 3 + min(requests, 256) // 8 + max(min(requests, 512) - 256, 0) // 16
        layers = model.layers + model.stateless_layers
        return (0.05 + 0.025 * layers * (sizes + full) / 86) * GIB

    def outside_gib(self, gpu, card_gib, n_gpus):
        """GiB a GPU outside PyTorch; communication between GPUs adds to it."""
        if n_gpus == 1:
            return self.one_gpu_gib
        large = card_gib >= 70 and "GB10" not in gpu
        return self.parallel_gib if large else self.small_parallel_gib


def known_sizes(model):
    """Vocabulary, hidden and intermediate size, each of Llama-3.1-8B if not known."""
    return {name: getattr(model, name) or other for name, other in STAND_IN.items()}


def prefill_bytes(model, tokens, n_gpus):
    """Bytes a GPU of the activations of one prefill; each expert of a token has its own."""
    sizes, inner = known_sizes(model), model.expert_inner / n_gpus
    if model.experts_per_token:
        each = 2 * model.experts_per_token * (max(2 * inner, sizes["hidden"]) + inner)
        return tokens * (each + 6 * sizes["hidden"])
    return 6 * tokens * (sizes["hidden"] + sizes["intermediate"] / n_gpus)
