"""Charts of what real servers had: predicted against logged."""
import numpy as np
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ..style import COLOURS, POINTS, canvas


def measured_servers(table, labels, title):
    """`predicted_tokens` over `logged_tokens` of each `server` against the logged, both
    log; the band is 5 %, and `labels` {server: words} name what lies off."""
    fig, ax = canvas(title, 3.5)
    logged = table["logged_tokens"]
    ratio = table["predicted_tokens"] / logged
    ax.axhspan(-0.05, 0.05, color=COLOURS["free"], lw=0)
    ax.axhline(0, color=COLOURS["text"], lw=1)
    many = table["n_gpus"] > 1
    for mask, marker in ((~many, "o"), (many, "s")):
        ax.plot(logged[mask], ratio[mask] - 1, marker, color=COLOURS["used"], ms=5,
                alpha=0.6, mew=0)
    for server, words in labels.items():
        row = table["server"] == server
        x, y = logged[row].item(), ratio[row].item() - 1
        left = x > np.sqrt(logged.min() * logged.max())
        ax.annotate(words, (x, y), (-8 if left else 8, 0), textcoords=POINTS, va="center",
                    ha="right" if left else "left", size=8.5)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(FuncFormatter("{:,.0f}".format))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlabel="logged tokens of KV cache (squares: several GPUs)",
           ylabel="predicted / logged − 1")
    ax.margins(y=0.12)
    return fig
