"""Customers of whom attributes alone are known, in place of a shop that has orders (`orders.Shop`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, eq=False)
class Described:
    """Customers with what methods compare them on; nothing is known of what they bought, or when.

    Attributes
    ----------
    values : DataFrame
        `customer_id`, sorted, and one column of numbers for each feature, in its own unit, none missing.
    space : Space
        How these columns become points.
    blocks : sequence of sequences of int
        The places of the columns that are made of one attribute, in the order of the columns.
    left_out : dict of str to str
        Attributes that are not compared, and why.
    """

    values: pd.DataFrame
    space: Any  # of a package that lies above this module
    blocks: Sequence[Sequence[int]]
    left_out: Mapping[str, str]
    summarised = True
    untested = "only attributes of customers are known, and not what they did"
    money = "unknown"
    when = "the day of the table"
    day = pd.NaT
    returns = None
    products = None
    unknown = ()
