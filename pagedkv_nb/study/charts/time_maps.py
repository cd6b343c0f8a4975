"""Memory through time, drawn: iterations to the right, slots up, colour by request."""
from string import ascii_uppercase

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.ticker import MaxNLocator

from ..style import COLOURS, REQUEST_COLOURS, note, on, panels

PALETTE = REQUEST_COLOURS[:6]  # pale yellow could not be told from white
LETTER, SMALLEST = 7.5, 5.5  # points
KEY = "iteration        full colour: a token    pale: reserved, empty    white: free"
FEW = 300  # pieces
PANEL = 440, 50  # points, about: the width, and the height for an inch of it


def letters(number):
    """The name of a request: A to Z, then AA, AB ..."""
    rest, last = divmod(number, 26)
    return (letters(rest - 1) if rest else "") + ascii_uppercase[last]


def memory_through_time(table, captions, slots, title, height=1.8, part=None):
    """For each memory of `captions` {name: caption} a panel of its pieces in the table (of
    `record`, with their `memory`): full colour is written, pale is reserved. The last one may
    be `part` (first slot, end, page size) of the one before, where all but three are grey."""
    fig, axes = panels(title, captions.values(), height * len(captions), stacked=True)
    table = table.assign(colour=[PALETTE[request % len(PALETTE)] for request in table["request"]])
    held = [table[table["memory"] == memory] for memory in captions]
    for ax in axes:
        ax.set(xlim=(0, table["end"].max()), ylim=(0, slots), ylabel="slot")
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 4, 5, 10]))
        ax.yaxis.set_major_formatter("{x:,.0f}")
    if part:
        held[-2] = part_of(*axes[-2:], *held[-2:], *part)
    for ax, pieces in zip(axes, held):
        draw_pieces(ax, pieces)
    key = KEY + "    letter: the request" * any(ax.texts for ax in axes)
    axes[-1].set_xlabel(key, loc="left", size=8.5)
    return fig


def part_of(whole, ax, pieces, inside, low, high, page):
    """Make axes those of some slots, with a line between pages, and frame these in the whole;
    its pieces in grey, but for the three requests that cover most of the part."""
    whole.axhspan(low, high, fill=False, ec=COLOURS["text"], lw=1.5, zorder=3)
    ax.set_ylim(low, high)
    ax.hlines(range(low + page, high, page), *ax.get_xlim(), color="white", lw=1)
    areas = inside["slots"] * (inside["end"] - inside["start"])
    most = pieces["request"].isin(areas.groupby(inside["request"]).sum().nlargest(3).index)
    return pieces.assign(colour=pieces["colour"].where(most, COLOURS["rest"]))


def draw_pieces(ax, pieces):
    """Each piece as a pale box, what is written in full colour, letters where there is room."""
    look = {"lw": 0, "antialiased": False}  # no blurred seams between neighbours
    low, high = pieces["first_slot"], pieces["first_slot"] + pieces["slots"]
    left, right = pieces["start"], pieces["end"]
    boxes = np.moveaxis([(left, low), (right, low), (right, high), (left, high)], 2, 0)
    ax.add_collection(PolyCollection(boxes, fc=pieces["colour"], alpha=0.27, **look))
    full = [written(piece) for piece in pieces.itertuples()]
    ax.add_collection(PolyCollection(full, fc=pieces["colour"], **look))
    if len(pieces) < FEW:  # a hairline where one begins
        ax.vlines(left, low, high, color="white", lw=0.7, antialiased=False)
    else:  # pixels in the SVG too: a browser blurs thousands of thin boxes into white
        ax.set_rasterization_zorder(1.2)  # not the axes, not the letters
    for piece in pieces[pieces["colour"] != COLOURS["rest"]].itertuples():
        label(ax, piece)


def written(piece):
    """The corners of what is written in a piece: it rises by a slot an iteration, to the top."""
    empty = piece.start - piece.tokens  # when it had no token
    x = np.clip([piece.start, empty, empty + piece.slots, piece.end], piece.start, piece.end)
    top = piece.first_slot + np.clip(x - empty, 0, piece.slots)
    return [*zip(x, top), (piece.end, piece.first_slot), (piece.start, piece.first_slot)]


def label(ax, piece):
    """The request's letter, if there is room: upper left if that is empty, else at the end."""
    inches, (low, high) = ax.figure.get_figheight() / len(ax.figure.axes), ax.get_ylim()
    per_iteration, per_slot = PANEL[0] / ax.get_xlim()[1], PANEL[1] * inches / (high - low)
    text, top = letters(piece.request), piece.first_slot + piece.slots
    last = min(piece.tokens + piece.end - piece.start, piece.slots)
    if (piece.end - piece.start) * per_iteration <= LETTER * len(text) + 3:
        return
    if (piece.slots - piece.tokens - LETTER / per_iteration) * per_slot > LETTER:
        note(ax, piece.start, top, text, 3, -1, va="top", size=LETTER, color=COLOURS["text"])
    elif (size := min(LETTER, last * per_slot)) > SMALLEST:
        note(ax, piece.end, piece.first_slot + last / 2, text, -2, ha="right", va="center_baseline",
             size=size, color=on(piece.colour))
