"""Effects against scipy, tea-tasting, least squares, published tables, simulated truth; one rule for all of them."""

import ibis
import numpy as np
import pandas as pd
import pytest
import tea_tasting as tt
from hypothesis import assume, given, settings, strategies as st
from scipy import optimize, stats

from customerlab.analysis import experiment
from customerlab.analysis.experiment.compare import arms_of
from customerlab.analysis.experiment.contrasts import Arm, Value, contrast
from customerlab.analysis.inference import holm
from customerlab.errors import DataError

RUNS = 2000
SIDES = ["two-sided", "greater", "less"]


def arm(values):
    """An arm of units by rows and columns; with a leading axis, many arms at once."""
    values = np.asarray(values, dtype=float)
    n = values.shape[-2]
    apart = values - values.mean(axis=-2, keepdims=True)
    error = np.einsum("...ni,...nj->...ij", apart, apart) / (n - 1) / n
    return Arm(values.mean(axis=-2), error, np.full(values.shape[:-2], n - 1.0))


def frame_of(n=900, seed=0, arms=("control", "new")):
    rng = np.random.default_rng(seed)
    before = rng.gamma(2, 10, n)
    variant = np.array([arms[i % len(arms)] for i in range(n)])
    spend = before / 2 + rng.gamma(0.6, 20, n) + 2 * (variant != "control")
    return pd.DataFrame(
        {
            "unit_id": [f"{i:05d}" for i in range(n)], "variant": variant, "outcome_spend": spend,
            "outcome_orders": rng.poisson(2, n) + 1.0, "outcome_visit": (rng.random(n) < 0.2 + 0.1 * (variant == "new")) * 1.0,
            "covariate_before": before,
            "segment": rng.choice(["x", "y", "z"], n), "house": [f"h{i // 6:04d}" for i in range(n)],
        }
    )  # fmt: skip


SPEND = experiment.Metric("spend", "outcome_spend")


# ---- against other implementations


@pytest.mark.parametrize("side", SIDES)
def test_means_are_welchs_test(side):
    frame = frame_of()
    new, old = (frame.loc[frame["variant"] == name, "outcome_spend"] for name in ("new", "control"))
    test = stats.ttest_ind(new, old, equal_var=False, alternative=side)
    arms = [arm(part.to_numpy()[:, None]) for part in (new, old)]
    found = contrast(*arms, Value(0), alternative=side, confidence=0.9)
    assert float(found.pvalue) == pytest.approx(test.pvalue, rel=1e-9)
    assert [found.low, found.high] == pytest.approx(list(test.confidence_interval(0.9)), rel=1e-9)
    if side == "two-sided":
        row = experiment.compare_arms(ibis.memtable(frame), [SPEND], "control", confidence=0.9).iloc[0]
        assert row["pvalue"] == pytest.approx(test.pvalue, rel=1e-9)
        assert row[["effect_low", "effect_high"]].tolist() == pytest.approx([found.low, found.high], rel=1e-9)


def test_ratios_and_their_p_values_are_those_of_tea_tasting():
    frame = frame_of(seed=2)
    metric = experiment.Metric("per order", "outcome_spend", "outcome_orders")
    row = experiment.compare_arms(ibis.memtable(frame), [metric], "control").iloc[0]
    other = tt.Experiment(m=tt.RatioOfMeans("outcome_spend", "outcome_orders"), variant="variant").analyze(
        frame, control="control"
    )["m"]
    assert row["effect"] == pytest.approx(other.effect_size) and row["pvalue"] == pytest.approx(other.pvalue, rel=1e-6)
    ends = [other.effect_size_ci_lower, other.effect_size_ci_upper]
    assert row[["effect_low", "effect_high"]].tolist() == pytest.approx(ends, rel=1e-6)


def test_a_covariate_adjusts_as_least_squares_do():
    # arms of one size: the slope of least variance is the slope within arms, and the effect the coefficient of the arm
    frame = frame_of(seed=3)
    metric = experiment.Metric("spend", "outcome_spend", covariate="covariate_before")
    row = experiment.compare_arms(ibis.memtable(frame), [metric], "control").iloc[0]
    design = np.column_stack([np.ones(len(frame)), frame["variant"] == "new", frame["covariate_before"]])
    solved = np.linalg.lstsq(design.astype(float), frame["outcome_spend"], rcond=None)[0]
    assert row["effect"] == pytest.approx(solved[1], rel=1e-9)
    assert row["variant_mean"] == pytest.approx(solved @ [1, 1, frame["covariate_before"].mean()], rel=1e-9)


