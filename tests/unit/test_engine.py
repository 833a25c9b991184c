"""Addresses of engines: what they may reach, and that no secret in one is ever shown."""

import json
import os

import duckdb
import nbformat
import pytest
from hypothesis import given, strategies as st

from customerlab.data import secrets
from customerlab.data.address import check_address
from customerlab.data.catalog import find_data_set
from customerlab.data.engine import DUCKDB_ALWAYS, connect
from customerlab.data.warehouse import prepare
from customerlab.errors import CustomerlabError, ParameterError, RunError
from customerlab.workbench.normalise import normalise
from customerlab.workbench.parameters import Parameter
from customerlab.workbench.plan import make_plan

SECRET = "hunter2-Zx9"

WITH_SECRETS = [
    f"postgres://shop:{SECRET}@host/db",
    f"postgres://shop:a/{SECRET}@host/db",
    f"postgres%3A//shop%3A{SECRET}%40host",
    f"postgres://shop:${{PW}}{SECRET}@host/db",
    f"snowflake://shop:{SECRET}@account/db?warehouse=w",
    f"duckdb:///shop.db?password={SECRET}",
    f"duckdb://?custom_user_agent={SECRET}",
    f"bigquery://project/set?credentials={SECRET}",
    f"pyspark://?spark.remote=sc://host:15002/;token={SECRET}",
    f"pyspark://?spark.hadoop.fs.s3a.secret.key={SECRET}",
    f"pyspark://?spark.sql.catalog.x.jdbc.pwd={SECRET}",
    f"pyspark://?spark.app.name=x&sas={SECRET}",
    f"nosuch://shop:{SECRET}@host",
]


@pytest.mark.slow
@pytest.mark.parametrize("address", WITH_SECRETS)
def test_an_address_with_a_secret_is_refused_and_not_quoted(project, address):
    params = project / "params" / "demo.yml"
    params.write_text(params.read_text() + f"\nengine: {json.dumps(address)}\n")
    for refuse in (
        lambda: check_address(address),
        lambda: connect(address),
        lambda: make_plan(project, "demo"),
        lambda: Parameter("engine", "str", "duckdb://", "").check(address, "-p engine"),
    ):
        with pytest.raises(ParameterError) as caught:
            refuse()
        assert SECRET not in str(caught.value) and "do:" in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_an_address_of_a_wrong_kind_is_not_quoted_either():
    with pytest.raises(ParameterError) as caught:
        Parameter("engine", "str", "duckdb://", "").check([f"postgres://shop:{SECRET}@host/db"], "-p engine")
    assert SECRET not in str(caught.value)


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"], exclude_characters="@$"), min_size=6))
def test_no_password_passes_whatever_its_signs(password):
    with pytest.raises(ParameterError) as caught:
        check_address(f"postgres://shop:x{password}@host/db")
    assert password not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "duckdb://", "duckdb://?threads=2&memory_limit=4GB", "duckdb:///data/shop.db", "duckdb:///data/${SHOP_FILE}", "${SHOP_DB}",
        "postgres://shop:${SHOP_PASSWORD}@host:5432/db?sslmode=require", "bigquery://project/dataset",
        "pyspark://?spark.master=spark://host:7077&spark.driver.memory=4g", "pyspark://?spark.master=k8s://https://host:443",
        "pyspark://?spark.remote=sc://host:15002/;token=${TOKEN}",
        "pyspark://?spark.master=local[2]&spark.sql.shuffle.partitions=2&spark.sql.session.timeZone=America/New_York",
    ],
)  # fmt: skip
def test_addresses_without_a_secret_pass(address):
    assert check_address(address) == address


@pytest.mark.parametrize(
    "setting",
    [
        "spark.jars=http://host/a.jar", "spark.jars.packages=a:b:1", "spark.submit.pyFiles=a.py", "spark.plugins=a.B",
        "spark.driver.extraJavaOptions=-javaagent:a.jar", "spark.executor.extraClassPath=a", "spark.sql.extensions=a.B",
        "spark.sql.catalog.x=a.B", "spark.sql.hive.metastore.jars=maven", "spark.yarn.archive=hdfs://a",
        "spark.sql.parquet.output.committer.class=a.B", "spark.pyspark.python=/tmp/x", "spark.hadoop.fs.defaultFS=s3a://a",
    ],
)  # fmt: skip
def test_an_address_of_spark_loads_and_runs_nothing(setting):
    with pytest.raises(ParameterError, match="an address cannot set") as caught:
        check_address(f"pyspark://?spark.master=local&{setting}")
    assert setting.partition("=")[0] in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["sqlite:///shop.db", "polars://", "shop.duckdb", "md:shop", "duckdb:md:shop", "file:///shop.db", "https://host/x", "", "DUCKDB://"],
)  # fmt: skip
def test_other_engines_are_refused(address):
    with pytest.raises(ParameterError, match="there is no such engine"):
        connect(address)


