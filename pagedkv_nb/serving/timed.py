"""A server whose iterations take time: requests a second, and how long each waits."""
import numpy as np

from ..contiguous import STATES
from .server import Server, account_table


class TimedServer(Server):
    """A `Server` with a clock in seconds.

    `arrival_s` are the times of the workload's next requests; without them the queue is
    never empty. `now_s` is the time after the last iteration. Tokens are written at the end
    of their iteration.
    """

    def __init__(self, memory, workload, clock, arrival_s=None):
        """An idle server at second 0; ValueError unless the times are in order."""
        super().__init__(memory, workload, None if arrival_s is None else ())
        self.clock, self.now_s = clock, 0.0
        self.arrival_s = None if arrival_s is None else in_order(arrival_s)
        self.iteration_s = []
        self.times_s = []  # of each request: arrival, first token, end
        self._passing = []  # (request, its tokens) admitted in this iteration

    def step(self):
        """One iteration; an idle server waits for the next arrival first."""
        if self.arrival_s is not None:
            self._arrivals()
        left = len(self.finished)
        super().step()
        running, _, used = self.history[-1][:3]
        begun, tokens = (), running
        if self._passing:
            begun = [pair for pair in self._passing if pair[0].ends >= 0]  # and not sent back
            tokens += sum(n for _, n in begun) - len(begun)
            self._passing = []
        seconds = self.clock.seconds(tokens, used, running)
        self.iteration_s.append(seconds)
        self.now_s += seconds
        if begun or len(self.finished) > left:
            self._note_times(begun, self.finished[left:])

    def _note_times(self, begun, ended):
        """Note the first token of those who begin and the end of those who leave."""
        for request, _ in begun:
            if self.times_s[request.number][1] is None:
                self.times_s[request.number][1] = self.now_s
        for request in ended:
            self.times_s[request.number][2] = self.now_s

    def drain(self):
        """Step until every request that arrives has left; ValueError if they never end."""
        if self.arrival_s is None:
            raise ValueError("arrival_s=None: must be times, or the queue is never empty")
        while self.arrived < len(self.arrival_s) or self.running or self.waiting:
            self.step()

    def finish(self, n_requests):
        """Step until so many requests have left."""
        while len(self.finished) < n_requests:
            self.step()

    def _arrivals(self):
        """Those who are here by now join the queue."""
        due = self.arrival_s
        if not self.running and not self.waiting and self.arrived < len(due):
            self.now_s = max(self.now_s, due[self.arrived])
        while self.arrived < len(due) and due[self.arrived] <= self.now_s:
            self._arrive(1)

    def _arrive(self, count):
        """Requests join the queue, and their arrival is noted."""
        for number in range(self.arrived, self.arrived + count):
            since = self.now_s if self.arrival_s is None else self.arrival_s[number]
            self.times_s.append([since, None, None])
        super()._arrive(count)

    def _admit(self, request):
        """Note whose tokens pass the layers in this iteration."""
        super()._admit(request)
        if not self._blocked:
            self._passing.append((request, request.n_tokens))


def in_order(arrival_s):
    """Arrival times as a list; ValueError names the first that is no time, negative, or
    before the one before it."""
    times = np.asarray(arrival_s, float)
    bad = ~(np.diff(times, prepend=0.0) >= 0) | ~np.isfinite(times)
    if bad.any():
        i = int(bad.argmax())
        raise ValueError(f"arrival_s[{i}]={times[i]}: must be a time in seconds, not before "
                         "the one before it")
    return times.tolist()


def throughput_of(server, drop=0.0):
    """Of a timed run without its first share `drop` of iterations: requests a second, means
    over time of requests at once, and milliseconds an iteration."""
    start = int(drop * len(server.iteration_s))
    seconds = np.array(server.iteration_s[start:])
    begun = server.now_s - seconds.sum()
    running = np.array([row[0] for row in server.history[start:]])
    ended = sum(1 for *_, end in server.times_s if end is not None and end > begun)
    return {"requests_per_s": float(ended / seconds.sum()),
            "requests_at_once": float((running * seconds).sum() / seconds.sum()),
            "iteration_ms": float(1e3 * seconds.mean())}


def means_between(server, start_s, end_s):
    """Of a timed run from one second to another: means over time of the requests at once and
    of the states as shares of the memory (0..1)."""
    ends = np.cumsum(server.iteration_s)
    table, seconds = account_table(server.history), np.array(server.iteration_s)
    inside = (ends > start_s) & (ends <= end_s)
    means = np.average(table[inside], axis=0, weights=seconds[inside])
    return {"requests_at_once": means[0],
            **dict(zip(STATES, means[2:] / server.memory.slots))}


def saturate(memories, workload, clock, n_requests):
    """{name: throughput_of} of servers that differ in their memories, {name: memory}. Each finishes
    so many of the same requests from a queue that is never empty; the first fifth of the
    iterations, in which the memory fills, is left out."""
    servers = {name: TimedServer(memory, workload, clock)
               for name, memory in memories.items()}
    for server in servers.values():
        server.finish(n_requests)
    return {name: throughput_of(server, drop=0.2) for name, server in servers.items()}


def latencies(server):
    """Means over the finished requests, in seconds: time to first token, time a token after
    the first, and the paper's normalized latency, (end - arrival) / output tokens
    (section 6.1)."""
    outputs = np.array([r.output for r in server.finished])
    arrived, first, end = np.array([server.times_s[r.number] for r in server.finished],
                                   float).T
    return {"time_to_first_token_s": float((first - arrived).mean()),
            "time_a_token_s": float(((end - first) / np.maximum(1, outputs - 1)).mean()),
            "normalized_latency_s": float(((end - arrived) / outputs).mean())}
