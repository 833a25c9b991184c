"""What a day of new orders costs beside the full computation: `tests/benchmarks/increments.py --lines 1e6,1e7`.

The logs are those of `features.py`; every fiftieth line or so is returned. New are the last whole days that have about
1/365 of the lines, or one day at least. The update of the state reads the saved state and the new rows, and writes what
they add to it; the features are then made from the state, of the customers with new rows or of all. From scratch,
`Snapshot.customers` reads the whole log. The tables must be equal to the last digit. Both run in turn, each in a
process of its own on two cores, three times, of which the fastest counts; `seconds` begin when everything is imported,
and those of features end with the table in pandas, most of which is spent on customers and not on lines.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from features import FOLDER, measure
from harness import CORES, clocked, in_a_process, peak, two_cores

REPEATS = 3
DAYS = 365
LEAST = 10.0  # times as fast, which is promised
TABLES = ("customers", "orders")
NAMES = {
    "state": "update of the state", "changed": "with the features of the customers with new rows",
    "all": "with the features of all customers",
}  # fmt: skip


def opened(con: Any, folder: Path, name: str) -> Any:
    """A table of a state: all parquet files of its folder."""
    return con.read_parquet(f"{folder / name}/*.parquet")


def digest(table: Any) -> str:
    """What changes with any value of a table, and with the order of its rows."""
    import hashlib

    import pandas as pd

    rows = pd.util.hash_pandas_object(table).to_numpy().tobytes()
    return hashlib.sha256(rows + str(table.dtypes.to_dict()).encode()).hexdigest()


def split(log: str, folder: str) -> dict[str, Any]:
    """The log in what is known and what is new, its returns, and the state of what is known: before the contest."""
    from customerlab.analysis import increments, orders
    from customerlab.data.engine import connect, open_table

    con, place = connect(f"duckdb://?threads={CORES}"), Path(folder)
    lines = open_table(con, Path(log))
    back = lines.filter(lines.order_id.hash().abs() % 50 == 0).mutate(amount=-lines.amount)
    by_day = (
        lines.group_by(day=lines.ordered_at.truncate("D")).aggregate(lines=lines.count()).order_by("day").to_pandas()
    )
    rest = by_day["lines"][::-1].cumsum()[::-1]
    day = by_day["day"][rest >= by_day["lines"].sum() / DAYS].max()
    for name, table in (("log", lines), ("back", back)):
        (place / name).mkdir()
        orders.before(table, day).to_parquet(place / name / "known.parquet")
        orders.since(table, day).to_parquet(place / name / "new.parquet")
    shop = orders.Snapshot(opened(con, place, "log"), day, opened(con, place, "back"))
    state = increments.begin(shop)
    took, _ = clocked(lambda: [save(getattr(state, name), place / "state" / name) for name in TABLES], 1)
    size = sum(file.stat().st_size for file in (place / "state").rglob("*.parquet"))
    return took | {
        "day": f"{day:%Y-%m-%d}", "lines": int(rest.iloc[0]), "new": int(rest[by_day["day"] == day].iloc[0]), "size": size
    }  # fmt: skip


def save(table: Any, folder: Path, name: str = "0") -> None:
    """Write a table into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / f"{name}.parquet")


def warm(con: Any) -> None:
    """Compute the features of two lines, so that everything is imported."""
    import ibis
    import pandas as pd

    from customerlab.analysis import increments, orders

    rows = {"customer_id": ["a", "b"], "order_id": ["1", "2"], "ordered_at": pd.to_datetime(["2024-01-01"] * 2)}
    log = con.create_table("warm", ibis.memtable(rows | {"amount": [1, 2]}), temp=True)
    shop = orders.Snapshot(log, pd.Timestamp("2024-01-02"), log)
    increments.features(increments.advanced(increments.begin(shop), log, log, late=True), shop.day)
    shop.customers()


def from_scratch(folder: str, day: str) -> dict[str, Any]:
    """The features from the whole log."""
    from customerlab.analysis import orders
    from customerlab.data.engine import connect

    con, place = connect(f"duckdb://?threads={CORES}"), Path(folder)
    warm(con)

    def run() -> Any:
        log, back = (opened(con, place, name) for name in ("log", "back"))
        return orders.Snapshot(log, orders.day_after(log), back).customers()

    took, table = clocked(run, 1)
    return took | {"customers": len(table), "orders": int(table["frequency"].sum()), "digest": digest(table)}


