"""Prints how often rows are taken for what they are not, and how often their number is called moved: `make rates`.

Rows per assigned unit are compared at 0.001 (adjusted by Holm over the arms): a rate above it means that effects per
row are given up in a test that was sound. The rules that tell totals and events from units are tried on tables of units
of many kinds, where they should find nothing, and on totals of many shapes, where they should find something always.
"""

import argparse
import sys

import ibis
import numpy as np
import pandas as pd
from scipy.stats import binomtest

from customerlab.analysis import experiment
from customerlab.analysis.experiment.participants import _rank_sum as rank_sum

LEVEL = experiment.balance.SAMPLE_RATIO_ALPHA
NAMES = {
    "geometric": lambda rng, size: rng.geometric(0.3, size),
    "one in 20 has many": lambda rng, size: 1 + np.where(rng.random(size) < 0.05, rng.geometric(0.05, size), 0),
    "heavy tail": lambda rng, size: np.floor(1 + rng.pareto(2.2, size)),
    "poisson": lambda rng, size: 1 + rng.poisson(3, size),
}  # fmt: skip
missed: list[str] = []


def line(name: str, hits: np.ndarray, promise: float, *, least: bool = False) -> None:
    """One rate with its 95% interval (Clopper and Pearson 1934), and what is promised.

    A promise is broken where it is outside of the 99.9% interval: among thirty rates one is outside of 95% by chance.
    """
    found = int(np.sum(hits))
    ends, far = (binomtest(found, len(hits)).proportion_ci(level) for level in (0.95, 0.999))
    word = ">=" if least else "<="
    print(f"| {name} | {found:,} of {len(hits):,} | {ends.low:.2%} to {ends.high:.2%} | {word} {promise:g} |")
    if (far.high < promise) if least else (far.low > promise):
        missed.append(f"{name}: {found / len(hits):.2%}, promised {word} {promise:g}")


def title(text: str) -> None:
    """A table's head."""
    print(f"\n## {text}\n\n| | tests | 95% interval | promised |\n| --- | ---: | --- | ---: |")


def rows_check(tests: int) -> None:
    """The comparison of rows per assigned unit, where the treatment does nothing to them; then where it does."""
    title("Rows per assigned unit are said to be moved, and are not")
    for name, draw in NAMES.items():
        for control, new in ((100, 100), (1_000, 1_000), (900, 100), (40, 40), (1_800, 60)):
            rng = np.random.default_rng([1, control, new])
            line(
                f"{name}, {control} : {new}",
                ranked(draw(rng, (tests, control)), draw(rng, (tests, new))) < LEVEL,
                LEVEL,
            )
    title("The same through the engine, whole tests of sessions: rows are called moved")
    for more, promise in ((0.0, LEVEL), (1.0, 0.95)):
        moved, wrong, right = [], [], []
        for seed in range(500):
            frame, truth = sessions(seed, more)
            who = experiment.took_part(ibis.memtable(frame), "control")
            moved.append(who.moved)
            by_way = effects(who)
            right.append(by_way["assigned unit"][0] <= truth <= by_way["assigned unit"][1])
            wrong.append(by_way["row"][1] < 0)
        line(f"{more:+.0%} sessions", np.array(moved), promise, least=more > 0)
        line(f"{more:+.0%} sessions: the interval of sums holds the truth", np.array(right), 0.95, least=True)
        line(f"{more:+.0%} sessions: means of rows say that the treatment harms", np.array(wrong), 1.0)


