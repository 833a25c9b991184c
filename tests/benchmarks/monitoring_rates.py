"""How often a change is found, and how soon, and how often one is seen where nothing changed, on simulated shops.

Promised is at most 5% of shops with any significant drift, and at most 5% with any model refitted or recalibrated.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from promises import missed, rate, show

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from changing import END, judged, shop
from customerlab.analysis.monitoring.challenge import match
from customerlab.analysis.monitoring.changes import drift_table, named, of_periods, periods
from customerlab.analysis.monitoring.decisions import RECALIBRATE, REFIT

CHANGES = {
    "growth": ({"growth": 1.8}, "growth"), "prices": ({"price": 1.25}, "prices"), "baskets": ({"baskets": 1.6}, "baskets"),
    "more orders": ({"rate": 1.7}, "behaviour"), "fewer orders": ({"rate": 0.5}, "behaviour"), "season": ({"season": 0.5}, "season"),
}  # fmt: skip
SIZES = 1.25, 1.5, 2.0  # times as many repeat orders
LOOKS = range(28, 183, 28)  # days after the change


def of_day(made, day: pd.Timestamp) -> set[str]:
    """The names of what has changed in the last 13 weeks, against those that ended half a year ago."""
    reference, current, before = periods(match(made.at(day), day - pd.Timedelta(weeks=26), 91))
    return set(named(drift_table(of_periods(reference, current, before)), reference, current)["change"])


def unchanged(shops: int) -> None:
    """False alarms where nothing changes."""
    found = [judged(shop(seed)) for seed in range(shops)]
    drifted = [bool(rows["drifted"].any()) for rows, _, _ in found]
    replaced = [bool(decided["decision"].isin([REFIT, RECALIBRATE]).any()) for _, _, decided in found]
    rates = [
        rate("drift of any of 11 distributions", np.array(drifted), "<= 0.05"),
        rate("any of four models refitted or recalibrated", np.array(replaced), "<= 0.05"),
    ]
    show("Nothing changes", rates)


def planted(shops: int) -> None:
    """Whether a change of 13 weeks ago is named as what it is, and as nothing else."""
    rates = []
    for kind, (options, name) in CHANGES.items():
        said = [of_day(shop(seed, a_day=2.5, **options), END) for seed in range(shops)]
        rates.append(rate(f"{kind}: named", np.array([name in one for one in said])))
        rates.append(rate(f"{kind}: another change named", np.array([bool(one - {name}) for one in said])))
    show("A change of 13 weeks ago", rates)


def delays(shops: int) -> None:
    """How soon a change of three sizes is found."""
    begun, rates = END - pd.Timedelta(days=max(LOOKS)), []
    for size in SIZES:
        made = [shop(seed, a_day=2.5, rate=size, since=max(LOOKS)) for seed in range(shops)]
        seen = np.array(
            [["behaviour" in of_day(one, begun + pd.Timedelta(days=days)) for days in LOOKS] for one in made]
        )
        by_then = np.maximum.accumulate(seen, axis=1)
        rates += [
            rate(f"{size:g} times as many: within {days} days", by_then[:, place]) for place, days in enumerate(LOOKS)
        ]
    show("Repeat orders change: found within so many days", rates)


def main() -> None:
    """Print all tables, and end non-zero where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=200, help="simulated shops; of those with a change a quarter")
    options = parser.parse_args()
    unchanged(options.shops)
    planted(options.shops // 4)
    delays(options.shops // 4)
    if missed:
        sys.exit("\n".join(["", "Not as promised:", *missed]))


if __name__ == "__main__":
    main()
