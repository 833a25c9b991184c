"""How often is the decision of a test right? Gatekeeping, simultaneous intervals and decisions at every skew.

Two arms against a control by three metrics: who visited, who converted, and spend, which decides. Spend is nil for who
did not convert, and skewed for who did. The rules are written out here once more, with numpy.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from promises import rate, show
from scipy import stats

from customerlab.analysis import experiment
from customerlab.analysis.experiment.contrasts import Arm, Contrast, Value, contrast
from customerlab.analysis.inference import LEAST

ALPHA = 0.05
VISITS = 0.1  # of those who do not convert
Spent = Callable[[np.random.Generator, int], np.ndarray]


@dataclass(frozen=True)
class Line:
    """A kind of test: units of the control and of each arm, the share that converts, and what they spend."""

    what: str
    sizes: tuple[int, int, int]
    share: float
    spent: Spent


def lognormal(deviation: float) -> Spent:
    """Spend whose logarithm has this deviation: its skewness is 6 at 1, 34 at 1.5 and 414 at 2."""
    return lambda rng, number: rng.lognormal(4, deviation, number)


def hillstrom() -> tuple[float, Spent] | None:
    """The control of Hillstrom's test, where it is on this machine."""
    path = Path(os.environ.get("CUSTOMERLAB_DATA", "-")) / "hillstrom_email.csv"
    if not path.exists():
        return None
    table = pd.read_csv(path)
    spend = table.loc[table["segment"] == "No E-Mail", "spend"].to_numpy()
    some = spend[spend > 0]
    return len(some) / len(spend), lambda rng, number: rng.choice(some, number)


def lines() -> list[Line]:
    """Equal arms from few units to many, unequal ones both ways, and tails from light to very heavy."""
    kinds = [
        Line(f"{share:.1%} of {size:,} convert, deviation {deviation:g}", (size,) * 3, share, lognormal(deviation))
        for share, size, deviation in (
            (0.004, 2_000, 1), (0.01, 2_000, 1), (0.05, 545, 1), (0.05, 2_000, 1), (0.05, 2_000, 1.5), (0.05, 2_000, 2),
            (0.01, 20_000, 1.5),
        )
    ]  # fmt: skip
    for sizes, what in (((8_000, 1_000, 1_000), "control 8 : 1"), ((1_000, 4_500, 4_500), "control 1 : 4.5")):
        kinds += [
            Line(f"{what}, 5% convert, deviation {deviation:g}", sizes, 0.05, lognormal(deviation))
            for deviation in (1, 1.5)
        ]
    if known := hillstrom():
        kinds += [
            Line(f"Hillstrom's control, {size:,} a side", (size,) * 3, *known) for size in (545, 2_000, 8_000, 21_300)
        ]
    return kinds


def drawn(
    rng: np.random.Generator, tests: int, units: int, share: float, spent: Spent
) -> tuple[Arm, np.ndarray, np.ndarray, list[np.ndarray]]:
    """Spend of one arm of many tests, how many converted and visited, and what each who converted spent."""
    did = rng.binomial(units, share, tests)
    values, of = spent(rng, int(did.sum())), np.repeat(np.arange(tests), did)
    total, squares = (np.bincount(of, one, tests) for one in (values, values**2))
    mean = total / units
    variance = (squares - units * mean**2) / (units - 1)
    arm = Arm(mean[:, None], (variance / units)[:, None, None], np.full(tests, units - 1.0))
    return arm, did, did + rng.binomial(units - did, VISITS), np.split(values, did.cumsum()[:-1])


@dataclass(frozen=True)
class Tests:
    """P-values by test, metric (spend first) and arm, where there are enough outcomes; without the randomisation test,
    and with it; the effects on spend at the level of the decision; and where spend is enough."""

    plain: np.ndarray
    guarded: np.ndarray
    spend: list[Contrast]
    enough: np.ndarray


