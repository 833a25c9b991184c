"""What models of repeat orders need of a log: orders after the first one, when the last was, and since when it runs.

Two quantities are called recency in this field. Here `t_x` is the customer's age at the last order, as these models
have it, and `recency` everywhere else is the time since the last order.
"""

import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis import sales
from customerlab.analysis.orders import before, fetched

DAY = 86_400
UNITS = {"day": 1, "week": 7, "month": 0}  # in days; months are those of the calendar


def by_period(transactions: ir.Table, day: pd.Timestamp, unit: str) -> ir.Table:
    """One row per customer and period with an order: `ago`, the periods before the last one, and `amount`.

    Weeks end the day before `day`, and so does the last month. An expression.
    """
    t = before(transactions, day)
    last = pd.Timestamp(day) - pd.Timedelta(days=1)
    if unit == "month":
        ago = (last.year * 12 + last.month) - (t.ordered_at.year() * 12 + t.ordered_at.month())
    else:
        end = int(pd.Timestamp(day).timestamp())
        ago = ((end - 1 - t.ordered_at.epoch_seconds()) / (DAY * UNITS[unit])).floor()
    return t.group_by("customer_id", ago=ago.cast("int64")).aggregate(amount=t.amount.sum())


def summary(
    transactions: ir.Table, day: pd.Timestamp, unit: str = "week", returns: ir.Table | None = None
) -> pd.DataFrame:
    """The history of each customer before a day, in days, weeks or months.

    Orders of one period count once, the first one of a customer not at all. Lines that a return has annulled before
    the day were not bought, and an order of such lines alone was not placed.

    Returns
    -------
    DataFrame
        Sorted by `customer_id`: `x` (periods with an order after the first), `t_x` (age at the last), `T` (age),
        `mean` (money of a period with a repeat order; missing where there is none), `revenue` (money of all).

    Raises
    ------
    ValueError
        If the unit is none of these.

    Examples
    --------
    >>> import ibis
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "ann", "bob"], "amount": [5.0, 7.0, 2.0, 9.0],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-12", "2024-01-31"]),
    ... })
    >>> summary(log, pd.Timestamp("2024-02-01"), "day").values.tolist()
    [['ann', 2, 11, 30, 4.5, 14.0], ['bob', 0, 0, 0, nan, 9.0]]
    >>> summary(log, pd.Timestamp("2024-02-01"))[["customer_id", "x", "t_x", "T"]].values.tolist()
    [['ann', 1, 2, 4], ['bob', 0, 0, 0]]
    """
    if unit not in UNITS:
        raise ValueError(f"unit is {unit!r}; expected one of: {', '.join(UNITS)}")
    lines = before(transactions, day)
    if returns is not None:
        lines = sales.kept(lines, before(returns, day))
    periods = by_period(lines, day, unit)
    each = periods.group_by("customer_id").aggregate(
        orders=periods.count(), first=periods.ago.max(), last=periods.ago.min(), money=periods.amount.sum(),
        begun=periods.amount.argmax(periods.ago),
    )  # fmt: skip
    x = each.orders - 1
    found = each.select(
        "customer_id", x=x.cast("int64"), t_x=each["first"] - each["last"], T=each["first"],
        mean=((each.money - each.begun).cast("float64") / x.nullif(0)), revenue=each.money.cast("float64"),
    )  # fmt: skip
    return fetched(found).sort_values("customer_id", ignore_index=True)
