"""How often are the tests of experiments right? Every promised rate, measured on simulated tests: `make rates`.

What is true in the simulated tests was planted there, so it can be counted how often an interval covers it, how often
nothing is taken for something, and how often a broken test is refused. Beside every rate stands its 95% interval
(Clopper and Pearson 1934) and what was promised. Seeds are fixed; one core needs about eight minutes. It fails where
a promise lies outside even the 99.9% interval, as one of fifty that are kept does in one run of twenty.
"""

import argparse
import sys
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from experiment_decisions import decisions, gatekeeping
from promises import Rate, missed, rate, share_of, show
from scipy import stats

from customerlab.analysis import experiment
from customerlab.analysis.experiment.compare import arms_of
from customerlab.analysis.experiment.contrasts import Arm, Contrast, Value, contrast
from customerlab.analysis.inference import holm
from customerlab.data.simulate import experiments
from customerlab.data.simulate.purchasing import SEGMENTS

UNITS = 8_000  # of a simulated test, in four arms
ARMS = ("control", "control", "newsletter", "voucher")
NULL = "control again"  # the second of them, to which nothing happens
VALUES = ["visit", "conversion", "spend", "past_spend"]
METHODS: dict[str, tuple[bool, Value, Value | None]] = {  # by strata?, what is compared, covariate
    "spend: mean": (False, Value(2), None),
    "spend / conversion: ratio of means": (False, Value(2, 1), None),
    "spend: adjusted for past spend (CUPED)": (False, Value(2), Value(3)),
    "spend: post-stratified by segment": (True, Value(2), None),
}


# -- the shop's tests: two arms alike, two with planted effects ----------------------------------------------------


@dataclass(frozen=True)
class Shop:
    """Many tests, the first axis of everything: arms as a whole, over strata and by day; and the expected outcomes."""

    whole: dict[str, Arm]
    strata: dict[str, Arm]
    days: dict[str, Arm]
    expected: dict[str, np.ndarray]


def moments_of(test: pd.DataFrame, part: np.ndarray) -> experiment.stats.Moments:
    """Counts, means and covariances by arm and part, from numpy."""
    code, keys = pd.factorize(pd.MultiIndex.from_arrays([test["variant"], part]), sort=True)
    values = test[VALUES].to_numpy(dtype=float)
    groups = [values[code == number] for number in range(len(keys))]
    covariance = np.array([np.cov(own.T) for own in groups])
    count, mean = np.array([len(own) for own in groups]), np.array([own.mean(axis=0) for own in groups])
    return experiment.stats.Moments(
        keys.to_frame(index=False, name=["variant", "part"]), tuple(VALUES), count, mean, covariance
    )


def by_day(test: pd.DataFrame, name: str) -> Arm:
    """An arm's visits and spending of all units so far, after each morning."""
    own = np.flatnonzero(test["variant"] == name)
    morning = own % experiments.MORNINGS
    x = test[["visit", "spend"]].to_numpy(dtype=float)[own]
    sums = [np.bincount(morning, weights) for weights in (np.ones(len(own)), *x.T, *(x**2).T)]
    count, *sums = (one.cumsum() for one in sums)
    mean, squares = np.stack(sums[:2], axis=1) / count[:, None], np.stack(sums[2:], axis=1)
    variance = (squares - count[:, None] * mean**2) / (count - 1)[:, None]
    return Arm(mean, (variance / count[:, None])[:, :, None] * np.eye(2), count - 1)


def stacked(arms: list[Arm]) -> Arm:
    """The same arm of many tests."""
    return Arm(*(np.stack([getattr(arm, name) for arm in arms]) for name in ("mean", "error", "df")))


def simulated_shop(tests: int) -> Shop:
    """Draw all tests, and keep what is needed of each."""
    rows: list[tuple[dict[str, Arm], ...]] = []
    truth = []
    for seed in range(tests):
        rng = np.random.default_rng([1, seed])
        units = experiments.simulate_units(rng, UNITS)
        test = experiments.simulate_test(rng, units, ARMS)
        found = moments_of(test, units.segment)
        days = {name: by_day(test, name) for name in ("control", NULL)}
        rows.append((arms_of(found.merged(["variant"]), "control"), arms_of(found, "control"), days))
        truth.append({arm: experiments.expected(units, arm).mean().to_numpy() for arm in experiments.ARMS})
    parts = [{name: stacked([row[place][name] for row in rows]) for name in rows[0][place]} for place in range(3)]
    return Shop(*parts, {arm: np.array([one[arm] for one in truth]) for arm in experiments.ARMS})


