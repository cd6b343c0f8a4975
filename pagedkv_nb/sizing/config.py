"""The shape of a model from the fields of its `config.json`: config_fields.csv says what a field
means, layer_words.csv what a layer keeps, families.csv what a type of model takes if its config
is silent (1: yes; 0: no; -1: it must not be silent). What may change the KV cache and is not
understood is refused by the name of its field."""
from fnmatch import fnmatchcase

from ..facts import facts

MEANINGS = facts("config_fields").set_index("field")["meaning"].to_dict()
FAMILIES = facts("families").to_dict("records")
KEEPS = facts("layer_words").set_index(["list", "entry"])["keeps"].to_dict()
MOST = {"layers": 10**4} | dict.fromkeys(("vocab", "max_context", "window", "start"), 10**8)


class Fields(dict):
    """The fields of a config that have a value; errors name the file and the field."""
    def __init__(self, path, fields):
        """A field that is null has no value; `named` has every name."""
        super().__init__((k, v) for k, v in fields.items() if v is not None)
        self.path, self.named, self.family = path, set(fields), {}
        inner = self.get("intermediate_size")
        if isinstance(inner, list) and inner and all(type(n) is int for n in inner):
            self["intermediate_size"] = max(inner)  # one a layer; the largest sets the peak

    def need(self, condition, field, why):
        """ValueError of one line, with the value of the field, unless a condition holds."""
        if not condition:
            value = repr(self[field])[:60] if field in self else "missing"
            raise ValueError(f"model={self.path!r}: {field}: {value}: {why}")

    def whole(self, meaning, default=None, least=1):
        """The number of the first field of a meaning, or what the family takes, or a default."""
        names = [field for field in MEANINGS if MEANINGS[field] == meaning] or [meaning]
        name = next((name for name in names if name in self), names[0])
        value, most = self.get(name, self.family.get(meaning, default)), MOST.get(meaning, 10**6)
        sound = type(value) is int and least <= value <= most
        self.need(sound, name, f"must be a whole number, {least} to {most:,}")
        return value

    def yes(self, name, default=False):
        """Whether a flag is set; ValueError if it is not true or false."""
        value = self.get(name, bool(self.family.get(name, default)))
        self.need(type(value) is bool, name, "must be true or false")
        return value

    def part(self, name):
        """The fields of an object inside; none if it is missing."""
        self.need(isinstance(self.get(name, {}), dict), name, "must be an object")
        return Fields(self.path, self.get(name, {}))


def model_shape(config):
    """Fields of a `Model`; ValueError by the first field that is wrong or not understood."""
    config.family = family(config)
    layers = layer_fields(config)
    check_understood(config, layers["stateless_layers"] or "keeps_state" in config.family)
    return layers | head_fields(config, layers["local_layers"]) | {
        size: config.whole(size, 0, 0) for size in ("vocab", "hidden", "intermediate", "max_context")}


def family(config):
    """What a type of model takes where its config is silent, by the first row that matches."""
    kind, found = config.get("model_type", ""), {}
    config.need(isinstance(kind, str), "model_type", "must be a name")
    for row in FAMILIES:
        if fnmatchcase(kind, row["model_type"]):
            config.need(row["field"] != "no_cache", "model_type", row["source"])
            said = found.setdefault(row["field"], row["value"]) >= 0 or row["field"] in config.named
            config.need(said, row["field"], f"must be said: {row['source']}")
    config.need(not config.yes("is_encoder_decoder"), "is_encoder_decoder", "is not understood")
    return found


def check_understood(config, has_state):
    """ValueError at the first field that may change the cache and is not understood."""
    for field, value in config.items():
        meaning = MEANINGS.get(field) or next(
            (MEANINGS[name] for name in MEANINGS if "*" in name and fnmatchcase(field, name)), "")
        unclear = meaning == "suspicious" or meaning == "state" and not has_state
        config.need(not (value and unclear), field, "may change the cache and is not understood")


def layer_fields(config):
    """How many layers keep K and V, how many of them of a window, and how many keep none."""
    n_layers = config.whole("layers")
    kept = layer_kinds(config, n_layers)
    kept = kept[:max(n_layers - config.whole("num_kv_shared_layers", 0, 0), 0)]
    layers, local = len(kept) - kept.count("nothing"), kept.count("local")
    config.need(layers, "num_hidden_layers", "none of them keeps K and V of its own")
    return {"layers": layers, "local_layers": local, "stateless_layers": n_layers - layers,
            "window": config.whole("window") if local else 0}


