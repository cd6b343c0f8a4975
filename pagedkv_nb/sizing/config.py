"""The shape of a model from the fields of its `config.json`: config_fields.csv says what a field
means, layer_words.csv what a layer keeps, families.csv what a type of model takes if its config
is silent (1: yes; 0: no; -1: it must not be silent). What may change the KV cache and is not
understood is refused by the name of its field."""
from fnmatch import fnmatchcase

from ..facts import facts
from ..parameter import shown
from .heads import head_fields, index_fields, state_sizes

MEANINGS = facts("config_fields").set_index("field")["meaning"].to_dict()
FAMILIES = facts("families").to_dict("records")
KEEPS = facts("layer_words").set_index(["list", "entry"])["keeps"].to_dict()
MOST = {"layers": 10**4} | dict.fromkeys(("vocab", "max_context", "window", "start"), 10**8)


class Fields(dict):
    """The fields of a config that have a value; errors name the file and the field."""
    def __init__(self, path, fields):
        """A null field has no value, `_field` counts as `field`; `named` has every name."""
        super().__init__((k.lstrip("_"), v) for k, v in fields.items() if v is not None)
        self.path, self.named, self.family = path, set(fields), {}
        for name in MEANINGS:  # "a.b" is the field b of the object a
            outer, _, inner = name.partition(".")
            if inner and inner in self.part(outer):
                self[name] = self[outer][inner]
        inner = self.get("intermediate_size")
        if isinstance(inner, list) and inner and all(type(n) is int for n in inner):
            self["intermediate_size"] = max(inner)  # one a layer; the largest sets the peak

    def need(self, condition, field, why):
        """ValueError of one line, with the value of the field, unless a condition holds."""
        if not condition:
            value = repr(self[field])[:60] if field in self else "missing"
            raise ValueError(f"{shown('model', self.path)}: {field}: {value}: {why}")

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
        value = self.get(name, bool(self.family[name]) if name in self.family else default)
        self.need(type(value) is bool, name, "must be true or false")
        return value

    def part(self, name):
        """The fields of an object inside that have a value; none if it is missing."""
        self.need(isinstance(self.get(name, {}), dict), name, "must be an object")
        return {k: v for k, v in self.get(name, {}).items() if v is not None}

    def listed(self, name, n_layers):
        """A list, or text, with an entry for each of so many layers."""
        found = self.get(name)
        sound = isinstance(found, list | str) and len(found) == n_layers
        self.need(sound, name, f"must have an entry for each of {n_layers} layers")
        return found


def model_shape(config):
    """Fields of a `Model`; ValueError by the first field that is wrong or not understood."""
    config.family = family(config)
    if "block_configs" in config:
        read_blocks(config)
    layers = layer_fields(config)
    check_understood(config, layers["stateless_layers"] or "keeps_state" in config.family)
    sizes = {size: config.whole(size, 0, 0)
             for size in ("vocab", "hidden", "intermediate", "max_context")}
    state = state_sizes(config) if layers["state_layers"] else {}
    return layers | head_fields(config) | sizes | index_fields(config, layers["layers"]) | {
        name: state[name] for name in ("state", "state_bytes") if state}


def family(config):
    """What a type of model takes where its config is silent, by the first row that matches."""
    kind, found = config.get("model_type", ""), {}
    config.need(isinstance(kind, str), "model_type", "must be a name")
    for row in FAMILIES:
        if fnmatchcase(kind, row["model_type"]):
            config.need(row["field"] != "no_cache", "model_type", row["source"])
            said = found.setdefault(row["field"], row["value"]) >= 0 or row["field"] in config.named
            config.need(said, row["field"], f"must be said: {row['source']}")
    return found


def read_blocks(config):
    """From a dict for each layer (Nemotron-NAS), whether it has attention, and KV heads."""
    blocks = config.listed("block_configs", config.whole("layers"))
    sound = all(isinstance(block, dict) and isinstance(block.get(part), dict)
                for block in blocks for part in ("attention", "ffn"))
    config.need(sound, "block_configs", "must have attention and ffn for each layer")
    q_heads, kept = config.whole("q_heads"), [block["attention"] for block in blocks]
    unclear = {name for said in kept for name in said if said[name]} - {"no_op", "n_heads_in_group"}
    config.need(not unclear, "block_configs", f"{', '.join(sorted(unclear))} is not understood")
    sizes = [said["n_heads_in_group"] for said in kept if said.get("n_heads_in_group")]
    sound = sizes and all(type(n) is int and n == sizes[0] and 0 < n <= q_heads for n in sizes)
    config.need(sound, "block_configs", "n_heads_in_group must be one whole number")
    config["layer_types"] = ["mlp" if said.get("no_op") else "full_attention" for said in kept]
    config["num_key_value_heads"] = q_heads // sizes[0]


