"""What is shown of a test: tables with their captions and formats, none where there is nothing to show.

Each function takes a test and gives a list, of one table or none, so that a notebook shows what there is. The rows of
the primary metric come first.
"""

from collections.abc import Sequence

import pandas as pd

from customerlab.analysis.experiment import sensitivity
from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA
from customerlab.analysis.experiment.decision import NOT_TESTED, for_managers, spelled
from customerlab.analysis.experiment.participants import per_assigned_and_row
from customerlab.analysis.experiment.segments import most_different
from customerlab.analysis.experiment.targeting import CHOSEN
from customerlab.analysis.experiment.test import Test
from customerlab.formats import p_value

Shown = list[tuple[pd.DataFrame, str, dict[str, str]]]
"""Tables, with the caption and the formats of the columns of each."""

Texts = dict[str, str]
NOTHING, NONE = pd.DataFrame(), Texts()
POINTS = "pp: percentage points"
PVALUES = {
    "pvalue": "p-value",
    "pvalue_adjusted": "adjusted p-value",
    "pvalue_holm": "p-value (Holm)",
    "pvalue_bh": "p-value (BH)",
}
LABELS = {"variant": "arm", "narrower": "CI width reduction"} | PVALUES
FORMATS = {"CI width reduction": "{:.1%}", "units": "{:,}"}
"""What columns are called, and how their numbers are written, in every table that does not say otherwise."""


def _shown(
    test: Test,
    table: pd.DataFrame,
    columns: Sequence[str],
    caption: str,
    labels: Texts = NONE,
    formats: Texts = NONE,
    *,
    primary_first: bool = True,
) -> Shown:
    """The table with some columns; "effect" comes with its interval, both as text, and p-values as text."""
    if table.empty:
        return []
    shown = table.reset_index(drop=True)
    of = next(
        (shown[name] for name in ("metric", "outcome") if name in shown), pd.Series(test.decisive.name, shown.index)
    )
    if "effect" in columns:
        share = of.isin([one.name for one in test.metrics if one.proportion])
        ends = zip(shown["effect"], shown["effect_low"], shown["effect_high"], share, strict=True)
        texts = [spelled(*row[:3], points=row[3]) for row in ends]
        shown["effect"] = [text[0] + " pp" * points for text, points in zip(texts, share, strict=True)]
        shown["ci"] = [f"{text[1]} to {text[2]}" if text[1] != "–" else "–" for text in texts]
        columns = [one for name in columns for one in ((name, "ci") if name == "effect" else (name,))]
    for name in PVALUES.keys() & set(columns):
        shown[name] = [_p(p) for p in shown[name]]
    if primary_first:
        shown = shown.loc[(of != test.decisive.name).sort_values(kind="stable").index]
    shown = shown[list(columns)].rename(columns={"ci": f"{test.interval} CI"} | LABELS | labels)
    every = FORMATS | formats
    return [(shown, caption, {name: every[name] for name in map(str, shown) if name in every})]


def _p(p: float) -> str | None:
    """A p-value for a table."""
    return p_value(p).removeprefix("p ").removeprefix("= ") if pd.notna(p) else None


def _estimated(table: pd.DataFrame, form: str, name: str, low: str = "low", high: str = "high") -> pd.Series:
    """A column with its interval, as text; none where it is missing."""
    rows = zip(table[name], table[low], table[high], strict=True)
    texts = [f"{{0:{form}}} ({{1:{form}}} to {{2:{form}}})".format(*row) if pd.notna(row[0]) else None for row in rows]
    return pd.Series(texts, table.index, dtype="object")


def sizes(test: Test) -> Shown:
    """The sizes of the arms."""
    forms = {"units": "{:,}", "share": "{:.2%}", "planned": "{:.2%}"}
    planned = (
        "the planned split"
        if test.split
        else "an equal split, which is assumed: none is given (parameter planned_split)"
    )
    return [(test.ratio.table.rename(columns={"variant": "arm"}), f"Units by arm, and {planned}", forms)]