def layer_kinds(config, n_layers):
    """What each layer keeps, from the first field that tells."""
    for field, meaning in MEANINGS.items():
        if field in config and meaning.startswith("layer "):
            return from_list(config, field, config[field], n_layers)
        if field in config and meaning == "attention":
            return ["full" if attends(config, field, i) else "nothing" for i in range(n_layers)]
    if "attention_chunk_size" not in config:
        return windowed(config, n_layers)
    if config.get("no_rope_layers"):
        return from_list(config, "no_rope_layers", config["no_rope_layers"], n_layers)
    return from_pattern(config, config.whole("no_rope_layer_interval", 4), n_layers)


def from_list(config, field, entries, n_layers):
    """What the layers keep by a list or text with an entry for each, or by one that repeats."""
    words = MEANINGS[field]
    if words in ("layer cycle", "pattern") and entries and isinstance(entries, list | str):
        entries = [entries[i % len(entries)] for i in range(n_layers)]
    complete = isinstance(entries, list | str) and len(entries) == n_layers
    config.need(complete, field, f"must have an entry for each of {n_layers} layers")
    for entry in map(str, entries):
        config.need((words, entry) in KEEPS, field, f"the entry {entry[:40]!r} is not understood")
    return [KEEPS[words, str(entry)] for entry in entries]


def attends(config, field, i):
    """Whether layer i has attention, by a period or by a list of such layers."""
    if field == "full_attention_interval":
        return (i + 1) % config.whole(field) == 0
    if field == "attn_layer_period":
        return i % config.whole(field) == config.whole("attn_layer_offset", least=0)
    inside = field == "linear_attn_config"  # of Kimi Linear, which counts from 1
    numbers = config.part(field).get("full_attn_layers") if inside else config[field]
    sound = isinstance(numbers, list) and all(type(n) is int for n in numbers)
    config.need(sound, field, "must list the numbers of layers")
    return (i + 1 if inside else i) in numbers


def windowed(config, n_layers):
    """What the layers keep if only a window is told: it holds in none, all or some of them."""
    pattern = config.get("sliding_window_pattern", config.get(
        "_sliding_window_pattern", config.family.get("sliding_window_pattern")))
    if not config.yes("use_sliding_window", True) or not (pattern or "sliding_window" in config):
        return ["full"] * n_layers
    config.whole("window")
    if "max_window_layers" in config and "use_sliding_window" in config:
        return ["local" if i >= config.whole("start", least=0) else "full" for i in range(n_layers)]
    if "all_local" in config.family and not pattern:
        return ["local"] * n_layers
    return from_pattern(config, pattern, n_layers)


def from_pattern(config, pattern, n_layers):
    """What the layers keep by letters that repeat, or where every nth is not local."""
    if isinstance(pattern, str):
        return from_list(config, "sliding_window_pattern", pattern, n_layers)
    field = "sliding_window" if pattern is None else "sliding_window_pattern"
    config.need(type(pattern) is int and pattern > 0, field, "which layers have it is unclear")
    return ["local" if (i + 1) % pattern else "full" for i in range(n_layers)]


def head_fields(config, n_local):
    """Heads, or the latent, of layers that keep every token; of the others if they differ."""
    q_heads = config.whole("q_heads")
    if "kv_lora_rank" in config:
        latent = config.whole("qk_rope_head_dim") + config.whole("kv_lora_rank")
        return {"q_heads": q_heads, "latent_dim": latent}
    for field in ("qk_rope_head_dim", "qk_nope_head_dim"):
        config.need(field not in config, "kv_lora_rank", f"{field} asks for one")
    kv = kv_heads(config, q_heads)
    config.need(q_heads % kv == 0, "num_key_value_heads", f"{kv} do not divide {q_heads} heads")
    dim = head_dim(config, q_heads)
    config.need(config.get("v_head_dim", dim) == dim, "v_head_dim", f"must be head_dim, {dim}")
    return {"q_heads": q_heads, **by_layer(config, kv, dim, n_local)}


def kv_heads(config, q_heads):
    """KV heads; as many as query heads unless the config says otherwise."""
    attention = config.part("attn_config")
    if config.yes("multi_query") and not config.yes("new_decoder_architecture"):
        return config.whole("n_head_kv", 1)
    if "kv_n_heads" in attention:
        return attention.whole("kv_n_heads")
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


def by_layer(config, kv, dim, n_local):
    """KV heads; those given are of local layers if, as in Gemma 4, full ones have their own."""
    if not {"global_head_dim", "num_global_key_value_heads"} & {*config, *config.family}:
        return {"kv_heads": kv, "head_dim": dim}
    full = {"kv_heads": kv, "head_dim": config.whole("global_head_dim")}
    config.need("attention_k_eq_v" in config, "attention_k_eq_v", "decides their KV heads")
    if config.yes("attention_k_eq_v"):  # equal before the norms, but both are kept
        full["kv_heads"] = config.whole("num_global_key_value_heads")
    return full | ({"local_kv_heads": kv, "local_head_dim": dim} if n_local else {})
