"""All faults of an entry's tables are told in one pass: each with its place, and none that follows from another."""

import pytest
from click.testing import CliRunner

from customerlab.data.prepare import prepare
from customerlab.errors import DataError, DataErrors, raise_all
from customerlab.workbench.cli import main

ENTRY = """
shop:
  title: A shop
  files:
    sales: shop.csv
    goods: goods.csv
  tables:
    transactions:
      file: sales
      columns: {customer_id: who, order_id: order, ordered_at: day, product_id: what, quantity: pieces, unit_price: price, country: land}
      clean: [quantity_not_positive]
    products:
      file: goods
      columns: {product_id: what, description: name}
"""
SALES = """\
who,order,day,what,pieces,price,land
A,1,2024-01-02,x,1,2.50,DE
B,2,2.1.2024,y,2,3.50,DE
"B ",3,3.1.2024,y,two,3.50,DE
C,,2024-01-04,,1,3.50,DE
C,4,2024-01-04,x,-1,,DE
"""


def put(project, sales=SALES, goods="what,name\nx,Mug\nx,Cup\ny,Jug\n"):
    (project / "data" / "raw").mkdir(exist_ok=True)
    (project / "data" / "raw" / "shop.csv").write_text(sales)
    (project / "data" / "raw" / "goods.csv").write_text(goods)
    (project / "data" / "catalog.yml").write_text(ENTRY)


def faults(project, table="transactions"):
    with pytest.raises(DataError) as caught:
        prepare(project, project / "outputs" / "shop", table, "shop")
    return getattr(caught.value, "faults", (caught.value,))


@pytest.mark.thorough
def test_every_column_with_a_fault_is_told_with_its_first_row(project):
    put(project)
    found = {fault.what: fault.where for fault in faults(project)}
    places = {
        "two values of customer_id differ only by the blanks around them": "row 3 below the header, column 'who'",
        "'2.1.2024' cannot be read as ordered_at and 1 more like it": "row 2 below the header, column 'day'",
        "'two' cannot be read as quantity": "row 3 below the header, column 'pieces'",
        "order_id is empty in 1 row": "row 4 below the header, column 'order'",
        "product_id is empty in 1 row": "row 4 below the header, column 'what'",
    }
    assert {what: where.removeprefix("shop.csv, ") for what, where in found.items()} == places  # no price: its row goes


@pytest.mark.thorough
def test_columns_that_are_missing_do_not_hide_what_is_wrong_with_others(project):
    put(project, SALES.replace("land", "country").replace("pieces", "number"))
    first, *others = faults(project)
    assert first.what == "missing column: 'pieces', 'land'" and "'number', 'price', 'country'" in first.where
    assert [fault.what.split(" cannot")[0] for fault in others[1:]] == ["'2.1.2024'"], "nothing is said of empty pieces"
    put(project, SALES.replace(",", ";"))
    (only,) = faults(project)
    assert only.what.startswith("missing column: 'who', 'order'")


@pytest.mark.thorough
def test_the_check_tells_the_faults_of_all_tables_and_ends_with_status_1(project, monkeypatch):
    monkeypatch.chdir(project)
    put(project)
    done = CliRunner().invoke(main, ["data", "check", "shop"])
    assert done.exit_code == 1 and done.output.count("[shop] FAILED") == 6, (
        "of the returns, of the same rows, only their price"
    )
    assert "one product_id stands in 2 rows" not in done.output, "a product may have several names"
    put(project, SALES.replace("2.1.2024", "2024-01-02").replace("3.1.2024", "2024-01-03"), "what,name\nx,Mug\n")
    assert CliRunner().invoke(main, ["data", "check", "shop"]).output.count("[shop] FAILED") == 5


def test_what_was_found_is_raised_as_one_error_and_nothing_where_there_is_nothing():
    raise_all([])
    one, other = DataError("no date", where="a.csv"), DataError("no price")
    for faults in ([one], [one, other]):
        with pytest.raises(DataErrors) as caught:
            raise_all(faults)
        assert caught.value.faults == tuple(faults) and str(caught.value) == "\n".join(map(str, faults))
        assert (caught.value.what, caught.value.where) == ("no date", "a.csv")
