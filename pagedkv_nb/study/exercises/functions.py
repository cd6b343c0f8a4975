"""The exercises that ask for a function, or a class, and try it."""
from bisect import bisect_left, bisect_right
from itertools import accumulate, combinations, permutations, product

from ...paging import pages_for
from ...prefix import PrefixPool, PrefixRequest, page_keys
from ...sizing import GIB, Deployment, Model
from .exercise import Exercise


def longest(name, gib):
    """The tokens of the longest fp16 sequence of a model that fits, within its maximum."""
    model = Model.named(name)
    return bisect_right(range(1, model.max_context + 1), gib * GIB, key=model.kv_bytes)


def holes(pieces, slots, size):
    """{address: size} of the holes between sorted pieces that are large enough, in order."""
    starts = [0, *(address + length for address, length in pieces)]
    ends = [*(address for address, _ in pieces), slots]
    return {start: end - start for start, end in zip(starts, ends) if end - start >= size}


def cost(lengths, entry, size):
    """Slots of the pages of a size, and `entry` for each line of the block tables."""
    return (size + entry) * sum(pages_for(n, size) for n in lengths)


def likeliest(shares, p):
    """The likeliest words, in order, until they reach p."""
    order = sorted(range(len(shares)), key=lambda word: -shares[word])
    return order[:bisect_left([*accumulate(shares[word] for word in order)], p) + 1]


def admitted(prompts, free_pages, page_size):
    """The numbers of those that have room, the shortest first."""
    order = sorted(range(len(prompts)), key=prompts.__getitem__)
    pages = accumulate(pages_for(prompts[i], page_size) for i in order)
    return [i for i, n in zip(order, pages) if n <= free_pages]


def tokens_found(known, prompt, page_size):
    """The tokens of a prompt that our own pool finds after those it knows."""
    pool = PrefixPool(200, page_size)
    for text in [*known, prompt]:
        request = PrefixRequest(pool, len(text), page_keys(text, page_size))
    return request.n_found


def fewest(name, gpu, n_sequences, n_tokens, counts=(1, 2, 4, 8, 16), holds=Deployment.sequences):
    """The fewest of so many GPUs that hold that many sequences, or None."""
    for n in counts:
        try:
            if holds(Deployment(Model.named(name), gpu, n), n_tokens) >= n_sequences:
                return n
        except ValueError:  # the weights do not fit
            pass
    return None


TEXTS = ["".join(tokens) for n in (1, 2, 5) for tokens in product("ab", repeat=n)]

