"""One notebook executed by papermill in a workplace of its own."""
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from threading import Event, Thread
from time import perf_counter

# An optional URL grammar that takes jsonschema 0.7 s to compile.
sys.modules["rfc3987_syntax"] = None

# Builds the font cache once, before kernels race to do it.
import matplotlib.font_manager  # noqa: E402, F401
import nbformat  # noqa: E402
import papermill  # noqa: E402


@contextmanager
def workplace(build, *places):
    """A folder `build/.run-PID` for everything a run leaves on its way, connection files of
    its kernels included; removed at the end. What killed runs have left there, and as parts
    of files in `places`, goes first."""
    build.mkdir(parents=True, exist_ok=True)
    for left in [*build.glob(".run-*"), *(part for p in places for part in p.glob(".*.part"))]:
        if not alive(int(re.search(r"\d+", left.suffixes[-2] if left.suffix == ".part"
                                   else left.name)[0])):
            rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()
    work, usual = build / f".run-{os.getpid()}", tempfile.tempdir
    work.mkdir(exist_ok=True)
    tempfile.tempdir = str(work)
    try:
        yield work
    finally:
        tempfile.tempdir = usual
        rmtree(work, ignore_errors=True)


def alive(pid):
    """Whether another process with that number runs."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


def execute(path, folder, parameters, progress_bar=False, told=False):
    """Run a notebook in a folder and return it; RuntimeError with one line if a cell fails.
    With `told` it says now and then where it is."""
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(path) if told else None
    try:
        return papermill.execute_notebook(
            path, folder / path.name, parameters, kernel_name="python3",
            record_timing=False, progress_bar=progress_bar,
            request_save_on_cell_execute=False, shutdown_kernel="immediate",
            on_cell_start=progress and progress.cell_starts,
            coalesce_streams=True,  # a print may arrive in pieces
            extra_arguments=["--log-level=ERROR"])
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(f"{error.ename}: {error.evalue}") from None
    finally:
        if progress:
            progress.end.set()


class Progress:
    """Says which cell runs and for how long: each second on a terminal, else every ten."""

    every_s = 10

    def __init__(self, path):
        """Begins at once."""
        self.name, self.n_cells = path.stem, 1 + len(nbformat.read(path, 4).cells)  # one is injected
        self.section, self.index, self.end = "", 0, Event()
        self.begun = perf_counter()
        Thread(target=self.tell, daemon=True).start()

    def cell_starts(self, cell, cell_index):
        """Note where we are: the cell's number and the heading above it."""
        self.index = cell_index
        if cell.cell_type == "markdown":
            heads = [x for x in cell.source.splitlines() if x.startswith("#")]
            self.section = heads[-1].lstrip("# ") if heads else self.section

    def tell(self):
        """Print until the end."""
        terminal = sys.stderr.isatty()
        start, end = ("\r\033[K", "") if terminal else ("", "\n")
        while not self.end.wait(1 if terminal else self.every_s):
            print(f"{start}{self.name}: cell {self.index + 1} of {self.n_cells}, "
                  f"{self.section}, {perf_counter() - self.begun:.0f} s", end=end,
                  file=sys.stderr, flush=True)
        print(start, end="", file=sys.stderr, flush=True)


def known_parameters(path):
    """The names of a notebook's parameters."""
    return papermill.inspect_notebook(path)


def normalised(nb):
    """The notebook as it is stored: without injected cell and execution metadata, its
    cells numbered from 1."""
    nb.cells = [c for c in nb.cells
                if "injected-parameters" not in c.metadata.get("tags", [])]
    code = [c for c in nb.cells if c.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    for cell in nb.cells:
        cell.metadata = {k: v for k, v in cell.metadata.items()
                         if k in ("tags", "slideshow") and v}
    language = {k: v for k, v in nb.metadata.language_info.items() if k != "version"}
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python",
              "name": "python3"}
    title = nb.cells[0].source.partition("\n")[0].lstrip("# ")
    nb.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": language,
                                      "title": title})
    return nb


def answers(nb):
    """The text that the cells tagged `answer` printed."""
    return [output.text for cell in nb.cells if "answer" in cell.metadata.get("tags", [])
            for output in cell.outputs if output.output_type == "stream"]


def plain_error(error):
    """An error as one line; of a file that cannot be written, its path and why."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'build'}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__


def located(path, root):
    """A path as a person in that folder would write it."""
    return os.path.relpath(path, root) if path.is_relative_to(root) else str(path)
