"""Checks of values and files a user supplies: one line names the parameter, the value, what is
allowed."""
import gzip
import os
import zlib
from difflib import get_close_matches
from numbers import Integral, Real


def shown(name, value):
    """`name=value` for an error, cut if it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of so many digits
        text = "a number of thousands of digits"
    return f"{name}={text if len(text) <= 80 else text[:77] + '...'}"


def positive_int(name, value, most=None, least=1, why=""):
    """The value as an int; ValueError unless it is a whole number from `least` to `most`,
    which has a reason where it is not plain."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        upper = "" if most is None else f" and at most {most:,}"
        upper += f" ({why})" if why else ""
        raise ValueError(f"{shown(name, value)}: must be a whole number, at least {least}{upper}")
    return int(value)


def positive_ints(name, values, most=None):
    """The values as ints, an array as int64; ValueError if there are none, or by the first bad."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__") or len(values) == 0:
        raise ValueError(f"{shown(name, values)}: must be a list of at least one whole number")
    if getattr(getattr(values, "dtype", None), "kind", "") in ("i", "u") and values.ndim == 1:
        if values.min() >= 1 and (most is None or values.max() <= most):
            return values.astype("int64")
    values = values.tolist() if hasattr(values, "tolist") else values
    return [positive_int(f"{name}[{i}]", value, most) for i, value in enumerate(values)]


def total(values):
    """The sum of a list or an array of ints, as an int."""
    return int(values.sum()) if hasattr(values, "sum") else sum(values)


def number(name, value, least=0.0, most=float("inf")):
    """The value as a float; ValueError unless it is a finite number from `least` to `most`."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not least <= value <= most or value == float("inf"):
        upper = "" if most == float("inf") else f" and at most {most:g}"
        raise ValueError(f"{shown(name, value)}: must be a number, at least {least:g}{upper}")
    return float(value)


def choice(name, value, allowed):
    """The value; ValueError unless it is one of the allowed names."""
    if value not in list(allowed):
        close = get_close_matches(str(value), allowed, 1, 0.45)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"{shown(name, value)}: must be one of {', '.join(allowed)}{meant}")
    return value


def text_of(path, problem, most=2**26):
    """The text of a regular file of at most so many bytes (64 MiB), unzipped if it is zipped,
    read piece by piece; ValueError in one line begins with `problem`."""
    path, content = os.path.expanduser(path), bytearray()
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # a pipe would never end
            raise OSError(0, "it is no regular file")
        with open(path, "rb") as file:
            zipped = file.peek(2)[:2] == b"\x1f\x8b"
            source = gzip.GzipFile(fileobj=file) if zipped else file
            while piece := source.read(2**20):
                content += piece
                if len(content) > most:
                    raise OSError(0, f"it has more than {most:,} bytes" + zipped * " unpacked")
        text = content.decode("utf-8-sig")
        zero = text.find("\0")
        why = "it is empty" if not text.strip() else zero >= 0 and f"no text (byte {zero})"
    except (EOFError, zlib.error):
        why = "the gzip file ends too soon"
    except UnicodeDecodeError as error:
        why = f"no UTF-8 text (byte {error.start})"
    except (OSError, ValueError) as error:  # absent, no zip after all, no name of a file
        why = getattr(error, "strerror", None) or error
    if why:
        raise ValueError(f"{problem}cannot be read: {why}")
    return text