FUNCTIONS = {
    "1.3": Exercise(longest, {
        "a whole number is asked for": lambda n, *_: not hasattr(n, "__int__") or n != int(n),
        "the model's maximum is less": lambda n, _, name, gib: n > Model.named(name).max_context,
        "local layers stop growing at their window":
            lambda n, _, name, gib: gib * GIB // Model.named(name).kv_bytes_per_token(),
        "K and V are both kept, with two bytes a value": lambda n, _, name, g: longest(name, 2 * g),
        "a value of fp16 has two bytes, not four": lambda n, _, name, g: longest(name, g / 2),
        "a GiB is 2³⁰ bytes": lambda n, _, name, g: longest(name, g * 1e9 / GIB)},
        ("a longer one fits", "that takes more than there is"),
        cases=lambda: [("Llama-3.1-8B", 3), ("Llama-3-70B", 0.25), ("Llama-2-7B", 100),
                       ("Gemma-3-27B", 4), ("Gemma-3-27B", 0.25), ("gpt-oss-20b", 0.5),
                       ("DeepSeek-V3", 1), ("Falcon-7B", 0.001), ("OPT-13B", 0)]),
    "2.3": Exercise(lambda *case: min(found := holes(*case), key=found.get, default=None), {
        "no hole is large enough; say so with None": lambda _, right, *case: right is None,
        "there is a hole; before the first piece, or after the last piece?": None,
        "no hole begins there that is large enough": lambda at, _, *case: at not in holes(*case),
        "of equal holes take the lowest": lambda at, y, *case: holes(*case)[at] == holes(*case)[y]},
        "a smaller hole is enough",
        cases=lambda: product([[(a, b - a) for a, b in zip(edges[::2], edges[1::2])]
                               for n in (0, 2, 4, 6) for edges in combinations(range(11), n)],
                              [10], (1, 2, 4))),
    "5.3": Exercise(lambda n, entry, sizes: min(sizes, key=lambda s: (cost(n, entry, s), s)), {
        "that is none of the sizes": lambda size, _, n, entry, sizes: size not in sizes,
        "of two sizes that cost the same the smaller is asked for":
            lambda size, right, n, entry, _: cost(n, entry, size) == cost(n, entry, right)},
        ("small pages waste little, but each has a line in the block table",
         "empty slots of last pages cost too: round each request's pages up"), keeps=False,
        cases=lambda: product(([7], [5, 16, 17], [100, 300], list(range(1, 900, 23))),
                              (0, 1, 4, 9, 100), ([1, 8, 16], [16, 8, 4], [64, 2, 32, 128, 1]))),
    "6.2": Exercise(likeliest, {
        "the right words; the likeliest comes first": lambda x, y, *_: sorted(x) == sorted(y),
        "that does not reach p; one word more crosses it": lambda x, y, *_: len(x) < len(y),
        "more words than are needed to reach p": lambda x, right, *_: len(x) > len(right)},
        "there are likelier words than these", keeps=False,
        cases=lambda: product([[part / 16 for part in parts] for n in (1, 2, 3, 4)
                               for parts in permutations(range(1, 17), n) if sum(parts) == 16],
                              (0.1, 0.25, 0.5, 0.6, 1.0))),  # sums without rounding
    "6.3": Exercise(admitted, {
        "each is the number of a prompt, once": lambda x, _, prompts, *rest:
            {*x} - {*range(len(prompts))} or len({*x}) < len(x),
        "the right ones in another order; the shortest first, of equals the first":
            lambda x, right, *_: sorted(x) == sorted(right),
        "a prompt takes whole pages, and they run out sooner": lambda x, y, *_: len(x) > len(y),
        "there is room for more": lambda x, right, *_: len(x) < len(right)},
        "a shorter prompt is still waiting, or an equal one before it",
        cases=lambda: product([list(lengths) for n in range(4)
                               for lengths in product((5, 8, 9, 40), repeat=n)],
                              (0, 1, 2, 4, 8), [8])),
    "7.3": Exercise(tokens_found, {
        "the number of tokens is asked for": lambda n, *_: not hasattr(n, "__int__") or n != int(n),
        "only whole pages are found; tokens are counted": lambda n, _, k, p, size: n % size != 0,
        "one token at least is computed": lambda n, _, known, prompt, size: n >= len(prompt)},
        ("more can be found; look at all pages before the last token, in each one known",
         "fewer can be found; compare with one at a time, from the very beginning"),
        cases=lambda: product([[], *map(list, zip(TEXTS[::4], TEXTS[1::4], TEXTS[2::4]))], TEXTS,
                              (1, 2, 4))),
    "8.3": Exercise(lambda prompts, decoding, budget: [
        decoding + min(budget - decoding, sum(prompts) - start)
        for start in range(0, sum(prompts), budget - decoding)], {
        "an iteration passes more than the budget": lambda x, _, p, d, most: max([0, *x]) > most,
        "the last passes no prompt: they have all passed before": lambda x, y, *_: x[:len(y)] == y,
        "the decoding requests pass a token each in every iteration":
            lambda x, right, _, decoding, budget: x == [n - decoding for n in right],
        "the last passes what is left, and the decoding tokens": lambda x, y, *_: x[:-1] == y[:-1],
        "fill each iteration up to the budget, across prompts": lambda x, y, *_: len(x) >= len(y)},
        "the decoding requests take a token each of the budget, in every iteration",
        cases=lambda: [([5, 3], 1, 4), ([10], 2, 5), ([3, 4], 1, 5), ([4], 0, 4), ([], 3, 8),
                       ([1, 1, 1], 3, 4), ([6], 1, 4)]),
    "9.3": Exercise(lambda tables: [[[*dict.fromkeys(sum(tables, []))].index(page)
                                     for page in table] for table in tables], {
        "each table keeps its length": lambda x, y, _: [*map(len, x)] != [*map(len, y)],
        "the same page must keep its name in all tables": lambda x, right, tables:
            len({*zip(sum(tables, []), sum(x, []))}) != len({*sum(tables, [])}),
        "two pages may not have one name": lambda x, y, _: len({*sum(x, [])}) < len({*sum(y, [])})},
        "names count up from 0 as pages first appear",
        cases=lambda: [([],), ([[7]],), ([[5, 3], [3, 9]],), ([[2, 4], [], [4, 2, 8], [1]],)]),
    "10.3": Exercise(fewest, {
        "only 1, 2, 4, 8 and 16 are asked about": lambda n, _, *c: fewest(*c, counts=range(1, 17)),
        "16 GPUs are asked about too": lambda n, _, *case: fewest(*case, counts=(1, 2, 4, 8)),
        "one GPU may do": lambda n, _, *case: fewest(*case, counts=(2, 4, 8, 16)),
        "with more GPUs than KV heads each head is stored more than once": lambda n, _, *case:
            fewest(*case, holds=lambda d, n: d.kv_budget_bytes // d.model.kv_bytes(n)),
        "many are asked for, not one": lambda n, _, name, gpu, k, each: fewest(name, gpu, 1, each),
        "local layers stop growing at their window": lambda n, _, *case: fewest(
            *case, holds=lambda d, n: d.kv_budget_bytes // n // d.model.kv_bytes_on(d.n_gpus, 1)),
        "that is the moment of admission": lambda n, _, *c: fewest(*c, holds=Deployment.admitted),
        "fp16 has two bytes": lambda n, _, *c: fewest(*c, holds=lambda d, n: d.sequences(n, "fp8")),
        "16 are too few there, which None says": lambda n, right, *_: right is None,
        "it can be done with 16 or fewer": None},
        ("they do not hold as many", "fewer do"),
        cases=lambda: [
            ("Llama-3.1-8B", "H100-80GB", 1, 1000), ("DeepSeek-V3", "A100-40GB", 1, 100),
            ("DeepSeek-V3", "H100-80GB", 1, 2**15), ("Llama-3.1-8B", "L4-24GB", 100, 2048),
            ("Llama-3.1-8B", "L4-24GB", 1000, 2048), ("Gemma-3-27B", "L40S-48GB", 30, 2**15),
            ("gpt-oss-20b", "A100-80GB", 80, 2**15)]),
}
