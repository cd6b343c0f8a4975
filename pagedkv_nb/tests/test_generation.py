"""The loop that lets a model write through pages, and beam search: against what the dense model
writes, one request at a time, without pages or forks."""
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pagedkv_nb.generation import Answer, Generator, beam_search
from pagedkv_nb.paging import OutOfPages, PagedRequest, PagePool, pages_for
from pagedkv_nb.prefix import PrefixPool

from .dense import VOCAB, alone, cache_for, dense, prompt, slow_beams, tiny

MODEL = tiny()
POOLS = pytest.mark.parametrize("kind", [PagePool, PrefixPool])
SYSTEM = prompt(9, 99)


class Watched(Generator):
    """A generator whose every iteration is looked at."""

    def _let_go(self):
        seen = self.history[-1]
        assert seen == {a: (a.request.n_tokens, a.request.block_table) for a in self.running}
        assert all(a.limit >= len(a.written) == n + 1 - len(a.prompt) for a, (n, _) in seen.items())
        assert self.pool.n_used == len({page for _, table in seen.values() for page in table})
        super()._let_go()


def run(pool, asked, before=lambda generator: None):
    """Answers of the tiny model, each checked to be as written alone; and their generator."""
    generator = Watched(MODEL, cache_for(MODEL, pool))
    answers = [generator.add(**one) for one in asked]
    before(generator)
    generator.run()
    for one, some in zip(asked, answers):
        for seed, a in enumerate(some, one.get("seed", 0)):
            text, margin = alone(MODEL, tuple(a.prompt), a.limit, a.temperature, seed)
            assert a.prompt == one["prompt"] and a.written == text and a.margin == pytest.approx(margin)
    answers = sum(answers, [])
    assert not generator.running and not generator.waiting and pool.n_free == pool.total_pages
    return answers, generator


@settings(max_examples=40)
@given(st.data())
def test_whatever_is_asked_of_whatever_pool(data):
    asked = data.draw(st.lists(st.fixed_dictionaries({
        "prompt": st.builds(lambda shared, n, seed: SYSTEM[:shared] + prompt(n, seed),
                            st.integers(0, 9), st.integers(1, 4), st.integers(0, 2)),
        "limit": st.integers(1, 9), "n": st.integers(1, 3), "temperature": st.sampled_from([0, 0.3])}),
        min_size=1, max_size=5))
    size = data.draw(st.integers(1, 5))
    least = max(pages_for(len(one["prompt"]) + one["limit"] - 1, size) for one in asked)
    kind = data.draw(st.sampled_from([PagePool, PrefixPool]))
    run(kind(least + data.draw(st.integers(0, 40)), size), asked)


