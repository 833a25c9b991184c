"""Rewards: what a rule of points would have cost on past orders, and who is near the next reward."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
PARTS = 10_000  # of the currency's unit: amounts are whole numbers of these
MOST = 2**53  # to which whole numbers in double precision are exact


@dataclass(frozen=True)
class RewardRule:
    """Points for money, and a reward for so many points.

    Attributes
    ----------
    points_per_unit : Decimal, int or str
        Points per unit of the currency; each order's points are rounded down. A float is read as it is printed.
    threshold : int
        Points that a reward takes.
    value : Decimal, int or str
        What a reward is worth to the customer and costs the shop, in the shop's currency.
    expiry_days : int
        Points are valid on the day of the order and for so many days after it.

    Raises
    ------
    ValueError
        For what is not above zero (`value` and `expiry_days`: below zero).

    Examples
    --------
    >>> RewardRule("0.1", threshold=10, value=5, expiry_days=365).rate
    Fraction(1, 10)
    """

    points_per_unit: Decimal | int | float | str
    threshold: int
    value: Decimal | int | float | str
    expiry_days: int

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.threshold < 1 or Decimal(str(self.value)) < 0 or self.expiry_days < 0:
            raise ValueError("A rule needs points and a threshold above zero, and no negative value or expiry.")

    @property
    def rate(self) -> Fraction:
        """Points per unit of the currency, exactly."""
        return Fraction(str(self.points_per_unit))


@dataclass(frozen=True)
class Rewards:
    """What a rule would have given on past orders.

    Attributes
    ----------
    customers : DataFrame
        One row per customer, sorted by id: `customer_id`, `orders`, `money` (revenue), `issued`, `redeemed`, `expired`
        and `open` (points; the first is the sum of the others), `rewards`, `cost` (of rewards) and `reached` (whether
        the balance ever reached the threshold).
    totals : Series
        `customers`, `issued`, `redeemed`, `expired`, `open`, `rewards`, `cost`; `deadweight`, the cost of rewards for
        orders that were placed anyway, which on past orders is all of it; `cost_per_customer`; `cost_share` (of
        revenue); `breakage` (share of points issued that were not redeemed: expired, or unused at the end) and
        `reached` (share of customers). Shares of nothing are missing.
    """

    customers: pd.DataFrame
    totals: pd.Series


def simulate_rewards(orders: pd.DataFrame, rule: RewardRule, *, until: pd.Timestamp) -> Rewards:
    """What a rule would have cost on past orders, had customers ordered as they did.

    At an order, points that are no longer valid expire; then all rewards that the balance covers are redeemed, oldest
    points first; then the order's amount, before rewards, earns points, of which none can be spent on that order. So a
    reward is redeemed at the first order after the threshold is reached. Orders on one day count in the order of
    their times. Amounts of zero and below earn no points and take none away.

    Past orders were placed without the rule: that it brings orders forward, or causes more, cannot be seen in them.
    All rewards go to orders that happened anyway (`deadweight`), so that the cost is that of a rule without effect;
    what it causes, a hold-out tells.

    Parameters
    ----------
    orders : DataFrame
        One row per order: `customer_id`, `order_id`, `ordered_at`, `amount` (money; exact to a ten-thousandth).
    rule : RewardRule
    until : Timestamp
        Orders before this day count, and points that are no longer valid on it have expired.

    Raises
    ------
    ValueError
        For columns that are lacking, missing values, an order with several rows, and numbers of points too large to be
        exact.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-01-01", "2024-02-01", "2024-03-01"])
    >>> orders = pd.DataFrame({"customer_id": "ann", "order_id": [1, 2, 3], "ordered_at": days, "amount": [60, 50, 5]})
    >>> rule = RewardRule(1, threshold=100, value=10, expiry_days=365)
    >>> found = simulate_rewards(orders, rule, until=pd.Timestamp("2024-04-01"))
    >>> found.customers[["issued", "redeemed", "expired", "open", "rewards", "cost"]].values.tolist()
    [[115.0, 100.0, 0.0, 15.0, 1.0, 10.0]]
    """
    log = _read(orders, rule, until)
    used, redeemed, reached = _played(log, rule, until)
    table = log.groupby("customer_id", as_index=False).agg(
        orders=("place", "size"), money=("parts", "sum"), issued=("points", "sum")
    )
    table["money"] /= PARTS
    table["redeemed"], table["expired"], table["open"] = redeemed, used - redeemed, table["issued"] - used
    table["rewards"] = redeemed // rule.threshold
    table["cost"], table["reached"] = table["rewards"] * float(Decimal(str(rule.value))), reached
    return Rewards(table, _totals(table, rule))


def _totals(table: pd.DataFrame, rule: RewardRule) -> pd.Series:
    """The sums over customers, and shares of them."""
    found: dict[str, float] = {"customers": len(table)}
    found |= {name: int(table[name].sum()) for name in ("issued", "redeemed", "expired", "open", "rewards")}
    found["cost"] = found["deadweight"] = float(int(found["rewards"]) * Decimal(str(rule.value)))
    money = round(table["money"].sum(), 4)
    found["cost_per_customer"] = found["cost"] / len(table) if len(table) else np.nan
    found["cost_share"] = found["cost"] / money if money > 0 else np.nan
    found["breakage"] = 1 - found["redeemed"] / found["issued"] if found["issued"] else np.nan
    found["reached"] = float(table["reached"].mean()) if len(table) else np.nan
    return pd.Series(found, dtype=float)


def next_tier(orders: pd.DataFrame, rule: RewardRule, day: pd.Timestamp) -> pd.DataFrame:
    """How much each customer lacks for the next reward on a day, the nearest in their own average order values first.

    The parameters and what raises are those of `simulate_rewards`, with `day` for `until`.

    Returns
    -------
    DataFrame
        One row per customer with an order before the day: `customer_id`, `balance` (points that are valid), `missing`
        (points; 0 where a reward is ready for the next order), `missing_money` (the least amount, in hundredths of the
        currency's unit, of one order that earns them), `average_order_value` and `orders_away` (the one divided by the
        other; missing where a customer's orders sum to zero or less; these come last). Ties are sorted by id.

    Examples
    --------
    >>> days = pd.to_datetime(["2024-01-01", "2024-02-01"])
    >>> orders = pd.DataFrame({"customer_id": "ann", "order_id": [1, 2], "ordered_at": days, "amount": [60, 20]})
    >>> rule = RewardRule(1, threshold=100, value=10, expiry_days=365)
    >>> next_tier(orders, rule, pd.Timestamp("2024-03-01")).values.tolist()
    [['ann', 80, 20, 20.0, 40.0, 0.5]]
    """
    found = simulate_rewards(orders, rule, until=day).customers
    table = found[["customer_id"]].assign(balance=found["open"])
    table["missing"] = (rule.threshold - table["balance"]).clip(lower=0)
    cents = 100 / rule.rate  # per point
    table["missing_money"] = -(-table["missing"] * cents.numerator // cents.denominator) / 100
    table["average_order_value"] = found["money"] / found["orders"]
    average = table["average_order_value"].where(table["average_order_value"] > 0)
    table["orders_away"] = table["missing_money"] / average
    return table.sort_values(["orders_away", "customer_id"], ignore_index=True)


def _read(orders: pd.DataFrame, rule: RewardRule, until: pd.Timestamp) -> pd.DataFrame:
    """Orders before the day, sorted, with their points and their place among the customer's."""
    names = ["customer_id", "order_id", "ordered_at", "amount"]
    lacking = [name for name in names if name not in orders]
    if lacking:
        raise ValueError(f"The orders lack {', '.join(map(repr, lacking))}.")
    if orders[names].isna().any(axis=None) or orders.duplicated(["customer_id", "order_id"]).any():
        raise ValueError("Orders need one row each, and a customer, a time and an amount.")
    log = orders.loc[orders["ordered_at"] < pd.Timestamp(until).normalize(), names]
    log = log.sort_values(["customer_id", "ordered_at", "order_id"], ignore_index=True)
    log["parts"] = (log["amount"].astype(float) * PARTS).round().astype("int64")
    most = log["parts"].abs().sum() * rule.rate.numerator
    if max(float(most), rule.rate.denominator * PARTS, rule.threshold) >= MOST:
        raise ValueError("Amounts, or points per unit, have too many digits for exact points.")
    log["points"] = log["parts"].clip(lower=0) * rule.rate.numerator // (rule.rate.denominator * PARTS)
    log["place"] = log.groupby("customer_id").cumcount()
    return log


def _played(log: pd.DataFrame, rule: RewardRule, until: pd.Timestamp) -> tuple[Numbers, Numbers, NDArray[np.bool_]]:
    """For each customer the points that are used up and those of them that were redeemed; whether a tier was reached.

    Points are used up, by rewards and by expiry, oldest first: so one number per customer, how many are used up, is all
    that is remembered. All customers' first orders are played at once, then their second ones, and so on.
    """
    customer = np.cumsum(log["place"].to_numpy() == 0) - 1
    points, earned, gone, left = _earned(log, customer, rule, until)
    used, redeemed = np.zeros((2, len(left)), dtype=np.int64)
    reached = np.zeros(len(left), dtype=bool)
    rows = np.argsort(log["place"].to_numpy(), kind="stable")
    for now in np.split(rows, np.cumsum(np.bincount(log["place"]))[:-1]):
        who = customer[now]
        expired = np.maximum(used[who], gone[now])
        taken = (earned[now] - points[now] - expired) // rule.threshold * rule.threshold
        used[who], redeemed[who] = expired + taken, redeemed[who] + taken
        reached[who] |= earned[now] - used[who] >= rule.threshold
    return np.maximum(used, left), redeemed, reached


def _earned(
    log: pd.DataFrame, customer: Numbers, rule: RewardRule, until: pd.Timestamp
) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """For each order its points, the customer's up to it, and those of them that are too old; the latter at the end."""
    points = log["points"].to_numpy()
    total = np.concatenate([[0], np.cumsum(points)])
    first = np.flatnonzero(log["place"] == 0)
    age = log["ordered_at"].dt.normalize() - pd.Timestamp(until).normalize()
    since = np.asarray(age.dt.days, dtype=np.int64)
    begin, span = since.min(initial=0), 1 - since.min(initial=0)
    key = customer * span + since - begin

    def gone(who: Numbers, day: Numbers) -> Numbers:
        """The points of orders whose points are not valid on a day."""
        oldest = np.maximum(day - rule.expiry_days - begin, 0)
        return total[np.searchsorted(key, who * span + oldest)] - total[first[who]]

    everyone = np.arange(len(first))
    return points, total[1:] - total[first[customer]], gone(customer, since), gone(everyone, np.zeros_like(everyone))
