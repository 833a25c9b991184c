"""Champion against challenger: models of an earlier and of a later day, judged on the same customers and days.

The champion was fitted on one day, the challenger in the same way on a later one. Both see the customers as they were
on the challenger's day, and are judged by what these did from then on.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits

from customerlab.analysis.clustering.features import customer_features
from customerlab.analysis.clustering.indices import numbered
from customerlab.analysis.clustering.methods import kmeans
from customerlab.analysis.clustering.past import LOG_MONEY, outcomes_of
from customerlab.analysis.clustering.scoring import Segmentation, clusters_on, segmentation
from customerlab.analysis.clustering.space import fit_space, sample
from customerlab.analysis.clustering.usefulness import predicted
from customerlab.analysis.monitoring.refit import centred, refitted
from customerlab.analysis.monitoring.thresholds import Thresholds
from customerlab.analysis.orders import Snapshot, first_order, later
from customerlab.analysis.rfm.scheme import Scheme
from customerlab.analysis.value.churn import windows
from customerlab.analysis.value.classify import LOGISTIC, fitted, points, probability
from customerlab.analysis.value.expected import orders
from customerlab.analysis.value.fitting import MODELS, Fit, fit
from customerlab.analysis.value.history import summary

FEATURES = ["recency", "frequency", "monetary", "tenure"]  # that followed clusters are made of
MOST = 20_000  # customers that clusters are fitted on
WEEK, YEAR = 7, 364  # days; a year of whole weeks
Z = stats.norm.ppf(0.975)


@dataclass(frozen=True, eq=False)
class Match:
    """A shop on the days on which champion and challenger are fitted, and on the day `until` which outcomes count."""

    champion: Snapshot
    challenger: Snapshot
    until: Snapshot

    @cached_property
    def customers(self) -> pd.Series:
        """The customers of the challenger's day."""
        return self.challenger.customers()["customer_id"]

    @cached_property
    def after(self) -> pd.DataFrame:
        """What these customers did from the challenger's day on."""
        log = self.until
        return later(log.transactions, self.customers, self.challenger.day, log.day, returns=log.returns)


def match(shop: Snapshot, champion: pd.Timestamp, days: int) -> Match | None:
    """A match whose outcomes are those of the last `days` before the shop's day.

    None where the champion's day is later than these begin, or has not as many days of log before it.
    """
    period = pd.Timedelta(days=days)
    fitted_on = [champion, shop.day - period]
    if first_order(shop.transactions).normalize() + period > champion or champion > fitted_on[1]:
        return None
    return Match(*shop.at_all([*fitted_on, shop.day]))


def season_of(shop: Snapshot, champion: pd.Timestamp, days: int) -> Match | None:
    """The match of 52 weeks before; None where the log does not reach back so far."""
    gap = pd.Timedelta(days=YEAR)
    return match(shop.at(shop.day - gap), champion - gap, days)


@dataclass(frozen=True, eq=False)
class Trial:
    """How well two models predicted the same customers.

    Attributes
    ----------
    model, measure : str
        What is judged, and by which loss; less is better.
    champion, challenger : array of shape (customers,)
        What each customer adds to the mean loss.
    expected, actual : array of shape (customers,) or None
        Of a model that predicts a number: the champion's prediction, and what came.
    trained : float
        Customers that the champion was fitted to.
    outcomes : int
        Customers with the rarer outcome: who came back, or did not.
    """

    model: str
    measure: str
    champion: np.ndarray
    challenger: np.ndarray
    outcomes: int
    expected: np.ndarray | None = None
    actual: np.ndarray | None = None
    trained: float = np.inf


def rfm_trial(between: Match, champion: Thresholds, scheme: Scheme) -> Trial:
    """RFM segments by the champion's thresholds and by those of the challenger's day: unexplained variance of revenue.

    Revenue is the logarithm of one plus net revenue above zero.
    """
    labels = [champion.on(between.challenger)["segment"], scheme.on(between.challenger)["segment"]]
    return _grouped("RFM thresholds", between, labels)