def test_a_constant_covariate_changes_nothing():
    frame = frame_of().assign(covariate_before=7.0)
    adjusted = experiment.Metric("adjusted", "outcome_spend", covariate="covariate_before")
    table = experiment.compare_arms(ibis.memtable(frame), [SPEND, adjusted], "control")
    columns = ["effect", "effect_low", "pvalue", "relative_high", "kept"]
    assert table[columns].iloc[0].tolist() == pytest.approx(table[columns].iloc[1].tolist(), rel=1e-12)


def test_relative_intervals_are_the_shares_that_the_test_does_not_refuse():
    new, old = arm(np.random.default_rng(1).gamma(2, 5, (80, 1))), arm(np.random.default_rng(2).gamma(2, 4, (90, 1)))
    found = contrast(new, old, Value(0), confidence=0.9)
    v, w = float(new.error[0, 0]), float(old.error[0, 0])
    df = (v + w) ** 2 / (v**2 / 79 + w**2 / 89)
    critical = stats.t.ppf(0.95, df)

    def refused(share):
        return abs(new.mean[0] - (1 + share) * old.mean[0]) / np.sqrt(v + (1 + share) ** 2 * w) - critical

    middle = float(found.relative)
    assert float(found.relative_low) == pytest.approx(optimize.brentq(refused, -0.9, middle), rel=1e-9)
    assert float(found.relative_high) == pytest.approx(optimize.brentq(refused, middle, 5), rel=1e-9)
    # the p-value of a margin is that of the share
    for side in SIDES:
        p = contrast(new, old, Value(0), confidence=0.9, alternative=side, relative_margin=0.05).pvalue
        one = contrast(
            Arm(new.mean, new.error, new.df),
            Arm(old.mean * 1.05, old.error * 1.05**2, old.df),
            Value(0),
            alternative=side,
        )
        assert (p < 0.05) == (one.pvalue < 0.05) and float(p) == pytest.approx(float(one.pvalue), abs=0.002)


def test_proportions_published_in_newcombe_1998():
    # "Interval estimation for the difference between independent proportions", table II, method 5 (Mee)
    published = {(56, 70, 48, 80): (0.0533, 0.3377), (9, 10, 3, 10): (0.1821, 0.8370)}
    for numbers, (low, high) in published.items():
        found = experiment.proportions(*(np.array(one) for one in numbers))
        assert (float(found.low), float(found.high)) == pytest.approx((low, high), abs=6e-5), numbers


def test_all_against_none_has_the_interval_of_the_closed_form():
    # arms of one size: the likeliest are (1 ± d) / 2, and z² = 2 n (1 - d) / (1 + d)
    n, z = 10, stats.norm.ppf(0.975) ** 2
    found = experiment.proportions(np.array(n), np.array(n), np.array(0), np.array(n))
    assert (float(found.low), float(found.high)) == pytest.approx(((2 * n - z) / (2 * n + z), 1))


@pytest.mark.parametrize("counts", [(30, 400, 18, 380), (3, 1000, 0, 900), (400, 400, 380, 400)])
def test_the_p_value_of_proportions_is_pearsons(counts):
    x, n, y, m = counts
    found = experiment.proportions(*(np.array(one) for one in counts))
    expected = stats.chi2_contingency([[x, n - x], [y, m - y]], correction=False).pvalue
    assert float(found.pvalue) == pytest.approx(expected, rel=1e-9)


def test_an_arm_without_conversions_has_an_interval_and_no_share():
    found = experiment.proportions(np.array([0, 9]), np.array([500, 500]), np.array([0, 0]), np.array([400, 400]))
    z = stats.norm.ppf(0.975) ** 2
    # with nothing in either arm the likeliest proportions are the difference and zero: z² = n d / (1 - d)
    assert found.high[0] == pytest.approx(z / (500 + z)) and found.low[0] == pytest.approx(-z / (400 + z))
    assert found.pvalue[0] == 1 and found.pvalue[1] < 0.05 and found.low[1] > 0
    assert np.isnan(found.relative).all() and np.isnan(found.relative_low).all()


