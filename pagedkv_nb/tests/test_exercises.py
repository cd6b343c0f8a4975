"""The judges of the exercises: right answers pass, near misses get a hint."""
import re
from collections import deque
from fractions import Fraction

import numpy as np
import pytest

from pagedkv_nb.contiguous import BuddyAllocator
from pagedkv_nb.paging import OutOfPages, PagedRequest, PagePool
from pagedkv_nb.serving import POLICIES, Server, steady_state
from pagedkv_nb.sizing import GIB, Deployment, Model
from pagedkv_nb.study.exercises import check, verdict
from pagedkv_nb.traffic import read_workload


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


RIGHT = [("1.1", 80 * 2 * 8 * 128), ("1.1", 163_840.0),
         ("1.2", 2536), ("1.2", 2536.0),
         ("1.3", longest_context), ("1.3", counted_up),
         ("10.1", 2 * 80 * 2 * 8 * 128), ("10.1", 327_680.0),
         ("10.2", share()), ("10.2", round(share(), 3)), ("10.2", round(share(), 4)),
         ("10.3", gpus_needed), ("10.3", gpus_by_tokens),
         ("10.3", gpus_by_doubling), ("3.1", (14, 12)),
         ("3.1", [14, 12.0]), ("3.2", 117), ("3.2", np.float64(117)),
         ("3.3", Queue), ("3.3", FromTheFront), ("3.3", OfItsOwn),
         ("2.1", (11, 5, 11, 1)), ("2.1", [11.0, 5, 11, 1]),
         ("2.2", (25, 8, False)), ("2.2", [25.0, 8, 0]), ("2.3", best_fit),
         ("2.3", best_fit_slot_by_slot)]