def clustered(shop: Snapshot, clusters: int, seed: int, *, features: list[str]) -> Segmentation:
    """K-Means of customers as of a day, as a segmentation; its clusters are numbered by falling mean revenue.

    Features are those of `customer_features`, revenue net of returns where there are any. Fitted on at most 20,000
    customers. There may be fewer clusters, where fewer customers differ.
    """
    customers = sample(customer_features(shop, names=features, net=shop.returns is not None), MOST, seed)
    space = fit_space(customers, features)
    points = space.points(customers)
    with threadpool_limits(1):  # quicker for so few, and the same on any number of processors
        (found,) = kmeans(points, [min(clusters, len(np.unique(points, axis=0)))], seed).values()
    labels = numbered(
        found.predict(points),
        shop.customers().set_index("customer_id")["monetary"].loc[customers["customer_id"]].to_numpy(),
    )
    return segmentation(f"K-Means {clusters}", space, found, customers, labels, net=shop.returns is not None)


def cluster_pair(
    between: Match, clusters: int, seed: int, champion: Segmentation | None = None
) -> tuple[Segmentation, Segmentation]:
    """K-Means of the champion's day, or a champion, and its refit on the challenger's day from the old centres.

    A refit from anywhere could be another local optimum, and be better or worse where nothing has changed. A champion
    that does not assign by centres has K-Means with as many clusters of the same features in its place.
    """
    names = list(champion.space.names) if champion else FEATURES
    clusters = len(champion.names) if champion else clusters
    old = champion if champion and centred(champion) else clustered(between.champion, clusters, seed, features=names)
    customers = customer_features(between.challenger, names=names, net=old.net)
    if old.assign(customers)["cluster"].nunique() < len(old.names):  # a cluster has nobody left to be refitted to
        return old, clustered(between.challenger, clusters, seed, features=names)
    return old, refitted(old, customers, weight=0)


def cluster_trial(
    between: Match, champion: Segmentation, challenger: Segmentation, *, model: str = "segmentation"
) -> Trial:
    """Clusters of either day: the variance of log revenue that they leave unexplained; `model` names what is judged."""
    labels = [clusters_on(one, between.challenger)["cluster"] for one in (champion, challenger)]
    return _grouped(model, between, labels)


def _grouped(model: str, between: Match, labels: list[pd.Series]) -> Trial:
    after = between.after
    outcome = outcomes_of(after)[LOG_MONEY].to_numpy()
    one, two = (1 - predicted(pd.factorize(own, sort=True)[0], outcome) for own in labels)
    came_back = int(after["came_back"].sum())
    return Trial(model, "unexplained variance", one, two, min(came_back, len(after) - came_back))


def churn_trial(between: Match, seed: int) -> tuple[Trial, pd.DataFrame] | None:
    """Probability of no order between the challenger's day and the end, by logistic regression: squared error.

    Also the probabilities by the champion, of customers at risk: `begin` (``before`` for the window before the
    challenger's day, ``judged``, ``now``, and ``season`` for 52 weeks before now where a window begins then),
    `customer_id`, `probability` and `churned`, missing for now. None where a window has not both outcomes, or the
    champion's day has no window before it.
    """
    *past, now = windows(between.until, (between.until.day - between.challenger.day).days)
    old = [one for one in past if one["until"].iloc[0] <= between.champion.day]
    if not old or len(past) < 2 or any(one["churned"].nunique() < 2 for one in (pd.concat(old), *past[-2:])):
        return None
    judged = past[-1]
    both = [fitted(pd.concat(part, ignore_index=True), [LOGISTIC], seed=seed)[LOGISTIC] for part in (old, past[:-1])]
    scored = {"before": past[-2], "judged": judged, "now": now}
    a_year_before = between.until.day - pd.Timedelta(days=YEAR)
    if like := [one for one in past[:-2] if one["begin"].iloc[0] == a_year_before]:
        scored["season"] = like[0]
    table = pd.concat(
        [
            pd.DataFrame({
                "customer_id": one["customer_id"], "begin": name, "probability": probability(both[0], points(one)),
                "churned": one["churned"].astype(float) if "churned" in one else np.nan,
            })
            for name, one in scored.items() if len(one)
        ],
        ignore_index=True,
    )  # fmt: skip
    actual = judged["churned"].to_numpy(dtype=float)
    one, two = (probability(model, points(judged)) for model in both)
    rarer, trained = int(min(actual.sum(), len(actual) - actual.sum())), pd.concat(old)["customer_id"].nunique()
    losses = (actual - one) ** 2, (actual - two) ** 2
    return Trial("churn model", "squared error", losses[0], losses[1], rarer, one, actual, trained), table


