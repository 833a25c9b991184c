"""Channel: published and scipy's tests of independence, closed forms, planted channels, and false claims."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency

from customerlab.analysis.campaign.channels import ONE, SEGMENT, channel_balance, judge_channels
from helpers import by_chance

START = pd.Timestamp("2024-01-02")
SPLIT = START + pd.Timedelta(days=7 * 6)
CHANNELS = np.array(["email", "letter", "text"])
LEVELS = np.array([[0.04], [0.08], [0.12], [0.2]])
PREFERRED = LEVELS * np.array([[1.5, 0.8, 0.8], [0.7, 1.6, 0.7], [0.7, 0.7, 1.6], [1.5, 0.8, 0.8]])
ALIKE = LEVELS * np.array([[1.1, 0.9, 1.0]])


def sends(seed, rates, *, number=500, weeks=12):
    """Weekly messages whose channel is drawn at random with shares that differ by campaign; segments by customer."""
    rng = np.random.default_rng(seed)
    segment = rng.integers(len(rates), size=number)
    who, week = np.tile(np.arange(number), weeks), np.repeat(np.arange(weeks), number)
    shares = rng.dirichlet([10, 6, 4], weeks)
    channel = (rng.random(len(who))[:, None] > shares[week].cumsum(axis=1)).sum(axis=1).clip(max=2)
    names = np.array([f"c{n:04d}" for n in range(number)])
    held_out = rng.random(len(who)) < 0.1
    clicked = np.where(held_out, np.nan, rng.random(len(who)) < np.asarray(rates)[segment[who], channel])
    table = {
        "customer_id": names[who], "campaign": [f"M{one:02d}" for one in week], "channel": CHANNELS[channel],
        "sent": START + pd.to_timedelta(7 * week, unit="D"), "held_out": held_out, "clicked": clicked,
    }  # fmt: skip
    return pd.DataFrame(table), pd.Series([f"s{one}" for one in segment], names)


def judged(seed, rates, **options):
    mails, segments = sends(seed, rates, **options)
    return judge_channels(mails, SPLIT, segments, "clicked", seed=1)


def as_messages(cells):
    """One message per count of a table of campaigns, segments and channels, and the customers' segments."""
    campaign, segment, channel = np.repeat(np.indices(cells.shape).reshape(3, -1), cells.ravel(), axis=1)
    names = [f"c{n}" for n in range(len(campaign))]
    mails = pd.DataFrame({"customer_id": names, "campaign": campaign, "channel": channel, "held_out": False})
    return mails, pd.Series(segment, names)


# Balance


def test_a_published_test_of_independence_in_strata():
    # Job satisfaction by income for two genders (Agresti 2002, Categorical Data Analysis, section 7.5.3, and the manual
    # of R's mantelhaen.test): M² = 10.2001 with 9 degrees of freedom, p = 0.3345.
    women = [[1, 2, 0, 0], [3, 3, 1, 2], [11, 17, 8, 4], [2, 3, 5, 2]]
    men = [[1, 0, 0, 0], [1, 3, 0, 1], [2, 5, 7, 9], [1, 1, 3, 6]]
    found = channel_balance(*as_messages(np.array([np.transpose(women), np.transpose(men)])))
    assert (round(found.statistic, 4), found.df, round(found.p, 4)) == (10.2001, 9, 0.3345)


def test_one_campaign_has_the_statistic_of_scipy():
    cells = np.random.default_rng(1).integers(3, 30, size=(1, 4, 3))
    found, theirs = channel_balance(*as_messages(cells)), chi2_contingency(cells[0])
    assert found.statistic == pytest.approx(theirs.statistic * (cells.sum() - 1) / cells.sum(), rel=1e-9)
    assert found.df == theirs.dof


def test_two_channels_and_segments_have_the_closed_form_of_mantel_and_haenszel():
    cells = np.random.default_rng(2).integers(3, 30, size=(5, 2, 2))
    n, rows, columns = cells.sum(axis=(1, 2)), cells.sum(axis=2), cells.sum(axis=1)
    apart = (cells[:, 0, 0] - rows[:, 0] * columns[:, 0] / n).sum()
    variance = (rows.prod(axis=1) * columns.prod(axis=1) / (n**2 * (n - 1))).sum()
    assert channel_balance(*as_messages(cells)).statistic == pytest.approx(apart**2 / variance, rel=1e-9)


def test_channels_chosen_by_segment_are_noticed_and_one_channel_is_no_test():
    mails, segments = sends(3, ALIKE, number=200)
    assert channel_balance(mails, segments).p > 0.001
    chosen = mails.assign(channel=mails["channel"].where(mails["customer_id"].map(segments) != "s1", "letter"))
    assert channel_balance(chosen, segments).p < 1e-9
    for table in (mails.assign(channel="email"), mails.assign(held_out=True), mails.assign(channel=mails["campaign"])):
        found = channel_balance(table, segments)
        assert (found.statistic, found.df) == (0, 0) and np.isnan(found.p)


