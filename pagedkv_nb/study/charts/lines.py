"""One quantity over another, as lines and dots."""
import numpy as np
from matplotlib.ticker import EngFormatter

from ..style import COLOURS, INK, LOG2, REQUEST_COLOURS, canvas, note, panels, system_colours

ERAS = {"V0": "^", "V1 to 0.19": "o", "V1 from 0.20": "s", "SGLang": "D"}  # `measured_servers`
KINDS = {"16 bits": COLOURS["used"], "quantised": INK["internal"],
         "images or shared memory": INK["external"]}


def named_lines(table, title, height, *forms, dots=(), colours=REQUEST_COLOURS, **look):
    """Each column of a table against its index, with its name above an end that comes early,
    else beside it; on a log axis apart from the last, so the lowest comes first. Then `dots`,
    each (x, y, label)."""
    fig, ax = canvas(title, height, *forms, **look)
    colours = dict(zip(table, colours)) | COLOURS  # "shared" has its own
    apart, label_y = 1.6 if ax.get_yscale() == "log" else 0, 0
    for name, values in table.items():
        ax.plot(values.dropna(), color=colours[name])
        x, bold = values.last_valid_index(), {"color": colours[name], "weight": "bold"}
        if x < table.index.max():
            note(ax, x, values[x], name, -12, 6, ha="center", **bold)
        else:
            label_y = max(values[x], apart * label_y)
            note(ax, x, label_y, name, 6, va="center", **bold)
    for x, y, label in dots:
        ax.plot(x, y, "o", color=COLOURS["text"])
        note(ax, x, y, label, -7, 4, ha="right")
    return fig


def cache_vs_context(curves, budget_gib, beside, title):
    """`memory_gib` against `context_tokens` for each `model`, and what is left beside one."""
    table = curves.pivot(index="context_tokens", columns="model", values="memory_gib")
    fig = named_lines(table[table.max().sort_values().index], title, 3.6,
                      lambda n, _: f"{n / 1024:g}k", "{x:g}", xscale=LOG2, yscale=LOG2,
                      xlabel="context length (tokens)", xticks=2 ** np.arange(10, 18),
                      ylabel="KV cache of one sequence (GiB)")
    fig.axes[0].axhline(budget_gib, color=COLOURS["text"], lw=1, ls="--")
    fig.axes[0].text(1024, budget_gib * 1.12, f"left beside {beside}: {budget_gib:.1f} GiB")
    return fig


def utilisation_vs_batch(table, spread, title):
    """Dots of `table` on the `spread` over seeds, naive and paged: low, high, expected."""
    spread = spread.sort_values("batch_size")
    batch = spread["batch_size"]
    fig, ax = canvas(title, 3.4, "{x:g}", "{x:.0%}", xscale=LOG2, xticks=batch, ylim=(0, 1.02),
                     xlabel="batch size (requests)", ylabel="utilisation")
    for name in ("naive", "paged"):
        colour, level = COLOURS[name], spread[f"{name}_expected"]
        low, high = spread[f"{name}_low"], spread[f"{name}_high"]
        ax.fill_between(batch, low, high, color=colour, alpha=0.2, lw=0)
        ax.plot(batch, level, color=colour, lw=1, ls="--")
        note(ax, batch.iloc[-1], level.iloc[-1], f"{name}\n{level.iloc[-1]:.1%}", 6, va="center",
             color=colour, weight="bold")
        ax.plot(table["batch_size"], table[f"{name}_utilisation"], "o", color=colour)
    return fig


def hit_rates(table, marks, title):
    """`hit_rate` against `cache_tokens` for each `trace`: a line ours, circles the paper's,
    dots what a pool found. `marks` are {cache tokens: label} of vertical lines."""
    top = table["hit_rate"].max() * 1.22 + 0.01
    fig, ax = canvas(title, 3.6, EngFormatter(), "{x:.0%}", xscale="log", ylim=(0, top),
                     xlabel="cache size (tokens)", ylabel="pages found again")
    for (trace, rows), colour in zip(table.groupby("trace", sort=False), REQUEST_COLOURS):
        for source, form in (("LRU", "-"), ("paper", "o"), ("pool", "o")):
            part, inside = rows[rows["source"] == source], "none" if source == "paper" else colour
            ax.plot(part["cache_tokens"], part["hit_rate"], form, color=colour, mfc=inside)
        note(ax, rows["cache_tokens"].max(), rows["hit_rate"].max(), trace, 6, 9, color=colour,
             ha="right", weight="bold")
    for tokens, label in marks.items():
        ax.axvline(tokens, color=COLOURS["faint"], lw=0.8, ls=":")
        note(ax, tokens, top, label, 3, -3, va="top", size=8)
    return fig


