"""How well churn is predicted: ranking, calibration, lift and importance on customers of a later period."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from customerlab.analysis.inference import LEVEL, holm, percentile_interval, resampled, wilson
from customerlab.analysis.rfm.choosing import gains
from customerlab.analysis.value.classify import FEATURES, GROUPS, MODELS, RECENCY, points, probability

METRICS = {"roc_auc": "ROC AUC", "average_precision": "average precision"}
ALPHA = 0.05
RESAMPLES = 400
PERMUTED = 5  # times that each group of features is permuted
MOST = 20_000  # customers whose features are permuted, and of whom curves are drawn; of more a random sample
Z = float(stats.norm.ppf((1 + LEVEL) / 2))


@dataclass(frozen=True)
class Judged:
    """What models predicted for customers of a later period, and how good it was.

    Attributes
    ----------
    test : DataFrame
        One row per customer, sorted by `customer_id`: the features, `churned`, and the probability by each model, in a
        column of its name.
    scores, comparisons, curves, calibration, lift, importance : DataFrame
        As the functions of these names return them.
    """

    test: pd.DataFrame
    scores: pd.DataFrame
    comparisons: pd.DataFrame
    curves: pd.DataFrame
    calibration: pd.DataFrame
    lift: pd.DataFrame
    importance: pd.DataFrame

    @property
    def best(self) -> str:
        """The model to use: that of the highest ROC AUC among those significantly better than recency, or recency."""
        at = self.comparisons[self.comparisons["metric"] == "roc_auc"]
        better = at[(at["pvalue_holm"] < ALPHA) & (at["difference"] > 0)]
        return RECENCY if better.empty else str(better.sort_values("difference", kind="stable")["model"].iloc[-1])


def judge(models: Mapping[str, Any], test: pd.DataFrame, *, seed: int) -> Judged:
    """Judge fitted models by the customers of a later period, of whom at least one churned and one did not."""
    x = points(test)
    test = test.assign(**{name: probability(model, x) for name, model in models.items()})
    scored, compared = scores(test, seed=seed)
    importances = importance(models, test, seed=seed)
    return Judged(test, scored, compared, curves(test, seed=seed), calibration(test), lift(test), importances)


def _sample(test: pd.DataFrame, seed: int) -> pd.DataFrame:
    """At most so many customers, at random, in their order."""
    if len(test) <= MOST:
        return test
    return test.iloc[np.sort(np.random.default_rng(seed).choice(len(test), MOST, replace=False))]


def _by_threshold(score: np.ndarray, churned: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who churned and who did not, by threshold from the highest score down, in each sample; not summed up yet."""
    order = np.argsort(-score, kind="stable")
    begins = np.flatnonzero(np.diff(score[order], prepend=np.inf))
    drawn, y = weights[:, order], churned[order].astype(float)
    return np.add.reduceat(drawn * y, begins, axis=1), np.add.reduceat(drawn * (1 - y), begins, axis=1)


