"""Both engines, in a zone that would move every time that passes through it."""

import os
import shutil
import time
from pathlib import Path

import pytest

from customerlab.data.engine import connect

# New York was set to winter time, so that an hour came twice, and to summer time, so that an hour was missing.
HOSTILE = "America/New_York"
SPARK = (
    "pyspark://?spark.master=local[2]&spark.sql.shuffle.partitions=2&spark.driver.memory=2g"
    f"&spark.sql.session.timeZone={HOSTILE}&spark.sql.ansi.enabled=false&spark.sql.adaptive.enabled=false"
)
# hundreds of small queries, each run once: Java's second compiler and other plans half-way cost more than they save
JAVA = "--driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' pyspark-shell"


@pytest.fixture(scope="session", autouse=True)
def hostile_zone():
    """This process, and the Java that it starts, live in New York."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = HOSTILE
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture(scope="session")
def spark(hostile_zone):
    """One Spark for all tests."""
    java = shutil.which("java") or (Path(os.environ.get("JAVA_HOME", "none")) / "bin" / "java").is_file()
    if not java:
        pytest.skip("there is no Java on this machine; Spark needs 17 or 21")
    pytest.importorskip("pyspark", reason="the extra `spark` is not installed")
    os.environ["PYSPARK_SUBMIT_ARGS"] = JAVA  # an address cannot say it: options of Java can load code
    try:
        return connect(SPARK)
    finally:
        del os.environ["PYSPARK_SUBMIT_ARGS"]


@pytest.fixture(scope="session")
def duckdb(hostile_zone):
    """DuckDB, told of the same zone."""
    con = connect()
    con.raw_sql(f"SET TimeZone = '{HOSTILE}'")
    return con


@pytest.fixture(params=["duckdb", "spark"])
def engine(request):
    """One engine after the other."""
    return request.getfixturevalue(request.param)
