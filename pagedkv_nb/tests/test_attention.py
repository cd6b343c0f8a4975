"""Attention through the block table against ordinary attention over separate arrays."""
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pagedkv_nb.attention import CHUNK, PagedKVCache, attention
from pagedkv_nb.paging import OutOfPages, PagedRequest, PagePool

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-12}


def random_kv(rng, n, heads, dim, dtype):
    return rng.standard_normal((2, n, heads, dim)).astype(dtype)


def check(cache, request, k, v, q):
    """attend, both ways, and gather, against arrays that never knew pages."""
    expected = attention(q, k, v)
    tolerance = TOLERANCE[cache.k.dtype.type]
    for attend in (cache.attend, cache.attend_page_by_page):
        np.testing.assert_allclose(attend(request, q), expected, rtol=0, atol=tolerance)
    gathered = cache.gather(request)
    np.testing.assert_array_equal(gathered[0], k)
    np.testing.assert_array_equal(gathered[1], v)


@settings(max_examples=150)
@given(st.data())
def test_paged_attention_is_attention(data):
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    page_size, heads = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 3))
    group, dim = data.draw(st.integers(1, 4)), data.draw(st.sampled_from([1, 2, 8, 64]))
    pieces = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=6))
    rng = np.random.RandomState(data.draw(st.integers(0, 2**32 - 1)))
    cache = PagedKVCache(PagePool(500, page_size), heads, dim, dtype)
    scatter(cache.pool, rng)
    requests = [PagedRequest(cache.pool), PagedRequest(cache.pool)]
    kept = [[], []]
    for n in pieces:  # two requests in turns: neighbours in neither table nor memory
        for request, parts in zip(requests, kept):
            parts.append(random_kv(rng, n, heads, dim, dtype))
            cache.write(request, *parts[-1])
    for request, parts in zip(requests, kept):
        q = rng.standard_normal((heads * group, dim)).astype(dtype) * 3
        check(cache, request, *np.concatenate(parts, axis=1), q)


def scatter(pool, rng):
    """Use up and free pages in random order, so that later ones come scattered."""
    pages = [pool.allocate() for _ in range(pool.total_pages)]
    for page in rng.permutation(pages):
        pool.release(int(page))


@settings(max_examples=100)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 9), st.integers(1, 7),
       st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1))
def test_forks_stay_right_after_all_have_written(prompt, left, right, page_size, dtype, seed):
    rng = np.random.RandomState(seed)
    cache = PagedKVCache(PagePool(200, page_size), 2, 4, dtype)
    scatter(cache.pool, rng)
    first = PagedRequest(cache.pool)
    start = random_kv(rng, prompt, 2, 4, dtype)
    cache.write(first, *start)
    second = first.fork()
    third = second.fork()
    q = rng.standard_normal((4, 4)).astype(dtype)
    tails = {}
    for request, n in ((second, right), (first, left), (third, left)):
        tails[request] = random_kv(rng, n, 2, 4, dtype)
        cache.write(request, *tails[request])
    for request, tail in tails.items():
        check(cache, request, *np.concatenate([start, tail], axis=1), q)
    for request in tails:
        request.free()
    assert cache.pool.n_free == 200


def test_reading_one_slot_too_many_is_seen():
    rng = np.random.RandomState(0)
    cache = PagedKVCache(PagePool(4, 4), 1, 2)
    request = PagedRequest(cache.pool)
    cache.write(request, *random_kv(rng, 6, 1, 2, np.float32))
    q = np.ones((1, 2), np.float32)
    ways = (cache.attend, cache.attend_page_by_page)
    assert all(np.isfinite(attend(request, q)).all() for attend in ways)
    request.n_tokens = 7
    assert all(np.isnan(attend(request, q)).all() for attend in ways)


@settings(max_examples=100)
@given(st.integers(1, 700), st.integers(1, 300), st.integers(1, 200),
       st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1))
def test_many_pages_at_once_are_the_same_pages(n, page_size, chunk, dtype, seed):
    rng = np.random.RandomState(seed)
    cache = PagedKVCache(PagePool(-(-n // page_size) + 5, page_size), 2, 8, dtype)
    scatter(cache.pool, rng)
    request = PagedRequest(cache.pool)
    cache.write(request, *random_kv(rng, n, 2, 8, dtype))
    q = 3 * rng.standard_normal((4, 8)).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pagedkv_nb.attention.CHUNK", chunk)
        fast = cache.attend(request, q)
    np.testing.assert_allclose(fast, cache.attend_page_by_page(request, q),
                               rtol=0, atol=TOLERANCE[dtype])


def test_attend_never_gathers(monkeypatch):
    cache = PagedKVCache(PagePool(200, 4), 1, 2)
    request = PagedRequest(cache.pool)
    cache.write(request, *random_kv(np.random.RandomState(0), 790, 1, 2, np.float32))
    q, seen = np.ones((1, 2), np.float32), []
    monkeypatch.setattr(cache, "gather", None)
    monkeypatch.setattr("pagedkv_nb.attention.scores", recorded_scores(seen))
    cache.attend_page_by_page(request, q)
    assert [len(k) for k in seen] == [4] * 197 + [2]
    assert all(np.shares_memory(k, cache.k) for k in seen)  # views, no copies
    seen.clear()
    cache.attend(request, q)
    assert [len(k) for k in seen] == [CHUNK] * 6 + [22]


def recorded_scores(seen):
    """The scores function, but it also keeps the keys it is given."""
    from pagedkv_nb.attention import scores

    def recorded(grouped, k):
        seen.append(k)
        return scores(grouped, k)
    return recorded


@pytest.mark.parametrize("attend", ["attend", "attend_page_by_page"])
def test_large_scores_do_not_overflow(attend, monkeypatch):
    monkeypatch.setattr("pagedkv_nb.attention.CHUNK", 2)
    cache = PagedKVCache(PagePool(4, 2), 1, 1)
    request = PagedRequest(cache.pool)
    k = np.float32([-3e4, 3e4, 2e4, -1e4]).reshape(4, 1, 1)
    cache.write(request, k, k)
    assert getattr(cache, attend)(request, np.float32([[100]])).item() == 3e4


def test_writing_into_a_full_pool_changes_nothing():
    cache = PagedKVCache(PagePool(2, 2), 1, 1)
    request = PagedRequest(cache.pool)
    cache.write(request, *np.ones((2, 3, 1, 1), np.float32))
    twin = request.fork()
    before = cache.k.copy(), cache.v.copy()
    with pytest.raises(OutOfPages):
        cache.write(twin, *np.zeros((2, 1, 1, 1), np.float32))
    np.testing.assert_array_equal(before, (cache.k, cache.v))
    assert twin.n_tokens == 3 and twin.block_table == request.block_table


def test_wrong_shapes_are_refused_before_anything_changes():
    cache = PagedKVCache(PagePool(4, 4), 2, 3)
    request = PagedRequest(cache.pool)
    good = np.zeros((5, 2, 3))
    for k, v in ((good, good[:4]), (good[0], good[0]), (good[:, :1], good[:, :1]),
                 (good[..., :2], good[..., :2]), (good[:0], good[:0])):
        with pytest.raises(ValueError):
            cache.write(request, k, v)
    assert request.n_tokens == 0 and cache.pool.n_used == 0
    with pytest.raises(ValueError, match="no token"):
        cache.attend(request, np.zeros((2, 3)))
    for q in (np.zeros((3, 3)), np.zeros((2, 2)), np.zeros(3), np.zeros((0, 3))):
        with pytest.raises(ValueError, match="multiple of 2"):
            cache.attend(request, q)