def checks(test: Test) -> Shown:
    """The validity checks."""
    passed, number = len(test.soundness.table) - test.soundness.open, len(test.soundness.table)
    caption = (
        f"Validity checks: {passed} of {number} passed. A check with a p-value fails below {SAMPLE_RATIO_ALPHA:g} (Holm-adjusted over its "
        "parts) and is unusual below 0.05. A single missing or infinite outcome, duplicate unit or early exposure fails its check. "
        "No check can show that the assignment was random."
    )
    return [(test.soundness.shown(), caption, {"p-value": "{:.4f}"})]


def reach(test: Test) -> Shown:
    """Power and minimum detectable effects."""
    lift = f"{100 * test.wanted_lift:+g}%"
    labels = {
        "detectable_share": "MDE, relative", "detectable": "MDE", "units_needed": f"units for {lift}",
        "days_needed": f"days for {lift}", "control_mean": "control mean", "level": "level",
    }  # fmt: skip
    formats = dict(zip(labels.values(), ["{:.0%}", "{:,.4g}", "{:,.0f}", "{:,.0f}", "{:,.4g}", "{:.4f}"], strict=True))
    known = test.reach.dropna(axis="columns", how="all")
    caption = (
        f"Minimum detectable effect (MDE) at {test.power:.0%} power, and units of all arms that {lift} needs{_in(test)}"
    )
    return _shown(test, known, [name for name in ("metric", *labels) if name in known], caption, labels, formats)


def simulation(test: Test) -> Shown:
    """Simulated error rates."""
    table = test.simulated.copy()
    if len(table):
        table["positives"] = _estimated(table, ".1%", "positives")
        table["coverage"] = _estimated(table, ".1%", "coverage", "coverage_low", "coverage_high")
    labels = {
        "level": "nominal level", "positives": "false-positive rate (99% CI)", "lift": "planted effect",
        "coverage": "coverage (99% CI)",
    }  # fmt: skip
    columns = ["metric", "verdict", "level", "positives", "lift", "coverage"]
    formats = {"nominal level": "{:.2%}", "planted effect": "{:+.0%}"}
    caption = f"{test.runs:,} A/A simulations (false positives), and {test.runs:,} with a planted effect (coverage of its interval)"
    return _shown(test, table, columns, caption, labels, formats)


def effects(test: Test) -> Shown:
    """The effects of all arms on all metrics, with numerators and denominators."""
    if test.effects.empty:
        return []
    proportions = {one.name for one in test.metrics if one.proportion}
    written = {}
    for row in test.totals.to_dict("records"):
        percent = f"{100 * row['value']:#.3g}".rstrip(".")
        value = f"{percent}%" if row["metric"] in proportions else f"{row['value']:,.4g}"
        parts = f"{_amount(row['numerator'])}/{_amount(row['denominator'])}"
        written[row["metric"], row["variant"]] = value if test.changes else f"{value} ({parts})"
    table = test.effects.assign(
        control=[written[pair] for pair in zip(test.effects["metric"], test.effects["against"], strict=True)],
        treatment=[written[pair] for pair in zip(test.effects["metric"], test.effects["variant"], strict=True)],
    )
    parts = "" if test.changes else " (numerator/denominator)"
    return _shown(
        test, table, ["metric", "variant", "control", "treatment", "effect", "pvalue", "pvalue_adjusted"],
        f"Effects against {test.control}: value{parts} of both arms, difference with its unadjusted {test.interval} CI, "
        f"p-values unadjusted and adjusted by gatekeeping. Only adjusted p-values decide; {test.decisive.name} is the primary metric"
        f"{_in(test)}",
    )  # fmt: skip


def _in(test: Test) -> str:
    """The units of effects, as the end of a caption."""
    money = test.worth
    return f"; {POINTS}" + (f"; {money.metric} in {money.currency}" if money.metric and money.currency else "")


def _amount(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.4g}"


def in_both_ways(test: Test) -> Shown:
    """The effects for each assigned unit and for each row, where rows are finer than what was assigned."""
    finer = test.who.finer if test.sound else None
    return _shown(
        test, NOTHING if finer is None else per_assigned_and_row(finer, test.control, confidence=test.confidence),
        ["outcome", "variant", "per", "against_mean", "variant_mean", "effect", "pvalue"],
        f"Effects per assigned unit (of sums) and per row (of means), unadjusted; those per {'assigned unit' if test.who.moved else 'row'} "
        "decide",
        {"against_mean": "control mean", "variant_mean": "arm mean"},
        {"control mean": "{:,.4g}", "arm mean": "{:,.4g}"},
    )  # fmt: skip


