"""Horizontal bars, a row for each row of a table."""
from ..style import COLOURS, INK, canvas, on, panels

STATE_NAMES = {"used": "used", "reserved": "reserved", "internal": "internal frag.",
               "external": "external frag.", "rest": "not told apart"}


def rows(ax, names, values, **look):
    """Draw bars, the first on top, and return them."""
    ax.yaxis.set_inverted(True)
    ax.tick_params(axis="y", length=0)
    return ax.barh(names, values, **look)


def bars(table, title, xlabel, height=3.2):
    """Horizontal bars of `value` named `name`, each with its `note`, a panel for each `panel`;
    this and a `colour` are optional."""
    parts = table.groupby(table.get("panel", [""] * len(table)), sort=False)
    fig, axes = panels(title, [name for name, _ in parts], height)
    most = table["value"].max()
    for ax, (_, part) in zip(axes, parts):
        drawn = rows(ax, part["name"], part["value"], height=0.74,
                     color=part.get("colour", COLOURS["used"]))
        ax.bar_label(drawn, part["note"], padding=5, size=8.5)
        ax.set_xlim(0, most * 1.75)  # room for the longest bar's note
        ax.set_xticks([tick for tick in ax.get_xticks() if tick <= most])
        ax.set_xlabel(xlabel, loc="left")
    return fig


def state_bars(table, title, xlabel, total=None, height=3.2):
    """Stacked bars of the four states and a `rest`, a row for each `name`: shares (0..1)
    with their per cents, or slots if `total` is given."""
    fig, ax = canvas(title, height, "" if total else "{x:.0%}", xlabel=xlabel,
                     xlim=(0, total or 1))
    end, states = 0, [state for state in STATE_NAMES if state in table and table[state].sum() > 0]
    for state in states:
        drawn = rows(ax, table["name"], table[state], left=end, color=COLOURS[state],
                     height=0.74, edgecolor="white", linewidth=0.8, label=STATE_NAMES[state])
        end = end + table[state]
        labels = [f"{x:.1%}" if x > 0.045 and not total else "" for x in table[state]]
        ax.bar_label(drawn, labels, label_type="center", size=8, color=on(COLOURS[state]))
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, labelcolor=[*map(INK.get, states)],
              prop={"weight": "bold"}, handlelength=0, handletextpad=0, borderpad=0, frameon=False)
    return fig
