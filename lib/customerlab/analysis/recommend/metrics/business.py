"""Repeat purchases and new items, revenue captured, and exposure of the catalogue.

- Repeat purchases and new items (Li, Jullien, Ariannezhad and de Rijke 2023): one list for all, judged on what the
  customer bought again and on what they bought for the first time; NaN for a customer who bought none of the kind.
- Revenue is what customers spent on listed products. What lists would have earned, only an experiment shows.
  A share is NaN for a customer who spent nothing, or got back more than was spent.
- Coverage is the share of products on at least one list (Herlocker, Konstan, Terveen and Riedl 2004; Ge et al. 2010),
  or exp of Shannon's entropy of the exposure by the products: the share that, shown evenly, would be as varied (Jost
  2006); of customers, the share with a list.
- Gini says how unevenly products are shown, 0 evenly, 1 all places to one: over the n products by rising exposure p
  (Shani and Gunawardana 2011). By n it does not reach 1. NaN where nothing is listed.
"""

import numpy as np

from customerlab.analysis.recommend.metrics.lists import Definition, Lists, ratio


def _found_of_kind(lists: Lists, *, owned: bool) -> np.ndarray:
    """Recall among the repeat purchases, or among the new items."""
    again = np.asarray(lists.relevant.sign().multiply(lists.need("history").sign()).sum(axis=1)).ravel()
    return ratio((lists.hits & (lists.owned == owned)).sum(axis=1), again if owned else lists.bought - again)


def _spent(lists: Lists) -> np.ndarray:
    return lists.at(lists.need("money")).sum(axis=1)


def _all_money(lists: Lists) -> np.ndarray:
    return np.asarray(lists.need("money").sum(axis=1)).ravel()


def exposure(lists: Lists) -> np.ndarray:
    """On how many lists each product is."""
    return np.bincount(lists.ranked[lists.shown], minlength=lists.products)


def _effective(lists: Lists) -> float:
    shown = exposure(lists)
    p = shown[shown > 0] / max(shown.sum(), 1)
    return float(np.exp(-(p * np.log(p)).sum()) / lists.products) if len(p) else 0.0


def _served(lists: Lists, least: int) -> float:
    return float((lists.length >= least).mean()) if len(lists.length) else np.nan


def _gini(lists: Lists, *, listed: bool = False, by_n: bool = False) -> float:
    rising = np.sort(exposure(lists))
    if not rising.sum():
        return np.nan
    rising = rising[rising > 0] if listed else rising
    n = len(rising)
    uneven = ((2 * np.arange(1, n + 1) - n - 1) * rising).sum() / rising.sum()
    return float(uneven / max(n if by_n else n - 1, 1))


H, M = ("history",), ("money",)
DEFINITIONS = (
    Definition("repeat_share", "shown", "owned / products on the list", "Li et al. 2023",
               lambda own: own.mean(own.owned), H),
    Definition("recall_of_repeats", "bought", "hits / R of owned", "Li et al. 2023",
               lambda own: _found_of_kind(own, owned=True), H),
    Definition("recall_of_new_items", "bought", "hits / R of others", "Li et al. 2023",
               lambda own: _found_of_kind(own, owned=False), H),
    Definition("revenue", "spent", "Σ spent on the list", "currency of the log", _spent, M),
    Definition("revenue", "share", "Σ spent on the list / spent", "mean of shares",
               lambda own: ratio(_spent(own), _all_money(own)), M),
    Definition("revenue", "pooled share", "the same over all customers", "share of the sum",
               lambda own: float(ratio(_spent(own).sum(), _all_money(own).sum())), M),
    Definition("item_coverage", "listed", "products on a list / n", "Herlocker et al. 2004",
               lambda own: float((exposure(own) > 0).mean())),
    Definition("item_coverage", "effective", "exp(entropy of exposure) / n", "Jost 2006", _effective),
    Definition("user_coverage", "some", "customers with a list", "Herlocker et al. 2004", lambda own: _served(own, 1)),
    Definition("user_coverage", "full", "customers with a list of k", "Herlocker et al. 2004",
               lambda own: _served(own, own.k)),
    Definition("gini", "all", "Σ (2j - n - 1) p(j) / (n - 1)", "Shani and Gunawardana 2011", _gini),
    Definition("gini", "by n", "the same / n", "RecBole", lambda own: _gini(own, by_n=True)),
    Definition("gini", "complement", "1 - Gini: more is better", "Elliot", lambda own: 1 - _gini(own)),
    Definition("gini", "listed", "over listed products alone", "ignores products never shown",
               lambda own: _gini(own, listed=True)),
)  # fmt: skip
