"""A server stepped iteration by iteration through a stream of requests."""
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import cycle
from operator import add

from ..parameter import number, positive_int


@dataclass(eq=False, slots=True)
class Request:
    """One request and what has happened to it: in iterations, and in seconds of the server."""

    number: int
    prompt: int
    output: int
    arrived_s: float
    admitted: int = -1  # for the last time
    ends: int = -1  # writes its last token
    n_tokens: int = 0  # when it was admitted
    preemptions: int = 0
    recomputed_tokens: int = 0
    first_token_s: float | None = None
    ended_s: float | None = None
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

    The workload's requests come in order, over and over: always one more in the queue, or in the
    seconds `arrival_s`. An iteration is: arrivals, admission, one token for each running request,
    the account (requests; tokens in use and at the requests' ends; slots asked for; tokens
    computed), departures. It takes what the clock says; without one, a second."""

    def __init__(self, memory, workload, arrival_s=None, clock=None):
        """An idle server at second 0; prompts and outputs are arrays of NumPy or of the standard
        library. ValueError for a request larger than the memory, or for times out of order."""
        prompts, outputs = workload.prompt.tolist(), workload.output.tolist()
        if (longest := max(map(add, prompts, outputs))) > memory.longest:
            raise ValueError(f"workload={workload.name!r}: has a request of {longest} "
                             f"tokens, the memory takes at most {memory.longest}")
        self.memory, self.clock, self.now_s = memory, clock, 0.0
        self.iteration = self.arrived = self.used = self.final = 0
        self.waiting, self.running = deque(), {}  # running: in order of admission
        self.finished = []
        self.history = []  # of each iteration (running, waiting, used, final, asked, computed)
        self.spans_s = []  # of each iteration, from when to when
        self._ends = defaultdict(list)  # iteration -> requests, some since preempted
        self._blocked = False  # the queue found no room, or is empty; nothing has changed since
        self._source = cycle(zip(prompts, outputs))
        # about so many requests leave in an iteration once the memory is full
        self._pace = memory.slots * len(prompts)**2 / sum(prompts + outputs) / sum(outputs)
        self.always_one_more = arrival_s is None
        self.coming_s = deque(() if arrival_s is None else self._in_order(arrival_s))

    def _in_order(self, arrival_s):
        """The times as floats; ValueError names the first that is before another."""
        times = [float(time) for time in arrival_s]
        self.check_work("requests that arrive", len(times))
        return [number(f"arrival_s[{i}]", time, least=before)
                for i, (before, time) in enumerate(zip([0.0, *times], times))]

    def run(self, iterations):
        """Step that often; returns the server."""
        most = max(1, int(10**6 / self._pace))
        for _ in range(positive_int("iterations", iterations, most, why="a million requests")):
            self.step()
        return self

    def finish(self, n_requests):
        """Step until so many requests have left; returns the server. ValueError if fewer come."""
        self.check_work("n_requests", n_requests)
        all_that_come = self.arrived + len(self.coming_s)
        if not self.always_one_more:
            positive_int("n_requests", n_requests, all_that_come, 0, "that come")
        while len(self.finished) < n_requests:
            self.step()
        return self

    def check_work(self, name, n_requests):
        """ValueError for more requests than a few 100,000 iterations can serve."""
        positive_int(name, n_requests, max(1, int(3e5 * self._pace)), 0, "300,000 iterations")

    def step(self):
        """One iteration; returns who was admitted in it, and who wrote the last token."""
        return self.write(), self.leave()

    def write(self):
        """All of an iteration before departures; returns the requests that were admitted."""
        self._let_come()
        admitted = () if self._blocked else self._admit_while_there_is_room()
        self.memory.grow(self._preempt)
        running = computed = len(self.running)  # a token of each
        if admitted:
            admitted = [r for r in admitted if r in self.running]  # not sent back at once
            computed += sum(r.n_tokens - 1 for r in admitted)  # whole prompts
        self.used += running
        self.history.append((running, len(self.waiting), self.used, self.final,
                             self.memory.asked, computed))
        start_s = self.now_s
        self.now_s += self.clock.seconds(computed, self.used, running) if self.clock else 1.0
        self.spans_s.append((start_s, self.now_s))
        for request in admitted:
            if request.first_token_s is None:
                request.first_token_s = self.now_s
        return admitted

    def leave(self):
        """Those who have written their last token leave; returns them."""
        finished = []
        for request in self._ends.pop(self.iteration, ()):
            if request.ends == self.iteration:
                request.ended_s = self.now_s
                self._take_out(request, request.final)
                finished.append(request)
        self.finished += finished
        self.iteration += 1
        return finished

    def _let_come(self):
        """All that are due arrive; an idle server waits for the next one first."""
        if self.coming_s and not self.running and not self.waiting:
            self.now_s = max(self.now_s, self.coming_s[0])
        while self.coming_s and self.coming_s[0] <= self.now_s:
            self._arrive(self.coming_s.popleft())

    def _arrive(self, arrived_s):
        """The workload's next request joins the queue."""
        self._blocked = self._blocked and len(self.waiting) > 0
        self.waiting.append(Request(self.arrived, *next(self._source), arrived_s))
        self.arrived += 1

    def _admit_while_there_is_room(self):
        """Let the head of the queue run, again and again; returns who came in."""
        admitted = []
        while self.waiting or self.always_one_more:
            if not self.waiting:
                self._arrive(self.now_s)
            request = self.waiting[0]
            request.n_tokens = request.n_tokens or request.prompt
            if not self.memory.admit(request):
                break
            self._start(self.waiting.popleft())
            admitted.append(request)
        self._blocked = True
        return admitted

    def _start(self, request):
        """A request that has its room begins to write."""
        self.running[request] = None
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
        self._take_out(request, request.n_tokens)
        self.waiting.appendleft(request)

    def _take_out(self, request, n_tokens):
        """Take a request with that many tokens out of the memory."""
        del self.running[request]
        self.memory.release(request)
        self.used -= n_tokens
        self.final -= request.final
        self._blocked = False
