"""Entries and files of every shape, changed at random: a table or a `CustomerlabError` comes of them, nothing else."""

import io
import json
import shutil
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, strategies as st

from customerlab.data.catalog import find_data_set
from customerlab.data.drafts.entry import draft
from customerlab.data.prepare import prepare
from helpers import copy_project
from odd import changed_bytes, changed_nodes, put, result_or_message, share, written

pytestmark = pytest.mark.thorough

LINES = "shop;c;o;d;t;p;q;u;disc;refund;state;cur\n" + "".join(
    f"{'AB'[n % 2]};c{n % 3};{n // 2};0{n % 8 + 1}.01.2024;1{n % 9}:00;p{n % 4};{n % 3 + 1};1.249,50;{n % 2},5;"
    f"{'10' if n % 4 == 0 else ''};{'void' if n == 6 else ''};EUR\n" for n in range(10)
)  # fmt: skip
FIXED = "".join(f" {n:05d} 199701{n + 1:02d} {n % 3 + 1:2d} {11.77 + n:6.2f}\n" for n in range(6))
ORDERS = [
    {
        "id": n, "created": 1_706_745_600_123 + n * 10**8, "customer": {"email": f"C{n % 3}@example.org"},
        "line_items": [{"sku": f"p{k}", "qty": k + 1, "price": "12.50"} for k in range(n % 3 + 1)],
    }
    for n in range(6)
]  # fmt: skip
PACKED = "c,o,d,items,total\n" + "".join(f"c{n % 3},{n},2024-01-0{n + 1},p1 x 2; p{n} x 1,$12.50\n" for n in range(6))
WIDE = "c,o,d,s1,q1,s2,q2,u\n" + "".join(
    f"c{n % 3},{n},2024-01-0{n + 1},p1,2,{'p2' if n % 2 else ''},{'1' if n % 2 else ''},5\n" for n in range(6)
)
ITEMS = "order_id,product,price\n" + "".join(f"{n // 2},p{n},{n + 1}.25\n" for n in range(8))
HEADS = "order_id,buyer,at,rate\n" + "".join(
    f"{n},c{n % 3},2024-01-0{n + 1} 1{n}:30:00 +0{n % 3}:00,1.1\n" for n in range(4)
)
EVENTS = "user,arm,event,at,revenue\n" + "".join(
    f"u{n % 7},{'ab'[n % 7 % 2]},{'seen' if n < 7 else 'bought'},2024-01-{n + 1:02d},{n}.5\n" for n in range(21)
)
COUNTS = "arm,day,users,conv,rev,rev2\n" + "".join(
    f"{'ab'[n % 2]},2024-01-0{n // 2 + 1},{100 + n},{9 + n},{50 + n},{900 + n}\n" for n in range(8)
)
SUMMARY = "id,days,n,total\n" + "".join(f"c{n},{n * 3},{n + 1},{n * 10 + 5}\n" for n in range(9))
SHOWN = """at,banner,click,p,who,device,age
2024-03-05 09:00:00Z,voucher,yes,50,A,mobile,31
2024-03-05 10:00:00Z,reviews,no,12.5,B,,
2024-03-06 10:00:00Z,reviews,,100,,desktop,7
"""
MAIL = "who,mailing,sent,arm,opens,click,money\n" + "".join(
    f"c{n},M{n % 3},2024-03-0{n}T09:00:00Z,{('mailed', 'control')[n % 4 == 0]},{n % 2},{1709888400 + n if n % 2 else ''},$1.5{n}\n"
    for n in range(1, 9)
)


def _book() -> bytes:
    content = io.BytesIO()
    with pd.ExcelWriter(content) as book:
        for year in (2010, 2011):
            frame = pd.DataFrame(
                {
                    "c": ["a", "b"],
                    "o": [1, 2],
                    "d": pd.to_datetime([f"{year}-01-02", f"{year}-01-03"]),
                    "p": "x",
                    "q": 1,
                    "u": 2.5,
                }
            )
            frame.to_excel(book, sheet_name=str(year), index=False, startrow=2)
    return content.getvalue()


