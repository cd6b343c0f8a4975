"""A model from the files of its checkpoint: config.json and what lies beside it."""
import re
from difflib import get_close_matches
from os.path import expanduser, isdir
from pathlib import Path

from ..facts import stored_rows
from ..files import object_of
from ..parameter import shown
from .config import Fields, model_shape
from .scheme import cache_dtype, said_scheme, scheme_of
from .weights import image_tower, weight_fields, weight_parts

NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
INHERITED = ("quantization_config", "tie_word_embeddings", "is_encoder_decoder", "vision_config")
DAMAGED = ArithmeticError, AttributeError, LookupError, TypeError, ValueError, re.error


def read_config(path):
    """The fields of a `Model` from a config.json, or from a folder that has one."""
    file = Path(expanduser(path))
    file = file / "config.json" if isdir(file) else file
    config = text_part(path, read_object(path, file))
    called = file.resolve().parent.name if file.name == "config.json" else file.stem
    shape = model_shape(config)
    counted = counted_bytes(file.with_name("model.safetensors.index.json"))
    return {"name": called, "family": config.get("model_type", ""), **shape,
            **image_tower(config)[1], **told_weights(config, shape, file, called), **counted}


def told_weights(config, shape, file, called):
    """Weights and type of the cache as fields of a `Model`, or why the bytes are not known."""
    told = {}
    try:
        quantisation = told_quantisation(config, file)
        told["cache_dtype"] = cache_dtype(quantisation)
        parts, sizes = weight_parts(config, shape)
        told |= sizes
        if said_scheme(called) and not quantisation:
            raise ValueError("quantization_config: missing, but the name says "
                             f"{said_scheme(called)}: put hf_quant_config.json beside config.json")
        return told | weight_fields(config, shape, parts, scheme_of(config, quantisation))
    except DAMAGED as error:
        why = str(error).removeprefix(f"{shown('model', config.path)}: ")
        return told | {"unknown_weights": f"its weights are not understood: {why[:200]}"}


def told_quantisation(config, file):
    """What a checkpoint says of its quantisation, in its config or in ModelOpt's file beside it."""
    said = config.part("quantization_config") or config.part("compression_config")
    beside = file.with_name("hf_quant_config.json")
    if said or not beside.exists():
        return said
    beside = Fields(config.path, read_object(config.path, beside))
    return {"quant_method": "modelopt"} | beside.part("quantization")


def read_object(path, file):
    """The JSON object in a file of a checkpoint; ValueError in one line if it cannot be read."""
    close = get_close_matches(file.name, stored_rows("models"), 1)
    where = (f"did you mean {close[0]}? As a file it " if close else
             "" if Path(path).name == file.name else f"{file.name}: ")
    return object_of(file, f"{shown('model', path)}: {where}")


def text_part(path, config):
    """The fields of the language model, which may be nested in those of a larger one."""
    for key in NESTED:
        if config.get(key) is not None:
            Fields(path, config).part(key)
            outer = {name: config[name] for name in INHERITED if config.get(name) is not None}
            return text_part(path, outer | config[key])
    return Fields(path, config)


def counted_bytes(index):
    """Bytes of the weights by the index of their files, as fields of a `Model`; {} without one."""
    if not index.exists():
        return {}
    told = Fields(index, Fields(index, read_object(index, index)).part("metadata"))
    total = told.get("total_size")
    sound = type(total) in (int, float) and 0 < total < 2**60
    told.need(sound, "total_size", "must be a number of bytes")
    return {"checkpoint_bytes": int(total), "unknown_weights": ""}
