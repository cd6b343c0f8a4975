"""The judges of the exercises: right answers pass, near misses get a hint."""
import re
from collections import deque
from fractions import Fraction

import numpy as np
import pytest

from pagedkv_nb.paging import OutOfPages, PagePool
from pagedkv_nb.sizing import GIB, Deployment, Model
from pagedkv_nb.study.exercises import (check, ex01, ex02, ex03, ex04, ex05, ex06, ex07, ex08, ex09,
                                        ex10)


def best_fit(pieces, slots, size, pick=min, end=True, last=1):
    starts = [0] + [address + length for address, length in pieces]
    ends = [address for address, _ in pieces] + [slots] * end
    enough = [(b - a, last * a) for a, b in zip(starts, ends) if b - a >= size]
    return last * pick(enough)[1] if enough else None


def first_fit(*case):
    return best_fit(*case, pick=lambda holes: min(holes, key=lambda hole: hole[1]))


def best_fit_slot_by_slot(pieces, slots, size):
    taken = {slot for address, length in pieces for slot in range(address, address + length)}
    found = None
    for n in range(slots, size - 1, -1):
        for a in reversed(range(slots - n + 1)):
            around = {a - 1, a + n} - {-1, slots}
            if not taken & set(range(a, a + n)) and around <= taken:
                found = a
    return found


def forgets_the_order(pieces, slots, size):
    pieces.reverse()
    return best_fit(pieces[::-1], slots, size)


def longest_context(name, gib, unit=GIB, share=1.0, windows=True, most=True, less=0):
    model = Model.named(name)
    room, each = gib * unit * share, model.kv_bytes(1)
    local = each * model.local_layers // model.layers
    if not windows or room <= model.window * each:
        n = room // each
    else:
        n = (room - local * model.window) // (each - local)
    return int(min(n, model.max_context) if most else n) - less


def counted_up(name, gib):  # the same, one by one
    model, n = Model.named(name), 0
    while n < model.max_context and model.kv_bytes(n + 1) <= gib * GIB:
        n += 1
    return float(n)


def of_query_heads(name, gib):
    model = Model.named(name)
    return longest_context(name, gib, share=(model.kv_heads or 1) / model.q_heads)


def gpus_needed(name, gpu, n_sequences, n_tokens, counts=(1, 2, 4, 8, 16), dtype="fp16"):
    for n in counts:
        try:
            if Deployment(Model.named(name), gpu, n).sequences(n_tokens, dtype) >= n_sequences:
                return n
        except ValueError:
            pass
    return None


def gpus_by_doubling(name, gpu, n_sequences, n_tokens):
    n = 1
    while n <= 16:
        try:
            if Deployment(Model.named(name), gpu, n).sequences(n_tokens) >= n_sequences:
                return float(n)
        except ValueError:
            pass
        n *= 2


def gpus_by_tokens(name, gpu, n_sequences, n_tokens, copies=True, windows=True):
    for power in range(5):
        try:
            d = Deployment(Model.named(name), gpu, 2**power)
        except ValueError:
            continue
        bytes_each = d.model.kv_bytes(n_tokens) * (d.model.copies_on(2**power) if copies else 1)
        each = bytes_each if windows else n_tokens * d.model.kv_bytes_on(2**power, 1)
        if n_sequences * each <= d.kv_budget_bytes:
            return 2**power


def gpus_at_admission(name, gpu, n_sequences, n_tokens):
    for n in (1, 2, 4, 8, 16):
        try:
            if Deployment(Model.named(name), gpu, n).admitted(n_tokens, "fp16") >= n_sequences:
                return n
        except ValueError:
            pass


CARD = Deployment(Model.named("Llama-2-7B"), "RTX-4080-16GB")


def share(weights=1, overhead=1, cache=1.0, card=CARD.reported_bytes):
    return (weights * CARD.weight_bytes + overhead * sum(CARD.overheads.values())
            + cache * 2**30) / card


class Queue(PagePool):
    def release(self, page):
        super().release(page)
        if self.ref_count(page) == 0:
            self._free.insert(0, self._free.pop())


class FromTheFront(PagePool):  # the same, from the other end of the list
    def _next_free(self):
        if not self._free:
            raise OutOfPages("no page")
        return self._free.pop(0)


class OfItsOwn(PagePool):
    def __init__(self, total_pages, page_size=16):
        super().__init__(total_pages, page_size)
        self.waiting = deque(range(total_pages))

    def _next_free(self):
        if self.waiting:
            return self.waiting.popleft()
        raise OutOfPages("none is left")

    def _put_back(self, page):
        self.waiting.append(page)


