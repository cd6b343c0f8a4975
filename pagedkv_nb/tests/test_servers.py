"""The budget against start-ups of real servers, line by line, and as a command."""
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagedkv_nb.evidence.startups import cache_dtype, deployed, logged_servers, predictions
from pagedkv_nb.facts import fact, facts
from pagedkv_nb.sizing import GIB, Deployment, Engine, Model, budget, remarks, report
from pagedkv_nb.sizing.budget import main
from pagedkv_nb.sizing.engine import known_sizes

SERVERS = logged_servers()


def test_tokens_agree_with_the_logs():
    had = predictions(SERVERS)
    ratio = had["predicted_tokens"] / had["logged_tokens"]
    assert abs(ratio.median() - 1) < 0.005
    assert (abs(ratio - 1) <= 0.05).mean() >= 0.9
    off = had[abs(ratio - 1) > 0.05]
    assert set(off["server"]) == {"LD8", "V01", "P02", "N10", "N20f", "N20g"}
    assert "L10" not in set(off["server"])  # Gemma-3-27B: layers in groups


def test_the_lines_agree_with_the_logs():
    rows = SERVERS[SERVERS["engine_version"] == "0.19.0"]
    for _, row in rows.iterrows():
        d = deployed(row)
        assert d.kv_budget_bytes / d.n_gpus / GIB == pytest.approx(row["kv_gib"], abs=0.45)
        assert d.overheads["outside PyTorch"] / d.n_gpus / GIB == pytest.approx(row["non_torch_gib"], abs=0.22)
    dense = rows[~rows["shape"].str.contains("MoE|DeepSeek|Scout")]
    off = [deployed(row).overheads["activations"] / row["n_gpus"] / GIB / row["activation_gib"]
           for _, row in dense.iterrows()]
    assert min(off) > 0.84 and max(off) < 1.05


def test_estimated_weights_are_close():
    sixteen = SERVERS[SERVERS["weights_dtype"].str.contains("float16|bf16") & (SERVERS["gpu"] != "GB10-128GB")]
    had = predictions(sixteen, weights=False)
    ratio = had["predicted_tokens"] / had["logged_tokens"]
    assert abs(ratio.median() - 1) < 0.01 and (abs(ratio - 1) <= 0.05).mean() > 0.85


def test_admission_is_what_the_log_calls_maximum_concurrency():
    v1 = SERVERS[(SERVERS["engine_version"] == "0.19.0")]
    for _, row in v1.iterrows():
        admitted = deployed(row).admitted(int(row["max_model_len"]), cache_dtype(row))
        assert admitted == pytest.approx(row["max_concurrency"], rel=0.035)


def test_windows_at_admission_and_in_the_steady_state():
    d = Deployment(Model.named("gpt-oss-20b"), "H100-80GB", 1, 13.64, 0.95, "vllm-0.19", None,
                   8192)
    assert d.admitted(8192) == pytest.approx(155.75, rel=0.01)
    assert d.sequences(8192) / d.admitted(8192) == pytest.approx(1.97, abs=0.02)
    plain = Deployment(Model.named("Llama-3.1-8B"), "H100-80GB")
    assert plain.sequences(8192) == int(plain.admitted(8192))


@pytest.mark.slow
@given(st.sampled_from(list(facts("gpus")["name"])), st.integers(1, 16), st.floats(0.3, 1),
       st.sampled_from(list(facts("engines")["name"])))
def test_the_lines_add_up_to_the_label(gpu, n_gpus, usable, engine):
    for model in ("Qwen2.5-0.5B", "Gemma-2-2B"):
        try:
            d = Deployment(Model.named(model), gpu, n_gpus, 0.0, usable, engine)
        except ValueError:
            continue  # little memory and nothing left
        lines = budget(d)
        listed = fact("gpus", "gpu", gpu)["memory_bytes"]
        assert sum(lines.values()) >= n_gpus * listed
        assert min(lines.values()) >= 0 and lines["KV cache"] == d.kv_budget_bytes
        assert d.offered_bytes == d.weight_bytes + d.kv_budget_bytes
        assert d.token_slots() + 16 * n_gpus >= d.sequences(100) * 100 or d.model.local_layers


def test_by_hand():
    # 0.9 x 79.19 - 15 - activations - 0.25; 1,024 x 128,256 x 14.5 bytes > 6 x 8,192 x 18,432
    d = Deployment(Model.named("Llama-3.1-8B"), "H100-80GB", weights_gib=15, engine="vllm-0.19")
    activation = 0.1 * GIB + 1024 * 128256 * 14.5
    assert d.kv_budget_bytes == pytest.approx((0.9 * 79.19 - 15.25) * GIB - activation, abs=4)
    own = Deployment(d.model, "H100-80GB", weights_gib=15, overhead_gib=2)
    assert own.kv_budget_bytes == pytest.approx((0.92 * 79.19 - 17) * GIB, abs=4)
    # V0 reads a prompt whole: 6 x 20,000 tokens x (4,096 + 14,336), and 0.06 GiB outside
    v0 = Deployment(d.model, "RTX-3090-24GB", weights_gib=15, engine="vllm-0.6",
                    max_model_len=20000)
    assert v0.kv_budget_bytes == pytest.approx(
        (0.9 * 23.56 - 15.06) * GIB - 6 * 20000 * 18432, abs=4)
    v0 = Engine.named("vllm-0.6")  # longer ones in chunks, but on a V100
    assert v0.load("A100-80GB", 79, 32769) == (256, 2048)
    assert v0.load("V100-32GB", 31, 40000) == (256, 40000)


