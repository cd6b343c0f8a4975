"""Checks of the exercises' answers: right, or what a wrong one probably forgot.

The judges of notebook NN are the functions `exercise_1`, `exercise_2` ... of module `exNN`:
each takes an answer and returns None if it is right, else a hint that does not give it away.
"""
from importlib import import_module


def check(number, answer):
    """Say whether an answer is right; `number` is "3.2": notebook 03, exercise 2."""
    print(f"Exercise {number}: {verdict(number, answer)}")


def verdict(number, answer):
    """"right", or what is not yet; an answer of None is not answered yet, and one that cannot
    be judged says why."""
    notebook, _, exercise = number.partition(".")
    judge = getattr(import_module(f"{__name__}.ex{notebook:0>2}"), f"exercise_{exercise}")
    if answer is None:
        return "not answered yet"
    try:
        hint = judge(answer)
    except Exception as error:  # the reader's code or value, whatever it does
        hint = f"it fails with {type(error).__name__}: {error}"
    return "right" if hint is None else f"not yet: {hint}"
