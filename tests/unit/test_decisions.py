"""Logs of decisions: contexts as numbers and labels, propensities that are probabilities, what is odd about a log."""

import pandas as pd
import pytest
import yaml

from customerlab.data.prepare import prepare
from customerlab.data.tables import TABLES, lacks
from customerlab.errors import CustomerlabError, DataError

LOG = """at,banner,click,p,policy,who,place,orders,device
2024-03-05 09:00:00,voucher,yes,0.5,equal,A,top,3,mobile
2024-03-05 09:00:00,reviews,no,0.5,equal,B,top,,desktop
2024-03-06 17:00:00,voucher,,0.5,equal,A,middle,4,mobile
2024-03-07 08:00:00,reviews,1,0.5,equal,,top,0,
"""
MAP = {
    "decided_at": "at", "action": "banner", "reward": "click", "propensity": "p", "policy": "policy", "customer_id": "who",
    "position": "place",
}  # fmt: skip
NEEDED = {name: MAP[name] for name in ("decided_at", "action", "reward")}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A function from the text of a log, its column map and other keys to the prepared table and its report."""
    monkeypatch.delenv("CUSTOMERLAB_DATA", raising=False)
    (tmp_path / "data" / "raw").mkdir(parents=True)

    def run(text: str = LOG, columns: dict | None = None, **keys):
        (tmp_path / "data" / "raw" / "log.csv").write_text(text, encoding="utf-8")
        entry = {
            "title": "Shop",
            "files": {"log": "log.csv"},
            "tables": {"decisions": {"columns": columns or MAP} | keys},
        }
        (tmp_path / "data" / "catalog.yml").write_text(yaml.safe_dump({"shop": entry}), encoding="utf-8")
        done = prepare(tmp_path, tmp_path / "outputs" / "shop", "decisions", "shop", progress=False)
        return pd.read_parquet(done.path).sort_values(["decided_at", "action"]), done.report

    return run


def test_contexts_are_numbers_where_all_values_are_and_labels_otherwise(made):
    table, report = made(contexts=["orders", "device"])
    assert list(table) == [*TABLES["decisions"].columns, "context_orders", "context_device"]
    assert table["context_orders"].fillna(-1).tolist() == [-1, 3, 4, 0]
    assert table["context_device"].fillna("?").tolist() == ["desktop", "mobile", "mobile", "?"]
    assert table["reward"].fillna(-1).tolist() == [0, 1, -1, 1], "words for yes and no; empty is not known yet"
    assert table["customer_id"].fillna("?").tolist() == ["B", "A", "A", "?"]
    assert report["rows"] == 4 and report["days"] == ["2024-03-05", "2024-03-07"]
    assert [(one["about"], one["fix"]) for one in report["suspicions"]] == [("rewards not known", "")]


def test_a_log_needs_a_time_an_action_and_a_reward_alone(made):
    table, report = made(columns=NEEDED)
    assert list(table) == list(NEEDED) and report["rows"] == 4
    assert "estimated" in report["suspicions"][-1]["said"] and not report["suspicions"][-1]["fix"]
    with pytest.raises(DataError, match="no column is mapped to reward"):
        made(columns={name: NEEDED[name] for name in ("decided_at", "action")})
    assert "log of decisions (table decisions)" in lacks("shop", {}, "decisions")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("0", "propensity is no probability in 1 row"),
        ("-0.5", "propensity is no probability in 1 row"),
        ("50", "scale: 0.01"),
        ("much", "'much' cannot be read as propensity"),
        ("", "propensity is empty in 1 row"),
    ],
)
def test_a_propensity_is_a_probability_of_what_happened(made, value, message):
    with pytest.raises(CustomerlabError, match=message) as caught:
        made(LOG.replace("no,0.5", f"no,{value}"))
    assert "row 2" in str(caught.value)


def test_percentages_are_scaled_by_the_line_that_the_message_gives(made):
    table, _ = made(LOG.replace(",0.5,", ",50,"), MAP | {"propensity": {"column": "p", "scale": 0.01}})
    assert table["propensity"].tolist() == [0.5] * 4


def test_propensities_of_something_else_than_the_action_are_suspected(made):
    rows = "\n".join(f"2024-03-05 09:{n % 60:02}:00,{'ab'[n % 2]},{n % 3 == 0:d},{{}},C{n}" for n in range(400))
    head, columns = "at,banner,click,p,who\n", {name: MAP[name] for name in (*NEEDED, "propensity", "customer_id")}
    for p, odd in (("0.5", []), ("0.05", ["propensities of chance"])):  # of the click, not of the banner
        _, report = made(head + rows.format(*[p] * 400), columns)
        assert [one["about"] for one in report["suspicions"]] == odd
    assert "The mean of 1 / propensity is 20.0" in report["suspicions"][0]["said"]
    _, report = made(head + rows.format(*[0.5] * 400) + "\n" + rows.splitlines()[0].format(0.5), columns)
    assert [one["about"] for one in report["suspicions"]] == ["one decision in several rows"]


def test_contexts_are_named_in_a_list_of_columns(made):
    for wrong in ("orders", {"orders": "orders"}):
        with pytest.raises(DataError, match="contexts"):
            made(contexts=wrong)
    with pytest.raises(DataError, match="nothing"):
        made(contexts=["nothing"])
