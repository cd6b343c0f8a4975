"""Seconds: the model by hand, the clock against the plain server, and against closed forms."""
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pagedkv_nb.contiguous import FirstFitAllocator
from pagedkv_nb.facts import facts
from pagedkv_nb.sizing import Model
from pagedkv_nb.evidence import judge, paper_gains
from pagedkv_nb.paging import PagedRequest
from pagedkv_nb.serving import (POLICIES, Clock, PagedMemory, Server, knee, latencies,
                                means_between, throughput_of)
from pagedkv_nb.study import bench
from pagedkv_nb.traffic import Workload, poisson_arrivals, read_workload

OPT_13B = Model.named("OPT-13B")
OPT = Clock.of(OPT_13B, "A100-40GB")
SECOND = Clock(0, 0, 0, 1, 1, host_s_per_iteration=1.0)  # each iteration takes one


def lengths(*pairs):
    return Workload("drawn", *np.array(pairs).T)


def test_a_quantised_model_is_read_at_its_own_bytes():
    eight = Model.named("Llama-3.1-8B-FP8")
    clock = Clock.of(eight, "H100-80GB")
    assert clock.weight_bytes == eight.checkpoint_bytes < 1.2 * clock.parameters
    with pytest.raises(ValueError, match="bytes of its weights as nvfp4 are not known"):
        Clock.of(Model.named("DeepSeek-V3-NVFP4"), "H200-141GB", 8)


def test_an_iteration_by_hand():
    weights, cache = 26e9 / 1555e9, 1000 * 819_200 / 1555e9
    assert OPT.seconds(8, 1000, 8) == pytest.approx((weights + cache) / 0.74)
    arithmetic = 2 * 13e9 * 1000 / 312e12
    assert OPT.seconds(1000, 0, 1) == pytest.approx(arithmetic / 0.74)
    host = Clock(0, 0, 0, 1, 1, host_s_per_iteration=2, host_s_per_request=3)
    assert host.seconds(9, 9, 4) == 2 + 12


def test_two_gpus_read_twice_as_fast_and_copy_what_they_must():
    one, two = (Clock.of(Model.named("Falcon-7B"), "A100-40GB", n) for n in (1, 2))
    assert two.seconds(1, 0, 1) == pytest.approx(one.seconds(1, 0, 1) / 2)
    assert two.kv_bytes_per_token == 2 * one.kv_bytes_per_token  # one KV head, two copies


def test_a_card_that_is_not_listed_has_the_speed_it_is_given():
    new = Clock.of(OPT_13B, "New", 2, 1000, 400)
    assert (new.bandwidth_bytes_per_s, new.flops_per_s) == (2000e9, 800e12)
    faster = Clock.of(OPT_13B, "A100-40GB", 1, 3110)
    assert (faster.bandwidth_bytes_per_s, faster.flops_per_s) == (3110e9, OPT.flops_per_s)
    assert Clock.of(OPT_13B, "RTX-PRO-5000-48GB", 1, 0, 100).flops_per_s == 100e12


def test_kernels_reach_what_the_model_says():
    kernels = facts("kernels")
    error = (kernels["roofline_us"] / OPT.efficiency / kernels["linear_us"] - 1).abs()
    assert len(kernels) == 143 and error.median() <= 0.07 and error.mean() < 0.08
    assert (kernels["roofline_us"] / kernels["linear_us"]).median() == pytest.approx(0.74, abs=0.005)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=8),
       st.lists(st.integers(0, 60), min_size=1, max_size=20).map(sorted), st.integers(64, 2000),
       st.booleans())
def test_without_a_clock_an_iteration_takes_a_second(pairs, seconds, slots, paged):
    def served(*clock):
        memory = PagedMemory(slots, 1, 0) if paged else POLICIES["max"].memory(slots, 40)
        return Server(memory, lengths(*pairs), seconds, *clock).finish(len(seconds))
    plain, timed = served(), served(SECOND)
    assert (plain.history, plain.spans_s, moments(plain)) == (timed.history, timed.spans_s, moments(timed))
    if slots >= 64 * len(seconds):  # nobody waits
        assert all((r.first_token_s, r.ended_s) == (r.arrived_s + 1, r.arrived_s + r.output)
                   for r in plain.finished)


def moments(server):
    """[(arrival, first token, end)] of the finished requests in order of their numbers."""
    done = sorted(server.finished, key=lambda r: r.number)
    return [(r.arrived_s, r.first_token_s, r.ended_s) for r in done]


def durations(server):
    return np.diff(server.spans_s).ravel().tolist()


def test_closed_form_and_simulation_agree_where_both_hold():
    """Equal requests with a short prompt, saturated: throughput goes as n / (W + KV)."""
    even = lengths((1, 400))
    runs = []
    for longest in (401, 1604):
        server = Server(POLICIES["max"].memory(16 * 1604, longest, allocator=FirstFitAllocator), even)
        server.run(400 * 20)
        used = np.mean([row[2] for row in server.history])
        runs.append((throughput_of(server, OPT, drop=0), used))
    (many, more), (few, less) = runs
    assert (many["requests_at_once"], few["requests_at_once"]) == (64, 16)
    many_bytes, few_bytes = (OPT.weight_bytes + n * OPT.kv_bytes_per_token for n in (more, less))
    expected = 64 / many_bytes / (16 / few_bytes)
    assert many["requests_per_s"] / few["requests_per_s"] == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("rate", [0.5, 2.0, 6.0])
