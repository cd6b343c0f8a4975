"""The loop of a serving engine: requests of unknown length written through one cache."""
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from ..paging import OutOfPages, PagedRequest, pages_for
from ..parameter import number, positive_int
from ..prefix import PrefixPool, PrefixRequest, page_keys


@dataclass(eq=False)
class Answer:
    """One answer to a prompt, both as token ids, and what has happened to it."""

    prompt: list
    limit: int  # tokens it may write
    temperature: float = 0.0  # 0: greedy
    rng: np.random.RandomState | None = None
    forks: list = field(default_factory=list)  # answers that wait for its prompt to be read
    written: list = field(default_factory=list)
    request: PagedRequest | None = None  # while it runs
    in_cache: int = 0  # of its tokens, those whose K and V are there
    computed: int = 0  # tokens that passed the layers for it
    found: int = 0  # tokens that were found in pages and did not
    preemptions: int = 0
    margin: float = float("inf")  # least lead of a chosen token over the second best

    @property
    def tokens(self):
        """Everything it has so far."""
        return self.prompt + self.written

    def choose(self, logits):
        """Add the best token by its logits, or, at a temperature, one drawn by their softmax
        (the best after Gumbel noise is added), and note by how much it led."""
        if self.temperature:
            logits = logits / self.temperature + self.rng.gumbel(size=len(logits))
        second, best = np.argpartition(logits, -2)[-2:]
        self.margin = min(self.margin, float(logits[best] - logits[second]))
        self.written.append(int(best))


class Generator:
    """Answers through the pages of one cache, first come, first served. A prompt is admitted
    while its pages are there and read whole; everyone who runs gets a token an iteration; if
    no page is left for it, the youngest gives its own back and is computed again later."""

    def __init__(self, model, cache, watermark=0.01):
        """Nobody runs. With a `PrefixPool` prompts are looked up before they are read;
        `watermark` is the share of pages that admission keeps back."""
        self.model, self.cache, self.pool = model, cache, cache.pool
        self.kept_back = int(number("watermark", watermark, most=1) * self.pool.total_pages)
        self.waiting, self.running = deque(), []
        self.history = []  # of each iteration: {answer: (tokens in the cache, block table)}

    def add(self, prompt, limit=128, n=1, temperature=0.0, seed=0):
        """Queue a prompt (token ids) for n answers of at most `limit` tokens; returns them.
        ValueError if the whole pool could not hold one (its last token is never read)."""
        longest = positive_int("prompt tokens", len(prompt)) + positive_int("limit", limit) - 1
        if pages_for(longest, self.pool.page_size) > self.pool.total_pages:
            raise ValueError(f"limit={limit}: a prompt of {len(prompt)} tokens and its answer do "
                             f"not fit {self.pool.total_pages} pages of {self.pool.page_size}")
        prompt, temperature = self.model.known(prompt), number("temperature", temperature)
        first, *others = [Answer(prompt, limit, temperature, np.random.RandomState(seed + i))
                          for i in range(positive_int("n", n))]
        first.forks = others
        self.waiting.append(first)
        return [first, *others]

    def run(self):
        """Step until every answer is finished."""
        while self.waiting or self.running:
            self.step()

    def step(self):
        """An iteration, if anyone asks: make room, admit, compute one batch, choose, let go. Who is
        admitted is read at once: a page that can be found must hold what its key says."""
        if not (self.waiting or self.running):
            return
        self._make_room()
        while self.waiting and self._admit(self.waiting[0]):
            self.running.append(self.waiting.popleft())
        batch = [(a.request, a.tokens[a.in_cache:]) for a in self.running]
        logits = self.model.compute(batch, self.cache)
        for answer, row in zip(list(self.running), logits):
            answer.computed += len(answer.tokens) - answer.in_cache
            answer.in_cache = len(answer.tokens)
            for one in [answer, *self._forked(answer)]:
                one.choose(row)
        self.history.append({a: (a.in_cache, a.request.block_table) for a in self.running})
        self._let_go()

    def _admit(self, answer):
        """Take pages for all its tokens; False if too few are left, OutOfPages if nobody runs."""
        tokens, size = answer.tokens, self.pool.page_size
        if self.running and self.pool.n_free - pages_for(len(tokens), size) < self.kept_back:
            return False
        if isinstance(self.pool, PrefixPool):
            answer.request = PrefixRequest(self.pool, len(tokens), page_keys(tokens, size))
            answer.in_cache = answer.request.n_found
            answer.found += answer.in_cache
        else:
            answer.request = PagedRequest(self.pool)
            self.cache.append(answer.request, len(tokens))
        return True

    def _make_room(self):
        """A slot for the last token of everyone who ran before."""
        for answer in list(self.running):
            while answer in self.running and answer.request.n_tokens < len(answer.tokens):
                try:
                    self.cache.append(answer.request, 1)
                except OutOfPages:
                    self._preempt()

    def _preempt(self):
        """The youngest goes back to the head of the queue, without its pages."""
        answer = self.running[-1]
        self._leave(answer)
        answer.preemptions += 1
        self.waiting.appendleft(answer)

    def _forked(self, answer):
        """The answers that waited for this prompt, now forks of it, which run too."""
        forks, answer.forks = answer.forks, []
        for twin in forks:
            twin.request, twin.in_cache = answer.request.fork(), answer.in_cache
        self.running += forks
        return forks

    def _let_go(self):
        """Those who wrote the end token or reached their limit leave."""
        for answer in list(self.running):
            if answer.written[-1] == self.model.end_token or len(answer.written) == answer.limit:
                self._leave(answer)

    def _leave(self, answer):
        """An answer no longer runs, and gives its pages back."""
        self.running.remove(answer)
        answer.request.free()
        answer.in_cache = 0


def beam_search(model, cache, prompt, width, limit=128):
    """The best beams, [(sum of log probabilities, tokens)], best first, and for each step
    the (blocks of all beams, pages in use). It is over when no beam that goes on can get
    among the best that ended: sums only fall. OutOfPages leaves no page behind."""
    width, limit = positive_int("width", width), positive_int("limit", limit)
    beams, ended, steps = [(0.0, [], PagedRequest(cache.pool))], [], []
    try:
        logits = model.forward([(beams[0][2], prompt)], cache)
        while len(beams[0][1]) < limit and (len(ended) < width or beams[0][0] > ended[-1][0]):
            best = candidates(beams, logits, width)
            ended += [beam[:2] for beam in best[:width] if beam[1][-1] == model.end_token]
            ended = sorted(ended, reverse=True)[:width]
            beams = continued(beams, [b for b in best if b[1][-1] != model.end_token][:width])
            logits = model.forward([(r, tokens[-1:]) for _, tokens, r in beams], cache)
            steps.append((sum(len(r.block_table) for _, _, r in beams), cache.pool.n_used))
        return sorted(ended + [beam[:2] for beam in beams], reverse=True)[:width], steps
    finally:
        continued(beams, [])


def continued(beams, going):
    """Those of the `candidates` that go on, with forks; the beams give their pages back."""
    new = [(score, tokens, request.fork()) for score, tokens, request in going]
    for _, _, request in beams:
        request.free()
    return new


def candidates(beams, logits, width):
    """The 2 x width best continuations, best first: (score, tokens, request of the beam)."""
    scores = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True, dtype=float)
    scores += [[score] for score, _, _ in beams]
    best = np.argsort(-scores, axis=None, kind="stable")[:2 * width]
    return [(float(scores[i, token]), [*beams[i][1], int(token)], beams[i][2])
            for i, token in zip(*np.unravel_index(best, scores.shape))]
