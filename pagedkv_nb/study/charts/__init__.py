"""The charts, one function each: data in, figure out."""
from .bars import bars, measured_run, pages_vs_requests, state_bars, waste_vs_page_size
from .bars import cache_vs_context, utilisation_vs_batch
from .diagrams import block_table, copy_on_write, page_maps
from .fit import requests_that_fit
from .reuse import Diary, cache_sizes, hit_rates, pages_through_time, return_times_chart
from .servers import measured_servers
from .throughput import latency_vs_rate, throughput, worth_of_memory
from ..style import COLOURS
from .time_maps import memory_through_time
from .words import shared_pages, words_in_pages

__all__ = ["COLOURS", "Diary", "bars", "block_table", "cache_sizes", "cache_vs_context", "copy_on_write",
           "hit_rates", "latency_vs_rate", "measured_run", "measured_servers",
           "memory_through_time", "page_maps", "pages_through_time", "pages_vs_requests",
           "requests_that_fit", "return_times_chart", "shared_pages",
           "state_bars", "throughput",
           "utilisation_vs_batch", "waste_vs_page_size", "words_in_pages",
           "worth_of_memory"]
