"""The paper's four systems, and how far a simulation is from its Figure 2."""
import numpy as np
import pandas as pd

from ..contiguous import STATES
from ..facts import facts
from ..memory import PagedMemory, ReservedMemory
from ..serving import Server, steady_state
from ..sizing import Deployment
from ..timed import TimedServer, report
from ..timing import TimeModel
from ..workload import read_workload, shorter_than

SYSTEMS = {"Orca (Max)": "max", "Orca (Pow2)": "pow2", "Orca (Oracle)": "oracle", "vLLM": None}
PAPER_GPUS = {"OPT-13B": ("A100-40GB", 1), "OPT-66B": ("A100-40GB", 4),
              "OPT-175B": ("A100-80GB", 8)}


def memory_of(system, slots, longest, page_size=16, **allocator):
    """An empty memory of that system."""
    policy = SYSTEMS[system]
    if policy is None:
        return PagedMemory(slots, page_size)
    return ReservedMemory(slots, policy, longest, **allocator)


def paper_slots(model, gpu, n_gpus):
    """Token slots the paper had, for its models on its GPUs; what our `Deployment` leaves
    for any other."""
    if PAPER_GPUS.get(model.name) == (gpu, n_gpus):
        told = facts("published").query("topic == 'fig12' and quantity == 'kv_slots'")
        return int(told.set_index("case")["value"][model.name])
    return Deployment(model, gpu, n_gpus).token_slots()


def requests_of(name, limit, seed, n=50_000):
    """n requests drawn from that workload; those of `limit` tokens or more are dropped, as
    the paper's artifact does."""
    return shorter_than(read_workload(name, n, np.random.RandomState(seed)), limit)


def saturated(memory, requests, iterations):
    """The steady state of a server whose queue is never empty."""
    server = Server(memory, requests)
    server.run(iterations)
    return steady_state(server)


def busy(memory, requests, iterations, time_model):
    """A server with a clock after that many iterations with a queue that is never empty."""
    server = TimedServer(memory, requests, time_model)
    for _ in range(iterations):
        server.step()
    return server


def retimed(server, time_model, drop=0.2):
    """What a busy server gives if each of its iterations takes as long as that model says
    (which request runs when does not depend on it): requests at once over time, milliseconds
    an iteration, tokens a second. The first share `drop` is left out."""
    start = int(drop * len(server.passed))
    rows = [(passed, row[2], row[0]) for passed, row in zip(server.passed, server.history)]
    seconds = np.array([time_model.seconds(*row) for row in rows[start:]])
    running = np.array([row[2] for row in rows[start:]])
    return {"requests_at_once": float(running @ seconds / seconds.sum()),
            "iteration_ms": 1e3 * float(seconds.mean()),
            "tokens_per_s": float(running.sum() / seconds.sum())}


def drained(memory, requests, clock):
    """The server after all have left who arrive; `clock` is (time model, arrivals)."""
    server = TimedServer(memory, requests, *clock)
    server.drain()
    return server


def knee(rates, latency_s, level_s):
    """The rate at which a latency that rises with the rate first reaches that level, on the
    straight line between its neighbours; NaN if it never does, or does from the start."""
    rates, latency_s = np.asarray(rates), np.asarray(latency_s)
    above = latency_s >= level_s
    if not above.any() or above[0]:
        return float("nan")
    i = int(above.argmax())
    return float(np.interp(level_s, latency_s[i - 1:i + 1], rates[i - 1:i + 1]))


def observed(memory, requests, clock, window):
    """As the artifact measures: `clock` is (time model, arrivals in seconds); averages over
    time from window[0] to window[1] seconds."""
    server = TimedServer(memory, requests, *clock)
    server.run_until(window[1])
    return report(server, since_s=window[0])


def figure_2():
    """The paper's labels of Fig. 2 (0..1) and mean batches of Fig. 13a, a row a system."""
    told = facts("published").query("topic == 'fig2'")
    return told.pivot(index="case", columns="quantity", values="value").loc[list(SYSTEMS)]


def off_figure_2(ours):
    """Points between ours (a row a system, shares) and each of the paper's labels; NaN
    where the paper has none, or a zero."""
    paper = figure_2()[list(STATES)]
    return ((ours[list(STATES)] - paper).where(paper > 0) * 100).astype(float)


def mean_off(ours):
    """The mean absolute difference over the labels, in points."""
    return float(np.nanmean(off_figure_2(ours).abs().to_numpy()))


def four(run):
    """A table of what `run(system)` returns for the four systems."""
    return pd.DataFrame({system: run(system) for system in SYSTEMS}).T


def worth(place, requests, iterations, hosts=None):
    """What pages gain over Max and Oracle for `place` = (Model, GPU, GPUs, longest request):
    rows of host and system, times the requests at once, times the tokens a second. `hosts`
    is {name: host times of a TimeModel}."""
    model, gpu, n_gpus, longest = place
    clocks = {host: TimeModel.of(model, gpu, n_gpus, **times)
              for host, times in (hosts or {"no host time": {}}).items()}
    slots, first = paper_slots(model, gpu, n_gpus), next(iter(clocks.values()))
    servers = {s: busy(memory_of(s, slots, longest), requests, iterations, first)
               for s in SYSTEMS if s != "Orca (Pow2)"}
    runs = pd.concat({host: pd.DataFrame({s: retimed(server, clock) for s, server
                                          in servers.items()}).T.drop(columns="iteration_ms")
                      for host, clock in clocks.items()}, names=["host", "system"])
    return runs.xs("vLLM", level="system") / runs.drop("vLLM", level="system")