WRONG = [("1.1", 2 * 80 * 2 * 8 * 128, "two bytes"),
         ("1.1", 80 * 8 * 128, "a K and a V"), ("1.1", 160, "KiB"),
         ("1.1", 80 * 2 * 64 * 128, "query heads"),
         ("1.1", 2 * 8 * 128, "multiply layers"), ("1.1", 80 * 2 * 128, "KV heads"),
         ("1.1", 70.6e9, "multiply"),
         ("1.2", 2535, "more than half"), ("1.2", 2537, "shorter"),
         ("1.2", 2536.5, "whole number"), ("1.2", 2048, "more than half"),
         ("1.2", 1024, "more than half"), ("1.2", 0, "whole number"),
         ("1.2", 53_248, "shorter"),
         ("1.3", lambda *a: longest_context(*a, share=2), "two bytes a value"),
         ("1.3", lambda *a: longest_context(*a, share=0.5), "not four"),
         ("1.3", lambda *a: longest_context(*a, unit=10**9), "2³⁰"),
         ("1.3", of_query_heads, "longer one fits"),
         ("1.3", lambda *a: longest_context(*a, windows=False), "stop growing"),
         ("1.3", lambda *a: longest_context(*a, most=False), "maximum is less"),
         ("1.3", lambda *a: longest_context(*a, less=1), "longer one fits"),
         ("1.3", lambda *a: longest_context(*a, less=-1), "more than there is"),
         ("1.3", lambda name, gib: max(1, longest_context(name, gib)), "more than there is"),
         ("1.3", lambda name, gib: gib * GIB / Model.named(name).kv_bytes(1), "whole number"),
         ("1.3", lambda *a: print(end=""), "whole number"),
         ("10.1", 4 * 80 * 2 * 8 * 128, "two bytes"),
         ("10.1", 80 * 2 * 8 * 128, "as many KV heads"),
         ("10.1", 16 * 80 * 2 * 8 * 128, "spare GPUs"),
         ("10.1", 2 * 80 * 2 * 8 * 128 / 16, "one GPU's"),
         ("10.1", 80 * 2 * 64 * 128, "not stored"),
         ("10.1", 2 * 2 * 8 * 128, "mind layers"), ("10.1", 320, "mind layers"),
         ("10.2", 96.7, "between 0 and 1"), ("10.2", -0.1, "between 0 and 1"),
         ("10.2", share(card=2**34), "not of its label"),
         ("10.2", share(overhead=0), "beside weights"),
         ("10.2", share(weights=0), "weights need"),
         ("10.2", share(cache=0), "no token"), ("10.2", share(cache=0.5), "half"),
         ("10.2", share() - 0.001, "not fit"),
         ("10.2", share() + 0.004, "smaller share"), ("10.2", CARD.share, "not fit yet"),
         ("10.3", lambda *a: gpus_needed(*a, counts=(2, 4, 8, 16)), "one GPU may do"),
         ("10.3", lambda *a: gpus_needed(*a, counts=range(1, 17)), "only 1, 2, 4, 8 and 16"),
         ("10.3", lambda *a: gpus_needed(*a) and 1, "do not hold as many"),
         ("10.3", lambda *a: gpus_needed(*a) or 16, "16 are too few"),
         ("10.3", lambda *a: gpus_needed(*a, counts=(1, 2, 4)), "16 GPUs are asked about"),
         ("10.3", lambda *a: None, "16 or fewer"),
         ("10.3", lambda *a: gpus_needed(*a, counts=(1, 2, 4, 8)), "16 GPUs are asked about"),
         ("10.3", lambda *a: gpus_needed(*a, dtype="fp8"), "two bytes"),
         ("10.3", lambda name, gpu, n, length: gpus_needed(name, gpu, 1, length), "not one"),
         ("10.3", lambda *a: gpus_by_tokens(*a, windows=False), "stop growing"),
         ("10.3", gpus_at_admission, "moment of admission"),
         ("10.3", lambda *a: gpus_by_tokens(*a, copies=False), "more than once"),
         ("3.1", (16, 16), "whole pages"), ("3.1", (14, 25), "one page of 64"),
         ("3.1", (100, 25), "pages of the memory"), ("3.1", (7, 2), "one request"),
         ("3.1", (12, 14), "first"), ("3.1", (15, 13), "only a part"),
         ("3.1", (14, 13), "only a part"), ("3.1", (14, 16), "whole pages"),
         ("3.1", (16, 25), "7 pages"), ("3.1", (10, 10), "rounded up"),
         ("3.2", 116, "still fuller"), ("3.2", 128, "no powers of two"),
         ("3.2", 118, "already below"), ("3.2", 256, "already below"),
         ("3.2", 94, "mean of each request"), ("3.2", 114, "equally likely"),
         ("3.2", 113, "equally likely"), ("3.2", 63, "its own last page"),
         ("3.2", 16, "still fuller"), ("3.2", 116.5, "whole number"),
         ("3.3", PagePool, "freed in the order"), ("3.3", Careless, "not held"),
         ("3.3", NeverShares, "another holder"), ("3.3", NeverCounts, "another holder"),
         ("3.3", Unchecked, "must raise OutOfPages"), ("3.3", SaysNone, "OutOfPages"),
         ("3.3", Twice, "comes back once"), ("3.3", NeverTaken, "five different pages"),
         ("3.3", Again, "comes back once"),
         ("3.3", Lost, "comes back once"), ("3.3", Lowest, "freed in the order"),
         ("3.3", BothEnds, "freed in the order"),
         ("2.1", (11, 5, 8, 4), "reservations of 8"),
         ("2.1", (11, 5, 11), "four"), ("2.1", (12, 4, 11, 1), "server's choice"),
         ("2.1", (16, 0, 11, 1), "server's choice"), ("2.1", (11, 5, 1, 1), "28"),
         ("2.1", (11, 5, 11, 4), "28"), ("2.1", (11, 5, 1, 11), "the order"),
         ("2.1", (11, 5, 9, 3), "each of the three"), ("2.1", (11, 5, 2, 10), "all three"),
         ("2.1", (11, 5, 12, 0), "left beside them"),
         ("2.2", (33, 0, False), "power of two"), ("2.2", (0, 33, True), "power of two"),
         ("2.2", (25, 9, False), "together"), ("2.2", (25, 8), "three things"),
         ("2.2", (25, 8, True), "block of 16"), ("2.2", (8, 25, False), "first"),
         ("2.2", (1, 32, True), "power of two"), ("2.2", (56, 8, False), "nobody asked"),
         ("2.3", lambda *a: best_fit(*a, last=-1), "the lowest"),
         ("2.3", lambda pieces, slots, size: best_fit(pieces, slots, size + 1), "there is a hole"),
         ("2.3", first_fit, "a smaller hole"),
         ("2.3", lambda *a: None, "there is a hole"),
         ("2.3", lambda *a: best_fit(*a, pick=max), "smaller"),
         ("2.3", lambda *a: best_fit(*a, end=False), "last piece"),
         ("2.3", lambda *a: 0, "no hole begins"),
         ("2.3", lambda *a: best_fit(*a) or 0, "None"),
         ("2.3", forgets_the_order, "changed")]


