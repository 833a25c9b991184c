"""How clusters change between two days: aligned labels, what became of each cluster, and what is due to a refit.

Labels are a Series by customer id. Their numbers differ from fit to fit, so clusters are matched by the customers that
they share. Noise, `NOISE`, is no cluster: it is never renamed, and nothing becomes of it.
"""

from collections.abc import Hashable, Mapping
from itertools import count

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from customerlab.analysis.clustering.models import NOISE
from customerlab.analysis.clustering.scoring import Segmentation

SURVIVES, SPLIT, ABSORBED, DISAPPEARS, APPEARS = "survives", "split", "absorbed", "disappears", "appears"
COLUMNS = ["cluster", "event", "into", "customers", "share", "gone", "new", "before", "after", "growth"]


def overlap(before: pd.Series, after: pd.Series) -> pd.DataFrame:
    """How many customers of each earlier cluster are in each later one.

    Parameters
    ----------
    before, after : Series
        Labels by customer id, numbers or texts. Customers who are in one of them only do not count.

    Returns
    -------
    DataFrame
        Counts, one row per earlier label and one column per later one, in rising order, of labels that a customer in
        both has; empty where no customer is in both.

    Raises
    ------
    ValueError
        If a customer has several labels, or none.

    Examples
    --------
    >>> overlap(pd.Series({"a": 1, "b": 1, "c": 2}), pd.Series({"a": 7, "b": 8, "c": 8, "d": 8})).values.tolist()
    [[1, 1], [0, 1]]
    """
    for labels in (before, after):
        if labels.index.has_duplicates or labels.isna().any():
            raise ValueError("a customer has several labels, or none; expected one each")
    both = pd.DataFrame({"before": before, "after": after.reindex(before.index)}).dropna()
    counts = both.groupby(["before", "after"]).size().unstack(fill_value=0).astype(int)
    return counts.set_axis(counts.columns.astype(after.dtype), axis=1)


def align(before: pd.Series, after: pd.Series) -> pd.Series:
    """Later labels renamed to those of the earlier clusters with which they share most customers.

    One earlier cluster goes with at most one later one, so that the customers shared by all pairs together are most
    (Kuhn 1955, the Hungarian method). Of several such matchings it takes one that does not depend on the order of rows
    or on how clusters are numbered. A later cluster without a partner gets a label that no earlier one has: the next
    number, or ``new 1``, ``new 2``, …, the largest cluster first.

    Parameters, and what raises, are as in `overlap`.

    Returns
    -------
    Series
        The new labels, in the order of `after`.

    Examples
    --------
    >>> align(pd.Series({"a": 1, "b": 1, "c": 2}), pd.Series({"a": 2, "b": 2, "c": 1, "d": 3})).to_dict()
    {'a': 1, 'b': 1, 'c': 2, 'd': 3}
    """
    return after.map(_names(before, after)).astype(before.dtype)