@pytest.mark.parametrize(
    "counts", [(60, 10**7, 40, 10**7), (5, 10**9, 2, 10**9), (3, 10**6, 0, 5 * 10**5), (30, 400, 18, 380)]
)
def test_ends_of_rare_proportions_are_where_the_likelihood_says(counts):
    x, n, y, m = counts
    found = experiment.proportions(*(np.array(one) for one in counts))
    for end in (float(found.low), float(found.high)):

        def slope(p, end=end):
            q = p - end
            return x / p - (n - x) / (1 - p) + (y / q if y else 0) - (m - y) / (1 - q)

        least = max(0.0, end)
        p = optimize.brentq(slope, least + 1e-15, min(1, 1 + end) - 1e-9, xtol=1e-18) if y or end < 0 else None
        if p is None:  # nothing in the control: the likeliest may be at the edge
            p = end if slope(end + 1e-15) < 0 else optimize.brentq(slope, end + 1e-15, 1 - 1e-9, xtol=1e-18)
        error = np.sqrt(p * (1 - p) / n + (p - end) * (1 - p + end) / m)
        assert abs(x / n - y / m - end) / error == pytest.approx(stats.norm.ppf(0.975), rel=1e-6)


def test_relative_effects_on_quantiles_do_not_depend_on_the_currency():
    rng = np.random.default_rng(3)
    new, old = rng.gamma(2.0, 30, 400), rng.gamma(2.0, 25, 300)
    first, second = (experiment.quantiles.quantiles(new * unit, old * unit, 0.5, seed=1) for unit in (1, 1e-3))
    ends = [[float(end) for end in (one.relative, one.relative_low, one.relative_high)] for one in (first, second)]
    assert ends[0] == pytest.approx(ends[1]) and np.isfinite(ends[0]).all()


@pytest.mark.slow
def test_quantiles_agree_with_resampled_units():
    rng = np.random.default_rng(4)
    new, old = rng.exponential(12, 300), rng.exponential(10, 250)
    found = experiment.quantiles.quantiles(new, old, 0.75, seed=1)
    again = [
        np.quantile(rng.choice(new, 300), 0.75, method="inverted_cdf")
        - np.quantile(rng.choice(old, 250), 0.75, method="inverted_cdf")
        for _ in range(4000)
    ]
    low, high = np.quantile(again, [0.025, 0.975])
    assert (float(found.low), float(found.high)) == pytest.approx((low, high), abs=0.06 * (high - low))
    assert float(found.effect) == np.quantile(new, 0.75, method="inverted_cdf") - np.quantile(
        old, 0.75, method="inverted_cdf"
    )


def test_benjamini_and_hochberg_agree_with_scipy():
    p = pd.Series(np.random.default_rng(0).random(40) ** 3)
    assert experiment.compare.benjamini_hochberg(p).tolist() == pytest.approx(list(stats.false_discovery_control(p)))


# ---- strata, clusters, guardrails


def test_strata_are_weighted_by_their_shares():
    frame = frame_of(seed=5)
    row = experiment.compare_arms(ibis.memtable(frame), [SPEND], "control", stratum="segment").iloc[0]
    cells = frame.groupby(["segment", "variant"])["outcome_spend"].agg(["mean", "var", "size"]).unstack()
    share = frame["segment"].value_counts(normalize=True).sort_index()
    apart = cells["mean"]["new"] - cells["mean"]["control"]
    assert row["effect"] == pytest.approx((share * apart).sum(), rel=1e-9)
    error = np.sqrt((share**2 * (cells["var"] / cells["size"]).sum(axis=1)).sum())
    assert row["effect_high"] - row["effect"] == pytest.approx(stats.t.ppf(0.975, 894) * error, rel=1e-4)


def test_a_guardrail_is_held_where_the_interval_is_above_what_is_allowed():
    frame = frame_of(4000, seed=7)
    metrics = [
        experiment.Metric("held", "outcome_orders", allowed_loss=0.1),
        experiment.Metric("strict", "outcome_orders", allowed_loss=0.001),
    ]
    table = experiment.compare_arms(ibis.memtable(frame), metrics, "control").set_index("metric")
    for _, row in table.iterrows():
        assert (row["pvalue"] < 0.05) == (row["relative_low"] > -row["allowed_loss"]) and row["relative_high"] == np.inf
    assert table.loc["held", "pvalue"] < 0.05 < table.loc["strict", "pvalue"]
    with pytest.raises(ValueError, match="may lose 1"):
        experiment.Metric("m", "outcome_orders", allowed_loss=1)