def ranked(score: np.ndarray, churned: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """ROC AUC and average precision of a score, for several weights of customers at once.

    They are scikit-learn's, which takes one sample at a time; equal scores are one threshold.

    Parameters
    ----------
    score, churned : array of shape (customers,)
    weights : array of shape (samples, customers)

    Returns
    -------
    array of shape (samples, 2)

    Examples
    --------
    >>> ranked(np.array([0.9, 0.8, 0.8, 0.1]), np.array([1, 0, 1, 0]), np.ones((1, 4))).round(3).tolist()
    [[0.875, 0.833]]
    """
    hit, missed = _by_threshold(score, churned, weights)
    above, hits = missed.cumsum(axis=1) - missed, hit.cumsum(axis=1)
    chosen = hits + missed.cumsum(axis=1)
    all_hits, all_missed = hit.sum(axis=1), missed.sum(axis=1)
    auc = 1 - (hit * (above + missed / 2)).sum(axis=1) / (all_hits * all_missed)
    precision = hits / np.where(chosen > 0, chosen, 1)
    return np.column_stack([auc, (hit * precision).sum(axis=1) / all_hits])


def scores(test: pd.DataFrame, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The quality of each model's probabilities, and how models compare with recency alone.

    `test` has one row per customer, sorted by id: `churned` and the probabilities by `MODELS`.

    Returns
    -------
    DataFrame
        One row per model: `model`, `customers`, `base_rate` (share that churned, which is the average precision of a
        random order), `roc_auc`, `average_precision`, `brier` (mean squared error of the probability), `bias` (mean
        probability less the base rate), each with `…_low` and `…_high`, 95% bootstrap intervals over customers
        (percentile, Efron 1979); `slope` of a logistic regression of churn on the logit of the probability (Cox 1958;
        1 if calibrated, below 1 if probabilities are too extreme; missing where all are equal) with a normal interval.
    DataFrame
        One row per other model and metric: `model`, `metric`, `value`, `by_recency`, `difference`, `low`, `high`
        (normal, error from the same resamples for both models), `pvalue`, `pvalue_holm` (Holm 1979, over all rows).
    """
    y, n = test["churned"].to_numpy(dtype=float), len(test)
    given = {model: test[model].to_numpy(dtype=float) for model in MODELS}
    parts: dict[str, list[np.ndarray]] = {model: [] for model in MODELS}
    for block in resampled(n, seed, RESAMPLES):
        for model, p in given.items():
            others = block @ np.column_stack([(p - y) ** 2, p - y]) / n
            parts[model].append(np.hstack([ranked(p, y, block), others]))
    drawn = {model: np.concatenate(part) for model, part in parts.items()}
    rows, names = [], [*METRICS, "brier", "bias"]
    for model, p in given.items():
        found = (roc_auc_score(y, p), average_precision_score(y, p), brier_score_loss(y, p), (p - y).mean())
        row: dict[str, Any] = {"model": model, "customers": n, "base_rate": y.mean()}
        for name, value, low, high in zip(names, found, *percentile_interval(drawn[model]), strict=True):
            row |= {name: float(value), f"{name}_low": low, f"{name}_high": high}
        rows.append(row | dict(zip(("slope", "slope_low", "slope_high"), _slope(p, y), strict=True)))
    return pd.DataFrame(rows), _compared({row["model"]: row for row in rows}, drawn)


def _slope(p: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """The calibration slope with its interval."""
    z = logit(p.clip(1e-9, 1 - 1e-9))[:, None]
    if np.ptp(z) < 1e-9:
        return (np.nan,) * 3
    fit = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1_000).fit(z, y)
    at, x = fit.predict_proba(z)[:, 1], np.column_stack([np.ones(len(z)), z])
    error = np.sqrt(np.linalg.pinv((x.T * (at * (1 - at))) @ x)[1, 1])
    slope = float(fit.coef_[0, 0])
    return slope, slope - Z * error, slope + Z * error


def _compared(found: Mapping[str, dict[str, Any]], drawn: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Each other model against recency alone, by each metric."""
    rows = []
    for model in MODELS[1:]:
        for place, metric in enumerate(METRICS):
            value, plain = found[model][metric], found[RECENCY][metric]
            difference = value - plain
            apart = drawn[model][:, place] - drawn[RECENCY][:, place] - difference
            error = float(np.sqrt(np.nanmean(apart**2)))
            p = 2 * stats.norm.sf(abs(difference) / error) if error > 1e-12 else float(abs(difference) < 1e-12)
            rows.append((model, metric, value, plain, difference, difference - Z * error, difference + Z * error, p))
    columns = ["model", "metric", "value", "by_recency", "difference", "low", "high", "pvalue"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(pvalue_holm=holm(table["pvalue"]))


def curves(test: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """The ROC and the precision-recall curve of each model, with pointwise 95% bootstrap intervals over customers.

    Precision at a recall is that of the highest threshold which reaches it: a straight line between two thresholds
    would be too high (Davis and Goadrich 2006). At most `MOST` customers are resampled.

    Returns
    -------
    DataFrame
        One row per model and place from 0 to 1, in steps of 2%: `model`, `at`, `recall` (share of those who churned)
        where the share `at` of the others is above the threshold, and `precision` (share that churned, of those above
        the threshold) where `at` is the recall, both with `…_low` and `…_high`; precision has no value at 0.
    """
    test, at, parts = _sample(test, seed), np.linspace(0, 1, 51), []
    y = test["churned"].to_numpy(dtype=float)
    samples = np.concatenate([np.ones((1, len(y))), *resampled(len(y), seed, RESAMPLES)])
    for model in MODELS:
        found = np.full((2, len(samples), len(at)), np.nan)
        hits, missed = (part.cumsum(axis=1) for part in _by_threshold(test[model].to_numpy(), y, samples))
        for place, (hit, miss) in enumerate(zip(hits, missed, strict=True)):
            recall = hit / hit[-1]
            found[0, place] = np.interp(at, np.append(0, miss / miss[-1]), np.append(0, recall))
            first = np.searchsorted(recall, at[1:] - 1e-12)
            found[1, place, 1:] = hit[first] / (hit + miss)[first]
        table = pd.DataFrame({"model": model, "at": at})
        for name, one in zip(("recall", "precision"), found, strict=True):
            table[name] = one[0]
            table[f"{name}_low"], table[f"{name}_high"] = percentile_interval(one[1:])
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def calibration(test: pd.DataFrame) -> pd.DataFrame:
    """Predicted and observed churn in tenths of customers by predicted probability, for each model.

    Returns
    -------
    DataFrame
        `model`, `group` (from 0, the lowest), `customers`, `predicted` (mean probability), `churned` (share) with `low`
        and `high` (Wilson 1927). Customers of equal probability are in one group, so that there can be fewer than ten.
    """
    parts = []
    for model in MODELS:
        edges = np.unique(np.quantile(test[model], np.arange(1, 10) / 10, method="inverted_cdf"))
        group = np.searchsorted(edges, test[model])
        grouped = pd.DataFrame({"group": group, "predicted": test[model], "churned": test["churned"]}).groupby("group")
        table = grouped.mean().assign(customers=grouped.size()).reset_index()
        table["low"], table["high"] = wilson(table["churned"], table["customers"])
        parts.append(table.assign(model=model))
    columns = ["model", "group", "customers", "predicted", "churned", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns]


def lift(test: pd.DataFrame) -> pd.DataFrame:
    """Churn by decile of customers ranked by predicted probability, for each model; equal ones as in random order.

    Returns
    -------
    DataFrame
        `model`, `decile` (1 for the highest probabilities), `churn_rate` with `low` and `high` (Wilson 1927), `lift`
        (churn rate by that of all) and `captured` (share of all who churned, in this decile and those before).
    """
    parts, total, size = [], test["churned"].sum(), len(test) / 10
    for model in MODELS:
        curve = gains(test[model].to_numpy(), test["churned"].to_numpy(dtype=float))
        captured = np.interp(np.arange(11) / 10, curve["share_of_customers"], curve["share_of_outcome"])
        table = pd.DataFrame({"decile": range(1, 11), "churn_rate": np.diff(captured) * total / size})
        rate = table["churn_rate"] = table["churn_rate"].clip(0, 1)
        table["low"], table["high"] = wilson(rate, pd.Series(size, table.index))
        table["lift"], table["captured"] = rate / (total / len(test)), captured[1:]
        parts.append(table.assign(model=model))
    return pd.concat(parts, ignore_index=True)[["model", *parts[0].columns[:-1]]]


def importance(models: Mapping[str, Any], test: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Grouped permutation importance: how much ROC AUC a model loses if features of a group are exchanged together.

    Correlated features stand in for one another, so that each of them alone seems to matter little; they are given to
    customers at random as a whole (Breiman 2001; grouped: Gregorutti, Michel and Saint-Pierre 2015). Mean of `PERMUTED`
    permutations. Intervals are 95% percentile bootstrap over customers.

    Returns
    -------
    DataFrame
        For each model but recency alone: `model`, `group`, `loss` (of ROC AUC), `low`, `high`.
    """
    rng, test = np.random.default_rng(seed), _sample(test, seed)
    x, y = points(test), test["churned"].to_numpy(dtype=float)
    samples = np.concatenate([np.ones((1, len(y))), *resampled(len(y), seed, RESAMPLES // 4)])
    mixes, rows = [rng.permutation(len(y)) for _ in range(PERMUTED)], []
    for name in MODELS[1:]:
        whole = ranked(test[name].to_numpy(), y, samples)[:, 0]
        for group, members in GROUPS.items():
            columns = np.array([FEATURES.index(member) for member in members])
            changed = np.tile(x, (PERMUTED, 1))
            changed[:, columns] = x[np.ix_(np.concatenate(mixes), columns)]
            chances = np.split(probability(models[name], changed), PERMUTED)
            loss = whole - np.mean([ranked(chance, y, samples)[:, 0] for chance in chances], axis=0)
            rows.append((name, group, loss[0], *percentile_interval(loss[1:, None])[:, 0]))
    return pd.DataFrame(rows, columns=["model", "group", "loss", "low", "high"])
