"""Do the methods find what was planted in the simulated shop, at the rate that they promise? Figures are printed."""

import ibis
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from customerlab.analysis import clustering, experiment, rfm
from customerlab.data.catalog import find_data_set
from customerlab.data.prepare import prepare
from customerlab.data.simulate import experiments, simulate_shop
from customerlab.data.simulate.purchasing import SEGMENTS
from customerlab.data.simulate.shop import simulate_part
from helpers import ROOT

SEEDS = range(20)


@pytest.fixture
def say(capsys):
    def printed(text):
        with capsys.disabled():
            print(f"\n    {text}", end="")

    return printed


def of_customers(shop):
    """The measures to which the simulator is calibrated."""
    log = shop.tables["transactions"]
    back = log["order_id"].str.startswith("C")
    kept = log[~back].assign(amount=lambda t: t["quantity"] * t["unit_price"])
    grouped = kept.groupby("customer_id")
    orders, money = grouped["order_id"].nunique(), grouped["amount"].sum().sort_values(ascending=False)
    months = kept.drop_duplicates("order_id")["ordered_at"].dt.month.value_counts()
    days = pd.Series(pd.date_range("2023-07-01", "2024-12-31")).dt.month.value_counts()
    daily = (months / days).sort_index()
    return {
        "orders a customer, mean": orders.mean(),
        "orders a customer, median": orders.median(),
        "customers who order once": (orders == 1).mean(),
        "money a customer, mean": money.mean(),
        "money a customer, median": money.median(),
        "money of the top fifth of customers": money.iloc[: int(np.ceil(0.2 * len(money)))].sum() / money.sum(),
        "orders in November, against the mean": daily[11] / daily.mean(),
        "lines that are returned": back.sum() / len(kept),
    }


def documented():
    """Target, simulated value and band of each measure, as the docstring's table has them."""
    import customerlab.data.simulate.purchasing as module

    rows = [line.split("  ") for line in module.__doc__.splitlines() if " to " in line and "  " in line]
    parts = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    number = {
        p[0]: [float(x.replace(",", "")) for x in (p[1], p[2], *p[3].split(" to "))] for p in parts if len(p) == 4
    }
    assert len(number) == 8
    return number


def test_magnitudes_are_those_of_a_real_shop(say):
    found = pd.DataFrame([of_customers(simulate_shop(seed=seed, spoiled=False)) for seed in SEEDS]).mean()
    for name, (target, simulated, low, high) in documented().items():
        say(f"{name}: {found[name]:,.3f}, Online Retail {target:,.3f}, band {low:,g} to {high:,g}")
        assert low <= found[name] <= high, name
        assert low <= target <= high
        assert found[name] == pytest.approx(simulated, rel=0.005), "the docstring says what is true"


def test_cleaning_removes_exactly_the_planted_faults(say, tmp_path):
    rules = [name for name, _ in find_data_set(ROOT, "demo").tables["transactions"].clean]
    causes = {
        "exact_repeat": "duplicate", "customer_missing": "guest", "product_not_matching": "test_order",
        "price_not_positive": "sample", "quantity_too_large": "outlier",
    }  # fmt: skip
    assert set(rules) == {*causes, "order_cancelled"}
    removed = 0
    for seed in SEEDS:
        project = tmp_path / str(seed)
        (project / "data" / "demo").mkdir(parents=True)
        shop = simulate_shop(customers=600, seed=seed)
        shop.tables["transactions"].to_parquet(project / "data" / "demo" / "transactions.parquet")
        (project / "data" / "catalog.yml").write_text((ROOT / "data" / "catalog.yml").read_text())
        prepared = prepare(project, project / "outputs", "transactions", "demo")
        steps = {step["step"]: step["rows_removed"] for step in prepared.report["ladder"]}
        planted = shop.truth["faults"]["fault"].value_counts()
        for rule, fault in causes.items():
            assert steps[rule] == planted[fault], (seed, rule)
        removed += planted.sum()
        # what is left are the sound lines, each one
        sound = simulate_shop(customers=600, seed=seed, spoiled=False).tables["transactions"]
        faults = shop.truth["faults"]
        spoilt = (
            faults[faults["fault"].isin(["guest", "sample", "outlier"])].set_index(["order_id", "product_id"]).index
        )
        keep = ~sound.set_index(["order_id", "product_id"]).index.isin(spoilt) & (sound["quantity"] > 0)
        kept = pd.read_parquet(prepared.path)
        keys = ["order_id", "product_id", "customer_id", "quantity"]
        wanted = sound.loc[keep, keys].sort_values(keys, ignore_index=True).astype({"quantity": float})
        pd.testing.assert_frame_equal(kept[keys].sort_values(keys, ignore_index=True), wanted, check_dtype=False)
    say(f"{len(SEEDS)} shops: {removed:,} planted faults, all removed and nothing else")


