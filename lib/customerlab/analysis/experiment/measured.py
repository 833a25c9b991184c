"""The numbers that all results of a test need: sizes, outcomes, covariates, cells, moments, values.

They are queried when they are first needed, many in one query, and kept.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.experiment.stats import Groups, Moments, labelled, moments_by, number_of, pairs_of, united
from customerlab.data.tables import COVARIATE, OF_UNITS, OUTCOME

TIMES = ("assigned_at", "exposed_at")
IDS = ("unit_id", "assigned_id")
MADE_UP = r"^row [0-9]+( of .*)?$"  # ids that stand in where a source has none (`row_number`)
FINITE = 1e15  # above it, floats are whole, and integers of the engine end
LARGE, PLENTY = 10, 30  # counts that are those of totals, and of totals beyond doubt
MEASURES = {"low", "sum", "most", "whole", "mean", "variance"}  # which are missing where there is no value
SOME = "some "  # before the name of an outcome: whether a unit has any of it


class Measured:
    """A canonical table, one row per unit, and the numbers queried so far; functions take it in place of the table.

    With `strata`, a column of the periods of a split that changes, moments are made alike over its values
    (`Moments.levelled`). Rows of a table of totals (`Counted`) are `summed`: then single units are not known.
    """

    summed = False

    def __init__(self, table: ir.Table, known: dict[Any, Any] | None = None, strata: str = "") -> None:
        self.table, self._known, self.strata = table, {} if known is None else known, strata

    @classmethod
    def of(cls, units: "ir.Table | Measured") -> "Measured":
        """The units, whether anything was measured of them or not."""
        if isinstance(units, Measured):
            return units
        from customerlab.analysis.experiment.counted import Counted

        return Counted(units) if OF_UNITS in units.columns else cls(units)

    def with_columns(self, columns: Mapping[str, ir.Value], strata: str = "") -> Self:
        """The same units with more columns, one of them perhaps the `strata`, and all that is known of them."""
        if not columns:
            return self
        known = {what: one for what, one in self._known.items() if not strata or what[0] != "moments"}
        return type(self)(self.table.mutate(**columns), known if strata else self._known, strata or self.strata)

    def only(self, arms: Sequence[str]) -> "Measured":
        """The units of some arms, and what is known of them by arm."""
        known = {}
        for what in [one for one in self._known if one[0] == "moments"]:
            found, pairs = self._known[what]
            known[what] = found.only(found.groups["variant"].isin(arms).to_numpy()), pairs
        return Measured(self.table.filter(self.table.variant.isin(arms)), known, self.strata)

    def _once(self, what: Any, measure: Callable[[], Any]) -> Any:
        if what not in self._known:
            self._known[what] = measure()
        return self._known[what]

    def columns(self, kind: str) -> list[str]:
        """The columns of outcomes or covariates, in the order of the table."""
        return [name for name in self.table.columns if name.startswith(kind)]

    def _facts(self) -> pd.DataFrame:
        sums: dict[str, ir.Scalar] = {"units": self.table.count()}
        if "unit_id" in self.table.columns:
            sums["made_up"] = self.table["unit_id"].re_search(MADE_UP).cast("int64").sum()
        sums |= {name: self.table[name].count() for name in TIMES if name in self.table.columns}
        for kind, facts in ((OUTCOME, _of_outcome), (COVARIATE, _of_covariate)):
            for place, name in enumerate(self.columns(kind)):
                sums |= {f"{kind}{place} {what}": fact for what, fact in facts(self.table, name).items()}
        return self.table.group_by("variant").aggregate(**sums).order_by("variant").to_pandas().set_index("variant")

    @property
    def made_up(self) -> bool:
        """Whether rows have no ids of their own, but numbers that stand in for them."""
        return bool((self._once("facts", self._facts)["made_up"] == self.sizes).all())

    @property
    def sizes(self) -> pd.Series:
        """Units by arm."""
        return self._once("facts", self._facts)["units"]

    def facts(self, kind: str) -> dict[str, pd.DataFrame]:
        """By outcome or covariate: what `_of_outcome` or `_of_covariate` counts, one row per arm."""
        whole = self._once("facts", self._facts)
        tables = {}
        for place, name in enumerate(self.columns(kind)):
            own = whole[[one for one in whole if one.startswith(f"{kind}{place} ")]]
            table = own.rename(columns=lambda one: one.partition(" ")[2]).astype(float)
            tables[name] = table.fillna(dict.fromkeys(set(table) - MEASURES, 0.0))
        return tables

    @property
    def by_value(self) -> pd.DataFrame:
        """By id, time and covariate: how many values, and how many of them in all arms, in several, in several rows.

        `together` counts values with several rows that are all in one arm.
        """
        return self._once("by value", self._by_value)

    def _by_value(self) -> pd.DataFrame:
        names = [name for name in (*IDS, *TIMES) if name in self.table.columns] + self.columns(COVARIATE)
        parts = []
        for place, name in enumerate(names):
            known = self.table.filter(~self.table[name].isnull())
            values = known.group_by(value=known[name]).aggregate(arms=known.variant.nunique(), rows=known.count())
            several = values.rows > 1
            found = values.aggregate(
                values=values.count(), shared=(values.arms == len(self.sizes)).sum(), mixed=(values.arms > 1).sum(),
                several=several.sum(), together=(several & (values.arms == 1)).sum(),
            )  # fmt: skip
            parts.append(found.mutate(place=ibis.literal(place)))
        table = united(parts).to_pandas().fillna(0).astype(int).set_index("place").sort_index()
        return table.set_axis(names, axis=0)

    @property
    def joined(self) -> str:
        """The column of when units joined: `assigned_at`, or else `exposed_at`; empty where an arm has neither.

        Who is sent nothing may have no time of exposure, and then days of the arms cannot be compared.
        """
        facts = self._once("facts", self._facts)
        return next((name for name in TIMES if name in facts and (facts[name] > 0).all()), "")

    @property
    def timed(self) -> int:
        """How many units have a time in `joined`."""
        return int(self._once("facts", self._facts)[self.joined].sum()) if self.joined else 0

    def _number(self, table: ir.Table) -> ir.NumericScalar:
        """How many units some rows are."""
        return table.count()

    def label(self, name: str) -> ir.StringColumn:
        """A column as labels, a time as its day, in which what is missing has one too."""
        column = self.table[name]
        return labelled(column.date() if column.type().is_timestamp() else column)

    def cells(self, pairs: Iterable[tuple[str, str]]) -> list[pd.DataFrame]:
        """How many units have each label of two columns (`label`): one a row, the other a column."""
        wanted = list(pairs)
        missing = [pair for pair in dict.fromkeys(wanted) if ("cells", *pair) not in self._known]
        parts = []
        for place, (one, other) in enumerate(missing):
            both = self.table.mutate(one=self.label(one), other=self.label(other))
            counted = both.group_by("one", "other").aggregate(units=self._number(both))
            parts.append(counted.mutate(place=ibis.literal(place)))
        found = united(parts).to_pandas() if parts else pd.DataFrame()
        for place, pair in enumerate(missing):
            self._known["cells", *pair] = found[found["place"] == place].pivot_table(
                index="one", columns="other", values="units", aggfunc="sum", fill_value=0
            )
        return [self._known["cells", *pair] for pair in wanted]

    def moments(self, columns: Sequence[str], by: str = "", *, together: Groups = None) -> Moments:
        """Moments by arm, or by arm and the labels of another column: those known, if they hold what is wanted.

        A name after `SOME` is one for the units with any of that column, and else zero.
        """
        return self.moments_by([by], columns, together=together)[0]

    def moments_by(self, by: Sequence[str], columns: Sequence[str], *, together: Groups = None) -> list[Moments]:
        """The same by each of several columns, in one query for those that are not known."""
        pairs = pairs_of(columns, together)
        missing = [one for one in by if not self._has(one, columns, pairs)]
        if missing:
            values = {one: self._counted(one) if one.startswith(SOME) else one for one in columns}
            then = {self.strata: self.table[self.strata]} if self.strata else {}
            arm = {"variant": self.table.variant}
            groups = [arm | ({one: self.label(one)} if one else {}) | then for one in missing]
            found = moments_by(self.table, values, groups, together=together)
            found = [one.levelled(self.strata) for one in found] if self.strata else found
            self._known |= {("moments", one): (each, pairs) for one, each in zip(missing, found, strict=True)}
        return [self._known["moments", one][0] for one in by]

    def _counted(self, name: str) -> ir.FloatingValue:
        return (number_of(self.table, name.removeprefix(SOME)) != 0).cast("float64")

    def _has(self, by: str, columns: Sequence[str], pairs: set[tuple[str, str]]) -> bool:
        found, known = self._known.get(("moments", by), (None, set()))
        return found is not None and set(columns) <= set(found.names) and pairs <= known

    def values(self, columns: Sequence[str]) -> pd.DataFrame:
        """`unit_id`, `variant` and some columns of all units, in the order of `unit_id`: they leave the engine."""
        known = self._known.get("values")
        if known is None or not set(columns) <= set(known):
            names = list(dict.fromkeys(["unit_id", "variant", *columns]))
            known = self.table.select(*names).to_pandas().sort_values("unit_id", ignore_index=True)
            self._known["values"] = known
        return known


Units = ir.Table | Measured


def kept(table: ir.Table) -> ir.Table:
    """The table, computed once, where the engine keeps it for this session alone and writes nothing.

    Ibis would drop what its own `cache` keeps in DuckDB by a statement that DuckDB does not understand.
    """
    engine = table.get_backend()
    if engine.name == "duckdb":
        return engine.create_table(ibis.util.gen_name("units"), table, temp=True)
    return table.cache() if engine.name == "pyspark" else table


def _of_outcome(table: ir.Table, name: str) -> dict[str, ir.Scalar]:
    """What is counted of an outcome; of those within `FINITE` also their sum, and how many are whole or large."""
    value = table[name].cast("float64")
    within = ibis.cases((value.abs() < FINITE, value))
    return {
        "missing": (value.isnull() | value.isnan()).sum(), "infinite": value.isinf().sum(),
        "some": (value != 0).cast("int64").sum(), "other": ((value != 0) & (value != 1)).sum(),
        "most": value.abs().max(), "whole": value.abs().sum(),
        "within": within.count(), "low": within.min(), "sum": within.sum(), "broken": (within != within.floor()).sum(),
        "neither": ((within != 0) & (within != 1)).sum(),
        "large": (within >= LARGE).cast("int64").sum(), "plenty": (within >= PLENTY).cast("int64").sum(),
    }  # fmt: skip


def _of_covariate(table: ir.Table, name: str) -> dict[str, ir.Scalar]:
    """What is counted of a covariate, and the mean and the variance of its values that are numbers."""
    number = number_of(table, name)
    return {
        "known": table[name].count(), "numbers": number.count(),
        "wrong": (number.isnull() | number.isnan() | number.isinf()).cast("int64").sum(),
        "broken": (number != number.floor()).sum(), "mean": number.mean(), "variance": number.var(how="sample"),
    }  # fmt: skip
