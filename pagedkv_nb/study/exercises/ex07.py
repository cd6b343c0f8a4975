"""Judges of the exercises of notebook 07."""
from itertools import product

from ...prefix import PrefixPool, PrefixRequest, page_keys
from .hints import first_wrong, number


def exercise_1(answer):
    """Tokens computed when a prompt of 16 tokens comes again, with pages of 4."""
    whole = "a page is found whole or not at all, and the question is what is computed"
    last = "the last token is always computed, or nothing could follow it"
    return number(float(answer), 4, {0: last, 1: whole, 12: whole, 15: whole},
                  "which pages may be found, and which holds the last token?")


def exercise_2(answer):
    """Pages that keep an idle page for 114 s when 75 new ones come each second."""
    life = "a page's life is how long the queue before it takes to be used up"
    return number(float(answer), 75 * 114, {
        114 / 75: life, 75 / 114: life, 75 * 114 * 512: "pages are asked for, not tokens"},
        "half of the returns come within the median; how many pages are taken in that time?",
        rel_tol=0.01)


def exercise_3(tokens_found):
    """`tokens_found(known, prompt, page_size)`, with a memory that never forgets."""
    texts = ["".join(tokens) for n in (1, 2, 5) for tokens in product("ab", repeat=n)]
    cases = product([[], *map(list, zip(texts[::4], texts[1::4], texts[2::4]))], texts, (1, 2, 4))
    return first_wrong(tokens_found, ((case, in_our_pool(*case)) for case in cases), why)


def in_our_pool(known, prompt, page_size):
    """The tokens of a prompt that our own pool finds after those it knows."""
    pool = PrefixPool(200, page_size)
    for text in [*known, prompt]:
        request = PrefixRequest(pool, len(text), page_keys(text, page_size))
    return request.n_found


def why(found, right, known, prompt, page_size):
    """What is wrong with a number of tokens found."""
    if found is None or found % page_size:
        return "only whole pages are found"
    if found >= len(prompt):
        return "one token at least is computed"
    least = "more" if found < right else "fewer"
    return f"{least} can be found; compare from the very beginning, with each one known"
