"""What an entry can say of columns: each key gives what a hand computes, each slip is answered with what to write."""

from decimal import ROUND_HALF_UP, Decimal

import duckdb
import pandas as pd
import pytest
import yaml

from customerlab.data.catalog import load_catalog
from customerlab.data.fingerprint import table_fingerprint
from customerlab.data.prepare import prepare
from customerlab.data.sources import source_of
from customerlab.errors import CustomerlabError
from customerlab.workbench.plan import Plan, why_lacking
from helpers import LETTERS

LOG = """c,o,d,p,q,u
A,1,2024-01-01,x,1,2
B,2,2024-01-02,y,3,4.50
"""


def without(*names: str, **others) -> dict:
    """The usual column map less some columns, and with others."""
    return {name: column for name, column in LETTERS.items() if name not in names} | others


def entry(columns: dict, files: dict | None = None, euros: bool = False, **table) -> dict:
    """An entry with a table of transactions."""
    transactions = {"columns": columns} | table
    whole = {"title": "A shop", "files": dict(files or {"log": "log.csv"}), "tables": {"transactions": transactions}}
    return whole | ({"currency": "EUR"} if euros else {})


@pytest.fixture
def shop(tmp_path):
    """A function from an entry and its files to a prepared table and its report."""
    (tmp_path / "data" / "raw").mkdir(parents=True)

    def made(entry: dict, table: str = "transactions", **files: str) -> tuple[pd.DataFrame, dict]:
        for name, text in ({"log": LOG} | files).items():
            (tmp_path / "data" / "raw" / f"{name}.csv").write_text(text, encoding="utf-8")
        (tmp_path / "data" / "catalog.yml").write_text(
            yaml.safe_dump({"shop": entry}, sort_keys=False), encoding="utf-8"
        )
        done = prepare(tmp_path, tmp_path / "outputs" / "shop", table, "shop", progress=False)
        return pd.read_parquet(done.path), done.report

    made.root = tmp_path
    return made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quantity": {"row_number": True}}, "`quantity: {value: …}`"),
        ({"ordered_at": {"row_number": True}}, "can stand in for ids alone"),
        ({"order_id": {"row_number": False}}, "`order_id: <column of the file>`, or `row_number: true`"),
        ({"ordered_at": {"columns": []}}, "at least one column of the file: `columns: [NAME]`"),
        ({"ordered_at": {"columns": "Date"}}, "`columns: [Date]`"),
        ({"ordered_at": {"columns": ["d", "d"]}}, "twice"),
        ({"ordered_at": {"column": "d", "with": "-"}}, "`columns: [A, B]` beside it"),
        ({"order_id": {"columns": ["a", "b"], "with": ""}}, 'one sign in quotes, such as "/"'),
        ({"order_id": {"columns": ["a", "b"], "with": "--"}}, 'one sign in quotes, such as "/"'),
        ({"order_id": {"column": "a", "value": "b"}}, "found `column` and `value`"),
        ({"order_id": {"value": "1"}}, "`order_id: <column of the file>`, or `{row_number: true}`"),
        ({"customer_id": {"value": "web"}}, "customer_id cannot be the same in every row"),
        ({"product_id": ["a", "b"]}, "`product_id: {columns: [A, B]}`"),
        ({"quantity": {"columns": ["a", "b"]}}, "`quantity: {column: A, plus: [B]}`"),
        ({"quantity": {"value": "1"}}, "a number without quotes, such as `value: 1`"),
        ({"quantity": {"value": True}}, "a number without quotes"),
        ({"quantity": {"value": float("inf")}}, "a number without quotes"),
        ({"quantity": {"column": "q", "format": "%d"}}, "`format` is for times, and quantity is a number"),
        ({"product_id": {"column": "p", "scale": 2}}, "`scale` is for numbers"),
        ({"quantity": {"column": "q", "minus_of_order": ["a"]}}, "`minus_of_order` is for money"),
        ({"unit_price": {"column": "u", "scale": 0}}, "`scale: 0.01`"),
        ({"unit_price": {"column": "u", "scale": "0.01"}}, "`scale: 0.01`"),
        ({"unit_price": {"column": "u", "minus": "Discount"}}, "`minus: [Discount]`"),
        ({"unit_price": {"column": "u", "less": "Discount"}}, "unknown key 'less'"),
        ({"ordered_at": {"value": "yesterday"}}, "2024-12-31 23:59:59"),
        ({"amount": "total"}, "both `amount` and `unit_price` are mapped"),
        ({"unit_price": None}, "no column is named"),
        ({"amont": "total"}, "did you mean amount?"),
    ],
)  # fmt: skip
def test_a_slip_in_a_column_map_is_answered_with_what_to_write(shop, change, said):
    with pytest.raises(CustomerlabError) as caught:
        shop(entry(LETTERS | change))
    assert said in str(caught.value) and "data/catalog.yml, shop, tables, transactions, columns" in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"clean": "customer_missing"}, "`clean: [customer_missing]`"),
        ({"clean": {"order_cancelled": {"prefix": "S"}}}, "`clean: [{order_cancelled: …}]`"),
        ({"clean": ["customer_mising"]}, "did you mean customer_missing?"),
        ({"clean": ["not_a_return"]}, "is not to be listed"),
        ({"clean": [{"drop_where": "Status"}]}, "`drop_where: {column: Status, in: [cancelled]}`"),
        ({"clean": [{"drop_where": {"column": "Status"}}]}, "there is no condition"),
        ({"clean": [{"drop_where": {"in": ["a"]}}]}, "add `column: …`"),
        ({"clean": [{"drop_where": {"column": "S", "in": ["a"], "empty": True}}]}, "list the rule once for each condition"),
        ({"clean": [{"drop_where": {"column": "S", "equals": "a"}}]}, "unknown key 'equals'"),
        ({"clean": [{"drop_where": {"column": "S", "in": "a"}}]}, "`in: [a]`"),
        ({"clean": [{"drop_where": {"column": "S", "in": []}}]}, "at least one value"),
        ({"clean": [{"drop_where": {"column": "S", "in": [True]}}]}, "in quotes where it looks like something else"),
        ({"clean": [{"drop_where": {"column": "S", "empty": "yes"}}]}, "`empty: true`"),
        ({"clean": [{"drop_where": {"column": "S", "matches": 5}}]}, "in quotes where it looks like a number"),
        ({"clean": [{"drop_where": {"column": "S", "matches": "("}}]}, "is not a regular expression"),
        ({"clean": [{"keep_where": {"column": "S", "above": "0"}}]}, "a number"),
        ({"clean": [{"keep_where": {"column": "S", "above": 0, "of": "customer"}}]}, "`of: order`, for transactions"),
        ({"file": ["log", "more"]}, "`file: log`, and others joined to it: `join: {more: <key>}`"),
        ({"file": "logs"}, "did you mean log?"),
        ({"join": ["more"]}, "`join: {more: <key>}`"),
        ({"join": {"log": "o"}}, "is the one that others are joined to"),
        ({"join": {"mor": "o"}}, "file 'mor'"),
        ({"join": {"more": None}}, "join, more"),
        ({"join": {"more": {}}}, "`more: {customer_id: id}`"),
        ({"currency": "EUR"}, "`currency: {column: NAME}`"),
        ({"currency": {"column": "cur"}}, "`currency: EUR`"),
    ],
)  # fmt: skip
def test_a_slip_in_a_table_is_answered_with_what_to_write(shop, keys, said):
    with pytest.raises(CustomerlabError) as caught:
        shop(entry(LETTERS, {"log": "log.csv", "more": "more.csv"}, **{"file": "log"} | keys))
    assert said in str(caught.value)


