"""Event logs and totals: read as tests, every event accounted for; what cannot be one is refused."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.data import canonical, clean, trials
from customerlab.data.mapping import table_map_of
from customerlab.data.prepare import prepare
from customerlab.data.sources import Source
from customerlab.errors import CustomerlabError, DataError

LOG = {
    "columns": {"unit_id": "user", "variant": "arm", "exposed_at": "at"},
    "events": {"exposure": {"column": "event", "in": ["seen"]}, "window_days": 5},
    "outcomes": {
        "bought": {"column": "event", "in": ["bought"]},
        "orders": {"column": "event", "in": ["bought"], "each": True},
        "money": {"sum": "money"},
        "refunds": {"sum": "money", "column": "event", "in": ["returned", "lost"]},
    },
    "covariates": ["country"],
}
TOTALS = {"columns": {"variant": "arm", "exposed_at": "day"}, "counts": "users", "outcomes": ["bought"]}


def mapped(raw):
    return table_map_of("experiment", raw, {"it": Source("it", ())}, "here")


def events(seed=3, users=100, hours=True):
    """A log of three weeks: exposures, some of them repeated, and what else happened, also before and long after."""
    rng = np.random.default_rng(seed)
    n = users * 8
    who = rng.integers(0, users, n)
    at = pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 21 * 24 * 60, n), unit="min")
    frame = pd.DataFrame({
        "unit_id": [f"u{i:03d}" for i in who], "variant": np.where(who % 2, "new", "control"),
        "exposed_at": at if hours else at.normalize(),
        "event_event": rng.choice(["seen", "bought", "returned", "looked"], n, p=[0.2, 0.3, 0.1, 0.4]),
        "outcome_money": np.round(rng.gamma(1, 20, n), 2), "covariate_country": rng.choice(["DE", "FR"], n),
    })  # fmt: skip
    frame.loc[frame["event_event"] == "looked", ["outcome_money", "variant"]] = [np.nan, None]
    frame.loc[frame["event_event"] == "returned", "outcome_money"] *= -1
    frame.loc[0, "event_event"] = "seen"
    frame["outcome_refunds"] = frame["outcome_money"]
    both = frame.iloc[[0]].assign(variant="control" if who[0] % 2 else "new")
    return pd.concat([frame, both], ignore_index=True)


def by_hand(frame, days=5):
    """The same by pandas, unit by unit."""
    whole = (frame["exposed_at"] == frame["exposed_at"].dt.normalize()).all()
    until = frame["exposed_at"].max() + pd.Timedelta(days=int(whole))
    window = pd.Timedelta(days=days)
    rows, left = [], dict.fromkeys([*trials.LEFT_OUT, "kept"], 0)
    for unit, own in frame.groupby("unit_id"):
        seen = own[own["event_event"] == "seen"]
        if seen.empty:
            left["never_exposed"] += len(own)
            continue
        first = seen["exposed_at"].min()
        left["before_exposure"] += (own["exposed_at"] < first).sum()
        own = own[own["exposed_at"] >= first]
        if first + window > until:
            left["window_open"] += len(own)
            continue
        left["after_window"] += (own["exposed_at"] >= first + window).sum()
        own = own[own["exposed_at"] < first + window]
        left["kept"] += len(own)
        bought, lost = own["event_event"] == "bought", own["event_event"] == "returned"
        at_first = own[(own["exposed_at"] == first) & (own["event_event"] == "seen")]
        rows += [
            [unit, arm, first, float(bought.any()), float(bought.sum()), own["outcome_money"].sum(),
             own.loc[lost, "outcome_money"].sum(), at_first["covariate_country"].min()]
            for arm in sorted(own.loc[own["event_event"] == "seen", "variant"].unique())
        ]  # fmt: skip
    names = ["unit_id", "variant", "exposed_at", *(f"outcome_{one}" for one in LOG["outcomes"]), "covariate_country"]
    return pd.DataFrame(rows, columns=names), left


def read(table, raw):
    """What the layers make of a canonical log: the units, and what was left out."""
    table_map = mapped(raw)
    marked = trials.mark(clean.mark(table, table_map.clean), table_map.events)
    found = canonical.survey(marked)
    trials.check(marked, found, table_map, lambda rows, column: f"{rows.count().to_pandas()} in {column}")
    steps = canonical.row_accounting(found, "experiment", table_map, "it")
    units = canonical.kept(marked, "experiment", table_map.events)
    return units.to_pandas().sort_values(["unit_id", "variant"], ignore_index=True), steps


@pytest.mark.parametrize("hours", [True, False])
def test_a_log_becomes_the_units_that_pandas_makes_of_it(hours):
    frame = events(hours=hours)
    found, steps = read(ibis.memtable(frame), LOG)
    wanted, left = by_hand(frame)
    pd.testing.assert_frame_equal(found, wanted, check_dtype=False, rtol=0, atol=1e-9)
    assert found["unit_id"].duplicated().sum() == 1, "who is in two arms is in two rows, for the test to say"
    assert {step["step"]: step["rows_removed"] for step in steps[1:]} == {
        name: count for name, count in left.items() if count and name != "kept"
    }
    assert steps[0]["rows_left"] == len(frame) and steps[-1]["rows_left"] == left["kept"]
    open_units = next(step["why"] for step in steps if step["step"] == "window_open")
    assert open_units.startswith("event of a unit whose window is not over") and open_units.endswith(" units)")


def test_the_order_of_events_changes_nothing():
    frame = events()
    one, other = (read(ibis.memtable(table), LOG)[0] for table in (frame, frame.sample(frac=1, random_state=1)))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_every_row_that_names_an_arm_is_an_exposure_where_none_is_declared():
    frame = pd.DataFrame({
        "unit_id": ["a", "a", "a", "b"], "variant": ["new", None, "new", "control"],
        "exposed_at": pd.to_datetime(["2024-03-02", "2024-03-01", "2024-03-09", "2024-03-03"]),
        "outcome_money": [1.0, 10.0, 100.0, 1000.0],
    })  # fmt: skip
    found, steps = read(ibis.memtable(frame), LOG | {"events": {}, "outcomes": ["money"], "covariates": []})
    assert found["outcome_money"].tolist() == [101.0, 1000.0] and found["variant"].tolist() == ["new", "control"]
    assert [step["step"] for step in steps] == ["read", "before_exposure"]


def test_events_that_rules_remove_are_no_exposures():
    frame = events(users=40)
    twice = pd.concat([frame, frame.head(30)])
    one, other = read(ibis.memtable(frame), LOG), read(ibis.memtable(twice), LOG | {"clean": ["exact_repeat"]})
    pd.testing.assert_frame_equal(one[0], other[0], check_exact=True)
    assert other[1][1]["step"] == "exact_repeat" and other[1][1]["rows_removed"] == 30


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"exposed_at": None}, "1 event has no time"),
        ({"event_event": "x"}, "no event has 'seen' in event"),
    ],
)
def test_a_log_that_cannot_be_read_is_refused(change, said):
    frame = events(users=20)
    rows = frame.index[:1] if "exposed_at" in change else frame.index[frame["event_event"] == "seen"]
    for name, value in change.items():
        frame.loc[rows, name] = value
    with pytest.raises(DataError, match=said):
        read(ibis.memtable(frame), LOG)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"counts": "users"}, "both `events` and `counts`"),
        ({"events": {"window": 5}}, "unknown key 'window'"),
        ({"events": {"window_days": 0}}, "a whole number of days above zero"),
        ({"events": {"exposure": {"column": "event", "in": []}}}, "no event is named"),
        ({"events": {"exposure": {"column": "event"}}}, "the key 'in' is missing"),
        ({"outcomes": {}}, "a mapping with at least one entry"),
        ({"outcomes": None}, "a mapping with at least one entry"),
        ({"outcomes": {"bought": {"each": True}}}, "`sum: COLUMN`, or the events that count"),
        ({"outcomes": {"bought": {"sum": "money", "each": True}}}, "`each: true` where every event counts"),
        ({"columns": {"unit_id": "user", "variant": "arm"}}, "no column is mapped to exposed_at"),
        ({"columns": {**LOG["columns"], "assigned_at": "at"}}, "'assigned_at' is mapped"),
    ],
)
def test_slips_in_an_entry_of_events_are_named(change, said):
    with pytest.raises(CustomerlabError) as error:
        mapped(LOG | change)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"covariates": ["age"]}, "totals have no covariates"),
        ({"columns": {"unit_id": "user", "variant": "arm"}}, "'unit_id' is mapped"),
        ({"columns": {"exposed_at": "day"}}, "no column is mapped to variant"),
        ({"outcomes": {"money": {"sum": "money"}}}, "the key 'squares' is missing"),
        ({"outcomes": []}, "no outcome is named"),
        ({"counts": None}, "a text"),
    ],
)
def test_slips_in_an_entry_of_totals_are_named(change, said):
    with pytest.raises(CustomerlabError) as error:
        mapped(TOTALS | change)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("units", 99.5, "units cannot be totals of units in 1 row"),
        ("units", -1.0, "whole numbers of units"),
        ("outcome_bought", 101.0, "bought: {sum: COLUMN, squares: COLUMN}"),
        ("outcome_bought", 3.5, "a whole number, at most the units"),
        ("squares_money", 39.0, "the squares of money cannot be those of units"),
    ],
)
def test_totals_that_contradict_themselves_are_refused(column, value, said):
    frame = pd.DataFrame({
        "variant": ["control", "new"], "units": [100.0, 100.0], "outcome_bought": [10.0, 12.0],
        "outcome_money": [50.0, 63.0], "squares_money": [60.0, 70.0],
    })  # fmt: skip
    outcomes = {"bought": "bought", "money": {"sum": "money", "squares": "money2"}}
    raw = TOTALS | {"columns": {"variant": "arm"}, "outcomes": outcomes}
    assert len(canonical.kept(clean.mark(ibis.memtable(frame), ()), "experiment").to_pandas()) == 2
    frame.loc[1, column] = value
    table_map = mapped(raw)
    marked = clean.mark(ibis.memtable(frame), ())
    with pytest.raises(DataError) as error:
        trials.check(marked, canonical.survey(marked), table_map, lambda rows, column: f"row in {column}")
    assert said in str(error.value)


ENTRY = """
my_log:
  title: A log
  files: {it: {path: log.csv}}
  tables:
    experiment:
      events: {exposure: {column: event, in: [seen]}, window_days: 5}
      columns: {unit_id: user, variant: arm, exposed_at: {column: at, format: "%d.%m.%Y %H:%M"}}
      outcomes: {bought: {column: event, in: [bought]}, money: {sum: money}}
      covariates: [country]
