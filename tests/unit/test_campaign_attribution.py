"""Attributed and caused revenue: by hand, against scipy, a planted over-claim, and coverage of intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.campaign.attribution import caused, last_touch
from helpers import by_chance

SENT = pd.Timestamp("2024-05-06 09:00")


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


def programme(seed, *, number=2_000, campaigns=1, extra=0.03):
    """Campaigns to four in five customers: 20% order anyway, a message causes an order of 40 by `extra` of them."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({
        "customer_id": np.tile([f"c{n:04d}" for n in range(number)], campaigns),
        "campaign": np.repeat([f"m{n}" for n in range(campaigns)], number),
        "held_out": rng.random(number * campaigns) < 0.2,
    })  # fmt: skip
    anyway, more = rng.random(len(rows)) < 0.2, (rng.random(len(rows)) < extra) & ~rows["held_out"]
    rows["revenue_after"] = rng.gamma(4, 10, len(rows)) * (anyway + 1.0 * more)
    return rows.assign(attributed=rows["revenue_after"].where(~rows["held_out"], 0.0))


def test_last_touch_claims_orders_that_would_have_been_placed_anyway():
    table = caused(programme(1, number=8_000)).set_index("measure")
    truth = 0.03 * 40
    assert table.loc["caused", "low"] < truth < table.loc["caused", "high"]
    assert table.loc["attributed", "per_message"] > 5 * truth
    assert 0 < table.loc["gap", "low"] < 0.2 * 40 < table.loc["gap", "high"]
    assert table["total"].to_numpy() == pytest.approx((table["per_message"] * table["messages"]).to_numpy(), rel=1e-12)
    assert table.loc["gap", "total"] == pytest.approx(table["total"]["attributed"] - table["total"]["caused"], rel=1e-9)


def test_the_contrast_of_one_campaign_is_that_of_scipy():
    rows = programme(2)
    one, base = rows[~rows["held_out"]], rows.loc[rows["held_out"], "revenue_after"]
    found = caused(rows).set_index("measure")
    for measure, values, other in [
        ("caused", one["revenue_after"], base),
        ("gap", one["attributed"] - one["revenue_after"], -base),
    ]:
        ends = stats.ttest_ind(values, other, equal_var=False).confidence_interval(0.95)
        row = found.loc[measure]
        assert row["per_message"] == pytest.approx(values.mean() - other.mean(), rel=1e-9)
        assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high), abs=0.005 * (ends.high - ends.low))
    assert found.loc["attributed", "per_message"] == pytest.approx(one["attributed"].mean(), rel=1e-9)
    pd.testing.assert_frame_equal(caused(rows.sample(frac=1, random_state=1)), caused(rows), check_exact=True)


def test_groups_are_compared_within_their_campaigns():
    rows = programme(3, campaigns=4).assign(
        offer=lambda t: t["campaign"].map({"m0": "news", "m1": "news"}).fillna("voucher")
    )
    both = caused(rows, "offer")
    alone = caused(rows[rows["offer"] == "news"])
    pd.testing.assert_frame_equal(both[both["offer"] == "news"].drop(columns="offer"), alone)
    # a customer's orders in several campaigns are not independent
    doubled = pd.concat([rows, rows.assign(campaign=rows["campaign"] + " again")])
    once, twice = (caused(one).set_index("measure").loc["caused"] for one in (rows, doubled))
    assert twice["low"] == pytest.approx(once["low"], rel=1e-9)


def test_few_buyers_are_too_few_and_nobody_held_out_tells_nothing():
    rows = programme(4)
    few = caused(rows.assign(revenue_after=rows["revenue_after"].where(~rows["held_out"], 0.0)))
    assert few["low"].isna().all() and few["per_message"].notna().all() and (few["buyers"] == 0).all()
    assert caused(rows[~rows["held_out"]]).empty
    assert caused(rows.assign(revenue_after=np.nan)).empty


@pytest.mark.thorough
def test_intervals_cover_what_was_caused():
    tables = [caused(programme(seed)).set_index("measure") for seed in range(300)]
    for measure, truth in {"caused": 0.03 * 40, "gap": 0.2 * 40}.items():
        inside = np.mean([one.loc[measure, "low"] < truth < one.loc[measure, "high"] for one in tables])
        assert by_chance(0.95, 300)[0] <= inside <= by_chance(0.95, 300)[1]
