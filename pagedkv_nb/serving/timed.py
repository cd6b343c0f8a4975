"""A server whose iterations take time."""
from bisect import bisect

from ..parameter import number
from .server import Server


class TimedServer(Server):
    """A `Server` with a clock: `now_s` is the second after the last iteration, at whose end
    tokens are written; `arrival_s` are those in which the workload's next requests come."""

    def __init__(self, memory, workload, clock, arrival_s):
        """An idle server at second 0; ValueError unless the times are in order."""
        super().__init__(memory, workload, arrivals=())
        times = [float(time) for time in arrival_s]
        self.check_work("requests that arrive", len(times))
        self.arrival_s = [number(f"arrival_s[{i}]", time, least=before)
                          for i, (before, time) in enumerate(zip([0.0, *times], times))]
        self.clock, self.now_s, self.iteration_s, self.ends_s = clock, 0.0, [], []
        self.times_s = [[time, None, None] for time in times]  # arrival, first token, end

    def step(self):
        """As the server's, in the time that the clock says."""
        admitted, finished = super().step()
        running, _, used, _, _, computed = self.history[-1]
        self.iteration_s.append(self.clock.seconds(computed, used, running))
        self.now_s += self.iteration_s[-1]
        self.ends_s.append(self.now_s)
        for request in admitted:
            if self.times_s[request.number][1] is None:
                self.times_s[request.number][1] = self.now_s
        for request in finished:
            self.times_s[request.number][2] = self.now_s
        return admitted, finished

    def _due(self):
        """How many requests have come by now and are not in the queue; an idle server waits
        for the next first."""
        if not self.running and not self.waiting and self.arrived < len(self.arrival_s):
            self.now_s = max(self.now_s, self.arrival_s[self.arrived])
        return bisect(self.arrival_s, self.now_s) - self.arrived