class Careless(Queue):
    def release(self, page):
        try:
            super().release(page)
        except ValueError:
            pass


class NeverShares(Queue):
    def share(self, page):
        pass


class NeverCounts(Queue):
    def release(self, page):
        self._held(page)
        self._put_back(self._ref_counts.pop(page) and page)


class Unchecked(PagePool):
    def _next_free(self):
        return self._free.pop(0)


class SaysNone(FromTheFront):
    def _next_free(self):
        return self._free.pop(0) if self._free else None


class Twice(FromTheFront):
    def _put_back(self, page):
        self._free += [page, page]


class NeverTaken(PagePool):
    def _next_free(self):
        return self._free[0]


class Again(FromTheFront):  # once all have been handed out it begins anew
    def _next_free(self):
        self._free = self._free or list(range(self.total_pages))
        return super()._next_free()


class Lost(FromTheFront):
    def _put_back(self, page):
        pass


class Lowest(FromTheFront):
    def _put_back(self, page):
        self._free = sorted([*self._free, page])


class BothEnds(FromTheFront):
    def _put_back(self, page):
        self._free.insert(0, page)


RIGHT = [(ex01.exercise_1, 80 * 2 * 8 * 128), (ex01.exercise_1, 163_840.0),
         (ex01.exercise_2, 2536), (ex01.exercise_2, 2536.0),
         (ex01.exercise_3, longest_context), (ex01.exercise_3, counted_up),
         (ex10.exercise_1, 2 * 80 * 2 * 8 * 128), (ex10.exercise_1, 327_680.0),
         (ex10.exercise_2, share()), (ex10.exercise_2, round(share(), 3)), (ex10.exercise_2, round(share(), 4)),
         (ex10.exercise_3, gpus_needed), (ex10.exercise_3, gpus_by_tokens),
         (ex10.exercise_3, gpus_by_doubling), (ex03.exercise_1, (14, 12)),
         (ex03.exercise_1, [14, 12.0]), (ex03.exercise_2, 117), (ex03.exercise_2, np.float64(117)),
         (ex03.exercise_3, Queue), (ex03.exercise_3, FromTheFront), (ex03.exercise_3, OfItsOwn),
         (ex02.exercise_1, (11, 5, 11, 1)), (ex02.exercise_1, [11.0, 5, 11, 1]),
         (ex02.exercise_2, (25, 8, False)), (ex02.exercise_2, [25.0, 8, 0]), (ex02.exercise_3, best_fit),
         (ex02.exercise_3, best_fit_slot_by_slot)]