def compared(line: Line, tests: int, seed: list[int], lift: float = 0.0) -> Tests:
    """Many tests of a line; with a lift, the control converts less often by it, and the second arm more often."""
    rng = np.random.default_rng(seed)
    shares = (line.share / (1 + lift), line.share, line.share * (1 + lift))
    arms = [drawn(rng, tests, units, share, line.spent) for units, share in zip(line.sizes, shares, strict=True)]
    p, guarded, few, spend = *np.empty((3, tests, 3, 2)), []
    for place in (1, 2):
        treated, control = line.sizes[place], line.sizes[0]
        sizes = [np.full(tests, one) for one in (treated, control)]
        spend.append(contrast(arms[place][0], arms[0][0], Value(0), confidence=1 - ALPHA / 2))
        counts = [(arms[place][one], arms[0][one]) for one in (2, 1)]
        tested = [experiment.proportions(one, sizes[0], other, sizes[1]).pvalue for one, other in counts]
        p[:, :, place - 1] = np.stack([np.nan_to_num(spend[-1].pvalue, nan=1.0), *tested], axis=1)
        least = min(treated, control) / (treated + control)
        some = [(arms[place][kind] + arms[0][kind]) * least for kind in (1, 2, 1)]
        few[:, :, place - 1] = np.stack(some, axis=1) < LEAST
        guarded[:, :, place - 1] = p[:, :, place - 1]
        for one in np.flatnonzero(p[:, 0, place - 1] < ALPHA / 2):
            values = [arms[which][3][one] for which in (place, 0)]
            rows = np.concatenate([[0.0], *values])[:, None]
            own = np.arange(len(rows)) <= len(values[0])
            units = np.where(np.arange(len(rows)) > 0, 1, 0)
            pair = [units * own, units * ~own]
            for part, size in zip(pair, (treated, control), strict=True):
                part[0] = size - part.sum()
            again = experiment.randomisation.randomisation_test(rows, *pair, Value(0), 1, level=ALPHA / 2)
            guarded[one, 0, place - 1] = again if again >= ALPHA / 2 else p[one, 0, place - 1]
    return Tests(np.where(few, 1.0, p), np.where(few, 1.0, guarded), spend, few[:, 0, :] == 0)


def found(p: np.ndarray) -> np.ndarray:
    """What the procedure finds: the primary metric at alpha over its arms, the others at their share of what passed."""
    arms = p.shape[2]
    first = p[:, :1, :] < ALPHA / arms
    passed = first.sum(axis=2, keepdims=True) / arms
    return np.concatenate([first, p[:, 1:, :] < ALPHA * passed / p[0, 1:, :].size], axis=1)


def decisions(tests: int) -> None:
    """Tests without an effect: what is decided, and what is found at all; with one: intervals that hold together."""
    nothing, coverage = [], []
    for number, line in enumerate(lines()):
        null = compared(line, tests, [8, number])
        better = np.stack([one.effect > 0 for one in null.spend], axis=1)
        hits, plain = found(null.guarded), found(null.plain)
        nothing += [
            rate(f"{line.what}: an arm is recommended", (hits[:, 0, :] & better).any(axis=1), "<= 0.05"),
            rate(f"{line.what}: any false finding", hits.any(axis=(1, 2)), "<= 0.05"),
            rate(f"{line.what}: without the randomisation test, for contrast", plain.any(axis=(1, 2))),
        ]
        mean = float(np.mean(line.spent(np.random.default_rng(9), 2_000_000))) * line.share
        planted = compared(line, tests, [9, number], 0.5)
        truths = (mean * (1 - 1 / 1.5), mean * (1.5 - 1 / 1.5))
        held = [(one.low <= truth) & (truth <= one.high) for one, truth in zip(planted.spend, truths, strict=True)]
        tested = planted.enough.all(axis=1)
        if tested.mean() > 0.2:
            coverage.append(rate(f"{line.what}: both effects of spend", np.all(held, axis=0)[tested]))
    show("Tests without an effect", nothing)
    show(
        "Simultaneous 95% intervals of two arms that hold both planted effects (of tests with enough outcomes)",
        coverage,
    )


def gatekeeping(tests: int) -> None:
    """Two arms by four metrics that hang together: whatever is true, any false finding is as seldom as promised."""
    rng = np.random.default_rng(10)
    rates, held = [], []
    truths = {
        "nothing is there": np.zeros((4, 2)),
        "one arm moves the primary metric alone": np.array([[4.0, 0], [0, 0], [0, 0], [0, 0]]),
        "one arm moves the primary metric, by less": np.array([[2.2, 0], [0, 0], [0, 0], [0, 0]]),
        "both arms move it": np.array([[4.0, 4], [0, 0], [0, 0], [0, 0]]),
        "one arm moves all others": np.array([[0, 0], [4.0, 0], [4, 0], [4, 0]]),
    }
    for name, truth in truths.items():
        common, own = rng.normal(size=(2, tests, 1, 3)), rng.normal(size=(tests, 4, 3))
        arms = np.sqrt(0.7) * common[0] + np.sqrt(0.3) * own  # what a metric says, the others say as well
        z = (arms[:, :, :2] - arms[:, :, 2:]) / np.sqrt(2) + truth
        p = 2 * stats.norm.sf(np.abs(z))
        hits = found(p)
        for row in range(min(tests, 50)):
            again = experiment.gatekeeping.gatekeep(
                pd.Series(p[row].ravel()), pd.Series(np.repeat([True, False], [2, 6]))
            )
            assert ((again < ALPHA).to_numpy() == hits[row].ravel()).all()
        rates.append(rate(f"{name}: any false finding", (hits & (truth == 0)).any(axis=(1, 2)), "<= 0.05"))
        held.append(
            rate(
                f"{name}: primary intervals hold both",
                (np.abs(z - truth)[:, 0] < stats.norm.isf(ALPHA / 4)).all(axis=1),
                ">= 0.95",
            )
        )
    show("Gatekeeping: two arms, a primary metric and three others", rates)
    show("Simultaneous intervals of normal means", held)