def transitions(before: pd.Series, after: pd.Series, *, survival: float = 0.5, split: float = 0.25) -> pd.DataFrame:
    """What became of each cluster, after MONIC (Spiliopoulou, Ntoutsi, Theodoridis and Schult 2006).

    The share of an earlier cluster in a later one is of its customers who are in both clusterings. Its match is the
    later cluster with its largest share, if that is at least `survival`. An earlier cluster

    - is *split* where at least two later clusters, none of them the match of another, have at least `split` of it each
      and `survival` of it together. This goes first, or else the larger half of a cluster would be its survivor;
    - *survives* in its match where this is the match of no other earlier cluster;
    - is *absorbed* by its match where that is shared: all that go into it are absorbed, also the largest;
    - *disappears* in all other cases: its customers have gone, or are scattered.

    A later cluster *appears* where it is none of those that the earlier ones went into.

    Parameters
    ----------
    before, after : Series
        As in `overlap`.
    survival, split : float
        MONIC's thresholds, tau and tau of splits, with 0 < split <= survival <= 1.

    Returns
    -------
    DataFrame
        One row per event, of a split one row per part; earlier clusters in rising order, then those that appear;
        parts, and those that appear, by falling size.

        - `cluster`, `event`, and `into`, the later cluster, missing for those that disappear or appear;
        - `customers` of both clusterings that the event is about: those in `cluster` and `into`, or all of `cluster`;
        - `share`: of the cluster's customers in both clusterings, those in `into`; missing without one;
        - `gone`: the earlier cluster's customers who are not in the later clustering; `new`: the later cluster's who
          were not in the earlier one;
        - `before`, `after`: customers of the earlier and of the later cluster, 0 where there is none;
        - `growth`: of a survivor, `after` over `before` less 1; else missing.

    Raises
    ------
    ValueError
        As in `overlap`, and for other thresholds.

    Examples
    --------
    >>> before = pd.Series(dict(zip("abcdef", [1, 1, 1, 1, 2, 2])))
    >>> after = pd.Series(dict(zip("abcdghi", [1, 1, 3, 3, 4, 4, 4])))
    >>> found = transitions(before, after)
    >>> found[["cluster", "event", "into", "gone", "new"]].values.tolist()
    [[1, 'split', 1, 0, 0], [1, 'split', 3, 0, 0], [2, 'disappears', None, 2, 0], [4, 'appears', None, 0, 3]]
    """
    if not 0 < split <= survival <= 1:
        raise ValueError(f"thresholds {survival} and {split}; expected 0 < split <= survival <= 1")
    counts, old, new = overlap(before, after), _sizes(before).sort_index(), _sizes(after)
    shared = counts.reindex(index=old.index, columns=new.index, fill_value=0).to_numpy()
    # customers who became noise are in both clusterings, and so are those who were noise
    here = counts.sum(axis=1).reindex(old.index, fill_value=0).to_numpy()
    there = counts.sum(axis=0).reindex(new.index, fill_value=0).to_numpy()
    shares = shared / np.maximum(here, 1)[:, None]
    events, names = _events(shares, survival, split), new.index.tolist()
    rows: list[tuple[object, ...]] = []
    for place, (name, size) in enumerate(old.items()):
        event, columns = events[place]
        if not columns:
            rows.append((name, event, None, here[place], np.nan, size - here[place], 0, size, 0, np.nan))
        for to in columns:
            growth = new.iloc[to] / size - 1 if event == SURVIVES else np.nan
            about = shared[place, to], shares[place, to], size - here[place], new.iloc[to] - there[to]
            rows.append((name, event, names[to], *about, size, new.iloc[to], growth))
    reached = {to for _, columns in events for to in columns}
    for to, (name, size) in enumerate(new.items()):
        if to not in reached:
            rows.append((name, APPEARS, None, there[to], np.nan, 0, size - there[to], 0, size, np.nan))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table.assign(into=pd.Series([row[2] for row in rows], dtype=object))


