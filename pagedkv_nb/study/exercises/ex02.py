"""Judges of the exercises of notebook 02."""
from itertools import combinations, product

from ...contiguous import BuddyAllocator, account
from .hints import first_wrong


def exercise_1(answer):
    """The states of 28 slots when the three requests by hand reserve 9 each."""
    states = tuple(float(x) for x in answer)
    if len(states) != 4:
        return "four numbers are asked for: used, reserved, internal, external"
    right = account(28, 3 * 9, 16, 11)
    if states[:2] != right[:2]:
        return "what is written, and what will be, is not the server's choice"
    if sum(states) != 28:
        return "every slot of the memory is in one state, so the four sum to 28"
    hints = {right[2:]: None, (8, 4): "those are the states of reservations of 8",
             (1, 11): "the order is used, reserved, internal, external",
             (9, 3): "each of the three reservations grows by a slot",
             (2, 10): "27 slots are enough for all three reservations"}
    return hints.get(states[2:], "three reservations of 9: what is left beside them?")


def exercise_2(answer):
    """Rounding and holes of a buddy memory of 64 slots that placed 9, 17 and 5, and whether
    9 more fit."""
    if len(answer) != 3:
        return "three things are asked for: rounding, holes, and whether 9 more fit"
    rounding, holes, fits = (float(x) for x in answer)
    if rounding + holes != 64 - (9 + 17 + 5):
        return "rounding and holes together are all slots that nobody asked for"
    memory = BuddyAllocator(64)
    free = 64 - sum(1 << memory.used_blocks[memory.allocate(size)] for size in (9, 17, 5))
    if rounding == free:
        return "rounding comes first, then the holes"
    if holes != free:
        return "a block is a power of two; a hole is in no block"
    return "a request for 9 needs a block of 16, and one hole that holds it" if fits else None


def exercise_3(best_fit):
    """`best_fit(pieces, slots, size)`: where the smallest hole that is enough lies."""
    memories = [[(a, b - a) for a, b in zip(edges[::2], edges[1::2])]
                for n in (0, 2, 4, 6) for edges in combinations(range(11), n)]
    cases = product(memories, [10], (1, 2, 4))
    return first_wrong(best_fit, ((case, best(*case)) for case in cases), missed, keeps=True)


def enough(pieces, slots, size):
    """{address: size} of the holes between sorted pieces that are large enough, in order."""
    starts = [0, *(address + length for address, length in pieces)]
    ends = [*(address for address, _ in pieces), slots]
    return {start: end - start for start, end in zip(starts, ends) if end - start >= size}


def best(*case):
    """Where the smallest hole that is enough lies, the first of equal ones; None if none is."""
    holes = enough(*case)
    return min(holes, key=holes.get, default=None)


def missed(found, right, *case):
    """What a wrong address forgot."""
    holes = enough(*case)
    if right is None:
        return "no hole is large enough; say so with None"
    if found is None:
        return "there is a hole; before the first piece, or after the last piece?"
    if found not in holes:
        return "no hole begins there that is large enough"
    return ("of equal holes the lowest is asked for" if holes[found] == holes[right]
            else "a smaller hole is enough")
