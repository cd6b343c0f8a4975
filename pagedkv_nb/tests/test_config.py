"""Shapes read from config.json files: against values derived by hand, and damaged files."""
import json
import os
from itertools import product

import pytest

from pagedkv_nb.facts import facts
from pagedkv_nb.sizing import Deployment, Model
from pagedkv_nb.sizing.checkpoint import NESTED

from .conftest import ROOT

EXAMPLES = ROOT / "pagedkv_nb" / "data" / "configs"
FOLDERS = [EXAMPLES, ROOT / "pagedkv_nb" / "tests" / "configs", ROOT.parent / "shared" / "configs"]
# Bytes a token in 16 bits: layers that keep K and V x 2 x KV heads x head_dim x 2 bytes.
REAL = {
    "Qwen--Qwen3-0.6B": 28 * 2 * 8 * 128 * 2,  # head_dim stated: not 1,024 / 16
    "Qwen--Qwen3-30B-A3B": 48 * 2 * 4 * 128 * 2,  # experts do not matter
    "Qwen--Qwen3-32B": 64 * 2 * 8 * 128 * 2,  # head_dim stated: not 5,120 / 64
    "Qwen--Qwen3-8B": 36 * 2 * 8 * 128 * 2,
    "Qwen--Qwen3-VL-32B-Instruct": 64 * 2 * 8 * 128 * 2,  # in text_config
    "Qwen--Qwen3.5-27B": 16 * 2 * 4 * 256 * 2,  # 48 of 64 layers are linear attention
    "deepseek-ai--DeepSeek-V3": 61 * (512 + 64) * 2,  # a latent: no factor 2, no heads
    # 5 full layers of 2 heads of 512, 25 local ones of 8 heads of 256
    "google--gemma-4-26B-A4B": (5 * 2 * 2 * 512 + 25 * 2 * 8 * 256) * 2,
    "meta-llama--Llama-4-Scout-17B-16E-Instruct": 48 * 2 * 8 * 128 * 2,
    "meta-llama--Meta-Llama-3.1-405B": 126 * 2 * 8 * 128 * 2,  # head_dim 16,384 / 128
    "meta-llama--Meta-Llama-3.1-70B": 80 * 2 * 8 * 128 * 2,
    "meta-llama--Meta-Llama-3.1-8B": 32 * 2 * 8 * 128 * 2,
    "mistralai--Mixtral-8x7B-v0.1": 32 * 2 * 8 * 128 * 2,
    "moonshotai--Kimi-K2-Instruct": 61 * (512 + 64) * 2,
    # M: a state, E: experts, *: attention, 6 of 52 layers
    "nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": 6 * 2 * 2 * 128 * 2,
    "openai--gpt-oss-20b": 24 * 2 * 8 * 64 * 2}
# (local layers, window) where there are any, and the published number of parameters
WINDOWS = {"google--gemma-4-26B-A4B": (25, 1024), "openai--gpt-oss-20b": (12, 128),
           "meta-llama--Llama-4-Scout-17B-16E-Instruct": (36, 8192)}
PUBLISHED = {"Qwen--Qwen3-8B": 8.19, "Qwen--Qwen3-30B-A3B": 30.5, "Qwen--Qwen3-32B": 32.8,
             "deepseek-ai--DeepSeek-V3": 671, "moonshotai--Kimi-K2-Instruct": 1026,
             "meta-llama--Meta-Llama-3.1-8B": 8.03, "mistralai--Mixtral-8x7B-v0.1": 46.7,
             "meta-llama--Meta-Llama-3.1-405B": 406, "openai--gpt-oss-20b": 20.9,
             "nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": 31.6}
LLAMA = {"model_type": "llama", "num_hidden_layers": 32, "num_attention_heads": 32,
         "hidden_size": 4096, "num_key_value_heads": 8, "vocab_size": 128256,
         "intermediate_size": 14336, "max_position_embeddings": 8192}


def written(folder, config, name="config.json"):
    (folder / name).write_text(json.dumps(config))
    return str(folder / name)


def real(name):
    """The model of a real config: an example, one that only tests need, or one in ../shared."""
    short = name.split("--")[1]
    for path in (EXAMPLES / short, *(folder / f"{name}.json" for folder in FOLDERS)):
        if path.exists():
            return Model.named(str(path))
    pytest.skip(f"{name}: not shipped for its licence, and ../shared/configs is not here")


@pytest.mark.parametrize("name, expected", REAL.items(), ids=REAL)
def test_real_configs(name, expected):
    model = real(name)
    assert model.kv_bytes_per_token() == expected
    assert (model.local_layers, model.window) == WINDOWS.get(name, (0, 0))
    assert model.vocab and model.hidden and model.intermediate and model.max_context
    assert model.params_billion == pytest.approx(
        PUBLISHED.get(name, model.params_billion), rel=0.005)


def test_shipped_examples_by_file_and_by_folder():
    for name, expected in (("Qwen3-8B", 147456), ("gpt-oss-20b", 49152),
                           ("Qwen3.5-27B", 65536)):
        folder = Model.named(str(EXAMPLES / name))
        file = Model.named(str(EXAMPLES / name / "config.json"))
        assert folder.kv_bytes_per_token() == file.kv_bytes_per_token() == expected


def test_a_config_and_the_table_say_the_same():
    for name in ("Qwen3-8B", "gpt-oss-20b"):
        table, config = Model.named(name), Model.named(str(EXAMPLES / name))
        for field in ("layers", "kv_heads", "head_dim", "q_heads", "local_layers", "window",
                      "vocab", "hidden", "intermediate", "max_context"):
            assert getattr(table, field) == getattr(config, field), (name, field)
        assert config.params_billion == pytest.approx(table.params_billion, rel=0.005)


