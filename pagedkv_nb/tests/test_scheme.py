"""Bytes of weights by the scheme they are stored in: small configs against bytes by hand, names
and configs against what servers logged."""
import json

import pytest

from pagedkv_nb.evidence.startups import deployed, logged_servers
from pagedkv_nb.facts import facts
from pagedkv_nb.sizing import GIB, Deployment, Model, said_scheme
from pagedkv_nb.sizing.scheme import Scheme

SMALL = {"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 8,
         "hidden_size": 1024, "num_key_value_heads": 2, "vocab_size": 1000,
         "intermediate_size": 2048, "max_position_embeddings": 4096}
# Weights of a layer: queries and what leaves attention, K and V, two matrices in, one out.
Q, KV, UP, DOWN = 1024 * 1024, 1024 * 256, 2 * 1024 * 2048, 1024 * 2048
ATTENTION, MLP, WORDS = 2 * Q + 2 * KV, UP + DOWN, 1000 * 1024
ALL = 2 * (ATTENTION + MLP)
LAYER = "model.layers.0.", "model.layers.1."
INT4 = {"num_bits": 4, "type": "int", "symmetric": True}
FP8 = {"num_bits": 8, "type": "float"}


def group(targets, **weights):
    return {"targets": targets, "weights": weights}


def compressed(*groups, **more):
    named = {f"group_{i}": told for i, told in enumerate(groups)}
    return {"quant_method": "compressed-tensors", "config_groups": named, **more}


def modelopt(algo, **more):
    return {"quant_method": "modelopt", "quant_algo": algo, **more}


