"""Traces as the world writes them, and files that are none."""
import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from pagedkv_nb.traffic import read_prompts, read_workload, table

from .conftest import ROOT

BATCH_LINE = {"id": "b", "custom_id": "r", "response": {"status_code": 200, "body": {
    "object": "chat.completion", "usage": {"prompt_tokens": 3, "completion_tokens": 5,
                                           "total_tokens": 8}}}}
AZURE_2024 = ("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.009930+00:00,3,5\n"
              "2024-05-10 00:00:01.509930+00:00,70,1\n")
BURST = ("Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
         "5,ChatGPT,3,5,8,Conversation log\n45,GPT-4,70,1,71,API log\n")


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize("name, text", [
    ("azure.csv", AZURE_2024), ("burst.csv", BURST),
    ("openai.csv", "id,prompt_tokens,completion_tokens\na,3,5\nb,70,1\n"),
    ("anthropic.csv", "input_tokens,output_tokens\n3,5\n70,1\n"),
    ("vllm.csv", "num_prompt_tokens,num_output_tokens\n3,5\n70,1\n"),
    ("both.csv", "prompt,output,prompt_tokens,completion_tokens\nWhy?,So.,3,5\nHow?,x,70,1\n"),
    ("half.csv", "prompt_tokens,input_tokens,output_tokens\n9,3,5\n9,70,1\n"),
    ("bom.csv", "\ufeffprompt,output\n3,5\n70,1\n"), ("crlf.csv", "prompt,output\r\n3,5\r\n70,1\r\n"),
    ("semicolons.csv", "prompt;output\n3;5\n70;1\n"), ("tabs.csv", "prompt\toutput\n3\t5\n70\t1\n"),
    ("quotes.csv", '"prompt","output"\n"3","5"\n"70","1"\n'),
    ("spaces.csv", " Prompt , OUTPUT \n3, 5\n 70,1\n"), ("blanks.csv", "\nprompt,output\n3,5\n70,1\n\n\n"),
    ("whole.csv", "prompt,output\n3.0,5\n7e1,1.0\n"), ("zero.csv", "prompt,output\n3,5\n70,0\n"),
    ("commas.csv", 'text,prompt,output\n"a, b\nc",3,5\n"d",70,1\n'),
    ("marks.csv", "text,prompt,output\na;b;c;d;e;f;g,3,5\ne;f\t\t\t\t,70,1\n"),
    ("usage.jsonl", lines({"usage": {"prompt_tokens": 3, "completion_tokens": 5}},
                          {"usage": {"prompt_tokens": 70, "completion_tokens": 1}})),
    ("usage2.jsonl", lines({"usage": {"input_tokens": 3, "output_tokens": 5}},
                           {"usage": {"input_tokens": 70, "output_tokens": 1}})),
    ("bench.json", json.dumps({"backend": "vllm", "completed": 2, "input_lens": [3, 70],
                               "output_lens": [5, 1], "ttfts": [0.1, 0.2]})),
    ("bench.jsonl", lines({"input_lens": [3], "output_lens": [5]}, {"input_lens": [70], "output_lens": [1]})),
    ("list.json", json.dumps([{"prompt": 3, "output": 5}, {"prompt": 70, "output": 1}], indent=1)),
    ("columns.json", json.dumps({"prompt": [3, 70], "output": [5, 1]})),
    ("blank.jsonl", "\n" + lines({"prompt": 3, "output": 5}) + "\r\n" + lines({"prompt": 70, "output": 1}) + "\n")])
