"""The example grid of the study: how many requests fit, by model and GPU: `make plan`."""
import sys

import pandas as pd

from .charts import requests_that_fit
from .notebook import figure_files, write_together
from .run import BUILD, ROOT, plain_error
from .style import settle
from .sweep import run_grid

NAME = "plan-requests-that-fit"


def plan():
    """Run what is missing of course/plan.yml and draw it into figures/; the exit code."""
    code = run_grid("05", ROOT / "course" / "plan.yml")
    if not code:
        draw(pd.read_csv(BUILD / "sweep" / "plan" / "05b-requests-that-fit.csv"))
    return code


def draw(table):
    """Write the figure of a table of requests that fit and say where it lies."""
    table = table[table["policy"].isin(["max", "paged"])].pivot(
        index=["workload", "model", "gpu"], columns="policy", values="requests_at_once")
    table = table.reset_index().rename_axis(columns=None)
    gain = table["paged"] / table["max"]
    title = (f"Pages let {gain.min():.0f} to {gain.max():.0f} times as many requests run "
             "as 8,192 slots each")
    told = f"{title}. " + "; ".join(f"{r.model} on {r.gpu}, {r.workload}: {r.max:,.0f} and "
                                    f"{r.paged:,.0f}" for r in table.itertuples())
    figure = requests_that_fit(table, title)
    settle(figure)
    write_together(figure_files(figure, ROOT / "figures", NAME, told, table))
    print(f"figures/{NAME}.svg")


if __name__ == "__main__":
    try:
        sys.exit(plan())
    except (ValueError, OSError) as error:
        sys.exit(plain_error(error))
