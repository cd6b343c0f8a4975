"""Tables of facts: `data/NAME.csv`, each row with its source."""
from importlib.resources import files

import pandas as pd

from .parameter import choice


def facts(name):
    """The table `data/NAME.csv` as a DataFrame."""
    return pd.read_csv(files(__package__) / "data" / f"{name}.csv")


def fact(table, parameter, name):
    """One row of a table of facts as a dict; ValueError lists the known names."""
    rows = facts(table).set_index("name", drop=False)
    return rows.loc[choice(parameter, name, rows.index)].to_dict()
