"""A chosen segmentation that can be kept, and that gives customers of later days their cluster.

It is kept as a table of numbers and texts, so that loading it runs nothing, and assigns the same after loading.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.clustering.density import Density
from customerlab.analysis.clustering.features import customer_features
from customerlab.analysis.clustering.models import NOISE, Mixture, Model, Nearest
from customerlab.analysis.clustering.space import Space
from customerlab.analysis.orders import Snapshot

FORMAT = 2
"""Version of the table; one with another number is from another customerlab and is refused."""

KINDS: dict[str, type[Any]] = {"nearest": Nearest, "mixture": Mixture, "density": Density}
"""Models that can be kept: dataclasses of arrays and numbers. A method with a model of its own adds it here."""

NO_CLUSTER = "noise"
STEPS = np.linspace(0, 1, 101)
COLUMNS = ["part", "row", "name", "value", "words"]
SCALARS = {float: "float64", int: "int64"}


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A clustering with all that it needs to assign customers whom it has not seen.

    Attributes
    ----------
    method : str
    space : Space
        How features become points.
    model : Model
        Nearest, Mixture or Density, or another of `KINDS`.
    order : array of int of shape (labels,)
        The cluster's number, from 1, for each label of the model; -1 for one that no fitted customer had.
    names : tuple of str
        Of clusters 1, 2, …
    centres : array of shape (clusters, features)
        Mean point of each cluster's fitted customers.
    distances : array of shape (clusters, 101)
        Quantiles 0, 0.01, … 1 of their distances to it.
    ranges : array of shape (2, features)
        Lowest and highest value of each feature among fitted customers, in its own unit.
    net : bool
        Whether money is less what was taken back in the features that it was fitted on.
    """

    method: str
    space: Space
    model: Model
    order: np.ndarray
    names: tuple[str, ...]
    centres: np.ndarray
    distances: np.ndarray
    ranges: np.ndarray
    net: bool

    def assign(self, customers: pd.DataFrame) -> pd.DataFrame:
        """Give each customer a cluster, and say how far it is from those that the segmentation was fitted on.

        Parameters
        ----------
        customers : DataFrame
            `customer_id` and the features, in their own units.

        Returns
        -------
        DataFrame
            One row a customer, in the same order: `customer_id`; `cluster`, -1 for noise; `name`; `strength`, where
            the model knows how surely a customer belongs; `distance` to the cluster's centre; `farther_than`, the
            share of the cluster's fitted customers who are nearer to it, to a percent, 1 being farther than all (both
            missing for noise); `outside`, the features with values that no fitted customer had.

        Raises
        ------
        ValueError
            Where a feature is lacking or has no value.
        """
        points = self.space.points(customers)
        numbers = _renumbered(self.model.predict(points), self.order)
        known = numbers > 0
        distance, farther = np.full(len(points), np.nan), np.full(len(points), np.nan)
        distance[known] = _lengths(points[known] - self.centres[numbers[known] - 1])
        for number in np.unique(numbers[known]):
            own = numbers == number
            farther[own] = _share_below(distance[own], self.distances[number - 1])
        table = pd.DataFrame({"customer_id": customers["customer_id"].to_numpy(), "cluster": numbers})
        table["name"] = np.array([*self.names, NO_CLUSTER], dtype=object)[np.where(known, numbers - 1, -1)]
        if hasattr(self.model, "strength"):
            table["strength"] = np.where(known, self.model.strength(points), 0.0)
        table["distance"], table["farther_than"] = distance, farther
        return table.assign(outside=self._outside(customers)).astype({"name": "str", "outside": "str"})

    def _outside(self, customers: pd.DataFrame) -> np.ndarray:
        """Names of features beyond the fitted range, joined by commas."""
        said = np.full(len(customers), "", dtype=object)
        for name, low, high in zip(self.space.names, *self.ranges, strict=True):
            values = customers[name].to_numpy(dtype=float)
            beyond = (values < low) | (values > high)
            said[beyond] += np.where(said[beyond] == "", name, ", " + name)
        return said

    def to_table(self) -> pd.DataFrame:
        """The segmentation as a table that parquet keeps, the same bytes for the same segmentation.

        Returns
        -------
        DataFrame
            `part`, `row` (place in the part, -1 its head), `name` (the feature where values are by feature), `value`,
            `words`.

        Raises
        ------
        ValueError
            Where the model is none of `KINDS`.
        """
        kind = next((kind for kind, known in KINDS.items() if type(self.model) is known), None)
        if kind is None:
            raise ValueError(f"a model {type(self.model).__name__} cannot be kept; expected one of {_listed(KINDS)}")
        parts: dict[str, Any] = {"method": self.method, "model": kind, "names": self.names, "order": self.order}
        parts |= {"money": "net" if self.net else "gross"}
        parts |= {"centres": self.centres, "distances": self.distances, "ranges": self.ranges}
        parts |= {f"space.{name}": value for name, value in self.space.parts().items()}
        parts |= {f"model.{field.name}": getattr(self.model, field.name) for field in fields(KINDS[kind])}
        body = _in_order(pd.concat([_written(part, value, self.space.names) for part, value in parts.items()]))
        head = pd.DataFrame([["format", FORMAT, "", np.nan, _digest(body)]], columns=COLUMNS)
        return _typed(pd.concat([head, body], ignore_index=True))

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> "Segmentation":
        """The segmentation that `to_table` wrote.

        Raises
        ------
        ValueError
            Where the table is of another format, of something else, or not as it was written.
        """
        parts = _read(table)
        try:
            kind = KINDS[parts["model"]]
            given = {field.name: parts[f"model.{field.name}"] for field in fields(kind)}
            model = kind(**{field.name: _scalar(given[field.name], field.type) for field in fields(kind)})
            space = Space.from_parts({k.removeprefix("space."): v for k, v in parts.items() if k.startswith("space.")})
            own = {name: parts[name] for name in ("method", "names", "order", "centres", "distances", "ranges")}
            net = parts["money"] == "net"
        except KeyError as error:
            raise ValueError(f"the segmentation lacks {error} or this customerlab does not know it") from None
        return cls(space=space, model=model, net=net, **own)


