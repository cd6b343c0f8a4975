"""The charts of throughput and latency."""
import numpy as np
from matplotlib.ticker import FuncFormatter

from ..style import COLOURS, POINTS, REQUEST_COLOURS, canvas, system_colours


def throughput(table, title):
    """A panel for each `host`: bars of `requests_per_s` by `system`, each with how many
    times vLLM's is."""
    hosts = table["host"].unique()
    fig, axes = canvas(title, 2.3, len(hosts))
    most = table["requests_per_s"].max()
    for ax, host in zip(np.atleast_1d(axes), hosts):
        rows = table[table["host"] == host]
        best = rows["requests_per_s"][rows["system"] == "vLLM"].item()
        ax.barh(rows["system"], rows["requests_per_s"], height=0.74,
                color=system_colours(rows["system"]).values())
        for row, value in enumerate(rows["requests_per_s"]):
            beside = "" if value == best else f"  (vLLM ×{best / value:.2f})"
            ax.annotate(f"{value:.2f}{beside}", (value, row), (4, 0), textcoords=POINTS,
                        va="center", size=8)
        ax.set_title(f"host: {host}", size=9, weight="normal")
        ax.set(xlim=(0, most * 1.35), xlabel="requests/s")
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0, labelleft=ax is np.atleast_1d(axes)[0])
    return fig


def latency_vs_rate(table, knees, limit_s, title):
    """`normalized_latency_s` against `rate_per_s` for each `system`, cut at twice
    `limit_s`, with a dot at the rate of `knees` where the line crosses it, if it does."""
    fig, ax = canvas(title, 3.4)
    colours = system_colours(knees)
    for system, line in table.groupby("system", sort=False):
        colour = colours[system]
        ax.plot(line["rate_per_s"], line["normalized_latency_s"], "o-", color=colour, ms=3)
        if np.isnan(knees[system]):
            end = line["rate_per_s"].iloc[-1], min(line["normalized_latency_s"].iloc[-1], limit_s)
            ax.annotate(system, end, (-4, 9), textcoords=POINTS, ha="right", va="bottom", size=8,
                        rotation=90, weight="bold", color=colour)
            continue
        ax.plot(knees[system], limit_s, "o", color=colour, ms=8, mfc="white", mew=2, zorder=5)
        ax.annotate(f"{system}  {knees[system]:.2f}", (knees[system], limit_s), (-5, 9),
                    textcoords=POINTS, ha="right", va="bottom", rotation=90, size=8,
                    weight="bold", color=colour)
    ax.axhline(limit_s, color=COLOURS["faint"], lw=0.8, ls="--")
    ax.set(xlabel="request rate (requests/s)", ylabel="normalized latency (s/token)",
           xlim=(0, None), ylim=(0, 2 * limit_s))
    return fig


def worth_of_memory(table, title):
    """`throughput_gain` against `requests_gain` of each `deployment`, both log2, with the
    diagonal on which a fuller memory is worth all it holds."""
    fig, ax = canvas(title, 3.6)
    most = 1.3 * max(table["requests_gain"].max(), table["throughput_gain"].max())
    ax.plot([1, most], [1, most], color=COLOURS["faint"], lw=1, ls="--")
    ax.annotate("as much faster\nas fuller", (most / 2.2, most / 2.2), (-10, 2), size=8.5,
                textcoords=POINTS, ha="right", color=COLOURS["faint"])
    below = 0
    for i, row in enumerate(table.sort_values("throughput_gain").itertuples()):
        lift, below = 4 if row.throughput_gain < 1.2 * below else -6, row.throughput_gain
        ax.plot(row.requests_gain, row.throughput_gain, "o", ms=7,
                color=REQUEST_COLOURS[i % len(REQUEST_COLOURS)])
        ax.annotate(row.deployment, (row.requests_gain, row.throughput_gain),
                    (11, lift), textcoords=POINTS, size=8.5)
    for axis, scale in ((ax.xaxis, ax.set_xscale), (ax.yaxis, ax.set_yscale)):
        scale("log", base=2)
        axis.set_major_formatter(FuncFormatter("{:g}×".format))
    ax.set(xlabel="requests at once, pages / maximum reserved", xlim=(0.9, most * 2.6),
           ylabel="requests/s, likewise", ylim=(0.85, most))
    return fig
