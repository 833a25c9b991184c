"""What rows are: totals, events and members are named as such, and tables of units are not."""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import experiment


def numbered(frame):
    """Without ids of its own: `row_number` stands in."""
    return frame.assign(unit_id=[f"row {i + 1}" for i in range(len(frame))])


def grid(times, arms=("control", "new"), seed=0, mean=1000, **labels):
    """Totals of each arm by time and labels: users, conversions among them, and money."""
    rng = np.random.default_rng(seed)
    parts = {"assigned_at": times, "variant": list(arms)} | labels
    frame = pd.MultiIndex.from_product(parts.values(), names=list(parts)).to_frame(index=False)
    users = rng.poisson(mean, len(frame))
    conversions = rng.binomial(users, 0.1)
    money = np.round(conversions * rng.gamma(20, 2, len(frame)), 2)
    return numbered(
        frame.assign(outcome_users=users * 1.0, outcome_conversions=conversions * 1.0, outcome_revenue=money)
    )


DAYS = pd.date_range("2024-03-01", periods=28)
COUNTRIES = ["AT", "DE", "FR", "IT"]

TOTALS = {
    "days": lambda: grid(DAYS),
    "days in a file without dates": lambda: grid(DAYS).drop(columns="assigned_at"),
    "dates as ids": lambda: grid(DAYS).assign(unit_id=lambda t: t["assigned_at"].astype(str)).drop(columns="assigned_at"),
    "dates as what was assigned": lambda: grid(DAYS).assign(assigned_id=lambda t: t["assigned_at"].astype(str)),
    "dates as a covariate": lambda: grid(DAYS).assign(covariate_date=lambda t: t["assigned_at"].astype(str)).drop(columns="assigned_at"),
    "an index as ids": lambda: grid(DAYS).assign(unit_id=[f"{i}" for i in range(56)]),
    "one row an arm": lambda: grid(DAYS[:1], ["control", "a", "b"]).drop(columns="assigned_at"),
    "arms as ids": lambda: grid(DAYS[:1]).assign(unit_id=["control", "new"]),
    "weeks and countries": lambda: grid(DAYS[::7], covariate_country=COUNTRIES),
    "weeks and countries, without countries": lambda: grid(DAYS[::7], covariate_country=COUNTRIES).drop(columns="covariate_country"),
    "countries as ids": lambda: grid(DAYS[::7], covariate_country=COUNTRIES).assign(unit_id=lambda t: t["covariate_country"]),
    "small countries": lambda: grid(DAYS[::7], covariate_country=COUNTRIES, mean=12),
    "hours": lambda: grid(pd.date_range("2024-03-01", periods=7 * 24, freq="h"), mean=20),
    "some days lost": lambda: numbered(grid(DAYS).drop(index=[3, 12, 40])),
    "money alone": lambda: grid(DAYS).drop(columns=["outcome_users", "outcome_conversions"]),
    "another language": lambda: grid(DAYS).rename(columns={"outcome_users": "outcome_besucher", "outcome_conversions": "outcome_kauf"}),
    "views and clicks": lambda: grid(DAYS).rename(columns={"outcome_users": "outcome_PageViews", "outcome_conversions": "outcome_Clicks"}),
    "age groups": lambda: grid(DAYS[:1], covariate_age=["18-25", "26-40", "41-99"]).drop(columns="assigned_at"),
}  # fmt: skip


