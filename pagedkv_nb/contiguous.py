"""Memory handed out as one contiguous piece a request: how much, where, what is lost."""
from bisect import bisect

from .parameter import positive_int, positive_ints, total

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
        address = 0
        for order in reversed(range(slots.bit_length())):
            if slots >> order & 1:
                self.free_blocks[order][address] = None
                address += 1 << order

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
        """Free a piece and merge it with the holes beside it; ValueError if it is not in
        use."""
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
    """The same choices among thousands of holes: memory is cut into stretches, and a search
    passes over those that are known to have no hole large enough."""

    def __init__(self, slots):
        """`most[i]`: no hole that begins in stretch i is larger, as far as is known."""
        super().__init__(slots)
        self.stretch = -(-slots // 128)
        self.most = [slots] * 129  # the last for what is left at the end of memory: nothing

    def choose(self, size):
        """As `FirstFitAllocator.choose`; what is left of the hole may be in another stretch."""
        for i, most in enumerate(self.most):
            if most >= size:
                first = bisect(self.holes, (i * self.stretch,))
                after = bisect(self.holes, ((i + 1) * self.stretch,))
                sizes = [length for _, length in self.holes[first:after]]
                self.most[i] = max(sizes, default=0)
                if self.most[i] >= size:
                    place = next(j for j, length in enumerate(sizes, first) if length >= size)
                    self.most[(self.holes[place][0] + size) // self.stretch] = self.slots
                    return place
        return None

    def release(self, address):
        """As `FirstFitAllocator.release`; the hole may be the largest in its stretch."""
        super().release(address)
        start, _ = self.holes[bisect(self.holes, (address, self.slots)) - 1]
        self.most[start // self.stretch] = self.slots


def account(slots, asked, final, used):
    """How many slots are in each of STATES: they sum to `slots`, arrays too.

    Used: holds a token. Reserved: will be used; `final`, the tokens the running requests
    end with, is known only in hindsight. Internal: asked for, never used. External: the
    rest, holes and rounding; while nobody waits, that is plain free memory.
    """
    return used, final - used, asked - final, slots - asked


def naive_utilisation(lengths, max_seq_len):
    """Tokens / reserved slots (0..1) when every request reserves `max_seq_len`;
    ValueError if there are no lengths or one is not from 1 to the maximum."""
    max_seq_len = positive_int("max_seq_len", max_seq_len)
    lengths = positive_ints("lengths", lengths, most=max_seq_len)
    return total(lengths) / (max_seq_len * len(lengths))
