"""Estimated performance: how good a classifier is expected to be before its outcomes are known.

Confidence-based performance estimation (CBPE; described by NannyML, 2022): if a probability is calibrated, it says how
often a prediction is right. The estimate follows a change of who the customers are. It is blind to concept drift, a
change of how likely the outcome is for customers with the same features: that is seen when outcomes are known.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata
from sklearn.isotonic import IsotonicRegression
from threadpoolctl import threadpool_limits

from customerlab.analysis.inference import LEVEL, enough

Values = NDArray[np.float64]
COUNTS = ("true_positives", "false_positives", "false_negatives", "true_negatives")
METRICS = (*COUNTS, "accuracy", "precision", "recall", "f1", "roc_auc", "brier")
Z = float(norm.ppf((1 + LEVEL) / 2))


@dataclass(frozen=True)
class Calibration:
    """How often the outcome happened at each probability in a reference period.

    Attributes
    ----------
    table : DataFrame
        One row per distinct probability, rising: `probability`, `customers`, `outcomes` and `share`, the calibrated
        probability, which never falls.
    """

    table: pd.DataFrame

    def __call__(self, probability: ArrayLike) -> Values:
        """Calibrated probabilities, linear between those of the reference; beyond its range they are its ends'."""
        return np.interp(_valid(probability), self.table["probability"], self.table["share"])