# {case: (what the config says, bytes of the two layers, bytes of a weight of the head)}
STORED = {
    "nothing": (None, 2 * ALL, 2),
    "fp8": ({"quant_method": "fp8"}, ALL, 2),
    "fp8 in blocks": ({"quant_method": "fp8", "weight_block_size": [128, 128]}, ALL, 2),
    "fbgemm_fp8": ({"quant_method": "fbgemm_fp8"}, ALL, 2),
    "fp8, a part kept": ({"quant_method": "fp8", "modules_to_not_convert": ["lm_head",
                          "model.layers.1.mlp.down_proj"]}, ALL + DOWN, 2),
    "fp8, a layer ignored": ({"quant_method": "fp8", "ignored_layers": ["model.layers.1"]},
                             1.5 * ALL, 2),
    "layer 1 is not layer 11": ({"quant_method": "fp8", "ignored_layers": ["model.layers.11"]},
                                ALL, 2),
    "awq": ({"quant_method": "awq", "bits": 4, "group_size": 128}, ALL * (0.5 + 2.5 / 128), 2),
    "awq, a kind of part kept": ({"quant_method": "awq", "bits": 4, "group_size": 128,
                                  "modules_to_not_convert": ["self_attn"]},
                                 4 * ATTENTION + 2 * MLP * (0.5 + 2.5 / 128), 2),
    "gptq": ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True},
             ALL * (0.5 + 2 / 128), 2),
    "gptq, groups of 32": ({"quant_method": "gptq", "bits": 4, "group_size": 32}, ALL * 0.5625, 2),
    "gptq, zeros": ({"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": False},
                    ALL * (0.5 + 2.5 / 128), 2),
    "gptq, 8 bits": ({"quant_method": "gptq", "bits": 8, "group_size": 64}, ALL * (1 + 2 / 64), 2),
    "gptq, 8 bits, zeros": ({"quant_method": "gptq", "bits": 8, "group_size": 64, "sym": False},
                            ALL * (1 + 3 / 64), 2),
    "gptq, no groups": ({"quant_method": "gptq", "bits": 4, "group_size": -1}, ALL * 0.5, 2),
    "auto-round": ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "sym": True},
                   ALL * (0.5 + 2 / 128), 2),
    "auto-round, others": ({"quant_method": "auto-round", "bits": 4, "group_size": 128,
                            "sym": True, "extra_config": {LAYER[0] + "mlp.down_proj": {"bits": 16},
                                                          LAYER[1] + "mlp.down_proj": {"bits": 8}}},
                           (ALL - 2 * DOWN) * (0.5 + 2 / 128) + DOWN * (2 + 1 + 2 / 128), 2),
    "compressed int8": (compressed(group(["Linear"], num_bits=8, type="int"), ignore=["lm_head"]),
                        ALL, 2),
    "compressed fp8": (compressed(group(["Linear"], **FP8)), ALL, 2),
    "compressed mxfp8": (compressed(group(["Linear"], **FP8, group_size=32)), ALL * 33 / 32, 2),
    "compressed int4": (compressed(group(["Linear"], **INT4, group_size=128)),
                        ALL * (0.5 + 2 / 128), 2),
    "compressed int4, groups of 32": (compressed(group(["Linear"], **INT4, group_size=32)),
                                      ALL * 0.5625, 2),
    "compressed int4, zeros": (compressed(group(["Linear"], num_bits=4, type="int",
                                                symmetric=False, group_size=128)),
                               ALL * (0.5 + 2.5 / 128), 2),
    "compressed int4, no groups": (compressed(group(["Linear"], **INT4)), ALL * 0.5, 2),
    "compressed nvfp4": (compressed(group(["Linear"], num_bits=4, type="float", group_size=16)),
                         ALL * 0.5625, 2),
    "compressed mxfp4": (compressed(group(["Linear"], num_bits=4, type="float", group_size=32)),
                         ALL * 0.53125, 2),
    "ignored by pattern": (compressed(group(["Linear"], **FP8), ignore=["re:.*down_proj$"]),
                           ALL + 2 * DOWN, 2),
    "ignored by name": (compressed(group(["Linear"], **FP8), ignore=[LAYER[0] + "self_attn.q_proj"]),
                        ALL + Q, 2),
    "one group by pattern": (compressed(group(["re:.*mlp.*"], **FP8)), 4 * ATTENTION + 2 * MLP, 2),
    "two groups": (compressed(group(["Linear"], **INT4, group_size=128),
                              group(["re:.*self_attn.*"], **FP8)),
                   2 * MLP * (0.5 + 2 / 128) + 2 * ATTENTION, 2),
    "nvfp4": (modelopt("NVFP4", exclude_modules=["lm_head"]), ALL * 0.5625, 2),
    "nvfp4 of weights": (modelopt("W4A16_NVFP4"), ALL * 0.5625, 2),
    "modelopt fp8": (modelopt("FP8"), ALL, 2),
    "excluded by pattern": (modelopt("NVFP4", exclude_modules=["model.layers.0.*", "*o_proj"]),
                            (ATTENTION + MLP) * 2 + (ATTENTION + MLP - Q) * 0.5625 + 2 * Q, 2),
    "ignored, without the word model": (modelopt("FP8", ignore=["layers.0*"]), 1.5 * ALL, 2),
    "layers named one by one": (modelopt("MIXED_PRECISION", quantized_layers={
        LAYER[0] + "mlp.down_proj": {"quant_algo": "NVFP4", "group_size": 16},
        LAYER[1] + "self_attn.q_proj": {"quant_algo": "FP8"}}), 2 * ALL - DOWN * (2 - 0.5625) - Q, 2),
    "the head too": (modelopt("MIXED_PRECISION", quantized_layers={
        "lm_head": {"quant_algo": "W4A16_NVFP4"}, "model.layers.0": {"quant_algo": "FP8"}}),
        1.5 * ALL, 0.5625),
    "groups by name": (modelopt("MIXED_PRECISION", config_groups={
        "a": group([LAYER[0] + "mlp.down_proj", "lm_head"], num_bits=4, type="float", group_size=16),
        "b": group([LAYER[1] + "self_attn.q_proj"], **FP8)}), 2 * ALL - DOWN * (2 - 0.5625) - Q, 0.5625),
    "bnb": ({"quant_method": "bitsandbytes", "load_in_4bit": True,
             "bnb_4bit_quant_type": "nf4"}, ALL * (0.5 + 4 / 64), 2),
    "bnb, scales quantised": ({"quant_method": "bitsandbytes", "load_in_4bit": True,
                               "bnb_4bit_use_double_quant": True}, ALL * (0.5 + 1 / 64), 2),
    "bnb, 8 bits": ({"quant_method": "bitsandbytes", "load_in_8bit": True}, ALL, 2),
    "bnb, skipped": ({"quant_method": "bitsandbytes", "load_in_8bit": True,
                      "llm_int8_skip_modules": ["lm_head", "model.layers.1.mlp"]}, ALL + MLP, 2)}