def test_files_that_are_a_text_are_answered_with_what_to_write(shop):
    with pytest.raises(CustomerlabError, match=r"`files: \{sales: t\.csv\}`"):
        shop(entry(LETTERS) | {"files": "t.csv"})


def test_neither_a_price_nor_a_total_is_said_with_both(shop):
    with pytest.raises(
        CustomerlabError, match="`unit_price: <column of the file>`, or `amount: <column of the line's total>`"
    ):
        shop(entry(without("unit_price")))
    with pytest.raises(CustomerlabError, match="there is no `unit_price` that it could adjust"):
        shop(entry(without("unit_price", amount={"minus": ["u"]})))


@pytest.mark.thorough
def test_totals_of_lines_are_money_to_the_last_digit_and_prices_follow(shop):
    """Totals of Superstore's kind, the sums by Python's decimals; a line without a quantity is one piece."""
    totals = ["261.96", "957.5775", "0.00005", "-12.3456", "1234567.8901", "0.12344999"]
    log = "c,o,d,p,q,t\n" + "".join(f"c{n % 2},{n},2024-01-01,x,{n + 1},{total}\n" for n, total in enumerate(totals))
    rows, _ = shop(entry(without("unit_price", amount="t")), log=log)
    rows = rows.sort_values("order_id")
    exact = [Decimal(total).quantize(Decimal("0.0001"), ROUND_HALF_UP) for total in totals]
    assert rows["amount"].tolist() == exact
    assert rows["unit_price"].tolist() == pytest.approx([float(total) / (n + 1) for n, total in enumerate(exact)])
    rows, _ = shop(entry(without("unit_price", "quantity", amount="t")), log=log)
    assert set(rows["quantity"]) == {1.0} and sum(rows["amount"]) == sum(exact)


