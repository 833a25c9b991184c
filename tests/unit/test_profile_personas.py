"""Personas: planted differences are what is said, with the numbers of the tables; lifts as scipy has them."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.inference import holm
from customerlab.analysis.profile.differences import differences
from customerlab.analysis.profile.personas import lifts, personas, statements
from customerlab.figures.profile import segments as profile_segments

IDS = pd.Index([f"c{n:04d}" for n in range(900)], name="customer_id")


@pytest.fixture(scope="module")
def shop():
    """Segments of whom one is older, with gardens, buys tools and orders on Saturdays."""
    rng = np.random.default_rng(1)
    segment = pd.Series(np.repeat(["gardeners", "others", "few"], [300, 590, 10]), IDS)
    own = (segment == "gardeners").to_numpy()
    who = pd.DataFrame({
        "age": rng.normal(40, 10, 900) + 9 * own,
        "garden": rng.random(900) < np.where(own, 0.9, 0.3),
        "home_type": rng.choice(["flat", "house"], 900),
    }, IDS)  # fmt: skip
    when = pd.DataFrame(
        {"weekday": np.where(own & (rng.random(900) < 0.7), "Sat", rng.choice(["Mon", "Sat"], 900))}, IDS
    )
    worth = pd.DataFrame({"revenue": rng.lognormal(4, 0.5, 900)}, IDS)
    bought = pd.DataFrame({"customer_id": rng.choice(IDS, 2_000), "category": rng.choice(["Tea", "Toys"], 2_000)})
    tools = pd.DataFrame({"customer_id": IDS[own & (rng.random(900) < 0.6)], "category": "Tools <b>"})
    return (
        who,
        segment,
        when,
        worth,
        pd.concat([bought, tools, tools.assign(customer_id=IDS[301 : 301 + len(tools)]).head(60)]),
    )


def test_a_persona_says_what_was_planted_and_no_more(shop):
    who, segment, when, worth, bought = shop
    few, own, others = personas(who, segment, when=when, worth=worth, bought=bought)
    assert (own.name, own.customers, own.share) == ("gardeners", 300, 1 / 3)
    assert [one.split(":")[0] for one in own.statements] == ["garden = yes", "age", "weekday = Sat"]
    assert len(own.offers) == 1 and own.offers[0].startswith("Tools <b>: ")
    assert few.statements == () and few.certainty == "Too few to tell (10 customers)."
    assert few.who["effect"].isna().all() and few.offer["pvalue"].isna().all()
    assert set(own.who["attribute"]) == set(who) and set(own.worth["attribute"]) == {"revenue"}
    assert others.statements and set(own.when["attribute"]) == {"weekday"}


def test_the_numbers_of_a_sentence_are_those_of_the_data(shop):
    who, segment, when, worth, _ = shop
    own = personas(who, segment, when=when, worth=worth)[1]
    inside, outside = who.loc[segment == "gardeners", "garden"].mean(), who.loc[segment != "gardeners", "garden"].mean()
    assert (
        f"{inside:.0%} against {outside:.0%} of the other customers ({100 * (inside - outside):+.1f} p"
        in own.statements[0]
    )
    whole = differences(pd.concat([who, when, worth], axis=1), segment)  # one family over the three tables
    assert statements(whole[whole["segment"] == "gardeners"]) == own.statements
    assert f"over the {len(whole)} comparisons" in own.certainty
    dates = pd.DataFrame({"first_order": pd.Timestamp("2024-01-01") + pd.to_timedelta((segment == "gardeners") * 40
                          + np.arange(900) % 20, unit="D")})  # fmt: skip
    assert personas(dates, segment)[1].statements[0].startswith("first order: mean 2024-02-19 against 2024-01-10")


def test_customers_without_a_row_count_as_missing(shop):
    who, segment, *_ = shop
    found = personas(who[["garden"]].iloc[:-100], segment)[2].who.set_index("level")
    assert found.loc["yes", "customers"] == 500 and found.loc["(missing)", "mean"] == pytest.approx(90 / 590)
    assert not any("missing" in one for one in personas(who.iloc[:-100], segment)[2].statements)


def test_a_certain_difference_goes_before_a_large_one_of_few_customers():
    row = {"level": "", "kind": "number", "mean": 1.0, "others_mean": 0.0, "difference": 1.0, "low": 0.1, "high": 2.0,
           "pvalue_holm": 0.01}  # fmt: skip
    ends = [("large", 1.0, 0.05, 1.95), ("certain", 0.5, 0.4, 0.6), ("below", -0.5, -0.7, -0.3)]
    table = pd.DataFrame(
        [row | dict(zip(("attribute", "effect", "effect_low", "effect_high"), one, strict=True)) for one in ends]
    )
    assert [one.split(":")[0] for one in statements(table)] == ["certain", "below", "large"]


def test_lifts_are_ratios_with_fisher_s_test_and_the_interval_of_katz(shop):
    _, segment, _, _, bought = shop
    table = lifts(bought, segment)
    row = table[(table["segment"] == "gardeners") & (table["category"] == "Tea")].iloc[0]
    buyers = segment.index.isin(bought.loc[bought["category"] == "Tea", "customer_id"])
    counts = pd.crosstab(segment == "gardeners", buyers).to_numpy()[::-1, ::-1]
    tails = [stats.fisher_exact(counts, alternative=side).pvalue for side in ("less", "greater")]
    found = stats.contingency.relative_risk(*map(int, (counts[0, 0], counts[0].sum(), counts[1, 0], counts[1].sum())))
    ends = found.confidence_interval(1 - 0.05 / table["pvalue"].notna().sum())  # scipy: Katz on the logarithm
    assert row["pvalue"] == pytest.approx(min(1, 2 * min(tails)), rel=1e-9)
    assert (row["lift"], row["low"], row["high"]) == pytest.approx((found.relative_risk, *ends), rel=1e-9)
    pd.testing.assert_series_equal(table["pvalue_holm"], holm(table["pvalue"]), check_names=False)
    mixed = lifts(bought.sample(frac=1, random_state=1), segment.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(table, mixed, check_exact=True)


def test_what_is_refused(shop):
    who, segment, *_ = shop
    with pytest.raises(ValueError, match="'age' is in two"):
        personas(who, segment, worth=who[["age"]])
    with pytest.raises(ValueError, match="more than one"):
        personas(pd.concat([who, who]), segment)
    with pytest.raises(ValueError, match="'category'"):
        lifts(who, segment)
    assert personas(who, pd.Series(dtype=object)) == ()


def test_a_card_has_the_statements_as_its_text(shop):
    who, segment, when, worth, _ = shop
    few, own, _ = personas(who, segment, when=when, worth=worth)
    picture = profile_segments.card(own)
    assert all(one in picture.alt for one in own.statements) and "; weekday = Sat +" in picture.alt
    assert len(picture.png()) > 5_000 and "Too few to tell" in profile_segments.card(few).alt