FAMILIES = {
    "gpt2": ({"model_type": "gpt2", "n_layer": 12, "n_head": 12, "n_embd": 768}, 12 * 2 * 768),
    "falcon-7b": ({"model_type": "falcon", "num_hidden_layers": 32, "hidden_size": 4544,
                   "num_attention_heads": 71, "multi_query": True, "num_kv_heads": 71,
                   "new_decoder_architecture": False}, 32 * 2 * 64),
    "falcon, nothing said": ({"model_type": "falcon", "num_hidden_layers": 32, "hidden_size": 4544,
                              "num_attention_heads": 71}, 32 * 2 * 64),
    "falcon-40b": ({"model_type": "falcon", "num_hidden_layers": 60, "hidden_size": 8192,
                    "num_attention_heads": 128, "multi_query": True, "num_kv_heads": 8,
                    "new_decoder_architecture": True}, 60 * 2 * 8 * 64),
    "starcoder": ({"model_type": "gpt_bigcode", "n_layer": 40, "n_head": 48, "n_embd": 6144,
                   "multi_query": True}, 40 * 2 * 128),
    "starcoder, nothing said": ({"model_type": "gpt_bigcode", "n_layer": 40, "n_head": 48,
                                 "n_embd": 6144}, 40 * 2 * 128),
    "dbrx": ({"model_type": "dbrx", "n_layers": 40, "n_heads": 48, "d_model": 6144,
              "attn_config": {"kv_n_heads": 8}}, 40 * 2 * 8 * 128),
    "chatglm": ({"model_type": "chatglm", "num_layers": 28, "num_attention_heads": 32,
                 "hidden_size": 4096, "kv_channels": 128, "multi_query_attention": True,
                 "multi_query_group_num": 2}, 28 * 2 * 2 * 128),
    "no KV heads stated": ({k: v for k, v in LLAMA.items() if k != "num_key_value_heads"},
                           32 * 2 * 32 * 128),
    "jamba": ({**LLAMA, "model_type": "jamba", "attn_layer_period": 8, "attn_layer_offset": 4,
               "mamba_d_state": 16}, 4 * 2 * 8 * 128),
    "kimi linear": ({**LLAMA, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "linear_attn_config":
                     {"full_attn_layers": [1, 4, 8, 32]}}, 4 * 576),
    "qwen3-next": ({**LLAMA, "full_attention_interval": 4, "linear_num_key_heads": 16},
                   8 * 2 * 8 * 128),
    "the last of every five": ({**LLAMA, "full_attention_interval": 5}, 6 * 2 * 8 * 128),
    "lfm2": ({**LLAMA, "full_attn_idxs": [0, 5], "conv_L_cache": 3}, 2 * 2 * 8 * 128),
    "gemma3-4b": ({"model_type": "gemma3", "text_config": {
        "model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34,
        "sliding_window": 1024}}, 34 * 2 * 4 * 256),
    "gemma3n": ({**LLAMA, "num_kv_shared_layers": 12}, 20 * 2 * 8 * 128),
    "recurrentgemma": ({**LLAMA, "model_type": "recurrent_gemma", "attention_window_size": 2048,
                        "block_types": ["recurrent", "recurrent", "attention"]}, 10 * 2 * 8 * 128),
    "minimax": ({**LLAMA, "attn_type_list": [0] * 28 + [1] * 4}, 4 * 2 * 8 * 128)}


@pytest.mark.parametrize("config, values", FAMILIES.values(), ids=FAMILIES)
def test_other_families(tmp_path, config, values):
    assert Model.named(written(tmp_path, config)).kv_bytes_per_token("fp8") == values


LOCAL = {
    "mistral": ({"model_type": "mistral", "sliding_window": 4096}, 32),
    "mistral with a switch": ({"model_type": "mistral", "sliding_window": 4096,
                               "use_sliding_window": True}, 32),
    "mistral without": ({"model_type": "mistral", "sliding_window": None}, 0),
    "gemma2: every other": ({"model_type": "gemma2", "sliding_window": 4096}, 16),
    "cohere2: three of four": ({"model_type": "cohere2", "sliding_window": 4096}, 24),
    "exaone4": ({"sliding_window": 4096, "sliding_window_pattern": "LLLG"}, 24),
    "a pattern of 6": ({"sliding_window": 512, "sliding_window_pattern": 6}, 27),
    "qwen2, off": ({"model_type": "qwen2", "sliding_window": 4096,
                    "use_sliding_window": False, "max_window_layers": 21}, 0),
    "qwen2, not said": ({"model_type": "qwen2", "sliding_window": 4096}, 0),
    "qwen2, from layer 21": ({"model_type": "qwen2", "sliding_window": 4096,
                              "use_sliding_window": True, "max_window_layers": 21}, 11),
    "llama4": ({"attention_chunk_size": 8192}, 24),
    "llama4, layer by layer": ({"attention_chunk_size": 8192,
                                "no_rope_layers": [1, 1, 1, 1, 0, 0, 0, 0] * 4}, 16),
    "recurrentgemma": ({"model_type": "recurrent_gemma", "attention_window_size": 2048,
                        "block_types": ["recurrent", "recurrent", "attention"]}, 10),
    "olmo3: three of four": ({"model_type": "olmo3", "sliding_window": 4096}, 24),
    "exaone4: three of four": ({"model_type": "exaone4", "sliding_window": 4096}, 24),
    "gpt-oss: every other": ({"model_type": "gpt_oss", "sliding_window": 128}, 16),
    "gemma3: five of six": ({"model_type": "gemma3_text", "sliding_window": 512}, 27),
    "gemma3n: four of five": ({"model_type": "gemma3n_text", "sliding_window": 512}, 26),
    "gemma4: five of six": ({"model_type": "gemma4_text", "sliding_window": 512,
                             "global_head_dim": 512, "attention_k_eq_v": False}, 27),
    "gpt-neo": ({"attention_layers": ["global", "local"] * 16, "window_size": 256}, 16)}


