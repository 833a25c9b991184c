"""From effects to a decision: what is saved, the table that a manager reads, and the sentences that it supports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric
from customerlab.errors import ParameterError

SAVED = {
    "metric": "outcome", "variant": "variant", "against_mean": "control_mean", "variant_mean": "variant_mean",
    "effect": "effect", "effect_low": "effect_low", "effect_high": "effect_high", "relative": "relative",
    "relative_low": "relative_low", "relative_high": "relative_high", "pvalue": "pvalue", "pvalue_holm": "pvalue_holm",
    "pvalue_bh": "pvalue_bh",
}  # fmt: skip
"""Columns of the artefact `experiment_effects`, by those of `compare_arms`."""

CLEAR = {1: "better", -1: "worse"}
NOT_CLEAR = "not to be told from no effect"
PROFIT = ("profit", "profit_low", "profit_high")


def no_effects() -> pd.DataFrame:
    """The table of effects, as `compare_arms` returns it, of a test that is not sound: it has none."""
    texts = ("metric", "variant", "against")
    return pd.DataFrame(
        {name: pd.Series(dtype="str" if name in texts else "float64") for name in ["against", "error", *SAVED]}
    )


def saved(effects: pd.DataFrame) -> pd.DataFrame:
    """The effects in the form of the artefact: one row an outcome or ratio and arm, all compared with the control."""
    return effects[list(SAVED)].rename(columns=SAVED)


@dataclass(frozen=True)
class Money:
    """What an effect is worth.

    Attributes
    ----------
    metric : str
        The metric that is money a unit; empty where there is none.
    margin : float
        The share of it that is kept.
    cost : float
        What treating one unit costs.
    by_arm : mapping of str to float
        The cost of arms that cost something else.
    """

    metric: str = ""
    margin: float = 1.0
    cost: float = 0.0
    by_arm: Mapping[str, float] = field(default_factory=dict)

    def check(self, arms: Sequence[str]) -> "Money":
        """Itself, if the arms with a cost of their own are among those of the test.

        Raises
        ------
        ParameterError
            If one is not.
        """
        if unknown := [arm for arm in self.by_arm if arm not in arms]:
            raise ParameterError(f"arm_costs: {unknown[0]!r}", expected=f"arms of the test: {', '.join(arms)}")
        return self

    def cost_of(self, arm: str) -> float:
        """What treating one unit of an arm costs."""
        return self.by_arm.get(arm, self.cost)

    @property
    def known(self) -> bool:
        """Whether a margin or a cost was given: without them money is revenue, not profit."""
        return self.margin != 1 or self.cost > 0 or bool(self.by_arm)

    @property
    def word(self) -> str:
        """What the money is."""
        return "profit" if self.known else "revenue"


def decision(effects: pd.DataFrame, guardrails: pd.DataFrame, *, confidence: float, money: Money) -> pd.DataFrame:
    """What a manager reads: each effect, whether it is clear of chance, and what it is worth.

    Parameters
    ----------
    effects : DataFrame
        As `at_holm_levels` returns it: an interval leaves out zero exactly when its verdict is clear.
    guardrails : DataFrame
        As `compare_arms` returns it, of metrics with an allowed loss, or without a row. All that are asked have to hold
        for an arm, so that none is adjusted for the others (Berger 1982).
    confidence : float
    money : Money

    Returns
    -------
    DataFrame
        `metric`, `variant`, `guardrail` (bool), `effect`, `effect_low`, `effect_high`, `relative`, `relative_low`,
        `relative_high`, `sign` (1 or -1 where the arm is better or worse, clear of chance after adjustment, else 0; of
        a guardrail 1 where it holds), `verdict`, and `profit`, `profit_low`, `profit_high` a unit: margin times effect
        minus cost, of the metric that is money.
    """
    alpha, worse = 1 - confidence, set()
    same = ["metric", "variant", "effect", "effect_low", "effect_high", "relative", "relative_low", "relative_high"]
    rows = []
    for row in effects.to_dict("records"):
        change = int(np.sign(row["effect"])) if row["pvalue_holm"] < alpha else 0
        sign = -change if row["less_is_better"] else change
        clear = f"{'higher' if change > 0 else 'lower'}: {CLEAR[sign]}" if change else NOT_CLEAR
        worse |= {(row["metric"], row["variant"])} if sign < 0 else set()
        one = {name: row[name] for name in same} | {"guardrail": False, "sign": sign}
        one["verdict"] = clear if row["pvalue_holm"] >= 0 else "cannot be judged: it does not vary"
        if row["metric"] == money.metric:
            ends = [money.margin * row[name] - money.cost_of(row["variant"]) for name in same[2:5]]
            one |= dict(zip(PROFIT, ends, strict=True))
        rows.append(one)
    for row in guardrails.to_dict("records"):
        holds = bool(row["pvalue"] < alpha)
        loss = f"a {'rise' if row['less_is_better'] else 'fall'} by {100 * row['allowed_loss']:g}% of its mean"
        sure = ", and that it is worse is clear of chance" if (row["metric"], row["variant"]) in worse else ""
        said = f"holds: {loss} is excluded" if holds else f"not shown to hold: {loss} is not excluded{sure}"
        rows.append({name: row[name] for name in same} | {"guardrail": True, "sign": int(holds)})
        rows[-1]["verdict"] = said if row["pvalue"] >= 0 else "not judged: the control's mean is not above zero"
    columns = [*same, "guardrail", "sign", "verdict", *PROFIT]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(PROFIT, float) | {"guardrail": bool})


def recommendation(
    decided: pd.DataFrame, pairs: pd.DataFrame, primary: Metric, *, control: str, confidence: float, money: Money
) -> list[str]:
    """The sentences that the table supports.

    An arm is recommended where the primary metric is clearly better, every guardrail holds, and money, where the test
    has it, does not speak against it: as the primary metric it has to pay for sure, beside another one it must not
    surely lose. Of several arms the one that pays most is named, or that with the largest effect, with what is known of
    its lead.

    Parameters
    ----------
    decided : DataFrame
        As `decision` returns it.
    pairs : DataFrame
        As `compare_arms` returns it for arms other than the control; may be empty.
    primary : Metric
    control : str
    confidence : float
    money : Money
        As in `decision`.
    """
    own = decided[(decided["metric"] == primary.name) & ~decided["guardrail"]]
    against = {arm: _obstacles(decided, arm, primary, money) for arm in own["variant"]}
    good = own[(own["sign"] == 1) & ~own["variant"].map(against).astype(bool)]
    if good.empty:
        said = [f"**No arm is recommended over {control}** by {primary.name}."]
    else:
        by = "profit" if primary.name == money.metric else "effect"
        best = good.sort_values(by, key=abs, ascending=False, kind="stable").iloc[0]
        said = [
            f"**Roll out {best['variant']}**: {primary.name} is {'higher' if best['effect'] > 0 else 'lower'} by "
            f"{_estimate(best, primary, confidence)}, clear of chance among the {len(decided[~decided['guardrail']])} "
            f"comparisons with {control}{_worth(decided, best['variant'], money)}."
        ]
        others = [arm for arm in good["variant"] if arm != best["variant"]]
        said += [_lead(pairs, primary, best["variant"], other, confidence) for other in others]
        if len(own) > 1:
            said.append(
                f"{best['variant']} was chosen as the best of {len(own)} arms in the same data: expect somewhat less of it."
            )
        if primary.ratio:
            said.append(
                f"{primary.name} is a ratio of what different units did in each arm: it describes, and says nothing of the "
                "same units."
            )
    for row in own[~own["variant"].isin(good["variant"])].to_dict("records"):
        found = f"{row['variant']}: the effect on {primary.name} is estimated at {_estimate(row, primary, confidence)}; {row['verdict']}"
        if row["sign"] == 1:
            found += f", but {' and '.join(against[row['variant']])}"
        said.append(found + ".")
    return said


def open_guardrails(decided: pd.DataFrame) -> list[str]:
    """Sentences for the guardrails that are not shown to hold."""
    rows = decided[decided["guardrail"] & (decided["sign"] == 0)]
    return [f"{row.variant}: the guardrail on {row.metric} is {row.verdict}." for row in rows.itertuples()]


def other_effects(
    judged: pd.DataFrame, metrics: Sequence[Metric], primary: str, *, confidence: float, most: int = 10
) -> list[str]:
    """Sentences for the effects on other metrics that are clear of chance, the surest first.

    Parameters
    ----------
    judged : DataFrame
        As `at_holm_levels` returns it.
    metrics : sequence of Metric
    primary : str
        The metric that is left out.
    confidence : float
    most : int
        Sentences; the rest are counted.
    """
    by_name = {metric.name: metric for metric in metrics}
    clear = judged[(judged["pvalue_holm"] < 1 - confidence) & (judged["metric"] != primary)].sort_values(
        ["pvalue", "metric", "variant"]
    )
    said = []
    for row in clear.head(most).to_dict("records"):
        metric = by_name[row["metric"]]
        share = f", {row['relative']:+.1%} of its mean" if np.isfinite(row["relative"]) else ""
        better = "worse" if (row["effect"] > 0) == metric.less_is_better else "better"
        said.append(f"{row['variant']}: {metric.name} is {better} by {_estimate(row, metric, confidence)}{share}.")
    more = len(clear) - most
    return said + ([f"{more} more effects are clear of chance: see the table in section 3."] if more > 0 else [])


def _obstacles(decided: pd.DataFrame, arm: str, primary: Metric, money: Money) -> list[str]:
    """Why an arm is not to be rolled out although its primary metric is better."""
    rows = decided[decided["variant"] == arm]
    why = [
        f"the guardrail on {name} is not shown to hold"
        for name in rows.loc[rows["guardrail"] & (rows["sign"] == 0), "metric"]
    ]
    for row in rows[~rows["guardrail"] & (rows["metric"] == money.metric)].to_dict("records"):
        ends = f"{money.word} {row['profit_low']:+,.4g} to {row['profit_high']:+,.4g} a unit"
        if row["profit_high"] < 0:
            why.append(f"it loses money ({ends})")
        elif row["profit_low"] <= 0 and primary.name == money.metric:
            why.append(f"it may lose money ({ends})")
    return why


def _worth(decided: pd.DataFrame, arm: str, money: Money) -> str:
    rows = decided[(decided["metric"] == money.metric) & (decided["variant"] == arm) & ~decided["guardrail"]]
    if rows.empty:
        return ""
    row = rows.iloc[0]
    sure = "" if row["profit_low"] > 0 else ", which may be a loss"
    given = "after margin and cost" if money.known else "no margin or cost was given, so that this is revenue:"
    ends = f"{row['profit']:+,.4g} ({row['profit_low']:+,.4g} to {row['profit_high']:+,.4g})"
    return f"; {given} {ends} a unit{sure}"


def _lead(pairs: pd.DataFrame, primary: Metric, best: str, other: str, confidence: float) -> str:
    both = pairs[
        (pairs["metric"] == primary.name) & pairs["variant"].isin([best, other]) & pairs["against"].isin([best, other])
    ]
    sure = bool((both["pvalue_holm"] < 1 - confidence).any())
    return (
        f"{other} is clearly better than the control too; that {best} is better than {other} is {'clear' if sure else 'not clear'} of "
        "chance among all pairs of arms."
    )


def for_managers(decided: pd.DataFrame, metrics: Sequence[Metric], money: Money) -> pd.DataFrame:
    """The same in words: percentage points for proportions, intervals in one column, money for 1,000 units."""
    by_name = {metric.name: metric for metric in metrics}
    rows = []
    for row in decided.to_dict("records"):
        metric = by_name[row["metric"]]
        effect, low, high = spelled(row["effect"], row["effect_low"], row["effect_high"], points=metric.proportion)
        relative = "–" if np.isnan(row["relative"]) else f"{row['relative']:+.1%}"
        ends = [f"at least {row['relative_low']:+.1%}"] * bool(np.isfinite(row["relative_low"]))
        ends += [f"at most {row['relative_high']:+.1%}"] * bool(np.isfinite(row["relative_high"]))
        if row["guardrail"] and ends:
            relative += f" ({', '.join(ends)})"
        one = {
            "metric": f"{metric.name} (guardrail)" if row["guardrail"] else metric.name, "arm": row["variant"],
            "effect": effect + (" points" if metric.proportion else ""),
            "interval": "–" if np.isnan(row["effect_low"]) else f"{low} to {high}", "relative": relative,
            "verdict": row["verdict"],
        }  # fmt: skip
        if money.metric:
            worth = [1000 * row[name] for name in PROFIT]
            one[f"{money.word} of 1,000 units"] = (
                "–" if np.isnan(worth[0]) else "{:+,.0f} ({:+,.0f} to {:+,.0f})".format(*worth)
            )
        rows.append(one)
    return pd.DataFrame(rows)


def spelled(value: float, low: float, high: float, *, points: bool = False) -> tuple[str, str, str]:
    """An estimate and the ends of its interval, all to the digits that the interval's width allows.

    Parameters
    ----------
    value, low, high : float
    points : bool
        Whether they are proportions, to be read in percentage points.

    Examples
    --------
    >>> spelled(0.76983, 0.4764, 1.063), spelled(0.0939, 0.0446, 0.1431, points=True), spelled(-3.2, -4.1, float("inf"))
    (('+0.770', '+0.476', '+1.063'), ('+9.4', '+4.5', '+14.3'), ('-3.200', '-4.100', 'no limit'))
    """
    scale = 100 if points else 1
    known = [abs(end - value) for end in (low, high) if np.isfinite(end) and end != value]
    width = scale * max(known, default=abs(value) or 1.0)
    digits = int(np.clip(2 - np.floor(np.log10(width)) - points, 0, 10)) if width > 0 else 0

    def one(number: float) -> str:
        return "–" if np.isnan(number) else f"{scale * number:+,.{digits}f}" if np.isfinite(number) else "no limit"

    return one(value), one(low), one(high)


def _estimate(row: Any, metric: Metric, confidence: float) -> str:
    effect, low, high = spelled(row["effect"], row["effect_low"], row["effect_high"], points=metric.proportion)
    unit = " percentage points" if metric.proportion else ""
    ends = "" if np.isnan(row["effect_low"]) else f" ({100 * confidence:g}% interval, adjusted, {low} to {high})"
    return f"{effect}{unit}{ends}"
