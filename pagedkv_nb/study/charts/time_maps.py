"""Memory through time, drawn: iterations to the right, slots up, colour by request."""
from itertools import cycle
from string import ascii_uppercase

from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from ..style import COLOURS, POINTS, REQUEST_COLOURS, on

PALETTE = REQUEST_COLOURS[:6]  # pale yellow could not be told from white
LETTER = 7.5  # points
KEY = "    ".join(["full colour: a token", "pale: reserved, empty", "white: free",
                   "letter: the request"])
FEW = 300  # pieces
PANEL = 440, 90  # points, about


def letters(number):
    """The name of a request: A to Z, then AA, AB ..."""
    rest, last = divmod(number, 26)
    return (letters(rest - 1) if rest else "") + ascii_uppercase[last]


def request_colours(pieces):
    """{request: colour}: none of the three before it, and of the others the one that
    covers least so far."""
    areas = pieces["slots"] * (pieces["end"] - pieces["start"])
    covered, colours = dict.fromkeys(PALETTE, 0), {}
    for request, area in areas.groupby(pieces["request"]).sum().items():
        near = [*colours.values()][-3:]
        colour = min((c for c in PALETTE if c not in near), key=covered.get)
        colours[request] = colour
        covered[colour] += area
    return colours


def memory_through_time(table, captions, slots, title):
    """For each memory of `captions` {name: caption} a panel of its pieces in the table
    (of `record`, with their `memory`): full colour is written, pale is reserved."""
    fig = Figure(figsize=(7, 1.8 * len(captions)))
    fig.suptitle(title, x=0.01, ha="left", weight="bold", size=11)
    axes = fig.subplots(len(captions), 1, sharex=True, squeeze=False)[:, 0]
    colours = request_colours(table[table["memory"] == [*captions][-1]])
    for ax, (memory, caption) in zip(axes, captions.items()):
        ax.set_title(caption, size=9, weight="normal")
        ax.set(xlim=(0, table["end"].max()), ylim=(0, slots), ylabel="slot")
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 5, 10]))
        ax.yaxis.set_major_formatter("{x:,.0f}")
        draw_pieces(ax, table[table["memory"] == memory], colours)
    axes[-1].set_xlabel("iteration", loc="left")
    axes[-1].annotate(KEY, (1, 0), (0, -22), xycoords="axes fraction", ha="right",
                      va="top", textcoords=POINTS, size=8.5, color=COLOURS["text"])
    return fig


def draw_pieces(ax, pieces, colours):
    """Each piece as a pale box, what is written in it in full colour, and letters where
    there is room for one."""
    colours = dict(zip(pieces["request"], cycle(PALETTE))) | colours
    for colour in PALETTE:
        own = [p for p in pieces.itertuples() if colours[p.request] == colour]
        fill(ax, [box(p) for p in own if p.tokens < p.slots], pale(colour))
        fill(ax, [written(p) for p in own if p.tokens + p.end > p.start], colour)
    if len(pieces) < FEW:  # a hairline where one begins
        low, high = pieces["first_slot"], pieces["first_slot"] + pieces["slots"]
        ax.vlines(pieces["start"], low, high, color="white", lw=0.7, antialiased=False)
    else:  # pixels in the SVG too: a browser blurs thousands of thin boxes into white
        ax.set_rasterization_zorder(1.2)  # not the axes, not the letters
    sized = pieces.assign(area=pieces["slots"] * (pieces["end"] - pieces["start"]))
    sized = sized.sort_values("area", kind="stable")
    for piece in sized.groupby("request").tail(1).itertuples():
        label(ax, piece, colours[piece.request])


def fill(ax, polygons, colour):
    """Polygons of one colour, without blurred seams between neighbours."""
    points = [point for polygon in polygons for point in [*polygon, (0, 0)]]
    codes = [code for polygon in polygons for code in
             [Path.MOVETO, *[Path.LINETO] * (len(polygon) - 1), Path.CLOSEPOLY]]
    if points:
        ax.add_patch(PathPatch(Path(points, codes), fc=colour, lw=0, antialiased=False))


def pale(colour):
    """A colour for what is reserved and not written."""
    return tuple(1 - 0.27 * (1 - int(colour[i:i + 2], 16) / 255) for i in (1, 3, 5))


def box(piece):
    """The corners of a piece."""
    low, high = piece.first_slot, piece.first_slot + piece.slots
    left, right = piece.start, piece.end
    return [(left, low), (right, low), (right, high), (left, high)]


def written(piece):
    """The corners of what is written in a piece: it rises by a slot an iteration."""
    low, first = piece.first_slot, piece.start + max(0, -piece.tokens)
    height = min(max(0, piece.tokens), piece.slots)
    top = min(piece.tokens + piece.end - piece.start, piece.slots)
    full = min(piece.end, piece.start + max(0, piece.slots - piece.tokens))
    return [(first, low), (piece.end, low), (piece.end, low + top), (full, low + top),
            (first, low + height)]


def label(ax, piece, colour):
    """The request's letter in the upper left corner, if there is room for it."""
    per_iteration = PANEL[0] / ax.get_xlim()[1]
    per_slot = PANEL[1] / ax.get_ylim()[1]
    text = letters(piece.request)
    wide = (piece.end - piece.start) * per_iteration > LETTER * len(text) + 3
    empty = (piece.slots - piece.tokens - LETTER / per_iteration) * per_slot
    full = min(piece.tokens, piece.slots) * per_slot
    if wide and max(full, empty) > LETTER:
        low, edge, gap, ink = piece.first_slot, "bottom", 0.5, on(colour)
        if empty > LETTER:
            low, edge, gap, ink = low + piece.slots, "top", -1, COLOURS["text"]
        ax.annotate(text, (piece.start, low), (3, gap), textcoords=POINTS, va=edge,
                    color=ink, size=LETTER)
