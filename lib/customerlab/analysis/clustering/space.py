"""Customers as points: features transformed and scaled, so that distances between customers are meaningful.

Money, orders and days are skewed: untransformed, a few large customers dominate every distance, and an index such as
the silhouette rewards separating them from the rest. `log1p`, the default, compares by ratio and has no parameter to
estimate. Standard scaling lets every feature count by its own spread; min-max depends on
the two most extreme customers; robust scaling on the middle half; quantile scaling keeps only the order of customers,
and with it pulls apart what lies close together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

TRANSFORMS = ("log1p", "none", "yeo-johnson")
SCALINGS = ("standard", "min-max", "robust", "quantile")
STEPS = 1_000  # at most so many quantiles of a feature are kept for quantile scaling, as scikit-learn has it
LARGEST = 1e100  # what a power makes of a value is held at this size
DIGITS = 9  # decimals of coordinates
ALIKE = 1e-12  # values that differ by less of their size are one value with another last digit


@dataclass(frozen=True)
class Space:
    """How features become coordinates: plain arrays, one entry per feature.

    Attributes
    ----------
    names : tuple of str
        The features, in the order of the coordinates.
    transform, scaling : str
        One of `TRANSFORMS` and one of `SCALINGS`.
    powers : array of shape (features,)
        Yeo-Johnson's lambda; empty for other transforms.
    centre, scale : array of shape (features,)
        A coordinate is the transformed value less the centre, divided by the scale. A scale of zero, of a feature that
        was the same for all fitted customers, makes the coordinate zero for everyone.
    quantiles : array of shape (steps, features)
        Of the transformed values, for quantile scaling; with no row for the others.
    """

    names: tuple[str, ...]
    transform: str
    scaling: str
    powers: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    quantiles: np.ndarray

    def points(self, customers: pd.DataFrame) -> np.ndarray:
        """The coordinates of customers, fitted or new, from their features in their own units: (customers, features).

        New customers can lie outside what was fitted; under quantile scaling they are held at its edge, 0 or 1. A
        feature that is lacking, no number, or missing or infinite for a customer raises ValueError.

        Coordinates are rounded to nine decimals: the last digits of logarithms and sums differ between processors, and
        would decide which of several equal distances is the shortest.

        Examples
        --------
        >>> fitted = fit_space(pd.DataFrame({"orders": [1, 3, 5]}), ["orders"], transform="none", scaling="min-max")
        >>> fitted.points(pd.DataFrame({"orders": [5, 2, 9]})).tolist()
        [[1.0], [0.25], [2.0]]
        """
        values = _transformed(_columns(customers, self.names), self.transform, self.powers)
        if len(self.quantiles):
            ranks = [_rank(row, steps) for row, steps in zip(values, self.quantiles.T, strict=True)]
            values = np.array(ranks).reshape(values.shape)
        away = values - self.centre[:, None]
        scale = np.broadcast_to(self.scale[:, None], away.shape)
        return np.divide(away, scale, out=np.zeros_like(away), where=scale > 0).T.round(DIGITS)


def fit_space(
    customers: pd.DataFrame, names: Sequence[str], *, transform: str = "log1p", scaling: str = "standard"
) -> Space:
    """Fit the transform and the scaling of features; the order of rows does not matter.

    Parameters
    ----------
    customers : DataFrame
        At least one row.
    names : sequence of str
        The features, numbers known for every customer.
    transform : str
        ``log1p``, sign(x) log(1 + |x|), which net money below zero has, too; ``none``; or ``yeo-johnson`` (Yeo and
        Johnson 2000), with the most likely power of each feature. One that is narrow for its size, such as a basket
        value between 9.99 and 10.01, stays as it is where the power would lose its digits or make them too large.
    scaling : str
        ``standard`` (mean 0, standard deviation 1), ``min-max`` (0 to 1), ``robust`` (median 0, distance between the
        quartiles 1; where the quartiles are one value, the standard deviation takes its place) or ``quantile`` (share
        of customers below, 0 to 1).

    Raises
    ------
    ValueError
        If a choice is unknown, there is no customer or no feature, one is named twice, lacking or no number, or if
        values are missing or infinite.

    Examples
    --------
    >>> customers = pd.DataFrame({"orders": [1, 1, 3, 7], "channels": [1, 1, 1, 1]})
    >>> fit_space(customers, ["orders", "channels"]).points(customers).round(2).tolist()
    [[-0.9, 0.0], [-0.9, 0.0], [0.3, 0.0], [1.51, 0.0]]
    """
    _check_choice("transform", transform, TRANSFORMS)
    _check_choice("scaling", scaling, SCALINGS)
    names = tuple(names)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"the features are {', '.join(names) or 'none'}; expected at least one, each once")
    if customers.empty:
        raise ValueError("there is no customer to fit a space on")
    # sorted within each feature: a sum of floats depends on the order of rows, what is learnt here must not
    raw = np.sort(_columns(customers, names), axis=1)
    flat = _flat(raw)
    powers = np.array([_power(row) for row in raw]) if transform == "yeo-johnson" else np.empty(0)
    values = _transformed(raw, transform, powers)
    centre, scale, quantiles = _scaled(values, scaling)
    return Space(names, transform, scaling, powers, centre, np.where(flat | _flat(values), 0.0, scale), quantiles)


def skewness(customers: pd.DataFrame, space: Space) -> pd.DataFrame:
    """Skewness of each feature, in its own units and as a coordinate.

    Returns
    -------
    DataFrame
        `feature`, `before`, `after`: Fisher's skewness, third central moment over the cubed standard deviation; 0 for a
        symmetrical feature, above for a long tail of large values, missing where all values are the same.
    """
    columns = {"before": _columns(customers, space.names), "after": space.points(customers).T}
    skews = {when: np.where(_flat(rows), np.nan, _skew(np.sort(rows, axis=1))) for when, rows in columns.items()}
    return pd.DataFrame({"feature": space.names, **skews})


def correlation(customers: pd.DataFrame, space: Space) -> dict[str, pd.DataFrame]:
    """Pearson's correlation between features, `before` and `after` the transform, as square tables.

    Spearman's would be the same before and after, because the transforms keep the order of customers. Missing where a
    feature is the same for all customers.

    Examples
    --------
    >>> customers = pd.DataFrame({"orders": [1, 10, 100, 1000], "money": [1, 2, 3, 4]})
    >>> space = fit_space(customers, ["orders", "money"])
    >>> [round(float(table.loc["orders", "money"]), 2) for table in correlation(customers, space).values()]
    [0.82, 0.98]
    """
    columns = {"before": _columns(customers, space.names), "after": space.points(customers).T}
    return {when: _pearson(rows, space.names) for when, rows in columns.items()}


def sample(customers: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """At most so many customers, sorted by `customer_id`, chosen at random but not by the order of rows."""
    table = customers.sort_values("customer_id", ignore_index=True)
    if len(table) <= most:
        return table
    chosen = np.random.default_rng(seed).choice(len(table), most, replace=False)
    return table.iloc[np.sort(chosen)].reset_index(drop=True)


def _check_choice(what: str, found: str, known: tuple[str, ...]) -> None:
    if found not in known:
        raise ValueError(f"{what} is {found!r}; expected one of {', '.join(known)}")


def _columns(customers: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """The features, one row each, as floats; raises where one cannot be used."""
    lacking = [name for name in names if name not in customers.columns]
    if lacking:
        raise ValueError(f"the customers have no {', '.join(lacking)}; they have {', '.join(map(str, customers))}")
    texts = [name for name in names if not pd.api.types.is_numeric_dtype(customers[name])]
    if texts:
        raise ValueError(f"the feature {texts[0]} is of type {customers[texts[0]].dtype}; expected numbers")
    rows = np.array([customers[name].to_numpy(dtype=float, na_value=np.nan) for name in names])
    unusable = (~np.isfinite(rows)).sum(axis=1)
    if unusable.any():
        found = "; ".join(f"{name} for {count:,}" for name, count in zip(names, unusable, strict=True) if count)
        raise ValueError(f"values are missing or infinite: {found} of {len(customers):,} customers; expected numbers")
    return rows.reshape(len(names), len(customers))


def _flat(rows: np.ndarray) -> np.ndarray:
    """Which features are the same for all, but for the last digits."""
    return np.ptp(rows, axis=1) <= ALIKE * np.abs(rows).max(axis=1)


def _power(row: np.ndarray) -> float:
    """The most likely lambda of Yeo and Johnson; 1, which leaves a feature as it is, where it loses the digits."""
    if _flat(row[None])[0]:
        return 1.0
    power = float(stats.yeojohnson_normmax(row))
    with np.errstate(over="ignore"):
        found = stats.yeojohnson(row, power)
    size = np.abs(found).max()
    return power if size < LARGEST / 1e50 and np.ptp(found) > 1e-9 * size else 1.0


def _transformed(rows: np.ndarray, transform: str, powers: np.ndarray) -> np.ndarray:
    if transform == "yeo-johnson":
        with np.errstate(over="ignore"):  # new customers can lie far beyond what the power was chosen for
            found = [stats.yeojohnson(row, power) for row, power in zip(rows, powers, strict=True)]
        return np.clip(np.array(found).reshape(rows.shape), -LARGEST, LARGEST)
    return np.sign(rows) * np.log1p(np.abs(rows)) if transform == "log1p" else rows


def _scaled(values: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre, scale and quantiles of features, one row each and sorted."""
    none = np.empty((0, len(values)))
    if scaling == "standard":
        return values.mean(axis=1), values.std(axis=1), none
    if scaling == "min-max":
        return values[:, 0], np.ptp(values, axis=1), none
    if scaling == "robust":
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=1)
        apart = high - low > ALIKE * np.abs(values).max(axis=1)
        return middle, np.where(apart, high - low, values.std(axis=1)), none
    # few customers are their own quantiles: interpolation would move some by a digit, and part who are alike
    few = values.shape[1] <= STEPS
    steps = values.T.copy() if few else np.quantile(values, np.linspace(0, 1, STEPS), axis=1)
    return np.zeros(len(values)), np.ones(len(values)), np.maximum.accumulate(steps, axis=0)


