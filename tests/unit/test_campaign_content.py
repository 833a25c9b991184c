"""Content blocks: a second implementation, planted affinities, and the rate of false recommendations."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.campaign.content import BEST_SELLERS, OWN, content_blocks
from customerlab.analysis.campaign.send_time import judge_times
from helpers import by_chance

DAY = pd.Timestamp("2024-04-01")
CATEGORIES = np.array(["books", "garden", "kitchen", "tea", "toys", "wool"])
SHOP = np.array([0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
READERS = np.array([0.5, 0.1, 0.1, 0.05, 0.2, 0.05])
KNITTERS = np.array([0.05, 0.1, 0.1, 0.35, 0.05, 0.35])


def planted(seed, before, later=None, *, customers=300, lines=6, strength=8.0):
    """Lines of half a year, with the segments' shares of categories before the split day and later; and segments."""
    rng, later = np.random.default_rng(seed), before if later is None else later
    group = np.arange(customers) % len(before)
    rows = []
    for shares, start in ((before, 0), (later, 91)):
        draws = rng.gamma(strength * np.asarray(shares)[group]) + 1e-300
        own = draws / draws.sum(axis=1, keepdims=True)
        who = np.repeat(np.arange(customers), rng.poisson(lines, customers))
        place = (rng.random(len(who))[:, None] > own[who].cumsum(axis=1)).sum(axis=1).clip(max=5)
        days = start + rng.integers(91, size=len(who))
        at = pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")
        rows.append(pd.DataFrame({"customer_id": who, "at": at, "category": CATEGORIES[place]}))
    table = pd.concat(rows, ignore_index=True)
    names = pd.Index([f"c{n:04d}" for n in range(customers)])
    table["customer_id"] = names[table["customer_id"]]
    return table, pd.Series([f"s{n}" for n in group], names)


def test_planted_affinities_are_recommended_and_segments_like_the_shop_get_best_sellers():
    found = content_blocks(*pair(planted(1, [SHOP, READERS, KNITTERS], customers=900)), blocks=2)
    judged, blocks = found.judged.set_index("segment"), found.blocks.set_index(["segment", "block"])
    assert set(blocks.loc["s1", "category"]) == {"books", "toys"} and set(blocks.loc["s2", "category"]) == {
        "tea",
        "wool",
    }
    assert judged.loc["s1", "decision"] == judged.loc["s2", "decision"] == OWN
    truth = pd.Series({"s1": 0.7 - READERS[pick(found)].sum(), "s2": 0.7 - KNITTERS[pick(found)].sum()})
    assert judged.loc[truth.index, "low"].lt(truth).all() and judged.loc[truth.index, "high"].gt(truth).all()
    assert blocks.loc[("s2", 1), "index"] == pytest.approx(
        100 * blocks.loc[("s2", 1), "share"] / found.shares.shop[blocks.loc[("s2", 1), "category"]]
    )
    assert (blocks.loc["s2", "index"] > 200).all()


def pair(made):
    """The arguments of `content_blocks`, of lines and segments."""
    return made[0], DAY, made[1]


def pick(found, number=2):
    """Places of the shop's best sellers."""
    return np.argsort(-found.shares.shop.to_numpy(), kind="stable")[:number]


def test_with_one_block_the_gain_is_that_of_send_times_with_categories_as_slots():
    lines, segments = planted(2, [SHOP, READERS, KNITTERS])
    category = pd.Categorical(lines["category"])
    times = judge_times(lines, DAY, lambda at: category[at.index], segments, seed=1)
    found = content_blocks(lines, DAY, segments, blocks=1)
    judged = found.judged
    assert judged["lines"].sum() == times.events and judged["customers"].sum() == times.customers
    for measure, rule in (("best_sellers", 0), ("own", 1)):
        whole = (judged[measure] * judged["lines"]).sum() / times.events
        assert whole == pytest.approx(times.rules["hits"][rule], rel=1e-12)
    pd.testing.assert_frame_equal(found.shares.segments, times.times.segments)
    chosen = dict(zip(found.blocks["segment"], found.blocks["category"], strict=True))
    assert chosen == found.shares.segments.idxmax(axis=1).to_dict()


def test_with_one_line_per_customer_the_interval_is_that_of_students_test():
    lines, segments = planted(3, [SHOP, KNITTERS], customers=400)
    once = lines[lines["at"] >= DAY].drop_duplicates("customer_id")
    found = content_blocks(pd.concat([lines[lines["at"] < DAY], once]), DAY, segments, blocks=2)
    row = found.judged.set_index("segment").loc["s0"]
    known = once["customer_id"].isin(lines.loc[lines["at"] < DAY, "customer_id"])
    own = once[known & (once["customer_id"].map(segments) == "s0")]
    shown = found.blocks.loc[found.blocks["segment"] == "s0", "category"]
    apart = own["category"].isin(shown).astype(int) - own["category"].isin(CATEGORIES[pick(found)]).astype(int)
    test = stats.ttest_1samp(apart, 0.0)
    assert row[["gain", "low", "high"]].tolist() == pytest.approx(
        [apart.mean(), *test.confidence_interval(0.95)], rel=1e-9
    )
    assert row["p_adjusted"] == pytest.approx(test.pvalue, rel=1e-6)  # of the only segment whose blocks differ


