"""The charts, one function each: data in, figure out."""
import numpy as np
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ..style import (COLOURS, INK, POINTS, REQUEST_COLOURS, canvas, end_label, log2_axis,
                    on)

STATE_NAMES = {"used": "used", "reserved": "reserved", "internal": "internal frag.",
               "external": "external frag.", "rest": "not told apart"}


def bars(table, title, xlabel, height=3.2):
    """Horizontal bars of `value` named by `name`, each with its `note`; `colour` optional."""
    fig, ax = canvas(title, height)
    names, values = table["name"], table["value"]
    ax.barh(names, values, color=table.get("colour", COLOURS["used"]), height=0.72)
    for row, (value, note) in enumerate(zip(values, table["note"])):
        ax.annotate(note, (value, row), (5, 0), textcoords=POINTS, va="center", size=8.5)
    ax.set_xlim(0, values.max() * 1.75)  # room for the longest bar's note
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= values.max()])
    ax.set_xlabel(xlabel, x=0, ha="left")
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    return fig


def cache_vs_context(curves, budget_gib, beside, title):
    """`memory_gib` against `context_tokens` for each `model`, and the memory that is left
    beside one of them."""
    fig, ax = canvas(title, 3.6)
    right, label_y = curves["context_tokens"].max(), 0
    by_height = sorted(curves.groupby("model"), key=lambda m: m[1]["memory_gib"].iloc[-1])
    for (model, line), colour in zip(by_height, REQUEST_COLOURS):
        ax.plot(line["context_tokens"], line["memory_gib"], color=colour)
        x, y = line["context_tokens"].iloc[-1], line["memory_gib"].iloc[-1]
        ax.plot(x, y, "o", color=colour, ms=4)
        if x < right:
            ax.annotate(model, (x, y), (0, 6), textcoords=POINTS, ha="center", size=9)
            continue
        label_y = max(y, 1.6 * label_y)  # labels keep their distance
        ax.annotate(model, (x, y), (right * 1.25, label_y), va="center", size=9,
                    arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.8})
    ax.axhline(budget_gib, color=COLOURS["text"], lw=1, ls="--")
    ax.text(1024, budget_gib * 1.12, f"left beside {beside}: {budget_gib:.1f} GiB", size=9)
    log2_axis(ax, 2 ** np.arange(10, 18), lambda n: f"{n // 1024}k")
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter(FuncFormatter("{:g}".format))
    ax.set(xlabel="context length (tokens)", ylabel="KV cache of one sequence (GiB)")
    return fig


def state_bars(table, title, xlabel, total=None, height=3.2):
    """Stacked bars of the four states and a `rest`, a row for each `name`: shares (0..1)
    with their per cents, or slots if `total` is given."""
    fig, ax = canvas(title, height)
    shown = [state for state in STATE_NAMES if state in table and table[state].sum() > 0]
    end = np.zeros(len(table))
    for state in shown:
        width = table[state].to_numpy(float)
        drawn = ax.barh(table["name"], width, left=end, color=COLOURS[state], height=0.74,
                        edgecolor="white", linewidth=0.8)
        if total is None:
            labels = [f"{w:.1%}" if w > 0.045 else "" for w in width]
            ax.bar_label(drawn, labels, label_type="center", size=8, color=on(COLOURS[state]))
        end = end + width
    ax.set(xlim=(0, total or 1), xlabel=xlabel)
    if total is None:
        ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    label_states(ax, shown)
    return fig


def label_states(ax, states):
    """The names of the states in their colours, in a row above the bars."""
    beside, where, gap = ax.transAxes, (0, 1.02), (0, 0)
    for state in states:
        beside = ax.annotate(STATE_NAMES[state], where, gap, xycoords=beside, size=9,
                             textcoords=POINTS, weight="bold", color=INK[state], va="bottom")
        where, gap = (1, 0), (14, 0)


def waste_vs_page_size(table, title):
    """`waste_tokens` per request against `page_size`, both log2: dots on the line
    `expected_tokens`."""
    fig, ax = canvas(title)
    ax.plot(table["page_size"], table["expected_tokens"], color=COLOURS["internal"])
    ax.plot(table["page_size"], table["waste_tokens"], "o", color=COLOURS["text"], ms=5)
    for x, y in zip(table["page_size"], table["waste_tokens"]):
        ax.annotate(f"{y:.1f}", (x, y), (-7, 4), textcoords=POINTS, ha="right", size=9)
    log2_axis(ax, table["page_size"])
    last = table.iloc[-1]
    end_label(ax, last["page_size"], last["expected_tokens"], "(page size − 1) / 2",
              INK["internal"])
    ax.set_yscale("log", base=2)
    ax.yaxis.set_major_formatter(FuncFormatter("{:g}".format))
    ax.set(xlabel="page size (tokens)", ylabel="slots wasted per request", xlim=(1.3, None))
    return fig


def pages_vs_requests(table, title):
    """`pages_alone` and `pages_shared` against `requests`."""
    fig, ax = canvas(title)
    for column, label, colour in (("pages_alone", "paged, alone", COLOURS["paged"]),
                                  ("pages_shared", "paged, shared", COLOURS["shared"])):
        ax.plot(table["requests"], table[column], color=colour)
        end_label(ax, table["requests"].iloc[-1], table[column].iloc[-1], label, colour)
    ax.set(xlabel="requests with the same prompt", ylabel="pages in use", ylim=(0, None),
           xlim=(0, table["requests"].max()))
    return fig


def utilisation_vs_batch(table, spread, title):
    """Dots of `table` on the spread over seeds (`low` to `high`) and the expected level,
    for naive and paged."""
    fig, ax = canvas(title, 3.4)
    spread = spread.sort_values("batch_size")
    batch = spread["batch_size"]
    for name in ("naive", "paged"):
        colour, level = COLOURS[name], spread[f"{name}_expected"]
        low, high = spread[f"{name}_low"], spread[f"{name}_high"]
        ax.fill_between(batch, low, high, color=colour, alpha=0.2, lw=0)
        ax.plot(batch, level, color=colour, lw=1, ls="--")
        ax.plot(table["batch_size"], table[f"{name}_utilisation"], "o", color=colour, ms=5)
        label = f"{name}\n{level.iloc[-1]:.1%}"
        end_label(ax, batch.iloc[-1], level.iloc[-1], label, colour)
    log2_axis(ax, batch)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set(ylim=(0, 1.02), xlabel="batch size (requests)", ylabel="utilisation")
    return fig


def measured_run(table, title):
    """A panel for each row of `measured` and `predicted`, each with its own scale."""
    fig, axes = canvas(title, 1.8, len(table))
    for ax, (quantity, row) in zip(axes, table.iterrows()):
        values = row["measured"], row["predicted"]
        drawn = ax.barh(["measured", "predicted"], values, height=0.7,
                        color=[COLOURS["text"], COLOURS["paged"]])
        form = "{:.1%}" if max(values) <= 1 else "{:.1f}"
        ax.bar_label(drawn, [form.format(v) for v in values], padding=4, size=9)
        ax.set_title(quantity, size=9, weight="normal")
        ax.set(xlim=(0, 1.35 * max(values)), xticks=[])
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0, labelleft=ax is axes[0])
        ax.spines["bottom"].set_visible(False)
    return fig
