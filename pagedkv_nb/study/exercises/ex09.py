"""Judges of the exercises of notebook 09."""


def exercise_1(answer):
    """The external share of Orca (Max) in 16,384 slots."""
    if abs(answer) < 1e-9:
        return None
    if abs(answer - (1 - 14_336 / 16_384)) < 0.002 or answer > 0.05:
        return "how many reservations of 2,048 slots are there now, and what is left over?"
    return "equal reservations leave no holes; count the remainder alone"


def exercise_2(answer):
    """Requests at once if memory were the limit, for Alpaca."""
    right = 15_728 / (19.31 + 58.45 / 2)
    if abs(answer / right - 1) < 0.01:
        return None
    if abs(answer / (15_728 / (19.31 + 58.45)) - 1) < 0.01:
        return "a running request has written only half of its output, on average"
    if any(abs(answer / (15_728 / part) - 1) < 0.01 for part in (19.31, 58.45, 58.45 / 2)):
        return "a running request holds both its prompt and what it has written"
    return "divide the slots by the tokens that a running request holds on average"


def exercise_3(renamed):
    """Pages renamed in order of first appearance."""
    cases = (([], []), ([[7]], [[0]]), ([[5, 3], [3, 9]], [[0, 1], [1, 2]]),
             ([[2, 4], [], [4, 2, 8], [1]], [[0, 1], [], [1, 0, 2], [3]]))
    for tables, right in cases:
        found = [list(table) for table in renamed([list(t) for t in tables])]
        if found != right:
            return (f"{tables} becomes {found}: the same page must keep its name in all "
                    "tables, and names count up as pages first appear")
    return None
