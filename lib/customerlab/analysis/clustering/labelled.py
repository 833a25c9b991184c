"""Customers with the numbers of their clusters: checks that all profiles begin with."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from customerlab.analysis.clustering.models import NOISE


def checked(customers: pd.DataFrame, labels: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Labels and features as arrays, after `checked_labels` and `feature_values`."""
    return checked_labels(labels, len(customers)), feature_values(customers, names)


def checked_labels(labels: np.ndarray, customers: int) -> np.ndarray:
    """Labels as an array of whole numbers.

    Raises
    ------
    ValueError
        For labels of another number than the customers, for none at all, and for labels that are not numbered from 1
        with -1 for noise.
    """
    found = np.asarray(labels)
    if found.shape != (customers,) or not customers:
        raise ValueError(f"{found.size:,} labels for {customers:,} customers; expected one for each of at least one")
    if not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"the labels are of type {found.dtype}; expected whole numbers")
    wrong = found[(found < 1) & (found != NOISE)]
    if len(wrong):
        raise ValueError(f"a label is {wrong[0]}; expected clusters numbered from 1, and {NOISE} for noise")
    return found


def feature_values(customers: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """Features as an array of shape (customers, features).

    Raises
    ------
    ValueError
        For no name, one that is no column or is repeated, and a feature that is missing or infinite for a customer.
    """
    listed = list(names)
    if not listed or len(set(listed)) < len(listed):
        raise ValueError(f"the features are {', '.join(listed) or 'none'}; expected at least one, and each once")
    absent = [name for name in listed if name not in customers]
    if absent:
        raise ValueError(f"there is no feature {absent[0]!r}; expected some of {', '.join(map(str, customers))}")
    values = customers[listed].to_numpy(dtype=float)
    unknown = ~np.isfinite(values)
    if unknown.any():
        worst = int(unknown.sum(axis=0).argmax())
        count = int(unknown[:, worst].sum())
        raise ValueError(f"{listed[worst]} is missing or infinite for {count:,} of {len(values):,} customers")
    return values


def noise_last(table: pd.DataFrame) -> pd.DataFrame:
    """A table with one row per cluster, its index, in the order of the clusters, noise last."""
    ordered = table.rename_axis("cluster").reset_index()
    return ordered.sort_values("cluster", key=lambda c: c.where(c != NOISE, np.inf), kind="stable", ignore_index=True)
