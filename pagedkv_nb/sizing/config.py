"""The shape of a model from its `config.json`, as Hugging Face publishes it.

What changes the KV cache and is not understood is refused by the name of its field.
"""
import json
import re
from pathlib import Path

from .heads import HIDDEN, heads
from .layers import layer_counts
from .weights import checkpoint_bytes, counted_parameters

NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
INHERITED = ("quantization_config", "tie_word_embeddings", "is_encoder_decoder")
LIMIT = 10**6  # of a size in a config, but LONG of a number of tokens or words
LONG = 10**8
NO_CACHE = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "distilbert", "deberta-v2", "electra",
                     "modernbert", "vit", "clip"), "it writes no tokens and keeps no cache"),
    **dict.fromkeys(("mamba", "mamba2", "falcon_mamba", "rwkv", "rwkv6", "rwkv7", "xlstm"),
                    "it keeps a state, and no KV cache"),
    **dict.fromkeys(("t5", "mt5", "umt5", "bart", "mbart", "whisper", "pegasus", "marian"),
                    "encoder-decoder models are not understood"),
    "longcat_flash": "two attentions in a layer are not understood"}
SUSPICIOUS = re.compile(
    r"window|slid|sparse|layer_types?$|layers?_block|block_types?$|block_config|attn_type|"
    r"attention_type|pattern|kv|key_value|mamba|ssm|recurr|rwkv|latent|lora_rank|cross_att|"
    r"^index_|cla_|compress|head_dim|attn_layer|attn_config|attention_layers|attention_other|"
    r"full_att|linear_|chunk|_per_layer$|swa_|conv_|yoco|shared_attention|shared_layers|"
    r"encoder_layers|cross_layer|attn_idx|hash_layers|ngram")
UNDERSTOOD = set("""sliding_window use_sliding_window max_window_layers window_size
    attention_window_size sliding_window_pattern _sliding_window_pattern layer_types
    layers_block_type block_types _block_types hybrid_override_pattern attn_type_list
    full_attn_idxs attn_layer_indices attn_layer_period attn_layer_offset
    full_attention_interval linear_attn_config attention_layers attention_types
    attention_chunk_size attn_config num_key_value_heads num_kv_heads n_head_kv multi_query
    num_kv_shared_layers multi_query_group_num kv_channels kv_lora_rank q_lora_rank
    qk_head_dim qk_rope_head_dim qk_nope_head_dim v_head_dim head_dim attention_head_dim
    global_head_dim num_global_key_value_heads chunk_size_feed_forward chunk_size
    sliding_window_size activation_sparsity_pattern decoder_sparse_step mlp_layer_types
    no_repeat_ngram_size encoder_no_repeat_ngram_size
    """.split())
STATES = re.compile(r"^(layernorm_linear|mamba|ssm|linear|short_conv|conv|use_mamba|use_conv)_")


class Fields(dict):
    """The fields of a config that have a value; errors name the file and the field."""

    def __init__(self, path, fields):
        """A field that is null is not one of them; `named` has every name."""
        super().__init__((k, v) for k, v in fields.items() if v is not None)
        self.path, self.named = path, set(fields)

    def refuse(self, field, why):
        """Raise a ValueError of one line, with the value of the field."""
        value = repr(self[field])[:60] if field in self else "missing"
        raise ValueError(f"model={self.path!r}: {field}: {value}: {why}")

    def whole(self, *names, default=None, least=1):
        """The first of these fields that has a value: a whole number from `least` to a
        million (tokens and words: a hundred); ValueError if it is not, or if there is none
        and no default."""
        name = next((n for n in names if n in self), names[0])
        value = self.get(name, default)
        most = LONG if re.search("max|vocab|window|n_ctx|posit|seq_len|chunk", name) else LIMIT
        if type(value) is not int or not least <= value <= most:
            self.refuse(name, f"must be a whole number, {least} to {most:,}")
        return value

    def yes(self, name, default=False):
        """Whether a flag is set; ValueError if it is not true or false."""
        value = self.get(name, default)
        if type(value) is not bool:
            self.refuse(name, "must be true or false")
        return value


def model_fields(path):
    """The fields of a `Model`, but its name, from the path of a config.json or of a folder
    that has one; ValueError names the field that is wrong or not understood."""
    file = Path(path).expanduser()
    file = file / "config.json" if file.is_dir() else file
    config = text_part(path, read_object(path, file))
    check_type(config)
    counts = layer_counts(config)
    check_understood(config, counts)
    counts.update(heads(config, counts), **sizes(config))
    n_params = counted_parameters(config, counts)
    counts["params_billion"] = sum(n_params) / 1e9
    counts["checkpoint_bytes"] = checkpoint_bytes(config, file, n_params)
    return counts


def read_object(path, file):
    """The JSON object in a file."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        told = str(getattr(error, "strerror", None) or error).splitlines()[0][:80]
        raise ValueError(f"model={path!r}: cannot be read as JSON: {told}") from None
    if not isinstance(found, dict):
        raise ValueError(f"model={path!r}: must hold a JSON object, as config.json does")
    return found


def text_part(path, config):
    """The fields of the language model, which may be nested in those of a larger one."""
    for key in NESTED:
        if config.get(key) is not None:
            if not isinstance(config[key], dict):
                Fields(path, config).refuse(key, "must be an object")
            outer = {k: config[k] for k in INHERITED if config.get(k) is not None}
            return text_part(path, {**outer, **config[key]})
    return Fields(path, config)


def check_type(config):
    """ValueError if a model of this type has no cache, or one that is not understood."""
    kind = config.get("model_type", "")
    if not isinstance(kind, str):
        config.refuse("model_type", "must be a name")
    if kind in NO_CACHE:
        config.refuse("model_type", NO_CACHE[kind])
    if kind == "llama4_text" and "attention_chunk_size" not in config.named:
        config.refuse("attention_chunk_size", "must be said, null if there is none")
    if config.yes("is_encoder_decoder"):
        config.refuse("is_encoder_decoder", "encoder-decoder models are not understood")


def check_understood(config, counts):
    """ValueError at the first field that may change the cache and is not understood."""
    states = counts["stateless_layers"] or config.get("model_type") == "falcon_h1"
    for field, value in config.items():
        known = field in UNDERSTOOD or (states and STATES.search(field))
        if value and not known and SUSPICIOUS.search(field):
            config.refuse(field, "may change the cache and is not understood")


def sizes(config):
    """Vocabulary, hidden and intermediate size and longest sequence; 0: not said."""
    names = {"vocab": ("vocab_size", "padded_vocab_size"),
             "hidden": HIDDEN,
             "intermediate": ("intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size"),
             "max_context": ("max_position_embeddings", "n_positions", "max_seq_len",
                             "seq_length", "max_sequence_length", "n_ctx")}
    inner = config.get("intermediate_size")
    if isinstance(inner, list) and inner and all(type(n) is int for n in inner):
        config["intermediate_size"] = max(inner)  # one a layer; the largest sets the peak
    return {size: config.whole(*fields, default=0, least=0) for size, fields in names.items()}
