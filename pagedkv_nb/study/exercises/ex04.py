"""The judges of notebook 04."""
from ...paging import PagedRequest, PagePool
from .hints import number


def exercise_1(answer):
    """Copies if the prompt's own table is freed before ten requests write."""
    return number(answer, 9, {10: "the last to write: who else holds the page by then?"},
                  "each writer copies only while somebody else still holds the partly filled page")


def exercise_2(answer):
    """Pages of 64 that ten requests of 200 + 100 tokens use, the prompt's table freed."""
    few = "300 tokens need five pages of 64: how many of them are not the prompt's?"
    own = "the prompt's own table holds a page of its own until it is freed"
    return number(answer, 23, {24: own, 14: few, 13: few},
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
        if [beam.n_tokens for beam in beams] != lengths:
            return "each new beam has one token more than the beam it continues"
        if [beam.block_table[:len(pages)] for beam, pages in zip(beams, full)] != full:
            return "a new beam must keep sharing the full pages of the beam it continues"
        if pool.n_used > len({page for beam in beams for page in beam.block_table}):
            return "pages are left over that no beam holds: who frees the dropped beams?"
        if len({beam.block_table[-1] for beam in beams}) < len(beams):
            return "two beams write into the same last page: append to each, it copies"
    return None
