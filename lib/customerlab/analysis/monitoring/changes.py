"""What has changed since the champion's day: drift of what models see, adjusted together, and names for it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.clustering.scoring import Segmentation, clusters_on
from customerlab.analysis.inference import LEAST, holm
from customerlab.analysis.monitoring.activity import FIRST, NAMES, period
from customerlab.analysis.monitoring.challenge import YEAR, Match
from customerlab.analysis.monitoring.drift import compare, within
from customerlab.analysis.monitoring.thresholds import Thresholds
from customerlab.analysis.orders import Snapshot, first_order

LEVEL = 0.05
NEW, SEASON = "new customers", "season"
PERIOD, SEGMENTS, CLUSTERS, DISTANCE, CHURN = (
    "period", "RFM segments", "clusters", "distance to the centre", "churn probability",
)  # fmt: skip
SEEN = {
    "RFM thresholds": [SEGMENTS], "segmentation": [CLUSTERS, DISTANCE], "followed clusters": [CLUSTERS, DISTANCE], "churn model": [CHURN],
    "value model": [NEW, NAMES["frequency"], NAMES["recency"]],
}  # fmt: skip
"""What each model sees of the rows of `drift_table`."""


def a_year_before(shop: Snapshot, days: int) -> Snapshot | None:
    """The shop 52 weeks earlier, in the same season; None where the log has not so many days before that."""
    day = shop.day - pd.Timedelta(days=YEAR)
    return shop.at(day) if first_order(shop.transactions).normalize() + pd.Timedelta(days=days) <= day else None


def periods(between: Match) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:
    """What customers did in the days before the champion's day, in the last ones, and in those of a year before."""
    length = between.until.day - between.challenger.day
    then = a_year_before(between.until, length.days)
    found = [period(shop, shop.day - length, shop.day) for shop in (between.champion, between.until)]
    return found[0], found[1], None if then is None else period(then, then.day - length, then.day)


def of_periods(reference: pd.DataFrame, current: pd.DataFrame, season: pd.DataFrame | None) -> pd.DataFrame:
    """Drift of what customers did, as `drift.compare`, and of the number of new customers (`psi` is missing then).

    Two numbers of new customers are compared by the binomial test that is exact for Poisson counts (Przyborowski and
    Wilenski 1940).
    """
    names = [name for name in current.columns if name not in ("customer_id", FIRST)]
    if not len(reference) or not len(current):
        return pd.DataFrame()
    table = compare(reference, current, names=names, season=season if season is not None and len(season) else None)
    counted = [int(one[FIRST].sum()) for one in (reference, current)]
    row: dict[str, object] = {"feature": NEW, "kind": "count", "reference": counted[0], "current": counted[1]}
    row["psi_p"] = _rates(*counted)
    if "season_p" in table and season is not None:
        row["season_p"] = _rates(int(season[FIRST].sum()), counted[1])
    return pd.concat([pd.DataFrame([row]), table], ignore_index=True)


def _rates(one: int, two: int) -> float:
    return float(stats.binomtest(two, one + two).pvalue) if max(one, two) >= LEAST else np.nan


