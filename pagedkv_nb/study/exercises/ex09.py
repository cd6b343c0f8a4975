"""Judges of the exercises of notebook 09."""
from numpy.random import RandomState

from ...facts import facts
from ...serving import POLICIES, Server, steady_state
from ...traffic import read_workload
from .hints import first_wrong, number


def external(slots):
    """The external share of Orca (Max), averaged over time."""
    requests = read_workload("sharegpt_paper", 1000, RandomState(0)).shorter_than(2048)
    server = Server(POLICIES["max"].memory(slots, 2048), requests)
    server.run(500)
    return steady_state(server)["external"]


def exercise_1(answer):
    """The external share of Orca (Max) in 16,384 slots."""
    share, old = "a share of the memory is asked for", "that is the remainder of 15,728 slots"
    fewer = "how many reservations of 2,048 slots are there now, and what is left over?"
    none = "equal reservations leave no holes; count the remainder alone"
    if 0.5 < answer < 0.7:
        return "that is lost inside the reservations, internally"
    before = external(15_728)
    return number(answer, external(16_384), {
        16_384 // 2048: share, 15_728 % 2048: share, before: old},
        fewer if answer > 0.05 else none, abs_tol=1e-4)


def exercise_2(answer):
    """Requests at once if memory were the limit, for Alpaca: with half of the output or, as in
    notebook 2, of output + 1; with or without the rest of a last page."""
    told = facts("published").query("case == 'Alpaca at 30 requests/s'")
    told = told.set_index("quantity")["value"]
    slots, prompt, output = 15_728, told["prompt_tokens"], told["output_tokens"]
    right = [slots / (prompt + (output + first) / 2 + rest) for first in (0, 1)
             for rest in (0, 7.5)]
    both = "a running request holds both its prompt and what it has written"
    return number(answer, right[0], dict.fromkeys(right[1:]) | {
        slots / (prompt + output): "a running request has written only half of its output, on "
        "average", slots / prompt: both, slots / output: both, 2 * slots / output: both,
        slots / 64: "half a page is lost at the end, not up to a page",
        slots / 2048: "each would reserve the maximum, as Orca (Max) does",
        told["requests_at_once"]: "the paper's number is what to compare with",
        2 * slots / (prompt + output): "the output is halved, not the prompt"},
        "divide the slots by the tokens that a running request holds on average", rel_tol=0.003)


def exercise_3(renamed):
    """Pages renamed in order of first appearance."""
    cases = (([], []), ([[7]], [[0]]), ([[5, 3], [3, 9]], [[0, 1], [1, 2]]),
             ([[2, 4], [], [4, 2, 8], [1]], [[0, 1], [], [1, 0, 2], [3]]))
    return first_wrong(lambda tables: [list(table) for table in renamed(tables)],
                       (((tables,), right) for tables, right in cases), why, keeps=True)


def why(found, right, tables):
    """What is wrong with the names of the pages."""
    flat, names = sum(found, []), sum(right, [])
    if [len(table) for table in found] != [len(table) for table in right]:
        return "each table keeps its place and its length"
    if len(set(zip(names, flat))) != len(set(names)):
        return "the same page must keep its name in all tables"
    if len(set(flat)) != len(set(names)):
        return "two pages may not have one name"
    return "names count up from 0 as pages first appear"
