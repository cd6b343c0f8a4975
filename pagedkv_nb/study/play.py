"""The small server behind the playground page: its memory after every step, slot by slot.
Standard library only: the page runs this very module in the reader's browser."""
from collections import deque

from ..contiguous import RESERVATIONS
from ..paging import OutOfPages
from ..parameter import choice, positive_int
from .play_memory import LONGEST, Pages, Reservations, Visitor

OUTPUTS = (9, 34, 17, 41, 6, 23, 12, 38, 20, 44, 14, 29, 8, 31, 25, 16)  # tokens written
LETTERS = "ABCDEFGHJKLMNRST"  # P is the shared prompt
POLICIES = ("paged", *RESERVATIONS)
MARKS = {"used": "u", "shared": "s", "reserved": "r", "internal": "i", "free": "f"}


class Playground:
    """A queue of requests served step by step under one policy."""

    def __init__(self, policy="paged", page_size=8, requests=8, shared=False):
        """Step 0: as many requests as fit are running. ValueError names a bad setting."""
        positive_int("page_size", page_size, most=LONGEST)
        positive_int("requests", requests, most=len(LETTERS))
        paged = choice("policy", policy, POLICIES) == "paged"
        self.memory = Pages(page_size, shared) if paged else Reservations(policy)
        self.waiting = deque(map(Visitor, LETTERS[:requests], OUTPUTS))
        self.running, self.finished, self.preempted, self.steps = [], 0, 0, 0
        self._admit()

    def step(self):
        """Every running request writes a token; the finished leave, the next come in."""
        self.steps += bool(self.running)
        for visitor in list(self.running):
            if visitor in self.running and visitor.written < visitor.final:
                self._write(visitor)
        for visitor in [v for v in self.running if v.written == v.final]:
            self.memory.leave(visitor)
            self.running.remove(visitor)
            self.finished += 1
        self._admit()

    def _write(self, visitor):
        """One token; while there is no page for it, the youngest request makes room."""
        while visitor in self.running:
            try:
                return self.memory.write(visitor)
            except OutOfPages:
                youngest = self.running.pop()
                self.memory.leave(youngest)
                self.waiting.appendleft(youngest)
                self.preempted += 1

    def _admit(self):
        """First come, first served, while the head of the queue fits."""
        while self.waiting:
            try:
                self.memory.admit(self.waiting[0])
            except OutOfPages:
                return
            self.running.append(self.waiting.popleft())

    def state(self):
        """What the page draws, as plain values: a mark and a letter a slot, the counts."""
        marks = self.memory.marks(self.running)
        drawn = "".join(mark for mark, _ in marks)
        return {"marks": drawn, "letters": [letter for _, letter in marks],
                "counts": {name: drawn.count(mark) for name, mark in MARKS.items()},
                "copied": self.memory.copied, "running": len(self.running),
                "waiting": len(self.waiting), "finished": self.finished,
                "preempted": self.preempted, "steps": self.steps}
