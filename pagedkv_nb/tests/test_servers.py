"""The budget against start-ups of real servers, line by line, and as a command."""
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagedkv_nb.evidence.startups import deployed, logged_servers, predictions
from pagedkv_nb.facts import fact, facts
from pagedkv_nb.sizing import GIB, Deployment, Model, budget, remarks, report
from pagedkv_nb.sizing.__main__ import main

SERVERS = logged_servers()


def test_tokens_agree_with_the_logs():
    had = predictions(SERVERS)
    ratio = had["predicted_tokens"] / had["logged_tokens"]
    assert abs(ratio.median() - 1) < 0.005
    assert (abs(ratio - 1) <= 0.05).mean() >= 0.9
    off = had[abs(ratio - 1) > 0.05]
    assert set(off["server"]) == {"LD8", "P02", "N10", "N20f", "N20g"}
    assert "L10" not in set(off["server"])  # Gemma-3-27B: layers in groups


def test_how_a_startup_is_told_apart():
    told = predictions(SERVERS).set_index("server")[["era", "weights", "kind"]].T
    expected = {"L03": ("V1 to 0.19", "fp8", "quantised"), "P02": ("V0", "gptq", "quantised"),
                "L31": ("V1 to 0.19", "16 bits", "images or shared memory"),
                "P13": ("V1 from 0.20", "16 bits", "16 bits")}
    assert {name: tuple(told[name]) for name in expected} == expected
    eras = facts("engines").set_index("name")["era"]
    assert eras["vllm-0.20.0"] == "V1 from 0.20" and eras["vllm-0.7"] == "V0"


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
        admitted = deployed(row).admitted(int(row["max_model_len"]), row["kv_cache_dtype"])
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
    for gpu, longest, tokens in (("A100-80GB", 32769, 2048), ("V100-32GB", 40000, 40000)):
        long = Deployment(d.model, gpu, weights_gib=15, engine="vllm-0.6", max_model_len=longest)
        assert long.load == (256, tokens)  # in chunks, but on a V100


def test_what_is_not_known_is_said():
    told = " ".join(remarks(Deployment(Model.named("32x8x128"), "RTX-A4000-16GB", weights_gib=9)))
    assert "Vocabulary" in told and "98.9 %" in told and "weights" not in told
    assert "estimate" in told or "Llama-3.1-8B" in told
    llama = Model.named("Llama-3.1-8B")
    for missing in ("vocab", "hidden", "intermediate"):
        some = Deployment(replace(llama, **{missing: 0}), "H100-80GB", weights_gib=15)
        assert "Llama-3.1-8B" in " ".join(remarks(some))
    assert not remarks(Deployment(llama, "H100-80GB", weights_gib=15))
    for name, told in (("Llama-3.1-8B", "parameters at 2 bytes"), ("Llama-3.1-8B-AWQ", "what its files or its name")):
        assert f"The weights are {told}" in " ".join(remarks(Deployment(Model.named(name), "H100-80GB")))
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
    assert bare.overheads["activations"] == int(0.1 * GIB + 256 * 128256 * 30)  # an A100 counts as small
    large = Deployment(Model.named("32x32x128"), "H100-80GB", weights_gib=12.0)
    assert large.overheads["activations"] == int(0.1 * GIB + 1024 * 128256 * 30)
    small = Deployment(Model.named("Llama-3.1-8B"), "A100-40GB", 2)
    assert small.load == (256, 2048)
    assert small.overheads["activations"] == int(2 * (0.1 * GIB + 256 * 128256 * 30))
    v0 = Deployment(Model.named("Llama-2-7B"), "A100-80GB", engine="vllm-0.6")
    assert v0.load == (256, 4096)
    own = Deployment(Model.named("Llama-3.1-8B"), "A100-40GB", 2, overhead_gib=2.0)
    assert own.overheads == {"your overhead": 4 * GIB}
    assert "your overhead" in budget(own) and "outside PyTorch" not in budget(own)
    assert "outside PyTorch" in budget(small) and "your overhead" not in budget(small)


def shares(logged_weights, chosen):
    """(start-ups, share within 5 %, within 10 %) of those that are chosen."""
    had = predictions(SERVERS, logged_weights).merge(
        SERVERS[["id", "shape"]], left_on="server", right_on="id")
    had["tower"] = [Model.named(shape).image_tokens > 0 for shape in had["shape"]]
    had = had[chosen(had)]
    off = (had["predicted_tokens"] / had["logged_tokens"] - 1).abs()
    return len(had), (off <= 0.05).mean(), (off <= 0.10).mean()