WRONG = [(ex01.exercise_1, 2 * 80 * 2 * 8 * 128, "two bytes"),
         (ex01.exercise_1, 80 * 8 * 128, "a K and a V"), (ex01.exercise_1, 160, "KiB"),
         (ex01.exercise_1, 80 * 2 * 64 * 128, "query heads"),
         (ex01.exercise_1, 2 * 8 * 128, "one layer"), (ex01.exercise_1, 80 * 2 * 128, "one KV head"),
         (ex01.exercise_1, 70.6e9, "multiply"),
         (ex01.exercise_2, 2535, "more than half"), (ex01.exercise_2, 2537, "shorter"),
         (ex01.exercise_2, 2536.5, "whole number"), (ex01.exercise_2, 2048, "more than half"),
         (ex01.exercise_2, 1024, "more than half"), (ex01.exercise_2, 0, "whole number"),
         (ex01.exercise_2, 53_248, "shorter"),
         (ex01.exercise_3, lambda *a: longest_context(*a, share=2), "two bytes a value"),
         (ex01.exercise_3, lambda *a: longest_context(*a, share=0.5), "not four"),
         (ex01.exercise_3, lambda *a: longest_context(*a, unit=10**9), "2³⁰"),
         (ex01.exercise_3, of_query_heads, "query heads"),
         (ex01.exercise_3, lambda *a: longest_context(*a, windows=False), "stop growing"),
         (ex01.exercise_3, lambda *a: longest_context(*a, most=False), "maximum is less"),
         (ex01.exercise_3, lambda *a: longest_context(*a, less=1), "longer one fits"),
         (ex01.exercise_3, lambda *a: longest_context(*a, less=-1), "more than there is"),
         (ex01.exercise_3, lambda name, gib: max(1, longest_context(name, gib)), "more than there is"),
         (ex01.exercise_3, lambda name, gib: gib * GIB / Model.named(name).kv_bytes(1), "whole number"),
         (ex01.exercise_3, lambda *a: print(end=""), "whole number"),
         (ex10.exercise_1, 4 * 80 * 2 * 8 * 128, "two bytes"),
         (ex10.exercise_1, 80 * 2 * 8 * 128, "as many KV heads"),
         (ex10.exercise_1, 16 * 80 * 2 * 8 * 128, "all heads"),
         (ex10.exercise_1, 2 * 80 * 2 * 8 * 128 / 16, "one GPU's"),
         (ex10.exercise_1, 80 * 2 * 64 * 128, "not stored"),
         (ex10.exercise_1, 2 * 2 * 8 * 128, "one layer"), (ex10.exercise_1, 320, "mind layers"),
         (ex10.exercise_2, 96.7, "between 0 and 1"), (ex10.exercise_2, -0.1, "between 0 and 1"),
         (ex10.exercise_2, share(card=2**34), "not of its label"),
         (ex10.exercise_2, share(overhead=0), "beside weights"),
         (ex10.exercise_2, share(weights=0), "weights need"),
         (ex10.exercise_2, share(cache=0), "no token"), (ex10.exercise_2, share(cache=0.5), "half"),
         (ex10.exercise_2, share() - 0.001, "not fit"),
         (ex10.exercise_2, share() + 0.004, "smaller share"), (ex10.exercise_2, CARD.share, "does not do"),
         (ex10.exercise_3, lambda *a: gpus_needed(*a, counts=(2, 4, 8, 16)), "one GPU may do"),
         (ex10.exercise_3, lambda *a: gpus_needed(*a, counts=range(1, 17)), "only 1, 2, 4, 8 and 16"),
         (ex10.exercise_3, lambda *a: gpus_needed(*a) and 1, "do not hold as many"),
         (ex10.exercise_3, lambda *a: gpus_needed(*a) or 16, "16 are too few"),
         (ex10.exercise_3, lambda *a: gpus_needed(*a, counts=(1, 2, 4)), "16 GPUs are asked about"),
         (ex10.exercise_3, lambda *a: None, "16 or fewer"),
         (ex10.exercise_3, lambda *a: gpus_needed(*a, counts=(1, 2, 4, 8)), "16 GPUs are asked about"),
         (ex10.exercise_3, lambda *a: gpus_needed(*a, dtype="fp8"), "two bytes"),
         (ex10.exercise_3, lambda name, gpu, n, length: gpus_needed(name, gpu, 1, length), "not one"),
         (ex10.exercise_3, lambda *a: gpus_by_tokens(*a, windows=False), "stop growing"),
         (ex10.exercise_3, gpus_at_admission, "moment of admission"),
         (ex10.exercise_3, lambda *a: gpus_by_tokens(*a, copies=False), "more than once"),
         (ex03.exercise_1, (16, 16), "whole pages"), (ex03.exercise_1, (14, 25), "one page of 64"),
         (ex03.exercise_1, (100, 25), "pages of the memory"), (ex03.exercise_1, (7, 2), "one request"),
         (ex03.exercise_1, (12, 14), "first"), (ex03.exercise_1, (15, 13), "only a part"),
         (ex03.exercise_1, (14, 13), "only a part"), (ex03.exercise_1, (14, 16), "whole pages"),
         (ex03.exercise_1, (16, 25), "7 pages"), (ex03.exercise_1, (10, 10), "rounded up"),
         (ex03.exercise_2, 116, "still fuller"), (ex03.exercise_2, 128, "no powers of two"),
         (ex03.exercise_2, 118, "already below"), (ex03.exercise_2, 256, "already below"),
         (ex03.exercise_2, 94, "mean of each request"), (ex03.exercise_2, 114, "equally likely"),
         (ex03.exercise_2, 113, "equally likely"), (ex03.exercise_2, 63, "its own last page"),
         (ex03.exercise_2, 16, "still fuller"), (ex03.exercise_2, 116.5, "whole number"),
         (ex03.exercise_3, PagePool, "freed in the order"), (ex03.exercise_3, Careless, "not held"),
         (ex03.exercise_3, NeverShares, "another holder"), (ex03.exercise_3, NeverCounts, "another holder"),
         (ex03.exercise_3, Unchecked, "must raise OutOfPages"), (ex03.exercise_3, SaysNone, "OutOfPages"),
         (ex03.exercise_3, Twice, "comes back once"), (ex03.exercise_3, NeverTaken, "five different pages"),
         (ex03.exercise_3, Again, "comes back once"),
         (ex03.exercise_3, Lost, "comes back once"), (ex03.exercise_3, Lowest, "freed in the order"),
         (ex03.exercise_3, BothEnds, "freed in the order"),
         (ex02.exercise_1, (11, 5, 8, 4), "reservations of 8"),
         (ex02.exercise_1, (11, 5, 11), "four"), (ex02.exercise_1, (12, 4, 11, 1), "server's choice"),
         (ex02.exercise_1, (16, 0, 11, 1), "server's choice"), (ex02.exercise_1, (11, 5, 1, 1), "28"),
         (ex02.exercise_1, (11, 5, 11, 4), "28"), (ex02.exercise_1, (11, 5, 1, 11), "the order"),
         (ex02.exercise_1, (11, 5, 9, 3), "each of the three"), (ex02.exercise_1, (11, 5, 2, 10), "all three"),
         (ex02.exercise_1, (11, 5, 12, 0), "left beside them"),
         (ex02.exercise_2, (33, 0, False), "power of two"), (ex02.exercise_2, (0, 33, True), "power of two"),
         (ex02.exercise_2, (25, 9, False), "together"), (ex02.exercise_2, (25, 8), "three things"),
         (ex02.exercise_2, (25, 8, True), "block of 16"), (ex02.exercise_2, (8, 25, False), "first"),
         (ex02.exercise_2, (1, 32, True), "power of two"), (ex02.exercise_2, (56, 8, False), "nobody asked"),
         (ex02.exercise_3, lambda *a: best_fit(*a, last=-1), "the lowest"),
         (ex02.exercise_3, lambda pieces, slots, size: best_fit(pieces, slots, size + 1), "there is a hole"),
         (ex02.exercise_3, first_fit, "a smaller hole"),
         (ex02.exercise_3, lambda *a: None, "there is a hole"),
         (ex02.exercise_3, lambda *a: best_fit(*a, pick=max), "smaller"),
         (ex02.exercise_3, lambda *a: best_fit(*a, end=False), "last piece"),
         (ex02.exercise_3, lambda *a: 0, "no hole begins"),
         (ex02.exercise_3, lambda *a: best_fit(*a) or 0, "None"),
         (ex02.exercise_3, forgets_the_order, "changed")]


