"""How often is what 10 says of campaigns right? Measured on simulated shops with planted truth: `make rates-campaigns`.

Shops send weekly campaigns with planted effects, hours, channels and fatigue. Intervals should hold what was planted,
and rules be recommended where they are better. One core needs about four minutes for fifty shops of 4,000 customers.
"""

import argparse
import sys

import numpy as np
import pandas as pd
from promises import missed, rate, show

from campaign_shop import judged, planned


def main() -> None:
    """Print how often intervals hold what was planted, and what rules gain beside what they were expected to gain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=50)
    parser.add_argument("--customers", type=int, default=4_000)
    asked = parser.parse_args()
    found = pd.DataFrame([judged(seed, asked.customers) for seed in range(asked.shops)])
    show("campaigns", [
        rate("the interval of caused revenue holds what was caused", found["revenue"], ">= 0.95"),
        rate("the interval of caused orders holds what was caused", found["orders"], ">= 0.95"),
        rate("attributed revenue is shown to exceed what was caused", found["claimed"]),
        rate("the interval of fatigue holds the planted factor", found["tired"], "= 0.95"),
        rate("an hour per customer is recommended", found["personal"]),
        rate("the best channel is found in more segments than any one channel is best in", found["channel"] > found["fixed"]),
    ])  # fmt: skip
    plans = pd.DataFrame([planned(seed, asked.customers // 2) for seed in range(asked.shops)])
    show("plans", [
        rate("the interval of a plan's profit holds what it brings", plans["truth"].between(plans["low"], plans["high"]), ">= 0.95"),
    ])  # fmt: skip
    print(
        f"\nprofit of a plan: expected {plans['profit'].mean():,.0f}, by the planted truth {plans['truth'].mean():,.0f}"
    )
    apart = found["gained"] - found["expected"]
    error = apart.std() / np.sqrt(len(apart))
    print(f"\ngain of an hour per customer: expected {found['expected'].mean():.3f}, found {found['gained'].mean():.3f} "
          f"(difference {apart.mean():+.3f}, standard error {error:.3f})")  # fmt: skip
    print(
        f"segments whose best channel is found: {found['channel'].mean():.0%}; of the best one channel: {found['fixed'].mean():.0%}"
    )
    sys.exit(f"not kept: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
