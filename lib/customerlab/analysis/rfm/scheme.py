"""A way of segmenting that can be kept: the same for any day and any log, and handed over as a table."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from customerlab.analysis.orders import Snapshot
from customerlab.analysis.rfm.scores import MEASURES, check_cuts, score
from customerlab.analysis.rfm.segments import RULES, check_rules, read_rules, segment


@dataclass(frozen=True, eq=False)
class Scheme:
    """How customers are segmented, whatever the day: what `features`, `score` and `segment` are told.

    Attributes
    ----------
    bins : int
        Scores of each measure, 2 to 10.
    cuts : mapping of str to sequence of float
        Own thresholds of a measure; one without any is cut at the quantiles of the day.
    net : bool
        Whether what was taken back is set off against the monetary value.
    rules : DataFrame
        The named segments, as `read_rules` returns them.

    Raises
    ------
    ValueError
        For what no segments can be made by.

    Examples
    --------
    >>> import ibis
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"],
    ...     "ordered_at": pd.to_datetime(["2024-01-01", "2024-01-11", "2024-01-31"]), "amount": [5.0, 7.0, 9.0],
    ... })
    >>> scheme = Scheme(2, {"recency": [14]}, rules=read_rules(["Active: 4-5, 1-5", "Asleep: 1-3, 1-5"]))
    >>> again = Scheme.from_table(scheme.to_table())
    >>> shop = Snapshot(log, pd.Timestamp("2024-02-01"))
    >>> again.on(shop)[["customer_id", "segment"]].values.tolist()
    [['ann', 'Asleep'], ['bob', 'Active']]
    >>> again.on(shop.at(pd.Timestamp("2024-01-12")))[["customer_id", "segment"]].values.tolist()
    [['ann', 'Active']]
    """

    bins: int = 5
    cuts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    net: bool = False
    rules: pd.DataFrame = field(default_factory=lambda: RULES)

    def __post_init__(self) -> None:
        """Refuse what no segments can be made by, before a day's customers are looked at."""
        for measure in MEASURES.values():
            check_cuts(self.cuts.get(measure, ()), self.bins, measure)
        unknown = sorted(set(self.cuts) - set(MEASURES.values()))
        if unknown:
            raise ValueError(f"cut-offs of {', '.join(unknown)}; expected of {', '.join(MEASURES.values())}")
        check_rules(self.rules)

    def on(self, shop: Snapshot) -> pd.DataFrame:
        """The segments of a day, from what was known when it began.

        Parameters
        ----------
        shop : Snapshot
            On that day. Without returns net money is gross.

        Returns
        -------
        DataFrame
            As `segment` returns it.

        Raises
        ------
        ValueError
            If no order was placed before the day.
        """
        return segment(score(shop.customers(net=self.net), self.bins, self.cuts), self.rules)

    def to_table(self) -> pd.DataFrame:
        """The scheme as a table that parquet keeps: `name` and `value`, one row each, the values as JSON."""
        values = {
            "bins": self.bins,
            "cuts": {measure: [float(cut) for cut in self.cuts.get(measure, ())] for measure in MEASURES.values()},
            "net": self.net,
            "rules": [f"{name}: {r}-{s}, {f}-{g}" for name, r, s, f, g in self.rules.itertuples(index=False)],
        }
        texts = [json.dumps(value, ensure_ascii=False) for value in values.values()]
        return pd.DataFrame({"name": list(values), "value": texts}, dtype="str")

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> "Scheme":
        """The scheme that `to_table` wrote, whatever the order of its rows.

        Raises
        ------
        ValueError
            Where the table is something else, or says what this customerlab does not know.
        """
        names = list(KINDS)
        if list(table.columns) != ["name", "value"]:
            raise ValueError(f"columns {', '.join(map(str, table.columns))}; expected a scheme with name, value")
        if sorted(map(str, table["name"])) != sorted(names):
            raise ValueError(
                f"a scheme of {', '.join(map(str, table['name']))[:200]}; expected one row each for {', '.join(names)}"
            )
        given = {name: _read(name, text) for name, text in zip(table["name"], table["value"], strict=True)}
        return cls(**given | {"rules": read_rules(given["rules"])})


def _list_of(value: Any, *kinds: type) -> bool:
    return isinstance(value, list) and all(type(item) in kinds for item in value)


# what each value has to be, in words and as a test
KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "bins": ("a whole number", lambda value: type(value) is int),
    "cuts": (
        "a list of numbers for each measure",
        lambda value: isinstance(value, dict) and all(_list_of(cuts, int, float) for cuts in value.values()),
    ),
    "net": ("true or false", lambda value: type(value) is bool),
    "rules": ("texts such as 'Loyal: 3-4, 4-5'", lambda value: bool(value) and _list_of(value, str)),
}


def _read(name: str, text: Any) -> Any:
    """A value of a scheme's table, if it is of the kind that it has to be."""
    expected, fits = KINDS[name]
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):  # brackets may be nested deeper than Python goes
        value = None
    if not fits(value):
        raise ValueError(f"{name} = {str(text)[:80]} in a scheme of segments; expected {expected}")
    return value
