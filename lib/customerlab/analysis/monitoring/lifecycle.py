"""The customer lifecycle: every customer's state at each month's end, flows between states, and growth accounting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.inference import enough
from customerlab.analysis.monitoring.months import UNITS, Months
from customerlab.analysis.rfm.repurchase import returning
from customerlab.analysis.rfm.stability import NOT_YET

NEW, REACTIVATED, ACTIVE, AT_RISK, DORMANT = "New", "Reactivated", "Active", "At risk", "Dormant"
STATES = [NEW, REACTIVATED, ACTIVE, AT_RISK, DORMANT]
SHARES = 0.75, 0.95  # of the orders that another one follows within a year, those followed by then


@dataclass(frozen=True)
class Limits:
    """From how many days without an order a customer is at risk, and dormant.

    Attributes
    ----------
    active, dormant : int
        A customer is active up to `active` days after the last order, at risk up to `dormant`, then dormant.
    followed : int
        Days for which next orders were looked for; 0 where both limits were given.
    """

    active: int
    dormant: int
    followed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.active < self.dormant:
            raise ValueError(
                f"active_days is {self.active} and dormant_days {self.dormant}; expected the first to be above zero and below the second"
            )

    def table(self) -> pd.DataFrame:
        """The rules, one row a state: `state` and `rule`."""
        rules = [
            "first order in the month",
            f"order in the month, after more than {self.dormant} days without one",
            f"last order at most {self.active} days ago",
            f"last order {self.active + 1} to {self.dormant} days ago",
            f"last order more than {self.dormant} days ago",
        ]
        return pd.DataFrame({"state": STATES, "rule": rules})


def limits(waits: pd.DataFrame, active: int = 0, dormant: int = 0) -> Limits | None:
    """The limits of a shop, from the gaps between its orders where they are not given.

    Of the orders that another one follows within a year, or for as long as enough of them still wait, 75% are followed
    by then, and 95% (Kaplan and Meier 1958: waits that the end of the log has cut off are censored).

    Parameters
    ----------
    waits : DataFrame
        As `rfm.waits` returns it.
    active, dormant : int
        Own limits in days; 0 for those of the gaps.

    Returns
    -------
    Limits or None
        None where a limit is to be derived and not `enough` orders are followed by another.

    Raises
    ------
    ValueError
        If the limits are not in order.

    Examples
    --------
    >>> gaps = pd.DataFrame({"days": [*range(1, 101), *[300] * 50], "ended": [True] * 100 + [False] * 50})
    >>> limits(gaps)
    Limits(active=75, dormant=95, followed=300)
    >>> limits(gaps, dormant=200).dormant
    200
    """
    if active and dormant:
        return Limits(active, dormant)
    if not enough(int(waits["ended"].sum())):
        return None
    steps, followed = returning(waits)
    if steps.empty:
        return None
    # a share that is reached but for its last digit is reached
    found = [int(steps.loc[steps["share"] >= share - 1e-9, "days"].iloc[0]) for share in SHARES]
    first = active or found[0]
    return Limits(first, dormant or max(found[1], first + 1), followed)


def states(months: Months, limits: Limits) -> pd.DataFrame:
    """The state of every customer at the end of every month, from the orders before that day.

    Returns
    -------
    DataFrame
        Indexed by `customer_id`, one column per day after a month; `NOT_YET` before the first order.

    Examples
    --------
    >>> from customerlab.analysis.monitoring.months import NEVER
    >>> starts = pd.date_range("2024-01-01", periods=4, freq="MS")
    >>> day = lambda text: pd.Timestamp(text).toordinal() - pd.Timestamp(0).toordinal()
    >>> months = Months(
    ...     starts, pd.Index(["ann"]), np.array([[1, 0, 0, 1]]), np.zeros((1, 4), int),
    ...     np.array([[day("2024-01-20"), NEVER, NEVER, day("2024-04-30")]]),
    ... )
    >>> states(months, Limits(20, 60)).loc["ann"].tolist()
    ['New', 'At risk', 'Dormant', 'Reactivated']
    """
    ends = months.ends.to_numpy().astype("datetime64[D]").astype("int64")
    since = ends - np.maximum.accumulate(months.last, axis=1)
    # how long before the month the last order was: a month's order after so long wins the customer back
    before = np.column_stack([np.zeros(len(since), "int64"), since[:, :-1]])
    place, begun = np.arange(len(ends)), months.begun[:, None]
    found = np.select(
        [
            place < begun,
            place == begun,
            (months.orders > 0) & (before > limits.dormant),
            since <= limits.active,
            since <= limits.dormant,
        ],
        range(5),
        5,
    )
    names = np.array([NOT_YET, *STATES], dtype=object)
    return pd.DataFrame(names[found], index=months.customers, columns=months.ends)


def sizes(history: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    """How many customers are in each state, of shape (days, states), with the states in the given order."""
    counted = {day: column.value_counts() for day, column in history.items()}
    table = pd.DataFrame(counted).T.reindex(columns=list(order)).fillna(0).astype("int64")
    return table.rename_axis(index=None, columns=None)


def flows(history: pd.DataFrame, months: Months) -> pd.DataFrame:
    """Customers by their states at both ends of a month, and their net revenue in it.

    Returns
    -------
    DataFrame
        `day` (the later one), `before`, `after`, `customers` and `revenue`, without those who were customers on neither
        day. The revenue of a day's rows is that of the month before it, to the last digit.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-02-01", "2024-03-01"])
    >>> history = pd.DataFrame([["New", "Active"], [NOT_YET, "New"]], index=["ann", "bob"], columns=days)
    >>> orders = np.array([[1, 1], [0, 1]])
    >>> months = Months(days - pd.offsets.MonthBegin(), history.index, orders, orders * 50_000, orders)
    >>> flows(history, months)[["before", "after", "customers", "revenue"]].values.tolist()
    [['New', 'Active', 1, 5.0], ['Not yet a customer', 'New', 1, 5.0]]
    """
    parts = []
    for place, (one, two) in enumerate(zip(history.columns[:-1], history.columns[1:], strict=True), 1):
        table = pd.DataFrame({"before": history[one], "after": history[two], "revenue": months.revenue[:, place]})
        grouped = table[table["after"] != NOT_YET].groupby(["before", "after"])["revenue"]
        counted = grouped.agg(["size", "sum"]).set_axis(["customers", "revenue"], axis=1).reset_index()
        parts.append(counted.assign(day=two, revenue=counted["revenue"] / UNITS))
    columns = ["day", "before", "after", "customers", "revenue"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


GROWTH = ["new", "won back", "expanded", "contracted", "lapsed", "returns"]


def growth(months: Months) -> pd.DataFrame:
    """What a month's net revenue is more or less than that of the month before, by what customers did.

    A customer's difference is `new` in the month of the first order, `won back` if the customer ordered but not in the
    month before, `lapsed` if it is the other way round, `expanded` or `contracted` if the customer ordered in both, and
    `returns` if in neither: money of returns is then all there is.

    Returns
    -------
    DataFrame
        One row per month from the second on: `month` (its first day), `before` and `revenue` (net revenue of the month
        before, and of this one), the parts of `GROWTH`, which add up to the difference exactly, and `customers …` for
        each part but returns.

    Examples
    --------
    >>> orders = np.array([[1, 2, 0], [0, 1, 0]])
    >>> months = Months(
    ...     pd.date_range("2024-01-01", periods=3, freq="MS"), pd.Index(["ann", "bob"]), orders, orders * 50_000, orders
    ... )
    >>> growth(months)[["before", "revenue", "new", "expanded", "lapsed"]].values.tolist()
    [[5.0, 15.0, 5.0, 5.0, 0.0], [15.0, 0.0, 0.0, 0.0, -15.0]]
    """
    bought, change = months.orders > 0, np.diff(months.revenue, axis=1)
    was, now = bought[:, :-1], bought[:, 1:]
    new = months.begun[:, None] == np.arange(1, bought.shape[1])
    which = np.select(
        [new, ~was & now, was & now & (change >= 0), was & now, was & ~now], range(len(GROWTH) - 1), len(GROWTH) - 1
    )
    totals = months.revenue.sum(axis=0)
    table = pd.DataFrame({"month": months.starts[1:], "before": totals[:-1] / UNITS, "revenue": totals[1:] / UNITS})
    for place, name in enumerate(GROWTH):
        table[name] = np.where(which == place, change, 0).sum(axis=0) / UNITS
    for place, name in enumerate(GROWTH[:-1]):
        table[f"customers {name}"] = (which == place).sum(axis=0)
    return table
