"""Memory through time, drawn: iterations to the right, slots up, colour by request."""
from itertools import cycle
from string import ascii_uppercase

from matplotlib.colors import to_rgb
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from ..style import COLOURS, REQUEST_COLOURS, note, on, panels

PALETTE = REQUEST_COLOURS[:6]  # pale yellow could not be told from white
LETTER, SMALLEST = 7.5, 5.5  # points
KEY = "full colour: a token    pale: reserved, empty    white: free"
FEW = 300  # pieces
PANEL = 440, 50  # points, about: the width, and the height for an inch of it


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


def memory_through_time(table, captions, slots, title, height=1.8, part=None):
    """For each memory of `captions` {name: caption} a panel of its pieces in the table (of
    `record`, with their `memory`): full colour is written, pale is reserved. The last one may
    be `part` (first slot, end, page size) of the one before, where all but three are grey."""
    fig, axes = panels(title, captions.values(), height * len(captions), stacked=True)
    held = [table[table["memory"] == memory] for memory in captions]
    colours = [request_colours(held[-1])] * len(held)
    for ax in axes:
        ax.set(xlim=(0, table["end"].max()), ylim=(0, slots), ylabel="slot")
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 5, 10]))
        ax.yaxis.set_major_formatter("{x:,.0f}")
    if part:
        frame(*axes[-2:], *part)
        colours[-2] = few_of(colours[-1], *held[-2:])
    for ax, pieces, coloured in zip(axes, held, colours):
        draw_pieces(ax, pieces, coloured)
    explain(axes[-1], KEY + "    letter: the request" * any(ax.texts for ax in axes))
    return fig


def explain(ax, key):
    """Below the axes what runs to the right, and the key."""
    ax.set_xlabel("iteration", loc="left")
    ax.annotate(key, (1, 0), (0, -22), xycoords="axes fraction", ha="right", va="top",
                textcoords="offset points", size=8.5, color=COLOURS["text"])


def frame(whole, ax, low, high, page):
    """Make axes those of some slots, with a line between pages, and frame these in the whole."""
    whole.axhspan(low, high, fill=False, ec=COLOURS["text"], lw=1.5, zorder=3)
    ax.set_ylim(low, high)
    ax.hlines(range(low + page, high, page), *ax.get_xlim(), color="white", lw=1)


def few_of(colours, whole, part):
    """The colours of the three requests that cover most of a part, grey for all others."""
    areas = part["slots"] * (part["end"] - part["start"])
    most = areas.groupby(part["request"]).sum().nlargest(3).index
    return dict.fromkeys(whole["request"], COLOURS["rest"]) | {r: colours[r] for r in most}


def draw_pieces(ax, pieces, colours):
    """Each piece as a pale box, what is written in it in full colour, and letters where
    there is room for one."""
    colours = dict(zip(pieces["request"], cycle(PALETTE))) | colours
    for colour in (*PALETTE, COLOURS["rest"]):
        own = [p for p in pieces.itertuples() if colours[p.request] == colour]
        fill(ax, [box(p) for p in own if p.tokens < p.slots], pale(colour))
        fill(ax, [written(p) for p in own if p.tokens + p.end > p.start], colour)
    if len(pieces) < FEW:  # a hairline where one begins
        low, high = pieces["first_slot"], pieces["first_slot"] + pieces["slots"]
        ax.vlines(pieces["start"], low, high, color="white", lw=0.7, antialiased=False)
    else:  # pixels in the SVG too: a browser blurs thousands of thin boxes into white
        ax.set_rasterization_zorder(1.2)  # not the axes, not the letters
    for piece in pieces.itertuples():
        if colours[piece.request] in PALETTE:
            label(ax, piece, colours[piece.request])


def fill(ax, polygons, colour):
    """Polygons of one colour, without blurred seams between neighbours."""
    paths = [Path([*polygon, polygon[0]], closed=True) for polygon in polygons]
    if paths:
        one = Path.make_compound_path(*paths)
        ax.add_patch(PathPatch(one, fc=colour, lw=0, antialiased=False))


def pale(colour):
    """A colour for what is reserved and not written."""
    return tuple(1 - 0.27 * (1 - part) for part in to_rgb(colour))


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
    """The request's letter where there is room for one: in the upper left corner, or where it
    is written, at the left or, smaller, at the right."""
    inches, (low, high) = ax.figure.get_figheight() / len(ax.figure.axes), ax.get_ylim()
    per_iteration, per_slot = PANEL[0] / ax.get_xlim()[1], PANEL[1] * inches / (high - low)
    text, top = letters(piece.request), piece.first_slot + piece.slots
    last = min(piece.tokens + piece.end - piece.start, piece.slots)
    if (piece.end - piece.start) * per_iteration <= LETTER * len(text) + 3:
        return
    if (piece.slots - piece.tokens - LETTER / per_iteration) * per_slot > LETTER:
        note(ax, piece.start, top, text, 3, -1, va="top", size=LETTER, color=COLOURS["text"])
    elif min(piece.tokens, piece.slots) * per_slot > LETTER:
        note(ax, piece.start, piece.first_slot, text, 3, 0.5, va="bottom", size=LETTER,
             color=on(colour))
    elif (size := min(LETTER, last * per_slot)) > SMALLEST:
        note(ax, piece.end, piece.first_slot + last / 2, text, -2, ha="right", va="center_baseline",
             size=size, color=on(colour))