def adjusted(test: Test) -> Shown:
    """The effects adjusted with covariates (CUPED)."""
    options = (test.metrics, test.control, test.covariates)
    table = sensitivity.adjusted(test.units, *options, confidence=test.confidence) if test.covariates else NOTHING
    return _shown(
        test, table, ["metric", "variant", "covariate", "effect", "narrower", "pvalue_holm"],
        f"Effects adjusted with the covariate that narrows the {test.interval} CI most (CUPED): supplementary, these p-values decide "
        f"nothing{_in(test)}",
    )  # fmt: skip


def ways(test: Test) -> Shown:
    """The effect on the primary metric by every estimator."""
    return _shown(
        test, test.ways, ["way", "variant", "effect", "narrower", "pvalue"],
        f"Is the effect on {test.decisive.name} robust to the estimator? Unadjusted {test.interval} CIs and p-values; winsorised at the "
        f"{test.winsor_quantile:g} quantile of the values on either side of zero. Supplementary: these p-values "
        f"decide nothing{_in(test)}",
        {"way": "estimator"},
    )  # fmt: skip


def quantiles(test: Test) -> Shown:
    """The effects on quantiles that can be compared."""
    values = {"against_value": "control", "variant_value": "treatment"}
    table = test.moved[test.moved["why_not"] == ""] if len(test.moved) else test.moved
    return _shown(
        test, table, ["quantile", "variant", *values, "effect", "pvalue_holm"],
        f"Effects on the quantiles of {test.decisive.name} that can be compared, with bootstrap CIs: supplementary{_in(test)}",
        values, {"quantile": "{:.1%}"} | dict.fromkeys(values.values(), "{:,.2f}"),
    )  # fmt: skip


def pairs(test: Test) -> Shown:
    """The other arms compared with each other."""
    return _shown(
        test, test.pairs, ["metric", "variant", "against", "effect", "pvalue_holm"],
        f"Treatments compared with each other: unadjusted {test.interval} CIs, p-values adjusted over all pairs of arms{_in(test)}",
    )  # fmt: skip


def bayesian(test: Test) -> Shown:
    """The Bayesian analysis."""
    better = f"P(better than {test.control})"
    table = test.bayesian.copy()
    if len(table):
        table["mean"] = _estimated(table, ",.4g", "mean")
    return _shown(
        test, table, ["metric", "variant", "best", "better", "loss", "mean"],
        f"Posterior probability of being the best arm, expected loss per unit of choosing it, and posterior mean; none of it "
        f"decides{_in(test)}",
        {"best": "P(best)", "better": better, "loss": "expected loss", "mean": f"mean ({test.interval} credible interval)"},
        {"expected loss": "{:,.3g}"} | dict.fromkeys(["P(best)", better], "{:.1%}"),
    )  # fmt: skip


def by_segment(test: Test) -> Shown:
    """The interaction tests of segments."""
    if not test.segments or not test.sound:
        return []
    tested = test.by_segment.tested()
    columns = ["metric", "segment", "variant", "values", "q", "pvalue", "pvalue_bh"]
    caption = (
        f"Does the effect differ by segment? {len(tested)} interaction tests (Cochran's Q), smallest p-values first"
    )
    labels, forms = {"q": "Q", "values": "values compared"}, {"Q": "{:.1f}"}
    return _shown(test, tested.head(12), columns, caption, labels, forms, primary_first=False)


def effects_by_segment(test: Test) -> list[tuple[pd.DataFrame, str, str]]:
    """The effects on one metric in every segment, for a figure: the table, the metric and the caption.

    It is the metric that differs most, or else the primary one, or the first with enough outcomes in two values.
    """
    every = test.by_segment.table
    told = set(test.by_segment.tested()["metric"])
    order = [*test.differing["metric"], test.decisive.name, *(metric.name for metric in test.metrics)]
    name = next((one for one in order if one in told), "")
    if not (name and test.closer):
        return []
    table = every[(every["metric"] == name) & every["variant"].isin(test.closer)]
    hidden = int(table.groupby(["segment", "value"])["error"].max().isna().sum())
    left_out = (
        f" {hidden} of {len(table.groupby(['segment', 'value']))} values are left out: too few to tell."
        if hidden
        else ""
    )
    caption = (
        f"Effect on {name} by segment: difference from {test.control} with unadjusted {test.interval} CIs.{left_out}"
    )
    if any(one.name == name and one.proportion for one in test.metrics):
        ends = ["effect", "effect_low", "effect_high"]
        table, name = table.assign(**{end: 100 * table[end] for end in ends}), f"{name} (pp)"
    return [(table, test.worth.labelled(name), caption)]


