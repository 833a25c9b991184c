"""A shop of which only the attributes of customers are known, for methods that compare customers."""

import difflib
from collections.abc import Sequence

import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.clustering.features import FEATURES
from customerlab.analysis.described import Described
from customerlab.analysis.profile.attributes import typed
from customerlab.analysis.profile.encoding import fit_encoding
from customerlab.data.tables import Attribute


def described(
    table: "pd.DataFrame | ir.Table", attributes: Sequence[Attribute], features: Sequence[str] = (), *,
    transform: str = "log1p", scaling: str = "standard",
) -> Described:  # fmt: skip
    """Customers as their attributes say, encoded by the rules of `fit_encoding`.

    Parameters
    ----------
    table : DataFrame or ibis Table
        The canonical `customers`.
    features : sequence of str
        The attributes to compare; features of orders among them are not known and do not count. Where none is left,
        all attributes that are not sensitive.

    Raises
    ------
    ValueError
        As `typed` and `fit_encoding` do; for a feature that is neither an attribute nor one of orders, and for fewer
        than two customers.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["a", "b"], "age": [20.0, 40.0]})
    >>> shop = described(rows, [Attribute("age", "number")], ["recency"])
    >>> shop.values.to_dict("list"), shop.space.points(shop.values).tolist()
    ({'customer_id': ['a', 'b'], 'age': [20.0, 40.0]}, [[-1.0], [1.0]])
    """
    rows = typed(table, attributes)
    for name in features:
        if name not in rows and name not in FEATURES:
            near = difflib.get_close_matches(name, [*rows, *FEATURES], 1, cutoff=0)[0]
            raise ValueError(
                f"there is no attribute {name!r}; did you mean {near!r}? There are {', '.join(map(str, rows))}"
            )
    if len(rows) < 2:
        raise ValueError("there is one customer only; expected at least two to compare")
    names = [name for name in features if name in rows]
    fitted = fit_encoding(rows, attributes, names=names, transform=transform, scaling=scaling)
    left_out = fitted.left_out | {str(name): "not asked for" for name in rows if names and name not in names}
    return Described(fitted.values(rows).reset_index(), fitted.space, fitted.blocks, left_out)


def compared_on(shop: Described) -> list[str]:
    """What customers are compared on, and which attributes are left out, as sentences.

    Examples
    --------
    >>> rows = pd.DataFrame({"customer_id": ["a", "b"], "age": [20, 40], "sex": ["f", "m"], "home": ["x", "x"]})
    >>> kinds = [Attribute("age", "number"), Attribute("sex", "category", sensitive=True), Attribute("home", "region")]
    >>> for said in compared_on(described(rows, kinds)): print(said)
    Customers are compared on 1 attribute, in 1 column; orders are not known.
    Left out: sex (sensitive), home (constant).
    """
    counts = [len(shop.blocks), len(shop.space.names)]
    said = [f"{n} {word}{'s' * (n > 1)}" for n, word in zip(counts, ("attribute", "column"), strict=True)]
    found = [f"Customers are compared on {said[0]}, in {said[1]}; orders are not known."]
    if shop.left_out:
        found.append(f"Left out: {', '.join(f'{name} ({why})' for name, why in shop.left_out.items())}.")
    return found