def segmentation(
    method: str,
    space: Space,
    model: Model,
    customers: pd.DataFrame,
    labels: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    net: bool = False,
) -> Segmentation:
    """Make a fitted model into a segmentation that can be kept.

    Parameters
    ----------
    method : str
        What found the clusters, in words.
    space : Space
    model : Model
    customers : DataFrame
        Those that it was fitted on: `customer_id` and the features of the space.
    labels : array of int of shape (customers,)
        Their clusters, numbered from 1; noise -1.
    names : sequence of str, optional
        Of the clusters by number; ``cluster 1``, … by default.
    net : bool
        Whether money is less what was taken back in the features, so that later customers get the same.

    Returns
    -------
    Segmentation

    Raises
    ------
    ValueError
        Where the model gives the customers other groups than the labels say, or there are more or fewer names than
        clusters.

    Examples
    --------
    >>> from customerlab.analysis.clustering.space import fit_space
    >>> customers = pd.DataFrame({"customer_id": ["a", "b", "c"], "frequency": [1, 2, 9]})
    >>> space = fit_space(customers, ["frequency"], transform="none", scaling="min-max")
    >>> model = Nearest(np.array([[0.1], [1.0]]), np.array([0, 1]))
    >>> kept = segmentation("K-Means", space, model, customers, np.array([2, 2, 1]), ["frequent", "rare"])
    >>> new = pd.DataFrame({"customer_id": ["d"], "frequency": [11]})
    >>> next(Segmentation.from_table(kept.to_table()).assign(new).itertuples(index=False, name=None))
    ('d', 1, 'frequent', 0.25, 1.0, 'frequency')
    """
    place = np.argsort(customers["customer_id"].to_numpy(), kind="stable")
    table, numbers = customers.iloc[place], np.asarray(labels)[place]
    count = max(int(numbers.max(initial=0)), 0)
    if set(numbers) - {NOISE} != set(range(1, count + 1)):
        raise ValueError(f"clusters {_listed(np.unique(numbers))}; expected 1, 2, … without a gap, and -1 for noise")
    points = space.points(table)
    found = model.predict(points)
    order = np.full(max(int(found.max(initial=0)), 0) + 1, NOISE)
    order[found[found != NOISE]] = numbers[found != NOISE]
    if not np.array_equal(_renumbered(found, order), numbers) or len(set(order) - {NOISE}) < (order != NOISE).sum():
        raise ValueError(f"{method} does not give the customers the groups that the labels say")
    names = tuple(names) if names is not None else tuple(f"cluster {number}" for number in range(1, count + 1))
    if len(names) != count:
        raise ValueError(f"{len(names)} names for {count} clusters; expected one each")
    groups = [points[numbers == number] for number in range(1, count + 1)]
    centres = np.array([group.mean(axis=0) for group in groups]).reshape(count, points.shape[1])
    away = [np.quantile(_lengths(group - centre), STEPS) for group, centre in zip(groups, centres, strict=True)]
    raw = table[list(space.names)].to_numpy(dtype=float)
    ranges = np.array([raw.min(axis=0), raw.max(axis=0)])
    distances = np.array(away).reshape(count, len(STEPS))
    return Segmentation(method, space, model, order, names, centres, distances, ranges, net)


def clusters_on(segmentation: Segmentation, shop: Snapshot) -> pd.DataFrame:
    """The clusters of a day, by the segmentation of this or another day, from what was known when it began.

    Parameters
    ----------
    segmentation : Segmentation
        Its features have to be such as `customer_features` computes.
    shop : Snapshot
        On that day, with products and returns where the segmentation's features need them.

    Returns
    -------
    DataFrame
        Sorted by `customer_id`, one row for each who had ordered by then; as `Segmentation.assign` returns it.

    Raises
    ------
    ValueError
        If no order was placed before the day, or a table is lacking that a feature needs.

    Examples
    --------
    >>> import ibis
    >>> from customerlab.analysis.clustering.space import fit_space
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-31"]), "amount": [5.0, 7.0, 9.0],
    ... })
    >>> shop = Snapshot(log, pd.Timestamp("2024-02-01"))
    >>> customers = customer_features(shop, names=["frequency"])
    >>> space = fit_space(customers, ["frequency"], transform="none", scaling="min-max")
    >>> model = Nearest(np.array([[0.0], [1.0]]), np.array([0, 1]))
    >>> kept = segmentation("K-Means", space, model, customers, np.array([1, 2]), ["twice", "once"])
    >>> clusters_on(kept, shop.at(pd.Timestamp("2024-01-11")))[["customer_id", "name"]].values.tolist()
    [['ann', 'once']]
    """
    return segmentation.assign(customer_features(shop, names=segmentation.space.names, net=segmentation.net))


