"""The weights of a model part by part (layer_parts.csv), from its config.json, and their bytes:
an estimate without norms, biases and draft layers. Fields of config_fields.csv whose meaning
begins with "part" size nothing else."""
from math import prod

from ..facts import facts
from .config import MEANINGS, layer_kinds
from .heads import state_sizes

PARTS = {kind: rows.to_dict("records") for kind, rows in facts("layer_parts").groupby("kind")}
OWN = {meaning for meaning in MEANINGS.values() if meaning.startswith("part ")}
ALONE = "hybrid_override_pattern", "layers_block_type"  # a layer mixes tokens or feeds forward
EXPERTS = "mlp_layer_types", "moe_layer_freq", *ALONE  # by a word or a flag for each layer


def weight_parts(config, shape):
    """([(part, parameters, whether each GPU holds all of it)] of all but the input embedding,
    parameters and experts as fields of a `Model`); ValueError by the field that is damaged."""
    n, words = sizes(config, shape), shape["vocab"] * shape["hidden"]
    tied = config.get("tie_word_embeddings", "tie_word_embeddings" in config.family) is True
    kinds = layer_kinds(config, n["layers"] + n["stateless_layers"])
    parts = [(f"layers.{i}.{name}", size, copied) for i, keeps in enumerate(kinds)
             for name, size, copied in layer_parts(config, n, i, keeps) if size]
    parts += [("lm_head", words, False)] * (not tied)
    told = {name: n[name] for name in ("experts_per_token", "expert_inner") if n["experts"]}
    return parts, told | {"params_billion": (words + sum(size for _, size, _ in parts)) / 1e9}


def weight_fields(config, shape, parts, scheme):
    """Bytes of the weights in a scheme, and of those that each GPU holds, for a `Model`."""
    sized = [(size * scheme.width(name), copied) for name, size, copied in parts]
    kept = shape["vocab"] * shape["hidden"] + image_tower(config)[0]  # at 16 bits
    return {"checkpoint_bytes": int(sum(size for size, _ in sized) + 2 * kept),
            "copied_bytes": int(sum(size for size, copied in sized if copied))}


def sizes(config, shape):
    """{size: number} that layers have in common, by the words of layer_parts.csv."""
    n = shape | {meaning.removeprefix("part "): config.whole(meaning, 0, 0) for meaning in OWN}
    matrices = config.family.get("matrices", 2)  # into a feed-forward layer
    inner = n["intermediate"] or (matrices == 1) * 4 * n["hidden"]
    for size, field in ((n["vocab"], "vocab_size"), (n["hidden"], "hidden_size"), (
            inner or n["expert_inner"] or "block_configs" in config, "intermediate_size")):
        config.need(size, field, "gives the weights their size")
    expert_inner = n["expert_inner"] or inner
    shared = n["shared_inner"] or n["shared_experts"] * expert_inner
    return n | (state_sizes(config) if n["state_layers"] else {}) | {
        "alone": any(field in config for field in ALONE), "matrices": matrices,
        "inner": n["dense_inner"] or inner, "expert_inner": expert_inner,
        "shared": inner if "wide_shared_expert" in config.family else shared,
        "expert_from": n["latent"] or n["hidden"], "q_from": n["q_rank"] or n["hidden"],
        "value": n["value"] or n["nope"], "index_heads": config.whole("index_n_heads", 0, 0),
        "index_dim": config.whole("index_head_dim", 0, 0)}


def layer_parts(config, n, i, keeps):
    """[(part, parameters, whether each GPU holds all of it)] of layer i."""
    mixer = [] if keeps == "nothing" else mixer_parts(config, n, i, keeps)
    if n["alone"] and mixer:
        return mixer
    if "block_configs" in config:  # which says how wide each layer is
        said = config["block_configs"][i]["ffn"]
        inner = 0 if said.get("no_op") else int(2 * said["ffn_mult"] * n["hidden"] / 3)
        return mixer + parts_of("dense", n | {"inner": -(-inner // 256) * 256})
    experts = has_experts(config, n, i)
    both = config.get("enable_moe_block") is True  # Gemma 4 has both in each layer
    return mixer + parts_of("experts", n) * experts + parts_of("dense", n) * (both or not experts)


def parts_of(kind, n):
    """[(part, parameters, whether each GPU holds all of it)] of one kind in layer_parts.csv."""
    return [(f"{'mixer' if n['alone'] else row['module']}.{row['part']}",
             prod(n[word] for word in row["weights"].split()), bool(row["copied"]))
            for row in PARTS[kind]]


def mixer_parts(config, n, i, keeps):
    """Parts of what mixes tokens; a state whose sizes are not told counts as attention."""
    if keeps == "state" and "state" in n:
        return parts_of(n["state"], n)
    if n.get("latent_dim"):
        own = (config.get("indexer_types") or ["full"] * (i + 1))[i] == "full"
        indexed = own and n.get("index_layers", 0) > 0
        return parts_of("latent", n) + parts_of("index", n) * indexed
    local = keeps == "local" and n.get("local_kv_heads")
    kv, dim = (n[f"{'local_' * bool(local)}{size}"] for size in ("kv_heads", "head_dim"))
    return parts_of("attention", n | {
        "kv_heads": kv, "head_dim": dim, "v_head_dim": n.get("v_head_dim") or dim,
        "gates": 1 + (config.get("attn_output_gate") is True),
        "own_values": bool(local) or config.get("attention_k_eq_v") is not True})


def has_experts(config, n, i):
    """Whether layer i has experts, by the first field that tells."""
    for field in EXPERTS:
        if isinstance(config.get(field), list | str) and i < len(config[field]):
            return config[field][i] in ("sparse", 1, "E", "moe")
    if isinstance(config.get("moe_layers"), list):
        return i in config["moe_layers"]
    if i in (config.get("mlp_only_layers") or []):
        return False
    return n["experts"] > 0 and (i + 1) % (n["expert_step"] or 1) == 0 and i >= n["first_expert"]


def image_tower(config):
    """(parameters of the image tower, what images take as fields of a `Model`)."""
    n = {field: value for field, value in config.part("vision_config").items()
         if type(value) is int and 0 <= value <= 10**6}
    layers, hidden = n.get("depth") or n.get("num_hidden_layers") or 0, n.get("hidden_size", 0)
    inner, merged = n.get("intermediate_size") or 4 * hidden, n.get("spatial_merge_size", 1) ** 2
    if not (layers and hidden):
        return 0, {}
    return layers * hidden * (4 * hidden + 2 * inner), {
        "image_token_bytes": 2 * merged * (6 * hidden + 2 * inner),
        "image_tokens": 16384 if merged > 1 else 8192}
