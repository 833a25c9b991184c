"""Bundles: published counts, brute force, scipy, planted bundles, and the rate of false ones under persistent taste."""

import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.campaign.bundles import associations, choose_bundles
from customerlab.analysis.inference import benjamini_hochberg, holm
from helpers import by_chance

# Han and Kamber (2011), Data Mining, 3rd ed., table 6.1: transactions T100 to T900
NINE = ["125", "24", "23", "124", "13", "23", "13", "1235", "123"]


def table_of(baskets, customers=None, seasons=None):
    """Order lines of baskets; each customer places one order unless told."""
    rows = [(n, item) for n, basket in enumerate(baskets) for item in basket]
    lines = pd.DataFrame(rows, columns=["order", "product_id"]).astype({"product_id": "str"})
    for name, values in (("customer_id", customers), ("month", seasons)):
        lines[name] = lines["order"] if values is None else np.asarray(values)[lines["order"]]
    lines["customer_id"] = lines["customer_id"].map("c{:05d}".format)
    return lines.assign(order_id=lines.pop("order").map("o{:05d}".format))


def shop(seed, *, customers=150, products=12, months=4, persistent=3.0, bundle=0.0):
    """Customers with tastes of their own, independent between products, in a shop with seasons; a bundle of 0 and 1.

    Orders of a customer are one to nine; the more `persistent` tastes are, the more do customers differ.
    """
    rng = np.random.default_rng(seed)
    number = rng.integers(1, 10, customers)
    owner = np.repeat(np.arange(customers), number)
    month = rng.integers(0, months, len(owner))
    season = rng.normal(0, 0.7, (months, 1)) * np.ones(products)  # all products follow one season
    logit = -1.5 + rng.normal(0, persistent, (customers, products))[owner] + season[month]
    bought = rng.random(logit.shape) < 1 / (1 + np.exp(-logit))
    bought[:, 1] |= bought[:, 0] & (rng.random(len(owner)) < bundle)
    # a product of its own keeps an order that would be empty: without these, products exclude each other
    baskets = [[f"p{at:02d}" for at in np.flatnonzero(row)] + [f"only {n}"] for n, row in enumerate(bought)]
    return table_of(baskets, owner, month)


# Counts


def test_the_frequent_sets_of_a_textbook():
    """Han and Kamber (2011), figure 6.2 and example 6.4: six pairs and two triples in at least two of nine orders."""
    found = associations(table_of(NINE), most_size=3, least_orders=2, level=1)
    pairs = found.pairs[found.pairs["both"] >= 2]
    sets = {a + b: both for a, b, both in pairs[["product_id", "other_id", "both"]].itertuples(index=False)}
    assert sets == {"12": 4, "13": 4, "15": 2, "23": 4, "24": 2, "25": 2}
    triples = {"".join(row[:3]): row[3] for row in found.triples.itertuples(index=False)}
    assert triples == {"123": 2, "125": 2}
    rules = pairs.set_index(["product_id", "other_id"])
    # of I5 ⇒ I1 and I5 ⇒ I2 all orders; table 6.1 has I1 in six, I2 in seven
    assert rules.loc[("1", "5"), ["confidence", "confidence_back"]].tolist() == [2 / 6, 1]
    assert rules.loc[("2", "5"), ["confidence", "confidence_back"]].tolist() == [2 / 7, 1]


