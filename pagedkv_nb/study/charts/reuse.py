"""Pages found again, drawn: pages through time, hit rates, return times."""
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from ..style import COLOURS, POINTS, REQUEST_COLOURS, canvas, end_label, on


class Diary:
    """What a live pool's pages are, noted when asked: a row for each page and step."""

    def __init__(self, pool):
        """Nothing noted."""
        self.pool, self.rows, self.texts = pool, [], {}

    def note(self, step, live, text=""):
        """Note every page after a step; the requests in `live` have names. The newest one
        holds `text`, one letter a token."""
        holders = {page: request.name for request in live for page in request.block_table}
        size = self.pool.page_size
        for block, page in enumerate(live[-1].block_table if live and text else []):
            self.texts[page] = text[block * size:(block + 1) * size]
        for page in range(self.pool.total_pages):
            state = "used" if page in holders else "free"
            if state == "free" and self.pool.key_of(page) is not None:
                state = "idle"
            shown = "" if state == "free" else self.texts[page]
            self.rows.append((step, page, state, holders.get(page, ""), shown))

    @property
    def table(self):
        """All rows, as a DataFrame."""
        return pd.DataFrame(self.rows, columns=["step", "page", "state", "request", "holds"])


def pages_through_time(table, title):
    """A column for each `step`, a row for each `page`, with what it holds; pages in use have
    their request's colour, idle ones a frame."""
    fig, ax = canvas(title, 2.9)
    steps = list(dict.fromkeys(table["step"]))
    requests = sorted(set(table["request"]) - {""})
    colours = dict(zip(requests, cycle(REQUEST_COLOURS))) | {"": COLOURS["free"]}
    for row in table.itertuples():
        _draw(ax, steps.index(row.step), row, colours[row.request])
    ax.set(xlim=(-0.5, len(steps) - 0.5), ylim=(table["page"].max() + 0.5, -0.5))
    ax.set_xticks(range(len(steps)), steps, size=8.5)
    pages = sorted(set(table["page"]))
    ax.set_yticks(pages, [f"page {page}" for page in pages])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return fig


def _draw(ax, x, row, colour):
    """One page at one step; a dashed frame says that it is idle."""
    idle = row.state == "idle"
    ax.add_patch(Rectangle((x - 0.46, row.page - 0.42), 0.92, 0.84, lw=1,
                           facecolor="white" if idle else colour,
                           edgecolor=COLOURS["faint"] if idle else "white",
                           ls="--" if idle else "-"))
    who = f"{row.request}: " if row.request else ""
    ax.text(x, row.page, who + row.holds, ha="center", va="center", size=8.5,
            color=on(colour) if row.request else COLOURS["text"])


def hit_rates(table, marks, title):
    """`hit_rate` against `cache_tokens` for each `trace`: a line ours, circles the paper's,
    dots what a pool found. `marks` are {cache tokens: label} of vertical lines."""
    fig, ax = canvas(title, 3.6)
    traces = table.groupby("trace", sort=False)
    for (trace, rows), colour in zip(traces, REQUEST_COLOURS):
        _trace(ax, trace, rows, colour)
    top = table["hit_rate"].max() * 1.22 + 0.01
    for tokens, label in marks.items():
        ax.axvline(tokens, color=COLOURS["faint"], lw=0.8, ls=":")
        ax.annotate(label, (tokens, top), (3, -3), textcoords=POINTS, va="top", size=8)
    ax.set(xscale="log", ylim=(0, top), xlabel="cache size (tokens)",
           ylabel="pages found again")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return fig


def _trace(ax, trace, rows, colour):
    """One trace's line, circles and dots, with its name above their end."""
    looks = {"LRU": ("-", 0, None), "paper": ("o", 6, "none"), "pool": ("o", 5, colour)}
    for source, (form, size, face) in looks.items():
        part = rows[rows["source"] == source]
        ax.plot(part["cache_tokens"], part["hit_rate"], form, ms=size, mfc=face, lw=1.8,
                color=colour)
    end = (rows["cache_tokens"].max(), rows["hit_rate"].max())
    ax.annotate(trace, end, (6, 9), textcoords=POINTS, color=colour, ha="right", size=9,
                weight="bold")


def return_times_chart(curve, pools, title):
    """The `share` of pages asked that return within `seconds`, as a line; for each of
    `pools` its `hit_rate` at the `life_s` of an idle page, with its `label`."""
    fig, ax = canvas(title, 3.4)
    ax.plot(curve["seconds"], curve["share"], color=COLOURS["naive"])
    ax.plot(pools["life_s"], pools["hit_rate"], "o", color=COLOURS["paged"], ms=7)
    for row in pools.itertuples():
        ax.annotate(row.label, (row.life_s, row.hit_rate), (8, -4), textcoords=POINTS,
                    va="top", size=8.5, color=COLOURS["paged"])
    last = curve.iloc[-1]
    end_label(ax, last["seconds"], last["share"], "returned\nsooner", COLOURS["naive"])
    ax.set(xscale="log", ylim=(0, max(0.01, curve["share"].max() * 1.15)),
           xlabel="seconds since the page's last use", ylabel="share of pages asked for")
    ax.set_xlim(right=last["seconds"] * 2)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return fig


def cache_sizes(least, most):
    """Cache sizes from `least` to `most` pages, 24 to a factor of ten."""
    steps = int(24 * np.log10(max(most / least, 1))) + 2
    return np.unique(np.geomspace(least, max(most, least), steps).astype(int))
