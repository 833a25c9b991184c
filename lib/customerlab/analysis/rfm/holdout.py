"""Does it hold? What each segment did after the day on which it was formed, against a naive rule."""

from collections.abc import Mapping
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis import sales
from customerlab.analysis.rfm.features import before, by_customer, fetched
from customerlab.analysis.rfm.scheme import Scheme

DEPTHS = (0.1, 0.2, 0.3, 0.5)
CHOSEN_BY = ("segment", "spent most so far")  # what customers are chosen by, the rule in question first
OUTCOMES = {"later money": "money", "customers who came back": "came_back"}


@dataclass(frozen=True)
class Holdout:
    """Segments formed on a day in the past, and what came after.

    Attributes
    ----------
    learned_on, formed_on, until : Timestamp
        Segments of the first day with what they did up to the second tell which segments pay; those of the second day
        are judged by what they did up to the third.
    segments : DataFrame
        As `by_segment` returns it.
    curves : dict of str to dict of str to DataFrame
        The outcome to the rule to its curve, as `gains` returns it; an outcome that did not occur is left out.
    depths : DataFrame
        As `at_depths` returns it, with the `outcome`.
    """

    learned_on: pd.Timestamp
    formed_on: pd.Timestamp
    until: pd.Timestamp
    segments: pd.DataFrame
    curves: dict[str, dict[str, pd.DataFrame]]
    depths: pd.DataFrame


def hold_out(
    transactions: ir.Table,
    scheme: Scheme,
    day: pd.Timestamp,
    *,
    days: int,
    seed: int,
    returns: ir.Table | None = None,
) -> Holdout | None:
    """Form segments `days` before a day, and see what each did until then, against the customers who spent most.

    Parameters
    ----------
    transactions : ibis Table
        Canonical.
    scheme : Scheme
        How the segments are formed.
    day : Timestamp
        The end of what is looked at.
    days : int
        The length of the period that segments are judged by, and of the one before it, in which they are ranked.
    seed : int
        For the intervals.
    returns : ibis Table or None
        The canonical table of what was taken back.

    Returns
    -------
    Holdout or None
        None where the log does not reach back to two such periods.
    """
    period = pd.Timedelta(days=days)
    formed_on, learned_on = day - period, day - 2 * period
    if before(transactions, learned_on).count().execute() == 0:
        return None
    past, now = (scheme.on(transactions, on, returns=returns) for on in (learned_on, formed_on))
    order = list(scheme.rules["segment"])
    worth = learned_order(past["segment"], later(transactions, past["customer_id"], learned_on, formed_on), order)
    after = later(transactions, now["customer_id"], formed_on, day)
    ranks = dict(zip(CHOSEN_BY, (now["segment"].map(worth).to_numpy(), now["monetary"].to_numpy()), strict=True))
    curves, depths = {}, []
    for outcome, column in OUTCOMES.items():
        brought = after[column].to_numpy(dtype=float).clip(min=0)
        if brought.sum() > 0:
            curves[outcome] = {rule: gains(rank, brought) for rule, rank in ranks.items()}
            depths.append(at_depths(ranks, brought, seed=seed).assign(outcome=outcome))
    table = pd.concat(depths, ignore_index=True) if depths else pd.DataFrame()
    return Holdout(learned_on, formed_on, day, by_segment(now["segment"], after, order), curves, table)


def later(
    transactions: ir.Table,
    customers: pd.Series,
    begin: pd.Timestamp,
    end: pd.Timestamp,
    *,
    returns: ir.Table | None = None,
) -> pd.DataFrame:
    """What customers did from the day `begin` to the day before `end`.

    Parameters
    ----------
    transactions : ibis Table
        Canonical.
    customers : Series
        The ids of those who were known when `begin` began.
    begin, end : Timestamp
    returns : ibis Table or None
        The canonical table of returns; those before `end` are set off against the money.

    Returns
    -------
    DataFrame
        One row for each of `customers`, in their order: `customer_id`, `orders` (placed), `gross` (money), `money` (net
        of returns, as `customerlab.analysis.sales.net` dates them; below zero where more came back than was bought; all
        zero for those who did not come back) and `came_back`.
    """

    def within(table: ir.Table) -> ir.Table:
        return table.filter(table.ordered_at >= ibis.timestamp(begin.isoformat()))

    known = before(transactions, end)
    found = fetched(by_customer(within(known))).set_index("customer_id")
    result = pd.DataFrame({"customer_id": customers.to_numpy()})
    result["orders"] = result["customer_id"].map(found["frequency"]).fillna(0).astype("int64")
    result["gross"] = result["customer_id"].map(found["monetary"]).fillna(0.0)
    result["money"] = result["gross"]
    if returns is not None:
        money = within(sales.net(known, before(returns, end))).group_by("customer_id")
        summed = fetched(money.aggregate(money=lambda t: t.amount.sum().cast("float64"))).set_index("customer_id")
        result["money"] = result["customer_id"].map(summed["money"]).fillna(0.0)
    result["came_back"] = result["orders"] > 0
    return result