def ranked(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """P-values of tests side by side, by the library's own rule."""
    found = []
    for sizes in zip(one.astype(int), other.astype(int), strict=True):
        values, place = np.unique(np.concatenate(sizes), return_inverse=True)
        cut = [place[: len(sizes[0])], place[len(sizes[0]) :]]
        found.append(rank_sum(*(np.bincount(part, minlength=len(values)) for part in cut)))
    return np.nan_to_num(found, nan=1.0)


def sessions(seed: int, more: float) -> tuple[pd.DataFrame, float]:
    """Sessions of 600 users; the other arm has a share more of them, of which each is worth little. And the effect."""
    rng = np.random.default_rng([2, seed])
    arm = np.arange(600) % 2
    first = 1 + rng.geometric(0.4, 600)
    extra = rng.poisson(more * first.mean(), 600) * arm
    who = np.repeat(np.arange(600), first + extra)
    old = np.concatenate([np.arange(a + b) < a for a, b in zip(first, extra, strict=True)])
    worth = rng.gamma(0.5, 12, 600)[who]
    spend = np.where(old, worth, 1.0) * rng.random(len(who)) * 2
    frame = pd.DataFrame(
        {
            "unit_id": [f"s{i}" for i in range(len(who))], "assigned_id": [f"u{i}" for i in who],
            "variant": np.array(["control", "new"])[arm[who]], "outcome_spend": spend,
        }
    )  # fmt: skip
    return frame, more * (1 + 1 / 0.4)


def effects(who: experiment.participants.Participants) -> dict[str, tuple[float, float]]:
    """The interval of spend in both ways."""
    table = experiment.participants.per_assigned_and_row(who.finer, "control").set_index("per")
    return {per: (row["effect_low"], row["effect_high"]) for per, row in table.iterrows()}


def units(rng: np.random.Generator) -> pd.DataFrame:
    """A table of units of some kind: sizes, ids, times, splits, outcomes and covariates at random."""
    n = int(rng.choice([12, 24, 60, 200, 1_000, 5_000]))
    arms = [f"arm {i}" for i in range(rng.integers(2, 5))]
    weights = rng.dirichlet(np.full(len(arms), 5.0))
    frame = pd.DataFrame(
        {"unit_id": [f"{rng.integers(9)}{i:05d}" for i in range(n)], "variant": rng.choice(arms, n, p=weights)}
    )
    frame["variant"] = frame["variant"].where(frame.index >= len(arms), np.resize(arms, n))
    if rng.random() < 0.4:
        frame["unit_id"] = [f"row {i + 1}" for i in range(n)]
    if rng.random() < 0.6:
        step = rng.choice(["s", "h", "D"])
        seconds = rng.integers(0, int(rng.choice([1, 7, 28])) * 86_400, n)
        frame["assigned_at"] = (pd.Timestamp("2024-05-01") + pd.to_timedelta(seconds, unit="s")).floor(step)
    outcomes = {
        "visit": rng.random(n) < rng.uniform(0.02, 0.6), "spend": np.round(rng.gamma(0.2, 50, n), 2),
        "rounds": np.floor(rng.lognormal(2.5, 1.5, n)), "page_views": rng.geometric(rng.uniform(0.03, 0.5), n),
        "sessions": 1 + rng.poisson(rng.uniform(0, 4), n), "points": rng.integers(200, 4_000, n),
        "minutes": rng.gamma(2, 30, n), "clicks": rng.poisson(rng.uniform(0, 3), n), "orders": rng.poisson(0.4, n),
    }  # fmt: skip
    for name in rng.choice(list(outcomes), rng.integers(1, 5), replace=False):
        frame[f"outcome_{name}"] = outcomes[name].astype(float)
    covariates = {
        "age": rng.integers(18, 80, n), "region": rng.integers(0, 5, n), "past_spend": np.round(rng.gamma(1, 40, n), 2),
        "postcode": rng.integers(0, max(n // 4, 2), n), "street": rng.integers(0, n, n), "new": rng.integers(0, 2, n),
    }  # fmt: skip
    for name in rng.choice(list(covariates), rng.integers(0, 5), replace=False):
        frame[f"covariate_{name}"] = covariates[name].astype(str)
    return frame


def totals(rng: np.random.Generator) -> pd.DataFrame:
    """Totals of arms by days, weeks or hours and perhaps by country, mapped in some way."""
    every, many = [("D", rng.integers(7, 60)), ("7D", rng.integers(4, 20)), ("h", rng.integers(24, 24 * 14))][
        rng.integers(3)
    ]
    parts = {
        "assigned_at": pd.date_range("2024-05-01", periods=int(many), freq=every),
        "variant": ["a", "b", "c"][: rng.integers(2, 4)],
    }
    if rng.random() < 0.5:
        parts["covariate_country"] = ["AT", "DE", "FR", "IT", "PL"][: rng.integers(2, 6)]
    frame = pd.MultiIndex.from_product(parts.values(), names=list(parts)).to_frame(index=False)
    people = rng.poisson(rng.choice([20, 100, 1_000, 20_000]) * rng.gamma(20, 1 / 20, len(frame)))
    done = rng.binomial(people, rng.uniform(0.01, 0.4))
    names = [("users", "conversions"), ("visitors", "orders"), ("page_views", "clicks"), ("n", "k")][rng.integers(4)]
    frame[f"outcome_{names[0]}"], frame[f"outcome_{names[1]}"] = people * 1.0, done * 1.0
    if rng.random() < 0.5:
        frame["outcome_revenue"] = np.round(done * rng.gamma(20, 2, len(frame)), 2)
    frame["unit_id"] = [f"row {i + 1}" for i in range(len(frame))]
    way = rng.integers(4)
    if way == 1:
        frame["unit_id"] = frame["assigned_at"].astype(str)
    if way == 2:
        frame["covariate_time"] = frame["assigned_at"].astype(str)
    return frame.drop(columns="assigned_at") if way in (1, 2) else frame


def kinds(tests: int) -> None:
    """What rows are said to be."""
    title("What rows are said to be")
    named = {}
    for name, make in {"units": units, "totals": totals}.items():
        frames = [make(np.random.default_rng([3, seed])) for seed in range(tests)]
        named[name] = np.array([bool(experiment.kind_of_rows(ibis.memtable(frame)).wrong) for frame in frames])
    line("units that are not taken for units", named["units"], 0.01)
    line("totals that are named", named["totals"], 0.99, least=True)


def main() -> None:
    """Print all tables, and end non-zero where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=500, help="simulated tables for each rate through the engine")
    parser.add_argument("--fast", type=int, default=500, help="simulated tests for each rate of numbers alone")
    asked = parser.parse_args()
    kinds(asked.tests)
    rows_check(asked.fast)
    if missed:
        sys.exit("\n".join(["", "Not as promised:", *missed]))


if __name__ == "__main__":
    main()
