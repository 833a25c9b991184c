"""Findings about the log as sentences: computed, with sizes and the influence of single customers."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from customerlab.analysis.explore.best import TopDecile
from customerlab.analysis.explore.periods import ADJECTIVES, brief, named
from customerlab.analysis.explore.returning import Cohorts
from customerlab.analysis.explore.trading import highest
from customerlab.analysis.inference import INFLUENTIAL, influence
from customerlab.formats import percent
from customerlab.wording import Led

REMOVED = 0.01  # sales that a cleaning rule removed, as a share of those that it left
LARGE_ORDER = 50  # times the median order
NAMED = 2  # alerts that the first finding names
LISTED = 6  # months that an alert lists
TWICE = 2  # of each weekday, from which weekdays are compared


def alerts(
    report: Mapping[str, Any],
    months: pd.DataFrame,
    *,
    repeated: Mapping[str, float] | pd.Series,
    orders: pd.DataFrame,
    largest: Mapping[str, float],
    currency: str,
    only_returns: int = 0,
    smallest: int = 1,
    every: str = "month",
) -> list[str]:
    """What is unusual in the data, and may need a check before numbers are used: suspicions, then the most money first.

    Parameters
    ----------
    report : mapping
        Of the order lines, as `Run.source` returns it.
    months : DataFrame
        As `by_month` returns it.
    repeated : mapping
        As `repeats` returns it.
    orders : DataFrame
        The `spread` of baskets: the first row is their value, the last their value as placed, before returns.
    largest : mapping of str to float
        By unit, such as ``customer``, the largest one's share of net revenue.
    currency : str
        Of all money.
    only_returns : int
        Customers with returns but no sale in the log.
    smallest : int
        Numbers of fewer customers are not given.
    every : str
        The unit of time of `months`, if it is not the month.
    """
    _, *steps = report["row_accounting"]
    kept = float(steps[-1].get("amount_left", 0)) if steps else 0.0
    sized, said = _removed(steps, kept, currency), []
    incomplete, empty = (months.loc[which, "month"] for which in (months["partial"], months["orders"] == 0))
    if len(incomplete):
        said.append(f"Incomplete {every}s: {_months(incomplete, every)}. Comparisons exclude them.")
    if len(empty):
        said.append(f"{every.capitalize()}s without orders: {_months(empty, every)}.")
    if repeated["lines"]:
        alert = (
            f"{repeated['lines']:,.0f} lines (revenue {repeated['money']:,.0f} {currency}) repeat another line in every column. They "
            "are kept; the rule exact_repeat would remove them."
        )
        sized.append((repeated["money"], alert))
    value = orders.iloc[0]
    if value["largest"] >= LARGE_ORDER * value["median"] > 0:
        times = value["largest"] / value["median"]
        placed = f"as placed: {orders['largest'].iloc[-1]:,.0f} {currency}"
        alert = f"The largest order is {value['largest']:,.0f} {currency}, {times:,.0f} times the median ({placed})."
        sized.append((value["largest"], alert))
    sized += [
        (share * kept, f"One {unit} makes {percent(share)} of net revenue.")
        for unit, share in largest.items()
        if share >= INFLUENTIAL
    ]
    if only_returns:
        number = f"{only_returns:,}" if only_returns >= smallest else "Some"
        said.append(f"{number} customers have returns but no sale in the log.")
    suspected = [one["said"] for one in report.get("suspicions", ()) if one["fix"]]
    return suspected + [alert for _, alert in sorted(sized, key=lambda one: -one[0])] + said


def _removed(steps: list[dict[str, Any]], gross: float, currency: str) -> list[tuple[float, str]]:
    """The cleaning rules that removed many sales, and how many; missing customers concern all results by customer."""
    said = []
    for step in steps:
        lost = float(step.get("sales_removed", 0))
        if lost < REMOVED * gross or not lost:
            continue
        share = percent(lost / (lost + gross)) if gross > 0 else "all"
        if step["step"] == "customer_missing":
            alert = (
                f"{step['rows_removed']:,} rows (sales {lost:,.0f} {currency}, {share} of sales) name no customer. All results "
                "exclude them."
            )
        else:
            alert = f"The rule '{step['why']}' removed {step['rows_removed']:,} rows (sales {lost:,.0f} {currency})."
        said.append((lost, alert))
    return said


def _months(months: pd.Series, every: str) -> str:
    names = [f"{month:%Y-%m}" if every == "month" else brief(month, every) for month in months]
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED:,} more" if names[LISTED:] else "")


def suspicions(report: Mapping[str, Any]) -> pd.DataFrame:
    """What is odd about the log as a whole, by the report of its order lines: `about`, `said`, `fix`.

    Without a `fix` it is worth knowing, and no suspicion.
    """
    return pd.DataFrame(report.get("suspicions", ()), columns=["about", "said", "fix"])


def of_quality(accounting: pd.DataFrame, alerts: Sequence[str]) -> str:
    """How many rows cleaning kept, how many `alerts` there are, and the first `NAMED` of them.

    `accounting` as from `Run.row_accounting`.
    """
    (read, kept), number = accounting["rows left"].iloc[[0, -1]], len(alerts)
    lead = f"Check {number} data alert{'s' * (number != 1)} before using these numbers" if alerts else "No data alerts"
    named = "".join(f" {alert.partition('. ')[0].rstrip('.')}." for alert in alerts[:NAMED])
    return Led(lead, f": cleaning kept {kept:,} of {read:,} rows ({percent(kept / read)}) as sales.{named}")


def of_scale(totals: pd.Series, gross: float, net: float, currency: str) -> str:
    """Customers, orders and revenue of the log; `totals` as `explore.totals` returns them."""
    first, last = (f"{totals[end]:%Y-%m-%d}" for end in ("first", "last"))
    when = f"on {first}" if first == last else f"from {first} to {last}"
    return (
        f"{totals['customers']:,} customers placed {totals['orders']:,} orders {when}. Sales that name a customer bring a net revenue of "
        f"{net:,.0f} {currency} (gross {gross:,.0f})."
    )


def of_months(months: pd.DataFrame, every: str = "month") -> list[str]:
    """The strongest complete month, or other unit, of `by_month`; nothing if fewer than two are complete."""
    whole = months[~months["partial"]]
    whole = whole.set_index(whole["month"].map(lambda first: named(first, every)))
    if len(whole) < 2 or not whole["revenue"].median() > 0:
        return []
    gross, net = (highest(whole[name]) for name in ("revenue", "net"))
    times = whole["revenue"].max() / whole["revenue"].median()
    after = "" if gross == net else f" By net revenue it is {net}."
    flag = influence(float(whole["largest_customer"].iloc[whole["revenue"].argmax()]), "customer")
    return [
        f"The strongest complete {every} is {gross}: gross revenue is {times:.1f} times the median {every}"
        f"{f' ({flag})' if flag else ''}.{after}"
    ]


def of_times(grids: dict[str, pd.DataFrame], weekdays: pd.DataFrame) -> list[str]:
    """The weekday and the hour of most revenue, by `by_weekday` and `by_weekday_hour`; nothing without revenue.

    No weekday where the log has one of them once or not at all, and no hour where it has dates without times.
    """
    if not grids["revenue"].to_numpy().sum() > 0:
        return []
    hours = grids["revenue"].sum().rename(lambda hour: f"{hour}:00 to {hour + 1}:00")
    days = weekdays.set_index("weekday")["revenue_per_day"]
    said = [f"average daily gross revenue peaks on {highest(days)}"] * int(weekdays["days"].min() >= TWICE)
    said += [f"the peak hour is {highest(hours)}"] * has_times(grids)
    told = "; ".join(said)
    return [f"{told[0].upper()}{told[1:]}."] if said else []


def has_times(grids: Mapping[str, pd.DataFrame]) -> bool:
    """Whether any order of `by_weekday_hour` is at another hour than 0: not so where a log has dates without times."""
    return bool(grids["orders"].iloc[:, 1:].to_numpy().any())


def of_orders(kept: pd.Series, placed: pd.Series, currency: str) -> str:
    """Median and average order value, `kept` (without annulled lines) and as `placed`."""
    return (
        f"The average order value is {kept['mean']:,.1f} {currency}, the median {kept['median']:,.1f} {currency} (as placed: "
        f"{placed['mean']:,.1f} and {placed['median']:,.1f})."
    )


def of_products(best: pd.DataFrame | None, sold: int) -> list[str]:
    """The share of the top products in net revenue; `best` as `top_products` returns it, or None."""
    if best is None:
        return []
    flagged = (best["largest_customer"] >= INFLUENTIAL).sum()
    return [
        f"The top {len(best)} of {sold:,} products bring {percent(best['share'].sum(min_count=1))} of net revenue; in {flagged} of "
        f"them one customer makes {percent(INFLUENTIAL)} or more."
    ]


def of_cohorts(found: Cohorts) -> list[str]:
    """Retention one month, or other unit, after the first order; nothing if no cohort is followed for so long."""
    after = found.average[found.average["months"] == 1].to_dict("records")
    kind = f"{ADJECTIVES[found.every]} cohort"
    return [
        f"By cohort, {percent(row['customers'])} of new customers order in the calendar {found.every} after that of their first order "
        f"({row['cohorts']:.0f} {kind}{'s' * (row['cohorts'] > 1)}, without the first, which includes existing customers)."
        for row in after
    ]


def of_top_decile(best: TopDecile | None) -> list[str]:
    """The share of the top decile of customers in net revenue, and whether by more orders or by larger ones."""
    if not best:
        return []
    more = (
        f" On average they place {best.times_orders:.1f} times the orders of the others, at {best.times_value:.1f} times the "
        "net revenue per order."
        if best.times_value > 0
        else ""
    )
    return [f"The top 10% of customers bring {percent(best.share)} of net revenue.{more}"]


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
            names = f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
            said.append(
                f"In {len(large)} of {len(shares)} listed {names} one customer makes {INFLUENTIAL:.0%} or more of net revenue (up to "
                f"{large.max():.0%})."
            )
    return said


def of_returns(taken: pd.Series | None, currency: str) -> list[str]:
    """How much was returned; `taken` as `returns_summary` returns it, or None."""
    if taken is None:
        return []
    return [
        f"Returns are {taken['returned']:,.0f} {currency} ({percent(taken['of_revenue'])} of gross revenue); {taken['annulling']:,} "
        f"of {taken['lines']:,} return lines annul a sale.",
        f"The ten largest return lines make {percent(taken['largest_lines'])} of returns, the largest {percent(taken['largest'])}.",
    ]
