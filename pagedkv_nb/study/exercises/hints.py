"""What the judges have in common: hints on a number, and on what a function returns."""
from copy import deepcopy
from math import isclose
from reprlib import repr as short


def number(answer, right, mistakes, otherwise, **within):
    """None for the right number, else the hint that `mistakes` {number: hint} has for it, or the
    other one; numbers are the same `within` what `math.isclose` allows."""
    for value, hint in [(right, None), *mistakes.items()]:
        if isclose(answer, value, **within):
            return hint
    return otherwise


def whole(answer):
    """Whether it is a whole number, of any type."""
    return hasattr(answer, "__int__") and answer == int(answer)


def smallest(answer, holds, below, above):
    """None for the smallest whole number from 1 on that `holds`, else a hint on one that is
    `below` or `above` it."""
    if not whole(answer) or answer < 1:
        return "a whole number of tokens is asked for"
    if not holds(int(answer)):
        return below
    return above if answer > 1 and holds(int(answer) - 1) else None


def first_wrong(function, cases, why, keeps=False):
    """None if a function returns what is right in all cases (arguments, right), else a hint on
    the first other one, which `why(found, right, *arguments)` ends; `keeps`: or if it changes
    its arguments."""
    for arguments, right in cases:
        given = deepcopy(arguments)
        found = function(*given)
        if keeps and given != arguments:
            return f"for {short(arguments)} a list was changed; only return the answer"
        if found != right:
            hint = why(found, right, *arguments)
            return f"for {short(arguments)} it returns {short(found)}: {hint}"
    return None
