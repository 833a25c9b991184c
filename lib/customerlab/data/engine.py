"""The engine that the big tables stay in: any Ibis back end, DuckDB in this process unless the run says otherwise."""

from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from customerlab.errors import ParameterError

DEFAULT = "duckdb://"


def connect(url: str = DEFAULT) -> Any:
    """Connect to an engine by its Ibis address.

    Parameters
    ----------
    url : str
        For example ``duckdb://`` (in this process).

    Raises
    ------
    ParameterError
        If there is no such engine, or its package is not installed.

    Examples
    --------
    >>> connect("duckdb://").name
    'duckdb'
    """
    try:
        return ibis.connect(url)
    except Exception as error:  # each back end has errors of its own; each means that the address does not work
        raise ParameterError(
            f"cannot connect to the engine {url!r}: {' '.join(str(error).split())[:300]}",
            where="parameter engine",
            expected="an Ibis address whose back end is installed, such as duckdb://",
        ) from None


def open_table(con: Any, path: Path) -> ir.Table:
    """Open a prepared parquet file as a lazy table."""
    return con.read_parquet(path, table_name=path.stem)
