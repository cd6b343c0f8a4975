"""K and V kept in the pages of a pool, and attention that reads them where they lie."""
import numpy as np

from .parameter import positive_int

CHUNK = 128  # slots that `attend` copies together: they stay in the processor's cache


class PagedKVCache:
    """K and V of one layer, in the pages of a pool and nowhere else."""

    def __init__(self, pool, num_kv_heads, head_dim, dtype=np.float32):
        """`k` and `v` have shape (pages, page_size, num_kv_heads, head_dim). Slots not
        yet written hold NaN, so that reading one shows."""
        heads = positive_int("num_kv_heads", num_kv_heads)
        dims = positive_int("head_dim", head_dim)
        self.pool = pool
        self.k = np.full((pool.total_pages, pool.page_size, heads, dims), np.nan, dtype)
        self.v = self.k.copy()

    def write(self, request, k, v):
        """Append k and v, both (n_tokens, num_kv_heads, head_dim), to a request. Returns
        the (old, new) pages of a copy on write, or None. ValueError for another shape
        and OutOfPages change nothing."""
        if k.shape != v.shape or k.ndim != 3 or k.shape[1:] != self.k.shape[2:]:
            expected = f"(n_tokens, {self.k.shape[2]}, {self.k.shape[3]})"
            raise ValueError(f"k {k.shape}, v {v.shape}: both must be {expected}")
        start = request.n_tokens
        moved = request.append(len(k))
        if moved:
            old, new = moved
            self.k[new], self.v[new] = self.k[old], self.v[old]
        position = np.arange(start, request.n_tokens)
        blocks, slots = np.divmod(position, self.pool.page_size)
        pages = np.array(request.block_table)[blocks]
        self.k[pages, slots], self.v[pages, slots] = k, v
        return moved

    def gather(self, request):
        """k and v of a request as contiguous copies, (n_tokens, num_kv_heads, head_dim),
        in logical order."""
        table = np.array(request.block_table, dtype=int)
        flat = (len(table) * self.pool.page_size, *self.k.shape[2:])
        return tuple(pages[table].reshape(flat)[: request.n_tokens]
                     for pages in (self.k, self.v))

    def attend_page_by_page(self, request, q):
        """Attention of one query over all tokens of a request; q and the result have
        shape (num_q_heads, head_dim), query heads share KV heads in groups.

        With a running softmax (Milakov and Gimelshein, arXiv 1805.02867). ValueError if
        the request is empty or q does not fit.
        """
        grouped = self._grouped(request, q)
        softmax = RunningSoftmax(grouped.shape)
        for block, page in enumerate(request.block_table):
            filled = request.n_tokens - block * self.pool.page_size
            k, v = self.k[page, :filled], self.v[page, :filled]  # views, at most a page
            softmax.add(scores(grouped, k), v)
        return softmax.result().reshape(q.shape).astype(self.k.dtype)

    def attend(self, request, q):
        """The same, faster: the running softmax is fed many pages at once, copied
        together from where they lie, CHUNK slots or one page."""
        grouped = self._grouped(request, q)
        softmax = RunningSoftmax(grouped.shape)
        table, size = np.array(request.block_table), self.pool.page_size
        step = max(1, CHUNK // size)
        for block in range(0, len(table), step):
            pages, filled = table[block : block + step], request.n_tokens - block * size
            k, v = (array[pages].reshape(-1, *array.shape[2:])[:filled]
                    for array in (self.k, self.v))
            softmax.add(scores(grouped, k), v)
        return softmax.result().reshape(q.shape).astype(self.k.dtype)

    def _grouped(self, request, q):
        """Queries in groups; ValueError if they do not fit or the request is empty."""
        grouped = group_queries(q, *self.k.shape[2:])
        if not request.n_tokens:
            raise ValueError(f"request {request.name!r} holds no token to attend to")
        return grouped


class RunningSoftmax:
    """A softmax-weighted sum of values that arrive in pieces, in float64."""

    def __init__(self, shape):
        """Nothing added yet, for a sum of shape (num_kv_heads, group, head_dim)."""
        self.top = np.full(shape[:-1], -np.inf)  # the largest score so far
        self.weight_sum = np.zeros(shape[:-1])
        self.value_sum = np.zeros(shape)

    def add(self, score, value):
        """Add n tokens: score (num_kv_heads, group, n), value (n, num_kv_heads, head_dim)."""
        top = np.maximum(self.top, score.max(axis=-1))
        weights = np.exp(score - top[..., None])
        shrink = np.exp(self.top - top)  # for what was added before the top rose
        self.weight_sum = self.weight_sum * shrink + weights.sum(axis=-1)
        self.value_sum = self.value_sum * shrink[..., None] + weighted(weights, value)
        self.top = top

    def result(self):
        """The weighted mean, (num_kv_heads, group, head_dim)."""
        return self.value_sum / self.weight_sum[..., None]


def attention(q, k, v):
    """Ordinary attention of one query over contiguous k and v: the reference. Shapes as
    in `PagedKVCache.attend` and `gather`."""
    score = scores(group_queries(q, *k.shape[1:]), k)
    weight = np.exp(score - score.max(axis=-1, keepdims=True))
    weight /= weight.sum(axis=-1, keepdims=True)
    return weighted(weight, v).reshape(q.shape).astype(k.dtype)


def scores(grouped, k):
    """Scaled dot products (num_kv_heads, group, n) of grouped queries with n keys."""
    keys = k.astype(np.float64, copy=False).transpose(1, 2, 0)
    return grouped @ keys / np.sqrt(grouped.shape[-1])


def weighted(weights, v):
    """Sums (num_kv_heads, group, head_dim) of n values by weights (..., group, n)."""
    return weights @ v.astype(np.float64, copy=False).transpose(1, 0, 2)


def group_queries(q, kv_heads, head_dim):
    """Queries (num_q_heads, head_dim) as (num_kv_heads, group, head_dim) in float64;
    ValueError unless the heads divide into groups."""
    if q.ndim != 2 or q.shape[1] != head_dim or not len(q) or len(q) % kv_heads:
        raise ValueError(f"q {q.shape}: must be (a multiple of {kv_heads}, {head_dim})")
    return q.reshape(kv_heads, -1, head_dim).astype(np.float64)