@pytest.mark.thorough
def test_pieces_of_none_have_no_price_and_are_refused_or_removed(shop):
    log = "c,o,d,p,q,t\nA,1,2024-01-01,x,0,5\nB,2,2024-01-01,x,1,6\nC,3,2024-01-01,x,1,\nD,4,2024-01-01,x,,7\nE,,2024-01-01,x,1,8\n"
    columns = without("unit_price", amount="t")
    for rules, said in (
        ([], "order_id is empty in 1 row"),
        (["order_missing"], "add the rule `quantity_missing`"),
        (["order_missing", "quantity_missing"], "amount is empty in 1 row"),
    ):
        with pytest.raises(CustomerlabError) as caught:
            shop(entry(columns, clean=rules), log=log)
        assert said in str(caught.value)
    with pytest.raises(CustomerlabError, match="quantity is 0 in 1 row with an amount") as caught:
        shop(entry(columns), log="c,o,d,p,q,t\nA,1,2024-01-01,x,0,5\nB,2,2024-01-01,x,1,6\n")
    assert "log.csv, row 1 below the header" in str(caught.value) and "leave `quantity` out" in str(caught.value)
    rows, report = shop(
        entry(columns, clean=["order_missing", "quantity_missing", "price_missing"]), log=log + "F,6,2024-01-01,x,1,1\n"
    )
    assert rows["customer_id"].tolist() == ["B", "F"]
    assert [step["rows_removed"] for step in report["row_accounting"]] == [0, 1, 1, 2]
    assert report["row_accounting"][-1]["amount_removed"] == "5.0000", "money without pieces is accounted for"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("price", "wanted"),
    [
        ({"column": "u", "scale": 0.01}, ["0.0200", "0.1350"]),
        ({"column": "u", "minus": ["q"]}, ["1.0000", "4.5000"]),
        ({"column": "u", "plus": ["q", "e"], "scale": -1}, ["-3.0000", "-22.5000"]),
        ({"column": "u", "times": ["q"]}, ["2.0000", "40.5000"]),
        ({"value": 0.5}, ["0.5000", "1.5000"]),
    ],
)
def test_a_price_is_worked_out_with_other_columns(shop, price, wanted):
    log = "c,o,d,p,q,u,e\nA,1,2024-01-01,x,1,2,\nB,2,2024-01-02,y,3,4.50,\n"
    rows, _ = shop(entry(LETTERS | {"unit_price": price}), log=log)
    assert [str(each) for each in rows["amount"]] == wanted
    assert rows["unit_price"].tolist() == pytest.approx([float(w) / q for w, q in zip(wanted, (1, 3), strict=True)])


@pytest.mark.thorough
def test_quantity_times_price_is_adjusted_by_what_is_of_the_line(shop):
    """A rebate of the whole line, in cents, and a rate: (3 × 450 - 50) × 0.01 × 1.25."""
    log = "c,o,d,p,q,u,r,f\nA,1,2024-01-01,x,1,200,,1.25\nB,2,2024-01-02,y,3,450,50,1.25\n"
    amount = {"minus": ["r"], "scale": 0.01, "times": ["f"]}
    rows, _ = shop(entry(LETTERS | {"amount": amount}), log=log)
    assert [str(each) for each in rows["amount"]] == ["2.5000", "16.2500"]
    assert rows["unit_price"].tolist() == [2.5, 16.25 / 3]


@pytest.mark.thorough
def test_numbers_beside_are_read_as_the_file_writes_them_or_named(shop):
    log = "c;o;d;p;q;t;r\nA;1;2024-01-01;x;1;1.234,50;0,25\nB;2;2024-01-02;y;3;2,00;none\n"
    files = {"log": {"path": "log.csv", "delimiter": ";", "decimal": ",", "thousands": "."}}
    columns = without("unit_price", amount={"column": "t", "minus": ["r"]})
    with pytest.raises(CustomerlabError) as caught:
        shop(entry(columns, files), log=log)
    assert "'none' cannot be read as a number" in str(caught.value)
    assert "log.csv, row 2 below the header, column 'r'" in str(caught.value)
    rows, _ = shop(entry(columns, files), log=log.replace("none", ""))
    assert [str(each) for each in rows["amount"]] == ["1234.2500", "2.0000"]
    with pytest.raises(CustomerlabError, match="cannot be read as a number"):
        shop(entry(LETTERS, clean=[{"drop_where": {"column": "p", "above": 3}}]))


@pytest.mark.thorough
def test_parts_of_an_id_that_hold_the_sign_between_them_do_not_make_two_ids_one(shop):
    pairs = [
        ("Berlin", "1"),
        ("Köln", "1"),
        ("a/b", "c"),
        ("a", "b/c"),
        ("a\\", "b"),
        ("a", "\\b"),
        ("a\\/b", "c"),
        ("a/", "b"),
        ("a", "/b"),
    ]
    log = "c,s,o,d,p,q,u\n" + "".join(f"c{n},{s},{o},2024-01-01,x,1,{n}\n" for n, (s, o) in enumerate(pairs))
    rows, _ = shop(entry(LETTERS | {"order_id": {"columns": ["s", "o"]}}), log=log)
    assert rows["order_id"].nunique() == len(pairs) and {"Berlin/1", "Köln/1"} < set(rows["order_id"])
    rows, report = shop(
        entry(LETTERS | {"order_id": {"columns": ["s", "o"], "with": "-"}}, clean=["order_missing"]),
        log=log + "z,Rom,,2024-01-01,x,1,1\n",
    )
    assert "Berlin-1" in set(rows["order_id"]) and report["row_accounting"][-1]["rows_removed"] == 1, (
        "half an id is none"
    )


