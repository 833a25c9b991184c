"""Logs of messages and lists of campaigns: answers as words, numbers and times; what cannot be read, what is odd."""

import duckdb
import pandas as pd
import pytest
import yaml

from customerlab.data import warehouse
from customerlab.data.catalog import find_data_set
from customerlab.data.prepare import prepare
from customerlab.data.tables import TABLES, lacks
from customerlab.errors import CustomerlabError, DataError

MAIL = """who,mailing,medium,sent,control,opens,clicked,left,bought,clicked when,money
A,M1,email,2024-03-05 09:00:00,no,2,yes,,0,2024-03-05 09:30:00,"1,240.50"
B,M1,email,2024-03-05 09:00:00,Yes,,,,,,
C,M1,,2024-03-05 17:00:00,FALSE,0,No,,1,,12
A,M2,letter,2024-04-02 08:00:00,0,,,1,0,,
"""
MAP = {
    "customer_id": "who", "campaign_id": "mailing", "channel": "medium", "sent_at": "sent", "held_out": "control", "opened": "opens",
    "clicked": "clicked", "unsubscribed": "left", "converted": "bought", "clicked_at": "clicked when", "revenue": "money",
}  # fmt: skip
LIST = "id,title,gift\nM1,Spring,voucher\nM2,,\n"
NEEDED = ("customer_id", "campaign_id", "sent_at")


@pytest.fixture
def mail(tmp_path):
    """A function from the text of a log, its column map and rules to the prepared table and its report."""
    (tmp_path / "data" / "raw").mkdir(parents=True)

    def made(text: str = MAIL, columns: dict | None = None, *, table: str = "messages", lines: str = LIST, **keys):
        for name, content in (("mail", text), ("list", lines)):
            (tmp_path / "data" / "raw" / f"{name}.csv").write_text(content, encoding="utf-8")
        entry = {
            "title": "Mail", "files": {"mail": {"path": "mail.csv", "thousands": ","}, "list": "list.csv"},
            "tables": {
                "messages": {"file": "mail", "columns": columns or MAP} | keys,
                "campaigns": {"file": "list", "columns": {"campaign_id": "id", "name": "title", "offer": "gift"}},
            },
        }  # fmt: skip
        catalog = tmp_path / "data" / "catalog.yml"
        catalog.write_text(yaml.safe_dump({"mail": entry}, sort_keys=False), encoding="utf-8")
        done = prepare(tmp_path, tmp_path / "outputs" / "mail", table, "mail", progress=False)
        return pd.read_parquet(done.path).sort_values([*TABLES[table].key] or ["sent_at", "customer_id"]), done.report

    made.root = tmp_path
    return made


def short(*others: str, **columns) -> dict:
    """The columns that messages need, and some."""
    return {name: MAP[name] for name in (*NEEDED, *others)} | columns


def test_answers_are_read_as_words_and_as_numbers_and_an_empty_one_stays_empty(mail):
    table, report = mail()
    assert list(table.columns) == [name for name in TABLES["messages"].columns if name in MAP]
    assert list(table["customer_id"]) == ["A", "B", "C", "A"]
    read = {
        name: [None if pd.isna(one) else one for one in table[name]]
        for name in ("held_out", "opened", "clicked", "unsubscribed", "converted", "revenue", "channel")
    }
    assert read == {
        "held_out": [0, 1, 0, 0], "opened": [2, None, 0, None], "clicked": [1, None, 0, None],
        "unsubscribed": [None, None, None, 1], "converted": [0, None, 1, 0], "revenue": [1240.5, None, 12, None],
        "channel": ["email", "email", None, "letter"],
    }  # fmt: skip
    assert (
        table["clicked_at"].dropna().astype(str).tolist() == ["2024-03-05 09:30:00"] and table["clicked_at"].notna()[0]
    )
    assert report["days"] == ["2024-03-05", "2024-04-02"] and report["rows"] == 4 and report["suspicions"] == []
    assert set(report["columns"].values()) == {"string", "timestamp(6)", "float64"}


def test_a_file_may_have_words_of_its_own_for_the_hold_out(mail):
    text = "who,mailing,sent,arm\nA,M1,2024-03-05,treated\nB,M1,2024-03-05,control\nC,M1,2024-03-05,\n"
    table, _ = mail(text, short(held_out={"column": "arm", "levels": ["treated", "control"]}))
    assert table["held_out"].fillna(-1).tolist() == [0, 1, -1]
    with pytest.raises(DataError) as caught:
        mail(text, short(held_out="arm"))
    said = str(caught.value)
    assert "'treated' cannot be read as held_out and 1 more like it" in said
    assert "mail.csv, row 1 below the header, column 'arm'" in said
    assert "`held_out: {column: arm, levels: [<the word for no>, <the word for yes>]}`" in said
    with pytest.raises(DataError, match=r"'control' cannot be read as held_out(.|\n)*row 2 .*\n.*treats or treated"):
        mail(text, short(held_out={"column": "arm", "levels": ["treated", "treats"]}))
    with pytest.raises(DataError, match="two texts, the one for no and the one for yes"):
        mail(text, short(held_out={"column": "arm", "levels": ["control"]}))
    with pytest.raises(CustomerlabError, match="unknown key 'levels'"):
        mail(text, short(channel={"column": "arm", "levels": ["treated", "control"]}))


