"""Lists of recommendations with what metrics need: later purchases, earlier purchases, spending."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix, diags


@dataclass(frozen=True)
class Lists:
    """The lists of one model, and the material of the metrics. Columns of all matrices are the same products.

    Parameters
    ----------
    ranked : int array of shape (customers, k)
        Columns of the products, best first; -1 fills a list that is shorter.
    relevant, history, money : sparse matrix of shape (customers, products)
        What a customer bought in the future and, optional, in the past, above zero, there with weights of taste; what
        they spent on it in the future.
    buyers, population : int array of shape (products,), int, optional
        How many customers bought each product in the past, and among how many; counted in `history` by default. To be
        given where the lists are of some customers only.
    vectors : sparse matrix of shape (products, features), optional
        What products are like, such as words of descriptions; only angles count.
    categories : sparse matrix of shape (products, categories), optional
        Above zero where a product is of a category; a product of several belongs to each in proportion.

    Raises
    ------
    ValueError
        If shapes do not agree, a product is on a list twice or is not in the matrices, or a list has gaps.

    Notes
    -----
    What a customer cannot have is NaN, and means leave it out: no metric of what was bought without a purchase, no
    mean over an empty list. It is never silently zero.

    Examples
    --------
    >>> lists = Lists.of([[2, 0], [1]], [[0, 2], [0]], products=3)
    >>> lists.hits.tolist(), lists.bought.tolist(), lists.length.tolist()
    ([[True, True], [False, False]], [2, 1], [2, 1])
    """

    ranked: np.ndarray
    relevant: csr_matrix
    history: csr_matrix | None = field(default=None, kw_only=True)
    buyers: np.ndarray | None = field(default=None, kw_only=True)
    population: int | None = field(default=None, kw_only=True)
    money: csr_matrix | None = field(default=None, kw_only=True)
    vectors: csr_matrix | None = field(default=None, kw_only=True)
    categories: csr_matrix | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.ranked.ndim != 2 or self.ranked.shape[1] < 1:
            raise ValueError(f"lists have the shape {self.ranked.shape}; expected (customers, k) with k of at least 1")
        object.__setattr__(self, "relevant", _canonical(self.relevant, positive=True))
        customers, products = self.relevant.shape
        if products < 1:
            raise ValueError("there are no products; expected at least one")
        own, free = (customers, products), (products, None)
        wanted = {"history": own, "buyers": (products,), "money": own, "vectors": free, "categories": free}
        if len(self.ranked) != customers:
            raise ValueError(f"there are {len(self.ranked)} lists and {customers} customers who bought")
        for name, shape in wanted.items():
            value = getattr(self, name)
            if value is None:
                continue
            if any(size not in (None, found) for size, found in zip(shape, value.shape, strict=True)):
                raise ValueError(f"{name} has the shape {value.shape}; expected {shape}")
            if name != "buyers":
                object.__setattr__(self, name, _canonical(value, positive=name in ("history", "categories")))
        if (self.buyers is None) != (self.population is None):
            raise ValueError("buyers and population go together; one of them is missing")
        if self.history is not None and self.buyers is None:
            object.__setattr__(self, "buyers", np.bincount(self.history.indices, minlength=products))
            object.__setattr__(self, "population", customers)
        if self.ranked.min(initial=0) < -1 or self.ranked.max(initial=-1) >= products:
            raise ValueError(f"lists name products from {self.ranked.min()} to {self.ranked.max()} of {products}")
        if (self.shown[:, 1:] & ~self.shown[:, :-1]).any():
            raise ValueError("a list has a gap; expected -1 at its end alone")
        inner = np.sort(self.ranked, axis=1)
        if ((inner[:, 1:] == inner[:, :-1]) & (inner[:, 1:] >= 0)).any():
            raise ValueError("a product is on a list twice")

    @classmethod
    def of(
        cls,
        ranked: Sequence[Sequence[int]],
        bought: Sequence[Sequence[int]],
        products: int,
        history: Sequence[Sequence[int]] | None = None,
        **material: Any,
    ) -> "Lists":
        """From one sequence of columns per customer: those listed, those bought and those bought in the past."""
        k = max([len(own) for own in ranked], default=0)
        filled = np.array([[*own, *[-1] * (k - len(own))] for own in ranked], dtype=int).reshape(len(ranked), k)
        past = None if history is None else _marked(history, products)
        return cls(filled, _marked(bought, products), history=past, **material)

    @property
    def k(self) -> int:
        """The length that a list may have."""
        return self.ranked.shape[1]

    @property
    def products(self) -> int:
        """How many products there are."""
        return self.relevant.shape[1]

    @cached_property
    def shown(self) -> np.ndarray:
        """Whether a rank of a list is filled, of shape (customers, k)."""
        return self.ranked >= 0

    @cached_property
    def length(self) -> np.ndarray:
        """How many products are on each list."""
        return self.shown.sum(axis=1)

    @cached_property
    def hits(self) -> np.ndarray:
        """Whether the product at each rank was bought, of shape (customers, k)."""
        return self.at(self.relevant) > 0

    @cached_property
    def found(self) -> np.ndarray:
        """How many products on each list were bought."""
        return self.hits.sum(axis=1)

    @cached_property
    def bought(self) -> np.ndarray:
        """How many products each customer bought in the future."""
        return np.diff(self.relevant.indptr)

    @cached_property
    def owned(self) -> np.ndarray:
        """Whether the product at each rank was bought in the past, of shape (customers, k)."""
        return self.at(self.need("history")) > 0

    @cached_property
    def incidence(self) -> csr_matrix:
        """One where a product is on a customer's list."""
        start = np.concatenate([[0], np.cumsum(self.length)])
        ones = np.ones(start[-1])
        return csr_matrix((ones, self.ranked[self.shown], start), shape=self.relevant.shape)

    def need(self, name: str) -> Any:
        """The material of this name; a ValueError says that it is missing."""
        value = getattr(self, name)
        if value is None:
            raise ValueError(f"there is no {name}; expected Lists(ranked, relevant, {name}=…)")
        return value

    def at(self, matrix: csr_matrix) -> np.ndarray:
        """The values of a customers by products matrix at the lists' products, of shape (customers, k); 0 at gaps."""
        if not self.ranked.size:
            return np.zeros(self.ranked.shape)
        rows = np.repeat(np.arange(len(self.ranked)), self.k)
        values = np.asarray(matrix[rows, np.maximum(self.ranked, 0).ravel()]).reshape(self.ranked.shape)
        return values if self.shown.all() else np.where(self.shown, values, 0)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """The mean over the products of each list of values of shape (customers, k); NaN for an empty list."""
        return ratio(np.where(self.shown, values, 0).sum(axis=1), self.length)


