"""The charts of seconds: requests a second, latency against rate, what memory is worth."""
import numpy as np
from matplotlib.ticker import FuncFormatter

from .style import COLOURS, POINTS, canvas

LINES = {"Orca (Max)": ("#333333", ":"), "Orca (Pow2)": (COLOURS["naive"], "-."),
         "Orca (Oracle)": ("#8A8A8A", "--"), "vLLM": (COLOURS["paged"], "-")}


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
    top = 2 * level_s
    for system, rows in table.groupby("system", sort=False):
        colour, dashes = LINES[system]
        ax.plot(rows["rate"], rows["normalized_latency_s"], color=colour, ls=dashes)
        if np.isfinite(knees[system]):
            ax.plot(knees[system], level_s, "o", color=colour, ms=6)
            ax.annotate(f"{system}\n{knees[system]:.2f}/s", (knees[system], level_s), (7, 4),
                        textcoords=POINTS, size=8.5, weight="bold", color=colour)
    ax.axhline(level_s, color=COLOURS["rest"], lw=1, zorder=0)
    ax.set(xlabel="requests arriving a second", ylim=(0, top),
           ylabel="normalized latency (s per token)", xlim=(0, 1.25 * table["rate"].max()))
    return fig


def worth_of_memory(table, title):
    """`gain` in throughput against `times` the requests at once, both log2, with a
    `label` at each point; on the line a fuller memory is worth all it holds."""
    fig, ax = canvas(title, 3.6)
    ends = np.array([1, 1.7 * table["times"].max()])
    ax.plot(ends, ends, color=COLOURS["rest"], lw=1)
    ax.axhline(1, color=COLOURS["rest"], lw=1)
    for system, mark in (("Orca (Max)", "o"), ("Orca (Oracle)", "s")):
        rows = table[table["system"] == system]
        face = COLOURS["paged"] if system == "Orca (Max)" else "white"
        ax.plot(rows["times"], rows["gain"], mark, color=COLOURS["paged"], mfc=face, ms=5)
        for row in rows.itertuples():
            left = row.times > table["times"].max() / 2.5
            ax.annotate(row.label, (row.times, row.gain), (-6 if left else 6, 0),
                        textcoords=POINTS, ha="right" if left else "left", va="center", size=8)
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter("{:g}".format))
    ax.set(xlabel="times the requests at once", ylabel="times the tokens a second",
           xlim=(1.4, ends[1] * 1.5), ylim=(0.85, ends[1]))
    return fig
