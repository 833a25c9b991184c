"""Findings about the log as sentences: computed, with sizes and the influence of single customers."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from customerlab.analysis.explore.best import TopDecile
from customerlab.analysis.explore.returning import Cohorts
from customerlab.analysis.explore.trading import highest
from customerlab.analysis.inference import INFLUENTIAL, influence
from customerlab.formats import percent
from customerlab.wording import Led

MANY_ONCE = 1 / 3  # share of customers who ordered once
REMOVED = 0.01  # sales that a cleaning rule removed, as a share of those that it left
LARGE_ORDER = 50  # times the median order


def alerts(
    report: Mapping[str, Any],
    months: pd.DataFrame,
    *,
    repeated: Mapping[str, float] | pd.Series,
    orders: pd.DataFrame,
    once: float,
    largest: Mapping[str, float],
    hours: pd.DataFrame,
    only_returns: int = 0,
    smallest: int = 1,
) -> list[str]:
    """What is unusual in the data, and may need a check before numbers are used.

    Parameters
    ----------
    report : mapping
        Of the order lines, as `Run.source` returns it.
    months : DataFrame
        As `by_month` returns it.
    repeated : mapping
        As `repeats` returns it.
    orders : DataFrame
        The `spread` of baskets, its first row that of their value.
    once : float
        Share of customers who ordered once.
    largest : mapping of str to float
        By unit, such as ``customer``, the largest one's share of net revenue.
    hours : DataFrame
        Orders by weekday and hour, of `by_weekday_hour`.
    only_returns : int
        Customers with returns but no sale in the log.
    smallest : int
        Numbers of fewer customers are not given.
    """
    _, *steps = report["row_accounting"]
    said = _removed(steps)
    incomplete, empty = (months.loc[which, "month"] for which in (months["partial"], months["orders"] == 0))
    if len(incomplete):
        said.append(f"Incomplete months: {_months(incomplete)}. Comparisons exclude them.")
    if len(empty):
        said.append(f"Months without orders: {_months(empty)}.")
    if repeated["lines"]:
        said.append(
            f"{repeated['lines']:,.0f} lines (revenue {repeated['money']:,.0f}) repeat another line in every column. They are kept; "
            "the rule exact_repeat would remove them."
        )
    if once >= MANY_ONCE:
        said.append(f"{percent(once)} of customers ordered once.")
    value = orders.iloc[0]
    if value["largest"] >= LARGE_ORDER * value["median"] > 0:
        said.append(
            f"The largest order is {value['largest']:,.0f}, {value['largest'] / value['median']:,.0f} times the median."
        )
    said += [
        f"One {unit} makes {percent(share)} of net revenue." for unit, share in largest.items() if share >= INFLUENTIAL
    ]
    if hours.to_numpy().sum() and not hours.iloc[:, 1:].to_numpy().any():
        said.append("All orders are at 0:00: the log has dates without times.")
    if only_returns:
        number = f"{only_returns:,}" if only_returns >= smallest else "Some"
        said.append(f"{number} customers have returns but no sale in the log.")
    return said


def _removed(steps: list[dict[str, Any]]) -> list[str]:
    """The cleaning rules that removed many sales; missing customers concern all results by customer."""
    said, gross = [], float(steps[-1].get("amount_left", 0)) if steps else 0.0
    for step in steps:
        lost = float(step.get("sales_removed", 0))
        if lost < REMOVED * gross or not lost:
            continue
        share = percent(lost / (lost + gross)) if gross > 0 else "all"
        if step["step"] == "customer_missing":
            said.append(
                f"{step['rows_removed']:,} rows (sales {lost:,.0f}, {share} of sales) name no customer. Results by customer "
                "exclude them."
            )
        else:
            said.append(f"Removed by the rule '{step['why']}': {step['rows_removed']:,} rows (sales {lost:,.0f}).")
    return said


def _months(months: pd.Series) -> str:
    return ", ".join(f"{month:%Y-%m}" for month in months)


def of_quality(accounting: pd.DataFrame, alerts: int) -> str:
    """How many rows cleaning kept, and how many `alerts` there are; `accounting` as from `Run.row_accounting`."""
    read, kept = accounting["rows left"].iloc[[0, -1]]
    lead = f"Check {alerts} data alert{'s' * (alerts != 1)} before using these numbers" if alerts else "No data alerts"
    return Led(lead, f": cleaning kept {kept:,} of {read:,} rows ({percent(kept / read)}).")


def of_scale(totals: pd.Series, gross: float, net: float) -> str:
    """Customers, orders and revenue of the log; `totals` as `explore.totals` returns them."""
    return (
        f"{totals['customers']:,} customers placed {totals['orders']:,} orders from {totals['first']:%Y-%m-%d} to "
        f"{totals['last']:%Y-%m-%d}: net revenue {net:,.0f} (gross {gross:,.0f})."
    )


def of_months(months: pd.DataFrame) -> list[str]:
    """The strongest complete month of `by_month`, gross and net; nothing if fewer than two are complete."""
    whole = months[~months["partial"]]
    whole = whole.set_index(whole["month"].dt.strftime("%B %Y"))
    if len(whole) < 2 or not whole["revenue"].median() > 0:
        return []
    gross, net = (highest(whole[name]) for name in ("revenue", "net"))
    times = whole["revenue"].max() / whole["revenue"].median()
    after = "" if gross == net else f" By net revenue it is {net}."
    flag = influence(float(whole["largest_customer"].iloc[whole["revenue"].argmax()]), "customer")
    return [
        f"The strongest complete month is {gross}: gross revenue is {times:.1f} times the median month"
        f"{f' ({flag})' if flag else ''}.{after}"
    ]


def of_times(grids: dict[str, pd.DataFrame], weekdays: pd.DataFrame) -> list[str]:
    """The weekday and the hour of most revenue, by `by_weekday` and `by_weekday_hour`; nothing without revenue."""
    if not grids["revenue"].to_numpy().sum() > 0:
        return []
    hours = grids["revenue"].sum().rename(lambda hour: f"{hour}:00 to {hour + 1}:00")
    daily = highest(weekdays.set_index("weekday")["revenue_per_day"])
    return [f"Average daily gross revenue peaks on {daily}; the peak hour is {highest(hours)}."]


def of_orders(kept: pd.Series, placed: pd.Series) -> str:
    """Median and average order value, `kept` (without annulled lines) and as `placed`."""
    return (
        f"The average order value is {kept['mean']:,.1f}, the median {kept['median']:,.1f} (as placed: {placed['mean']:,.1f} and "
        f"{placed['median']:,.1f})."
    )


def of_products(best: pd.DataFrame, sold: int) -> str:
    """The share of the top products in net revenue; `best` as `top_products` returns it."""
    flagged = (best["largest_customer"] >= INFLUENTIAL).sum()
    return (
        f"The top {len(best)} of {sold:,} products bring {percent(best['share'].sum(min_count=1))} of net revenue; in {flagged} of "
        f"them one customer makes {percent(INFLUENTIAL)} or more."
    )


def of_cohorts(found: Cohorts) -> list[str]:
    """Retention one month after the first order; nothing if no cohort is followed for so long."""
    after = found.average.loc[found.average["months"] == 1, "customers"]
    return [f"{percent(share)} of new customers order again in the following calendar month." for share in after]


def of_top_decile(best: TopDecile | None) -> list[str]:
    """The share of the top decile of customers in net revenue, and whether by more orders or by larger ones."""
    if not best:
        return []
    more = (
        f"; {best.times_orders:.1f} times the orders at {best.times_value:.1f} times the average order value of the others"
        if best.times_value > 0
        else ""
    )
    return [f"The top 10% of customers bring {percent(best.share)} of net revenue{more}."]


def of_largest(shares: Mapping[str, float]) -> str:
    """The largest shares of single units in net revenue."""
    listed = ", ".join(f"one {unit} {percent(share)}" for unit, share in shares.items())
    return f"Largest single shares of net revenue: {listed}."


def of_parts(parts: dict[str, pd.DataFrame]) -> list[str]:
    """For each division of the shop, how many parts depend on one customer for a tenth or more of net revenue.

    Tables are those of `by_part`; rows in brackets are not parts.
    """
    said = []
    for name, table in parts.items():
        shares = table.loc[~table["part"].str.startswith("("), "largest_customer"]
        large = shares[shares >= INFLUENTIAL]
        if len(large):
            said.append(
                f"By {name}: in {len(large)} of {len(shares)} parts one customer makes {INFLUENTIAL:.0%} or more of net revenue "
                f"(up to {large.max():.0%})."
            )
    return said


def of_returns(taken: pd.Series | None) -> list[str]:
    """How much was returned; `taken` as `returns_summary` returns it, or None."""
    if taken is None:
        return []
    return [
        f"Returns are {taken['returned']:,.0f} ({percent(taken['of_revenue'])} of gross revenue); {taken['annulling']:,} of "
        f"{taken['lines']:,} return lines annul a sale.",
        f"The ten largest return lines make {percent(taken['largest_lines'])} of returns, the largest {percent(taken['largest'])}.",
    ]