def test_what_is_not_known_is_said():
    told = " ".join(remarks(Deployment(Model.named("32x8x128"), "RTX-A4000-16GB", weights_gib=9)))
    assert "Vocabulary" in told and "98.9 %" in told and "weights" not in told
    assert "estimate" in told or "Llama-3.1-8B" in told
    llama = Model.named("Llama-3.1-8B")
    for missing in ("vocab", "hidden", "intermediate"):
        some = Deployment(replace(llama, **{missing: 0}), "H100-80GB", weights_gib=15)
        assert "Llama-3.1-8B" in " ".join(remarks(some))
    assert not remarks(Deployment(llama, "H100-80GB", weights_gib=15))
    tight = Deployment(llama, "L4-24GB", weights_gib=15)
    assert "A request of 131,072 tokens does not fit" in " ".join(remarks(tight))


@pytest.mark.parametrize("change, message", [
    ({"engine": "vllm-9"}, "engine='vllm-9': must be one of vllm-0.6, "),
    ({"engine": None}, "engine=None: must be one of"),
    ({"overhead_gib": -1}, "overhead_gib=-1: must be"),
    ({"overhead_gib": float("nan")}, "overhead_gib=nan: must be"),
    ({"weights_gib": float("inf")}, "weights_gib=inf: must be"),
    ({"max_model_len": -1}, "max_model_len=-1: must be"),
    ({"max_num_seqs": 1.5}, "max_num_seqs=1.5: must be"),
    ({"usable": 0}, "model='Llama-3.1-8B': its weights take 15.0 GiB"), ({"gpu": "TPU"}, "gpu='TPU': must be one of")])
def test_bad_values_are_one_line(change, message):
    fields = {"gpu": "H100-80GB"} | change
    with pytest.raises(ValueError) as error:
        Deployment(Model.named("Llama-3.1-8B"), **fields)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_the_command(capsys, tmp_path):
    config = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 8,
              "vocab_size": 10, "intermediate_size": 8}
    (tmp_path / "config.json").write_text(json.dumps(config))
    for model in ("Llama-3.1-8B", str(tmp_path), "gpt-oss-20b"):
        assert main([model, "--gpu", "H100-80GB", "--n-gpus", "2"]) == 0
        d = Deployment(Model.named(model), "H100-80GB", 2)
        out = capsys.readouterr().out
        assert out == report(d) + "\n" and f"{d.token_slots():,}" in out
    for wrong in (["GPT-5", "--gpu", "H100-80GB"], ["OPT-13B", "--gpu", "TPU"],
                  ["OPT-13B", "--gpu", "H100-80GB", "--dtype", "int3"],
                  ["OPT-66B", "--gpu", "L4-24GB"], ["OPT-13B", "--gpu", "L4-24GB", "--tokens=-1"]):
        assert main(wrong) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0 and "--gpu" in capsys.readouterr().out


def test_windows_have_a_line_for_admission():
    oss = report(Deployment(Model.named("gpt-oss-20b"), "H100-80GB", 1, 13.64, 0.95, "vllm-0.19", None,
                   8192), 8192)
    assert "\nsequences of 8,192 tokens                 306\n  at the moment of admission" in oss
    dense = report(Deployment(Model.named("Llama-3.1-8B"), "H100-80GB"), 8192)
    assert "admission" not in dense


def test_what_an_engine_profiles_by_hand():
    """1,024 requests of a stand-in vocabulary; 256 on cards below 70 GiB, however many; V0 no
    more tokens than the model takes; nothing beside an overhead of one's own."""
    bare = Deployment(Model.named("32x32x128"), "A100-80GB", weights_gib=12.0)
    assert list(known_sizes(bare.model).values()) == [128256, 4096, 14336]
    assert bare.overheads["activations"] == int(0.1 * GIB + 256 * 128256 * 30)  # an A100 counts as small
    large = Deployment(Model.named("32x32x128"), "H100-80GB", weights_gib=12.0)
    assert large.overheads["activations"] == int(0.1 * GIB + 1024 * 128256 * 30)
    small = Deployment(Model.named("Llama-3.1-8B"), "A100-40GB", 2)
    assert small.parts[1] == (256, 2048)
    assert small.overheads["activations"] == int(2 * (0.1 * GIB + 256 * 128256 * 30))
    v0 = Deployment(Model.named("Llama-2-7B"), "A100-80GB", engine="vllm-0.6")
    assert v0.parts[1] == (256, 4096)
    own = Deployment(Model.named("Llama-3.1-8B"), "A100-40GB", 2, overhead_gib=2.0)
    assert own.overheads == {"your overhead": 4 * GIB}
    assert "your overhead" in budget(own) and "outside PyTorch" not in budget(own)
    assert "outside PyTorch" in budget(small) and "your overhead" not in budget(small)
