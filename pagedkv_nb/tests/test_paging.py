"""The pool and its requests: invariants, exhaustion, misuse, recorded vLLM runs."""
import json
from collections import Counter

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from pagedkv_nb.contiguous import naive_utilisation
from pagedkv_nb.paging import OutOfPages, PagedRequest, PagePool, paged_utilisation
from pagedkv_nb.evidence import recorded, replay


def state_of(pool, requests):
    """Everything that an operation which fails must leave alone."""
    counts = {page: pool.ref_count(page) for page in range(pool.total_pages)}
    return pool.n_free, pool.n_used, counts, [(r.n_tokens, r.block_table) for r in requests]


class PoolMachine(RuleBasedStateMachine):
    """Random operations on a small pool, beside a model that keeps each request's tokens
    in a plain list; `memory` is what a careless reader of the pages would see."""

    requests = Bundle("requests")

    def __init__(self):
        super().__init__()
        self.pool = PagePool(total_pages=7, page_size=3)
        self.model = {}  # request -> its tokens
        self.memory = {}  # (page, slot) -> token
        self.next_token = 0

    @rule(target=requests)
    def create(self):
        request = PagedRequest(self.pool)
        self.model[request] = []
        return request

    @rule(request=requests, n=st.integers(1, 8))
    def append(self, request, n):
        before = state_of(self.pool, self.model)
        try:
            moved = request.append(n)
        except OutOfPages:
            assert state_of(self.pool, self.model) == before
            assert self.needed(request, n) > self.pool.n_free
            return
        if moved:
            old, new = moved
            for slot in range(3):
                self.memory[new, slot] = self.memory.get((old, slot))
        for _ in range(n):
            block, slot = divmod(len(self.model[request]), 3)
            self.memory[request.block_table[block], slot] = self.next_token
            self.model[request].append(self.next_token)
            self.next_token += 1

    def needed(self, request, n):
        """Pages an append takes, from the model alone."""
        have = len(self.model[request])
        table = request.block_table
        shared = have % 3 and sum(table[-1] in r.block_table for r in self.model) > 1
        return -(-(have + n) // 3) - -(-have // 3) + bool(shared)

    @rule(target=requests, request=requests)
    def fork(self, request):
        free = self.pool.n_free
        twin = request.fork()
        assert self.pool.n_free == free
        self.model[twin] = list(self.model[request])
        return twin

    @rule(request=consumes(requests))
    def free_and_forget(self, request):
        request.free()
        assert request.n_tokens == 0 and request.block_table == []
        del self.model[request]

    @rule(request=requests)
    def free_and_keep(self, request):
        request.free()
        self.model[request] = []

    @invariant()
    def free_and_used_partition_the_pool(self):
        held = {page for r in self.model for page in r.block_table}
        used = {p for p in range(7) if self.pool.ref_count(p)}
        assert held == used and len(used) == self.pool.n_used
        assert sorted(self.pool._free) == sorted(set(range(7)) - used)
        assert self.pool.utilisation == len(used) / 7

    @invariant()
    def ref_counts_are_table_entries(self):
        entries = Counter(page for r in self.model for page in r.block_table)
        assert all(self.pool.ref_count(page) == n for page, n in entries.items())

    @invariant()
    def contents_read_back_through_every_table(self):
        for request, tokens in self.model.items():
            table = request.block_table
            assert request.n_tokens == len(tokens) and len(table) == -(-len(tokens) // 3)
            assert [self.memory[table[i // 3], i % 3] for i in range(len(tokens))] == tokens

    def teardown(self):
        for request in self.model:
            request.free()
        assert self.pool.n_free == 7 and self.pool.n_used == 0


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=60, stateful_step_count=40, deadline=None,
                             derandomize=True, database=None)


def test_exhaustion_at_every_step_changes_nothing():
    """Every append of 1 to 12 tokens, own and shared, with every number of free pages."""
    for tokens in range(0, 7):
        for n in range(1, 13):
            for forked in (False, True):
                for spare in range(0, 6):
                    check_append_with_spare_pages(tokens, n, forked, spare)


def check_append_with_spare_pages(tokens, n, forked, spare):
    pool = PagePool(-(-tokens // 3) + spare or 1, 3)
    requests = [PagedRequest(pool)]
    if tokens:
        requests[0].append(tokens)
    if forked:
        requests.append(requests[0].fork())
    before, free = state_of(pool, requests), pool.n_free
    swap = forked and tokens % 3 > 0
    needed = -(-(tokens + n) // 3) - -(-tokens // 3) + swap
    try:
        moved = requests[0].append(n)
        assert needed <= free and pool.n_free == free - needed and bool(moved) == swap
    except OutOfPages:
        assert needed > free and state_of(pool, requests) == before


def test_allocating_and_copying_when_full_changes_nothing():
    pool = PagePool(1)
    page = pool.allocate()
    pool.share(page)
    before = state_of(pool, [])
    for operation in (pool.allocate, lambda: pool.cow_copy(page)):
        with pytest.raises(OutOfPages):
            operation()
        assert state_of(pool, []) == before
    assert issubclass(OutOfPages, MemoryError)


@pytest.mark.parametrize("name", ["release", "share", "cow_copy"])
@pytest.mark.parametrize("page", [0, -1, 3, 99, "0", None, 1.5])
def test_free_and_foreign_pages_are_refused_by_name(name, page):
    pool = PagePool(3)
    pool.release(pool.allocate())
    before = state_of(pool, [])
    wrong = "is free" if page == 0 else "the pool has pages 0 to 2"
    with pytest.raises(ValueError, match=f"^page {page!r}:? {wrong}"):
        getattr(pool, name)(page)
    assert state_of(pool, []) == before


def test_ref_count_of_a_foreign_page():
    with pytest.raises(ValueError, match="-1.*0 to 2"):
        PagePool(3).ref_count(-1)


def test_cow_copy_of_an_only_holder_copies_nothing():
    pool = PagePool(2)
    page = pool.allocate()
    assert pool.cow_copy(page) == page and pool.n_used == 1
    pool.share(page)
    assert pool.cow_copy(page) != page
    assert pool.ref_count(page) == 1 and pool.n_used == 2


def test_a_request_has_its_name():
    assert PagedRequest(PagePool(1), "A").name == "A" and PagedRequest(PagePool(1)).fork("B").name == "B"


def test_block_table_is_a_copy():
    request = PagedRequest(PagePool(2))
    request.append()
    request.block_table.clear()
    assert request.block_table == [0]


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", None])
def test_append_wants_a_whole_number(n):
    request = PagedRequest(PagePool(2))
    with pytest.raises((ValueError, TypeError)):
        request.append(n)
    assert request.n_tokens == 0 and request.block_table == []


@pytest.mark.parametrize("size", [0, -1, 2.0, "4", None, True])
@pytest.mark.parametrize("name", ["total_pages", "page_size"])
def test_pool_sizes_are_checked(name, size):
    arguments = {"total_pages": 4, "page_size": 4} | {name: size}
    with pytest.raises(ValueError, match=f"{name}={size!r}: must be a whole number"):
        PagePool(**arguments)


def test_paged_utilisation():
    assert paged_utilisation([5, 16, 17], 16) == 38 / 64
    for bad in ([], [0], [1.5], 7, "12"):
        with pytest.raises(ValueError, match="lengths"):
            paged_utilisation(bad, 16)


def check_recording(recording):
    ours = list(replay(recording))
    assert len(ours) == len(recording["ops"]) > 1000
    assert ours == recording["states"]


def test_the_committed_vllm_recording_replays():
    check_recording(recorded("vllm_block_tables"))


def test_all_vllm_recordings_replay(shared):
    paths = sorted((shared / "golden").glob("vllm_block_tables_*.json"))
    assert paths
    for path in paths:
        check_recording(json.loads(path.read_text()))


def test_a_request_sees_that_its_last_page_was_shared_or_freed_behind_its_back():
    pool = PagePool(4, 4)
    request = PagedRequest(pool)
    request.append()
    request.append()
    pool.share(request.block_table[-1])
    assert request.append() == (0, 1) and pool.ref_count(0) == 1
    pool.release(1)
    with pytest.raises(ValueError, match="page 1 is free: nobody holds it"):
        request.append()
    assert request.n_tokens == 3


def test_a_request_that_is_alone_again_writes_without_a_copy():
    pool = PagePool(4, 4)
    request = PagedRequest(pool)
    request.append(2)
    request.fork().free()
    assert request.append() is None and request.block_table == [0]


@given(st.lists(st.integers(1, 255), min_size=1), st.integers(1, 300),
       st.sampled_from(["int64", "int32", "uint8", "uint64"]))
def test_utilisations_of_arrays_are_those_of_lists(lengths, page_size, dtype):
    array = np.array(lengths, dtype)
    assert paged_utilisation(array, page_size) == paged_utilisation(lengths, page_size)
    assert naive_utilisation(array, 255) == naive_utilisation(lengths, 255)


@pytest.mark.parametrize("lengths", [np.array([3, 0]), np.array([1.5]), np.array([[1]]), np.array([])])
def test_bad_arrays_are_refused(lengths):
    with pytest.raises(ValueError, match="lengths"):
        paged_utilisation(lengths, 4)