@pytest.mark.parametrize(
    "place", ["https://127.0.0.1:9/x.db", "md:shop", "motherduck:shop", "s3://bucket/x.db", "sqlite:x.db", "postgres:host=x"]
)  # fmt: skip
def test_a_place_is_a_file_and_never_the_network(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match="no such database file"):
        connect(f"duckdb://{place}")


def test_duckdb_fetches_no_extension(tmp_path):
    con = connect()
    asked = con.con.execute(
        f"SELECT name, value FROM duckdb_settings() WHERE name IN {tuple(DUCKDB_ALWAYS)}"
    ).fetchall()
    assert dict(asked) == DUCKDB_ALWAYS
    with pytest.raises(duckdb.Error, match="requires the extension httpfs"):
        con.con.execute("SELECT * FROM read_csv('https://127.0.0.1:9/x.csv')")
    with pytest.raises(ParameterError, match="cannot set 'autoload_known_extensions'"):
        connect("duckdb://?autoload_known_extensions=true")


def test_a_name_stays_a_name_and_is_looked_up_where_it_is_used(tmp_path, monkeypatch):
    duckdb.connect(str(tmp_path / "shop.db")).execute("CREATE TABLE t AS SELECT 1 AS x").close()
    for address, value in (
        ("${SHOP_DB}", f"duckdb://{tmp_path}/shop.db"),
        (f"duckdb://{tmp_path}/${{SHOP_DB}}", "shop.db"),
    ):
        monkeypatch.setenv("SHOP_DB", value)
        con = connect(address)
        assert con.table("t").count().execute() == 1
        con.disconnect()
        monkeypatch.delenv("SHOP_DB")
        with pytest.raises(ParameterError, match="the environment has no variable SHOP_DB"):
            connect(address)


@pytest.mark.parametrize("address", ["${SHOP_DB}", "postgres://shop:${SHOP_DB}@127.0.0.1:9/db", "duckdb:///${SHOP_DB}"])
def test_what_an_engine_says_shows_no_secret(address, monkeypatch):
    whole = address == "${SHOP_DB}"
    monkeypatch.setenv("SHOP_DB", f"postgres://shop:{SECRET}@127.0.0.1:9/db" if whole else SECRET)
    monkeypatch.setattr("ibis.connect", lambda url: (_ for _ in ()).throw(OSError(f"no answer from {url}")))
    with pytest.raises(ParameterError, match="cannot connect") as caught:
        connect(address)
    assert SECRET not in str(caught.value) and address in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_name_of_the_environment_reaches_no_engine_that_is_not_known(monkeypatch):
    for value in ("sqlite:///x", f"duckdb://?custom_user_agent={SECRET}", "pyspark://?spark.jars=http://host/a.jar"):
        monkeypatch.setenv("SHOP_DB", value)
        with pytest.raises(ParameterError) as caught:
            connect("${SHOP_DB}")
        assert SECRET not in str(caught.value)


def test_outputs_show_no_secret(monkeypatch):
    monkeypatch.setenv("SHOP_DB", f"postgres://shop:{SECRET}@host/db?x=<1>&token=t0k3n-123")
    check_address("${SHOP_DB}")
    outputs = [
        nbformat.v4.new_output("stream", text=f"password is {SECRET}\n"),
        nbformat.v4.new_output("display_data", {"text/html": "<b>t0k3n-123</b>", "text/plain": os.environ["SHOP_DB"]}),
        nbformat.v4.new_output("error", ename="E", evalue=f"{SECRET}!", traceback=[f"at {SECRET}", "mysql://a:b@c/d"]),
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", outputs=outputs)])
    text = json.dumps(normalise(notebook))
    assert SECRET not in text and "t0k3n-123" not in text and "a:b@c" not in text and "***" in text


def test_a_file_with_a_secret_is_not_published(tmp_path, monkeypatch):
    monkeypatch.setenv("SHOP_DB", f'postgres://shop:{SECRET}"ä@host/db')
    path = tmp_path / "01.ipynb"
    path.write_text(json.dumps({"cells": [os.environ["SHOP_DB"]]}))
    monkeypatch.setattr(secrets, "_names", set())
    secrets.check_clean([path])
    check_address("${SHOP_DB}")
    with pytest.raises(RunError, match="the variable SHOP_DB stands in 01") as caught:
        secrets.check_clean([path])
    assert SECRET not in str(caught.value)


def test_an_engine_that_lacks_a_table_shows_no_secret(project, tmp_path, monkeypatch):
    class Engine:
        name = "postgres"

        def table(self, *_, **__):
            raise RuntimeError(f"at postgres://shop:{SECRET}@host/db")

    monkeypatch.setattr("customerlab.data.warehouse.connect", lambda url: Engine())
    catalog = project / "data" / "catalog.yml"
    catalog.write_text(
        "shop:\n  title: A shop\n  files: {lines: {table: lines}}\n  tables:\n    "
        "products: {columns: {product_id: sku, description: name}}\n"
    )
    with pytest.raises(CustomerlabError, match="has no table lines") as caught:
        prepare("${SHOP_DB}", tmp_path, find_data_set(project, "shop"), "products")
    assert SECRET not in str(caught.value)
