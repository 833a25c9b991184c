"""Interleaving: the published procedures as plain loops, all outcomes of short lists, fairness, and sensitivity."""

import hashlib
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from customerlab.analysis.bandit.interleaving import Mixed, credit, draws, interleave, preference, sensitivity
from helpers import by_chance

METHODS = ["balanced", "team-draft", "probabilistic"]


def rankings(seed, number, depth=6, items=9):
    """Two random rankings of some of the items, for each of several customers."""
    rng = np.random.default_rng(seed)
    return [rng.random((number, items)).argsort(axis=1)[:, :depth] + 10 for _ in range(2)]


def both(a, b, rows):
    """The same two rankings for several customers."""
    return np.tile(a, (rows, 1)), np.tile(b, (rows, 1))


# The hash


def split_mix(seed, number):
    """SplitMix64 as in the paper, on Python's integers."""
    found, whole = [], 2**64
    for _ in range(number):
        seed = (seed + 0x9E3779B97F4A7C15) % whole
        z = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9 % whole
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % whole
        found.append(z ^ (z >> 31))
    return found


def test_draws_are_those_of_the_published_hash_and_sequence():
    # the first outputs of the seed 1234567, as listed on Rosetta Code
    assert split_mix(1234567, 2) == [6457827717110365317, 3203168211198807973]
    found = draws(["ann", "böb"], "2026-11-30", "home", 4)
    for row, name in zip(found, ["ann", "böb"], strict=True):
        digest = hashlib.md5(f"interleaving home on 2026-11-30: {name}".encode()).digest()
        wanted = [(x >> 11) / 2**53 for x in split_mix(int.from_bytes(digest[:8], "big"), 4)]
        assert row.tolist() == wanted


def test_a_customer_has_the_same_list_on_every_request_of_a_day():
    ids = [f"c{n}" for n in range(500)]
    found = draws(ids, "2026-11-30", "home", 6)
    order = np.random.default_rng(1).permutation(500)
    assert (draws([ids[n] for n in order], "2026-11-30", "home", 6) == found[order]).all()
    for day, test in (("2026-12-01", "home"), ("2026-11-30", "cart")):
        assert abs(np.corrcoef(draws(ids, day, test, 6).ravel(), found.ravel())[0, 1]) < 0.1
    assert stats.kstest(found.ravel(), "uniform").pvalue > 0.001
    assert draws([], "2026-11-30", "home", 6).shape == (0, 6)


# Lists