@POOLS
@pytest.mark.parametrize("size", [1, 2, 4])
def test_in_a_pool_of_any_size_the_texts_are_the_same(kind, size):
    asked = [{"prompt": SYSTEM[:4 * (i % 2)] + prompt(1 + i, 2), "limit": 12} for i in range(4)]
    least = max(pages_for(len(one["prompt"]) + 11, size) for one in asked)
    preempted = {}
    for total in range(least, 4 * least + 1, max(1, least // 4)):
        answers, generator = run(kind(total, size), asked)
        preempted[total] = sum(a.preemptions for a in answers)
        for i, seen in enumerate(generator.history):  # first come, first served
            there = set().union(*generator.history[i:])
            assert list(seen) == [a for a in answers if a in there][:len(seen)]
        for a in answers:  # who is sent back is read again, or found
            again = a.computed + a.found - len(a.prompt) - len(a.written) + 1
            assert (again > 0) == (a.preemptions > 0) and (a.found == 0 or kind is PrefixPool)
    assert sum(preempted.values()) > 5 and preempted[total] == 0


@POOLS
@pytest.mark.parametrize("n", [1, 3])
def test_preempted_at_any_step_the_texts_are_the_same(kind, n):
    asked = [{"prompt": SYSTEM + prompt(i, i), "limit": 8, "n": n, "temperature": 0.5} for i in (1, 2)]
    for steps in range(1, 8):
        def interrupt(generator):
            for _ in range(steps):
                generator.step()
            for _ in range(1 + steps % len(generator.running)):
                generator._preempt()
        assert any(a.preemptions for a in run(kind(40, 4), asked, interrupt)[0])


@POOLS
@pytest.mark.parametrize("length", [1, 4, 5, 8])  # of pages of 4
def test_forks_write_what_each_would_alone(kind, length):
    for temperature in (0, 0.5):
        one = {"prompt": prompt(length), "limit": 7, "n": 3, "temperature": temperature, "seed": 5}
        for total in range(pages_for(length + 6, 4), 14):
            answers, generator = run(kind(total, 4), [one])
            assert (len({tuple(a.written) for a in answers}) > 1) == (temperature > 0)
        assert [a.computed - len(a.written) + 1 for a in answers] == [length, 0, 0]
        tables = [table for _, table in generator.history[0].values()]
        assert tables == [tables[0]] * 3 and len(tables[0]) == pages_for(length, 4)


def test_prompts_found_again_write_the_same_and_compute_less():
    asked = [{"prompt": SYSTEM + prompt(i, i), "limit": 6} for i in (1, 2, 3, 3)]
    for size, found in ((2, [0, 8, 8, 10]), (3, [0, 9, 9, 9]), (4, [0, 8, 8, 8])):
        plain, _ = run(PagePool(40, size), asked)
        answers, generator = run(PrefixPool(40, size), asked)
        assert [a.found for a in answers] == found and generator.history[0].keys() == set(answers)
        assert [p.computed - a.computed for p, a in zip(plain, answers)] == found
        later = generator.add(SYSTEM + prompt(1, 1), limit=6)[0]
        generator.run()
        assert later.written == plain[0].written and later.found == found[1]


def test_a_prompt_that_was_never_read_is_not_found():
    asked = [{"prompt": prompt(4), "limit": 9}, {"prompt": prompt(9, 1), "limit": 4}]
    for total in range(4, 10):
        for steps in range(1, 6):
            def later(generator):
                second = generator.waiting.pop()
                for _ in range(steps):
                    generator.step()
                generator.waiting.append(second)
            run(PrefixPool(total, 3), asked, later)


def test_admission_keeps_pages_back_unless_nobody_runs():
    for watermark, most in ((0, 3), (0.3, 2), (0.5, 1), (1, 1)):
        generator = Generator(MODEL, cache_for(MODEL, PagePool(10, 4)), watermark)
        answers = [generator.add(prompt(9, 2), limit=3)[0] for _ in range(3)]
        generator.run()
        assert max(map(len, generator.history)) == most and all(a.written for a in answers)
    with pytest.raises(ValueError, match="watermark=2: must be a number, at least 0 and at most 1"):
        Generator(MODEL, generator.cache, watermark=2)


def test_at_a_temperature_tokens_come_as_often_as_their_softmax_says():
    logits, answer = np.array([0, 1, 2, 0.5]), Answer([1], 1, 0.7, np.random.RandomState(0))
    for _ in range(4000):
        answer.choose(logits)
    expected = np.exp(logits / 0.7) / np.exp(logits / 0.7).sum()
    np.testing.assert_allclose(np.bincount(answer.written) / 4000, expected, atol=0.02)


@pytest.mark.parametrize("width", [1, 2, 4])
def test_beams_are_those_of_a_search_without_forks(width):
    ends = set()
    for length, size, end_token in ((1, 2, 19), (4, 4, 35), (7, 4, 26), (9, 3, 1), (10, 1, 5)):
        model, text, pool = tiny(end_token=end_token), prompt(length), PagePool(60, size)
        beams, steps = beam_search(model, cache_for(model, pool), text, width, limit=7)
        scores, texts = zip(*slow_beams(lambda tokens: dense(model, text + tokens), end_token, width, 7))
        assert [tokens for _, tokens in beams] == list(texts) and pool.n_free == 60
        np.testing.assert_allclose([score for score, _ in beams], scores, rtol=1e-9)
        assert [blocks for blocks, _ in steps] == [
            width * pages_for(length + i + 1, size) for i in range(len(steps))]
        assert all(blocks <= width * pages and pages <= blocks for blocks, pages in steps)
        assert width == 1 or length < 4 or any(pages < blocks for blocks, pages in steps)
        assert width > 1 or texts[0] == alone(model, tuple(text), 7)[0] and len(steps) == len(texts[0])
        ends |= {tokens[-1] == end_token for _, tokens in beams}
    assert ends == {True, False}


class Chain:
    """A model whose next word depends on the last and its place; word 0 ends."""

    end_token = 0

    def __init__(self, logits):
        self.logits = logits

    def forward(self, batch, cache):
        for request, tokens in batch:
            cache.append(request, len(tokens))
        return np.array([self.logits[request.n_tokens, tokens[-1]] for request, tokens in batch])


@settings(max_examples=200)
@given(st.integers(2, 6), st.integers(1, 4), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_beams_end_early_or_late(n_words, width, limit, seed):
    logits, pool = np.random.RandomState(seed).standard_normal((11, n_words, n_words)) * 2, PagePool(60, 3)
    beams, _ = beam_search(Chain(logits), cache_for(MODEL, pool), [1], width, limit)
    slow = slow_beams(lambda tokens: logits[1 + len(tokens), [1, *tokens][-1]], 0, width, limit)
    assert [tokens for _, tokens in beams] == [tokens for _, tokens in slow] and pool.n_free == 60
    np.testing.assert_allclose([score for score, _ in beams], [score for score, _ in slow], rtol=1e-9)


def test_a_beam_search_that_fails_leaves_no_page_behind():
    failed = 0
    for total in range(1, 12):
        pool = PagePool(total, 2)
        try:
            beam_search(MODEL, cache_for(MODEL, pool), prompt(4), 3, limit=5)
        except OutOfPages:
            failed += 1
        assert pool.n_free == total
    assert 3 < failed < 11
    for wrong in ({"width": 0}, {"limit": 0}, {"prompt": []}):
        with pytest.raises(ValueError, match="at least 1"):
            beam_search(MODEL, cache_for(MODEL, pool), **{"prompt": [1], "width": 2} | wrong)
        assert pool.n_free == 11


@POOLS
def test_an_idle_generator_does_nothing(kind):
    generator = Generator(MODEL, cache_for(MODEL, kind(10, 4)))
    generator.step()
    assert not generator.history and generator.pool.n_free == 10
    generator.add(prompt(4), limit=3)
    generator.run()
    assert len(generator.history) == 3 and generator.step() is None and len(generator.history) == 3


@pytest.mark.parametrize("wrong", [{"prompt": []}, {"limit": 0}, {"n": 0}, {"temperature": -1}, {"limit": 38},
                                   {"prompt": prompt(40)}, {"temperature": float("nan")}, {"limit": 2.5}])
def test_what_cannot_be_answered_is_not_queued(wrong):
    generator = Generator(MODEL, cache_for(MODEL, PagePool(10, 4)))
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        generator.add(**{"prompt": prompt(4), "limit": 3} | wrong)
    assert not generator.waiting and generator.pool.n_free == 10
    assert generator.add(prompt(4), limit=37) == list(generator.waiting)  # the longest that fits


@pytest.mark.parametrize("kind", [PagePool, PrefixPool])
@pytest.mark.parametrize("steps", [0, 3])
def test_pages_that_somebody_else_holds_are_missed_in_one_line(kind, steps):
    generator = Generator(MODEL, cache_for(MODEL, kind(4, 4)))
    answer, = generator.add(prompt(4), limit=9)
    for _ in range(steps):
        generator.step()
    others = PagedRequest(generator.pool)
    others.append(4 * generator.pool.n_free)
    with pytest.raises(OutOfPages, match=r"^[^\n]*pages?[^\n]*$"):
        generator.run()
    assert list(generator.waiting) == [answer] and not generator.running
    others.free()
    generator.run()
    assert answer.written == alone(MODEL, tuple(answer.prompt), 9)[0]


@pytest.mark.parametrize("bad", [-1, VOCAB, 2.5, True])
def test_a_token_that_no_vocabulary_has_is_named_and_changes_nothing(bad):
    cache = cache_for(MODEL, PagePool(10, 4))
    generator, request = Generator(MODEL, cache), PagedRequest(cache.pool)
    told = rf"^tokens\[2\]={bad}: must be a whole number, at least 0 and at most {VOCAB - 1}$"
    for ask in (lambda: generator.add([1, 2, bad], limit=3), lambda: beam_search(MODEL, cache, [1, 2, bad], 2),
                lambda: MODEL.forward([(request, [1, 2, bad])], cache)):
        with pytest.raises(ValueError, match=told):
            ask()
    assert not generator.waiting and cache.pool.n_free == 10 and request.n_tokens == 0
    MODEL.forward([(request, [0, VOCAB - 1])], cache)