@pytest.mark.thorough
def test_a_day_and_a_clock_are_one_time_however_the_day_comes(shop):
    for day, form in (("31/01/24", "%d/%m/%y %H:%M:%S"), ("2024-01-31", None), ("2024-01-31 00:00:00", None)):
        log = f"c,o,d,t,p,q,u\nA,1,{day},14:05:09,x,1,2\nB,2,{day},00:00:00,y,3,4.50\n"
        time = {"columns": ["d", "t"]} | ({"format": form} if form else {})
        rows, _ = shop(entry(LETTERS | {"ordered_at": time}), log=log)
        assert rows["ordered_at"].astype(str).tolist() == ["2024-01-31 14:05:09", "2024-01-31 00:00:00"]
    log = "c,o,d,t,p,q,u\nA,1,2024-01-31,14:05:09,x,1,2\nB,2,2024-01-31,soon,y,3,4.50\n"
    with pytest.raises(
        CustomerlabError, match=r"'2024-01-31 soon' cannot be read[\s\S]*row 2 below the header, column 'd, t'"
    ):
        shop(entry(LETTERS | {"ordered_at": {"columns": ["d", "t"]}}), log=log)


@pytest.mark.thorough
def test_orders_without_products_and_constants_of_each_kind(shop):
    columns = without("unit_price", product_id={"value": "all"}, amount="u", channel={"value": "till"},
                      ordered_at={"value": "2024-02-29 08:00"}, order_id={"row_number": True})  # fmt: skip
    rows, _ = shop(entry(columns))
    assert rows[["product_id", "channel"]].drop_duplicates().values.tolist() == [["all", "till"]]
    assert set(rows["ordered_at"].astype(str)) == {"2024-02-29 08:00:00"}
    assert set(rows["order_id"]) == {"row 1", "row 2"}


SHOPIFY = """Name,Email,Status,Discount,Refunded,Qty,Item,Price,Created
#1,a,paid,20,0,1,A,100,2024-01-01
#1,a,,,,2,B,20,2024-01-01
#2,b,voided,0,0,1,A,450,2024-01-02
#2,b,,,,1,B,450,2024-01-02
#3,c,refunded,0,40,1,C,40,2024-01-03
"""
MAPPED = {"customer_id": "Email", "order_id": "Name", "ordered_at": "Created", "product_id": "Item", "quantity": "Qty",
          "unit_price": {"column": "Price", "minus_of_order": ["Discount", "Refunded"]}}  # fmt: skip
VOID = {"drop_where": {"column": "Status", "in": ["voided"], "of": "order"}}


@pytest.mark.thorough
def test_a_status_on_the_first_line_takes_the_whole_order_and_its_discount_all_lines(shop):
    """Paid 100 + 40 less 20, voided 900, refunded 40: of 1,020 there are 120."""
    rows, report = shop(
        entry(MAPPED, {"log": "log.csv"}, clean=[VOID, "amount_not_positive"]),
        log=SHOPIFY + "#4,d,paid,0,0,1,C,5,2024-01-03\n",
    )
    assert [str(each) for each in rows["amount"]] == ["85.7143", "34.2857", "5.0000"], "20 by 100 to 40"
    assert rows["unit_price"].tolist()[:2] == [85.7143, 34.2857 / 2]
    why = [(step["why"], step["rows_removed"]) for step in report["row_accounting"][1:]]
    assert why == [("Status is voided (whole order)", 2), ("amount not above zero", 1)]
    read, *steps = report["row_accounting"]
    assert Decimal(read["amount_left"]) == 1025 == 125 + sum(Decimal(step["amount_removed"]) for step in steps)


@pytest.mark.thorough
def test_two_amounts_of_one_order_are_refused_and_one_that_is_repeated_is_one(shop):
    repeated = SHOPIFY.replace("#1,a,,,,2", "#1,a,,20,0,2")
    rows, _ = shop(entry(MAPPED, clean=[VOID]), log=repeated)
    assert [str(each) for each in rows["amount"]][:2] == ["85.7143", "34.2857"]
    with pytest.raises(
        CustomerlabError, match=r"several amounts in 'Discount' or 'Refunded', in 2 rows[\s\S]*row 1 below"
    ):
        shop(entry(MAPPED, clean=[VOID]), log=SHOPIFY.replace("#1,a,,,,2", "#1,a,,15,0,2"))


@pytest.mark.thorough
def test_a_doubled_export_counts_once_with_its_discounts(shop):
    lines = SHOPIFY.splitlines(keepends=True)
    rows, _ = shop(entry(MAPPED, clean=["exact_repeat", VOID]), log="".join(lines + lines[1:]))
    once, _ = shop(entry(MAPPED, clean=["exact_repeat", VOID]), log=SHOPIFY)
    pd.testing.assert_frame_equal(rows, once)


