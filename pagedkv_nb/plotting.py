"""The look of the study, and one function a figure: data in, figure out."""
from importlib.resources import files

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

matplotlib.rcdefaults()  # not the reader's own settings
matplotlib.rc_file(files(__package__) / "pagedkv.mplstyle")

COLOURS = {"used": "#0072B2", "reserved": "#8CC6EC", "internal": "#E69F00", "external": "#CC79A7", "free": "#EFEFEF",
           "shared": "#333333", "naive": "#6B6B6B", "paged": "#0072B2", "text": "#333333"}
INK = {"used": "#0072B2", "reserved": "#3D8FC4", "internal": "#A87400", "external": "#A8508A"}  # legible as text
STATE_NAMES = {"used": "used", "reserved": "reserved", "internal": "internal fragmentation",
               "external": "external fragmentation"}
REQUEST_COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442"]
KIBI = FuncFormatter(lambda n, _: f"{n / 1024:g}k" if n >= 1024 else f"{n:g}")


def canvas(title, height=3.2, columns=1):
    """A figure with its finding as title, and its axes (a list if there are several columns)."""
    fig = Figure(figsize=(7, height))
    fig.suptitle(title, x=0.01, ha="left", weight="bold", size=11)
    axes = fig.subplots(1, columns, squeeze=False)[0]
    return fig, axes[0] if columns == 1 else list(axes)


def on(colour):
    """Black or white, whichever reads better on a colour."""
    r, g, b = matplotlib.colors.to_rgb(colour)
    return "white" if 0.299 * r + 0.587 * g + 0.114 * b < 0.55 else "black"


def log2_axis(ax, values):
    """A base-2 x axis with the values themselves as ticks."""
    ax.set_xscale("log", base=2)
    ax.set_xticks(values, [f"{v:g}" for v in values])
    ax.minorticks_off()


def end_label(ax, x, y, text, colour):
    """A label to the right of the end of a line."""
    ax.annotate(text, (x, y), (6, 0), textcoords="offset points", color=colour, va="center", size=9, weight="bold")


def bars(table, title, xlabel, height=3.2):
    """Horizontal bars of `value`, named by `name`, each followed by its `note`; `colour` optional."""
    fig, ax = canvas(title, height)
    ax.barh(table["name"], table["value"], color=table.get("colour", COLOURS["used"]),
            height=0.72)
    for row, (value, note) in enumerate(zip(table["value"], table["note"])):
        ax.annotate(note, (value, row), (5, 0), textcoords="offset points", va="center", size=8.5, color="#333333")
    ax.set(xlim=(0, table["value"].max() * 1.75))
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= table["value"].max()])
    ax.set_xlabel(xlabel, x=0, ha="left")
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    return fig


def cache_vs_context(curves, budget_gib, title):
    """GiB of KV cache against context length, both log2, a line a model, and what the GPU has left."""
    fig, ax = canvas(title, 3.6)
    floor, right = 0, curves["context_tokens"].max()
    for (name, line), colour in zip(sorted(curves.groupby("model"), key=lambda m: m[1]["memory_gib"].iloc[-1]),
                                    REQUEST_COLOURS):
        ax.plot(line["context_tokens"], line["memory_gib"], color=colour)
        x, y = line["context_tokens"].iloc[-1], line["memory_gib"].iloc[-1]
        ax.plot(x, y, "o", color=colour, ms=4)
        if x < right:
            ax.annotate(name, (x, y), (0, 6), textcoords="offset points", ha="center", size=9)
            continue
        floor = max(y, 1.6 * floor)  # labels keep their distance
        ax.annotate(name, (x, y), (right * 1.25, floor), va="center", size=9,
                    arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.8})
    ax.axhline(budget_gib, color="#333333", lw=1, ls="--")
    ax.text(curves["context_tokens"].min(), budget_gib * 1.12, f"left on the GPU: {budget_gib:.1f} GiB", size=9)
    ax.set(xlabel="context length (tokens)", ylabel="KV cache of one sequence (GiB)", yscale="log")
    log2_axis(ax, 2 ** np.arange(10, 18, 1))
    ax.xaxis.set_major_formatter(KIBI)
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:g}"))
    return fig