def test_planted_complements_are_found(say):
    found = []
    for seed in SEEDS:
        shop = simulate_shop(seed=seed, spoiled=False)
        log = shop.tables["transactions"].query("quantity > 0")
        baskets = pd.crosstab(log["order_id"], log["product_id"]).clip(upper=1).astype(float)
        together = (baskets.T @ baskets).to_numpy()
        alone = np.diag(together)
        expected = np.outer(alone, alone) / len(baskets)
        score = np.triu((together - expected) / np.sqrt(expected), 1)
        best = np.argsort(-score.ravel(), kind="stable")[: len(shop.truth["complements"])]
        ids = baskets.columns.to_numpy()
        pairs = {(ids[place // len(ids)], ids[place % len(ids)]) for place in best}
        planted = {tuple(sorted(pair)) for pair in shop.truth["complements"].itertuples(index=False)}
        found.append(len(pairs & planted) / len(planted))
    say(
        f"{len(SEEDS)} shops: {np.mean(found):.1%} of the planted pairs are the most surprising ones, at least {min(found):.0%}"
    )
    assert np.mean(found) >= 0.98 and min(found) >= 0.9


def units(seed, size=6_000):
    rng = np.random.default_rng(seed)
    return rng, experiments.simulate_units(rng, size)


def canonical(table):
    table = table.assign(unit_id=[str(n) for n in range(len(table))])
    table = table.rename(columns={name: f"outcome_{name}" for name in experiments.OUTCOMES})
    return ibis.memtable(table[["unit_id", "variant", *[f"outcome_{name}" for name in experiments.OUTCOMES]]])


def compared(table):
    return experiment.compare_arms(table, experiment.metrics_of(table), "control")


def test_intervals_cover_the_true_effects_at_their_rate(say):
    covered, signs = [], []
    for seed in range(150):
        rng, people = units(seed)
        table = compared(canonical(experiments.simulate_test(rng, people)))
        table = table.set_index(["variant", "metric"])
        without = experiments.expected(people, "control")
        for arm in experiments.ARMS[1:]:
            for outcome, truth in (experiments.expected(people, arm) - without).mean().items():
                row = table.loc[(arm, outcome)]
                covered.append(row["effect_low"] <= truth <= row["effect_high"])
                signs.append(row["effect"] - truth)
    rate = np.mean(covered)
    say(f"{len(covered)} intervals of 95 % over 150 tests cover the true effect {rate:.1%} of the time")
    assert 0.92 <= rate <= 0.98


def test_no_effect_is_found_between_equal_arms_more_often_than_promised(say):
    found = []
    for seed in range(300):
        rng, people = units(seed, 3_000)
        table = compared(canonical(experiments.simulate_test(rng, people, ("control", "control"))))
        found += (table["pvalue"] < 0.05).tolist()
    say(f"{np.mean(found):.1%} of {len(found)} comparisons of equal arms have p < 0.05")
    assert 0.035 <= np.mean(found) <= 0.065


def test_the_broken_split_is_caught_and_sound_ones_are_not(say):
    caught, alarms = [], []
    for seed in range(200):
        rng, people = units(seed, 1_600)
        alarms.append(not experiment.sample_ratio(canonical(experiments.simulate_test(rng, people)), "control").sound)
        if seed < 40:
            broken = canonical(experiments.simulate_broken_test(rng, people))
            caught.append(not experiment.sample_ratio(broken, "control").sound)
    say(
        f"{np.mean(caught):.0%} of {len(caught)} broken splits are caught; {sum(alarms)} of {len(alarms)} sound ones are refused"
    )
    assert np.mean(caught) >= 0.95
    # promised once in a thousand: three or more of two hundred would happen once in a thousand times
    assert sum(alarms) <= 2


def test_one_segment_is_harmed_and_the_true_effects_are_those_of_the_parts():
    part = simulate_part(1, 0, 20_000, spoiled=False)
    people = part.truth["customers"].to_pandas()
    by_segment = people.groupby("segment")["voucher_conversion"].mean()
    assert by_segment.idxmin() == "trade" and by_segment["trade"] < -0.02 and (by_segment.drop("trade") > 0).all()
    table = (
        part.tables["experiment"]
        .to_pandas()
        .merge(people[["customer_id", "segment"]], left_on="unit_id", right_on="customer_id")
    )
    means = table.pivot_table(index="segment", columns="variant", values="conversion", aggfunc="mean")
    seen = means["voucher"] - means["control"]
    assert seen["trade"] < 0 and np.corrcoef(seen, by_segment)[0, 1] > 0.9


def test_planted_segments_are_found_as_well_as_a_mixture_that_knows_their_number_finds_them(say):
    names = ["recency", "frequency", "monetary", "tenure"]
    methods = {name: clustering.METHODS[name] for name in ("K-Means", "Bisecting K-Means")}
    ours, mixture, chosen = [], [], []
    for seed in range(5):
        shop = simulate_shop(seed=seed, spoiled=False)
        log = shop.tables["transactions"].query("quantity > 0")
        log = ibis.memtable(log.assign(amount=(log["quantity"] * log["unit_price"]).round(4)))
        day = rfm.day_after(log)
        customers = clustering.customer_features(log, day, names=names)
        points = clustering.fit_space(customers, names).points(customers)
        truth = customers["customer_id"].map(shop.truth["customers"].set_index("customer_id")["segment"])
        judged = clustering.judge(points, range(3, 8), 7, methods=methods, resamples=8)
        known = GaussianMixture(len(SEGMENTS), n_init=3, random_state=0).fit_predict(points)
        mixture.append(adjusted_rand_score(truth, known))
        found = judged.recommended
        ours.append(adjusted_rand_score(truth, judged.labels[found]) if found else 0.0)
        chosen.append(found or "none")
    say(
        f"planted segments: adjusted Rand index {np.mean(ours):.3f} of the recommended ({', '.join(chosen)}), "
        f"{np.mean(mixture):.3f} of a mixture that knows their number"
    )
    assert np.mean(ours) >= np.mean(mixture) - 0.05
    assert sum(name != "none" for name in chosen) >= 3


def test_one_population_of_customers_is_not_told_as_several_kinds():
    rng, size, days = np.random.default_rng(0), 2_000, 365
    first = rng.uniform(0, days, size)
    rate, life = rng.gamma(1.2, 1 / 60, size), rng.exponential(200, size)
    gaps = rng.exponential(1 / rate[:, None], (size, 300))
    times = first[:, None] + np.concatenate([np.zeros((size, 1)), gaps.cumsum(axis=1)], axis=1)
    there = times < np.minimum(days, first + life)[:, None]
    last = np.where(there, times, -np.inf).max(axis=1)
    frequency = there.sum(axis=1)
    monetary = frequency * np.exp(rng.normal(3.5, 0.6, size))
    customers = pd.DataFrame({"recency": days - np.floor(last), "frequency": frequency, "monetary": monetary})
    customers["tenure"] = days - np.floor(first)
    space = clustering.fit_space(customers, list(customers))
    methods, edges = {"K-Means": clustering.METHODS["K-Means"]}, clustering.ceilings(space, customers)
    judged = clustering.judge(space.points(customers), range(4, 8), 7, ceilings=edges, methods=methods, resamples=8)
    # recency is never above tenure and equal after one order: an edge that passes for groups where clouds have none
    asked = judged.table["p_kinds"].dropna()
    assert len(asked) > 0 and (judged.table["p_structure"][asked.index] < 0.05).all() and (asked > 0.05).all()