def test_columns_as_the_world_writes_them(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    for file in (name, f"{name}.gz"):
        w = read_workload(str(tmp_path / file), 99, None)
        assert (w.prompt.tolist(), w.output.tolist(), w.name) == ([3, 70], [5, 1], file)


def test_arrivals_beyond_a_float_or_a_date_are_none(tmp_path):
    for time in (10**400, -10**400, "9" * 400, [1], True, {"a": 1}, None, "262143-01-01", 10**30, 1e308, -1e308):
        (tmp_path / "t.jsonl").write_text(lines(
            {"input_length": 1, "output_length": 1, "timestamp": 0},
            {"input_length": 1, "output_length": 1, "timestamp": time}))
        (tmp_path / "a.jsonl").write_text(lines(
            {"TIMESTAMP": "1677-10-01", "ContextTokens": 1, "GeneratedTokens": 1},
            {"TIMESTAMP": "2262-01-01", "ContextTokens": 1, "GeneratedTokens": 1},
            {"TIMESTAMP": time, "ContextTokens": 1, "GeneratedTokens": 1}))
        far = read_workload(tmp_path / "t.jsonl", 0, None).arrival_s
        assert far is None
        assert read_workload(tmp_path / "a.jsonl", 0, None).arrival_s is None


def test_a_line_separator_inside_a_text_ends_no_line(tmp_path):
    record = {"prompt_tokens": 3, "completion_tokens": 5, "text": "a\u2028b\u0085c"}
    (tmp_path / "t.jsonl").write_text(json.dumps(record, ensure_ascii=False) + "\n" + json.dumps(record))
    (tmp_path / "t.csv").write_text("text,prompt,output\na\u2028b\u0085c,3,5\nd,3,5\n")
    for name in ("t.jsonl", "t.csv"):
        assert read_workload(tmp_path / name, 0, None).prompt.tolist() == [3, 3]


def test_fields_of_any_length_and_empty_ones_too_many(tmp_path):
    (tmp_path / "t.csv").write_text(f"text,prompt,output\n{'x' * 200_000},3,5,\ny,70,1,,\n")
    assert read_workload(tmp_path / "t.csv", 0, None).prompt.tolist() == [3, 70]


def test_of_a_million_unknown_columns_the_first_are_told(tmp_path):
    (tmp_path / "t.csv").write_text("x," * 2**20)  # as a table of that width: half a minute
    with pytest.raises(ValueError, match="^workload=.*: needs columns ContextTokens,.*found: (x, )*x?,?$"):
        read_workload(tmp_path / "t.csv", 0, None)


def test_columns_that_are_not_read_may_be_there_twice(tmp_path):
    (tmp_path / "t.csv").write_text("timestamp,Timestamp,prompt,output,x,x\n1,2,3,5,6,7\n")
    assert read_workload(tmp_path / "t.csv", 0, None).prompt.tolist() == [3]


@pytest.mark.parametrize("text", ['{"prompt": 3, "output": 5}{"prompt": 70, "output": 1}',
                                  '{"prompt": 3,\n "output": 5}\n\n{"prompt": 70,\n "output": 1}\n'])
def test_objects_one_after_another_need_no_line_each(tmp_path, text):
    (tmp_path / "t.jsonl").write_text(text)
    assert read_workload(tmp_path / "t.jsonl", 0, None).prompt.tolist() == [3, 70]


def test_what_is_no_regular_file_is_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "link.csv").symlink_to(tmp_path / "pipe.csv")
    for name in ("pipe.csv", "zero.csv", "link.csv"):
        with pytest.raises(ValueError, match="^workload=.*: cannot be read: it is no regular file$"):
            read_workload(tmp_path / name, 0, None)


def test_a_file_is_read_up_to_a_limit_unpacked(tmp_path, monkeypatch):
    assert table.MOST_BYTES == 2**31 - 1  # 2 GiB, and the largest field that csv takes on Windows
    monkeypatch.setattr(table, "MOST_BYTES", 2**22)
    (tmp_path / "large.csv").write_bytes(b"1,1\n" * 2**21)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(bytes(2**28)))
    for name in ("large.csv", "bomb.csv.gz"):
        tracemalloc.start()
        with pytest.raises(ValueError, match="it has more than 4,194,304 bytes"):
            read_workload(tmp_path / name, 0, None)
        assert tracemalloc.get_traced_memory()[1] < 2**24
        tracemalloc.stop()


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_that_memory_cannot_hold_is_refused(tmp_path, monkeypatch, mark):
    monkeypatch.setattr(table, "MOST_FIELDS", 20)
    (tmp_path / "t.csv").write_text(f"prompt{mark}output\n" + f"1{mark}2\n" * 9)
    assert len(read_workload(tmp_path / "t.csv", 0, None).prompt) == 9
    (tmp_path / "t.csv").write_text(f"prompt{mark}output\n" + f"1{mark}2\n" * 10)
    with pytest.raises(ValueError, match=r"must have at most 20 fields$"):
        read_workload(tmp_path / "t.csv", 0, None)


def test_a_home_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t.csv").write_text("prompt,output\n1,2\n")
    assert read_workload("~/t.csv", 0, None).prompt.tolist() == [1]


def test_usage_deep_inside_a_batch_file(tmp_path):
    (tmp_path / "batch.jsonl").write_text(lines(BATCH_LINE, BATCH_LINE))
    assert read_workload(tmp_path / "batch.jsonl", 0, None).output.tolist() == [5, 5]


