"""Real words in the pages that hold them, and what forks and beams share."""
from matplotlib.patches import Rectangle

from ..style import COLOURS, REQUEST_COLOURS, canvas, end_label, on


def words_in_pages(table, title):
    """A row for each `page`, a box for each `slot` with its `word`: in the colour of the
    request that `holds` the page, dark if several do ("A B"); `copied_from` is marked."""
    pages = list(dict.fromkeys(table["page"]))
    fig, ax = canvas(title, 0.5 + 0.36 * len(pages))
    names = sorted({name for holds in table["holds"] for name in holds.split()})
    colours = dict(zip(names, REQUEST_COLOURS))
    for row in table.itertuples():
        colour = colours.get(row.holds, COLOURS["shared"]) if row.word else COLOURS["free"]
        draw_slot(ax, row.slot, pages.index(row.page), row.word, colour)
    for at, (page, rows) in enumerate(table.groupby("page", sort=False)):
        first, width = rows.iloc[0], table["slot"].max() + 1
        ax.text(-0.2, at + 0.5, f"page {page}", ha="right", va="center", size=8)
        told = "shared" if " " in first["holds"] else first["holds"]
        ax.text(width + 0.15, at + 0.5, told, va="center", size=8, weight="bold",
                color=colours.get(first["holds"], COLOURS["shared"]))
        if first["copied_from"] >= 0:
            ax.add_patch(Rectangle((0, at + 0.03), rows["copied"].sum(), 0.94, fill=False,
                                   lw=2, edgecolor=COLOURS["text"]))
            ax.text(width + 0.6, at + 0.5, f"copied from {first['copied_from']}", va="center",
                    size=7.5, color=COLOURS["faint"])
    ax.set(xlim=(-1.6, table["slot"].max() + 3.6), ylim=(len(pages), 0))
    ax.axis("off")
    return fig


def draw_slot(ax, slot, row, word, colour):
    """One slot with its word, set smaller if it is long."""
    ax.add_patch(Rectangle((slot + 0.03, row + 0.08), 0.94, 0.84, color=colour, lw=0))
    size = min(7, 30 / max(len(word), 1))
    ax.text(slot + 0.5, row + 0.5, word, ha="center", va="center", size=size, color=on(colour))


def shared_pages(table, title):
    """`saved` (0..1) against `step` for each `kind`: blocks that need no page of their own."""
    fig, ax = canvas(title, 2.8, ylim=(0, 1), xlim=(0, table["step"].max()),
                     xlabel="tokens written", ylabel="blocks without a page")
    for (kind, rows), colour in zip(table.groupby("kind", sort=False), REQUEST_COLOURS):
        ax.plot(rows["step"], rows["saved"], color=colour)
        end_label(ax, rows["step"], rows["saved"], kind, colour)
    ax.yaxis.set_major_formatter("{x:.0%}")
    return fig