@pytest.mark.thorough
def test_returns_are_told_by_the_sign_of_money_and_cancelled_orders_are_none(shop):
    log = "c,o,d,p,q,u,s\nA,1,2024-01-01,x,1,10,ok\nA,2,2024-01-02,x,1,-10,ok\nB,3,2024-01-02,x,1,-7,cancelled\nB,4,2024-01-02,x,1,3,ok\n"
    rules = [{"drop_where": {"column": "s", "in": ["cancelled"]}}, "amount_not_positive"]
    sold, _ = shop(entry(LETTERS, clean=rules), log=log)
    back, report = shop(entry(LETTERS, clean=rules), table="returns", log=log)
    assert sold["order_id"].tolist() == ["1", "4"] and back["order_id"].tolist() == ["2"]
    assert [step["rows_removed"] for step in report["row_accounting"]] == [0, 1, 2]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("condition", "goes"),
    [
        ({"in": ["ok", "7"]}, [True, False, False, True, False]), ({"empty": True}, [False, False, True, False, False]),
        ({"empty": False}, [True, True, False, True, True]), ({"matches": "^O"}, [False, True, False, False, False]),
        ({"matches": "(?i)ok"}, [True, True, False, False, False]),
    ],
)  # fmt: skip
def test_conditions_look_at_a_source_column_as_it_stands(shop, condition, goes):
    states = [" ok ", "OK", "  ", "7", "7.5"]
    log = "o,s\n" + "".join(f"{n},{state}\n" for n, state in enumerate(states))
    for rule, removed in (("drop_where", goes), ("keep_where", [not one for one in goes])):
        table = {"columns": {"product_id": "o", "description": "s"}, "clean": [{rule: {"column": "s"} | condition}]}
        rows, report = shop(
            {"title": "t", "files": {"log": "log.csv"}, "tables": {"products": table}}, "products", log=log
        )
        assert sorted(rows["product_id"]) == [str(n) for n, one in enumerate(removed) if not one]
        assert report["row_accounting"][1]["step"] == rule


@pytest.mark.thorough
def test_numbers_are_compared_as_numbers_and_nothing_is_neither_above_nor_below(shop):
    log = "c,o,d,p,q,u,s\n" + "".join(f"c{n},{n},2024-01-01,x,1,1,{n * 10 if n else ''}\n" for n in range(12))
    kept, _ = shop(entry(LETTERS, clean=[{"keep_where": {"column": "s", "above": 9, "below": 100}}]), log=log)
    assert sorted(kept["order_id"], key=int) == [str(n) for n in range(1, 10)]
    dropped, report = shop(entry(LETTERS, clean=[{"drop_where": {"column": "s", "above": 500}}]), log=log)
    assert len(dropped) == 12 and report["notes"] == [
        "No row is removed because s is above 500: no row is like that, in this spelling."
    ]


@pytest.mark.thorough
def test_rules_on_source_columns_are_for_every_table(shop):
    log = "u,v,t,y,test\n" + "".join(f"u{n},{'AB'[n % 2]},2024-01-01,{n},{'yes' if n < 4 else ''}\n" for n in range(20))
    rules = [{"drop_where": {"column": "test", "in": ["yes"]}}, {"drop_where": {"column": "y", "above": 15}}]
    made = {"title": "A test", "files": {"log": "log.csv"}, "tables": {
        "experiment": {"columns": {"unit_id": "u", "variant": "v"}, "outcomes": ["y"], "clean": rules},
        "products": {"columns": {"product_id": "u", "description": "v"}, "clean": rules},
        "ratings": {"columns": {"customer_id": "u", "product_id": "v", "rating": "y", "rated_at": "t"}, "clean": rules},
        "customers": {"columns": {"customer_id": "u"}, "clean": rules}}}  # fmt: skip
    for table in made["tables"]:
        rows, report = shop(made, table=table, log=log)
        assert len(rows) == 12 and [step["rows_removed"] for step in report["row_accounting"]] == [0, 4, 4]


@pytest.mark.thorough
def test_other_currencies_are_refused_left_out_or_converted(shop):
    log = "c,o,d,p,q,u,m\nA,1,2024-01-01,x,1,60,eur\nA,1,2024-01-01,y,1,5,\nB,2,2024-01-02,x,1,700,SEK\nC,3,2024-01-02,x,1,7,EUR\n"
    column = {"currency": {"column": "m"}}
    with pytest.raises(CustomerlabError) as caught:
        shop(entry(LETTERS, euros=True, **column), log=log)
    for words in ("1 row is in 'SEK', and not in EUR", "log.csv, row 3 below the header, column 'm'",
                  "`{keep_where: {column: m, in: [EUR], of: order}}`", "`times: [rate]`"):  # fmt: skip
        assert words in str(caught.value)
    rule = {"keep_where": {"column": "m", "in": ["EUR", "eur"], "of": "order"}}
    rows, _ = shop(entry(LETTERS, euros=True, clean=[rule], **column), log=log)
    assert sum(rows["amount"]) == 72
    price = {"column": "u", "times": ["rate"]}
    files = {"log": "log.csv", "rates": "rates.csv"}
    made = entry(LETTERS | {"unit_price": price}, files, True, file="log", join={"rates": {"m": "code"}}, **column)
    with pytest.raises(CustomerlabError, match="unit_price is empty in 1 row") as caught:
        shop(made, log=log, rates="code,rate\nEUR,1\neur,1\nSEK,0.0875\n")
    assert "fill the values in, or those of rate" in str(caught.value), "a line without a currency has no rate"
    rows, report = shop(made, log=log.replace("5,\n", "5,EUR\n"), rates="code,rate\nEUR,1\neur,1\nSEK,0.0875\n")
    assert [str(each) for each in rows["amount"]] == ["60.0000", "5.0000", "61.2500", "7.0000"] and report[
        "notes"
    ] == []


ITEMS = "order_id,sku,price\n1,x,10\n1,y,20\n2,x,5\n3,y,7\n,x,1\n"
ORDERS = "order_id,customer,day,price\n1,A,2024-01-01,30\n2,B,2024-01-02,5\n04,C,2024-01-03,9\n"
JOINED = {"customer_id": "customer", "order_id": "order_id", "ordered_at": "day", "product_id": "sku"}
TWO = {"items": "items.csv", "orders": "orders.csv"}


