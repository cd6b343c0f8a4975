"""Measures of a server's run: its account, means over iterations or over seconds, latencies."""
import numpy as np
import pandas as pd

from ..contiguous import STATES, account


def accounts(server, start=0):
    """The account of every iteration so far from `start` on: a row each, states in slots. Of
    pages the rest of a last one is internal fragmentation, as in the paper, free ones external."""
    running, waiting, used, final, asked, computed = np.array(server.history[start:]).T
    final = final if server.memory.reserves else used
    states = dict(zip(STATES, account(server.memory.slots, asked, final, used)))
    return pd.DataFrame({"running": running, "waiting": waiting, **states, "computed": computed})


def since(server, drop):
    """The iteration after the first share `drop` of a run, and the requests finished since."""
    start = int(drop * len(server.history))
    return start, [r for r in server.finished if r.ends >= start]


def shares(server, mean):
    """Of the mean of an account: requests at once, and states as shares of the memory (0..1)."""
    return {"requests_at_once": mean["running"],
            **{name: mean[name] / server.memory.slots for name in STATES}}


def steady_state(server, drop=0.2):
    """Means over iterations, and per finished request its preemptions and recomputed tokens."""
    start, done = since(server, drop)
    per_request = 1 / max(1, len(done))
    return {**shares(server, accounts(server, start).mean()),
            "preemptions_per_request": sum(r.preemptions for r in done) * per_request,
            "recomputed_tokens": sum(r.recomputed_tokens for r in done) * per_request}


def throughput_of(server, clock, drop=0.2):
    """By a clock: requests a second, requests at once (mean over time), ms an iteration."""
    start, done = since(server, drop)
    running, _, used, _, _, computed = np.array(server.history[start:]).T
    seconds = clock.seconds(computed, used, running)
    return {"requests_per_s": float(len(done) / seconds.sum()),
            "requests_at_once": float(np.average(running, weights=seconds)),
            "iteration_ms": float(1e3 * seconds.mean())}


def means_between(server, start_s, end_s):
    """Means over time, from one second to another; in idle seconds all are 0."""
    starts, ends = np.array(server.spans_s).T
    weights = (ends - starts) * ((ends > start_s) & (ends <= end_s)) / (end_s - start_s)
    return shares(server, accounts(server).mul(weights, axis=0).sum())


def latencies(server):
    """Means over the finished requests, in seconds: time to first token, time a token after the
    first, and normalized latency, (end - arrival) / output tokens (the paper's section 6.1)."""
    outputs, arrived, first, end = np.array([
        (r.output, r.arrived_s, r.first_token_s, r.ended_s) for r in server.finished]).T
    return {"time_to_first_token_s": float((first - arrived).mean()),
            "time_a_token_s": float(((end - first) / np.maximum(1, outputs - 1)).mean()),
            "normalized_latency_s": float(((end - arrived) / outputs).mean())}


def knee(rates, latency_s, level_s):
    """The rate at which a latency first reaches that level, on the straight line between the
    rates tried; NaN if it does from the first of them on, or never."""
    rates, latency_s = list(rates), list(latency_s)
    i = next((i for i, seconds in enumerate(latency_s) if seconds >= level_s), 0)
    return float(np.interp(level_s, latency_s[i - 1:i + 1], rates[i - 1:i + 1])) if i else np.nan
