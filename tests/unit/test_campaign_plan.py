"""Campaign plan: hashes by hashlib, published power, the order of rows, what is refused, and files for tools."""

import csv
import hashlib
import io

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.campaign.allocation import allocate
from customerlab.analysis.campaign.plan import (
    COLUMNS,
    CONTACT,
    HOLD_OUT,
    LAYOUTS,
    campaign_plan,
    consents,
    for_tool,
    hold_out,
    hold_out_size,
    rested,
)
from customerlab.analysis.experiment.design import Baseline, power_of, sample_size
from customerlab.workbench.run import for_spreadsheets
from helpers import by_chance

IDS = [f"c{n:04d}" for n in range(3_000)]
HOURS = pd.Series(8, IDS[::2])
DAY = pd.Timestamp("2024-05-10")


@pytest.fixture
def customers():
    table = pd.DataFrame({"newsletter": [True, None, False, True], "age": [30, 40, 50, 60]}, index=list("dbca"))
    return table.astype({"newsletter": "boolean"}).assign(texts=[True, True, False, False])


def pairs(table):
    return [f"{customer} {channel}" for customer, channel in table.to_numpy()]


def within(found, number, rate):
    """Whether so many of a number are what a rate gives by chance."""
    low, high = by_chance(rate, number)
    return low <= found / number <= high


def test_a_channel_is_open_where_its_attribute_is_yes_and_missing_is_no(customers):
    found = consents(customers, ["text: texts", "email : newsletter", "letter: -"])
    letters = [f"{one} letter" for one in "abcd"]
    assert pairs(found) == sorted(["a email", "d email", "b text", "d text", *letters])


@pytest.mark.parametrize(
    "unsubscribed",
    [
        pd.Series(pd.to_datetime(["2024-05-01", None, None])),
        pd.Series([True, False, None], dtype="object"),
        pd.Series([True, False, False]),
        pd.Series([2.0, 0.0, np.nan]),
        pd.Series([1, 0, pd.NA], dtype="Int64"),
    ],
)
def test_who_has_unsubscribed_is_contacted_by_no_channel_that_needs_consent(customers, unsubscribed):
    messages = pd.DataFrame({"customer_id": ["d", "a", "b"], "unsubscribed": unsubscribed})
    found = consents(customers, ["email: newsletter", "text: texts", "letter: -"], messages)
    assert pairs(found) == ["a email", "a letter", "b letter", "b text", "c letter", "d letter"]


def test_consent_of_a_log_that_knows_nothing_of_unsubscribing(customers):
    messages = pd.DataFrame({"customer_id": ["a"], "sent": [DAY]})
    asked = ["email: newsletter"]
    pd.testing.assert_frame_equal(consents(customers, asked, messages), consents(customers, asked))


def test_consents_do_not_depend_on_the_order_of_rows_and_texts(customers):
    asked = ["email: newsletter", "letter: -"]
    pd.testing.assert_frame_equal(consents(customers, asked), consents(customers.iloc[::-1], asked[::-1]))


def test_no_consent_leaves_nobody(customers):
    found = consents(customers.assign(newsletter=False), ["email: newsletter"])
    assert found.empty and list(found) == ["customer_id", "channel"]
    assert consents(customers, []).empty and consents(customers.iloc[:0], ["letter: -"]).empty


@pytest.mark.parametrize(
    ("consent", "said"),
    [
        (["email: news"], "by 'news'.*of which there are 'newsletter', 'texts'"),
        (["email: age"], "by 'age'; expected an attribute of yes and no"),
        (["email"], "CHANNEL: ATTRIBUTE"),
        (["email: "], "CHANNEL: ATTRIBUTE"),
        (["email: newsletter", "email: texts"], "each channel once"),
    ],
)
def test_consent_that_cannot_be_read_is_refused(customers, consent, said):
    with pytest.raises(ValueError, match=said):
        consents(customers, consent)


