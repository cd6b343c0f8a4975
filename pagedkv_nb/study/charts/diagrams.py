"""Drawings of page pools, of block tables, and of what stands in the pages."""
from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from ..style import COLOURS, REQUEST_COLOURS, canvas, on, panels

MIDDLE = {"ha": "center", "va": "center"}
SQUARE = {"aspect": "equal", "anchor": "NW"}


def board(ax, left, right, rows, **look):
    """Make axes a drawing board: no frame, y downward."""
    ax.set(xlim=(left, right), ylim=(rows, 0), **look)
    ax.axis("off")


def cell(ax, x, y, text, colour, width=0.92, size=8):
    """One box of a diagram, with its text."""
    ax.add_patch(Rectangle((x + 0.04, y + 0.06), width, 0.88, color=colour, linewidth=0))
    ax.text(x + 0.04 + width / 2, y + 0.48, text, size=size, color=on(colour), **MIDDLE)


def before(ax, x, y, text, size=8):
    """What a row is called, to its left."""
    ax.text(x, y + 0.48, text, ha="right", va="center", size=size, color=COLOURS["faint"])


def block_table(pool, requests, words, title):
    """The block tables of two requests, left and right of the pool they point into;
    `words` (pages, page_size) is what the slots hold."""
    fig, ax = canvas(title, 3.6)
    board(ax, 0, 12, pool.total_pages + 0.6)
    left, wide = 6 - 0.75 * pool.page_size, 1.5
    owner = {page: i for i, request in enumerate(requests) for page in request.block_table}
    ax.text(6, 0.3, f"pages of {pool.page_size} slots", ha="center", weight="bold")
    for page, held in enumerate(words):
        before(ax, left - 0.12, page + 0.6, page, 10)
        for slot, word in enumerate(held):
            colour = REQUEST_COLOURS[owner[page]] if word else COLOURS["free"]
            shown = word or ("unused" if page in owner else "")
            cell(ax, left + wide * slot, page + 0.6, shown, colour, wide - 0.08)
    draw_table(ax, requests[0], 0, REQUEST_COLOURS[0], (2, left - 0.45))
    draw_table(ax, requests[1], 10, REQUEST_COLOURS[1], (10, 12 - left + 0.08))
    return fig


def draw_table(ax, request, x, colour, arrow):
    """One block table at x, with an arrow (from x, to x) from each row to its page."""
    ax.text(x + 1, 0.3, f"{request.name}: block, page", ha="center", weight="bold")
    for block, page in enumerate(request.block_table):
        cell(ax, x, block + 0.6, block, COLOURS["free"])
        cell(ax, x + 1, block + 0.6, page, colour)
        ax.annotate("", (arrow[1], page + 1.08), (arrow[0], block + 1.08), arrowprops={
            "arrowstyle": "-|>", "color": colour, "lw": 1.2, "shrinkA": 1, "shrinkB": 0})


