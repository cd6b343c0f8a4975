"""A server whose iterations take time: requests a second, and how long each waits."""
import numpy as np

from .contiguous import STATES
from .serving import Server, account_table


class TimedServer(Server):
    """A `Server` with a clock in seconds.

    `arrival_s` are the times of the workload's next requests; without them the queue is
    never empty. `now_s` is the time after the last iteration. Tokens are written at the end
    of their iteration.
    """

    def __init__(self, memory, workload, time_model, arrival_s=None):
        """An idle server at second 0; ValueError if times are negative or not in order."""
        super().__init__(memory, workload, None if arrival_s is None else ())
        self.time_model, self.now_s = time_model, 0.0
        self.arrival_s = None if arrival_s is None else times(arrival_s)
        self.iteration_s, self.passed = [], []  # seconds, and tokens through the layers
        self.times_s = []  # of each request: arrival, first token, end
        self._passing = []  # (request, its tokens) admitted in this iteration

    def step(self):
        """One iteration; an idle server waits for the next arrival first."""
        if self.arrival_s is not None:
            self._arrivals()
        self._passing = []
        left = len(self.finished)
        super().step()
        running, _, used = self.history[-1][:3]
        begun = self._passing and [pair for pair in self._passing if pair[0].ends >= 0]
        tokens = running + sum(n - 1 for _, n in begun) if begun else running  # not sent back
        seconds = self.time_model.seconds(tokens, used, running)
        self.passed.append(tokens)
        self.iteration_s.append(seconds)
        self.now_s += seconds
        if begun or len(self.finished) > left:
            self._note_times(begun, self.finished[left:])

    def _note_times(self, begun, ended):
        """Note the first token of those who begin and the end of those who leave, now."""
        for request, _ in begun:
            if self.times_s[request.number][1] is None:
                self.times_s[request.number][1] = self.now_s
        for request in ended:
            self.times_s[request.number][2] = self.now_s

    def drain(self):
        """Step until every request that arrives has left; ValueError if they never end."""
        if self.arrival_s is None:
            raise ValueError("arrival_s=None: the queue is never empty, must be a list of times")
        while self.arrived < len(self.arrival_s) or self.running or self.waiting:
            self.step()

    def run_until(self, seconds):
        """Step until that second."""
        while self.now_s < seconds:
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


def times(arrival_s):
    """Arrival times as a list; ValueError names the first that is negative or earlier than
    the one before."""
    found = np.asarray(arrival_s, float)
    bad = ~(np.diff(found, prepend=0.0) >= 0) | ~np.isfinite(found)
    if bad.any():
        i = int(bad.argmax())
        raise ValueError(f"arrival_s[{i}]={found[i]}: must be a time in seconds, not before "
                         f"the one before it")
    return found.tolist()


def report(server, since_s=None, drop=0.2):
    """Of a timed run: requests a second that left, tokens a second written, milliseconds an
    iteration; weighted by time, requests at once and states as shares of the memory (0..1).
    Counts iterations that end after `since_s`, or all but the first share `drop`; ValueError
    if none do."""
    seconds = np.array(server.iteration_s)
    ends = server.now_s - seconds[::-1].cumsum()[::-1] + seconds
    start = int(drop * len(seconds)) if since_s is None else int((ends <= since_s).sum())
    if start >= len(seconds):
        raise ValueError(f"since_s={since_s}: must be before the run's end, {server.now_s:.1f} s")
    seconds, rows = seconds[start:], account_table(server.history)[start:]
    weight = seconds / seconds.sum()
    begun = ends[start] - seconds[0]
    left = sum(server.times_s[r.number][2] > begun for r in server.finished)
    return {"requests_per_s": left / float(seconds.sum()),
            "requests_at_once": float(weight @ rows[:, 0]),
            "tokens_per_s": float(rows[:, 0].sum() / seconds.sum()),
            "iteration_ms": 1e3 * float(seconds.mean()),
            **dict(zip(STATES, (weight @ rows[:, 2:] / server.memory.slots).tolist()))}


def latencies(server):
    """Means over all finished requests, in seconds: time to first token, time a token after
    the first, and the paper's normalized latency, (end - arrival) / output tokens
    (section 6.1)."""
    outputs = np.array([r.output for r in server.finished])
    arrived, first, end = np.array([server.times_s[r.number] for r in server.finished],
                                   float).T
    return {"time_to_first_token_s": float((first - arrived).mean()),
            "time_a_token_s": float(((end - first) / np.maximum(1, outputs - 1)).mean()),
            "normalized_latency_s": float(((end - arrived) / outputs).mean())}
