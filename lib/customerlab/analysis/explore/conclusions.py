"""What is concluded from the log, in sentences: computed from tables, with how many, and what hangs on one customer."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from customerlab.analysis.explore.best import TopTenth
from customerlab.analysis.explore.returning import Cohorts
from customerlab.analysis.explore.trading import highest
from customerlab.analysis.inference import INFLUENTIAL, influence
from customerlab.formats import percent


def of_repeats(repeated: Mapping[str, float] | pd.Series) -> str:
    """How many of the lines that were kept repeat another one; `repeated` as `repeats` returns it."""
    if not repeated["lines"]:
        return "No line that was kept repeats another one."
    return (
        f"{repeated['lines']:,.0f} of the lines that were kept, worth {repeated['money']:,.0f}, repeat another one in every "
        "column. They stay in: the rule exact_repeat would remove them."
    )


def of_scale(totals: pd.Series, ladder: pd.DataFrame, gross: float, net: float) -> str:
    """How many customers, orders and how much money there are, in which period, and what cleaning removed.

    `totals` and `ladder` are as `explore.totals` and `Run.ladder` return them; revenue is `gross`, or `net` of returns.
    """
    read, removed = ladder["amount left"].iloc[0], 1 - ladder["rows left"].iloc[-1] / ladder["rows left"].iloc[0]
    most = ladder["step"].iloc[ladder["amount removed"].abs().argmax()]
    money = f" and {percent(1 - net / read)} of the money, returns set off (most: {most})" if 0 < net < read else ""
    return (
        f"{totals['customers']:,} customers placed {totals['orders']:,} orders worth {gross:,.0f}, {net:,.0f} net of returns, "
        f"between {totals['first']:%d %B %Y} and {totals['last']:%d %B %Y}; cleaning removed {percent(removed)} of the rows "
        f"read{money}."
    )


def of_missing_customers(steps: list[dict[str, Any]], gross: float) -> list[str]:
    """What sales without a customer amount to, where there are any; `steps` as the report of a table has them."""
    said = []
    for step in steps:
        if step["step"] == "customer_missing" and float(step["sales_removed"]) > 0:
            lost = float(step["sales_removed"])
            said.append(
                f"{step['rows_removed']:,} rows with sales of {lost:,.0f}, {percent(lost / (lost + gross))} of all sales, name "
                "no customer, and the log cannot say who is behind them: all shares of customers are of identified sales."
            )
    return said


def of_months(months: pd.DataFrame) -> list[str]:
    """The strongest whole month of `by_month`, before and net of returns; nothing where fewer than two are whole."""
    whole = months[~months["partial"]]
    whole = whole.set_index(whole["month"].dt.strftime("%B %Y"))
    if len(whole) < 2 or not whole["revenue"].median() > 0:
        return []
    gross, net = (highest(whole[name]) for name in ("revenue", "net"))
    times = whole["revenue"].max() / whole["revenue"].median()
    after = "" if gross == net else f"; net of returns it is {net}"
    hangs = influence(float(whole["largest_customer"].iloc[whole["revenue"].argmax()]), "customer")
    return [
        f"The strongest whole month is {gross}, {times:.1f} times the median month before returns{after}{hangs and '; '}{hangs}."
    ]


def of_times(grids: dict[str, pd.DataFrame], weekdays: pd.DataFrame) -> list[str]:
    """The weekday and the hour of most revenue, by `by_weekday_hour` and `by_weekday`; nothing where there is none."""
    if not grids["revenue"].to_numpy().sum() > 0:
        return []
    hours = grids["revenue"].sum().rename(lambda hour: f"{hour}:00 to {hour + 1}:00")
    daily = highest(weekdays.set_index("weekday")["revenue_per_day"])
    return [f"Before returns, money comes most on {daily} (revenue of a day) and at {highest(hours)}."]


def of_orders(kept: pd.Series, placed: pd.Series) -> str:
    """What an order is worth: `kept` and `placed` have `median` and `mean`, without what was returned and with it."""
    return (
        f"An order is worth {kept['median']:,.1f} in the median and {kept['mean']:,.1f} on average; as placed, before "
        f"returns, {placed['median']:,.1f} and {placed['mean']:,.1f}."
    )


def of_products(best: pd.DataFrame, sold: int) -> str:
    """What the best of all products sold bring; `best` as `top_products` returns it."""
    hanging = (best["largest_customer"] >= INFLUENTIAL).sum()
    return (
        f"The first {len(best)} of {sold:,} products bring {percent(best['share'].sum(min_count=1))} of the net revenue of all "
        f"products; {hanging} of them owe {percent(INFLUENTIAL)} or more of theirs to one customer."
    )


def of_cohorts(found: Cohorts) -> list[str]:
    """How many of a monthly cohort order in the month after; nothing where no cohort is followed so long."""
    after = found.average.loc[found.average["months"] == 1, "customers"]
    return [f"{percent(share)} of the customers of a monthly cohort order again in the month after." for share in after]


def of_top_tenth(best: TopTenth | None) -> list[str]:
    """What the top tenth of customers bring, and whether by more orders or by larger ones."""
    if not best:
        return []
    more = (
        f"; they order {best.times_orders:.1f} times as often and spend {best.times_value:.1f} times as much an order, "
        f"{best.times_orders * best.times_value:.1f} times as much in all"
    )
    return [
        f"The top tenth of customers bring {percent(best.share)} of the net revenue{more if best.times_value > 0 else ''}."
    ]


def of_largest(shares: dict[str, float]) -> str:
    """The largest single share of the net revenue by unit."""
    listed = ", ".join(f"{percent(share)} one {unit}" for unit, share in shares.items())
    return f"The largest single share of the net revenue: {listed}."


def of_parts(parts: dict[str, pd.DataFrame]) -> list[str]:
    """A sentence for each division of the shop of which some parts owe a tenth or more of their money to one customer.

    Tables are those of `by_part`, whose rows in brackets are no parts.
    """
    said = []
    for name, table in parts.items():
        shares = table.loc[~table["part"].str.startswith("("), "largest_customer"]
        large = shares[shares >= INFLUENTIAL]
        if len(large):
            said.append(
                f"By {name}, {len(large)} of {len(shares)} parts owe {INFLUENTIAL:.0%} or more of their net revenue to one "
                f"customer, up to {large.max():.0%}."
            )
    return said


def of_returns(taken: pd.Series | None) -> list[str]:
    """How much was returned; `taken` as `who_returns` returns it, None where nothing can be said."""
    if taken is None:
        return []
    return [
        f"{taken['returned']:,.0f} was returned, {percent(taken['of_revenue'])} of the gross revenue: {taken['annulling']:,} of "
        f"{taken['lines']:,} lines annul a sale ({taken['annulled']:,.0f}); the ten largest lines are "
        f"{percent(taken['largest_lines'])} of it, the largest {percent(taken['largest'])}."
    ]
