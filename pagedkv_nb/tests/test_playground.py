"""The playground: its server here, its page in a real browser with the real package."""
import json
import re
import shutil
from base64 import b64encode
from hashlib import sha384

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagedkv_nb.contiguous import account
from pagedkv_nb.study import course
from pagedkv_nb.serving import POLICIES, Server
from pagedkv_nb.study.play import LETTERS, OUTPUTS, Playground
from pagedkv_nb.traffic import Workload

from .browser import chromium, needed, served
from .conftest import ROOT

PAGE = ROOT / "course" / "playground" / "index.html"
TEMPLATE = PAGE.with_name("template.html")
SCRIPT = r'<script type="text/x-python" data-module="([\w/]+)">\n(.*?)</script>'
SETTINGS = st.tuples(st.sampled_from(list(POLICIES)), st.sampled_from([1, 2, 4, 8, 16, 32]),
                     st.integers(1, len(LETTERS)), st.booleans())


def test_the_page_carries_todays_package():
    sources = {name: (ROOT / "pagedkv_nb" / f"{name}.py").read_text() for name in course.MODULES}
    assert dict(re.findall(SCRIPT, PAGE.read_text(), re.DOTALL)) == sources, "run: make"
    made = TEMPLATE.read_text().replace(course.BEGIN, course.BEGIN + course.scripts())
    assert made == PAGE.read_text(), "run: make"
    assert {"paging", "contiguous", "parameter", "serving/server"} < set(sources)
    assert not any(mark in text for text in sources.values() for mark in ("</script", "<!--"))


@settings(max_examples=25)
@given(SETTINGS)
def test_every_slot_has_one_state_and_every_request_finishes(chosen):
    game = Playground(*chosen)
    for _ in range(700):
        state = game.state()
        assert set(state["marks"]) <= set("usrif") and len(state["marks"]) == 512 == len(state["letters"])
        assert state["running"] + state["waiting"] + state["finished"] == chosen[2]
        if not state["running"] and not state["waiting"]:
            break
        game.step()
    assert state["finished"] == chosen[2]
    assert state["marks"].count("f") >= 512 - 32


