"""What the notebooks make of their parameters: objects, or one line that names what was wrong
and what is allowed."""
from numpy.random import RandomState

from ..paging import PagePool
from ..parameter import choice, positive_int, positive_ints
from ..sizing import Model


def random_state(seed):
    """The generator that everything drawn in a notebook comes from."""
    return RandomState(positive_int("seed", seed, most=2**32 - 1, least=0))


def check_memory(memory_slots, max_seq_len):
    """ValueError unless a buddy allocator, whose blocks are powers of two, has room for the
    longest sequence in so many slots."""
    slots = positive_int("memory_slots", memory_slots, most=10**7, why="a large GPU")
    positive_int("max_seq_len", max_seq_len, most=1 << slots.bit_length() - 1)


def pool_for(token_counts, total_pages, page_size):
    """An empty pool with pages for requests of so many tokens, and one token more of each."""
    size = positive_int("page_size", page_size, most=4096)
    needed = sum(n // size + 1 for n in positive_ints("token_counts", token_counts))
    return PagePool(positive_int("total_pages", total_pages, most=10**6, least=needed), size)


def model_with_heads(model):
    """The model of that name, if its cache is K and V of heads."""
    shape = Model.named(model)
    choice("model", model, [model] if shape.kv_heads else ["a model with K and V heads"])
    return shape