def of_models(
    between: Match, champion: Thresholds, segmentation: Segmentation, scored: pd.DataFrame | None
) -> pd.DataFrame:
    """Drift of what models make of customers: segments by the champion's thresholds, clusters, distances and scores.

    Of segments, clusters and distances only customers count whose first order was at most so many days ago: half of the
    log before the champion's day, at most 52 weeks. Customers who left long ago stay in a log for ever, so that all
    customers together change in a shop in which nothing does.

    Parameters
    ----------
    between : Match
    champion : Thresholds
    segmentation : Segmentation
        The champion, too.
    scored : DataFrame or None
        As `challenge.churn_trial` returns it.
    """
    begin = first_order(between.until.transactions).normalize()
    age = min((between.champion.day - begin).days // 2, YEAR)
    then = a_year_before(between.until, max(age, (between.until.day - between.challenger.day).days))
    tables = []
    for shop in (between.champion, between.until, *([] if then is None else [then])):
        customers, found = champion.on(shop), clusters_on(segmentation, shop)
        table = pd.DataFrame({SEGMENTS: customers["segment"].to_numpy()})
        table[CLUSTERS], table[DISTANCE] = found["name"].to_numpy(), found["distance"].to_numpy()
        tables.append(table[(customers["tenure"] <= age).to_numpy()])
    names = [SEGMENTS, *([CLUSTERS, DISTANCE] if len(segmentation.names) > 1 else [])]
    rows = [compare(tables[0], tables[1], names=names, season=tables[2] if then is not None else None)]
    if scored is not None:
        parts = {name: part.rename(columns={"probability": CHURN}) for name, part in scored.groupby("begin")}
        if "now" in parts:
            rows.append(compare(parts["before"], parts["now"], names=[CHURN], season=parts.get("season")))
    return pd.concat(rows, ignore_index=True)


def within_segments(
    between: Match, champion: Thresholds, reference: pd.DataFrame, current: pd.DataFrame
) -> pd.DataFrame:
    """Drift of orders, revenue and order value within RFM segments by the champion's thresholds, as `drift.within`.

    A customer's segment is that of the end of the period; `reference` and `current` as `periods` returns them.
    """
    tables = []
    for shop, table in ((between.champion, reference), (between.until, current)):
        found = champion.on(shop).set_index("customer_id")["segment"]
        tables.append(table.assign(segment=table["customer_id"].map(found)))
    names = [NAMES[one] for one in ("frequency", "monetary", "basket_value")]
    return within(tables[0], tables[1], "segment", names=names).dropna(subset="psi").reset_index(drop=True)


def drift_table(*tables: pd.DataFrame) -> pd.DataFrame:
    """All rows together: `p_adjusted` is Holm's over all of them, and `drifted` whether it is below 5%.

    `seasonal` marks what differs from the reference significantly, but not from the same season a year before, adjusted
    or not.
    """
    rows = pd.concat([table for table in tables if len(table)], ignore_index=True)
    season = rows["season_p"] if "season_p" in rows else pd.Series(np.nan, rows.index)
    alone = holm(rows["psi_p"])
    rows["p_adjusted"] = holm(rows["psi_p"].where(season.isna(), np.maximum(rows["psi_p"], season)))
    rows["drifted"] = rows["p_adjusted"] < LEVEL
    rows["seasonal"] = (season >= LEVEL) & (alone < LEVEL)
    return rows


def inputs(rows: pd.DataFrame) -> Mapping[str, Sequence[str]]:
    """By model, which of its inputs have drifted, for `decisions.decide`."""
    found = set(rows.loc[rows["drifted"], "feature"])
    return {model: [name for name in seen if name in found] for model, seen in SEEN.items()}


def named(rows: pd.DataFrame, reference: pd.DataFrame, current: pd.DataFrame) -> pd.DataFrame:
    """Names for what customers did differently: growth, price, baskets, behaviour, season.

    Prices are named where orders are of other money and not of other numbers of products; where the log has no
    products, the two are not told apart and both are named. Means by customer are of few orders or of many, and spread
    accordingly, so that products and money of orders need a significant difference of the mean of all orders, too. A
    season is named where nothing has changed beyond it: beside a change, what does not differ significantly from a year
    before may only be less clear.

    Returns
    -------
    DataFrame
        `change` and `evidence`, a sentence; without rows where nothing has drifted.
    """
    value, baskets, number, since = (NAMES[one] for one in ("basket_value", "basket_products", "frequency", "recency"))
    drifted = set(rows.loc[rows["drifted"], "feature"])
    drifted -= {name for name in (value, baskets) if name in drifted and not _of_orders(name, reference, current)}
    found = []
    if NEW in drifted:
        one, two = (int(table[FIRST].sum()) for table in (reference, current))
        found.append(("growth" if two > one else "decline", f"{two:,} new customers against {one:,}"))
    if baskets in drifted:
        found.append(("baskets", _means(baskets, reference, current)))
    if value in drifted and baskets not in drifted:
        found.append(("prices" if baskets in current else "prices or baskets", _means(value, reference, current)))
    for name in (number, since):
        if name in drifted:
            found.append(("behaviour", _means(name, reference, current)))
    seasonal = rows.loc[rows["seasonal"], "feature"].tolist()
    if seasonal and not rows["drifted"].any():
        found.append((SEASON, f"not significantly different from the same season a year before: {', '.join(seasonal)}"))
    return pd.DataFrame(found, columns=["change", "evidence"])


def _means(name: str, reference: pd.DataFrame, current: pd.DataFrame) -> str:
    one, two = reference[name].mean(), current[name].mean()
    change = f", {two / one - 1:+.0%}" if one > 0 else ""
    return f"mean {name} {two:.3g} against {one:.3g}{change}"


def _of_orders(name: str, reference: pd.DataFrame, current: pd.DataFrame) -> bool:
    """Whether the mean over all orders differs significantly; standard errors are clustered by customer."""
    means, squares = [], 0.0
    for table in (reference, current):
        orders = table[NAMES["frequency"]].to_numpy(dtype=float)
        mean = float((table[name] * orders).sum() / orders.sum())
        away = orders * (table[name] - mean)
        means.append(mean)
        squares += float((away**2).sum() * len(away) / max(len(away) - 1, 1) / orders.sum() ** 2)
    return bool(abs(means[1] - means[0]) > stats.norm.ppf(1 - LEVEL / 2) * np.sqrt(squares))
