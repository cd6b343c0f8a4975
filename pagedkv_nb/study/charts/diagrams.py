"""Drawings of page pools, of block tables, and of what stands in the pages."""
import pandas as pd
from matplotlib.patches import Rectangle

from ..style import COLOURS, REQUEST_COLOURS, canvas, on, panels, request_colours

MIDDLE = {"ha": "center", "va": "center"}
SQUARE = {"aspect": "equal", "anchor": "NW"}


def board(ax, left, right, rows, **look):
    """Make axes a drawing board: no frame, y downward."""
    ax.set(xlim=(left, right), ylim=(rows, 0), **look)
    ax.axis("off")


def cell(ax, x, y, text, colour, width=0.92, size=8, frame=None):
    """One box of a diagram, with its text; its frame may be dashed in a colour."""
    ax.add_patch(Rectangle((x + 0.04, y + 0.06), width, 0.88, fc=colour, ec=frame or "none",
                           lw=1, ls="--" if frame else "-"))
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
    colours = request_colours(sum(snapshots.values(), []))
    for ax, pages in zip(axes, snapshots.values()):
        board(ax, 0, 12, rows, **SQUARE)
        for page, letter in enumerate(pages):
            cell(ax, page % 12, page // 12, letter, colours[letter])
    return fig


def copy_on_write(snapshots, title):
    """For each {caption: ({"A, 10 tokens": block table}, [ref count of each page])} these."""
    n_tables, n_pages = map(len, next(iter(snapshots.values())))
    wide, rows = n_pages + 1, n_tables + 2.3
    fig, axes = panels(title, snapshots, 0.6 + rows * 6.8 / (wide * len(snapshots)))
    for ax, (tables, counts) in zip(axes, snapshots.values()):
        board(ax, 0, wide, rows, **SQUARE)
        for i, (name, table) in enumerate(tables.items()):
            letter, tokens = name.split(", ")
            ax.text(0.45, i + 0.5, letter, weight="bold", **MIDDLE)
            ax.text(len(table) + 1.2, i + 0.5, tokens, va="center", size=8)
            for block, page in enumerate(table):
                cell(ax, block + 1, i, page, REQUEST_COLOURS[i])
        draw_pool(ax, n_tables + 0.5, tables.values(), counts)
    return fig


def draw_pool(ax, y, tables, counts):
    """A row of pages with their ref counts: dark if shared, else in the holder's colour."""
    owned = {page: colour for table, colour in zip(tables, REQUEST_COLOURS) for page in table}
    before(ax, 0.8, y, "pool")
    for page, count in enumerate(counts):
        colour = COLOURS["shared"] if count > 1 else owned.get(page, COLOURS["free"])
        cell(ax, page + 1, y, f"×{count}" if count else "", colour)
        ax.text(page + 1.5, y + 1.3, page, size=8, color=COLOURS["faint"], **MIDDLE)


def words_in_pages(table, title):
    """A row for each `page`, a box for each `slot` with its `word`: in the colour of the
    request that `holds` the page, dark if several do ("A B"); `copied_from` is marked."""
    pages, width = table.groupby("page", sort=False), table["slot"].max() + 1
    fig, ax = canvas(title, 0.5 + 0.36 * len(pages))
    board(ax, -1.6, width + 2.6, len(pages))
    colours = request_colours(" ".join(table["holds"]).split())
    for y, (page, slots) in enumerate(pages):
        before(ax, -0.2, y, f"page {page}")
        holds, source = slots[["holds", "copied_from"]].iloc[0]
        colour, text = colours.get(holds, COLOURS["shared"]), "shared" if " " in holds else holds
        for x, word in zip(slots["slot"], slots["word"]):
            paper, size = colour if word else COLOURS["free"], min(7, 30 / max(len(word), 1))
            cell(ax, x, y, word, paper, size=size)
        if source >= 0:
            text += f", copied from {source}"
            ax.add_patch(Rectangle((0, y + 0.03), slots["copied"].sum(), 0.94, fill=False, lw=2,
                                   edgecolor=COLOURS["text"]))
        ax.text(width + 0.15, y + 0.48, text, va="center", size=8, weight="bold", color=colour)
    return fig


def pages_now(pool, step, live, words):
    """A row for each page of a live pool after a step: the request in `live` that has it, its
    `words` {page: text} if it still holds some, and the place of an idle one in the queue."""
    place = {page: i for i, page in enumerate(pool._idle, 1)}
    names = {page: request.name for request in live for page in request.block_table}
    rows = [(step, page, names.get(page, ""), words[page] if page in names | place else "",
             place.get(page, "")) for page in range(pool.total_pages)]
    return pd.DataFrame(rows, columns=["step", "page", "request", "holds", "queue"])


def pages_through_time(table, title):
    """A column for each `step`, a row for each `page`, with what it holds; pages in use have
    their request's colour, idle ones a frame and their place in the `queue`."""
    steps, n_pages = table.groupby("step", sort=False), table["page"].nunique()
    fig, ax = canvas(title, 2.9)
    board(ax, -0.75, len(steps), n_pages + 0.75)
    colours = request_colours(table["request"])
    for page in range(n_pages):
        before(ax, -0.1, page, f"page {page}", 10)
    for x, (step, pages) in enumerate(steps):
        ax.text(x + 0.5, n_pages + 0.4, step, size=8.5, color=COLOURS["faint"], **MIDDLE)
        for row in pages.itertuples():
            text = f"{row.request}: {row.holds}" if row.request else row.holds
            frame, colour = COLOURS["faint"] if row.queue else None, colours[row.request]
            cell(ax, x, row.page, text, "white" if frame else colour, frame=frame)
            ax.text(x + 0.11, row.page + 0.15, row.queue, va="top", size=7.5, weight="bold",
                    color=COLOURS["paged"])
    return fig
