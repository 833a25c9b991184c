"""Who took part: when units joined, and what was assigned where they are finer."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import experiment
from customerlab.errors import DataError


def visits(customers=400, seed=0):
    """Visits of customers, who were assigned; what a customer spends is alike in all visits."""
    rng = np.random.default_rng(seed)
    count = rng.integers(1, 9, customers)
    who = np.repeat(np.arange(customers), count)
    habit = rng.gamma(2, 5, customers)
    return pd.DataFrame(
        {
            "unit_id": [f"v{i:05d}" for i in range(len(who))],
            "assigned_id": [f"c{i:04d}" for i in who],
            "variant": np.where(who % 2, "new", "control"),
            "outcome_spend": habit[who] + rng.normal(0, 1, len(who)) + (who % 2),
            "outcome_order": (rng.random(len(who)) < 0.1 + habit[who] / 100).astype(float),
            "covariate_age": [f"{age}" for age in rng.integers(20, 70, customers)[who]],
        }
    )


def test_sums_labels_and_times_of_what_was_assigned():
    frame = pd.DataFrame(
        {
            "unit_id": ["1", "2", "3", "4", "5"],
            "assigned_id": ["ann", "ann", "bob", "bob", "cid"],
            "variant": ["a", "a", "b", "b", "b"],
            "exposed_at": pd.to_datetime(["2024-01-03", "2024-01-01", None, "2024-01-05", None]),
            "outcome_spend": [5.0, 1.5, 2.0, np.nan, 0.0],
            "covariate_age": ["30", "31", "40", "40", None],
            "covariate_town": ["Ulm", "Ulm", "Ulm", "Bonn", "Bonn"],
        }
    )
    found = experiment.units.by_assigned(ibis.memtable(frame)).order_by("unit_id").to_pandas().set_index("unit_id")
    assert found["size"].tolist() == [2, 2, 1] and found["variant"].tolist() == ["a", "b", "b"]
    assert found["outcome_spend"].fillna(-1).tolist() == [6.5, -1, 0], "a sum that lacks a part is lacking"
    assert found["exposed_at"].dt.day.fillna(0).tolist() == [1, 5, 0]
    assert found["covariate_age"].astype(float).fillna(-1).tolist() == [30.5, 40, -1]
    assert found["covariate_town"].fillna("").tolist() == ["Ulm", "", "Bonn"], "labels that differ say nothing"


def test_errors_are_the_cluster_robust_ones():
    frame = visits()
    units = experiment.units.by_assigned(ibis.memtable(frame))
    metrics = experiment.metrics_of(units)
    assert [(one.name, one.below, one.proportion) for one in metrics] == [
        ("spend", "size", False), ("order", "size", False),
    ]  # fmt: skip
    table = experiment.compare_arms(units, metrics, "control").set_index("metric")
    for name in ("spend", "order"):
        variance, means = 0.0, {}
        for arm, part in frame.groupby("variant"):
            means[arm] = part[f"outcome_{name}"].mean()
            # Liang and Zeger's (1986) variance of a mean: residuals are summed within what was assigned
            summed = (part[f"outcome_{name}"] - means[arm]).groupby(part["assigned_id"]).sum()
            groups = len(summed)
            variance += groups / (groups - 1) * (summed**2).sum() / len(part) ** 2
        row = table.loc[name]
        assert row["effect"] == pytest.approx(means["new"] - means["control"], rel=1e-9)
        assert row["error"] == pytest.approx(np.sqrt(variance), rel=1e-9)
    new, old = (frame.loc[frame["variant"] == arm, "outcome_spend"] for arm in ("new", "control"))
    naive = np.sqrt(new.var() / len(new) + old.var() / len(old))
    assert table.loc["spend", "error"] > 1.5 * naive, "visits of one customer are alike"


def test_units_that_were_assigned_themselves_keep_their_numbers():
    frame = visits().drop_duplicates("assigned_id")
    alone = experiment.compare_arms(
        ibis.memtable(frame), [experiment.Metric("spend", "outcome_spend", covariate="covariate_age")], "control"
    )
    units = experiment.units.by_assigned(ibis.memtable(frame))
    robust = experiment.compare_arms(
        units, [experiment.Metric("spend", "outcome_spend", "size", covariate="covariate_age")], "control"
    )
    columns = ["effect", "effect_low", "pvalue", "relative_low", "kept"]
    assert robust[columns].iloc[0].tolist() == pytest.approx(alone[columns].iloc[0].tolist(), rel=1e-9)
    plain = ibis.memtable(frame.drop(columns="assigned_id"))
    assert experiment.units.by_assigned(plain) is plain


def test_the_whole_test_counts_what_was_assigned():
    frame = visits()
    frame["exposed_at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(len(frame)) % 5, unit="D")
    units = experiment.units.by_assigned(ibis.memtable(frame))
    assert experiment.sample_ratio(units, "control").table["units"].tolist() == [200, 200]
    assert experiment.arrivals(units).sum() == 400
    metrics = experiment.metrics_of(units)
    believed = experiment.bayes.choices_of(experiment.moments(units, metrics[0].columns), metrics[:1], "control")
    robust = experiment.compare_arms(units, metrics[:1], "control").iloc[0]
    assert believed["better"].iloc[1] == pytest.approx(stats.norm.cdf(robust["effect"] / robust["error"]), abs=1e-4)
    name = metrics[0].name
    found = experiment.planning.simulations(units, metrics[:1], "control", 7, level={name: 0.05}, lift={}, runs=400)
    assert found["units"].iloc[0] == 200 and found["low"].iloc[0] <= 0.05 <= found["high"].iloc[0]


def test_customers_in_two_arms_are_seen_and_a_visit_twice_is_refused():
    frame = visits()
    crossed = frame.assign(variant=np.where(np.arange(len(frame)) == 1, "new", frame["variant"]))
    found = experiment.Measured(experiment.units.by_assigned(ibis.memtable(crossed))).by_value.loc["unit_id"]
    assert (found["mixed"], found["together"]) == (1, 0)
    again = frame.assign(unit_id=frame.groupby("assigned_id").cumcount().astype(str))
    mine, other = (
        experiment.units.by_assigned(ibis.memtable(one)).order_by("unit_id").to_pandas() for one in (frame, again)
    )
    pd.testing.assert_frame_equal(mine, other, obj="visits that are counted anew for every customer")
    with pytest.raises(DataError, match="the unit 'v00000' has 2 rows in 1 arm"):
        experiment.units.by_assigned(ibis.memtable(pd.concat([frame, frame.head(3)])))


def test_units_join_when_they_are_assigned_or_else_exposed():
    frame = visits()
    frame["exposed_at"] = pd.Timestamp("2024-01-04")
    frame.loc[frame["variant"] == "control", "exposed_at"] = None
    without = ibis.memtable(frame)
    assert not experiment.Measured(without).joined and experiment.arrivals(without).empty
    assert experiment.first_day(without) == pd.Timestamp("2024-01-04")
    with pytest.raises(ValueError, match="an arm has no times"):
        experiment.sequential.by_day(without, ["outcome_spend"])
    assigned = ibis.memtable(frame.assign(assigned_at=pd.Timestamp("2024-01-02 13:00")))
    assert experiment.Measured(assigned).joined == "assigned_at"
    assert experiment.arrivals(assigned).to_dict() == {pd.Timestamp("2024-01-02"): len(frame)}
    assert experiment.first_day(assigned) == pd.Timestamp("2024-01-02")
    assert experiment.first_day(ibis.memtable(frame.drop(columns="exposed_at"))) is None
    late = experiment.first_day(ibis.memtable(frame.assign(exposed_at=pd.NaT).astype({"exposed_at": "datetime64[us]"})))
    assert late is None


@pytest.mark.slow
def test_days_of_assignment_have_their_sizes_checked_where_the_control_is_never_exposed():
    frame = visits(3000).drop_duplicates("assigned_id")
    number = np.arange(len(frame))
    frame["assigned_at"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(number // 2 % 6, unit="D")
    frame["exposed_at"] = frame["assigned_at"].where(frame["variant"] == "new")
    units = frame.drop(columns="assigned_id")
    table = experiment.soundness(ibis.memtable(units), "control").table.set_index("check")
    assert "exposure after assignment" in table.index and table["sound"].all()
    lost = units[~((units["assigned_at"].dt.day == 1) & (units["variant"] == "new") & (number % 4 < 3))]
    found = experiment.soundness(ibis.memtable(lost), "control", planned={"control": 1, "new": 1}).table
    assert not found.set_index("check").loc["sample ratio by day", "sound"]


@pytest.mark.slow
@pytest.mark.parametrize(("crossed", "aside"), [(0, 0), (1, 1), (6, 6), (7, 0)])
def test_a_few_in_several_arms_are_set_aside_and_many_are_not(crossed, aside):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"unit_id": [f"{i:03d}" for i in range(600)], "variant": ["control", "new"] * 300})
    frame["outcome_spend"] = rng.gamma(1, 10, 600)
    both = pd.concat([frame, frame.head(crossed).assign(variant=frame["variant"].shift(1).head(crossed).fillna("new"))])
    for table in (both, both.assign(unit_id=[f"v{i}" for i in range(len(both))], assigned_id=both["unit_id"])):
        who = experiment.took_part(ibis.memtable(table), "control")
        gate = experiment.soundness(who.units, "control", who=who)
        assert (who.aside, who.assigned) == (aside, 600) and gate.sound == (aside == crossed)
        assert any(f"{aside} of 600 units" in one and "excluded" in one for one in gate.notes()) == bool(aside)
        assert who.units.count().execute() == 600 - aside + (crossed if not aside else 0)
        if not gate.sound:
            assert f"{crossed} units in several arms" in gate.refusal()


def sessions(seed=0, more=0.0, users=400, worth=0.0, arms=("control", "new")):
    """Sessions of users, of which the other arms bring more; what a session is worth varies by user."""
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, len(arms), users)
    count = 1 + rng.negative_binomial(1, 1 / (2 + more * (arm > 0)))
    who = np.repeat(np.arange(users), count)
    spend = rng.gamma(0.5, 10, users)[who] * rng.random(len(who)) + worth * (arm > 0)[who]
    return pd.DataFrame(
        {
            "unit_id": [f"s{i}" for i in range(len(who))], "assigned_id": [f"u{i}" for i in who],
            "variant": np.array(arms)[arm[who]], "outcome_spend": spend,
        }
    )  # fmt: skip


def test_rows_by_arm_are_compared_by_ranks_and_holm():
    frame = sessions(more=0.3, arms=("control", "a", "b"))
    table = experiment.participants.rows_by_arm(
        experiment.units.by_assigned(ibis.memtable(frame)), "control"
    ).set_index("variant")
    size = frame.groupby(["variant", "assigned_id"]).size()
    assert table.index.tolist() == ["control", "a", "b"] and np.isnan(table.loc["control", "pvalue"])
    for arm, part in size.groupby("variant"):
        assert table.loc[arm, "rows_each"] == pytest.approx(part.mean()) and table.loc[arm, "rows"] == part.sum()
    expected = [stats.mannwhitneyu(size[arm], size["control"], method="asymptotic").pvalue for arm in ("a", "b")]
    assert table.loc[["a", "b"], "pvalue"].tolist() == pytest.approx(expected, rel=0.1, abs=0.003)
    assert table["pvalue_holm"].min() == pytest.approx(2 * table["pvalue"].min())


def test_ranks_of_few_are_exact_and_of_what_is_far_normal():
    few, many = [1] * 20 + [2] * 2, [1] * 12 + [2] * 10
    frame = pd.DataFrame({"variant": ["control"] * 22 + ["new"] * 22, "size": np.array(few + many, dtype=float)})
    found = experiment.participants.rows_by_arm(ibis.memtable(frame), "control")["pvalue"].iloc[1]
    assert found == pytest.approx(stats.fisher_exact([[20, 2], [12, 10]]).pvalue, rel=0.15), "two values: Fisher's test"
    rng = np.random.default_rng(0)
    far = pd.DataFrame({"variant": ["control", "new"] * 300, "size": 1.0 + rng.poisson(np.tile([2, 4], 300))})
    sizes = [far.loc[far["variant"] == arm, "size"] for arm in ("new", "control")]
    expected = stats.mannwhitneyu(*sizes, method="asymptotic", use_continuity=False).pvalue
    found = experiment.participants.rows_by_arm(ibis.memtable(far), "control")["pvalue"].iloc[1]
    assert expected < 1e-8 and found == pytest.approx(expected, rel=1e-6, abs=0)


@pytest.mark.slow
def test_where_the_treatment_brings_more_rows_sums_decide_and_means_of_rows_do_not():
    frame = sessions(more=2.0, worth=-1.0)
    who = experiment.took_part(ibis.memtable(frame), "control")
    assert (
        who.moved and "size" not in who.units.columns and not any(one.below for one in experiment.metrics_of(who.units))
    )
    gate = experiment.soundness(who.units, "control", who=who)
    row = gate.table.set_index("check").loc["rows per assigned unit"]
    assert gate.sound and row["answer"] == "per assigned unit" and row["pvalue"] < 0.001
    assert any(one.startswith("The treatment changes how many rows there are: new has") for one in gate.notes())
    sums = frame.groupby(["variant", "assigned_id"])["outcome_spend"].sum()
    effect = experiment.compare_arms(who.units, experiment.metrics_of(who.units), "control")["effect"].iloc[0]
    assert effect == pytest.approx(sums["new"].mean() - sums["control"].mean())
    by_row = experiment.soundness(who.finer, "control")
    assert not by_row.sound and "rows per assigned unit: " in by_row.refusal(), "means of rows are stopped"


def test_effects_are_shown_in_both_ways():
    frame = sessions(more=2.0)
    finer = experiment.units.by_assigned(ibis.memtable(frame))
    table = experiment.participants.per_assigned_and_row(finer, "control").set_index("per")
    sums = frame.groupby(["variant", "assigned_id"])["outcome_spend"].sum()
    means = frame.groupby("variant")["outcome_spend"].mean()
    welch = stats.ttest_ind(sums["new"], sums["control"], equal_var=False)
    assert table.index.tolist() == ["assigned unit", "row"] and table["outcome"].unique().tolist() == ["spend"]
    assert table.loc["assigned unit", "effect"] == pytest.approx(sums["new"].mean() - sums["control"].mean())
    assert table.loc["assigned unit", "pvalue"] == pytest.approx(welch.pvalue)
    assert table.loc["row", "effect"] == pytest.approx(means["new"] - means["control"])


@pytest.mark.slow
def test_as_many_rows_in_every_arm_leave_means_of_rows():
    who = experiment.took_part(ibis.memtable(visits()), "control")
    assert not who.moved and "size" in who.units.columns and "are per row" in who.grain()[1]
    few = experiment.took_part(ibis.memtable(sessions(more=9.0, users=30)), "control")
    assert not few.moved and any("too few to tell (" in one for one in few.notes())
    same = visits().groupby("assigned_id").head(1)
    assert not experiment.took_part(ibis.memtable(same), "control").notes(), "one row each: nothing varies"
    assert experiment.took_part(ibis.memtable(same.drop(columns="assigned_id")), "control").grain() == []
