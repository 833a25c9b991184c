"""Does targeting pay? Qini curves, and the profit of a policy, on customers that its model has not seen.

The customers are ordered by predicted effect, the highest first. For the first share of them, with n units of each arm
and sums y of the outcome, the **Qini curve** (Radcliffe 2007) is (y₁ - y₀ · n₁/n₀) / N₁, with N₁ treated units in all.
It begins at zero and ends at the mean effect; treating at random is the straight line between. The **area above that
line** is the Qini coefficient. Other authors scale it differently: numbers do not compare.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.experiment.decision import Money, spelled
from customerlab.analysis.experiment.uplift import Predicted
from customerlab.analysis.inference import percentile_interval, resampled

SHARES = np.linspace(0, 1, 101)
AT_ONCE = 4_000_000  # weights of customers that are kept at once, which bounds memory
CHOSEN = "DR"  # the learner whose policy counts, chosen before its profit is known


@dataclass(frozen=True)
class Curves:
    """How well predicted effects rank the customers.

    Attributes
    ----------
    table : DataFrame
        `learner`, `share`, `gain` with `low` and `high`: the curve.
    areas : DataFrame
        `learner`, `area` (above choosing at random) with `low`, `high` and `pvalue` (of none), which agree: all by the
        normal law with the deviation of the draws, so that no number of draws bounds them.
    """

    table: pd.DataFrame
    areas: pd.DataFrame


def curves(predicted: Predicted, seed: int, *, confidence: float = 0.95, resamples: int = 500) -> Curves:
    """The Qini curve of every learner with bootstrap intervals over customers.

    Customers of one predicted effect are taken in random order, on the mean: the curve is straight between them.
    """
    rows, areas = [], []
    weights = partial(resampled, len(predicted.outcome), seed, resamples, at_once=AT_ONCE)
    for name, effect in predicted.effects.items():
        order, ends = _order(effect.groupby(predicted.half).rank(pct=True).to_numpy())
        own = _gains(np.ones((1, len(order))), predicted, order, ends)[0]
        drawn = np.vstack([_gains(part, predicted, order, ends) for part in weights()])
        low, high = percentile_interval(drawn, confidence)
        rows.append(pd.DataFrame({"learner": name, "share": SHARES, "gain": own, "low": low, "high": high}))
        area, spread = _area(own[None])[0], _area(drawn)
        error = spread.std(ddof=1)
        away = stats.norm.ppf((1 + confidence) / 2) * error
        pvalue = 2 * stats.norm.sf(abs(area) / error) if error > 0 else 1.0
        areas.append({"learner": name, "area": area, "low": area - away, "high": area + away, "pvalue": pvalue})
    return Curves(pd.concat(rows, ignore_index=True), pd.DataFrame(areas))


def profits(
    predicted: Predicted, seed: int, *, margin: float, cost: float, confidence: float = 0.95, resamples: int = 500
) -> pd.DataFrame:
    """Profit per customer of treating nobody, everybody, or the customers whose predicted effect pays.

    A unit of the outcome brings the margin (0.3 for spend with a margin of 30%). The profit of a policy is estimated
    from the customers that it would treat, share · (margin · effect - cost), by their random assignment. The model has
    not seen these customers, so the estimate is unbiased. With both halves judged, treating everybody has the effect of
    the whole test.

    Columns: `policy` (nobody, everybody, and one for each learner: treat where margin · effect > cost), `treated`
    (share of the customers), `profit` per customer above treating nobody with `low` and `high` (bootstrap over
    customers), and `better` with `better_low` and `better_high`: the difference from the better of nobody and
    everybody.
    """
    if not (np.isfinite(margin) and np.isfinite(cost) and cost >= 0):
        raise ValueError(f"margin {margin} and cost {cost} have to be finite, the cost not below zero")
    count = len(predicted.outcome)
    rules = {"nobody": np.zeros(count, dtype=bool), "everybody": np.ones(count, dtype=bool)}
    rules |= {str(name): (margin * effect > cost).to_numpy() for name, effect in predicted.effects.items()}

    def profit(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {name: _profit(weights, rule, predicted, margin, cost) for name, rule in rules.items()}

    own = {name: value[0] for name, value in profit(np.ones((1, count))).items()}
    parts = [profit(part) for part in resampled(count, seed, resamples, at_once=AT_ONCE)]
    drawn = {name: np.concatenate([part[name] for part in parts]) for name in rules}
    plain = "everybody" if own["everybody"] > 0 else "nobody"
    rows = []
    for name, rule in rules.items():
        low, high = percentile_interval(drawn[name], confidence)
        better = percentile_interval(drawn[name] - drawn[plain], confidence)
        rows.append([name, rule.mean(), own[name], low, high, own[name] - own[plain], *better])
    columns = ["policy", "treated", "profit", "low", "high", "better", "better_low", "better_high"]
    return pd.DataFrame(rows, columns=columns)


def advice(earned: pd.DataFrame, arm: str, money: Money, interval: str = "95%", arms: int = 1) -> str:
    """A sentence on the profit (or revenue) of the policy of the learner that was chosen beforehand.

    `earned` is as `profits` returns it, with intervals of the level `interval`, simultaneous over some `arms`.
    """
    rows = earned.set_index("policy").to_dict("index")
    rule, plain = rows[CHOSEN], "everybody" if rows["everybody"]["profit"] > 0 else "nobody"
    if rule["treated"] in (0, 1):
        raises = "does not raise" if rule["treated"] else "raises"
        return f"The {CHOSEN} model finds no customer for whom {arm} {raises} {money.word}."
    over = f", simultaneous over {arms} arms" if arms > 1 else ""
    sure = rule["better_low"] > 0 or rule["better_high"] < 0
    better, low, high = spelled(rule["better"], rule["better_low"], rule["better_high"])
    change = f"{better.lstrip('+-')} {money.currency} {'less' if rule['better'] < 0 else 'more'} {money.word}".replace(
        "  ", " "
    )
    return (
        f"Targeting {arm} by the {CHOSEN} model ({rule['treated']:.0%} of customers) brings {change} per customer than treating {plain} "
        f"({interval} CI of the difference {low} to {high}{over}): {'statistically significant' if sure else 'inconclusive'}."
    )


def ordered(areas: Mapping[str, pd.DataFrame], alpha: float) -> list[str]:
    """Sentences on whether any model ranks customers by their effect better than random.

    `areas` are those of the Qini curves, by arm; all learners of all arms share `alpha`.
    """
    said, none = [], []
    for arm, table in areas.items():
        found = table.loc[(table["area"] > 0) & (len(table) * len(areas) * table["pvalue"] < alpha), "learner"]
        who = (
            f"Uplift models rank customers by the effect of {arm} significantly better than random: {', '.join(found)}."
        )
        said += [who] if len(found) else []
        none += [] if len(found) else [arm]
    what = "No uplift model ranks customers significantly better than random (Qini coefficient, Bonferroni-adjusted)"
    return [*said, f"{what}: {', '.join(none)}."] if none else said


def _order(effect: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Customers by falling effect, and where each run of equal effects ends."""
    order = np.argsort(-effect, kind="stable")
    return order, np.append(np.flatnonzero(np.diff(effect[order])), len(order) - 1)


