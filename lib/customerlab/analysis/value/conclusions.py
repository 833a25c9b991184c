"""Findings about expected value as sentences: in all, by segment, how concentrated, and whose rank changes."""

import numpy as np
import pandas as pd

from customerlab.analysis.inference import INFLUENTIAL, largest_share
from customerlab.analysis.rfm.concentration import Concentration
from customerlab.analysis.value.judging import Judged
from customerlab.analysis.value.outlook import Outlook
from customerlab.analysis.value.validation import Validation
from customerlab.analysis.value.worth import TOP
from customerlab.formats import percent, short
from customerlab.wording import Led


def by_total(ahead: Outlook, span: str, currency: str, tested: Validation | None = None) -> list[str]:
    """The expected revenue or orders of all customers with its interval, and how far earlier totals were off."""
    row = ahead.totals.iloc[0]
    if pd.isna(row["orders"]):
        return []
    what, unit = ("revenue", f" {currency}") if row["revenue"] == row["revenue"] else ("orders", " orders")
    said: list[str] = [
        Led(
            f"Expected {what} of the next {span}: {short(row[what])}{unit}",
            f" (95% prediction interval {short(row[f'{what}_low'])} to {short(row[f'{what}_high'])}) from the {row['customers']:,.0f} "
            f"customers known today. New customers, seasons and changes of demand are not in it{_off(tested, what, row)}.",
        )
    ]
    share = float(np.max([largest_share(ahead.customers[what])]))
    if share >= INFLUENTIAL:
        said.append(f"One customer accounts for {percent(share)} of expected {what}.")
    return said


def _off(tested: Validation | None, what: str, row: pd.Series) -> str:
    """How far totals of earlier windows were off, and how many of them by more than the interval of this one holds."""
    if tested is None:
        return ""
    off = tested.windows[f"bias_{what}"].dropna().tolist()
    ends = " to ".join(f"{end:+.0%}" for end in sorted({min(off), max(off)})) if off else ""
    if not ends:
        return ""
    came = 1 / (1 + np.array(off))  # in units of what was expected
    wide = int(((came < row[f"{what}_low"] / row[what]) | (came > row[f"{what}_high"] / row[what])).sum())
    return f"; totals of earlier windows were off by {ends}, {wide} of {len(off)} by more than this interval holds"


def by_segment(groups: pd.DataFrame, span: str, currency: str) -> list[str]:
    """The group with the highest expected revenue, in all and per customer; `groups` without those too small."""
    known = groups.dropna(subset=["customers", "revenue"])
    if known.empty:
        return []
    each = known.assign(mean=known["revenue"] / known["customers"])
    most, best = (each.sort_values([by, "group"], ascending=[False, True]).iloc[0] for by in ("revenue", "mean"))
    return [
        f"{most['group']} is expected to bring the most: {short(most['revenue'])} {currency} in {span} ({short(most['revenue_low'])} to "
        f"{short(most['revenue_high'])}) from {most['customers']:,.0f} customers. Per customer it is {best['group']} with "
        f"{short(best['mean'])} {currency}."
    ]


def by_rank(past: Concentration, future: Concentration, staying: float) -> str:
    """Whether the best customers so far are those who are expected to be."""
    return (
        f"{percent(staying)} of the top {TOP:.0%} of customers by revenue so far are among the top {TOP:.0%} by expected revenue. The "
        f"top {TOP:.0%} hold {percent(past.top_share(TOP))} of revenue so far and {percent(future.top_share(TOP))} of expected revenue."
    )


def recorded(ahead: Outlook, tested: Validation | None, judged: Judged | None) -> dict[str, float | list[float]]:
    """What to follow from run to run: totals with their intervals, the bias of totals, and how well churn is ranked."""
    row = ahead.totals.iloc[0]
    found: dict[str, float | list[float]] = {
        f"expected_{what}": [float(row[f"{what}{end}"]) for end in ("", "_low", "_high")]
        for what in ("orders", "revenue")
        if row[what] == row[what]
    }
    if tested is not None:
        own = tested.errors[tested.errors["rule"] == tested.model].dropna(subset="bias_low")
        found |= {
            f"bias_of_{one['outcome']}": [one["bias"], one["bias_low"], one["bias_high"]]
            for one in own.to_dict("records")
        }
    if judged is not None:
        best = judged.scores[judged.scores["model"] == judged.best]
        found["churn_roc_auc"] = best[["roc_auc", "roc_auc_low", "roc_auc_high"]].to_numpy(float).ravel().tolist()
    return found
