"""What customer value costs: `make bench-value LINES=1e7`.

The summary of a log, beside a bare scan grouped by customer of the same file; BG/NBD with standard errors on a million
customers, beside the same search without analytic gradients and without equal rows collapsed; Pareto/NBD on 100,000.
Customers are simulated by BG/NBD over two years, in whole weeks. Each runs in a process of its own on two cores, and
the fastest of three runs counts; the summary and the scan run in turn, three times. `seconds` begin when everything is
imported and the customers are simulated.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from features import FOLDER, measure
from harness import CORES, clocked, in_a_process, peak, two_cores

CUSTOMERS = {"BG/NBD": 1_000_000, "Pareto/NBD": 100_000}
WEEKS = 104
REPEATS = 3
PLANTED = {"r": 0.5, "alpha": 8.0, "a": 0.8, "b": 2.5}
MOST = {"BG/NBD": 6.0, "Pareto/NBD": 20.0}  # seconds that are promised, the first with at most 2 GiB


def customers(number: int, seed: int = 1) -> Any:
    """The histories of so many customers, one row each."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    age, rate = rng.integers(0, WEEKS, number), rng.gamma(PLANTED["r"], 1 / PLANTED["alpha"], number)
    chance = rng.beta(PLANTED["a"], PLANTED["b"], number)
    x, t_x = np.zeros(number, dtype="int64"), np.zeros(number, dtype="int64")
    clock = rng.exponential(1 / np.maximum(rate, 1e-300))
    here = np.flatnonzero(clock < age)
    while len(here):
        x[here] += 1
        t_x[here] = np.ceil(clock[here])
        clock[here] += rng.exponential(1 / rate[here])
        stay = (rng.random(len(here)) > chance[here]) & (clock[here] < age[here])
        here = here[stay]
    return pd.DataFrame({"customer_id": np.arange(number), "x": x, "t_x": t_x, "T": age})


def fitted(name: str) -> dict[str, Any]:
    """A model with standard errors, from the summary."""
    from customerlab.analysis.value.fitting import MODELS, fit

    known = customers(CUSTOMERS[name])
    took, found = clocked(lambda: fit(MODELS[name], known))
    assert found.converged
    return took | {"found": found.estimates.set_index("parameter")[["estimate", "se"]].round(4).to_dict()}


def plainly(name: str, *, gradient: bool, collapsed: bool) -> dict[str, Any]:
    """The peak of the same likelihood by the same search, without its gradient or on each customer's row."""
    import numpy as np
    from scipy.optimize import minimize

    from customerlab.analysis.value.fitting import MODELS, _loss, _slope, collapse

    known = customers(CUSTOMERS[name])

    def run() -> Any:
        rows = collapse(known, ["x", "t_x", "T"]) if collapsed else known.assign(customers=1)
        loss = _loss(MODELS[name], rows, ["x", "t_x", "T"], [])
        of = loss if gradient else lambda vector: loss(vector)[0]
        found = minimize(
            of, np.zeros(4), jac=gradient, method="L-BFGS-B", options={"maxiter": 1_000, "ftol": 1e-14, "gtol": 1e-7}
        )
        if gradient:
            return found.x, _slope(loss, found.x)
        steps = 1e-3 * np.eye(4)
        at = [[loss(found.x + one + other)[0] for one in (*steps, *-steps)] for other in (*steps, *-steps)]
        return found.x, at

    took, found = clocked(run)
    return took | {"found": np.exp(found[0]).round(4).tolist()}


def scanned(path: str) -> dict[str, Any]:
    """The floor: lines, money and last order of each customer."""
    from customerlab.data.engine import connect

    con = connect(f"duckdb://?threads={CORES}")
    what = "customer_id, count(*), sum(amount), max(ordered_at)"
    took, table = clocked(lambda: con.raw_sql(f"SELECT {what} FROM '{path}' GROUP BY customer_id").to_arrow_table())
    return took | {"customers": len(table)}


def summarised(path: str) -> dict[str, Any]:
    """The summary in weeks, as models take it."""
    from customerlab.analysis import orders
    from customerlab.analysis.value.history import summary
    from customerlab.data.engine import connect, open_table

    log = open_table(connect(f"duckdb://?threads={CORES}"), Path(path))
    day = orders.day_after(log)
    took, table = clocked(lambda: summary(log, day))
    return took | {"customers": len(table), "x": int(table["x"].sum())}


CONTENDERS = {
    "scanned": scanned, "summarised": summarised, "fitted": fitted,
    "without gradients": lambda name: plainly(name, gradient=False, collapsed=True),
    "without collapsing": lambda name: plainly(name, gradient=True, collapsed=False),
    "without both": lambda name: plainly(name, gradient=False, collapsed=False),
}  # fmt: skip


def of_lines(lines: int) -> None:
    """The summary of a log beside the scan."""
    path = FOLDER / "outputs" / f"lines_{lines}" / "tables" / "transactions.parquet"
    measure("simulated", path, repeats=1)
    made = measure("prepared", path, repeats=1)
    runs = [[in_a_process(__file__, name, str(path)) for name in ("scanned", "summarised")] for _ in range(REPEATS)]
    floor, ours = (min((run[place] for run in runs), key=lambda run: run["seconds"]) for place in (0, 1))
    print(f"\n## The summary of {made['lines']:,} lines, {ours['customers']:,} customers\n")
    print("| | seconds | CPU, s | peak GiB |\n| --- | ---: | ---: | ---: |")
    for name, run in (("scan grouped by customer", floor), ("summary", ours)):
        print(f"| {name} | {run['seconds']:.2f} | {run['cpu']:.2f} | {run['peak']:.2f} |")
    print(f"\n{ours['seconds'] / floor['seconds']:.1f} times the scan; promised: at most 3 times.", flush=True)


def of_models(*, all_of_them: bool) -> None:
    """Fits beside what they would cost without what makes them fast."""
    for name, number in CUSTOMERS.items():
        rivals = ["fitted", "without gradients", "without collapsing"]
        rivals += ["without both"] if all_of_them and name == "BG/NBD" else []
        print(f"\n## {name} with standard errors, {number:,} customers; promised: {MOST[name]:.0f} s\n")
        print("| | seconds | times ours | CPU, s | peak GiB |\n| --- | ---: | ---: | ---: | ---: |")
        ours = None
        for rival in rivals:
            run = in_a_process(__file__, rival, name)
            ours = ours or run
            print(
                f"| {rival} | {run['seconds']:.1f} | {run['seconds'] / ours['seconds']:.1f} | {run['cpu']:.1f} | {run['peak']:.2f} |",
                flush=True,
            )
        print(f"\n{ours['found'] if ours else ''}")


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", default="1e7", help="sizes of the logs, separated by commas")
    parser.add_argument("--all", action="store_true", help="also the fit without gradients and without collapsing")
    parser.add_argument("--contend", nargs=2, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        name, what = words.contend
        print(json.dumps(CONTENDERS[name](what) | {"peak": peak()}))
        return
    two_cores()
    (FOLDER / "data").mkdir(parents=True, exist_ok=True)
    of_models(all_of_them=words.all)
    for size in filter(None, words.lines.split(",")):
        of_lines(int(float(size)))


if __name__ == "__main__":
    main()
