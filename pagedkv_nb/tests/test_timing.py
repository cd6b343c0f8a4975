"""Seconds: the time model against measured kernels and by hand; the timed server against
the server without seconds, against Little's law and against the closed form."""
from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pagedkv_nb.contiguous import STATES
from pagedkv_nb.facts import facts
from pagedkv_nb.memory import PagedMemory, ReservedMemory
from pagedkv_nb.serving import Server, steady_state
from pagedkv_nb.sizing import Model
from pagedkv_nb.timed import TimedServer, latencies, report
from pagedkv_nb.timing import (EFFICIENCY, TimeModel, gain, measured_efficiency,
                               poisson_arrivals)
from pagedkv_nb.workload import Workload, read_workload, shorter_than

from .test_serving import memories, workloads

OPT = Model.named("OPT-13B")


def constant(seconds=1.0):
    """A model whose every iteration takes as long."""
    return TimeModel(0, 0, 0, 1, 1, host_s_per_iteration=seconds)


def paper_requests(seed=0, n=20_000):
    drawn = read_workload("sharegpt_paper", n, np.random.RandomState(seed))
    return shorter_than(drawn, 2048)


def place(system):
    return PagedMemory(15728) if system == "paged" else ReservedMemory(15728, system, 2048)


def test_the_efficiency_is_the_median_of_the_measured_kernels():
    reached = measured_efficiency()
    assert len(reached) == 143 and round(reached.median(), 2) == EFFICIENCY == 0.74
    error = reached / EFFICIENCY - 1
    assert error.abs().median() <= 0.07 and error.abs().mean() == pytest.approx(0.0697, abs=1e-3)
    assert (error.min(), error.max()) == pytest.approx((-0.372, 0.200), abs=1e-3)


def test_the_rooflines_of_the_kernels_are_the_models():
    """kernels.csv states a roofline a layer; ours scales as it does, with tokens."""
    points = facts("kernels").query("gpu == 'a100' and model == 'Llama-2-7b-hf'")
    flat = points["roofline_us"].iloc[0]
    layer = TimeModel(flat * 1e-6 * 2039e9, flat * 1e-6 * 2039e9 / 2, 0, 2039e9, 312e12, 1.0)
    ours = [layer.seconds(tokens, 0, 0) * 1e6 for tokens in points["tokens"]]
    assert ours == pytest.approx(points["roofline_us"].tolist(), rel=0.005)


def test_an_iteration_by_hand():
    model = TimeModel.of(OPT, "A100-40GB")
    read = (26e9 + 15_000 * 819_200) / 1555e9 / 0.74
    assert model.seconds(30, 15_000, 30) == pytest.approx(read)
    assert model.seconds(2000, 0, 1) == pytest.approx(2 * 13e9 * 2000 / 312e12 / 0.74)
    host = TimeModel.of(OPT, "A100-40GB", host_s_per_iteration=0.02, host_s_per_request=0.001)
    assert host.seconds(30, 15_000, 30) == pytest.approx(read + 0.05)
    four = TimeModel.of(OPT, "A100-40GB", 4)
    assert four.seconds(30, 15_000, 30) == pytest.approx(read / 4)


def test_the_papers_gains_on_one_page():
    model = TimeModel.of(OPT, "A100-40GB")
    slots = 12 * 2**30 / 819_200
    used = {"vllm": 0.963, "oracle": 0.382, "pow2": 0.268, "max": 0.204}
    batch = {"vllm": 30.42, "oracle": 13.62, "pow2": 9.81, "max": 7.0}
    gains = [gain(model, (30.42, batch[s]), (0.963 * slots, used[s] * slots))
             for s in ("oracle", "pow2", "max")]
    assert [round(g, 2) for g in gains] == [1.80, 2.38, 3.24]


@settings(max_examples=100, deadline=None)
@given(memories(), workloads(), st.lists(st.integers(0, 3), min_size=1, max_size=25))
def test_a_second_an_iteration_is_the_server_without_seconds(memory, workload, arrivals):
    arrival_s = np.repeat(np.arange(len(arrivals)), arrivals)
    server = TimedServer(memory, workload, constant(), arrival_s)
    server.drain()  # and the memory is empty again
    plain = Server(memory, workload, arrivals)
    while plain.clock < len(arrivals) or plain.running or plain.waiting:
        plain.step()
    ours = [(r.number, server.times_s[r.number][2]) for r in server.finished]
    assert ours == [(r.number, r.ends + 1.0) for r in plain.finished]


@pytest.mark.parametrize("system", ["max", "pow2", "oracle", "paged"])
def test_saturated_seconds_keep_the_account_of_iterations(system):
    plain, timed = Server(place(system), paper_requests()), TimedServer(
        place(system), paper_requests(), constant(0.5))
    plain.run(3000)
    for _ in range(3000):
        timed.step()
    assert timed.history == plain.history and timed.now_s == 1500
    told, known = report(timed), steady_state(plain)
    for name in ("requests_at_once", *STATES):
        assert told[name] == pytest.approx(known[name], rel=1e-9)
    ended = sum(r.ends >= 600 for r in plain.finished)
    assert told["requests_per_s"] == pytest.approx(ended / 1200)


