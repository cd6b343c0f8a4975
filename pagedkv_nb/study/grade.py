"""Marks of submitted notebooks: each is run, then the judges are given the answers it computed.

    python -m pagedkv_nb.study.grade      those in $FOLDER, a file or a folder a student
"""
import ast
import asyncio
import os
from pathlib import Path

import nbformat
import pandas as pd
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

from .run import BUILD, command, located, plain_error, workplace

CELL_S, NOTEBOOK_S = 60, 600  # what a cell may take, what all of a notebook may
HOW = {"interrupt_on_timeout": True, "allow_errors": True, "kernel_name": "python3",
       "extra_arguments": ["--log-level=ERROR"]}
JUDGE = """import sys
for name in [n for n in sys.modules if n.startswith("pagedkv_nb.study.exercises")]:
    del sys.modules[name]  # a cell may have changed it
from pagedkv_nb.study.exercises import verdict
verdict("{}", {})"""


def asked(nb):
    """{exercise: what the last `check` of it was given, as code}."""
    plain, found = TransformerManager().transform_cell, {}
    for cell in nb.cells:
        try:
            tree = ast.parse(plain(cell.source) if cell.cell_type == "code" else "")
        except SyntaxError:  # that cell cannot run either
            continue
        found |= {str(ast.literal_eval(node.args[0])): ast.unparse(node.args[1])
                  for node in ast.walk(tree) if isinstance(node, ast.Call)
                  and ast.unparse(node.func) == "check" and len(node.args) == 2}
    return found


async def graded(path, folder, turn):
    """{exercise: 1 if it is right, else 0} of a submission, and the first that went wrong."""
    judged, remark = {}, ""
    async with turn:
        try:
            nb = nbformat.read(path, as_version=4)
            judged = {exercise: nbformat.v4.new_code_cell(JUDGE.format(exercise, answer))
                      for exercise, answer in asked(nb).items()}
            nb.cells += judged.values()
            client = NotebookClient(nb, timeout=CELL_S, resources={"metadata": {"path": folder}}, **HOW)
            await asyncio.wait_for(client.async_execute(), NOTEBOOK_S)
            remark = first_error(nb)
        except Exception as error:  # a student's file, whatever it does
            remark = plain_error(error).split(". ")[0][:120]
    print(f"{path.name}: {remark or 'ok'}", flush=True)
    return {number: sum(output.output_type == "execute_result" and  # what is printed counts nothing
                        output.data.get("text/plain") == "'right'" for output in cell.outputs)
            for number, cell in judged.items()}, remark


def first_error(nb):
    """The first error of a notebook that was run, in a line; empty if there is none."""
    for count, cell in enumerate(nb.cells, 1):
        for error in (o for o in cell.get("outputs", []) if o.output_type == "error"):
            if error.ename == "KeyboardInterrupt":
                return f"cell {count}: stopped after {CELL_S} s"
            return f"cell {count}: {error.ename}: {error.evalue}"[:120]
    return ""


async def grade(folder):
    """A DataFrame, a row a student, a column an exercise and one of remarks."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()
             and not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    turn, rows = asyncio.Semaphore(os.cpu_count()), {}
    with workplace() as work:
        runs = await asyncio.gather(*(graded(path, str(work), turn) for path in paths))
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
    table = asyncio.run(grade(folder))
    table.to_csv(target)
    print(f"{located(target)}: {len(table)} students, {len(table.columns) - 1} exercises")


if __name__ == "__main__":
    command(main)