def test_a_customer_with_two_rows_of_attributes_is_refused(customers):
    with pytest.raises(ValueError, match="one row of attributes per customer"):
        consents(pd.concat([customers, customers]), ["email: newsletter"])


def test_rested_are_those_with_a_message_within_the_days_at_both_ends():
    days = [-7.0, -7.01, -0.01, 0.0, 1.0, -3.0]
    messages = pd.DataFrame({"customer_id": list("abcdef"), "sent": DAY + pd.to_timedelta(days, unit="D")})
    assert rested(messages, DAY, 7) == {"a", "c", "f"}
    assert rested(messages.assign(held_out=[False] * 5 + [True]), DAY, 7) == {"a", "c"}
    assert rested(messages, DAY, 0) == rested(messages.iloc[:0], DAY, 7) == set()
    with pytest.raises(ValueError, match="at least 0"):
        rested(messages, DAY, -1)


def test_the_hold_out_are_the_smallest_hashes_of_campaign_and_customer():
    digests = {one: hashlib.md5(f"arm of May: {one}".encode()).hexdigest()[:12] for one in IDS}
    found = hold_out(IDS, "May", 600)
    assert set(found[found].index) == set(sorted(IDS, key=digests.get)[:600])
    assert found.sum() == 600 and found.index.tolist() == IDS and found.dtype == bool
    pd.testing.assert_series_equal(hold_out(reversed(IDS + IDS[:9]), "May", 600), found)


def test_a_larger_hold_out_releases_nobody_and_other_campaigns_draw_anew():
    small, large, other = hold_out(IDS, "May", 600), hold_out(IDS, "May", 900), hold_out(IDS, "June", 600)
    assert large[small].all() and large.sum() == 900
    assert stats.fisher_exact(pd.crosstab(small, other)).pvalue > 0.001


def test_hold_outs_of_nobody_and_numbers_that_are_none():
    assert not hold_out(IDS, "May", 0).any() and hold_out([], "May", 0).empty and hold_out(IDS, "May", len(IDS)).all()
    for number in (-1, len(IDS) + 1):
        with pytest.raises(ValueError, match="expected 0 to all"):
            hold_out(IDS, "May", number)
    with pytest.raises(ValueError, match="no missing id"):
        hold_out(["a", None], "May", 1)


def test_campaigns_judged_together_have_the_power_that_one_lacks():
    base = Baseline(0.1, 0, proportion=True)
    found = hold_out_size(1_000, base, 0.02)
    sizes = (found.campaigns * 100, found.campaigns * 900)
    assert found.note and power_of(base, 0.02, sizes) >= 0.8
    assert power_of(base, 0.02, (sizes[0] - 100, sizes[1] - 900)) < 0.8
    assert hold_out_size(100_000, base, 0.05).campaigns == 1


def test_the_size_agrees_with_the_published_power_of_r():
    # R's power.t.test(power = .90, delta = 1), the example of its manual: n = 22.02110 in each of two groups
    least = next(n for n in range(4, 99) if not hold_out_size(n, Baseline(0.0, 1.0), 1.0, power=0.9).note)
    assert least == np.ceil(2 * 22.02110)
    assert hold_out_size(44, Baseline(0.0, 1.0), 1.0, power=0.9).note.startswith("Even half of 44 customers would not")


@pytest.mark.parametrize("base", [Baseline(20.0, 60.0), Baseline(0.05, 0, proportion=True)])
def test_the_size_is_the_smallest_with_the_power_and_agrees_with_the_sample_size_of_tests(base):
    effect = 0.3 * base.mean
    size = sample_size(base, effect, control_share=0.4)
    found = hold_out_size(int(size["total"]), base, effect)
    assert 0 <= size["control"] - found.customers <= 2 and found.share == found.customers / size["total"]  # by rounding

    def power(held):
        return power_of(base, effect, (held, size["total"] - held))

    assert power(found.customers - 1) < 0.8 <= power(found.customers) == found.power and not found.note


