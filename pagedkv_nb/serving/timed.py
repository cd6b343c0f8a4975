"""A server whose iterations take time."""
from bisect import bisect
from math import inf

from .server import Server


class TimedServer(Server):
    """A `Server` with a clock: `now_s` is the second after the last iteration, at whose end
    tokens are written; `arrival_s` are those in which the workload's next requests come."""

    def __init__(self, memory, workload, clock, arrival_s):
        """An idle server at second 0; ValueError unless the times are in order."""
        super().__init__(memory, workload, arrivals=())
        self.clock, self.now_s = clock, 0.0
        self.arrival_s = in_order(arrival_s)
        self.check_work("requests that arrive", len(self.arrival_s))
        self.iteration_s, self.ends_s = [], []
        self.times_s = [[time, None, None] for time in self.arrival_s]  # arrival, first token, end

    def write(self):
        """As the server's, in the time that the clock says; an idle server waits for the next
        arrival first."""
        if not self.running and not self.waiting and self.arrived < len(self.arrival_s):
            self.now_s = max(self.now_s, self.arrival_s[self.arrived])
        admitted = super().write()
        seconds = self.clock.seconds(self.computed, self.used, len(self.running))
        self.iteration_s.append(seconds)
        self.now_s += seconds
        self.ends_s.append(self.now_s)
        for request in admitted:
            times = self.times_s[request.number]
            times[1] = self.now_s if times[1] is None else times[1]
        return admitted

    def leave(self):
        """As the server's, noting when."""
        finished = super().leave()
        for request in finished:
            self.times_s[request.number][2] = self.now_s
        return finished

    def drain(self):
        """Step until every request that arrives has left."""
        while len(self.finished) < len(self.arrival_s):
            self.step()

    def _due(self):
        """How many requests have come by now and are not in the queue."""
        return bisect(self.arrival_s, self.now_s) - self.arrived


def in_order(arrival_s):
    """Arrival times as a list; ValueError names the first that is no time, negative, or
    before the one before it."""
    times = [float(time) for time in arrival_s]
    for i, (before, time) in enumerate(zip([0.0, *times], times)):
        if not before <= time < inf:
            raise ValueError(f"arrival_s[{i}]={time}: must be a time in seconds, not before "
                             "the one before it")
    return times
