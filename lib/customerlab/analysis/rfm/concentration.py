"""Concentration of revenue over customers or products: Lorenz curve, Gini coefficient, top shares."""

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd

from customerlab.analysis.orders import fetched


@dataclass(frozen=True)
class Concentration:
    """Concentration of an amount over its holders.

    Attributes
    ----------
    lorenz : DataFrame
        `share_of_holders` (customers or products) and their `share_of_revenue`, smallest first, from (0, 0) to (1, 1).
    gini : float
        Twice the area between the Lorenz curve and the diagonal: 0 if all hold the same, ``1 - 1/n`` if one holds
        all. No correction for small n.
    top : DataFrame
        `share_of_holders` (the top 1, 5, 10 and 20%, rounded up to whole holders), `holders`, `share_of_revenue`.
    """

    lorenz: pd.DataFrame
    gini: float
    top: pd.DataFrame

    def top_share(self, holders: float) -> float:
        """The share of revenue of the top 1, 5, 10 or 20%."""
        return float(self.top["share_of_revenue"][self.top["share_of_holders"] == holders].item())


def concentration(amounts: pd.Series) -> Concentration:
    """Lorenz curve, Gini coefficient and top shares of amounts, one per holder (Gini 1912; Lorenz 1905).

    With the amounts in rising order, ``gini = 2 sum(i x_i) / (n sum(x_i)) - (n + 1) / n``. Amounts below zero, or no
    amount above zero, raise ValueError.

    Examples
    --------
    >>> concentration(pd.Series([1.0, 1.0, 1.0, 1.0])).gini
    0.0
    >>> concentration(pd.Series([0.0, 0.0, 0.0, 8.0])).gini
    0.75
    """
    values = np.sort(amounts.to_numpy(dtype=float))
    if len(values) == 0 or values[0] < 0 or values[-1] <= 0:
        raise ValueError(
            "no amount is above zero, or one is below it, so concentration is undefined; expected revenue: check "
            "unit_price and quantity in the data set's entry, and its cleaning rules"
        )
    n, total = len(values), values.sum()
    held = np.concatenate([[0.0], values.cumsum()]) / total
    held[-1] = 1.0
    lorenz = pd.DataFrame({"share_of_holders": np.arange(n + 1) / n, "share_of_revenue": held})
    gini = float(2 * (np.arange(1, n + 1) * values).sum() / (n * total) - (n + 1) / n)
    top = pd.DataFrame({"share_of_holders": [0.01, 0.05, 0.10, 0.20]})
    # the hair keeps 0.05 * 20, which is a little more than one in floating point, one customer
    top["holders"] = np.ceil(top["share_of_holders"] * n - 1e-9).astype("int64").clip(lower=1)
    top["share_of_revenue"] = [values[n - k :].sum() / total for k in top["holders"]]
    return Concentration(lorenz, max(gini, 0.0), top)


def revenue_of(transactions: ir.Table, column: str) -> pd.Series:
    """Revenue by the values of a column, such as product, summed in the engine and sorted by value; no missing ones."""
    t = transactions.filter(~transactions[column].isnull())
    summed = fetched(t.group_by(column).aggregate(revenue=t.amount.sum().cast("float64")))
    return summed.set_index(column)["revenue"].sort_index()
