"""What a notebook needs from Jupyter: figures with alt text, and the source it runs."""
import os
from base64 import b64encode
from html import escape
from inspect import getsource
from io import BytesIO
from pathlib import Path
from textwrap import dedent

from IPython.display import display

from ..parameter import shown
from .style import settle

WIDTH = 700  # pixels on the page


class Figures:
    """Shows figures; with a folder also writes each as .svg, .png and .csv."""

    def __init__(self, folder=""):
        """Only show if `folder` is empty; ValueError if it cannot be a folder."""
        try:
            place = Path(folder).expanduser()
            possible = isinstance(folder, str) and (place.resolve().is_dir() or not place.exists())
        except (OSError, RuntimeError, TypeError, ValueError):  # too long, no text, a null byte
            possible = False
        if not possible:
            told = "must be a folder, or empty for no files"
            raise ValueError(f"{shown('figures_dir', folder)}: {told}")
        self.folder = place if folder else None

    def show(self, fig, name, alt, data):
        """Display a figure with its alt text; with a folder also write NAME.svg, .png and
        .csv, the last from the DataFrame `data`: all of them or none."""
        settle(fig)
        png = rendered(fig, "png", {"Software": None})  # which says nothing of who made it
        if self.folder:
            svg = described(rendered(fig, "svg", {"Date": None, "Creator": None}), name, alt)
            files = {"svg": svg, "png": png, "csv": csv(data)}
            write_together({self.folder / f"{name}.{end}": files[end] for end in files})
        code = b64encode(png).decode()
        html = (f'<figure><img alt="{escape(alt)}" width="{WIDTH}" style="max-width: 100%; '
                f'height: auto" src="data:image/png;base64,{code}"></figure>')
        display({"text/html": html, "image/png": code, "text/plain": alt}, raw=True,
                metadata={"image/png": {"width": WIDTH}})


def csv(data):
    """The bytes of a DataFrame's file, the same on every machine."""
    return data.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode()


def rendered(fig, kind, metadata):
    """The bytes of a figure file, the same on every run."""
    buffer = BytesIO()
    fig.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def described(svg, name, alt):
    """The bytes of an SVG as one image with a `<title>` and a `<desc>`: what a screen reader
    says and a search finds wherever it is pasted."""
    opened = f'<svg role="img" aria-labelledby="{name}-title {name}-desc"'
    words = (f'<title id="{name}-title">{name}</title>\n'
             f' <desc id="{name}-desc">{escape(alt)}</desc>\n ')
    svg = svg.replace(b"<svg", opened.encode(), 1)
    return svg.replace(b"<metadata>", words.encode() + b"<metadata>", 1)


def write_together(files):
    """Write {path: bytes}: all lie complete beside their places before one is replaced, and a
    failure leaves nothing behind. OSError names the path."""
    parts = {path: path.with_name(f".{path.name}.{os.getpid()}.part") for path in files}
    try:
        for path, part in parts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(files[path])
        for path, part in parts.items():
            os.replace(part, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        for part in filter(os.path.exists, parts.values()):
            part.unlink()


def source(*objects):
    """Show the source of functions, methods or classes: the very code that runs."""
    code = "\n".join(dedent(getsource(o)) for o in objects)
    display({"text/markdown": f"```python\n{code}```", "text/plain": code}, raw=True)
