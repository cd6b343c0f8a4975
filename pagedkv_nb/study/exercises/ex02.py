"""Judges of the exercises of notebook 02."""
from random import Random


def exercise_1(answer):
    """The states of 28 slots when the three requests by hand reserve 9 each."""
    states = [float(x) for x in answer]
    if len(states) != 4:
        return "four numbers are asked for: used, reserved, internal, external"
    if states[:2] != [11, 5]:
        return "what is written, and what will be, is not the server's choice"
    if sum(states) != 28:
        return "every slot of the memory is in one state, so the four sum to 28"
    if states != [11, 5, 11, 1]:
        return "do three reservations still fit, and what is left of the memory?"
    return None


def exercise_2(answer):
    """Rounding and holes of a buddy memory of 64 slots that placed 9, 17 and 5."""
    rounding, holes = (float(x) for x in answer)
    if rounding + holes != 64 - (9 + 17 + 5):
        return "the two together are all slots that nobody asked for"
    return None if holes == 8 else "a block is a power of two; a hole is in no block"


def holes_of(pieces, slots):
    """The (address, size) of each hole between sorted pieces."""
    edges = [*pieces, (slots, 0)]
    starts = [0, *(address + size for address, size in pieces)]
    return [(at, edge - at) for at, (edge, _) in zip(starts, edges) if edge > at]


def exercise_3(best_fit):
    """`best_fit(pieces, slots, size)`: where the smallest hole that is enough lies."""
    rng = Random(3)
    cases = [([], 16, 5), ([(0, 5)], 16, 5), ([(0, 16)], 16, 1), ([(5, 11)], 16, 5),
             ([(6, 4), (14, 2)], 16, 3), ([(4, 1), (9, 1), (14, 2)], 16, 4)]
    cases += drawn(rng)
    return next(filter(None, (judged(best_fit, *case) for case in cases)), None)


def drawn(rng):
    """Memories of 40 slots with random pieces, and sizes asked for."""
    for _ in range(300):
        cuts = sorted(rng.sample(range(41), 2 * rng.randint(1, 6)))
        yield [(a, b - a) for a, b in zip(cuts[::2], cuts[1::2])], 40, rng.randint(1, 9)


def judged(best_fit, pieces, slots, size):
    """A hint on one case, or None if the answer is right."""
    given = list(pieces)
    found = best_fit(given, slots, size)
    enough = {at: length for at, length in holes_of(pieces, slots) if length >= size}
    right = min(enough, key=lambda at: (enough[at], at), default=None)
    hint = "the list of pieces was changed; only say where the hole is"
    if given == pieces:
        hint = None if found == right else missed(found, enough)
    return hint and f"pieces {pieces}, {slots} slots, {size} asked for: {hint}"


def missed(found, enough):
    """What a wrong address forgot; `enough` are the holes that are large enough."""
    if not enough:
        return "no hole is large enough; say so with None"
    if found is None:
        return "there is a hole; before the first piece, or after the last piece?"
    if found not in enough:
        return f"at {found} no hole begins that is large enough"
    return "a smaller hole is enough, or an equal one lies lower"