def test_one_campaign_s_export_has_its_id_and_its_channel_from_the_entry(mail):
    table, _ = mail(MAIL, short(campaign_id={"value": "spring"}, channel={"value": "email"}, held_out={"value": 0}))
    assert (
        set(table["campaign_id"]) == {"spring"} and set(table["channel"]) == {"email"} and not table["held_out"].any()
    )


def test_messages_need_a_customer_a_campaign_and_a_time_and_nothing_else(mail):
    table, report = mail(MAIL, short())
    assert list(table.columns) == list(NEEDED) and len(table) == 4
    assert [(one["about"], one["fix"]) for one in report["suspicions"]] == [("nobody was held out", "")]
    for name in NEEDED:
        with pytest.raises(DataError, match=f"no column is mapped to {name}"):
            mail(MAIL, {key: one for key, one in short().items() if key != name})


def refused(mail, *changes: tuple[str, str]) -> list[str]:
    """What is said of a log with some of its texts changed, fault by fault."""
    text = MAIL
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    with pytest.raises(DataError) as caught:
        mail(text)
    return [" ".join(str(fault).split()) for fault in getattr(caught.value, "faults", [caught.value])]


def test_what_cannot_be_read_is_named_with_its_row_and_column(mail):
    found = refused(
        mail, ("M1,,2024-03-05 17:00:00,FALSE,0,No", "M1,,evening,FALSE,often,perhaps"), ("2024-03-05 09:30:00", "soon")
    )
    cells = {"sent_at": ("evening", 3, "sent"), "opened": ("often", 3, "opens"), "clicked": ("perhaps", 3, "clicked")}
    for name, (value, row, column) in (cells | {"clicked_at": ("soon", 1, "clicked when")}).items():
        said = next(one for one in found if f"'{value}' cannot be read as {name}" in one)
        assert f"mail.csv, row {row} below the header, column '{column}'" in said
        assert ("true, yes or 1; or false, no or 0; or how often" in said) == (name in ("opened", "clicked"))
    assert len(found) == 4


def test_what_is_missing_is_named_with_the_rule_that_leaves_it_out(mail):
    found = refused(mail, ("C,M1,,2024-03-05 17:00:00", ",M1,,"), ("A,M2", "A,"))
    rows = {"customer_id": (3, "who"), "sent_at": (3, "sent"), "campaign_id": (4, "mailing")}
    rules = {name: f"{{drop_where: {{column: {column}, empty: true}}}}" for name, (_, column) in rows.items()}
    for name, (row, column) in rows.items():
        said = next(one for one in found if one.startswith(f"{name} is empty in 1 row"))
        assert f"mail.csv, row {row} below the header, column '{column}'" in said
        assert f"`{(rules | {'customer_id': 'customer_missing'})[name]}` to `clean`" in said
    assert len(found) == 3


def test_a_row_is_held_out_or_is_not_and_counts_are_not_below_zero(mail):
    found = refused(mail, (",no,", ",0,"), (",Yes,", ",0.5,"), ("FALSE,0", "0,-1"), ("1,0,,", "1,-2,,"))
    assert [one.partition(" expected")[0] for one in found] == [
        f"{name} is not what it should be in 1 row where: mail.csv, row {row} below the header, column '{column}'"
        for name, row, column in (("opened", 3, "opens"), ("converted", 4, "bought"), ("held_out", 2, "control"))
    ]
    (mixed,) = refused(mail, ("no,2,yes", "no,2,3"))
    assert mixed.startswith("clicked has both words for yes and no and numbers beside 0 and 1 where: mail.csv, row 3")


def test_rules_remove_messages_and_account_for_them(mail):
    text = (
        MAIL + "A,M2,letter,2024-04-02 08:00:00,0,,,1,0,,\n,M2,email,2024-04-02 08:00:00,0,,,,,,\nD,M2,fax,,0,,,,,,\n"
    )
    drafts = {"drop_where": {"column": "sent", "empty": True}}
    kept = {"keep_where": {"column": "medium", "in": ["email", "letter"]}}
    table, report = mail(text, clean=["customer_missing", "exact_repeat", drafts, kept])
    steps = [(step["step"], step["rows_removed"], step["rows_left"]) for step in report["row_accounting"]]
    assert steps == [
        ("read", 0, 7),
        ("customer_missing", 1, 6),
        ("exact_repeat", 1, 5),
        ("drop_where", 1, 4),
        ("keep_where", 1, 3),
    ]
    assert table["customer_id"].tolist() == ["A", "B", "A"]
    with pytest.raises(DataError, match="the rule date_missing is not for messages"):
        mail(text, clean=["date_missing"])