@pytest.mark.parametrize("extra, local", LOCAL.values(), ids=LOCAL)
def test_windows(tmp_path, extra, local):
    model = Model.named(written(tmp_path, LLAMA | extra))
    assert model.local_layers == local
    assert (f"of which {local} keep only" in model.sentence()) == (local > 0)


REFUSED = {
    "compress_ratios": {"compress_ratios": [0, 4]}, "swa_head_dim": {"swa_head_dim": 192},
    "hybrid_layer_pattern": {"hybrid_layer_pattern": [1, 0]}, "latent_size": {"latent_size": 64},
    "index_topk": {"index_topk": 2048}, "cross_attention_layers": {"cross_attention_layers": [3]},
    "cla_share_factor": {"cla_share_factor": 2}, "block_configs": {"block_configs": [{}, 1]},
    "num_key_value_heads_per_layer": {"num_key_value_heads_per_layer": [4] * 32},
    "sliding_window": {"sliding_window": 4096}, "is_encoder_decoder": {"is_encoder_decoder": True},
    "model_type": {"model_type": "mamba"}, "mamba_d_state": {"mamba_d_state": 16},
    "layers_block_type": {"layers_block_type": ["mamba", "hybrid"] * 16},
    "v_head_dim": {"head_dim": 192, "v_head_dim": 128}, "kv_lora_rank": {"qk_rope_head_dim": 64},
    "qk_rope_head_dim": {"kv_lora_rank": 512}, "num_key_value_heads": {"num_key_value_heads": 7},
    "hidden_size": {"hidden_size": 4097}, "layer_types": {"layer_types": ["full_attention"]},
    "attention_k_eq_v": {"global_head_dim": 512}, "num_kv_shared_layers": {
        "num_kv_shared_layers": "ten"}, "sparse_config": {"sparse_config": {"k": 1}},
    "num_hidden_layers": {"num_hidden_layers": 32.0}, "text_config": {"text_config": "text"},
    "sliding_window: missing": {"model_type": "gemma2"},
    "head_dim: missing": {"model_type": "qwen3_moe"},
    "attention_chunk_size: missing": {"model_type": "llama4_text"}}


@pytest.mark.parametrize("field, extra", REFUSED.items(), ids=REFUSED)
def test_what_is_not_understood_is_refused_by_its_field(tmp_path, field, extra):
    with pytest.raises(ValueError) as error:
        Model.named(written(tmp_path, LLAMA | extra))
    assert f": {field}" in str(error.value) and "\n" not in str(error.value)


TWICE = '{"quantization": {"quant_algo": "FP8", "quant_algo": "NVFP4"}, "metadata": {"total_size": 10}}'
DAMAGE = [None, "x", "", -1, 0, 10**30, float("nan"), float("inf"), 1.5, True, [], {}, [[1]],
          {"a": {"b": [None]}}, ["x"] * 32, [0] * 64]


def told_in_one_line(call):
    """Either a sound value, or a ValueError of one line that begins with the parameter."""
    try:
        model = call()
    except ValueError as error:
        assert str(error).startswith("model=") and "\n" not in str(error)
        assert len(str(error)) < 400
        return False
    assert model.kv_bytes_per_token() > 0 and model.params_billion >= 0
    assert model.checkpoint_bytes >= 0 and model.sentence()
    return True


@pytest.mark.parametrize("name", ["Qwen3-8B", "gpt-oss-20b", "Qwen3.5-27B"])
@pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.slow)])
def test_damaged_fields(tmp_path, name, every):
    whole = json.loads((EXAMPLES / name / "config.json").read_text())
    part = next((key for key in NESTED if key in whole), None)
    inner = whole[part] if part else whole
    fields = [*inner, *NESTED, "kv_lora_rank", "attn_config", "is_encoder_decoder",
              "linear_attn_config", "no_rope_layers", "hybrid_override_pattern"]
    for field, value in list(product(fields, [*DAMAGE, "missing"]))[::every]:
        damaged = {k: v for k, v in inner.items() if k != field}
        damaged |= {} if value == "missing" else {field: value}
        path = written(tmp_path, {part: damaged} if part else damaged)
        told_in_one_line(lambda: Model.named(path))


@pytest.mark.parametrize("text", ["", "null", "[]", "{", '"x"', "[" * 10**5, "{}", "\x00", "3",
                                  '{"num_hidden_layers": 1' + "0" * 5000 + "}"])
