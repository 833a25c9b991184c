"""Mixed attributes: Gower by hand, PAM against all sets of medoids, K-Means, k-modes, planted segments, gates."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import squareform
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from customerlab.analysis.clustering import gate_results, verdicts
from customerlab.analysis.profile.gates import _populations, judge_mixed
from customerlab.analysis.profile.gower import distances, fit_coding, gower
from customerlab.analysis.profile.medoids import build, fit_medoids, medoid_segments, swap
from customerlab.analysis.profile.prototypes import fit_prototypes, lloyd, prototype_segments, split
from helpers import by_chance


def attributes(seed=1, number=60, missing=0.1):
    """Independent attributes of every kind, some values missing."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({
        "age": rng.integers(18, 90, number).astype(float),
        "income": rng.lognormal(10, 0.5, number),
        "band": pd.Categorical(rng.choice(["low", "middle", "high"], number), ["low", "middle", "high"], ordered=True),
        "home": rng.choice(["flat", "house", "farm"], number),
        "garden": pd.array(rng.random(number) < 0.4, dtype="boolean"),
        "joined": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, number), "D"),
    }, index=pd.Index([f"c{n:04d}" for n in range(number)], name="customer_id"))  # fmt: skip
    return table.mask(rng.random(table.shape) < missing)


def planted(seed, number=400):
    """Three segments that differ in six numbers and six categories, the truth, and the Bayes classifier's labels."""
    rng = np.random.default_rng(seed)
    shares = np.array([0.45, 0.3, 0.25])
    truth = rng.choice(3, number, p=shares)
    means = np.array([rng.permutation([-1.5, 0.0, 1.5]) for _ in range(6)]).T
    numbers = means[truth] + rng.normal(size=(number, 6))
    table = pd.DataFrame(numbers, columns=[f"number {n}" for n in range(6)])
    joint = np.log(shares) + norm.logpdf(numbers[:, None], means).sum(axis=2)
    for n in range(6):
        p = np.full((3, 4), 0.1)
        p[np.arange(3), rng.permutation(4)[:3]] = 0.7
        level = (rng.random(number)[:, None] > p[truth].cumsum(axis=1)).sum(axis=1)
        table[f"category {n}"] = pd.Categorical.from_codes(level, list("abcd"))
        joint = joint + np.log(p[:, level]).T
    table.index = pd.Index([f"c{n:05d}" for n in range(number)], name="customer_id")
    return table, truth, joint.argmax(axis=1)


# Gower's distance


def by_hand(table, one, other):
    """Gower's distance of two rows, attribute by attribute."""
    band = {"low": 0, "middle": 1, "high": 2}
    found = []
    for name, column in table.items():
        a, b = column.iloc[one], column.iloc[other]
        if pd.isna(a) or pd.isna(b):
            continue
        if name in ("home", "garden"):
            found.append(float(a != b))
        elif name == "band":
            found.append(abs(band[a] - band[b]) / 2)
        else:
            found.append(abs(a - b) / (column.max() - column.min()))
    return np.mean(found) if found else 1.0


def test_distances_are_those_of_every_pair_by_hand():
    table = attributes(number=25, missing=0.3)
    table.loc["c0007"] = None
    found = distances(table)
    pairs = list(combinations(range(len(table)), 2))
    wanted = np.array([by_hand(table, *pair) for pair in pairs])
    assert (wanted == 1).sum() >= 24  # the customer of whom nothing is known
    assert np.allclose(squareform(found), wanted, rtol=0, atol=1e-12)
    assert np.allclose(distances(table, condensed=True), wanted, rtol=0, atol=1e-12)
    single = distances(table, dtype=np.float32)
    assert single.dtype == np.float32 and np.allclose(single, found, rtol=0, atol=1e-6)
    mixed = table.sample(frac=1, random_state=1)
    assert np.array_equal(pd.DataFrame(found, table.index, table.index).loc[mixed.index, mixed.index], distances(mixed))