@pytest.mark.parametrize("name, text, arrivals", [
    ("azure.csv", AZURE_2024, [0, 1.5]), ("burst.csv", BURST, [0, 40]),
    ("mooncake.jsonl", lines({"timestamp": 500, "input_length": 1, "output_length": 1},
                             {"timestamp": 3500, "input_length": 1, "output_length": 1}), [0, 3]),
    ("own.csv", "arrival_s,prompt,output\n7,1,1\n7.5,1,1\n", [0, 0.5]),
    ("openai.csv", "arrival_s,prompt_tokens,completion_tokens\n7,1,1\n7.5,1,1\n", [0, 0.5]),
    ("anthropic.csv", "arrival_s,input_tokens,output_tokens\n7,1,1\n7.5,1,1\n", [0, 0.5]),
    ("vllm.csv", "arrival_s,num_prompt_tokens,num_output_tokens\n7,1,1\n7.5,1,1\n", [0, 0.5]),
    ("usage.jsonl", lines(*({"arrival_s": s, "usage": {"input_tokens": 1, "output_tokens": 1}} for s in (7, 9))), [0, 2]),
    ("none.csv", "prompt,output\n1,1\n", None), ("no time.csv", "arrival_s,prompt,output\nsoon,1,1\n", None)])
def test_arrivals_in_seconds_from_the_first(tmp_path, name, text, arrivals):
    (tmp_path / name).write_text(text)
    found = read_workload(tmp_path / name, 0, None).arrival_s
    assert found is None if arrivals is None else found == pytest.approx(arrivals)


def test_a_limit_keeps_the_arrivals_of_those_served(tmp_path):
    (tmp_path / "t.csv").write_text("arrival_s,prompt,output\n0,5,1\n1,50,1\n2,6,1\n")
    assert read_workload(tmp_path / "t.csv", 0, None).within(10).arrival_s.tolist() == [0, 2]


@pytest.mark.parametrize("name, content, message", [
    ("a.csv", b"a,b,c\n1,2,3\n", "columns ContextTokens,GeneratedTokens or .*; found: a, b, c$"),
    ("a.csv", b"prompt\n5\n", "needs columns .*; found: prompt$"),
    ("a.csv", b"prompt,output\n", "at least one row"), ("a.csv", b"\n\n", "it is empty"),
    ("a.csv", b"", "it is empty"), ("a.csv.gz", gzip.compress(b"", mtime=0), "it is empty"),
    ("a.csv", b"prompt,output\n1,2\n3,nan\n", r"row 2, output=nan: must be a whole"),
    ("a.csv", b"prompt,output\n1,2\n3\n", r"row 2, output=None: must be a whole"),
    ("a.csv", b"prompt,output\n1,-2\n", r"row 1, output=-2: must be a whole number from 0 to"),
    ("a.csv", b"prompt,output\n3,5\n0,5\n", r"row 2, prompt=0: must be a whole number from 1 to 1,0"),
    ("a.csv", b"prompt,output\n3,5\n1e-400,5\n", r"row 2, prompt=1e-400: must be a whole"),
    ("a.csv", b"prompt,output\n1e10,2\n", r"row 1, prompt=1\S+: must be .* to 1,000,000,000"),
    ("a.csv", b"prompt,output\n1,2\nx,2\n", "row 2, prompt=x: must be"),
    ("a.csv", b"prompt,output\nTrue,2\nTrue,2\n", "row 1, prompt=True: must be"),
    ("a.csv", b"prompt,output\n1,\"2\n", "is no CSV: line 2, at a quote: unexpected end of data$"),
    ("a.csv", b'prompt,output\n3,5\n"1"x,2\n4,4\n', "is no CSV: line 3, at a quote: ',' expected"),
    ("a.csv", b"prompt,output\n1,2\n1,2,3\n", "row 2: has more fields than the header; .* in quotes"),
    ("a.csv", b"prompt,output\n1,2,3,4\n5,6,7,8\n", "row 1: has more fields than the header"),
    ("a.csv", b"prompt,Prompt,output\n1,2,3\n", "(?i)column prompt is there twice"),
    ("a.csv", b"prompt,output,output\n1,2,3\n", "column output is there twice"),
    ("a.csv", b"x" * 2**18, "found: x+$"), ("a.csv", b"x," * 2**17, "found: x, x, x"),
    ("a.csv", b"prompt,output\n1," + b"9" * 5000, "row 1, output=9+: must be"),
    ("a.json", b'{"prompt": [1], "PROMPT": [2], "output": [3]}', "(?i)column prompt is there twice"),
    ("a.json", b'[{"prompt": 1, "output": 2},\n]', "is no JSON: Illegal trailing comma|is no JSON: Expecting value: line 2"),
    ("a.jsonl", b'{"prompt": 1, "output": %s}' % (b"9" * 400), "row 1, output=9+: must be"),
    ("a.jsonl", b'{"prompt": 1, "output": %s}' % (b"9" * 5000), "is no JSON: Exceeds the limit"),
    ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\0", "can't decode byte 0x89 in position 0"), ("a.csv", b"a\0b\n", "no text .byte 1"),
    ("a.csv", "prompt,output\n1,2\n".encode("utf-16"), "can't decode byte 0xff in position 0"),
    ("a.csv.gz", gzip.compress(b"prompt,output\n1,2\n" * 99, mtime=0)[:40], "Compressed file ended before the end"),
    ("a.json", b'{"prompt": [1, 2', "is no JSON: Expecting .* line 1 column 17"), ("a.json", b"[]", "found: none"),
    ("a.json", b'{"prompt": [], "output": []}', "at least one row"),
    ("a.jsonl", b'[{"prompt": 1, "output": 2}]\n[{"prompt": 1, "output": 2}]', "row 1: must be an object"),
    ("a.csv", b'"a\nb",c\n1,2\n', "found: a b, c$"),
    ("a.json", b"3", "row 1: must be an object"), ("a.json", b"null", "row 1: must be an object"),
    ("a.json", b'{"prompt": [1], "output": ["x"]}', "row 1, output=x"),
    ("a.json", b"[" * 100_000, "nested too deeply|no JSON"),
    ("a.jsonl", b'{"prompt": 1, "output": 2}\n{"prompt": 1, "outp', "is no JSON: .*: line 2 column"),
    ("a.jsonl", b'{"prompt": 1, "output": 2}\n[1]\n', "row 2: must be an object"),
    ("a.jsonl", b'{"prompt": 1, "output": 2}\n{"prompt": 1}\n', "row 2, output=None: must be"),
    ("a.jsonl", b'{"prompt": 1, "output": true}\n', "row 1, output="),
    ("a.jsonl", b'{"prompt": 1, "output": {"a": 2}}\n', "row 1, output="),
    ("a.json", b'{"prompt": [1, 2], "output": [1]}', "row 2, output=None: must be"),
    ("a.json", b'[{"prompt": [1, 2], "output": [3]}, {"prompt": [4], "output": [5, 6]}]', "row 4, prompt=None"),
    ("a.json", b'[{"prompt": [1, 2], "output": 3}]', r"row 1, prompt=.1, 2.: must be")])