# Rates and rules


def test_one_segment_has_the_rates_of_channels():
    mails, segments = sends(4, ALIKE[[2]], weeks=8)
    mails["campaign"] = np.where(mails["sent"] < SPLIT, "before", "after")
    found = judge_channels(mails, SPLIT, segments, "clicked", seed=1)
    sent = mails[~mails["held_out"]]
    early, later = sent[sent["sent"] < SPLIT], sent[sent["sent"] >= SPLIT]
    rates = early.groupby("channel")["clicked"].mean()
    assert found.by["shrunken"].to_numpy() == pytest.approx(rates.to_numpy(), rel=1e-6)
    assert found.by["rate"].to_numpy() == pytest.approx(rates.to_numpy(), rel=1e-12)
    assert found.channel == rates.idxmax() and found.decision == ONE
    value = later.loc[later["channel"] == found.channel, "clicked"].mean()
    assert found.rules["value"].tolist() == pytest.approx([value] * 2, rel=1e-12)
    assert found.gains[["gain", "low", "high", "differing"]].iloc[0].tolist() == [0, 0, 0, 0]
    # The interval is that of a gamma distribution with the channel's outcomes, of which nothing is shrunken.
    n, total = early.groupby("channel")["clicked"].agg(["size", "sum"]).to_numpy().T
    width = (found.by["high"] - found.by["low"]).to_numpy()
    assert width == pytest.approx(2 * 1.96 * rates.to_numpy() * np.sqrt((1 - rates.to_numpy()) / total), rel=0.05)
    assert (found.by["messages"] == n).all()


def test_values_of_rules_are_weighted_by_hand():
    mails, segments = sends(5, PREFERRED)
    found = judge_channels(mails, SPLIT, segments, "clicked", seed=1)
    own = found.by[found.by["best"]].set_index("segment")["channel"]
    later = mails[(mails["sent"] >= SPLIT) & ~mails["held_out"]]
    totals = [0.0, 0.0]
    for _, rows in later.groupby("campaign"):
        share = rows["channel"].map(rows["channel"].value_counts(normalize=True))
        for place, rule in enumerate((found.channel, rows["customer_id"].map(segments).map(own))):
            totals[place] += (rows["clicked"] / share)[rows["channel"] == rule].sum()
    assert found.rules["value"].to_numpy() == pytest.approx(np.array(totals) / len(later), rel=1e-10)
    assert (found.messages, found.customers) == (len(later), later["customer_id"].nunique())
    best = later[later["channel"] == found.channel].groupby("campaign")["clicked"].mean()
    mean = np.average(best, weights=later.groupby("campaign").size()[best.index])
    assert found.rules.loc[0, "value"] == pytest.approx(mean, rel=1e-10)


def test_planted_channels_are_found_and_beat_every_fixed_one():
    found = judged(6, PREFERRED, number=1_000)
    assert found.decision == SEGMENT and found.gains["low"].item() > 0
    right = found.by[found.by["best"]]["channel"].to_numpy() == CHANNELS[PREFERRED.argmax(axis=1)]
    assert right.sum() > max(np.bincount(PREFERRED.argmax(axis=1)))


def test_a_segment_with_few_outcomes_has_the_common_order():
    mails, segments = sends(7, np.vstack([ALIKE * [[1.4, 0.8, 1.0]], [[0.1] * 3]]), number=900)
    small = segments[segments == "s4"].index[3:]
    found = judge_channels(mails[~mails["customer_id"].isin(small)], SPLIT, segments, "clicked", seed=1)
    by = found.by.set_index(["segment", "channel"])
    assert by.loc["s4", "messages"].sum() < 20 and by.loc[("s4", "email"), "best"]
    assert np.allclose(by["shrunken"].unstack().idxmax(axis=1) == "email", by["best"].unstack()["email"])