def arm_for_whom(test: Test) -> Shown:
    """The other arms against the best one, where they differ most."""
    found = test.by_segment_against_best
    if found.interactions.empty:
        return []
    return _shown(
        test, most_different(found).rename(columns={"of_segment": "pvalue_bh"}),
        ["metric", "segment", "value", "variant", "units", "effect", "pvalue_bh"],
        f"Which arm for which segment? Arms against {test.fits}, with unadjusted {test.interval} CIs; p-values of the interaction tests, "
        f"adjusted over all segments and metrics{_in(test)}",
        {"pvalue_bh": "p-value of the segment (BH)"}, primary_first=False,
    )  # fmt: skip


def rankings(test: Test) -> Shown:
    """How well the uplift models rank customers, the one that counts first."""
    if not test.curves:
        return []
    table = pd.concat([one.areas.assign(variant=arm) for arm, one in test.curves.items()], ignore_index=True)
    table["area"] = _estimated(table, "+,.3g", "area")
    table = table.loc[(table["learner"] != CHOSEN).sort_values(kind="stable").index]
    return _shown(
        test, table, ["variant", "learner", "area", "pvalue"],
        f"Qini coefficients of the uplift models (0: no better than random), unadjusted; {CHOSEN} counts, chosen in advance. The other "
        "models are for comparison, and decide nothing",
        {"learner": "model", "area": f"Qini coefficient ({test.interval} CI)"},
    )  # fmt: skip


def policies(test: Test) -> Shown:
    """The profit of each targeting policy, those that count first."""
    if not test.profits:
        return []
    table = pd.concat([one.assign(variant=arm) for arm, one in test.profits.items()], ignore_index=True)
    table = table[table["policy"] != "nobody"]
    extra = ~table["policy"].isin(["everybody", CHOSEN])
    table = table.loc[extra.sort_values(kind="stable").index]
    table["policy"] = table["policy"].where(table["policy"] == "everybody", table["policy"] + " policy")
    for name, ends in (("profit", ("low", "high")), ("better", ("better_low", "better_high"))):
        rows = [spelled(*row) for row in table[[name, *ends]].to_numpy()]
        table[name] = [
            "–" if own == 0 else f"{row[0]} ({row[1]} to {row[2]})" for own, row in zip(table[name], rows, strict=True)
        ]
    word = f"{test.worth.word}{test.worth.currency and f', {test.worth.currency}'} per customer"
    return _shown(
        test, table, ["variant", "policy", "treated", "profit", "better"],
        f"{test.worth.word.capitalize()} per customer of each targeting policy relative to treating nobody. {test.worth.basis} CIs are "
        "bootstrapped, simultaneous over the arms; of treating everybody the decision table counts. The best uniform policy "
        "treats everybody or nobody",
        {"profit": f"{word} ({test.interval} CI)", "better": f"vs best uniform policy ({test.interval} CI)"}, {"treated": "{:.0%}"},
    )  # fmt: skip


def decision(test: Test) -> Shown:
    """The decision table."""
    if not test.sound:
        return []
    others = len(test.effects) - len(test.arms)
    behind = f" of {test.decisive.name} and {others} of the other metrics" * bool(others)
    worth = f" {test.worth.basis}".rstrip()
    shut = (test.decided["verdict"] == NOT_TESTED).any()
    waiting = f" Not tested: no arm is significant on {test.decisive.name}." if shut else ""
    caption = (
        f"Decision by arm, against {test.control}; the primary metric is {test.decisive.name}. {test.interval} CIs are simultaneous over "
        f"{len(test.arms)} comparisons{behind}; guardrails are one-sided.{waiting}{worth}{_in(test)}."
    )
    options = {"confidence": test.confidence, "wanted_lift": test.wanted_lift}
    return [(for_managers(test.decided, test.metrics, test.worth, **options), caption, {})]
