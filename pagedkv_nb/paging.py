"""A pool of pages with ref counts, and requests that reach them through a block table."""
from .parameter import positive_int, positive_ints


class OutOfPages(MemoryError):
    """The pool has too few free pages; nothing was changed."""


class PagePool:
    """A fixed number of pages, each free or held by `ref_count(page)` block tables."""

    def __init__(self, total_pages, page_size=16):
        """All pages free; `page_size` is in tokens (16: vLLM's default); both are positive."""
        self.total_pages = positive_int("total_pages", total_pages)
        self.page_size = positive_int("page_size", page_size)
        self._free = list(range(self.total_pages))[::-1]  # a stack: last freed, first taken
        self._ref_counts = {}  # pages in use only

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
        page = self._next_free()
        self._ref_counts[page] = 1
        return page

    def share(self, page):
        """Add a holder to a page in use; ValueError if it is free."""
        self._ref_counts[page] = self._held(page) + 1

    def release(self, page):
        """Remove a holder; the last one frees the page. ValueError if it is free already."""
        count = self._held(page)
        if count > 1:
            self._ref_counts[page] = count - 1
        else:
            del self._ref_counts[page]
            self._put_back(page)

    def cow_copy(self, page):
        """A page its holder may write: the same if nobody else holds it, else a new one, whose
        contents are the caller's to copy. ValueError if it is free, OutOfPages without room."""
        count = self._held(page)
        if count == 1:
            return page
        new = self.allocate()
        self._ref_counts[page] = count - 1
        return new

    def _held(self, page):
        """The ref count of a page in use; ValueError if it is free, or no page of ours."""
        count = self._ref_counts.get(page) or self.ref_count(page)
        if not count:
            raise ValueError(f"page {page} is free: nobody holds it")
        return count

    def _next_free(self):
        """Take out the free page that is used next: the one freed last."""
        if not self._free:
            raise OutOfPages(f"all {self.total_pages} pages are in use")
        return self._free.pop()

    def _put_back(self, page):
        """Keep a page whose last holder has left."""
        self._free.append(page)


class PagedRequest:
    """One sequence: a block table that grows by a page every `page_size` tokens."""

    def __init__(self, pool, name=""):
        """An empty request that takes its pages from the pool."""
        self.pool = pool
        self.name = name
        self.n_tokens = 0
        self._table = []

    @property
    def block_table(self):
        """The page of each block, in logical order (a copy)."""
        return list(self._table)

    def append(self, n_tokens=1):
        """Make room for more tokens. Returns None, or (old, new) if the partly filled last page
        was shared and swapped: the caller copies its contents. OutOfPages changes nothing."""
        pool, table = self.pool, self._table
        room = -self.n_tokens % pool.page_size  # slots left in the last page
        if n_tokens == 1 and room and pool._ref_counts.get(table[-1]) == 1:
            self.n_tokens += 1
            return None
        n_tokens = positive_int("n_tokens", n_tokens)
        must_copy = room > 0 and pool._held(table[-1]) > 1
        n_new = pages_for(n_tokens - room, pool.page_size)
        if n_new + must_copy > pool.n_free:
            raise OutOfPages(f"pages needed: {n_new + must_copy}, free: {pool.n_free}")
        moved = (table[-1], pool.cow_copy(table[-1])) if must_copy else None
        if moved:
            table[-1] = moved[1]
        for _ in range(n_new):
            table.append(pool.allocate())
        self.n_tokens += n_tokens
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
        self.n_tokens = 0


def pages_for(n_tokens, page_size):
    """Pages that hold so many tokens (a number or an array): the division rounded up."""
    return -(-n_tokens // page_size)


def paged_utilisation(lengths, page_size):
    """Tokens / slots of the pages that hold them (0..1), for whole lengths in tokens;
    ValueError if there are none or one is not positive."""
    page_size = positive_int("page_size", page_size)
    lengths = positive_ints("lengths", lengths)
    return sum(lengths) / sum(page_size * pages_for(n, page_size) for n in lengths)