# ---- one rule


def rule(found, alpha):
    """p is below alpha exactly when zero is outside the interval, and outside that of the share where there is one."""
    outside = (found.low > 0) | (found.high < 0)
    assert (np.isnan(found.pvalue) & np.isnan(found.low) | ((found.pvalue < alpha) == outside)).all()
    known = ~np.isnan(found.relative_low)
    shares = (found.relative_low > 0) | (found.relative_high < 0)
    assert (~known | (shares == outside)).all()


NUMBER = st.floats(-50, 50, allow_nan=False).map(lambda x: round(x, 3))
MIRROR = {"two-sided": "two-sided", "greater": "less", "less": "greater"}


@pytest.mark.slow
@given(
    st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=3, max_size=12),
    st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=3, max_size=12),
    st.sampled_from(SIDES),
    st.sampled_from([0.8, 0.9, 0.95, 0.99]),
    st.sampled_from(["mean", "ratio", "adjusted", "adjusted ratio"]),
)
@settings(max_examples=300, deadline=None)
def test_p_values_and_intervals_agree_and_swapped_arms_flip(new, old, side, confidence, kind):
    shift = np.array([0, 60, 60])  # what is divided by is above zero
    new, old = arm(np.array(new) + shift), arm(np.array(old) + shift)
    value = Value(0, 1) if "ratio" in kind else Value(0)
    covariate = {"adjusted": Value(2), "adjusted ratio": Value(2, 1)}.get(kind)
    found = contrast(new, old, value, covariate, confidence=confidence, alternative=side)
    edge = abs(float(found.pvalue) - (1 - confidence)) < 1e-9
    if not edge:
        rule(found, 1 - confidence)
    swapped = contrast(old, new, value, covariate, confidence=confidence, alternative=MIRROR[side])
    assert float(swapped.effect) == pytest.approx(-float(found.effect), rel=1e-9, abs=1e-9)
    ends = [-float(swapped.high), -float(swapped.low)]
    assert [float(found.low), float(found.high)] == pytest.approx(ends, rel=1e-7, abs=1e-9, nan_ok=True)
    assert float(swapped.pvalue) == pytest.approx(float(found.pvalue), rel=1e-7, abs=1e-12, nan_ok=True)


@pytest.mark.slow
@pytest.mark.parametrize("side", SIDES)
def test_the_rule_holds_for_proportions_of_any_size(side):
    n, m = 14, 9
    x, y = (one.ravel() for one in np.meshgrid(np.arange(n + 1), np.arange(m + 1)))
    for confidence in (0.8, 0.95, 0.99):
        found = experiment.proportions(
            x, np.full_like(x, n), y, np.full_like(y, m), confidence=confidence, alternative=side
        )
        rule(found, 1 - confidence)
        swapped = experiment.proportions(
            y, np.full_like(y, m), x, np.full_like(x, n), confidence=confidence, alternative=MIRROR[side]
        )
        np.testing.assert_allclose(found.low, -swapped.high, atol=1e-9)
        np.testing.assert_allclose(found.pvalue, swapped.pvalue, atol=1e-12)


@pytest.mark.slow
@given(st.lists(NUMBER, min_size=1, max_size=30), st.lists(NUMBER, min_size=1, max_size=30),
       st.sampled_from([0.1, 0.5, 0.9]), st.integers(0, 5))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_the_rule_holds_for_quantiles(new, old, share, seed):
    assume(sorted(new) != sorted(old))  # arms of the same values cannot be told apart
    new, old = np.array(new) + 60, np.array(old) + 60
    found = experiment.quantiles.quantiles(new, old, share, seed, draws=500)
    rule(found, 0.05)
    swapped = experiment.quantiles.quantiles(old, new, share, seed, draws=500)
    assert (float(found.low), float(found.pvalue)) == (-float(swapped.high), float(swapped.pvalue))
    shuffled = experiment.quantiles.quantiles(new[::-1], old, share, seed, draws=500)
    assert float(shuffled.low) == float(found.low)


