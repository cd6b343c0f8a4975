"""Simulated servers: memories and policies, a server stepped through requests, its clock, and
measures of a run."""
from .clock import Clock, gain
from .measures import (accounts, knee, latencies, means_between, saturate, steady_state,
                       throughput_of)
from .memory import PagedMemory, PlainPagedMemory, ReservedMemory
from .occupancy import Pieces, places, record
from .policy import POLICIES, Policy
from .reuse import TimedPool, distances, return_times, serve_prompts, sessions
from .server import Server
from .timed import TimedServer

__all__ = ["POLICIES", "Clock", "PagedMemory", "Pieces", "PlainPagedMemory", "Policy",
           "ReservedMemory", "Server", "TimedPool", "TimedServer", "accounts", "distances",
           "gain", "knee", "latencies", "means_between", "places", "record", "return_times",
           "saturate", "serve_prompts", "sessions", "steady_state", "throughput_of"]