def plain(had):
    """Text models with more than 2 GiB of cache on cards that do not share the host's memory."""
    return ~had["tower"] & ~had["gpu"].str.contains("GB10") & (had["kv_gib"] > 2)


# (weights logged, which start-ups, at least so many, share within 5 %, within 10 %)
GOALS = {
    "plain, 16 bits": (False, lambda had: plain(had) & (had["weights"] == "16 bits"), 40, 0.85, 0.95),
    "plain": (False, plain, 60, 0.80, 0.88),
    "plain, quantised": (False, lambda had: plain(had) & (had["weights"] != "16 bits"), 20, 0.65, 0.90),
    "quantised": (False, lambda had: had["weights"] != "16 bits", 35, 0.64, 0.80),
    "H100": (False, lambda had: had["gpu"] == "H100-80GB", 40, 0.88, 0.93),
    "other cards": (False, lambda had: had["gpu"] != "H100-80GB", 35, 0.60, 0.80),
    "all": (False, lambda had: had["n_gpus"] > 0, 80, 0.75, 0.87),
    "weights given": (True, lambda had: had["n_gpus"] > 0, 75, 0.85, 0.92),
    "weights given, plain": (True, plain, 60, 0.93, 0.97),
    "weights given, quantised": (True, lambda had: had["weights"] != "16 bits", 30, 0.82, 0.86)}


@pytest.mark.parametrize("goal", GOALS)
def test_the_goal_by_class(goal):
    logged_weights, chosen, least, *wanted = GOALS[goal]
    n, *had = shares(logged_weights, chosen)
    assert n >= least and had[0] >= wanted[0] and had[1] >= wanted[1], (n, had)


@pytest.mark.parametrize("logged_weights", [True, False])
def test_nothing_is_far_off_outside_its_range(logged_weights):
    had = predictions(SERVERS, logged_weights)
    least, most = (had.filter(regex=f"^{end}").iloc[:, 0] for end in ("least", "most"))
    off = (had["predicted_tokens"] / had["logged_tokens"] - 1).abs()
    far = had[(off > 0.25) & ~had["logged_tokens"].between(least, most)]
    assert set(far["server"]) <= set()
    assert (least <= had["predicted_tokens"]).all() and (had["predicted_tokens"] <= most).all()
    assert had["logged_tokens"].between(least, most).mean() >= 0.9


def test_the_range_is_the_error_of_the_memory():
    d = Deployment(Model.named("Llama-3.1-8B"), "H100-80GB", 2)
    low, high = d.token_range()
    assert d.error_gib() == pytest.approx(0.6 + 0.03 * d.weight_bytes / 2 / GIB)
    each = 2 * GIB * d.error_gib() / 131072
    assert (d.token_slots() - low, high - d.token_slots()) == pytest.approx((each, each), abs=32)
    assert Deployment(d.model, "H100-80GB", 2, weights_gib=15.0).error_gib() == 0.6
    four = Deployment(Model.named("Llama-3.1-8B-AWQ"), "H100-80GB")
    assert four.error_gib() == pytest.approx(0.6 + 0.1 * four.weight_bytes / GIB)
    image = Model.named("Qwen3.5-27B")
    assert image.image_tokens == 16384
    assert Deployment(image, "H100-80GB", weights_gib=52.0).error_gib() == pytest.approx(2.6)
    assert Deployment(d.model, "GB10-128GB", weights_gib=15.0).error_gib() == pytest.approx(
        0.6 + 0.1 * fact("gpus", "gpu", "GB10-128GB")["reported_gib"])
    tight = Deployment(d.model, "RTX-3090-24GB", engine="vllm-0.6", max_model_len=8192,
                       weights_gib=19.5)
    assert tight.token_range()[0] == 0 < tight.token_slots()


def test_usable_zero_is_about_the_model_and_not_about_the_number_of_gpus():
    with pytest.raises(ValueError) as error:
        Deployment(Model.named("Llama-3.1-8B"), "H100-80GB", usable=0)
    message = str(error.value)
    assert message.startswith("model='Llama-3.1-8B': ") and "usable=0" in message
    assert "n_gpus" not in message and "\n" not in message


