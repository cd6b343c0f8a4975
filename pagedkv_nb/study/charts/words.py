"""Real words in the pages that hold them, and what forks and beams share."""
from matplotlib.patches import Rectangle

from ..style import COLOURS, REQUEST_COLOURS, canvas, end_label, on


def words_in_pages(table, title):
    """A row for each `page`, a box for each `slot` with its `word`: in the colour of the
    request that `holds` the page, dark if several do ("A B"); `copied_from` is marked."""
    pages = dict(iter(table.groupby("page", sort=False)))
    fig, ax = canvas(title, 0.5 + 0.36 * len(pages))
    names = sorted({name for holds in table["holds"] for name in holds.split()})
    colours, width = dict(zip(names, REQUEST_COLOURS)), table["slot"].max() + 1
    for slot in table.itertuples():
        colour = colours.get(slot.holds, COLOURS["shared"]) if slot.word else COLOURS["free"]
        draw_slot(ax, slot.slot, [*pages].index(slot.page), slot.word, colour)
    for row, slots in enumerate(pages.values()):
        colour = colours.get(slots["holds"].iloc[0], COLOURS["shared"])
        name_page(ax, row, slots, width, colour)
    ax.set(xlim=(-1.6, width + 2.6), ylim=(len(pages), 0))
    ax.axis("off")
    return fig


def name_page(ax, row, slots, width, colour):
    """The number of a page beside its slots, who holds it, and what it was copied from."""
    first, beside = slots.iloc[0], {"y": row + 0.5, "va": "center"}
    ax.text(-0.2, s=f"page {first['page']}", ha="right", size=8, **beside)
    holder = "shared" if " " in first["holds"] else first["holds"]
    ax.text(width + 0.15, s=holder, size=8, weight="bold", color=colour, **beside)
    if first["copied_from"] >= 0:
        ax.add_patch(Rectangle((0, row + 0.03), slots["copied"].sum(), 0.94, fill=False, lw=2,
                               edgecolor=COLOURS["text"]))
        ax.text(width + 0.6, s=f"copied from {first['copied_from']}", size=7.5,
                color=COLOURS["faint"], **beside)


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