def calibrated(reference_probability: ArrayLike, reference_outcome: ArrayLike) -> Calibration:
    """Calibrate probabilities by isotonic regression on customers whose outcomes are known (Zadrozny and Elkan 2002).

    Customers of equal probability have one share. If all probabilities are equal, it is the share of all customers.

    Parameters
    ----------
    reference_probability : array of shape (customers,)
        By the classifier, for customers that it was not trained on.
    reference_outcome : array of shape (customers,)
        1 or True where the outcome happened, else 0.

    Raises
    ------
    ValueError
        Without customers, for a probability that is missing or not between 0 and 1, or another outcome than 0 and 1.

    Examples
    --------
    >>> calibrated([0.1, 0.1, 0.6, 0.7], [0, 1, 1, 0])([0.0, 0.1, 0.65, 0.9]).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    p, y = _valid(reference_probability), _outcomes(reference_outcome)
    if not len(p) or len(p) != len(y):
        raise ValueError("Calibration needs a probability and an outcome of each customer of the reference.")
    grouped = pd.DataFrame({"probability": p, "outcomes": y}).groupby("probability")["outcomes"]
    table = pd.DataFrame({"customers": grouped.size(), "outcomes": grouped.sum()}).reset_index()
    rate, weight = table["outcomes"] / table["customers"], table["customers"].to_numpy(dtype=float)
    share = IsotonicRegression().fit_transform(table["probability"], rate, sample_weight=weight)
    return Calibration(table.assign(share=share))


def estimate(calibration: Calibration, probability: ArrayLike, *, threshold: float = 0.5) -> pd.DataFrame:
    """Estimate the performance of a classifier on customers whose outcomes are not known.

    Customers are chosen, ranked and scored by the probability as the classifier gives it; their outcomes happen as
    often as the calibration says. Numbers are expected ones, ratios those of expected numbers (ROC AUC: by the curve
    of expected true and false positives at each threshold), as in NannyML.

    Intervals are 95% prediction intervals of what will be realised if nothing else changes: normal, by the delta
    method. They contain the chance of single outcomes and of those of the reference, but no concept drift, and not that
    isotonic regression follows its reference too closely: in simulations ROC AUC was estimated .015 too high from 500
    customers of a reference, .003 from 4,000.

    Parameters
    ----------
    calibration : Calibration
    probability : array of shape (customers,)
        By the classifier, as in the reference.
    threshold : float
        From which probability on the outcome is predicted.

    Returns
    -------
    DataFrame
        One row per metric: `metric` (`METRICS`; the first four are numbers of customers), `estimated`, `low`, `high`.
        A metric that is not defined, such as precision without a predicted outcome, is missing; an interval is
        missing where fewer than 20 customers are expected to have, or not to have, the outcome, or (precision, F1) are
        predicted to.

    Raises
    ------
    ValueError
        For a probability that is missing or not between 0 and 1.

    Examples
    --------
    >>> calibration = calibrated([0.2] * 50 + [0.9] * 50, [1] * 10 + [0] * 40 + [1] * 45 + [0] * 5)
    >>> table = estimate(calibration, [0.2] * 60 + [0.9] * 40).set_index("metric").round(3)
    >>> table.loc[["accuracy", "roc_auc"]].values.tolist()
    [[0.84, 0.736, 0.944], [0.837, 0.74, 0.933]]
    """
    q = np.sort(_valid(probability))
    p, linear = calibration(q), _linear(q, threshold)
    fixed = (len(q), float((q >= threshold).sum()), float((q**2).sum()))
    sums = _summed(p, linear)
    found = _metrics(sums, *fixed)
    step = 1e-5 * max(len(q), 1)
    slopes = np.array([_metrics(sums + move, *fixed) - _metrics(sums - move, *fixed) for move in step * np.eye(4)])
    slopes /= 2 * step
    covariance = _summed(linear * (p * (1 - p))[:, None], linear) + _of_calibration(calibration, q, linear)
    reach = Z * np.sqrt(np.einsum("im,ij,jm->m", slopes, covariance, slopes).clip(0))
    most = np.where(np.isin(METRICS, COUNTS), len(q), 1)
    told = np.full(len(METRICS), enough(sums[0], len(q) - sums[0]))
    told &= ~np.isin(METRICS, ["precision", "f1"]) | enough(fixed[1])
    low, high = np.where(told, [(found - reach).clip(0), np.minimum(found + reach, most)], np.nan)
    return pd.DataFrame({"metric": METRICS, "estimated": found, "low": low, "high": high})


def beside(
    calibration: Calibration, probability: ArrayLike, outcome: ArrayLike, *, threshold: float = 0.5
) -> pd.DataFrame:
    """Estimated performance beside the realised one, once outcomes are known, and that of the reference.

    A realised value outside the interval that customers of the reference do not explain points to concept drift.

    Returns
    -------
    DataFrame
        The columns of `estimate`, `realised` and `reference` (the same metrics of the reference's own outcomes, of
        which numbers are of its customers).

    Raises
    ------
    ValueError
        As `estimate`, and if outcomes are others than 0 and 1 or not as many as probabilities.

    Examples
    --------
    >>> calibration = calibrated([0.2] * 50 + [0.9] * 50, [1] * 10 + [0] * 40 + [1] * 45 + [0] * 5)
    >>> table = beside(calibration, [0.2] * 60 + [0.9] * 40, [0] * 60 + [1, 0] * 20).set_index("metric")
    >>> table.loc["accuracy", ["estimated", "realised", "reference"]].round(2).tolist()
    [0.84, 0.8, 0.85]
    """
    table, known = estimate(calibration, probability, threshold=threshold), calibration.table
    q, y = _valid(probability), _outcomes(outcome)
    if len(q) != len(y):
        raise ValueError("Realised performance needs an outcome of each customer.")
    ends = np.column_stack([known["outcomes"], known["customers"] - known["outcomes"]]).astype(int)
    before = np.repeat(known["probability"].to_numpy(), known["customers"])
    happened = np.repeat(np.tile([1.0, 0.0], len(known)), ends.ravel())
    return table.assign(realised=_realised(q, y, threshold), reference=_realised(before, happened, threshold))


def _valid(probability: ArrayLike) -> Values:
    """Probabilities as an array."""
    p = np.asarray(probability, dtype=float)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("Probabilities must be known and between 0 and 1.")
    return p


def _outcomes(outcome: ArrayLike) -> Values:
    """Outcomes as an array of 0 and 1."""
    y = np.asarray(outcome, dtype=float)
    if not np.isin(y, (0, 1)).all():
        raise ValueError("Outcomes must be known, and 0 or 1.")
    return y


def _linear(q: Values, threshold: float) -> Values:
    """What a customer with the outcome adds to the four sums that all metrics follow from, of shape (customers, 4)."""
    return np.column_stack([np.ones(len(q)), q >= threshold, rankdata(q) - 0.5, 1 - 2 * q])


def _metrics(sums: Values, n: int, chosen: float, squares: float) -> Values:
    """All metrics from the sums over customers with the outcome: number, those chosen, ranks, and Brier's terms."""
    positive, hit, ranks, terms = sums
    missed, negative = positive - hit, n - positive
    ratios = np.array([
        (hit + negative - chosen + hit, n), (hit, chosen), (hit, positive), (2 * hit, chosen + positive),
        (ranks - positive**2 / 2, positive * negative), (squares + terms, n),
    ])  # fmt: skip
    above, below = ratios.T
    shares = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 1e-9)
    return np.concatenate([[hit, chosen - hit, missed, negative - chosen + hit], shares])


def _realised(q: Values, y: Values, threshold: float) -> Values:
    """The metrics of known outcomes."""
    order = np.lexsort((y, q))
    q, y = q[order], y[order]
    return _metrics(_summed(y, _linear(q, threshold)), len(q), float((q >= threshold).sum()), float((q**2).sum()))


def _summed(weights: Values, linear: Values) -> Values:
    """Weighted sums, or products of sums, on one thread: over several they differ in their last digits."""
    with threadpool_limits(1):
        return weights.T @ linear


def _of_calibration(calibration: Calibration, q: Values, linear: Values) -> Values:
    """The covariance of the sums that is due to the chance of the reference's outcomes, step by step of its shares."""
    table = calibration.table
    step = np.unique(table["share"], return_inverse=True)[1]
    customers, outcomes = (np.bincount(step, weights=table[name]) for name in ("customers", "outcomes"))
    rate = (outcomes + 0.5) / (customers + 1)  # a step without outcomes is not certain either
    own = step[np.searchsorted(table["probability"], q).clip(max=len(step) - 1)]
    drawn = np.array([np.bincount(own, weights=column, minlength=len(customers)) for column in linear.T])
    return (drawn * (rate * (1 - rate) / customers)) @ drawn.T