my_days:
  title: Totals
  files: {it: {path: days.csv}}
  tables:
    experiment:
      counts: users
      columns: {variant: arm, exposed_at: day}
      outcomes: {bought: bought}
"""


@pytest.mark.slow
def test_files_of_events_and_totals_are_prepared(project):
    frame = events()
    with (project / "data" / "catalog.yml").open("a", encoding="utf-8") as catalog:
        catalog.write(ENTRY)
    folder = project / "data" / "raw"
    folder.mkdir(exist_ok=True)
    names = {"unit_id": "user", "variant": "arm", "event_event": "event", "covariate_country": "country"}
    written = frame.rename(columns=names | {"outcome_money": "money"})
    written.assign(at=frame["exposed_at"].dt.strftime("%d.%m.%Y %H:%M")).to_csv(folder / "log.csv", index=False)
    made = prepare(project, project / "outputs" / "a", "experiment", "my_log")
    wanted, left = by_hand(frame)
    found = pd.read_parquet(made.path).sort_values(["unit_id", "variant"], ignore_index=True)
    pd.testing.assert_frame_equal(found, wanted[found.columns], check_dtype=False, rtol=0, atol=1e-9)
    assert made.report["row_accounting"][-1] == {
        "step": "one_row_a_unit", "why": "event of a unit that is counted in its row",
        "rows_removed": left["kept"] - len(wanted), "rows_left": len(wanted),
    }  # fmt: skip
    pd.DataFrame({"day": ["2024-03-01"], "arm": ["new"], "users": [5], "bought": [6]}).to_csv(
        folder / "days.csv", index=False
    )
    with pytest.raises(
        DataError, match=r"bought cannot be totals of units in 1 row[\s\S]*days.csv, row 1 below the header"
    ):
        prepare(project, project / "outputs" / "b", "experiment", "my_days")


def test_sums_are_exact_to_six_decimals():
    frame = pd.DataFrame({
        "unit_id": ["a", "a", "b"], "variant": ["new", "new", "control"], "exposed_at": pd.to_datetime(["2024-03-02"] * 3),
        "outcome_money": [0.000001, 0.000002, 0.004],
    })  # fmt: skip
    found, _ = read(ibis.memtable(frame), LOG | {"events": {}, "outcomes": ["money"], "covariates": []})
    assert found["outcome_money"].tolist() == [0.000003, 0.004]


def test_totals_below_zero_are_refused():
    frame = pd.DataFrame({"variant": ["control", "new"], "units": [100.0, 100.0], "outcome_bought": [10.0, -1.0]})
    marked, table_map = clean.mark(ibis.memtable(frame), ()), mapped(TOTALS | {"columns": {"variant": "arm"}})
    with pytest.raises(DataError, match="bought cannot be totals of units in 1 row"):
        trials.check(marked, canonical.survey(marked), table_map, lambda rows, column: f"row in {column}")