def test_the_order_of_units_never_matters():
    frame = frame_of(seed=8, arms=("control", "b", "a"))
    metrics = [
        SPEND,
        experiment.Metric("visit", "outcome_visit", proportion=True),
        experiment.Metric("r", "outcome_spend", "outcome_orders", "covariate_before"),
    ]
    one, other = (
        experiment.compare_arms(ibis.memtable(table), metrics, "control", each_other=True)
        for table in (frame, frame.sample(frac=1, random_state=3))
    )
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)
    assert one[["variant", "against"]].drop_duplicates().to_numpy().tolist() == [
        ["a", "control"],
        ["b", "control"],
        ["b", "a"],
    ]


# ---- simulated truth


def covered(found, truth):
    return np.mean((found.low <= truth) & (truth <= found.high))


def test_intervals_of_means_cover_skewed_spend():
    rng = np.random.default_rng(0)
    # nine in ten spend nothing, as in a shop
    spend = (rng.random((RUNS, 2, 1500)) < 0.1) * rng.gamma(1.5, 30, (RUNS, 2, 1500))
    new, old = arm(spend[:, 0, :, None] * 1.2), arm(spend[:, 1, :, None])
    found = contrast(new, old, Value(0))
    assert 0.94 <= covered(found, 0.1 * 45 * 0.2) <= 0.96
    assert 0.94 <= np.mean((found.relative_low <= 0.2) & (found.relative_high >= 0.2)) <= 0.96
    same = contrast(arm(spend[:, 0, :, None]), old, Value(0))
    assert 0.04 <= np.mean(same.pvalue < 0.05) <= 0.06, "two equal arms"


@pytest.mark.slow
def test_intervals_of_ratios_cover_and_a_covariate_narrows_as_theory_says():
    rng = np.random.default_rng(1)
    rho = 0.7
    before = rng.normal(0, 1, (RUNS, 2, 400))
    after = rho * before + np.sqrt(1 - rho**2) * rng.normal(0, 1, (RUNS, 2, 400)) + 5
    orders = rng.poisson(3, (RUNS, 2, 400)) + 1.0
    new, old = (
        arm(np.stack([after[:, i] * orders[:, i], orders[:, i], after[:, i], before[:, i] + 9], axis=-1))
        for i in (0, 1)
    )
    ratio = contrast(new, old, Value(0, 1))
    assert 0.94 <= covered(ratio, 0) <= 0.96
    plain, adjusted = contrast(new, old, Value(2)), contrast(new, old, Value(2), Value(3))
    assert 0.94 <= covered(adjusted, 0) <= 0.96 and 0.04 <= np.mean(adjusted.pvalue < 0.05) <= 0.06
    width = np.mean(adjusted.high - adjusted.low) / np.mean(plain.high - plain.low)
    assert width == pytest.approx(np.sqrt(1 - rho**2), rel=0.005)
    assert np.mean(adjusted.kept) == pytest.approx(1 - rho**2, rel=0.01)
    assert np.mean((adjusted.relative_low <= 0) & (adjusted.relative_high >= 0)) == covered(adjusted, 0)


def test_intervals_of_proportions_cover_rare_conversions():
    rng = np.random.default_rng(2)
    p, q, n = 0.012, 0.008, 2000
    found = experiment.proportions(
        rng.binomial(n, p, RUNS), np.full(RUNS, n), rng.binomial(n, q, RUNS), np.full(RUNS, n)
    )
    assert 0.94 <= covered(found, p - q) <= 0.965
    assert 0.94 <= np.nanmean((found.relative_low <= p / q - 1) & (p / q - 1 <= found.relative_high)) <= 0.965
    same = experiment.proportions(
        rng.binomial(n, q, RUNS), np.full(RUNS, n), rng.binomial(n, q, RUNS), np.full(RUNS, n)
    )
    assert 0.04 <= np.mean(same.pvalue < 0.05) <= 0.06


@pytest.mark.slow
def test_intervals_of_quantiles_cover():
    rng = np.random.default_rng(3)
    hits = 0
    for seed in range(RUNS):
        found = experiment.quantiles.quantiles(rng.exponential(1.2, 200), rng.exponential(1, 200), 0.5, seed, draws=400)
        hits += float(found.low) <= 0.2 * np.log(2) <= float(found.high)
    assert 0.935 <= hits / RUNS <= 0.965