def _renumbered(found: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Numbers for labels of a model; a label that no fitted customer had is noise."""
    known = (found >= 0) & (found < len(order))
    return np.where(known, order[np.where(known, found, 0)], NOISE).astype("int64")


def _lengths(away: np.ndarray) -> np.ndarray:
    return np.sqrt((away**2).sum(axis=1))


def _share_below(values: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """The share of a distribution that is smaller than each value; mirrored, since of equal quantiles the first counts.

    Examples
    --------
    >>> quantiles = np.minimum(STEPS, 0.5)
    >>> _share_below(np.array([0.0, 0.2, 0.5, 0.6]), quantiles).round(2).tolist()
    [0.0, 0.2, 0.5, 1.0]
    """
    below = -np.interp(-values, -quantiles[::-1], -STEPS[::-1])
    return np.where(values > quantiles[-1], 1.0, below)


# -- the table ---------------------------------------------------------------------------------------------------


def _written(part: str, value: Any, features: Sequence[str]) -> pd.DataFrame:
    """A text, texts, a number or an array as rows, with a head that says what it is."""
    if isinstance(value, str | tuple | list):
        texts = [value] if isinstance(value, str) else list(value)
        kind = "phrase" if isinstance(value, str) else "phrases"
        rows = pd.DataFrame({"row": range(len(texts)), "name": "", "value": np.nan, "words": texts})
    else:
        array = np.asarray(value)
        form = "int64" if array.dtype.kind in "iu" else "float64"
        kind = " ".join([form, *map(str, array.shape)])
        by_feature = array.ndim and array.shape[-1] == len(features)
        named = np.resize(np.array(features, dtype=object), array.size) if by_feature else ""
        rows = pd.DataFrame(
            {"row": range(array.size), "name": named, "value": array.ravel().astype(float), "words": ""}
        )
    head = pd.DataFrame({"row": [-1], "name": [""], "value": [np.nan], "words": [kind]})
    return _typed(pd.concat([head, rows], ignore_index=True).assign(part=part))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    kinds = {"part": "str", "row": "int64", "name": "str", "value": "float64", "words": "str"}
    return table[COLUMNS].astype(kinds)


def _in_order(body: pd.DataFrame) -> pd.DataFrame:
    """The rows in the one order that the checksum is of: who keeps the table may sort it."""
    return _typed(body).sort_values(["part", "row"], ignore_index=True)


def _digest(body: pd.DataFrame) -> str:
    """A checksum of all rows below the head."""
    values = body["value"].to_numpy()
    total = hashlib.sha256(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
    total.update(body["row"].to_numpy().astype("<i8").tobytes())
    for column in ("part", "name", "words"):
        total.update("\x1f".join(body[column]).encode())
    return total.hexdigest()


def _read(table: pd.DataFrame) -> dict[str, Any]:
    """The parts of a table, after it has proved to be what was written."""
    if list(table.columns) != COLUMNS or (table["part"] == "format").sum() != 1:
        raise ValueError(f"columns {_listed(table.columns)}; expected a segmentation with {_listed(COLUMNS)}")
    head = table[table["part"] == "format"].iloc[0]
    version = head["row"]
    if version != FORMAT:
        found = f"a segmentation of format {version}; this customerlab reads {FORMAT}"
        raise ValueError(f"{found}: read it with the version that wrote it")
    try:
        body = _in_order(table[table["part"] != "format"].fillna({"name": "", "words": ""}))
        whole = _digest(body) == head["words"]
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise ValueError("the segmentation is damaged or was edited: its checksum differs; save it again")
    return {str(part): _value(rows) for part, rows in body.groupby("part", sort=False)}


def _value(rows: pd.DataFrame) -> Any:
    kind, *shape = rows["words"].iloc[0].split(" ")
    rows = rows.iloc[1:]
    if kind in ("phrase", "phrases"):
        return rows["words"].iloc[0] if kind == "phrase" else tuple(rows["words"])
    size = tuple(map(int, shape))
    if kind not in SCALARS.values() or math.prod(size) != len(rows):
        raise ValueError(f"the segmentation has a part of {len(rows):,} values said to be {kind} {shape}")
    return rows["value"].to_numpy().astype(kind).reshape(size)


def _scalar(value: Any, kind: Any) -> Any:
    """A number of Python where a model has one."""
    return kind(value) if kind in SCALARS else value


def _listed(names: Any) -> str:
    return ", ".join(map(str, names))
