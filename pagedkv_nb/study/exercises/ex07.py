"""Judges of the exercises of notebook 07."""
from itertools import product

from ...prefix import PrefixPool, PrefixRequest, page_keys
from .hints import first_wrong, number, whole


def exercise_1(answer):
    """Tokens computed when a prompt of 16 tokens comes again, with pages of 4."""
    last = "the last token is always computed, or nothing could follow it"
    pages = "a page is found whole or computed whole"
    return number(float(answer), 16 - in_our_pool(["a" * 16], "a" * 16, 4), {
        0: last, 1: pages, 15: pages, 12: "so many are found, and the question is what is computed",
        16: "it has been there before, and nothing is forgotten"},
        "count tokens: which pages may be found, and which of them holds the last token?")


def exercise_2(answer):
    """Pages that keep an idle page for 135 s when 75 new ones come each second."""
    life = "a page's life is how long the queue before it takes to be used up"
    half = "half of the returns come within the median; how many pages are taken in that time?"
    median = "half is the median of the return times, without the system prompt"
    return number(float(answer), 75 * 135, {
        135 / 75: life, 75 / 135: life, 75 * 135 * 512: "pages are asked for, not tokens",
        75 * 72: median, 75 * 291: median, 75 * 114: median,
        75 * 135 / 2: "half of the returns is no half of the pages", 75: "that is one second",
        135: "so many seconds, and in each of them new pages come"}, half, rel_tol=0.01)


def exercise_3(tokens_found):
    """`tokens_found(known, prompt, page_size)`, with a memory that never forgets."""
    texts = ["".join(tokens) for n in (1, 2, 5) for tokens in product("ab", repeat=n)]
    cases = product([[], *map(list, zip(texts[::4], texts[1::4], texts[2::4]))], texts, (1, 2, 4))
    return first_wrong(tokens_found, ((case, in_our_pool(*case)) for case in cases), why,
                       keeps=True)


def in_our_pool(known, prompt, page_size):
    """The tokens of a prompt that our own pool finds after those it knows."""
    pool = PrefixPool(200, page_size)
    for text in [*known, prompt]:
        request = PrefixRequest(pool, len(text), page_keys(text, page_size))
    return request.n_found


def why(found, right, known, prompt, page_size):
    """What is wrong with a number of tokens found."""
    if not whole(found):
        return "the number of tokens is asked for"
    if found % page_size:
        return "only whole pages are found, and tokens are counted"
    if found >= len(prompt):
        return "one token at least is computed"
    if found < right:
        return "more can be found; look at all pages before the last token, in each one known"
    return "fewer can be found; compare with one at a time, from the very beginning"
