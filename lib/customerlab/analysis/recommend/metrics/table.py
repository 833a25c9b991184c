"""All metrics at once: by customer, over all lists, and one list under every definition of its metrics."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from customerlab.analysis.recommend.metrics import beyond, business, ranking
from customerlab.analysis.recommend.metrics.lists import Lists, ratio


class Definition(NamedTuple):
    """One meaning of a metric's name: what it is, who uses it, what it needs beside lists and purchases."""

    metric: str
    definition: str
    formula: str
    source: str
    function: Callable[..., np.ndarray | float]
    needs: tuple[str, ...] = ()
    named: bool = True  # whether the function knows the definition by its name

    def value(self, lists: Lists) -> np.ndarray | float:
        """The metric under this definition."""
        return self.function(lists, self.definition) if self.named else self.function(lists)


def _pooled_precision(lists: Lists) -> float:
    some = lists.bought > 0
    return float(ratio(lists.found[some].sum(), np.minimum(lists.bought, lists.k)[some].sum()))


def _everybody(lists: Lists) -> float:
    return _mean(lists.found / lists.k)


def _f1_of_means(lists: Lists) -> float:
    p, r = (_mean(function(lists)) for function in (ranking.precision, ranking.recall))
    return 2 * p * r / (p + r) if p + r else p + r


