"""Parameters counted from a config.json, and the bytes of weights they make.

An estimate: norms, biases, vision and draft layers are left out; 0 where a part is not told.
"""
import json

MIXERS = ("num_experts", "num_local_experts", "n_routed_experts")
COUNTS = (*MIXERS, "moe_intermediate_size", "n_shared_experts", "decoder_sparse_step",
          "moe_shared_expert_intermediate_size", "shared_expert_intermediate_size",
          "intermediate_size", "intermediate_size_mlp", "interleave_moe_layer_step",
          "first_k_dense_replace", "q_lora_rank", "qk_nope_head_dim", "v_head_dim")
PLAIN = ("gpt2", "gptj", "gpt_neo", "gpt_neox", "gpt_bigcode", "falcon", "RefinedWeb", "opt",
         "RefinedWebModel", "bloom", "mpt", "phi", "starcoder2", "nemotron", "nemotron_h")
TIED = ("gemma", "gpt2", "gpt_bigcode", "gpt_neo", "falcon", "RefinedWeb", "opt", "bloom", "mpt",
        "cohere", "recurrent_gemma")  # input and output embedding are one, unless told


def counted_parameters(config, shape):
    """(parameters outside experts, those of experts) of a config whose heads are read;
    (0, 0) if the config says too little."""
    get = {field: value for field, value in config.items() if type(value) is int} | shape
    hidden = get.get("hidden_size") or get.get("n_embd") or get.get("d_model") or 0
    vocab = get.get("vocab_size") or get.get("padded_vocab_size") or 0
    n_layers = next((get[f] for f in ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
                     if f in get), 0)
    inner = get.get("intermediate_size") or get.get("n_inner") or get.get("ffn_dim") or (
        4 * hidden if config.get("model_type") in PLAIN else 0)
    if damaged(config) or not (hidden and vocab and inner):
        return 0, 0
    dense, experts = feed_forward(config, get, (n_layers, hidden, inner))
    mixing = sum(attention_parameters(config, get, hidden, i) for i in range(n_layers))
    tied = config.get("tie_word_embeddings",
                      str(config.get("model_type")).startswith(TIED)) is True
    return vocab * hidden * (1 if tied else 2) + mixing + dense, experts


def damaged(config):
    """Whether a field that counts parameters has no sound value."""
    return any(type(config[f]) is not int or not 0 <= config[f] <= 10**8
               for f in COUNTS if f in config)


def feed_forward(config, get, shape):
    """Parameters of the feed-forward layers: (dense, experts)."""
    n_layers, hidden, inner = shape
    each = (2 if config.get("model_type") in PLAIN else 3) * hidden
    n_experts = next((get[f] for f in MIXERS if get.get(f)), 0)
    n_mixed = mixed_layers(config, get, n_layers) if n_experts else 0
    n_plain = n_layers - n_mixed
    if isinstance(config.get("hybrid_override_pattern"), str):
        n_plain = config["hybrid_override_pattern"].count("-")
    if config.get("enable_moe_block") is True:  # Gemma 4 has both in each layer
        n_plain = n_layers
    own, plain = get.get("moe_intermediate_size"), get.get("intermediate_size_mlp")
    dense = n_plain * (plain or inner) + n_mixed * shared_width(config, get, own or inner)
    return each * dense, each * n_mixed * n_experts * (own or inner)


def shared_width(config, get, own):
    """The inner size of the experts that every token visits."""
    if str(config.get("model_type")).startswith("llama4"):
        return get["intermediate_size"]
    names = "moe_shared_expert_intermediate_size", "shared_expert_intermediate_size"
    return next((get[n] for n in names if get.get(n)), get.get("n_shared_experts", 0) * own)


def mixed_layers(config, get, n_layers):
    """How many layers have experts."""
    if isinstance(config.get("hybrid_override_pattern"), str):
        return config["hybrid_override_pattern"].count("E")
    step = get.get("decoder_sparse_step") or get.get("interleave_moe_layer_step") or 1
    return max(n_layers // max(step, 1) - get.get("first_k_dense_replace", 0), 0)


def attention_parameters(config, get, hidden, i):
    """Parameters of what mixes tokens in layer i: attention, or a state."""
    kind, heads = layer_word(config, i), get["q_heads"]
    if kind in ("-", "E"):
        return 0
    if kind in ("M", "mamba", "linear_attention"):
        return hidden * state_width(get, kind)
    if get.get("kv_lora_rank"):
        return latent_attention(get, hidden, heads)
    kv, dim = get["kv_heads"], get["head_dim"]
    if kind != "full_attention" and get.get("local_kv_heads"):
        kv, dim = get["local_kv_heads"], get["local_head_dim"]
    elif config.get("attention_k_eq_v") is True:
        kv = kv / 2  # one projection for both
    queries = 3 if config.get("attn_output_gate") is True else 2
    return int(hidden * dim * (queries * heads + 2 * kv))


def state_width(get, kind):
    """Parameters of a state-space or linear-attention layer over the hidden size."""
    if kind == "linear_attention":
        keys = get.get("linear_num_key_heads", 0) * get.get("linear_key_head_dim", 0)
        values = get.get("linear_num_value_heads", 0) * get.get("linear_value_head_dim", 0)
        return 2 * keys + 3 * values
    inner = get.get("mamba_num_heads", 0) * get.get("mamba_head_dim", 0)
    state = 2 * get.get("n_groups", 1) * get.get("ssm_state_size", 0)
    return 3 * inner + state + get.get("mamba_num_heads", 0)


def layer_word(config, i):
    """What the config calls layer i, if it names its layers."""
    for field in ("layer_types", "hybrid_override_pattern", "layers_block_type"):
        if field in config:
            return config[field][i]
    return "full_attention"


def latent_attention(get, hidden, heads):
    """Parameters of multi-head latent attention: down to the latents and up to the heads."""
    rank, rope = get["kv_lora_rank"], get.get("qk_rope_head_dim", 0)
    nope, value = get.get("qk_nope_head_dim", 0), get.get("v_head_dim", 0)
    q_rank = get.get("q_lora_rank", 0)
    queries = (hidden + heads * (nope + rope)) * q_rank or hidden * heads * (nope + rope)
    return queries + hidden * (rank + rope) + heads * (rank * (nope + value) + value * hidden)


def checkpoint_bytes(config, file, n_params):
    """Bytes of the weights: `total_size` of model.safetensors.index.json if it lies beside
    the config, else the parameters at the bits of its quantisation; 0: not known."""
    index = file.with_name("model.safetensors.index.json")
    if index.is_file():
        try:
            total = json.loads(index.read_text(encoding="utf-8"))["metadata"]["total_size"]
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            total = None
        if type(total) not in (int, float) or not 0 < total < 2**60:
            raise ValueError(f"model={config.path!r}: {index.name}: its metadata.total_size "
                             "must be a number of bytes")
        return int(total)
    dense, experts = (width * n for width, n in zip(widths(config), n_params))
    return int(dense + experts)


def widths(config):
    """Bytes a parameter (outside experts, of experts); zeros if the quantisation is not
    understood. Unquantised weights are served in 16 bits."""
    told = config.get("quantization_config")
    if told is None:
        return 2, 2
    method = told.get("quant_method") if isinstance(told, dict) else None
    if method == "mxfp4":
        return 2, 4.25 / 8  # a scale of 8 bits for every 32 values; experts only
    if method in ("fp8", "fbgemm_fp8"):
        return 1, 1
    bits = told.get("bits") if method in ("gptq", "awq") else None
    return (bits / 8, bits / 8) if bits in (2, 3, 4, 8) else (0, 0)
