"""Which layers of a config.json keep K and V: of all tokens, of a window, or of none; and
the shape of what a layer keeps."""
FULL, LOCAL, NONE = "full", "local", "none"
WORDS = {
    **dict.fromkeys(("full_attention", "attention", "full", "global", "global_attention"), FULL),
    **dict.fromkeys(("sliding_attention", "chunked_attention", "local", "local_attention",
                     "sliding_window_attention"), LOCAL),
    **dict.fromkeys(("linear_attention", "mamba", "mamba2", "conv", "recurrent", "moe", "mlp",
                     "kda", "gated_deltanet"), NONE)}
GIVEN = {"layer_types": WORDS, "layers_block_type": WORDS, "attention_layers": WORDS,
         "hybrid_override_pattern": {"*": FULL, "M": NONE, "-": NONE, "E": NONE},
         "attn_type_list": {1: FULL, 0: NONE}}  # one entry a layer
EVERY = {"gemma2": 2, "gpt_oss": 2, "cohere2": 4, "exaone4": 4, "olmo3": 4, "gemma3n_text": 5,
         "gemma3_text": 6, "gemma4_text": 6}  # transformers: every nth layer is not local
ALL_LOCAL = {"mistral", "mixtral", "phi3", "phimoe", "starcoder2"}  # or none of them


def layer_counts(config):
    """`layers` that keep K and V, `local_layers` of them with their `window`, and
    `stateless_layers`."""
    n_layers = config.whole("num_hidden_layers", "n_layer", "n_layers", "num_layers")
    if n_layers > 10_000:
        config.refuse("num_hidden_layers", "must be at most 10,000")
    kinds = layer_kinds(config, n_layers)
    shared = config.whole("num_kv_shared_layers", default=0, least=0)
    kept = kinds[:max(n_layers - shared, 0)]
    layers, local = len(kept) - kept.count(NONE), kept.count(LOCAL)
    if not layers:
        config.refuse("num_hidden_layers", "none of them keeps K and V of its own")
    return {"layers": layers, "local_layers": local, "stateless_layers": n_layers - layers,
            "window": window(config) if local else 0}


def layer_kinds(config, n_layers):
    """What each layer keeps, from the first field that tells."""
    given = next((field for field in GIVEN if field in config), None)
    if given:
        return translated(config, given, n_layers)
    for field, rule in RULES.items():
        if field in config:
            return [rule(config, i, FULL) for i in range(n_layers)]
    if "attention_types" in config:
        config.refuse("attention_types", "is not understood without attention_layers")
    if "attention_chunk_size" in config:
        return chunked(config, n_layers)
    return windowed(config, n_layers)


def translated(config, field, n_layers):
    """The kinds of a list or string with one entry a layer."""
    entries, meaning = config[field], GIVEN[field]
    if not isinstance(entries, list | str) or len(entries) != n_layers:
        config.refuse(field, f"must have an entry for each of {n_layers} layers")
    for entry in entries:
        if type(entry) not in (str, int) or entry not in meaning:
            config.refuse(field, f"the entry {str(entry)[:40]!r} is not understood")
    return [meaning[entry] for entry in entries]


def in_list(field, first=0, inside=None):
    """A rule: the layers whose numbers a field lists, counted from `first`, are full."""
    def rule(config, i, kind):
        """What layer i keeps."""
        listed = config[field] if inside is None else dict_of(config, field).get(inside)
        numbers = isinstance(listed, list) and all(type(n) is int for n in listed)
        if not numbers:
            config.refuse(field, "must list the numbers of layers")
        return kind if i + first in listed else NONE
    return rule


def dict_of(config, field):
    """A field that must be an object."""
    if not isinstance(config[field], dict):
        config.refuse(field, "must be an object")
    return config[field]


def periodic(config, i, kind):
    """Every nth layer is full: the last of n, or the one at an offset."""
    if "full_attention_interval" in config:
        return kind if (i + 1) % config.whole("full_attention_interval") == 0 else NONE
    period = config.whole("attn_layer_period")
    return kind if i % period == config.whole("attn_layer_offset", least=0) else NONE


def cycled(config, i, kind):
    """RecurrentGemma: a short list that repeats; its attention has a window."""
    field = "block_types" if "block_types" in config else "_block_types"
    cycle = config[field]
    if not isinstance(cycle, list) or not cycle:
        config.refuse(field, "must be a list of kinds of layers")
    if cycle[i % len(cycle)] not in ("attention", "recurrent"):
        config.refuse(field, "has a kind of layer that is not understood")
    return LOCAL if cycle[i % len(cycle)] == "attention" else NONE


RULES = {"full_attn_idxs": in_list("full_attn_idxs"),
         "attn_layer_indices": in_list("attn_layer_indices"),
         "linear_attn_config": in_list("linear_attn_config", 1, "full_attn_layers"),
         "full_attention_interval": periodic, "attn_layer_period": periodic,
         "block_types": cycled, "_block_types": cycled}


def chunked(config, n_layers):
    """Llama 4: layers with rope attend within chunks, every fourth to everything."""
    rope = config.get("no_rope_layers") or [
        int((i + 1) % config.whole("no_rope_layer_interval", default=4) != 0)
        for i in range(n_layers)]
    if not isinstance(rope, list) or len(rope) != n_layers or set(map(str, rope)) - {"0", "1"}:
        config.refuse("no_rope_layers", f"must be 0 or 1 for each of {n_layers} layers")
    return [LOCAL if r else FULL for r in rope]


def windowed(config, n_layers):
    """The kinds where only a window is told, and the type of model says where it holds."""
    kind = config.get("model_type", "")
    off = not config.yes("use_sliding_window", not kind.startswith("qwen"))
    every = first_of(config, ("sliding_window_pattern", "_sliding_window_pattern"), EVERY, kind)
    if off or ("sliding_window" not in config and not every and not (
            kind == "mistral" and "sliding_window" not in config.named)):
        return [FULL] * n_layers
    window(config)
    if "max_window_layers" in config and "use_sliding_window" in config:
        start = config.whole("max_window_layers", least=0)
        return [FULL] * min(start, n_layers) + [LOCAL] * max(n_layers - start, 0)
    if kind in ALL_LOCAL and not every:
        return [LOCAL] * n_layers
    return in_pattern(config, every, n_layers)


def in_pattern(config, every, n_layers):
    """The kinds of a pattern: letters L and G that repeat, or every nth layer is full."""
    if isinstance(every, str) and every and set(every) <= {"L", "G"}:
        return [LOCAL if every[i % len(every)] == "L" else FULL for i in range(n_layers)]
    if type(every) is not int or every < 1:
        config.refuse("sliding_window" if every is None else "sliding_window_pattern",
                      "which layers have a window is not understood")
    return [LOCAL if (i + 1) % every else FULL for i in range(n_layers)]


def first_of(config, fields, table, kind):
    """The first of these fields that has a value, else that of the table."""
    return next((config[field] for field in fields if field in config), table.get(kind))


def window(config):
    """Tokens a local layer keeps."""
    return config.whole("sliding_window", "attention_chunk_size", "window_size",
                        "attention_window_size")
