"""The example grid of the study: how many requests fit, by model and GPU: `make plan`."""
import sys
from io import StringIO

import pandas as pd

from .execution import plain_error
from .charts.fit import requests_that_fit
from .notebook import figure_files, write_together
from .run import BUILD, ROOT, refuse
from .style import settle
from .sweep import sweep

NAME = "plan-requests-that-fit"


def plan():
    """Run what is missing of course/plan.yml and draw it into figures/; the exit code."""
    code = sweep("05", ROOT / "course" / "plan.yml")
    if code:
        return code
    table = pd.read_csv(BUILD / "sweep" / "plan" / "05b-requests-that-fit.csv")
    table = table[table["policy"].isin(["max", "paged"])].pivot(
        index=["workload", "model", "gpu"], columns="policy", values="requests_at_once")
    table = pd.read_csv(StringIO(table.reset_index().to_csv(index=False)))
    gain = table["paged"] / table["max"]
    title = (f"Pages let {gain.min():.0f} to {gain.max():.0f} times as many requests run "
             "as 8,192 slots each")
    told = f"{title}. " + "; ".join(f"{r.model} on {r.gpu}, {r.workload}: {r.max:,.0f} and "
                                    f"{r.paged:,.0f}" for r in table.itertuples())
    figure = requests_that_fit(table, title)
    settle(figure)
    write_together(figure_files(figure, ROOT / "figures", NAME, told, table))
    print(f"figures/{NAME}.svg")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(plan())
    except (ValueError, OSError) as error:
        sys.exit(refuse(plain_error(error)))
