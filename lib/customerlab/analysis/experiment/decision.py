"""From effects to a decision: verdicts, what an effect is worth, and the decision table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric
from customerlab.analysis.experiment.gatekeeping import ENDS, SIMULTANEOUS
from customerlab.errors import ParameterError
from customerlab.formats import p_value

SHOWN = ("metric", "variant", "effect", "effect_low", "effect_high", "relative", "relative_low", "relative_high")
SAVED = {"metric": "outcome", "variant": "variant", "against_mean": "control_mean", "variant_mean": "variant_mean"}
SAVED |= {name: name for name in (*SHOWN[2:], "pvalue", "pvalue_holm", "pvalue_bh", "pvalue_adjusted")}
SAVED |= {name: name for name in ("simultaneous_low", "simultaneous_high")}
"""Columns of the artefact `experiment_effects`, by those of `gatekept`."""

BETTER = {1: "significantly better", -1: "significantly worse"}
INCONCLUSIVE = "inconclusive"
NOT_TESTED = "not tested: no arm is significant on the primary metric"
PROFIT = ("profit", "profit_low", "profit_high")
NOT_GIVEN = "no margin or cost is given (parameters margin, cost_per_unit, arm_costs)"


def no_effects() -> pd.DataFrame:
    """The table of effects, as `gatekept` returns it, of a test that is not sound: it has none."""
    types = dict.fromkeys(("metric", "variant", "against"), "str") | {"primary": "bool"}
    return pd.DataFrame(
        {name: pd.Series(dtype=types.get(name, "float64")) for name in ["against", "error", "primary", *SAVED]}
    )


def saved(effects: pd.DataFrame) -> pd.DataFrame:
    """The effects in the form of the artefact: one row per outcome (or ratio) and arm, each against the control."""
    return effects[list(SAVED)].rename(columns=SAVED)


@dataclass(frozen=True)
class Money:
    """What an effect is worth, if `metric` (empty where there is none) is money per unit.

    Attributes
    ----------
    margin : float
        The share of it that is profit.
    cost, by_arm : float, mapping of str to float
        The cost of treating one unit, and that of single arms where it differs.
    currency, per : str
        In what it is, such as "EUR" (empty where nothing is on record), and what it is the mean of.
    """

    metric: str = ""
    margin: float = 1.0
    cost: float = 0.0
    by_arm: Mapping[str, float] = field(default_factory=dict)
    currency: str = ""
    per: str = "customer"

    def check(self, arms: Sequence[str]) -> "Money":
        """Itself, if the arms with a cost of their own are in the test; else ParameterError."""
        if unknown := [arm for arm in self.by_arm if arm not in arms]:
            raise ParameterError(f"arm_costs: {unknown[0]!r}", expected=f"arms of the test: {', '.join(arms)}")
        return self

    def cost_of(self, arm: str) -> float:
        """The cost of treating one unit of an arm."""
        return self.by_arm.get(arm, self.cost)

    @property
    def known(self) -> bool:
        """Whether a margin or a cost was given; without them money is revenue, not profit."""
        return self.margin != 1 or self.cost > 0 or bool(self.by_arm)

    @property
    def word(self) -> str:
        """What the money is called: profit or revenue."""
        return "profit" if self.known else "revenue"

    @property
    def basis(self) -> str:
        """What the money is computed with, as a sentence; of no money, nothing."""
        if not self.metric:
            return ""
        if self.known:
            return f"Profit is at a margin of {self.margin:g} and the costs of the arms."
        return f"Money is revenue, not profit: {NOT_GIVEN}."

    @property
    def each(self) -> str:
        """What follows an amount: in what it is, and of whom."""
        return f" {self.currency} per {self.per}" if self.currency else f" per {self.per}"

    def unit(self, metric: Metric) -> str:
        """What follows an effect on a metric in a sentence, with a blank before it; mostly nothing."""
        if metric.proportion:
            return " percentage points"
        if metric.name == self.metric:
            return self.each
        return f" {self.currency}".rstrip() if self.metric and metric.name.startswith(f"{self.metric} / ") else ""

    def labelled(self, name: str) -> str:
        """The name of a metric, with the currency if it is the money."""
        return f"{name} ({self.currency})" if self.currency and name == self.metric else name


def decision(effects: pd.DataFrame, guardrails: pd.DataFrame, *, confidence: float, money: Money) -> pd.DataFrame:
    """Each effect and guardrail with its verdict, and what the effect is worth.

    `effects` are as `gatekept` returns them, and `guardrails` as `compare_arms` does, of metrics with an allowed loss;
    there may be none. An arm has to pass all of its guardrails, so none is adjusted for the others (Berger 1982).

    Columns: `metric`, `variant`, `guardrail`, `primary` (bool), `family` (comparisons that the interval is simultaneous
    over), `effect`, `relative` and their `_low` and `_high` (simultaneous; of a guardrail one-sided; relative ones are
    missing where the control's value is not significantly above zero), `pvalue`, `sign` (1 or -1 where the arm is
    significantly better or worse, else 0; of a guardrail 1 where it passes), `verdict`, and `profit`, `profit_low`,
    `profit_high` per unit: margin times effect minus cost, of the metric that is money.
    """
    alpha, worse = 1 - confidence, set()
    found = effects.assign(found=effects["pvalue_adjusted"] < alpha)
    shut = not found.loc[found["primary"], "found"].any()
    rows = []
    for row in found.to_dict("records"):
        row |= {end: row[name] for end, name in zip(ENDS, SIMULTANEOUS, strict=True)}
        change = int(np.sign(row["effect"])) if row["found"] else 0
        sign = -change if row["less_is_better"] else change
        worse |= {(row["metric"], row["variant"])} if sign < 0 else set()
        one = _shown(row) | {"guardrail": False, "sign": sign, "verdict": _verdict(row, sign, shut, alpha)}
        if row["metric"] == money.metric:
            ends = [money.margin * row[name] - money.cost_of(row["variant"]) for name in SHOWN[2:5]]
            one |= dict(zip(PROFIT, ends, strict=True))
        rows.append(one)
    for row in guardrails.to_dict("records"):
        one = _shown(row) | {"guardrail": True, "primary": False, "family": 1}
        judged = pd.notna(one["relative"]) and row["pvalue"] >= 0
        holds = bool(judged and row["pvalue"] < alpha)
        loss = f"a {'rise' if row['less_is_better'] else 'fall'} of {100 * row['allowed_loss']:g}%"
        also = ", and the arm is significantly worse" if (row["metric"], row["variant"]) in worse else ""
        said = f"pass: {loss} is excluded" if holds else f"fail: {loss} cannot be excluded{also}"
        unknown = "not judged: the control mean is not significantly above zero"
        rows.append(one | {"sign": int(holds), "verdict": said if judged else unknown})
    columns = [*SHOWN, "pvalue", "guardrail", "primary", "family", "sign", "verdict", *PROFIT]
    types = dict.fromkeys(PROFIT, float) | dict.fromkeys(("guardrail", "primary"), bool)
    return pd.DataFrame(rows, columns=columns).astype(types)


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    """What is shown of an effect; as a share only where both say something, the share and what it is of."""
    one = {name: row[name] for name in (*SHOWN, "pvalue", "primary", "family") if name in row}
    known = np.isfinite(row["relative_low"]) or np.isfinite(row["relative_high"])
    return one if known else one | dict.fromkeys(SHOWN[5:], np.nan)


def _verdict(row: Mapping[Any, Any], sign: int, shut: bool, alpha: float) -> str:
    if not row["pvalue"] >= 0:
        return "cannot be judged: it does not vary"
    if row["few"]:
        return str(row["few"])
    if sign:
        return BETTER[sign]
    if shut and not row["primary"]:
        return NOT_TESTED
    if row["randomised"] * row["family"] >= alpha:
        return f"{INCONCLUSIVE}: the randomisation test has {p_value(row['randomised'])}, unadjusted"
    return INCONCLUSIVE


def open_guardrails(decided: pd.DataFrame) -> list[str]:
    """Sentences for the guardrails that are not passed."""
    rows = decided[decided["guardrail"] & (decided["sign"] == 0)]
    verdicts = {"fail": "fails the guardrail", "not judged": "is not judged by the guardrail"}
    parts = [(row["variant"], row["metric"], *row["verdict"].split(": ", 1)) for row in rows.to_dict("records")]
    return [f"{arm} {verdicts[verdict]} on {metric}: {why}." for arm, metric, verdict, why in parts]


def for_managers(
    decided: pd.DataFrame, metrics: Sequence[Metric], money: Money, *, confidence: float, wanted_lift: float
) -> pd.DataFrame:
    """The decision table in words, what decides first, then the guardrails; money per 1,000 customers.

    Proportions are in percentage points (pp). The column "improvement ≥ …" is the practical significance: whether the
    relative effect is at least `wanted_lift` for the better, "yes" where its whole interval is, "no" where its whole
    interval is below, else "unclear".
    """
    by_name = {metric.name: metric for metric in metrics}
    ordered = decided.sort_values(["primary", "guardrail"], ascending=False, kind="stable")
    rows = []
    for row in ordered.to_dict("records"):
        metric = by_name[row["metric"]]
        effect, low, high = spelled(row["effect"], row["effect_low"], row["effect_high"], points=metric.proportion)
        verdict, _, note = row["verdict"].partition(": ")
        note = note if row["verdict"] != NOT_TESTED else ""
        one = {
            "metric: arm": f"{metric.name}{' (guardrail)' if row['guardrail'] else ''}: {row['variant']}",
            "verdict": verdict,
            "effect": effect + " pp" * metric.proportion,
            f"{100 * confidence:g}% CI": "–" if np.isnan(row["effect_low"]) else f"{low} to {high}",
            "relative effect": relative(row),
            f"improvement ≥ {100 * wanted_lift:g}%": _relevance(row, metric, wanted_lift),
        }
        if money.metric:
            worth = [1000 * row[name] for name in PROFIT]
            said = "–" if np.isnan(worth[0]) else "{:+,.0f} ({:+,.0f} to {:+,.0f})".format(*worth)
            one[f"{money.word}{money.currency and f', {money.currency}'} per 1,000 {money.per}s"] = said
        rows.append(one | {"note": note})
    table = pd.DataFrame(rows)
    return table if table["note"].any() else table.drop(columns="note")


def relative(row: Mapping[Any, Any]) -> str:
    """A relative effect with its interval, of which a guardrail has one end; – where it is not defined."""
    if np.isnan(row["relative"]):
        return "–"
    relative, *ends = spelled(*(row[name] for name in SHOWN[5:]), points=True)
    low, high = (f"{end}%" if np.isfinite(row[name]) else "" for name, end in zip(SHOWN[6:], ends, strict=True))
    said = f"{low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
    return f"{relative}% ({said})"


def _relevance(row: Mapping[Any, Any], metric: Metric, wanted_lift: float) -> str:
    low, high = row["relative_low"], row["relative_high"]
    low, high = (-high, -low) if metric.less_is_better else (low, high)
    if row["guardrail"] or not (np.isfinite(low) and np.isfinite(high)):
        return "–"
    return "yes" if low >= wanted_lift else "no" if high < wanted_lift else "unclear"


def spelled(value: float, low: float, high: float, *, points: bool = False) -> tuple[str, str, str]:
    """An estimate and the ends of its interval, to the digits that its width allows; proportions in percentage points.

    Examples
    --------
    >>> spelled(0.76983, 0.4764, 1.063), spelled(0.0939, 0.0446, 0.1431, points=True), spelled(-3.2, -4.1, float("inf"))
    (('+0.770', '+0.476', '+1.063'), ('+9.4', '+4.5', '+14.3'), ('-3.200', '-4.100', 'no limit'))
    >>> spelled(-0.0004, -0.0300, 0.0292, points=True)  # zero has no sign
    ('0.0', '-3.0', '+2.9')
    """
    scale = 100 if points else 1
    known = [abs(end - value) for end in (low, high) if np.isfinite(end) and end != value]
    width = scale * max(known, default=abs(value) or 1.0)
    digits = int(np.clip(2 - np.floor(np.log10(width)) - points, 0, 10)) if width > 0 else 0

    def one(number: float) -> str:
        if not np.isfinite(number):
            return "–" if np.isnan(number) else "no limit"
        rounded = round(scale * number, digits)
        return f"{rounded:+,.{digits}f}" if rounded else f"{0:.{digits}f}"

    return one(value), one(low), one(high)
