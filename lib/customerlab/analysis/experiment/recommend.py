"""The findings of a decision: which arm, what it may cost, which other metrics changed."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric
from customerlab.analysis.experiment.decision import NOT_GIVEN, NOT_TESTED, Money, relative, spelled
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
    missed: str = "",
    elsewhere: bool = False,
) -> list[str]:
    """The decision as sentences, the recommendation first.

    An arm is recommended where the primary metric is significantly better, every guardrail passes, and money, where the
    test has it, is no obstacle: as the primary metric it has to pay at the lower limit of its interval; beside another
    primary metric it must not lose at the upper limit. Of several arms the one that pays most is named, or that with
    the largest effect, with its comparison to the others. Where neither a margin nor a cost is known, no roll-out is
    recommended, and the break-even cost is given instead. Where no arm differs significantly the test is inconclusive,
    with the effects that it may have `missed`, a sentence. A test of another shop (`elsewhere`) is described, and
    nothing is recommended. `decided` is as `decision` returns it, and `pairs` as `compare_arms` does for arms other
    than the control.
    """
    own = decided[(decided["metric"] == primary.name) & ~decided["guardrail"]]
    against = {arm: _obstacles(decided, arm, primary, money) for arm in own["variant"]}
    good = own[(own["sign"] == 1) & ~own["variant"].map(against).astype(bool)]
    if good.empty:
        said: list[str] = [_no_arm(own, primary.name, control, missed, elsewhere=elsewhere)]
    else:
        by = "profit" if primary.name == money.metric else "effect"
        best = good.sort_values(by, key=abs, ascending=False, kind="stable").iloc[0]
        arm = best["variant"]
        head = (
            f"In this test of another shop, {arm} was better than {control}" if elsewhere
            else f"Roll out {arm}" if money.known
            else f"{arm} is better than {control}"
        )  # fmt: skip
        verb = "was" if elsewhere else "is"
        change = f"{primary.name} {verb} {'higher' if best['effect'] > 0 else 'lower'} by {estimate(best, primary, money, confidence)}"
        said = [Led(head, f": {change}, statistically significant."), _worth(decided, arm, money, confidence)]
        said += [
            _lead(pairs, primary, arm, row, control, money, confidence)
            for row in good.to_dict("records")
            if row["variant"] != arm
        ]
        if len(own) > 1:
            said.append(
                f"Expect a smaller effect than estimated: {arm} was chosen as the best of {len(own)} arms on the same data."
            )
        if primary.ratio:
            said.append(
                f"{primary.name} is a ratio whose denominator the treatment can change: it compares different units, so it is descriptive."
            )
    for row in own[~own["variant"].isin(good["variant"])].to_dict("records"):
        found = f"{row['variant']}: the effect on {primary.name} is {estimate(row, primary, money, confidence)}, {row['verdict']}"
        if row["sign"] == 1:
            found += f"; but {' and '.join(against[row['variant']])}"
        said.append(found + ".")
    return said


def other_effects(
    decided: pd.DataFrame,
    metrics: Sequence[Metric],
    primary: str,
    *,
    money: Money,
    confidence: float,
    most: int = 10,
) -> list[str]:
    """Sentences for the effects on other metrics than the primary one, the smallest p-values first.

    Where no arm is significant on the primary metric the others are not tested; those that would be significant are
    called exploratory. Beyond `most` sentences they are counted.
    """
    by_name = {metric.name: metric for metric in metrics}
    rows = decided[~decided["guardrail"] & (decided["metric"] != primary)]
    waiting = (rows["verdict"] == NOT_TESTED) & (rows["pvalue"] * rows["family"] < 1 - confidence)
    clear = rows[(rows["sign"] != 0) | waiting].sort_values(["pvalue", "metric", "variant"])
    said = []
    for row in clear.head(most).to_dict("records"):
        metric = by_name[row["metric"]]
        share = f", relative {relative(row)}" if np.isfinite(row["relative"]) else ""
        better = "worse" if (row["effect"] > 0) == metric.less_is_better else "better"
        open_gate = f"; exploratory (unadjusted {p_value(row['pvalue'])}), since no arm is significant on {primary}"
        how, why = ("significantly ", "") if row["sign"] else ("", open_gate)
        said.append(
            f"{row['variant']}: {metric.name} is {how}{better}, {estimate(row, metric, money, confidence)}{share}{why}."
        )
    more = len(clear) - most
    return said + ([f"{more} more effects are significant: see the decision table."] if more > 0 else [])


def reconciled(
    posterior: pd.DataFrame,
    decided: pd.DataFrame,
    pairs: pd.DataFrame,
    primary: str,
    *,
    control: str,
    confidence: float,
) -> list[str]:
    """The most probable best arm of the Bayesian analysis (`choices_of`), and the adjusted verdict, which counts."""
    if posterior.empty or primary not in set(posterior["metric"]):
        return []
    rows = posterior[posterior["metric"] == primary].sort_values(["best", "variant"], ascending=[False, True])
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
        f"Bayesian analysis, which decides nothing: the probability that {best['variant']} is the best arm by {primary} is "
        f"{best['best']:.1%}, unadjusted. The adjusted test against the next best, {second['variant']}: {verdict}."
    ]


def _of_both(pairs: pd.DataFrame, metric: str, both: Collection[str]) -> pd.DataFrame:
    """The row of two arms and a metric, if there is one."""
    return pairs[(pairs["metric"] == metric) & pairs["variant"].isin(both) & pairs["against"].isin(both)]


def estimate(row: Any, metric: Metric, money: Money, confidence: float) -> str:
    """An effect with its unit and interval, and over how many comparisons that is simultaneous."""
    effect, low, high = spelled(row["effect"], row["effect_low"], row["effect_high"], points=metric.proportion)
    together = f", simultaneous over {row['family']:.0f} comparisons" if row["family"] > 1 else ""
    ends = "" if np.isnan(row["effect_low"]) else f" ({100 * confidence:g}% CI {low} to {high}{together})"
    return f"{effect}{money.unit(metric)}{ends}"


def _obstacles(decided: pd.DataFrame, arm: str, primary: Metric, money: Money) -> list[str]:
    """Why an arm is not recommended although its primary metric is better."""
    rows = decided[decided["variant"] == arm]
    held = ~rows["guardrail"] | (rows["sign"] != 0)
    why = [f"the guardrail on {name} fails" for name in rows.loc[~held, "metric"]]
    for row in rows[~rows["guardrail"] & (rows["metric"] == money.metric)].to_dict("records"):
        ends = f"{money.word} {row['profit_low']:+,.4g} to {row['profit_high']:+,.4g}{money.each}"
        if row["profit_high"] < 0:
            why.append(f"it loses money ({ends})")
        elif row["profit_low"] <= 0 and primary.name == money.metric:
            why.append(f"it may lose money ({ends})")
    return why


def _no_arm(own: pd.DataFrame, primary: str, control: str, missed: str, *, elsewhere: bool) -> Led:
    """The first sentence where no arm is recommended: arms are better with obstacles, or worse, or neither is shown."""
    better, worse = (own.loc[own["sign"] == sign, "variant"].tolist() for sign in (1, -1))
    where = "In this test of another shop, no arm was shown to be" if elsewhere else ""
    if better:
        head = f"{where} better without an obstacle than" if elsewhere else "No arm is recommended over"
        return Led(f"{head} {control}", f": an arm improves {primary} significantly, but has other obstacles.")
    if worse:
        head = f"{where} better than" if elsewhere else "No arm is recommended over"
        return Led(
            f"{head} {control}", f": {primary} is significantly worse in {', '.join(worse)}, and better in no arm."
        )
    head = f"{where or 'Inconclusive: no arm is shown to be'} better or worse than {control}"
    return Led(head, f" on {primary}. {missed}".rstrip())


def _worth(decided: pd.DataFrame, arm: str, money: Money, confidence: float) -> str:
    """The profit of the arm; where neither margin nor cost is known, its break-even cost."""
    unknown = "" if money.known else f" {NOT_GIVEN[0].upper()}{NOT_GIVEN[1:]}."
    rows = decided[(decided["metric"] == money.metric) & (decided["variant"] == arm) & ~decided["guardrail"]]
    if rows.empty:
        return f"Profit is unknown: the test has no outcome that is money.{unknown}"
    row = rows.iloc[0]
    value, low, high = spelled(row["profit"], row["profit_low"], row["profit_high"])
    if money.known:
        sure = "" if row["profit_low"] > 0 else "; a loss is not excluded"
        return (
            f"After margin and cost, {arm} earns {value}{money.each} ({100 * confidence:g}% CI {low} to {high}){sure}."
        )
    if row["profit_low"] > 0:
        return (
            f"{arm} pays if treating one {money.per} costs less than {low.lstrip('+')}{money.currency and f' {money.currency}'} times the "
            f"margin (lower limit of the CI; estimate {value.lstrip('+')}).{unknown}"
        )
    return (
        f"No cost of {arm} is shown to be covered: the effect on {money.metric} is {value}{money.each} "
        f"({100 * confidence:g}% CI {low} to {high}).{unknown}"
    )


def _lead(
    pairs: pd.DataFrame, primary: Metric, best: str, row: Any, control: str, money: Money, confidence: float
) -> str:
    other = row["variant"]
    also = f"{other} is also better than {control}, by {estimate(row, primary, money, confidence)}."
    rows = _of_both(pairs, primary.name, [best, other])
    if rows.empty:
        return also
    both = rows.iloc[0]
    ends = both[["effect", "effect_low", "effect_high"]].tolist()
    if both["variant"] != best:
        ends = [-ends[0], -ends[2], -ends[1]]
    effect, low, high = spelled(*ends, points=primary.proportion)
    return (
        f"{also} The lead of {best} over {other}, {effect}{money.unit(primary)}, is {_of_pair(both, confidence)}: "
        f"unadjusted {100 * confidence:g}% CI {low} to {high}, {p_value(both['pvalue'])}."
    )


def _of_pair(row: Any, confidence: float) -> str:
    word = "statistically significant" if row["pvalue_holm"] < 1 - confidence else "inconclusive"
    return f"{word} (Holm-adjusted {p_value(row['pvalue_holm'])})"