@pytest.mark.thorough
def test_a_joined_file_is_named_where_it_must_be_and_its_gaps_are_counted(shop):
    made = entry(
        JOINED | {"amount": "items.price"}, TWO, file="items", join={"orders": "order_id"}, clean=["customer_missing"]
    )
    rows, report = shop(made, items=ITEMS, orders=ORDERS)
    assert rows[["customer_id", "amount"]].astype({"amount": int}).values.tolist() == [["A", 10], ["A", 20], ["B", 5]]
    assert report["notes"] == ["2 rows of items.csv have no partner in orders.csv."]
    assert [file["file"] for file in report["files"]] == ["data/raw/items.csv", "data/raw/orders.csv"]
    for name, said in (
        ("price", "write `items.price` or write `orders.price`"),
        ("prise", "missing column: 'prise'"),
        ("items.prise", "missing column"),
    ):
        with pytest.raises(CustomerlabError) as caught:
            shop(
                entry(JOINED | {"amount": name}, TWO, file="items", join={"orders": "order_id"}),
                items=ITEMS,
                orders=ORDERS,
            )
        assert said in str(caught.value)


@pytest.mark.thorough
def test_a_joined_file_with_two_rows_of_one_key_is_refused_and_no_key_is_named(shop):
    made = entry(
        JOINED | {"amount": "items.price"}, TWO, file="items", join={"orders": "order_id"}, clean=["customer_missing"]
    )
    with pytest.raises(CustomerlabError) as caught:
        shop(made, items=ITEMS, orders=ORDERS.replace("04,", "7788,") + "7788,C,2024-01-04,9\n")
    assert "1 keys stand in several rows" not in str(caught.value) and "one key stands in 2 rows" in str(caught.value)
    assert "orders.csv, row 3 below the header, column 'order_id'" in str(caught.value) and "7788" not in str(
        caught.value
    )
    rows, _ = shop(made, items=ITEMS, orders=ORDERS + ",C,2024-01-04,9\n,C,2024-01-05,9\n")
    assert len(rows) == 3, "rows without a key are nobody's partners"


@pytest.mark.thorough
def test_faults_of_a_joined_file_are_told_with_its_name(shop):
    made = entry(
        JOINED | {"amount": "items.price"}, TWO, file="items", join={"orders": "order_id"}, clean=["customer_missing"]
    )
    with pytest.raises(CustomerlabError, match=r"'soon' cannot be read as ordered_at[\s\S]*column 'day'"):
        shop(made, items=ITEMS, orders=ORDERS.replace("2024-01-01", "soon"))
    with pytest.raises(CustomerlabError, match=r"where: +orders\.csv"):
        shop(made, items=ITEMS, orders="")
    made["files"]["orders"] = {"path": "orders.csv", "rows": 4}
    with pytest.raises(CustomerlabError, match=r"3 rows\n +where: +orders\.csv"):
        shop(made, items=ITEMS, orders=ORDERS)
    made["files"]["orders"] = {
        "path": "orders.csv",
        "span": {"column": "day", "first": "2024-01-01", "last": "2024-01-02"},
    }
    with pytest.raises(CustomerlabError, match="day runs from 2024-01-01 00:00:00 to 2024-01-03 00:00:00"):
        shop(made, items=ITEMS, orders=ORDERS)


@pytest.mark.thorough
def test_keys_of_two_columns_and_of_numbers_and_texts(shop):
    """Shop and receipt together are a key; 7 in a workbook is 7 in a text, and 07 is another."""
    items = "shop,receipt,sku,price\nB,1,x,10\nK,1,x,20\nB,07,x,30\n"
    columns = {
        "customer_id": "who",
        "order_id": {"columns": ["shop", "receipt"]},
        "ordered_at": "day",
        "product_id": "sku",
        "amount": "price",
    }
    made = entry(
        columns, {"items": "items.csv", "heads": "heads.xlsx"}, file="items", join={"heads": ["shop", "receipt"]}
    )
    heads = pd.DataFrame(
        {"shop": ["B", "K", "B"], "receipt": [1, 1, "07"], "who": ["A", "C", "D"], "day": "2024-01-01"}
    )
    heads.to_excel(shop.root / "data" / "raw" / "heads.xlsx", index=False)
    rows, report = shop(made, items=items)
    assert dict(zip(rows["customer_id"], rows["amount"].astype(int), strict=True)) == {"A": 10, "C": 20, "D": 30}
    assert report["notes"] == []


def test_a_table_depends_on_each_file_that_it_joins(shop, tmp_path):
    made = entry(JOINED | {"amount": "items.price"}, TWO, file="items", join={"orders": "order_id"})
    (tmp_path / "data" / "catalog.yml").write_text(yaml.safe_dump({"shop": made}), encoding="utf-8")
    (tmp_path / "data" / "raw" / "items.csv").write_text(ITEMS, encoding="utf-8")
    data_set = load_catalog(tmp_path)["shop"]
    assert why_lacking(tmp_path, data_set, "transactions").startswith(
        "the file orders.csv of the data set shop is not on this machine"
    )
    plan, states = Plan(tmp_path, "shop"), set()
    for text in (None, ORDERS, ORDERS.replace("30", "31")):
        if text:
            (tmp_path / "data" / "raw" / "orders.csv").write_text(text, encoding="utf-8")
            assert why_lacking(tmp_path, data_set, "transactions") == ""
        states.add(plan.table_state("transactions", "shop"))
    assert len(states) == 3
    before = table_fingerprint(data_set, "transactions", [])
    data_set.sources["orders"] = source_of("orders", {"path": "orders.csv", "decimal": ","}, "")
    assert table_fingerprint(data_set, "transactions", []) != before, "how a joined file is read counts"


