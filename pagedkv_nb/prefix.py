"""Pages found again by what they hold: a pool that remembers, and requests that look first.

The order is that of vLLM V1 (0.33): a page whose last holder leaves waits, can be found, and
is forgotten when it is taken again; the one that has waited longest is taken first."""
from collections import OrderedDict
from hashlib import sha256
from operator import index

from .paging import OutOfPages, PagedRequest, PagePool
from .parameter import positive_int


def page_keys(tokens, page_size):
    """The key of each full page of tokens (whole numbers or text): SHA-256 of its tokens
    and the key before it, so of everything up to its end."""
    page_size = positive_int("page_size", page_size)
    tokens = [token if isinstance(token, str) else index(token) for token in tokens]
    keys, key = [], b""
    for end in range(page_size, len(tokens) + 1, page_size):
        key = sha256(key + repr(tokens[end - page_size:end]).encode()).digest()
        keys.append(key)
    return keys


class PrefixPool(PagePool):
    """A pool in which a full page can be remembered, and found after its holders left. Free
    pages without a key are `_free`, a stack; then come those with one, `_idle`, a queue."""

    def __init__(self, total_pages, page_size=16):
        """All pages free and none remembered; else as `PagePool`."""
        super().__init__(total_pages, page_size)
        self._idle = OrderedDict()  # remembered pages nobody holds, longest idle first
        self._key_of = {}  # page -> key
        self._pages_of = {}  # key -> the pages that hold the same, oldest first

    @property
    def n_free(self):
        """Pages nobody holds, remembered or not."""
        return len(self._free) + len(self._idle)

    @property
    def n_cached(self):
        """Pages that are remembered, held or idle."""
        return len(self._key_of)

    def find(self, keys):
        """The pages that hold the longest known beginning of `keys`. One may be idle, and be
        taken until `share` holds it."""
        found = []
        for key in keys:
            if key not in self._pages_of:
                break
            found.append(next(iter(self._pages_of[key])))
        return found

    def remember(self, page, key):
        """Let a page in use be found by `key`, after pages that hold the same already.
        ValueError if it is free or has another key."""
        self._held(page)  # or it says why not
        if self._key_of.get(page, key) != key:
            raise ValueError(f"page {page}: it is remembered by another key")
        self._pages_of.setdefault(key, {})[page] = None
        self._key_of[page] = key

    def room_beside(self, pages):
        """Free pages that are left when these are held."""
        return self.n_free - sum(page in self._idle for page in pages)

    def share(self, page):
        """Add a holder to a page in use or idle; ValueError for any other free page."""
        if page in self._idle:
            del self._idle[page]
            self._ref_counts[page] = 1
        else:
            super().share(page)

    def cow_copy(self, page):
        """As `PagePool.cow_copy`; a page about to be written in place is forgotten."""
        new = super().cow_copy(page)
        if new == page and page in self._key_of:
            self._forget(page)
        return new

    def victim(self):
        """The idle page that is forgotten next, the one idle for longest: the eviction rule."""
        return next(iter(self._idle))

    def _next_free(self):
        """Take out a page without a key; if there is none, an idle one is forgotten."""
        if self._free or not self._idle:
            return super()._next_free()
        return self._evict(self.victim())

    def _put_back(self, page):
        """A remembered page waits where it can be found."""
        if page in self._key_of:
            self._idle[page] = None
        else:
            super()._put_back(page)

    def _evict(self, page):
        """Take an idle page out of the queue and forget what it holds."""
        del self._idle[page]
        self._forget(page)
        return page

    def _forget(self, page):
        """The page can no longer be found."""
        key = self._key_of.pop(page)
        pages = self._pages_of[key]
        del pages[page]
        if not pages:
            del self._pages_of[key]


class PrefixRequest(PagedRequest):
    """A sequence that looks for pages of its beginning first: `n_found` tokens are there."""

    def __init__(self, pool, n_tokens, keys=(), name=""):
        """A request with its whole prompt: at least one token is computed, so the page of
        the last is never found. `keys` are those of its full pages (fewer: the rest is not
        remembered). ValueError for too many; OutOfPages changes nothing."""
        super().__init__(pool, name)
        n_tokens = positive_int("n_tokens", n_tokens)
        keys = self._fitting(keys, n_tokens // pool.page_size)
        last = (n_tokens - 1) // pool.page_size  # the block of the last token
        found = pool.find(keys[:last])
        n_new = last + 1 - len(found)
        if n_new > pool.room_beside(found):
            raise OutOfPages(f"pages needed: {n_new}, free: {pool.room_beside(found)}")
        for page in found:
            pool.share(page)
        self._table = found + [pool.allocate() for _ in range(n_new)]
        self.n_tokens, self.n_found = n_tokens, len(found) * pool.page_size
        for page, key in zip(self._table[len(found):], keys[len(found):]):
            pool.remember(page, key)

    def append(self, n_tokens=1, keys=()):
        """As `PagedRequest.append`; `keys` are those of the pages that it fills, or of all
        full pages of the request. ValueError for another number of keys."""
        full = self.n_tokens // self.pool.page_size
        total = (self.n_tokens + index(n_tokens)) // self.pool.page_size
        keys = keys[full:] if len(keys) == total else keys
        keys = self._fitting(keys, max(0, total - full))
        moved = super().append(n_tokens)
        for page, key in zip(self._table[full:], keys):
            self.pool.remember(page, key)
        return moved

    @staticmethod
    def _fitting(keys, full):
        """The keys as a list; ValueError if there are more than full pages."""
        keys = list(keys)
        if len(keys) > full:
            raise ValueError(f"keys: {len(keys)} given, at most {full}: one a full page")
        return keys
