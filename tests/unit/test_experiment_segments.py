"""Effects by segment: planted ones are found, equal ones are not, and each is a plain test of its segment."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis import experiment
from customerlab.analysis.experiment.segments import _interaction

SPEND = experiment.Metric("spend", "outcome_spend")


def units(n=6000, seed=0, planted=3.0):
    rng = np.random.default_rng(seed)
    segment = rng.choice(["champions", "hibernating", "new", None], n, p=[0.3, 0.3, 0.3, 0.1])
    variant = rng.choice(["control", "mail"], n)
    effect = np.where(segment == "champions", planted, 0.5) * (variant == "mail")
    return pd.DataFrame(
        {
            "variant": variant, "covariate_segment": segment, "covariate_half": rng.choice(["x", "y"], n),
            "outcome_spend": rng.gamma(1, 10, n) + effect,
        }
    )  # fmt: skip


def test_each_row_is_the_plain_test_of_its_segment():
    frame = units()
    table = experiment.by_segment(ibis.memtable(frame), SPEND, "control", ["covariate_segment"]).table.set_index(
        "value"
    )
    assert table.index.tolist() == ["(none)", "champions", "hibernating", "new"] and table["units"].sum() == len(frame)
    part = frame[frame["covariate_segment"] == "new"]
    mail, none = (part.loc[part["variant"] == arm, "outcome_spend"] for arm in ("mail", "control"))
    test = stats.ttest_ind(mail, none, equal_var=False)
    row = table.loc["new"]
    assert row["effect"] == pytest.approx(mail.mean() - none.mean())
    assert row[["effect_low", "effect_high"]].tolist() == pytest.approx(list(test.confidence_interval()))


def test_a_planted_difference_is_found_and_its_segment_named():
    found = experiment.by_segment(ibis.memtable(units()), SPEND, "control", ["covariate_segment", "covariate_half"])
    interactions = found.interactions.set_index("segment")
    assert interactions.loc["segment", "pvalue_bh"] < 0.01 < interactions.loc["half", "pvalue"]
    clear = found.table[found.table["pvalue_bh"] < 0.05]
    above = clear[clear["apart"] > 0]  # the others are below an average that the champions raise
    assert above["value"].tolist() == ["champions"] and 2 < above["apart"].iloc[0] < 3.5


def test_q_of_two_values_is_the_square_of_their_difference():
    found = experiment.by_segment(ibis.memtable(units(seed=3)), SPEND, "control", ["covariate_half"])
    one, other = found.table["effect"]
    error = np.hypot(*found.table["error"])
    assert found.interactions["q"].iloc[0] == pytest.approx(((one - other) / error) ** 2)
    assert found.table["pvalue"].tolist() == pytest.approx([found.interactions["pvalue"].iloc[0]] * 2)
    assert found.table["apart"].tolist() == pytest.approx([one - other, other - one])


def test_equal_effects_are_called_different_at_the_promised_rate():
    rng = np.random.default_rng(0)
    # what by_segment makes of 2,000 tests with five segments of 200 units each, skewed, with one and the same effect
    spend = rng.gamma(1, 10, (2000, 5, 2, 100)) + np.array([0, 1])[:, None]
    effect = spend[:, :, 1].mean(axis=-1) - spend[:, :, 0].mean(axis=-1)
    error = np.sqrt((spend.var(axis=-1, ddof=1) / 100).sum(axis=-1))
    p = [
        _interaction(pd.DataFrame({"effect": e, "error": s}), "s", "mail")["pvalue"]
        for e, s in zip(effect, error, strict=True)
    ]
    assert 0.04 <= np.mean(np.array(p) < 0.05) <= 0.065


def test_segments_without_units_in_an_arm_or_without_variation_have_no_effect():
    frame = units(400)
    frame.loc[0, ["covariate_half", "variant"]] = ["lonely", "mail"]
    frame.loc[1:8, "covariate_half"], frame.loc[1:8, "outcome_spend"] = "flat", 1.0
    frame.loc[1:8, "variant"] = ["mail", "control"] * 4
    found = experiment.by_segment(ibis.memtable(frame), SPEND, "control", ["covariate_half"])
    table = found.table.set_index("value")
    assert table.loc[["lonely", "flat"], ["effect_low", "apart", "pvalue", "pvalue_bh"]].isna().all(axis=None)
    assert table.loc[["x", "y"], "pvalue_bh"].notna().all() and found.interactions["values"].tolist() == [2]
    one = experiment.by_segment(ibis.memtable(frame.assign(covariate_half="all")), SPEND, "control", ["covariate_half"])
    assert one.table["pvalue"].isna().all() and one.interactions["pvalue"].isna().all()
    with pytest.raises(ValueError, match="no segments are named"):
        experiment.by_segment(ibis.memtable(frame), SPEND, "control", [])


def test_a_sentence_says_where_the_effect_is_smallest_and_largest():
    rng = np.random.default_rng(4)
    n = 8000
    frame = pd.DataFrame(
        {
            "variant": np.resize(["control", "mail"], n), "bought": np.repeat(["no", "yes"], n // 2),
            "colour": rng.choice(["red", "blue"], n), "outcome_visit": 0.0,
        }
    )  # fmt: skip
    chance = 0.2 + 0.15 * ((frame["variant"] == "mail") & (frame["bought"] == "yes"))
    frame["outcome_visit"] = (rng.random(n) < chance).astype(float)
    metrics = [experiment.Metric("visit", "outcome_visit", proportion=True)]
    found = experiment.differences(ibis.memtable(frame), metrics, "control", ["bought", "colour"])
    said = experiment.differing(found, metrics, 0.01)
    assert (
        len(said) == 1 and "mail: the effect on visit differs by bought (p < 0.001 after adjustment), from" in said[0]
    )
    ends = []
    for value in ("no", "yes"):
        row = found.table.set_index(["segment", "value"]).loc["bought", value]
        effect, low, high = (f"{100 * row[name]:+.1f}" for name in ("effect", "effect_low", "effect_high"))
        ends.append(f"{effect} percentage points ({low} to {high}; 4,000 units) in {value}")
    assert " to ".join(ends) in said[0]
    assert experiment.no_segments().columns.tolist() == found.table.columns.tolist()
    assert experiment.differing(found, metrics, 0.01, most=0) == ["1 more effects differ by segment."]
