"""A pool of pages with ref counts, and requests that reach them through a block table."""
from itertools import repeat
from operator import index

from .parameter import positive_int, positive_ints, total


class OutOfPages(MemoryError):
    """The pool has too few free pages; nothing was changed."""


class PagePool:
    """A fixed number of pages, each free or held by `ref_count(page)` block tables."""

    def __init__(self, total_pages, page_size=16):
        """All pages free; `page_size` is in tokens (16: vLLM's default). ValueError
        unless both are positive whole numbers."""
        self.total_pages = positive_int("total_pages", total_pages)
        self.page_size = positive_int("page_size", page_size)
        self._free = list(range(self.total_pages))[::-1]  # a stack: last freed, first taken
        self._ref_counts = {}  # pages in use only
        self._writers = {}  # page -> the request that fills it without asking, until told

    @property
    def n_free(self):
        """Pages nobody holds."""
        return len(self._free)

    @property
    def n_used(self):
        """Pages in use, a shared one counted once."""
        return len(self._ref_counts)

    @property
    def utilisation(self):
        """Pages in use / all pages, 0..1."""
        return self.n_used / self.total_pages

    def ref_count(self, page):
        """How many block tables hold the page, 0 if free; ValueError for no such page."""
        if page not in range(self.total_pages):
            raise ValueError(f"page {page!r}: the pool has pages 0 to {self.total_pages - 1}")
        return self._ref_counts.get(page, 0)

    def allocate(self):
        """Take a free page, with ref count 1; OutOfPages if there is none."""
        if not self._free:
            raise OutOfPages(f"all {self.total_pages} pages are in use")
        page = self._free.pop()
        self._ref_counts[page] = 1
        return page

    def take(self, n):
        """n free pages at once, each with ref count 1; OutOfPages if there are fewer."""
        left = self.n_free - n
        if not 0 <= left <= self.n_free:
            raise OutOfPages(f"pages needed: {n}, free: {self.n_free}")
        pages = self._free[left:][::-1]
        del self._free[left:]
        self._ref_counts.update(zip(pages, repeat(1)))
        return pages

    def share(self, page):
        """Add a holder to a page in use; ValueError if it is free."""
        self._ref_counts[page] = (self._ref_counts.get(page) or self._held(page)) + 1
        if page in self._writers:
            self._writers.pop(page)._own_until = 0  # it must look again

    def release(self, page):
        """Remove a holder; the last one frees the page. ValueError if it is free already."""
        count = self._ref_counts.get(page) or self._held(page)
        if count > 1:
            self._ref_counts[page] = count - 1
        else:
            del self._ref_counts[page]
            self._free.append(page)
            if page in self._writers:
                self._writers.pop(page)._own_until = 0  # it must look again

    def cow_copy(self, page):
        """A page its holder may write: the same one if nobody else holds it, else a new
        one, allocated before the old is let go. Contents are the caller's to copy.
        ValueError if the page is free, OutOfPages if there is no room for the copy."""
        count = self._held(page)
        if count == 1:
            return page
        new = self.allocate()
        self._ref_counts[page] = count - 1
        return new

    def _held(self, page):
        """The ref count of a page in use; ValueError if it is free."""
        if not self.ref_count(page):
            raise ValueError(f"page {page} is free: nobody holds it")
        return self._ref_counts[page]


class PagedRequest:
    """One sequence: a block table that grows by a page every `page_size` tokens."""

    __slots__ = ("pool", "name", "n_tokens", "_table", "_own_until", "__weakref__")

    def __init__(self, pool, name=""):
        """An empty request that takes its pages from the pool."""
        self.pool = pool
        self.name = name
        self.n_tokens = 0
        self._table = []
        self._own_until = 0  # tokens it may have before it must look at its last page

    @property
    def block_table(self):
        """The page of each block, in logical order (a copy)."""
        return list(self._table)

    def append(self, n_tokens=1):
        """Make room for more tokens. Returns None, or (old, new) if the partly filled
        last page was shared and was swapped for a private one: the caller copies its
        contents. ValueError for fewer than 1 token; OutOfPages changes nothing."""
        if n_tokens == 1 and self.n_tokens < self._own_until:
            self.n_tokens += 1  # the common case: room in a page of our own
            return None
        if n_tokens == 1 and self.n_tokens == self._own_until:
            return self._append_page()
        return self._append_pages(n_tokens)

    def _append_page(self):
        """`append` of one token that starts a page."""
        page = self.pool.allocate()
        self.pool._writers[page] = self
        self._table.append(page)
        self._own_until += self.pool.page_size
        self.n_tokens += 1

    def _append_pages(self, n_tokens):
        """`append` in general: count the pages first, then change."""
        if index(n_tokens) < 1:
            raise ValueError(f"n_tokens={n_tokens}: must be a whole number, at least 1")
        pool, table, total = self.pool, self._table, self.n_tokens + n_tokens
        swap = self.n_tokens < len(table) * pool.page_size and pool._held(table[-1]) > 1
        n_new = -(-total // pool.page_size) - len(table)
        if n_new + swap > pool.n_free:
            raise OutOfPages(f"pages needed: {n_new + swap}, free: {pool.n_free}")
        moved = (table[-1], pool.cow_copy(table[-1])) if swap else None
        if moved:
            table[-1] = moved[1]
        table += pool.take(n_new)
        self.n_tokens, self._own_until = total, len(table) * pool.page_size
        pool._writers[table[-1]] = self
        return moved

    def fork(self, name=""):
        """A new request with the same tokens, which shares every page."""
        twin = PagedRequest(self.pool, name)
        for page in self._table:
            self.pool.share(page)
        twin._table, twin.n_tokens = self.block_table, self.n_tokens
        return twin

    def free(self):
        """Give every page back, last first; the request is empty, ready for new use."""
        while self._table:
            self.pool.release(self._table.pop())
        self.n_tokens = self._own_until = 0


def paged_utilisation(lengths, page_size):
    """Tokens / slots of the pages that hold them (0..1), for whole lengths in tokens;
    ValueError if there are none or one is not positive."""
    page_size = positive_int("page_size", page_size)
    lengths = positive_ints("lengths", lengths)
    return total(lengths) / (page_size * pages_for(lengths, page_size))


def pages_for(lengths, page_size):
    """Pages that hold all of the lengths, a list or an array."""
    if hasattr(lengths, "sum"):
        return int((-(-lengths // page_size)).sum())
    return sum(-(-n // page_size) for n in lengths)
