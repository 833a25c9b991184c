"""What the table of effects costs: ten metrics, each with a covariate, of many units in three arms, beside pandas.

Run as `python tests/benchmarks/experiment.py [units]`.
"""

import resource
import subprocess
import sys
import time

UNITS = 10_000_000
METRICS = 10


def ours(units: int) -> None:
    """The whole table from the engine."""
    import ibis

    from customerlab.analysis import experiment

    con = ibis.duckdb.connect()
    columns = ", ".join(f"random() * {place + 1} AS outcome_m{place}" for place in range(METRICS))
    before = ", ".join(f"random() AS covariate_m{place}" for place in range(METRICS))
    con.raw_sql(
        f"CREATE TABLE units AS SELECT 'arm' || (range % 3) AS variant, {columns}, {before} FROM range({units})"
    )
    metrics = [
        experiment.Metric(f"m{place}", f"outcome_m{place}", covariate=f"covariate_m{place}") for place in range(METRICS)
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    table = experiment.compare_arms(con.table("units"), metrics, "arm0")
    print(
        f"engine: {len(table)} rows, {time.perf_counter() - wall:.2f} s wall, {time.process_time() - cpu:.2f} s of CPU, {_memory()}"
    )


def plain(units: int) -> None:
    """Welch's test with scipy, column by column, and the adjustment by numpy."""
    import numpy as np
    import pandas as pd
    from scipy import stats

    rng = np.random.default_rng(0)
    names = [*(f"m{place}" for place in range(METRICS)), *(f"c{place}" for place in range(METRICS))]
    frame = pd.DataFrame({name: rng.random(units) for name in names}).assign(
        variant=np.array(["arm0", "arm1", "arm2"])[np.arange(units) % 3]
    )
    wall, cpu = time.perf_counter(), time.process_time()
    found = []
    for place in range(METRICS):
        for arm in ("arm1", "arm2"):
            pair = frame[frame["variant"].isin([arm, "arm0"])]
            slope = pair[f"m{place}"].cov(pair[f"c{place}"]) / pair[f"c{place}"].var()
            adjusted = pair[f"m{place}"] - slope * (pair[f"c{place}"] - pair[f"c{place}"].mean())
            treated = pair["variant"] == arm
            found.append(stats.ttest_ind(adjusted[treated], adjusted[~treated], equal_var=False).pvalue)
    print(
        f"pandas: {len(found)} rows, {time.perf_counter() - wall:.2f} s wall, {time.process_time() - cpu:.2f} s of CPU, {_memory()}"
    )


def _memory() -> str:
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at most, data included"


if __name__ == "__main__":
    if len(sys.argv) > 2:
        {"ours": ours, "plain": plain}[sys.argv[2]](int(sys.argv[1]))
    else:
        size = sys.argv[1] if len(sys.argv) > 1 else str(UNITS)
        for way in ("ours", "plain"):  # each in a process of its own, for its own peak of memory
            subprocess.run([sys.executable, __file__, size, way], check=True)
