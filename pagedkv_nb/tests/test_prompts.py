"""Traces of prompts, and how often they find pages: in a pool and by stack distances."""
import gzip
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagedkv_nb.paging import pages_for
from pagedkv_nb.prefix import PrefixPool, page_keys
from pagedkv_nb.traffic.prompts import SHIPPED, Prompts, read_prompts, read_traces
from pagedkv_nb.serving import TimedPool, distances, return_times, serve_prompts, sessions

COUNTS = {"conversation": (12_031, 276_491, 170_899), "synthetic": (3_993, 117_888, 40_148)}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_small_form_is_the_whole_trace(name, shared):
    prompts = read_prompts(name)
    lines = (shared / "data" / f"mooncake_{name}.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert prompts.keys == [row["hash_ids"][: row["input_length"] // 512] for row in rows]
    assert prompts.n_tokens == [row["input_length"] for row in rows]
    assert prompts.seconds == [row["timestamp"] / 1000 for row in rows]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_reuse_md_counts(name):
    prompts = read_prompts(name)
    assert (len(prompts.keys), prompts.n_asked, len(set().union(*prompts.keys))) == COUNTS[name]


@pytest.mark.slow
def test_one_gpu_and_ten_servers_on_the_conversation_trace():
    prompts = read_prompts("conversation")
    assert round(100 * sum(serve_prompts(prompts, PrefixPool(896, 512))) / 512 / prompts.n_asked, 1) == 4.6
    assert round(100 * np.mean(distances(prompts) < 10_000), 1) == 22.4
    server_of = np.array(sessions(prompts)) % 10
    found = sum(sum(serve_prompts(prompts.only(np.flatnonzero(server_of == server)),
                                  PrefixPool(5859, 512))) for server in range(10))
    assert round(100 * found / 512 / prompts.n_asked, 1) == 37.4
    back = return_times(prompts)
    assert np.percentile(back[np.isfinite(back)], [25, 50, 75]).round().tolist() == [54, 114, 267]


def test_one_of_the_two_brings_the_other():
    assert set(read_traces("synthetic", 1024)) == set(SHIPPED)
    assert read_traces("synthetic")["synthetic"] == read_prompts("synthetic")


def test_some_of_the_prompts():
    prompts = read_prompts("synthetic")
    some = prompts.only([3, 0])
    assert [some.keys[1], some.n_tokens[0], some.seconds[1], some.page_size] == [
        prompts.keys[0], prompts.n_tokens[3], prompts.seconds[0], 512]
    assert len(some.keys) == len(some.n_tokens) == 2 and prompts.only([]).n_asked == 0


def made(texts, size):
    """Prompts of texts, one token more than full pages are asked for."""
    texts = [text + "z" if len(text) % size == 0 else text for text in texts]
    return Prompts(size, [page_keys(t, size) for t in texts], [len(t) for t in texts],
                   list(map(float, range(len(texts)))))


@given(st.lists(st.text("ab", min_size=1, max_size=9), min_size=1, max_size=30),
       st.integers(2, 4), st.integers(0, 20))
def test_distances_say_what_every_pool_finds(texts, size, more):
    prompts = made(texts, size)
    n_pages = pages_for(max(prompts.n_tokens), size) + more
    found = np.sum(distances(prompts) < n_pages - 1)  # one page holds the last token
    assert sum(serve_prompts(prompts, PrefixPool(n_pages, size))) == found * size


@given(st.lists(st.text("ab", min_size=1, max_size=9), min_size=1, max_size=30))
def test_distances_are_those_of_a_slow_count(texts):
    prompts, used, expected = made(texts, 2), [], []
    for keys in prompts.keys:
        for key in reversed(keys):
            since = used[used.index(key) + 1:] if key in used else None
            expected.append(np.inf if since is None else len(since))
        used = [key for key in used if key not in keys] + keys[::-1]
    assert distances(prompts).tolist() == expected


@given(st.lists(st.text("ab", min_size=1, max_size=9), min_size=1, max_size=20))
def test_return_times_are_those_of_a_slow_count(texts):
    prompts, expected = made(texts, 2), []
    for i, keys in enumerate(prompts.keys):
        for key in reversed(keys):
            before = [j for j in range(i) if key in prompts.keys[j]]
            expected.append(i - before[-1] if before else np.inf)
    assert return_times(prompts).tolist() == expected


def test_a_prompt_too_long_for_its_pool_finds_nothing():
    assert serve_prompts(made(["abcabc", "abcabc"], 2), PrefixPool(2, 2)) == [0, 0]


def test_lives_are_seconds_from_the_last_use_to_the_end():
    pool = TimedPool(2, 2)
    serve_prompts(made(["aba", "bbb", "aaa"], 2), pool)  # a page each, and one for the last token
    assert pool.lives == [1.0, 1.0]


def test_users_own_traces(tmp_path):
    forms = {"a.jsonl": '{"hash_ids": [7, 8], "input_length": 6, "timestamp": 5000}\n'
                        '{"hash_ids": [7], "timestamp": 6500}\n',
             "b.csv": "timestamp,input_length,hash_ids\n0,6,7 8\n1500,4,[7]\n",
             "c.jsonl": '{"tokens": [1, 2, 3, 4, 5, 6]}\n\n{"tokens": [1, 2, 3, 4]}\n',
             "d.csv": "text\na b c d e f\na b c d\n"}
    for name, text in forms.items():
        path = tmp_path / name
        path.write_text(text)
        prompts = read_prompts(str(path), 4)
        assert prompts.n_tokens == [6, 4] and [len(k) for k in prompts.keys] == [1, 1]
        assert len(set().union(*prompts.keys)) == 1
        assert prompts.seconds == ([0, 1.5] if name[0] in "ab" else [0, 1])
    (tmp_path / "e.jsonl").write_text('{"text": "a\u2028b"}\n{"text": "c\\ud800 d"}')
    assert read_prompts(str(tmp_path / "e.jsonl"), 2).n_tokens == [2, 2]
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(forms["d.csv"].encode()))
    assert read_prompts(str(tmp_path / "d.csv.gz"), 4).keys == prompts.keys