def written(folder, told=None, beside=None, **config):
    """A checkpoint that says this of its quantisation, in its config or in a file beside it."""
    folder.mkdir(exist_ok=True)
    said = SMALL | config | ({} if told is None else {"quantization_config": told})
    (folder / "config.json").write_text(json.dumps(said))
    if beside is not None:
        (folder / "hf_quant_config.json").write_text(json.dumps(beside))
    return Model.named(str(folder))


@pytest.mark.parametrize("told, layers, head", STORED.values(), ids=STORED)
def test_bytes_by_hand(tmp_path, told, layers, head):
    model = written(tmp_path / "Small", told)
    assert not model.unknown_weights
    assert model.checkpoint_bytes == pytest.approx(layers + (2 + head) * WORDS, abs=1)
    assert model.params_billion == pytest.approx((ALL + 2 * WORDS) / 1e9, rel=1e-12)


@pytest.mark.parametrize("algo, width", [("NVFP4", 0.5625), ("FP8", 1), ("W4A16_NVFP4", 0.5625)])
def test_a_file_beside_the_config_tells_the_scheme(tmp_path, algo, width):
    beside = {"producer": {"name": "modelopt"}, "quantization": {
        "quant_algo": algo, "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]}}
    model = written(tmp_path / "Small-NVFP4", None, beside)
    assert model.checkpoint_bytes == pytest.approx(ALL * width + 4 * WORDS, abs=1)
    assert model.cache_dtype == "fp8" and model.kv_bytes(1, "auto") == 2 * 2 * 2 * 128
    inside = written(tmp_path / "Both", {"quant_method": "fp8"}, beside)  # the config comes first
    assert inside.checkpoint_bytes == ALL + 4 * WORDS and inside.cache_dtype == "fp16"


def test_layers_named_in_the_file_beside(tmp_path):
    beside = {"quantization": {"quant_algo": "MIXED_PRECISION", "quantized_layers": {
        "model.layers.0.self_attn.v_proj": {"quant_algo": "FP8"}}}}
    assert written(tmp_path / "Small", None, beside).checkpoint_bytes == 2 * ALL + 4 * WORDS - KV


def test_a_head_that_is_tied_is_stored_once(tmp_path):
    tied = {"tie_word_embeddings": True}
    assert written(tmp_path / "a", **tied).checkpoint_bytes == 2 * ALL + 2 * WORDS
    assert written(tmp_path / "b", {"quant_method": "fp8"}, **tied).checkpoint_bytes == (
        ALL + 2 * WORDS)


MIXTURE = {"num_local_experts": 4, "num_experts_per_tok": 2}
ROUTER = 1024 * 4


def test_experts_and_their_router(tmp_path):
    model = written(tmp_path / "fp8", {"quant_method": "fp8"}, **MIXTURE)
    assert model.checkpoint_bytes == 2 * (ATTENTION + 4 * MLP + 2 * ROUTER) + 4 * WORDS
    told = compressed(group(["re:.*experts.*"], **INT4, group_size=32))
    model = written(tmp_path / "int4", told, **MIXTURE)
    assert model.checkpoint_bytes == 2 * (
        2 * ATTENTION + 4 * MLP * 0.5625 + 2 * ROUTER) + 4 * WORDS
    told = modelopt("NVFP4", ignore=["*block_sparse_moe.gate", "model.layers.*.self_attn*"])
    model = written(tmp_path / "nvfp4", told, **MIXTURE)
    assert model.checkpoint_bytes == 2 * (
        2 * ATTENTION + 4 * MLP * 0.5625 + 2 * ROUTER) + 4 * WORDS


@pytest.mark.parametrize("inner, padded", [(2048, 2048), (2880, 3072), (2049, 2304), (256, 256)])
def test_experts_in_mxfp4_are_padded(tmp_path, inner, padded):
    model = written(tmp_path / "Small", {"quant_method": "mxfp4"}, **MIXTURE,
                    intermediate_size=inner)
    experts = 4 * 3 * 1024 * padded * 4.25 / 8
    assert model.checkpoint_bytes == pytest.approx(
        2 * (2 * ATTENTION + experts + 2 * ROUTER) + 4 * WORDS, abs=1)


UNKNOWN = {
    "quant_method='who knows'": {"quant_method": "who knows"},
    "quant_method='aqlm'": {"quant_method": "aqlm", "bits": 2},
    "quant_method='gguf'": {"quant_method": "gguf"},
    "quant_method='quark'": compressed(group(["Linear"], **FP8)) | {"quant_method": "quark"},
    "quant_algo='W2A8'": modelopt("W2A8"), "quant_algo=None": {"quant_method": "modelopt"},
    "quant_algo='NF3'": modelopt("MIXED_PRECISION", quantized_layers={"a": {"quant_algo": "NF3"}}),
    "bits=None": {"quant_method": "gptq", "group_size": 128},
    "bits='4'": {"quant_method": "awq", "bits": "4"}, "bits=16": {"quant_method": "gptq", "bits": 16},
    "quant_method='compressed-tensors', type=None": compressed(),
    "type='int', num_bits=3": compressed(group(["Linear"], num_bits=3, type="int")),
    "type='odd', num_bits=4": compressed(group(["Linear"], num_bits=4, type="odd")),
    "type='float', num_bits=4, group_size=8": compressed(group(["Linear"], num_bits=4, type="float",
                                                                 group_size=8)),
    "num_bits=None": compressed({"targets": ["Linear"]}),
    "must be an object": "fp8", "kv_cache": {"quant_method": "fp8", "kv_cache_scheme": {
        "num_bits": 4, "type": "float"}},
    "'int' object is not iterable": {"quant_method": "fp8", "ignored_layers": 5},
    "not understood: ": compressed(group(["re:("], **FP8)),
    "not supported": {"quant_method": "gptq", "bits": 4, "group_size": "128"},
    "are not understood": compressed({"targets": 5, "weights": FP8})}


@pytest.mark.parametrize("field, told", UNKNOWN.items(), ids=UNKNOWN)
def test_what_is_not_known_is_one_line_and_never_16_bits(tmp_path, field, told):
    model = written(tmp_path / "Small", told)
    assert model.checkpoint_bytes == 0 and model.kv_bytes_per_token() == 2 * 2 * 2 * 128 * 2
    with pytest.raises(ValueError) as error:
        Deployment(model, "H100-80GB")
    message = str(error.value)
    assert field in message and message.startswith("model='Small': ")
    assert message.endswith("; name another model or set weights_gib") and "\n" not in message and len(message) < 300
    assert Deployment(model, "H100-80GB", weights_gib=1.0).token_slots() > 0


DAMAGE = [None, "x", "", -1, 0, 10**4000, float("nan"), float("inf"), 1.5, True, [], {}, [[1]],
          {"a": {"b": [None]}}, {"a": 5}, "re:(", ["re:("], [None], 5]
WHOLE = {"bits": 4, "group_size": 128, "sym": True, "ignore": [], "exclude_modules": [],
         "quant_algo": "NVFP4", "quantized_layers": {}, "extra_config": {}, "kv_cache_scheme": None,
         "config_groups": {"a": group(["Linear"], **INT4, group_size=128)},
         "kv_cache_quant_algo": None, "llm_int8_skip_modules": []}
METHODS = "gptq", "auto-round", "compressed-tensors", "modelopt", "bitsandbytes"


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_damaged_quantisation(tmp_path, method):
    damaged = [{field: value} for field in [*WHOLE, "quant_method"] for value in DAMAGE]
    damaged += [{"config_groups": {"a": WHOLE["config_groups"]["a"] | {field: value}}}
                for field in ("targets", "weights") for value in DAMAGE]
    damaged += [{"config_groups": {"a": group(["Linear"], **INT4 | {"group_size": 128, field: value})}}
                for field in ("num_bits", "type", "group_size", "symmetric") for value in DAMAGE]
    damaged += [{"quantized_layers": {"a": value}} for value in DAMAGE]
    damaged += [{"extra_config": {"a": {"bits": value}}} for value in DAMAGE]
    for change in damaged:
        try:
            model = written(tmp_path / "Small", {"quant_method": method} | WHOLE | change)
            Deployment(model, "H100-80GB")
        except ValueError as error:
            assert str(error).startswith("model=") and "\n" not in str(error), change
            assert len(str(error)) < 400, change
        else:
            assert model.checkpoint_bytes > 4 * WORDS, change


NAMED = {"Llama-FP8": "fp8", "Llama-NVFP4": "nvfp4", "Llama-AWQ": "awq", "Llama-3.1-8B.w4a16": "gptq",
         "Llama_3_FP8": "fp8", "Qwen3-8B-GGUF": "gguf", "Qwen3-8B-Q4_K_M": "gguf-q4_k_m",
         "Qwen3-bnb-4bit": "bnb", "W4A16-NVFP4": "nvfp4", "model.int8": "fp8", "MXFP4": "mxfp4",
         "Llama-GPTQ-Int4": "gptq"}


@pytest.mark.parametrize("name", NAMED)
def test_a_name_that_speaks_of_a_scheme_without_one(tmp_path, name):
    assert said_scheme(name) == NAMED[name]
    with pytest.raises(ValueError, match=f"quantization_config: missing, but the name says "
                                         f"{NAMED[name]}: put hf_quant_config.json beside .*; "
                                         "name another model or set weights_gib$"):
        Deployment(written(tmp_path / name), "H100-80GB")
    assert Deployment(written(tmp_path / name), "H100-80GB", weights_gib=1.0).token_slots() > 0


@pytest.mark.parametrize("name", ["Llama-3.1-8B", "Meta-Llama-3.1-70B", "Qwen3-8B", "gpt-oss-20b",
                                  "DeepSeek-V3.2", "Qwen2.5-7B-Instruct-1M", "Nemotron-H-8B-Base-8K",
                                  "Hawq", "fp80"])
def test_a_name_that_speaks_of_none(tmp_path, name):
    assert said_scheme(name) == ""
    model = written(tmp_path / name)
    assert (model.name, model.checkpoint_bytes) == (name, 2 * ALL + 4 * WORDS)


def test_a_folder_with_dots_keeps_its_name(tmp_path):
    for name in ("Llama-3.1-8B.v2", "Qwen3.5", "v1.0.0"):
        assert written(tmp_path / name).name == name
    (tmp_path / "Qwen3.5-4B.json").write_text(json.dumps(SMALL))
    assert Model.named(str(tmp_path / "Qwen3.5-4B.json")).name == "Qwen3.5-4B"


@pytest.mark.parametrize("told, dtype", [
    ({"quant_method": "fp8", "kv_cache_scheme": {"num_bits": 8, "type": "float"}}, "fp8"),
    (modelopt("FP8", kv_cache_quant_algo="FP8"), "fp8"), (modelopt("FP8"), "fp16"),
    (modelopt("NVFP4", kv_cache_scheme={"num_bits": 8, "type": "float"}), "fp8"),
    ({"quant_method": "fp8", "kv_cache_scheme": None}, "fp16")])
def test_what_the_scheme_does_to_the_cache(tmp_path, told, dtype):
    model = written(tmp_path / "Small", told)
    assert model.kv_bytes(100, "auto") == model.kv_bytes(100, dtype)
    assert model.kv_bytes(100, "fp16") == 2 * model.kv_bytes(100, "fp8") == 204800
    d = Deployment(model, "H100-80GB")
    assert d.token_slots() == d.token_slots(dtype)
    assert d.token_slots("fp8") == pytest.approx(2 * d.token_slots("fp16"), abs=32)


LLAMA = 2 * 128256 * 4096  # its embeddings
BY_NAME = {"Llama-3.1-8B": 2 * 8.03e9, "meta-llama/Llama-3.1-8B-Instruct": 2 * 8.03e9,
           "Llama-3.1-8B-FP8": 8.03e9 + LLAMA, "RedHatAI/Llama-3.1-8B-Instruct-FP8-dynamic": 8.03e9 + LLAMA,
           "llama-3.1-8b-instruct-quantized.w8a8": 8.03e9 + LLAMA,
           "Llama-3.1-8B-Instruct-quantized.w4a16": (0.5 + 2 / 128) * (8.03e9 - LLAMA) + 2 * LLAMA,
           "Llama-3.1-8B-AWQ-INT4": (0.5 + 2.5 / 128) * (8.03e9 - LLAMA) + 2 * LLAMA,
           "Llama-3.1-8B-bnb-4bit": (0.5 + 1 / 64) * (8.03e9 - LLAMA) + 2 * LLAMA,
           "nvidia/Llama-3.1-8B-Instruct-NVFP4": 0.5625 * (8.03e9 - LLAMA) + 2 * LLAMA,
           "Llama-3.1-8B-Instruct-GGUF-Q4_K_M": 4.85 / 8 * 8.03e9, "Llama-3.1-8B-Q8_0": 8.5 / 8 * 8.03e9,
           "Llama-3.1-8B-Q6_K": 6.56 / 8 * 8.03e9, "Llama-3.1-8B-Q5_K_M": 5.69 / 8 * 8.03e9,
           "Llama-3.1-8B-Q4_0": 4.55 / 8 * 8.03e9, "Llama-3.1-8B-IQ4_XS": 4.3 / 8 * 8.03e9,
           "Llama-3.1-8B-Q3_K_M": 3.91 / 8 * 8.03e9,
           "gpt-oss-120b": 64.5 * GIB, "openai/gpt-oss-20b": 13.45 * GIB,
           "deepseek-ai/DeepSeek-V3-0324": 628.5 * GIB, "DeepSeek-R1-0528": 628.5 * GIB,
           "moonshotai/Kimi-K2-Instruct": 960 * GIB, "Kimi-K2-Thinking": 560 * GIB}


@pytest.mark.parametrize("name", BY_NAME)
def test_bytes_by_name(name):
    d = Deployment(Model.named(name), "B300-288GB", 8)
    copies = 7 * d.model.copied_bytes
    assert d.weight_bytes - copies == pytest.approx(BY_NAME[name], abs=2)


@pytest.mark.parametrize("name", ["gpt-oss-120b-AWQ", "DeepSeek-V3-NVFP4", "Kimi-K2-Instruct-AWQ",
                                  "Llama-3.2-3B-Instruct-GGUF"])
def test_a_name_whose_bytes_are_not_known(name):
    assert Model.named(name).kv_bytes_per_token() > 0
    with pytest.raises(ValueError, match=f"^model='{name}': the bytes of its weights as .* are "
                                         "not known; name another model or set weights_gib$"):
        Deployment(Model.named(name), "H100-80GB", 8)
    assert Deployment(Model.named(name), "H100-80GB", 8, weights_gib=20.0).token_slots() > 0


@pytest.mark.parametrize("name", ["Llama-3.1-8B-EXL2", "Llama-3.1-8B-3bit", "Qwen3-8B_FP8", "Llama-3.1-8B-AQLM",
                                  "Qwen3-8B-W4A8KV4"])
def test_a_name_with_words_that_are_not_known_is_refused(name):
    with pytest.raises(ValueError, match=f"model='{name}': must be one of .*; did you mean"):
        Model.named(name)


# servers_2.md 7, "Model loading took", GiB a GPU: (name, GPUs, logged)
LOADED = [
    ("Llama-3.1-8B-FP8", 1, 8.49), ("Llama-3.1-8B-Instruct-quantized.w4a16", 1, 5.38),
    ("Llama-3.1-70B-Instruct-FP8-dynamic", 2, 33.88), ("Llama-3.1-70B-Instruct-quantized.w8a8", 1, 67.72),
    ("Mistral-Small-3.1-24B-Instruct-quantized.w8a8", 1, 24.07), ("Qwen2.5-7B-Instruct-FP8-dynamic", 1, 8.14),
    ("Qwen/Qwen3-14B-AWQ", 1, 9.4), ("Qwen2.5-32B-Instruct-AWQ", 1, 18.14), ("Phi-4-GPTQ", 1, 8.51),
    ("Qwen3-8B-bnb-4bit", 1, 5.91), ("Qwen3.6-35B-A3B-AutoRound", 2, 9.96), ("Qwen3-8B-FP8", 1, 8.8),
    ("Qwen3-30B-A3B-FP8", 1, 29.1), ("Qwen3.6-35B-A3B-FP8", 1, 33.38), ("Qwen3.8-27B-FP8", 1, 27.64),
    ("Qwen3.6-27B-NVFP4", 1, 19.78), ("NVIDIA-Nemotron-3.5-Lightning-30B-A3B-NVFP4", 1, 17.82),
    ("MiniMax-M2.5", 4, 53.75), ("DeepSeek-R1", 8, 79.74), ("gpt-oss-20b", 1, 13.64),
    ("Llama-3.2-3B-Q8_0", 1, 3.26), ("Qwen3.5-35B-A3B-FP8", 1, 34.45), ("Qwen3-8B-AWQ", 1, 5.71),
    ("Qwen2.5-7B-AWQ", 1, 5.29), ("Qwen2.5-14B-AWQ", 1, 9.38), ("Kimi-K2-Thinking", 8, 71.0),
    ("gpt-oss-120b", 1, 65.2)]


def loaded(model, n_gpus):
    """GiB of weights on each of n GPUs."""
    known = model.checkpoint_bytes or model.params_billion * 2e9
    return (known / n_gpus + (n_gpus - 1) / n_gpus * model.copied_bytes) / GIB


def test_weights_by_name_are_what_servers_logged():
    off = {name: loaded(Model.named(name), n) / logged - 1 for name, n, logged in LOADED}
    assert sum(abs(error) <= 0.10 for error in off.values()) >= 0.95 * len(off), off
    assert sum(abs(error) <= 0.05 for error in off.values()) >= 0.85 * len(off), off
    assert all(abs(error) <= max(0.05, Model.named(name).weights_off + 0.01)
               for name, error in off.items()), off


@pytest.mark.parametrize("name, n_gpus, logged", [("MiniMax-M2.5", 4, 53.75), ("gpt-oss-120b", 1, 65.2),
                                                  ("llama-3.1-8b-instruct", 1, 14.99)])
def test_weights_by_config_are_what_servers_logged(shared, name, n_gpus, logged):
    folder = shared / "configs_2" / name
    if not folder.exists():
        pytest.skip(f"{folder} is not here")
    assert loaded(Model.named(str(folder)), n_gpus) == pytest.approx(logged, rel=0.015)


def test_every_quantised_start_up_of_the_table_is_within_its_error():
    logs = facts("kv_logs").query("weights_gib > 0 and pipeline_parallel == 1")
    rows = logged_servers()
    rows = rows[rows["id"].isin(logs["id"]) & (rows["scheme"] != "")]
    off = [deployed(row, False).weight_bytes / row["n_gpus"] / GIB / row["weights_gib"] - 1
           for _, row in rows.iterrows()]
    assert len(off) >= 20 and sum(abs(e) <= 0.1 for e in off) >= 0.9 * len(off), off
    assert sum(abs(e) <= 0.05 for e in off) >= 0.8 * len(off), off


def test_a_part_is_found_by_its_own_name_its_parent_or_a_pattern():
    for listed in ("layers.3", "model.layers.3", "layers.3.mlp", "down_proj", "mlp.down_proj",
                   "*.down_proj", "model.layers.3*", "re:.*layers.3.mlp", "mlp", "language_model.model.layers.3"):
        assert Scheme(1.0, [listed]).width("layers.3.mlp.down_proj") == 2, listed
    for listed in ("layers.30", "layers.33.mlp", "own_proj", "mlp.down", "*.down", "re:.*layers.4",
                   "up_proj", "layer"):
        assert Scheme(1.0, [listed]).width("layers.3.mlp.down_proj") == 1, listed
    assert Scheme(1.0).width("lm_head") == Scheme(1.0).width("layers.0.mlp.gate") == 2
    assert Scheme(1.0).width("layers.0.mlp.gate_proj") == 1
    assert Scheme(2.0, ["a"], {"a": 0.5}).width("a") == 0.5  # a target before what is kept
    inside = Scheme(2.0, (), {"layers.3": 1.0, "*.down_proj": 0.5, "mlp.gate_proj": 2.0})
    assert [inside.width(f"layers.3.mlp.{part}") for part in ("down_proj", "gate_proj", "up_proj")] == [0.5, 1, 1]
    assert inside.width("layers.4.mlp.gate_proj") == inside.width("layers.4.mlp.up_proj") == 2
