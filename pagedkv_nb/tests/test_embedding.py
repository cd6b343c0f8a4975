"""What a page that embeds the study meets: listings legible in every theme, figures that
say what they show."""
import re
from xml.dom import minidom

import pandas as pd
import pytest
from pygments.styles import get_style_by_name
from pygments.token import Text

from pagedkv_nb import attention, paging, serving
from pagedkv_nb.study import notebook
from pagedkv_nb.study.style import canvas


@pytest.fixture
def shown(monkeypatch):
    """What the notebook displays, one dict a display."""
    outputs = []
    monkeypatch.setattr(notebook, "display", lambda data, **_: outputs.append(data))
    return outputs


def luminance(colour):
    digits = colour.lstrip("#")
    digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_a_listing_brings_its_own_paper_and_every_token_can_be_read_on_it(shown):
    notebook.source(paging.PagePool, attention.PagedKVCache, serving.Server)
    html = shown[0]["text/html"]
    paper = re.search(r"<pre [^>]*style=\"[^\"]*background: (#\w+); color: (#\w+)", html)
    assert contrast(*paper.groups()) >= 7
    assert '<code style="background: none; color: inherit' in html
    inked = re.findall(r'<span style="[^"]*?color: (#\w+)[^"]*">([^<]*)</span>', html)
    assert len(inked) > 300
    assert all(contrast(ink, paper[1]) >= 4.5 for ink, text in inked if text.strip())
    ink = {look["color"] for token, look in get_style_by_name("default")
           if look["color"] and token not in Text.Whitespace}
    assert min(contrast(colour, paper[1]) for colour in ink) >= 4.5


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
