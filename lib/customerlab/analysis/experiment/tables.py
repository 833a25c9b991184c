"""What is shown of a test: tables with their captions, labels and formats, none where there is nothing to show.

Each function takes a test and gives a list, of one table or none, so that a notebook shows what there is.
"""

from collections.abc import Sequence

import pandas as pd

from customerlab.analysis.experiment import sensitivity
from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA
from customerlab.analysis.experiment.decision import for_managers
from customerlab.analysis.experiment.participants import per_assigned_and_row
from customerlab.analysis.experiment.segments import most_different
from customerlab.analysis.experiment.test import Test

Shown = list[tuple[pd.DataFrame, str, dict[str, str]]]
"""Tables, with the caption and the formats of the columns of each."""

Texts = dict[str, str]
NOTHING, NONE = pd.DataFrame(), Texts()
LABELS = {
    "variant": "arm", "against_mean": "control mean", "variant_mean": "arm mean", "pvalue_adjusted": "p (adjusted)",
    "pvalue": "p", "pvalue_holm": "p (Holm)", "pvalue_bh": "p (BH)", "effect_low": "low", "effect_high": "high",
}  # fmt: skip
FORMATS = dict.fromkeys(["p", "p (adjusted)", "p (Holm)", "p (BH)"], "{:.3f}") | {"narrower": "{:.1%}"}
FORMATS |= dict.fromkeys(["effect", "low", "high"], "{:+,.4g}") | dict.fromkeys(["control mean", "arm mean"], "{:,.4g}")
"""What columns are called, and how their numbers are written, in every table that does not say otherwise."""


def _shown(
    table: pd.DataFrame, columns: Sequence[str] | None, caption: str, labels: Texts = NONE, formats: Texts = NONE
) -> Shown:
    if table.empty:
        return []
    shown = (table if columns is None else table[list(columns)]).rename(columns=LABELS | labels)
    every = FORMATS | formats
    return [(shown, caption, {name: every[name] for name in map(str, shown) if name in every})]


def sizes(test: Test) -> Shown:
    """The sizes of the arms."""
    forms = {"units": "{:,}", "share": "{:.2%}", "planned": "{:.2%}"}
    return [(test.ratio.table, "Units by arm, the control first", forms)]


def checks(test: Test) -> Shown:
    """The checks that come before all conclusions."""
    caption = (
        f"Checks that come before all conclusions. One with a p-value fails below {SAMPLE_RATIO_ALPHA:g}, adjusted for all that it looks "
        "at, and is unusual below 0.05; of outcomes that are missing or infinite, units in several arms or rows and exposures too early a "
        "single one fails"
    )
    return [(test.soundness.shown(), caption, {"p": "{:.4f}"})]


def reach(test: Test) -> Shown:
    """What the test can find."""
    forms = {
        "level": "{:.4f}", "control_mean": "{:,.4g}", "detectable": "{:,.4g}", "detectable_share": "{:.0%}",
        "units_needed": "{:,.0f}", "days_needed": "{:,.0f}",
    }  # fmt: skip
    return _shown(
        test.reach.dropna(axis="columns", how="all"), None,
        f"What is found at {test.power:.0%} power, and what an effect of {test.wanted_lift:+.0%} needs, all arms together; "
        f"{test.decisive.name} decides",
        {name: name.replace("_", " ") for name in forms}, {name.replace("_", " "): form for name, form in forms.items()},
    )  # fmt: skip


def rehearsal(test: Test) -> Shown:
    """How often the tests of the metrics are wrong."""
    labels = {"units": "smallest arm", "positives": "false positives", "lift": "planted"}
    return _shown(
        test.rehearsed, None,
        f"{test.runs:,} tests without an effect, and as many with the planted one: the share with p below the level, and the share whose "
        "interval holds the planted effect, each with its 99% interval",
        labels | {"coverage_low": "from", "coverage_high": "to"},
        {"smallest arm": "{:,}", "level": "{:.4f}", "planted": "{:+.0%}"}
        | dict.fromkeys(["false positives", "low", "high", "coverage", "from", "to"], "{:.1%}"),
    )  # fmt: skip