H, B, M, V, C = ("history",), ("buyers",), ("money",), ("vectors",), ("categories",)
RANKING = ("precision", "recall", "f1", "hit_rate", "mrr", "map", "ndcg", "r_precision")
# the first of a metric is the default; R: products bought, n: products
DEFINITIONS = tuple(
    Definition(*row)
    for row in (
        ("precision", "k", "hits / k", "Spark; Microsoft Recommenders", ranking.precision),
        ("precision", "shown", "hits / products on the list", "RecBole's formula", ranking.precision),
        ("precision", "reachable", "hits / min(k, R)", "per customer; see pooled", ranking.precision),
        ("precision", "pooled", "Σ hits / Σ min(k, R)", "implicit", _pooled_precision, (), False),
        ("precision", "everybody", "hits / k, 0 for who bought nothing", "Spark", _everybody, (), False),
        ("recall", "bought", "hits / R", "Spark; RecTools; RecBole", ranking.recall),
        ("recall", "reachable", "hits / min(k, R)", "Liang et al. 2018", ranking.recall),
        ("f1", "customer", "2 hits / (k + R)", "van Rijsbergen 1979", ranking.f1, (), False),
        ("f1", "means", "2 P R / (P + R) of the means", "Opitz and Burst 2019", _f1_of_means, (), False),
        ("hit_rate", "any", "1 with a hit", "Deshpande and Karypis 2004", ranking.hit_rate, (), False),
        ("mrr", "first", "1 / rank of the first hit", "Voorhees 1999", ranking.reciprocal_rank),
        ("mrr", "every", "Σ hit(r) / r", "Deshpande and Karypis 2004 (ARHR)", ranking.reciprocal_rank),
        ("map", "reachable", "Σ P(r) hit(r) / min(k, R)", "Spark; implicit; RecBole", ranking.average_precision),
        ("map", "bought", "Σ P(r) hit(r) / R", "RecTools; trec_eval", ranking.average_precision),
        ("map", "k", "Σ P(r) hit(r) / k", "RecTools, divide_by_k", ranking.average_precision),
        ("map", "found", "Σ P(r) hit(r) / hits", "blind to what is missed", ranking.average_precision),
        ("map", "precisions", "Σ P(r) / k", "Elliot", ranking.average_precision),
        ("ndcg", "reachable", "DCG / DCG of min(k, R) hits", "Spark; implicit; RecBole", ranking.ndcg),
        ("ndcg", "k", "DCG / DCG of k hits", "RecTools", ranking.ndcg),
        ("ndcg", "bought", "DCG / DCG of R hits", "the ideal is not cut at k", ranking.ndcg),
        ("ndcg", "found", "DCG / DCG of the list's own hits", "blind to what is missed", ranking.ndcg),
        ("ndcg", "2002", "the same with 1 / max(1, log2 r)", "Järvelin and Kekäläinen 2002", ranking.ndcg),
        ("r_precision", "reachable", "hits in the first min(k, R) / min(k, R)", "Buckley and Voorhees 2000, cut at k",
         ranking.r_precision),
        ("r_precision", "bought", "hits in the first min(k, R) / R", "Microsoft Recommenders", ranking.r_precision),
        ("novelty", "discovery", "-log2(buyers / customers)", "Zhou et al. 2010; RecTools", beyond.novelty, B),
        ("novelty", "choice", "-log2(buyers / Σ buyers)", "Castells et al. 2011; Microsoft Recommenders",
         beyond.novelty, B),
        ("novelty", "complement", "1 - buyers / customers", "Vargas and Castells 2011 (EPC)", beyond.novelty, B),
        ("diversity", "cosine", "1 - mean cosine of pairs", "Smyth and McClave 2001", beyond.diversity, V, False),
        ("serendipity", "unexpected", "hits that k most bought miss / k", "Ge et al. 2010", beyond.serendipity, B),
        ("serendipity", "rank", "Σ hit max(0, p - q) / k", "Murakami et al. 2008; RecTools", beyond.serendipity, B),
        ("serendipity", "distance", "Σ hit (1 - cosine to history) / k", "Zhang et al. 2012", beyond.serendipity, H + V),
        ("popularity", "lift", "mean share of buyers / that of the history - 1", "Abdollahpouri et al. 2019, by customer",
         beyond.popularity, H + B),
        ("popularity", "mean", "mean share of buyers", "Yin et al. 2012", beyond.popularity, B),
        ("popularity", "tail", "share outside the head of 80 %", "Abdollahpouri et al. 2017", beyond.popularity, B),
        ("popularity", "gap", "of the means over customers", "Abdollahpouri et al. 2019", beyond.popularity_gap, H + B,
         False),
        ("miscalibration", "KL", "Σ p ln(p / q̃)", "Steck 2018", beyond.miscalibration, H + C),
        ("miscalibration", "KL by rank", "the same, ranks discounted", "Steck 2018", beyond.miscalibration, H + C),
        ("miscalibration", "Hellinger", "√(Σ (√p - √q)² / 2)", "Steck 2018", beyond.miscalibration, H + C),
        ("repeat_share", "shown", "owned / products on the list", "Li et al. 2023", business.repeat_share, H, False),
        ("recall_of_repeats", "bought", "hits / R of owned", "Li et al. 2023", business.recall_of_repeats, H, False),
        ("recall_of_discoveries", "bought", "hits / R of others", "Li et al. 2023", business.recall_of_discoveries, H,
         False),
        ("revenue", "spent", "Σ spent on the list", "currency of the log", business.revenue, M),
        ("revenue", "share", "Σ spent on the list / spent", "mean of shares", business.revenue, M),
        ("revenue", "pooled share", "the same of all money", "share of the sum", business.revenue_share, M, False),
        ("catalogue_coverage", "listed", "products on a list / n", "Herlocker et al. 2004", business.catalogue_coverage),
        ("catalogue_coverage", "effective", "exp(entropy of exposure) / n", "Jost 2006", business.catalogue_coverage),
        ("user_coverage", "some", "customers with a list", "Herlocker et al. 2004", business.user_coverage),
        ("user_coverage", "full", "customers with a list of k", "Herlocker et al. 2004", business.user_coverage),
        ("gini", "all", "Σ (2j - n - 1) p(j) / (n - 1)", "Shani and Gunawardana 2011", business.gini),
        ("gini", "by n", "the same / n", "RecBole", business.gini),
        ("gini", "complement", "1 - Gini: more is better", "Elliot", business.gini),
        ("gini", "listed", "over listed products alone", "blind to what is never shown", business.gini),
    )
)  # fmt: skip
WHOLE = ("catalogue_coverage", "user_coverage", "gini")  # of all lists together; no customer has a value


