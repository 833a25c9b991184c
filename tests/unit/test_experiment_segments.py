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


@pytest.mark.thorough
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


def test_segments_that_say_one_fact_are_one_test():
    """As in a shop in which nearly everybody bought for men or for women, and money stands beside bands of money."""
    rng = np.random.default_rng(8)
    n = 6000
    kind = rng.choice(3, n, p=[0.45, 0.45, 0.1])  # for men, for women, for both
    frame = pd.DataFrame(
        {
            "variant": np.resize(["control", "mail"], n), "outcome_visit": 0.0, "mens": np.where(kind != 1, "1", "0"),
            "womens": np.where(kind != 0, "1", "0"), "town": rng.choice(["a", "b", "c"], n), "all": "x",
        }
    )  # fmt: skip
    frame["region"] = frame["town"].map({"a": "north", "b": "south", "c": "west"})
    chance = 0.2 + 0.15 * ((frame["variant"] == "mail") & (kind == 1))
    frame["outcome_visit"] = (rng.random(n) < chance).astype(float)
    columns = ["mens", "womens", "town", "region", "all"]
    kept, same = experiment.segments.distinct(ibis.memtable(frame), columns)
    assert kept == ["mens", "town", "all"] and same == {"womens": "mens", "region": "town"}
    found = pd.crosstab(frame["mens"], frame["womens"])
    phi = np.sqrt(stats.chi2_contingency(found, correction=False).statistic / n)
    assert phi == pytest.approx(stats.contingency.association(found, method="cramer")) and phi > 0.7
    metrics = [experiment.Metric("visit", "outcome_visit", proportion=True)]
    said = experiment.segments.differing(
        experiment.segments.differences(ibis.memtable(frame), metrics, "control", kept), metrics, 0.05, same=same
    )
    assert (
        len(said) == 1
        and " differs by mens (BH-adjusted p < 0.001; mens is closely associated with womens): " in said[0]
    )


def test_segments_of_few_outcomes_have_no_effect():
    frame = units(3000)
    frame["outcome_spend"] = np.where(
        frame["covariate_segment"].eq("new") & (frame.index % 40 > 0), 0.0, frame["outcome_spend"]
    )
    table = experiment.by_segment(ibis.memtable(frame), SPEND, "control", ["covariate_segment"]).table.set_index(
        "value"
    )
    assert np.isnan(table.loc["new", "effect"]) and table.loc[["champions", "hibernating"], "effect"].notna().all()
    assert table.loc["new", "units"] == frame["covariate_segment"].eq("new").sum()


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


def test_a_sentence_says_where_the_effect_is_largest_and_where_none_is_shown():
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
    found = experiment.segments.differences(ibis.memtable(frame), metrics, "control", ["bought", "colour"])
    said = experiment.segments.differing(found, metrics, 0.01)
    assert len(said) == 1 and said[0].startswith(
        "mail: the effect on visit differs by bought (BH-adjusted p < 0.001): +"
    )
    ends = []
    for value in ("yes", "no"):
        row = found.table.set_index(["segment", "value"]).loc["bought", value]
        effect, low, high = (f"{100 * row[name]:+.1f}" for name in ("effect", "effect_low", "effect_high"))
        ends.append((f"{effect} percentage points", f"for bought = {value}", f"CI {low} to {high}; 4,000 units"))
    (there, where, sure), (none, other, unsure) = ends
    assert said[0].endswith(f": {there} {where} ({sure}); no effect is shown {other} ({none}, {unsure}).")
    assert experiment.segments.no_segments().table.columns.tolist() == found.table.columns.tolist()
    first = experiment.segments.most_different(found).head(2)
    assert first["segment"].tolist() == ["bought"] * 2 and first["value"].tolist() == ["no", "yes"]
    assert first["of_segment"].nunique() == 1 and first["of_segment"].iloc[0] < 0.001
    assert experiment.segments.differing(found, metrics, 0.01, most=0) == ["1 more effects differ by segment."]
