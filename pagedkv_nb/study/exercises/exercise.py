"""What an exercise is: the right answer, and rows of what is wrong and why."""
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from math import isclose
from reprlib import repr as short


@dataclass(frozen=True)
class Exercise:
    """An exercise whose answer is a value, or a function that is tried in some cases.

    `right(*case)` is what is right: one value, or a set of such. `hints` are {hint: wrong}; of
    the rows that fit the first counts. What is wrong is a value or a set of some; a function
    (found, right, *case) returns the value, or whether the row fits. `otherwise` is the hint if
    no row does, or a pair of hints on a number that is too small, too large.
    """

    right: Callable
    hints: dict
    otherwise: str | tuple
    near: float = 1e-9  # a difference in proportion
    cases: Callable = lambda: [()]
    run: Callable | None = None  # what is found with an answer in a case, if not what it returns
    keeps: bool = True  # an argument must not be changed

    def hint(self, answer):
        """None for the right answer, else what is wrong with it, in the first case that tells."""
        for case in self.cases():
            given, right = deepcopy(case), self.right(*case)
            run = self.run or (lambda function, *x: function(*x) if x else function)
            found = plain(run(answer, *given))
            if self.keeps and given != case:
                return f"for {short(case)} a list was changed; only return the answer"
            if not self.same(found, right):
                hint = self.mistake(found, plain(right), case)
                told = f"for {short(case)} it returns {short(found)}: {hint}"
                return told if case and not self.run else hint
        return None

    def mistake(self, found, right, case):
        """The hint on what was found in a case."""
        for hint, wrong in self.hints.items():
            fits = wrong(found, right, *case) if callable(wrong) else wrong
            if fits is True or not isinstance(fits, bool) and self.same(found, fits):
                return hint
        return self.otherwise if isinstance(self.otherwise, str) else self.otherwise[found > right]

    def same(self, found, values):
        """Whether what was found is that value, or one of a set of them."""
        several = values if isinstance(values, set) else [values]
        return any(found == plain(value) or all(hasattr(x, "__float__") for x in (found, value))
                   and isclose(found, value, rel_tol=self.near, abs_tol=1e-9) for value in several)


def plain(value):
    """A value without NumPy's types, and every sequence in it as a list."""
    value = value.tolist() if hasattr(value, "tolist") else value
    several = hasattr(value, "__iter__") and not isinstance(value, (str, set))
    return [*map(plain, value)] if several else value