def test_what_is_no_trace_is_one_line_with_file_row_and_column(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        read_workload(path, 0, None)
    assert str(error.value).startswith(f"workload='{path}': ") and "\n" not in str(error.value)


def test_a_folder_and_nothing_are_one_line(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for name, message in (("folder.csv", "it is no regular file"), ("none.json.gz", "No such file")):
        with pytest.raises(ValueError, match=f"cannot be read: {message}"):
            read_workload(str(tmp_path / name), 1, None)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=80), st.text("prompt,output;\n\t\"'1234.-e{}[]: ", max_size=60).map(
    lambda text: ("prompt,output\n" + text).encode())), st.sampled_from([".csv", ".jsonl", ".json", ".csv.gz"]))
def test_any_bytes_are_a_trace_or_one_line(tmp_path, content, suffix):
    path = tmp_path / f"fuzz{suffix}"
    path.write_bytes(content)
    try:
        w = read_workload(path, 0, None)
    except ValueError as error:
        assert str(error).startswith("workload=") and "\n" not in str(error)
    else:
        assert len(w.prompt) == len(w.output) > 0 and w.prompt.min() >= 1 and w.output.min() >= 1


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.slow
def test_a_million_rows_need_less_than_a_gibibyte(tmp_path, suffix):
    path = tmp_path / f"large.{suffix}"
    row = "1234,567\n" if suffix == "csv" else '{"prompt": 1234, "output": 567}\n'
    path.write_text(("prompt,output\n" if suffix == "csv" else "") + row * 10**6)
    code = (f"from pagedkv_nb.traffic import read_workload; w = read_workload({str(path)!r}, 0, None); import resource; "
            "print(len(w.prompt), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    rows, kib = map(int, done.stdout.split())
    assert rows == 10**6 and kib < 2**20


@pytest.mark.parametrize("name, text, message", [
    ("a.json", '{"prompt": [1],\n "output": [2],\n "prompt": [3]}', "key 'prompt' is there twice"),
    ("a.json", '[{"prompt": 1, "output": 2, "usage": {"a": 1, "a": 1}}]', "key 'a' is there twice"),
    ("a.jsonl", '{"prompt": 1, "output": 2, "output": 3}\n', "key 'output' is there twice"),
    ("a.jsonl", '{"prompt": 1, "output": 2}\n\n{"prompt": 1, "output": 2, "output": 2}\n',
     "key 'output' is there twice"),
    ("a.jsonl", '{"prompt": 1, "output": 2}\n{"a\\nb": 1, "a\\nb": 2}', r"key 'a\nb' is there twice")])
def test_a_key_that_comes_twice_is_refused(tmp_path, monkeypatch, name, text, message):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text)
    for read, parameter in ((lambda: read_workload(name, 0, None), "workload"), (lambda: read_prompts(name), "trace")):
        with pytest.raises(ValueError) as error:
            read()
        assert str(error.value) == f"{parameter}='{name}': {message} in one object"
