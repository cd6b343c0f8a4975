"""What real servers logged against what is predicted for them."""
import numpy as np

from ..style import COLOURS, INK, note, panels

ERAS = {"V0": "^", "V1 to 0.19": "o", "V1 from 0.20": "s"}  # engines of `measured_servers`
KINDS = {"16 bits": COLOURS["used"], "quantised": INK["internal"],
         "images or shared memory": INK["external"]}


def measured_servers(table, labels, title):
    """`predicted_tokens` over `logged_tokens` of each `server` against the logged: H100s beside
    other cards, a marker an `era`, a colour a `kind`; `labels` {server: words} name some."""
    fig, axes = panels(title, ["on H100", "on other cards"], 3.6)
    on_h100 = table["gpu"].str.startswith("H100")
    for ax, rows in zip(axes, (table[on_h100], table[~on_h100])):
        ax.set(xscale="log", xlabel="logged tokens of KV cache", ymargin=0.1, xmargin=0.1)
        ax.axhspan(-0.05, 0.05, color=COLOURS["free"], lw=0)
        ax.axhline(0, color=COLOURS["text"], lw=1)
        for (kind, era), some in rows.groupby(["kind", "era"]):
            ax.plot(some["logged_tokens"], some["predicted_tokens"] / some["logged_tokens"] - 1,
                    ERAS[era], color=KINDS[kind], alpha=0.7, mew=0)
        name_servers(ax, rows, labels)
    axes[0].set_ylabel("predicted / logged − 1")
    axes[0].yaxis.set_major_formatter("{x:.0%}")
    key_of_servers(*axes)
    return fig


def name_servers(ax, rows, labels):
    """Words beside some servers, on the side where there is room."""
    for row in rows[rows["server"].isin(labels)].itertuples():
        left = row.logged_tokens > np.sqrt(np.prod(ax.get_xlim()))
        note(ax, row.logged_tokens, row.predicted_tokens / row.logged_tokens - 1,
             labels[row.server], -7 if left else 7, va="center",
             ha="right" if left else "left", size=8)


def key_of_servers(left, right):
    """What colours and markers mean, written where each panel is empty."""
    for i, (kind, colour) in enumerate(KINDS.items()):
        right.text(0.03, 0.5 - 0.08 * i, kind, color=colour, transform=right.transAxes, va="top")
    for i, (era, marker) in enumerate(ERAS.items()):
        y, where = 0.06 + 0.08 * i, left.transAxes
        left.plot(0.06, y, marker, color=COLOURS["faint"], transform=where, mew=0)
        left.text(0.1, y, era, transform=where, va="center")
