"""Posteriors against closed forms, and whether they are right as often as they say."""

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import betaln

from customerlab.analysis import experiment


def one_better(a, b, c, d):
    """P(Beta(c, d) > Beta(a, b)) for whole c (Miller 2014, "Formulas for Bayesian A/B testing")."""
    i = np.arange(c)
    return np.exp(betaln(a + i, b + d) - np.log(d + i) - betaln(1 + i, d) - betaln(a, b)).sum()


@pytest.mark.parametrize("numbers", [(3, 98, 5, 96), (101, 901, 130, 872), (1, 2, 40, 3)])
def test_two_proportions_are_those_of_the_closed_form(numbers):
    a, b, c, d = numbers
    table = experiment.bayes.choices({"control": stats.beta(a, b), "new": stats.beta(c, d)})
    assert table["better"].iloc[1] == pytest.approx(one_better(a, b, c, d), abs=1e-5)
    assert table["best"].sum() == pytest.approx(1, abs=1e-5)


def test_two_normal_posteriors_are_those_of_the_closed_form():
    table = experiment.bayes.choices({"control": stats.norm(10, 0.5), "new": stats.norm(10.4, 0.02)}).set_index(
        "variant"
    )
    apart, spread = 0.4, np.hypot(0.5, 0.02)
    assert table.loc["new", "better"] == pytest.approx(stats.norm.cdf(apart / spread), abs=1e-5)
    # E max(d, 0) of a normal d
    loss = spread * stats.norm.pdf(apart / spread) - apart * stats.norm.sf(apart / spread)
    assert table.loc["new", "loss"] == pytest.approx(loss, abs=1e-5)
    assert table.loc["control", "loss"] == pytest.approx(loss + apart, abs=1e-5)
    assert table.loc["new", ["low", "high"]].tolist() == pytest.approx(list(stats.norm(10.4, 0.02).interval(0.95)))


def test_many_arms_agree_with_draws():
    laws = {f"arm{i}": stats.beta(20 + 2 * i, 200) for i in range(8)}
    drawn = np.array([law.rvs(400_000, random_state=i) for i, law in enumerate(laws.values())])
    table = experiment.bayes.choices(laws)
    assert table["best"].tolist() == pytest.approx(
        list(np.bincount(drawn.argmax(axis=0), minlength=8) / 400_000), abs=0.003
    )
    assert table["loss"].tolist() == pytest.approx(list((drawn.max(axis=0) - drawn).mean(axis=1)), abs=2e-4)


def frame_of(seed=0, n=2000):
    rng = np.random.default_rng(seed)
    variant = rng.choice(["control", "a", "b"], n)
    return pd.DataFrame(
        {
            "variant": variant,
            "outcome_visit": (rng.random(n) < 0.1) * 1.0,
            "outcome_spend": rng.gamma(1, 10, n),
            "outcome_orders": rng.poisson(2, n) + 1.0,
        }
    )


def test_posteriors_are_conjugate():
    frame = frame_of()
    found = experiment.moments(ibis.memtable(frame), ["outcome_visit", "outcome_spend", "outcome_orders"])
    visits = frame.groupby("variant")["outcome_visit"].agg(["sum", "count"])
    posterior = experiment.bayes.posteriors(
        found, experiment.Metric("visit", "outcome_visit", proportion=True), "control"
    )
    assert list(posterior) == ["control", "a", "b"]
    for arm, law in posterior.items():
        did, units = visits.loc[arm]
        assert law.args == (1 + did, 1 + units - did)
    spend = experiment.Metric("spend", "outcome_spend")
    part = frame.loc[frame["variant"] == "a", "outcome_spend"]
    error = part.std() / np.sqrt(len(part))
    posterior = experiment.bayes.posteriors(found, spend, "control")["a"]
    assert (posterior.mean(), posterior.std()) == pytest.approx((part.mean(), error))
    ratio = experiment.bayes.posteriors(found, experiment.Metric("r", "outcome_spend", "outcome_orders"), "control")[
        "a"
    ]
    own = frame[frame["variant"] == "a"]
    assert ratio.mean() == pytest.approx(own["outcome_spend"].sum() / own["outcome_orders"].sum())


@pytest.mark.thorough
def test_posteriors_are_right_as_often_as_they_say():
    rng = np.random.default_rng(1)
    n, runs = 300, 2000
    truth = rng.beta(6, 40, (runs, 2))
    did = rng.binomial(n, truth)
    said, lost = [], []
    for (t0, t1), (x0, x1) in zip(truth, did, strict=True):
        # the closed form stands in for the grid, which the tests above hold to it
        better = one_better(6 + x0, 40 + n - x0, 6 + x1, 40 + n - x1)
        said.append((better, t1 > t0))
        lost.append(max(t0, t1) - (t1 if better > 0.5 else t0))
    said = np.array(said, dtype=float)
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1)):
        part = said[(said[:, 0] >= low) & (said[:, 0] < high)]
        assert part[:, 1].mean() == pytest.approx(part[:, 0].mean(), abs=4 * 0.5 / np.sqrt(len(part)))
    expected = []
    for x0, x1 in did[:300]:
        table = experiment.bayes.choices(
            {"control": stats.beta(6 + x0, 40 + n - x0), "new": stats.beta(6 + x1, 40 + n - x1)}
        )
        expected.append(table["loss"].min())
    assert np.mean(expected) == pytest.approx(np.mean(lost), rel=0.25)


def test_what_does_not_vary_has_no_posterior():
    found = experiment.moments(ibis.memtable(frame_of().assign(outcome_spend=1.0)), ["outcome_spend"])
    assert experiment.bayes.posteriors(found, experiment.Metric("spend", "outcome_spend"), "control") == {}


def test_where_less_is_better_everything_is_mirrored():
    laws = {"control": stats.norm(3, 1), "a": stats.norm(2, 0.5), "b": stats.norm(2.2, 1.5)}
    mirrored = {name: stats.norm(-law.mean(), law.std()) for name, law in laws.items()}
    low, high = experiment.bayes.choices(laws, less_is_better=True), experiment.bayes.choices(mirrored)
    same = ["best", "loss", "better"]
    assert low[same].to_numpy() == pytest.approx(high[same].to_numpy(), abs=1e-6, nan_ok=True)
    assert low["mean"].tolist() == [3, 2, 2.2] and low["best"].idxmax() == 1
    units = ibis.memtable({"variant": ["a", "b"] * 50, "outcome_complaint": [0.0, 1.0] * 10 + [0.0, 0.0] * 40})
    found = experiment.moments(units, ["outcome_complaint"])
    metrics = experiment.metrics_of(units, (), ["complaint"])
    table = experiment.bayes.choices_of(found, metrics, "a").set_index("variant")
    assert table.loc["a", "best"] > 0.99 and table.loc["b", "better"] < 0.01


def test_a_ratio_that_never_varies_has_no_posterior():
    frame = pd.DataFrame({"variant": ["a", "b"] * 40, "outcome_order": [0.0, 0.0, 1.0, 1.0] * 20})
    frame["outcome_fee"], frame["outcome_spend"] = 3.0, np.arange(80.0)
    units = ibis.memtable(frame)
    metrics = experiment.metrics_of(units, ["spend / fee", "fee / order"])
    found = experiment.bayes.choices_of(
        experiment.moments(units, ["outcome_order", "outcome_fee", "outcome_spend"]), metrics, "a"
    )
    assert found["metric"].unique().tolist() == ["order", "spend", "spend / fee", "fee / order"], (
        "a constant below is no fault"
    )
