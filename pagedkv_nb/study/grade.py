"""Marks of submitted notebooks: each is run, then the judges are given the answers it computed.

    python -m pagedkv_nb.study.grade      those in $FOLDER, a file or a folder a student
"""
import ast
import asyncio
import os
from multiprocessing.pool import ThreadPool
from pathlib import Path

import nbformat
import pandas as pd
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

from .run import BUILD, command, located, plain_error, workplace

CELL_S, NOTEBOOK_S = 60, 600  # what a cell may take, what all of a notebook may
HOW = {"interrupt_on_timeout": True, "allow_errors": True, "kernel_name": "python3",
       "extra_arguments": ["--log-level=ERROR"]}
RIGHT = {"text/plain": "'right'"}
JUDGE = """import sys
for name in [n for n in sys.modules if n.startswith("pagedkv_nb.study.exercises")]:
    del sys.modules[name]  # a cell may have changed it
from pagedkv_nb.study.exercises import verdict
verdict({}, {})"""


def judges(nb):
    """{exercise: a cell that judges what the last `check` of it was given}."""
    plain, found = TransformerManager().transform_cell, {}
    for cell in nb.cells:
        try:
            tree = ast.parse(plain(cell.source) if cell.cell_type == "code" else "")
        except SyntaxError:  # that cell cannot run either
            continue
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call)
                 and ast.unparse(node.func) == "check" and len(node.args) == 2)
        for exercise, answer in (map(ast.unparse, call.args) for call in calls):
            judge = nbformat.v4.new_code_cell(JUDGE.format(exercise, answer))
            found[str(ast.literal_eval(exercise))] = judge
    return found


def graded(path, folder):
    """{exercise: 1 if it is right, else 0} of a submission, and the first that went wrong."""
    judged = {}
    try:
        nb = nbformat.read(path, as_version=4)
        nb.cells += (judged := judges(nb)).values()
        client = NotebookClient(nb, timeout=CELL_S, resources={"metadata": {"path": folder}}, **HOW)
        asyncio.run(asyncio.wait_for(client.async_execute(), NOTEBOOK_S))
        remark = first_error(nb)
    except Exception as error:  # a student's file, whatever it does
        remark = plain_error(error).split(". ")[0][:120]
    print(f"{path.name}: {remark or 'ok'}", flush=True)
    return {exercise: sum(output.output_type == "execute_result"  # what is printed counts nothing
                          and output.data == RIGHT for output in cell.outputs)
            for exercise, cell in judged.items()}, remark


def first_error(nb):
    """The first error of a notebook that was run, in a line; empty if there is none."""
    for count, cell in enumerate(nb.cells, 1):
        for error in (o for o in cell.get("outputs", []) if o.output_type == "error"):
            if error.ename == "KeyboardInterrupt":
                return f"cell {count}: stopped after {CELL_S} s"
            return f"cell {count}: {error.ename}: {error.evalue}"[:120]
    return ""


def grade(folder):
    """A DataFrame, a row a student, a column an exercise and one of remarks."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()
             and not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    with workplace() as work, ThreadPool() as threads:
        runs = threads.starmap(graded, [(path, str(work)) for path in paths], 1)
    rows = {}
    for path, (marks, remark) in zip(paths, runs):
        student = path.relative_to(folder).parts[0].removesuffix(path.suffix)
        row = rows.setdefault(student, {"remark": ""})
        row |= marks | {"remark": "; ".join(filter(None, (row["remark"], remark)))}
    order = sorted({n for marks, _ in runs for n in marks}, key=lambda n: [*map(int, n.split("."))])
    return pd.DataFrame(rows.values(), rows, [*order, "remark"], object).rename_axis("student")


def main():
    """Grade what $FOLDER holds into build/grades.csv."""
    folder, target = Path(os.environ["FOLDER"]), BUILD / "grades.csv"
    if not folder.name or not folder.is_dir() or not any(folder.iterdir()):
        raise ValueError(f"FOLDER={folder}: must be a folder with submitted notebooks")
    table = grade(folder)
    table.to_csv(target)
    print(f"{located(target)}: {len(table)} students, {len(table.columns) - 1} exercises")


if __name__ == "__main__":
    command(main)
