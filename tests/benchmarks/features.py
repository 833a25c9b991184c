"""What customer features cost as the log grows, beside pandas and beside a bare scan: `make bench LINES=1e6,1e7,1e8`.

Logs are simulated once and kept in `.benchmarks/`. Each contender reads the same prepared parquet file in a process of
its own, on two cores, three times, of which the fastest counts. `seconds` begin when the file is opened and end with
the table in pandas; `process` is all that a user waits for, from the start of Python on; `CPU` tells whether other
work disturbed the clock. Peak memory is the process's.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import CORES, in_a_process, peak, two_cores

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".benchmarks"  # laid out like a project, so that its logs are prepared as a run prepares them
REPEATS = 3
CUSTOMERS_A_LINE = 0.0506  # of the simulated shop
PANDAS_UP_TO = 20_000_000  # lines; beyond it pandas needs more memory than most machines have


# -- the contenders: a file in, what they found out (orders of all customers, money) -----------------------------


def features(path: Path) -> dict[str, Any]:
    """Customer features as notebook 02 makes them."""
    from customerlab.analysis import rfm
    from customerlab.data.engine import connect, open_table

    imported()
    table = rfm.features(open_table(connect(f"duckdb://?threads={CORES}"), path))
    return {
        "customers": len(table),
        "orders": int(table["frequency"].sum()),
        "money": round(table["monetary"].sum(), 2),
    }


def scan(path: Path) -> dict[str, Any]:
    """The floor: read two columns and add them up."""
    from customerlab.data.engine import connect

    imported()
    con = connect(f"duckdb://?threads={CORES}")
    _, money = con.raw_sql(f"SELECT count(*), sum(quantity * unit_price) FROM '{path}'").fetchone()
    return {"money": round(money, 2)}


def pandas_usual(path: Path) -> dict[str, Any]:
    """Recency, frequency and monetary value as tutorials write them."""
    import pandas as pd

    imported()
    log = pd.read_parquet(path, columns=[name for name in columns(path) if name != "amount"])  # ours, not the log's
    log["total"] = log["quantity"] * log["unit_price"]
    as_of = log["ordered_at"].max() + pd.Timedelta(days=1)
    table = log.groupby("customer_id").agg(
        {"ordered_at": lambda times: (as_of - times.max()).days, "order_id": "nunique", "total": "sum"}
    )
    return {"customers": len(table), "orders": int(table["order_id"].sum()), "money": round(table["total"].sum(), 2)}


def pandas_careful(path: Path) -> dict[str, Any]:
    """The features of notebook 02 by someone who knows pandas: the wanted columns only, no function of Python."""
    import pandas as pd

    imported()
    log = pd.read_parquet(path, columns=["customer_id", "order_id", "ordered_at", "quantity", "unit_price"])
    log["total"] = log["quantity"] * log["unit_price"]
    table = log.groupby("customer_id").agg(
        first_order=("ordered_at", "min"),
        last_order=("ordered_at", "max"),
        frequency=("order_id", "nunique"),
        monetary=("total", "sum"),
    )
    day = log["ordered_at"].max().normalize() + pd.Timedelta(days=1)
    table["recency"] = (day - table["last_order"].dt.normalize()).dt.days
    return {
        "customers": len(table),
        "orders": int(table["frequency"].sum()),
        "money": round(table["monetary"].sum(), 2),
    }


def simulated(path: Path) -> dict[str, Any]:
    """From nothing to the files of a simulated shop; once for a size."""
    from customerlab.data.simulate import write_shop

    imported()
    name = path.parents[1].name
    folder = FOLDER / "data" / "raw" / name
    if folder.is_dir():
        return {"made": False}
    entry = write_shop(folder, max(round(int(name.split("_")[1]) * CUSTOMERS_A_LINE), 100), 1, spoiled=False)
    with (FOLDER / "data" / "catalog.yml").open("a", encoding="utf-8") as handle:
        handle.write(entry)
    return {"made": True}


def prepared(path: Path) -> dict[str, Any]:
    """From the simulated files to the table that a run keeps; once for a run."""
    from customerlab.data.prepare import prepare

    imported()
    made = prepare(FOLDER, path.parents[1], "transactions", path.parents[1].name, progress=False)
    return {"lines": made.report["rows"], "made": made.made}


CONTENDERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    function.__name__: function for function in (simulated, prepared, scan, features, pandas_careful, pandas_usual)
}
NAMES = {
    "scan": "SELECT count(*), sum(quantity * unit_price)", "features": "customer features",
    "pandas_careful": "pandas, with care", "pandas_usual": "pandas, as usually written",
}  # fmt: skip


# -- measuring ---------------------------------------------------------------------------------------------------

BEGIN = [0.0]


def imported() -> None:
    """Everything is imported: the clock of `seconds` starts."""
    BEGIN[0] = time.perf_counter()


def columns(path: Path) -> list[str]:
    """The columns of a parquet file."""
    import pyarrow.parquet as pq

    return pq.read_schema(path).names


def contend(name: str, path: Path) -> None:
    """In the contender's own process: run it and print what it took."""
    found = CONTENDERS[name](path)
    seconds = time.perf_counter() - BEGIN[0]
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": seconds, "cpu": used.ru_utime + used.ru_stime, "peak": peak(), **found}))


