"""What the table of effects of an A/B test costs, beside tea-tasting, pandas and scipy: `make bench-experiment`.

Ten metrics, each with a covariate, of 10 million units in three arms are drawn once, into a parquet file that all
contenders read: ours as a run does, from the file, and also from the engine's memory, where pandas has them.
tea-tasting reads the same table of the engine, by way of Ibis as we do. Each contender runs in a process of its own on
two cores, three times within it, of which the fastest counts; the clock starts with the file open or the data in
memory. All contenders have to find the same p-values.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from harness import CORES, clocked, in_a_process, peak, two_cores
from scipy import stats

UNITS, METRICS = 10_000_000, 10
ARMS = ("control", "one", "two")


def drawn(units: int, path: Path) -> None:
    """Outcomes that go half with their covariate, in arms of equal size; nothing else happens."""
    import duckdb

    before = ", ".join(f"random() AS covariate_m{place}" for place in range(METRICS))
    after = ", ".join(f"covariate_m{place} + random() AS outcome_m{place}" for place in range(METRICS))
    arms = f"{list(ARMS)}[1 + range % {len(ARMS)}] AS variant"
    duckdb.sql(f"COPY (SELECT *, {after} FROM (SELECT {arms}, {before} FROM range({units}))) TO '{path}'")


# -- the contenders: a file in, the p-values of all metrics and arms out -----------------------------------------


def ours(path: Path, kept: bool = False) -> Callable[[], np.ndarray]:
    """The library's table from the file, one query."""
    from customerlab.analysis import experiment
    from customerlab.data.engine import connect, open_table

    units = _kept(path) if kept else open_table(connect(f"duckdb://?threads={CORES}"), path)
    metrics = [
        experiment.Metric(f"m{place}", f"outcome_m{place}", covariate=f"covariate_m{place}") for place in range(METRICS)
    ]
    return lambda: experiment.compare_arms(units, metrics, ARMS[0])["pvalue"].to_numpy()


def ours_kept(path: Path) -> Callable[[], np.ndarray]:
    """The same from a table in the engine's memory."""
    return ours(path, kept=True)


def _kept(path: Path) -> Any:
    """The units as a table in the engine's memory."""
    from customerlab.data.engine import connect

    con = connect(f"duckdb://?threads={CORES}")
    con.raw_sql(f"CREATE TABLE units AS SELECT * FROM '{path}'")
    return con.table("units")


def tea_tasting(path: Path) -> Callable[[], np.ndarray]:
    """Means adjusted by their covariates (CUPED) and Welch's t, from aggregates that the engine computes."""
    import tea_tasting as tt

    units = _kept(path)
    test = tt.Experiment({f"m{place}": tt.Mean(f"outcome_m{place}", f"covariate_m{place}") for place in range(METRICS)})

    def run() -> np.ndarray:
        found = test.analyze(units, ARMS[0], all_variants=True)
        return np.array([found[ARMS[0], arm][f"m{place}"].pvalue for place in range(METRICS) for arm in ARMS[1:]])

    return run


def _frame(path: Path) -> pd.DataFrame:
    """The units in memory, read by column: all at once they would be there twice before the clock starts."""
    names = [name for name in pq.read_schema(path).names if name != "variant"]
    columns = {name: pq.read_table(path, columns=[name])[name].to_numpy() for name in names}
    arms = pq.read_table(path, columns=["variant"], read_dictionary=["variant"])["variant"].to_pandas()
    return pd.DataFrame({"variant": arms} | columns, copy=False)


def pandas_careful(path: Path) -> Callable[[], np.ndarray]:
    """By someone who knows numpy: each column divided once, slopes and variances from one covariance matrix an arm."""
    frame = _frame(path)

    def run() -> np.ndarray:
        rows = {arm: np.flatnonzero(frame["variant"] == arm) for arm in ARMS}
        found = []
        for place in range(METRICS):
            pair = frame[[f"outcome_m{place}", f"covariate_m{place}"]]
            parts = {arm: pair.iloc[rows[arm]].to_numpy() for arm in ARMS}
            errors = {arm: np.cov(parts[arm].T) / len(rows[arm]) for arm in ARMS}
            for arm in ARMS[1:]:
                error = errors[arm] + errors[ARMS[0]]
                slope = error[0, 1] / error[1, 1]
                adjusted = [parts[name][:, 0] - slope * parts[name][:, 1] for name in (arm, ARMS[0])]
                found.append(stats.ttest_ind(*adjusted, equal_var=False).pvalue)
        return np.array(found)

    return run


def pandas_usual(path: Path) -> Callable[[], np.ndarray]:
    """As tutorials write it: filter two arms, adjust the column, test."""
    frame = _frame(path)

    def run() -> np.ndarray:
        found = []
        for place in range(METRICS):
            for arm in ARMS[1:]:
                pair = frame[frame["variant"].isin([arm, ARMS[0]])]
                outcome, covariate = pair[f"outcome_m{place}"], pair[f"covariate_m{place}"]
                slope = outcome.cov(covariate) / covariate.var()
                adjusted, treated = outcome - slope * (covariate - covariate.mean()), pair["variant"] == arm
                found.append(stats.ttest_ind(adjusted[treated], adjusted[~treated], equal_var=False).pvalue)
        return np.array(found)

    return run


CONTENDERS = {function.__name__: function for function in (ours, ours_kept, tea_tasting, pandas_careful, pandas_usual)}
NAMES = {
    "ours": "customerlab, from the file", "ours_kept": "customerlab, from memory",
    "tea_tasting": "tea-tasting, from memory", "pandas_careful": "pandas and scipy, with care",
    "pandas_usual": "pandas and scipy, as usually written",
}  # fmt: skip


# -- measuring ---------------------------------------------------------------------------------------------------


def contend(name: str, path: Path) -> None:
    """In the contender's own process: run it and print what it took."""
    run = CONTENDERS[name](path)
    before = peak()
    took, pvalues = clocked(run)
    print(json.dumps(took | {"before": before, "pvalues": pvalues.tolist()}))


def main() -> None:
    """Measure all contenders, and end non-zero where they disagree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=lambda text: int(float(text)), default=UNITS, help="in all arms together")
    parser.add_argument("--contend", nargs=2, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.contend:
        contend(words.contend[0], Path(words.contend[1]))
        return
    two_cores()
    took: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "units.parquet"
        drawn(words.units, path)
        size = path.stat().st_size / 2**30
        print(f"\n## {METRICS} metrics of {words.units:,} units in {len(ARMS)} arms, {size:.2f} GiB of parquet\n")
        print("| contender | seconds | times ours | CPU, s | peak GiB | of it before the clock |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for name in CONTENDERS:
            run = took[name] = in_a_process(__file__, name, str(path))
            print(
                f"| {NAMES[name]} | {run['seconds']:.2f} | {run['seconds'] / took['ours']['seconds']:.1f} "
                f"| {run['cpu']:.2f} | {run['peak']:.2f} | {run['before']:.2f} |",
                flush=True,
            )
    for name, run in took.items():
        if not np.allclose(
            run["pvalues"], took["ours"]["pvalues"], atol=1e-6
        ):  # usually the slope is of both arms together
            sys.exit(f"{name} found p = {run['pvalues']}, customerlab {took['ours']['pvalues']}")
    print(f"\nAll found the same {len(took['ours']['pvalues'])} p-values.")


if __name__ == "__main__":
    main()
