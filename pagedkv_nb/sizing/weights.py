"""The weights of a model part by part, from its config.json, and the bytes they make.

An estimate: norms, biases and draft layers are left out; 0 bytes where a part is not told.
"""
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
COUNTS = (*EXPERTS, "moe_intermediate_size", "n_shared_experts", "decoder_sparse_step",
          "moe_shared_expert_intermediate_size", "shared_expert_intermediate_size",
          "intermediate_size_mlp", "interleave_moe_layer_step", "dense_intermediate_size",
          "first_k_dense_replace", "q_lora_rank", "qk_nope_head_dim", "v_head_dim",
          "moe_latent_size", "share_expert_dim")
PATTERNS = "layer_types", "hybrid_override_pattern", "layers_block_type"
EXPERT_WORDS, DENSE_WORDS = ("E", "moe"), ("-", "mlp")
STATE_WORDS = ("M", "mamba", "linear_attention")


def weight_bytes(config, shape, scheme):
    """The fields of a `Model` that tell its weights: parameters, bytes, those of them that
    each GPU holds a copy of, experts of a token; all 0 if the config says too little."""
    n = {field: value for field, value in config.items()
         if type(value) is int and 0 <= value <= 10**8} | shape
    n["n_layers"] = shape["layers"] + shape["stateless_layers"]
    n["inner"] = n.get("intermediate") or 0
    damaged = any(type(config[field]) is not int or not 0 <= config[field] <= 10**8
                  for field in COUNTS if field in config)
    experts = {"experts_per_token": n.get("num_experts_per_tok", 0) or n.get("top_k_experts", 0),
               "expert_inner": n.get("moe_intermediate_size") or n["inner"]}
    if damaged or not (n["hidden"] and n["vocab"]) or not told_inner(config, n):
        return {}
    parts = [(f"layers.{i}.{name}", size, copied) for i in range(n["n_layers"])
             for name, size, copied in layer_parts(config, n, i) if size]
    tied = config.get("tie_word_embeddings", "tie_word_embeddings" in config.family) is True
    words = n["vocab"] * n["hidden"]
    total = sum(size for _, size, _ in parts) + words * (1 if tied else 2)
    bytes_of = [(size * scheme.width(name), copied) for name, size, copied in parts]
    outside = 2 * words + (0 if tied else words * scheme.width("lm_head"))
    tower = 2 * image_tower(config)[0]
    return {"params_billion": total / 1e9,
            "checkpoint_bytes": int(sum(size for size, _ in bytes_of) + outside + tower),
            "copied_bytes": int(sum(size for size, copied in bytes_of if copied)),
            **(experts if number_of_experts(n) else {})}


def told_inner(config, n):
    """The inner size of feed-forward layers, also put into n; 0 if it is not told."""
    if not n["inner"] and "two_matrices" in config.family:
        n["inner"] = 4 * n["hidden"]
    return n["inner"] or n.get("moe_intermediate_size") or "block_configs" in config


def number_of_experts(n):
    """Experts of a layer that has them."""
    return next((n[field] for field in EXPERTS if n.get(field)), 0)


def layer_parts(config, n, i):
    """[(part, parameters, whether each GPU holds all of it)] of layer i."""
    word, mixer = layer_word(config, i), "self_attn"
    if "hybrid_override_pattern" in config or "layers_block_type" in config:
        mixer = "mixer"
    if word in EXPERT_WORDS + DENSE_WORDS:
        return feed_forward(config, n, mixer, word in EXPERT_WORDS)
    if "block_configs" in config:
        return own_block(config, n, i)
    parts = (state(config, n, word, mixer) if word in STATE_WORDS else
             attention(config, n, mixer, word, i))
    if mixer == "mixer":  # its feed-forward layers are layers of their own
        return parts
    both = config.get("enable_moe_block") is True  # Gemma 4 has both in each layer
    mixed = bool(number_of_experts(n)) and has_experts(config, n, i)
    return (parts + feed_forward(config, n, "mlp", mixed)
            + (feed_forward(config, n, "mlp", False) if both else []))


def layer_word(config, i):
    """What the config calls layer i, if it names its layers."""
    return next((config[field][i] for field in PATTERNS if field in config), "full_attention")


def has_experts(config, n, i):
    """Whether layer i has experts, by the first field that tells."""
    for field, words in (("mlp_layer_types", ("sparse",)), ("moe_layer_freq", (1,))):
        if isinstance(config.get(field), list) and i < len(config[field]):
            return config[field][i] in words
    if isinstance(config.get("moe_layers"), list):
        return i in config["moe_layers"]
    if i in (config.get("mlp_only_layers") or []):
        return False
    step = n.get("decoder_sparse_step") or n.get("interleave_moe_layer_step") or 1
    return (i + 1) % step == 0 and i >= n.get("first_k_dense_replace", 0)


def feed_forward(config, n, where, mixed):
    """Parts of a feed-forward layer, dense or of experts with what every token visits."""
    into, hidden = 1 if "two_matrices" in config.family else 2, n["hidden"]
    if not mixed:
        inner = n.get("intermediate_size_mlp") or n.get("dense_intermediate_size") or n["inner"]
        return matrices(where, hidden, inner, into)
    own, count = n.get("moe_intermediate_size") or n["inner"], number_of_experts(n)
    latent = n.get("moe_latent_size", 0)
    return [(f"{where}.gate", hidden * count, True),
            *matrices(f"{where}.experts.0", (latent or hidden) * count, own, into),
            (f"{where}.latent_proj", 2 * hidden * latent, False),
            *matrices(f"{where}.shared_expert", hidden, shared_width(config, n, own), into)]