@settings(max_examples=25)
@given(st.sampled_from([1, 2, 4, 8, 16, 32]), st.integers(1, 40), st.booleans())
def test_the_map_shows_the_pages_of_the_pool(size, requests, shared):
    game = Playground("paged", size, requests, shared)
    for _ in range(40):
        game.step()
        pool, marks = game.server.memory.pool, game.state()["marks"]
        drawn = [set(marks[p * size:(p + 1) * size]) != {"f"} for p in range(512 // size)]
        assert drawn == [pool.ref_count(page) > 0 for page in range(pool.total_pages)]
        dark = ["s" in marks[p * size:(p + 1) * size] for p in range(512 // size)]
        assert dark == [pool.ref_count(page) > 1 for page in range(pool.total_pages)]


@pytest.mark.parametrize("policy", [name for name, policy in POLICIES.items() if policy.reserve])
def test_reservations_are_accounted_as_in_the_study(policy):
    game = Playground(policy, 8, 12)
    for _ in range(30):
        server, marks = game.server, game.state()["marks"]
        assert account(512, server.memory.asked, server.final, server.used) == tuple(map(marks.count, "urif"))
        game.step()


def test_it_is_the_studys_own_server():
    requests = Workload("playground", np.full(40, 20), np.array(OUTPUTS))
    for name in POLICIES:
        server = Server(POLICIES[name].memory(512, 128, 8), requests, arrival_s=[0] * 12)
        game = Playground(name, 8, 12)
        game.server.memory.kept_back = getattr(server.memory, "kept_back", 0)
        for _ in range(80):
            server.step()
            assert server.history[-1] == game.server.history[-1]
            game.step()


def finish(*settings):  # default: 40 requests
    game, state = Playground(*settings), {"waiting": 1}
    while state["waiting"] or state["running"]:
        game.step()
        state = game.state()
    return state


def test_while_somebody_waits_it_shows_what_the_study_says():
    at_once, in_use = zip(*(finish(name, 4)["queued"] for name in ("max", "pow2", "oracle", "paged")))
    assert all(more > 1.08 * less for less, more in zip(at_once, at_once[1:]))
    assert at_once[3] > 3 * at_once[0] and in_use[0] < 0.35 * 512 and in_use[3] > 0.9 * 512
    assert finish("paged", 1)["queued"][1] > 0.92 * 512
    steps = [finish(name, 4)["steps"] for name in ("max", "pow2", "oracle", "paged")]
    assert steps == sorted(steps, reverse=True) and steps[0] > 2 * steps[3]


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
def test_sharing_the_prompt_shows_its_gain(size):
    alone, shared = (finish("paged", size, 40, share) for share in (False, True))
    assert shared["queued"][0] > 1.2 * alone["queued"][0]
    assert shared["steps"] < 0.8 * alone["steps"]


def test_sharing_copies_the_last_page_and_a_bad_policy_is_named():
    for size, kept in ((8, 2), (4, 5)):  # 20 is no multiple of 8: the last of three pages is copied
        game = Playground("paged", size, 6, True)
        assert game.state()["marks"].count("s") == size * kept
        assert game.state()["holders"]["P"]["pieces"] == [(page * size, size) for page in range(-(-20 // size))]
    assert finish("paged", 4, 3)["queued"] == []  # nobody waits
    with pytest.raises(ValueError, match="^policy='most': "):
        Playground("most")


def test_who_holds_what_is_the_pools_own_block_table():
    game = Playground("paged", 8, 12, True)
    for _ in range(10):
        game.step()
    for request in game.server.running:
        held = game.state()["holders"][LETTERS[request.number]]
        table = game.server.memory.tables[request]
        assert [first // 8 for first, _ in held["pieces"]] == table.block_table
        assert held["tokens"] == request.tokens_before(game.server.iteration)


def test_each_file_that_the_page_runs_has_the_hash_of_the_npm_package():
    hashes = dict(re.findall(r'"([\w.-]+)": "sha384-(.+?)"', TEMPLATE.read_text()))
    assert {"pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"} < set(hashes)
    version = json.loads(needed("pyodide", "package.json").read_text())["version"]
    assert f"pyodide@{version}/" in TEMPLATE.read_text()
    for name, said in hashes.items():
        content = needed("pyodide", name).read_bytes()
        assert b64encode(sha384(content).digest()).decode() == said, name


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
def test_the_browser_draws_what_the_package_here_computes(site, tmp_path):
    with chromium(tmp_path) as page:
        page.open(site, width=1280, height=720)
        page.wait(READY)
        assert page.run(FITS) and clean(page) == []
        page.run("for (let i = 0; i < 17; i++) document.getElementById('step').click()")
        game = Playground()
        for _ in range(17):
            game.step()
        state = game.state()
        expected = [[m, x if m in "us" else ""] for m, x in zip(state["marks"], state["letters"])]
        assert json.loads(page.run(SHOWN)) == expected
        assert page.run("document.getElementById('steps').textContent") == str(state["steps"]) == "18"
        lowest = "Math.max(...['share', 'again', 'map', 'time', 'told-table'].map(id => "
        assert page.run(lowest + "document.getElementById(id).getBoundingClientRect().bottom))") <= 720


@pytest.mark.slow
def test_a_request_shows_its_block_table_and_each_mode_its_legend(site, tmp_path):
    with chromium(tmp_path) as page:
        page.open(site, width=1280, height=720)
        page.wait(READY)
        page.send("Emulation.setFocusEmulationEnabled", enabled=True)
        page.run("document.getElementById('share').click()")
        assert "shared" in page.run("document.getElementById('legend').innerText")
        page.run("document.querySelector('#chips button').focus()")
        told = page.run("document.getElementById('told-table').textContent")
        held = Playground("paged", 4, 40, True).state()["holders"]["A"]
        pages = ", ".join(str(first // 4) for first, _ in held["pieces"])
        assert told == f"A, {held['tokens']} tokens. Block table: {pages}"
        assert page.run("document.querySelectorAll('.slot.on').length") == 4 * len(held["pieces"])
        page.run("document.getElementById('policy').value = 'max';"
                 "document.getElementById('policy').dispatchEvent(new Event('input'))")
        legend = page.run("document.getElementById('legend').innerText")
        assert "never written" in legend and "shared" not in legend and "page" not in legend
        page.run("document.getElementById('end').click()")
        told = page.run("document.getElementById('tiles').innerText")
        assert f"{finish('max', 4)['queued'][0]:.1f}" in told and clean(page) == []


@pytest.mark.slow
def test_it_is_played_with_the_keyboard_in_the_dark_on_a_phone(site, tmp_path):
    with chromium(tmp_path) as page:
        page.open(site, width=390, scheme="dark")
        page.wait(READY)
        page.run("document.getElementById('size').focus()")
        page.key("ArrowRight", 39)
        assert page.run("document.getElementById('size-out').textContent") == "8 tokens"
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


@pytest.mark.slow
def test_a_file_with_other_bytes_is_not_run(site, tmp_path):
    folder = tmp_path / "site"
    real = (folder / "pyodide").resolve()
    (folder / "pyodide").unlink()
    shutil.copytree(real, folder / "pyodide")
    with (folder / "pyodide" / "pyodide.asm.mjs").open("a") as file:
        file.write("// more\n")
    with chromium(tmp_path) as page:
        page.open(site)
        page.wait("document.getElementById('told').textContent.startsWith('Python could not')")


@pytest.mark.slow
def test_without_pyodide_it_says_what_is_missing(tmp_path):
    shutil.copy(PAGE, tmp_path)
    with served(tmp_path) as address, chromium(tmp_path) as page:
        page.open(address + "index.html?pyodide=none/")
        page.wait("document.getElementById('told').textContent.startsWith('Python could not')")
        page.open(address + "index.html?pyodide=https://example.org/")
        page.wait("document.getElementById('told').textContent.includes('must be on this site')")