def effects(test: Test) -> Shown:
    """The effects of all arms on all metrics."""
    columns = ["metric", "variant", "against_mean", "variant_mean", "effect", "effect_low", "effect_high", "pvalue"]
    return _shown(
        test.effects, [*columns, "pvalue_adjusted", "pvalue_holm", "pvalue_bh"],
        f"Effects in units of the metric, each with its own {test.interval} CI; p by itself, adjusted (gatekeeping: {test.decisive.name} "
        f"first), and by Holm and BH over the {len(test.effects)} comparisons of this table; a p of 0.000 is below 0.0005",
    )  # fmt: skip


def in_both_ways(test: Test) -> Shown:
    """The effects for each assigned unit and for each row, where rows are finer than what was assigned."""
    finer = test.who.finer if test.sound else None
    return _shown(
        NOTHING if finer is None else per_assigned_and_row(finer, test.control, confidence=test.confidence), None,
        f"Each effect per assigned unit (of sums) and per row (of means), with {test.interval} intervals and p-values that are not "
        f"adjusted; what decides is the effect per {'assigned unit' if test.who.moved else 'row'}",
    )  # fmt: skip


def adjusted(test: Test) -> Shown:
    """The effects adjusted by covariates (CUPED)."""
    options = (test.metrics, test.control, test.covariates)
    table = sensitivity.adjusted(test.units, *options, confidence=test.confidence) if test.covariates else NOTHING
    return _shown(
        table,
        ["metric", "variant", "covariate", "effect", "effect_low", "effect_high", "narrower", "pvalue_holm"],
        f"Effects adjusted by the covariate that narrows the {test.interval} intervals most, and by how much it does",
    )


def ways(test: Test) -> Shown:
    """The effect on what decides in every way."""
    return _shown(
        test.ways, None,
        f"Does the effect on {test.decisive.name} hang on the way it is computed? With {test.interval} intervals and p-values that are "
        f"not adjusted; winsorised is at the quantile {test.winsorised_at:g} of the values on either side of zero, where any is beyond it",
    )  # fmt: skip


def quantiles(test: Test) -> Shown:
    """The effects on quantiles."""
    values = {"against_value": "control", "variant_value": "in the arm", "why_not": "not compared, because"}
    return _shown(
        test.moved, ["quantile", "variant", *values, "effect", "effect_low", "effect_high", "pvalue_holm"],
        f"What each arm does to quantiles of {test.decisive.name}, with {test.interval} bootstrap CIs",
        values,
        {"quantile": "{:.1%}"}
        | dict.fromkeys(["control", "in the arm"], "{:,.2f}")
        | dict.fromkeys(["effect", "low", "high"], "{:+,.2f}"),
    )  # fmt: skip


def pairs(test: Test) -> Shown:
    """The other arms compared with each other."""
    return _shown(
        test.pairs, ["metric", "variant", "against", "effect", "effect_low", "effect_high", "pvalue_holm"],
        f"The other arms compared with each other, with {test.interval} intervals, adjusted over these and those above. None is part of "
        "another's control: each arm's control is the control alone",
    )  # fmt: skip


def beliefs(test: Test) -> Shown:
    """The Bayesian reading."""
    better = f"better than {test.control}"
    return _shown(
        test.beliefs, None,
        f"Mean with its {test.interval} credible interval, the probability to be the best arm, what choosing it is expected to lose a "
        "unit, and the probability to be better than the control",
        {"variant": "variant", "best": "best of all", "loss": "expected loss", "better": better},
        dict.fromkeys(["mean", "low", "high"], "{:,.4g}")
        | {"expected loss": "{:,.4f}"}
        | dict.fromkeys(["best of all", better], "{:.1%}"),
    )  # fmt: skip


