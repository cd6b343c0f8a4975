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


class Recorder:
    """Stands before a server's memory and notes in each step who holds which slots, when every
    running request has its token and nobody has left yet."""

    def __init__(self, server):
        """Nothing noted; takes the memory's place."""
        self.server, self.memory, self.begin = server, server.memory, server.iteration
        self.pieces, server.memory = Pieces(), self

    def __getattr__(self, name):
        """All else is the memory's."""
        return getattr(self.memory, name)

    def grow(self, preempt):
        """A token for every request, and a look at all of them."""
        self.memory.grow(preempt)
        seen, iteration = {}, self.server.iteration
        for request in self.server.running:
            tokens = request.tokens_before(iteration + 1)
            seen |= places(request.number, self.memory.pieces(request), tokens)
        self.pieces.note(seen, iteration - self.begin)


def record(server, iterations):
    """Step a server that often; the `Pieces.table` of what its requests held then."""
    recorder = Recorder(server)
    for _ in range(iterations):
        server.step()
    server.memory = recorder.memory
    return recorder.pieces.table(iterations)


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