def _rank(row: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The share of fitted customers below each value; a value that many share stands in their middle.

    At either end of what was fitted it is 0 or 1 for all that share the value, as scikit-learn has it.
    """
    places = np.linspace(0, 1, len(steps))
    up, down = np.interp(row, steps, places), -np.interp(-row, -steps[::-1], -places[::-1])
    return np.select([row <= steps[0], row >= steps[-1]], [0.0, 1.0], (up + down) / 2)


def _skew(rows: np.ndarray) -> np.ndarray:
    """Skewness; divided by the spread first, so that cubes of large money do not overflow."""
    away = rows - rows.mean(axis=1, keepdims=True)
    spread = away.std(axis=1, keepdims=True)
    return np.asarray(stats.skew(np.divide(away, spread, out=np.zeros_like(away), where=spread > 0), axis=1))


def _pearson(rows: np.ndarray, names: tuple[str, ...]) -> pd.DataFrame:
    away = rows - rows.mean(axis=1, keepdims=True)
    length = np.where(_flat(rows), np.nan, np.linalg.norm(away, axis=1))
    away = away / length[:, None]
    # not `away @ away.T`, whose last digits depend on the number of threads
    return pd.DataFrame(np.einsum("ic,jc->ij", away, away).clip(-1, 1), index=names, columns=names)
