"""Groups of customers, and expected beside past value: whose rank changes, how many of the best stay the best."""

import ibis
import numpy as np
import pandas as pd

from customerlab.analysis.clustering.scoring import Segmentation
from customerlab.analysis.experiment.customers import groups_on
from customerlab.analysis.orders import Snapshot, fetched, later
from customerlab.analysis.rfm.scheme import Scheme
from customerlab.analysis.value.cohorts import NIL
from customerlab.analysis.value.expected import Parameters, active
from customerlab.analysis.value.likelihood import Model
from customerlab.analysis.value.outlook import Outlook
from customerlab.analysis.value.windows import STEPS

TOP = 0.2  # the share of customers that are called the best
COHORT, CHANNEL = "first order", "channel of the first order"


def groups_of(shop: Snapshot, scheme: Scheme | None = None, segmentation: Segmentation | None = None) -> pd.DataFrame:
    """How customers can be grouped on a day.

    Returns
    -------
    DataFrame
        Sorted by `customer_id`: `RFM segment`, `cluster` (where there is more than one), `first order` (its quarter,
        such as ``2024 Q1``), and `channel of the first order` where the log has channels.
    """
    customers = shop.customers().sort_values("customer_id", ignore_index=True)
    first = customers["first_order"].dt
    found = customers[["customer_id"]].assign(**{
        name: customers["customer_id"].map(labels) for name, labels in groups_on(shop, scheme, segmentation).items()
    })  # fmt: skip
    found[COHORT] = first.year.astype("str") + " Q" + first.quarter.astype("str")
    if "channel" in shop.known.columns:
        t = shop.known
        own = ibis.window(group_by="customer_id", order_by=[t.ordered_at, t.order_id, t.channel])
        t = t.mutate(place=ibis.row_number().over(own))
        begun = fetched(t.filter(t.place == 0).select("customer_id", "channel")).set_index("customer_id")["channel"]
        found[CHANNEL] = customers["customer_id"].map(begun)
    return found


def recent_revenue(shop: Snapshot, horizon: int, unit: str) -> pd.Series:
    """Revenue of each customer, net of returns, in the last so many units of time before the day; by `customer_id`."""
    ids = shop.customers()["customer_id"]
    after = later(shop.transactions, ids, shop.day - horizon * STEPS[unit], shop.day, returns=shop.returns)
    return after.set_index("customer_id")["money"]


def totals(ahead: Outlook, groups: pd.DataFrame, by: str, recent: pd.Series) -> pd.DataFrame:
    """The totals of an outlook by one column of its groups, the highest expected revenue first.

    Returns
    -------
    DataFrame
        `group`, `customers`, `recent` (the sum of that series over the group), and the other columns of
        `Outlook.totals`.
    """
    table = ahead.totals[ahead.totals["by"] == by].drop(columns="by").reset_index(drop=True)
    past = recent.groupby(recent.index.to_series().map(groups.set_index("customer_id")[by]).astype("str")).sum()
    table.insert(2, "recent", table["group"].map(past).fillna(0.0))
    return table.sort_values(["revenue", "group"], ascending=[False, True], ignore_index=True)


def ranks(customers: pd.DataFrame) -> pd.DataFrame:
    """The rank of each customer by `past_revenue` and by expected `revenue`, 1 for the most; equal values share a rank.

    Parameters
    ----------
    customers : DataFrame
        `customer_id`, `past_revenue` and `revenue`.

    Returns
    -------
    DataFrame
        The same columns with `past_rank`, `rank` and `change` (places gained), the largest changes first.

    Examples
    --------
    >>> table = pd.DataFrame({"customer_id": ["a", "b", "c"], "past_revenue": [9.0, 5.0, 1.0], "revenue": [0, 2, 3]})
    >>> ranks(table)[["customer_id", "past_rank", "rank", "change"]].values.tolist()
    [['a', 1.0, 3.0, -2.0], ['c', 3.0, 1.0, 2.0], ['b', 2.0, 2.0, 0.0]]
    """
    found = customers[["customer_id", "past_revenue", "revenue"]].assign(
        past_rank=customers["past_revenue"].rank(ascending=False), rank=customers["revenue"].rank(ascending=False)
    )
    found["change"] = found["past_rank"] - found["rank"]
    order = found.assign(size=-found["change"].abs()).sort_values(["size", "customer_id"]).index
    return found.loc[order].reset_index(drop=True)


def staying(table: pd.DataFrame, top: float = TOP) -> float:
    """The share of the best customers by past revenue that are among as many of the best by expected revenue.

    Ties at the edge are broken by `customer_id`. `table` is that of `ranks`.
    """
    number = int(np.ceil(top * len(table) - 1e-9))
    best = [set(table.sort_values([by, "customer_id"])["customer_id"].head(number)) for by in ("past_rank", "rank")]
    return len(best[0] & best[1]) / number


def activity(model: Model, parameters: Parameters, history: pd.DataFrame, steps: int = 40) -> pd.DataFrame:
    """The probability to be active by repeat orders and age at the last one, for the oldest customers of a history.

    Returns
    -------
    DataFrame
        Index: age at the last order, from zero to the oldest age; columns: repeat orders from 1 to those that 1 in 100
        customers exceed, at least 5. At most `steps` of each. An order a unit is the most that there can be: where
        there would be more, values are missing. Without rows where the model finds practically nobody to have left.
    """
    age = int(history["T"].max())
    most = int(max(np.quantile(history["x"], 0.99), 5))
    x = np.unique(np.linspace(1, most, min(most, steps)).round())
    t_x = np.unique(np.linspace(0, age, min(age + 1, steps)).round())
    many, last = (grid.ravel() for grid in np.meshgrid(x, t_x))
    found = active(model, parameters, (many, last, np.full(many.shape, float(age))))
    found = np.where(many > last, np.nan, found)
    table = pd.DataFrame(found.reshape(len(t_x), len(x)), t_x.astype(int), x.astype(int))
    return table if (table < 1 - NIL).any(axis=None) else table.iloc[:0]
