"""A server whose iterations take time."""
from math import inf

from .server import Server


class TimedServer(Server):
    """A `Server` with a clock in seconds.

    `arrival_s` are the times of the workload's next requests. `now_s` is the time after the
    last iteration. Tokens are written at the end of their iteration.
    """

    def __init__(self, memory, workload, clock, arrival_s):
        """An idle server at second 0; ValueError unless the times are in order."""
        super().__init__(memory, workload, arrivals=())
        self.clock, self.now_s = clock, 0.0
        self.arrival_s = in_order(arrival_s)
        self.check_work("requests that arrive", len(self.arrival_s))
        self.iteration_s, self.ends_s = [], []
        self.times_s = []  # of each request: arrival, first token, end

    def step(self):
        """One iteration; an idle server waits for the next arrival first."""
        if not self.running and not self.waiting and self.arrived < len(self.arrival_s):
            self.now_s = max(self.now_s, self.arrival_s[self.arrived])
        while self._someone_comes():
            self._arrive(1)
        admitted, finished = super().step()
        for request in admitted:
            times = self.times_s[request.number]
            times[1] = self.now_s if times[1] is None else times[1]
        for request in finished:
            self.times_s[request.number][2] = self.now_s
        return admitted, finished

    def drain(self):
        """Step until every request that arrives has left."""
        while self.arrived < len(self.arrival_s) or self.running or self.waiting:
            self.step()
            self._coast(inf)

    def _someone_comes(self):
        """Whether the next request is here by now."""
        return self.arrived < len(self.arrival_s) and self.arrival_s[self.arrived] <= self.now_s

    def _pass_time(self, computed, used):
        """As the server's: each iteration takes what the clock says."""
        running = len(self.running)
        for passed, tokens in enumerate(used, 1):
            seconds = self.clock.seconds(computed, tokens, running)
            self.iteration_s.append(seconds)
            self.now_s += seconds
            self.ends_s.append(self.now_s)
            if self._someone_comes():
                return passed
        return len(used)

    def _arrive(self, count):
        """Requests join the queue, and their arrival is noted."""
        due = self.arrival_s[self.arrived:self.arrived + count]
        self.times_s += [[arrived_s, None, None] for arrived_s in due]
        super()._arrive(count)


def in_order(arrival_s):
    """Arrival times as a list; ValueError names the first that is no time, negative, or
    before the one before it."""
    times = [float(time) for time in arrival_s]
    for i, (before, time) in enumerate(zip([0.0, *times], times)):
        if not before <= time < inf:
            raise ValueError(f"arrival_s[{i}]={time}: must be a time in seconds, not before "
                             "the one before it")
    return times