def test_p_values_are_those_of_the_intervals_adjusted_by_holm():
    weak = [0.9 * SHOP + 0.1 * other for other in (SHOP, READERS, KNITTERS, KNITTERS[::-1])]
    judged = content_blocks(*pair(planted(11, weak, weak, customers=1_200)), blocks=4).judged.dropna(subset="low")
    df = judged["customers"] - 1
    error = (judged["high"] - judged["low"]) / 2 / stats.t.ppf(0.975, df)
    p = pd.Series(2 * stats.t.sf((judged["gain"] / error).abs(), df), judged.index).sort_values()
    adjusted = (p * np.arange(len(p), 0, -1)).cummax().clip(upper=1)
    assert len(p) >= 2 and p.iloc[0] > 1e-6
    np.testing.assert_allclose(judged["p_adjusted"], adjusted.reindex(judged.index))


def test_a_block_is_chosen_by_share_and_its_index_is_the_ratio_to_the_shop():
    found = content_blocks(*pair(planted(4, [SHOP, READERS])), blocks=6)
    for _, own in found.blocks.groupby("segment"):
        assert own["share"].is_monotonic_decreasing and own["share"].sum() == pytest.approx(1)
        assert own["block"].tolist() == [1, 2, 3, 4, 5, 6] and sorted(own["category"]) == list(CATEGORIES)
    shop = found.blocks["category"].map(found.shares.shop)
    np.testing.assert_allclose(found.blocks["index"], 100 * found.blocks["share"] / shop)
    assert (found.judged["decision"] == BEST_SELLERS).all() and not found.judged["gain"].any()


def test_segments_that_do_not_differ_get_the_best_sellers():
    found = content_blocks(*pair(planted(5, [SHOP, SHOP, SHOP])), blocks=2)
    assert (found.judged["decision"] != OWN).all()
    assert found.blocks["index"].between(85, 115).all()


def test_affinities_that_have_gone_are_not_recommended():
    found = content_blocks(*pair(planted(6, [SHOP, SHOP, KNITTERS], [SHOP] * 3, customers=600)), blocks=2)
    row = found.judged.set_index("segment").loc["s2"]
    assert row["high"] < 0 and row["decision"] == BEST_SELLERS and row["p_adjusted"] < 0.01


def test_the_order_of_rows_and_the_names_of_rows_change_nothing():
    lines, segments = planted(7, [SHOP, READERS, KNITTERS])
    shuffled = lines.sample(frac=1, random_state=1).set_axis(np.zeros(len(lines)), axis=0)
    one = content_blocks(lines, DAY, segments)
    other = content_blocks(shuffled, DAY, segments.iloc[::-1].astype("category"))
    pd.testing.assert_frame_equal(one.blocks, other.blocks)
    pd.testing.assert_frame_equal(one.judged, other.judged)


def test_few_customers_and_no_later_lines_are_too_few_to_tell():
    lines, segments = planted(8, [SHOP, KNITTERS], customers=30)
    found = content_blocks(lines, DAY, segments, blocks=1)
    assert found.judged["decision"].str.startswith("too few to tell").all() and found.judged["low"].isna().all()
    later = content_blocks(lines[lines["at"] < DAY], DAY, segments).judged
    assert later["decision"].str.fullmatch(r"too few to tell \(0 customers with later lines\)").all()
    assert later["gain"].isna().all() and not later["lines"].any()


def test_few_for_whom_the_blocks_differ_are_too_few_to_tell():
    early = pd.DataFrame(
        {"segment": ["a"] * 90 + ["b"] * 60, "category": ["books"] * 90 + ["wool"] * 40 + ["tea"] * 20}
    )
    early = early.assign(customer_id=[f"c{n:03d}" for n in range(150)], at=DAY - pd.Timedelta(days=1))
    late = early.assign(category=["garden"] * 140 + ["wool"] * 10, at=DAY)
    segments = early.set_index("customer_id")["segment"]
    lines = pd.concat([early, early, late])
    found = content_blocks(lines, DAY, segments, blocks=1).judged.set_index("segment")
    assert found["differing"].tolist() == [0, 10] and np.isnan(found.loc["b", "low"])
    assert found.loc["b", "decision"] == "too few to tell (10 customers for whom the blocks differ in later lines)"
    assert found.loc["a", "decision"] == BEST_SELLERS


def test_customers_without_a_segment_are_one_of_their_own():
    lines, segments = planted(9, [SHOP, READERS])
    found = content_blocks(lines, DAY, segments[segments == "s1"])
    assert found.judged["segment"].tolist() == ["no segment", "s1"]


@pytest.mark.parametrize("column", ["customer_id", "at", "category"])
def test_missing_values_are_refused(column):
    lines, segments = planted(10, [SHOP], customers=30)
    with pytest.raises(ValueError, match="a customer, a time and a category in every row"):
        content_blocks(hole(lines, column), DAY, segments)
    with pytest.raises(ValueError, match="at least one block"):
        content_blocks(lines, DAY, segments, blocks=0)


def hole(lines, column):
    """The lines with one value missing."""
    return lines.assign(**{column: lines[column].where(lines.index != 3)})


@pytest.mark.thorough
def test_false_recommendations_are_at_most_at_the_level():
    # blocks differ by what was bought before, and later none is better than another
    even = np.full(6, 1 / 6)
    wrong = sum(
        (content_blocks(*pair(planted(seed, [KNITTERS, READERS, SHOP], [even] * 3, customers=240)), blocks=2).judged)[
            "decision"
        ]
        .eq(OWN)
        .any()
        for seed in range(400)
    )
    print(f"false recommendations: {wrong / 400:.1%}")
    assert wrong / 400 <= by_chance(0.025, 400)[1]  # gains above zero are half of those significant two-sided
