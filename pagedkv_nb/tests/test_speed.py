"""Measurements, run by `make bench`. They assert nothing about time."""
from collections import deque

import numpy as np
import pytest

from pagedkv_nb.memory import PagedMemory, ReservedMemory
from pagedkv_nb.paging import PagedRequest, PagePool
from pagedkv_nb.serving import Server
from pagedkv_nb.workload import read_workload

N_TOKENS = 10_000


class Inline:
    """The least that a loop has to do: a page from a deque for every 16th token."""

    n_tokens = 0


def inline_loop():
    free, table, request = deque(range(N_TOKENS)), [], Inline()
    for _ in range(N_TOKENS):
        if request.n_tokens % 16 == 0:
            table.append(free.popleft())
        request.n_tokens += 1
    return len(table)


def paged_request():
    request = PagedRequest(PagePool(N_TOKENS // 16))
    for _ in range(N_TOKENS):
        request.append()
    return len(request.block_table)


@pytest.mark.parametrize("loop", [inline_loop, paged_request])
def test_ten_thousand_appends(benchmark, loop):
    assert benchmark(loop) == N_TOKENS // 16


@pytest.mark.parametrize("policy", ["max", "pow2", "oracle", "paged"])
def test_ten_thousand_iterations(benchmark, policy):
    workload = read_workload("sharegpt", 5000, np.random.RandomState(0)).within(2048)

    def run():
        memory = PagedMemory(15728) if policy == "paged" else ReservedMemory(15728, policy, 2048)
        return len(Server(memory, workload).run(10_000))
    assert benchmark(run) == 10_000