def test_a_card_that_is_not_in_the_table():
    with pytest.raises(ValueError, match="^gpu='H900': must be one of A100-40GB, .*memory_gib$"):
        Deployment(Model.named("Llama-3.1-8B"), "H900")
    own = Deployment(Model.named("Llama-3.1-8B"), "H900", memory_gib=79.19)
    assert own.token_slots() == Deployment(Model.named("Llama-3.1-8B"), "H100-80GB").token_slots()
    assert own.reported_bytes == int(79.19 * GIB) == sum(budget(own).values())
    assert "No log" not in " ".join(remarks(own))


def test_numbers_of_four_thousand_digits_on_the_command_line(capsys):
    for option in ("n-gpus", "max-model-len", "max-num-seqs", "max-num-batched-tokens", "tokens"):
        for value in ("1" + "0" * 4000, "-1" + "0" * 4000, "1" + "0" * 6000):
            told_on_one_line(capsys, ["Llama-3.1-8B", "--gpu", "H100-80GB", f"--{option}={value}"])
    for words in ([], ["Llama-3.1-8B"], ["--gpu", "L4-24GB"], ["Llama-3.1-8B", "--what", "1"]):
        told_on_one_line(capsys, words)
    for option in ("memory-gib", "weights-gib", "overhead-gib", "usable"):
        for value in ("1" + "0" * 4000, "nan", "-1", "inf"):
            told_on_one_line(capsys, ["Llama-3.1-8B", "--gpu", "H100-80GB", f"--{option}={value}"])


def told_on_one_line(capsys, words):
    """The command refuses with exit code 2 and one line that is not too long."""
    try:
        code = main(words)
    except SystemExit as stop:
        code = stop.code
    words = words or ["nothing"]
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1, words[-1][:40]
    assert err.count("error: ") == 1 and len(err) < 2000, words[-1][:40]


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/stdin"])
def test_the_command_does_not_wait_for_what_is_no_file(capsys, path):
    told_on_one_line(capsys, [path, "--gpu", "H100-80GB"])


def test_the_list_of_names(capsys):
    assert main(["--list"]) == 0
    out = capsys.readouterr().out
    for table in ("gpus", "engines", "models"):
        assert all(name in out for name in facts(table)["name"])


def by_hand_of(gpu, engine, n_gpus=1, **options):
    """A deployment of a model that leaves room everywhere."""
    return Deployment(Model.named("Llama-3.1-8B"), gpu, n_gpus, 1.0, engine=engine, **options)


@pytest.mark.parametrize("gpu, engine, load", [
    ("H100-80GB", "vllm-0.33", (1024, 8192)), ("A100-80GB", "vllm-0.8", (1024, 8192)),
    ("A100-80GB", "vllm-0.9", (256, 2048)), ("L4-24GB", "vllm-0.33", (256, 2048)),
    ("GB10-128GB", "vllm-0.19", (256, 2048)), ("B200-192GB", "vllm-0.27", (1024, 8192)),
    ("B200-192GB", "vllm-0.28", (1024, 16384)), ("H200-141GB", "vllm-0.33", (1024, 8192)),
    ("H100-80GB", "vllm-0.7", (256, 2048))])
def test_batches_that_are_profiled(gpu, engine, load):
    if gpu not in set(facts("gpus")["name"]):
        gpu = next(name for name in facts("gpus")["name"] if name.startswith(gpu.split("-")[0]))
    assert by_hand_of(gpu, engine).load == load


def test_shares_that_engines_take_by_default():
    assert by_hand_of("H100-80GB", "vllm-0.19").share == 0.9
    assert by_hand_of("H100-80GB", "vllm-0.20").share == 0.92
    for engine, share in (("sglang-0.4.9", 0.874), ("sglang-0.5.10", 0.83)):
        assert by_hand_of("H100-80GB", engine).share == pytest.approx(share, abs=0.005)
    assert by_hand_of("L40S-48GB", "sglang-0.5.10").share == pytest.approx(0.84, abs=0.01)


