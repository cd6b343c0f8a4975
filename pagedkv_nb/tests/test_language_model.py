"""A language model whose K and V lie in pages: against a dense one in float64 that knows no
pages, and with the real weights against what transformers wrote."""
import json
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from pagedkv_nb.generation import Generator, LanguageModel
from pagedkv_nb.generation.language_model import FILE, shape_of
from pagedkv_nb.paging import OutOfPages, PagedRequest, PagePool
from pagedkv_nb.parameter import shown

from .conftest import ROOT
from .dense import BASE, HIDDEN, VOCAB, WIDE, cache_for, dense, prompt, tiny

MODEL = tiny(head_dim=6)


@settings(max_examples=40)
@given(st.data())
def test_in_pages_as_without(data):
    kv_heads, group, size = (data.draw(st.integers(1, most)) for most in (3, 3, 6))
    seed, head_dim = data.draw(st.integers(0, 9)), data.draw(st.sampled_from([2, 4, 6]))
    model = tiny(seed, kv_heads * group, kv_heads, head_dim)
    pieces = data.draw(st.lists(st.lists(st.integers(1, 7), min_size=1, max_size=4), min_size=1, max_size=4))
    cache = cache_for(model, PagePool(150, size))
    requests = [PagedRequest(cache.pool) for _ in pieces]
    texts, read = [prompt(sum(some), i) for i, some in enumerate(pieces)], [0] * len(pieces)
    for turn in range(max(map(len, pieces))):  # pieces of prompts beside single tokens
        batch = [(i, some[turn]) for i, some in enumerate(pieces) if turn < len(some)]
        logits = model.forward([(requests[i], texts[i][read[i]:read[i] + n]) for i, n in batch], cache)
        assert logits.shape == (len(batch), VOCAB)
        for (i, n), row in zip(batch, logits):
            read[i] += n
            np.testing.assert_allclose(row, dense(model, texts[i][:read[i]]), rtol=0, atol=1e-10)


def begun(total, size, n_forks):
    """A cache, and requests in it: one with two tokens, forks of it, an empty one."""
    cache = cache_for(MODEL, PagePool(total, size))
    first = PagedRequest(cache.pool)
    MODEL.forward([(first, prompt(2))], cache)
    return cache, [first, *(first.fork() for _ in range(n_forks)), PagedRequest(cache.pool)]


def state(cache, requests):
    tables = [(r.n_tokens, r.block_table) for r in requests]
    return repr((tables, cache.pool._ref_counts, cache.pool._free)), cache.k.tobytes(), cache.v.tobytes()


def fit_one_after_another(requests, counts):
    try:
        for i, n in counts.items():
            requests[i].append(n)
    except OutOfPages:
        return False
    return True


@settings(max_examples=80)
@given(st.integers(2, 6), st.sampled_from([1, 3, 4]), st.integers(0, 3), st.data())
def test_a_batch_without_room_changes_nothing(total, size, n_forks, data):
    cache, requests = begun(total, size, n_forks)
    counts = data.draw(st.dictionaries(st.integers(0, len(requests) - 1), st.integers(1, 3), min_size=1))
    batch, before = [(requests[i], prompt(n)) for i, n in counts.items()], state(cache, requests)
    with pytest.raises(ValueError, match="n_tokens=0"):
        MODEL.forward([*batch, (requests[0], [])], cache)
    assert state(cache, requests) == before
    if fit_one_after_another(begun(total, size, n_forks)[1], counts):
        assert np.isfinite(MODEL.forward(batch, cache)).all()
    else:
        with pytest.raises(OutOfPages, match="pages needed"):
            MODEL.forward(batch, cache)
        assert state(cache, requests) == before


TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *"abcdefghijklmnopqrstuvwx0123456789Ġ", "ab", "12"]


def write_gguf(path, architecture="llama", more=(), **other):
    """The tiny model as a GGUF file in float32, with more tensors or other values of fields."""
    gguf = pytest.importorskip("gguf", reason="needs the package gguf")
    pytest.importorskip("tokenizers", reason="needs the package tokenizers")
    writer = gguf.GGUFWriter(path, architecture)
    said = {"block_count": 2, "context_length": 64, "embedding_length": HIDDEN, "vocab_size": VOCAB,
            "feed_forward_length": WIDE, "head_count": 4, "head_count_kv": 2, "key_length": 6,
            "rope_freq_base": BASE, "layer_norm_rms_eps": 1e-5, "eos_token_id": 2, "token_list": TOKENS,
            "token_types": [3] * 3 + [1] * 37, "token_merges": ["a b", "1 2"]}
    for name, value in (said | other).items():
        getattr(writer, f"add_{name}")(value)
    arrays = {"token_embd": MODEL.embedding, "output_norm": MODEL.output_norm} | dict(more)
    arrays |= {f"blk.{i}.{name}": array for i, w in enumerate(MODEL.layers) for name, array in w.items()}
    for name, array in arrays.items():
        writer.add_tensor(f"{name}.weight", array.astype(np.float32))
    for step in ("write_header_to_file", "write_kv_data_to_file", "write_tensors_to_file", "close"):
        getattr(writer, step)()
    return path