def per_customer(lists: Lists, metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """The default definition of every metric, or of some, for every customer.

    Parameters
    ----------
    lists : Lists
    metrics : sequence of str, optional
        All for which the lists have the material by default.

    Returns
    -------
    DataFrame
        One row a customer in the order of the lists, one column a metric; NaN where a customer has no value.

    Raises
    ------
    ValueError
        If a metric is unknown, or its material is missing.

    Examples
    --------
    >>> lists = Lists.of([[2, 0, 1]], [[0, 2, 3]], products=5)
    >>> per_customer(lists, ["precision", "map", "ndcg"]).round(4).to_dict("records")
    [{'precision': 0.6667, 'map': 0.6667, 'ndcg': 0.7654}]
    """
    return pd.DataFrame({row.metric: row.value(lists) for row in _defaults(lists, metrics, whole=False)})


def over_all(lists: Lists) -> pd.Series:
    """Metrics that are of all lists together, by their default definitions: coverage and the Gini index of exposure.

    Examples
    --------
    >>> over_all(Lists.of([[0, 1], [0, 2]], [[0], [0]], products=4)).round(4).to_dict()
    {'catalogue_coverage': 0.75, 'user_coverage': 1.0, 'gini': 0.5}
    """
    return pd.Series({row.metric: row.value(lists) for row in _defaults(lists, WHOLE, whole=True)}, dtype=float)


def definitions(lists: Lists, metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """The same lists under every definition of their metrics.

    Parameters
    ----------
    lists : Lists
    metrics : sequence of str, optional
        All by default. Definitions whose material the lists do not have are left out.

    Returns
    -------
    DataFrame
        One row a definition: `metric`, `definition`, `default` (whether it is what the library means by the name),
        `formula` (R: products bought, n: products), `source` (a paper, or software that computes it so), `value` (the
        mean over the customers who have one) and `customers` (how many have one).

    Examples
    --------
    >>> table = definitions(Lists.of([[2, 1, 0]], [[0, 2, 3, 4]], products=6), ["map"])
    >>> table[["definition", "value"]].round(3).to_numpy().tolist()
    [['reachable', 0.556], ['bought', 0.417], ['k', 0.556], ['found', 0.833], ['precisions', 0.722]]
    """
    rows, seen = [], set()
    for row in DEFINITIONS:
        default = row.metric not in seen
        seen.add(row.metric)
        if (metrics is not None and row.metric not in metrics) or not _possible(row, lists):
            continue
        values = row.value(lists)
        customers = len(lists.ranked) if isinstance(values, float) else int((~np.isnan(values)).sum())
        rows.append((row.metric, row.definition, default, row.formula, row.source, _mean(values), customers))
    _known(metrics)
    return pd.DataFrame(rows, columns=["metric", "definition", "default", "formula", "source", "value", "customers"])


def _defaults(lists: Lists, metrics: Sequence[str] | None, *, whole: bool) -> list[Definition]:
    _known(metrics)
    first = {row.metric: row for row in reversed(DEFINITIONS)}
    if metrics is None:
        names = dict.fromkeys(row.metric for row in DEFINITIONS)
        return [first[name] for name in names if (name in WHOLE) == whole and _possible(first[name], lists)]
    if wrong := [name for name in metrics if (name in WHOLE) != whole]:
        raise ValueError(f"{', '.join(wrong)}: of all lists together, no customer has a value; see over_all")
    return [first[name] for name in metrics]


def _known(metrics: Sequence[str] | None) -> None:
    names = list(dict.fromkeys(row.metric for row in DEFINITIONS))
    if unknown := [name for name in metrics or () if name not in names]:
        raise ValueError(f"there are no metrics {', '.join(unknown)}; expected some of {', '.join(names)}")


def _possible(row: Definition, lists: Lists) -> bool:
    return all(getattr(lists, name) is not None for name in row.needs)


def _mean(values: np.ndarray | float) -> float:
    known = np.atleast_1d(values)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else np.nan
