"""What a layer of a config.json keeps for a token: KV heads of some dimension, or a latent."""
HEAD_DIMS = {"qwen3": 128, "qwen3_vl_text": 128, "gemma": 256, "gemma2": 256, "glm4": 128,
             "gemma3_text": 256, "gemma3n_text": 256, "gemma4_text": 256, "gpt_oss": 64,
             "nemotron_h": 128, "qwen3_next": 256, "qwen3_5_text": 256,
             "llama4_text": 128}  # what transformers takes if the config does not say
HEADS = {"gemma3_text": (8, 4)}  # likewise: query and KV heads
FALCON = ("falcon", "RefinedWeb", "RefinedWebModel")
QUERY_HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads")
HIDDEN = ("hidden_size", "n_embd", "d_model")


def heads(config, counts):
    """`q_heads`, `kv_heads`, `head_dim` and `latent_dim` of the layers that keep every
    token, `local_kv_heads` and `local_head_dim` of the others if they differ."""
    kind = config.get("model_type", "")
    q_heads = config.whole(*QUERY_HEADS, default=HEADS.get(kind, (None,))[0])
    shape = {"q_heads": q_heads, "kv_heads": 0, "head_dim": 0}
    if "kv_lora_rank" in config:
        rope = config.whole("qk_rope_head_dim")
        return {**shape, "latent_dim": config.whole("kv_lora_rank") + rope}
    for field in ("qk_rope_head_dim", "qk_nope_head_dim"):
        if field in config:
            config.refuse("kv_lora_rank", f"{field} asks for one")
    found = kv_heads(config, q_heads)
    if q_heads % found:
        config.refuse("num_key_value_heads", f"{found} do not divide {q_heads} query heads")
    shape |= {"kv_heads": found, "head_dim": head_dim(config, q_heads)}
    if config.get("v_head_dim", shape["head_dim"]) != shape["head_dim"]:
        config.refuse("v_head_dim", "other than head_dim is not understood")
    return shape | of_full_layers(config, shape, counts["local_layers"])


def kv_heads(config, q_heads):
    """KV heads; as many as query heads unless the config says otherwise."""
    kind, attention = config.get("model_type", ""), config.get("attn_config", {})
    if not isinstance(attention, dict):
        config.refuse("attn_config", "must be an object")
    one = config.yes("multi_query", kind in (*FALCON, "gpt_bigcode"))
    if kind in FALCON and one and not config.yes("new_decoder_architecture"):
        found = config.whole("n_head_kv", default=1)
    elif attention.get("kv_n_heads") is not None:
        found = type(config)(config.path, attention).whole("kv_n_heads")
    elif attention.get("attn_type") == "multiquery_attention" or (
            one and kind not in FALCON):
        found = 1
    else:
        default = HEADS.get(kind, (None, q_heads))[1]
        found = config.whole("num_key_value_heads", "num_kv_heads", "n_head_kv",
                             "multi_query_group_num", default=default)
    return found


def head_dim(config, q_heads):
    """The dimension of a head; the hidden size over the query heads unless said."""
    hidden, kind = config.whole(*HIDDEN, default=0, least=0), config.get("model_type", "")
    default = HEAD_DIMS.get(kind, hidden // q_heads)
    if kind.startswith("qwen3") and kind not in HEAD_DIMS and "head_dim" not in config:
        config.refuse("head_dim", "must be said: it is not hidden size / heads here")
    if not hidden and "head_dim" not in config:
        config.refuse("hidden_size", "without it or head_dim heads have no dimension")
    found = config.whole("head_dim", "attention_head_dim", "kv_channels", default=default)
    if found == hidden // q_heads and hidden % q_heads:
        config.refuse("hidden_size", f"does not divide by {q_heads} heads; say head_dim")
    return found


def of_full_layers(config, shape, n_local):
    """What Gemma 4 changes: its full layers have heads of their own, the given ones are
    those of the local layers. K is V before the norms, and both are kept."""
    own = [f for f in ("global_head_dim", "num_global_key_value_heads") if f in config]
    if not own and config.get("model_type") != "gemma4_text":
        return {}
    full = {"head_dim": config.whole("global_head_dim"), "kv_heads": shape["kv_heads"]}
    if "attention_k_eq_v" not in config:
        config.refuse("attention_k_eq_v", "decides which KV heads full layers have")
    if config.yes("attention_k_eq_v"):
        full["kv_heads"] = config.whole("num_global_key_value_heads")
    if not n_local:
        return full
    return full | {"local_kv_heads": shape["kv_heads"], "local_head_dim": shape["head_dim"]}
