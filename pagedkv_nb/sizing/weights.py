"""Parameters counted from a config.json, and the bytes of weights they make.

An estimate: norms, biases, vision and draft layers are left out; 0 where a part is not told.
"""
import json

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
COUNTS = (*EXPERTS, "moe_intermediate_size", "n_shared_experts", "decoder_sparse_step",
          "moe_shared_expert_intermediate_size", "shared_expert_intermediate_size",
          "intermediate_size", "intermediate_size_mlp", "interleave_moe_layer_step",
          "first_k_dense_replace", "q_lora_rank", "qk_nope_head_dim", "v_head_dim")


def counted_parameters(config, shape):
    """(parameters outside experts, those of experts); (0, 0) if the config says too little."""
    n = {field: value for field, value in config.items() if type(value) is int} | shape
    n["n_layers"] = shape["layers"] + shape["stateless_layers"]
    n["inner"] = n.get("intermediate_size") or n.get("n_inner") or n.get("ffn_dim") or (
        4 * n["hidden"] if "two_matrices" in config.family else 0)
    damaged = any(type(config[field]) is not int or not 0 <= config[field] <= 10**8
                  for field in COUNTS if field in config)
    if damaged or not (n["hidden"] and n["vocab"] and n["inner"]):
        return 0, 0
    dense, experts = feed_forward(config, n)
    mixing = sum(attention_parameters(config, n, i) for i in range(n["n_layers"]))
    tied = config.get("tie_word_embeddings", "tie_word_embeddings" in config.family) is True
    return n["vocab"] * n["hidden"] * (1 if tied else 2) + mixing + dense, experts


def feed_forward(config, n):
    """Parameters of the feed-forward layers: (dense, experts)."""
    each = (2 if "two_matrices" in config.family else 3) * n["hidden"]
    n_experts = next((n[field] for field in EXPERTS if n.get(field)), 0)
    n_mixed = mixed_layers(config, n) if n_experts else 0
    n_plain = n["n_layers"] - n_mixed
    if isinstance(config.get("hybrid_override_pattern"), str):
        n_plain = config["hybrid_override_pattern"].count("-")
    if config.get("enable_moe_block") is True:  # Gemma 4 has both in each layer
        n_plain = n["n_layers"]
    own = n.get("moe_intermediate_size") or n["inner"]
    plain = n.get("intermediate_size_mlp") or n["inner"]
    dense = n_plain * plain + n_mixed * shared_width(config, n, own)
    return each * dense, each * n_mixed * n_experts * own


def shared_width(config, n, own):
    """The inner size of the experts that every token visits."""
    if "wide_shared_expert" in config.family:
        return n["inner"]
    names = "moe_shared_expert_intermediate_size", "shared_expert_intermediate_size"
    return next((n[name] for name in names if n.get(name)), n.get("n_shared_experts", 0) * own)


def mixed_layers(config, n):
    """How many layers have experts."""
    if isinstance(config.get("hybrid_override_pattern"), str):
        return config["hybrid_override_pattern"].count("E")
    step = n.get("decoder_sparse_step") or n.get("interleave_moe_layer_step") or 1
    return max(n["n_layers"] // step - n.get("first_k_dense_replace", 0), 0)


def attention_parameters(config, n, i):
    """Parameters of what mixes tokens in layer i: attention, or a state."""
    kind = layer_word(config, i)
    if kind in ("-", "E", "M", "mamba", "linear_attention"):
        return n["hidden"] * state_width(n, kind)
    if n.get("kv_lora_rank"):
        return latent_attention(n)
    kv, dim = n["kv_heads"], n["head_dim"]
    if kind != "full_attention" and n.get("local_kv_heads"):
        kv, dim = n["local_kv_heads"], n["local_head_dim"]
    elif config.get("attention_k_eq_v") is True:
        kv = kv / 2  # one projection for both
    queries = 3 if config.get("attn_output_gate") is True else 2
    return int(n["hidden"] * dim * (queries * n["q_heads"] + 2 * kv))


def layer_word(config, i):
    """What the config calls layer i, if it names its layers."""
    for field in ("layer_types", "hybrid_override_pattern", "layers_block_type"):
        if field in config:
            return config[field][i]
    return "full_attention"


def state_width(n, kind):
    """Parameters of a state over the hidden size; 0 for layers that mix no tokens."""
    if kind in ("-", "E"):
        return 0
    if kind == "linear_attention":
        keys = n.get("linear_num_key_heads", 0) * n.get("linear_key_head_dim", 0)
        values = n.get("linear_num_value_heads", 0) * n.get("linear_value_head_dim", 0)
        return 2 * keys + 3 * values
    inner = n.get("mamba_num_heads", 0) * n.get("mamba_head_dim", 0)
    state = 2 * n.get("n_groups", 1) * n.get("ssm_state_size", 0)
    return 3 * inner + state + n.get("mamba_num_heads", 0)


def latent_attention(n):
    """Parameters of multi-head latent attention: down to the latents and up to the heads."""
    hidden, heads, rank = n["hidden"], n["q_heads"], n["kv_lora_rank"]
    rope, nope = n.get("qk_rope_head_dim", 0), n.get("qk_nope_head_dim", 0)
    value, q_rank = n.get("v_head_dim", 0), n.get("q_lora_rank", 0)
    queries = (hidden + heads * (nope + rope)) * q_rank or hidden * heads * (nope + rope)
    return queries + hidden * (rank + rope) + heads * (rank * (nope + value) + value * hidden)


def checkpoint_bytes(config, file, n_params):
    """Bytes of the weights: `total_size` of model.safetensors.index.json if it lies beside
    the config, else the parameters at the bits of its quantisation; 0: not known."""
    index = file.with_name("model.safetensors.index.json")
    if not index.is_file():
        return int(sum(width * n for width, n in zip(widths(config), n_params)))
    try:
        total = json.loads(index.read_text(encoding="utf-8"))["metadata"]["total_size"]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        total = None
    if type(total) not in (int, float) or not 0 < total < 2**60:
        raise ValueError(f"model={config.path!r}: {index.name}: its metadata.total_size "
                         "must be a number of bytes")
    return int(total)


def widths(config):
    """Bytes a parameter (outside experts, of experts); zeros if the quantisation is not
    understood. Unquantised weights are served in 16 bits."""
    scheme = config.get("quantization_config")
    if scheme is None:
        return 2, 2
    method = scheme.get("quant_method") if isinstance(scheme, dict) else None
    if method == "mxfp4":
        return 2, 4.25 / 8  # a scale of 8 bits for every 32 values; experts only
    if method in ("fp8", "fbgemm_fp8"):
        return 1, 1
    bits = scheme.get("bits") if method in ("gptq", "awq") else None
    return (bits / 8, bits / 8) if bits in (2, 3, 4, 8) else (0, 0)
