"""Judges of the exercises of notebook 07."""
from random import Random

from ...prefix import PrefixPool, PrefixRequest, page_keys


def exercise_1(answer):
    """Tokens computed when a prompt of 16 tokens comes again, with pages of 4."""
    computed = float(answer)
    if computed == 0:
        return "the last token is always computed, or nothing could follow it"
    if computed in (1, 12, 15):
        return "a page is found whole or not at all, and the question is what is computed"
    return None if computed == 4 else "which pages may be found, and which holds the last token?"


def exercise_2(answer):
    """Pages that keep an idle page for 114 s when 75 new ones come each second."""
    pages = float(answer)
    if abs(pages - 75 * 114) <= 0.01 * 75 * 114:
        return None
    if abs(pages - 114 / 75) < 0.1 or abs(pages - 75 / 114) < 0.1:
        return "a page's life is how long the queue before it takes to be used up"
    if abs(pages - 75 * 114 * 512) < 512 * 100:
        return "pages are asked for, not tokens"
    return "half of the returns come within the median; how many pages are taken in that time?"


def exercise_3(tokens_found):
    """`tokens_found(known, prompt, page_size)`, with a memory that never forgets."""
    rng = Random(7)
    cases = [([], "abcdefgh", 4), (["abcdefgh"], "abcdefgh", 4), (["abcdefgh"], "abcdefghi", 4),
             (["abcdefg"], "abcdefgh", 4), (["abcdxxxx"], "xxxxabcd", 4)]
    for _ in range(200):
        words = ["".join(rng.choice("ab") for _ in range(rng.randint(1, 14))) for _ in range(4)]
        cases.append((words[:3], words[3], rng.randint(1, 4)))
    return next(filter(None, (judged(tokens_found, *case) for case in cases)), None)


def judged(tokens_found, known, prompt, page_size):
    """A hint on one case, or None if the answer is right."""
    pool = PrefixPool(200, page_size)
    for text in [*known, prompt]:
        request = PrefixRequest(pool, len(text), page_keys(text, page_size))
    found = tokens_found(list(known), prompt, page_size)
    if found == request.n_found:
        return None
    case = f"known {known}, prompt {prompt!r}, pages of {page_size}: "
    if found is None or found % page_size:
        return f"{case}only whole pages are found"
    if found >= len(prompt):
        return f"{case}one token at least is computed"
    least = "more" if found < request.n_found else "fewer"
    return f"{case}{least} can be found; compare from the very beginning, with each one known"
