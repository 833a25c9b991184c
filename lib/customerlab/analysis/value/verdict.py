"""Whether a purchase model is to be used, as sentences: against plain rules, by totals, and by chances to order."""

import numpy as np
import pandas as pd

from customerlab.analysis.inference import INFLUENTIAL, LEAST, too_few
from customerlab.analysis.value.rivals import BOOSTED, ERROR, LAST, NAIVE, OUTCOMES, TOP
from customerlab.analysis.value.validation import Validation
from customerlab.formats import interval, p_value, percent, points, short
from customerlab.wording import Led

LEVEL = 0.05


def decision(validation: Validation) -> list[str]:
    """Which rule to predict with, and what is known of the model's predictions; the decision on orders first.

    A rule is preferred to the model where its squared error is significantly lower (Holm-adjusted over all
    comparisons). Where the difference is not significant, that is said, and of the naive rate that it is simpler.
    """
    came_back = int(validation.windows["came_back"].sum())
    if came_back < LEAST:
        few = too_few(came_back, f"orders of customers and windows of {_length(validation)}")
        return [Led(f"{validation.model} is not judged", f": {few}."), *_converged(validation)]
    return [
        *(_choice(validation, outcome) for outcome in OUTCOMES), *(_ranking(validation, outcome) for outcome in OUTCOMES),
        _totals(validation), _calibrated(validation), *_covered(validation), *_converged(validation),
    ]  # fmt: skip


def unvalidated(day: str, horizon: int, unit: str) -> str:
    """Why a model is not validated, where `validate` finds no window."""
    length = _times(horizon, unit)
    return Led("The model is not validated", f": the log before {day} is shorter than two windows of {length}.")


