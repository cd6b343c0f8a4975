"""The command `python -m pagedkv_nb.sizing MODEL --gpu NAME`."""
import argparse
import sys
from dataclasses import fields
from typing import get_args

from ..facts import facts
from ..parameter import positive_int
from . import Deployment, Model, report


def arguments(words):
    """{option: value} of a command line; ValueError of one line instead of argparse's many."""
    parser = argparse.ArgumentParser(
        prog="python -m pagedkv_nb.sizing",
        description="How many tokens of KV cache a model has on GPUs.")
    parser.add_argument("model", nargs="?", help="a config.json, a folder that has one, a name of "
                        "models.csv, or LAYERSxKV_HEADSxHEAD_DIM")
    parser.add_argument("--gpu", help="a name of gpus.csv, or any with --memory-gib")
    parser.add_argument("--list", action="store_true", dest="listed",
                        help="print the names that are known")
    parser.add_argument("--dtype", default="auto", help="of K and V: fp32, fp16, bf16, fp8; auto: "
                        "the checkpoint's")
    parser.add_argument("--tokens", type=int, default=0, help="of a sequence (8192, or the "
                        "model's longest)")
    for field in fields(Deployment)[2:]:
        kind, meaning = get_args(field.type)
        parser.add_argument("--" + field.name.replace("_", "-"), default=field.default,
                            type=float if kind == float | None else kind, help=meaning)
    parser.error = refuse
    return vars(parser.parse_args(words))


def refuse(message):
    """ValueError with a message, cut if it is long."""
    raise ValueError(message if len(message) <= 200 else message[:197] + "...")


def answer(listed, model, gpu, tokens, dtype, **given):
    """The names that are known, or the budget of a deployment."""
    if listed:
        return "\n".join(f"{kind}: {', '.join(facts(table)['name'])}" for kind, table in (
            ("cards", "gpus"), ("engines", "engines"), ("models", "models")))
    if not model or not gpu:
        refuse("a model and --gpu are needed (or --list)")
    tokens = positive_int("tokens", tokens, most=10**9, least=0)
    return report(Deployment(Model.named(model), gpu, **given), tokens, dtype)


def main(words=None):
    """Print what a command line asks for; the exit code, 2 with one line on stderr if wrong."""
    try:
        print(answer(**arguments(words)))
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
