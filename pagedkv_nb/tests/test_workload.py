"""Request lengths: the article's, the measured tables against full traces, users' files."""
import json

import numpy as np
import pandas as pd
import pytest

from pagedkv_nb.contiguous import naive_utilisation
from pagedkv_nb.paging import paged_utilisation
from pagedkv_nb.facts import facts
from pagedkv_nb.parameter import positive_ints
from pagedkv_nb.serving import POLICIES, Clock, Server
from pagedkv_nb.study.parameters import model_with_heads
from pagedkv_nb.traffic import (Workload, article_distribution, article_lengths, poisson_arrivals,
                                read_workload)

BATCHES = (10, 25, 50, 100, 200)
WORKLOADS = facts("workloads").set_index("name")


def test_the_article_table_to_the_digit():
    rng = np.random.RandomState(42)
    lengths = [article_lengths(n, rng) for n in BATCHES]
    assert [x.sum() for x in lengths] == [5892, 10792, 24448, 50986, 102617]
    assert [sum(-(-x // 16)) for x in lengths] == [373, 687, 1552, 3233, 6513]
    naive = [round(100 * naive_utilisation(x, 2048), 1) for x in lengths]
    paged = [round(100 * paged_utilisation(x, 16), 1) for x in lengths]
    assert naive == [28.8, 21.1, 23.9, 24.9, 25.1]
    assert paged == [98.7, 98.2, 98.5, 98.6, 98.5]


def test_the_article_distribution_is_exact():
    lengths, probability = article_distribution()
    assert probability.sum() == pytest.approx(1) and (probability >= 0).all()
    assert round(probability @ lengths, 2) == 505.39
    assert round(probability @ (-lengths % 16), 2) == 7.53
    drawn = article_lengths(400_000, np.random.RandomState(1))
    assert drawn.mean() == pytest.approx(probability @ lengths, abs=1)
    assert np.mean(drawn == 200) == pytest.approx(probability[0], abs=0.002)


@pytest.mark.parametrize("name", WORKLOADS.index)
def test_drawn_means_are_those_of_the_trace(name):
    """Bounds: 1.3 % for prompts and 1 % for outputs, 3.6 % for deepseek_r1's prompts, plus
    four standard errors of our own sample."""
    w = read_workload(name, 200_000, np.random.RandomState(0))
    for part, bound in (("prompt", 0.036 if name == "deepseek_r1" else 0.013), ("output", 0.01)):
        x, mean = getattr(w, part), WORKLOADS.loc[name, f"mean_{part}"]
        chance = 4 * x.std() / len(x) ** 0.5 / mean
        assert abs(x.mean() / mean - 1) < bound + chance, part
        assert x.min() >= 1


@pytest.mark.parametrize("name", WORKLOADS.index)
def test_drawn_rank_correlation_is_that_of_the_trace(name):
    w = read_workload(name, 100_000, np.random.RandomState(0))
    rho = np.corrcoef(*(pd.Series(x).rank() for x in (w.prompt, w.output)))[0, 1]
    assert rho == pytest.approx(WORKLOADS.loc[name, "spearman_rho"], abs=0.02)


@pytest.mark.parametrize("name, file, naive_points", [
    ("azure_conv", "azure_llm_inference_2023_conv.csv", 0.8),
    ("arxiv_summarization", "arxiv_summarization_llama2.csv", 3.7)])
def test_drawn_utilisations_are_those_of_the_full_trace(shared, name, file, naive_points):
    """Within the stated points, plus 0.1 and 0.03 for chance."""
    trace = read_workload(shared / "data" / file, 0, None)
    limit = int(WORKLOADS.loc[name, "context_limit"])
    drawn = read_workload(name, 100_000, np.random.RandomState(0)).within(limit)
    trace = trace.within(limit)
    naive = [100 * naive_utilisation(w.lengths, limit) for w in (drawn, trace)]
    paged = [100 * paged_utilisation(w.lengths, 16) for w in (drawn, trace)]
    assert abs(naive[0] - naive[1]) < naive_points + 0.1
    assert abs(paged[0] - paged[1]) < 0.12 + 0.03


def test_full_traces_load(shared):
    for file, rows, mean in (("azure_llm_inference_2023_conv.csv", 19366, 1154.7),
                             ("arxiv_summarization_llama2.csv", 28257, 2588.08),
                             ("mooncake_synthetic.jsonl", 3993, None)):
        w = read_workload(shared / "data" / file, 0, None)
        assert len(w.prompt) == len(w.output) == rows
        assert mean is None or w.prompt.mean() == pytest.approx(mean, abs=0.01)
    assert w.prompt[0] == 40160 and w.output[0] == 6


@pytest.mark.parametrize("columns", [("ContextTokens", "GeneratedTokens"), ("prompt", "output"),
                                     ("num_prefill_tokens", "num_decode_tokens"),
                                     ("input_length", "output_length")])
def test_all_column_names_in_both_formats(tmp_path, columns):
    table = pd.DataFrame({"TIMESTAMP": ["x", "y"], columns[0]: [3, 70], columns[1]: [5, 0]})
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    for file in ("t.csv", "t.jsonl"):
        w = read_workload(str(tmp_path / file), 99, None)
        assert w.name == file
        assert w.prompt.tolist() == [3, 70] and w.output.tolist() == [5, 1]


@pytest.mark.parametrize("text, message", [
    ("", "cannot be read"),
    ("prompt,output\n", "at least one row"),
    ("prompt,answer\n1,2\n", "columns ContextTokens,GeneratedTokens or "),
    ("prompt,output\n1,2\n-3,4\n", "row 2, prompt=-3: must be a whole number"),
    ("prompt,output\n1,2\n3,4.5\n", "row 2, output=4.5: must be"),
    ("prompt,output\n1,\n", "row 1, output=None: must be"),
    ("prompt,output\nmany,2\n", "row 1, prompt=many: must be"),
    ("prompt,output\n1,inf\n", "row 1, output=inf: must be"),
    ('prompt,output\n"Write a poem about\nGPUs, and one about pages, too.",2\n',
     "row 1, prompt=Write a poem about GPUs, and one about p: must be"),
])
def test_bad_files_are_one_clear_line(tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        read_workload(path, 0, None)
    assert message in str(error.value) and str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_surplus_commas_do_not_shift_the_columns(tmp_path):
    (tmp_path / "t.csv").write_text("prompt,output\n1,2,\n3,4,\n")
    w = read_workload(tmp_path / "t.csv", 0, None)
    assert w.prompt.tolist() == [1, 3] and w.output.tolist() == [2, 4]


def test_bad_jsonl_and_missing_files(tmp_path):
    path = tmp_path / "bad.jsonl"
    for text in ("", "{", json.dumps({"prompt": 1}) + "\n"):
        path.write_text(text)
        with pytest.raises(ValueError, match="bad.jsonl"):
            read_workload(path, 0, None)
    with pytest.raises(ValueError, match="absent.csv.*cannot be read"):
        read_workload(str(tmp_path / "absent.csv"), 1, None)
    with pytest.raises(ValueError, match="workload='sharedgpt': must be one of article, sharegpt, .*csv"):
        read_workload("sharedgpt", 1, np.random.RandomState(0))


def test_a_context_limit_cuts_outputs_refuses_prompts_and_counts_both():
    w = Workload("w", np.array([5, 10, 3, 9]), np.array([5, 1, 9, 1])).within(10)
    assert w.prompt.tolist() == [5, 3, 9] and w.output.tolist() == [5, 7, 1]
    assert (w.n_cut, w.n_refused) == (1, 1) and w.lengths.max() == 10
    with pytest.raises(ValueError, match="context_limit=3: must be more than .* w, 3 tokens"):
        w.within(3)
    with pytest.raises(ValueError, match="context_limit=0"):
        w.within(0)


def test_one_seed_one_result():
    for name in ("article", "sharegpt"):
        a, b = (read_workload(name, 50, np.random.RandomState(3)) for _ in range(2))
        assert (a.prompt == b.prompt).all() and (a.output == b.output).all()


def test_shorter_than_drops_what_reaches_the_limit():
    times = np.array([0.0, 1.0, 2.0])
    drawn = Workload("drawn", np.array([3, 4, 5]), np.array([3, 4, 2]), times)
    kept = drawn.shorter_than(8)
    assert (drawn.n_cut, drawn.n_refused, kept.n_cut) == (0, 0, 0)
    assert kept.prompt.tolist() == [3, 5] and kept.output.tolist() == [3, 2]
    assert kept.arrival_s.tolist() == [0.0, 2.0] and kept.n_refused == 1
    with pytest.raises(ValueError, match="^max_seq_len=6: must be more than the shortest .* 6 tokens"):
        drawn.shorter_than(6)


def test_arrays_of_whole_numbers_are_checked_as_lists_are():
    found = positive_ints("x", np.array([1, 5], "int32"), most=5)
    assert found == [1, 5] and all(type(n) is int for n in found)
    for bad, message in (([3, 0], r"^x\[1\]=0: must be"), ([6, 1], r"^x\[0\]=6: must be .* at most 5")):
        with pytest.raises(ValueError, match=message):
            positive_ints("x", np.array(bad), most=5)


@pytest.mark.parametrize("rate, duration", [(0.01, 60), (0, 1200), (100, 7200), (1e300, 1e300)])
def test_arrivals_are_some_and_not_too_many(rate, duration):
    with pytest.raises(ValueError, match="^rate_per_s=.*: must give at least one request in .* at most 100,000$"):
        poisson_arrivals(rate, duration, np.random.RandomState(42))


def served(prompt, output, slots, longest, policy="max", **more):
    w = Workload("w", np.array([prompt]), np.array([output]))
    return Server(POLICIES[policy].memory(slots, longest, **more), w)


def test_work_is_refused_before_it_begins():
    """Requests of one iteration each, 155 at once; as many short ones as a large memory holds;
    more requests than a small one serves in minutes, in iterations or in seconds."""
    for server, iterations in ((served(100, 1, 15_728, 101), 20_000), (served(20, 30, 10**7, 100), 5000)):
        with pytest.raises(ValueError, match="^iterations=.* at most .*a million requests"):
            server.run(iterations)
        assert not server.history
    with pytest.raises(ValueError, match=r"^n_requests=100000: .* at most 27,755 \(300,000 iterations"):
        served(160, 340, 15_728, 2048).finish(10**5)
    clock = Clock(1, 1, 1, 1, 1)
    memory = POLICIES["paged"].memory(15_728, 2048)
    with pytest.raises(ValueError, match="^requests that arrive=90000: .* at most .*300,000 iterations"):
        Server(memory, Workload("w", np.array([160]), np.array([340])), np.zeros(90_000), clock)


def test_heads_of_a_notebook_are_not_wider_than_memories():
    with pytest.raises(ValueError, match="^model='1x1000x1000': must be one of a model with"):
        model_with_heads("1x1000x1000")