def test_arrivals_of_another_spelling_are_no_milliseconds(tmp_path):
    for name in ("Timestamp", "TIMESTAMP"):
        (tmp_path / "t.csv").write_text(f"text,{name}\na b,2024-05-10\nc d,9\n")
        assert read_prompts(str(tmp_path / "t.csv"), 2).seconds == [0, 1]


def test_pages_of_a_thousand_million_tokens_are_too_many_in_one_prompt(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"hash_ids": [1, 2]}')
    with pytest.raises(ValueError, match="row 1, input_length=2000000000: must be .* to 1,000,000,000"):
        read_prompts(str(tmp_path / "t.jsonl"), 10**9)


def test_a_trace_without_a_full_page_is_refused(tmp_path):
    path = tmp_path / "short.jsonl"
    path.write_text('{"tokens": [1, 2, 3]}\n{"tokens": [1, 2]}')
    assert read_prompts(str(path), 3).n_asked == 1
    for trace, page_size in ((str(path), 4), ("conversation", 512 * 400)):
        with pytest.raises(ValueError, match=f"^trace='.*{trace[-9:]}': has no prompt of a full page, page_size="):
            read_prompts(trace, page_size)


BAD = {"x.csv": ("a,b\n1,2\n", "needs columns hash_ids or tokens or text; found: a, b"),
       "empty.csv": ("", "empty"), "head.csv": ("text\n", "no prompt of a full page"),
       "head2.csv": ("hash_ids,input_length,timestamp\n", "no prompt of a full page"),
       "j.jsonl": ('{"tokens": [1]}\n{oops\n', "is no JSON: .*: line 2 column 2"),
       "l.jsonl": ('{"tokens": [1]}\n[1]\n', "row 2: must be an object"),
       "t.jsonl": ('{"tokens": [1, 2.5]}\n', r"row 1, tokens=\[1, 2.5\]: must be a list"),
       "w.csv": ('text\n a\n" "\n b\n', "row 2, text=: must be words|row 2, text=None: must be words"),
       "u.csv": ("hash_ids\n1, 2, 3\n", "row 1: has more fields than the header; .* in quotes"),
       "u2.csv": ("text,timestamp\nWell, no,5\n", "row 1: has more fields than the header"),
       "u3.csv": ("hash_ids,input_length,timestamp\n[1, 2, 3]\n", r"row 1, hash_ids=\[1: must be a list"),
       "u4.csv": ("text,Text\na,b\n", "column text is there twice"),
       "a.json": ('["Well", "no"]', r'row 1: must be an object, {"column": value'),
       "b.json": ('[{"text": "Well"},\n {"text": "no"},\n]', "is no JSON: .* line [23]"),
       "h.jsonl": ('{"tokens": [1], "input_length": 1, "timestamp": %s}' % ("9" * 400), "row 1, timestamp=9+"),
       "h2.jsonl": ('{"hash_ids": [1], "input_length": %s}' % ("9" * 4000), "row 1, input_length=9+"),
       "n.jsonl": ('{"hash_ids": [1, 2], "input_length": 3}\n', "row 1, input_length=3: must be as many pages of 4"),
       "n2.jsonl": ('{"hash_ids": [1], "input_length": 5}\n', "row 1, input_length=5: must be as many pages of 4"),
       "i.jsonl": ('{"hash_ids": [1], "input_length": -3}\n', "row 1, input_length=-3"),
       "z.jsonl": ('{"hash_ids": [1, 2]}\n{"hash_ids": [1], "input_length": 0}\n', "row 2, input_length=0: must be"),
       "u.csv2.csv": ("tokens\n1 2 3 4\n1_2_3_4_5\n", "row 2, tokens=1_2_3_4_5: must be a list"),
       "c.jsonl": ('{"hash_ids": [1, 2]}\n{"hash_ids": [3, 2]}\n', "row 2, hash_ids: 2 follows 3"),
       "s.jsonl": ('{"tokens": [1], "timestamp": 5}\n{"tokens": [1], "timestamp": "x"}\n',
                   "row 2, timestamp=x: must be milliseconds"),
       "o.jsonl": ('{"tokens": [1], "timestamp": 5}\n{"tokens": [1], "timestamp": 4}\n',
                   "row 2, timestamp=4: must be milliseconds, not before")}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_trace_is_told_in_one_line(name, tmp_path):
    path = tmp_path / name
    path.write_text(BAD[name][0])
    with pytest.raises(ValueError, match=BAD[name][1]) as error:
        read_prompts(str(path), 4)
    assert re.match("trace=", str(error.value)) and "\n" not in str(error.value)


@pytest.mark.parametrize("trace", ["none.csv", "nonsense", None, 3, ["x"]])
def test_no_trace_at_all(trace):
    told = "no such file" if trace == "none.csv" else "must be conversation, synthetic, or"
    with pytest.raises(ValueError, match=f"(?i)^trace=.*{told}"):
        read_prompts(trace)


def test_sessions_are_equal_in_their_first_two_pages():
    keys = [[1, 2, 3], [1, 2], [1], [1], [4, 2], [5, 2], [], [1, 9]]
    prompts = Prompts(4, keys, [4 * len(k) + 1 for k in keys], [0.0] * len(keys))
    assert sessions(prompts) == [0, 0, 1, 1, 0, 0, 2, 3]
