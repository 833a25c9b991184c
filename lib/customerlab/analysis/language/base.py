"""The customers that segments in plain words are of, and which names and tests of a tree suit them."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.language.grammar import LanguageError, near
from customerlab.analysis.language.tree import (
    Compare,
    Condition,
    Dates,
    Name,
    OneOf,
    Relative,
    Segment,
    conditions,
    quoted,
)
from customerlab.analysis.orders import Snapshot, fetched

NUMBER, CATEGORY, ORDERED, YES_NO, DATE = "number", "category", "ordered", "yes/no", "date"
TYPES = {NUMBER: "float64", CATEGORY: "string", ORDERED: "string", YES_NO: "boolean", DATE: "timestamp(6)"}
EXPECTED = {
    NUMBER: "a number to compare with", CATEGORY: "texts in quotes", ORDERED: "levels in quotes", YES_NO: "yes or no",
    DATE: "a period",
}  # fmt: skip
SIGNS: dict[str, Callable] = {
    ">=": operator.ge, "<=": operator.le, "=": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class CustomerBase:
    """The customers that a segment is of: those who ordered before the shop's day, and those with attributes.

    Attributes
    ----------
    shop : Snapshot
        Its day is that of all periods.
    attributes : DataFrame, optional
        One row per customer, indexed by `customer_id`; dtypes say the kind: number, category (text or unordered),
        ordered category, yes/no (bool), date. Taken as they are, whatever the day.
    segments : mapping of str to Series
        Segmentations by name: the segment of customers, indexed by `customer_id`.

    Raises
    ------
    ValueError
        If a customer has two rows of attributes, or two segments in one segmentation.
    """

    shop: Snapshot
    attributes: pd.DataFrame | None = None
    segments: Mapping[str, pd.Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        named = [(f"segmentation {quoted(name)}", segments) for name, segments in self.segments.items()]
        for what, table in [("the attributes", self.attributes), *named]:
            if table is not None and table.index.has_duplicates:
                raise ValueError(f"A customer has two rows in {what}.")

    @cached_property
    def customers(self) -> ir.Table:
        """The ids of all customers, an expression."""
        ids = self.shop.known.select("customer_id")
        return (ids if self.attributes is None else ids.union(self.described([]))).distinct()

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The kind of each attribute."""
        return (
            {} if self.attributes is None else {str(name): kind_of(self.attributes[name]) for name in self.attributes}
        )

    def levels(self, name: str) -> list[str]:
        """The values of a category, in their order where they have one."""
        assert self.attributes is not None
        values = self.attributes[name]
        found = values.cat.categories if isinstance(values.dtype, pd.CategoricalDtype) else values.dropna().unique()
        return [str(level) for level in found]

    def described(self, names: list[str]) -> ir.Table:
        """Customers with some attributes, named by their places."""
        assert self.attributes is not None
        columns = {"customer_id": self.attributes.index.astype("str")}
        for place, name in enumerate(names):
            values = self.attributes[name]
            text = self.kinds[name] in (CATEGORY, ORDERED)
            values = values.astype(object).map(str, na_action="ignore") if text else values
            columns[f"attribute_{place}"] = values.astype(object).where(values.notna(), None).array
        schema = {"customer_id": "string"} | {f"attribute_{n}": TYPES[self.kinds[one]] for n, one in enumerate(names)}
        return ibis.memtable(pd.DataFrame(columns, columns=list(schema)), schema=ibis.schema(schema))

    def sorted_in(self, name: str, column: str) -> ir.Table:
        """The segment of each customer of a segmentation."""
        segment = self.segments[name].dropna().astype("str")
        frame = pd.DataFrame({"customer_id": segment.index.astype("str"), column: segment.array})
        return ibis.memtable(frame, schema=ibis.schema({"customer_id": "string", column: "string"}))

    @cached_property
    def products(self) -> set[str]:
        """The ids of products that have been bought or are listed."""
        log, listed = self.shop.known, self.shop.products
        if "product_id" not in log.columns:
            return set()
        tables = [table.select("product_id").distinct() for table in (log, listed) if table is not None]
        return {name for table in tables for name in fetched(table)["product_id"].dropna()}

    @cached_property
    def categories(self) -> set[str]:
        """The categories of products; none where products have no categories."""
        products = self.shop.products
        if products is None or "category" not in products.columns or "product_id" not in self.shop.known.columns:
            return set()
        return set(fetched(products.select("category").distinct())["category"].dropna())


