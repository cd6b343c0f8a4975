"""What a page that embeds the study meets: listings legible in every theme, figures that
say what they show."""
import inspect
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from xml.dom import minidom

import nbformat
import pandas as pd
import pytest
from matplotlib import pyplot

from pagedkv_nb import paging
from pagedkv_nb.study import notebook
from pagedkv_nb.study.style import canvas

from .browser import chromium
from .conftest import ROOT


@pytest.fixture
def shown(monkeypatch):
    """What the notebook displays, one dict a display."""
    outputs = []
    monkeypatch.setattr(notebook, "display", lambda data, **_: outputs.append(data))
    return outputs


def test_a_listing_is_the_code_itself_in_whatever_colours_its_page_has(shown):
    notebook.source(paging.PagePool, paging.PagePool.allocate)
    code = shown[0]["text/plain"]
    assert shown == [{"text/plain": code, "text/markdown": f"```python\n{code}```"}]
    assert code.startswith("class PagePool:") and "\ndef allocate(self):" in code
    assert inspect.getsource(paging.PagePool) in code


def test_a_figure_fits_a_phone_and_its_svg_says_what_it_shows(shown, tmp_path):
    alt = "Pages hold 3 < 4 & more"
    fig, _ = canvas("a title")
    notebook.Figures(str(tmp_path)).show(fig, "09z-name", alt, pd.DataFrame({"a": [1]}))
    assert 'style="max-width: 100%; height: auto"' in shown[0]["text/html"]
    svg = minidom.parse(str(tmp_path / "09z-name.svg")).documentElement
    words = [n for n in svg.childNodes if n.nodeType == n.ELEMENT_NODE][:2]
    assert [w.tagName for w in words] == ["title", "desc"]
    assert [w.firstChild.data for w in words] == ["09z-name", alt]
    ids = [w.getAttribute("id") for w in words]
    assert svg.getAttribute("role") == "img" and svg.getAttribute("aria-labelledby").split() == ids


def test_a_figure_is_drawn_once_a_file(shown, tmp_path, monkeypatch):
    drawn, (fig, ax) = [], canvas("a title")
    draw = type(ax).draw
    monkeypatch.setattr(type(ax), "draw", lambda self, renderer: [drawn.append(1), draw(self, renderer)])
    notebook.Figures(str(tmp_path)).show(fig, "09z-name", "alt", pd.DataFrame({"a": [1]}))
    assert len(drawn) == 2  # a PNG and an SVG


def test_a_figure_can_be_shown_again_and_be_a_readers_own(shown, tmp_path):
    own, ax = pyplot.subplots()
    own.colorbar(ax.imshow([[1, 2], [3, 4]]))
    pyplot.close(own)
    fig, _ = canvas("a title")
    for one in (own, own, fig, fig):
        notebook.Figures(str(tmp_path)).show(one, "09z-name", "alt", pd.DataFrame({"a": [1]}))
    assert len(shown) == 4 and shown[2] == shown[3]


@contextmanager
def jupyterlab(folder):
    """The address of a JupyterLab in the dark whose root is that folder."""
    theme = folder / "settings" / "@jupyterlab" / "apputils-extension"
    theme.mkdir(parents=True)
    (theme / "themes.jupyterlab-settings").write_text('{"theme": "JupyterLab Dark"}')
    env = os.environ | {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTER_DATA_DIR":
                        str(folder / "data"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "spaces")}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
         "--port=0", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=t"], env=env,
        stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in server.stderr if "?token=" in line)
        Thread(target=server.stderr.read, daemon=True).start()
        yield re.search(r"http://\S+?/", line)[0]
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.slow
def test_opened_in_a_dark_lab_a_notebook_is_legible_and_stays_as_it_is(tmp_path):
    if not (Path(sys.prefix) / "etc" / "ipython" / "ipython_kernel_config.py").is_file():
        pytest.skip("this environment was not made by `make`, its kernels tell a version")
    copy = tmp_path / "nb.ipynb"
    nb = nbformat.read(ROOT / "notebooks" / "03_paged_allocation.ipynb", 4)
    nb.cells = next([cell] for cell in nb.cells if cell.source.startswith("source("))
    copy.write_text(nbformat.writes(nb) + "\n")
    with jupyterlab(tmp_path) as lab, chromium(tmp_path) as page:
        page.send("Page.navigate", url=f"{lab}lab/tree/nb.ipynb?token=t&reset")
        page.wait("!!document.querySelector('.jp-RenderedMarkdown code span')")
        page.wait("document.querySelector('.jp-Notebook-ExecutionIndicator')"
                  ".dataset.status === 'idle'")
        for element, kind, seen in (("code", "color", "255, 255, 255"), ("pre", "backgroundColor", "17, 17, 17")):
            look = f"getComputedStyle(document.querySelector('.jp-RenderedMarkdown {element}')).{kind}"
            assert page.run(look) == f"rgb({seen})"
        assert page.run("document.body.dataset.jpThemeLight") == "false"
        time.sleep(3)
        assert page.run("document.querySelectorAll('.jp-mod-dirty').length") == 0
        before, written = copy.read_bytes(), copy.stat().st_mtime_ns
        for kind in ("keyDown", "keyUp"):
            page.send("Input.dispatchKeyEvent", type=kind, key="s", code="KeyS", modifiers=2,
                      windowsVirtualKeyCode=83)
        end = time.monotonic() + 20
        while copy.stat().st_mtime_ns == written and time.monotonic() < end:
            time.sleep(0.2)
        assert copy.stat().st_mtime_ns > written and copy.read_bytes() == before
