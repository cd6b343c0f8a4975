"""How many requests fit, over models and GPUs."""
import numpy as np

from ..style import COLOURS, POINTS, canvas, log2_axis


def requests_that_fit(table, title):
    """For each `workload` a panel: from `max` to `paged` requests at once for each `model`
    and `gpu`, on a log2 axis."""
    workloads = table["workload"].unique()
    fig, axes = canvas(title, 4.4, len(workloads))
    for ax, workload in zip(np.atleast_1d(axes), workloads):
        rows = table[table["workload"] == workload].sort_values(["model", "paged"])
        y = np.arange(len(rows)) + rows["model"].ne(rows["model"].shift()).cumsum() * 0.6
        ax.hlines(y, rows["max"], rows["paged"], color=COLOURS["rest"], lw=2)
        for policy, colour in (("max", COLOURS["naive"]), ("paged", COLOURS["paged"])):
            ax.plot(rows[policy], y, "o", color=colour, ms=5)
        for at, (low, high) in zip(y, zip(rows["max"], rows["paged"])):
            ax.annotate(f"{low:,.0f}", (low, at), (-5, 0), textcoords=POINTS, ha="right",
                        va="center", size=7.5, color=COLOURS["naive"])
            ax.annotate(f"{high:,.0f}", (high, at), (5, 0), textcoords=POINTS,
                        va="center", size=7.5, color=COLOURS["paged"])
        ax.set_title(workload, size=9, weight="normal")
        for policy, word in (("max", "reserved"), ("paged", "pages")):
            colour = COLOURS["naive" if policy == "max" else "paged"]
            ax.annotate(word, (rows[policy].iloc[0], y.iloc[0]), (0, 6), textcoords=POINTS,
                        ha="center", size=8, weight="bold", color=colour)
        log2_axis(ax, 4.0 ** np.arange(1, 8), "{:,.0f}".format)
        ax.set(xlim=(1.2, 2**15), xlabel="requests at once", ylim=(y.max() + 0.8, -0.6))
        ax.tick_params(axis="y", length=0)
        ax.tick_params(axis="x", labelsize=7.5)
        labels = rows["model"] + ", " + rows["gpu"].str.replace("-", " ")
        first = ax is np.atleast_1d(axes)[0]
        ax.set_yticks(y, labels if first else [""] * len(y), size=7)
    return fig
