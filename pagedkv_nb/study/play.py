"""The small server behind the playground page: its memory after every step, slot by slot.
Standard library only: the page runs this module, and the package's server, in a browser."""
from array import array
from types import SimpleNamespace

from ..paging import PagedRequest, PagePool, pages_for
from ..parameter import choice, positive_int
from ..serving.memory import PlainPagedMemory, ReservedMemory
from ..serving.policy import POLICIES
from ..serving.server import Server

SLOTS, LONGEST, PROMPT = 256, 64, 20  # tokens: the memory, a request's maximum, its prompt
OUTPUTS = (9, 34, 17, 41, 6, 23, 12, 38, 20, 44, 14, 29, 8, 31, 25, 16)  # tokens written
LETTERS = "ABCDEFGHJKLMNRST"  # P is the shared prompt
MARKS = {"used": "u", "shared": "s", "reserved": "r", "internal": "i", "free": "f"}


class CountingPool(PagePool):
    """A pool that counts its copies."""

    copied = 0

    def cow_copy(self, page):
        """As `PagePool.cow_copy`."""
        new = super().cow_copy(page)
        self.copied += new != page
        return new


class PromptMemory(PlainPagedMemory):
    """Pages; if they are shared, every request begins as a fork of one prompt."""

    def __init__(self, page_size, shared):
        """Only the shared prompt is in it, if there is one; nothing is kept back."""
        super().__init__(SLOTS, page_size, watermark=0)
        self.pool, self.prompt = CountingPool(self.total_pages, page_size), None
        if shared:
            self.prompt = PagedRequest(self.pool, "P")
            self.prompt.append(PROMPT)

    def admit(self, request):
        """A fork of the prompt, if everyone will have a page for the next token."""
        if not self.prompt:
            return super().admit(request)
        soon = sum(map(self.needs_a_page, self.tables.values()))
        lost = request.n_tokens - PROMPT  # tokens of its own, if it was sent back
        if self.pool.n_free < soon + 1 + pages_for(lost, self.page_size):
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

    def __init__(self, policy="paged", page_size=8, requests=8, shared=False):
        """After the first step: as many requests as fit are running. ValueError names a bad
        setting."""
        positive_int("page_size", page_size, most=LONGEST)
        positive_int("requests", requests, most=len(LETTERS))
        paged = choice("policy", policy, POLICIES) == "paged"
        memory = (PromptMemory(page_size, shared) if paged
                  else ReservedMemory(SLOTS, POLICIES[policy], LONGEST))
        workload = SimpleNamespace(name="playground", output=array("i", OUTPUTS),
                                   prompt=array("i", [PROMPT] * len(OUTPUTS)))
        self.server = Server(memory, workload, arrivals=[requests])
        self.step()

    def step(self):
        """One iteration of the server."""
        self.server.step()

    def state(self):
        """What the page draws, as plain values: a mark and a letter a slot, the counts."""
        server = self.server
        slots = [("f", "")] * SLOTS
        for holder in self.holders():
            self.draw(slots, *holder)
        drawn = "".join(mark for mark, _ in slots)
        everyone = [*server.finished, *server.running, *server.waiting]
        return {"marks": drawn, "letters": [letter for _, letter in slots],
                "counts": {name: drawn.count(mark) for name, mark in MARKS.items()},
                "copied": getattr(getattr(server.memory, "pool", None), "copied", 0),
                "running": len(server.running), "waiting": len(server.waiting),
                "finished": len(server.finished), "steps": server.iteration,
                "preempted": sum(request.preemptions for request in everyone)}

    def holders(self):
        """(letter, pieces, tokens now, tokens at the end) of the prompt and each request."""
        memory, iteration = self.server.memory, self.server.iteration
        prompt = getattr(memory, "prompt", None)
        if prompt:
            size = memory.page_size
            yield "P", [(page * size, size) for page in prompt.block_table], PROMPT, PROMPT
        for request in self.server.running:
            yield (LETTERS[request.number], memory.pieces(request),
                   request.tokens_before(iteration), request.final)

    def draw(self, slots, letter, pieces, tokens, final):
        """Mark the slots of one holder; those of a shared page show how many hold it."""
        at = 0
        for first, n in pieces:
            count = self.holders_of(first, n)
            shown = ("s", str(count)) if count > 1 else ("u", letter)
            for slot in range(first, first + n):
                empty = "r" if at < final and count == 1 else "i"
                if at < tokens or count == 1 or slots[slot][0] == "f":
                    slots[slot] = shown if at < tokens else (empty, shown[1])
                at += 1

    def holders_of(self, first, n):
        """How many block tables hold the piece at that slot; 1 for a reservation."""
        pool = getattr(self.server.memory, "pool", None)
        return pool.ref_count(first // n) if pool else 1
