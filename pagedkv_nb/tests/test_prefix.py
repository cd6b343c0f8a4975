"""Pages found again: vLLM's own states, a slow model, and what must never happen."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagedkv_nb.attention import PagedKVCache, attention
from pagedkv_nb.paging import OutOfPages, PagedRequest
from pagedkv_nb.prefix import PrefixPool, PrefixRequest, page_keys
from pagedkv_nb.evidence import recorded, replay

RECORDING = recorded("vllm_prefix")


def test_every_state_is_vllms():
    assert list(replay(RECORDING)) == RECORDING["states"] and len(RECORDING["ops"]) == 2000


class FreeAtTheEnd(PrefixPool):
    """Partly filled pages wait behind those that can be found."""

    def _next_free(self):
        return self._evict(self.victim()) if self._idle else super()._next_free()


class Newest(PrefixPool):
    """The page idle for shortest is forgotten first."""

    def victim(self):
        return next(reversed(self._idle))


class LastOfEqual(PrefixPool):
    """Of equal pages the newest is found."""

    def find(self, keys):
        return [next(reversed(self._pages_of[self._key_of[page]])) for page in super().find(keys)]


class NoRoomCheck(PrefixPool):
    """Found idle pages count as room for new ones too."""

    def room_beside(self, pages):
        return self.n_free


@pytest.mark.parametrize("broken", [Newest, LastOfEqual, NoRoomCheck, FreeAtTheEnd])
def test_breaking_a_rule_is_seen_in_the_recording(broken):
    pairs = zip(replay(RECORDING, broken), RECORDING["states"], strict=True)
    assert any(ours != theirs for ours, theirs in pairs)


class Slow:
    """The same from its description alone: one queue, whole texts, scans."""

    def __init__(self, n_pages, page_size):
        self.size, self.queue, self.count = page_size, list(range(n_pages)), {}
        self.holds, self.live, self.text = {}, {}, {}  # holds: page -> text, oldest first

    def found(self, text):
        pages = []
        for end in range(self.size, len(text), self.size):
            same = [page for page, held in self.holds.items() if held == text[:end]]
            if not same:
                break
            pages.append(same[0])
        return pages

    def extend(self, name, found, text):
        need = -(-len(text) // self.size) - len(self.live.get(name, found))
        if need > len(self.queue) - sum(page in self.queue for page in found):
            return False
        table = self.live.setdefault(name, list(found))
        for page in found:
            self.count[page] = self.count.get(page, 0) + 1
        self.queue = [page for page in self.queue if page not in found]
        for _ in range(need):
            page = self.queue.pop(0)
            self.holds.pop(page, None)
            self.count[page] = 1
            table.append(page)
        for block in range(len(text) // self.size):
            self.holds.setdefault(table[block], text[: (block + 1) * self.size])
        self.text[name] = text
        return True

    def release(self, name):
        for page in reversed(self.live.pop(name)):
            self.count[page] -= 1
            if not self.count[page]:
                del self.count[page]
                self.queue.insert(len(self.queue) if page in self.holds else 0, page)


def consistent(pool, live):
    held = [page for request in live.values() for page in request.block_table]
    assert all(pool.ref_count(page) == held.count(page) for page in range(pool.total_pages))
    free = [*pool._free, *pool._idle]
    assert sorted([*free, *set(held)]) == list(range(pool.total_pages))
    assert pool.n_free == len(free) and pool.n_used == len(set(held))
    assert all(pool._key_of.get(page) is not None for page in pool._idle)
    assert not any(pool._key_of.get(page) for page in pool._free)
    assert sum(map(len, pool._pages_of.values())) == pool.n_cached == len(pool._key_of)


def frozen(pool, live):
    return (list(pool._free), list(pool._idle), dict(pool._key_of), dict(pool._ref_counts),
            {key: list(pages) for key, pages in pool._pages_of.items()},
            {name: (request.block_table, request.n_tokens) for name, request in live.items()})


STEPS = st.lists(st.tuples(st.sampled_from("ccar"), st.integers(0, 40), st.integers(0, 9),
                           st.text("ab", min_size=1, max_size=9)), max_size=40)


@given(st.integers(1, 8), st.integers(1, 4), STEPS)
def test_the_pool_does_what_the_description_says(n_pages, size, steps):
    pool, slow, live, texts = PrefixPool(n_pages, size), Slow(n_pages, size), {}, [""]
    for number, (kind, pick, keep, more) in enumerate(steps):
        before = frozen(pool, live)
        name = sorted(live)[pick % len(live)] if live else None
        if kind == "c":
            text, name = texts[pick % len(texts)][:keep] + more, number
            found = slow.found(text)
            fits = slow.extend(name, found, text)
            try:
                live[name] = PrefixRequest(pool, len(text), page_keys(text, size), name)
                assert fits and live[name].n_found == len(found) * size
            except OutOfPages:
                assert not fits and frozen(pool, live) == before
        elif name is not None and kind == "a":
            text = slow.text[name] + more
            fits = slow.extend(name, [], text)
            try:
                live[name].append(len(more), page_keys(text, size))
                assert fits
            except OutOfPages:
                assert not fits and frozen(pool, live) == before
        elif name is not None:
            slow.release(name)
            live.pop(name).free()
        texts += [slow.text[name]] if name in slow.text else []
        consistent(pool, live)
        assert {n: r.block_table for n, r in live.items()} == slow.live


@given(st.integers(2, 8), st.lists(st.text("ab", min_size=1, max_size=12), max_size=12))
def test_attention_over_found_pages_is_that_over_computed_ones(n_pages, texts):
    pool = PrefixPool(n_pages, 3)
    cache, q = PagedKVCache(pool, 1, 2), np.ones((2, 2), np.float32)
    for text in texts:
        try:
            request = PrefixRequest(pool, len(text), page_keys(text, 3))
        except OutOfPages:
            continue
        k = np.array([[[len(text[:i]) + 1, hash_of(text[: i + 1])]] for i in range(len(text))], np.float32)
        for at in range(request.n_found, len(text)):
            page = request.block_table[at // 3]
            cache.k[0, page, at % 3], cache.v[0, page, at % 3] = k[at], k[at]
        assert np.array_equal(cache.gather(request)[0], k)
        assert np.allclose(cache.attend(request, q), attention(q, k, k), rtol=1e-5)
        request.free()


def hash_of(text):
    return sum((ord(c) - 96) * 2**-i for i, c in enumerate(text))


def test_a_key_stands_for_everything_before_it():
    one, two = page_keys("abcdefgh", 4), page_keys("xbcdefgh", 4)
    assert len(one) == 2 and not set(one) & set(two) and page_keys("abcdefghijk", 4) == one
    assert page_keys([1, 2, 3, 4], 2) == page_keys(np.array([1, 2, 3, 4]), 2) != page_keys("1234", 2)
    assert page_keys([1, 23], 2) != page_keys([12, 3], 2) and page_keys("abc", 4) == []
    with pytest.raises(ValueError, match="^page_size=-4: must be a whole number"):
        page_keys("abc", -4)  # not: no keys


def test_the_page_of_the_last_token_is_never_found():
    pool = PrefixPool(8, 4)
    PrefixRequest(pool, 8, page_keys("abcdefgh", 4)).free()
    assert PrefixRequest(pool, 8, page_keys("abcdefgh", 4)).n_found == 4
    longer = PrefixRequest(pool, 9, page_keys("abcdefghi", 4))
    assert longer.n_found == 8 and longer.append() is None and longer.n_tokens == 10


def test_what_must_be_refused_changes_nothing():
    pool = PrefixPool(4, 4)
    request = PrefixRequest(pool, 6, page_keys("abcdef", 4))
    before = frozen(pool, {0: request})
    for call in (lambda: pool.share(3), lambda: pool.release(3), lambda: pool.remember(3, b"k"),
                 lambda: pool.remember(request.block_table[0], b"k"), lambda: pool.share(9),
                 lambda: PrefixRequest(pool, 6, [b"a", b"b"]), lambda: PrefixRequest(pool, 0),
                 lambda: request.append(1, [b"a", b"b"]), lambda: request.append(0),
                 lambda: request.append(-9)):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(OutOfPages):
        request.append(20)
    assert frozen(pool, {0: request}) == before


def test_keys_may_be_those_of_the_new_pages_or_of_all():
    keys = page_keys("abcdefghijkl", 4)
    for given_keys in (keys, keys[1:]):
        pool = PrefixPool(8, 4)
        PrefixRequest(pool, 6, keys[:1]).append(6, given_keys)
        assert [pool._key_of.get(page) for page in pool.find(keys)] == keys and pool.n_cached == 3


def test_ordinary_requests_run_on_it():
    pool = PrefixPool(4, 4)
    request = PrefixRequest(pool, 8, page_keys("abcdefgh", 4))
    request.free()
    plain = PagedRequest(pool)
    plain.append(6)
    assert pool.n_free == 2 and pool.n_cached == 2  # pages without a key go first
    twin = plain.fork()
    assert twin.append() == (plain.block_table[1], twin.block_table[1]) and pool.n_cached == 1
    assert pool.find(page_keys("abcdefgh", 4)) == [0]  # the tail went first
    consistent(pool, {0: plain, 1: twin})


def test_a_remembered_page_that_is_written_in_place_is_forgotten():
    pool = PrefixPool(2, 4)
    page = pool.allocate()
    pool.remember(page, b"k")
    assert pool.cow_copy(page) == page and pool.find([b"k"]) == [] and pool.n_cached == 0