def check_understood(config, has_state):
    """ValueError at the first field that may change the cache and is not understood."""
    for field, value in config.items():
        meaning = next((MEANINGS[name] for name in MEANINGS if fnmatchcase(field, name)), "")
        beside = meaning.removeprefix("with ")  # the field without which it means nothing
        unclear = (meaning == "suspicious" or meaning == "state" and not has_state
                   or beside != meaning and beside not in config)
        config.need(not (value and unclear), field, "may change the cache and is not understood")


def layer_fields(config):
    """How many layers keep K and V, how many of them of a window, and how many keep none."""
    names = config.get("layers_block_type", ())  # of Nemotron-3, which tells no number
    n_layers = config.whole("layers", len(names) if isinstance(names, list) else 0)
    kept = layer_kinds(config, n_layers)
    kept = kept[:max(n_layers - config.whole("num_kv_shared_layers", 0, 0), 0)]
    local, states = kept.count("local"), kept.count("state")
    layers = len(kept) - kept.count("nothing") - states
    config.need(layers, "num_hidden_layers", "none of them keeps K and V of its own")
    return {"layers": layers, "local_layers": local, "stateless_layers": n_layers - layers,
            "state_layers": states, "window": config.whole("window") if local else 0,
            "chunked": "attention_chunk_size" in config and "sliding_window" not in config}


def layer_kinds(config, n_layers):
    """What each layer keeps (full, local, state, nothing), from the first field that tells."""
    for field, meaning in MEANINGS.items():
        if field in config and meaning.startswith("layer "):
            return from_words(config, field, n_layers)
        if field in config and meaning == "attention":
            full = attention_layers(config, field, n_layers)
            return ["full" if i in full else "state" for i in range(n_layers)]
    return windowed(config, n_layers)


def from_words(config, field, n_layers):
    """What the layers keep by the entries of a list or text, some of which repeat."""
    words, entries = MEANINGS[field], config[field]
    if words in ("layer cycle", "pattern") and entries and isinstance(entries, list | str):
        config[field] = [entries[i % len(entries)] for i in range(n_layers)]
    entries = [str(entry) for entry in config.listed(field, n_layers)]
    for entry in entries:
        config.need((words, entry) in KEEPS, field, f"the entry {entry[:40]!r} is not understood")
    return [KEEPS[words, entry] for entry in entries]


def attention_layers(config, field, n_layers):
    """Numbers of the layers with attention beside others that keep a state."""
    if field in ("full_attention_interval", "attn_layer_period"):
        last = config.whole(field) - 1 if field == "full_attention_interval" else None
        return range(config.whole("attn_layer_offset", last, 0), n_layers, config.whole(field))
    first = 1 if "." in field else 0  # Kimi Linear counts from 1
    sound = isinstance(config[field], list) and all(type(n) is int for n in config[field])
    config.need(sound, field, "must list the numbers of layers")
    return [n - first for n in config[field]]


def windowed(config, n_layers):
    """What the layers keep if only a window is told: it holds in none, all or some of them."""
    pattern = config.get("sliding_window_pattern", config.family.get("sliding_window_pattern"))
    if "attention_chunk_size" in config:  # Llama 4
        if config.get("no_rope_layers"):
            return from_words(config, "no_rope_layers", n_layers)
        pattern = config.whole("no_rope_layer_interval", 4)
    elif not config.yes("use_sliding_window", True) or not (pattern or "sliding_window" in config):
        return ["full"] * n_layers
    if isinstance(pattern, str):
        return from_words(config, "sliding_window_pattern", n_layers)
    if not pattern and {"start", "use_sliding_window"} & {*config.family, *config}:
        full = range(config.whole("start", least=0))
    else:
        every = config.whole("sliding_window_pattern", pattern)
        full = range(every - 1, n_layers, every)
    return ["full" if i in full else "local" for i in range(n_layers)]