def test_new_customers_are_compared_by_what_was_learned():
    coding = fit_coding(pd.DataFrame({"age": [20.0, 40.0], "one": [5, 5], "home": ["flat", "farm"]}, list("ab")))
    new = pd.DataFrame({"age": [30.0, 90.0], "one": [5, 6], "home": ["farm", "tent"]}, list("xy"))
    known = coding.values(pd.DataFrame({"age": [20.0], "one": [5], "home": ["flat"]}, ["a"]))
    assert gower(coding.values(new), known, coding).ravel().tolist() == [0.5, 1.0]  # a tent is missing
    with pytest.raises(ValueError, match="lacks the attribute 'one'"):
        coding.values(new.drop(columns="one"))


def test_odd_tables_are_named_or_answered():
    flat = pd.DataFrame({"one": [1, 1, 1], "none": [np.nan] * 3, "text": [None] * 3}, list("abc"))
    assert distances(flat, condensed=True).tolist() == [0, 0, 0]
    assert distances(flat[["none"]], condensed=True).tolist() == [1, 1, 1]
    for table, words in [
        (flat.iloc[:0], "no customers"),
        (flat[[]], "no attributes"),
        (flat.set_axis(["a", "a", "b"]), "more than one row"),
        (flat.assign(one=[1, np.inf, 2]), "'one' has an infinite number"),
        (flat.assign(one=pd.to_timedelta([1, 2, 3], "D")), "'one' is of dtype timedelta"),
    ]:
        with pytest.raises(ValueError, match=words):
            fit_coding(table)


# PAM


def test_pam_finds_the_best_of_all_sets_of_medoids():
    reached = 0
    for seed in range(6):
        apart = distances(attributes(seed, 14))
        for k in (1, 2, 3):
            best = min(apart[:, list(chosen)].min(axis=1).mean() for chosen in combinations(range(14), k))
            cost = swap(apart, build(apart, k))[1][-1]
            assert cost >= best - 1e-12
            reached += cost <= best + 1e-12
    assert reached >= 16  # PAM is a local search


def test_every_exchange_is_the_best_one_and_lowers_the_cost():
    apart = distances(attributes(3, 40))
    medoids, costs = swap(apart, np.array([0, 1, 2]))
    assert len(costs) > 2 and (np.diff(costs) < 0).all()
    now = [0, 1, 2]
    for cost in costs[1:]:  # PAM as it was published: all exchanges one by one
        others = [o for o in range(40) if o not in now]
        tried = [sorted([*now[:i], *now[i + 1 :], o]) for i, o in product(range(3), others)]
        found = [apart[:, chosen].min(axis=1).mean() for chosen in tried]
        now = tried[int(np.argmin(found))]
        assert cost == pytest.approx(min(found), abs=1e-12)
    assert now == medoids.tolist()


def test_build_takes_the_customer_who_lowers_the_cost_most():
    apart = distances(attributes(4, 25))
    chosen: list[int] = []
    for place in build(apart, 4):
        cost = [apart[:, [*chosen, other]].min(axis=1).sum() for other in range(25)]
        assert cost[place] == pytest.approx(min(cost), abs=1e-9)
        chosen.append(int(place))


def test_medoids_of_a_sample_serve_all_customers(monkeypatch):
    table, truth, _ = planted(1)
    monkeypatch.setattr("customerlab.analysis.profile.medoids.MOST", 100)
    segments, medoids = medoid_segments(table, 3, seed=5)
    exact = fit_coding(table)
    values = exact.values(table)
    nearest = gower(values, exact.values(medoids), exact).argmin(axis=1)
    assert segments.tolist() == nearest.tolist() and adjusted_rand_score(truth, segments) > 0.8
    monkeypatch.undo()
    all_of_them = fit_medoids(values, exact, [3], 5)[3]
    assert all_of_them.cost <= gower(values, exact.values(medoids), exact).min(axis=1).mean() + 1e-12


# k-prototypes


def test_gamma_zero_is_k_means_from_the_same_centres():
    table = planted(2)[0]
    coding = fit_coding(table)
    numbers, codes = split(coding.values(table), coding)
    start = [3, 50, 111]
    means, _, labels, cost = lloyd(numbers, codes, numbers[start], codes[start], 0.0)
    other = KMeans(3, init=numbers[start], n_init=1, algorithm="lloyd", tol=0).fit(numbers)
    assert labels.tolist() == other.labels_.tolist()
    assert np.allclose(means, other.cluster_centers_, rtol=0, atol=1e-10)
    assert cost * len(table) == pytest.approx(other.inertia_, rel=1e-10)


