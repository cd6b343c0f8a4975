"""K and V kept in the pages of a pool, and attention that reads them where they lie."""
import numpy as np

from .paging import pages_for
from .parameter import positive_int

SLOTS_AT_ONCE = 128  # slots that `attend` reads together: they stay in the processor's cache


class PagedKVCache:
    """K and V of one or more layers, in the pages of a pool and nowhere else."""

    def __init__(self, pool, num_kv_heads, head_dim, dtype=np.float32, layers=1):
        """`k` and `v` have shape (layers, pages, page_size, num_kv_heads, head_dim). Slots
        not yet written hold NaN, so that reading one shows."""
        heads = positive_int("num_kv_heads", num_kv_heads)
        dims = positive_int("head_dim", head_dim)
        layers = positive_int("layers", layers)
        self.pool = pool
        self.k = np.full((layers, pool.total_pages, pool.page_size, heads, dims), np.nan, dtype)
        self.v = self.k.copy()

    def write(self, request, k, v):
        """Append k and v of one layer, both (n_tokens, num_kv_heads, head_dim). Returns as
        `append`. ValueError for another shape and OutOfPages change nothing."""
        self._check(k, v)
        moved = self.append(request, len(k))
        self.put(request, 0, k, v)
        return moved

    def append(self, request, n_tokens):
        """As `PagedRequest.append`, in every layer; what a copied page holds is copied too."""
        moved = request.append(n_tokens)
        if moved:
            old, new = moved
            self.k[:, new], self.v[:, new] = self.k[:, old], self.v[:, old]
        return moved

    def put(self, request, layer, k, v):
        """Write k and v, both (n_tokens, num_kv_heads, head_dim), of a request's last
        tokens in one layer; ValueError for another shape, or more tokens than it has."""
        self._check(k, v)
        if len(k) > request.n_tokens:
            raise ValueError(f"k {k.shape}: the request has {request.n_tokens} tokens")
        position = np.arange(request.n_tokens - len(k), request.n_tokens)
        blocks, slots = np.divmod(position, self.pool.page_size)
        pages = np.array(request.block_table)[blocks]
        self.k[layer, pages, slots], self.v[layer, pages, slots] = k, v

    def gather(self, request, layer=0):
        """k and v of a request, contiguous, in order: both (n_tokens, num_kv_heads, head_dim)."""
        table = np.array(request.block_table, dtype=int)
        return tuple(array[layer, table].reshape(-1, *array.shape[3:])[:request.n_tokens]
                     for array in (self.k, self.v))

    def attend(self, request, q, layer=0):
        """Attention of the last tokens of a request: q and the result have shape
        (num_q_heads, head_dim) for the last one, (n, num_q_heads, head_dim) for the last n,
        each of which sees itself and all before it. Query heads share KV heads in groups.

        The block table is walked a few pages at a time, with a running softmax (Milakov
        and Gimelshein, arXiv 1805.02867). ValueError if q does not fit."""
        grouped, seen = self._queries(request, q)
        softmax = RunningSoftmax(grouped.shape)
        table, size = np.array(request.block_table), self.pool.page_size
        step = pages_for(SLOTS_AT_ONCE, size)
        for block in range(0, len(table), step):
            first, pages = block * size, table[block:block + step]
            k, v = (array[layer, pages].reshape(-1, *array.shape[3:])[:request.n_tokens - first]
                    for array in (self.k, self.v))
            score = scores(grouped, k)
            score[:, first + np.arange(len(k)) >= seen] = -np.inf
            softmax.add(score, v)
        return ungrouped(softmax.result(), q.shape).astype(self.k.dtype)

    def _queries(self, request, q):
        """Queries in groups, and how many tokens each row of them sees, (rows, 1)."""
        several = q[None] if q.ndim == 2 else q
        if not 0 < len(several) <= request.n_tokens:
            raise ValueError(f"q {q.shape}: request {request.name!r} holds "
                             f"{request.n_tokens or 'no'} tokens to attend to")
        grouped = group_queries(several, *self.k.shape[3:])
        which = np.arange(grouped.shape[1]) % len(several)  # of the last tokens a row is
        return grouped, (request.n_tokens - len(several) + 1 + which)[:, None]

    def _check(self, k, v):
        """ValueError unless k and v have the shape of the cache."""
        if k.shape != v.shape or k.ndim != 3 or k.shape[1:] != self.k.shape[3:]:
            expected = f"(n_tokens, {self.k.shape[3]}, {self.k.shape[4]})"
            raise ValueError(f"k {k.shape}, v {v.shape}: both must be {expected}")


class RunningSoftmax:
    """A softmax-weighted sum of values that arrive in pieces, in float64."""

    def __init__(self, shape):
        """Nothing added yet, for a sum of shape (num_kv_heads, rows, head_dim)."""
        self.top = np.full(shape[:-1], -np.inf)  # the largest score so far
        self.weight_sum = np.zeros(shape[:-1])
        self.value_sum = np.zeros(shape)

    def add(self, score, value):
        """Add n tokens: score (num_kv_heads, rows, n), value (n, num_kv_heads, head_dim)."""
        top = np.maximum(self.top, score.max(axis=-1))
        weights = np.exp(score - top[..., None])
        shrink = np.exp(self.top - top)  # for what was added before the top rose
        self.weight_sum = self.weight_sum * shrink + weights.sum(axis=-1)
        self.value_sum = self.value_sum * shrink[..., None] + weighted(weights, value)
        self.top = top

    def result(self):
        """The weighted mean, (num_kv_heads, rows, head_dim)."""
        return self.value_sum / self.weight_sum[..., None]


def attention(q, k, v):
    """Ordinary attention of one query (num_q_heads, head_dim) over contiguous k and v,
    (n_tokens, num_kv_heads, head_dim): the reference."""
    score = scores(group_queries(q[None], *k.shape[1:]), k)
    weight = np.exp(score - score.max(axis=-1, keepdims=True))
    weight /= weight.sum(axis=-1, keepdims=True)
    return weighted(weight, v).reshape(q.shape).astype(k.dtype)


def scores(grouped, k):
    """Scaled dot products (num_kv_heads, rows, n) of grouped queries with n keys."""
    keys = k.astype(np.float64, copy=False).transpose(1, 2, 0)
    return grouped @ keys / np.sqrt(grouped.shape[-1])


def weighted(weights, v):
    """Sums (num_kv_heads, rows, head_dim) of n values by weights (..., rows, n)."""
    return weights @ v.astype(np.float64, copy=False).transpose(1, 0, 2)


def group_queries(q, kv_heads, head_dim):
    """Queries (n, num_q_heads, head_dim) as (num_kv_heads, group * n, head_dim) in float64;
    ValueError unless the heads divide into groups."""
    if q.ndim != 3 or q.shape[2] != head_dim or not q.shape[1] or q.shape[1] % kv_heads:
        raise ValueError(f"q {q.shape[1:]}: must be (a multiple of {kv_heads}, {head_dim})")
    split = q.reshape(len(q), kv_heads, -1, head_dim).transpose(1, 2, 0, 3)
    return split.reshape(kv_heads, -1, head_dim).astype(np.float64)


def ungrouped(rows, shape):
    """Rows of `group_queries` in the order and shape of the queries."""
    split = rows.reshape(len(rows), shape[-2] // len(rows), -1, shape[-1])
    return split.transpose(2, 0, 1, 3).reshape(shape)