def _gains(weights: np.ndarray, predicted: Predicted, order: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The curve at `SHARES`, one row per resample."""
    treated, outcome = predicted.treated[order], predicted.outcome[order]
    ordered = weights[:, order]

    def summed(values: np.ndarray) -> np.ndarray:
        return np.hstack([np.zeros((len(weights), 1)), (ordered * values).cumsum(axis=1)[:, ends]])

    n1, n0, y1, y0 = (summed(one) for one in (treated, ~treated, treated * outcome, ~treated * outcome))
    share = (n1 + n0) / (n1 + n0)[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = (y1 - y0 * n1 / n0) / n1[:, -1:]
    gain = np.where((n1 > 0) & (n0 > 0), gain, 0)  # of the very first customers one arm may have none
    return np.array([np.interp(SHARES, one, values) for one, values in zip(share, gain, strict=True)])


def _area(gains: np.ndarray) -> np.ndarray:
    """Above the straight line to the end."""
    return np.trapezoid(gains - SHARES * gains[:, -1:], SHARES, axis=1)


def _profit(weights: np.ndarray, rule: np.ndarray, predicted: Predicted, margin: float, cost: float) -> np.ndarray:
    if not rule.any():
        return np.zeros(len(weights))
    chosen = weights[:, rule]
    treated, outcome = predicted.treated[rule], predicted.outcome[rule]
    with np.errstate(invalid="ignore", divide="ignore"):
        one, other = ((chosen @ (arm * outcome)) / (chosen @ arm) for arm in (treated, ~treated))
    return chosen.sum(axis=1) / weights.sum(axis=1) * (margin * (one - other) - cost)