@pytest.mark.thorough
def test_files_of_one_shape_are_joined_as_one(shop):
    made = entry(JOINED | {"amount": "items.price"}, {"items": "items-*.csv", "orders": "orders-*.csv"}, file="items",
                 join={"orders": "order_id"}, clean=["customer_missing"])  # fmt: skip
    head, *lines = ITEMS.splitlines(keepends=True)
    top, *heads = ORDERS.splitlines(keepends=True)
    parts = {
        "items-1": [head, *lines[:2]],
        "items-2": [head, *lines[2:]],
        "orders-1": [top, heads[0]],
        "orders-2": [top, *heads[1:]],
    }
    rows, report = shop(made, **{name: "".join(text) for name, text in parts.items()})
    assert rows["amount"].astype(int).tolist() == [10, 20, 5] and len(report["files"]) == 4
    assert report["notes"] == ["2 rows of items-1.csv … have no partner in orders-1.csv …."]


@pytest.mark.thorough
def test_a_table_in_the_engine_says_the_same_and_looks_again_when_a_status_changes(shop, tmp_path):
    address = f"duckdb://{tmp_path / 'shop.db'}"
    with duckdb.connect(tmp_path / "shop.db") as con:
        con.execute(
            "CREATE TABLE items AS SELECT * FROM (VALUES ('1', 'x', 10.0), ('2', 'y', 20.0), ('9', 'y', 1.0)) AS t(order_id, sku, price)"
        )
        con.execute("CREATE TABLE orders AS SELECT * FROM (VALUES (1, 'A', DATE '2024-01-01', TIME '08:30:00', 'ok', 'EUR'), (2, 'B', "
                    "DATE '2024-01-02', TIME '09:00:00', 'void', 'SEK')) AS t(order_id, customer, day, clock, state, money)")  # fmt: skip
    columns = JOINED | {"amount": "price", "ordered_at": {"columns": ["day", "clock"]}, "channel": {"value": "web"}}
    rules = ["customer_missing", {"drop_where": {"column": "state", "in": ["gone"]}}]
    made = entry(columns, {"items": {"table": "items"}, "orders": {"table": "orders"}}, True, file="items", join={"orders": "order_id"},
                 currency={"column": "money"}, clean=rules)  # fmt: skip

    def ask(statement: str = "") -> dict:
        if statement:
            with duckdb.connect(tmp_path / "shop.db") as con:
                con.execute(statement)
        (tmp_path / "data" / "catalog.yml").write_text(yaml.safe_dump({"shop": made}), encoding="utf-8")
        done = prepare(tmp_path, tmp_path / "outputs" / "shop", "transactions", "shop", engine=address)
        return done.report | {"made": done.made}

    with pytest.raises(
        CustomerlabError, match=r"1 row is in 'SEK', and not in EUR[\s\S]*table items in duckdb, column 'money'"
    ):
        ask()
    first = ask("UPDATE orders SET money = 'EUR'")
    assert (first["rows"], first["made"], ask()["made"]) == (2, True, False)
    assert first["notes"][0] == "1 row of table items in duckdb has no partner in table orders in duckdb."
    assert first["days"] == ["2024-01-01", "2024-01-02"]
    made["tables"]["transactions"]["clean"] = [
        "customer_missing",
        {"drop_where": {"column": "state", "in": ["gone"], "of": "order"}},
    ]
    with duckdb.connect(tmp_path / "shop.db") as con:
        con.execute("INSERT INTO items VALUES ('3', 'z', 5.0)")
        con.execute("INSERT INTO orders VALUES (3, 'C', DATE '2024-01-02', TIME '09:00:00', 'ok', 'EUR')")
    assert ask()["rows"] == 3
    assert ask("UPDATE orders SET state = 'gone' WHERE order_id = 3")["rows"] == 2, "money and days are as before"
    with pytest.raises(
        CustomerlabError, match=r"one key stands in 2 rows\n +where: +table orders in duckdb, column 'order_id'"
    ):
        ask("INSERT INTO orders VALUES (3, 'C', DATE '2024-01-02', TIME '09:00:00', 'ok', 'EUR')")
    columns["quantity"] = "sku"
    with pytest.raises(CustomerlabError, match="values cannot be used as quantity"):
        ask("DELETE FROM orders WHERE order_id = 3")
    columns["quantity"] = {"value": 1, "minus": ["day"]}
    with pytest.raises(CustomerlabError, match="day is a date, and a number of `minus` is wanted as float64"):
        ask()


MIXED = LOG.replace("1,2\n", "1,€ 12\n").replace("3,4.50", "3,$ 12")