@pytest.mark.parametrize("judge, answer", RIGHT)
def test_right_answers_pass(judge, answer):
    assert judge(answer) is None


@pytest.mark.parametrize("judge, answer, hint", WRONG)
def test_wrong_answers_hear_what_they_forgot(judge, answer, hint):
    assert hint in judge(answer)


@pytest.mark.parametrize("number", [f"{n}.{i}" for n in range(1, 11) for i in (1, 2, 3)])
def test_every_exercise_answers_whatever_it_is_given(number, capsys):
    for answer in (None, "no idea", -1, float("nan"), (), {}, lambda *a: 1 / 0, type):
        check(number, answer)
        told = capsys.readouterr().out
        assert told.startswith(f"Exercise {number}: not ") and told.count("\n") == 1
        assert ("not answered yet" in told) == (answer is None)


def nucleus(probabilities, p, keep=0, order=-1, strict=False):
    words = sorted(range(len(probabilities)), key=lambda i: order * probabilities[i])
    for n in range(1, len(words) + 1):
        total = sum(probabilities[i] for i in words[:n])
        if total > p or total >= p and not strict:
            return words[:max(n + keep, 0)]
    return words


def nucleus_by_sums(probabilities, p):
    words = np.argsort(-np.array(probabilities), kind="stable")
    return words[:1 + np.searchsorted(np.cumsum(np.array(probabilities)[words]), p)].tolist()


def nucleus_last_of_equals(probabilities, p):
    return [len(probabilities) - 1 - i for i in nucleus(probabilities[::-1], p)]


