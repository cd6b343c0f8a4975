"""The judges of notebooks 02 and 05: right answers pass, near misses get a hint."""
import pytest

from pagedkv_nb.study.exercises import ex02, ex05


def best_fit(pieces, slots, size, pick=min, end=True):
    starts = [0] + [address + length for address, length in pieces]
    ends = [address for address, _ in pieces] + [slots] * end
    enough = [(b - a, a) for a, b in zip(starts, ends) if b - a >= size]
    return pick(enough)[1] if enough else None


def best_page_size(lengths, entry, sizes, up=1, last=1):
    cost = {s: (s + entry) * sum(-(-n // s) if up else n // s for n in lengths) for s in sizes}
    return min(sizes, key=lambda size: (cost[size], last * size))


def forgets_the_order(pieces, slots, size):
    pieces.reverse()
    return best_fit(pieces[::-1], slots, size)


RIGHT = [(ex02.exercise_1, (11, 5, 11, 1)), (ex02.exercise_1, [11.0, 5, 11, 1]),
         (ex02.exercise_2, (25, 8)), (ex02.exercise_3, best_fit), (ex05.exercise_1, 38 / 48),
         (ex05.exercise_1, 0.79), (ex05.exercise_2, 8467), (ex05.exercise_2, 8500.0),
         (ex05.exercise_3, best_page_size)]
WRONG = [(ex02.exercise_1, (11, 5, 8, 4), "reservations"), (ex02.exercise_1, (11, 5, 11), "four"),
         (ex02.exercise_1, (12, 4, 11, 1), "server's choice"), (ex02.exercise_1, (11, 5, 1, 1), "28"),
         (ex02.exercise_2, (33, 0), "power of two"), (ex02.exercise_2, (25, 9), "together"),
         (ex02.exercise_3, lambda *a: None, "there is a hole"),
         (ex02.exercise_3, lambda *a: best_fit(*a, pick=max), "smaller"),
         (ex02.exercise_3, lambda *a: best_fit(*a, end=False), "last piece"),
         (ex02.exercise_3, lambda *a: 0, "no hole begins"),
         (ex02.exercise_3, lambda *a: best_fit(*a) or 0, "None"),
         (ex02.exercise_3, forgets_the_order, "changed"),
         (ex05.exercise_1, 38 / 64, "16"), (ex05.exercise_1, 0.95, "whole"), (ex05.exercise_1, 79, "share"),
         (ex05.exercise_1, 0.5, "round up"), (ex05.exercise_2, 92, "root"), (ex05.exercise_2, 1, "0.001"),
         (ex05.exercise_2, 200, "one_sd"), (ex05.exercise_3, lambda n, e, s: min(s), "block table"),
         (ex05.exercise_3, lambda n, e, s: max(s), "empty slots"), (ex05.exercise_3, lambda n, e, s: 3, "none of"),
         (ex05.exercise_3, lambda *a: best_page_size(*a, up=0), "round"),
         (ex05.exercise_3, lambda *a: best_page_size(*a, last=-1), "smaller")]


@pytest.mark.parametrize("judge, answer", RIGHT)
def test_right_answers_pass(judge, answer):
    assert judge(answer) is None


@pytest.mark.parametrize("judge, answer, hint", WRONG)
def test_wrong_answers_hear_what_they_forgot(judge, answer, hint):
    assert hint in judge(answer)
