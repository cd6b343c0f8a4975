"""Simulated servers: memories and policies, a server stepped through requests, its clock, and
measures of a run."""
from .clock import Clock, gain, knee
from .memory import PagedMemory, PlainPagedMemory, ReservedMemory
from .occupancy import record
from .reuse import (TimedPool, distances, pages_found, return_times, serve_prompts, sessions)
from .server import Server, steady_state
from .timed import TimedServer, latencies, means_between, saturate, throughput_of

__all__ = ["Clock", "PagedMemory", "PlainPagedMemory", "ReservedMemory", "Server", "TimedPool",
           "TimedServer", "distances", "gain", "knee", "latencies", "means_between",
           "pages_found", "record", "return_times", "saturate", "serve_prompts", "sessions",
           "steady_state", "throughput_of"]
