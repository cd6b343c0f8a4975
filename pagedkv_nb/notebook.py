"""What a notebook needs from Jupyter: figures with alt text and their data on disk, and the source of the code it runs."""
import os
from base64 import b64encode
from html import escape
from inspect import getsource
from io import BytesIO
from pathlib import Path
from textwrap import dedent

from IPython.display import display
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

WIDTH = 700  # pixels on the page


class Figures:
    """Shows figures; with a folder also writes each as .svg, .png and .csv."""

    def __init__(self, folder=""):
        """Only show if `folder` is empty; ValueError if it cannot be a folder."""
        if not isinstance(folder, str) or (folder and Path(folder).exists() and not Path(folder).is_dir()):
            raise ValueError(f"figures_dir={folder!r}: must be a folder, or empty to write no files")
        self.folder = Path(folder) if folder else None

    def show(self, fig, name, alt, data):
        """Display a figure with its alt text, and write NAME.svg, .png and .csv (`data`), all of them or none."""
        fig.draw_without_rendering()
        fig.set_layout_engine("none")  # the layout is settled: both formats use it
        png = rendered(fig, "png", {"Software": None})
        if self.folder:
            svg = rendered(fig, "svg", {"Date": None, "Creator": None})
            csv = data.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()
            write_together({self.folder / f"{name}.{end}": b for end, b in (("svg", svg), ("png", png), ("csv", csv))})
        shown = b64encode(png).decode()
        html = f'<figure><img alt="{escape(alt)}" width="{WIDTH}" src="data:image/png;base64,{shown}"></figure>'
        display({"text/html": html, "image/png": shown, "text/plain": alt}, raw=True,
                metadata={"image/png": {"width": WIDTH}})


def rendered(fig, kind, metadata):
    """The bytes of a figure file, the same on every run."""
    buffer = BytesIO()
    fig.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def write_together(files):
    """Write {path: bytes}: all are complete beside their places before the first takes its place."""
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name + ".part").write_bytes(content)
    for path in files:
        os.replace(path.with_name(path.name + ".part"), path)


def source(*objects):
    """Show the source of functions, methods or classes: the very code that runs."""
    code = "\n".join(dedent(getsource(o)) for o in objects)
    look = HtmlFormatter(noclasses=True, wrapcode=True, prestyles="margin: 0")
    display({"text/html": highlight(code, PythonLexer(), look), "text/plain": code,
             "text/markdown": f"```python\n{code}```"}, raw=True)
