"""Pages found again: a diary of a pool, and the pages through time."""
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from ..style import COLOURS, REQUEST_COLOURS, canvas, on


class Diary:
    """What a live pool's pages are, noted when asked: a row for each page and step."""

    def __init__(self, pool):
        """Nothing noted."""
        self.pool, self.rows, self.texts = pool, [], {}

    def note(self, step, live, text=""):
        """Note every page after a step, an idle one with its place in the queue; the requests
        in `live` have names. The newest one holds `text`, one letter a token."""
        place = {page: i for i, page in enumerate(self.pool._idle, 1)}
        holders = {page: request.name for request in live for page in request.block_table}
        size = self.pool.page_size
        if text:
            for block, page in enumerate(live[-1].block_table):
                self.texts[page] = text[block * size:(block + 1) * size]
        for page in range(self.pool.total_pages):
            state = "free" if self.pool.key_of(page) is None else "idle"
            state = "used" if page in holders else state
            shown = "" if state == "free" else self.texts[page]
            self.rows.append((step, page, state, holders.get(page, ""), shown,
                              place.get(page, "")))

    @property
    def table(self):
        """All rows, as a DataFrame."""
        return pd.DataFrame(self.rows, columns=["step", "page", "state", "request", "holds",
                                                "queue"])


def pages_through_time(table, title):
    """A column for each `step`, a row for each `page`, with what it holds; pages in use have
    their request's colour, idle ones a frame and their place in the `queue`."""
    fig, ax = canvas(title, 2.9)
    steps, pages = list(dict.fromkeys(table["step"])), sorted(set(table["page"]))
    requests = sorted(set(table["request"]) - {""})
    colours = dict(zip(requests, cycle(REQUEST_COLOURS))) | {"": COLOURS["free"]}
    for row in table.itertuples():
        draw_page(ax, steps.index(row.step), row, colours[row.request])
    ax.set(xlim=(-0.5, len(steps) - 0.5), ylim=(pages[-1] + 0.5, -0.5))
    ax.set_xticks(range(len(steps)), steps, size=8.5)
    ax.set_yticks(pages, [f"page {page}" for page in pages])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return fig


def draw_page(ax, x, row, colour):
    """One page at one step; a dashed frame says that it is idle."""
    look = {"fc": colour, "ec": "white"}
    if row.state == "idle":
        look = {"fc": "white", "ec": COLOURS["faint"], "ls": "--"}
    ax.add_patch(Rectangle((x - 0.46, row.page - 0.42), 0.92, 0.84, lw=1, **look))
    text, ink = row.holds, COLOURS["text"]
    if row.request:
        text, ink = f"{row.request}: {row.holds}", on(colour)
    ax.text(x, row.page, text, ha="center", va="center", size=8, color=ink)
    if row.state == "idle":
        ax.text(x - 0.39, row.page - 0.33, row.queue, ha="left", va="top", size=7.5,
                weight="bold", color=COLOURS["paged"])


def cache_sizes(least, most):
    """Cache sizes from `least` to `most` pages, 24 to a factor of ten."""
    steps = int(24 * np.log10(max(most / least, 1))) + 2
    return np.unique(np.geomspace(least, max(most, least), steps).astype(int))