def measure(name: str, path: Path, repeats: int = REPEATS) -> dict[str, Any]:
    """The fastest of some runs of a contender, each in a process of its own, with the lowest peak."""
    runs = []
    for _ in range(repeats):
        begin = time.perf_counter()
        found = in_a_process(__file__, name, str(path))
        runs.append(found | {"process": time.perf_counter() - begin})
    return min(runs, key=lambda run: run["seconds"]) | {"peak": min(run["peak"] for run in runs)}


def report(lines: int) -> dict[str, Any]:
    """Measure all contenders on a log of about so many lines, print them side by side and return what ours took."""
    path = FOLDER / "outputs" / f"lines_{lines}" / "tables" / "transactions.parquet"
    measure("simulated", path, repeats=1)
    made = measure("prepared", path, repeats=1)
    size = f"{made['lines']:,} lines kept, {path.stat().st_size / 1e6:,.0f} MB of parquet"
    cost = f"prepared in {made['seconds']:,.0f} s with {made['peak']:.2f} GiB" if made["made"] else "prepared before"
    print(f"\n## {lines:,} lines: {size}, {cost}\n")
    skipped = set() if lines <= PANDAS_UP_TO else {"pandas_usual", "pandas_careful"}
    took = {name: measure(name, path) for name in NAMES if name not in skipped}
    print("| contender | seconds | times the scan | process, s | times the scan | CPU, s | peak GiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, run in took.items():
        times, whole = (run[what] / took["scan"][what] for what in ("seconds", "process"))
        print(
            f"| {NAMES[name]} | {run['seconds']:.2f} | {times:.1f} | {run['process']:.2f} | {whole:.1f} "
            f"| {run['cpu']:.1f} | {run['peak']:.2f} |"
        )
    ours = took["features"]
    for name in ("pandas_careful", "pandas_usual"):
        if name in took:
            run = took[name]
            agreed = all(run[what] == ours[what] for what in ("customers", "orders"))
            if not agreed or abs(run["money"] - ours["money"]) > 1:
                sys.exit(f"{name} found {run}, customer features {ours}")
            print(
                f"\nAgainst {NAMES[name]}: {run['seconds'] / ours['seconds']:.1f} times faster "
                f"({run['process'] / ours['process']:.1f} with the start of Python), "
                f"{ours['peak'] / run['peak']:.2f} of its peak memory."
            )
        else:
            need = lines / 1e7 * 2  # GiB, as at 10 million lines
            print(f"\n{NAMES[name]}: not run on more than {PANDAS_UP_TO:,} lines; needs about {need:.0f} GiB.")
    return {"lines": made["lines"], "scan": took["scan"]["seconds"], **ours}


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", default="1e6,1e7,1e8", help="sizes of the logs, separated by commas")
    parser.add_argument("--contend", nargs=2, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        contend(words.contend[0], Path(words.contend[1]))
        return
    two_cores()
    (FOLDER / "data").mkdir(parents=True, exist_ok=True)
    grown = [report(int(float(size))) for size in words.lines.split(",")]
    print("\n## Customer features as the log grows\n")
    print("| lines | customers | seconds | a million lines | times the scan | peak GiB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for run in grown:
        each, times = run["seconds"] / run["lines"] * 1e6, run["seconds"] / run["scan"]
        print(
            f"| {run['lines']:,} | {run['customers']:,} | {run['seconds']:.2f} | {each:.3f} | {times:.1f} | {run['peak']:.2f} |"
        )


if __name__ == "__main__":
    main()
