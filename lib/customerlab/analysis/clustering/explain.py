"""Cluster profiles: typical values, distinctive features, names, and agreement with other groupings.

Everywhere `labels` are clusters numbered from 1, with -1 for noise, one for every row of `customers`.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from customerlab.analysis import inference
from customerlab.analysis.clustering.labelled import checked, checked_labels, noise_last
from customerlab.analysis.clustering.models import NOISE

# The words of a name where a feature is low and where it is high.
PHRASES = {
    "recency": ("recent", "lapsed"),
    "frequency": ("few orders", "frequent"),
    "monetary": ("low spend", "high spend"),
    "tenure": ("new", "long-standing"),
    "days_per_order": ("short gaps", "long gaps"),
    "basket_value": ("small baskets", "large baskets"),
    "basket_products": ("few products per basket", "many products per basket"),
    "breadth": ("few products", "many products"),
    "categories": ("few categories", "many categories"),
    "returned_share": ("few returns", "many returns"),
    "weekend_share": ("on weekdays", "at weekends"),
    "evening_share": ("in the daytime", "in the evening"),
}
LEVEL = ": "  # in the name of a column that says whether a customer has a level of an attribute
STANDS_OUT = 0.14  # from 0.5: a difference of medium size (Vargha and Delaney 2000)
WORDS = 3  # phrases in a name, at most


def profile(customers: pd.DataFrame, labels: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """The clusters in the features' own units, noise last as -1.

    Medians, because a few large customers move the mean of a whole cluster; of columns of levels, such as
    ``home: flat``, the share of customers who have it. Labels have to be numbered from 1, one for
    each customer, and features known for all of them; else a ValueError says what is wrong.

    Returns
    -------
    DataFrame
        One row per cluster: `cluster`, `customers`, `share` (of customers), `share_of_revenue` (where `monetary` is
        known; missing where total revenue is not above zero), and the median of each feature.

    Examples
    --------
    >>> profile(pd.DataFrame({"recency": [1, 3, 90]}), np.array([1, 1, 2]), ["recency"])
       cluster  customers     share  recency
    0        1          2  0.666667      2.0
    1        2          1  0.333333     90.0
    """
    labels, values = checked(customers, labels, names)
    grouped = pd.DataFrame(values, columns=list(names)).groupby(labels)
    sizes = grouped.size()
    table = grouped.median()
    for name in names:
        if is_level(name):
            table[name] = grouped[name].mean()
    table.insert(0, "customers", sizes)
    table.insert(1, "share", sizes / len(labels))
    if "monetary" in customers:
        money = customers["monetary"].groupby(labels).sum()
        table.insert(2, "share_of_revenue", money / money.sum() if money.sum() > 0 else np.nan)
    return noise_last(table)


def is_level(feature: str) -> bool:
    """Whether a column says whether a customer has a level of an attribute.

    Examples
    --------
    >>> is_level("home: flat"), is_level("age"), is_level("share of Home: Candles")
    (True, False, False)
    """
    return LEVEL in feature and not feature.startswith("share of ")


def worth(customers: pd.DataFrame, labels: np.ndarray) -> np.ndarray:
    """What clusters are numbered by: the revenue of each customer, or where money is not known, the cluster's size.

    Examples
    --------
    >>> worth(pd.DataFrame({"customer_id": ["a", "b", "c"]}), np.array([0, 1, 1])).tolist()
    [1.0, 2.0, 2.0]
    """
    if "monetary" in customers:
        return customers["monetary"].to_numpy(dtype=float)
    return pd.Series(labels).map(pd.Series(labels).value_counts()).to_numpy(dtype=float)


def largest_share(customers: pd.DataFrame, labels: np.ndarray) -> pd.Series:
    """The share of one customer in the revenue of each cluster (`inference.largest_share`); empty without revenue."""
    if "monetary" not in customers:
        return pd.Series(dtype=float)
    found = inference.largest_share(customers["monetary"], pd.Series(labels))
    assert isinstance(found, pd.Series)  # one for each cluster
    return found


def contrast(customers: pd.DataFrame, labels: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """How much each cluster differs from all other customers, on one scale for all features.

    The probability of superiority: that a customer of the cluster, drawn at random, has a higher value than one that
    is not in it, equal values counting half (the A of Vargha and Delaney 2000; Mann and Whitney's U over all pairs).
    It rests on ranks, so that units, skew and transforms do not matter. Raises as `profile` does.

    Returns
    -------
    DataFrame
        One row per cluster, noise last as -1: `cluster`, and for each feature a number from 0 (all lower) over 0.5 (no
        difference) to 1 (all higher). With one cluster alone all are 0.5.

    Examples
    --------
    >>> contrast(pd.DataFrame({"recency": [1, 2, 90, 2]}), np.array([1, 1, 2, 2]), ["recency"])
       cluster  recency
    0        1    0.125
    1        2    0.875
    """
    labels, values = checked(customers, labels, names)
    ranks = pd.DataFrame(rankdata(values, axis=0), columns=list(names)).groupby(labels)
    sizes = ranks.size()
    pairs = sizes * (len(labels) - sizes)
    wins = ranks.sum().sub(sizes * (sizes + 1) / 2, axis=0)
    table = wins.div(pairs.where(pairs > 0), axis=0).fillna(0.5)
    return noise_last(table)


def proposed_names(contrasts: pd.DataFrame, given: Sequence[str] = ()) -> list[str]:
    """A short name for each cluster, by number, from its most distinctive features, or the `given` ones.

    A name has up to three phrases, of the strongest contrasts and only where they are at least of medium size; they
    are in the order of the features, so that names can be compared. Where two clusters would have the same name, the
    more distinctive one keeps it and the other gets its next best. A cluster without a distinctive feature is
    ``Average``, and where no name is left, the number is added. All names differ; noise has none.

    Raises
    ------
    ValueError
        For given names of another number than the clusters, for an empty or a repeated one, and for clusters that are
        not numbered 1, 2, 3, ….

    Examples
    --------
    >>> proposed_names(pd.DataFrame({"cluster": [1, 2], "recency": [0.1, 0.9], "monetary": [0.95, 0.05]}))
    ['Recent, high spend', 'Lapsed, low spend']
    """
    table = contrasts[contrasts["cluster"] != NOISE].set_index("cluster").sort_index()
    if table.index.tolist() != list(range(1, len(table) + 1)):
        raise ValueError(f"the clusters are numbered {table.index.tolist()}; expected 1, 2, 3, …")
    if len(given):
        return _given_names(given, len(table))
    strengths = (table - 0.5).abs()
    top = strengths.where(strengths >= STANDS_OUT).fillna(0).apply(lambda row: row.nlargest(WORDS).sum(), axis=1)
    named: dict[int, str] = {}
    for cluster in top.sort_values(ascending=False, kind="stable").index:
        possible = _possible_names(table.loc[cluster])
        named[cluster] = next((name for name in possible if name not in named.values()), f"{possible[0]} ({cluster})")
    return [named[cluster] for cluster in table.index]


def _possible_names(row: pd.Series) -> list[str]:
    """Names for one cluster, the fittest first; phrases stand in the order of the features."""
    strength = (row - 0.5).abs().round(9).sort_values(ascending=False, kind="stable")
    strongest = {str(name): float(much) for name, much in strength[strength >= STANDS_OUT].head(2 * WORDS).items()}
    phrases = {feature: _phrase(feature, high=bool(row[feature] > 0.5)) for feature in map(str, row.index)}
    features = [feature for feature in phrases if feature in strongest]
    sets = [some for size in range(1, WORDS + 1) for some in combinations(features, size)]
    sets.sort(key=lambda some: -sum(strongest[feature] for feature in some))
    names = [", ".join(phrases[feature] for feature in some) for some in sets]
    return [name[0].upper() + name[1:] for name in names] or ["Average"]


def _phrase(feature: str, *, high: bool) -> str:
    if feature in PHRASES:
        return PHRASES[feature][high]
    if is_level(feature):
        return f"{'' if high else 'not '}{feature.replace(LEVEL, ' ').replace('_', ' ')}"
    if feature.startswith("share of "):
        return f"{'much' if high else 'little'} {feature.removeprefix('share of ')}"
    return f"{'high' if high else 'low'} {feature.replace('_', ' ')}"


def _given_names(given: Sequence[str], clusters: int) -> list[str]:
    names = [name.strip() for name in given]
    if len(names) != clusters:
        raise ValueError(f"{len(names)} names for {clusters} clusters; expected one each, by cluster number, or none")
    if not all(names):
        raise ValueError(f"the name of cluster {names.index('') + 1} is empty; expected a name")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"the name {twice[0]!r} stands twice; expected a different one for each cluster")
    return names


def agreement(labels: Mapping[str, Sequence | np.ndarray | pd.Series]) -> pd.DataFrame:
    """Agreement between groupings of the same customers, for every pair.

    Both measures are 1 for identical groups and 0 for chance agreement. The adjusted Rand index (Hubert and Arabie
    1985) counts pairs of customers and is dominated by large groups. The adjusted mutual information (Vinh, Epps and
    Bailey 2010, arithmetic mean) measures shared information and gives small groups more weight. Groups are numbers or
    texts, such as RFM segments; noise is a group like any other. Fewer than two groupings, or of different numbers of
    customers, raise ValueError.

    Returns
    -------
    DataFrame
        One row per pair, in the order of the mapping: `one`, `other`, `adjusted_rand`, `adjusted_mutual_information`.

    Examples
    --------
    >>> agreement({"K-Means": [1, 1, 2, 2], "segments": ["New", "New", "Loyal", "Loyal"]})
           one     other  adjusted_rand  adjusted_mutual_information
    0  K-Means  segments            1.0                          1.0
    """
    sizes = {name: len(found) for name, found in labels.items()}
    if len(sizes) < 2 or len(set(sizes.values())) > 1:
        found = ", ".join(f"{name} of {size:,}" for name, size in sizes.items()) or "none"
        raise ValueError(f"the groupings are {found} customers; expected at least two of the same customers")
    codes = {name: pd.factorize(np.asarray(found), sort=True)[0] for name, found in labels.items()}
    pairs = [(one, other, codes[one], codes[other]) for one, other in combinations(codes, 2)]
    rows = [(one, other, adjusted_rand_score(a, b), adjusted_mutual_info_score(a, b)) for one, other, a, b in pairs]
    return pd.DataFrame(rows, columns=["one", "other", "adjusted_rand", "adjusted_mutual_information"])


def contingency(
    labels: np.ndarray, segments: Sequence[str] | pd.Series, order: Sequence[str] | None = None
) -> pd.DataFrame:
    """How the customers of each cluster spread over named segments.

    Segments are in the `order` that is given, else by name; those without a customer are left out. ValueError where
    labels are not one for each customer from 1, a customer has no segment, or one is not in the order.

    Returns
    -------
    DataFrame
        Shares of each cluster's customers, one row per cluster (noise last as -1) and one column per segment; every row
        sums to one. The index holds `cluster` and `customers`.

    Examples
    --------
    >>> contingency(np.array([1, 1, 2]), ["Loyal", "New", "New"]).loc[1].to_dict("records")
    [{'Loyal': 0.5, 'New': 0.5}]
    """
    named = pd.Series(segments, name="segment").reset_index(drop=True)
    numbers = pd.Series(checked_labels(labels, len(named)), name="cluster")
    if named.isna().any():
        raise ValueError(f"{int(named.isna().sum()):,} customers have no segment; expected one each")
    present = set(named)
    listed = sorted(present) if order is None else list(dict.fromkeys(order))
    if present - set(listed):
        raise ValueError(
            f"the segment {min(present - set(listed))!r} is not in the order; expected {', '.join(listed)}"
        )
    counts = pd.crosstab(numbers, named)[[name for name in listed if name in present]]
    counts = noise_last(counts).set_index("cluster")
    sizes = counts.sum(axis=1)
    shares = counts.div(sizes, axis=0)
    shares.index = pd.MultiIndex.from_arrays([counts.index, sizes], names=["cluster", "customers"])
    return shares
