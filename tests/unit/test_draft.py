"""A draft of an entry: what it sees in exports of many shapes, that it takes nothing twofold, that it can be used."""

import gzip
import re
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from customerlab.data.drafts import draft
from customerlab.data.drafts.looks import formats, masked, number, signs
from customerlab.data.drafts.sniff import encodings
from customerlab.data.prepare import prepare
from customerlab.data.yaml_files import parse_yaml
from customerlab.errors import CustomerlabError
from shop_exports import CHOICES, EXPORTS


def put(project: Path, files: dict[str, str | bytes]) -> list[Path]:
    paths = [project / "data" / "raw" / name for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return paths


def standing(text: str, waiting: bool = False) -> list[str]:
    """The lines of a draft that stand, or those that wait, without what is said of them."""
    mark = r" *# " if waiting else r" *(?!#)"
    return [found[1] for line in text.splitlines() if (found := re.match(rf"{mark}(\S.*?)(?:  # .*)?$", line))]


def test_the_draft_of_each_export_says_what_is_there(tmp_path):
    for name, (files, stand, wait) in EXPORTS.items():
        paths = put(tmp_path / name, files)
        text = draft(paths, tmp_path / name)
        assert [line for line in stand if line not in standing(text)] == [], (name, text)
        assert [line for line in wait if line not in standing(text, waiting=True)] == [], (name, text)
        assert [line for line in wait if line in standing(text)] == [], (name, text)
        entry = parse_yaml(text, where=name)
        assert list(entry) == [text[text.index("\n", text.index("data check")) :].split(":")[0].strip()]
        assert str(tmp_path) not in text and "@" not in re.sub("…@…", "", text), name
        assert text == draft(paths[::-1], tmp_path / name), "the order of words does not matter"
        guesses = [line for line in text.splitlines() if re.match(r" +(?!#)\S+: [^ {]", line) and "# check" not in line]
        assert all(re.match(r" +(path|product_id|file):", line) for line in guesses), guesses


def test_both_readings_of_a_day_are_told_with_what_speaks_for_each(tmp_path):
    day = "customer,order,date,sku,qty,price\nA,1,{},x,1,2.5\nB,2,{},y,2,3.5\n"
    both, one = (
        draft(put(tmp_path, {"a.csv": day.format(*days)}), tmp_path)
        for days in (("03/04/2024", "05/06/2024"), ("03/04/2024", "25/06/2024"))
    )
    assert '# ordered_at: {column: date, format: "%d/%m/%Y"}  # "03/04/2024" is 3 April 2024\n' in both
    assert '# ordered_at: {column: date, format: "%m/%d/%Y"}  # "03/04/2024" is 4 March 2024\n' in both
    assert (
        '  ordered_at: {column: date, format: "%d/%m/%Y"}  # check: "03/04/2024" is 3 April 2024; 1 value allows this reading alone\n'
        in one
    )
    assert "%m/%d" not in one


def test_an_encoding_that_reads_two_ways_is_a_choice(tmp_path):
    lines = "customer,order,date,sku,qty,price\nSmørrebrød,1,2024-01-02,x,1,2.5\n"
    text = draft(put(tmp_path, {"a.csv": lines.encode("cp1252")}), tmp_path)
    assert (
        "# encoding: cp1252  # it is no UTF-8; read like this it holds Smørrebrød" in text
        and "# encoding: cp1250" in text
    )
    polish, russian, japanese = "zażółć gęślą jaźń", "Привет, мир", "商品一覧、りんご"
    assert [
        encodings(t.encode(e), True)[0][0]
        for t, e in ((polish, "cp1250"), (russian, "cp1251"), (japanese, "shift_jis"))
    ] == ["cp1250", "cp1251", "shift_jis"]
    assert encodings("Größe".encode("utf-16"), True)[0][0] == "utf-16" and encodings(b"plain", True) == [("utf-8", "")]


def test_what_may_be_a_persons_is_masked(tmp_path):
    lines = "Customer Name,Email,Phone,Street,order id,date,sku,qty,price,Note\n" + "".join(
        f"Ann Leeson{n},ann{n}@example.org,+49 170 12345{n},Long Road {n},{n},2024-01-0{n},x,1,2.5,call Mr Brown\n"
        for n in range(1, 5)
    )
    text = draft(put(tmp_path, {"a.csv": lines}), tmp_path)
    assert not re.search("Leeson|ann[0-9]|12345|Long Road|Brown", text)
    assert masked("4111 1111 1111 1111", "x") == "4…" and masked("Ann Lee", "x") == "A…"


def test_texts_of_the_file_stay_texts_in_the_entry(tmp_path):
    odd = 'Order ID,"a: b # c\u202e",date,"yes",qty,price,"Status\x07"\n1,A,2024-01-02,x,1,2.5,"in: [x]\x1b[31m"\n'
    odd += "2,B,2024-01-03,x,2,2.5,cancelled: #1\n"
    text = draft(put(tmp_path, {"a.csv": odd.replace("a: b", "customer: b")}), tmp_path)
    assert parse_yaml(text, where="draft") and "\x1b" not in text and "\u202e" not in text
    assert "left out: 1" in text  # the column whose name has a control sign


def test_a_file_that_is_no_table_is_refused(tmp_path):
    for name, content in {
        "a.csv": b"",
        "b.xlsx": b"PK",
        "c.parquet": b"PAR1",
        "d.json": b"{",
        "e.pdf": b"%PDF",
        "f.csv.gz": b"\x1f\x8b",
    }.items():
        with pytest.raises(CustomerlabError) as caught:
            draft(put(tmp_path, {name: content}), tmp_path)
        assert name in str(caught.value) and "tmp" not in str(caught.value)
    with pytest.raises(CustomerlabError, match="there is no such file"):
        draft([tmp_path / "x.csv"], tmp_path)


def test_files_of_one_shape_are_one_and_packed_and_typed_ones_are_seen(tmp_path):
    lines = "customer,order,date,sku,qty,price\nA,1,2024-01-02,x,1,2.5\nB,2,2024-01-03,y,2,3.5\n"
    text = draft(put(tmp_path, {"sales-01.csv": lines, "sales-02.csv": lines.replace("A", "C")}), tmp_path)
    assert 'path: "sales-0*.csv"' in standing(text)
    assert "order_id: order" in standing(draft(put(tmp_path, {"a.csv.gz": gzip.compress(lines.encode())}), tmp_path))
    frame = pd.DataFrame(
        {
            "Customer ID": [1, 2],
            "Invoice": ["a", "b"],
            "InvoiceDate": pd.to_datetime(["2024-01-02", "2024-02-03"]),
            "Price": [1.25, 2.5],
        }
    )
    (tmp_path / "a.xlsx").parent.mkdir(exist_ok=True)
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        for sheet in ("2023", "2024"):
            frame.to_excel(book, sheet_name=sheet, index=False)
    text = draft([tmp_path / "a.xlsx"], tmp_path)
    assert {'sheet: "2023"', "sheet: all"} <= set(
        standing(text, waiting=True)
    ) and "ordered_at: InvoiceDate" in standing(text)
    frame.to_parquet(tmp_path / "a.parquet")
    assert "decimal" not in (
        text := draft([tmp_path / "a.parquet"], tmp_path)
    ) and "customer_id: Customer ID" in standing(text)


def test_a_name_that_is_taken_or_cannot_be_a_runs_is_changed(project):
    lines = "customer,order,date,sku,qty,price\nA,1,2024-01-02,x,1,2.5\nB,2,2024-01-03,y,2,3.5\n"
    names = [
        next(iter(parse_yaml(draft(put(project, {f: lines}), project), where="draft")))
        for f in ("demo.csv", "2024 sales.csv")
    ]
    assert names == ["demo_2", "shop_2024_sales"]


def test_numbers_that_restart_in_each_shop_are_told(tmp_path):
    lines = "shop,customer,order,date,sku,qty,price\nBerlin,A,1,2024-01-01,x,1,2.5\n"
    lines += "Koeln,B,1,2024-01-01,x,1,2.5\nKoeln,C,2,2024-01-01,y,1,3.5\n"
    text = draft(put(tmp_path, {"a.csv": lines}), tmp_path)
    assert "order_id: {columns: [shop, order]}" in standing(text, waiting=True) and "order_id: order" in standing(
        text, waiting=True
    )


def test_signs_of_numbers():
    texts = ("1'234.50", "1 234,50", "12.50-", "(6,25)", "1,23,456.00", "0.125", "1234.567", "1.234", "12.50.1", "a1")
    assert [signs(text) for text in texts] == [
        (".", "'", True), (",", " ", True), (".", "", True), (",", "", True), (".", ",", True), (".", "", True), (".", "", True),
        (".", ".", False), None, None,
    ]  # fmt: skip
    assert [number("($6.25)"), number("1.234,5", ","), number("12.50-"), number("x")] == [-6.25, 1234.5, -12.5, None]
    assert formats(["06/30/2024 11:49 PM"], "t") == [("%m/%d/%Y %I:%M %p", 1)] and formats(
        ["45321.5"], "Order date"
    ) == [("excel", 1)]


@settings(settings.get_profile("few"), max_examples=60)
@given(
    st.binary(max_size=400) | st.text(max_size=200).map(str.encode),
    st.sampled_from([".csv", ".tsv", ".txt", ".csv.gz", ".xlsx", ".parquet", ".json", ".x"]),
)
def test_any_bytes_give_a_draft_or_an_error(tmp_path_factory, content, suffix):
    folder = tmp_path_factory.mktemp("odd")
    path = folder / f"a{suffix}"
    path.write_bytes(content)
    try:
        text = draft([path], folder)
    except CustomerlabError:
        return
    assert isinstance(parse_yaml(text, where="draft"), dict)


def chosen(text: str, *choices: str) -> str:
    """A draft in which a person has removed the sign # before some lines, and the lines of the same key that stand."""
    lines = text.splitlines()
    for choice in choices:
        place = next(n for n, line in enumerate(lines) if re.match(rf" *# {re.escape(choice)}(  #|$)", line))
        lines[place] = lines[place].replace("# ", "", 1)
        key = re.match(r" *[\w-]+: ", lines[place])
        lines = [
            line
            for n, line in enumerate(lines)
            if n == place or not key or not line.startswith(key[0]) or key[0].strip() == "-"
        ]
    return "\n".join(lines) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOICES)
