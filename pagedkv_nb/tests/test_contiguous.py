"""Allocators that hand out one piece a request, and the account of what is lost."""
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pagedkv_nb.contiguous import (BuddyAllocator, FirstFitAllocator, QuickFirstFit, account,
                                   naive_utilisation, next_power_of_two)
from pagedkv_nb.serving import POLICIES
from pagedkv_nb.sizing import GIB, MIB, Model


def buddy_pieces(allocator):
    return [(address, 1 << order) for address, order in allocator.used_blocks.items()]


def buddy_free(allocator):
    return sorted((a, 1 << o) for o, block in enumerate(allocator.free_blocks) for a in block)


@settings(max_examples=100)
@given(st.integers(1, 300), st.lists(st.tuples(st.booleans(), st.integers(1, 80)), max_size=60))
def test_buddy_blocks_never_overlap_and_always_coalesce(slots, steps):
    buddy = BuddyAllocator(slots)
    start, used = buddy_free(buddy), []
    for take, n in steps:
        if take:
            large_enough = any(size >= n for _, size in buddy_free(buddy))
            address = buddy.allocate(n)
            assert (address is not None) == large_enough
            used += [address] * (address is not None)
        elif used:
            buddy.release(used.pop(n % len(used)))
        covered = sorted(buddy_pieces(buddy) + buddy_free(buddy))
        ends = [address + size for address, size in covered]
        assert [address for address, _ in covered] == [0, *ends[:-1]] and ends[-1] == slots
    for address in used:
        buddy.release(address)
    assert buddy_free(buddy) == start


@settings(max_examples=100)
@given(st.integers(1, 12), st.lists(st.tuples(st.booleans(), st.integers(1, 5)), max_size=40))
def test_first_fit_takes_the_first_hole_that_is_large_enough(slots, steps):
    first_fit_by_slots(FirstFitAllocator(slots), slots, steps)


def first_fit_by_slots(fit, slots, steps):
    memory = np.zeros(slots, bool)
    used = {}
    for take, n in steps:
        if take:
            holes = [a for a in range(slots - n + 1) if not memory[a:a + n].any()]
            address = fit.allocate(n)
            assert address == (holes[0] if holes else None)
            if holes:
                used[address] = n
                memory[address:address + n] = True
        elif used:
            address = sorted(used)[n % len(used)]
            memory[address:address + used.pop(address)] = False
            fit.release(address)
        assert fit.used_pieces == used
        edges = [(a, a + n) for a, n in sorted([*used.items(), *fit.holes])]
        assert [0, *(end for _, end in edges)] == [*(start for start, _ in edges), slots]
        assert all(end != start for (_, end), (start, _) in zip(fit.holes, fit.holes[1:]))


class Walking:
    """First fit by walking over all pieces."""

    def __init__(self, slots):
        self.slots, self.used_pieces = slots, {}

    def allocate(self, size):
        address = 0
        for start in sorted(self.used_pieces):
            if start - address >= size:
                break
            address = start + self.used_pieces[start]
        if address + size > self.slots:
            return None
        self.used_pieces[address] = size
        return address


@settings(max_examples=30)
@given(st.integers(5_000, 10**7), st.integers(0, 2**32 - 1))
def test_holes_are_what_walking_finds_in_a_large_memory(slots, seed):
    rng = np.random.RandomState(seed)
    holes, plain = FirstFitAllocator(slots), Walking(slots)
    for _ in range(300):
        if holes.used_pieces and rng.rand() < 0.45:
            address = sorted(holes.used_pieces)[rng.randint(len(holes.used_pieces))]
            holes.release(address)
            del plain.used_pieces[address]
        else:
            size = int(rng.randint(1, slots // rng.choice([3, 20, 100])))
            assert holes.allocate(size) == plain.allocate(size)
    assert holes.used_pieces == plain.used_pieces
    for address in list(plain.used_pieces):
        holes.release(address)
    assert holes.allocate(slots) == 0


@settings(max_examples=30)
@given(st.integers(1, 10**7), st.integers(1, 2000), st.integers(0, 2**32 - 1))
def test_the_quick_first_fit_chooses_the_same_step_by_step(slots, pieces, seed):
    rng = np.random.RandomState(seed)
    plain, quick = FirstFitAllocator(slots), QuickFirstFit(slots)
    for _ in range(500):
        if plain.used_pieces and rng.rand() < 0.3:
            address = list(plain.used_pieces)[rng.randint(len(plain.used_pieces))]
            plain.release(address)
            quick.release(address)
        else:
            size = int(rng.randint(1, 2 + 2 * slots // pieces))
            assert quick.allocate(size) == plain.allocate(size)
        assert quick.holes == plain.holes and quick.used_pieces == plain.used_pieces


@pytest.mark.parametrize("allocator", [BuddyAllocator, FirstFitAllocator])
def test_double_release_is_refused(allocator):
    memory = allocator(8)
    address = memory.allocate(3)
    memory.release(address)
    for wrong in (address, 5, None):
        with pytest.raises(ValueError, match=f"address {wrong}"):
            memory.release(wrong)
    assert memory.allocate(8) == 0


def test_the_arena_is_cut_into_binary_digits():
    assert buddy_free(BuddyAllocator(15728)) == [
        (0, 8192), (8192, 4096), (12288, 2048), (14336, 1024), (15360, 256), (15616, 64),
        (15680, 32), (15712, 16)]


@given(st.integers(1, 10**6))
def test_next_power_of_two(n):
    p = next_power_of_two(n)
    assert p >= n > p // 2 and p & (p - 1) == 0


def test_reservations():
    asked = {p.name: p.reserve(100, 300, 2048) for p in POLICIES.values() if p.reserve}
    assert asked == {"max": 2048, "pow2": 612, "oracle": 400}
    assert POLICIES["pow2"].reserve(1800, 200, 2048) == 2048


def test_the_article():
    per_token = Model.named("32x32x128").kv_bytes_per_token()
    assert 2048 * per_token / MIB == 1024 and 500 * per_token / MIB == 250
    assert round(100 * (2048 - 500) * per_token / GIB, 2) == 75.59
    assert round(100 * naive_utilisation([500], 2048), 1) == 24.4


def test_account_sums_to_the_memory():
    states = account(100, np.array([80, 70]), np.array([60, 50]), np.array([10, 50]))
    assert [list(s) for s in states] == [[10, 50], [50, 0], [20, 20], [20, 30]]


@pytest.mark.parametrize("lengths, maximum, message", [
    ([], 8, "lengths"), ([9], 8, "lengths[0]=9: must be a whole number, at least 1 and at most 8"),
    ([1], 0, "max_seq_len=0"), ([1], 8.0, "max_seq_len=8.0"), ([0], 8, "lengths[0]=0"),
    ("12", 8, "lengths='12'"), ([1, 2.5], 8, "lengths[1]=2.5")])
def test_bad_lengths_are_refused(lengths, maximum, message):
    with pytest.raises(ValueError) as error:
        naive_utilisation(lengths, maximum)
    assert message in str(error.value)


@pytest.mark.parametrize("slots", [0, -1, 2.5, "8"])
def test_bad_arenas_are_refused(slots):
    for allocator in (BuddyAllocator, FirstFitAllocator):
        with pytest.raises(ValueError, match="slots="):
            allocator(slots)