def matrices(where, hidden, inner, into):
    """Parts of one feed-forward network: one or two matrices into it, one out of it."""
    return [(f"{where}.up_proj", into * hidden * inner, False),
            (f"{where}.down_proj", hidden * inner, False)]


def shared_width(config, n, own):
    """The inner size of the experts that every token visits."""
    if "wide_shared_expert" in config.family:
        return n["inner"]
    names = ("moe_shared_expert_intermediate_size", "shared_expert_intermediate_size",
             "share_expert_dim", "shared_intermediate_size")
    return next((n[name] for name in names if n.get(name)), n.get("n_shared_experts", 0) * own)


def own_block(config, n, i):
    """Parts of layer i where each layer has heads and an inner size of its own."""
    block, parts = config["block_configs"][i], []
    if not block["attention"].get("no_op"):
        parts = attention(config, n, "self_attn", "full_attention", i)
    if block["ffn"].get("no_op"):
        return parts
    inner = int(2 * block["ffn"]["ffn_mult"] * n["hidden"] / 3)
    return parts + matrices("mlp", n["hidden"], -(-inner // 256) * 256, 2)


def attention(config, n, where, word, i):
    """Parts of attention with K and V heads, or with a latent."""
    if n.get("latent_dim"):
        return latent_attention(config, n, where, i)
    heads, kv, dim = n["q_heads"], n["kv_heads"], n["head_dim"]
    if n.get("local_kv_heads") and (word != "full_attention" or is_flagged(config, i)):
        kv, dim = n["local_kv_heads"], n["local_head_dim"]
    elif config.get("attention_k_eq_v") is True:
        kv = kv / 2  # one projection for both
    value = n.get("v_head_dim") or dim
    gates = 2 if config.get("attn_output_gate") is True else 1
    return [(f"{where}.q_proj", n["hidden"] * heads * dim * gates, False),
            (f"{where}.k_proj", int(n["hidden"] * kv * dim), False),
            (f"{where}.v_proj", int(n["hidden"] * kv * value), False),
            (f"{where}.o_proj", heads * value * n["hidden"], False)]


def is_flagged(config, i):
    """Whether layer i is local by a list of flags."""
    return "hybrid_layer_pattern" in config and config["hybrid_layer_pattern"][i] == 1


def latent_attention(config, n, where, i):
    """Parts of multi-head latent attention: down to the latents, which every GPU holds, and
    up to the heads; with the index of sparse attention."""
    hidden, heads, rank = n["hidden"], n["q_heads"], n["kv_lora_rank"]
    rope, nope = n.get("qk_rope_head_dim", 0), n.get("qk_nope_head_dim", 0)
    value, q_rank = n.get("v_head_dim") or nope, n.get("q_lora_rank", 0)
    index = 0
    if n.get("index_layers") and (config.get("indexer_types") or ["full"] * (i + 1))[i] == "full":
        own = n["index_n_heads"] * n["index_head_dim"]
        index = q_rank * own + hidden * (n["index_head_dim"] + n["index_n_heads"])
    return [(f"{where}.q_a_proj", hidden * q_rank, True),
            (f"{where}.q_b_proj", (q_rank or hidden) * heads * (nope + rope), False),
            (f"{where}.kv_a_proj_with_mqa", hidden * (rank + rope), True),
            (f"{where}.kv_b_proj", heads * rank * (nope + value), False),
            (f"{where}.o_proj", heads * value * hidden, False),
            (f"{where}.indexer.wq_b", index, True)]


def state(config, n, word, where):
    """Parts of a layer that keeps a state."""
    hidden = n["hidden"]
    if word == "linear_attention":
        keys = n.get("linear_num_key_heads", 0) * n.get("linear_key_head_dim", 0)
        values = n.get("linear_num_value_heads", 0) * n.get("linear_value_head_dim", 0)
        return [("linear_attn.in_proj_qkv", hidden * (2 * keys + values), False),
                ("linear_attn.in_proj_z", hidden * values, False),
                ("linear_attn.out_proj", hidden * values, False)]
    inner = n.get("mamba_num_heads", 0) * n.get("mamba_head_dim", 0)
    beside = 2 * n.get("n_groups", 1) * n.get("ssm_state_size", 0) + n.get("mamba_num_heads", 0)
    return [(f"{where}.in_proj", hidden * (2 * inner + beside), False),
            (f"{where}.out_proj", hidden * inner, False)]


def image_tower(config):
    """(parameters of the image tower, its sizes for `Model.image_tower`); (0, ()) without."""
    tower = config.get("vision_config")
    tower = tower if isinstance(tower, dict) else {}
    n = {field: value for field, value in tower.items()
         if type(value) is int and 0 <= value <= 10**6}
    layers, hidden = n.get("depth") or n.get("num_hidden_layers") or 0, n.get("hidden_size", 0)
    inner = n.get("intermediate_size") or 4 * hidden
    if not (layers and hidden):
        return 0, ()
    merged = n.get("spatial_merge_size", 1) ** 2
    largest = 16384 if merged > 1 else 8192
    return layers * hidden * (4 * hidden + 2 * inner), (hidden, inner, merged, largest)
