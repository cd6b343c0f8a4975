"""Tables of facts: `data/NAME.csv`, each row with its source."""
from functools import cache
from importlib.resources import files

import pandas as pd

from .parameter import choice


@cache
def stored(name):
    """The table `data/NAME.csv`, read once."""
    return pd.read_csv(files(__package__) / "data" / f"{name}.csv")


@cache
def stored_rows(table):
    """{name: row} of a table of facts, each row a dict."""
    return {row["name"]: row for row in stored(table).to_dict("records")}


def facts(name):
    """The table `data/NAME.csv` as a DataFrame, a copy for each caller."""
    return stored(name).copy()


def fact(table, parameter, name, otherwise=""):
    """One row of a table of facts as a dict; ValueError lists the known names."""
    return dict(stored_rows(table)[choice(parameter, name, stored_rows(table), otherwise)])
