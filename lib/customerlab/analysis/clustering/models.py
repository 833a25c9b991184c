"""What a fitted clustering is: something that gives any point, old or new, its cluster, and is made of plain arrays.

Three kinds serve all methods. Plain arrays can be saved without a pickle, and assign the same way after loading.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import logsumexp

NOISE = -1
"""The label of points in no cluster."""


class Model(Protocol):
    """A fitted clustering."""

    def predict(self, points: np.ndarray) -> np.ndarray:
        """Label of each point, from 0; -1 where it belongs to no cluster."""
        ...


@dataclass(frozen=True)
class Nearest:
    """Every point goes where its nearest reference point belongs.

    Attributes
    ----------
    references : array of shape (references, features)
    labels : array of int of shape (references,)
    radius : float
        Points farther than this from every reference point are noise.
    """

    references: np.ndarray
    labels: np.ndarray
    radius: float = np.inf

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.references)

    def predict(self, points: np.ndarray) -> np.ndarray:
        """Label of each point."""
        distance, place = self._tree.query(points, workers=-1)
        return np.where(distance <= self.radius, self.labels[place], NOISE)


@dataclass(frozen=True)
class Mixture:
    """Gaussian components; every point goes to the one that it most probably comes from.

    Attributes
    ----------
    weights : array of shape (clusters,)
    means : array of shape (clusters, features)
    covariances : array of shape (clusters, features, features)
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    def _log_joint(self, points: np.ndarray) -> np.ndarray:
        lower = np.linalg.cholesky(self.covariances)
        away = np.stack(
            [np.linalg.solve(factor, (points - mean).T) for factor, mean in zip(lower, self.means, strict=True)]
        )
        scale = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
        constant = np.log(self.weights) - scale - 0.5 * points.shape[1] * np.log(2 * np.pi)
        return (constant[:, None] - 0.5 * (away**2).sum(axis=1)).T

    def predict(self, points: np.ndarray) -> np.ndarray:
        """Label of each point."""
        return np.argmax(self._log_joint(points), axis=1)

    def strength(self, points: np.ndarray) -> np.ndarray:
        """Probability of the cluster that each point is given to."""
        joint = self._log_joint(points)
        return np.exp(joint.max(axis=1) - logsumexp(joint, axis=1))