def test_littles_law_in_seconds(rate):
    """Requests in the system, averaged over time, are rate x time: exact from empty to empty."""
    requests = read_workload("sharegpt", 2000, np.random.RandomState(0)).within(2048)
    arrivals = poisson_arrivals(rate, 300, np.random.RandomState(1))
    timed = Server(PagedMemory(15728), requests, arrivals, OPT)
    timed.finish(len(arrivals))
    times = np.array(moments(timed))
    assert len(times) == len(arrivals) == len(timed.finished)
    assert (times[:, 0] == arrivals).all() and (np.diff(times, axis=1) > 0).any(axis=1).all()
    events = np.sort(np.concatenate([times[:, 0], times[:, 2]]))
    inside = [((times[:, 0] <= t) & (times[:, 2] > t)).sum() for t in events[:-1]]
    area = (np.diff(events) * inside).sum()
    assert area == pytest.approx((times[:, 2] - times[:, 0]).sum())


def test_latency_as_the_paper_defines_it():
    timed = Server(PagedMemory(64, 4), lengths((3, 2), (5, 4)), [0.0, 10.5], SECOND)
    timed.finish(2)
    assert moments(timed) == [(0.0, 1.0, 2.0), (10.5, 11.5, 14.5)]
    told = latencies(timed)
    assert told == {"time_to_first_token_s": 1.0, "time_a_token_s": 1.0, "normalized_latency_s": 1.0}
    short = Server(PagedMemory(64, 4), lengths((3, 1)), [0.0], SECOND).finish(1)
    assert latencies(short)["time_a_token_s"] == 0.0  # it has no token after the first


def test_the_host_takes_its_time_for_each_running_request():
    clock = Clock(0, 0, 0, 1, 1, host_s_per_request=1.0)
    timed = Server(PagedMemory(64, 4), lengths((3, 2), (5, 4)), [0.0, 0.0], clock)
    assert durations(timed.finish(2)) == [2.0, 2.0, 1.0, 1.0]


def test_a_recomputed_prompt_passes_again():
    timed = Server(PagedMemory(16, 4, 0), lengths((4, 8), (4, 8)), [0.0, 0.0],
                   Clock(0, 1, 0, 1, 2.0, efficiency=1.0))  # 1 s a token
    timed.finish(2)
    passed = round(timed.now_s)
    assert [first for _, first, _ in moments(timed)] == [8, 8]  # and not when it passed again
    again = sum(r.recomputed_tokens for r in timed.finished)
    times = sum(r.preemptions for r in timed.finished)  # each passes whole, not one by one
    assert again > 0 and passed == 2 * 4 + 2 * 7 + again - times


def test_poisson_arrivals():
    times = poisson_arrivals(5.0, 1000, np.random.RandomState(0))
    assert len(times) == pytest.approx(5000, abs=4 * 5000**0.5)
    assert (np.diff(times) >= 0).all() and 0 <= times[0] and times[-1] < 1000
    assert np.diff(times).std() == pytest.approx(0.2, rel=0.1)  # exponential: sd = mean


def test_a_knee_is_crossed_or_is_not_there():
    rates, latency = [1.0, 2.0, 3.0, 4.0], [0.1, 0.3, 0.2, 1.0]
    assert knee(rates, latency, 0.2) == 1.5  # the first crossing
    assert knee(rates, latency, 0.6) == 3.5
    assert np.isnan(knee(rates, latency, 2.0))  # never reached: not the last rate
    assert np.isnan(knee(rates, latency, 0.05))  # from the start: not the first one
    assert np.isnan(knee([1.0], [0.1], 0.5))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_measured_makespan_with_and_without_a_watermark(seed):
    """One RTX 4090, 300 requests in 183.6 s: the peak is too fast, 0.74 of it too slow; a
    watermark, which this vLLM does not have, makes us faster, not slower."""
    own = read_workload("measured_run", 300, np.random.RandomState(seed))
    def makespan(efficiency, watermark=0.0):
        card = Clock.of(Model.named("Llama-3.1-8B"), "RTX-4090-24GB", efficiency=efficiency)
        timed = Server(PagedMemory(2588 * 16, 16, watermark), own, np.zeros(300), card)
        timed.finish(300)
        return timed.now_s
    assert 0.80 * 183.6 < makespan(1.0) < 183.6 < makespan(0.74, 0.01) < makespan(0.74) < 1.35 * 183.6