def test_the_size_of_a_mean_has_its_closed_form_where_customers_are_many():
    n, (sd, effect) = 200_000, (60.0, 1.0)
    variance = effect**2 / (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) ** 2
    exact = 1 / (variance / sd**2 - 1 / n)  # of 1 / m + 1 / (n - m) it is an upper bound, so solve again
    for _ in range(50):
        exact = 1 / (variance / sd**2 - 1 / (n - exact))
    assert hold_out_size(n, Baseline(20.0, sd), effect).customers == pytest.approx(exact, abs=2)


def test_the_minimum_share_bounds_the_size_from_below():
    found = hold_out_size(100_000, Baseline(0.1, 0, proportion=True), 0.05)
    assert (found.share, found.customers, found.note) == (0.1, 10_000, "") and found.power > 0.999
    assert hold_out_size(100_000, Baseline(0.1, 0, proportion=True), 0.05, least=0.001).customers < 1_000


def test_an_effect_that_no_hold_out_finds_is_said_with_its_power():
    found = hold_out_size(1_000, Baseline(0.1, 0, proportion=True), 0.01)
    assert (found.share, found.customers) == (0.1, 100) and "will probably not be shown" in found.note
    assert found.power == power_of(Baseline(0.1, 0, proportion=True), 0.01, (100, 900)) < 0.1


@pytest.mark.parametrize(
    ("customers", "base", "effect", "least"),
    [
        (3, Baseline(0.0, 1.0), 1.0, 0.1),
        (100, Baseline(0.0, 1.0), 0.0, 0.1),
        (100, Baseline(0.0, 1.0), -1.0, 0.1),
        (100, Baseline(0.0, 0.0), 1.0, 0.1),
        (100, Baseline(0.9, 0.0, proportion=True), 0.2, 0.1),
        (100, Baseline(0.0, 1.0), 1.0, 0.6),
        (100, Baseline(0.0, 1.0), 1.0, 0.0),
    ],
)
def test_sizes_that_make_no_sense_are_refused(customers, base, effect, least):
    with pytest.raises(ValueError, match="expected at least 4"):
        hold_out_size(customers, base, effect, least=least)


@pytest.fixture
def chosen():
    rng = np.random.default_rng(1)
    options = pd.DataFrame({"customer_id": IDS, "offer": "voucher", "channel": "email"})
    return allocate(options.assign(effect=rng.gamma(2.0, 2.0, len(IDS)), cost=1.0), 900.0).chosen


@pytest.fixture
def plan(chosen):
    segments = pd.Series(["Loyal", "New"] * 1_400, IDS[:2_800])
    return campaign_plan(chosen, segments, hold_out(IDS, "May", 600), HOURS, "May")


def test_the_plan_splits_those_chosen_into_contact_and_hold_out(chosen, plan):
    assert list(plan) == COLUMNS and plan["customer_id"].tolist() == sorted(chosen["customer_id"])
    away = plan["customer_id"].map(hold_out(IDS, "May", 600)).to_numpy(bool)
    assert plan["group"].tolist() == np.where(away, HOLD_OUT, CONTACT).tolist() and within(away.sum(), len(away), 0.2)
    held, contact = plan[away], plan[~away].merge(chosen, on="customer_id")
    assert (held["offer"] == "voucher").all() and not held[["cost", "expected_effect"]].any(axis=None)
    assert (contact["offer_x"] == contact["offer_y"]).all() and (contact["cost_x"] == contact["cost_y"]).all()
    assert (contact["expected_effect"] == contact["effect"]).all() and contact["cost_x"].sum() <= 900


def test_the_hold_out_of_a_plan_differs_from_those_contacted_by_chance_alone(chosen, plan):
    effect = plan.merge(chosen, on="customer_id").groupby("group")["effect"].apply(list)
    assert stats.ks_2samp(*effect).pvalue > 0.001
    everybody = stats.gamma(2.0, scale=2.0)
    assert stats.kstest(effect[HOLD_OUT], everybody.cdf).pvalue < 1e-6  # as those held out of all customers would not


