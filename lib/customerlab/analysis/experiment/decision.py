"""From effects to a decision: what is saved, what an effect is worth, and the table that a manager reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric
from customerlab.errors import ParameterError

SHOWN = ("metric", "variant", "effect", "effect_low", "effect_high", "relative", "relative_low", "relative_high")
SAVED = {"metric": "outcome", "variant": "variant", "against_mean": "control_mean", "variant_mean": "variant_mean"}
SAVED |= {name: name for name in (*SHOWN[2:], "pvalue", "pvalue_holm", "pvalue_bh", "pvalue_adjusted")}
SAVED |= {name: name for name in ("simultaneous_low", "simultaneous_high")}
"""Columns of the artefact `experiment_effects`, by those of `gatekept`."""

BETTER = {1: "better", -1: "worse"}
INCONCLUSIVE = "inconclusive"
NOT_TESTED = "not tested: no arm is significant on the primary metric"
PROFIT = ("profit", "profit_low", "profit_high")


def no_effects() -> pd.DataFrame:
    """The table of effects, as `gatekept` returns it, of a test that is not sound: it has none."""
    types = dict.fromkeys(("metric", "variant", "against"), "str") | {"primary": "bool"}
    return pd.DataFrame(
        {name: pd.Series(dtype=types.get(name, "float64")) for name in ["against", "error", "primary", *SAVED]}
    )


def saved(effects: pd.DataFrame) -> pd.DataFrame:
    """The effects in the form of the artefact: one row an outcome or ratio and arm, all compared with the control."""
    return effects[list(SAVED)].rename(columns=SAVED)


@dataclass(frozen=True)
class Money:
    """What an effect is worth, if `metric` (empty where there is none) is money a unit.

    Attributes
    ----------
    margin : float
        The share of it that is kept.
    cost, by_arm : float, mapping of str to float
        What treating one unit costs, and in arms that cost something else.
    """

    metric: str = ""
    margin: float = 1.0
    cost: float = 0.0
    by_arm: Mapping[str, float] = field(default_factory=dict)

    def check(self, arms: Sequence[str]) -> "Money":
        """Itself, if the arms with a cost of their own are in the test; else ParameterError."""
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
    """What a manager reads: each effect, whether it is statistically significant, and what it is worth.

    `effects` are as `gatekept` returns them, and `guardrails` as `compare_arms` does, of metrics with an allowed loss;
    there may be none. All that are asked have to hold for an arm, so that none is adjusted for the others (Berger
    1982).

    Columns: `metric`, `variant`, `guardrail`, `primary` (bool), `family` (comparisons that the interval holds together
    with), `effect`, `effect_low`, `effect_high` (the simultaneous ones; of a guardrail its own), `relative`,
    `relative_low`, `relative_high` (missing where the control's value is not significantly above zero), `pvalue`,
    `sign` (1 or -1 where the arm is significantly better or worse, else 0; of a guardrail 1 where it holds), `verdict`,
    and `profit`, `profit_low`, `profit_high` a unit: margin times effect minus cost, of the metric that is money.
    """
    alpha, worse = 1 - confidence, set()
    found = effects.assign(found=effects["pvalue_adjusted"] < alpha)
    shut = not found.loc[found["primary"], "found"].any()
    rows = []
    for row in found.to_dict("records"):
        row |= {"effect_low": row["simultaneous_low"], "effect_high": row["simultaneous_high"]}
        change = int(np.sign(row["effect"])) if row["found"] else 0
        sign = -change if row["less_is_better"] else change
        worse |= {(row["metric"], row["variant"])} if sign < 0 else set()
        one = _shown(row) | {"guardrail": False, "sign": sign, "verdict": _verdict(row, change, sign, shut, alpha)}
        if row["metric"] == money.metric:
            ends = [money.margin * row[name] - money.cost_of(row["variant"]) for name in SHOWN[2:5]]
            one |= dict(zip(PROFIT, ends, strict=True))
        rows.append(one)
    for row in guardrails.to_dict("records"):
        one = _shown(row) | {"guardrail": True, "primary": False, "family": 1}
        judged = pd.notna(one["relative"]) and row["pvalue"] >= 0
        holds = bool(judged and row["pvalue"] < alpha)
        loss = f"a {'rise' if row['less_is_better'] else 'fall'} by {100 * row['allowed_loss']:g}% of its mean"
        also = ", and it is significantly worse" if (row["metric"], row["variant"]) in worse else ""
        said = f"holds: {loss} is excluded" if holds else f"not shown to hold: {loss} is not excluded{also}"
        unknown = "not judged: the control's mean is not significantly above zero"
        rows.append(one | {"sign": int(holds), "verdict": said if judged else unknown})
    columns = [*SHOWN, "pvalue", "guardrail", "primary", "family", "sign", "verdict", *PROFIT]
    types = dict.fromkeys(PROFIT, float) | dict.fromkeys(("guardrail", "primary"), bool)
    return pd.DataFrame(rows, columns=columns).astype(types)


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    """What is shown of an effect; as a share only where both say something, the share and what it is of."""
    one = {name: row[name] for name in (*SHOWN, "pvalue", "primary", "family") if name in row}
    known = np.isfinite(row["relative_low"]) or np.isfinite(row["relative_high"])
    return one if known else one | dict.fromkeys(SHOWN[5:], np.nan)


def _verdict(row: Mapping[Any, Any], change: int, sign: int, shut: bool, alpha: float) -> str:
    if not row["pvalue"] >= 0:
        return "cannot be judged: it does not vary"
    if row["few"]:
        return str(row["few"])
    if change:
        return f"{'higher' if change > 0 else 'lower'}: {BETTER[sign]}"
    if shut and not row["primary"]:
        return NOT_TESTED
    if row["randomised"] * row["family"] >= alpha:
        return f"{INCONCLUSIVE}: the randomisation test, which holds at any skew, has p = {row['randomised']:.3g} by itself"
    return INCONCLUSIVE


def open_guardrails(decided: pd.DataFrame) -> list[str]:
    """Sentences for the guardrails that are not shown to hold."""
    rows = decided[decided["guardrail"] & (decided["sign"] == 0)]
    return [f"{row.variant}: the guardrail on {row.metric} is {row.verdict}." for row in rows.itertuples()]


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
            said = "–" if np.isnan(worth[0]) else "{:+,.0f} ({:+,.0f} to {:+,.0f})".format(*worth)
            one[f"{money.word} of 1,000 units"] = said
        rows.append(one)
    return pd.DataFrame(rows)


def spelled(value: float, low: float, high: float, *, points: bool = False) -> tuple[str, str, str]:
    """An estimate and the ends of its interval, to the digits that its width allows; proportions in percentage points.

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