def updated(folder: str, day: str) -> dict[str, Any]:
    """The saved state and the new rows give what is written of the new state, and the features."""
    import pandas as pd

    from customerlab.analysis import increments
    from customerlab.data.engine import connect, open_table

    con, place = connect(f"duckdb://?threads={CORES}"), Path(folder)
    warm(con)
    with tempfile.TemporaryDirectory(dir=place) as scratch:

        def opened_again(more: Any) -> Any:
            parts = [(opened(con, place / "state", name), opened(con, Path(scratch), name)) for name in TABLES]
            return increments.State(*(old.union(new) for old, new in parts), more.day)

        def update() -> Any:
            old = increments.State(*(opened(con, place / "state", name) for name in TABLES), pd.Timestamp(day))
            more = increments.added(old, *(open_table(con, place / name / "new.parquet") for name in ("log", "back")))
            for name in TABLES:
                save(getattr(more, name), Path(scratch) / name)
            return opened_again(more), more

        took, (new, more) = clocked(update, 1)
        some, changed = clocked(lambda: increments.features(new, new.day, more), 1)
        every, table = clocked(lambda: increments.features(new, new.day), 1)
    return {
        "state": took, "changed": both(took, some), "all": both(took, every), "of": len(changed), "customers": len(table),
        "orders": int(table["frequency"].sum()), "digest": digest(table), "seconds": took["seconds"],
    }  # fmt: skip


def both(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    """One after the other."""
    return {name: first[name] + second[name] for name in ("seconds", "cpu")} | {"peak": second["peak"]}


CONTENDERS = {"split": split, "from scratch": from_scratch, "updated": updated}


def report(lines: int) -> None:
    """Measure both on a log of about so many lines."""
    log = FOLDER / "outputs" / f"lines_{lines}" / "tables" / "transactions.parquet"
    measure("simulated", log, repeats=1)
    measure("prepared", log, repeats=1)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        made = in_a_process(__file__, "split", str(log), folder)
        runs = [
            [in_a_process(__file__, name, folder, made["day"]) for name in ("from scratch", "updated")]
            for _ in range(REPEATS)
        ]
    whole, ours = (min((run[place] for run in runs), key=lambda run: run["seconds"]) for place in (0, 1))
    if len({run["digest"] for pair in runs for run in pair}) > 1:
        sys.exit("the tables differ")
    print(
        f"\n## {made['lines']:,} lines, {made['new']:,} of them new, from {made['day']} on; {ours['customers']:,} customers, "
        f"{ours['of']:,} with new rows; {ours['orders']:,} orders\n\nThe tables are equal. The state has "
        f"{made['size'] / 1e6:,.0f} MB; it began in {made['seconds']:.1f} s.\n"
    )
    print("| | seconds | CPU, s | peak GiB | times as fast | run by run | by CPU |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    print(f"| from scratch | {whole['seconds']:.2f} | {whole['cpu']:.2f} | {whole['peak']:.2f} | | | |")
    for name, what in NAMES.items():
        run = ours[name]
        each = ", ".join(f"{pair[0]['seconds'] / pair[1][name]['seconds']:.1f}" for pair in runs)
        print(
            f"| {what} | {run['seconds']:.2f} | {run['cpu']:.2f} | {run['peak']:.2f} "
            f"| {whole['seconds'] / run['seconds']:.1f} | {each} | {whole['cpu'] / run['cpu']:.1f} |",
            flush=True,
        )
    print(f"\nPromised of the update of the state at 10 million lines: {LEAST:.0f} times as fast.")


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", default="1e7", help="sizes of the logs, separated by commas")
    parser.add_argument("--contend", nargs="+", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        name, *what = words.contend
        print(json.dumps(CONTENDERS[name](*what) | {"peak": peak()}))
        return
    two_cores()
    (FOLDER / "data").mkdir(parents=True, exist_ok=True)
    for size in words.lines.split(","):
        report(int(float(size)))


if __name__ == "__main__":
    main()
