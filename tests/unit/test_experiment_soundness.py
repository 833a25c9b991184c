"""May anything be concluded? Splits as planned and broken, in the whole and in parts; balance; what is missing."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import experiment
from customerlab.analysis.experiment.soundness import exposed_early, missing_by_arm
from customerlab.figures import experiment as figures


def sound(n=4000, seed=0, split=(0.5, 0.5)):
    rng = np.random.default_rng(seed)
    day = pd.Timestamp("2024-05-01") + pd.to_timedelta(rng.integers(0, 10 * 1440, n), unit="min")
    return pd.DataFrame(
        {
            "unit_id": [f"{i:05d}" for i in range(n)],
            "variant": rng.choice(["control", "new"], n, p=split),
            "exposed_at": day,
            "outcome_spend": rng.gamma(1, 10, n),
            "covariate_age": [str(x) for x in rng.integers(18, 80, n)],
            "covariate_region": rng.choice(["north", "south", None], n, p=[0.5, 0.4, 0.1]),
            "browser": rng.choice(["f", "c"], n),
        }
    )


def checked(frame, **options):
    options = {"segments": ["browser"], "start": pd.Timestamp("2024-05-01")} | options
    return experiment.soundness(ibis.memtable(frame), "control", **options)


def failed(frame, **options):
    table = checked(frame, **options).table
    return table.loc[~table["sound"], "check"].tolist()


SIZES = ["sample ratio", "sample ratio by day", "sample ratio by browser"]
CHECKS = [SIZES[0], "one row per unit", "units in one arm", *SIZES[1:], "enough units", "distinct arm names",
          "exposure after assignment", "covariate balance", "missing outcomes", "infinite outcomes"]  # fmt: skip


@pytest.mark.slow
def test_a_sound_test_passes_every_check():
    found = checked(sound())
    assert found.table["check"].tolist() == CHECKS and found.sound and not found.reasons and found.refusal() == ""


@pytest.mark.slow
def test_a_planned_split_of_nine_to_one():
    frame = sound(split=(0.9, 0.1))
    assert failed(frame, planned={"control": 9, "new": 1}) == []
    assert failed(frame) == SIZES, "equal is what was not planned"
    ratio = experiment.sample_ratio(ibis.memtable(frame), "control", {"control": 0.9, "new": 0.1})
    counts = frame["variant"].value_counts()
    expected = stats.binomtest(int(counts["new"]), len(frame), 0.1).pvalue
    assert ratio.pvalue == pytest.approx(expected, abs=0.03) and ratio.table["planned"].tolist() == pytest.approx(
        [0.9, 0.1]
    )
    for wrong in ({"control": 1}, {"control": 1, "old": 1}, {"control": 1, "new": 0}):
        with pytest.raises(ValueError, match="expected a weight above zero for each of the arms"):
            experiment.sample_ratio(ibis.memtable(frame), "control", wrong)


def test_an_arm_that_was_planned_and_got_nobody_fails():
    found = experiment.sample_ratio(ibis.memtable(sound()), "control", {"control": 1, "new": 1, "third": 1})
    assert not found.sound and found.table.set_index("variant").loc["third", "units"] == 0


@pytest.mark.slow
def test_a_fault_of_one_day_is_found_where_the_whole_looks_right():
    frame = sound(20_000, seed=1)
    day = frame["exposed_at"].dt.strftime("%Y-%m-%d")
    lost = (day == "2024-05-04") & (frame["variant"] == "new") & (np.arange(len(frame)) % 4 == 0)
    doubled = (
        frame[(day != "2024-05-04") & (frame["variant"] == "control")].sample(int(lost.sum()), random_state=1).index
    )
    frame = frame[~lost].drop(doubled)  # the whole keeps its balance
    units = ibis.memtable(frame)
    table = experiment.split.sample_ratio_by(units, "exposed_at", "control")
    assert table.loc[~table["sound"], "part"].tolist() == ["2024-05-04"] and table["units"].sum() == len(frame)
    assert failed(frame) == ["sample ratio by day"]
    part = frame[day.loc[frame.index] == "2024-05-04"]["variant"].value_counts()
    row = table.set_index("part").loc["2024-05-04"]
    assert row["pvalue"] == pytest.approx(stats.chisquare(part).pvalue)
    assert row["share"] == part[row["worst"]] / part.sum() and row["planned"] == 0.5


def test_parts_of_few_units_are_not_judged():
    frame = sound(600).assign(browser=["rare"] * 9 + ["common"] * 591)
    frame.loc[:8, "variant"] = "new"
    table = experiment.split.sample_ratio_by(ibis.memtable(frame), "browser", "control").set_index("part")
    assert np.isnan(table.loc["rare", "pvalue"]) and table.loc["rare", "sound"]
    assert table.loc["common", "pvalue"] == table.loc["common", "pvalue_holm"]


@pytest.mark.slow
def test_arms_that_differed_before_are_found():
    frame = sound()
    older = frame["variant"] == "new"
    frame.loc[older, "covariate_age"] = [str(int(x) + 3) for x in frame.loc[older, "covariate_age"]]
    assert failed(frame) == ["covariate balance"]
    row = experiment.balance.balance(ibis.memtable(frame), "control").set_index("covariate").loc["age"]
    new, old = (frame.loc[frame["variant"] == arm, "covariate_age"].astype(float) for arm in ("new", "control"))
    assert row["smd"] == pytest.approx((new.mean() - old.mean()) / np.sqrt((new.var() + old.var()) / 2))
    assert row["pvalue"] == pytest.approx(stats.ttest_ind(new, old, equal_var=False).pvalue)
    assert "age in new, +0.1" in checked(frame).reasons[0]


@pytest.mark.slow
def test_labels_and_their_absence_are_balanced_too():
    frame = sound()
    table = experiment.balance.balance(ibis.memtable(frame.drop(columns="covariate_age")), "control")
    assert table["value"].tolist() == ["(missing)", "north", "south"] and table["sound"].all()
    known = frame.dropna(subset="covariate_region")
    north = known[known["variant"] == "new"]["covariate_region"].eq("north").mean()
    assert table.set_index("value").loc["north", "variant_mean"] == pytest.approx(north)
    lost = frame.copy()
    lost.loc[(lost["variant"] == "new") & (np.arange(len(lost)) % 5 == 0), "covariate_region"] = None
    assert "region (missing) in new" in checked(lost).reasons[0]


@pytest.mark.slow
def test_what_is_missing_or_infinite_is_named_by_arm():
    frame = sound()
    new = frame.index[frame["variant"] == "new"]
    frame.loc[new[:40], "outcome_spend"] = np.nan
    found = checked(frame)
    assert found.reasons == ["missing outcomes: spend in new for 40 units; write 0 where nothing happened"]
    table = missing_by_arm(ibis.memtable(frame)).set_index("variant")
    assert table["missing"].to_dict() == {"control": 0, "new": 40}
    counts = [[0, 40], [len(frame) - len(new), len(new) - 40]]
    assert table.loc["new", "pvalue"] == pytest.approx(stats.chi2_contingency(counts, correction=False).pvalue)
    frame.loc[new[:40], "outcome_spend"] = np.inf
    assert failed(frame) == ["infinite outcomes"]


@pytest.mark.slow
def test_units_in_two_arms_and_units_exposed_early():
    frame = sound()
    other = frame.iloc[:3].assign(variant=frame["variant"].iloc[:3].map({"control": "new", "new": "control"}))
    twice = pd.concat([frame, other, frame.iloc[10:12]], ignore_index=True)
    found = experiment.Measured(ibis.memtable(twice)).by_value.loc["unit_id"]
    assert (found["mixed"], found["together"]) == (3, 2)
    reasons = checked(twice).reasons
    assert "units in one arm: 3 units in several arms, such as 00000, 00001, 00002" in reasons
    assert reasons[0].startswith(
        "one row per unit: 2 units have several rows in one arm, up to 2, such as 00010, 00011;"
    )
    early = pd.Timestamp("2024-05-03")
    count = int((frame["exposed_at"] < early).sum())
    assert (
        f"exposure after assignment: {count:,} units exposed before, or before the test began on 2024-05-03"
        in checked(frame, start=early).reasons
    )
    assigned = frame.assign(
        assigned_at=frame["exposed_at"] + pd.to_timedelta(np.where(np.arange(len(frame)) < 7, 1, -1), unit="min")
    )
    assert exposed_early(ibis.memtable(assigned)) == 7
    slip = pd.Timestamp("2030-01-01")
    only_assigned = ibis.memtable(assigned.drop(columns="exposed_at"))
    assert exposed_early(only_assigned, slip) == len(frame), "a start after the test would move its groups"
    assert exposed_early(ibis.memtable(assigned), slip) == len(frame)
    with pytest.raises(ValueError, match="expected the start of the test"):
        exposed_early(ibis.memtable(frame))


@pytest.mark.slow
def test_what_is_wrong_stands_in_place_of_conclusions():
    frame = sound(split=(0.6, 0.4))
    said = checked(frame).refusal()
    assert (
        said.startswith("No conclusion is drawn from this test. sample ratio: control has") and "planned 50.00%" in said
    )


def uneven(control, new):
    """So many units an arm; the p-value of the split by the normal approximation of the binomial."""
    frame = sound(control + new).assign(variant=["control"] * control + ["new"] * new)
    return frame, stats.norm.sf(abs(control - new) / np.sqrt(control + new)) * 2


@pytest.mark.slow
@pytest.mark.parametrize(("control", "answer"), [(2000, "pass"), (2070, "unusual"), (2095, "unusual"), (2130, "FAIL")])
def test_a_check_has_three_answers(control, answer):
    frame, pvalue = uneven(control, 4000 - control)
    gate = checked(frame.drop(columns=["covariate_age", "covariate_region"]), segments=[])
    assert {"pass": pvalue >= 0.05, "unusual": 0.001 <= pvalue < 0.05, "FAIL": pvalue < 0.001}[answer]
    assert gate.table["answer"].iloc[0] == answer and gate.table["sound"].iloc[0] == (answer != "FAIL")
    said = [one for one in gate.notes() if one.startswith("The split is unusual: ")]
    assert len(said) == (answer == "unusual")
    assert all("before you act" in one and f"(p = {pvalue:.4f})" in one for one in said)


def test_the_split_of_cookie_cats_is_unusual():
    frame = pd.DataFrame({"unit_id": range(90_189), "variant": ["gate_30"] * 44_700 + ["gate_40"] * 45_489})
    gate = experiment.soundness(ibis.memtable(frame.astype(str)), "gate_30")
    (said,) = gate.notes()
    assert gate.sound and said.startswith(
        "The split is unusual: gate_30 has 49.56% of the units, planned 50.00% (p = 0.0086)."
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [("Control", "control", 1), ("control", "control\u200b", 1), ("control", "control\xa0", 1), ("new mail", "New_mail", 1),
     ("new-mail", "newmail", 1),      ("dose 1", "dose 2", 0), ("-1", "1", 0), ("a", "b", 0), ("mail+", "mail", 0), ("1.0", "10", 0)],
)  # fmt: skip
def test_arms_that_look_alike_get_a_hint(one, other, alike):
    frame = sound(900).assign(variant=np.resize([one, other, "third"], 900))
    row = experiment.soundness(ibis.memtable(frame), one).table.set_index("check").loc["distinct arm names"]
    assert row["sound"] == (not alike) and (f"{one!r} and {other!r} look alike" in row["found"]) == bool(alike)
    meant = {one: 1, other: 1, "third": 1}
    assert experiment.soundness(ibis.memtable(frame), one, planned=meant).sound, "a plan that names both means both"


def test_a_control_that_is_written_otherwise_is_pointed_at():
    with pytest.raises(ValueError, match="'Control ' looks like it: write that"):
        experiment.sample_ratio(ibis.memtable(sound().replace({"variant": {"control": "Control "}})), "control")


@pytest.mark.slow
def test_the_check_that_did_not_pass_is_the_first_that_is_shown():
    frame, _ = uneven(2000, 2000)
    frame.loc[5, "outcome_spend"] = np.nan
    gate = checked(frame, segments=[])
    shown = gate.shown()
    assert gate.open == 1 and shown["check"].iloc[0] == "missing outcomes" and shown["result"].iloc[0] == "FAIL"
    assert sorted(shown["check"]) == sorted(gate.table["check"]) and (shown["result"].iloc[1:] == "pass").all()


@pytest.mark.thorough
@pytest.mark.slow
def test_the_split_by_day_is_that_of_pandas_and_its_range_that_of_the_check():
    frame = sound(3000)
    found = experiment.split.sample_ratio_over_time(ibis.memtable(frame), "control", {"control": 1, "new": 2})
    by_day = pd.crosstab(frame["exposed_at"].dt.normalize(), frame["variant"])
    assert found["units"].to_numpy().reshape(-1, 2).tolist() == by_day[["control", "new"]].to_numpy().tolist()
    so_far = by_day.cumsum()
    share = so_far.div(so_far.sum(axis=1), axis=0)[["control", "new"]].to_numpy().ravel()
    assert found["share"].to_numpy() == pytest.approx(share)
    assert found["planned"].iloc[:2].tolist() == pytest.approx([1 / 3, 2 / 3])
    for control in range(900, 1101, 5):  # of 3,000 units
        one, _ = uneven(control, 3000 - control)
        planned = {"control": 1, "new": 2}
        table = experiment.split.sample_ratio_over_time(ibis.memtable(one), "control", planned)
        last = table.groupby("variant").last()
        outside = ((last["share"] < last["low"]) | (last["share"] > last["high"])).any()
        assert outside == (not experiment.sample_ratio(ibis.memtable(one), "control", planned).sound), control
    picture = figures.split_by_day(found)
    final = 100 * (share[-1] - 2 / 3)
    assert f"new {final:+.1f}; outside the range of a valid test: control, new" in picture.alt and picture.png()
    assert experiment.split.sample_ratio_over_time(ibis.memtable(frame.drop(columns="exposed_at")), "control").empty


def test_sound_tests_fail_at_the_promised_rate():
    rng = np.random.default_rng(3)
    days = rng.multinomial(1000, [0.5, 0.5], (2000, 14))
    p = stats.chisquare(days, axis=2).pvalue  # what sample_ratio_by adjusts by Holm: the smallest times their number
    assert np.mean(p.min(axis=1) * 14 < experiment.balance.SAMPLE_RATIO_ALPHA) <= 0.003
