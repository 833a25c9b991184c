"""Tables for a page: each with its caption and with how its columns are written, as `show` takes them."""

from collections.abc import Hashable, Iterable, Mapping

import pandas as pd

Shown = list[tuple[pd.DataFrame, str, dict[str, str]]]


def shown(
    table: pd.DataFrame, columns: Iterable[Hashable], caption: str, formats: Mapping[str, str], names: Mapping[str, str]
) -> Shown:
    """Some columns of a table, renamed by `names`, with the formats of those that have one; none without rows.

    Examples
    --------
    >>> table = pd.DataFrame({"p": [0.04], "n": [3]})
    >>> shown(table, ["p"], "A test", {"Holm p": "{:.3f}", "n": "{:,}"}, {"p": "Holm p"})[0][2]
    {'Holm p': '{:.3f}'}
    """
    found = table[list(columns)].rename(columns=dict(names))
    return (
        [(found, caption, {name: formats[name] for name in map(str, found) if name in formats})] if len(found) else []
    )