def people(n=600, seed=0, arms=("control", "new")):
    """Units: one row each, with a time to the second, an outcome of yes or no, and money."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "unit_id": [f"u{i:05d}" for i in range(n)],
            "variant": rng.choice(list(arms), n),
            "assigned_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 14 * 86_400, n), unit="s"),
            "outcome_visit": (rng.random(n) < 0.2).astype(float),
            "outcome_spend": np.round(rng.gamma(0.2, 50, n), 2),
            "covariate_age": rng.integers(18, 80, n).astype(str),
            "covariate_region": rng.choice(["north", "south", "east"], n),
        }
    )


def on(frame, unit):
    return frame.assign(assigned_at=frame["assigned_at"].dt.floor(unit))


def later(frame):
    return frame.assign(assigned_at=frame["assigned_at"] + pd.to_timedelta(np.arange(len(frame)), unit="D"))


def whole(low, spread, skew=1.0):
    """Whole numbers with a long tail."""
    return lambda t: np.floor(low + spread * np.random.default_rng(9).lognormal(0, skew, len(t)))


def pairs(n=12):
    """Twins, one in each arm."""
    frame = people(2 * n).assign(variant=["control", "new"] * n, covariate_pair=np.repeat(np.arange(n), 2).astype(str))
    return frame.drop(columns=["covariate_age", "covariate_region", "assigned_at"])


def stores(n=24):
    """Shops, in two strata, whose customers were counted."""
    frame = people(n)[["unit_id"]].assign(variant=["control", "new"] * (n // 2), assigned_at=pd.Timestamp("2024-03-01"))
    return frame.assign(
        outcome_customers=whole(900, 200),
        outcome_sales=whole(9_000, 3_000),
        covariate_town=np.resize(["a", "a", "b", "b"], n),
    )


UNITS = {
    "people": people,
    "people without ids": lambda: numbered(people()),
    "people by days": lambda: on(people(), "D"),
    "a year of people by days": lambda: on(later(people(300)), "D"),
    "people of one day": lambda: people().assign(assigned_at=pd.Timestamp("2024-03-01")),
    "game rounds": lambda: people(5_000).assign(outcome_rounds=whole(0, 16, 1.5)),
    "game rounds without ids": lambda: numbered(people(5_000).assign(outcome_rounds=whole(0, 16, 1.5))).drop(columns="assigned_at"),
    "sessions a person": lambda: numbered(people().assign(outcome_sessions=whole(1, 3))),
    "page views a person": lambda: numbered(people()[["variant", "outcome_spend"]].assign(outcome_page_views=whole(0, 20))),
    "points": lambda: numbered(people(24)[["variant"]].assign(outcome_points=whole(900, 300))),
    "two dozen": lambda: people(24, seed=3),
    "two dozen without ids": lambda: numbered(on(people(24, seed=3), "D")),
    "blood pressure": lambda: numbered(people(40)[["variant"]].assign(outcome_systolic=whole(110, 9), outcome_diastolic=whole(60, 9))),
    "twins": pairs,
    "twins that play": lambda: pairs().assign(outcome_rounds=whole(5, 16)),
    "patients of a day": lambda: pairs(14).assign(assigned_at=np.repeat(DAYS[:14], 2), outcome_pressure=whole(110, 9)),
    "nine to one": lambda: people(arms=["control"] * 9 + ["new"]),
    "thirty arms": lambda: people(3_000, arms=["control", *(f"arm {i}" for i in range(29))]),
    "postcodes": lambda: people(4_000).assign(covariate_postcode=np.random.default_rng(2).integers(0, 900, 4_000).astype(str)),
    "few of a kind": lambda: people(60).assign(covariate_street=[f"{i // 2}" for i in range(60)]),
    "whole money": lambda: numbered(people().assign(outcome_spend=whole(20, 60))),
}  # fmt: skip


@pytest.mark.slow
def test_what_was_summed_by_unit_before_is_taken_for_units():
    frame = next(iter(TOTALS.values()))()
    assert experiment.kind_of_rows(ibis.memtable(frame)).wrong
    assert (
        experiment.kind_of_rows(ibis.memtable(frame.assign(**{experiment.units.SIZE: 1.0}))) == experiment.rows.Kind()
    )


@pytest.mark.parametrize("name", TOTALS)
def test_totals_are_no_units(name):
    found = experiment.kind_of_rows(ibis.memtable(TOTALS[name]()))
    assert (
        "these look like totals of each arm" in found.wrong
        and ", not units. " in found.wrong
        and "as `unit_id`" in found.wrong
        and "in the catalogue: `counts: " in found.wrong
    )


def test_what_all_rows_share_is_not_named_as_what_sets_them_apart():
    found = experiment.kind_of_rows(ibis.memtable(grid(DAYS, covariate_country=["DE"])))
    assert "each arm has 1 row for each of 28 values of time: " in found.wrong


@pytest.mark.slow
@pytest.mark.parametrize("name", UNITS)
def test_units_are_no_totals(name):
    found = experiment.kind_of_rows(ibis.memtable(UNITS[name]()))
    assert (found.wrong, found.hint) == ("", "")
    assert found.made_up == UNITS[name]()["unit_id"].iloc[0].startswith("row ")


def test_units_that_tried_every_arm_are_refused_as_such():
    both = pd.concat([people().assign(variant=arm, outcome_spend=1.5) for arm in ("control", "new")])
    found = experiment.kind_of_rows(ibis.memtable(both)).wrong
    assert found.startswith("600 of 600 `unit_id` are in every arm") and "in every arm in turn" in found


def test_shops_with_a_name_are_units_and_this_is_said():
    found = experiment.kind_of_rows(ibis.memtable(stores()))
    assert not found.wrong and "is taken to be an assigned unit, such as a shop" in found.hint
    unnamed = experiment.kind_of_rows(ibis.memtable(numbered(stores())))
    assert "Where a row is one unit after all, such as a shop, map its name as `unit_id`" in unnamed.wrong


def test_the_split_of_totals_is_that_of_what_they_count():
    frame = grid(DAYS)
    frame["outcome_users"] *= np.where(frame["variant"] == "new", 0.5, 1)
    frame["outcome_users"] = frame["outcome_users"].round()
    gate = experiment.soundness(ibis.memtable(frame), "control", planned={"control": 2, "new": 1})
    table = gate.table.set_index("check")
    users = frame.groupby("variant")["outcome_users"].sum()
    share = users["control"] / users.sum()
    row = table.loc["sample ratio, counted by users"]
    assert row["found"].startswith(f"control has {share:.2%}") or row["found"].startswith(f"new has {1 - share:.2%}")
    assert not table.loc["one row per unit", "sound"] and row["pvalue"] > 0.001
    assert "one row per unit: a row has users = " in gate.refusal() and "Find the cause" not in gate.refusal()


def events(users=200, seed=0):
    """An event log: some users have many rows."""
    rng = np.random.default_rng(seed)
    who = np.sort(rng.integers(0, users, 3 * users))
    return pd.DataFrame(
        {
            "unit_id": [f"u{i:03d}" for i in who], "variant": np.where(who % 2, "new", "control"),
            "exposed_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 10**6, len(who)), unit="s"),
            "outcome_revenue": np.round(rng.gamma(0.3, 30, len(who)), 2),
        }
    )  # fmt: skip


@pytest.mark.slow
def test_rows_of_one_unit_are_named_with_what_to_write():
    log = events()
    days = log.assign(
        exposed_at=pd.Timestamp("2024-03-01") + pd.to_timedelta(log.groupby("unit_id").cumcount(), unit="D")
    )
    for frame, what in ((log, "events, sessions or orders"), (days, "days (or weeks)")):
        for odd in (frame, frame.assign(assigned_id=frame["unit_id"])):
            found = experiment.kind_of_rows(ibis.memtable(odd)).wrong
            assert f"rows look like {what} of units. Write `unit_id: {{row_number: true}}`" in found, (
                "so errors count users"
            )
            assert found.endswith("Of a log of exposures and outcomes, write `events:` in the catalogue")
        fixed = ibis.memtable(numbered(frame.assign(assigned_id=frame["unit_id"])))
        assert experiment.soundness(experiment.took_part(fixed, "control").units, "control").sound


@pytest.mark.slow
def test_slips_are_told_from_events():
    frame = people()
    again = experiment.kind_of_rows(ibis.memtable(pd.concat([frame, frame.head(3)]))).wrong
    assert (
        again.startswith("3 units have several rows in one arm, up to 2, such as u00000, u00001, u00002")
        and "`exact_repeat`" in again
    )
    other = pd.concat([frame, frame.head(1).assign(outcome_spend=3.25)])
    assert "keep one row per unit" in experiment.kind_of_rows(ibis.memtable(other)).wrong


@pytest.mark.slow
def test_a_covariate_that_arms_were_drawn_for_is_what_was_assigned():
    log = events()
    rows = numbered(log.assign(covariate_household=log["unit_id"]))
    found = experiment.kind_of_rows(ibis.memtable(rows)).wrong
    assert "arms were drawn for each household, not for each row. Map it as `assigned_id`" in found
    one_slip = rows.assign(variant=np.where(np.arange(len(rows)) == 0, "new", rows["variant"]))
    assert experiment.kind_of_rows(ibis.memtable(one_slip)).wrong, "one household in two arms changes nothing"
    drawn = rows.assign(variant=np.random.default_rng(1).choice(["control", "new"], len(rows)))
    assert not experiment.kind_of_rows(ibis.memtable(drawn)).wrong


def test_rows_without_ids_leave_two_checks_open():
    units = ibis.memtable(people().assign(unit_id=[f"row {i}" for i in range(len(people()))], outcome_spend=1.0))
    found = experiment.soundness(units, "control")
    answers = found.table.set_index("check")["answer"]
    assert found.sound and answers[answers == "not checkable"].index.tolist() == [
        "one row per unit",
        "units in one arm",
    ]
    said = found.summary()
    assert said.startswith(f"No check found a fault: {len(answers) - 2} of {len(answers)} passed")
    assert said.endswith("Rows have no ids, so these cannot be checked: one row per unit, units in one arm.")