def k_modes(codes, modes):
    """k-modes (Huang 1998) by loops, ties to the first."""
    while True:
        labels = [min(range(len(modes)), key=lambda k: (sum(row != modes[k]), k)) for row in codes]
        new = []
        for k in range(len(modes)):
            own = codes[np.array(labels) == k]
            new.append([max(range(9), key=lambda level: (sum(column == level), -level)) for column in own.T])
        if (np.array(new) == modes).all():
            return labels, modes
        modes = np.array(new)


def test_without_numbers_it_is_k_modes_from_the_same_modes():
    table = planted(3, 150)[0].filter(like="category")
    coding = fit_coding(table)
    numbers, codes = split(coding.values(table), coding)
    start = [0, 40, 90]
    _, modes, labels, cost = lloyd(numbers, codes, numbers[start], codes[start], 0.5)
    wanted, their_modes = k_modes(codes, codes[start])
    assert labels.tolist() == wanted and modes.tolist() == their_modes.tolist()
    assert cost == pytest.approx(0.5 * (codes != their_modes[wanted]).sum() / 150, abs=1e-12)


def test_a_very_large_gamma_has_the_fewest_mismatches_of_all_pairs_of_modes():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame(rng.integers(0, 2, (16, 4)).astype(bool)).assign(number=rng.normal(size=16))
        table.index = [f"c{n:02d}" for n in range(16)]
        coding = fit_coding(table)
        values = coding.values(table)
        codes = split(values, coding)[1]
        model = fit_prototypes(values, coding, [2], 1, gamma=1e7)[2]
        found = (codes != model.modes[model.predict(values)]).sum()
        pairs = combinations(product([0, 1], repeat=4), 2)
        assert found <= min(sum(np.minimum(*[(codes != m).sum(axis=1) for m in pair])) for pair in pairs) + 1


def test_the_cost_is_that_of_its_definition_and_segments_are_numbered_by_size():
    table = attributes(5)
    coding = fit_coding(table)
    values = coding.values(table)
    model = fit_prototypes(values, coding, [4], 3)[4]
    numbers, codes = split(values, coding)
    own = model.predict(values)
    squares = ((numbers - model.means[own]) ** 2).sum(axis=1)
    assert model.cost == pytest.approx((squares + 0.5 * (codes != model.modes[own]).sum(axis=1)).mean(), abs=1e-12)
    assert (np.diff(np.bincount(own)) <= 0).all() and 1 <= model.reached <= 5
    for k in range(4):
        inside = table[own == k]
        assert model.table()["home"][k] == inside["home"].value_counts().sort_index().idxmax()
        income = inside["income"].fillna(table["income"].mean()).mean()
        assert model.table()["income"][k] == pytest.approx(income, rel=1e-12)


@pytest.mark.parametrize("segments", [medoid_segments, prototype_segments])
def test_segments_do_not_depend_on_the_order_of_rows(segments):
    table = attributes(6, 80)
    found, stand_ins = segments(table, 3, seed=2)
    mixed, others = segments(table.sample(frac=1, random_state=9), 3, seed=2)
    assert found.equals(mixed.reindex(found.index)) and stand_ins.equals(others)
    with pytest.raises(ValueError, match="61 segments"):
        segments(pd.concat([table.iloc[:60], table.iloc[:20].set_axis([f"d{n}" for n in range(20)])]), 61)
    same = pd.DataFrame({"home": ["flat"] * 5}, list("abcde"))
    assert segments(same, 1)[0].tolist() == [0] * 5
    with pytest.raises(ValueError, match="different"):
        segments(same, 2)


def test_a_negative_gamma_is_refused():
    with pytest.raises(ValueError, match="at least 0"):
        prototype_segments(attributes(), 2, gamma=-1)


