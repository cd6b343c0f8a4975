"""Requests: lengths drawn or from a user's own trace, arrivals, and prompts with content."""
from .prompts import read_prompts, read_traces
from .workload import (Workload, article_distribution, article_lengths, poisson_arrivals,
                       read_workload)
