"""Ranking accuracy: one value per customer, NaN for a customer who bought nothing.

R is how many products a customer bought, k how many a list may have, hit(r) whether the product at rank r was bought; a
list shorter than k has no hits at the ranks that are missing. The field uses several definitions under one name:

- Precision by k makes a short list pay for what it leaves out; min(k, R) is the most hits there can be, so that 1 can
  be reached (Liang, Krishnan, Hoffman and Jebara 2018 for recall, Buckley and Voorhees 2000 for R-precision).
- F1 of a customer is 2 hits / (k + R); the harmonic mean of the two means over customers is another number (Opitz and
  Burst 2019).
- MRR takes the first hit, 0 without one (Voorhees 1999). The sum over all hits exceeds 1 (ARHR).
- MAP sums precision at the ranks of the hits (Buckley and Voorhees 2000). Divided by the hits of the list, one hit at
  the top is as good as ten.
- DCG = Σ hit(r) / log2(r + 1) (Burges et al. 2005), of which the base cancels, divided by that of an ideal list
  (Järvelin and Kekäläinen 2002): of k hits also for a customer who bought fewer; of R hits, also beyond k; of the
  list's own hits moved to the top, which does not see what it misses. The discount of 2002 counts ranks 1 and 2 alike.
"""

import numpy as np

from customerlab.analysis.recommend.metrics.lists import Definition, Lists, mean, ratio


def _reachable(lists: Lists) -> np.ndarray:
    return np.minimum(lists.bought, lists.k)


def _pooled_precision(lists: Lists) -> float:
    some = lists.bought > 0
    return float(ratio(lists.found[some].sum(), _reachable(lists)[some].sum()))


def _f1_of_means(lists: Lists) -> float:
    some = lists.bought > 0
    p, r = mean(lists.found[some] / lists.k), mean(ratio(lists.found, lists.bought))
    return 2 * p * r / (p + r) if p + r else p + r


def _reciprocal(lists: Lists) -> np.ndarray:
    return lists.hits / np.arange(1, lists.k + 1)


def _precisions(lists: Lists) -> np.ndarray:
    return lists.hits.cumsum(axis=1) / np.arange(1, lists.k + 1)


def _of_hits(lists: Lists) -> np.ndarray:
    return (_precisions(lists) * lists.hits).sum(axis=1)


def _discounts(lists: Lists) -> np.ndarray:
    return 1 / np.log2(np.arange(2, max(lists.k, lists.products) + 2))


def _dcg(lists: Lists) -> np.ndarray:
    return (lists.hits * _discounts(lists)[: lists.k]).sum(axis=1)


def _ndcg(lists: Lists, ideal: np.ndarray) -> np.ndarray:
    return ratio(_dcg(lists), np.concatenate([[0.0], _discounts(lists).cumsum()])[ideal])


def _ndcg_of_2002(lists: Lists) -> np.ndarray:
    discounts = 1 / np.maximum(np.log2(np.arange(1, lists.k + 1)), 1)
    ideal = np.concatenate([[0.0], discounts.cumsum()])[_reachable(lists)]
    return ratio((lists.hits * discounts).sum(axis=1), ideal)


def _early(lists: Lists) -> np.ndarray:
    return (lists.hits & (np.arange(lists.k) < _reachable(lists)[:, None])).sum(axis=1)


DEFINITIONS = (
    Definition("precision", "k", "hits / k", "Spark; Microsoft Recommenders", lambda own: own.found / own.k),
    Definition("precision", "shown", "hits / products on the list", "RecBole's formula",
               lambda own: own.found / np.maximum(own.length, 1)),
    Definition("precision", "reachable", "hits / min(k, R)", "per customer; see pooled",
               lambda own: ratio(own.found, _reachable(own))),
    Definition("precision", "pooled", "Σ hits / Σ min(k, R)", "implicit", _pooled_precision),
    Definition("precision", "everybody", "hits / k, 0 for customers without a purchase", "Spark",
               lambda own: mean(own.found / own.k)),
    Definition("recall", "bought", "hits / R", "Spark; RecTools; RecBole", lambda own: ratio(own.found, own.bought)),
    Definition("recall", "reachable", "hits / min(k, R)", "Liang et al. 2018",
               lambda own: ratio(own.found, _reachable(own))),
    Definition("f1", "customer", "2 hits / (k + R)", "van Rijsbergen 1979",
               lambda own: 2 * own.found / (own.k + own.bought)),
    Definition("f1", "means", "2 P R / (P + R) of the means", "Opitz and Burst 2019", _f1_of_means),
    Definition("hit_rate", "any", "1 with a hit", "Deshpande and Karypis 2004",
               lambda own: (own.found > 0).astype(float)),
    Definition("mrr", "first", "1 / rank of the first hit", "Voorhees 1999", lambda own: _reciprocal(own).max(axis=1)),
    Definition("mrr", "every", "Σ hit(r) / r", "Deshpande and Karypis 2004 (ARHR)",
               lambda own: _reciprocal(own).sum(axis=1)),
    Definition("map", "reachable", "Σ P(r) hit(r) / min(k, R)", "Spark; implicit; RecBole",
               lambda own: ratio(_of_hits(own), _reachable(own))),
    Definition("map", "bought", "Σ P(r) hit(r) / R", "RecTools; trec_eval", lambda own: ratio(_of_hits(own), own.bought)),
    Definition("map", "k", "Σ P(r) hit(r) / k", "RecTools, divide_by_k", lambda own: _of_hits(own) / own.k),
    Definition("map", "found", "Σ P(r) hit(r) / hits", "ignores misses",
               lambda own: _of_hits(own) / np.maximum(own.found, 1)),
    Definition("map", "precisions", "Σ P(r) / k", "Elliot", lambda own: _precisions(own).mean(axis=1)),
    Definition("ndcg", "reachable", "DCG / DCG of min(k, R) hits", "Spark; implicit; RecBole",
               lambda own: _ndcg(own, _reachable(own))),
    Definition("ndcg", "k", "DCG / DCG of k hits", "RecTools", lambda own: _dcg(own) / _discounts(own)[: own.k].sum()),
    Definition("ndcg", "bought", "DCG / DCG of R hits", "ideal list not truncated at k", lambda own: _ndcg(own, own.bought)),
    Definition("ndcg", "found", "DCG / DCG of the list's own hits", "ignores misses",
               lambda own: np.nan_to_num(_ndcg(own, own.found))),
    Definition("ndcg", "2002", "the same with 1 / max(1, log2 r)", "Järvelin and Kekäläinen 2002", _ndcg_of_2002),
    Definition("r_precision", "reachable", "hits in the first min(k, R) / min(k, R)",
               "Buckley and Voorhees 2000, truncated at k", lambda own: ratio(_early(own), _reachable(own))),
    Definition("r_precision", "bought", "hits in the first min(k, R) / R", "Microsoft Recommenders",
               lambda own: ratio(_early(own), own.bought)),
)  # fmt: skip
