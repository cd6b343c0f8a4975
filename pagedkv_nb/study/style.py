"""The look of every figure: style sheet, palette, canvas, labels."""
from importlib.resources import files
from itertools import cycle

import matplotlib
from matplotlib.figure import Figure
from matplotlib.scale import LogScale
from matplotlib.text import Text

matplotlib.rcdefaults()  # not the reader's own settings
matplotlib.rc_file(files(__package__) / "pagedkv.mplstyle")

COLOURS = {"used": "#0072B2", "reserved": "#8CC6EC", "internal": "#E69F00",
           "external": "#CC79A7", "free": "#EFEFEF", "shared": "#333333",
           "naive": "#6B6B6B", "paged": "#0072B2", "text": "#333333", "faint": "#555555",
           "rest": "#D4D4D4"}
INK = {"used": "#0072B2", "reserved": "#3D8FC4", "internal": "#A87400",
       "external": "#A8508A", "rest": "#666666"}  # the states' colours, legible as text
REQUEST_COLOURS = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
SYSTEM_COLOURS = {"Orca (Max)": COLOURS["naive"], "Orca (Pow2)": INK["internal"],
                  "Orca (Oracle)": INK["external"], "vLLM": COLOURS["paged"]}
LOG2 = LogScale(None, base=2)  # for canvas(xscale=...)


def canvas(title, height=3.2, xform="", yform="", **look):
    """A figure with its finding as title, and its axes, set to look so, numbers in such forms."""
    fig, (ax,) = panels(title, [""], height)
    ax.set(**look)
    for axis, form in (ax.xaxis, xform), (ax.yaxis, yform):
        if form:
            axis.set_major_formatter(form)
    return fig, ax


def panels(title, captions, height, stacked=False):
    """A figure with its finding as title, and axes under captions, side by side or stacked."""
    fig = Figure(figsize=(7, height), dpi=200, layout="constrained")
    fig.suptitle(title, x=0.01, ha="left")
    shape = (len(captions), 1) if stacked else (1, len(captions))
    axes = fig.subplots(*shape, sharex=stacked, sharey=not stacked, squeeze=False).ravel()
    for ax, caption in zip(axes, captions):
        ax.set_title(caption)
    return fig, axes


def settle(fig):
    """Settle the layout once, so that both formats use it, and to a rounding error, which
    would change names inside the SVG. A title that is too long is set smaller first."""
    for text in fig.findobj(Text):
        text.set_parse_math("$" not in text.get_text())  # two dollars in a name are no formula
    if engine := fig.get_layout_engine():  # none is left of a figure that was shown before
        engine.execute(fig)
    for title in fig.texts:
        while (ratio := title.get_window_extent().x1 / fig.bbox.width) > 0.99:
            title.set_fontsize(int(title.get_fontsize() / ratio * 9.8) / 10)
    fig.set_layout_engine(None)  # "none" leaves one, for which every file is drawn twice
    for ax in fig.axes:
        ax.set_position([round(x, 5) for x in ax.get_position().bounds])


def request_colours(names):
    """{name: colour} of requests in alphabetical order, and of "", which is nobody."""
    return dict(zip(sorted({*names} - {""}), cycle(REQUEST_COLOURS))) | {"": COLOURS["free"]}


def system_colours(names):
    """{name: colour}: the paper's systems have theirs, others one that is left."""
    others = cycle(REQUEST_COLOURS[2:5])
    return {name: SYSTEM_COLOURS.get(name) or next(others) for name in names}


def on(colour):
    """Black or white, whichever reads better on a colour."""
    r, g, b = matplotlib.colors.to_rgb(colour)
    return "white" if 0.299 * r + 0.587 * g + 0.114 * b < 0.55 else "black"


def note(ax, x, y, text, right=0, up=0, **look):
    """A text beside a place of the data, so many points to the right of it and up."""
    ax.annotate(text, (x, y), (right, up), textcoords="offset points", **look)
