"""Attention through the block table against ordinary attention over separate arrays."""
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pagedkv_nb.attention import SLOTS_AT_ONCE, PagedKVCache, attention
from pagedkv_nb.paging import OutOfPages, PagedRequest, PagePool

TOLERANCE = {np.float32: 1e-6, np.float64: 1e-12}


def random_kv(rng, n, heads, dim, dtype):
    return rng.standard_normal((2, n, heads, dim)).astype(dtype)


def check(cache, request, k, v, q):
    """attend and gather, against arrays that never knew pages."""
    tolerance = TOLERANCE[cache.k.dtype.type]
    np.testing.assert_allclose(cache.attend(request, q), attention(q, k, v), rtol=0, atol=tolerance)
    gathered = cache.gather(request)
    np.testing.assert_array_equal(gathered[0], k)
    np.testing.assert_array_equal(gathered[1], v)


@settings(max_examples=60)
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


def test_scores_are_divided_by_the_root_of_the_dimension():
    k, v = np.array([[[0.0] * 4], [[1.0] * 4]]), np.array([[[0.0] * 4], [[1.0] * 4]])
    expected = 1 / (1 + np.exp(-4 / 4 ** 0.5))  # the second token's share of two
    np.testing.assert_allclose(attention(np.ones((1, 4)), k, v), np.full((1, 4), expected))


def scatter(pool, rng):
    """Use up and free pages in random order, so that later ones come scattered."""
    pages = [pool.allocate() for _ in range(pool.total_pages)]
    for page in rng.permutation(pages):
        pool.release(int(page))


@settings(max_examples=50)
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
    assert np.isfinite(cache.attend(request, q)).all()
    request.n_tokens = 7
    assert np.isnan(cache.attend(request, q)).all()


@settings(max_examples=50)
@given(st.integers(1, 700), st.integers(1, 300), st.integers(1, 200),
       st.sampled_from([np.float32, np.float64]), st.integers(0, 2**32 - 1))
def test_however_many_pages_are_read_at_once(n, page_size, at_once, dtype, seed):
    rng = np.random.RandomState(seed)
    cache = PagedKVCache(PagePool(-(-n // page_size) + 5, page_size), 2, 8, dtype)
    scatter(cache.pool, rng)
    request = PagedRequest(cache.pool)
    k, v = random_kv(rng, n, 2, 8, dtype)
    cache.write(request, k, v)
    q = 3 * rng.standard_normal((4, 8)).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pagedkv_nb.attention.SLOTS_AT_ONCE", at_once)
        found = cache.attend(request, q)
    np.testing.assert_allclose(found, attention(q, k, v), rtol=0, atol=TOLERANCE[dtype])


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 9), st.integers(1, 3),
       st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_several_queries_each_see_all_before_them_in_every_layer(before, n, page_size, heads, group, seed):
    rng = np.random.RandomState(seed)
    cache = PagedKVCache(PagePool(150, page_size), heads, 4, np.float64, layers=3)
    scatter(cache.pool, rng)
    request, other = PagedRequest(cache.pool), PagedRequest(cache.pool)
    kv = rng.standard_normal((3, 2, before + n, heads, 4))
    for start, end in ((0, before), (before, before + n)):
        cache.append(request, end - start)
        cache.append(other, 1)
        for layer in range(3):
            cache.put(request, layer, *kv[layer, :, start:end])
    q = rng.standard_normal((n, heads * group, 4))
    for layer, (k, v) in enumerate(kv):
        found = cache.attend(request, q, layer)
        assert found.shape == q.shape
        for i in range(n):
            seen = before + i + 1
            np.testing.assert_allclose(found[i], attention(q[i], k[:seen], v[:seen]), rtol=0, atol=1e-12)
        np.testing.assert_array_equal(cache.gather(request, layer), (k, v))


def test_a_copied_page_is_copied_in_every_layer():
    cache = PagedKVCache(PagePool(8, 4), 1, 1, layers=2)
    request = PagedRequest(cache.pool)
    cache.append(request, 6)
    kv = np.arange(24, dtype=np.float32).reshape(2, 2, 6, 1, 1)
    for layer in range(2):
        cache.put(request, layer, *kv[layer])
    twin = request.fork()
    assert cache.append(twin, 1) == (1, 2)
    for layer in range(2):
        for array, values in zip(cache.gather(twin, layer), kv[layer]):
            np.testing.assert_array_equal(array[:6], values)
            assert np.isnan(array[6]).all()


def test_attend_never_gathers(monkeypatch):
    cache = PagedKVCache(PagePool(200, 4), 1, 2)
    request = PagedRequest(cache.pool)
    cache.write(request, *random_kv(np.random.RandomState(0), 790, 1, 2, np.float32))
    q, seen = np.ones((1, 2), np.float32), []
    monkeypatch.setattr(cache, "gather", None)
    monkeypatch.setattr("pagedkv_nb.attention.scores", recorded_scores(seen))
    cache.attend(request, q)
    assert [len(k) for k in seen] == [SLOTS_AT_ONCE] * 6 + [22]


def recorded_scores(seen):
    """The scores function, but it also keeps the keys it is given."""
    from pagedkv_nb.attention import scores

    def recorded(grouped, k):
        seen.append(k)
        return scores(grouped, k)
    return recorded


def test_large_scores_do_not_overflow(monkeypatch):
    monkeypatch.setattr("pagedkv_nb.attention.SLOTS_AT_ONCE", 2)
    cache = PagedKVCache(PagePool(4, 2), 1, 1)
    request = PagedRequest(cache.pool)
    k = np.float32([-3e4, 3e4, 2e4, -1e4]).reshape(4, 1, 1)
    cache.write(request, k, k)
    assert cache.attend(request, np.float32([[100]])).item() == 3e4


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
    with pytest.raises(ValueError, match="holds no tokens"):
        cache.attend(request, np.zeros((2, 3)))
    with pytest.raises(ValueError, match="the request has 0 tokens"):
        cache.put(request, 0, good, good)
    cache.write(request, good, good)
    with pytest.raises(ValueError, match="holds 5 tokens"):
        cache.attend(request, np.zeros((6, 2, 3)))
    for q in (np.zeros((3, 3)), np.zeros((2, 2)), np.zeros((0, 3)), np.zeros((2, 3, 3))):
        with pytest.raises(ValueError, match="multiple of 2"):
            cache.attend(request, q)
