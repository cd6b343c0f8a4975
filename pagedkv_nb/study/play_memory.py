"""The memories of the playground: pages, or reservations, and the requests in them."""
from ..contiguous import RESERVATIONS, BuddyAllocator
from ..paging import OutOfPages, PagedRequest, PagePool

SLOTS, LONGEST, PROMPT = 256, 64, 20  # tokens: the memory, a request's maximum, its prompt


class Visitor:
    """One request: `final` tokens in the end, `written` so far, and where it lies."""

    def __init__(self, letter, output):
        """Waiting: its prompt is not written yet."""
        self.letter, self.output, self.final = letter, output, PROMPT + output
        self.written, self.place = 0, None


class Pages:
    """The memory as a pool of pages; with `shared` one prompt that every request forks."""

    def __init__(self, page_size, shared):
        """Only the shared prompt is in it, if there is one."""
        self.pool = PagePool(SLOTS // page_size, page_size)
        self.copied, self.prompt = 0, None
        if shared:
            self.prompt = PagedRequest(self.pool, "P")
            self.prompt.append(PROMPT)

    def admit(self, visitor):
        """Give it pages for its prompt and first token; OutOfPages changes nothing."""
        place = self.prompt.fork() if self.prompt else PagedRequest(self.pool)
        try:
            if not self.prompt:
                place.append(PROMPT)
            self.copied += place.append() is not None
        except OutOfPages:
            place.free()
            raise
        visitor.place, visitor.written = place, PROMPT + 1

    def write(self, visitor):
        """One more token; OutOfPages if it needs a page and none is free."""
        self.copied += visitor.place.append() is not None
        visitor.written += 1

    def leave(self, visitor):
        """Its pages go back; it starts again if it is not finished."""
        visitor.place.free()
        visitor.written = 0

    def marks(self, running):
        """(mark, letter) of every slot."""
        found = [("f", "")] * SLOTS
        size = self.pool.page_size
        holders = [(v.letter, v.place, v.final) for v in running]
        if self.prompt:
            holders.insert(0, ("P", self.prompt, PROMPT))
        for letter, place, final in holders:
            for block, page in enumerate(place.block_table):
                count = self.pool.ref_count(page)
                shown = ("s", str(count)) if count > 1 else ("u", letter)
                for slot in range(size):
                    at = block * size + slot
                    ahead = "r" if at < final and count == 1 else "i"
                    here = shown if at < place.n_tokens else (ahead, shown[1])
                    if count == 1 or at < place.n_tokens or found[page * size + slot][0] == "f":
                        found[page * size + slot] = here
        return found


class Reservations:
    """The memory under a buddy allocator, each request in one contiguous reservation."""

    copied = 0

    def __init__(self, policy):
        """Empty; the policy is a name of RESERVATIONS."""
        self.reserve, self.buddy = RESERVATIONS[policy], BuddyAllocator(SLOTS)

    def admit(self, visitor):
        """Reserve its slots; OutOfPages if no block is large enough."""
        visitor.asked = self.reserve(PROMPT, visitor.output, LONGEST)
        visitor.place = self.buddy.allocate(visitor.asked)
        if visitor.place is None:
            raise OutOfPages(f"no block of {visitor.asked} slots is free")
        visitor.written = PROMPT + 1

    def write(self, visitor):
        """One more token, into its reservation."""
        visitor.written += 1

    def leave(self, visitor):
        """Its reservation goes back."""
        self.buddy.release(visitor.place)

    def marks(self, running):
        """(mark, letter) of every slot."""
        found = [("f", "")] * SLOTS
        for v in running:
            for at in range(v.asked):
                mark = "u" if at < v.written else "r" if at < v.final else "i"
                found[v.place + at] = mark, v.letter
        return found
