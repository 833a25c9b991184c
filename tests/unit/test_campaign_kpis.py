"""Campaign KPIs: small tables by hand, second implementations, planted over-claims, and coverage of intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.campaign.kpis import kpis, machine_opens
from customerlab.analysis.inference import wilson
from helpers import by_chance

SENT = pd.Timestamp("2024-05-06 09:00")


def messages(seed, *, number=300, each=4, same=0.0):
    """Messages of a campaign; customers differ in how likely they open, the more the larger `same` is."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(number), rng.integers(1, each + 1, number))
    chance = np.where(rng.random(number) < same, rng.random(number) < 0.4, 0.4)[who]
    opened = rng.random(len(who)) < chance
    clicked = opened & (rng.random(len(who)) < 0.3)
    converted = clicked & (rng.random(len(who)) < 0.6)
    return pd.DataFrame({
        "customer_id": [f"c{n:04d}" for n in who], "campaign": rng.choice(["June", "May"], len(who)), "channel": "mail",
        "sent": SENT + pd.to_timedelta(rng.integers(0, 40, len(who)), unit="D"), "opened": opened, "clicked": clicked,
        "unsubscribed": rng.random(len(who)) < 0.01, "converted": converted,
        "revenue": np.where(converted, rng.gamma(2, 20, len(who)).round(2), np.nan),
    })  # fmt: skip


# KPIs


def test_rates_and_revenue_by_hand():
    table = pd.DataFrame({
        "customer_id": ["a", "a", "b", "b", "c"], "channel": "mail", "opened": [True, True, False, True, None],
        "clicked": [True, False, True, False, False], "converted": [True, False, False, False, False],
        "revenue": [30.0, None, 5.0, None, None],
    })  # fmt: skip
    row = kpis(table, "channel", smallest=1).iloc[0]
    assert (row["messages"], row["customers"]) == (5, 3)
    assert row["open_rate"] == 3 / 4  # of messages of which it is known
    assert row["click_rate"] == 2 / 5 and row["conversion_rate"] == 1 / 5
    assert row["click_to_open_rate"] == 1 / 3  # the click without an open does not count
    assert row["revenue_per_message"] == 35 / 5
    assert row[["unsubscribe_rate", "revenue_per_message_low", "machine_opens"]].isna().all()


def test_the_interval_of_one_message_per_customer_is_wilsons():
    table = messages(1, each=1)
    found = kpis(table, "campaign").set_index("campaign")
    groups = table.groupby("campaign")
    for rate, outcome in {"open_rate": "opened", "unsubscribe_rate": "unsubscribed"}.items():
        low, high = wilson(groups[outcome].mean(), groups.size())
        assert found[f"{rate}_low"].to_numpy() == pytest.approx(low.to_numpy(), abs=1e-12)
        assert found[f"{rate}_high"].to_numpy() == pytest.approx(high.to_numpy(), abs=1e-12)


def test_intervals_of_equal_customers_are_those_of_customers():
    table = messages(2, each=1)
    three = pd.concat([table.assign(campaign="May")] * 3)  # three messages with one fate each are one observation
    one, other = (kpis(rows, "campaign") for rows in (table.assign(campaign="May"), three))
    columns = [f"{rate}_{end}" for rate in ("open_rate", "click_rate") for end in ("low", "high")]
    assert other[columns].iloc[0].tolist() == pytest.approx(one[columns].iloc[0].tolist(), abs=1e-12)
    none = kpis(three.assign(opened=False), "campaign").iloc[0]
    assert none["open_rate_high"] == pytest.approx(wilson(pd.Series([0.0]), pd.Series([300]))[1][0], abs=1e-12)
    split = pd.concat([table.assign(campaign="May", opened=value) for value in (True, False)])  # no variance at all
    assert kpis(split, "campaign")["open_rate_low"][0] == pytest.approx(
        wilson(pd.Series([0.5]), pd.Series([600]))[0][0]
    )


