"""Memory handed out as one contiguous piece a request: how much, where, what is lost."""
from bisect import bisect

from .parameter import positive_int, positive_ints

STATES = ("used", "reserved", "internal", "external")


def next_power_of_two(n):
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()


class BuddyAllocator:
    """Blocks of a power of two slots in an arena of any size; free buddies merge."""

    def __init__(self, slots):
        """A free block for each 1 in the binary digits of `slots`, the largest first."""
        self.slots = positive_int("slots", slots)
        self.free_blocks = [{} for _ in range(slots.bit_length())]  # addresses by order
        self.used_blocks = {}  # address -> order
        for order in range(slots.bit_length()):
            if slots >> order & 1:  # behind the larger ones
                self.free_blocks[order][(slots >> order + 1) << (order + 1)] = None

    def allocate(self, size):
        """The address of a block of at least `size` slots; None if none is large enough."""
        wanted = next_power_of_two(size).bit_length() - 1
        orders = range(wanted, len(self.free_blocks))
        order = next((o for o in orders if self.free_blocks[o]), None)
        if order is None:
            return None
        address, _ = self.free_blocks[order].popitem()
        while order > wanted:  # split: keep the left half, free the right one
            order -= 1
            self.free_blocks[order][address + (1 << order)] = None
        self.used_blocks[address] = order
        return address

    def release(self, address):
        """Free a block and merge it with its free buddies; ValueError if it is not in use."""
        if address not in self.used_blocks:
            raise ValueError(f"address {address}: no block in use starts there")
        order = self.used_blocks.pop(address)
        while (buddy := address ^ (1 << order)) in self.free_blocks[order]:
            del self.free_blocks[order][buddy]
            address = min(address, buddy)
            order += 1
        self.free_blocks[order][address] = None


class FirstFitAllocator:
    """Pieces of exactly the size asked for, in the first hole that is large enough."""

    def __init__(self, slots):
        """One hole: the whole memory."""
        self.slots = positive_int("slots", slots)
        self.holes = [(0, slots)]  # (address, size), in order of address
        self.used_pieces = {}  # address -> size

    def allocate(self, size):
        """The address of a piece of `size` slots; None if no hole is large enough."""
        i = self.choose(size)
        if i is None:
            return None
        address, length = self.holes[i]
        self.holes[i:i + 1] = [(address + size, length - size)] if length > size else []
        self.used_pieces[address] = size
        return address

    def choose(self, size):
        """Which of the holes is used: the first that is large enough; None if none is."""
        for i, (_, length) in enumerate(self.holes):
            if length >= size:
                return i
        return None

    def release(self, address):
        """Free a piece and merge it with holes beside it; ValueError if it is not in use."""
        if address not in self.used_pieces:
            raise ValueError(f"address {address}: no piece in use starts there")
        size = self.used_pieces.pop(address)
        first = after = bisect(self.holes, (address, 0))  # the holes behind the piece
        if after < len(self.holes) and self.holes[after][0] == address + size:
            size += self.holes[after][1]
            after += 1
        if first and sum(self.holes[first - 1]) == address:
            first -= 1
            address, length = self.holes[first]
            size += length
        self.holes[first:after] = [(address, size)]


class QuickFirstFit(FirstFitAllocator):
    """The same choices among thousands of holes: a search goes on where others have ended."""

    def __init__(self, slots):
        """`passed[size]` is an address before which every hole is smaller than `size`."""
        super().__init__(slots)
        self.passed = {}

    def choose(self, size):
        """As `FirstFitAllocator.choose`."""
        start = max((a for n, a in self.passed.items() if n <= size), default=0)
        left = range(bisect(self.holes, (start,)), len(self.holes))
        place = next((i for i in left if self.holes[i][1] >= size), None)
        reached = self.slots if place is None else self.holes[place][0]
        self.passed = {n: a for n, a in self.passed.items() if n < size or a > reached}
        self.passed[size] = reached
        return place

    def release(self, address):
        """As `FirstFitAllocator.release`; the hole may be large enough for any size."""
        super().release(address)
        self.passed = {}


def account(slots, asked, final, used):
    """How many slots are in each of STATES: they sum to `slots`, arrays too.

    Used: holds a token. Reserved: will be used; `final`, tokens at the requests' ends, is
    hindsight. Internal: asked for, never used. External: the rest, or free if nobody waits."""
    return used, final - used, asked - final, slots - asked


def naive_utilisation(lengths, max_seq_len):
    """Tokens / reserved slots (0..1) when every request reserves `max_seq_len`;
    ValueError if there are no lengths or one is not from 1 to the maximum."""
    max_seq_len = positive_int("max_seq_len", max_seq_len)
    lengths = positive_ints("lengths", lengths, most=max_seq_len)
    return sum(lengths) / (max_seq_len * len(lengths))