def test_the_plan_has_the_segment_and_the_slot_of_each_customer(plan):
    place = plan["customer_id"].str[1:].astype(int)
    assert plan["segment"].tolist() == ["no segment" if n >= 2_800 else ["Loyal", "New"][n % 2] for n in place]
    assert (plan["send_hour"].isna() == (place % 2 == 1)).all() and set(plan["send_hour"].dropna()) == {8}


def test_the_plan_does_not_depend_on_the_order_of_rows(chosen, plan):
    segments, slots = pd.Series(["Loyal", "New"] * 1_400, IDS[:2_800]), HOURS
    away = hold_out(IDS, "May", 600).iloc[::-1]
    pd.testing.assert_frame_equal(campaign_plan(chosen.iloc[::-1], segments.iloc[::-1], away, slots, "May"), plan)


def test_a_plan_of_nobody_and_one_without_a_hold_out(chosen):
    nobody = campaign_plan(chosen.iloc[:0], pd.Series(dtype="str"), hold_out([], "May", 0), HOURS, "May")
    assert nobody.empty and list(nobody) == COLUMNS and for_tool(nobody, "braze").empty
    everybody = campaign_plan(chosen, pd.Series("all", IDS), hold_out(IDS, "May", 0), HOURS, "May")
    assert (everybody["group"] == CONTACT).all() and everybody["cost"].sum() == chosen["cost"].sum()


def test_customers_who_are_there_twice_or_whose_group_is_unknown_are_refused(chosen):
    away, of = hold_out(IDS, "May", 600), pd.Series("all", IDS)
    double = [
        (pd.concat([chosen] * 2), of, away),
        (chosen, of, pd.concat([away] * 2)),
        (chosen, pd.concat([of] * 2), away),
    ]
    for plan, segments, held in [*double, (chosen, of, away[:9])]:
        with pytest.raises(ValueError, match="there twice, or it is not known"):
            campaign_plan(plan, segments, held, HOURS, "May")


@pytest.mark.parametrize(
    ("tool", "key"),
    [("braze", "external_id"), ("customer.io", "id"), ("iterable", "userId"), ("onesignal", "external_id")],
)
def test_a_file_for_a_tool_has_its_columns_and_only_customers_to_be_contacted(plan, tool, key):
    found, contact = for_tool(plan, tool), plan[plan["group"] == CONTACT]
    assert found[key].tolist() == contact["customer_id"].tolist() and not found["campaign_offer"].isna().any()
    assert set(found) == {key, *(f"campaign_{name}" for name in ("segment", "offer", "channel", "send_hour", "name"))}
    assert set(found["campaign_name"]) == {"May"} and set(LAYOUTS[tool].values()) <= set(COLUMNS)


def test_the_own_layout_has_all_columns_and_another_tool_is_refused(plan):
    contact = plan[plan["group"] == CONTACT].reset_index(drop=True)
    pd.testing.assert_frame_equal(for_tool(plan, "customerlab"), contact)
    with pytest.raises(ValueError, match=r"'brase' is no tool.*braze"):
        for_tool(plan, "brase")


def test_no_cell_of_a_file_is_a_formula(chosen):
    odd = ["=1+1", "+49", "-2", "@x", "007", "'=1"]
    names = pd.Series(odd, index=odd)
    plan = chosen.head(6).assign(customer_id=odd, offer="=cmd|'/c calc'!A1", channel="+email")
    found = campaign_plan(plan, names, hold_out(odd, "=May", 0), pd.Series(8, odd), "=May")
    for tool in LAYOUTS:
        file = for_spreadsheets(for_tool(found, tool)).to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC)
        cells = [cell for row in csv.reader(io.StringIO(file)) for cell in row]
        assert not [cell for cell in cells if cell[0] in "=+-@"] and {"'=1+1", "'-2", "007", "''=1"} <= set(cells)