def kind_of(values: pd.Series) -> str:
    """The kind of an attribute by its dtype: ``number``, ``ordered``, ``category``, ``yes/no`` or ``date``."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return ORDERED if values.dtype.ordered else CATEGORY
    if pd.api.types.is_bool_dtype(values.dtype):  # before numbers, which they are for pandas
        return YES_NO
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        return DATE
    return NUMBER if pd.api.types.is_numeric_dtype(values.dtype) else CATEGORY


def check(segment: Segment, base: CustomerBase) -> None:
    """Raise LanguageError, at its place, for a name that the base does not have and a test unfit for an attribute."""
    for one in conditions(segment.condition):
        if one.kind == "product":
            _known(segment, one.values[0], base.products, "product")
        elif one.kind == "category":
            _known(segment, one.values[0], base.categories, "category")
        elif one.kind == "returned" and base.shop.returns is None:
            raise LanguageError("the shop has no table of returns", segment.source)
        elif one.kind == "segment":
            segmentation_of(segment, one, base)
        elif one.kind == "attribute":
            name, test = one.values
            _check_attribute(segment, name, test, base)


def _known(segment: Segment, name: str, names: Any, what: str) -> None:
    """Raise where a name is not among those there are."""
    if name not in names:
        among = near(name, names) if names else "; the shop has none"
        raise LanguageError(f"there is no {what} {quoted(name[:60])}{among}", segment.source, getattr(name, "at", -1))


def segmentation_of(segment: Segment, one: Condition, base: CustomerBase) -> str:
    """The segmentation that a segment is of."""
    name, of = one.values
    if of is not None:
        _known(segment, of, base.segments, "segmentation")
    among = {key: set(base.segments[key].dropna().astype("str")) for key in ([of] if of is not None else base.segments)}
    _known(segment, name, set().union(*among.values()), "segment")
    found = [key for key, names in among.items() if name in names]
    if len(found) > 1:
        listed = " or ".join(f"of {quoted(key)}" for key in found)
        raise LanguageError(
            f"several segmentations have a segment {quoted(name)}; say {listed}", segment.source, name.at
        )
    return found[0]


def _check_attribute(segment: Segment, name: Name, test: Any, base: CustomerBase) -> None:
    """Raise where there is no such attribute, or the test does not suit its kind."""
    _known(segment, name, base.kinds, "attribute")
    kind = base.kinds[name]
    values = test.values if isinstance(test, OneOf) else (test.value, test.upper) if isinstance(test, Compare) else ()
    texts = {isinstance(value, str) for value in values if value is not None}
    right = {
        NUMBER: texts == {False}, CATEGORY: texts == {True} and isinstance(test, OneOf), ORDERED: texts == {True},
        YES_NO: isinstance(test, bool), DATE: isinstance(test, Relative | Dates),
    }  # fmt: skip
    if test is not None and not right[kind]:
        raise LanguageError(
            f"{quoted(name)} is of the kind {kind}; expected {EXPECTED[kind]}, or missing", segment.source, name.at
        )
    for value in values:
        if isinstance(value, str):
            _known(segment, value, base.levels(name), "level")
    if kind == ORDERED and isinstance(test, Compare) and test.upper and not levels_of(base.levels(name), test):
        raise LanguageError("expected two levels, the lower one first", segment.source, getattr(test.value, "at", -1))


def levels_of(levels: list[str], compare: Compare) -> tuple[Name, ...]:
    """The levels of an ordered category for which a comparison holds."""
    place = levels.index(str(compare.value))
    if compare.sign == "between":
        return tuple(map(Name, levels[place : levels.index(str(compare.upper)) + 1]))
    return tuple(Name(level) for n, level in enumerate(levels) if SIGNS[compare.sign](n, place))


def without_orders(day: pd.Timestamp | str) -> Snapshot:
    """A shop in which nobody has ordered, for customers of whom attributes alone are known."""
    schema = {"customer_id": "string", "order_id": "string", "ordered_at": "timestamp(6)", "amount": "decimal(18, 4)"}
    return Snapshot(ibis.memtable([], schema=schema), pd.Timestamp(day))