@pytest.mark.parametrize("call, message", [
    (lambda: Clock.of(Model.named("32x32x128"), "A100-40GB"), "model='32x32x128': must be one"),
    (lambda: Clock(1, 1, 1, 0, 1), "bandwidth_bytes_per_s=0: must be more than 0"),
    (lambda: Clock(-1, 1, 1, 1, 1), "weight_bytes=-1: must be"),
    (lambda: Clock.of(Model.named("OPT-13B"), "RTX-PRO-5000-48GB"), "its flops are not in gpus.csv"),
    (lambda: Clock.of(Model.named("OPT-13B"), "A100-40GB", 0), "n_gpus=0: must be"),
    (lambda: Clock.of(Model.named("OPT-13B"), "New", 1, 900), "or tell its bandwidth_gb_s and tflops"),
    (lambda: Clock.of(Model.named("OPT-13B"), "New", 1, -1, 9), "bandwidth_gb_s=-1: must be"),
    (lambda: Server(PagedMemory(64), lengths((1, 1)), [1, 0.5], SECOND), "arrival_s[1]=0.5: must be"),
    (lambda: Server(PagedMemory(64), lengths((1, 1)), [-1], SECOND), "arrival_s[0]=-1.0: must be"),
    (lambda: Server(PagedMemory(64), lengths((1, 1)), [0, 0]).finish(3), "n_requests=3: must be a whole number, at "
     "least 0 and at most 2 (that come)"),
    (lambda: poisson_arrivals(-1, 3, None), "rate_per_s=-1: must be")])
def test_bad_clocks_are_one_line(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value) and "\n" not in str(error.value)


def test_reports_by_hand():
    """Two requests at once of two tokens each, a second an iteration, in 8 slots."""
    eight = POLICIES["oracle"].memory(8, 4, allocator=FirstFitAllocator)
    served = Server(eight, lengths((2, 2))).finish(20)
    assert throughput_of(served, SECOND) == {
        "requests_per_s": 1.0, "requests_at_once": 2.0, "iteration_ms": 1000.0}
    assert len(served.finished) == 20
    timed = Server(POLICIES["oracle"].memory(8, 4, allocator=FirstFitAllocator), lengths((2, 2)),
                   [0.0, 0.0, 2.0], SECOND)
    timed.finish(3)
    means = means_between(timed, 0, 4)  # 3 tokens each, then 4; two requests, then one
    assert means == {"requests_at_once": 1.5, "used": (6 + 8 + 3 + 4) / 32,
                     "reserved": (2 + 1) / 32, "internal": 0.0, "external": (0 + 0 + 4 + 4) / 32}
    assert means_between(timed, 2, 4)["requests_at_once"] == 1.0
    assert throughput_of(timed, SECOND, drop=0)["requests_per_s"] == 3 / 4
    late = Server(POLICIES["oracle"].memory(8, 4), lengths((2, 2)), [2.0, 8.0], SECOND)
    late.finish(2)  # it works in seconds 2 to 4 and 8 to 10
    assert [means_between(late, *window)["requests_at_once"] for window in ((0, 10), (4, 8), (4, 9))] == [0.4, 0, 0.2]
    assert means_between(late, 8, 10)["used"] == (3 + 4) / 16
    assert throughput_of(timed, SECOND, drop=0.5)["requests_per_s"] == 1 / 2


def test_the_papers_gain_from_memory_alone():
    gains = paper_gains()
    assert list(gains.index) == ["OPT-13B on 1 x A100-40GB", "OPT-66B on 4 x A100-40GB",
                                 "OPT-175B on 8 x A100-80GB"]
    assert gains["over Orca (Oracle)"].tolist() == pytest.approx([1.85, 2.11, 1.42], abs=0.006)
    assert gains["over Orca (Max)"].tolist() == pytest.approx([3.24, 4.13, 2.18], abs=0.006)


@pytest.mark.parametrize("ours, more, verdict", [
    ("5%", (), "holds"), ("5%, on average", (), "wrong"), ("4%", (), "wrong"), ("", (), "wrong"),
    ("4%", (True, "at the end"), "holds at the end"), ("5%", (True, "at the end"), "holds"),
    ("5%", (True, "at the end", False), "holds at the end"), ("4.96%", (False, "", True), "holds")])
def test_a_claim_holds_as_printed_or_if_it_is_said_or_under_a_condition(ours, more, verdict):
    assert judge("claim", "5%", ours, *more) == {
        "claim": "claim", "article": "5%", "ours": ours, "verdict": verdict}


@pytest.mark.parametrize("made", [bench.append, bench.serve])
def test_a_measured_work_counts_as_many_tokens_as_its_yardstick(made, monkeypatch):
    counted, tokens, append, write = [], [], PagedRequest.append, Server.write
    monkeypatch.setattr(bench, "count", counted.append)
    monkeypatch.setattr(PagedRequest, "append", lambda *a: tokens.append(1) or append(*a))
    monkeypatch.setattr(Server, "write", lambda s: (write(s), tokens.extend([1] * len(s.running))))
    work, yardstick = made(32)
    tokens.clear()
    work(), yardstick()
    assert counted == [len(tokens)] and len(tokens) >= 32


def test_measured_attention_is_that_of_its_yardstick():
    work, yardstick = bench.attend(32)
    np.testing.assert_allclose(work(), yardstick(), atol=1e-6)
