"""Memory through time, recorded: which request holds which slots in which iteration."""
import pandas as pd


class Recorder:
    """Stands before a server's memory and notes at each account who holds which slots:
    every running request has its token then, and nobody has left yet."""

    def __init__(self, server):
        """Nothing noted; takes the memory's place."""
        self.server, self.memory, self.begin = server, server.memory, server.iteration
        self.held, self.rows = {}, []
        server.memory = self

    def __getattr__(self, name):
        """All else is the memory's."""
        return getattr(self.memory, name)

    def account(self, final, used):
        """The memory's account, after a look at every request."""
        seen = {}
        for request in self.server.running:
            tokens = request.tokens_before(self.server.iteration + 1)
            for place in self.memory.pieces(request):
                seen[request.number, *place] = tokens
                tokens -= place[1]
        self.note(seen, self.server.iteration - self.begin)
        return self.memory.account(final, used)

    def note(self, seen, now):
        """What is gone makes a row; what is new is held from now on."""
        held = self.held
        self.rows += [(*key, *held.pop(key), now) for key in [*held] if key not in seen]
        held.update((key, (seen[key], now)) for key in seen if key not in held)


def record(server, iterations):
    """Step a server that often; a row for each piece of memory a request held then.

    `first_slot` and `slots` say where it lies, `start` and `end` (excluded) in which
    iterations; in the first of them it holds `tokens`, then one more in each, at most
    its `slots` (negative: so many are written elsewhere first).
    """
    recorder = Recorder(server)
    server.run(iterations)
    server.memory = recorder.memory
    recorder.note({}, iterations)
    columns = ["request", "first_slot", "slots", "tokens", "start", "end"]
    return joined(pd.DataFrame(recorder.rows, columns=columns))


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