def _zip(name: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(name, text)
    return content.getvalue()


SHAPES: dict[str, tuple[str, dict[str, bytes], str]] = {  # an entry, its files, and the table that is made
    "lines": ("""
        title: T
        currency: EUR
        files: {f: {path: f.csv, delimiter: ";", decimal: ",", thousands: ".", empty: [guest, "-"]}}
        tables:
          transactions:
            columns:
              customer_id: {column: c, case: lower, empty: [nobody]}
              order_id: {columns: [shop, o]}
              ordered_at: {columns: [d, t], format: "%d.%m.%Y %H:%M", from_zone: UTC, to_zone: Europe/Berlin}
              product_id: p
              quantity: q
              unit_price: {column: u, scale: 0.01}
              amount: {minus: [disc], minus_of_order: [refund]}
            currency: {column: cur}
            clean: [customer_missing, price_missing, {drop_where: {column: state, in: [void], of: order}},
                {keep_where: {column: q, above: 0}}, amount_not_positive, exact_repeat]
        """, {"f.csv": LINES.encode()}, "transactions"),
    "fixed": ("""
        title: T
        files: {f: {path: f.txt, delimiter: blanks, header: [c, d, q, total]}}
        tables:
          transactions:
            columns: {customer_id: c, order_id: {row_number: true}, ordered_at: {column: d, format: "%Y%m%d"}, product_id: {value: disc},
              quantity: q, amount: total}
        """, {"f.txt": FIXED.encode()}, "transactions"),
    "json": ("""
        title: T
        files: {f: {path: f.json, records: data.orders, explode: line_items}}
        tables:
          transactions:
            columns:
              customer_id: {column: customer.email, case: lower}
              order_id: id
              ordered_at: {column: created, format: epoch_ms}
              product_id: line_items.sku
              quantity: line_items.qty
              unit_price: line_items.price
        """, {"f.json": json.dumps({"data": {"orders": ORDERS}}).encode()}, "transactions"),
    "jsonl": ("""
        title: T
        files: {f: {path: f.jsonl, explode: [line_items]}}
        tables:
          products: {columns: {product_id: line_items.sku, description: line_items.price}}
        """, {"f.jsonl": "\n".join(map(json.dumps, ORDERS)).encode()}, "products"),
    "split": ("""
        title: T
        files: {f: {path: f.csv, split: {column: items, at: ";", pattern: '^\\s*(?P<sku>\\S+) x (?P<qty>\\d+)$'}}}
        tables:
          transactions:
            columns: {customer_id: c, order_id: o, ordered_at: d, product_id: sku, quantity: qty, unit_price: total}
        """, {"f.csv": PACKED.encode()}, "transactions"),
    "wide": ("""
        title: T
        files: {f: {path: f.zip, member: w.csv, wide: {sku: [s1, s2], qty: [q1, q2]}}}
        tables:
          transactions:
            columns: {customer_id: c, order_id: o, ordered_at: d, product_id: sku, quantity: qty, unit_price: u}
        """, {"f.zip": _zip("w.csv", WIDE)}, "transactions"),
    "sheets": ("""
        title: T
        files: {f: {path: f.xlsx, sheet: all, skip: 2}}
        tables:
          transactions:
            columns: {customer_id: c, order_id: o, ordered_at: d, product_id: p, quantity: q, unit_price: u}
        """, {"f.xlsx": _book()}, "transactions"),
    "join": ("""
        title: T
        files: {items: items.csv, heads: heads.csv}
        tables:
          transactions:
            file: items
            join: {heads: order_id}
            columns: {customer_id: buyer, order_id: order_id, ordered_at: {column: at, to_zone: Europe/Berlin}, product_id: product,
              quantity: {value: 1}, unit_price: {column: price, times: [rate]}}
        """, {"items.csv": ITEMS.encode(), "heads.csv": HEADS.encode()}, "transactions"),
    "events": ("""
        title: T
        files: {f: f.csv}
        tables:
          experiment:
            columns: {unit_id: user, variant: arm, exposed_at: at}
            events: {exposure: {column: event, in: [seen]}, window_days: 3}
            outcomes: {bought: {column: event, in: [bought]}, revenue: {sum: revenue}}
        """, {"f.csv": EVENTS.encode()}, "experiment"),
    "counts": ("""
        title: T
        files: {f: f.csv}
        tables:
          experiment:
            columns: {variant: arm, exposed_at: day}
            counts: users
            outcomes: {conversion: conv, revenue: {sum: rev, squares: rev2}}
        """, {"f.csv": COUNTS.encode()}, "experiment"),
    "summary": ("""
        title: T
        files: {f: f.csv}
        tables:
          customer_summary: {columns: {customer_id: id, recency: days, orders: n, revenue: total}}
        """, {"f.csv": SUMMARY.encode()}, "customer_summary"),
    "messages": ("""
        title: T
        files: {f: f.csv, list: list.csv}
        tables:
          messages:
            file: f
            join: {list: {mailing: id}}
            columns: {customer_id: who, campaign_id: mailing, channel: {value: email}, sent_at: {column: sent, to_zone: Europe/Berlin},
              held_out: {column: arm, levels: [mailed, control]}, opened: opens, clicked_at: {column: click, format: epoch}, revenue: money}
            clean: [customer_missing, {drop_where: {column: title, in: [draft]}}, exact_repeat]
        """, {"f.csv": MAIL.encode(), "list.csv": b"id,title\nM1,Spring\nM2,draft\n"}, "messages"),
    "decisions": ("""
        title: T
        files: {f: f.csv}
        tables:
          decisions:
            columns: {decided_at: {column: at, to_zone: Asia/Tokyo}, action: banner, reward: click, propensity: {column: p, scale: 0.01},
              customer_id: who, position: {value: top}}
            contexts: [device, age]
            clean: [exact_repeat]
        """, {"f.csv": SHOWN.encode()}, "decisions"),
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("shapes") / "project")
    (folder / "data" / "raw").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CUSTOMERLAB_DATA", raising=False)
        patch.chdir(folder)
        yield folder


def prepared(project: Path, entry: bytes, files: dict[str, bytes], table: str, within: Any = result_or_message) -> int:
    """The rows of a table made of an entry and its files, within a promise; everything is removed afterwards."""
    made = [f"outputs/fuzz/tables/{table}.{end}" for end in ("parquet", "json")]
    raw = project / "data" / "raw"
    for name, content in files.items():
        (raw / name).write_bytes(content)
    try:
        rows = 0
        with put(project / "data" / "catalog.yml", entry), within(project, made.__contains__):
            find_data_set(project, "shop")
            rows = int(prepare(project, project / "outputs" / "fuzz", table, "shop").report["rows"])
        return rows
    finally:
        shutil.rmtree(project / "outputs" / "fuzz", ignore_errors=True)
        for name in files:
            (raw / name).unlink(missing_ok=True)


def entry_of(name: str) -> dict[str, Any]:
    return {"shop": yaml.safe_load(SHAPES[name][0])}


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_is_read_as_it_is(project, name):
    _, files, table = SHAPES[name]
    assert prepared(project, yaml.safe_dump(entry_of(name)).encode(), files, table, lambda *_: nullcontext()) > 0


@share(0.1, slow=True)
@given(data=st.data(), name=st.sampled_from(sorted(SHAPES)))
def test_entries(project, data, name):
    _, files, table = SHAPES[name]
    prepared(project, data.draw(written(changed_nodes(entry_of(name)))), files, table)


@share(0.1, slow=True)
@given(data=st.data(), name=st.sampled_from(sorted(SHAPES)))
def test_files(project, data, name):
    _, files, table = SHAPES[name]
    changed = data.draw(st.sampled_from(sorted(files)))
    content = data.draw(changed_bytes(files[changed]))
    prepared(project, yaml.safe_dump(entry_of(name)).encode(), files | {changed: content}, table)


@share(0.1, slow=True)
@given(data=st.data(), name=st.sampled_from(sorted(SHAPES)))
def test_drafts(project, data, name):
    file, good = sorted(SHAPES[name][1].items())[0]
    path = project / "data" / "raw" / file
    with put(path, data.draw(st.one_of(st.just(good), changed_bytes(good)))), result_or_message(project):
        yaml.safe_load(draft([path], project))