def by_segment(test: Test) -> Shown:
    """The segments in which the effects differ most."""
    tested = test.by_segment.tested()
    if not test.segments or not test.sound:
        return []
    caption = (
        f"Does the effect differ by segment? The smallest p-values of {len(tested)} tests, which are adjusted together (Cochran's Q over "
        "the values of the segment that have enough outcomes)"
    )
    return [(tested.head(12).rename(columns=LABELS), caption, {"q": "{:.1f}", "p": "{:.3f}", "p (BH)": "{:.3f}"})]


def effects_by_segment(test: Test) -> list[tuple[pd.DataFrame, str, str]]:
    """The effects on one metric in every segment, for a figure: the table, the metric and the caption.

    It is the metric that differs most, or else the one that decides, or the first that can be told.
    """
    every = test.by_segment.table
    told = set(every.loc[every["error"] > 0, "metric"])
    order = [*test.differing["metric"], test.decisive.name, *(metric.name for metric in test.metrics)]
    name = next((one for one in order if one in told), "")
    if not (name and test.closer):
        return []
    table = every[(every["metric"] == name) & every["variant"].isin(test.closer)]
    few = table.groupby(["segment", "value"])["error"].transform("max").gt(0)
    hidden = ", ".join(table.loc[~few, "value"].unique())
    caption = f"Where is the effect on {name} larger, where smaller? Differences from {test.control} with {test.interval} intervals"
    left_out = f"; left out, because there are too few outcomes: {hidden}" if hidden else ""
    return [(table, name, f"{caption}{left_out}.")]


def arm_for_whom(test: Test) -> Shown:
    """The other arms against the best one, where they differ most."""
    found = test.by_segment_against_best
    if found.interactions.empty:
        return []
    caption = (
        f"Which arm for whom? The other arms against {test.fits} inside the segments in which they differ most, with {test.interval} CIs "
        "of single comparisons; p that the difference is not the same in all values, adjusted over all segments and metrics"
    )
    forms = {"units": "{:,}", "p of the segment (BH)": "{:.3f}"}
    return _shown(most_different(found), None, caption, {"of_segment": "p of the segment (BH)"}, forms)


def policies(test: Test) -> Shown:
    """What each rule of whom to treat earns."""
    if not test.profits:
        return []
    table = pd.concat([one.assign(arm=arm) for arm, one in test.profits.items()], ignore_index=True)
    ruled = ~table["policy"].isin(["nobody", "everybody"])
    table["policy"] = table["policy"].mask(ruled, "where " + table["policy"] + " says that it pays")
    word = test.worth.word
    labels = {"profit": word, "better": "beside the plain choice", "better_low": "from", "better_high": "to"}
    return _shown(
        table, ["arm", "policy", "treated", "profit", "low", "high", "better", "better_low", "better_high"],
        f"What each rule earns a customer above treating nobody, judged on customers that its model has not seen: {word} at a margin of "
        f"{test.worth.margin:g} and the costs of the arms, with {test.interval} intervals that share the level over the arms, and beside "
        "the better of nobody and everybody",
        labels,
        {"treated": "{:.0%}"}
        | dict.fromkeys([word, "low", "high", "beside the plain choice", "from", "to"], "{:+.3f}"),
    )  # fmt: skip


def decision(test: Test) -> Shown:
    """What a manager reads."""
    if not test.sound:
        return []
    decided = test.decision if test.finished else test.decision.assign(verdict="the test is not finished")
    others = len(test.effects) - len(test.arms)
    behind = "comparisons" + f", those of the other metrics over {others}, which are tested behind it" * bool(others)
    worth = f" {test.worth.word.capitalize()} is at a margin of {test.worth.margin:g} and the costs of the arms."
    caption = (
        f"What each arm changed, compared with {test.control}. {test.decisive.name} decides: its {test.interval} CIs are simultaneous "
        f"over {len(test.arms)} {behind}; they are wider than those of section 3. Guardrails are one-sided."
        f"{worth if test.worth.metric else ''}"
    )
    return [(for_managers(decided, test.metrics, test.worth), caption, {})]
