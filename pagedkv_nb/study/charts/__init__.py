"""The charts, one function each: data in, figure out."""
from ..style import COLOURS, INK, LOG2, system_colours
from .bars import bars, state_bars
from .diagrams import (block_table, copy_on_write, page_maps, pages_now, pages_through_time,
                       words_in_pages)
from .lines import (cache_vs_context, hit_rates, latency_vs_rate, measured_servers, named_lines,
                    utilisation_vs_batch, worth_of_memory)
from .time_maps import memory_through_time
