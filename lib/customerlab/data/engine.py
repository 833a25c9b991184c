"""The engine that the big tables stay in: DuckDB in this process unless the run says otherwise.

`docs/engines.md` says how a team on Spark or BigQuery runs the workbench, and what has been tested.
"""

import atexit
import glob
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.data.address import check_address, check_reach, settings, split
from customerlab.data.project import text_digest
from customerlab.data.secrets import expanded, masked
from customerlab.errors import ParameterError

DEFAULT = "duckdb://"
# What every connection to DuckDB has: it fetches no extension, so that a path or a database never reaches the network.
DUCKDB_ALWAYS = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}

# What a Spark session must have for the numbers to be those of DuckDB.
SPARK_ALWAYS = {
    # Times are naive. Whatever Spark turns into an instant on the way goes through this zone, which has no clock
    # changes, and not through the machine's, in which some times do not exist and others exist twice.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    # A sum that does not fit, a text that is no number, a division by zero: an error, not NULL as Spark 3 has it.
    "spark.sql.ansi.enabled": "true",
    # Results cross as Arrow tables, not row by row: there may be millions of customers.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",
}
# What a session that is started here has besides, unless the address or Spark's own configuration says otherwise.
SPARK_QUIET = {"spark.app.name": "customerlab", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}


def connect(url: str = DEFAULT) -> Any:
    """Connect to an engine by its Ibis address.

    For example ``duckdb://`` (in this process), ``duckdb://?threads=2&memory_limit=4GB``, ``duckdb:///shop.db`` or
    ``pyspark://?spark.master=local[2]`` (a session that this process has already is used; `spark.remote` names a Spark
    Connect server). `${NAME}` stands for a variable of the environment.

    A ParameterError where there is no such engine, its package is not installed, or the address has a secret or sets
    what it may not.

    Examples
    --------
    >>> connect("duckdb://").name
    'duckdb'
    """
    where = "parameter engine"
    check_address(url, where)
    address = expanded(url, where)
    check_reach(address, where)
    with tempfile.TemporaryFile() as log:  # gone when it is closed; a running Spark still writes into it
        try:
            opened = {"duckdb": lambda: _duckdb(address), "pyspark": lambda: _spark(address, log)}
            return opened.get(split(address)[0], lambda: ibis.connect(address))()
        except Exception as error:  # each back end has errors of its own; each means that the address does not work
            log.seek(0)
            said = masked(" ".join(f"{error} {log.read().decode(errors='replace')}".split()))
            raise ParameterError(
                f"cannot connect to the engine {url!r}: {said[:600]}", where=where,
                expected="an Ibis address whose back end is installed, such as duckdb://",
                do="docs/engines.md says what each engine needs",
            ) from None  # fmt: skip


def _duckdb(url: str) -> Any:
    """A connection to DuckDB in this process, or to a database file, which is read and never written.

    `ibis.connect` would take ``md:shop`` for a database on the network.
    """
    place = split(url)[1]
    options = DUCKDB_ALWAYS | settings(url)
    if not place:
        # what does not fit into memory goes to the machine's own place for it, not into the notebooks' folder
        options.setdefault("temp_directory", f"{tempfile.gettempdir()}/customerlab-{os.getpid()}")
        return ibis.duckdb.connect(**options)
    path = Path(place).absolute()
    if not path.is_file():
        raise FileNotFoundError("there is no such database file")
    # notebooks that run in parallel can all open it
    return ibis.duckdb.connect(path, read_only=True, **options)


def _spark(url: str, log: Any) -> Any:
    """A connection to Spark that gives DuckDB's numbers and writes nothing into a notebook.

    `ibis.connect` sets every setting of the address on the running session once more, which Spark refuses for those
    that count at the start only, such as the master or the memory.
    """
    import pyspark
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql import SparkSession

    given, place = settings(url), split(url)[1]
    if place.strip("/"):  # as Ibis has it: the folder of the tables that Spark itself manages
        given["spark.sql.warehouse.dir"] = place
    remote = "spark.remote" in given or "SPARK_REMOTE" in os.environ
    started = SparkSession.getActiveSession() is None
    if started and not remote:
        conf = pyspark.SparkConf().setAll([*SPARK_QUIET.items(), *given.items(), *SPARK_ALWAYS.items()])
        # Java's own stderr would become output of the notebook's cell.
        context = pyspark.SparkContext(conf=conf, gateway=launch_gateway(conf, {"stderr": log}))
        context.setLogLevel("ERROR")
        given = {}
    builder = SparkSession.builder
    for key, value in given.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    if started:
        atexit.register(session.stop)
    plain = ibis.pyspark.connect(session, **SPARK_ALWAYS)

    class Spark(type(plain)):  # type: ignore[misc]
        """Times in pandas to the microsecond, as DuckDB has them; pyspark makes them nanoseconds."""

        def execute(self, expr: ir.Expr, /, **options: Any) -> Any:
            result = super().execute(expr, **options)
            if isinstance(result, pd.DataFrame):
                return result.astype(dict.fromkeys(result.select_dtypes("datetime").columns, "datetime64[us]"))
            if isinstance(result, pd.Series) and result.dtype.kind == "M":
                return result.astype("datetime64[us]")
            return result

    return Spark().connect(session)


def literal(con: Any, path: Path) -> str:
    """A path as an engine has to be given it, so that brackets and the like in it are taken as they stand.

    DuckDB and Hadoop read ``s[1].csv`` as a pattern, which finds ``s1.csv`` and not the file of that name.
    """
    if con.name == "duckdb":
        return glob.escape(str(path))
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", str(path)) if con.name == "pyspark" else str(path)


def open_table(con: Any, path: Path) -> ir.Table:
    """Open a prepared parquet file as a lazy table."""
    # The name is the file's own: a Spark session is shared by all runs of a process, and a view of the same name would
    # turn one run's table into another's.
    path = path.resolve()
    return con.read_parquet(literal(con, path), table_name=f"table_{text_digest(str(path))[:12]}")