def test_a_draft_is_refused_until_it_is_chosen_and_then_gives_the_shops_money(project, name):
    files, *_ = EXPORTS[name]
    text = draft(put(project, files), project)
    entry = next(iter(parse_yaml(text, where="draft")))
    choices, money = CHOICES[name]

    def money_of(text):
        (project / "data" / "catalog.yml").write_text(text, encoding="utf-8")
        report = prepare(project, project / "outputs" / name, "transactions", entry).report
        return Decimal(report["row_accounting"][-1]["amount_left"])

    if any(": " in choice.partition("{")[0] for choice in choices):  # rules alone are no twofold reading
        with pytest.raises(CustomerlabError):
            money_of(text)
    assert money_of(chosen(text, *choices)) == Decimal(money)


def test_a_list_of_records_in_one_long_line_is_read(tmp_path):
    records = ", ".join(f'{{"sku": "p{n}", "price": {n}.5, "day": "2024-01-05"}}' for n in range(30_000))
    text = draft(put(tmp_path, {"dump.json": f"[{records}]"}), tmp_path)
    assert "product_id: sku" in standing(text) and "looked at: 2,000 rows of more" in text


def test_the_last_rows_of_a_file_are_looked_at_and_more_is_said_to_be_there(tmp_path):
    lines = [f"2024-01-05,A{n},p,1,2.50" for n in range(9_000)]
    text = draft(
        put(tmp_path, {"a.csv": "\n".join(["date,order,sku,qty,price", *lines[:-1], "2024-01-05,Z,p,1,2.50"])}),
        tmp_path,
    )
    assert "looked at: 4,000 rows of more" in text and "4,000 different" in text