def counted(arm: Arm, place: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a proportion: how many units did, and all."""
    units = arm.df + 1
    return np.rint(arm.mean[..., place] * units), units


def compared(shop: Shop, arm: str) -> dict[str, Contrast]:
    """The arm against the control by every method."""
    found = {}
    for place, name in enumerate(("visit", "conversion")):
        ours, control = (counted(shop.whole[one], place) for one in (arm, "control"))
        found[f"{name}: proportion"] = experiment.proportions(*ours, *control)
    for name, (strata, value, covariate) in METHODS.items():
        arms = shop.strata if strata else shop.whole
        found[name] = contrast(arms[arm], arms["control"], value, covariate)
    return found


def true_values(expected: np.ndarray, method: str) -> np.ndarray:
    """What a method estimates of an arm."""
    visit, conversion, spend = expected.T
    return {"visit": visit, "conversion": conversion, "spend / conversion": spend / conversion, "spend": spend}[
        method.split(":")[0]
    ]


# -- single comparisons ------------------------------------------------------------------------------------------


def covering(found: Contrast, truth: np.ndarray, share: np.ndarray, what: str) -> list[Rate]:
    """How often both intervals hold what is true; a relative one that there is not, does not."""
    return [
        rate(what, (found.low <= truth) & (truth <= found.high), "= 0.95"),
        rate(f"{what}, relative", (found.relative_low <= share) & (share <= found.relative_high), "= 0.95"),
    ]


def shop_coverage(shop: Shop) -> list[Rate]:
    """The voucher's planted effects."""
    rates = []
    for name, found in compared(shop, "voucher").items():
        treated, control = (true_values(shop.expected[arm], name) for arm in ("voucher", "control"))
        rates += covering(found, treated - control, treated / control - 1, name)
    return rates


def rare(rng: np.random.Generator, tests: int, shares: tuple[float, float]) -> Contrast:
    """Proportions of a few in a thousand units."""
    units = np.full(tests, 2_000)
    return experiment.proportions(
        rng.binomial(2_000, shares[1], tests), units, rng.binomial(2_000, shares[0], tests), units
    )


def of_quantiles(rng: np.random.Generator, tests: int, lift: float) -> Contrast:
    """The nine tenths of order values, lognormal, of 500 units an arm."""
    values = rng.lognormal(3, 0.8, (tests, 2, 500)) * np.array([[[1], [1 + lift]]])
    return stacked_contrasts(
        [experiment.quantiles.quantiles(pair[1], pair[0], 0.9, seed) for seed, pair in enumerate(values)]
    )


def stacked_contrasts(found: list[Contrast]) -> Contrast:
    """One contrast of many tests."""
    return Contrast(*(np.array([getattr(one, name) for one in found]) for name in Contrast.__dataclass_fields__))


def of_households(rng: np.random.Generator, tests: int, effect: float) -> Contrast:
    """Means of 300 households an arm, of 1 to about 7 members who are alike; larger households have larger values."""
    size = 1.0 + rng.poisson(1.5, (tests, 2, 300))
    own = 10 + 0.5 * (size - 2.5) + rng.normal(0, 1, size.shape)
    total = size * own + np.sqrt(size) * rng.normal(0, 1, size.shape)  # and the members' own parts
    total[:, 1] += effect * size[:, 1]
    arms = []
    for both in (np.stack([total[:, place], size[:, place]], axis=-1) for place in range(2)):
        apart = both - both.mean(axis=1, keepdims=True)
        error = np.einsum("thi,thj->tij", apart, apart) / (300 * 299)
        arms.append(Arm(both.mean(axis=1), error, np.full(tests, 299.0)))
    return contrast(arms[1], arms[0], Value(0, 1))


HOUSEHOLD_MEAN = 10 + 0.5 * (1 + 1.5 + 1.5 / 2.5 - 2.5)  # a member's: E[size²] / E[size] is 2.5 + 1.5 / 2.5


def coverage(shop: Shop, tests: int) -> None:
    """Intervals of 95% and planted effects."""
    rng, tenths = np.random.default_rng(2), np.exp(3 + 0.8 * stats.norm.ppf(0.9))
    rates = shop_coverage(shop)
    rates += covering(rare(rng, tests, (0.004, 0.006)), 0.002, 0.5, "0.4% of 2,000 units: proportion")
    rates += covering(of_quantiles(rng, tests, 0.1), 0.1 * tenths, 0.1, "order value: 0.9 quantile, bootstrap")
    rates += covering(of_households(rng, tests, 0.3), 0.3, 0.3 / HOUSEHOLD_MEAN, "mean by member, households assigned")
    show("Intervals of 95% that hold the planted effect", rates)


def false_positives(shop: Shop, tests: int) -> None:
    """The second arm to which nothing happens."""
    rng, found = np.random.default_rng(3), compared(shop, NULL)
    found["0.4% of 2,000 units: proportion"] = rare(rng, tests, (0.004, 0.004))
    found["order value: 0.9 quantile, bootstrap"] = of_quantiles(rng, tests, 0)
    found["mean by member, households assigned"] = of_households(rng, tests, 0)
    show("Tests of nothing with p < 0.05", [rate(name, one.pvalue < 0.05, "= 0.05") for name, one in found.items()])


def guardrails(shop: Shop, tests: int) -> None:
    """Arms that fall exactly by the margin, of 5%."""
    rng, share = np.random.default_rng(4), 0.3
    options = {"alternative": "greater", "relative_margin": -0.05}
    units = np.full(tests, UNITS // len(ARMS))
    done = [rng.binomial(units, one) for one in (share * 0.95, share)]
    found = {"visit: proportion": experiment.proportions(done[0], units, done[1], units, **options)}
    less = np.array([1, 1, 0.95, 1])  # of spending, and nothing else
    for name, (strata, value, covariate) in METHODS.items():
        arms = shop.strata if strata else shop.whole
        fallen = Arm(arms[NULL].mean * less, arms[NULL].error * np.outer(less, less), arms[NULL].df)
        found[name] = contrast(fallen, arms["control"], value, covariate, **options)
    rates = [rate(name, one.pvalue < 0.05, "<= 0.05") for name, one in found.items()]
    show("Guardrails said to hold where the fall is just the one allowed", rates)


# -- many looks, many comparisons --------------------------------------------------------------------------------


def looks(shop: Shop) -> None:
    """Fourteen looks at the arm to which nothing happens."""
    share = np.arange(1, experiments.MORNINGS + 1) / experiments.MORNINGS
    rates = []
    for place, name in enumerate(("visit", "spend")):
        found = contrast(shop.days[NULL], shop.days["control"], Value(place))
        low, high, _ = experiment.confidence_sequence(found.effect, found.error, share)
        away = np.abs(found.effect / found.error)
        outside = {"fixed intervals, for contrast": found.pvalue < 0.05, "confidence sequence": (low > 0) | (high < 0)}
        for spending in ("obrien-fleming", "pocock"):
            outside[f"bounds, {spending}"] = away > experiment.bounds(share, spending=spending)["bound"].to_numpy()
        promises = ("", "<= 0.05", "= 0.05", "= 0.05")
        rates += [
            rate(f"{name}: {way}", hits.any(axis=1), promise)
            for (way, hits), promise in zip(outside.items(), promises, strict=True)
        ]
    show("Tests of nothing that are off at one of 14 daily looks or more", rates)


def families(shop: Shop) -> None:
    """Three arms by three metrics: six planted effects, and three of the arm to which nothing happens."""
    metrics = ["visit: proportion", "conversion: proportion", "spend: mean"]
    arms = [NULL, *experiments.ARMS[1:]]
    p = np.stack([compared(shop, arm)[metric].pvalue for arm in arms for metric in metrics], axis=1)
    null = np.arange(p.shape[1]) < len(metrics)
    by_holm, by_bh = (
        np.array([adjust(pd.Series(row)) for row in p]) < 0.05
        for adjust in (holm, experiment.compare.benjamini_hochberg)
    )
    show(
        "Nine comparisons, of which three are of nothing",
        [
            rate("any false finding, not adjusted", (p < 0.05)[:, null].any(axis=1)),
            rate("any false finding, Holm", by_holm[:, null].any(axis=1), "<= 0.05"),
            rate("all six planted effects found, Holm", by_holm[:, ~null].all(axis=1)),
            rate("all six planted effects found, Benjamini and Hochberg", by_bh[:, ~null].all(axis=1)),
        ],
    )
    share_of("False ones among those that Benjamini and Hochberg find", by_bh[:, null].sum(axis=1), by_bh.sum(axis=1))


def narrowing(tests: int) -> None:
    """A covariate of known correlation, in tests of 10,000 units."""
    rng = np.random.default_rng(5)
    print("\n## What a covariate does to the interval\n")
    print("| correlation | narrower by 1 - √(1 - ρ²) | measured | 95% of single tests |")
    print("| ---: | ---: | ---: | ---: |")
    rates = []
    for rho in (0.3, 0.6, 0.9):
        found = []
        for _ in range(tests):
            x, noise = rng.normal(size=(2, 2, 5_000))
            y = rho * x + np.sqrt(1 - rho**2) * noise + np.array([[0], [0.05]])
            arms = [Arm(*_means(np.stack([y[arm], x[arm]])), np.array(4_999.0)) for arm in range(2)]
            plain, own = (contrast(arms[1], arms[0], Value(0), covariate) for covariate in (None, Value(1)))
            found.append((1 - (own.high - own.low) / (plain.high - plain.low), own.low <= 0.05 <= own.high))
        narrower, covered = np.array(found).T
        low, high = np.quantile(narrower, [0.025, 0.975])
        theory = 1 - np.sqrt(1 - rho**2)
        print(f"| {rho} | {theory:.2%} | {narrower.mean():.2%} | {low:.2%} to {high:.2%} |")
        if abs(narrower.mean() - theory) > 0.001 + 3 * narrower.std() / np.sqrt(tests):
            missed.append(f"narrower by {narrower.mean():.2%} at ρ = {rho}; promised {theory:.2%}")
        rates.append(rate(f"adjusted, ρ = {rho}", covered, "= 0.95"))
    show("Adjusted intervals of 95% that hold the planted effect", rates)


def _means(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows.mean(axis=1), np.cov(rows) / rows.shape[1]


# -- through the engine --------------------------------------------------------------------------------------------


def canonical(test: pd.DataFrame, **columns: pd.Series | np.ndarray) -> ibis.Table:
    """The arms and some columns of a test, as the table that the library takes."""
    return ibis.memtable(pd.DataFrame({"variant": test["variant"], **columns}).reset_index(drop=True))


def soundness(tests: int) -> None:
    """Sound tests, and such whose arm lost a third of the units that did not visit."""
    sound, broken = [], []
    for seed in range(tests):
        rng = np.random.default_rng([6, seed])
        units = experiments.simulate_units(rng, 6_000)
        test = experiments.simulate_test(rng, units)
        columns = {"unit_id": test.index.astype(str), "exposed_at": test["exposed_at"]}
        table = canonical(test, **columns, covariate_past_spend=test["past_spend"])
        sound.append(experiment.soundness(table, "control").sound)
        lost = canonical(experiments.simulate_broken_test(rng, units))
        broken.append(experiment.sample_ratio(lost, "control").sound)
    checks = "sound, by any of the checks of sizes, days and balance, p < 0.001 each"
    rates = [rate(checks, ~np.array(sound), "<= 0.003")]
    rates.append(rate("broken, by the sample ratio alone", ~np.array(broken), ">= 0.99"))
    show("Tests of 6,000 units that are refused", rates)


def segments(tests: int) -> None:
    """Effects on visits by segment: the voucher harms one, and to the other arm nothing happens.

    Named as harmed is a segment that differs from the rest (by Benjamini and Hochberg), below it and below zero.
    """
    metric = experiment.Metric("visit", "outcome_visit", proportion=True)
    names = SEGMENTS["segment"].to_numpy()
    covered, named, wrong, false, all_found = [], [], [], [], []
    for seed in range(tests):
        rng = np.random.default_rng([7, seed])
        units = experiments.simulate_units(rng, 20_000)
        test = experiments.simulate_test(rng, units, ("control", "control", "voucher"))
        table = canonical(test, outcome_visit=test["visit"], covariate_segment=names[units.segment])
        found = experiment.by_segment(table, metric, "control", ["covariate_segment"]).table
        behind = experiments.expected(units, "voucher")["visit"] - experiments.expected(units, "control")["visit"]
        truth = behind.groupby(names[units.segment]).mean().reindex(found["value"]).to_numpy(copy=True)
        nothing = (found["variant"] == NULL).to_numpy()
        truth[nothing] = 0
        covered.append(((found["effect_low"] <= truth) & (truth <= found["effect_high"]))[~nothing])
        apart = (found["pvalue_bh"] < 0.05).to_numpy()
        harmed = apart & (found["apart"] < 0).to_numpy() & (found["effect"] < 0).to_numpy()
        named.append("trade" in set(found["value"][harmed & ~nothing]))
        wrong.append((harmed & ((found["value"] != "trade") | nothing)).any())
        false.append((apart & nothing).sum())
        all_found.append(apart.sum())
    by_value = [
        rate(f"effect in {value}", np.array(covered)[:, place], "= 0.95")
        for place, value in enumerate(found["value"][~nothing])
    ]
    show(
        "Segments in tests of 20,000 units: intervals of 95%, and who is named as harmed",
        [
            *by_value,
            rate("the harmed segment is named", np.array(named)),
            rate("another is named as harmed, or one to which nothing happened", np.array(wrong)),
        ],
    )
    share_of("False ones among segments that are said to react otherwise", np.array(false), np.array(all_found))


def main() -> None:
    """Print all tables, and end non-zero where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", type=int, default=2_000, help="simulated tests for each rate")
    tests = parser.parse_args().tests
    shop = simulated_shop(tests)
    coverage(shop, tests)
    false_positives(shop, tests)
    guardrails(shop, tests)
    looks(shop)
    families(shop)
    gatekeeping(10 * tests)
    decisions(tests // 4)
    narrowing(tests)
    soundness(tests)
    segments(tests)
    if missed:
        sys.exit("\n".join(["", "Not as promised:", *missed]))


if __name__ == "__main__":
    main()