@pytest.mark.parametrize("engine, model, counted", [
    ("vllm-0.19", "Llama-3.1-8B", False), ("vllm-0.20", "Llama-3.1-8B", True),
    ("vllm-0.21", "Qwen3-8B", True), ("vllm-0.22", "Qwen3-8B", False), ("vllm-0.22", "Llama-3.1-8B", True),
    ("vllm-0.23", "Llama-3.1-8B", False), ("vllm-0.23", "Qwen2.5-7B", True),
    ("vllm-0.25", "Qwen2.5-7B", False), ("vllm-0.25", "Qwen3-30B-A3B", True),
    ("vllm-0.28", "Gemma-3-27B", False), ("vllm-0.29", "Gemma-3-27B", True), ("vllm-0.8", "Qwen3-8B", False),
    ("vllm-0.33", "Qwen3-8B", True), ("sglang-0.5.10", "Qwen3-8B", False)])
def test_which_engines_take_graphs_off(engine, model, counted):
    d = Deployment(Model.named(model), "H100-80GB", 1, 1.0, engine=engine)
    graphs = budget(d)["CUDA graphs"]
    assert (graphs > 0) == counted
    layers = d.model.layers + d.model.stateless_layers
    if counted:  # 1,024 requests: 51 + 51 sizes; fewer requests, fewer graphs
        assert graphs == pytest.approx((0.05 + 0.025 * layers * 102 / 86) * GIB, abs=1)
        for requests, sizes in ((256, 86), (128, 54), (512, 102), (2000, 102)):
            own = Deployment(d.model, "H100-80GB", 1, 1.0, engine=engine, max_num_seqs=requests)
            assert budget(own)["CUDA graphs"] == pytest.approx(
                (0.05 + 0.025 * layers * sizes / 86) * GIB, abs=1)


def test_outside_pytorch():
    for engine, one, large, small in (("vllm-0.6", 0.06, 0.45, 0.45), ("vllm-0.17", 0.13, 0.45, 0.45),
                                      ("vllm-0.18", 0.25, 2.1, 0.6), ("vllm-0.27", 0.3, 2.1, 0.6)):
        for gpu, n_gpus, gib in (("H100-80GB", 1, one), ("L4-24GB", 1, one), ("H100-80GB", 2, large),
                                 ("L4-24GB", 2, small), ("GB10-128GB", 2, small)):
            found = budget(by_hand_of(gpu, engine, n_gpus))["outside PyTorch"]
            assert found == pytest.approx(n_gpus * gib * GIB, abs=n_gpus), (engine, gpu)


def test_activations_of_experts_and_of_images():
    tokens, mixture = 2048, Model.named("Qwen3-30B-A3B")  # 8 experts of 768 a token, hidden 2,048
    d = Deployment(mixture, "L4-24GB", 4, 40.0, max_num_seqs=1, engine="vllm-0.19", max_num_batched_tokens=tokens)
    each = 2 * 8 * (max(2 * 768 / 4, 2048) + 768 / 4) + 6 * 2048
    assert budget(d)["activations"] == pytest.approx(4 * (0.1 * GIB + tokens * each), abs=8)
    image = Model.named("Qwen3.5-4B")
    d = Deployment(image, "H100-80GB", 1, 9.0, engine="vllm-0.19", max_num_seqs=256)
    tower = 16384 * 4 * 2 * (6 * 1024 + 2 * 4096)  # 4 patches a token, hidden 1,024, inner 4,096
    assert budget(d)["activations"] == int(0.1 * GIB) + tower


def test_unknown_weights_are_unknown_on_many_gpus_too(tmp_path):
    """A latent's parts are copied to every GPU: not even those are taken for the weights."""
    config = {"num_hidden_layers": 2, "num_attention_heads": 8, "hidden_size": 512, "vocab_size": 10,
              "intermediate_size": 8, "kv_lora_rank": 64, "qk_rope_head_dim": 16, "q_lora_rank": 32}
    (tmp_path / "Latent-NVFP4").mkdir()
    (tmp_path / "Latent-NVFP4" / "config.json").write_text(json.dumps(config))
    model = Model.named(str(tmp_path / "Latent-NVFP4"))
    for n_gpus in (1, 2, 8):
        with pytest.raises(ValueError, match="the name says nvfp4.*; name another model or set weights_gib"):
            Deployment(model, "H100-80GB", n_gpus)
    with pytest.raises(ValueError, match="; name another model or set weights_gib"):
        Deployment(replace(model, copied_bytes=10**6), "H100-80GB", 2)
