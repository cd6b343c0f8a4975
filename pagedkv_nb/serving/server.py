"""A server stepped iteration by iteration through a stream of requests."""
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import pandas as pd

from ..contiguous import STATES
from ..parameter import positive_int


@dataclass(eq=False, slots=True)
class Request:
    """One request and what has happened to it. Times are iterations."""

    number: int
    prompt: int
    output: int
    arrived: int
    admitted: int = -1  # for the last time
    ends: int = -1  # writes its last token
    n_tokens: int = 0  # when it was admitted
    preemptions: int = 0
    recomputed_tokens: int = 0
    place: object = None  # the memory's note of where it lies

    @property
    def final(self):
        """Tokens at its end."""
        return self.prompt + self.output

    def tokens_before(self, iteration):
        """Tokens a running request has before that iteration."""
        return self.n_tokens + iteration - self.admitted


class Server:
    """First come, first served; a token an iteration for every running request.

    The workload's requests come in order, over and over: always one more in the queue,
    or `arrivals[i]` of them in iteration i. An iteration is: arrivals, admission, one
    token for each running request, the account, departures.
    """

    def __init__(self, memory, workload, arrivals=None):
        """An idle server; ValueError if its memory cannot hold the longest request."""
        longest = int(workload.lengths.max())
        if longest > memory.longest:
            raise ValueError(f"workload={workload.name!r}: has a request of {longest} "
                             f"tokens, the memory takes at most {memory.longest}")
        self.memory = memory
        self.arrivals = arrivals
        self.iteration = self.arrived = self.used = self.final = 0
        self.waiting, self.running = deque(), {}  # running: in order of admission
        self.finished, self.history = [], []
        self._ends = defaultdict(list)  # iteration -> requests, some since preempted
        self._blocked = False  # the head of the queue found no room, none was freed since
        self._source = cycle(zip(workload.prompt.tolist(), workload.output.tolist()))

    def run(self, iterations):
        """Step that often; the account of every iteration so far, in slots."""
        for _ in range(positive_int("iterations", iterations)):
            self.step()
        return pd.DataFrame(account_table(self.history), columns=["running", "waiting", *STATES])

    def step(self):
        """One iteration."""
        if self.arrivals is not None and self.iteration < len(self.arrivals):
            self._arrive(self.arrivals[self.iteration])
        while not self._blocked and self._head():
            self._admit(self._head())
        self.memory.grow(self._preempt)
        self.used += len(self.running)
        states = self.memory.account(self.final, self.used)
        self.history.append((len(self.running), len(self.waiting), *states))
        for request in self._ends.pop(self.iteration, ()):
            if request.ends == self.iteration:
                self._leave(request, request.final)
                self.finished.append(request)
        self.iteration += 1

    def _arrive(self, count):
        """The workload's next requests join the queue."""
        for _ in range(count):
            request = Request(self.arrived, *next(self._source), self.iteration)
            self.waiting.append(request)
            self.arrived += 1

    def _head(self):
        """The request whose turn it is, or None if nobody waits."""
        if not self.waiting and self.arrivals is None:
            self._arrive(1)
        return self.waiting[0] if self.waiting else None

    def _admit(self, request):
        """Let the head of the queue run, if the memory has room for the tokens it has."""
        request.n_tokens = request.n_tokens or request.prompt
        self._blocked = not self.memory.admit(request)
        if not self._blocked:
            self.running[self.waiting.popleft()] = None
            self.used += request.n_tokens
            self.final += request.final
            request.admitted = self.iteration
            request.ends = self.iteration + request.final - request.n_tokens - 1
            self._ends[request.ends].append(request)

    def _preempt(self):
        """Send the youngest request back to the head of the queue: its tokens are lost
        and will be recomputed when it is admitted again."""
        request = next(reversed(self.running))
        request.n_tokens = request.tokens_before(self.iteration)
        request.recomputed_tokens += request.n_tokens
        request.preemptions += 1
        request.ends = -1
        self._leave(request, request.n_tokens)
        self.waiting.appendleft(request)

    def _leave(self, request, n_tokens):
        """Take a request with that many tokens out of the memory."""
        del self.running[request]
        self.memory.release(request)
        self.used -= n_tokens
        self.final -= request.final
        self._blocked = False


def account_table(history):
    """Rows of a server's history as an array of int64."""
    return np.fromiter(history, np.dtype(("int64", 2 + len(STATES))), len(history))


def steady_state(server, drop=0.2):
    """Means over a server's iterations after the first share `drop`: requests at once,
    states as shares of the memory (0..1); and per finished request, its preemptions and
    recomputed tokens."""
    start = int(drop * len(server.history))
    table = account_table(server.history[start:])
    running, _, *states = (table.sum(axis=0) / len(table)).tolist()
    done = [r for r in server.finished if r.ends >= start]
    per_request = 1 / max(1, len(done))
    return {"requests_at_once": running,
            **{name: mean / server.memory.slots for name, mean in zip(STATES, states)},
            "preemptions_per_request": sum(r.preemptions for r in done) * per_request,
            "recomputed_tokens": sum(r.recomputed_tokens for r in done) * per_request}