def attributed(old: Segmentation, new: Segmentation, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """How much of customers' changes of cluster is due to the customers, and how much to a refit of the clusters.

    Both segmentations assign the customers of both days; the new one's clusters are aligned to the old one's by all of
    these (`align`). A customer has changed where the old clusters of the earlier day and the new clusters of the later
    day differ. The number who have is divided by the mean of both orders in which the customers' features and the
    clusters can change, one after the other (Shapley 1953). A part is below zero where it undoes changes of the other.

    Parameters
    ----------
    old, new : Segmentation
        Of the earlier day, and refitted.
    before, after : DataFrame
        Customers on the earlier and on the later day: `customer_id`, and the features of both segmentations. Those who
        are in one of them only do not count.

    Returns
    -------
    DataFrame
        One row each for the `part`s ``customers``, ``refit`` and ``both``: `alone`, the customers whose cluster changes
        if only this changes; `changes`, the customers attributed to it, in halves, of which the first two sum to the
        third exactly; `share`, the same of all customers of both days, missing where there are none.

    Raises
    ------
    ValueError
        If a customer is there twice on a day, or a feature is lacking.

    Examples
    --------
    >>> from customerlab.analysis.clustering.models import Nearest
    >>> from customerlab.analysis.clustering.scoring import segmentation
    >>> from customerlab.analysis.clustering.space import fit_space
    >>> then = pd.DataFrame({"customer_id": list("abcd"), "frequency": [1, 2, 8, 9]})
    >>> now = then.assign(frequency=[1, 9, 8, 9])
    >>> space = fit_space(then, ["frequency"])
    >>> model = Nearest(space.points(then)[[0, 3]], np.array([0, 1]))
    >>> old = segmentation("K-Means", space, model, then, np.array([1, 1, 2, 2]))
    >>> attributed(old, old, then, now).values.tolist()
    [['customers', 1, 1.0, 0.25], ['refit', 0, 0.0, 0.0], ['both', 1, 1.0, 0.25]]
    """
    then, now = (_labels(old, customers) for customers in (before, after))
    refit_then, refit_now = (_labels(new, customers) for customers in (before, after))
    shared = then.index.intersection(now.index)
    aligned = align(pd.concat([then, now], keys=[0, 1]), pd.concat([refit_then, refit_now], keys=[0, 1]))
    begin = then.loc[shared].to_numpy()
    others = now.loc[shared], aligned.loc[0].loc[shared], aligned.loc[1].loc[shared]
    customers, refit, both = (int((begin != labels.to_numpy()).sum()) for labels in others)
    table = pd.DataFrame({"part": ["customers", "refit", "both"], "alone": [customers, refit, both]})
    table["changes"] = [(customers + both - refit) / 2, (refit + both - customers) / 2, float(both)]
    return table.assign(share=table["changes"] / (len(shared) or np.nan))


def _labels(segmentation: Segmentation, customers: pd.DataFrame) -> pd.Series:
    """The cluster of each customer, by id in rising order."""
    return segmentation.assign(customers).set_index("customer_id")["cluster"].sort_index()


def _names(before: pd.Series, after: pd.Series) -> Mapping[Hashable, Hashable]:
    """The aligned name of each later label."""
    counts, old, new = overlap(before, after), _sizes(before).index, _sizes(after).index
    shared = counts.reindex(index=old, columns=new, fill_value=0).to_numpy()
    rows, columns = linear_sum_assignment(shared, maximize=True)
    names = {new[c]: old[r] for r, c in zip(rows, columns, strict=True) if shared[r, c]}
    numeric = pd.api.types.is_numeric_dtype(before.dtype)
    taken = set(before)
    highest = max((label for label in taken if label != NOISE), default=0) if numeric else 0
    unused = (number if numeric else f"new {number}" for number in count(highest + 1))
    fresh = (name for name in unused if name not in taken)
    return names | {label: next(fresh) for label in new if label not in names} | {NOISE: NOISE}


def _sizes(labels: pd.Series) -> pd.Series:
    """Clusters and their customers, by falling size, equal ones by their first customer: whatever they are called."""
    ordered = labels[labels != NOISE].sort_index()
    sizes = ordered.value_counts().reindex(ordered.drop_duplicates())
    return sizes.sort_values(ascending=False, kind="stable")


def _events(shares: np.ndarray, survival: float, split: float) -> list[tuple[str, list[int]]]:
    """The event of each earlier cluster, a row of `shares`, and the columns that it went into."""
    best = shares.argmax(axis=1) if shares.size else np.full(len(shares), NOISE)
    match = np.where((shares >= survival).any(axis=1), best, NOISE)
    found: list[tuple[str, list[int]]] = []
    for place, own in enumerate(shares):
        others = set(np.delete(match, place).tolist())
        parts = [to for to in np.flatnonzero(own >= split).tolist() if to not in others]
        if len(parts) > 1 and own[parts].sum() >= survival:
            found.append((SPLIT, parts))
        elif match[place] == NOISE:
            found.append((DISAPPEARS, []))
        else:
            found.append((ABSORBED if match[place] in others else SURVIVES, [int(match[place])]))
    return found
