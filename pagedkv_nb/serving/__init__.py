"""Simulated servers: memories, policies, a server and its clock, and measures of a run."""
from .clock import Clock
from .measures import accounts, knee, latencies, means_between, steady_state, throughput_of
from .memory import PagedMemory, PlainPagedMemory, ReservedMemory
from .occupancy import pieces_through_time, places, record
from .policy import POLICIES, Policy
from .reuse import TimedPool, distances, return_times, serve_prompts, sessions
from .server import Server
