"""The judges of notebook 04."""
from ...paging import PagedRequest, PagePool
from .hints import number


def ten_writers(page_size):
    """(copies, pages in use) of ten forks of 200 tokens that write 100 each, the prompt's own
    table freed before."""
    pool = PagePool(200, page_size)
    prompt = PagedRequest(pool)
    prompt.append(200)
    forks = [prompt.fork() for _ in range(10)]
    prompt.free()
    copies = sum(fork.append() is not None for fork in forks)
    for fork in forks:
        fork.append(99)
    return copies, pool.n_used


def exercise_1(answer):
    """Copies if the prompt's own table is freed before ten requests write."""
    full = "a full page is never written to, so never copied: only the last one is"
    in_use = "those are pages in use; asked for are the pages copied"
    return number(answer, ten_writers(16)[0], {
        10: "the last to write: who else holds the page by then?",
        8: "the first to write copies as well: nine others hold the page",
        11: "the prompt's own table writes nothing, and is gone",
        1: "not one in all: everyone copies who finds another holder",
        0: "200 is no multiple of 16, so the last page is written to, and others hold it",
        12: full, 13: full, 117: full, 130: full, 120: full, 22: in_use, 21: in_use, 23: in_use},
        "each writer copies only while somebody else still holds the partly filled page")


def exercise_2(answer):
    """Pages of 64 that ten requests of 200 + 100 tokens use, the prompt's table freed."""
    few = "300 tokens need five pages of 64: how many of them are not the prompt's?"
    once = "the prompt's full pages are shared: they count once, not for each request"
    begun = "the prompt's fourth page is only begun: it is copied, and its table freed"
    return number(answer, ten_writers(64)[1], {
        24: begun, 14: few, 13: few, 50: once, 53: once, 30: few, 33: few,
        82: "that is for pages of 16", 22: "those are pages of 16, one token after the prompt",
        4 + 10 * 5: once, 20: "the shared pages are in use as well",
        10 * 300 / 64: "a request takes whole pages", 47: "each request takes whole pages"},
        "only the prompt's full pages stay shared; count them once, the rest ten times")


def exercise_3(beam_step):
    """A step of beam search on copy on write."""
    pool = PagePool(64, 4)
    first = PagedRequest(pool)
    first.append(6)
    beams = [first, first.fork(), first.fork()]
    for parents in ([0, 0, 2], [2, 1, 2], [0, 1, 1], [1, 0]):
        lengths = [beams[p].n_tokens + 1 for p in parents]
        full = [beams[p].block_table[:beams[p].n_tokens // 4] for p in parents]
        beams = list(beam_step(beams, parents))
        if hint := wrong_beams(pool, beams, lengths, full):
            return hint
    return None


def wrong_beams(pool, beams, lengths, full):
    """What is wrong with new beams that should have those lengths and begin with those pages."""
    if len(beams) != len(lengths):
        return "there is a new beam for each parent"
    if len(set(map(id, beams))) < len(beams):
        return "two new beams are one and the same request: one of them must be a fork"
    if {1} == {beam.n_tokens for beam in beams}:
        return "a beam that was freed is empty: fork from it before"
    if [beam.n_tokens for beam in beams] != lengths:
        return "each new beam has one token more than the beam it continues"
    if [beam.block_table[:len(pages)] for beam, pages in zip(beams, full)] != full:
        return "a new beam must keep sharing the full pages of the beam it continues"
    if pool.n_used > len({page for beam in beams for page in beam.block_table}):
        return "pages are left over that no beam holds: who frees the dropped beams?"
    if len({beam.block_table[-1] for beam in beams}) < len(beams):
        return "two beams write into the same last page: append to each, it copies"
    return None
