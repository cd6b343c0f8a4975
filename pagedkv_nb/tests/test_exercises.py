"""The judges of the exercises (07's are in test_prompts): right answers pass, near misses get a
hint."""
import pytest

from pagedkv_nb.paging import PagePool
from pagedkv_nb.sizing import Deployment, Model
from pagedkv_nb.study.exercises import check, ex01, ex02, ex03, ex04, ex05, ex09, ex08


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


def gpus_needed(name, gpu, n_sequences, n_tokens, counts=(1, 2, 4, 8, 16)):
    for n in counts:
        try:
            if Deployment(Model.named(name), gpu, n).sequences(n_tokens) >= n_sequences:
                return n
        except ValueError:
            pass
    return None


class Queue(PagePool):
    def release(self, page):
        super().release(page)
        if self.ref_count(page) == 0:
            self._free.insert(0, self._free.pop())


class Careless(Queue):
    def release(self, page):
        try:
            super().release(page)
        except ValueError:
            pass


class NeverShares(Queue):
    def share(self, page):
        pass


def beam_step(beams, parents, leak=False, write=True, alone=False):
    new = [beams[parent].fork() for parent in parents]
    for beam in beams if not leak else ():
        beam.free()
    for beam in new if write else ():
        if alone:
            n = beam.n_tokens
            beam.free()
            beam.append(n)
        beam.append()
    return new


def renamed(tables, start=0, each=False):
    names = {}
    return [[({} if each else names).setdefault(page, start + len(names)) for page in table]
            for table in tables]


def chunks(prompts, decoding, budget, each=False, forget=False):
    left, passed = list(prompts) if each else [sum(prompts)], []
    for n in left:
        while n:
            part = min(n, budget - decoding)
            passed.append(part if forget else decoding + part)
            n -= part
    return passed


RIGHT = [(ex01.exercise_1, 2 * 80 * 2 * 8 * 128), (ex01.exercise_2, 2536),
         (ex01.exercise_2, 2536.0), (ex01.exercise_3, gpus_needed),
         (ex03.exercise_1, (14, 12)), (ex03.exercise_1, [14, 12]), (ex03.exercise_2, 117),
         (ex03.exercise_3, Queue), (ex04.exercise_1, 9), (ex04.exercise_2, 23),
         (ex04.exercise_3, beam_step), (ex09.exercise_1, 0.0), (ex09.exercise_2, 324),
         (ex09.exercise_3, renamed), (ex08.exercise_1, 31_738), (ex08.exercise_2, 201),
         (ex08.exercise_3, chunks), (ex02.exercise_1, (11, 5, 11, 1)), (ex02.exercise_1, [11.0, 5, 11, 1]),
         (ex02.exercise_2, (25, 8)), (ex02.exercise_3, best_fit), (ex05.exercise_1, 38 / 48),
         (ex05.exercise_1, 0.79), (ex05.exercise_2, 8467), (ex05.exercise_2, 8500.0),
         (ex05.exercise_3, best_page_size)]
WRONG = [(ex01.exercise_1, 4 * 80 * 2 * 8 * 128, "two bytes"),
         (ex01.exercise_1, 80 * 2 * 8 * 128, "as many KV heads"),
         (ex01.exercise_1, 80 * 2 * 64 * 128, "not query heads"),
         (ex01.exercise_2, 2535, "more than half"), (ex01.exercise_2, 2537, "shorter"),
         (ex01.exercise_2, 2536.5, "whole number"),
         (ex01.exercise_3, lambda *a: gpus_needed(*a, counts=(2, 4, 8, 16)), "not the fewest"),
         (ex01.exercise_3, lambda *a: gpus_needed(*a) and 1, "too few"),
         (ex01.exercise_3, lambda *a: gpus_needed(*a) or 16, "16 are too few"),
         (ex03.exercise_1, (16, 16), "whole pages"), (ex03.exercise_1, (14, 25), "rounded up"),
         (ex03.exercise_2, 116, "still fuller"), (ex03.exercise_2, 128, "no powers of two"),
         (ex03.exercise_3, PagePool, "freed in the order"), (ex03.exercise_3, Careless, "ValueError"),
         (ex03.exercise_3, NeverShares, "another holder"),
         (ex04.exercise_1, 10, "last to write"), (ex04.exercise_1, 1, "somebody else"),
         (ex04.exercise_2, 24, "own table"), (ex04.exercise_2, 14, "five pages"),
         (ex04.exercise_2, 50, "full pages"),
         (ex04.exercise_3, lambda *a: beam_step(*a, leak=True), "left over"),
         (ex04.exercise_3, lambda *a: beam_step(*a, write=False), "one token more"),
         (ex04.exercise_3, lambda *a: beam_step(*a, alone=True), "keep sharing"),
         (ex09.exercise_1, 0.125, "left over"), (ex09.exercise_1, 0.01, "remainder alone"),
         (ex09.exercise_2, 202, "half of its output"), (ex09.exercise_2, 132, "divide"),
         (ex09.exercise_3, lambda t: renamed(t, each=True), "keep its name"),
         (ex09.exercise_3, lambda t: renamed(t, start=1), "count up"),
         (ex08.exercise_1, 34_079, "not GiB"), (ex08.exercise_1, 15_869, "two bytes"),
         (ex08.exercise_1, 1000, "as many bytes"), (ex08.exercise_2, 401, "two operations"),
         (ex08.exercise_2, 7, "set bytes"),
         (ex08.exercise_3, lambda *a: chunks(*a, forget=True), "a token each"),
         (ex08.exercise_3, lambda *a: chunks(*a, each=True), "across prompts"), (ex02.exercise_1, (11, 5, 8, 4), "reservations"), (ex02.exercise_1, (11, 5, 11), "four"),
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


@pytest.mark.parametrize("number", [f"{n}.{i}" for n in (1, 2, 3, 4, 5, 7, 8, 9) for i in (1, 2, 3)])
def test_every_exercise_answers_whatever_it_is_given(number, capsys):
    for answer in (None, "no idea", -1, float("nan"), (), {}, lambda *a: 1 / 0, type):
        check(number, answer)
        told = capsys.readouterr().out
        assert told.startswith(f"Exercise {number}: not ") and told.count("\n") == 1
        assert ("not answered yet" in told) == (answer is None)