class Definition(NamedTuple):
    """One definition of a metric: formula, source, function, and what it needs beside purchases."""

    metric: str
    definition: str
    formula: str
    source: str
    function: Callable[[Lists], np.ndarray | float]
    needs: tuple[str, ...] = ()


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part by whole, NaN where the whole is not above zero."""
    part, whole = np.broadcast_arrays(np.asarray(part, dtype=float), np.asarray(whole, dtype=float))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def unit(vectors: csr_matrix) -> csr_matrix:
    """Rows of length one; a row of zeros stays one.

    Examples
    --------
    >>> unit(csr_matrix([[3.0, 4.0], [0.0, 0.0]])).toarray().round(4).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    norms = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1), dtype=float).ravel())
    return csr_matrix(diags(1 / np.where(norms > 0, norms, 1)) @ vectors)


def mean(values: np.ndarray | float) -> float:
    """The mean of the values that are there; NaN without any."""
    known = np.atleast_1d(values)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else np.nan


def _marked(columns: Sequence[Sequence[int]], products: int) -> csr_matrix:
    start = np.cumsum([0, *map(len, columns)])
    flat = np.array([column for own in columns for column in own], dtype=int)
    return csr_matrix((np.ones(len(flat)), flat, start), shape=(len(columns), products))


def _canonical(matrix: csr_matrix, *, positive: bool = False) -> csr_matrix:
    """With sorted columns, each once; no zeros are stored, and where only positive values count, none below."""
    own = csr_matrix(matrix, dtype=float)
    wanted = own.data > 0 if positive else own.data != 0
    if own.has_canonical_format and wanted.all():
        return own
    own = own.copy()
    own.sum_duplicates()
    if positive:
        own.data = np.maximum(own.data, 0)
    own.eliminate_zeros()
    return own