@pytest.mark.parametrize("number, answer", RIGHT)
def test_right_answers_pass(number, answer):
    assert verdict(number, answer) == "right"


@pytest.mark.parametrize("number, answer, hint", WRONG)
def test_wrong_answers_hear_what_they_forgot(number, answer, hint):
    assert re.search(f"^not yet: .*{hint}", verdict(number, answer))


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


RIGHT_04 = [("4.1", 9), ("4.1", 9.0), ("4.2", 23), ("4.2", 23.0),
            ("4.3", beam_step), ("4.3", beams_kept),
            ("4.3", lambda *a: beam_step(*a, order="fork write free")),
            ("5.1", 38 / 48), ("5.1", 0.79), ("5.1", Fraction(19, 24)),
            ("5.2", 8467), ("5.2", 8500.0), ("5.3", best_page_size),
            ("5.3", size_by_loop)]
WRONG_04 = [("4.1", 10, "last to write"), ("4.1", 8, "first to write"),
            ("4.1", 11, "somebody else"), ("4.1", 1, "each writer"),
            ("4.1", 0, "no multiple"), ("4.1", 12, "full page"),
            ("4.1", 117, "full page"), ("4.1", 22, "in use"),
            ("4.1", 5, "somebody else"),
            ("4.2", 24, "only begun"), ("4.2", 14, "five pages"),
            ("4.2", 13, "five pages"), ("4.2", 50, "count once"),
            ("4.2", 53, "count once"), ("4.2", 20, "in use as well"),
            ("4.2", 82, "pages of 16"), ("4.2", 22, "pages of 16"),
            ("4.2", 46.875, "whole pages"), ("4.2", 100, "full pages"),
            ("4.3", lambda *a: beam_step(*a, order="fork write"), "left over"),
            ("4.3", lambda *a: beam_step(*a, order="fork free"), "one token more"),
            ("4.3", lambda *a: beam_step(*a, tokens=2), "one token more"),
            ("4.3", lambda *a: beams_kept(*a, forks=False), "the same request"),
            ("4.3", lambda b, p: beam_step(b, sorted(set(p))), "each parent"),
            ("4.3", lambda b, p: beam_step(b, sorted(p)), "it continues"),
            ("4.3", beams_freed_first, "was freed"),
            ("4.3", beams_written_first, "same last page"),
            ("4.3", beams_alone, "keep sharing"),
            ("5.1", 38 / 64, "pages of 16"), ("5.1", 0.95, "taken whole"),
            ("5.1", 38 / 32, "taken whole"), ("5.1", 38 / 96, "naive"),
            ("5.1", 10 / 48, "empty"), ("5.1", 38 / 56, "exactly"),
            ("5.1", 0.778, "mean of three"), ("5.1", 79, "from 0 to 1"),
            ("5.1", 0.5, "round up"),
            ("5.2", 92, "root"), ("5.2", 9.6, "square"), ("5.2", 1, "0.001"),
            ("5.2", 85, "0.001"), ("5.2", 9537, "clipping"),
            ("5.2", 138_990, "its level"), ("5.2", 22_911, "middle 90"),
            ("5.2", 3.55e10, "one_sd"), ("5.2", 200, "one_sd"),
            ("5.3", lambda n, e, s: min(s), "block table"),
            ("5.3", lambda n, e, s: max(s), "empty slots"), ("5.3", lambda n, e, s: 3, "none of"),
            ("5.3", lambda *a: best_page_size(*a, up=0), "round"),
            ("5.3", lambda *a: best_page_size(*a, last=-1), "smaller"),
            ("5.3", lambda *a: best_page_size(*a, lines=False), "block table"),
            ("5.3", lambda n, e, s: best_page_size([sum(n)], e, s), "empty slots"),
            ("5.3", lambda n, e, s: best_page_size(n, 0, s), "block table"),
            ("5.3", by_the_root, "block table|empty slots")]
RIGHT_06 = [("6.1", 14), ("6.1", 14.0), ("6.2", nucleus),
            ("6.2", nucleus_by_sums), ("6.2", nucleus_last_of_equals), ("6.3", shortest_first),
            ("6.3", lambda *a: shortest_first(*a, skip=True))]