def test_clusters_need_errors_that_count_clusters():
    rng = np.random.default_rng(4)
    clusters, most = 60, 8
    size = rng.integers(1, most + 1, (RUNS, 2, clusters))
    own = rng.normal(0, 1, (RUNS, 2, clusters))
    there = np.arange(most) < size[..., None]
    values = (own[..., None] + rng.normal(0, 1, (RUNS, 2, clusters, most))) * there
    sums = np.stack([values.sum(axis=-1), size.astype(float)], axis=-1)
    robust = contrast(arm(sums[:, 0]), arm(sums[:, 1]), Value(0, 1))
    assert 0.935 <= covered(robust, 0) <= 0.965
    mean = [values[:, i].sum(axis=(1, 2)) / size[:, i].sum(axis=1) for i in (0, 1)]
    naive = np.sqrt(sum(2 / size[:, i].sum(axis=1) for i in (0, 1)))
    assert np.mean(np.abs(mean[0] - mean[1]) <= 1.96 * naive) < 0.85, "an error that counts units is too small"


@pytest.mark.thorough
def test_holm_keeps_the_family_and_benjamini_hochberg_the_share_of_false_findings():
    rng = np.random.default_rng(5)
    control = rng.normal(0, 0.1, RUNS)
    true = np.array([0, 0, 0, 0.4, 0.4])
    z = (true + rng.normal(0, 0.1, (RUNS, 5)) - control[:, None]) / np.sqrt(0.02)  # arms share their control
    p = 2 * stats.norm.sf(np.abs(z))
    family, share = [], []
    for row in p:
        named = pd.Series(row)
        family.append((holm(named)[:3] < 0.05).any())
        found = experiment.compare.benjamini_hochberg(named) < 0.05
        share.append(found[:3].sum() / max(found.sum(), 1))
    assert np.mean(family) <= 0.05 + 0.01 and np.mean(share) <= 0.05 + 0.005
    assert (p[:, :3] < 0.05).any(axis=1).mean() > 0.09, "without an adjustment"


# ---- what cannot be compared


def test_equal_outcomes_have_no_interval_and_leave_the_others_alone():
    frame = frame_of()
    both = experiment.compare_arms(
        ibis.memtable(frame.assign(outcome_none=3.0)), [SPEND, experiment.Metric("none", "outcome_none")], "control"
    )
    alone = experiment.compare_arms(ibis.memtable(frame), [SPEND], "control")
    row = both.set_index("metric").loc["none"]
    assert (
        row["effect"] == 0
        and row[["effect_low", "effect_high", "relative_low", "pvalue", "pvalue_holm", "pvalue_bh"]].isna().all()
    )
    assert both.loc[0, "pvalue_holm"] == alone.loc[0, "pvalue_holm"]


def test_a_share_of_what_may_be_nothing_is_not_given():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"variant": ["control", "new"] * 50, "outcome_x": rng.normal(0.1, 1, 100)})
    row = experiment.compare_arms(ibis.memtable(frame), [experiment.Metric("x", "outcome_x")], "control").iloc[0]
    assert np.isnan(row["relative_low"]) and np.isnan(row["relative_high"]) and not np.isnan(row["effect_low"])


def test_what_cannot_be_compared_is_named():
    frame = frame_of()
    table = ibis.memtable(frame)
    with pytest.raises(ValueError, match="control = 'none'; the arms are 'control', 'new'"):
        experiment.compare_arms(table, [SPEND], "none")
    one = pd.concat([frame, frame.iloc[:1].assign(variant="single")])
    with pytest.raises(ValueError, match="'single' has one unit or none"):
        experiment.compare_arms(ibis.memtable(one), [SPEND], "control")
    with pytest.raises(DataError, match="spend is no proportion"):
        experiment.compare_arms(table, [experiment.Metric("spend", "outcome_spend", proportion=True)], "control")
    with pytest.raises(ValueError, match="is a proportion, which has no ratio"):
        experiment.Metric("m", "outcome_visit", covariate="covariate_before", proportion=True)
    with pytest.raises(ValueError, match="expected 'two-sided', 'greater' or 'less'"):
        contrast(arm(np.eye(3)), arm(np.eye(3)), Value(0), alternative="larger")


def test_thirty_arms():
    frame = frame_of(3000, arms=("control", *(f"arm{i:02d}" for i in range(29))))
    table = experiment.compare_arms(ibis.memtable(frame), [SPEND], "control", each_other=True)
    assert len(table) == 30 * 29 / 2 and (table["pvalue_holm"] >= table["pvalue_bh"]).all()
    assert set(arms_of(experiment.moments(ibis.memtable(frame), ["outcome_spend"]), "control")) == set(frame["variant"])
