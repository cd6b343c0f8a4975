"""What a layer keeps by a `config.json`: K and V of heads, a latent, a state, an index."""
from ..facts import facts
from ..paging import pages_for

STATES = facts("state_fields").to_dict("records")


def head_fields(config):
    """Heads, or the latent, of layers that keep every token; of local ones if they differ."""
    q_heads = config.whole("q_heads")
    if "kv_lora_rank" in config:
        latent = config.whole("qk_rope_head_dim") + config.whole("kv_lora_rank")
        return {"q_heads": q_heads, "latent_dim": latent}
    for field in ("qk_rope_head_dim", "qk_nope_head_dim"):
        config.need(field not in config, "kv_lora_rank", f"{field} asks for one")
    kv, dim = kv_heads(config, q_heads), head_dim(config, q_heads)
    config.need(q_heads % kv == 0, "num_key_value_heads", f"{kv} do not divide {q_heads} heads")
    return {"q_heads": q_heads, "kv_heads": kv, "head_dim": dim} | two_shapes(config, kv, dim)


def two_shapes(config, kv, dim):
    """Heads of full and of local layers where they differ, the dimension of V where it does."""
    if "swa_num_key_value_heads" in config:  # MiMo-V2 tells those of local layers apart
        return {"v_head_dim": config.whole("v_head_dim", dim),
                "local_kv_heads": config.whole("swa_num_key_value_heads"),
                "local_head_dim": config.whole("swa_head_dim", dim)}
    config.need(config.get("v_head_dim", dim) == dim, "v_head_dim", f"must be head_dim, {dim}")
    if not {"global_head_dim", "num_global_key_value_heads"} & {*config, *config.family}:
        return {}
    shared = config.yes("attention_k_eq_v", None)  # equal before the norms, but both are kept
    return {"kv_heads": config.whole("num_global_key_value_heads") if shared else kv,
            "head_dim": config.whole("global_head_dim"),  # Gemma 4 those of full ones
            "local_kv_heads": kv, "local_head_dim": dim}


def state_sizes(config):
    """Sizes of a layer with a state (in fp32, the inputs of its convolution in 16 bits), and its
    bytes for a sequence; {} if they are not told."""
    told = next((row for row in STATES if row["heads"] in config), None)
    if not told:
        return {}
    heads, dim, keys = (config.whole(told[size]) for size in ("heads", "dim", "keys"))
    groups = config.whole(told["groups"], 1 if told["state"] == "mamba" else None)
    inner, inputs = heads * dim, heads * dim + 2 * groups * keys
    return {"state": told["state"], "state_heads": heads, "state_inner": inner,
            "state_inputs": inputs,
            "state_bytes": inputs * (config.whole(told["inputs"], 4) - 1) * 2 + inner * keys * 4}


def index_fields(config, n_layers):
    """Layers that keep an index for sparse attention beside a latent or K and V, and its bytes:
    a vector of one byte a value with a scale of 4 for 128, or a key of 16 bits."""
    if "index_head_dim" in config:
        dim, skip = config.whole("index_head_dim"), config.whole("index_skip_topk_offset", 1, 0)
        every = config.whole("index_topk_freq", 1)
        own = [max(i - skip + 1, 0) % every == 0 for i in range(n_layers)]
        if "indexer_types" in config:
            own = [kind == "full" for kind in config.listed("indexer_types", n_layers)]
        return {"index_layers": sum(own), "index_bytes": dim + pages_for(dim, 128) * 4}
    if "sparse_attention_config" not in config:
        return {}
    inside = "sparse_attention_config."
    own = config.listed(inside + "sparse_attention_freq", n_layers)
    no_values = config.listed(inside + "sparse_disable_index_value", n_layers)
    config.need(all(no for keeps, no in zip(own, no_values) if keeps),
                inside + "sparse_disable_index_value", "index values are not understood")
    return {"index_layers": sum(map(bool, own)),
            "index_bytes": 2 * config.whole(inside + "sparse_index_dim")}


def kv_heads(config, q_heads):
    """KV heads; as many as query heads unless the config says otherwise."""
    if config.yes("multi_query") and not config.yes("new_decoder_architecture"):
        return config.whole("n_head_kv", 1)
    one = config.get("attn_config.attn_type") == "multiquery_attention"
    return config.whole("kv_heads", 1 if one else q_heads)


def head_dim(config, q_heads):
    """The dimension of a head; the hidden size over the query heads unless said."""
    width, rest = divmod(config.whole("hidden", 0, 0), q_heads)
    found = config.whole("head_dim", width)
    config.need(found != width or not rest, "hidden_size", f"does not divide by {q_heads} heads")
    return found
