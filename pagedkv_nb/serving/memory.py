"""The memories a simulated server can have: reservations, or pages."""
from ..contiguous import RESERVATIONS, BuddyAllocator, account
from ..paging import PagedRequest, PagePool
from ..parameter import choice, number, positive_int


class ReservedMemory:
    """One contiguous reservation a request, from its admission until it leaves."""

    def __init__(self, slots, policy, longest, allocator=BuddyAllocator):
        """`policy` is a name of RESERVATIONS, `longest` the longest request in tokens.
        ValueError if even the empty memory has no room for that many."""
        self.slots = positive_int("slots", slots)
        self.longest = positive_int("longest", longest)
        self.reserve = RESERVATIONS[choice("policy", policy, RESERVATIONS)]
        self.asked = 0
        self.allocator = allocator(slots)
        address = self.allocator.allocate(longest)
        if address is None:
            raise ValueError(f"longest={longest}: the memory of {slots} slots has no room")
        self.allocator.release(address)

    def admit(self, request):
        """Reserve room; False, with nothing changed, if there is none."""
        size = self.reserve(request.prompt, request.output, self.longest)
        address = self.allocator.allocate(size)
        if address is None:
            return False
        request.place = address, size
        self.asked += size
        return True

    def grow(self, preempt):
        """One more token for every request: the room is theirs already."""

    def release(self, request):
        """Give a request's reservation back."""
        address, size = request.place
        self.allocator.release(address)
        self.asked -= size

    def pieces(self, request):
        """Where a running request lies: [(first slot, slots)] in logical order."""
        return [request.place]

    def account(self, final, used):
        """The states of all slots, given the tokens now and at the requests' ends."""
        return account(self.slots, self.asked, final, used)


class PlainPagedMemory:
    """Pages taken as tokens are written, a token at a time; a few are kept back on
    admission."""

    pool_class = PagePool

    def __init__(self, slots, page_size=16, watermark=0.01):
        """`slots // page_size` pages; `watermark` is the share kept back (vLLM's 0.01)."""
        self.slots = positive_int("slots", slots)
        page_size = positive_int("page_size", page_size, most=self.slots)
        self.pool = self.pool_class(self.slots // page_size, page_size)
        self.longest = self.pool.total_pages * page_size
        self.kept_back = int(number("watermark", watermark, most=1) * self.pool.total_pages)
        self.tables = {}  # request -> PagedRequest, in order of admission

    def admit(self, request):
        """Take pages for the tokens a request has; False, with nothing changed, if too
        few would be left. An empty memory keeps nothing back."""
        needed = -(-request.n_tokens // self.pool.page_size)
        if self.pool.n_free - needed < (self.kept_back if self.pool.n_used else 0):
            return False
        self.tables[request] = PagedRequest(self.pool)
        self.tables[request].append(request.n_tokens)
        return True

    def grow(self, preempt):
        """One more token for every request. If one needs a page and none is free,
        `preempt()` must release a request first: possibly this one."""
        for request, table in list(self.tables.items()):
            if table.n_tokens % self.pool.page_size == 0 and request in self.tables:
                if not self.pool.n_free:
                    preempt()
            if request in self.tables:
                table.append()

    def release(self, request):
        """Give a request's pages back."""
        self.tables.pop(request).free()

    def pieces(self, request):
        """Where a running request lies: [(first slot, slots)] in logical order."""
        size = self.pool.page_size
        return [(page * size, size) for page in self.tables[request].block_table]

    def account(self, final, used):
        """The states of all slots: the rest of a last page is internal fragmentation,
        as in the paper, and free pages are external."""
        return account(self.slots, self.pool.n_used * self.pool.page_size, used, used)


class CountedPages:
    """A pool that only counts: its pages have no names."""

    def __init__(self, total_pages, page_size):
        """All pages free."""
        self.total_pages = self.n_free = total_pages
        self.page_size = page_size

    @property
    def n_used(self):
        """Pages in use."""
        return self.total_pages - self.n_free


class PagedMemory(PlainPagedMemory):
    """The same decisions as `PlainPagedMemory`, from page counts alone: a request is looked
    at once a page, and only if pages run out; all others take theirs together."""

    pool_class = CountedPages

    def __init__(self, slots, page_size=16, watermark=0.01):
        """As the plain one."""
        super().__init__(slots, page_size, watermark)
        self._clock = 0
        self._due = [{} for _ in range(page_size)]  # by the iteration that needs a page

    def admit(self, request):
        """Count pages for the tokens a request has; False, with nothing changed, if too
        few would be left."""
        left = self.pool.n_free + -request.n_tokens // self.pool.page_size
        if left < (self.kept_back if self.pool.n_used else 0):
            return False
        self.pool.n_free = left
        start = self._clock - request.n_tokens
        due = self._due[start % self.pool.page_size]
        due[request] = None
        request.place = start, due
        return True

    def grow(self, preempt):
        """One more token for every request; only those whose last page is full matter."""
        due = self._due[self._clock % self.pool.page_size]
        if len(due) <= self.pool.n_free:
            self.pool.n_free -= len(due)
        else:
            for request in list(due):
                if request in due and not self.pool.n_free:
                    preempt()
                self.pool.n_free -= request in due
        self._clock += 1

    def release(self, request):
        """Give the pages of a request's tokens back."""
        start, due = request.place
        self.pool.n_free -= (start - self._clock) // self.pool.page_size
        del due[request]