def as_published(method, a, b, uniform, length):
    """The pseudo-code of the papers, one list at a time: items, and who placed each (probabilities for the last)."""
    a, b, listed, team = list(a), list(b), [], []
    if method == "balanced":
        at, first = [0, 0], uniform[0] < 0.5
        while len(listed) < length:
            mine = at[0] < at[1] or (at[0] == at[1] and first)
            item = (a if mine else b)[at[0 if mine else 1]]
            at[0 if mine else 1] += 1
            if item not in listed:
                listed, team = [*listed, item], [*team, float(mine)]
    while len(listed) < length and method == "team-draft":
        counts = [team.count(1.0), team.count(0.0)]
        mine = counts[0] < counts[1] or (counts[0] == counts[1] and uniform[len(listed) // 2] < 0.5)
        listed, team = [*listed, next(x for x in (a if mine else b) if x not in listed)], [*team, float(mine)]
    while len(listed) < length:
        coin, number = uniform[2 * len(listed)], uniform[2 * len(listed) + 1]
        chance = [soft(a, listed), soft(b, listed)]
        own = chance[0 if coin < 0.5 else 1]
        below = np.cumsum(list(own.values()))
        item = list(own)[int((below <= number * below[-1]).sum())]
        by = [one.get(item, 0) for one in chance]
        listed, team = [*listed, item], [*team, by[0] / sum(by)]
    return listed, team


def soft(ranking, gone):
    """The probability of each item that is left, rank^-3 over the whole ranking's ranks."""
    weights = {item: 1 / rank**3 for rank, item in enumerate(ranking, 1) if item not in gone}
    return {item: weight / sum(weights.values()) for item, weight in weights.items()}


@pytest.mark.parametrize("method", METHODS)
def test_lists_are_those_of_the_published_procedures(method):
    a, b = rankings(1, 150)
    for length in (1, 4, 5, 6):
        uniform = np.random.default_rng(length).random((150, 2 * length))
        mixed = interleave(a, b, uniform, method=method)
        for n in range(150):
            listed, team = as_published(method, a[n], b[n], uniform[n], length)
            assert mixed.items[n].tolist() == listed
            assert mixed.share_a[n] == pytest.approx(team, abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_lists_have_items_of_both_rankings_once_with_their_ranks(method):
    a, b = rankings(2, 400)
    mixed = interleave(a, b, np.random.default_rng(2).random((400, 12)), method=method)
    assert (np.diff(np.sort(mixed.items, axis=1), axis=1) > 0).all()
    for ranking, ranks in ((a, mixed.rank_a), (b, mixed.rank_b)):
        here = ranking[:, None, :] == mixed.items[:, :, None]
        assert (np.where(here.any(axis=2), here.argmax(axis=2) + 1, 7) == ranks).all()
    assert (np.minimum(mixed.rank_a, mixed.rank_b) <= 6).all()


def test_every_beginning_of_a_balanced_list_is_made_of_the_tops_of_both():
    a, b = rankings(3, 400)
    mixed = interleave(a, b, np.random.default_rng(3).random((400, 12)), method="balanced")
    for length in range(1, 7):
        listed = mixed.items[:, :length, None]
        tops = [np.cumprod((side[:, None, :] == listed).any(axis=1), axis=1).sum(axis=1) for side in (a, b)]
        least = np.minimum(*tops)  # Joachims (2002), theorem 1: k_b ≤ k_a ≤ k_b + 1, or the other way round
        needed = [len(set(x[:k]) | set(y[:k])) for x, y, k in zip(a, b, least, strict=True)]
        more = [len(set(x[: k + 1]) | set(y[: k + 1])) for x, y, k in zip(a, b, least, strict=True)]
        assert (np.array(needed) <= length).all() and (length <= np.array(more)).all()


def test_all_outcomes_of_lists_of_three_worked_out_by_hand():
    a, b, coins = [1, 2, 3], [2, 3, 1], list(product([0.1, 0.9], repeat=2))
    uniform = np.column_stack([coins, np.zeros((4, 4))])
    drafted = interleave(*both(a, b, 4), uniform, method="team-draft")
    assert drafted.items.tolist() == [[1, 2, 3], [1, 2, 3], [2, 1, 3], [2, 1, 3]]
    assert drafted.share_a.tolist() == [[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]]
    balanced = interleave(*both(a, b, 2), np.array([[0.1] * 6, [0.9] * 6]), method="balanced")
    assert balanced.items.tolist() == [[1, 2, 3], [2, 1, 3]]
    same = interleave(*both(a, a, 2), np.array([[0.1] * 6, [0.9] * 6]), method="team-draft")
    assert same.items.tolist() == [a, a]


# Credit


def test_balanced_credit_looks_down_to_the_lowest_click():
    mixed = interleave(*both([1, 2, 3, 4], [3, 5, 1, 6], 1), np.zeros((1, 8)), method="balanced")
    assert mixed.items.tolist() == [[1, 3, 2, 5]]
    # 3 has the rank 1 in the second: of both tops of one, each has one click
    # with a click on 5 the tops of two count: of the clicks on 1, 3 and 5 one is on the first's and two on the second's
    for clicks, wanted in {
        (1, 1, 0, 0): 0,
        (0, 1, 0, 0): -1,
        (0, 0, 1, 0): 1,
        (1, 1, 0, 1): -1,
        (1, 0, 1, 0): 2,
    }.items():
        assert credit(mixed, np.array([clicks])).tolist() == [wanted], clicks
    assert credit(mixed, np.zeros((1, 4))).tolist() == [0]


def test_credit_may_be_money():
    mixed = interleave(*both([1, 2], [3, 4], 1), np.array([[0.1, 0.9, 0.9, 0.9]]), method="team-draft")
    assert credit(mixed, np.array([[12.5, 20.0]])).tolist() == [-7.5]


@pytest.mark.parametrize("b", [[2, 3, 4, 1], [4, 3, 2, 1], [1, 2, 4, 3], [5, 6, 1, 2]])
def test_team_draft_is_fair_under_random_clicks_at_every_place(b):
    coins = np.array(list(product([0.1, 0.9], repeat=2)))
    mixed = interleave(*both([1, 2, 3, 4], b, 4), np.column_stack([coins, np.zeros((4, 6))]), method="team-draft")
    for clicks in product([0, 1], repeat=4):  # whatever places are clicked
        assert credit(mixed, np.tile(clicks, (4, 1))).sum() == 0


def test_balanced_interleaving_is_biased_under_random_clicks():
    """One ranking is the other with its top item moved to the end: as Chapelle and others (2012) found."""
    for number in (3, 4, 5):
        a, b = list(range(1, number + 1)), [*range(2, number + 1), 1]
        mixed = interleave(*both(a, b, 2), np.repeat([[0.1], [0.9]], 2 * number, axis=1), method="balanced")
        found = np.concatenate([credit(mixed, np.tile(place, (2, 1))) for place in np.eye(number)])
        assert (found > 0).mean() == 1 / number and (found < 0).mean() == (number - 1) / number


def lists_of(a, b, length, listed=(), chance=1.0, shares=()):
    """All lists of probabilistic interleaving, with their probabilities and the share of the first at each place."""
    if len(listed) == length:
        return {listed: (chance, shares)}
    found, by_a, by_b = {}, soft(a, listed), soft(b, listed)
    for item in sorted(set(by_a) | set(by_b)):
        p, q = by_a.get(item, 0), by_b.get(item, 0)
        found |= lists_of(a, b, length, (*listed, item), chance * (p + q) / 2, (*shares, p / (p + q)))
    return found


def test_probabilistic_lists_come_at_their_probabilities_with_credit_by_who_may_have_placed_it():
    a, b = [1, 2, 3], [2, 4, 1]
    wanted = lists_of(a, b, 3)
    assert wanted[(1, 2, 3)][1][1] == pytest.approx((1 / 8) / (1 / 8 + 1 / 27) / ((1 / 8) / (1 / 8 + 1 / 27) + 8 / 9))
    mixed = interleave(*both(a, b, 20_000), np.random.default_rng(4).random((20_000, 6)), method="probabilistic")
    seen = pd.Series(map(tuple, mixed.items.tolist())).value_counts().reindex(list(wanted), fill_value=0)
    expected = np.array([chance for chance, _ in wanted.values()])
    assert expected.sum() == pytest.approx(1, abs=1e-12) and seen.sum() == 20_000
    assert stats.chisquare(seen, expected * 20_000).pvalue > 0.001 and (expected * 20_000 > 5).all()
    shares = np.array([wanted[tuple(row)][1] for row in mixed.items[:500].tolist()])
    assert mixed.share_a[:500] == pytest.approx(shares, abs=1e-12)
    # fair at each place, by all lists and their probabilities
    listed = np.array(list(wanted))
    own = Mixed("probabilistic", listed, listed, listed, np.array([share for _, share in wanted.values()]))
    for place in np.eye(3):
        assert expected @ credit(own, np.tile(place, (len(listed), 1))) == pytest.approx(0, abs=1e-12)


def test_what_can_be_put_right_is_said():
    a, b = rankings(5, 3)
    for said, options in [
        ("expected one of", {"method": "random"}),
        ("at least 7 items", {"uniform": np.zeros((3, 14))}),
        ("expected 2 of", {"uniform": np.zeros((2, 6))}),
        ("item twice", {"b": np.ones((3, 6), dtype=int)}),
    ]:
        with pytest.raises(ValueError, match=said):
            interleave(**({"a": a, "b": b, "uniform": np.zeros((3, 6))} | options))
    for method in METHODS:
        assert interleave(a[:0], b[:0], np.zeros((0, 6)), method=method).items.shape == (0, 3)


# The test


def test_customers_are_the_units_of_the_sign_test_and_of_the_bootstrap():
    rng = np.random.default_rng(6)
    customers, credits = (
        rng.choice([f"c{n:03d}" for n in range(300)], 900),
        rng.choice([-1.0, 0.0, 1.0], 900, p=[0.2, 0.4, 0.4]),
    )
    sums = pd.Series(credits).groupby(customers).sum()
    found = preference(customers, credits, seed=1)
    wins = int((sums > 0).sum()), int((sums < 0).sum())
    assert (found.wins_a, found.wins_b, found.ties) == (*wins, len(sums) - sum(wins))
    assert found.p == pytest.approx(2 * stats.binom.sf(wins[0] - 1, sum(wins), 0.5), rel=1e-9)
    error = sums.std(ddof=0) / np.sqrt(len(sums))
    assert found.mean == pytest.approx(sums.mean(), rel=1e-12)
    assert [found.low, found.high] == pytest.approx(
        [sums.mean() - 1.96 * error, sums.mean() + 1.96 * error], abs=0.2 * error
    )
    order = rng.permutation(900)
    assert preference(customers[order], credits[order], seed=1) == found


def test_few_customers_with_a_preference_are_too_few_to_tell():
    ids, credits = [f"c{n}" for n in range(100)], np.repeat([1.0, 0.0], [19, 81])
    found = preference(ids, credits, seed=1)
    assert np.isnan([found.p, found.low, found.high]).all() and found.mean == pytest.approx(0.19)
    assert found.finding == "Preference: too few to tell (19 customers who prefer a ranking)."
    assert preference(ids, np.repeat([1.0, 0.0], [20, 80]), seed=1).p == pytest.approx(2 * 0.5**20)
    none = preference([], np.array([]), seed=1)
    assert none.ties == 0 and np.isnan(none.mean) and "too few" in none.finding


@pytest.mark.thorough
def test_the_sign_test_of_team_draft_keeps_its_level_under_random_clicks():
    rng, runs, false = np.random.default_rng(7), 1_000, 0
    a, b = both([1, 2, 3, 4], [2, 3, 4, 1], 200)
    for _ in range(runs):
        mixed = interleave(a, b, rng.random((200, 8)), method="team-draft")
        credits = credit(mixed, rng.random((200, 4)) < [0.4, 0.3, 0.2, 0.1])
        false += preference(np.arange(200).astype(str), credits, seed=1, resamples=2).p < 0.05
    print(f"false preferences: {false / runs:.3f}")
    assert false / runs <= by_chance(0.05, runs)[1]


# Sensitivity


def shoppers(seed, number):
    """A good ranking and a worse one, and customers who differ in how much they click at all."""
    appeal = np.random.default_rng(seed).beta(0.5, 1.5, (number, 1)) * np.array(
        [0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05]
    )
    return *both([0, 1, 2, 3, 4, 5], [1, 3, 0, 5, 2, 6], number), appeal


def test_interleaving_needs_fewer_customers_than_an_ab_test():
    a, b, appeal = shoppers(1, 20_000)
    table = sensitivity(a, b, appeal, 4, seed=1).set_index("method")
    assert (table["difference"] > 0).all() and list(table.index) == ["A/B test", *METHODS]
    assert (table["customers"][METHODS] < table.loc["A/B test", "customers"] / 2).all()
    back = sensitivity(b, a, appeal, 4, seed=1).set_index("method")
    assert back.loc["A/B test", "difference"] == -table.loc["A/B test", "difference"]
    assert back["customers"].to_numpy() == pytest.approx(table["customers"].to_numpy(), rel=0.3)


def test_equal_rankings_are_too_close_to_tell():
    a, _, appeal = shoppers(2, 2_000)
    table = sensitivity(a, a, appeal, 4, seed=2).set_index("method")
    assert table["customers"].isna().all() and table.loc["A/B test", "difference"] == 0


@pytest.mark.thorough
def test_the_promised_number_of_customers_has_the_promised_power():
    # so many that the number itself is within a few percent
    table = sensitivity(*shoppers(3, 1_000_000), 4, seed=3).set_index("method")
    number, runs, found = int(table.loc["team-draft", "customers"]), 1_000, 0
    for run in range(runs):
        a, b, appeal = shoppers(10 + run, number)
        rng = np.random.default_rng(run)
        mixed = interleave(a, b, rng.random((number, 8)), method="team-draft")
        clicks = rng.random((number, 4)) < np.take_along_axis(appeal, mixed.items, axis=1) / np.log2(np.arange(4) + 2)
        found += stats.ttest_1samp(credit(mixed, clicks), 0).pvalue < 0.05
    print(f"{number} customers: power {found / runs:.3f}")
    least, most = by_chance(0.8, runs)
    assert least <= found / runs <= most
