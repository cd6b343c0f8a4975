"""The playground: its server here, its page in a real browser with the real package."""
import json
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagedkv_nb.contiguous import account
from pagedkv_nb.study import playground
from pagedkv_nb.serving import POLICIES, Server
from pagedkv_nb.study.play import LETTERS, OUTPUTS, Playground
from pagedkv_nb.traffic import Workload

from .browser import chromium, needed, served
from .conftest import ROOT

PAGE = ROOT / "course" / "playground" / "index.html"
SCRIPT = r'<script type="text/x-python" data-module="([\w/]+)">\n(.*?)</script>'
SETTINGS = st.tuples(st.sampled_from(list(POLICIES)), st.sampled_from([1, 2, 4, 8, 16, 32]),
                     st.integers(1, len(LETTERS)), st.booleans())


def test_the_page_carries_todays_package():
    assert dict(re.findall(SCRIPT, PAGE.read_text(), re.DOTALL)) == playground.sources()
    assert {"paging", "contiguous", "parameter", "serving/server"} < set(playground.sources())


def test_sources_that_would_break_the_page_are_refused(monkeypatch):
    monkeypatch.setattr(playground, "sources", lambda: {"bad": "x = '</script>'"})
    with pytest.raises(ValueError, match="^bad.py: "):
        playground.embedded(PAGE.read_text())
    with pytest.raises(ValueError, match="marks"):
        playground.embedded("no marks")


@given(SETTINGS)
def test_every_slot_has_one_state_and_every_request_finishes(settings):
    game = Playground(*settings)
    for _ in range(400):
        state = game.state()
        assert sum(state["counts"].values()) == 256 == len(state["letters"])
        assert state["running"] + state["waiting"] + state["finished"] == settings[2]
        if not state["running"] and not state["waiting"]:
            break
        game.step()
    assert state["finished"] == settings[2]
    assert state["counts"]["free"] >= 256 - 32


@given(st.sampled_from([1, 2, 4, 8, 16, 32]), st.integers(1, 16), st.booleans())
def test_the_map_shows_the_pages_of_the_pool(size, requests, shared):
    game = Playground("paged", size, requests, shared)
    for _ in range(60):
        game.step()
        pool, marks = game.server.memory.pool, game.state()["marks"]
        drawn = [set(marks[p * size:(p + 1) * size]) != {"f"} for p in range(256 // size)]
        assert drawn == [pool.ref_count(page) > 0 for page in range(pool.total_pages)]
        dark = ["s" in marks[p * size:(p + 1) * size] for p in range(256 // size)]
        assert dark == [pool.ref_count(page) > 1 for page in range(pool.total_pages)]


@pytest.mark.parametrize("policy", [name for name, policy in POLICIES.items() if policy.reserve])
def test_reservations_are_accounted_as_in_the_study(policy):
    game = Playground(policy, 8, 12)
    for _ in range(30):
        server, counts = game.server, game.state()["counts"]
        assert account(256, server.memory.asked, server.final, server.used) == (
            counts["used"], counts["reserved"], counts["internal"], counts["free"])
        game.step()


def test_it_is_the_studys_own_server():
    requests = Workload("playground", np.full(16, 20), np.array(OUTPUTS))
    for name in POLICIES:
        server = Server(POLICIES[name].memory(256, 64, 8), requests, arrivals=[12])
        game = Playground(name, 8, 12)
        game.server.memory.kept_back = getattr(server.memory, "kept_back", 0)
        for _ in range(80):
            server.step()
            assert server.history[-1] == game.server.history[-1]
            game.step()


def finish(*settings):
    game, state = Playground(*settings), {"waiting": 1}
    while state["waiting"] or state["running"]:
        game.step()
        state = game.state()
    return state


def test_pages_are_done_sooner_than_reservations_and_sharing_copies_the_last_page():
    assert finish("max", 8, 12)["steps"] > finish("paged", 8, 12)["steps"]
    assert finish("paged", 8, 6, True)["copied"] == 6  # 20 is no multiple of 8: one copy each
    assert finish("paged", 4, 6, True)["copied"] == 0  # of 4 it is
    assert finish("paged", 8, 16, True)["steps"] < finish("paged", 8, 16)["steps"]
    with pytest.raises(ValueError, match="^policy='most': "):
        Playground("most")


@pytest.fixture
def site(tmp_path):
    """The page and a copy of Pyodide's core beside it, on the loopback."""
    pyodide = needed("pyodide", "pyodide.asm.wasm").parent
    folder = tmp_path / "site"
    folder.mkdir()
    shutil.copy(PAGE, folder)
    (folder / "pyodide").symlink_to(pyodide)
    with served(folder) as address:
        yield address + "index.html?pyodide=pyodide/"


READY = "!document.getElementById('step').disabled"
SHOWN = """JSON.stringify([...document.querySelectorAll('.slot')].map(
    s => [s.className.slice(-1), s.textContent]))"""
FITS = "document.documentElement.scrollWidth <= innerWidth"


def clean(page):
    """Axe finds nothing."""
    page.run(needed("axe-core", "axe.min.js").read_text() + ";0")
    return page.run("axe.run().then(r => r.violations.map(v => v.id + ': ' + "
                    "v.nodes.map(n => n.target).join(' ')))")


@pytest.mark.slow
@pytest.mark.slow
def test_the_browser_draws_what_the_package_here_computes(site, tmp_path):
    with chromium(tmp_path) as page:
        page.open(site)
        page.wait(READY)
        assert page.run(FITS) and clean(page) == []
        page.run("for (let i = 0; i < 17; i++) document.getElementById('step').click()")
        game = Playground("paged", 8, 12)
        for _ in range(17):
            game.step()
        state = game.state()
        expected = [[m, "" if m == "f" else x] for m, x in zip(state["marks"], state["letters"])]
        assert json.loads(page.run(SHOWN)) == expected
        assert page.run("document.getElementById('steps').textContent") == str(state["steps"]) == "18"


@pytest.mark.slow
@pytest.mark.slow
def test_it_is_played_with_the_keyboard_in_the_dark_on_a_phone(site, tmp_path):
    with chromium(tmp_path) as page:
        page.open(site, width=390, scheme="dark")
        page.wait(READY)
        page.run("document.getElementById('size').focus()")
        page.key("ArrowRight", 39)
        assert page.run("document.getElementById('size-out').textContent") == "16 tokens"
        page.key("Tab", 9)
        page.key("Tab", 9)
        page.key(" ", 32, " ")
        assert page.run("document.getElementById('share').checked")
        page.key("Tab", 9)
        page.key("Enter", 13, "\r")
        assert page.run("document.getElementById('play').textContent") == "Pause"
        page.wait("+document.getElementById('steps').textContent >= 3")
        page.key("Enter", 13, "\r")
        assert page.run("document.getElementById('play').textContent") == "Play"
        assert page.run("document.querySelectorAll('.slot.s').length") > 0
        assert page.run(FITS) and clean(page) == []


def test_without_pyodide_it_says_what_is_missing(tmp_path):
    shutil.copy(PAGE, tmp_path)
    with served(tmp_path) as address, chromium(tmp_path) as page:
        page.open(address + "index.html?pyodide=none/")
        page.wait("document.getElementById('told').textContent.startsWith('Python could not')")
        page.open(address + "index.html?pyodide=https://example.org/")
        page.wait("document.getElementById('told').textContent.includes('must be on this site')")
