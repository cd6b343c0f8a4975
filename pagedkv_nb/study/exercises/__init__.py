"""Checks of the exercises' answers: right, or what a wrong one probably forgot."""
from .functions import FUNCTIONS
from .numbers import NUMBERS
from .pools import POOLS

EXERCISES = NUMBERS | FUNCTIONS | POOLS  # by name: "3.2" is notebook 03, exercise 2


def check(number, answer):
    """Say whether the answer to an exercise is right."""
    print(f"Exercise {number}: {verdict(number, answer)}")


def verdict(number, answer):
    """"right", "not answered yet", or "not yet" and a hint that does not give the answer away."""
    exercise = EXERCISES[number]
    if answer is None:
        return "not answered yet"
    try:
        hint = exercise.hint(answer)
    except Exception as error:  # the reader's code or value, whatever it does
        hint = f"it fails with {type(error).__name__}: {error}"
    return "right" if hint is None else f"not yet: {hint}"