def _times(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _length(validation: Validation) -> str:
    return _times(validation.horizon, validation.unit)


def _rule(rule: str, validation: Validation) -> str:
    names = {NAIVE: "the naive rate x/T", LAST: f"the last {_length(validation)}", BOOSTED: BOOSTED}
    return names[rule]


def _listed(parts: list[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _choice(validation: Validation, outcome: str) -> str:
    """The rule to predict an outcome with, by squared error."""
    model, table = validation.model, validation.comparisons
    rows = table[(table["outcome"] == outcome) & (table["measure"] == ERROR) & table["pvalue_holm"].notna()]
    if rows.empty:
        few = too_few(validation.windows["came_back"].max(), "customers who came back")
        return f"{model} against plain rules by {outcome}: {few}."
    told = rows["pvalue_holm"] < LEVEL
    better, worse, tied = rows[told & (rows["advantage"] > 0)], rows[told & (rows["advantage"] < 0)], rows[~told]
    tried = f" Tried: {_listed([_rule(rule, validation) for rule in rows['rule']])}."
    if len(worse):
        row = worse.sort_values("by_rule").iloc[0]
        lead = f"Use {_rule(row['rule'], validation)} rather than {model} to predict {outcome}"
        few = _together(worse[worse["rule"] == row["rule"]])
        more = f"{tried} It is better{few}." if few else tried
    elif (tied["rule"] == NAIVE).any():
        row = tied[tied["rule"] == NAIVE].iloc[0]
        lead = f"{model} does not predict {outcome} significantly better than the naive rate"
        more = f"{tried} As long as no difference is significant, the naive rate is the simpler choice."
        if row["advantage"] < 0 and row["agree"] == row["windows"] > 1:
            more += f" {model} is worse in every window."
    elif len(tied):
        row = tied.sort_values("by_rule").iloc[0]
        names = _listed([_rule(rule, validation) for rule in tied["rule"]])
        lead = f"{model} is not significantly different from {names} at predicting {outcome}"
        beaten = [_rule(rule, validation) for rule in better["rule"]]
        more = f" It is significantly better than {_listed(beaten)}." if beaten else tried
    else:
        row, more = better.sort_values("by_rule").iloc[0], tried
        lead = f"{model} predicts {outcome} better than every rule tried{_together(better)}"
    return Led(lead, f": {_figures(validation, row.to_dict())}{more}")


def _figures(validation: Validation, row: dict) -> str:
    change = row["by_model"] / row["by_rule"] - 1 if row["by_rule"] > 0 else np.nan
    size = "" if not np.isfinite(change) else f"{percent(abs(change))} {'lower' if change <= 0 else 'higher'}, "
    ci = interval(-row["high"], -row["low"], magnitude)
    said = (
        f"the mean squared error of {validation.model} is {magnitude(row['by_model'])} against {magnitude(row['by_rule'])} by "
        f"{_rule(row['rule'], validation)} ({size}difference {magnitude(0.0 - row['advantage'])}, unadjusted {ci}, Holm-adjusted "
        f"{p_value(row['pvalue_holm'])}; {row['customers']:,} customers, {_windows(row, validation)})."
    )
    if row["largest"] >= INFLUENTIAL:
        said += (
            f" One customer accounts for {row['largest']:.0%} of the differences; without that customer the difference is "
            f"{magnitude(0.0 - row['without_largest'])}."
        )
    return said


def magnitude(error: float) -> str:
    """A mean squared error, or a difference of two: three decimals where it is small."""
    return short(error) if abs(error) >= 100 else f"{error:.3f}"


def _windows(row: dict, validation: Validation) -> str:
    if row["windows"] == 1:
        return f"one window of {_length(validation)}"
    return f"{row['windows']} windows of {_length(validation)}, {row['agree']} of them with the same sign"


def _together(rows: pd.DataFrame) -> str:
    """What a preference needs beside it that most windows do not show: intervals know nothing of their differences."""
    few = (rows["windows"] > 1) & (2 * rows["agree"] <= rows["windows"])
    return " over all windows together, but not in most of them" if few.any() else ""


def _ranking(validation: Validation, outcome: str) -> str:
    """The outcome's share from the top 20% by the model, against the best of the rules."""
    model, table = validation.model, validation.comparisons
    rows = table[(table["outcome"] == outcome) & (table["measure"] == TOP) & table["pvalue_holm"].notna()]
    what = "orders" if outcome == "orders" else "net revenue"
    if rows.empty:
        few = too_few(validation.windows["came_back"].max(), "customers who came back in a window")
        return f"Top 20% of customers by {what}: {few}."
    row = rows.sort_values("advantage").iloc[0]
    how = (
        "not significantly different from"
        if row["pvalue_holm"] >= LEVEL
        else "more than"
        if row["advantage"] > 0
        else "less than"
    )
    return (
        f"The top 20% by {model} account for {percent(row['by_model'])} of {what}, {how} {percent(row['by_rule'])} by "
        f"{_rule(row['rule'], validation)}, the best of the rules at this ({points(row['advantage'])}, unadjusted "
        f"{interval(100 * row['low'], 100 * row['high'], '{:+.1f}')}, Holm-adjusted {p_value(row['pvalue_holm'])})."
    )


def _totals(validation: Validation) -> str:
    """How far predicted totals are from those that came, over all windows and in single ones."""
    table, parts = validation.errors, []
    rows = table[table["rule"] == validation.model].dropna(subset="bias")
    for row in rows.to_dict("records"):
        within = validation.windows[f"bias_{row['outcome']}"].dropna()
        ends = (
            f"{interval(100 * row['bias_low'], 100 * row['bias_high'], '{:+.1f}%')} over customers alone"
            if row["bias_low"] == row["bias_low"]
            else ""
        )
        spread = f"single windows {100 * within.min():+.0f}% to {100 * within.max():+.0f}%" if len(within) > 1 else ""
        notes = "; ".join(filter(None, (ends, spread)))
        side = "above" if row["bias"] > 0 else "below"
        parts.append(
            f"{row['outcome']} {percent(abs(row['bias']))} {side} those that came{f' ({notes})' if notes else ''}"
        )
    if not parts:
        return "Totals are not compared: no orders came."
    return f"In total {validation.model} predicts {_listed(parts)}."


def _calibrated(validation: Validation) -> str:
    """The share predicted to order beside the share that did, over all and by decile."""
    table = validation.calibration
    rows = table[table["by"] == "chance to order"]
    weights = rows["customers"]
    expected, actual = (np.average(rows[name], weights=weights) for name in ("expected", "actual"))
    known: pd.DataFrame = rows.dropna(subset="low")
    inside = int(known["expected"].between(known["low"], known["high"]).sum())
    of_groups = (
        f"; in {inside} of {len(known)} groups by chance the expected share lies in the 95% interval"
        if len(known)
        else ""
    )
    return (
        f"Within {_length(validation)}, {percent(expected)} of customers are expected to order and {percent(actual)} did "
        f"(expected calibration error {100 * validation.calibration_error:.1f} percentage points{of_groups})."
    )


def _covered(validation: Validation) -> list[str]:
    if validation.coverage["customers"].sum() == 0:
        return []
    row = validation.coverage[validation.coverage["formed_on"].isna()].iloc[0]
    return [
        f"The 95% prediction intervals hold {percent(row['covered'])} of customers' orders ({percent(row['below'])} are below, "
        f"{percent(row['above'])} above; mean width {row['width']:.1f} orders)."
    ]


def _converged(validation: Validation) -> list[str]:
    """In how many windows the model was not fitted as it should be; nothing where in none."""
    windows, model = validation.windows, validation.model
    edge = windows["not_identified"] != ""
    failed, said = int((~windows["converged"] & ~edge).sum()), []
    if edge.any():
        names = sorted({name for names in windows.loc[edge, "not_identified"] for name in names.split(", ")})
        said.append(
            f"The log does not identify {_listed(names)} of {model} in {edge.sum()} of {len(windows)} windows; predictions there are "
            f"those at the edge of what the model can describe."
        )
    if failed:
        said.append(f"The fit of {model} did not converge in {failed} of {len(windows)} windows.")
    return said
