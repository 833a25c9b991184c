"""Purchase histories, models, windows and comparisons as tables for a page; their columns say what is in them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from customerlab.analysis.disclosure import suppressed
from customerlab.analysis.value import expected
from customerlab.analysis.value.cohorts import share_active
from customerlab.analysis.value.fitting import Fit
from customerlab.analysis.value.judging import METRICS, Judged
from customerlab.analysis.value.likelihood import bg_bb, nbd
from customerlab.analysis.value.rivals import ERROR
from customerlab.analysis.value.survival import ordered_within
from customerlab.analysis.value.validation import Validation
from customerlab.analysis.value.verdict import magnitude
from customerlab.formats import p_value, percent

MANY = 7  # repeat orders from which customers are one group
WINDOW_FORMATS = dict.fromkeys(
    ["customers", "ordered", "orders expected", "orders", "revenue expected", "revenue"], "{:,.0f}"
) | dict.fromkeys(["orders off by", "revenue off by"], "{:+.0%}")
GROUP_COLUMNS = {
    "customers": "customers", "active": "active", "orders": "orders", "revenue": "revenue", "revenue_low": "lower",
    "revenue_high": "upper", "recent": "revenue before", "residual_value": "residual value",
}  # fmt: skip
GROUP_FORMATS = dict.fromkeys(GROUP_COLUMNS.values(), "{:,.0f}")
HISTORY_FORMATS = {
    "customers": "{:,.0f}", "% of customers": "{:.1%}", "age": "{:,.1f}", "age at the last order": "{:,.1f}",
    "money": "{:,.2f}",
}  # fmt: skip
WIDE = 1e4  # how many times the lower end of an interval the upper is, from which it says nothing


def histories(history: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """Customers by number of repeat orders, with mean ages and money; `history` as `summary` returns it."""
    names = [*map(str, range(MANY)), f"{MANY} or more"]
    repeat = history["x"].clip(upper=MANY)
    grouped = history.assign(money=history["mean"] * history["x"]).groupby(repeat)
    table = pd.DataFrame({
        "customers": grouped.size(), "% of customers": grouped.size() / len(history), "age": grouped["T"].mean(),
        "age at the last order": grouped["t_x"].mean(), "money": grouped["money"].sum() / grouped["x"].sum().where(lambda n: n > 0),
    })  # fmt: skip
    table.insert(0, "repeat orders", [names[number] for number in table.index])
    return suppressed(table.reset_index(drop=True), smallest)


def estimates(fits: Mapping[str, Fit | None]) -> pd.DataFrame:
    """The parameters of models with standard errors and intervals, one below the other."""
    parts = [found.estimates.assign(model=name) for name, found in fits.items() if found is not None]
    table = pd.concat(parts, ignore_index=True).rename(columns={"se": "standard error"})
    return table[["model", "parameter", "estimate", "standard error", "low", "high"]]


def side_by_side(fits: Mapping[str, Fit], history: pd.DataFrame, horizon: float) -> pd.DataFrame:
    """Models of repeat orders beside each other: how likely they make the log, who is active, what is to come.

    `parameters` are their number, and AIC is twice that less twice the log-likelihood (Akaike 1974).
    """
    rows = (history["x"].to_numpy(float), history["t_x"].to_numpy(float), history["T"].to_numpy(float))
    found = []
    for name, fit in fits.items():
        number, missing = len(fit.estimates), fit.model is nbd
        found.append({
            "model": name, "parameters": number, "log-likelihood": fit.log_likelihood, "AIC": 2 * (number - fit.log_likelihood),
            "active": np.nan if missing else share_active(fit, history),
            "orders": float(expected.orders(fit.model, fit.parameters, rows, horizon).sum()),
            "note": _note(fit),
        })  # fmt: skip
    return pd.DataFrame(found)


def _note(fit: Fit) -> str:
    if fit.at_bounds:
        return f"not identified: {', '.join(fit.at_bounds)}"
    other = "another likelihood: of opportunities, not of time" if fit.model is bg_bb else ""
    return other if fit.converged else "did not converge"


def cohort_table(cohorts: pd.DataFrame) -> pd.DataFrame:
    """Fits by acquisition cohort, an interval in one cell; `cohorts` as `by_cohort` returns them."""
    names = [name.removesuffix("_low") for name in map(str, cohorts) if name.endswith("_low")]
    table = cohorts[["cohort", "customers", "ordered_again"]].rename(columns={"ordered_again": "ordered again"})
    for name in names:
        ends = zip(*(cohorts[f"{name}{end}"] for end in ("", "_low", "_high")), strict=True)
        table[name] = [
            f"{one:.3g} ({low:.3g} to {high:.3g})" if high < WIDE * low else "not identified" for one, low, high in ends
        ]
    return table.assign(active=cohorts["active"])


def window_table(tested: Validation) -> pd.DataFrame:
    """The windows of a validation: expected and actual totals of customers known on their first day."""
    w = tested.windows
    last = w["until"] - pd.Timedelta(days=1)
    return pd.DataFrame({
        "window": [f"{begin:%Y-%m-%d} to {end:%Y-%m-%d}" for begin, end in zip(w["formed_on"], last, strict=True)],
        "customers": w["customers"], "ordered": w["came_back"], "orders expected": w["expected_orders"],
        "orders": w["orders"], "orders off by": w["bias_orders"], "revenue expected": w["expected_revenue"],
        "revenue": w["revenue"], "revenue off by": w["bias_revenue"],
    })  # fmt: skip


def comparison_table(tested: Validation) -> pd.DataFrame:
    """The model against each rule, by squared error and by the share of the outcome from the top 20% of customers."""
    c = tested.comparisons
    error = c["measure"] == ERROR
    sign = np.where(error, -1, 1)  # of errors less is better, and the table says model less rule

    def written(values: pd.Series) -> list[str]:
        return [
            "–" if np.isnan(value) else magnitude(value) if squared else f"{100 * value:.1f}%"
            for value, squared in zip(values, error, strict=True)
        ]

    ends = [written((c[name] * sign).where(c[name].notna())) for name in ("advantage", "low", "high")]
    low, high = zip(
        *((b, a) if squared else (a, b) for a, b, squared in zip(*ends[1:], error, strict=True)), strict=True
    )
    return pd.DataFrame({
        "outcome": c["outcome"], "measure": c["measure"], "rule": c["rule"], tested.model: written(c["by_model"]),
        "by rule": written(c["by_rule"]), "difference": ends[0],
        "95% CI": ["–" if a == "–" else f"{a} to {b}" for a, b in zip(low, high, strict=True)],
        "p (Holm)": ["–" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}" for p in c["pvalue_holm"]],
        "windows that agree": [f"{a} of {n}" for a, n in zip(c["agree"], c["windows"], strict=True)],
    })  # fmt: skip


def group_table(groups: pd.DataFrame, everybody: pd.DataFrame, by: str) -> pd.DataFrame:
    """The value of groups, and of all customers in the last row; both as `totals` returns them."""
    table = pd.concat([groups, everybody])[["group", *GROUP_COLUMNS]]
    return table.rename(columns=GROUP_COLUMNS | {"group": by})


def score_table(judged: Judged) -> pd.DataFrame:
    """How well each model predicts churn, a column each, with its difference to recency alone, by `predict_churn`."""
    table: dict[str, list[str]] = {"measure": []}
    for row in judged.scores.to_dict("records"):
        own = judged.comparisons[judged.comparisons["model"] == row["model"]].set_index("metric")
        cells = {"base rate": percent(row["base_rate"])}
        for name, title in METRICS.items():
            ends = (row[f"{name}_low"], row[f"{name}_high"])
            cells[title] = f"{row[name]:.3f} ({ends[0]:.3f} to {ends[1]:.3f})"
            told = own.loc[name] if name in own.index else None
            more = "–" if told is None else f"{told['difference']:+.3f}, {p_value(told['pvalue_holm'])}"
            cells[f"{title}, less recency alone"] = more
        cells |= {"Brier score": f"{row['brier']:.3f}", "calibration slope": f"{row['slope']:.2f}"}
        table |= {"measure": list(cells), row["model"]: list(cells.values())}
    return pd.DataFrame(table)


def waits_table(waits: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """The share of each group that orders again within so many days, a column each; `waits` as `cohort_waits`."""
    shares = ordered_within(waits)
    table = shares.groupby("group", sort=False)["customers"].first().reset_index()
    for days, rows in shares.groupby("days"):
        texts = [_share(*row) for row in rows[["share", "low", "high"]].to_numpy(float)]
        table[f"{days} days"] = table["group"].map(dict(zip(rows["group"], texts, strict=True)))
    return suppressed(table, smallest)


def _share(share: float, low: float, high: float) -> str:
    if np.isnan(share):
        return "–"
    return percent(share) + ("" if np.isnan(low) else f" ({percent(low)} to {percent(high)})")
