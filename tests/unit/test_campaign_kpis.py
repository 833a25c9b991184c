"""Campaign KPIs: small tables by hand, second implementations, planted over-claims, and coverage of intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.campaign.kpis import caused, kpis, last_touch, machine_opens
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


# Caused and attributed


def test_the_last_message_before_an_order_is_credited():
    sent = pd.DataFrame(
        [("a", "May", "mail", 1), ("a", "June", "text", 5), ("a", "June", "mail", 5), ("b", "May", "mail", 1)],
        columns=["customer_id", "campaign", "channel", "day"],
    )
    sent = sent.assign(sent=pd.Timestamp("2024-05-01") + pd.to_timedelta(sent["day"], unit="D"))
    orders = pd.DataFrame({
        "customer_id": ["a", "a", "a", "a", "b", "c"], "revenue": [1, 2, 4, 8, 16, 32],
        "ordered_at": pd.Timestamp("2024-05-01") + pd.to_timedelta([1, 4, 6, 15, 8, 2], unit="D"),
    })  # fmt: skip
    found = last_touch(sent, orders, 7)
    assert found["campaign"].fillna("").tolist() == ["", "May", "June", "", "May", ""]  # day 1: sent at that very time
    assert found["channel"].fillna("").tolist() == ["", "mail", "text", "", "mail", ""]  # the last by name of two
    assert found["attributed"].tolist() == [0, 2, 4, 0, 16, 0]
    mixed = last_touch(sent.sample(frac=1, random_state=1), orders.sample(frac=1, random_state=2), 7)
    pd.testing.assert_frame_equal(found, mixed, check_exact=True)
    assert last_touch(sent.head(0), orders, 7)["attributed"].eq(0).all()
    with pytest.raises(ValueError, match="more than 0"):
        last_touch(sent, orders, 0)


def campaign(seed, *, number=2_000, extra=0.03):
    """A campaign to four in five customers: 20% order anyway, the messages cause an order of 40 by `extra` of them."""
    rng = np.random.default_rng(seed)
    names = np.array([f"c{n:04d}" for n in range(number)])
    away = rng.random(number) < 0.2
    anyway, more = rng.random(number) < 0.2, (rng.random(number) < extra) & ~away
    who = np.flatnonzero(anyway | more)
    orders = pd.DataFrame({
        "customer_id": names[who], "ordered_at": SENT + pd.to_timedelta(rng.uniform(0.1, 13, len(who)), unit="D"),
        "revenue": rng.gamma(4, 10, len(who)) * (anyway[who] + 1.0 * more[who]),
    })  # fmt: skip
    sent = pd.DataFrame({"customer_id": names[~away], "campaign": "May", "channel": "mail", "sent": SENT})
    sums = last_touch(sent, orders, 14).groupby("customer_id")[["revenue", "attributed"]].sum()
    outcomes = sums.reindex(names).fillna(0.0).rename_axis("customer_id").reset_index()
    return caused(sent, pd.Series(names[away]), outcomes), sent, names[away], outcomes


def test_last_touch_claims_orders_that_would_have_been_placed_anyway():
    found, _, _, _ = campaign(1, number=8_000)
    table = found.table.set_index("measure")
    truth = 0.03 * 40
    assert table.loc["caused", "low"] < truth < table.loc["caused", "high"]
    assert table.loc["attributed", "per_customer"] > 5 * truth
    assert table.loc["gap", "low"] > 0 and table.loc["gap", "low"] < 0.2 * 40 < table.loc["gap", "high"]
    assert table["total"].to_numpy() == pytest.approx(table["per_customer"].to_numpy() * found.customers, rel=1e-12)
    assert table.loc["gap", "total"] == pytest.approx(table["total"]["attributed"] - table["total"]["caused"], rel=1e-9)


def test_the_contrast_is_scipys_and_customers_count_as_assigned():
    found, sent, away, outcomes = campaign(2)
    one = outcomes[~outcomes["customer_id"].isin(away)]
    base = outcomes.loc[outcomes["customer_id"].isin(away), "revenue"]
    for measure, values, other in [
        ("caused", one["revenue"], base),
        ("gap", one["attributed"] - one["revenue"], -base),
    ]:
        ends = stats.ttest_ind(values, other, equal_var=False).confidence_interval(0.95)
        row = found.table.set_index("measure").loc[measure]
        assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high), abs=1e-12)
    assert (found.customers, found.held_out, found.contacted, found.note) == (len(one), len(base), 0, "")
    leaked = pd.concat([sent.iloc[1:], pd.DataFrame({"customer_id": away[:3]})])
    again = caused(leaked, pd.Series(away), outcomes.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=True)
    assert again.contacted == 3


def test_few_buyers_are_too_few_and_both_groups_are_needed():
    _, sent, away, outcomes = campaign(3)
    held = pd.Series(away)
    few = caused(sent, held, outcomes.assign(revenue=outcomes["revenue"].where(~outcomes["customer_id"].isin(away), 0)))
    assert few.note == "too few to tell (0 customers who bought)" and few.table["low"].isna().all()
    assert few.table["per_customer"].notna().all()
    same = caused(sent, held, outcomes.assign(revenue=5.0))  # nothing varies
    assert same.table.loc[0, "per_customer"] == 0 and np.isnan(same.table.loc[0, "low"])
    for rows, group in [
        (pd.concat([outcomes, outcomes.head(1)]), held),
        (outcomes.assign(attributed=np.nan), held),
        (outcomes, held.head(0)),
        (outcomes, outcomes["customer_id"]),
    ]:
        with pytest.raises(ValueError, match="customers in both groups"):
            caused(sent, group, rows)


# Rates


@pytest.mark.thorough
def test_intervals_of_rates_have_their_coverage_where_customers_are_alike_in_all_their_messages():
    inside, plain = [], []
    for seed in range(300):
        table = messages(seed, number=120, each=8, same=0.7).assign(campaign="May")
        row = kpis(table, "campaign").iloc[0]
        inside.append(row["open_rate_low"] < 0.4 < row["open_rate_high"])
        low, high = wilson(pd.Series([row["open_rate"]]), pd.Series([row["messages"]]))
        plain.append(low[0] < 0.4 < high[0])
    assert np.mean(inside) >= by_chance(0.95, 300)[0] > np.mean(plain)


@pytest.mark.thorough
def test_the_hold_out_contrast_covers_what_was_caused():
    tables = [campaign(seed)[0].table.set_index("measure") for seed in range(300)]
    for measure, truth in {"caused": 0.03 * 40, "gap": 0.2 * 40}.items():
        inside = np.mean([one.loc[measure, "low"] < truth < one.loc[measure, "high"] for one in tables])
        assert by_chance(0.95, 300)[0] <= inside <= by_chance(0.95, 300)[1]
