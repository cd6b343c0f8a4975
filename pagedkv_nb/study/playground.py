"""The playground page carries the package's own sources, which run in the reader's browser."""
from importlib.resources import files

# What runs without numpy, in the order of import.
MODULES = ("parameter", "paging", "contiguous", "serving/memory", "serving/policy",
           "serving/server", "study/play")
BEGIN, END = "<!-- sources: written by `make playground` -->", "<!-- end of sources -->"


def sources():
    """{module: source} of those modules."""
    package = files("pagedkv_nb")
    return {name: (package / f"{name}.py").read_text(encoding="utf-8") for name in MODULES}


def embedded(page):
    """The page with today's sources between its marks; ValueError if it has no marks or a
    source would end its script element."""
    if BEGIN not in page or END not in page:
        raise ValueError("the playground page: its marks for the sources are missing")
    scripts = []
    for name, source in sources().items():
        if "</script" in source or "<!--" in source:
            raise ValueError(f"{name}.py: holds a mark that ends a script element")
        scripts.append(f'<script type="text/x-python" data-module="{name}">\n{source}</script>')
    before, after = page[:page.index(BEGIN)], page[page.index(END):]
    return before + "\n".join([BEGIN, *scripts, after])