def value_trial(between: Match, model: str, champion: Fit | None = None) -> Trial:
    """Orders (weeks with an order) between the challenger's day and the end, by a model of repeat orders."""
    before, known, after = (
        summary(shop.transactions, shop.day, "week", shop.returns)
        for shop in (between.champion, between.challenger, between.until)
    )
    rows: Any = tuple(known[name].to_numpy(dtype=float) for name in ("x", "t_x", "T"))
    ahead = (between.until.day - between.challenger.day).days / WEEK
    both = champion or fit(MODELS[model], before), fit(MODELS[model], known)
    one, two = (orders(own.model, own.parameters, rows, ahead) for own in both)
    came = known["customer_id"].map(after.set_index("customer_id")["x"]) - known["x"]
    actual = came.fillna(0).clip(lower=0).to_numpy(dtype=float)
    rarer = int(min((actual > 0).sum(), (actual == 0).sum()))
    losses = (actual - one) ** 2, (actual - two) ** 2
    return Trial("value model", "squared error", losses[0], losses[1], rarer, one, actual, both[0].customers)


def compared(trial: Trial, season: Trial | None = None) -> dict[str, object]:
    """A trial as a row: losses, their difference, and what came in total against what the champion expected.

    Parameters
    ----------
    trial : Trial
    season : Trial, optional
        The same a year before. A bias that was there a year before, too, is the season's: `p_bias` is then the larger
        of that of the bias and that of its difference to the bias of a year before.

    Returns
    -------
    dict
        `model`, `measure`, `customers`, `outcomes`, `champion` and `challenger` (mean loss), `less` (champion less
        challenger, above 0 where the challenger is better) with `low`, `high` (95% interval) and `p`; `bias` (expected
        by actual total, less 1) with `bias_low`, `bias_high` and `p_bias`, missing where a model predicts no number;
        `season`, whether one was given. Customers are independent. The interval of the bias carries the draw of the
        customers judged and, as if they were as variable, of those that the champion was fitted to.
    """
    gain = trial.champion - trial.challenger
    mean, error = _mean(gain)
    row: dict[str, object] = {
        "model": trial.model, "measure": trial.measure, "customers": len(gain), "outcomes": trial.outcomes,
        "champion": trial.champion.mean(), "challenger": trial.challenger.mean(), "less": mean, "low": mean - Z * error,
        "high": mean + Z * error, "p": _p(mean, error),
    }  # fmt: skip
    bias, spread = _bias(trial)
    p = _p(bias, spread)
    if season is not None:
        then, other = _bias(season)
        p = max(p, _p(bias - then, float(np.hypot(spread, other))))
    row["season"] = season is not None
    return row | {"bias": bias, "bias_low": bias - Z * spread, "bias_high": bias + Z * spread, "p_bias": p}


def _mean(values: np.ndarray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def _p(difference: float, error: float) -> float:
    """Two-sided; 1 where nothing differs, missing where nothing is known."""
    if not error > 0:
        return 1.0 if difference == 0 else np.nan
    return float(2 * stats.norm.sf(abs(difference) / error))


def _bias(trial: Trial) -> tuple[float, float]:
    """Expected by actual total less 1, and its standard error."""
    if trial.expected is None or trial.actual is None or not trial.actual.sum() > 0:
        return np.nan, np.nan
    ratio = trial.expected.sum() / trial.actual.sum()
    _, error = _mean((trial.expected - ratio * trial.actual) / trial.actual.mean())
    return float(ratio - 1), error * float(np.sqrt(1 + len(trial.actual) / trial.trained))