@pytest.mark.real_data
@pytest.mark.slow
def test_the_rules_of_groceries():
    """Hahsler et al., arules: 9,835 orders of 169 products; at support .001 and confidence .5 there are 11 rules of two
    products and 1,461 of three, of 5,668 in all, such as {honey} ⇒ {whole milk}, support .001118454, lift 2.870009."""
    path = Path(os.environ.get("CUSTOMERLAB_DATA", "data/raw")) / "groceries.csv"
    if not path.is_file():
        pytest.skip("groceries.csv is not on this machine (set CUSTOMERLAB_DATA)")
    baskets = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(baskets) == 9_835 and len({item for basket in baskets for item in basket}) == 169
    found = associations(table_of(baskets), most_size=3, least_orders=10, level=1)
    pairs = found.pairs[found.pairs["both"] >= 10].set_index(["product_id", "other_id"])
    assert found.products == 157 and (pairs[["confidence", "confidence_back"]] >= 0.5).to_numpy().sum() == 11
    triples, rules = found.triples, 0
    for one, other in combinations(["product_id", "other_id", "third_id"], 2):
        rules += (
            triples["both"].to_numpy() / pairs["both"].loc[pd.MultiIndex.from_frame(triples[[one, other]])] >= 0.5
        ).sum()
    assert rules == 1_461
    honey = pairs.loc[("honey", "whole milk")]
    assert honey[["support", "confidence", "lift"]].round(9).tolist() == pytest.approx(
        [0.001118454, 0.733333333, 2.870009], abs=5e-7
    )


def brute(lines, one, other):
    """Everything of a pair, order by order and customer by customer."""
    orders = lines.groupby("order_id").agg(
        customer=("customer_id", "first"), month=("month", "first"), items=("product_id", set)
    )
    x, y = (np.array([item in items for items in orders["items"]], dtype=float) for item in (one, other))
    means = [pd.Series(v).groupby(orders["month"].to_numpy()).transform("mean").to_numpy() for v in (x, y)]
    both, expected = (x * y).sum(), (means[0] * means[1]).sum()
    owner = orders["customer"].to_numpy()
    score = pd.Series((x - means[0]) * (y - means[1])).groupby(owner).sum()
    near = pd.Series(x * y / both - (x * means[1] + y * means[0] - means[0] * means[1]) / expected).groupby(owner).sum()
    half = stats.norm.ppf(0.975) * np.sqrt((near**2).sum() * len(near) / (len(near) - 1))
    p = stats.norm.sf(score.sum() / np.sqrt((score**2).sum())) if score.sum() > 0 else 1.0
    lift = both / expected
    effective = both**2 / (pd.Series(x * y).groupby(owner).sum() ** 2).sum()
    return {
        "orders": x.sum(), "other_orders": y.sum(), "both": both, "customers": effective, "expected": expected,
        "support": (x * y).mean(), "confidence": both / x.sum(), "confidence_back": both / y.sum(), "lift": lift,
        "low": lift * np.exp(-half), "high": lift * np.exp(half), "p": p,
    }  # fmt: skip