def state_bars(table, title, xlabel, total=None, height=3.2):
    """Stacked horizontal bars of the four states, a row for each `name`; shares (0..1), or slots if `total` is given."""
    fig, ax = canvas(title, height)
    end = np.zeros(len(table))
    shown = [s for s in STATE_NAMES if s in table and table[s].sum() > 0]
    for state in shown:
        width = table[state].to_numpy(float)
        ax.barh(table["name"], width, left=end, color=COLOURS[state], height=0.74, edgecolor="white", linewidth=0.8)
        for row in np.flatnonzero(width >= 0.035) if total is None else ():
            ax.text(end[row] + width[row] / 2, row, f"{width[row]:.1%}", ha="center", va="center", size=8,
                    color=on(COLOURS[state]))
        end = end + width
    ax.invert_yaxis()
    ax.set(xlim=(0, total or 1), xlabel=xlabel)
    ax.tick_params(axis="y", length=0)
    if total is None:
        ax.xaxis.set_major_formatter(PercentFormatter(1))
    label_states(ax, shown)
    return fig


def label_states(ax, states):
    """The names of the states in their colours, in a row above the bars."""
    beside, where, gap = ax.transAxes, (0, 1.02), (0, 0)
    for state in states:
        beside = ax.annotate(STATE_NAMES[state], where, gap, xycoords=beside, size=9,
                             textcoords="offset points", weight="bold", color=INK[state])
        where, gap = (1, 0), (14, 0)


def waste_vs_page_size(table, title):
    """Measured `waste_tokens` a request against `page_size`, dots on (page size - 1) / 2."""
    fig, ax = canvas(title)
    sizes = np.geomspace(1, table["page_size"].max(), 200)
    ax.plot(sizes, (sizes - 1) / 2, color=COLOURS["internal"])
    ax.plot(table["page_size"], table["waste_tokens"], "o", color=COLOURS["text"], ms=5)
    for x, y in zip(table["page_size"], table["waste_tokens"]):
        ax.annotate(f"{y:.1f}", (x, y), (-5, 5), textcoords="offset points", ha="right", size=9)
    log2_axis(ax, table["page_size"])
    ax.text(40, 8, "line: (page size − 1) / 2", color=INK["internal"], size=9, weight="bold")
    ax.set(xlabel="page size (tokens)", ylabel="slots wasted a request", ylim=(0, None))
    return fig


def lines(table, x, labels, title, xlabel, ylabel):
    """A line for each column in {column: (label, colour)} against x, labelled at its end."""
    fig, ax = canvas(title)
    for column, (label, colour) in labels.items():
        ax.plot(table[x], table[column], color=colour)
        end_label(ax, table[x].iloc[-1], table[column].iloc[-1], label, colour)
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, None), xlim=(0, table[x].max()))
    return fig


def utilisation_vs_batch(table, spread, title):
    """Dots of `table` on the spread over seeds (`low` to `high`) and the expected level,
    for naive and paged."""
    fig, ax = canvas(title, 3.4)
    spread = spread.sort_values("batch_size")
    batch = spread["batch_size"]
    for name in ("naive", "paged"):
        colour, level = COLOURS[name], spread[f"{name}_expected"].iloc[0]
        low, high = spread[f"{name}_low"], spread[f"{name}_high"]
        ax.fill_between(batch, low, high, color=colour, alpha=0.2, lw=0)
        ax.plot(batch, level + 0 * batch, color=colour, lw=1, ls="--")
        ax.plot(table["batch_size"], table[f"{name}_utilisation"], "o", color=colour, ms=5)
        end_label(ax, batch.iloc[-1], level, f"{name}\n{level:.1%}", colour)
    log2_axis(ax, batch)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set(ylim=(0, 1.02), xlabel="batch size (requests)", ylabel="utilisation")
    return fig


def measured_run(table, title):
    """A panel for each row of `measured` and `predicted`, each with its own scale."""
    fig, axes = canvas(title, 1.8, len(table))
    for ax, (quantity, row) in zip(axes, table.iterrows()):
        values = row["measured"], row["predicted"]
        form = "{:.1%}" if max(values) <= 1 else "{:.1f}"
        drawn = ax.barh(["measured", "predicted"], values, height=0.7,
                        color=[COLOURS["text"], COLOURS["paged"]])
        ax.bar_label(drawn, [form.format(v) for v in values], padding=4, size=9)
        ax.set_title(quantity, size=9, weight="normal")
        ax.set(xlim=(0, 1.35 * max(values)), xticks=[])
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0, labelleft=ax is axes[0])
        ax.spines["bottom"].set_visible(False)
    return fig
