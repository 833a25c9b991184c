"""What do groups that were formed in the past tell of what their customers did next?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

CHUNK = 50  # resamples that are held in memory at a time


def explained(groups: np.ndarray, outcome: np.ndarray) -> float:
    """Share of an outcome's variance that lies between groups, adjusted for their number.

    This is epsilon squared (Kelley 1935). Groups made at random explain nothing on average, however many they are,
    which cannot be said of R² itself.

    Parameters
    ----------
    groups : array of int
        Noise counts as a group.
    outcome : array of float

    Returns
    -------
    float
        At most 1; a little below zero by chance where nothing is explained; zero where the outcome does not vary or no
        group has two customers.

    Examples
    --------
    >>> round(explained(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 5.0, 6.0])), 3)
    0.912
    """
    _, codes = np.unique(groups, return_inverse=True)
    return float(_explained(np.ones((1, len(codes))), np.eye(codes.max() + 1)[codes], [codes.max() + 1], outcome)[0, 0])


def _explained(weights: np.ndarray, members: np.ndarray, widths: list[int], outcome: np.ndarray) -> np.ndarray:
    """Epsilon squared for every row of weights and every grouping, whose groups stand side by side in `members`."""
    y = outcome - outcome.mean()
    n = weights.sum(axis=1)
    total = weights @ y**2 - (weights @ y) ** 2 / n
    sizes, sums = weights @ members, (weights * y) @ members
    within = np.where(sizes > 0, sums**2 / np.maximum(sizes, 1), 0.0)
    edges = np.concatenate([[0], np.cumsum(widths)[:-1]])
    between = np.add.reduceat(within, edges, axis=1) - ((weights @ y) ** 2 / n)[:, None]
    groups = np.add.reduceat((sizes > 0).astype(float), edges, axis=1)
    free = n[:, None] - groups
    left = np.divide(total[:, None] - between, free, out=np.zeros_like(between), where=free > 0)
    adjusted = between - (groups - 1) * left
    share = np.divide(adjusted, total[:, None], out=np.zeros_like(between), where=total[:, None] > 1e-12 * n[:, None])
    return np.where((free > 0) & (groups > 1), share, 0.0)


def usefulness(
    groups: Mapping[str, np.ndarray],
    outcomes: pd.DataFrame,
    against: str,
    seed: int,
    *,
    beside: str = "",
    resamples: int = 200,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """What each grouping explains of each outcome, with intervals, and how that compares with one of them.

    Parameters
    ----------
    groups : mapping of str to array
        Each grouping's groups, formed before the outcomes came about; in the rows' order of `outcomes`.
    outcomes : DataFrame
        One column an outcome, one row a customer.
    against : str
        The grouping that the others are compared with.
    seed : int
    beside : str
        Another grouping that they are compared with, where there is one.
    resamples : int
        Bootstrap samples of customers; the same ones for all groupings, so that differences are paired.
    confidence : float
        Of the intervals: normal ones, with the bootstrap's standard error.

    Returns
    -------
    DataFrame
        One row a grouping and outcome: `grouping`, `outcome`, `explained`, `low`, `high`, `error`, `more` (the
        explained share less that of `against`), `more_low`, `more_high`; and the same less that of `beside`: `beside`,
        `beside_low`, `beside_high`. A difference can be sure where the intervals of the two shares overlap, because
        both are of the same customers.
    """
    rng, n = np.random.default_rng(seed), len(outcomes)
    codes = {name: np.unique(own, return_inverse=True)[1] for name, own in groups.items()}
    widths = [int(own.max()) + 1 for own in codes.values()]
    members = np.concatenate(
        [np.eye(w, dtype="float32")[own] for w, own in zip(widths, codes.values(), strict=True)], 1
    )
    places = {column: list(groups).index(who) for column, who in (("more", against), ("beside", beside)) if who}
    reach = stats.norm.ppf((1 + confidence) / 2)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in map(str, outcomes)}
    for begin in range(0, resamples, CHUNK):
        weights = rng.multinomial(n, np.full(n, 1 / n), size=min(CHUNK, resamples - begin)).astype("float32")
        for name in map(str, outcomes):
            drawn[name].append(_explained(weights, members, widths, outcomes[name].to_numpy(dtype=float)))
    tables = []
    for name in map(str, outcomes):
        own = _explained(np.ones((1, n)), members, widths, outcomes[name].to_numpy(dtype=float))[0]
        again = np.concatenate(drawn[name])
        error = again.std(axis=0, ddof=1)
        columns = {"explained": own, "low": own - reach * error, "high": own + reach * error, "error": error}
        for column, place in places.items():
            more, more_error = own - own[place], (again - again[:, [place]]).std(axis=0, ddof=1)
            columns |= {
                column: more,
                f"{column}_low": more - reach * more_error,
                f"{column}_high": more + reach * more_error,
            }
        tables.append(pd.DataFrame({"grouping": list(groups), "outcome": name, **columns}))
    return pd.concat(tables, ignore_index=True)