WRONG_06 = [("6.1", 13, "reads the prompt"), ("6.1", 12, "third page"),
            ("6.1", 11, "third page"), ("6.1", 15, "earlier"),
            ("6.1", 16, "48 tokens"), ("6.1", 1, "48 tokens"), ("6.1", 49, "48 tokens"),
            ("6.2", lambda *a: nucleus(*a, keep=-1), "does not reach"),
            ("6.2", lambda *a: nucleus(*a, keep=1), "more words"),
            ("6.2", lambda *a: nucleus(*a, strict=True), "more words"),
            ("6.2", lambda *a: nucleus(*a, order=1), "likelier words|more words|likeliest"),
            ("6.2", lambda *a: nucleus(*a)[::-1], "comes first"),
            ("6.2", lambda s, p: [i for i, x in enumerate(s) if x >= p], "does not reach|likelier|more"),
            ("6.3", lambda *a: shortest_first(*a, up=0), "whole pages"),
            ("6.3", lambda p, f, s: list(range(len(p))), "whole pages"),
            ("6.3", lambda p, f, s: shortest_first(p, f, s, key=lambda i: i), "waiting|room"),
            ("6.3", lambda *a: shortest_first(*a, last=-1), "of equals the first|waiting"),
            ("6.3", lambda *a: shortest_first(*a)[:1], "room for more"),
            ("6.3", lambda p, f, s: sorted(shortest_first(p, f, s)), "another order"),
            ("6.3", in_place, "changed")]


@pytest.mark.parametrize("number, answer", RIGHT_04 + RIGHT_06)
def test_right_answers_in_04_to_06_pass(number, answer):
    assert verdict(number, answer) == "right"


@pytest.mark.parametrize("number, answer, hint", WRONG_04 + WRONG_06)
def test_wrong_answers_in_04_to_06_hear_what_they_forgot(number, answer, hint):
    assert re.search(f"^not yet: .*({hint})", verdict(number, answer))


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
    ("7.1", 4), ("7.1", 16 - 12.0), ("7.2", 10_125), ("7.2", 10_126.0),
    ("7.3", tokens_found), ("7.3", found_in_a_tree),
    ("8.1", 31_738), ("8.1", 31.7e3), ("8.2", 201), ("8.2", 312e12 / 1555e9),
    ("8.3", chunks), ("8.3", chunks_by_token),
    ("9.1", 0), ("9.1", 1e-12), ("9.2", 324), ("9.2", 15_728 / 48.535),
    ("9.2", 320.75), ("9.2", 320), ("9.2", 281), ("9.2", 280),
    ("9.3", renamed), ("9.3", renamed_by_place)]
