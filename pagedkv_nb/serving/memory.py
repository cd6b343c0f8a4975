"""The memories a simulated server can have: reservations, or pages."""
from ..contiguous import BuddyAllocator
from ..paging import OutOfPages, PagedRequest, PagePool, pages_for
from ..parameter import number, positive_int


class ReservedMemory:
    """One contiguous reservation a request, from its admission until it leaves."""

    reserves = True  # slots for tokens that are not written yet

    def __init__(self, slots, policy, longest, allocator=BuddyAllocator):
        """`policy.reserve` says how much a request gets, `longest` is the longest request in
        tokens. ValueError if even the empty memory has no room for that many."""
        self.slots = positive_int("slots", slots)
        self.longest = positive_int("longest", longest)
        self.policy = policy
        self.asked = 0  # slots
        if allocator(slots).allocate(longest) is None:
            raise ValueError(f"longest={longest}: the memory of {slots} slots has no room")
        self.allocator = allocator(slots)

    def admit(self, request):
        """Reserve room; False, with nothing changed, if there is none. ValueError if the
        policy asks for less than the request will use, or for more than the longest."""
        size = self.policy.reserve(request.prompt, request.output, self.longest)
        size = positive_int(f"reserved by policy {self.policy.name!r}", size, self.longest,
                            request.final, f"for a request of {request.final} tokens")
        address = self.allocator.allocate(size)
        if address is None:
            return False
        request.place = address, size
        self.asked += size
        return True

    def grow(self, preempt):
        """One more token for every request: admission has made sure of the room."""

    def release(self, request):
        """Give a request's reservation back."""
        address, size = request.place
        self.allocator.release(address)
        self.asked -= size

    def pieces(self, request):
        """Where a running request lies: [(first slot, slots)] in logical order."""
        return [request.place]


class PageLimits:
    """What both paged memories have in common: sizes and admission's rule."""

    reserves = False

    def __init__(self, slots, page_size=16, watermark=0.01):
        """`slots // page_size` pages; `watermark` is the share kept back (vLLM's 0.01)."""
        self.slots = positive_int("slots", slots)
        self.page_size = positive_int("page_size", page_size, most=self.slots)
        self.total_pages = self.slots // self.page_size
        self.longest = self.total_pages * self.page_size
        self.kept_back = int(number("watermark", watermark, most=1) * self.total_pages)

    def has_room(self, n_tokens):
        """Whether a request with so many tokens may come: some pages are kept back for the
        running ones to grow, unless nobody runs."""
        kept_back = self.kept_back if self.n_free < self.total_pages else 0
        return self.n_free - pages_for(n_tokens, self.page_size) >= kept_back

    @property
    def asked(self):
        """Slots of the pages in use."""
        return (self.total_pages - self.n_free) * self.page_size


class PlainPagedMemory(PageLimits):
    """Pages with names, taken as tokens are written, a token at a time."""

    def __init__(self, slots, page_size=16, watermark=0.01):
        """A pool of pages; else as `PageLimits`."""
        super().__init__(slots, page_size, watermark)
        self.pool = PagePool(self.total_pages, self.page_size)
        self.tables = {}  # request -> PagedRequest, in order of admission

    @property
    def n_free(self):
        """Pages nobody holds."""
        return self.pool.n_free

    def admit(self, request):
        """Take pages for the tokens a request has; False, with nothing changed, without room."""
        if not self.has_room(request.n_tokens):
            return False
        self.tables[request] = PagedRequest(self.pool)
        self.tables[request].append(request.n_tokens)
        return True

    def grow(self, preempt):
        """One more token for every request. While no page is free for it, `preempt()` must
        release the youngest request: possibly this one."""
        for request, table in list(self.tables.items()):
            while request in self.tables:
                try:
                    table.append()
                    break
                except OutOfPages:
                    preempt()

    def release(self, request):
        """Give a request's pages back."""
        self.tables.pop(request).free()

    def pieces(self, request):
        """Where a running request lies: [(first slot, slots)] in logical order."""
        size = self.page_size
        return [(page * size, size) for page in self.tables[request].block_table]


class PagedMemory(PageLimits):
    """The same decisions as `PlainPagedMemory`, from page counts alone: a request is looked
    at once a page, and only if pages run out; all others take theirs together."""

    def __init__(self, slots, page_size=16, watermark=0.01):
        """All pages free; else as `PageLimits`."""
        super().__init__(slots, page_size, watermark)
        self.n_free = self.total_pages
        self._iteration = 0
        self._due = [{} for _ in range(self.page_size)]  # by the iteration that needs a page

    def admit(self, request):
        """As `PlainPagedMemory.admit`, by their number."""
        if not self.has_room(request.n_tokens):
            return False
        self.n_free -= pages_for(request.n_tokens, self.page_size)
        start = self._iteration - request.n_tokens  # as if it had written a token in each
        due = self._due[start % self.page_size]
        due[request] = None
        request.place = start, due
        return True

    def grow(self, preempt):
        """One more token for every request; only those whose last page is full matter."""
        due = self._due[self._iteration % self.page_size]
        if len(due) <= self.n_free:
            self.n_free -= len(due)
        else:
            for request in list(due):
                if request in due and not self.n_free:
                    preempt()
                self.n_free -= request in due
        self._iteration += 1

    def release(self, request):
        """Give the pages of a request's tokens back."""
        start, due = request.place
        self.n_free += pages_for(self._iteration - start, self.page_size)
        del due[request]