def test_damaged_files(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert not told_in_one_line(lambda: Model.named(str(tmp_path)))


def test_a_key_that_comes_twice_is_refused_in_every_file(tmp_path):
    whole = json.dumps(LLAMA)
    for name, text in (("config.json", whole[:-1] + ', "hidden_size": 64}'), ("hf_quant_config.json", TWICE),
                       ("model.safetensors.index.json", TWICE)):
        (tmp_path / "config.json").write_text(whole)
        (tmp_path / name).write_text(text)
        try:
            told = Model.named(str(tmp_path)).unknown_weights
        except ValueError as error:
            told = str(error)
        assert f"{name}" in told and "is there twice in one object" in told and "\n" not in told, name
        (tmp_path / name).unlink()


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.json", tmp_path, tmp_path / "bytes.json", "a/b\0c"):
        assert not told_in_one_line(lambda: Model.named(str(path)))
    with pytest.raises(ValueError, match="cannot be read as JSON: No such file or directory$"):
        Model.named(str(tmp_path / "none.json"))


def test_the_size_of_the_files_is_taken_from_the_index(tmp_path):
    path = written(tmp_path, LLAMA)
    counted = Model.named(path).checkpoint_bytes
    written(tmp_path, {"metadata": {"total_size": 16060522496}}, "model.safetensors.index.json")
    assert Model.named(path).checkpoint_bytes == 16060522496
    assert counted == pytest.approx(16060522496, rel=0.001)
    assert Deployment(Model.named(path), "H100-80GB").weight_bytes == 16060522496
    for damage in ({}, {"metadata": []}, {"metadata": {"total_size": -1}}, [], {"metadata": {
            "total_size": "16 GB"}}, {"metadata": {"total_size": float("nan")}}, {"metadata": {
            "total_size": 0}}, {"metadata": {"total_size": 2**60}}):
        written(tmp_path, damage, "model.safetensors.index.json")
        with pytest.raises(ValueError, match="total_size: |metadata: |index.json.*JSON object$"):
            Model.named(path)


def test_weights_at_the_bits_of_the_config(tmp_path):
    inside = Model.named(written(tmp_path, LLAMA)).params_billion * 1e9 - 2 * 128256 * 4096
    for told, width in (({"quant_method": "fp8"}, 1), ({"quant_method": "gptq", "bits": 4}, 0.515625)):
        model = Model.named(written(tmp_path, LLAMA | {"quantization_config": told}))
        assert model.checkpoint_bytes == pytest.approx(width * inside + 4 * 128256 * 4096, abs=1)
        assert model.kv_bytes_per_token() == 131072
    for told, field in (({"quant_method": "who knows"}, "quant_method='who knows'"),
                        ({"quant_method": "gptq"}, "bits=None"), ("damaged", "must be an object")):
        model = Model.named(written(tmp_path, LLAMA | {"quantization_config": told}))
        assert (model.checkpoint_bytes, model.kv_bytes_per_token()) == (0, 131072)
        with pytest.raises(ValueError, match=f"{field}.*; name another model or set weights_gib"):
            Deployment(model, "H100-80GB")


# Parameters outside norms and biases: embeddings, layers that mix tokens, feed-forward layers
# and the routers of experts; with an image tower, layers x hidden x (4 hidden + 2 inner).
TOWERS = {"google--gemma-4-26B-A4B": 27 * 1152 * (4 * 1152 + 2 * 4304),
          "Qwen--Qwen3.5-27B": 27 * 1152 * (4 * 1152 + 2 * 4304)}
COUNTED = {
    "Qwen--Qwen3-8B": 2 * 151936 * 4096 + 36 * 4096 * (128 * (2 * 32 + 2 * 8) + 3 * 12288),
    # one embedding; 25 local layers of 8 KV heads, 5 full ones whose K and V are one; a dense
    # layer and 128 experts in each
    "google--gemma-4-26B-A4B": 2816 * (262144 + 25 * 256 * (2 * 16 + 2 * 8) + 5 * 512 * (
        2 * 16 + 2) + 30 * (3 * (2112 + 128 * 704) + 128)),
    # 23 Mamba layers (three of 64 x 64, B and C of 8 groups x 128, a step a head), 6 of
    # attention, 23 of experts with two matrices and a shared one
    "nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": 2688 * (2 * 131072 + 23 * (
        3 * 4096 + 2 * 8 * 128 + 64) + 6 * 128 * (2 * 32 + 2 * 2) + 23 * (2 * (128 * 1856 + 3712) + 128)),
    # 16 experts and a shared one as wide
    "meta-llama--Llama-4-Scout-17B-16E-Instruct": 5120 * (2 * 202048 + 48 * (
        128 * (2 * 40 + 2 * 8) + 3 * 17 * 8192 + 16)),
    # 48 layers of linear attention, 16 whose queries have a gate
    "Qwen--Qwen3.5-27B": 5120 * (2 * 248320 + 48 * (2 * 16 * 128 + 3 * 48 * 128) + 16 * 256 * (
        3 * 24 + 2 * 4) + 64 * 3 * 17408)}


@pytest.mark.parametrize("name, parameters", COUNTED.items(), ids=COUNTED)
def test_parameters_by_hand(name, parameters):
    model = real(name)
    assert model.checkpoint_bytes == 2 * (parameters + TOWERS.get(name, 0))
    assert model.params_billion == pytest.approx(parameters / 1e9, rel=1e-12)


def test_parameters_of_latent_attention_by_hand():
    model = real("deepseek-ai--DeepSeek-V3")
    # queries by way of 1,536, K and V by way of 512 (and 64 for all heads), 128 heads of 128
    mixing = (7168 + 128 * 192) * 1536 + 7168 * 576 + 128 * (512 * 256 + 128 * 7168)
    # three dense layers of 18,432, 58 of 256 experts and a shared one of 2,048
    inner = 3 * 7168 * (3 * 18432 + 58 * 257 * 2048)
    routers = 58 * 7168 * 256 * 2  # and embeddings: of 16 bits
    assert model.checkpoint_bytes == 4 * 129280 * 7168 + 61 * mixing + inner + routers  # in fp8


def test_experts_in_four_bits_by_hand():
    model = Model.named(str(EXAMPLES / "gpt-oss-20b"))
    outside = 2880 * (2 * 201088 + 24 * (64 * (2 * 64 + 2 * 8) + 32))
    padded = 3072  # an inner size of 2,880 is rounded up to a multiple of 256
    assert model.checkpoint_bytes == 2 * outside + 24 * 32 * 3 * 2880 * padded * 4.25 / 8


def test_a_latent_has_no_kv_heads():
    model = real("deepseek-ai--DeepSeek-V3")
    assert (model.q_heads, model.kv_heads, model.head_dim, model.latent_dim) == (128, 0, 0, 576)
    assert model.checkpoint_bytes == pytest.approx(model.params_billion * 1e9, rel=0.003)  # fp8


# What transformers' configuration classes take for head_dim if the file does not say it.
UNSAID = {"qwen3": 128, "qwen3_vl_text": 128, "gemma": 256, "gemma2": 256, "glm4": 128,
          "gemma3_text": 256, "gemma3n_text": 256, "gemma4_text": 256, "gpt_oss": 64,
          "nemotron_h": 128, "qwen3_next": 256, "qwen3_5_text": 256, "llama4_text": 128}


@pytest.mark.parametrize("kind", UNSAID)
def test_a_head_dim_that_is_not_said(tmp_path, kind):
    said = {"sliding_window": 64, "attention_chunk_size": 64, "hidden_size": 8192,
            "layer_types": ["full_attention"] * 32}
    if kind == "gemma4_text":  # its full layers have a dimension of their own
        said |= {"global_head_dim": 512, "attention_k_eq_v": False, "layer_types": ["sliding_attention"] * 32}
    model = Model.named(written(tmp_path, LLAMA | said | {"model_type": kind}))
    assert (model.local_head_dim or model.head_dim) == UNSAID[kind]


def test_heads_of_two_shapes_are_dealt_out_each_by_its_own_number():
    model = real("google--gemma-4-26B-A4B")  # on 16 GPUs 2 full heads take 8 copies, 8 local ones 2
    assert model.kv_bytes_on(16, 1) == (8 * 5 * 2 * 2 * 512 + 2 * 25 * 2 * 8 * 256) * 2
    assert model.kv_bytes_on(16, 5000) == (
        8 * 5000 * 5 * 2 * 2 * 512 + 2 * 1024 * 25 * 2 * 8 * 256) * 2


FAMILY_ROWS, MEANINGS = facts("families"), facts("config_fields")


def types(field):
    """The types of model that a field of families.csv is about, a pattern as its shortest."""
    return [kind.rstrip("*") for kind in FAMILY_ROWS.query("field == @field")["model_type"]]


def parameters(folder, **fields):
    """Parameters in units of the hidden size, of a config that is LLAMA but for some fields."""
    said = {"sliding_window": None, "attention_chunk_size": None, "head_dim": 128}
    return Model.named(written(folder, LLAMA | said | fields)).checkpoint_bytes / 2 / 4096


@pytest.mark.parametrize("kind", ["llama", "gemma", *types("tie_word_embeddings")])
def test_one_embedding_or_two(tmp_path, kind):
    unsaid = parameters(tmp_path, model_type=kind)
    one, two = (parameters(tmp_path, model_type=kind, tie_word_embeddings=t) for t in (True, False))
    assert two - one == 128256 and unsaid == (two if kind == "llama" else one)


@pytest.mark.parametrize("kind", ["llama", *types("two_matrices")])
def test_feed_forward_layers_of_two_or_three_matrices(tmp_path, kind):
    wide, narrow = (parameters(tmp_path, model_type=kind, intermediate_size=n) for n in (200, 100))
    assert wide - narrow == 32 * 100 * (3 if kind == "llama" else 2)


def test_of_one_inner_size_a_layer_the_largest_counts(tmp_path):
    assert Model.named(written(tmp_path, LLAMA | {"intermediate_size": [50, 100] * 16})).intermediate == 100


def test_every_head_dim_of_the_families_is_tested():
    known = FAMILY_ROWS.query("field == 'head_dim' and value > 0")
    assert dict(zip(known["model_type"], known["value"])) == UNSAID


@pytest.mark.parametrize("kind", types("no_cache"))
def test_a_family_without_a_cache_is_refused_with_its_reason(tmp_path, kind):
    reason = FAMILY_ROWS.query("field == 'no_cache' and model_type == @kind")["source"].item()
    with pytest.raises(ValueError, match=f": model_type: '{kind}': {reason}$"):
        Model.named(written(tmp_path, LLAMA | {"model_type": kind}))


@pytest.mark.parametrize("pattern", MEANINGS.query("meaning == 'suspicious'")["field"])
def test_a_suspicious_name_is_refused_unless_it_is_off(tmp_path, pattern):
    name = pattern.replace("*", "x")
    Model.named(written(tmp_path, LLAMA | {name: 0}))
    with pytest.raises(ValueError, match=f": {name}: 1: may change the cache"):
        Model.named(written(tmp_path, LLAMA | {name: 1}))


@pytest.mark.parametrize("name", MEANINGS.query("meaning == 'harmless'")["field"])
def test_a_harmless_name_changes_nothing(tmp_path, name):
    model = Model.named(written(tmp_path, LLAMA | {name: 8}))
    assert model.kv_bytes_per_token() == 131072 and not model.local_layers


@pytest.mark.parametrize("pattern", MEANINGS.query("meaning == 'state'")["field"])
def test_a_state_is_understood_beside_layers_that_keep_one(tmp_path, pattern):
    state = {pattern.replace("*", "x"): 16}
    jamba = LLAMA | {"attn_layer_period": 8, "attn_layer_offset": 4}
    assert Model.named(written(tmp_path, jamba | state)).layers == 4
    assert Model.named(written(tmp_path, LLAMA | state | {"model_type": "falcon_h1"})).layers == 32
    with pytest.raises(ValueError, match="may change the cache"):
        Model.named(written(tmp_path, LLAMA | state))


# Current configs of ../shared/configs_2: bytes a token of all layers in 16 bits and in fp8.
CURRENT = {
    "DeepSeek-V3.1-NVFP4": (61 * 1152, 61 * 576), "Kimi-K2.5-NVFP4": (61 * 1152, 61 * 576),
    "DeepSeek-V3.2-NVFP4": (61 * 1284, 61 * 788), "GLM-5.1-FP8": (78 * 1284, 78 * 788),
    "GLM-5.2-NVFP4": (78 * 1152 + 21 * 132, 78 * 656 + 21 * 132),
    "NVIDIA-Nemotron-3-Ultra-550B-A55B-FP8": (12288, 6144),
    "NVIDIA-Nemotron-3-Ultra-550B-A55B-NVFP4": (12288, 6144),
    "NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4": (6144, 3072),
    "llama-4-scout-17b-16e-instruct-fp8-dynamic": (48 * 4096, 48 * 2048),
    "Llama-3_3-Nemotron-Super-49B-v1": (49 * 4096, 49 * 2048),
    "MiniMax-M3": (122880 + 57 * 256, 61440 + 57 * 256),
    "MiniMax-M3-NVFP4": (122880 + 57 * 256, 61440 + 57 * 256),
    "MiMo-V2-Flash": (23040 + 199680, 11520 + 99840), "gpt-oss-120b": (36 * 2048, 36 * 1024),
    "Qwen3.5-397B-A17B": (15 * 2048, 15 * 1024), "Qwen3.5-122B-A10B-NVFP4": (12 * 2048, 12 * 1024),
    "Gemma-4-31B-IT-NVFP4": (50 * 16384 + 10 * 8192, 50 * 8192 + 10 * 4096),
    "Qwen3.6-35B-A3B-NVFP4": (10 * 2048, 10 * 1024), "deepseek-v2-lite": (27 * 1152, 27 * 576)}


def current(shared, name):
    """The path of a current config in ../shared."""
    if not (shared / "configs_2" / name).exists():
        pytest.skip(f"../shared/configs_2/{name} is not here")
    return str(shared / "configs_2" / name)


@pytest.mark.parametrize("name", CURRENT)
def test_current_configs(shared, name):
    model = Model.named(current(shared, name))
    assert (model.kv_bytes_per_token(), model.kv_bytes_per_token("fp8")) == CURRENT[name]


@pytest.mark.parametrize("name", ["Flash", "Flash-NVFP4", "Pro"])
def test_deepseek_v4_is_refused_with_the_reason(shared, name):
    with pytest.raises(ValueError, match=": model_type: .*: pages of compressed tokens"):
        Model.named(current(shared, f"DeepSeek-V4-{name}"))


LATENT = LLAMA | {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128,
                  "v_head_dim": 128, "q_lora_rank": 1536}
INDEXED = LATENT | {"index_head_dim": 128, "index_n_heads": 64, "index_topk": 2048}
SPARSE = {"sparse_attention_freq": [0, 0, 0] + [1] * 29, "sparse_index_dim": 128,
          "sparse_disable_index_value": [0, 0, 0] + [1] * 29}
BLOCK = {"attention": {"no_op": False, "n_heads_in_group": 8, "replace_with_linear": False},
         "ffn": {"ffn_mult": 1.3125, "no_op": False}}
EMPTY = {"attention": {"no_op": True, "n_heads_in_group": None}, "ffn": {"ffn_mult": 0.5}}
TWO_SHAPES = LLAMA | {
    "num_key_value_heads": 4, "head_dim": 192, "v_head_dim": 128, "swa_num_key_value_heads": 8,
    "swa_head_dim": 192, "swa_v_head_dim": 128, "swa_num_attention_heads": 32, "sliding_window": 128,
    "sliding_window_size": 128, "attention_chunk_size": 128, "swa_rope_theta": 10000,
    "hybrid_layer_pattern": [0, 1, 1, 1] * 8, "add_swa_attention_sink_bias": True}
NEMOTRON = {k: v for k, v in LLAMA.items() if k != "num_hidden_layers"} | {
    "model_type": "nemotron_h", "layers_block_type": ["mamba", "moe", "attention", "mlp"] * 8,
    "mamba_num_heads": 64, "mamba_head_dim": 64, "ssm_state_size": 128, "n_groups": 8,
    "conv_kernel": 4, "num_key_value_heads": 2, "head_dim": 128, "moe_latent_size": 2048,
    "mtp_layers_block_type": ["attention", "moe"], "n_routed_experts": 8, "num_experts_per_tok": 2}
KIMI = LATENT | {"activation_situ_linear_beta": 4.0, "linear_attn_config": {
    "full_attn_layers": list(range(4, 33, 4)), "num_heads": 96, "head_dim": 128,
    "short_conv_kernel_size": 4}}
# {case: (config, bytes a token in 16 bits, in fp8)}
UNDERSTOOD = {
    "index beside a latent": (INDEXED, 32 * 1284, 32 * 788),
    "index of some layers": (INDEXED | {"indexer_types": ["full", "shared"] * 16},
                             32 * 1152 + 16 * 132, 32 * 656 + 16 * 132),
    "index of every fourth": (INDEXED | {"index_topk_freq": 4, "index_skip_topk_offset": 3},
                              32 * 1152 + 10 * 132, 32 * 656 + 10 * 132),
    "index of every second": (INDEXED | {"index_topk_freq": 2}, 32 * 1152 + 16 * 132,
                              32 * 656 + 16 * 132),
    "a wider index": (INDEXED | {"index_head_dim": 256}, 32 * 1416, 32 * 920),
    "words of sparse layers": (INDEXED | {"layer_types": ["deepseek_sparse_attention"] * 32},
                               32 * 1284, 32 * 788),
    "a latent alone": (LATENT, 32 * 1152, 32 * 576),
    "index beside K and V": (LLAMA | {"sparse_attention_config": SPARSE}, 131072 + 29 * 256,
                             65536 + 29 * 256),
    "blocks": (LLAMA | {"num_key_value_heads": None, "block_configs": [BLOCK] * 20 + [EMPTY] * 12},
               20 * 2 * 4 * 128 * 2, 20 * 2 * 4 * 128),
    "two shapes of heads": (TWO_SHAPES, (8 * 4 + 24 * 8) * 320 * 2, (8 * 4 + 24 * 8) * 320),
    "no number of layers": (NEMOTRON, 8 * 2 * 2 * 128 * 2, 8 * 2 * 2 * 128),
    "kimi": (KIMI, 8 * 1152, 8 * 576)}


@pytest.mark.parametrize("config, sixteen, eight", UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_families_of_today(tmp_path, config, sixteen, eight):
    model = Model.named(written(tmp_path, config))
    assert (model.kv_bytes_per_token(), model.kv_bytes_per_token("fp8")) == (sixteen, eight)
    assert model.checkpoint_bytes > 0 and not model.unknown_weights


def test_the_index_and_the_latent_are_held_whole_by_every_gpu(tmp_path):
    model = Model.named(written(tmp_path, INDEXED))
    assert model.kv_bytes_on(8, 1) == 8 * 32 * 1284
    assert "a latent of 576 values, 32 keep 132 bytes of index a token" in model.sentence()
    sparse = Model.named(written(tmp_path, LLAMA | {"sparse_attention_config": SPARSE}))
    assert sparse.kv_bytes_on(4, 10) == 10 * (131072 + 4 * 29 * 256)


def test_windows_of_two_shapes(tmp_path):
    model = Model.named(written(tmp_path, TWO_SHAPES))
    assert (model.local_layers, model.window, model.chunked) == (24, 128, False)
    assert model.kv_bytes(1000) == 8 * 4 * 320 * 2 * 1000 + 24 * 8 * 320 * 2 * 128


def test_states_by_hand(tmp_path):
    nemotron = Model.named(written(tmp_path, NEMOTRON))
    assert (nemotron.layers, nemotron.stateless_layers, nemotron.state_layers) == (8, 24, 8)
    assert nemotron.state == "mamba" and nemotron.state_bytes == (
        (64 * 64 + 2 * 8 * 128) * 3 * 2 + 64 * 64 * 128 * 4)
    kimi = Model.named(written(tmp_path, KIMI))
    assert (kimi.state, kimi.state_layers) == ("linear", 24)
    assert kimi.state_bytes == 3 * 12288 * 3 * 2 + 96 * 128 * 128 * 4 == 6512640
    qwen = Model.named(str(EXAMPLES / "Qwen3.5-27B"))
    assert (qwen.state, qwen.state_layers) == ("linear", 48)
    assert qwen.state_bytes == (2 * 2048 + 6144) * 3 * 2 + 48 * 128 * 128 * 4


FALSE_ALARMS = {"activation_situ_linear_beta": 4.0, "moe_latent_size": 1024,
                "mtp_layers_block_type": ["attention", "moe"], "for_llm_compressor": True,
                "for_llm_compressor: off": False}


@pytest.mark.parametrize("field", FALSE_ALARMS)
def test_false_alarms_are_read(tmp_path, field):
    config = LLAMA | {field.split(":")[0]: FALSE_ALARMS[field]}
    assert Model.named(written(tmp_path, config)).kv_bytes_per_token() == 131072



NOT_UNDERSTOOD = {
    "compress_ratios": LLAMA | {"compress_ratios": [0, 4, 128, 4] * 8},
    "indexer_types": INDEXED | {"indexer_types": ["full"]}, "index_head_dim": LLAMA | {
        "index_head_dim": 128}, "index_n_heads": LLAMA | {"index_n_heads": 64},
    "indexer_types: 'full'": INDEXED | {"indexer_types": "full"},
    "indexer_types: 5": INDEXED | {"indexer_types": 5},
    "sparse_attention_config.sparse_disable_index_value": LLAMA | {"sparse_attention_config": SPARSE | {
        "sparse_disable_index_value": [0] * 32}},
    "sparse_attention_config.sparse_attention_freq": LLAMA | {"sparse_attention_config": SPARSE | {
        "sparse_attention_freq": [1]}},
    "sparse_attention_config.sparse_index_dim": LLAMA | {"sparse_attention_config": SPARSE | {"sparse_index_dim": "128"}},
    "sparse_attention_config: 5": LLAMA | {"sparse_attention_config": 5},
    "block_configs: ": LLAMA | {"block_configs": [BLOCK] * 31},
    "swa_num_key_value_heads": TWO_SHAPES | {"swa_num_key_value_heads": 0},
    "swa_head_dim": {k: v for k, v in TWO_SHAPES.items() if k != "swa_num_key_value_heads"},
    "layers_block_type: ": NEMOTRON | {"layers_block_type": ["mamba", "what"]},
    "linear_num_value_heads": LLAMA | {"full_attention_interval": 4, "linear_num_value_heads": -1},
    "linear_num_key_heads": LLAMA | {"full_attention_interval": 4, "linear_num_value_heads": 8,
                                     "linear_value_head_dim": 128, "linear_key_head_dim": 128,
                                     "linear_conv_kernel_dim": 4, "linear_num_key_heads": True},
    "linear_key_head_dim": LLAMA | {"full_attention_interval": 4, "linear_num_value_heads": 8,
                                    "linear_value_head_dim": 128, "linear_key_head_dim": -128},
    "no_rope_layers": LLAMA | {"attention_chunk_size": 8192, "no_rope_layers": "1" * 31},
    "no_rope_layers: 'every'": LLAMA | {"attention_chunk_size": 8192, "no_rope_layers": "every"},
    "no_rope_layer_interval": LLAMA | {"attention_chunk_size": 8192, "no_rope_layer_interval": -4},
    "num_hidden_layers": LLAMA | {"num_hidden_layers": 10**4000},
    "max_position_embeddings": LLAMA | {"max_position_embeddings": 10**4000}}


@pytest.mark.parametrize("field", NOT_UNDERSTOOD)
def test_fields_of_today_that_are_not_understood(tmp_path, field):
    with pytest.raises(ValueError) as error:
        Model.named(written(tmp_path, NOT_UNDERSTOOD[field]))
    message = str(error.value)
    assert f": {field}" in message and "\n" not in message and len(message) < 300


@pytest.mark.parametrize("kind", ["replace_with_linear", "sparsify", "window_length", "num_sink_tokens"])
def test_a_block_that_keeps_something_else_is_refused(tmp_path, kind):
    odd = BLOCK | {"attention": BLOCK["attention"] | {kind: 64}}
    with pytest.raises(ValueError, match=f"block_configs: .*: {kind} is not understood$"):
        Model.named(written(tmp_path, LLAMA | {"block_configs": [odd] + [BLOCK] * 31}))


def test_weights_of_blocks_of_their_own_width(tmp_path):
    model = Model.named(written(tmp_path, LLAMA | {"block_configs": [BLOCK] * 20 + [EMPTY] * 12}))
    wide, narrow = 3584, 1536  # 2/3 of ffn_mult x 4,096, in steps of 256
    attention = 4096 * (2 * 32 + 2 * 4) * 128
    assert model.params_billion * 1e9 == pytest.approx(
        20 * attention + 3 * 4096 * (20 * wide + 12 * narrow) + 2 * 128256 * 4096)


HUGE = ["num_experts_per_tok", "top_k_experts", "num_experts", "index_n_heads", "shared_intermediate_size",
        "moe_intermediate_size", "linear_num_key_heads", "mamba_num_heads", "n_groups", "q_lora_rank"]


@pytest.mark.parametrize("field", HUGE)
@pytest.mark.parametrize("value", [10**4000, -(10**4000), -1])
def test_numbers_out_of_all_bounds(tmp_path, field, value):
    for config in (LLAMA | {"num_local_experts": 4}, INDEXED, NEMOTRON):
        try:
            d = Deployment(Model.named(written(tmp_path, config | {field: value})), "H100-80GB", 8,
                           weights_gib=20.0)
        except ValueError as error:
            assert str(error).startswith("model=") and "\n" not in str(error)
            assert len(str(error)) < 300
        else:
            assert d.token_slots() > 0


def test_a_damaged_image_tower(tmp_path):
    tower = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "spatial_merge_size": 2}
    whole = Model.named(written(tmp_path, LLAMA | {"vision_config": tower}))
    assert (whole.image_token_bytes, whole.image_tokens) == (8 * (6 * 1152 + 2 * 4304), 16384)
    for field in tower:
        for value in (None, "x", -1, 10**4000, True, [], {}, 0, 1.5):
            path = written(tmp_path, LLAMA | {"vision_config": tower | {field: value}})
            told_in_one_line(lambda: Model.named(path))
            assert Deployment(Model.named(path), "H100-80GB", 8, weights_gib=20.0).token_slots() > 0


def test_a_byte_order_mark(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(LLAMA).encode())
    assert Model.named(str(tmp_path)).kv_bytes_per_token() == 131072


def test_what_is_no_regular_file_is_refused_before_it_is_read(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    (tmp_path / "fifo.json").symlink_to(tmp_path / "config.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for path in (tmp_path, tmp_path / "config.json", tmp_path / "fifo.json", tmp_path / "zero.json",
                 "/dev/zero", "/dev/stdin"):
        with pytest.raises(ValueError, match="cannot be read as JSON: it is no regular file$"):
            Model.named(str(path))


@pytest.mark.parametrize("name", ["hf_quant_config.json", "model.safetensors.index.json"])
def test_a_file_beside_that_is_none_is_refused_too(tmp_path, name):
    path = written(tmp_path, LLAMA)
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="it is no regular file"):
        Deployment(Model.named(path), "H100-80GB")


def test_a_file_that_is_too_large_is_refused(tmp_path):
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(2**26 + 1)
    with pytest.raises(ValueError, match="cannot be read as JSON: it has more than 67,108,864 bytes$"):
        Model.named(str(tmp_path))
    text = json.dumps(LLAMA).ljust(2**26)
    (tmp_path / "config.json").write_text(text)
    assert Model.named(str(tmp_path)).layers == 32
    (tmp_path / "config.json").write_text(text + " ")
    with pytest.raises(ValueError, match="it has more than"):
        Model.named(str(tmp_path))


def test_a_nest_of_configs(tmp_path):
    inside = LLAMA
    for depth in range(300):
        inside = {"text_config": inside}
    told_in_one_line(lambda: Model.named(written(tmp_path, inside)))
