"""Memory through time, recorded: which request holds which slots in which iteration."""
import pandas as pd

COLUMNS = ("request", "first_slot", "slots", "tokens", "start", "end")


class Pieces:
    """Pieces of memory, noted iteration by iteration."""

    def __init__(self):
        """Nothing noted."""
        self.held, self.rows = {}, []

    def note(self, seen, iteration):
        """Note who holds what in an iteration: {(request, first slot, slots): tokens in it}.
        What is gone makes a row; what is new is held from now on."""
        gone = [key for key in self.held if key not in seen]
        self.rows += [(*key, *self.held.pop(key), iteration) for key in gone]
        self.held.update((key, (tokens, iteration)) for key, tokens in seen.items()
                         if key not in self.held)

    def table(self, end):
        """A row for each piece, what is still held up to the iteration `end`; neighbours that
        are one stretch of a request are joined.

        `first_slot` and `slots` say where it lies, `start` and `end` (excluded) in which
        iterations; in the first of them it holds `tokens`, then one more in each, at most
        its `slots` (negative: so many are written elsewhere first).
        """
        self.note({}, end)
        return joined(pd.DataFrame(self.rows, columns=COLUMNS))


def places(number, pieces, tokens):
    """{(request, first slot, slots): tokens in it} of one request that holds those pieces."""
    seen = {}
    for first, slots in pieces:
        seen[number, first, slots] = tokens
        tokens -= slots
    return seen


def record(server, iterations):
    """Step a server that often; the `Pieces.table` of what its requests held then, when every
    one had its token and nobody had left yet."""
    pieces = Pieces()
    for i in range(iterations):
        server.write()
        seen = {}
        for request in server.running:
            tokens = request.tokens_before(server.iteration + 1)
            seen |= places(request.number, server.memory.pieces(request), tokens)
        pieces.note(seen, i)
        server.leave()
    return pieces.table(iterations)


def joined(table):
    """The same pieces with neighbours in one row that are one stretch of a request."""
    table = table.sort_values(["request", "start", "end", "first_slot"])
    before = table.shift()
    same = table["request"] == before["request"]
    same &= (table["start"] == before["start"]) & (table["end"] == before["end"])
    same &= table["first_slot"] == before["first_slot"] + before["slots"]
    same &= table["tokens"] == before["tokens"] - before["slots"]
    stretches = table.groupby((~same).cumsum())
    how = dict.fromkeys(table, "first") | {"slots": "sum"}
    return stretches.agg(how).reset_index(drop=True)
