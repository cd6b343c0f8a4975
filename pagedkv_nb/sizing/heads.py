"""What a layer keeps by the fields of a `config.json`: K and V of heads, a latent, a state, an
index beside them."""


def head_fields(config, n_local):
    """Heads, or the latent, of layers that keep every token; of the others if they differ."""
    q_heads = config.whole("q_heads")
    if "kv_lora_rank" in config:
        latent = config.whole("qk_rope_head_dim") + config.whole("kv_lora_rank")
        return {"q_heads": q_heads, "latent_dim": latent}
    for field in ("qk_rope_head_dim", "qk_nope_head_dim"):
        config.need(field not in config, "kv_lora_rank", f"{field} asks for one")
    kv, dim = kv_heads(config, q_heads), head_dim(config, q_heads)
    config.need(q_heads % kv == 0, "num_key_value_heads", f"{kv} do not divide {q_heads} heads")
    told = {"q_heads": q_heads, "kv_heads": kv, "head_dim": dim}
    if "swa_num_key_value_heads" in config:
        return told | {"v_head_dim": config.whole("v_head_dim", dim),
                       "local_kv_heads": config.whole("swa_num_key_value_heads"),
                       "local_head_dim": config.whole("swa_head_dim", dim)}
    config.need(config.get("v_head_dim", dim) == dim, "v_head_dim", f"must be head_dim, {dim}")
    return told | full_heads(config, kv, dim, n_local)


def full_heads(config, kv, dim, n_local):
    """Heads of full layers where, as in Gemma 4, they have their own: those given are of local
    ones."""
    if not {"global_head_dim", "num_global_key_value_heads"} & {*config, *config.family}:
        return {}
    config.need("attention_k_eq_v" in config, "attention_k_eq_v", "decides their KV heads")
    shared = config.yes("attention_k_eq_v")  # equal before the norms, but both are kept
    kv_full = config.whole("num_global_key_value_heads") if shared else kv
    local = {"local_kv_heads": kv, "local_head_dim": dim} if n_local else {}
    return {"kv_heads": kv_full, "head_dim": config.whole("global_head_dim")} | local


def state_sizes(config):
    """Sizes of a layer with a state, and its bytes for a sequence; {} if they are not told."""
    inside = config.part("linear_attn_config")
    if "num_heads" in inside:  # Kimi's KDA: keys as wide as values
        heads, dim = inside.whole("num_heads"), inside.whole("head_dim")
        kernel = inside.whole("short_conv_kernel_size", 4)
        return state("linear", heads, dim, dim, 2 * heads * dim, kernel)
    if "linear_num_value_heads" in config:
        heads, dim, keys, n_keys, kernel = map(config.whole, (
            "linear_num_value_heads", "linear_value_head_dim", "linear_key_head_dim",
            "linear_num_key_heads", "linear_conv_kernel_dim"))
        return state("linear", heads, dim, keys, 2 * n_keys * keys, kernel)
    if "mamba_num_heads" in config:
        heads, dim, keys = map(config.whole, (
            "mamba_num_heads", "mamba_head_dim", "ssm_state_size"))
        return state("mamba", heads, dim, keys, 2 * config.whole("n_groups", 1) * keys,
                     config.whole("conv_kernel", 4))
    return {}


def state(kind, heads, dim, keys, beside, kernel):
    """Sizes of a state, which is kept in fp32, and the last inputs of its short convolution,
    values and so many beside them, in 16 bits."""
    inputs = heads * dim + beside
    return {"state": kind, "state_heads": heads, "state_inner": heads * dim, "state_inputs": inputs,
            "state_bytes": inputs * (kernel - 1) * 2 + heads * dim * keys * 4}


def index_fields(config, n_layers):
    """Layers that keep an index for sparse attention beside a latent or K and V, and its bytes:
    a vector of one byte a value with a scale of 4 for 128, or a key of 16 bits."""
    if "index_head_dim" in config:
        dim, types = config.whole("index_head_dim"), config.get("indexer_types")
        config.need(types is None or isinstance(types, list) and len(types) == n_layers,
                    "indexer_types", f"must have an entry for each of {n_layers} layers")
        every = config.whole("index_topk_freq", 1)
        skip = config.whole("index_skip_topk_offset", 1, 0)
        own = [types[i] == "full" if types else max(i - skip + 1, 0) % every == 0
               for i in range(n_layers)]
        return {"index_layers": sum(own), "index_bytes": dim + -(-dim // 128) * 4}
    if "sparse_attention_config" not in config:
        return {}
    sparse = config.part("sparse_attention_config")
    flags, off = sparse.get("sparse_attention_freq"), sparse.get("sparse_disable_index_value")
    for name, listed in (("sparse_attention_freq", flags), ("sparse_disable_index_value", off)):
        sparse.need(isinstance(listed, list) and len(listed) == n_layers, name,
                    f"must have an entry for each of {n_layers} layers")
    sparse.need(all(b for a, b in zip(flags, off) if a), "sparse_disable_index_value",
                "index values are not understood")
    return {"index_layers": sum(map(bool, flags)),
            "index_bytes": 2 * sparse.whole("sparse_index_dim")}


def kv_heads(config, q_heads):
    """KV heads; as many as query heads unless the config says otherwise."""
    attention = config.part("attn_config")
    if config.yes("multi_query") and not config.yes("new_decoder_architecture"):
        return config.whole("n_head_kv", 1)
    if "kv_n_heads" in attention:
        return attention.whole("kv_n_heads")
    if "block_configs" in config:
        groups = {block["attention"].get("n_heads_in_group") for block in config["block_configs"]}
        each = groups - {None}
        sound = len(each) == 1 and all(type(n) is int and 0 < n <= q_heads for n in each)
        config.need(sound, "block_configs", "n_heads_in_group must be one whole number")
        return q_heads // each.pop()
    one = attention.get("attn_type") == "multiquery_attention"
    return 1 if one else config.whole("kv_heads", q_heads)


def head_dim(config, q_heads):
    """The dimension of a head; the hidden size over the query heads unless said."""
    hidden = config.whole("hidden", 0, 0)
    config.need(hidden or "head_dim" in config, "hidden_size", "gives heads their dimension")
    width, rest = divmod(hidden, q_heads)
    found = config.whole("head_dim", width)
    config.need(found != width or not rest, "hidden_size", f"does not divide by {q_heads} heads")
    return found
