"""Content blocks: which categories to show each segment, and whether that beats the best sellers on later orders."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from customerlab.analysis.campaign.send_time import CUSTOMER, UNKNOWN, Times, Values, fit_times, slot_counts
from customerlab.analysis.inference import LEVEL, enough, holm, too_few

OWN, BEST_SELLERS = "the segment's categories", "the shop's best sellers"


@dataclass(frozen=True)
class Content:
    """Content blocks of each segment, and whether they are recommended.

    Attributes
    ----------
    blocks : DataFrame
        One row per segment and block: `segment`, `block` (from 1), `category`, `share` (of the segment's order lines,
        shrunken towards the shop's) and `index` (100: as in the shop; above, the segment has an affinity).
    judged : DataFrame
        One row per segment: `segment`, `customers` and `lines` (later ones), the shares of these lines in the shop's
        best sellers (`best_sellers`) and in the segment's blocks (`own`), the `gain` with `low` and `high` (95%),
        `p_adjusted` (Holm, over segments), `differing` (customers for whom the two differ; if too few, there is neither
        interval nor p-value) and the `decision`.
    shares : Times
        The fitted shares, with categories for slots.
    """

    blocks: pd.DataFrame
    judged: pd.DataFrame
    shares: Times


def content_blocks(lines: pd.DataFrame, split_day: pd.Timestamp, segments: pd.Series, *, blocks: int = 3) -> Content:
    """Choose the categories of each segment, and judge them on order lines from the split day on.

    Shares of categories are fitted on lines before that day: Dirichlet-multinomial, segments shrunken towards the shop
    by marginal likelihood (`send_time.fit_times`). A segment's blocks are the categories of the largest shares, the
    shop's best sellers likewise. The measure is the share of later lines in them, of customers known by the split day.
    The gain is a ratio of sums over customers, its variance by the delta method (Cochran 1977, Sampling Techniques),
    with Student's interval. The segment's own categories are recommended where the gain is above zero and statistically
    significant (Holm-adjusted).

    Parameters
    ----------
    lines : DataFrame
        One row per order line: `customer_id`, `at` (time) and `category`.
    split_day : Timestamp
    segments : Series
        Segment by customer, as known on the split day.
    blocks : int
        Categories to be shown.

    Raises
    ------
    ValueError
        For missing values, fewer than one block, or no lines before the split day.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=20)
    >>> own = pd.Series(np.repeat(["a", "b"], [30, 40]), [f"c{n:02d}" for n in range(70)])
    >>> rows = [(name, day, {"a": "tea", "b": "toys"}[of]) for name, of in own.items() for day in days]
    >>> lines = pd.DataFrame(rows, columns=["customer_id", "at", "category"])
    >>> content_blocks(lines, days[10], own, blocks=1).judged[["segment", "gain", "decision"]].values.tolist()
    [['a', 1.0, "the segment's categories"], ['b', 0.0, "the shop's best sellers"]]
    """
    lines = lines[[CUSTOMER, "at", "category"]].reset_index(drop=True)
    if lines.isna().any(axis=None) or blocks < 1:
        raise ValueError("Lines need a customer, a time and a category in every row, and at least one block is needed.")
    category, early = pd.Categorical(lines["category"]), lines["at"] < split_day
    before, later = (slot_counts(lines[part], lambda at: category[at.index.to_numpy()]) for part in (early, ~early))
    segments = segments.astype("str")
    fitted = fit_times(before, segments)
    shop, own = fitted.shop.to_numpy(), fitted.segments.to_numpy(float)
    best, chosen = _largest(shop[None], blocks), _largest(own, blocks)
    share, place = np.take_along_axis(own, chosen, axis=1), np.arange(chosen.shape[1]) + 1
    table = pd.DataFrame({
        "segment": fitted.segments.index.repeat(len(place)), "block": np.tile(place, len(own)),
        "category": fitted.shop.index[chosen.ravel()], "share": share.ravel(),
        "index": (100 * share / shop[chosen]).ravel(),
    })  # fmt: skip
    known = later.index.intersection(before.index).sort_values()
    group = fitted.segments.index.get_indexer(pd.Index(segments.reindex(known).fillna(UNKNOWN)))
    shown = np.zeros((len(own) + 1, len(shop)))
    np.put_along_axis(shown, np.vstack([chosen, best]), 1.0, axis=1)
    after = later.loc[known].to_numpy(float)
    hits = pd.DataFrame({
        "lines": after.sum(axis=1), "best_sellers": after @ shown[-1], "own": (after * shown[group]).sum(axis=1)
    })  # fmt: skip
    return Content(table, _judged(hits, fitted.segments.index[group], fitted.segments.index), fitted)


def _largest(shares: Values, number: int) -> NDArray[np.int64]:
    """The slots of the largest shares in each row, the largest first, the first of equal ones."""
    return np.argsort(-shares.round(12), axis=1, kind="stable")[:, :number]


def _judged(hits: pd.DataFrame, of: pd.Index, names: pd.Index) -> pd.DataFrame:
    """The gain of each segment's own blocks over the best sellers, from customers' later lines and hits in both."""
    hits["apart"] = hits["own"] - hits["best_sellers"]
    sums = hits.groupby(of).sum().reindex(names, fill_value=0.0)
    table = pd.DataFrame({"customers": hits.groupby(of).size(), "lines": sums["lines"]}, names).fillna(0).astype(int)
    lines = sums["lines"].where(sums["lines"] > 0)
    table[["best_sellers", "own", "gain"]] = sums[["best_sellers", "own", "apart"]].div(lines, axis=0)
    table["differing"] = (hits["apart"] != 0).groupby(of).sum().reindex(names, fill_value=0)
    told = table["differing"].map(enough)
    residual = hits["apart"] - hits["lines"] * table["gain"].reindex(of).to_numpy()
    df = table["customers"].where(told) - 1
    error = np.sqrt((residual**2).groupby(of).sum().reindex(names) * (df + 1) / df) / lines
    reach = error * stats.t.ppf((1 + LEVEL) / 2, df)
    table["low"], table["high"] = table["gain"] - reach, table["gain"] + reach
    table["p_adjusted"] = holm(pd.Series(2 * stats.t.sf(np.abs(table["gain"]) / error, df), names))
    table["decision"] = [_decision(row) for row in table.to_dict("records")]
    return table.rename_axis("segment").reset_index()


def _decision(row: dict[Hashable, Any]) -> str:
    """What to show a segment, or that there are too few customers to tell."""
    if not enough(row["customers"]):
        return too_few(row["customers"], "customers with later lines")
    if row["differing"] and not enough(row["differing"]):
        return too_few(row["differing"], "customers for whom the blocks differ in later lines")
    return OWN if row["gain"] > 0 and row["p_adjusted"] <= 1 - LEVEL else BEST_SELLERS
