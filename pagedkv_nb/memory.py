"""The memories a simulated server can have: reservations, or pages."""
from .contiguous import RESERVATIONS, BuddyAllocator, account
from .paging import PagedRequest, PagePool
from .parameter import choice, number, positive_int


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

    def account(self, final, used):
        """The states of all slots, given the tokens now and at the requests' ends."""
        return account(self.slots, self.asked, final, used)


class PagedMemory:
    """Pages taken as tokens are written; a few are kept back on admission."""

    def __init__(self, slots, page_size=16, watermark=0.01):
        """`slots // page_size` pages; `watermark` is the share kept back (vLLM's 0.01)."""
        self.slots = positive_int("slots", slots)
        page_size = positive_int("page_size", page_size, most=self.slots)
        self.pool = PagePool(self.slots // page_size, page_size)
        self.longest = self.pool.total_pages * page_size
        self.kept_back = int(number("watermark", watermark, most=1) * self.pool.total_pages)
        self._clock = 0
        self._due = [{} for _ in range(page_size)]  # by the iteration that needs a page

    def admit(self, request):
        """Take pages for the tokens a request has; False, with nothing changed, if too
        few would be left. An empty memory keeps nothing back."""
        left = self.pool.n_free + -request.n_tokens // self.pool.page_size
        if left < (self.kept_back if self.pool.n_used else 0):
            return False
        table = PagedRequest(self.pool)
        table.append(request.n_tokens)
        due = self._due[(self._clock - request.n_tokens) % self.pool.page_size]
        due[request] = table
        request.place = table, due
        return True

    def grow(self, preempt):
        """One more token for every request. Those whose last page is full take another; if
        none is free, `preempt()` must release a request first. Only here is a block table
        brought up to date: once a page, not once a token."""
        due = self._due[self._clock % self.pool.page_size]
        for request, table in list(due.items()):
            if request in due and not self.pool.n_free:
                preempt()  # possibly this one
            if request in due:
                table.append(-table.n_tokens % self.pool.page_size + 1)
        self._clock += 1

    def release(self, request):
        """Give a request's pages back."""
        table, due = request.place
        table.free()
        del due[request]

    def account(self, final, used):
        """The states of all slots: the rest of a last page is internal fragmentation,
        as in the paper, and free pages are external."""
        return account(self.slots, self.pool.n_used * self.pool.page_size, used, used)
