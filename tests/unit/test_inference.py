"""How sure results are: against definitions written out."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import CensoredData, ecdf

from customerlab.analysis import inference
from customerlab.analysis.inference import happened_by, holm, influence, kaplan_meier, largest_share


def test_holm_is_bonferroni_closed_over_all_subsets():
    p = np.random.default_rng(3).random(5) ** 3
    wanted = [
        max(
            min(1, len(some) * p[list(some)].min())
            for n in range(1, 6)
            for some in combinations(range(5), n)
            if i in some
        )
        for i in range(5)
    ]
    assert np.allclose(holm(pd.Series(p)), wanted)


def test_kaplan_meier_is_scipys_with_its_intervals():
    rng = np.random.default_rng(5)
    event, censored = rng.geometric(0.05, 300), rng.integers(1, 60, 300)
    ended = event <= censored
    days = np.minimum(event, censored)
    table = kaplan_meier(pd.Series(days), pd.Series(ended))
    found = ecdf(CensoredData(uncensored=days[ended], right=days[~ended])).sf
    at = table["days"].to_numpy()
    assert np.allclose(1 - found.evaluate(at), table["share"])
    bounds = found.confidence_interval(0.95, method="log-log")
    assert np.allclose(1 - bounds.high.evaluate(at), table["low"], equal_nan=True)
    assert np.allclose(1 - bounds.low.evaluate(at), table["high"], equal_nan=True)


def test_kaplan_meier_has_the_published_remission_times():
    # Freireich and others 1963, weeks in remission under 6-MP, as Kleinbaum and Klein (2012) tabulate them
    weeks = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    table = kaplan_meier(pd.Series(weeks), pd.Series([True] * 9 + [False] * 12))
    assert (1 - table["share"]).round(4).tolist() == [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    assert table["waiting"].tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert happened_by(table, (5, 10, 99)).round(4).tolist() == [0, 0.2471, 0.5518]


def test_one_large_value_is_named_whatever_its_sign():
    refund = pd.Series([1.0, 2.0, -7.0, np.nan])
    assert largest_share(refund) == 0.7
    assert influence(largest_share(refund), "order") == "70% of it is one order"
    assert influence(largest_share(pd.Series(np.ones(11))), "order") == ""
    assert np.isnan(largest_share(pd.Series([0.0, 0.0])))
    assert influence(float("nan"), "customer") == ""


def test_bootstrap_samples_are_drawn_with_replacement_whatever_the_memory():
    whole = np.concatenate(list(inference.resampled(50, 3, 400)))
    assert whole.shape == (400, 50) and (whole.sum(axis=1) == 50).all()
    # a count is nearly Poisson: its variance is 1 - 1/n, and a customer is left out of a sample by (1 - 1/n)^n
    assert whole.var() == pytest.approx(0.98, abs=0.04) and (whole == 0).mean() == pytest.approx(0.98**50, abs=0.01)
    for at_once in (1, 50, 777):
        blocks = list(inference.resampled(50, 3, 400, at_once=at_once))
        assert max(map(len, blocks)) == max(at_once // 50, 1) and (np.concatenate(blocks) == whole).all()
    assert (np.concatenate(list(inference.resampled(50, 4, 400))) != whole).any()


def test_the_percentile_interval_of_bootstrap_means_is_that_of_scipy():
    values = np.random.default_rng(1).exponential(size=300)
    drawn = np.concatenate([block @ values / 300 for block in inference.resampled(300, 2, 4_000)])
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4_000, method="percentile", rng=5).confidence_interval
    assert inference.percentile_interval(drawn[:, None])[:, 0] == pytest.approx(list(theirs), abs=0.01)
    holed = np.column_stack([drawn, np.where(np.arange(4_000) < 2_000, drawn, np.nan), np.full(4_000, np.nan)])
    ends = inference.percentile_interval(holed, 0.8)
    assert ends[:, 0] == pytest.approx(np.quantile(drawn, [0.1, 0.9]))
    assert ends[:, 1] == pytest.approx(np.quantile(drawn[:2_000], [0.1, 0.9])) and np.isnan(ends[:, 2]).all()


def test_missing_p_values_do_not_count():
    p = pd.Series([0.03, np.nan, 0.01, np.nan, 0.04], index=list("abcde"))
    assert inference.holm(p).dropna().round(3).to_dict() == {"a": 0.06, "c": 0.03, "e": 0.06}
    assert inference.benjamini_hochberg(p).dropna().round(3).to_dict() == {"a": 0.04, "c": 0.03, "e": 0.04}
    for adjust in (inference.holm, inference.benjamini_hochberg):
        assert adjust(p).index.tolist() == list("abcde") and adjust(pd.Series([], dtype=float)).empty
        assert adjust(pd.Series([np.nan])).isna().all()
