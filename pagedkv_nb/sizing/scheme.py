"""Bytes a weight by the scheme it is stored in (schemes.csv): from a name, or from what a
checkpoint says of its own quantisation. What is not known is an error, never 16 bits."""
import re
from fnmatch import translate
from itertools import product

from ..facts import stored_rows

SCHEMES = stored_rows("schemes")
WORDS = {name: set(row["words"].split()) for name, row in SCHEMES.items()}
# What a name may say besides a model and its scheme, and dates such as 2507; what beside a scheme.
FILLERS = re.compile(r"-(?:instruct|chat|it|base|hf|thinking|\d{4})(?=-|$)")
BESIDE = {"quantized", "dynamic", "static", "bit"}
UNLESS_TARGETS = "lm_head", "embed_tokens", "gate", "router"  # of 16 bits
KEPT = ("modules_to_not_convert", "ignored_layers", "ignore", "exclude_modules",
        "llm_int8_skip_modules")  # where a config names the parts of 16 bits
# Where it names the scheme: by an algorithm, a method, or what is said of one group of parts.
TELLING = "quant_algo", "quant_method", "type", "num_bits", "group_size"
SAME = stored_rows("part_names")  # one name for each part, whatever its family calls it
PREFIX = re.compile(r"^(?:(?:language_model|model|backbone)\.)+")


def bytes_of(scheme, bits=None, group=None, zero=False):
    """Bytes a weight of a scheme: its bits, its share of a group's scale and perhaps its zero."""
    row = SCHEMES[scheme]
    bits, group = bits or row["bits"], row["group"] and (group or row["group"])
    return bits / 8 + ((row["group_bytes"] + zero * bits / 8) / group if group > 0 else 0)


def said_scheme(name):
    """The first scheme that a name speaks of; "" if none."""
    said = {*re.split(r"[-./ ]", name.lower()), *re.split(r"[-./ _]", name.lower())}
    return next((scheme for scheme, words in WORDS.items() if words & said), "")


def named_scheme(name, known):
    """(known model, scheme or "") of a name such as "Qwen/Qwen3-14B-AWQ"; or (the name, "")."""
    whole, understood = name.rsplit("/", 1)[-1].lower(), BESIDE.union(*WORDS.values())
    for short, model in product((whole, FILLERS.sub("", whole)), sorted(known, key=len)[::-1]):
        if (short + "-").startswith(model.lower() + "-"):
            rest = [word for word in re.split(r"[-. ]", short[len(model) + 1:]) if word]
            scheme = said_scheme(".".join(rest))
            if not rest or scheme and understood.issuperset(rest):
                return model, scheme
    return name, ""


def scheme_bytes(row, scheme):
    """What a row of models.csv weighs in a scheme, as fields of a `Model`: embeddings stay at
    16 bits; a model that is published quantised has its bytes in the table."""
    published = row["weights_gib"]
    if published > 0 and scheme in ("", row["published_scheme"]):
        return {"checkpoint_bytes": int(published * 2**30)}
    if not scheme:
        return {"checkpoint_bytes": int(row["params_billion"] * 2e9)}
    width, embeddings = bytes_of(scheme), row["vocab"] * row["hidden"] * (1 if row["tied"] else 2)
    if published > 0 or not (width > 0 and embeddings > 0):
        return {"unknown_weights": f"the bytes of its weights as {scheme} are not known"}
    kept = 0 if SCHEMES[scheme]["embeddings_too"] else embeddings
    return {"checkpoint_bytes": int(2 * kept + width * (row["params_billion"] * 1e9 - kept)),
            "weights_off": 0.03 if width >= 1 else 0.1}