def test_the_error_of_revenue_is_that_of_the_jackknife():
    table = messages(3, number=1_000)
    row = kpis(table, "channel").iloc[0]
    sums = table.fillna({"revenue": 0.0}).groupby("customer_id")["revenue"].agg(["sum", "size"])
    without = (sums["sum"].sum() - sums["sum"]) / (sums["size"].sum() - sums["size"])
    error = np.sqrt((len(sums) - 1) * without.var(ddof=0))
    reach = (row["revenue_per_message_high"] - row["revenue_per_message_low"]) / 2
    assert reach == pytest.approx(error * stats.t.ppf(0.975, len(sums) - 1), rel=2e-3)
    few = kpis(table.assign(revenue=table["revenue"].where(table["customer_id"] < "c0050")), "channel")
    assert few["revenue_per_message"].notna().all() and few["revenue_per_message_low"].isna().all()


def test_small_groups_are_not_told():
    table = messages(4)
    rare = table.head(5).assign(customer_id=list("xyzxy"), channel=["push"] * 3 + ["text"] * 2)
    found = kpis(pd.concat([table, rare]), "channel").set_index("channel")
    assert found.loc[["push", "text"]].isna().all(axis=None) and found.loc["mail", "open_rate"] > 0
    alone = kpis(pd.concat([table, rare.head(3)]), "channel")  # its numbers would be the total less those of mail
    assert alone.drop(columns="channel").isna().all(axis=None)
    opened = table["customer_id"].isin(table["customer_id"].unique()[:4])
    few = kpis(table.assign(opened=opened, clicked=False), "channel").iloc[0]
    assert np.isnan(few["click_to_open_rate"]) and few["open_rate"] > 0  # four customers opened


def test_kpis_do_not_depend_on_the_order_of_rows_nor_on_the_index():
    table = messages(5)
    mixed = table.sample(frac=1, random_state=1).assign(index=0).set_index("index")
    pd.testing.assert_frame_equal(kpis(table, "campaign"), kpis(mixed, "campaign"), check_exact=True)
    assert kpis(table.head(0), "campaign").empty
    with pytest.raises(ValueError, match="campaign"):
        kpis(table.drop(columns="campaign"), "campaign")
    with pytest.raises(ValueError, match="in every row"):
        kpis(table.assign(customer_id=None), "campaign")


def test_opens_by_machines():
    sent = pd.Series([SENT] * 6)
    table = pd.DataFrame({"customer_id": list("abcdef"), "channel": "mail", "sent": sent})
    timed = table.assign(opened=sent + pd.to_timedelta([1, 2, 2.5, 60, None, None], unit="s"))
    found = machine_opens(timed)
    assert (found.opens, found.share) == (4, 0.5) and found.note.startswith("opens are unreliable: 50%")
    row = kpis(timed, "channel").iloc[0]
    assert (row["open_rate"], row["machine_opens"]) == (4 / 6, 0.5)
    assert machine_opens(timed.assign(opened=timed["opened"] + pd.Timedelta(minutes=1))).note.startswith("0% were")
    unknown = machine_opens(table.assign(opened=True))
    assert np.isnan(unknown.share) and unknown.note.startswith("opens are unreliable: no times")
    assert machine_opens(timed.assign(opened=pd.NaT)).note == "no message was opened"


# Rates


@pytest.mark.thorough
def test_intervals_of_rates_have_their_coverage_where_customers_are_alike_in_all_their_messages():
    tables = [messages(seed, number=120, each=8, same=0.7).assign(campaign=seed) for seed in range(300)]
    found = kpis(pd.concat(tables, ignore_index=True), "campaign")  # of each alone, in one call
    pd.testing.assert_frame_equal(found[:1], kpis(tables[0], "campaign"))
    inside = (found["open_rate_low"] < 0.4) & (found["open_rate_high"] > 0.4)
    low, high = wilson(found["open_rate"], found["messages"])
    plain = (low < 0.4) & (high > 0.4)
    assert inside.mean() >= by_chance(0.95, 300)[0] > plain.mean()
