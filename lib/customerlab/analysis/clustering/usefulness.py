"""Predictive value: how much variance of what customers do next groups explain, compared with the baselines."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.clustering.models import Model
from customerlab.analysis.clustering.past import Past

NONE = "no groups"
ALPHA = 0.05


def within(groups: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """What each customer adds to the variance of an outcome within groups, without bias for the number of groups.

    The squared distance from the group's mean, times n / (n - 1) for a group of n customers. A customer alone in a
    group has the distance from the overall mean. Noise is a group.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(codes)[codes]
    means = (np.bincount(codes, outcome) / np.bincount(codes))[codes]
    alone, n = sizes == 1, len(outcome)
    means, sizes = np.where(alone, outcome.mean(), means), np.where(alone, n, sizes)
    return (outcome - means) ** 2 * sizes / np.maximum(sizes - 1, 1)


def predicted(groups: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """What each customer adds to the share of a later outcome's variance that groups explain; the share is the mean.

    The share is 1 less the variance within groups over the total variance, estimated without bias: groups made at
    random explain nothing on average, however many there are. R² is too high for many small groups. Cross-validation is
    too low for them, because it includes the error of their means; in small shops it preferred few meaningless groups
    to the RFM segments. Zero where the outcome does not vary. With equal variances in all groups it is epsilon squared
    (Kelley 1935). The spread is that of a ratio of sums.

    Examples
    --------
    >>> round(predicted(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 5.0, 6.0])).mean(), 3).item()
    0.912
    """
    error, whole = within(groups, outcome), within(np.zeros(len(outcome), dtype=int), outcome)
    if whole.sum() <= 0:
        return np.zeros(len(outcome))
    left = error.mean() / whole.mean()
    return 1 - left - (error - left * whole) / whole.mean()


def usefulness(models: Mapping[str, Model], past: Sequence[Past], *, comparisons: int = 1) -> pd.DataFrame:
    """How much variance of each outcome candidates and baselines explain, and how candidates compare.

    Parameters
    ----------
    models : mapping of str to Model
        Of the candidates; they assign the earlier customers as a saved segmentation would.
    past : sequence of Past
        At least one; all with the same baselines and outcomes.
    comparisons : int
        Number of differences whose intervals hold simultaneously (Bonferroni).

    Returns
    -------
    DataFrame
        One row per grouping and outcome, baselines first: `grouping`, `outcome`, `predicted` (share of the variance
        explained, as in `predicted`, over the customers of all periods), `low`, `high`, `error`. For candidates:
        `rival`, the baseline that is hardest to beat, `more` (share explained less that of the rival), `more_low`,
        `more_high`, `p` (two-sided, not adjusted; the largest of those against each baseline and against no groups, 1
        unless it beats all), and `worse` (whether a baseline explains significantly more, not adjusted). Standard
        errors are clustered by customer, who may be in several periods (Liang and Zeger 1986); 95% intervals are
        normal.
    """
    groups = [dict(one.baselines) | {name: model.predict(one.points) for name, model in models.items()} for one in past]
    baselines, reach = list(past[0].baselines), stats.norm.ppf(1 - ALPHA / 2)
    wide = stats.norm.ppf(1 - ALPHA / (2 * max(comparisons, 1)))
    who = pd.factorize(np.concatenate([one.customers["customer_id"].to_numpy() for one in past]))[0]
    rows = []
    for outcome in map(str, past[0].outcomes):
        values = [one.outcomes[outcome].to_numpy(dtype=float) for one in past]
        gains = {
            name: np.concatenate([predicted(own[name], y) for own, y in zip(groups, values, strict=True)])
            for name in groups[0]
        }
        for name, own in gains.items():
            mean, error = _mean(own, who)
            row = {"grouping": name, "outcome": outcome, "predicted": round(mean, 12) + 0.0}
            row |= {"low": mean - reach * error, "high": mean + reach * error, "error": error}
            if name not in baselines:
                row |= _against(own, {rival: gains[rival] for rival in baselines} | {NONE: 0 * own}, who, reach, wide)
            rows.append(row)
    return pd.DataFrame(rows)


def _mean(values: np.ndarray, who: np.ndarray) -> tuple[float, float]:
    """A mean over rows, and its standard error with customers as the units."""
    mean = float(values.mean())
    sums = np.bincount(who, values - mean)
    number = len(sums)
    return mean, float(np.sqrt((sums**2).sum() * number / max(number - 1, 1)) / len(values))


def _against(
    own: np.ndarray, rivals: Mapping[str, np.ndarray], who: np.ndarray, reach: float, wide: float
) -> dict[str, object]:
    """A candidate against the baseline that is hardest to beat; beating it means beating all."""
    found = []
    for rival, theirs in rivals.items():
        more, error = _mean(own - theirs, who)
        p = float(2 * stats.norm.sf(more / error)) if more > 0 and error > 0 else 1.0
        found.append((p, -more, error, rival))
    p, less, error, rival = max(found)
    low, high = -less - wide * error, -less + wide * error
    worse = any(-less + reach * error < 0 for _, less, error, _ in found)
    return {"rival": rival, "more": -less, "more_low": low, "more_high": high, "p": p, "worse": worse}
