"""Measures of a server's run: its account, means over iterations or over seconds, latencies."""
import numpy as np
import pandas as pd

from ..contiguous import STATES
from .timed import TimedServer


def accounts(server):
    """The account of every iteration so far, in slots, with the requests that ran and those
    that waited: a row each."""
    return pd.DataFrame(account_array(server.history), columns=["running", "waiting", *STATES])


def account_array(history):
    """Rows of a server's history as an array of int64."""
    return np.fromiter(history, np.dtype(("int64", 2 + len(STATES))), len(history))


def steady_state(server, drop=0.2):
    """Means over a server's iterations after the first share `drop`, in which its memory
    fills: requests at once, states as shares of the memory (0..1); and per finished request,
    its preemptions and recomputed tokens."""
    start = int(drop * len(server.history))
    table = account_array(server.history[start:])
    running, _, *states = (table.sum(axis=0) / len(table)).tolist()
    done = [r for r in server.finished if r.ends >= start]
    per_request = 1 / max(1, len(done))
    return {"requests_at_once": running,
            **{name: mean / server.memory.slots for name, mean in zip(STATES, states)},
            "preemptions_per_request": sum(r.preemptions for r in done) * per_request,
            "recomputed_tokens": sum(r.recomputed_tokens for r in done) * per_request}


def throughput_of(server, drop=0.0):
    """Of a timed run without its first share `drop` of iterations: requests a second, means
    over time of requests at once, and milliseconds an iteration."""
    start = int(drop * len(server.iteration_s))
    seconds = np.array(server.iteration_s[start:])
    begun = server.now_s - seconds.sum()
    running = np.array([row[0] for row in server.history[start:]])
    ended = sum(1 for *_, end in server.times_s if end is not None and end > begun)
    return {"requests_per_s": float(ended / seconds.sum()),
            "requests_at_once": float((running * seconds).sum() / seconds.sum()),
            "iteration_ms": float(1e3 * seconds.mean())}


def means_between(server, start_s, end_s):
    """Of a timed run from one second to another: means over time of the requests at once and
    of the states as shares of the memory (0..1)."""
    ends = np.cumsum(server.iteration_s)
    table, seconds = account_array(server.history), np.array(server.iteration_s)
    inside = (ends > start_s) & (ends <= end_s)
    means = np.average(table[inside], axis=0, weights=seconds[inside])
    return {"requests_at_once": means[0],
            **dict(zip(STATES, means[2:] / server.memory.slots))}


def saturate(memories, workload, clock, n_requests):
    """{name: its `throughput_of`} of servers that differ in their memories, {name: memory}.
    Each finishes so many of the same requests from a queue that is never empty; the first
    fifth of the iterations, in which the memory fills, is left out."""
    servers = {name: TimedServer(memory, workload, clock)
               for name, memory in memories.items()}
    for server in servers.values():
        server.finish(n_requests)
    return {name: throughput_of(server, drop=0.2) for name, server in servers.items()}


def latencies(server):
    """Means over the finished requests, in seconds: time to first token, time a token after
    the first, and the paper's normalized latency, (end - arrival) / output tokens
    (section 6.1)."""
    outputs = np.array([r.output for r in server.finished])
    arrived, first, end = np.array([server.times_s[r.number] for r in server.finished],
                                   float).T
    return {"time_to_first_token_s": float((first - arrived).mean()),
            "time_a_token_s": float(((end - first) / np.maximum(1, outputs - 1)).mean()),
            "normalized_latency_s": float(((end - arrived) / outputs).mean())}


def knee(rates, latency_s, level_s):
    """The rate at which a latency first reaches that level, on the straight line between the
    rates tried; NaN if it does from the first of them on, or never."""
    latency_s = np.asarray(latency_s)
    above = np.append(latency_s >= level_s, True)
    i = int(above.argmax())
    if i in (0, len(latency_s)):
        return float("nan")
    return float(np.interp(level_s, latency_s[i - 1:i + 1], np.asarray(rates)[i - 1:i + 1]))
