"""Judges of the exercises of notebook 09."""
from .hints import number


def exercise_1(answer):
    """The external share of Orca (Max) in 16,384 slots."""
    fewer = "how many reservations of 2,048 slots are there now, and what is left over?"
    none = "equal reservations leave no holes; count the remainder alone"
    return number(answer, 0, {}, fewer if answer > 0.05 else none, abs_tol=1e-9)


def exercise_2(answer):
    """Requests at once if memory were the limit, for Alpaca."""
    slots, prompt, output = 15_728, 19.31, 58.45
    both = "a running request holds both its prompt and what it has written"
    half = "a running request has written only half of its output, on average"
    return number(answer, slots / (prompt + output / 2), {
        slots / (prompt + output): half, slots / prompt: both, slots / output: both,
        2 * slots / output: both},
        "divide the slots by the tokens that a running request holds on average", rel_tol=0.01)


def exercise_3(renamed):
    """Pages renamed in order of first appearance."""
    cases = (([], []), ([[7]], [[0]]), ([[5, 3], [3, 9]], [[0, 1], [1, 2]]),
             ([[2, 4], [], [4, 2, 8], [1]], [[0, 1], [], [1, 0, 2], [3]]))
    for tables, right in cases:
        found = [list(table) for table in renamed([list(table) for table in tables])]
        if found != right:
            return (f"{tables} becomes {found}: the same page must keep its name in all "
                    "tables, and names count up as pages first appear")
    return None
