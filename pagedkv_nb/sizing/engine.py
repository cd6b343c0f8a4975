"""What a serving engine takes beside weights and KV cache, by its version (engines.csv)."""
from dataclasses import dataclass

from ..facts import fact
from .model import GIB

LARGE = 70  # GiB reported, from which a card counts as large
STAND_IN = (128256, 4096, 14336)  # Llama-3.1-8B, where a model's sizes are not known


@dataclass(frozen=True)
class Engine:
    """A version of an engine: `logits_bytes` for each request and word of the vocabulary in
    a sampled batch, and what lies outside PyTorch, in GiB a GPU.

    From facts/servers.md: formula / logged activations 0.991 in the median of 28 runs of
    0.19; the worst, a mixture of experts, 0.51.
    """

    name: str
    generation: str
    logits_bytes: float
    max_num_seqs: int
    max_num_batched_tokens: int
    small_max_num_seqs: int
    small_max_num_batched_tokens: int
    one_gpu_gib: float
    parallel_gib: float

    @classmethod
    def named(cls, name):
        """An engine of engines.csv; ValueError lists the known names."""
        row = fact("engines", "engine", name)
        return cls(**{field: row[field] for field in cls.__annotations__})

    def load(self, card_gib, longest):
        """The batch it profiles with at start-up: (requests, tokens), by the size of the
        card. V0 reads prompts whole, so up to 32,768 tokens of them at once."""
        if card_gib < LARGE:
            requests, tokens = self.small_max_num_seqs, self.small_max_num_batched_tokens
        else:
            requests, tokens = self.max_num_seqs, self.max_num_batched_tokens
        if self.generation == "V0":
            tokens = max(tokens, min(longest, 32768))
        return requests, tokens

    def activation_bytes(self, model, load, n_gpus=1):
        """Bytes of activations a GPU: the larger of sampling and of one prefill, and 0.1 GiB."""
        requests, tokens = load
        vocab, hidden, inner = model_sizes(model)
        return 0.1 * GIB + max(requests * vocab * self.logits_bytes,
                               6 * tokens * (hidden + inner / n_gpus))

    def outside_gib(self, n_gpus):
        """GiB a GPU outside PyTorch; communication between GPUs adds to it."""
        return self.one_gpu_gib if n_gpus == 1 else self.parallel_gib


def model_sizes(model):
    """Vocabulary, hidden and intermediate size, each of Llama-3.1-8B if not known."""
    known = model.vocab, model.hidden, model.intermediate
    return tuple(size or other for size, other in zip(known, STAND_IN))
