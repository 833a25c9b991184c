"""Assignment to arms by a hash of the unit: the same on every day and in every engine, with mutually exclusive tests.

A hash of the test's name and the unit's id is as random as a draw, needs no memory, and makes tests independent of each
other. Its hexadecimal digits sort like the number between 0 and 1 that they stand for, so no engine has to convert
them. DuckDB and Spark give the same arms; Ibis does not support the hash in BigQuery.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import ibis
import ibis.expr.types as ir

DIGITS = 12  # hexadecimal: steps of 1 / 16^12


@dataclass(frozen=True)
class Layer:
    """Mutually exclusive tests: each has a slot of the layer's units.

    Attributes
    ----------
    slots : mapping of str to (float, float)
        By test, the range of its shares of the units; free ranges can be used by later tests. ValueError if slots
        overlap, or are not within 0 and 1.

    Examples
    --------
    >>> Layer("prices", {"rebate": (0, 0.5), "voucher": (0.4, 1)})
    Traceback (most recent call last):
        ...
    ValueError: the slots of 'rebate' and 'voucher' overlap in the layer 'prices'
    """

    name: str
    slots: Mapping[str, tuple[float, float]]

    def __post_init__(self) -> None:
        order = sorted(self.slots.items(), key=lambda item: item[1])
        for test, (begin, end) in order:
            if not 0 <= begin < end <= 1:
                raise ValueError(f"the slot of {test!r} is from {begin} to {end}; expected shares from 0 to 1")
        for (one, (_, end)), (other, (begin, _)) in pairwise(order):
            if begin < end:
                raise ValueError(f"the slots of {one!r} and {other!r} overlap in the layer {self.name!r}")


def hashed(unit: ir.StringColumn, test: str) -> ir.StringColumn:
    """The place of every unit in a test: hexadecimal digits that sort like numbers drawn between 0 and 1."""
    return (ibis.literal(f"arm of {test}: ") + unit).hexdigest("md5").substr(0, DIGITS)


def assign(unit: ir.StringColumn, test: str, split: Mapping[str, float], layer: Layer | None = None) -> ir.StringColumn:
    """The arm of every unit; missing for units outside the test's slot.

    Parameters
    ----------
    unit : ibis string column
        Ids.
    test : str
        Its name is part of the hashed text, so that each test is assigned anew.
    split : mapping of str to float
        Weights of the arms, above zero. Changing them during a test moves units between arms.
    layer : Layer, optional
        With a slot for the test; without one, a ValueError.

    Examples
    --------
    >>> units = ibis.memtable({"unit_id": ["ann", "bob", "cid", "dan"]})
    >>> arm = assign(units.unit_id, "spring mail", {"control": 1, "mail": 1})
    >>> units.mutate(variant=arm).order_by("unit_id").to_pandas()["variant"].tolist()
    ['control', 'mail', 'control', 'control']
    """
    if not split or min(split.values()) <= 0:
        raise ValueError(f"split = {dict(split)}; expected a weight above zero for every arm")
    digest = hashed(unit, test)
    whole, below, branches = sum(split.values()), 0.0, []
    for arm, weight in split.items():
        below += weight / whole
        branches.append((digest < _digits(below), ibis.literal(arm)))
    # the last arm takes what rounding leaves
    arms = ibis.cases(*branches[:-1], else_=branches[-1][1]) if len(branches) > 1 else branches[-1][1]
    if layer is None:
        return arms
    if test not in layer.slots:
        raise ValueError(f"the layer {layer.name!r} has no slot for {test!r}; its tests are {', '.join(layer.slots)}")
    begin, end = layer.slots[test]
    place = (ibis.literal(f"place in {layer.name}: ") + unit).hexdigest("md5").substr(0, DIGITS)
    inside = (place >= _digits(begin)) & (place < _digits(end))
    return ibis.cases((inside, arms))


def _digits(share: float) -> str:
    """The share as hexadecimal digits; for the whole a text that sorts after all of them."""
    number = round(share * 16**DIGITS)
    return f"{number:0{DIGITS}x}" if number < 16**DIGITS else "g"
