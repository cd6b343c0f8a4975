"""Memory through time: which request holds which slots in which iteration."""
from itertools import chain

import pandas as pd


def pieces_through_time(frames):
    """A row for each piece of memory in the frames, which say who holds what in each iteration:
    {(request, first slot, slots): tokens in it}; neighbours that are one stretch are joined. From
    `start` to `end` (excluded) it holds `tokens`, then one more in each iteration, at most its
    `slots` (negative: so many are written elsewhere first)."""
    held, rows = {}, []
    for iteration, seen in enumerate(chain(frames, [{}])):
        gone = [key for key in held if key not in seen]
        rows += [(*key, *held.pop(key), iteration) for key in gone]
        new = [key for key in seen if key not in held]
        held |= {key: (seen[key], iteration) for key in new}
    columns = ["request", "first_slot", "slots", "tokens", "start", "end"]
    return joined(pd.DataFrame(rows, columns=columns))


def places(number, pieces, tokens):
    """{(request, first slot, slots): tokens in it} of one request that holds those pieces."""
    seen = {}
    for first, slots in pieces:
        seen[number, first, slots] = tokens
        tokens -= slots
    return seen


def record(server, iterations):
    """Step a server that often; its `pieces_through_time`, each seen before anybody leaves."""
    def frames():
        for _ in range(iterations):
            server.write()
            yield {place: tokens for request in server.running for place, tokens in places(
                request.number, server.memory.pieces(request),
                request.tokens_before(server.iteration + 1)).items()}
            server.leave()
    return pieces_through_time(frames())


def joined(table):
    """The same pieces with neighbours in one row that are one stretch of a request."""
    table = table.sort_values(["request", "start", "end", "first_slot"])
    change, slots = table.diff(), table["slots"].shift()
    same = (change[["request", "start", "end"]] == 0).all(axis=1)
    same &= (change["first_slot"] == slots) & (change["tokens"] == -slots)
    stretches = table.groupby((~same).cumsum())
    how = dict.fromkeys(table, "first") | {"slots": "sum"}
    return stretches.agg(how).reset_index(drop=True)
