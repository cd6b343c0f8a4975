"""Memory through time: what is recorded, and what is drawn of it."""
import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb, to_rgba

from pagedkv_nb.contiguous import FirstFitAllocator
from pagedkv_nb.serving import POLICIES, PlainPagedMemory, ReservedMemory, Server, accounts
from pagedkv_nb.study import style
from pagedkv_nb.serving.occupancy import joined, record
from pagedkv_nb.study.charts.time_maps import PALETTE, letters, memory_through_time, written
from pagedkv_nb.traffic.workload import Workload

MEMORIES = [lambda: POLICIES["max"].memory(90, 40), lambda: POLICIES["oracle"].memory(90, 40),
            lambda: POLICIES["oracle"].memory(90, 40, allocator=FirstFitAllocator),
            lambda: PlainPagedMemory(90, 4), lambda: PlainPagedMemory(50, 1, watermark=0)]
PAIRS = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20)), min_size=1, max_size=9)


def workload(pairs):
    prompt, output = np.array(pairs).T
    return Workload("drawn", prompt, output)


def painted(pieces, slots, iterations):
    """Who has each slot after each iteration (-1: nobody), and whether it is written."""
    owner, full = np.full((iterations, slots), -1), np.zeros((iterations, slots), bool)
    for p in pieces.itertuples():
        for t in range(p.start, p.end):
            place = slice(p.first_slot, p.first_slot + p.slots)
            assert (owner[t, place] == -1).all(), "two requests in one slot"
            owner[t, place] = p.request
            full[t, p.first_slot:p.first_slot + max(0, min(p.slots, p.tokens + t - p.start))] = True
    return owner, full


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(MEMORIES), PAIRS, st.integers(0, 30))
def test_the_map_is_the_account_of_every_iteration(memory, pairs, before):
    server = Server(memory(), workload(pairs))
    for _ in range(before):
        server.step()
    owner, full = painted(record(server, 50), server.memory.slots, 50)
    account = accounts(server, before)
    assert (full.sum(axis=1) == account["used"]).all()
    rounding = account["internal"] if isinstance(server.memory, PlainPagedMemory) else 0
    assert ((owner >= 0).sum(axis=1) >= account["used"] + account["reserved"] + rounding).all()
    assert [len({*row} - {-1}) for row in owner.tolist()] == account["running"].tolist()
    assert not full[owner < 0].any()
    assert isinstance(server.memory, (ReservedMemory, PlainPagedMemory))


def test_neighbouring_pages_taken_together_are_one_row():
    server = Server(PlainPagedMemory(64, 4), workload([(10, 6)]), arrival_s=[0])
    rows = record(server, 4).values.tolist()
    # 11 tokens in the first iteration: pages 0 to 2 at once, and page 3 for the 13th
    assert rows == [[0, 0, 12, 11, 0, 4], [0, 12, 4, 1, 2, 4]]


def test_what_is_not_one_stretch_stays_apart():
    row = {"request": 0, "first_slot": 0, "slots": 4, "tokens": 7, "start": 0, "end": 5}
    for change in ({"first_slot": 8}, {"first_slot": 4, "tokens": 2}, {"first_slot": 4, "end": 6},
                   {"first_slot": 4, "tokens": 3, "request": 1}):
        assert len(joined(pd.DataFrame([row, row | {"tokens": 3} | change]))) == 2
    assert len(joined(pd.DataFrame([row, row | {"first_slot": 4, "tokens": 3}]))) == 1


def test_letters_go_on_after_z():
    assert [letters(n) for n in (0, 25, 26, 51, 52, 701, 702)] == [
        "A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


@pytest.mark.parametrize("tokens, area", [(2, 2 * 4 + 2 + 4), (-1, 3 * 3 / 2), (4, 16), (3, 15.5)])
def test_the_written_part_rises_by_a_slot_an_iteration_and_ends_at_the_top(tokens, area):
    piece = pd.Series({"first_slot": 8, "slots": 4, "tokens": tokens, "start": 1, "end": 5})
    x, y = np.array(written(piece), float).T
    found = abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    assert found == area and y.min() == 8 and y.max() <= 12


def test_the_figure_paints_what_was_recorded():
    table = record(Server(POLICIES["max"].memory(16, 8), workload([(2, 4)])), 8).assign(memory="m")
    fig = memory_through_time(table, {"m": "caption"}, 16, "title")
    ax, = fig.axes
    assert ax.get_title() == "" and ax.get_title(loc="left") == "caption"

    def colour_at(iteration, slot):
        shown = [drawn.get_facecolor()[i] for drawn in ax.collections[:2]
                 for i, path in enumerate(drawn.get_paths()) if path.contains_point((iteration, slot))]
        return tuple(shown[-1]) if shown else None
    assert {colour_at(0.5, 1), colour_at(0.5, 9)} == {to_rgba(c) for c in PALETTE[:2]}
    assert {colour_at(0.5, 7), colour_at(0.5, 15)} == {to_rgba(c, 0.27) for c in PALETTE[:2]}
    assert {t.get_text() for t in ax.texts} >= {"A", "B"}


def test_a_part_is_drawn_large_and_framed_in_the_whole_in_which_few_are_coloured():
    table = record(Server(PlainPagedMemory(64, 4), workload([(3, 9), (5, 6), (9, 4), (2, 7)])), 40)
    part = table[table["first_slot"].between(24, 39)].assign(memory="part")
    whole = table.assign(memory="whole")
    fig = memory_through_time(pd.concat([whole, part]), {"whole": "w", "part": "p"}, 64, "title",
                              part=(24, 40, 4))
    (above, below), grey = fig.axes, to_rgb(style.COLOURS["rest"])
    assert above.get_ylim() == (0, 64) and below.get_ylim() == (24, 40)
    between = below.collections[0].get_segments()
    assert [segment[0][1] for segment in between] == [28, 32, 36]  # lines between pages
    held = part.assign(area=part.eval("slots * (end - start)")).groupby("request")["area"].sum()
    most = held.nlargest(3)
    assert most.tolist() == [52, 48, 48] and held.drop(most.index).max() < 48
    coloured = [to_rgb(c) for c in above.collections[1].get_facecolor() if to_rgb(c) != grey]
    assert coloured == [to_rgb(PALETTE[request % 6]) for request in table["request"] if request in most]
    assert above.patches[0].get_extents().height > 0  # the frame
    assert [grey in {tuple(c[:3]) for drawn in ax.collections for c in drawn.get_facecolor()}
            for ax in (above, below)] == [True, False]


def test_the_key_speaks_of_letters_only_if_there_are_any():
    table = pd.DataFrame({"request": [0], "first_slot": [0], "slots": [2], "tokens": [2], "start": [0],
                          "end": [9], "memory": ["m"]})
    for slots, lettered in ((4, True), (400, False)):
        ax, = memory_through_time(table, {"m": "caption"}, slots, "title").axes
        assert ("letter" in ax.get_xlabel()) == lettered


@pytest.mark.parametrize("words", [3, 12, 14, 16, 25])
def test_a_long_title_is_set_smaller_and_not_cut(words):
    fig, ax = style.canvas("A sentence of words " * 5)
    fig.suptitle(" ".join(["capacity"] * words), x=0.01, ha="left", weight="bold", size=11)
    style.settle(fig)
    drawn = FigureCanvasAgg(fig).get_renderer()  # at the resolution of the PNG
    assert fig.texts[0].get_window_extent(drawn).x1 < fig.bbox.width == 1400
    assert (fig.texts[0].get_fontsize() == 11) == (words < 12)