def test_a_model_read_from_a_file_writes_the_same(tmp_path):
    model = LanguageModel.load(write_gguf(tmp_path / "tiny.gguf"))
    cache, text = cache_for(model, PagePool(9, 4), np.float32), prompt(11)
    logits = model.forward([(PagedRequest(cache.pool), text)], cache)
    np.testing.assert_allclose(logits[0], dense(MODEL, text), rtol=0, atol=1e-4)
    assert logits.dtype == np.float32 and model.end_token == 2 and model.shape.kv_bytes_per_token() == 96
    tokens = model.encode("ab c12<|im_end|>")
    assert [TOKENS[i] for i in tokens] == ["ab", "Ġ", "c", "1", "2", "<|im_end|>"]
    assert model.decode(tokens) == "ab c12<|im_end|>"


def test_what_a_file_says_of_itself_is_taken(tmp_path):
    path = write_gguf(tmp_path / "tiny.gguf", layer_norm_rms_eps=0.25, eos_token_id=7, rope_freq_base=50.0)
    model = LanguageModel.load(path)
    assert (model.epsilon, model.end_token, model.rope_base, model.shape.name) == (0.25, 7, 50, "tiny")


def test_heads_that_a_file_does_not_tell_are_as_many_and_as_wide_as_can_be():
    said = {"attention.head_count": 4, "embedding_length": 24, "block_count": 2, "context_length": 64,
            "feed_forward_length": 8}
    shape = shape_of({f"llama.{key}": n for key, n in said.items()} | {"vocab_size": 40, "general.architecture": "llama"}, "x", 0)
    assert (shape.kv_heads, shape.head_dim) == (4, 6)


def refused(path):
    """What loading a file says, once it is seen to be one line that names the file."""
    with pytest.raises(ValueError) as told:
        LanguageModel.load(path)
    assert str(told.value).startswith(shown("model_path", path)) and "\n" not in str(told.value)
    return str(told.value)


def test_what_is_no_model_is_refused_in_one_line(tmp_path, monkeypatch):
    assert "`make model`" in refused(tmp_path / "none.gguf") and "no file" in refused(tmp_path)
    whole, path = write_gguf(tmp_path / "tiny.gguf").read_bytes(), tmp_path / "bad.gguf"
    for end in range(0, len(whole) - 100, len(whole) // 60):
        path.write_bytes(whole[:end])
        assert "no llama-like GGUF model" in refused(path)
    for damaged in (b"PK\3\4" * 99, bytes(len(whole)), b"\n".join([b"GGUF text"] * 99)):
        path.write_bytes(damaged)
        assert "no llama-like GGUF model" in refused(path)
    assert "'mamba'" in refused(write_gguf(path, "mamba"))
    assert "more than a llama: output" in refused(write_gguf(path, more={"output": MODEL.embedding}))
    assert "out of vocabulary" in refused(write_gguf(path, token_merges=["a zz"]))
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert "gguf" in refused(path).partition(":")[2] and "pip install 'pagedkv_nb[model]'" in refused(path)


RUNS = json.loads((ROOT / "pagedkv_nb" / "data" / "smollm2_greedy.json").read_text())["runs"]
SHORT = sorted(RUNS, key=lambda one: len(one["output_ids"]))[:4]


@pytest.fixture(scope="module")
def real():
    """The real model, if it has been fetched."""
    for package in ("gguf", "tokenizers"):
        pytest.importorskip(package, reason=f"the real model needs the package {package}")
    if not FILE.is_file():
        pytest.skip("the real weights are not here: run `make model`")
    return LanguageModel.load()


def answers_of(model, runs, total=200, cut=128):
    """Answers to the recorded questions, at most `cut` tokens of each, each seen to be the
    recorded one; margins may differ by the rounding of another BLAS."""
    generator = Generator(model, cache_for(model, PagePool(total), np.float32))
    answers = [generator.add(model.chat(one["question"]), limit=cut)[0] for one in runs]
    generator.run()
    for answer, one in zip(answers, runs):
        assert answer.prompt == one["prompt_ids"] and answer.written == one["output_ids"][:cut]
        if len(one["output_ids"]) <= cut:
            assert answer.margin == pytest.approx(one["smallest_margin"], abs=1e-3)
    assert generator.pool.n_free == total
    return answers


@pytest.mark.slow
def test_real_texts_are_the_tokens_of_transformers(real):
    assert real.shape.kv_bytes_per_token() == 23_040 and real.shape.kv_bytes_per_token("fp32") == 46_080
    for one in RUNS:
        assert real.chat(one["question"]) == one["prompt_ids"] and real.decode(one["output_ids"]) == one["text"]


@pytest.mark.slow
def test_a_real_answer_is_the_same_after_preemption(real):
    answers = answers_of(real, [SHORT[3], SHORT[2]], total=6, cut=15)
    assert sum(a.preemptions for a in answers) > 0


@pytest.mark.slow
def test_all_real_answers_are_those_of_transformers(real):
    answers_of(real, RUNS)
