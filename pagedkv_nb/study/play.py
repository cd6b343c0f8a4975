"""The small server behind the playground page: its memory after every step, slot by slot.
Standard library only: the page runs this module, and the package's server, in a browser."""
from array import array
from types import SimpleNamespace

from ..paging import PagedRequest, pages_for
from ..parameter import choice, positive_int
from ..serving.memory import PlainPagedMemory
from ..serving.policy import POLICIES
from ..serving.server import Server

SLOTS, LONGEST, PROMPT = 512, 128, 20  # tokens: the memory, a request's maximum, its prompt
OUTPUTS = (11, 40, 10, 36, 90, 12, 42, 9, 24, 38, 11, 66, 34, 10, 44, 28, 12, 40, 9, 52) * 2
LETTERS = "ABCDEFGHIJKLMNOQRSTUVWXYZabcdefghijklmno"  # P is the shared prompt


class PromptMemory(PlainPagedMemory):
    """Pages, in which every request begins as a fork of one prompt."""

    def __init__(self, page_size):
        """Only the prompt is in it; nothing is kept back."""
        super().__init__(SLOTS, page_size, watermark=0)
        self.prompt = PagedRequest(self.pool, "P")
        self.prompt.append(PROMPT)

    def admit(self, request):
        """A fork of the prompt, if everyone will have a page for the next token."""
        soon = sum(map(self.needs_a_page, self.tables.values()))
        lost = request.n_tokens - PROMPT  # tokens of its own, if it was sent back
        if self.n_free < soon + 1 + pages_for(lost, self.page_size):
            return False
        self.tables[request] = self.prompt.fork()
        if lost:
            self.tables[request].append(lost)
        return True

    def needs_a_page(self, table):
        """Whether its next token starts a page or goes into one that is shared."""
        full = table.n_tokens % self.page_size == 0
        return full or self.pool.ref_count(table.block_table[-1]) > 1


class Playground:
    """A queue of requests served step by step under one policy."""

    def __init__(self, policy="paged", page_size=4, requests=40, shared=False):
        """After the first step: as many requests as fit are running."""
        positive_int("page_size", page_size, most=LONGEST)
        positive_int("requests", requests, most=len(OUTPUTS))
        memory = PromptMemory(page_size) if shared else PlainPagedMemory(SLOTS, page_size, 0)
        if choice("policy", policy, POLICIES) != "paged":
            memory = POLICIES[policy].memory(SLOTS, LONGEST)
        self.pool, self.prompt = getattr(memory, "pool", None), getattr(memory, "prompt", None)
        prompts, outputs = array("i", [PROMPT] * len(OUTPUTS)), array("i", OUTPUTS)
        workload = SimpleNamespace(name="playground", prompt=prompts, output=outputs)
        self.server = Server(memory, workload, arrival_s=[0] * requests)
        self.queued = []  # while somebody waits: requests running, slots that hold a token
        self.step()

    def step(self):
        """One iteration of the server."""
        self.server.step()
        if self.server.waiting:
            in_use = sum(mark in "us" for mark, _ in self.slots())
            self.queued.append((len(self.server.running), in_use))

    def state(self):
        """What the page draws, as plain values: a mark and a letter a slot, who holds what,
        and the means of `queued` (none if nobody ever waited)."""
        server, (marks, letters) = self.server, zip(*self.slots())
        everyone = [*server.finished, *server.running, *server.waiting]
        return {"marks": "".join(marks), "letters": letters, "holders": self.holders(),
                "queued": [sum(x) / len(x) for x in zip(*self.queued)],
                "running": len(server.running), "waiting": len(server.waiting),
                "finished": len(server.finished), "steps": server.iteration,
                "preempted": sum(request.preemptions for request in everyone)}

    def holders(self):
        """Who holds memory, by letter: tokens now and at the end, [(first slot, slots)]."""
        held = {LETTERS[request.number]: {
            "tokens": request.tokens_before(self.server.iteration), "final": request.final,
            "pieces": list(self.server.memory.pieces(request))} for request in self.server.running}
        if self.prompt:
            size = self.pool.page_size
            held["P"] = {"tokens": PROMPT, "final": PROMPT,
                         "pieces": [(page * size, size) for page in self.prompt.block_table]}
        return held

    def slots(self):
        """A mark and a letter for each slot: used, reserved, internal, free; or shared, and by
        how many."""
        slots = [("f", "")] * SLOTS
        for letter, held in self.holders().items():
            places = [slot for first, n in held["pieces"] for slot in range(first, first + n)]
            for at, slot in enumerate(places):
                count = self.pool.ref_count(slot // self.pool.page_size) if self.pool else 1
                mark = "u" if at < held["tokens"] else "r" if at < held["final"] else "i"
                slots[slot] = (mark, letter) if count == 1 else ("s", str(count))
        return slots
