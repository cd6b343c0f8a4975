"""Horizontal bars, a row for each row of a table."""
from ..style import COLOURS, INK, canvas, on, panels, system_colours

STATE_NAMES = {"used": "used", "reserved": "reserved", "internal": "internal frag.",
               "external": "external frag.", "rest": "not told apart"}


def rows(ax, names, values, **look):
    """Draw bars, the first on top, and return them."""
    ax.yaxis.set_inverted(True)
    ax.tick_params(axis="y", length=0)
    return ax.barh(names, values, **look)


def bars(table, title, xlabel, height=3.2):
    """Horizontal bars of `value` named by `name`, each with its `note`; `colour` optional."""
    fig, ax = canvas(title, height)
    colour, values = table.get("colour", COLOURS["used"]), table["value"]
    drawn = rows(ax, table["name"], values, color=colour, height=0.72)
    ax.bar_label(drawn, table["note"], padding=5, size=8.5)
    ax.set_xlim(0, values.max() * 1.75)  # room for the longest bar's note
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= values.max()])
    ax.set_xlabel(xlabel, loc="left")
    return fig


def state_bars(table, title, xlabel, total=None, height=3.2):
    """Stacked bars of the four states and a `rest`, a row for each `name`: shares (0..1)
    with their per cents, or slots if `total` is given."""
    fig, ax = canvas(title, height, xlabel=xlabel, xlim=(0, total or 1))
    end, beside, where, gap = 0, ax.transAxes, (0, 1.02), (0, 0)
    for state in (state for state in STATE_NAMES if state in table and table[state].sum() > 0):
        drawn = rows(ax, table["name"], table[state], left=end, color=COLOURS[state],
                     height=0.74, edgecolor="white", linewidth=0.8)
        end = end + table[state]
        if total is None:
            labels = [f"{share:.1%}" if share > 0.045 else "" for share in table[state]]
            ax.bar_label(drawn, labels, label_type="center", size=8, color=on(COLOURS[state]))
            ax.xaxis.set_major_formatter("{x:.0%}")
        beside = ax.annotate(STATE_NAMES[state], where, gap, xycoords=beside, va="bottom",
                             textcoords="offset points", weight="bold", color=INK[state])
        where, gap = (1, 0), (14, 0)  # the next name stands beside this one
    return fig


def measured_run(table, title):
    """A panel for each row of `measured` and `predicted`, each with its own scale."""
    fig, axes = panels(title, table.index, 1.8)
    for ax, (_, row) in zip(axes, table[["measured", "predicted"]].iterrows()):
        drawn = rows(ax, row.index, row, height=0.7, color=[COLOURS["text"], COLOURS["paged"]])
        ax.bar_label(drawn, fmt="{:.1%}" if row.max() <= 1 else "{:.1f}", padding=4)
        ax.set(xlim=(0, 1.35 * row.max()), xticks=[])
        ax.spines["bottom"].set_visible(False)
    return fig


def throughput(table, title):
    """A panel for each `host`: `requests_per_s` by `system`, each with vLLM's over it."""
    hosts = table.groupby("host", sort=False)
    fig, axes = panels(title, [f"host: {host}" for host, _ in hosts], 2.3)
    for ax, (_, served) in zip(axes, hosts):
        rate = served.set_index("system")["requests_per_s"]
        drawn = rows(ax, rate.index, rate, height=0.74, color=system_colours(rate.index).values())
        best = rate["vLLM"]
        labels = [f"{r:.2f}" + (f"  (vLLM ×{best / r:.2f})" if r != best else "") for r in rate]
        ax.bar_label(drawn, labels, padding=4, size=8)
        ax.set(xlim=(0, table["requests_per_s"].max() * 1.35), xlabel="requests/s")
    return fig
