"""The charts, one function each: data in, figure out."""
from ..style import COLOURS
from .bars import bars, measured_run, state_bars, throughput
from .diagrams import (Diary, block_table, cache_sizes, copy_on_write, page_maps,
                       pages_through_time, words_in_pages)
from .lines import (cache_vs_context, hit_rates, latency_vs_rate, measured_servers, pages_vs_requests,
                    return_times_chart, shared_pages, utilisation_vs_batch, waste_vs_page_size,
                    worth_of_memory)
from .time_maps import memory_through_time
