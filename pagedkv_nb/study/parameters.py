"""What the notebooks make of their parameters: objects, or one line that names what was wrong
and what is allowed."""
from numpy.random import RandomState

from ..facts import facts
from ..paging import PagePool, pages_for
from ..parameter import choice, number, positive_int, positive_ints, shown
from ..sizing import Deployment, Model
from ..traffic import read_workload


def random_state(seed):
    """The generator that everything drawn in a notebook comes from."""
    return RandomState(positive_int("seed", seed, most=2**32 - 1, least=0))


def check_memory(memory_slots, max_seq_len):
    """ValueError unless a buddy allocator, whose blocks are powers of two, has room for the
    longest sequence in so many slots."""
    slots = positive_int("memory_slots", memory_slots, most=10**7, why="a large GPU")
    positive_int("max_seq_len", max_seq_len, most=1 << slots.bit_length() - 1)


def check_iterations(iterations, requests, memory_slots):
    """ValueError for fewer than 5,000 steps, or if more than a million requests are served."""
    most = 1e6 * requests.lengths.mean() * requests.output.mean()  # slots x iterations
    why = "a million requests"
    positive_int("memory_slots", memory_slots, int(most / 5000), 1, f"{why} in 5,000 iterations")
    positive_int("iterations", iterations, int(min(1e6, most / memory_slots)), 5000, why)


def pool_for(token_counts, total_pages, page_size):
    """An empty pool with pages for requests of so many tokens, and one token more of each."""
    size = positive_int("page_size", page_size, most=4096)
    needed = sum(n // size + 1 for n in positive_ints("token_counts", token_counts))
    return PagePool(positive_int("total_pages", total_pages, most=10**6, least=needed), size)


def model_with_heads(model):
    """The model of that name, if its cache is K and V of heads."""
    shape = Model.named(model)
    heads = shape.kv_heads and shape.kv_heads * shape.head_dim <= 2**16
    choice("model", model, [model] if heads else ["a model with K and V heads, 65,536 wide in all"])
    return shape


def check_sharing(prompt_tokens, answer_tokens, max_requests, page_size, n_outputs):
    """ValueError for sizes of notebook 04 that take more than seconds."""
    tokens = positive_int("prompt_tokens", prompt_tokens, 10**5)
    tokens += positive_int("answer_tokens", answer_tokens, 10**5)
    pages = pages_for(tokens, positive_int("page_size", page_size, 4096))
    positive_int("max_requests", max_requests, max(2, min(500, 250_000 // pages)), 2,
                 "500, or 250,000 pages")
    if sum(positive_ints("n_outputs", n_outputs)) > 300:
        raise ValueError(f"{shown('n_outputs', n_outputs)}: must add up to at most 300 outputs")


def check_sweep(batch_sizes, max_seq_len, page_size, n_seeds, iterations):
    """ValueError for sizes of notebook 05 that take minutes."""
    lengths = sum(positive_ints("batch_sizes", batch_sizes, most=10**6))
    positive_int("max_seq_len", max_seq_len, 10**9, 2048)
    positive_int("page_size", page_size, 2048)
    positive_int("n_seeds", n_seeds, 10**7 // lengths, 2, "10 million lengths in all")
    if positive_int("iterations", iterations, 3 * 10**5, 0, "0: chosen for you"):
        positive_int("iterations", iterations, 3 * 10**5, 1000, "0: chosen for you")


def longest_request(context_limit, model, slots):
    """The limit; for 0 the model's own maximum, or what so many slots can hold if that is less."""
    if positive_int("context_limit", context_limit, slots, 0, "what the memory can hold"):
        return context_limit
    known = positive_int("context_limit", model.max_context, why="the model names no maximum")
    return min(known, slots)


def served(workload, rng, limit, slots):
    """The requests within a limit; ValueError if to serve them so many at once takes minutes."""
    requests = read_workload(workload, 20_000, rng).within(limit)
    at_once = int(slots / requests.lengths.mean())
    most = int(min(45_000, 990 * requests.output.mean()))  # 1,000 iterations: a million requests
    if at_once > most:
        raise ValueError(f"{shown('workload', workload)}: {slots:,} slots hold {at_once:,} of its "
                         f"requests, cut at {limit:,} tokens, must be at most {most:,}")
    return requests


def check_writing(page_size, max_tokens, temperature, seed):
    """ValueError for sizes of notebook 06 that take minutes."""
    positive_int("page_size", page_size, 128)
    positive_int("max_tokens", max_tokens, 128, why="minutes on a CPU")
    positive_int("seed", seed, 2**31, 0)
    number("temperature", temperature, most=10)


def slots_of(memory_slots, model, gpu, n_gpus, memory_gib=0.0):
    """The slots; of 0 those the paper had for this model and GPUs, or what is left on them."""
    paper = facts("published").query("topic == 'paper_memory'").set_index("case")["value"]
    slots = positive_int("memory_slots", memory_slots, most=10**7, least=0)
    if not number("memory_gib", memory_gib, most=2**30):
        slots = slots or int(paper.get(f"{model.name} on {n_gpus} x {gpu}", 0))
    return slots or Deployment(model, gpu, n_gpus, memory_gib=memory_gib).token_slots()


def short_requests(workload, seed, max_seq_len, memory_slots):
    """20,000 requests that stay below a length for which such a memory, of a page, has room."""
    check_memory(positive_int("memory_slots", memory_slots, least=16), max_seq_len)
    drawn = read_workload(workload, 20_000, random_state(seed))
    return drawn.shorter_than(max_seq_len, "max_seq_len")


def check_runs(rate, duration_s, latency_limit_s, n_requests):
    """ValueError for runs of notebook 08 that take more than minutes."""
    number("rate", rate, 0.01, 100)
    number("duration_s", duration_s, 60, 7200)
    number("latency_limit_s", latency_limit_s, 0.05, 60)
    positive_int("n_requests", n_requests, most=10**5, least=500)