def test_powers_of_ten_are_no_minus():
    assert (number("1e-5"), number("-2.5E3"), number("7-")) == (1e-5, -2500, -7)


PEOPLE = {
    "mall.csv": (
        "CustomerID,Gender,Age,Annual Income (k$),Spending Score (1-100)\n"
        + "".join(f"{n},{'Male' if n % 3 else 'Female'},{18 + n},{15 + n % 9},{n * 7 % 99}\n" for n in range(1, 30)),
        ["customer_id: CustomerID", "Gender: {kind: category, sensitive: true}", "Age: number", '"Annual Income (k$)": number'],
        [],
    ),
    "marketing.csv": (
        "\ufeffID;Education;Income;Kidhome;Dt_Customer;Response;Z_Revenue\n"
        + "".join(f"{n * 37};{'PhD' if n % 2 else 'Master'};{20000 + n};{n % 3};2013-01-{n:02d};{n % 2};11\n" for n in range(1, 29)),
        ["delimiter: \";\"", "customer_id: ID", "Education: category", "Income: number", "Dt_Customer: date", "Response: yes_no"],
        ["Kidhome: number", "Kidhome: category", "Z_Revenue: …"],
    ),
    "iris.csv": (
        "sepal length (cm),species\n" + "".join(f"{4 + n / 10},{'setosa' if n % 2 else 'virginica'}\n" for n in range(20)),
        ["customer_id: {row_number: true}", "sepal length (cm): number", "species: category"],
        [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PEOPLE)
def test_a_file_of_customers_alone_is_drafted_with_their_attributes(project, name):
    text, stand, wait = PEOPLE[name]
    drafted = draft(put(project, {name: text}), project)
    lines = standing(drafted)
    assert [line for line in stand if line not in lines] == [], drafted
    assert [line for line in wait if line not in standing(drafted, waiting=True)] == [], drafted
    assert "customers:" in lines and "transactions:" not in lines
    path = project / "data" / "catalog.yml"
    path.write_text(path.read_text(encoding="utf-8") + "\n" + drafted, encoding="utf-8")
    key = name.partition(".")[0]
    assert prepare(project, project / "outputs" / key, "customers", key).report["rows"] == text.count("\n") - 1


SHOWN = """,Shown at,Banner,Chance,Propensity score,Clicked,Customer,Position,Device,Orders so far
0,2024-03-05 09:00:00,voucher,x,0.5,yes,C1,top,phone,3
1,2024-03-05 10:00:00,reviews,y,0.25,no,C2,side,desk,1
2,2024-03-06 11:30:00,voucher,x,0.5,no,C1,top,phone,4
"""


def test_a_file_of_decisions_is_seen_as_one_and_its_draft_is_read(tmp_path):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    text = draft(put(tmp_path, {"shown.csv": SHOWN}), tmp_path)
    assert standing(text)[6:] == [
        "decisions:", "columns:", "decided_at: Shown at", "action: Banner", "reward: Clicked", "propensity: Propensity score",
        "position: Position", "customer_id: Customer", "contexts: [Chance, Device, Orders so far]",
    ]  # fmt: skip
    (tmp_path / "data" / "catalog.yml").write_text(text, encoding="utf-8")
    made = prepare(tmp_path, tmp_path / "outputs" / "shown", "decisions", "shown", progress=False)
    table = pd.read_parquet(made.path).sort_values("decided_at")
    assert table["reward"].tolist() == [1, 0, 0] and table["propensity"].tolist() == [0.5, 0.25, 0.5]
    assert "decisions:" not in draft(put(tmp_path, {"mail.csv": SHOWN.replace("Propensity score", "Cost")}), tmp_path)


MAIL = """Email,Campaign ID,Campaign name,Sent at,Group,Opens,First click,Unsubscribed,Revenue
ann@example.org,M1,Spring,2024-03-05 09:00:00,mailed,2,2024-03-05 09:30:00,no,12.50
bob@example.org,M1,Spring,2024-03-05 09:00:00,mailed,0,,yes,
ann@example.org,M2,Easter,2024-04-02 09:00:00,mailed,1,2024-04-02 11:00:00,no,0
"""


def test_a_file_of_messages_is_seen_as_one_and_its_draft_is_read(tmp_path):
    (tmp_path / "data" / "raw").mkdir(parents=True)
    text = draft(put(tmp_path, {"mail.csv": MAIL}), tmp_path)
    assert standing(text)[6:] == [
        "messages:", "columns:", "customer_id: Email", 'campaign_id: Campaign ID', "sent_at: Sent at", "opened: Opens",
        "clicked_at: First click", "unsubscribed: Unsubscribed", "revenue: Revenue", "clean:", "- customer_missing",
    ]  # fmt: skip
    waiting = standing(text, waiting=True)
    assert "campaign_id: Campaign name" in waiting and "held_out: …" in waiting and "ann@" not in text
    (tmp_path / "data" / "catalog.yml").write_text(text, encoding="utf-8")
    table = pd.read_parquet(prepare(tmp_path, tmp_path / "outputs" / "mail", "messages", "mail", progress=False).path)
    assert (
        table.sort_values("sent_at")["campaign_id"].tolist() == ["M1", "M1", "M2"] and table["unsubscribed"].sum() == 1
    )


@pytest.mark.parametrize(
    ("old", "new", "stands", "waits"),
    [
        ("Group", "Control group", [], ["held_out: {column: Control group, levels: [<for no>, <for yes>]}"]),
        ("Campaign ID,Campaign name", "a,b", [], ["campaign_id: {value: …}"]),
        ("Campaign ID", "x", ["campaign_id: Campaign name"], []),
    ],
)
def test_what_a_file_of_messages_does_not_say_waits_for_a_choice(old, new, stands, waits, tmp_path):
    text = draft(put(tmp_path, {"data.csv": MAIL.replace(old, new)}), tmp_path)
    assert set(stands) <= set(standing(text)) and set(waits) <= set(standing(text, waiting=True)), text


def test_orders_with_a_day_of_delivery_are_no_messages(tmp_path):
    lines = "customer,order,date,delivered,sku,qty,price,open amount\nA,1,2024-01-01,2024-01-03,x,1,2.5,0\n"
    assert "transactions:" in standing(draft(put(tmp_path, {"a.csv": lines}), tmp_path))