def shortest_first(prompts, free, size, up=1, key=None, skip=False, last=1):
    admitted = []
    for i in sorted(range(len(prompts)), key=key or (lambda i: (prompts[i], last * i))):
        need = -(-prompts[i] // size) if up else prompts[i] // size
        if need > free:
            if skip:
                continue
            break
        free -= need
        admitted.append(i)
    return admitted


def in_place(prompts, free, size):
    found = shortest_first(prompts, free, size)
    prompts.sort()
    return found


def beam_step(beams, parents, order="fork free write", tokens=1):
    new = [beams[parent].fork() for parent in parents] if order.startswith("fork") else []
    for step in order.split():
        for beam in (beams if step == "free" else new if step == "write" else ()):
            beam.free() if step == "free" else beam.append(tokens)
    return new or [beams[parent].fork() for parent in parents]


def beams_kept(beams, parents, forks=True):  # the first child is the parent itself
    new = [beams[p].fork() if forks and p in parents[:i] else beams[p]
           for i, p in enumerate(parents)]
    for beam in [beam for i, beam in enumerate(beams) if i not in parents]:
        beam.free()
    for beam in new:
        beam.append()
    return new


def beams_freed_first(beams, parents):
    for beam in beams:
        beam.free()
    return beam_step(beams, parents, "fork write")


def beams_written_first(beams, parents):
    for parent in set(parents):
        beams[parent].append()
    return beam_step(beams, parents, "fork free")


def beams_alone(beams, parents):
    lengths = [beams[parent].n_tokens for parent in parents]
    new = beam_step(beams, parents, "fork free")
    for beam, n_tokens in zip(new, lengths):
        beam.free()
        beam.append(n_tokens + 1)
    return new


def best_page_size(lengths, entry, sizes, up=1, last=1, lines=True):
    pages = {s: sum(-(-n // s) if up else n // s for n in lengths) for s in sizes}
    cost = {s: s * pages[s] + entry * (pages[s] if lines else len(lengths)) for s in sizes}
    return min(sizes, key=lambda size: (cost[size], last * size))


def by_the_root(lengths, entry, sizes):
    root = (2 * entry * sum(lengths) / len(lengths)) ** 0.5
    return min(sizes, key=lambda size: abs(size - root))


def size_by_loop(lengths, entry, sizes):
    best = None
    for size in sorted(sizes, reverse=True):
        pages = sum(n // size + (n % size > 0) for n in lengths)
        if best is None or pages * (size + entry) <= best[0]:
            best = pages * (size + entry), size
    return np.int64(best[1])


RIGHT_04 = [(ex04.exercise_1, 9), (ex04.exercise_1, 9.0), (ex04.exercise_2, 23), (ex04.exercise_2, 23.0),
            (ex04.exercise_3, beam_step), (ex04.exercise_3, beams_kept),
            (ex04.exercise_3, lambda *a: beam_step(*a, order="fork write free")),
            (ex05.exercise_1, 38 / 48), (ex05.exercise_1, 0.79), (ex05.exercise_1, Fraction(19, 24)),
            (ex05.exercise_2, 8467), (ex05.exercise_2, 8500.0), (ex05.exercise_3, best_page_size),
            (ex05.exercise_3, size_by_loop)]
WRONG_04 = [(ex04.exercise_1, 10, "last to write"), (ex04.exercise_1, 8, "first to write"),
            (ex04.exercise_1, 11, "own table"), (ex04.exercise_1, 1, "not one in all"),
            (ex04.exercise_1, 0, "no multiple"), (ex04.exercise_1, 12, "full page"),
            (ex04.exercise_1, 117, "full page"), (ex04.exercise_1, 22, "in use"),
            (ex04.exercise_1, 5, "somebody else"),
            (ex04.exercise_2, 24, "only begun"), (ex04.exercise_2, 14, "five pages"),
            (ex04.exercise_2, 13, "five pages"), (ex04.exercise_2, 50, "count once"),
            (ex04.exercise_2, 53, "count once"), (ex04.exercise_2, 20, "in use as well"),
            (ex04.exercise_2, 82, "pages of 16"), (ex04.exercise_2, 22, "pages of 16"),
            (ex04.exercise_2, 46.875, "whole pages"), (ex04.exercise_2, 100, "full pages"),
            (ex04.exercise_3, lambda *a: beam_step(*a, order="fork write"), "left over"),
            (ex04.exercise_3, lambda *a: beam_step(*a, order="fork free"), "one token more"),
            (ex04.exercise_3, lambda *a: beam_step(*a, tokens=2), "one token more"),
            (ex04.exercise_3, lambda *a: beams_kept(*a, forks=False), "the same request"),
            (ex04.exercise_3, lambda b, p: beam_step(b, sorted(set(p))), "each parent"),
            (ex04.exercise_3, lambda b, p: beam_step(b, sorted(p)), "it continues"),
            (ex04.exercise_3, beams_freed_first, "was freed"),
            (ex04.exercise_3, beams_written_first, "same last page"),
            (ex04.exercise_3, beams_alone, "keep sharing"),
            (ex05.exercise_1, 38 / 64, "pages of 16"), (ex05.exercise_1, 0.95, "taken whole"),
            (ex05.exercise_1, 38 / 32, "taken whole"), (ex05.exercise_1, 38 / 96, "naive"),
            (ex05.exercise_1, 10 / 48, "empty"), (ex05.exercise_1, 38 / 56, "exactly"),
            (ex05.exercise_1, 0.778, "mean of three"), (ex05.exercise_1, 79, "from 0 to 1"),
            (ex05.exercise_1, 0.5, "round up"),
            (ex05.exercise_2, 92, "root"), (ex05.exercise_2, 9.6, "square"), (ex05.exercise_2, 1, "0.001"),
            (ex05.exercise_2, 85, "0.001"), (ex05.exercise_2, 9537, "clipping"),
            (ex05.exercise_2, 138_990, "its level"), (ex05.exercise_2, 22_911, "middle 90"),
            (ex05.exercise_2, 3.55e10, "maximum"), (ex05.exercise_2, 200, "one_sd"),
            (ex05.exercise_3, lambda n, e, s: min(s), "block table"),
            (ex05.exercise_3, lambda n, e, s: max(s), "empty slots"), (ex05.exercise_3, lambda n, e, s: 3, "none of"),
            (ex05.exercise_3, lambda *a: best_page_size(*a, up=0), "round"),
            (ex05.exercise_3, lambda *a: best_page_size(*a, last=-1), "smaller"),
            (ex05.exercise_3, lambda *a: best_page_size(*a, lines=False), "block table"),
            (ex05.exercise_3, lambda n, e, s: best_page_size([sum(n)], e, s), "empty slots"),
            (ex05.exercise_3, lambda n, e, s: best_page_size(n, 0, s), "block table"),
            (ex05.exercise_3, by_the_root, "block table|empty slots")]
RIGHT_06 = [(ex06.exercise_1, 14), (ex06.exercise_1, 14.0), (ex06.exercise_2, nucleus),
            (ex06.exercise_2, nucleus_by_sums), (ex06.exercise_2, nucleus_last_of_equals), (ex06.exercise_3, shortest_first),
            (ex06.exercise_3, lambda *a: shortest_first(*a, skip=True))]
WRONG_06 = [(ex06.exercise_1, 13, "reads the prompt"), (ex06.exercise_1, 12, "third page"),
            (ex06.exercise_1, 11, "third page"), (ex06.exercise_1, 15, "earlier"),
            (ex06.exercise_1, 16, "48 tokens"), (ex06.exercise_1, 1, "48 tokens"), (ex06.exercise_1, 49, "48 tokens"),
            (ex06.exercise_2, lambda *a: nucleus(*a, keep=-1), "does not reach"),
            (ex06.exercise_2, lambda *a: nucleus(*a, keep=1), "more words"),
            (ex06.exercise_2, lambda *a: nucleus(*a, strict=True), "more words"),
            (ex06.exercise_2, lambda *a: nucleus(*a, order=1), "likelier words|more words|likeliest"),
            (ex06.exercise_2, lambda *a: nucleus(*a)[::-1], "comes first"),
            (ex06.exercise_2, lambda s, p: [i for i, x in enumerate(s) if x >= p], "does not reach|likelier|more"),
            (ex06.exercise_3, lambda *a: shortest_first(*a, up=0), "whole pages"),
            (ex06.exercise_3, lambda p, f, s: list(range(len(p))), "whole pages"),
            (ex06.exercise_3, lambda p, f, s: shortest_first(p, f, s, key=lambda i: i), "waiting|room"),
            (ex06.exercise_3, lambda *a: shortest_first(*a, last=-1), "of equals the first|waiting"),
            (ex06.exercise_3, lambda *a: shortest_first(*a)[:1], "room for more"),
            (ex06.exercise_3, lambda p, f, s: sorted(shortest_first(p, f, s)), "another order"),
            (ex06.exercise_3, in_place, "changed")]


@pytest.mark.parametrize("judge, answer", RIGHT_04 + RIGHT_06)
def test_right_answers_in_04_to_06_pass(judge, answer):
    assert judge(answer) is None


@pytest.mark.parametrize("judge, answer, hint", WRONG_04 + WRONG_06)
def test_wrong_answers_in_04_to_06_hear_what_they_forgot(judge, answer, hint):
    assert re.search(hint, judge(answer))


def tokens_found(known, prompt, size, last=1, cut=True, unit=1, best=max):
    same = [next((i for i, (a, b) in enumerate(zip(k, prompt)) if a != b),
                 min(len(k), len(prompt))) for k in known]
    found = min(best(same, default=0), len(prompt) - last)
    return found // size * size // unit if cut else found


def found_in_a_tree(known, prompt, size):  # the same, with a set of beginnings
    begun = {text[:end] for text in known for end in range(size, len(text) + 1, size)}
    ends = range(size, len(prompt), size)
    return next((end - size for end in ends if prompt[:end] not in begun), (len(prompt) - 1) // size * size)


def found_anywhere(known, prompt, size):  # equal middles too
    pages = {text[i:i + size] for text in known for i in range(0, len(text), size)}
    return size * sum(prompt[i:i + size] in pages for i in range(0, (len(prompt) - 1) // size * size, size))


def found_with_partial(known, prompt, size):  # a known prompt's partly filled page counts
    ends = range(0, len(prompt), size)
    return max(end for end in ends if end == 0 or any(k[:end] and prompt.startswith(k[:end]) for k in known))


def chunks(prompts, decoding, budget, each=False, forget=False, over=0, pad=False, more=0):
    left, passed = list(prompts) if each else [sum(prompts)], []
    for n in left:
        while n > 0:
            part = budget - decoding + over if pad else min(n, budget - decoding + over)
            passed.append(part if forget else decoding + part)
            n -= part
    return passed + [decoding] * more


def chunks_by_token(prompts, decoding, budget):  # the same, a token at a time
    passed = []
    for _ in range(sum(prompts)):
        if not passed or passed[-1] == budget:
            passed.append(decoding)
        passed[-1] += 1
    return tuple(passed)


def empties_the_prompts(prompts, decoding, budget):
    passed = chunks(prompts, decoding, budget)
    prompts.clear()
    return passed


def renamed(tables, start=0, each=False):
    names = {}
    return [[({} if each else names).setdefault(page, start + len(names)) for page in table]
            for table in tables]


def renamed_by_place(tables):
    seen = []
    for table in tables:
        seen += [page for page in table if page not in seen]
    return tuple(tuple(seen.index(page) for page in table) for table in tables)


def by_number(tables):
    pages = sorted({page for table in tables for page in table})
    return [[pages.index(page) for page in table] for table in tables]


RIGHT_07_TO_09 = [
    (ex07.exercise_1, 4), (ex07.exercise_1, 16 - 12.0), (ex07.exercise_2, 10_125), (ex07.exercise_2, 10_126.0),
    (ex07.exercise_3, tokens_found), (ex07.exercise_3, found_in_a_tree),
    (ex08.exercise_1, 31_738), (ex08.exercise_1, 31.7e3), (ex08.exercise_2, 201), (ex08.exercise_2, 312e12 / 1555e9),
    (ex08.exercise_3, chunks), (ex08.exercise_3, chunks_by_token),
    (ex09.exercise_1, 0), (ex09.exercise_1, 1e-12), (ex09.exercise_2, 324), (ex09.exercise_2, 15_728 / 48.535),
    (ex09.exercise_2, 320.75), (ex09.exercise_2, 320), (ex09.exercise_2, 281), (ex09.exercise_2, 280),
    (ex09.exercise_3, renamed), (ex09.exercise_3, renamed_by_place)]
WRONG_07_TO_09 = [
    (ex07.exercise_1, 0, "last token"), (ex07.exercise_1, 12, "what is computed"), (ex07.exercise_1, 16, "before"),
    (ex07.exercise_1, 1, "whole"), (ex07.exercise_1, 15, "whole"), (ex07.exercise_1, 8, "may be found"),
    (ex07.exercise_1, 3, "tokens"),
    (ex07.exercise_2, 1.8, "used up"), (ex07.exercise_2, 75 / 135, "used up"), (ex07.exercise_2, 10_125 * 512, "not tokens"),
    (ex07.exercise_2, 75 * 114, "median"), (ex07.exercise_2, 291 * 75, "median"), (ex07.exercise_2, 5062, "no half of the pages"),
    (ex07.exercise_2, 867, "half of the returns"), (ex07.exercise_2, 135, "new pages come"),
    (ex07.exercise_3, lambda *a: 0, "more"), (ex07.exercise_3, lambda *a: print(end=""), "number of tokens"),
    (ex07.exercise_3, lambda *a: tokens_found(*a, cut=False), "whole pages"),
    (ex07.exercise_3, lambda *a: tokens_found(*a, last=0), "one token"),
    (ex07.exercise_3, lambda *a: tokens_found(*a, last=2), "more"),
    (ex07.exercise_3, lambda *a: tokens_found(*a, unit=a[2]), "tokens are counted|more"),
    (ex07.exercise_3, lambda *a: tokens_found(*a, best=min), "each one known"),
    (ex07.exercise_3, lambda k, *a: tokens_found(k[-1:], *a), "each one known"),
    (ex07.exercise_3, found_anywhere, "very beginning"), (ex07.exercise_3, found_with_partial, "very beginning"),
    (ex07.exercise_3, lambda k, *a: tokens_found(k, *a) + 0 * len(k.clear() or ""), "changed"),
    (ex08.exercise_1, 34_079, "not GiB"), (ex08.exercise_1, 15_869, "two bytes"), (ex08.exercise_1, 1000, "as many bytes"),
    (ex08.exercise_1, 32_500, "819,200"), (ex08.exercise_1, 63_477, "not twice"), (ex08.exercise_1, 42_890, "cancels"),
    (ex08.exercise_1, 15_728, "paper's"), (ex08.exercise_1, 48_828, "what it reads"), (ex08.exercise_1, 26e9, "not bytes"),
    (ex08.exercise_2, 401, "two operations"), (ex08.exercise_2, 100, "two operations"), (ex08.exercise_2, 0.2, "10¹²"),
    (ex08.exercise_2, 50, "two operations"), (ex08.exercise_2, 148, "cancels"), (ex08.exercise_2, 0.005, "other way"),
    (ex08.exercise_2, 2608, "both sides"), (ex08.exercise_2, 7, "set bytes"),
    (ex08.exercise_3, lambda *a: chunks(*a, forget=True), "a token each"),
    (ex08.exercise_3, lambda *a: chunks(*a, each=True), "across prompts"),
    (ex08.exercise_3, lambda *a: chunks(*a, over=a[1]), "more than the budget"),
    (ex08.exercise_3, lambda *a: chunks(*a, pad=True), "what is left"),
    (ex08.exercise_3, lambda *a: chunks(*a, more=1), "passed before"),
    (ex08.exercise_3, lambda *a: chunks(a[0], 0, a[2]), "take a token each"),
    (ex08.exercise_3, lambda *a: chunks(a[0], a[1], a[2] - 1), "up to the budget"),
    (ex08.exercise_3, lambda *a: len(chunks(*a)), "not iterable"), (ex08.exercise_3, empties_the_prompts, "changed"),
    (ex08.exercise_3, lambda *a: chunks(*a)[:-1] + [a[2]][:len(a[0])], "what is left"),
    (ex09.exercise_1, 0.125, "left over"), (ex09.exercise_1, 0.0885, "15,728"), (ex09.exercise_1, 0.01, "remainder alone"),
    (ex09.exercise_1, 8, "share"), (ex09.exercise_1, 0.586, "internally"), (ex09.exercise_1, -0.04, "remainder alone"),
    (ex09.exercise_1, 1392, "share"),
    (ex09.exercise_2, 202, "half of its output"), (ex09.exercise_2, 132.44, "paper's"), (ex09.exercise_2, 7.68, "Orca"),
    (ex09.exercise_2, 15_728 / 19.31, "both"), (ex09.exercise_2, 2 * 15_728 / 58.45, "both"),
    (ex09.exercise_2, 15_728 / 58.45, "both"), (ex09.exercise_2, 7, "divide"), (ex09.exercise_2, 404.5, "not the prompt"),
    (ex09.exercise_2, 245.75, "half a page"),
    (ex09.exercise_3, lambda t: renamed(t, each=True), "keep its name|one name"),
    (ex09.exercise_3, lambda t: renamed(t, start=1), "from 0"), (ex09.exercise_3, lambda t: t, "from 0"),
    (ex09.exercise_3, lambda t: [], "its length"), (ex09.exercise_3, by_number, "first appear"),
    (ex09.exercise_3, lambda t: renamed(t[::-1])[::-1], "first appear"),
    (ex09.exercise_3, lambda t: [[0] * len(x) for x in t], "one name"),
    (ex09.exercise_3, lambda t: [list(range(len(x))) for x in t], "keep its name|one name"),
    (ex09.exercise_3, lambda t: [x.sort() or y for x, y in zip(t, renamed(t))], "changed")]


@pytest.mark.parametrize("judge, answer", RIGHT_07_TO_09)
def test_right_answers_of_those_who_go_on_pass(judge, answer):
    assert judge(answer) is None


@pytest.mark.parametrize("judge, answer, hint", WRONG_07_TO_09)
def test_wrong_answers_of_those_who_go_on_hear_what_they_forgot(judge, answer, hint, capsys):
    name = judge.__module__[-2:].lstrip("0") + judge.__name__.replace("exercise_", ".")
    check(name, answer)
    assert re.search(f"not yet: .*({hint})", capsys.readouterr().out)