@pytest.mark.parametrize(
    ("old", "new", "about", "example"),
    [
        ("2024-03-05 09:30:00", "2024-03-05 08:30:00", "responses before sending", "row 1 below the header, column 'clicked when'"),
        ("09:00:00,Yes,,", "09:00:00,Yes,1,", "held out and contacted", "row 2 below the header, column 'control'"),
        ("\nC,M1,,2024-03-05 17:00:00", "\nA,M1,email,2024-03-05 09:00:00", "one message in several rows", ""),
        ("09:00:00,Yes", "09:00:00,No", "nobody was held out", ""),
    ],
)  # fmt: skip
def test_what_is_odd_about_a_log_is_told_with_an_example(mail, old, new, about, example):
    assert old in MAIL
    _, report = mail(MAIL.replace(old, new, 1))
    (one,) = report["suspicions"]
    assert (one["about"], one["example"]) == (about, example and f"mail.csv, {example}")
    assert bool(one["fix"]) == (about != "nobody was held out") and "{" not in one["said"] and "None" not in str(one)


def test_a_conversion_of_somebody_who_was_held_out_is_not_odd(mail):
    _, report = mail(MAIL.replace("09:00:00,Yes,,,,,", "09:00:00,Yes,,,,1,", 1))
    assert report["suspicions"] == []


def test_campaigns_have_one_row_each(mail):
    table, report = mail(table="campaigns")
    assert table.fillna("").to_dict("list") == {
        "campaign_id": ["M1", "M2"],
        "name": ["Spring", ""],
        "offer": ["voucher", ""],
    }
    assert report["days"] == []
    with pytest.raises(
        DataError, match=r"one campaign_id stands in 2 rows\n.*list.csv, row 1 below the header, the first of them"
    ):
        mail(table="campaigns", lines=LIST + "M1,Spring again,\n")


def test_a_joined_list_counts_the_messages_of_campaigns_that_it_lacks(mail):
    _, report = mail(MAIL, join={"list": {"mailing": "id"}}, lines="id,title,gift\nM1,Spring,voucher\n")
    assert report["notes"] == ["1 row of mail.csv has no partner in list.csv."]


def test_a_shop_without_messages_is_told_in_its_words():
    assert lacks("s", {}, "messages") == "the data set s has no log of messages (table messages)"
    assert lacks("s", {}, "campaigns") == "the data set s has no list of campaigns (table campaigns)"
    there = {"messages": list(NEEDED)}
    assert (
        lacks("s", there, "messages", ["held_out"])
        == "the log of messages of the data set s does not say who was held out"
    )
    assert lacks("s", there, "messages", ["channel"]) == "the log of messages of the data set s names no channels"
    assert lacks("s", there, "messages", ["revenue"]) == "the log of messages of the data set s has no revenue"


def test_a_table_of_the_engine_gives_the_same(mail, tmp_path):
    ours, _ = mail()
    url = tmp_path / "mail.duckdb"
    with duckdb.connect(str(url)) as con:
        con.execute(f"CREATE TABLE mail AS FROM read_csv('{tmp_path / 'data' / 'raw' / 'mail.csv'}', all_varchar=true)")
    catalog = tmp_path / "data" / "catalog.yml"
    entry = yaml.safe_load(catalog.read_text(encoding="utf-8"))
    columns = MAP | {"revenue": {"column": "money", "empty": ["1,240.50"]}}  # thousands signs are for files
    entry["mail"] |= {"files": {"mail": {"table": "mail"}}, "tables": {"messages": {"columns": columns}}}
    catalog.write_text(yaml.safe_dump(entry), encoding="utf-8")
    data_set = find_data_set(tmp_path, "mail")
    _, report, made = warehouse.prepare(f"duckdb://{url}", tmp_path / "outputs", data_set, "messages")
    assert (
        made and report["rows"] == 4 and report["suspicions"] == [] and report["days"] == ["2024-03-05", "2024-04-02"]
    )
    theirs = warehouse.expression(warehouse.connect(f"duckdb://{url}"), data_set, "messages").to_pandas()
    both = [
        t.drop(columns="revenue").sort_values(["sent_at", "customer_id"]).reset_index(drop=True) for t in (ours, theirs)
    ]
    pd.testing.assert_frame_equal(both[0].astype(object).fillna(0), both[1].astype(object).fillna(0))