@pytest.mark.parametrize("block", [500, 200_000])
def test_every_number_is_that_of_a_brute_force_count(block, monkeypatch):
    monkeypatch.setattr("customerlab.analysis.campaign.bundles.AT_ONCE", block)
    lines = shop(1, customers=120, products=5, months=3, persistent=1.0)
    found = associations(lines, season="month").pairs
    assert len(found) == 10 and found["low"].notna().sum() >= 5
    for row in found.to_dict("records"):
        wanted = brute(lines, row["product_id"], row["other_id"])
        if row["customers"] < 20:
            assert np.isnan(row.pop("low")) and np.isnan(row.pop("high")) and wanted.pop("low") < wanted.pop("high")
        assert {name: row[name] for name in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert found["p_adjusted"].tolist() == holm(found["p"]).tolist()
    assert found["q"].tolist() == pytest.approx(stats.false_discovery_control(found["p"], method="by"), rel=1e-12)
    assert (found["q"] >= benjamini_hochberg(found["p"])).all()


def test_without_a_season_it_is_brin_s_lift_and_pearson_s_chi_square():
    """(n − 1) / n of Pearson's chi-square without correction is Mantel and Haenszel's of one table."""
    lines = shop(2, customers=60, products=4)
    found = associations(lines).pairs
    assert len(found) == 6
    wide = pd.crosstab(lines["order_id"], lines["product_id"]) > 0
    for row in found.itertuples():
        one, other = wide[row.product_id], wide[row.other_id]
        assert row.lift == pytest.approx((one & other).mean() / (one.mean() * other.mean()), rel=1e-12)
        cells = stats.contingency.crosstab(one, other).count
        chi = stats.chi2_contingency(cells, correction=False)
        n = len(wide)
        assert row.mh == pytest.approx(chi.statistic * (n - 1) / n, rel=1e-9)
        assert row.mh_p == pytest.approx(stats.chi2.sf(row.mh, 1), rel=1e-12)


def test_mantel_and_haenszel_s_statistic_over_seasons():
    """The closed form of 1959, with mean and variance of the hypergeometric distribution of each season."""
    lines = shop(3, customers=80, products=4)
    found = associations(lines, season="month").pairs
    wide = (pd.crosstab([lines["month"], lines["order_id"]], lines["product_id"]) > 0).astype(int)
    for row in found.itertuples():
        seen = wide[[row.product_id, row.other_id]].groupby(level=0)
        n, (one, other) = seen.size(), seen.sum().to_numpy().T
        law = stats.hypergeom(n, one, other)
        assert row.expected == pytest.approx(law.mean().sum(), rel=1e-12)
        assert row.mh == pytest.approx((row.both - law.mean().sum()) ** 2 / law.var().sum(), rel=1e-9)


def test_triples_are_tested_against_each_pair_with_the_third():
    """The three products of a triple, as a pair with a product that is in the order where two are (Webb 2010)."""
    rng = np.random.default_rng(4)
    owner = np.sort(rng.integers(0, 150, 500))
    baskets = ["abcd" if n < 0.1 else [i for i in "abc" if rng.random() < 0.3] + ["d"] for n in rng.random(500)]
    lines = table_of(baskets, owner, rng.integers(0, 3, 500))
    found = associations(lines, season="month", most_size=3)
    assert found.triples[["product_id", "other_id", "third_id"]].values.tolist() == [["a", "b", "c"]]
    parts = []
    for pair, third in (("ab", "c"), ("ac", "b"), ("bc", "a")):
        has = lines.groupby("order_id")["product_id"].agg(set)
        joint = has.index[has.map(set(pair).issubset)]
        more = (
            lines.drop_duplicates("order_id").set_index("order_id").loc[joint].assign(product_id="pair").reset_index()
        )
        parts.append(brute(pd.concat([lines, more]), "pair", third))
    row = found.triples.iloc[0]
    assert row["both"] == parts[0]["both"] and row["p"] == pytest.approx(max(part["p"] for part in parts), rel=1e-9)
    assert row["lift"] == pytest.approx(min(part["lift"] for part in parts), rel=1e-9)
    assert row["p_adjusted"] == pytest.approx(min(4 * row["p"], 1), rel=1e-12) and row["p_adjusted"] < 0.05


# Planted and not planted


def test_a_planted_bundle_is_found_first_and_alone():
    for seed in (10, 20, 30):
        found = associations(shop(seed, bundle=0.5), season="month").significant
        assert found[["product_id", "other_id"]].values.tolist() == [["p00", "p01"]]


def test_a_common_season_is_no_bundle():
    rng = np.random.default_rng(5)
    month = np.repeat([0, 1], 400)
    baskets = [[item for item in "ab" if rng.random() < (0.6, 0.1)[at]] or ["c"] for at in month]
    lines = table_of(baskets, None, month)
    assert associations(lines).pairs.iloc[0][["product_id", "other_id"]].tolist() == ["a", "b"]
    assert associations(lines).pairs["p"].iloc[0] < 1e-6
    within = associations(lines, season="month").pairs.set_index(["product_id", "other_id"]).loc[("a", "b")]
    assert within["p_adjusted"] > 0.2 and within["low"] < 1 < within["high"]


def test_one_customer_makes_no_bundle():
    """A hundred orders of one customer are one observation; the test of single orders takes them for a hundred."""
    rng = np.random.default_rng(6)
    baskets = [[item for item in "abc" if rng.random() < 0.3] or ["c"] for _ in range(300)] + [["a", "b"]] * 100
    found = associations(table_of(baskets, [*range(300), *[300] * 100])).pairs
    row = found.set_index(["product_id", "other_id"]).loc[("a", "b")]
    assert row["mh_p"] < 1e-9 and row["p"] > 0.05 and row["customers"] < 20 and np.isnan(row["low"])


@pytest.mark.thorough
@pytest.mark.parametrize(("persistent", "customers"), [(3.0, 150), (1.5, 200)])
def test_false_bundles_are_found_at_the_promised_rate(persistent, customers):
    """150 shops without bundles, and tastes that persist: any false one after adjusting, and one pair alone."""
    shops = [
        associations(shop(seed, products=6, persistent=persistent, customers=customers), season="month").pairs
        for seed in range(1_000, 1_150)
    ]
    least, most = by_chance(0.05, len(shops))
    for adjusted in ("p_adjusted", "q"):
        assert np.mean([(pairs[adjusted] <= 0.05).any() for pairs in shops]) <= most
    every = pd.concat(shops)
    one = every[(every["product_id"] == "p00") & (every["other_id"] == "p01")]
    assert len(one) == len(shops) and least <= (one["p"] <= 0.05).mean() <= most
    assert (every["mh_p"] <= 0.05).groupby(
        every.index
    ).mean().mean() > 0.075  # that of single orders, which are no units
    known = one.dropna(subset="low")
    assert len(known) > 100
    assert ((known["low"] > 1) | (known["high"] < 1)).mean() <= by_chance(0.05, len(known))[1]


@pytest.mark.thorough
def test_planted_bundles_are_found():
    """In 50 shops, a bundle with half of the orders of one product is always found; others at the promised rate."""
    found = [associations(shop(seed, bundle=0.5), season="month").significant for seed in range(2_000, 2_050)]
    named = [pairs[["product_id", "other_id"]].values.tolist() for pairs in found]
    assert all(["p00", "p01"] in pairs for pairs in named)
    assert np.mean([len(pairs) > 1 for pairs in named]) <= by_chance(0.05, 50)[1]


# Cases at the edge


def test_adjusted_over_all_candidates_also_those_never_together():
    together, apart = [["a", "b"]] * 25 + [["c"]] * 25, [[f"d{n}"] for n in range(8) for _ in range(20)]
    few, many = associations(table_of(together)).pairs, associations(table_of(together + apart)).pairs
    assert (len(few), len(many)) == (3, 55) and (many["both"] > 0).sum() == 1
    row = many.iloc[0]
    assert row["p_adjusted"] == row["p"] * 55 and many["p"].iloc[1:].eq(1).all() and many["lift"].iloc[1:].eq(0).all()


def test_the_order_of_rows_and_repeated_lines_change_no_digit():
    lines = shop(7, products=6)
    found = associations(lines, season="month", most_size=3, level=1)
    mixed = pd.concat([lines, lines.head(50)]).sample(frac=1, random_state=1)
    again = associations(mixed, season="month", most_size=3, level=1)
    pd.testing.assert_frame_equal(again.pairs, found.pairs, check_exact=True)
    pd.testing.assert_frame_equal(again.triples, found.triples, check_exact=True)
    assert len(found.triples) > 5


def test_too_little_for_a_pair():
    for baskets in ([], [["a", "b"]], [["a"]] * 40, [["a"]] * 40 + [["b"]] * 19):
        found = associations(table_of(baskets), most_size=3)
        assert found.pairs.empty and found.triples.empty and found.significant.empty
        assert found.orders == len(baskets) and found.products == (len(baskets) >= 40)
    always = associations(table_of([["a", "b"]] * 40)).pairs.iloc[0]
    assert (always["lift"], always["p"], always["low"], always["high"]) == (1, 1, 1, 1) and np.isnan(always["mh"])
    alone = associations(table_of([["a", "b"]] * 30 + [["a"]] * 30, [0] * 60)).pairs.iloc[0]
    assert alone["customers"] == 1 and np.isnan(alone["low"]) and alone["p"] == 1


def test_what_is_refused():
    lines = table_of([["a", "b"]] * 20)
    with pytest.raises(ValueError, match="lack 'week'"):
        associations(lines, season="week")
    with pytest.raises(ValueError, match="leave these lines out"):
        associations(lines.assign(customer_id=None))
    for wrong in ({"most_size": 4}, {"least_orders": 0}, {"level": 0.0}):
        with pytest.raises(ValueError, match="most_size is 2 or 3"):
            associations(lines, **wrong)


# Which pay

PAIRS = pd.DataFrame({
    "product_id": ["a", "a", "b"], "other_id": ["b", "c", "c"], "orders": [100, 100, 60], "other_orders": [60, 30, 30],
    "both": [20, 10, 25],
})  # fmt: skip
MARGINS = pd.DataFrame({"product_id": ["a", "b", "c"], "price": [10.0, 20.0, 5.0], "margin": [4.0, 9.0, 1.0]})


def test_the_expected_margin_is_that_of_each_order_played():
    """Each order with its margin before and with the offer; a fifth of the single ones take the other product."""
    found = choose_bundles(PAIRS, MARGINS, discount=0.1, taken=0.2, cannibalised=0.5).set_index(
        ["product_id", "other_id"]
    )
    money = MARGINS.set_index("product_id")
    for row in PAIRS.itertuples():
        m1, m2 = money["margin"][row.product_id], money["margin"][row.other_id]
        joint = m1 + m2 - 0.1 * (money["price"][row.product_id] + money["price"][row.other_id])
        orders = [(m1, 0.2)] * (row.orders - row.both) + [(m2, 0.2)] * (row.other_orders - row.both)
        orders += [(m1 + m2, 0.5)] * row.both
        change = sum(share * (joint - before) for before, share in orders)
        assert found.loc[(row.product_id, row.other_id), "expected_margin"] == pytest.approx(change, rel=1e-12)
    assert found["expected_margin"].is_monotonic_decreasing
    share = found.loc[("a", "b"), "break_even"]
    at = choose_bundles(PAIRS, MARGINS, discount=0.1, taken=share, cannibalised=0.5).set_index(
        ["product_id", "other_id"]
    )
    assert at.loc[("a", "b"), "expected_margin"] == pytest.approx(0, abs=1e-9)


def test_no_bundle_pays_and_one_without_a_margin():
    none = choose_bundles(PAIRS, MARGINS, discount=0.6, taken=1.0)
    assert not none["pays"].any() and none["break_even"].isna().all() and len(none) == 3
    missing = choose_bundles(PAIRS, MARGINS.query("product_id != 'b'"), discount=0.1, taken=0.9)
    assert missing[["product_id", "other_id"]].values.tolist() == [["a", "c"], ["a", "b"], ["b", "c"]]
    assert missing["expected_margin"].isna().tolist() == [False, True, True] and not missing["pays"].iloc[1:].any()
    assert choose_bundles(PAIRS.head(0), MARGINS, discount=0.1, taken=0.5).empty
    free = choose_bundles(PAIRS, MARGINS, discount=0.0, taken=0.0)
    assert free["expected_margin"].eq(0).all() and not free["pays"].any()


def test_what_of_an_offer_is_refused():
    with pytest.raises(ValueError, match="lack 'margin'"):
        choose_bundles(PAIRS, MARGINS.drop(columns="margin"), discount=0.1, taken=0.5)
    with pytest.raises(ValueError, match="several rows"):
        choose_bundles(PAIRS, pd.concat([MARGINS, MARGINS]), discount=0.1, taken=0.5)
    for wrong in ({"discount": 1.0}, {"taken": 1.1}, {"cannibalised": -0.1}):
        with pytest.raises(ValueError, match="from 0"):
            choose_bundles(PAIRS, MARGINS, **{"discount": 0.1, "taken": 0.5} | wrong)
