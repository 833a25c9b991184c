"""What the whole clustering comparison costs as customers grow: `make bench-clustering`.

Customers are simulated as in `hierarchy.py`; what they do next depends on how often they ordered. Measured is all that
notebook 03 asks of the methods: seven indices over the numbers of clusters, every candidate fitted, judged and
compared with deciles of past spend over two periods. Each size runs in a process of its own on two cores; peak memory
is the process's.
"""

import argparse
import json
import sys
import time

import numpy as np
import pandas as pd
from harness import in_a_process, peak, two_cores
from hierarchy import points

SIZES = (2_000, 20_000, 100_000)
NUMBERS = range(2, 8)
LIMITS = {100_000: (120, 3)}  # customers to the seconds and GiB promised


def contend(customers: int) -> None:
    """In a process of its own: compare, and print what it took."""
    from customerlab.analysis import clustering

    x = points(customers)
    later = (x[:, 1] + np.random.default_rng(8).normal(size=customers) > 1).astype(float)
    ids = pd.DataFrame({"customer_id": np.arange(customers).astype(str)})
    baselines = {"deciles": clustering.past.deciles(x[:, 2])}
    past = [
        clustering.past.Past(pd.Timestamp("2024-01-01"), ids, x, baselines, pd.DataFrame({"repurchase rate": later}))
    ] * 2
    begin, cpu = time.perf_counter(), time.process_time()
    clustering.by_number(x, NUMBERS, 7)
    judged = clustering.judge(x, NUMBERS, 7, past=past)
    took = {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu}
    tested = int(judged.table["p_structure"].notna().sum())
    print(json.dumps(took | {"peak": peak(), "candidates": len(judged.models), "tested": tested}))


def main() -> None:
    """Measure all sizes, and end non-zero where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contend", type=int, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        contend(words.contend)
        return
    two_cores()
    print("\n## The whole comparison\n")
    print("| customers | candidates | against clouds | seconds | CPU, s | peak GiB |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    missed = []
    for size in SIZES:
        run = in_a_process(__file__, str(size))
        print(
            f"| {size:,} | {run['candidates']} | {run['tested']} | {run['seconds']:.1f} | {run['cpu']:.1f} | {run['peak']:.2f} |",
            flush=True,
        )
        seconds, gib = LIMITS.get(size, (np.inf, np.inf))
        if run["seconds"] > seconds or run["peak"] > gib:
            missed.append(f"{size:,} customers: {run}; promised {seconds} s and {gib} GiB")
    if missed:
        sys.exit("\n".join(["", *missed]))


if __name__ == "__main__":
    main()