def latency_vs_rate(table, knees, limit_s, title):
    """`normalized_latency_s` against `rate_per_s` for each `system`, cut at twice
    `limit_s`, with a dot at the rate of `knees` where the line crosses it, if it does."""
    fig, ax = canvas(title, 3.4, xlabel="request rate (requests/s)",
                     ylabel="normalized latency (s/token)", ylim=(0, 2 * limit_s))
    colours = system_colours(knees)
    for system, curve in table.groupby("system", sort=False):
        x, y, text = knees[system], limit_s, f"{system}  {knees[system]:.2f}"
        look = {"color": colours[system]}
        ax.plot(curve["rate_per_s"], curve["normalized_latency_s"], "o-", ms=3, **look)
        ax.plot(x, y, "o", ms=8, mfc="white", mew=2, zorder=5, **look)
        if np.isnan(x):
            x, y, text = *curve[["rate_per_s", "normalized_latency_s"]].iloc[-1], system
        note(ax, x, min(y, limit_s), text, -5, 9, ha="right", va="bottom", rotation=90, size=8,
             weight="bold", **look)
    ax.axhline(limit_s, color=COLOURS["faint"], lw=0.8, ls="--")
    ax.set_xlim(left=0)
    return fig


def worth_of_memory(table, title):
    """`throughput_gain` against `requests_gain` of each `deployment`, both log2: on the diagonal
    a fuller memory is worth all it holds."""
    most = 1.3 * table[["requests_gain", "throughput_gain"]].max(axis=None)
    fig, ax = canvas(title, 3.6, "{x:g}×", "{x:g}×", xscale=LOG2, yscale=LOG2,
                     xlabel="requests at once, pages / maximum reserved", xlim=(0.9, most * 2.6),
                     ylabel="requests/s, likewise", ylim=(0.85, most))
    ax.plot([1, most], [1, most], color=COLOURS["faint"], lw=1, ls="--")
    note(ax, most / 2.2, most / 2.2, "as much faster\nas fuller", -10, 2, ha="right", size=8.5,
         color=COLOURS["faint"])
    below = 0
    for row in table.sort_values("throughput_gain").itertuples():
        x, y = row.requests_gain, row.throughput_gain
        ax.plot(x, y, "o", ms=7)
        note(ax, x, y, row.deployment, 11, 4 if y < 1.2 * below else -6, size=8.5)
        below = y
    return fig


def measured_servers(table, labels, title):
    """`predicted_tokens` over `logged_tokens` of each `server` against the logged: H100s beside
    other cards, a marker an `era`, a colour a `kind`; `labels` {server: words} name some."""
    fig, axes = panels(title, ["on H100", "on other cards"], 3.6)
    table = table.assign(off=table["predicted_tokens"] / table["logged_tokens"] - 1)
    for ax, (_, rows) in zip(axes, table.groupby(~table["gpu"].str.startswith("H100"))):
        ax.set(xscale="log", xlabel="logged tokens of KV cache", ymargin=0.1, xmargin=0.1)
        ax.axhspan(-0.05, 0.05, color=COLOURS["free"], lw=0)
        ax.axhline(0, color=COLOURS["text"], lw=1)
        for row in rows.itertuples():
            ax.plot(row.logged_tokens, row.off, ERAS[row.era], color=KINDS[row.kind], alpha=0.7,
                    mew=0)
            note(ax, row.logged_tokens, row.off, labels.get(row.server, ""), 0, -6, va="top",
                 ha="center", size=8)
    axes[0].set_ylabel("predicted / logged − 1")
    axes[0].yaxis.set_major_formatter("{x:.0%}")
    for i, (kind, colour) in enumerate(KINDS.items()):  # the key, where each panel is empty
        axes[1].text(0.03, 0.47 - 0.08 * i, kind, color=colour, transform=axes[1].transAxes)
    for era in [era for era in ERAS if era in set(table["era"])]:
        axes[0].plot([], [], ERAS[era], color=COLOURS["faint"], mew=0, label=era)
    axes[0].legend(loc="lower left", frameon=False)
    return fig
