"""Memory handed out as one contiguous piece a request: how much, where, what is lost."""
from .parameter import positive_int, positive_ints, total

STATES = ("used", "reserved", "internal", "external")


def next_power_of_two(n):
    """The smallest power of two that is at least n."""
    return 1 << (n - 1).bit_length()


# Slots reserved for a prompt and an output, at most `longest` together (paper, section 6.1).
RESERVATIONS = {
    "max": lambda prompt, output, longest: longest,
    "pow2": lambda prompt, output, longest: min(
        prompt + next_power_of_two(output), longest),
    "oracle": lambda prompt, output, longest: prompt + output,
}


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


class PlainFirstFit:
    """Pieces of exactly the size asked for, in the first hole that is large enough: each
    search walks over all pieces."""

    def __init__(self, slots):
        """One hole: the whole memory."""
        self.slots = positive_int("slots", slots)
        self.used_pieces = {}  # address -> size, in order of address

    def allocate(self, size):
        """The address of a piece of `size` slots; None if no hole is large enough."""
        address = 0
        for start, length in self.used_pieces.items():
            if start - address >= size:
                break
            address = start + length
        if address + size > self.slots:
            return None
        self.used_pieces = dict(sorted([*self.used_pieces.items(), (address, size)]))
        return address

    def release(self, address):
        """Free a piece; ValueError if it is not in use."""
        if address not in self.used_pieces:
            raise ValueError(f"address {address}: no piece in use starts there")
        del self.used_pieces[address]


class FirstFitAllocator:
    """The same choices as `PlainFirstFit`, found in a tree over the holes.

    The memory is cut into regions; a leaf of the tree knows the largest hole that starts
    in its region, and a node the larger of its two children.
    """

    def __init__(self, slots):
        """One hole: the whole memory."""
        self.slots = positive_int("slots", slots)
        self.used_pieces = {}  # address -> size
        self._shift = max(0, slots.bit_length() - 11)  # at most 2,048 regions
        self._leaves = 1 << slots.bit_length() - self._shift
        self._largest = [0] * (2 * self._leaves)
        self._holes = [{} for _ in range(self._leaves)]  # by region: start -> size
        self._starts = {}  # end of a hole -> its start
        self._update(self._add_hole(0, slots))

    def allocate(self, size):
        """The address of a piece of `size` slots; None if no hole is large enough."""
        if self._largest[1] < size:
            return None
        node = 1
        while node < self._leaves:
            node *= 2
            if self._largest[node] < size:
                node += 1
        region = node - self._leaves
        holes = self._holes[region]
        address = min(start for start, length in holes.items() if length >= size)
        length = self._take_hole(address)
        rest = self._add_hole(address + size, length - size) if length > size else region
        self._update(region, rest)
        self.used_pieces[address] = size
        return address

    def release(self, address):
        """Free a piece and merge it with the holes beside it; ValueError if it is not in
        use."""
        if address not in self.used_pieces:
            raise ValueError(f"address {address}: no piece in use starts there")
        end = right = address + self.used_pieces.pop(address)
        if end in self._holes[right >> self._shift]:
            end += self._take_hole(right)
        if address in self._starts:
            address = self._starts[address]
            self._take_hole(address)
        self._update(self._add_hole(address, end - address), right >> self._shift)

    def _add_hole(self, start, length):
        """Note a hole; returns its region, to be updated."""
        self._starts[start + length] = start
        self._holes[start >> self._shift][start] = length
        return start >> self._shift

    def _take_hole(self, start):
        """Forget a hole; returns its size. Its region is to be updated."""
        length = self._holes[start >> self._shift].pop(start)
        del self._starts[start + length]
        return length

    def _update(self, *regions):
        """Bring the nodes above regions up to date, as far as they change."""
        largest = self._largest
        for region in set(regions):
            node, value = self._leaves + region, max(self._holes[region].values(), default=0)
            while node and largest[node] != value:
                largest[node] = value
                node //= 2
                value = max(largest[2 * node], largest[2 * node + 1])


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