def test_the_order_of_rows_does_not_matter():
    mails, segments = sends(8, PREFERRED, number=200)
    one = judge_channels(mails, SPLIT, segments, "clicked", seed=1)
    mixed = mails.sample(frac=1, random_state=1)
    other = judge_channels(mixed, SPLIT, segments.sample(frac=1, random_state=2), "clicked", seed=1)
    for name in ("by", "gains", "rules"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


def test_without_several_channels_in_a_campaign_nothing_is_judged():
    mails, segments = sends(9, PREFERRED)
    mails["channel"] = mails["campaign"].map(lambda name: CHANNELS[int(name[1:]) % 2])
    found = judge_channels(mails, SPLIT, segments, "clicked", seed=1)
    assert found.messages == 0 and found.decision == "too few to tell (0 customers with later responses)"
    assert np.isnan(found.gains["gain"].item())
    found = judge_channels(mails[mails["channel"] != "email"], SPLIT, segments, "clicked", seed=1)
    assert found.decision == ONE and found.channel == "letter"


def test_later_campaigns_without_a_recommended_channel_are_not_judged():
    mails, segments = sends(10, PREFERRED, number=1_000)
    late = mails["campaign"] >= "M09"
    mails = mails[~late | (mails["channel"] == "email")]
    late = late[mails.index]
    found = judge_channels(mails, SPLIT, segments, "clicked", seed=1)
    assert found.messages == (~mails["held_out"] & mails["campaign"].between("M06", "M08")).sum()
    none = judge_channels(mails[(mails["sent"] < SPLIT) | late], SPLIT, segments, "clicked", seed=1)
    assert none.messages == 0 and none.decision == "too few to tell (0 customers with later responses)"


def test_few_outcomes_are_too_few_to_tell():
    mails, segments = sends(11, PREFERRED, number=100)
    none = judge_channels(mails.assign(clicked=0), SPLIT, segments, "clicked", seed=1)
    assert none.decision == "too few to tell (0 customers with earlier responses)"
    assert none.by["shrunken"].eq(0).all() and none.by["low"].isna().all()
    mails, segments = sends(11, PREFERRED * np.array([[1], [1], [0], [1]]))
    silent = judge_channels(mails, SPLIT, segments, "clicked", seed=1).by.set_index("segment")
    assert silent.loc["s2", "shrunken"].max() < 1e-6 and silent.loc["s2", "low"].isna().all()
    assert silent.drop("s2")[["low", "high"]].notna().all(axis=None)
    apart = np.array([[0.0, 0.9, 0.0], [0.9, 0.0, 0.0]])
    mails, segments = sends(12, apart, number=400)
    segments[:] = np.where(np.arange(400) < 12, "s0", "s1")
    mails["clicked"] = (mails["channel"] == "email") == (mails["customer_id"].map(segments) == "s1")
    few = judge_channels(mails, SPLIT, segments, "clicked", seed=1)
    assert few.decision == "too few to tell (12 customers for whom the channels differ in later responses)"
    assert few.gains[["low", "high"]].isna().all(axis=None)


def test_what_cannot_be_judged_is_refused():
    mails, segments = sends(13, ALIKE, number=50)
    early, late = mails[mails["sent"] < SPLIT], mails[mails["sent"] >= SPLIT]
    for table in (early, late, mails.assign(held_out=True), mails.assign(channel=None), mails[:0]):
        with pytest.raises(ValueError, match="choose another day"):
            judge_channels(table, SPLIT, segments, "clicked", seed=1)
    new = judge_channels(mails, SPLIT, pd.Series(dtype=object), "clicked", seed=1)
    assert set(new.by["segment"]) == {"no segment"} and new.gains["gain"].item() == 0


# Rates


@pytest.mark.thorough
def test_without_planted_channels_no_more_are_recommended_than_promised():
    found = [judged(seed, ALIKE, number=200).decision for seed in range(100)]
    assert np.mean([one == SEGMENT for one in found]) <= by_chance(0.025, 100)[1]


@pytest.mark.thorough
def test_planted_channels_are_recommended_in_most_shops():
    found = [judged(seed, PREFERRED, number=1_000) for seed in range(50)]
    assert np.mean([one.decision == SEGMENT for one in found]) >= by_chance(0.95, 50)[0]
    best = CHANNELS[PREFERRED.argmax(axis=1)]
    right = np.array([one.by[one.by["best"]]["channel"].to_numpy() == best for one in found])
    assert right.mean() > 0.5 + 0.3  # the best fixed channel is right for half of the segments


@pytest.mark.thorough
def test_intervals_of_gains_contain_the_true_gain():
    hits = []
    for seed in range(80):
        found = judged(seed, PREFERRED, number=300)
        own = found.by[found.by["best"]]["channel"].map(dict(zip(CHANNELS, range(3), strict=True))).to_numpy()
        mails, segments = sends(seed, PREFERRED, number=300)
        later = mails[(mails["sent"] >= SPLIT) & ~mails["held_out"]]
        counts = later["customer_id"].map(segments).value_counts().sort_index().to_numpy()
        gain = PREFERRED[range(4), own] - PREFERRED[:, list(CHANNELS).index(found.channel)]
        true = counts @ gain / counts.sum()
        hits.append(found.gains["low"].item() <= true <= found.gains["high"].item())
    assert by_chance(0.95, 80)[0] <= np.mean(hits)


@pytest.mark.thorough
def test_intervals_of_rates_contain_planted_rates():
    hits = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rates = rng.gamma(4, 0.02, (8, 1)) * rng.gamma(12, 1 / 12, (8, 3))
        by = judged(seed, rates, number=400).by
        hits.append((by["low"] <= rates.ravel()) & (rates.ravel() <= by["high"]))
    assert np.mean(hits) == pytest.approx(0.95, abs=0.02)
