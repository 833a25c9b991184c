"""What is concluded from segments, in sentences: computed, with how many, how sure, and what hangs on one customer."""

from collections.abc import Iterable

import pandas as pd

from customerlab.analysis.disclosure import hidden
from customerlab.analysis.inference import INFLUENTIAL, enough, influence, too_few
from customerlab.analysis.rfm.choosing import DEPTH
from customerlab.analysis.rfm.concentration import Concentration
from customerlab.analysis.rfm.holdout import Holdout
from customerlab.analysis.rfm.repurchase import ANY
from customerlab.formats import interval, p_value, percent, points

LEVEL = 0.05


def _listed(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def by_choice(held: Holdout, days: int) -> list[str]:
    """For each outcome, which rule to choose customers by, with what the fifth that each rule chooses brings.

    The rule is named where its difference is statistically significant (Holm-adjusted for all that are compared).
    """
    at = held.choices[held.choices["formed_on"].isna() & (held.choices["chosen"] == DEPTH)]
    if at.empty:
        few = too_few(held.windows["came_back"].max(), f"ordered again in any window of {days} days")
        return [f"Whether to choose customers by segment or by a plainer rule: {few}."]
    used = held.windows[held.windows["formed_on"].isin(held.choices["formed_on"].dropna())]
    names = {
        "revenue": f"revenue in the following {days} days",
        "repeat customers": f"customers who order again within {days} days",
    }
    said = [_choice(names[str(outcome)], rows, len(used)) for outcome, rows in at.groupby("outcome", sort=False)]
    for row in used[used["largest"] >= INFLUENTIAL].to_dict("records"):
        one = influence(row["largest"], "customer")
        said.append(f"Revenue in the {days} days from {row['formed_on']:%Y-%m-%d}: {one}.")
    return said


def _choice(outcome: str, rows: pd.DataFrame, windows: int) -> str:
    told = rows["pvalue_holm"] < LEVEL
    better, worse = rows[told & (rows["difference"] < 0)], rows[told & (rows["difference"] > 0)]
    if len(better):
        best = better.sort_values("by_rule")["against"].iloc[-1]
        what = f"To reach the most {outcome}, choose by {best}, not by segment"
    elif len(worse) == len(rows):
        what = f"To reach the most {outcome}, choose by segment"
    else:
        what = f"Whether segments are the best choice to reach the most {outcome} is inconclusive"
    differences = "; ".join(_difference(row, windows) for row in rows.to_dict("records"))
    how = f"mean of {windows} windows" if windows > 1 else "one window"
    return (
        f"{what}: a fifth of customers bring {rows['by_segment'].iloc[0]:.0%} chosen by segment, {differences} "
        f"({how}; p-values Holm-adjusted for all comparisons)."
    )


def _difference(row: dict, windows: int) -> str:
    verdict = ("less" if row["difference"] < 0 else "more") if row["pvalue_holm"] < LEVEL else "inconclusive"
    agree = f", same sign in {row['agree']:.0f} of {windows} windows" if windows > 1 else ""
    return (
        f"{row['by_rule']:.0%} by {row['against']} (segment {verdict}: {points(row['difference'])}, "
        f"{interval(100 * row['low'], 100 * row['high'], '{:+.1f}')}, {p_value(row['pvalue_holm'])}{agree})"
    )


def by_rate(held: Holdout, days: int) -> str:
    """The segments with the highest and the lowest repurchase rate, of those with enough customers."""
    table = held.segments.dropna(subset="return_rate_low")
    rates = table.loc[[table["return_rate"].idxmax(), table["return_rate"].idxmin()]] if len(table) else table
    if rates["return_rate"].nunique() < 2:
        few = too_few(held.segments["came_back"].max(), "ordered again in any segment")
        return f"Whether segments differ in their repurchase rate within {days} days: {few if table.empty else 'they do not'}."
    told = [
        f"{row['segment']} ({row['return_rate']:.0%}; 95% CI {row['return_rate_low']:.0%} to "
        f"{row['return_rate_high']:.0%}, n = {row['customers']:,})"
        for row in rates.to_dict("records")
    ]
    windows = len(held.windows)
    return (
        f"The repurchase rate within {days} days is highest in {told[0]} and lowest in {told[1]}, "
        f"{f'{windows} windows together' if windows > 1 else 'in one window'}."
    )


def by_influence(table: pd.DataFrame, what: str) -> list[str]:
    """The segments of whose money one customer makes a tenth or more, as `profile` and `by_segment` return it."""
    flagged = table[table["largest"] >= INFLUENTIAL]
    if flagged.empty:
        return []
    parts = [f"{row['segment']} ({row['largest']:.0%})" for row in flagged.to_dict("records")]
    return [f"One customer makes a tenth or more of the {what} in {_listed(parts)}."]


def by_size(table: pd.DataFrame, kind: str) -> list[str]:
    """The segments of most revenue, gross or net, and of most customers, where one alone is; as `profile` has them."""
    said = []
    richest, largest = (table[table[name] == table[name].max()] for name in ("revenue", "customers"))
    if len(richest) == 1 and richest["share_of_revenue"].notna().all():
        one = richest.iloc[0]
        said.append(
            f"The segment with the most revenue is {one['segment']}: {one['share_of_customers']:.0%} of customers bring "
            f"{one['share_of_revenue']:.0%} of it ({kind})."
        )
    if len(largest) == 1:
        one = largest.iloc[0]
        said.append(
            f"The segment with the most customers is {one['segment']}: {one['share_of_customers']:.0%} of them."
        )
    return said


def by_concentration(customers: Concentration, products: Concentration, once: float, kind: str) -> str:
    """What the best fifths of customers and of products bring, and how many have ordered `once`."""
    return (
        f"The fifth of customers who spend most bring {percent(customers.top_share(0.2))} of the revenue ({kind}; Gini "
        f"{customers.gini:.2f}), the best-selling fifth of products {percent(products.top_share(0.2))} "
        f"(Gini {products.gini:.2f}). {percent(once)} of customers have ordered once."
    )


def by_gaps(waits: pd.DataFrame) -> list[str]:
    """How many of the waits that ended within the log were short; nothing where too few did."""
    gaps = waits["days"][waits["ended"]]
    within = ", ".join(f"{percent((gaps <= days).mean())} are at most {days} days" for days in (30, 60, 90))
    told = f"Of the {len(gaps):,} gaps that ended within the log {within}: not the repurchase rate, which is lower."
    return [told] if enough(len(gaps)) else []


def by_repurchase(table: pd.DataFrame) -> str:
    """How many order again after a first order and after any, as `repurchase` returns it."""
    told = []
    for after in (table["after"].iloc[0], ANY):
        rows = table[table["after"] == after].dropna(subset="low")
        if rows.empty:
            few = too_few(table.loc[table["after"] == after, "ordered_again"].max(), "ordered again")
            told.append(f"after {_order(after)} order: {few}")
            continue
        shares = _listed(f"{row.share:.0%} within {row.days} days" for row in rows.itertuples())
        last = rows.iloc[-1]
        told.append(
            f"after {_order(after)} order {shares} (95% CI {last['low']:.0%} to {last['high']:.0%}, n = {last['orders']:,})"
        )
    return f"Repurchase rates, corrected for the end of the log (Kaplan-Meier): {'; '.join(told)}."


def _order(after: str) -> str:
    return "any" if after == ANY else f"a {after}"


def by_money(table: pd.DataFrame, everybody: int, smallest: int = 1) -> str:
    """That the monetary score plays no part in the segments, and whom that concerns, as `high_spenders` returns it.

    Of segments that are `disclosure.hidden` no number is said.
    """
    what = "The segments are formed by recency and frequency alone"
    low, few = table[table["low"]], hidden(table["customers"], smallest)[table["low"]]
    if table.empty or low.empty:
        return f"{what}; no customer with the highest monetary score is in a segment of low spending."
    if low["customers"].sum() < smallest:
        return (
            f"{what}; fewer than {smallest} customers with the highest monetary score are in segments of low spending."
        )
    parts = [
        f"{'some' if away else format(row['customers'], ',')} in {row['segment']}"
        for row, away in zip(low.to_dict("records"), few, strict=True)
    ]
    return (
        f"{what}: {low['customers'].sum():,} of the {table['customers'].sum():,} customers with the highest monetary score "
        f"({low['customers'].sum() / everybody:.0%} of all, with {low['revenue'].sum():,.0f} of revenue) are in segments "
        f"whose median customer has spent less than the shop's: {_listed(parts)}."
    )