WRONG_07_TO_09 = [
    ("7.1", 0, "last token"), ("7.1", 12, "what is computed"), ("7.1", 16, "count tokens"),
    ("7.1", 1, "whole"), ("7.1", 15, "whole"), ("7.1", 8, "may be found"),
    ("7.1", 3, "tokens"),
    ("7.2", 1.8, "used up"), ("7.2", 75 / 135, "used up"), ("7.2", 10_125 * 512, "not tokens"),
    ("7.2", 75 * 114, "median"), ("7.2", 291 * 75, "median"), ("7.2", 5062, "no half of the pages"),
    ("7.2", 867, "half of the returns"), ("7.2", 135, "how many pages"),
    ("7.3", lambda *a: 0, "more"), ("7.3", lambda *a: print(end=""), "number of tokens"),
    ("7.3", lambda *a: tokens_found(*a, cut=False), "whole pages"),
    ("7.3", lambda *a: tokens_found(*a, last=0), "one token"),
    ("7.3", lambda *a: tokens_found(*a, last=2), "more"),
    ("7.3", lambda *a: tokens_found(*a, unit=a[2]), "tokens are counted|more"),
    ("7.3", lambda *a: tokens_found(*a, best=min), "each one known"),
    ("7.3", lambda k, *a: tokens_found(k[-1:], *a), "each one known"),
    ("7.3", found_anywhere, "very beginning"), ("7.3", found_with_partial, "very beginning"),
    ("7.3", lambda k, *a: tokens_found(k, *a) + 0 * len(k.clear() or ""), "changed"),
    ("8.1", 34_079, "not GiB"), ("8.1", 15_869, "two bytes"), ("8.1", 1000, "as many bytes"),
    ("8.1", 32_500, "819,200"), ("8.1", 63_477, "not twice"), ("8.1", 42_890, "cancels"),
    ("8.1", 15_728, "as many bytes"), ("8.1", 48_828, "what it reads"), ("8.1", 26e9, "divide by the bytes"),
    ("8.2", 401, "two operations"), ("8.2", 100, "two operations"), ("8.2", 0.2, "10¹²"),
    ("8.2", 50, "two operations"), ("8.2", 148, "cancels"), ("8.2", 0.005, "other way"),
    ("8.2", 2608, "set bytes"), ("8.2", 7, "set bytes"),
    ("8.3", lambda *a: chunks(*a, forget=True), "a token each"),
    ("8.3", lambda *a: chunks(*a, each=True), "across prompts"),
    ("8.3", lambda *a: chunks(*a, over=a[1]), "more than the budget"),
    ("8.3", lambda *a: chunks(*a, pad=True), "what is left"),
    ("8.3", lambda *a: chunks(*a, more=1), "passed before"),
    ("8.3", lambda *a: chunks(a[0], 0, a[2]), "take a token each"),
    ("8.3", lambda *a: chunks(a[0], a[1], a[2] - 1), "up to the budget"),
    ("8.3", lambda *a: len(chunks(*a)), "iterable"), ("8.3", empties_the_prompts, "changed"),
    ("8.3", lambda *a: chunks(*a)[:-1] + [a[2]][:len(a[0])], "what is left"),
    ("9.1", 0.125, "left over"), ("9.1", 0.0885, "15,728"), ("9.1", 0.01, "remainder alone"),
    ("9.1", 8, "share"), ("9.1", 0.586, "internally"), ("9.1", -0.04, "remainder alone"),
    ("9.1", 1392, "share"),
    ("9.2", 202, "half of its output"), ("9.2", 132.44, "paper's"), ("9.2", 7.68, "divide the slots"),
    ("9.2", 15_728 / 19.31, "both"), ("9.2", 2 * 15_728 / 58.45, "both"),
    ("9.2", 15_728 / 58.45, "both"), ("9.2", 7, "divide"), ("9.2", 404.5, "not the prompt"),
    ("9.2", 245.75, "half a page"),
    ("9.3", lambda t: renamed(t, each=True), "keep its name|one name"),
    ("9.3", lambda t: renamed(t, start=1), "from 0"), ("9.3", lambda t: t, "from 0"),
    ("9.3", lambda t: [], "its length"), ("9.3", by_number, "first appear"),
    ("9.3", lambda t: renamed(t[::-1])[::-1], "first appear"),
    ("9.3", lambda t: [[0] * len(x) for x in t], "one name"),
    ("9.3", lambda t: [list(range(len(x))) for x in t], "keep its name|one name"),
    ("9.3", lambda t: [x.sort() or y for x, y in zip(t, renamed(t))], "changed")]


@pytest.mark.parametrize("number, answer", RIGHT_07_TO_09)
def test_right_answers_of_those_who_go_on_pass(number, answer):
    assert verdict(number, answer) == "right"


@pytest.mark.parametrize("number, answer, hint", WRONG_07_TO_09)
def test_wrong_answers_of_those_who_go_on_hear_what_they_forgot(number, answer, hint, capsys):
    check(number, answer)
    assert re.search(f"not yet: .*({hint})", capsys.readouterr().out)


def test_the_judges_formulas_are_what_the_allocators_do():
    memory = BuddyAllocator(64)
    taken = sum(1 << memory.used_blocks[memory.allocate(size)] for size in (9, 17, 5))
    assert verdict("2.2", (taken - 31, 64 - taken, memory.allocate(9) is not None)) == "right"
    for page_size, judge in ((16, lambda copies, pages: ("4.1", copies)), (64, lambda copies, pages: ("4.2", pages))):
        pool = PagePool(200, page_size)
        prompt = PagedRequest(pool)
        prompt.append(200)
        forks = [prompt.fork() for _ in range(10)]
        prompt.free()
        copies = sum(fork.append(100) is not None for fork in forks)
        assert verdict(*judge(copies, pool.n_used)) == "right"


def test_the_remainder_of_notebook_09_is_what_its_server_measures():
    requests = read_workload("sharegpt_paper", 1000, np.random.RandomState(0)).shorter_than(2048)
    server = Server(POLICIES["max"].memory(16_384, 2048), requests)
    server.run(500)
    assert verdict("9.1", steady_state(server)["external"]) == "right"