def page_maps(snapshots, title):
    """For each {caption: [letter or "" for each page]} the pages in rows of 12, by letter."""
    rows = -(-max(map(len, snapshots.values())) // 12)
    fig, axes = panels(title, snapshots, 0.6 + rows * 6.7 / (12 * len(snapshots)))
    letters = sorted({letter for pages in snapshots.values() for letter in pages if letter})
    colours = dict(zip(letters, REQUEST_COLOURS)) | {"": COLOURS["free"]}
    for ax, pages in zip(axes, snapshots.values()):
        board(ax, 0, 12, rows, **SQUARE)
        for page, letter in enumerate(pages):
            cell(ax, page % 12, page // 12, letter, colours[letter])
    return fig


def copy_on_write(snapshots, n_pages, title):
    """For each {caption: ({"A, 10 tokens": block table}, {page: ref count})} these and the pool."""
    wide, rows = n_pages + 1, max(len(tables) for tables, _ in snapshots.values()) + 2.3
    fig, axes = panels(title, snapshots, 0.6 + rows * 6.8 / (wide * len(snapshots)))
    for ax, (tables, counts) in zip(axes, snapshots.values()):
        board(ax, 0, wide, rows, **SQUARE)
        for i, (name, table) in enumerate(tables.items()):
            letter, tokens = name.split(", ")
            ax.text(0.45, i + 0.5, letter, weight="bold", **MIDDLE)
            ax.text(len(table) + 1.2, i + 0.5, tokens, va="center", size=8)
            for block, page in enumerate(table):
                cell(ax, block + 1, i, page, REQUEST_COLOURS[i])
        draw_pool(ax, n_pages, len(tables) + 0.5, tables.values(), counts)
    return fig


def draw_pool(ax, n_pages, y, tables, counts):
    """A row of pages with their ref counts: dark if shared, else in the holder's colour."""
    owned = {page: colour for table, colour in zip(tables, REQUEST_COLOURS) for page in table}
    before(ax, 0.8, y, "pool")
    for page in range(n_pages):
        count = counts.get(page, 0)
        colour = COLOURS["shared"] if count > 1 else owned.get(page, COLOURS["free"])
        cell(ax, page + 1, y, f"×{count}" if count else "", colour)
        ax.text(page + 1.5, y + 1.3, page, size=8, color=COLOURS["faint"], **MIDDLE)


def words_in_pages(table, title):
    """A row for each `page`, a box for each `slot` with its `word`: in the colour of the
    request that `holds` the page, dark if several do ("A B"); `copied_from` is marked."""
    pages, width = table.groupby("page", sort=False), table["slot"].max() + 1
    fig, ax = canvas(title, 0.5 + 0.36 * len(pages))
    board(ax, -1.6, width + 2.6, len(pages))
    names = sorted({name for holds in table["holds"] for name in holds.split()})
    colours = dict(zip(names, REQUEST_COLOURS))
    for y, (page, slots) in enumerate(pages):
        before(ax, -0.2, y, f"page {page}")
        colour = colours.get(slots["holds"].iloc[0], COLOURS["shared"])
        for x, word in zip(slots["slot"], slots["word"]):
            paper, size = colour if word else COLOURS["free"], min(7, 30 / max(len(word), 1))
            cell(ax, x, y, word, paper, size=size)
        tell_holder(ax, width, y, slots, colour)
    return fig


def tell_holder(ax, x, y, slots, colour):
    """Who holds a page, beside it, and which of its words were copied from where."""
    first, beside = slots.iloc[0], {"y": y + 0.48, "va": "center"}
    holder = "shared" if " " in first["holds"] else first["holds"]
    ax.text(x + 0.15, s=holder, size=8, weight="bold", color=colour, **beside)
    if first["copied_from"] >= 0:
        ax.add_patch(Rectangle((0, y + 0.03), slots["copied"].sum(), 0.94, fill=False, lw=2,
                               edgecolor=COLOURS["text"]))
        ax.text(x + 0.6, s=f"copied from {first['copied_from']}", size=7.5,
                color=COLOURS["faint"], **beside)


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
            state = "used" if page in holders else "idle" if page in place else "free"
            shown = "" if state == "free" else self.texts[page]
            self.rows.append((step, page, state, holders.get(page, ""), shown, place.get(page, "")))

    @property
    def table(self):
        """All rows, as a DataFrame."""
        return pd.DataFrame(self.rows, columns="step page state request holds queue".split())


def pages_through_time(table, title):
    """A column for each `step`, a row for each `page`, with what it holds; pages in use have
    their request's colour, idle ones a frame and their place in the `queue`."""
    fig, ax = canvas(title, 2.9)
    steps, pages = list(dict.fromkeys(table["step"])), sorted(set(table["page"]))
    board(ax, -0.75, len(steps), len(pages) + 0.75)
    requests = sorted(set(table["request"]) - {""})
    colours = dict(zip(requests, cycle(REQUEST_COLOURS))) | {"": COLOURS["free"]}
    for page in pages:
        before(ax, -0.1, page, f"page {page}", 10)
    for x, step in enumerate(steps):
        ax.text(x + 0.5, len(pages) + 0.4, step, size=8.5, color=COLOURS["faint"], **MIDDLE)
        for row in table[table["step"] == step].itertuples():
            draw_page(ax, x, row, colours[row.request])
    return fig


def draw_page(ax, x, row, colour):
    """One page at one step; a dashed frame says that it is idle."""
    text = f"{row.request}: {row.holds}" if row.request else row.holds
    cell(ax, x, row.page, text, "white" if row.state == "idle" else colour)
    if row.state == "idle":
        ax.add_patch(Rectangle((x + 0.04, row.page + 0.06), 0.92, 0.88, fill=False, ls="--",
                               edgecolor=COLOURS["faint"]))
        ax.text(x + 0.11, row.page + 0.15, row.queue, ha="left", va="top", size=7.5,
                weight="bold", color=COLOURS["paged"])


def cache_sizes(least, most):
    """Cache sizes from `least` to `most` pages, 24 to a factor of ten."""
    steps = int(24 * np.log10(max(most / least, 1))) + 2
    return np.unique(np.geomspace(least, max(most, least), steps).astype(int))
