"""The charts of seconds: requests a second, latency against rate, what memory is worth."""
import numpy as np
from matplotlib.ticker import FuncFormatter

from .style import COLOURS, POINTS, canvas

LINES = {"Orca (Max)": ("#333333", ":"), "Orca (Pow2)": (COLOURS["naive"], "-."),
         "Orca (Oracle)": ("#777777", "--"), "vLLM": (COLOURS["paged"], "-")}


def throughput(table, title):
    """`requests_per_s` of each `system`, a panel for each `host`, with what vLLM gains."""
    hosts = list(dict.fromkeys(table["host"]))
    fig, axes = canvas(title, 2.5, len(hosts))
    for ax, host in zip(axes, hosts):
        rows = table[table["host"] == host]
        top = rows["requests_per_s"].max()
        ax.barh(rows["system"], rows["requests_per_s"], height=0.7,
                color=[LINES[s][0] if s == "vLLM" else COLOURS["naive"] for s in rows["system"]])
        for row, value in enumerate(rows["requests_per_s"]):
            gain = "" if value == top else f"  (vLLM ×{top / value:.2f})"
            ax.annotate(f"{value:.2f}{gain}", (value, row), (4, 0), textcoords=POINTS,
                        va="center", size=8)
        ax.set_title(host, size=9, weight="normal")
        ax.set(xlim=(0, 1.35 * table["requests_per_s"].max()), xlabel="requests/s")
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0, labelleft=ax is axes[0])
    return fig


def latency_vs_rate(table, knees, level_s, title):
    """`normalized_latency_s` against `rate` for each `system`; a dot at each knee."""
    fig, ax = canvas(title, 3.5)
    for i, (system, rows) in enumerate(table.groupby("system", sort=False)):
        colour, dashes = LINES[system]
        ax.plot(rows["rate"], rows["normalized_latency_s"], color=colour, ls=dashes)
        if np.isfinite(knees[system]):
            label_knee(ax, i, (knees[system], level_s), system)
    ax.axhline(level_s, color=COLOURS["rest"], lw=1, zorder=0)
    ax.set(xlabel="requests arriving a second", ylim=(0, 2 * level_s),
           ylabel="normalized latency (s per token)", xlim=(0, 1.1 * table["rate"].max()))
    return fig


def label_knee(ax, i, at, system):
    """A dot at the i-th knee and its name: the first to its left, the second above all
    lines to its right, with a line to it."""
    colour = LINES[system][0]
    (dx, dy), side = [((-8, 10), "right"), ((95, 68), "left"), ((10, 10), "left"),
                      ((10, -14), "left")][i]
    ax.plot(*at, "o", color=colour, ms=6)
    ax.annotate(f"{system} {at[0]:.2f}/s", at, (dx, dy), textcoords=POINTS, ha=side, size=8.5,
                weight="bold", color=colour, va="center",
                arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.8} if i == 1 else None)


def worth_of_memory(table, title):
    """`gain` in throughput against `times` the requests at once, both log2, with a `label`
    where there is room; on the sloping line a fuller memory is worth all it holds."""
    fig, ax = canvas(title, 3.6)
    most = table["times"].max()
    ax.plot([1, 2 * most], [1, 2 * most], color=COLOURS["rest"], lw=1)
    ax.axhline(1, color=COLOURS["rest"], lw=1)
    for system, mark, face in (("Orca (Max)", "o", COLOURS["paged"]),
                               ("Orca (Oracle)", "s", "white")):
        rows = table[table["system"] == system].sort_values("gain")
        ax.plot(rows["times"], rows["gain"], mark, color=COLOURS["paged"], mfc=face, ms=5)
        label_points(ax, rows, most / 2.5)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter("{:g}".format))
    ax.set(xlabel="times the requests at once", ylabel="times the tokens a second",
           xlim=(1.6, 1.3 * most), ylim=(0.85, 1.3 * table["gain"].max()))
    return fig


def label_points(ax, rows, right):
    """The labels of points from low to high, those beyond `right` to their left; none so
    close above another that they would touch."""
    last = {True: 0.0, False: 0.0}
    for row in rows.itertuples():
        left = row.times > right
        if row.gain > 1.2 * last[left]:
            ax.annotate(row.label, (row.times, row.gain), (-6 if left else 6, -9 * (row.gain < 1.06)),
                        textcoords=POINTS, ha="right" if left else "left", size=8, va="center",
                        bbox={"fc": "white", "ec": "none", "pad": 0.5})
            last[left] = row.gain
