"""Policies: how much memory a request is given when it is admitted. Each is one object."""
from collections.abc import Callable
from dataclasses import dataclass

from ..contiguous import BuddyAllocator, next_power_of_two
from .memory import PagedMemory, ReservedMemory


@dataclass(frozen=True)
class Policy:
    """`reserve(prompt, output, longest)`, all in tokens, is how many slots a request gets at its
    admission; None: pages, as tokens are written. `label` is the paper's name of such a system."""

    name: str
    label: str
    reserve: Callable | None = None

    def memory(self, slots, longest, page_size=16, allocator=BuddyAllocator):
        """A memory of so many slots under this policy; requests have at most `longest`
        tokens, `allocator` places reservations."""
        if self.reserve is None:
            return PagedMemory(slots, page_size)
        return ReservedMemory(slots, self, longest, allocator)


def the_maximum(prompt, output, longest):
    """The longest sequence there can be."""
    return longest


def next_power(prompt, output, longest):
    """The prompt, and the output rounded up to a power of two."""
    return min(prompt + next_power_of_two(output), longest)


def what_is_used(prompt, output, longest):
    """What the request will use: no server can know it."""
    return prompt + output


# The paper's systems (section 6.1). A policy of your own: POLICIES["name"] = Policy(...)
POLICIES = {policy.name: policy for policy in (
    Policy("max", "Orca (Max)", the_maximum), Policy("pow2", "Orca (Pow2)", next_power),
    Policy("oracle", "Orca (Oracle)", what_is_used), Policy("paged", "vLLM"))}
