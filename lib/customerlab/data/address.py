"""Addresses of engines: which there are, what may stand in one, and that none has a secret in it.

It is asked before anything is started, so nothing heavy is imported here.
"""

import re
from urllib.parse import parse_qsl

from customerlab.data.secrets import NAME, check_literal
from customerlab.errors import ParameterError

# What an address may set, by engine. All else that an engine knows may load code, or reach what the address does not
# name; it belongs into the engine's own configuration.
SETTINGS: dict[str, re.Pattern[str]] = {
    "duckdb": re.compile(r"threads|memory_limit|max_memory|temp_directory|max_temp_directory_size"),
    "pyspark": re.compile(
        r"spark\.(?:master|remote|app\.name|ui\.(?:enabled|port|showConsoleProgress)|cores\.max|default\.parallelism"
        r"|local\.dir|log\.level|network\.timeout|memory\.\w+|dynamicAllocation\.\w+|sql\.[\w.]+"
        r"|(?:driver|executor)\.(?:memory|memoryOverhead|cores|instances|maxResultSize|host|port|bindAddress))"
    ),
    "bigquery": re.compile("location"),
    "postgres": re.compile("schema|sslmode"),
    "snowflake": re.compile("warehouse|role"),
}
# Settings of Spark SQL that name code to load, or another place to read from.
LOADS = re.compile(
    r"jars|class|extension|plugin|listener|hook|command|script|hive|catalog\.|serializer|provider|factory|ur[il]",
    re.IGNORECASE,
)


def check_address(url: str, where: str = "parameter engine") -> str:
    """Return an engine's address if it may be used and holds no secret; `${NAME}` in it comes from the environment.

    A ParameterError, which names the place `where` and does not quote the address.

    Examples
    --------
    >>> check_address("duckdb://?threads=2")
    'duckdb://?threads=2'
    """
    check_literal(url, where)
    if not NAME.match(url):  # else its kind is known when it is used
        check_reach(url, where)
    return url


def check_reach(url: str, where: str) -> None:
    """Raise unless an address is of a known engine and sets nothing but what may be set there."""
    scheme, query = split(url)[0], split(url)[2]
    if scheme not in SETTINGS or "://" not in url:
        raise ParameterError(
            "there is no such engine" + (f": {scheme!r}" if re.fullmatch(r"[a-z0-9+]{1,20}", scheme) else ""), where=where,
            expected=f"an address that begins with one of: {', '.join(f'{name}://' for name in SETTINGS)}",
            do="docs/engines.md says what each engine needs",
        )  # fmt: skip
    for name, _ in parse_qsl(query, keep_blank_values=True):
        sql = name.startswith("spark.sql.") and name != "spark.sql.warehouse.dir"
        if not SETTINGS[scheme].fullmatch(name) or (sql and LOADS.search(name)):
            raise ParameterError(
                f"an address cannot set {name[:60]!r}", where=where,
                expected="what limits or names the engine, such as threads, memory_limit, spark.master or spark.sql.shuffle.partitions",
                do="put it into the engine's own configuration (for Spark: SPARK_CONF_DIR); docs/engines.md has the list",
            )  # fmt: skip


def split(url: str) -> tuple[str, str, str]:
    """An address as its engine, its place and its settings; no sign but the question mark ends the place."""
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    return scheme, place, query


def settings(url: str) -> dict[str, str]:
    """The settings of an address."""
    return dict(parse_qsl(split(url)[2]))
