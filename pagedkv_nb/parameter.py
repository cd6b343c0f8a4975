"""Checks of values a user supplies: one line names the parameter, the value, what is allowed."""
from difflib import get_close_matches
from numbers import Integral, Real


def shown(name, value):
    """`name=value` for an error, cut in its middle if it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of so many digits
        text = "a number of thousands of digits"
    return f"{name}={text if len(text) <= 160 else text[:117] + '...' + text[-40:]}"


def positive_int(name, value, most=None, least=1, why=""):
    """The value as an int; ValueError unless it is whole and from `least` to `most` (`why`)."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        upper = ("" if most is None else f" and at most {most:,}") + (f" ({why})" if why else "")
        raise ValueError(f"{shown(name, value)}: must be a whole number, at least {least}{upper}")
    return int(value)


def positive_ints(name, values, most=None):
    """The values of a list or an array as ints; ValueError if there are none, or by a bad one."""
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, (list, tuple, range)) or not values:
        raise ValueError(f"{shown(name, values)}: must be a list of at least one whole number")
    return [positive_int(f"{name}[{i}]", value, most) for i, value in enumerate(values)]


def number(name, value, least=0.0, most=1e308):
    """The value as a float; ValueError unless it is a finite number from `least` to `most`."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not least <= value <= most:
        upper = "" if most == 1e308 else f" and at most {most:g}"
        raise ValueError(f"{shown(name, value)}: must be a number, at least {least:g}{upper}")
    return float(value)


def choice(name, value, allowed, otherwise=""):
    """The value; ValueError unless it is one of the allowed names (`otherwise` says what helps)."""
    if not isinstance(value, str) or value not in list(allowed):
        close = get_close_matches(value, allowed, 1, 0.45) if isinstance(value, str) else ()
        told = ", ".join([*allowed][:60]) + ", ..." * (len(allowed) > 60)
        told += f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"{shown(name, value)}: must be one of {told}{otherwise}")
    return value
