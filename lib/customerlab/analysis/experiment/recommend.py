"""The sentences that a decision supports: which arm, what it may cost, what else moved, and how sure that is."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric
from customerlab.analysis.experiment.decision import NOT_TESTED, Money, spelled
from customerlab.formats import p_value
from customerlab.wording import Led


def recommendation(
    decided: pd.DataFrame,
    pairs: pd.DataFrame,
    primary: Metric,
    *,
    control: str,
    confidence: float,
    money: Money,
    elsewhere: bool = False,
) -> list[str]:
    """The sentences that the table supports, the decision first.

    An arm is recommended where the primary metric is significantly better, every guardrail holds, and money, where the
    test has it, does not speak against it: as the primary metric it has to pay at the low end of its interval, beside
    another one it must not lose at the high end. Of several arms the one that pays most is named, or that with the
    largest effect, with what is known of its lead. Where neither a margin nor a cost is known, nothing is rolled out:
    the cost up to which it would pay is said instead. A test of `elsewhere` is described, and nothing is recommended.
    `decided` is as `decision` returns it, and `pairs` as `compare_arms` does for arms other than the control.
    """
    own = decided[(decided["metric"] == primary.name) & ~decided["guardrail"]]
    against = {arm: _obstacles(decided, arm, primary, money) for arm in own["variant"]}
    good = own[(own["sign"] == 1) & ~own["variant"].map(against).astype(bool)]
    if good.empty:
        none = "In that test no arm was shown to be better than" if elsewhere else "No arm is recommended over"
        said: list[str] = [Led(f"{none} {control}", f" by {primary.name}.")]
    else:
        by = "profit" if primary.name == money.metric else "effect"
        best = good.sort_values(by, key=abs, ascending=False, kind="stable").iloc[0]
        arm = best["variant"]
        head = (
            f"In that test {arm} was better than {control}" if elsewhere
            else f"Roll out {arm}" if money.known
            else f"{arm} is better than {control}"
        )  # fmt: skip
        verb = "was" if elsewhere else "is"
        change = f"{primary.name} {verb} {'higher' if best['effect'] > 0 else 'lower'} by {estimate(best, primary, confidence)}"
        said = [Led(head, f": {change}, statistically significant."), *_worth(decided, arm, money)]
        said += [_lead(pairs, primary, arm, other, control, confidence) for other in good["variant"] if other != arm]
        if len(own) > 1:
            said.append(
                f"{arm} was chosen as the best of {len(own)} arms in the same data: expect somewhat less of it."
            )
        if primary.ratio:
            said.append(
                f"{primary.name} is a ratio of what different units did in each arm: it describes, and says nothing of the "
                "same units."
            )
    for row in own[~own["variant"].isin(good["variant"])].to_dict("records"):
        found = f"{row['variant']}: the effect on {primary.name} is estimated at {estimate(row, primary, confidence)}; {row['verdict']}"
        if row["sign"] == 1:
            found += f", but {' and '.join(against[row['variant']])}"
        said.append(found + ".")
    return said


def other_effects(
    decided: pd.DataFrame, metrics: Sequence[Metric], primary: str, *, confidence: float, most: int = 10
) -> list[str]:
    """Sentences for the effects on metrics but the primary one, those with the smallest p-values first.

    Where no arm is significant on the primary metric the others are not tested; those that would be significant are
    named as what they are then, a reason for another test. More than `most` sentences are counted.
    """
    by_name = {metric.name: metric for metric in metrics}
    rows = decided[~decided["guardrail"] & (decided["metric"] != primary)]
    waiting = (rows["verdict"] == NOT_TESTED) & (rows["pvalue"] * rows["family"] < 1 - confidence)
    clear = rows[(rows["sign"] != 0) | waiting].sort_values(["pvalue", "metric", "variant"])
    said = []
    for row in clear.head(most).to_dict("records"):
        metric = by_name[row["metric"]]
        share = f", {row['relative']:+.1%} of its mean" if np.isfinite(row["relative"]) else ""
        better = "worse" if (row["effect"] > 0) == metric.less_is_better else "better"
        open_gate = f"; exploratory ({p_value(row['pvalue'])} by itself), because no arm is significant on {primary}"
        why = "" if row["sign"] else open_gate
        said.append(f"{row['variant']}: {metric.name} is {better} by {estimate(row, metric, confidence)}{share}{why}.")
    more = len(clear) - most
    return said + ([f"{more} more effects are significant: see the table in section 7."] if more > 0 else [])


def reconciled(
    believed: pd.DataFrame, decided: pd.DataFrame, pairs: pd.DataFrame, primary: str, *, control: str, confidence: float
) -> list[str]:
    """One sentence that holds the probabilities of the Bayesian analysis (`choices_of`) against the verdicts."""
    if believed.empty or primary not in set(believed["metric"]):
        return []
    rows = believed[believed["metric"] == primary].sort_values(["best", "variant"], ascending=[False, True])
    best, second = rows.iloc[0], rows.iloc[1]
    both = {best["variant"], second["variant"]}
    if control in both:
        own = (decided["metric"] == primary) & decided["variant"].isin(both) & ~decided["guardrail"]
        row = decided[own].iloc[0]
        verdict = row["verdict"]
    else:
        row = _of_both(pairs, primary, both).iloc[0]
        verdict = _of_pair(row, confidence)
    if not row["pvalue"] >= 0:
        return []
    return [
        f"The Bayesian analysis gives {best['variant']} a probability of {best['best']:.1%} to be the best arm by {primary}, not "
        f"adjusted; the same comparison with the next best, {second['variant']}, has {p_value(row['pvalue'])} by itself, and with the "
        f"adjustment the verdict is: {verdict}."
    ]


def _of_both(pairs: pd.DataFrame, metric: str, both: Collection[str]) -> pd.DataFrame:
    """The row of two arms and a metric, if there is one."""
    return pairs[(pairs["metric"] == metric) & pairs["variant"].isin(both) & pairs["against"].isin(both)]


def estimate(row: Any, metric: Metric, confidence: float) -> str:
    """An effect with its interval, and with how many others that holds together."""
    effect, low, high = spelled(row["effect"], row["effect_low"], row["effect_high"], points=metric.proportion)
    unit = " percentage points" if metric.proportion else ""
    together = f", simultaneous over {row['family']:.0f}" if row["family"] > 1 else ""
    ends = "" if np.isnan(row["effect_low"]) else f" ({100 * confidence:g}% CI{together}, {low} to {high})"
    return f"{effect}{unit}{ends}"


def _obstacles(decided: pd.DataFrame, arm: str, primary: Metric, money: Money) -> list[str]:
    """Why an arm is not to be rolled out although its primary metric is better."""
    rows = decided[decided["variant"] == arm]
    held = ~rows["guardrail"] | (rows["sign"] != 0)
    why = [f"the guardrail on {name} is not shown to hold" for name in rows.loc[~held, "metric"]]
    for row in rows[~rows["guardrail"] & (rows["metric"] == money.metric)].to_dict("records"):
        ends = f"{money.word} {row['profit_low']:+,.4g} to {row['profit_high']:+,.4g} a unit"
        if row["profit_high"] < 0:
            why.append(f"it loses money ({ends})")
        elif row["profit_low"] <= 0 and primary.name == money.metric:
            why.append(f"it may lose money ({ends})")
    return why


def _worth(decided: pd.DataFrame, arm: str, money: Money) -> list[str]:
    """What the arm earns; where neither margin nor cost is known, the cost up to which it would."""
    rows = decided[(decided["metric"] == money.metric) & (decided["variant"] == arm) & ~decided["guardrail"]]
    if rows.empty:
        known = "" if money.known else " Neither a margin nor a cost is known."
        return [f"The test has no outcome that is money, so that what it may cost is not known.{known}"]
    row = rows.iloc[0]
    value, low, high = spelled(row["profit"], row["profit_low"], row["profit_high"])
    if money.known:
        sure = "" if row["profit_low"] > 0 else ", which may be a loss"
        return [f"After margin and cost it earns {value} ({low} to {high}) a unit{sure}."]
    if row["profit_low"] > 0:
        return [
            f"Neither a margin nor a cost is known: the break-even cost of {arm} is {low.lstrip('+')} of {money.metric} a unit at the low "
            f"end of the CI ({value.lstrip('+')} at the estimate), times the margin."
        ]
    return [
        f"Neither a margin nor a cost is known, and the effect on {money.metric} ({value}, {low} to {high} a unit) may be zero: "
        "no cost is shown to be covered."
    ]


def _lead(pairs: pd.DataFrame, primary: Metric, best: str, other: str, control: str, confidence: float) -> str:
    rows = _of_both(pairs, primary.name, [best, other])
    if rows.empty:
        return f"{other} is better than {control} too."
    both = rows.iloc[0]
    ends = both[["effect", "effect_low", "effect_high"]].tolist()
    if both["variant"] != best:
        ends = [-ends[0], -ends[2], -ends[1]]
    effect, low, high = spelled(*ends, points=primary.proportion)
    unit = " percentage points" if primary.proportion else ""
    return (
        f"{other} is better than {control} too. Whether {best} is better than {other} is {_of_pair(both, confidence)}: by {effect}{unit} "
        f"({100 * confidence:g}% CI of this one comparison {low} to {high}; {p_value(both['pvalue'])} by itself)."
    )


def _of_pair(row: Any, confidence: float) -> str:
    word = "statistically significant" if row["pvalue_holm"] < 1 - confidence else "inconclusive"
    return f"{word} ({p_value(row['pvalue_holm'])}, Holm over all pairs of arms and metrics)"