@pytest.mark.parametrize("system", ["max", "pow2", "oracle", "paged"])
@pytest.mark.parametrize("rate", [0.5, 4.0])
def test_littles_law_in_seconds(system, rate):
    """The integral of requests in the system is the sum of their times in it. Ours counts
    who comes in the midst of an iteration from the next on: less, by at most one each."""
    arrival_s = poisson_arrivals(rate, 200, np.random.RandomState(5))
    server = TimedServer(place(system), paper_requests(), TimeModel.of(OPT, "A100-40GB"), arrival_s)
    server.drain()
    rows = np.array(server.history)[:, :2].sum(axis=1)
    integral = rows @ np.array(server.iteration_s)
    spent = sum(end - since for since, _, end in server.times_s)
    assert 0 <= spent - integral <= len(arrival_s) * max(server.iteration_s)
    assert all(since < first <= end for since, first, end in server.times_s)
    assert len(server.finished) == len(arrival_s) > 50


@pytest.mark.parametrize("system", ["max", "pow2", "oracle"])
def test_the_closed_form_is_the_simulation_where_both_hold(system):
    """Saturated, no host time, multiplying for nothing: the gain over a reserving system
    follows from two batches and two numbers of tokens."""
    model, reports = replace(TimeModel.of(OPT, "A100-40GB"), flops_per_s=1e30), {}
    for name in ("paged", system):
        server = TimedServer(place(name), paper_requests(), model)
        for _ in range(40_000):
            server.step()
        state = steady_state(server)
        reports[name] = (state["requests_at_once"], state["used"] * 15728,
                         sum(row[0] for row in server.history) / server.now_s)
    closed = gain(model, *zip(*(r[:2] for r in reports.values())))
    simulated = reports["paged"][2] / reports[system][2]
    assert closed == pytest.approx(simulated, rel=0.02)


def test_two_requests_by_hand():
    workload = Workload("two", np.array([4, 6]), np.array([3, 2]))
    model = TimeModel(0, 1, 1, 1, 2, 1.0)  # a second a token that passes, a second a token read
    server = TimedServer(PagedMemory(160, 16, 0), workload, model, [10.0, 11.0])
    server.drain()
    # 10: 4 pass, 5 are read = 19; then 1 + 6 pass, 6 + 7 read = 39; then 1 + 1, 7 + 8 = 56
    assert server.times_s == [[10.0, 19.0, 56.0], [11.0, 39.0, 56.0]]
    assert latencies(server) == {
        "time_to_first_token_s": (9 + 28) / 2, "time_a_token_s": (37 / 2 + 17) / 2,
        "normalized_latency_s": (46 / 3 + 45 / 2) / 2}


def test_who_is_sent_back_at_once_has_not_passed():
    """Two pages of 4: both are admitted, then both need a second page, and the younger goes."""
    workload = Workload("full", np.array([4]), np.array([4]))
    server = TimedServer(PagedMemory(12, 4, 0), workload, TimeModel(0, 1, 0, 1, 2, 1.0), [0, 0])
    server.step()
    assert server.history[0][0] == 1 and server.iteration_s == [4.0]
    assert server.times_s[1][1] is None


def test_poisson_arrivals_have_the_rate_and_the_order():
    found = poisson_arrivals(3.0, 10_000, np.random.RandomState(1))
    assert len(found) == pytest.approx(30_000, rel=0.02) and (np.diff(found) >= 0).all()
    gaps = np.diff(found)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)


def test_one_seed_one_run():
    def run():
        server = TimedServer(place("paged"), paper_requests(), TimeModel.of(OPT, "A100-40GB"),
                             poisson_arrivals(2, 100, np.random.RandomState(3)))
        server.drain()
        return server.times_s
    assert run() == run()


@pytest.mark.parametrize("call, message", [
    (lambda: TimeModel.of(OPT, "MI300X-192GB"), "gpu='MI300X-192GB': its flops"),
    (lambda: TimeModel.of(OPT, "A100"), "gpu='A100': must be one of"),
    (lambda: TimeModel.of(OPT, "A100-40GB", 0), "n_gpus=0: must be"),
    (lambda: TimeModel.of(OPT, "A100-40GB", efficiency=0), "efficiency=0: must be more than 0"),
    (lambda: TimeModel.of(OPT, "A100-40GB", host_s_per_request=-1), "host_s_per_request=-1: "),
    (lambda: TimeModel.of(Model.named("32x32x128"), "A100-40GB"), "model='32x32x128': "),
    (lambda: poisson_arrivals(-1, 10, np.random.RandomState(0)), "rate_per_s=-1: must be"),
    (lambda: TimedServer(place("paged"), paper_requests(), constant(), [2, 1]), "arrival_s[1]=1.0: "),
    (lambda: TimedServer(place("paged"), paper_requests(), constant(), [-1]), "arrival_s[0]=-1.0: "),
    (lambda: TimedServer(place("paged"), paper_requests(), constant()).drain(), "arrival_s=None: "),
    (lambda: shorter_than(paper_requests(), 1), "max_seq_len=1: must be more than"),
])
def test_bad_settings_are_one_clear_line(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