@pytest.mark.thorough
def test_planted_segments_of_20_shops_are_found_as_well_as_by_who_knows_their_model():
    rows = []
    for seed in range(20):
        table, truth, oracle = planted(seed, 1_000)
        found = [adjusted_rand_score(truth, fit(table, 3)[0]) for fit in (prototype_segments, medoid_segments)]
        rows.append((adjusted_rand_score(truth, oracle), *found))
    oracle, prototypes, medoids = np.array(rows).T
    print(
        f"\nadjusted Rand: {oracle.mean():.3f} oracle, {prototypes.mean():.3f} k-prototypes, {medoids.mean():.3f} PAM"
    )
    assert (prototypes >= oracle - 0.05).all()


# The gates


@pytest.mark.slow
def test_planted_segments_pass_the_gates():
    table, truth, _ = planted(4, 200)
    judged = judge_mixed(table, [2, 3], 1)
    assert judged.recommended in ("k-prototypes 3", "PAM 3")
    row = judged.table.loc[judged.recommended]
    own = judged.labels[judged.recommended]
    assert adjusted_rand_score(truth, own) > 0.85 and row["p_structure"] == row["p_kinds"] == 1 / 40
    assert row["silhouette"] == pytest.approx(silhouette_score(distances(table), own, metric="precomputed"), abs=1e-9)
    assert verdicts(judged)["candidate"].iloc[0] == gate_results(judged)["candidate"].iloc[0] == judged.recommended


@pytest.mark.slow
def test_verdicts_do_not_depend_on_the_order_of_rows():
    table = attributes(8, 80)
    first, second = (judge_mixed(t, [2, 3], 1) for t in (table, table.sample(frac=1, random_state=2)))
    pd.testing.assert_frame_equal(first.table, second.table)
    assert first.recommended == ""


def related(seed, number=200):
    """One population: three numbers, a yes/no and a category of three levels, cut from one common factor."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=number)
    table = pd.DataFrame({f"n{n}": common + 0.5 * rng.normal(size=number) for n in range(3)})
    table["high"] = common + rng.normal(size=number) > 0
    table["size"] = pd.cut(common + rng.normal(size=number), [-9, -0.6, 0.6, 9], labels=list("sml")).astype(str)
    return table.set_axis([f"c{n:03d}" for n in range(number)])


def test_one_population_is_drawn_with_the_shares_and_correlations_of_the_attributes():
    table = related(4, 1_000)
    coding = fit_coding(table)
    drawn = list(_populations(table, coding.values(table), coding, np.random.default_rng(1)))
    ranked = table.assign(size=table["size"].map({"s": 0, "m": 1, "l": 2})).astype(float)
    assert len(drawn) == 39
    for name, place in (("high", 3), ("size", 4)):
        share = np.mean([np.bincount(one[:, place].astype(int)) for one in drawn], axis=0) / 1_000
        assert np.allclose(np.sort(share), np.sort(table[name].value_counts(normalize=True)), rtol=0, atol=0.01)
    found = np.mean([np.abs(np.corrcoef(one, rowvar=False)) for one in drawn], axis=0)
    assert np.allclose(found, np.abs(ranked.corr()), rtol=0, atol=0.02)


@pytest.mark.slow
def test_correlated_attributes_without_segments_are_none():
    judged = judge_mixed(related(3), [2], 1)
    assert judged.recommended == ""
    assert judged.table["p_structure"].min() == 1 / 40  # permutation alone would take two halves for segments


def test_too_few_different_customers_are_none():
    same = pd.DataFrame({"home": ["flat"] * 30, "age": [30.0] * 30}, [f"c{n:02d}" for n in range(30)])
    judged = judge_mixed(same, [2, 3], 1)
    assert judged.recommended == "" and judged.table.empty


@pytest.mark.thorough
def test_independent_attributes_are_none_at_the_promised_rate():
    tables = [attributes(seed, 150, 0.05) for seed in range(25)]
    alarms = [bool(judge_mixed(table, [2, 3], 1).recommended) for table in tables]
    print(f"\nsegments recommended in {sum(alarms)} of 25 tables without any")
    assert np.mean(alarms) <= by_chance(0.05, 25)[1]