def by_segment(segments: pd.Series, after: pd.DataFrame, order: list[str], *, confidence: float = 0.95) -> pd.DataFrame:
    """What each segment did later: how many came back, orders and money a customer, with intervals.

    Parameters
    ----------
    segments : Series
        The segment of each customer, in the rows' order of `after`.
    after : DataFrame
        As `later` returns it.
    order : list of str
        The segments in the order in which they are to stand; those without a customer are left out.
    confidence : float
        Of the intervals: Wilson's (1927) for the share that came back, Student's for the means.

    Returns
    -------
    DataFrame
        `segment`, `customers`, and `return_rate`, `orders`, `money` (means a customer, those who stayed away
        included), each with `…_low` and `…_high` (missing where one customer leaves no spread to judge by), and
        `share_of_money`.

    Examples
    --------
    >>> after = pd.DataFrame({"orders": [2, 0], "money": [30.0, 0.0], "came_back": [True, False]})
    >>> by_segment(pd.Series(["Loyal", "Loyal"]), after, ["Loyal"])[["return_rate", "orders", "money"]].values.tolist()
    [[0.5, 1.0, 15.0]]
    """
    table = after.assign(segment=segments.to_numpy())
    grouped = table.groupby("segment")
    n = grouped.size()
    result = pd.DataFrame({"customers": n, "return_rate": grouped["came_back"].mean()})
    came = grouped["came_back"].sum()
    wilson = [stats.binomtest(k, m).proportion_ci(confidence, "wilson") for k, m in zip(came, n, strict=True)]
    result["return_rate_low"], result["return_rate_high"] = [w.low for w in wilson], [w.high for w in wilson]
    reach = pd.Series(stats.t.ppf((1 + confidence) / 2, (n - 1).where(n > 1)), index=n.index)
    for name in ("orders", "money"):
        mean, error = grouped[name].mean(), reach * grouped[name].sem()
        result[name], result[f"{name}_low"], result[f"{name}_high"] = mean, mean - error, mean + error
    total = table["money"].sum()
    result["share_of_money"] = grouped["money"].sum() / total if total > 0 else np.nan
    return result.loc[[name for name in order if name in result.index]].reset_index()


def learned_order(segments: pd.Series, after: pd.DataFrame, order: list[str]) -> pd.Series:
    """How well each segment paid in a period that is over, as a rank to choose customers by in the next one.

    Returns
    -------
    Series
        By segment: money a customer in that period; zero for a segment that had no customer then.
    """
    paid = after["money"].groupby(segments.to_numpy()).mean()
    return paid.reindex(order, fill_value=0.0)


def gains(rank: np.ndarray, outcome: np.ndarray) -> pd.DataFrame:
    """The cumulative gains curve: the share of an outcome that the customers of highest rank bring.

    Customers of equal rank are taken in random order on average: the curve is a straight line across them.

    Parameters
    ----------
    rank : array of float
        Those with the highest come first.
    outcome : array of float
        None below zero, not all zero.

    Returns
    -------
    DataFrame
        `share_of_customers`, `share_of_outcome`, from (0, 0) to (1, 1).

    Examples
    --------
    >>> gains(np.array([3, 2, 1, 1]), np.array([6, 2, 2, 0]))["share_of_outcome"].tolist()
    [0.0, 0.6, 0.8, 1.0]
    """
    x, y = _curve(_groups(rank), outcome)
    return pd.DataFrame({"share_of_customers": x, "share_of_outcome": y})


def _groups(rank: np.ndarray) -> np.ndarray:
    """The place of each customer's rank, 0 for the highest; equal ranks share one."""
    return np.unique(-np.asarray(rank, dtype=float), return_inverse=True)[1]


def _curve(groups: np.ndarray, outcome: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    customers = np.bincount(groups, weights)
    held = np.bincount(groups, outcome if weights is None else weights * outcome)
    return tuple(np.concatenate([[0.0], part.cumsum() / part.sum()]) for part in (customers, held))  # type: ignore[return-value]


def at_depths(
    ranks: Mapping[str, np.ndarray],
    outcome: np.ndarray,
    *,
    seed: int,
    resamples: int = 500,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Two rules side by side: what the first 10, 20, 30, 50 % of customers that each chooses bring.

    Parameters
    ----------
    ranks : mapping of str to array
        Two rules, the one in question first.
    outcome : array of float
        What each customer brought later.
    seed : int
    resamples : int
        Of the customers, for the interval of the difference (percentile bootstrap, Efron 1979, with Poisson weights).
    confidence : float

    Returns
    -------
    DataFrame
        `share_of_customers`, the share of the outcome by either rule, `difference` (first less second, the same
        customers drawn for both), `difference_low`, `difference_high`.
    """
    groups = [_groups(rank) for rank in ranks.values()]
    found = [np.interp(DEPTHS, *_curve(group, outcome)) for group in groups]
    rng = np.random.default_rng(seed)
    drawn = np.full((resamples, len(DEPTHS)), np.nan)
    for place in range(resamples):
        weights = rng.poisson(1.0, len(outcome)).astype(float)
        if (weights * outcome).sum() > 0:  # few came back: none of them may be in a resample
            first, second = (np.interp(DEPTHS, *_curve(group, outcome, weights)) for group in groups)
            drawn[place] = first - second
    low, high = np.nanquantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    columns = dict(zip(ranks, found, strict=True))
    table = {"share_of_customers": DEPTHS, **columns, "difference": found[0] - found[1]}
    return pd.DataFrame(table | {"difference_low": low, "difference_high": high})