class Scheme:
    """How the weights of a checkpoint are stored, part by part. A list names parts by some of
    their names or a parent's, with wildcards, or as "re:..."."""

    def __init__(self, default=2.0, kept=(), own=()):
        """Bytes a weight; parts that keep 16 bits; {part: bytes} of those named one by one."""
        named = dict.fromkeys([*kept, *UNLESS_TARGETS], 2.0) | dict(own)
        wild = {p: p[3:] if p.startswith("re:") else translate(common_name(p))[:-2] + r"(\..*)?\Z"
                for p in named if "*" in p or p.startswith("re:")}
        self.wild = [(re.compile(wild[p]), named[p]) for p in wild]
        self.default, self.named = default, {common_name(p): named[p] for p in named}

    def width(self, part):
        """Bytes a weight of a part such as "layers.3.mlp.up_proj", the fewest that are said."""
        words = part.split(".")
        runs = {".".join(words[i:j]) for j in range(len(words) + 1) for i in range(j)}
        said = [self.named[run] for run in runs & self.named.keys()]
        said += [size for p, size in self.wild if p.match(part) or p.match("model." + part)]
        return min(said, default=self.default)


def common_name(part):
    """The name of a part without what stands before its layers, in one family's words."""
    words = PREFIX.sub("", part)
    return re.sub(r"\b(" + "|".join(SAME) + r")\b", lambda word: SAME[word[0]]["ours"], words)


def scheme_of(config, q):
    """The `Scheme` that a checkpoint says; ValueError names what is not understood."""
    others = q.get("extra_config") or {}  # of AutoRound, at 16 bits unless it says fewer
    kept = [str(part) for field in KEPT for part in q.get(field) or ()] + [*others]
    grouped = q.get("quant_method", "modelopt") in ("compressed-tensors", "modelopt")
    told = q.get("quantized_layers") or {
        part: group.get("weights") or {}
        for group in (q.get("config_groups") or {} if grouped else {}).values()
        for part in group.get("targets") or ["Linear"]}
    if q and not told:
        told = {"Linear": q} | {part: q | said for part, said in others.items()
                                if (said.get("bits") or 16) < 16}
    own = {part: bytes_said(said) for part, said in told.items()}
    if q.get("quant_method") == "mxfp4":  # experts only, padded to a multiple of 256
        inner = config.get("intermediate_size") or 256
        own = {"*.experts.*": own["Linear"] * -(-inner // 256) * 256 / inner}
    return Scheme(own.pop("Linear", 2.0), kept, own)


def bytes_said(said):
    """Bytes a weight by what a checkpoint says of some parts; ValueError if it is not known."""
    algo, method, kind, bits, group = told = [said.get(field) for field in TELLING]
    words = str(algo or method or f"{kind}{bits} {kind}{bits}x{group}").replace("_AWQ", "")
    words = "int8" if said.get("load_in_8bit") else words.replace("auto-round", "auto_round")
    scheme = said_scheme(words)
    if not scheme or not bytes_of(scheme):
        fields = ", ".join(f"{field}={value!r}" for field, value in zip(TELLING, told))
        raise ValueError(f"quantization_config: {fields}: bytes of its weights are not known")
    if scheme == "bnb" and not said.get("bnb_4bit_use_double_quant"):
        return bytes_of("bnb-fp32")
    return bytes_of(scheme) if algo or scheme not in ("awq", "gptq") else packed(said, scheme)


def packed(said, scheme):
    """Bytes a weight with so many bits, a scale and perhaps a zero a group."""
    bits = said.get("num_bits", said.get("bits"))
    if type(bits) is not int or not 1 < bits <= 8:
        raise ValueError(f"quantization_config.bits={bits!r}: must be a whole number, 2 to 8")
    zero = scheme == "gptq" and not said.get("sym", said.get("symmetric", True))
    return bytes_of(scheme, bits, said.get("group_size") or -("type" in said), zero)


def cache_dtype(quantisation):
    """What a checkpoint asks its K and V to be stored in; ValueError if it is not fp8."""
    asked = quantisation.get("kv_cache_scheme") or quantisation.get("kv_cache_quant_algo")
    fp8 = asked == "FP8" or isinstance(asked, dict) and asked.get("num_bits") == 8
    if asked is not None and not fp8:
        raise ValueError(f"kv_cache_scheme: {str(asked)[:60]!r} is not understood")
    return "fp8" if fp8 else "fp16"
