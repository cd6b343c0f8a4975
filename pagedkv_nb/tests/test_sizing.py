"""Bytes of tokens, sequences and deployments."""
import pytest

from pagedkv_nb.facts import fact, facts
from pagedkv_nb.sizing import GIB, Deployment, Model

MODELS = facts("models")


def test_the_article():
    article = Model.named("32x32x128")
    assert article.kv_bytes_per_token() == 524_288
    assert article.kv_bytes(2048) == 2**30


@pytest.mark.parametrize("row", MODELS.to_dict("records"), ids=MODELS["name"])
def test_every_model_agrees_with_its_published_cost(row):
    model = Model.named(row["name"])
    assert model.kv_bytes_per_token() == row["kv_bytes_per_token_fp16"]
    half = model.kv_bytes_per_token("fp8") * 2 - model.kv_bytes_per_token("bf16")
    assert half == 0 or model.index_layers  # an index keeps its bytes
    assert model.kv_bytes_per_token("fp32") == 2 * model.kv_bytes_per_token() or model.index_layers
    assert model.params_billion > 0 and model.max_context >= 2048 and row["source"]


@pytest.mark.parametrize("table", ["models", "gpus", "workloads", "published", "engines", "kv_logs",
                                   "families", "config_fields", "layer_words", "layer_parts",
                                   "state_fields", "schemes", "part_names"])
def test_every_fact_has_a_source(table):
    assert facts(table)["source"].notna().all()


def test_a_table_is_read_once_and_written_by_nobody():
    mine = facts("gpus")
    mine["memory_bytes"] = 0
    fact("gpus", "gpu", "A100-80GB")["memory_bytes"] = 0
    assert fact("gpus", "gpu", "A100-80GB")["memory_bytes"] == 80 * GIB
    assert facts("gpus")["memory_bytes"].min() > 0


def test_windows_stop_growing():
    gemma = Model.named("Gemma-3-27B")
    inside, outside = gemma.kv_bytes(1024) - gemma.kv_bytes(1023), gemma.kv_bytes(1025) - gemma.kv_bytes(1024)
    assert inside == gemma.kv_bytes_per_token()
    assert outside * 62 == inside * 10  # 10 of 62 layers are global
    mistral = Model.named("Mistral-7B-v0.1")
    assert mistral.kv_bytes(32768) == mistral.kv_bytes(4096)


def test_a_published_name_is_understood():
    for name in ("qwen3-32b", "Qwen/Qwen3-32B", "Qwen3-32B-Instruct-2507-GPTQ-Int4"):
        assert Model.named(name).kv_bytes_per_token() == 64 * 2 * 8 * 128 * 2


@pytest.mark.parametrize("name, known", [
    ("mistralai/Mistral-7B-Instruct-v0.3", "Mistral-7B-v0.3"),
    ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", "Qwen2.5-32B"),
    ("Qwen/Qwen3-30B-A3B-Thinking-2507-FP8", "Qwen3-30B-A3B-FP8"),
    ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", "NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"),
    ("RedHatAI/Llama-3.3-70B-Instruct-quantized.w8a8", "Llama-3.1-70B-FP8")])
def test_a_long_name_means_its_model_and_scheme(name, known):
    long, short = Model.named(name), Model.named(known)
    assert long.kv_bytes_per_token() == short.kv_bytes_per_token()
    assert long.checkpoint_bytes == short.checkpoint_bytes


@pytest.mark.parametrize("name", ["Llama-3.1-8B-quantized", "Qwen3-8B-dynamic", "Qwen3-8B-turbo"])
def test_a_name_that_says_more_than_is_understood_is_refused(name):
    with pytest.raises(ValueError, match="^model="):
        Model.named(name)


def test_latents_have_no_factor_two():
    assert Model.named("DeepSeek-V3").kv_bytes_per_token() == 61 * 576 * 2


def test_a_deployment_adds_up():
    d = Deployment(Model.named("Llama-2-7B"), "A100-80GB")
    assert d.token_slots() == d.kv_budget_bytes // (16 * 524_288) * 16  # whole pages
    assert d.sequences(2048) == d.kv_budget_bytes // 2**30
    assert d.token_slots("fp8") == pytest.approx(2 * d.token_slots(), abs=16)
    assert Deployment(d.model, "A100-80GB", weights_gib=10).weight_bytes == 10 * GIB


def test_heads_and_latents_are_copied_when_gpus_outnumber_them():
    copies = [Model.named(n).copies_on(8) for n in ("Llama-3-70B", "Qwen3-30B-A3B", "Falcon-7B", "DeepSeek-V3")]
    assert copies == [1, 2, 8, 8]
    eight_heads = Model.named("Llama-3-70B")
    assert [eight_heads.copies_on(n) for n in (1, 2, 4, 6, 12, 16)] == [1, 1, 1, 1.5, 1.5, 2]
    two = Deployment(Model.named("Falcon-7B"), "A100-40GB", 2)
    latent = Deployment(Model.named("DeepSeek-V2-Lite"), "A100-80GB", 2)
    assert latent.token_slots() == latent.kv_budget_bytes // (16 * 2 * 27 * 576 * 2) * 16
    assert two.token_slots() == two.kv_budget_bytes // (16 * 2 * 8192) * 16


@pytest.mark.parametrize("call, message", [
    (lambda: Model.named("GPT-5"), "model='GPT-5': must be one of GPT-3-175B, "),
    (lambda: Model.named("0x32x128"), "model=0: must be a whole number"),
    (lambda: Model.named(7), "model=7: must be one of"),
    (lambda: Model.named("OPT-13B").kv_bytes(1, "int3"), "dtype='int3': must be one of auto, fp32"),
    (lambda: fact("gpus", "gpu", "TPU"), "gpu='TPU': must be one of A100-40GB"),
    (lambda: fact("gpus", "gpu", "H100"), "; did you mean H100-80GB?"),
    (lambda: Model.named("qwen-3-32b"), "; did you mean Qwen3-32B?"),
    (lambda: Model.named("meta-llama/Llama3.1-8B"), "did you mean Llama-3.1-8B? As a file it"),
    (lambda: Deployment(Model.named("32x32x128"), "A100-40GB"), "set weights_gib"),
    (lambda: Deployment(Model.named("OPT-13B"), "A100-40GB", 0), "n_gpus=0: must be"),
    (lambda: Deployment(Model.named("OPT-13B"), "A100-40GB", weights_gib=-1), "weights_gib=-1"),
    (lambda: Deployment(Model.named("OPT-66B"), "A100-80GB"), "model='OPT-66B': its weights take"),
    (lambda: Deployment(Model.named("OPT-13B"), "A100-40GB", usable=1.5), "usable=1.5: must be"),
])
def test_bad_input_is_one_clear_line(call, message):
    with pytest.raises(ValueError) as error:
        call()
    assert message in str(error.value) and "\n" not in str(error.value)