def test_currencies_are_told_in_totals_in_what_is_added_and_in_joined_files(shop):
    total = without("quantity", "unit_price")
    taken = LOG.replace(",u\n", ",u,x\n").replace("1,2\n", "1,€ 12,€ 1\n").replace("3,4.50", "3,€ 12,$ 1")
    prices = 'p,t\nx,"12,50 €"\ny,"12,50 $"\n'
    two = {"log": "log.csv", "prices": {"path": "prices.csv", "decimal": ","}}
    for made, files in (
        (entry(total | {"amount": "u"}), {"log": MIXED}),
        (entry(LETTERS | {"unit_price": {"column": "u", "minus": ["x"]}}), {"log": taken}),
        (entry(LETTERS | {"unit_price": "t"}, two, file="log", join={"prices": "p"}), {"prices": prices}),
    ):
        with pytest.raises(CustomerlabError, match=r"two currencies: '[€$]' in \w+ and '[€$]' in "):
            shop(made, **files)


def test_rows_of_another_currency_can_be_left_out_as_the_message_says_or_converted(shop):
    log = MIXED.replace(",u\n", ",u,cur,rate\n").replace("€ 12", "€ 12,EUR,1").replace("$ 12", "$ 12,USD,0.5")
    log += "C,3,2024-01-03,x,1,€ 5,EUR,1\n"
    rows, _ = shop(entry(LETTERS, clean=[{"keep_where": {"column": "cur", "in": ["EUR"]}}]), log=log)
    assert sorted(rows["unit_price"]) == [5, 12]
    rows, _ = shop(entry(LETTERS | {"unit_price": {"column": "u", "times": ["rate"]}}), log=log)
    assert sorted(rows["unit_price"]) == [5, 6, 12]


@pytest.mark.parametrize(
    ("made", "where"),
    [
        (entry(LETTERS, clean=[{"drop_where": {"column": "o", "matches": "("}}]), "data/catalog.yml, clean, drop_where"),
        (entry(LETTERS, {"log": {"path": "log.csv", "split": {"column": "p", "at": ";", "pattern": "(?=x)(?P<i>x)"}}}),
         "data/catalog.yml, files, log, split"),
    ],
)  # fmt: skip
def test_a_pattern_that_the_engine_does_not_take_is_named(shop, made, where):
    with pytest.raises(CustomerlabError) as caught:
        shop(made)
    assert "is not a regular expression" in str(caught.value) and where in str(caught.value)


@pytest.mark.parametrize("goes", [True, False])
def test_words_for_nothing_of_the_file_are_empty_to_conditions_too(shop, goes):
    log = "o,s\n1,ok\n2,-\n3,\n4,n/a\n"
    table = {
        "columns": {"product_id": "o", "description": "o"},
        "clean": [{"drop_where": {"column": "s", "empty": goes}}],
    }
    made = {"title": "t", "files": {"log": {"path": "log.csv", "empty": ["-"]}}, "tables": {"products": table}}
    rows, _ = shop(made, "products", log=log)
    assert sorted(rows["product_id"]) == (["1"] if goes else ["2", "3", "4"])


def test_lines_without_an_order_are_no_order_together(shop):
    log = "c,o,d,p,q,u,s\nA,,2024-01-01,x,1,2,void\nB,,2024-01-01,x,1,3,ok\nC,3,2024-01-01,x,1,4,ok\nD,4,2024-01-01,x,1,4,ok\n"
    void = {"drop_where": {"column": "s", "in": ["void"], "of": "order"}}
    _, report = shop(entry(LETTERS, clean=[void, "order_missing"]), log=log)
    assert [step["rows_removed"] for step in report["row_accounting"]] == [0, 1, 1]


def test_the_discount_of_an_order_is_converted_with_the_money_that_it_is_of(shop):
    """(2 × 100 - 20) × 1.25, and ((2 × 100) × 1.25 - 20): what stands beside the price is in the price's currency."""
    log = "c,o,d,p,q,u,r,f\nA,1,2024-01-01,x,2,100,20,1.25\nB,2,2024-01-01,x,1,8,,1\n"
    price, total = {"column": "u", "minus_of_order": ["r"]}, {"times": ["f"]}
    rows, _ = shop(entry(LETTERS | {"unit_price": price, "amount": total}), log=log)
    assert [str(each) for each in rows["amount"]] == ["225.0000", "8.0000"]
    price, total = {"column": "u", "times": ["f"]}, {"minus_of_order": ["r"]}
    rows, _ = shop(entry(LETTERS | {"unit_price": price, "amount": total}), log=log)
    assert [str(each) for each in rows["amount"]] == ["230.0000", "8.0000"]


def test_blanks_and_words_for_nothing_are_no_keys_of_a_joined_file(shop):
    made = entry(
        JOINED | {"amount": "items.price"}, TWO, file="items", join={"orders": "order_id"}, clean=["customer_missing"]
    )
    for none in ("  ", "NULL"):
        more = f"{none},C,2024-01-04,9\n{none},D,2024-01-05,9\n"
        rows, report = shop(made, items=f"{ITEMS}{none},z,8\n", orders=ORDERS + more)
        assert len(rows) == 3 and report["notes"] == ["3 rows of items.csv have no partner in orders.csv."]
