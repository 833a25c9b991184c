"""Estimated performance: figures that NannyML published, closed forms, scikit-learn, and planted concept drift."""

from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from customerlab.analysis.monitoring.estimated import COUNTS, METRICS, beside, calibrated, estimate
from helpers import by_chance


def counted(text):
    """Numbers of customers at the probabilities .00, .01 … 1.00."""
    return np.array(text.split(), dtype=int)


# NannyML's synthetic car loans (nannyml 0.13.1, Apache-2.0), whose probabilities have two decimals: customers of the
# reference and of the first and sixth 5,000 of the analysis, at each probability, and how many of them repaid.

REFERENCE = counted("""
    3803 3929 3264 2488 1896 1465 1080 941 698 565 410 381 375 309 238 200 195 164 143 146 122 116 118 109 110
    82 81 80 71 76 56 75 72 54 57 79 69 62 73 52 57 50 69 53 60 62 50 42 55 56 56 52 66 54 42 51 50 64 53 59 66
    63 66 68 79 77 85 69 90 90 99 86 112 107 104 128 122 117 134 147 143 186 186 184 212 244 241 353 393 417 503
    609 745 958 1144 1536 1863 2587 3236 3751 3195
""")
REFERENCE_REPAID = counted("""
    84 97 87 77 49 36 43 26 24 24 13 16 21 21 6 12 20 14 14 14 17 9 9 13 13 13 16 13 6 15 9 15 21 12 7 21 20 16
    26 16 18 19 29 18 25 30 23 20 30 29 27 29 39 33 18 24 24 38 33 35 39 43 50 54 60 55 60 52 64 68 73 74 94 90
    85 103 106 100 117 132 129 172 170 165 196 225 228 329 375 387 478 588 720 928 1116 1492 1809 2516 3151 3655
    3105
""")
FIRST = counted("""
    363 387 288 259 172 128 103 86 77 63 39 39 25 25 25 25 15 16 17 7 7 7 13 11 13 6 6 5 5 7 9 10 11 8 9 6 5 10
    11 2 8 7 3 9 9 5 5 7 6 6 2 5 4 8 3 13 5 13 6 5 7 2 10 6 11 5 5 8 5 8 12 9 13 12 14 9 17 17 15 12 13 15 14 20
    22 32 25 36 33 46 51 63 88 103 132 154 218 280 298 385 326
""")
FIRST_REPAID = counted("""
    9 9 5 9 2 6 3 0 2 0 3 0 2 4 1 0 1 0 2 1 0 0 2 2 1 1 1 4 0 2 2 2 2 3 1 3 4 2 3 0 4 2 0 2 7 0 1 1 3 6 1 3 3 6
    3 9 2 7 6 3 3 0 5 3 6 2 4 8 3 5 9 7 11 9 11 9 15 13 13 10 12 12 12 18 22 32 25 33 31 43 50 62 82 101 129 150
    209 272 291 372 319
""")
SIXTH = counted("""
    152 206 203 200 136 134 119 86 74 67 76 54 60 45 46 43 34 42 31 40 34 39 30 22 25 26 13 20 18 12 18 11 14 19
    18 21 21 12 17 7 12 9 10 18 14 7 15 13 10 8 9 18 12 9 2 17 14 17 8 9 15 8 13 13 25 9 16 17 27 19 12 15 21 22
    23 21 29 28 26 34 32 37 42 39 43 63 61 68 74 78 86 95 125 140 123 139 148 195 204 207 132
""")
SIXTH_REPAID = counted("""
    3 1 7 5 2 4 6 3 1 5 5 1 4 2 1 4 3 4 0 4 2 2 2 3 1 1 1 2 1 2 0 1 2 4 1 4 4 3 4 1 6 2 4 3 2 4 6 4 4 5 5 8 2 4
    2 8 6 5 4 5 9 4 7 6 16 7 10 12 18 12 10 12 18 16 13 18 23 24 18 26 27 31 38 37 38 55 52 65 67 71 79 92 124
    137 117 134 142 188 195 202 132
""")


def spread(customers, outcomes):
    """Probabilities and outcomes of single customers, from numbers at each probability."""
    p, ends = np.arange(101) / 100, np.column_stack([outcomes, customers - outcomes])
    return np.repeat(p, customers), np.repeat(np.tile([1, 0], 101), ends.ravel())


def customers(seed, number, *, shift=0.0, concept=0.0):
    """Probabilities that are too extreme, and outcomes: `shift` changes who customers are, `concept` what they do."""
    rng = np.random.default_rng(seed)
    x = rng.normal(-0.6 + shift, 1.3, number)
    return expit(1.5 * x), (rng.random(number) < expit(x + concept)).astype(int)


@pytest.mark.parametrize(
    ("chunk", "published", "realised"),
    [
        ((FIRST, FIRST_REPAID), (0.481766, 0.0212337, 0.0369745, 0.460026, 0.941792, 0.94303, 0.970744), 0.970962),
        ((SIXTH, SIXTH_REPAID), (0.461246, 0.0287544, 0.0605314, 0.449469, 0.910714, 0.911753, 0.96109), 0.96005),
    ],
)
def test_the_estimates_that_nannyml_publishes_are_reached(chunk, published, realised):
    # Tutorials "Estimating Standard Performance Metrics", "Estimating Confusion Matrix" and "Compare Estimated and
    # Realized Performance" of NannyML's documentation, binary classification. The model's labels begin at .65.
    p, repaid = spread(*chunk)
    table = beside(calibrated(*spread(REFERENCE, REFERENCE_REPAID)), p, repaid, threshold=0.65).set_index("metric")
    found = table["estimated"].copy()
    found[[*COUNTS]] /= 5_000
    assert found[[*COUNTS, "accuracy", "f1", "roc_auc"]].tolist() == pytest.approx(list(published), abs=6e-7, rel=0)
    assert table.loc["roc_auc", "realised"] == pytest.approx(realised, abs=6e-7, rel=0)
    told = table.loc[["accuracy", "f1", "roc_auc"]]
    assert told["realised"].between(told["low"], told["high"]).all()


def test_a_calibrated_classifier_is_right_as_often_as_its_probabilities_say():
    p = np.array([0.1, 0.25, 0.5, 0.8, 0.9])
    reference = np.repeat(p, 100)
    outcome = np.concatenate([np.arange(100) < round(100 * one) for one in p])
    own = np.random.default_rng(1).choice(p, 300)
    table = estimate(calibrated(reference, outcome), own).set_index("metric")
    assert table.loc["accuracy", "estimated"] == pytest.approx(np.maximum(own, 1 - own).mean(), abs=1e-12)
    assert table.loc["brier", "estimated"] == pytest.approx((own * (1 - own)).mean(), abs=1e-12)
    assert table.loc["precision", "estimated"] == pytest.approx(own[own >= 0.5].mean(), abs=1e-12)
    assert table.loc["recall", "estimated"] == pytest.approx(own[own >= 0.5].sum() / own.sum(), abs=1e-12)
    higher, equal = own[:, None] > own, own[:, None] == own
    pairs = own[:, None] * (1 - own) * (higher + equal / 2)
    assert table.loc["roc_auc", "estimated"] == pytest.approx(pairs.sum() / (own.sum() * (1 - own).sum()), abs=1e-12)
    # the variance of the accuracy: single outcomes, and shares of 100 customers each
    share, number = (100 * p + 0.5) / 101, np.array([(own == one).sum() for one in p])
    sign = np.where(p >= 0.5, 1, -1)
    variance = (own * (1 - own)).sum() + ((sign * number) ** 2 * share * (1 - share) / 100).sum()
    reach = table.loc["accuracy", "high"] - table.loc["accuracy", "estimated"]
    assert reach == pytest.approx(1.959964 * np.sqrt(variance) / 300, rel=1e-6)


def test_realised_metrics_are_those_of_scikit_learn():
    p, y = customers(1, 400)
    p = p.round(1)
    table = beside(calibrated(*customers(2, 400)), p, y, threshold=0.4).set_index("metric")
    predicted = p >= 0.4
    negatives, false, missed, hit = confusion_matrix(y, predicted).ravel()
    expected = [hit, false, missed, negatives, accuracy_score(y, predicted), precision_score(y, predicted)]
    expected += [recall_score(y, predicted), f1_score(y, predicted), roc_auc_score(y, p), brier_score_loss(y, p)]
    assert table["realised"].tolist() == pytest.approx(expected, abs=1e-12) and table.index.tolist() == list(METRICS)


def test_the_reference_is_judged_by_its_own_outcomes():
    p, y = customers(3, 300)
    table = beside(calibrated(p, y), p, y)
    assert table["reference"].tolist() == pytest.approx(table["realised"].tolist(), abs=1e-12)


def test_calibration_is_isotonic_regression_with_ends_that_hold():
    p, y = customers(4, 500)
    p = p.round(2)
    calibration = calibrated(p, y)
    asked = np.linspace(0, 1, 333)
    other = IsotonicRegression(out_of_bounds="clip").fit(p, y)
    assert calibration(asked).tolist() == pytest.approx(other.predict(asked).tolist(), abs=1e-12)
    assert calibration.table["customers"].sum() == 500 and calibration.table["probability"].is_unique
    with pytest.raises(FrozenInstanceError):
        calibration.table = None


def test_a_change_of_customers_is_followed_and_a_change_of_concept_is_not_seen():
    calibration = calibrated(*customers(5, 4_000))
    before, others = (customers(6, 2_000, shift=shift) for shift in (0.0, 1.5))
    changed = customers(6, 2_000, concept=-1.5)
    told, moved, blind = (beside(calibration, *one).set_index("metric") for one in (before, others, changed))
    assert moved["realised"].between(moved["low"], moved["high"]).all()
    assert moved.loc["true_positives", "estimated"] > told.loc["true_positives", "high"]
    pd.testing.assert_frame_equal(blind[["estimated", "low", "high"]], told[["estimated", "low", "high"]])
    wrong = blind.loc[["true_positives", "precision", "f1"]]
    assert (wrong["realised"] < wrong["low"]).all()
    assert told["realised"].between(told["low"], told["high"]).all()


def test_the_order_of_customers_changes_no_digit():
    p, y = customers(7, 300)
    new, outcome = customers(8, 300)
    back = slice(None, None, -1)
    one = beside(calibrated(p, y), new, outcome)
    pd.testing.assert_frame_equal(beside(calibrated(p[back], y[back]), new[back], outcome[back]), one, check_exact=True)


def test_one_probability_gives_one_share_and_no_ranking():
    calibration = calibrated(np.full(100, 0.3), np.arange(100) < 40)
    assert calibration([0.0, 0.3, 1.0]).tolist() == [0.4, 0.4, 0.4]
    table = estimate(calibration, np.full(100, 0.3)).set_index("metric")["estimated"]
    assert table["roc_auc"] == pytest.approx(0.5) and table["true_negatives"] == pytest.approx(60)
    assert np.isnan(table["precision"]) and table["recall"] == 0 and table["f1"] == 0


def test_without_outcomes_or_customers_there_is_little_to_say():
    never = estimate(calibrated(np.linspace(0, 1, 50), np.zeros(50)), np.linspace(0, 1, 50)).set_index("metric")
    assert never.loc["precision", "estimated"] == 0 and never.loc[["recall", "roc_auc"], "estimated"].isna().all()
    assert never[["low", "high"]].isna().all(axis=None)
    empty = estimate(calibrated([0.1], [0]), [])
    assert empty.set_index("metric").loc[[*COUNTS], "estimated"].eq(0).all() and empty["low"].isna().all()


def test_intervals_need_twenty_expected_outcomes_and_twenty_predicted_ones():
    calibration = calibrated(np.repeat([0.2, 0.8], 100), np.tile(np.arange(100) < 50, 2))
    few, many = (estimate(calibration, np.full(n, 0.2)).set_index("metric") for n in (39, 40))
    assert few["low"].isna().all()
    assert many.index[many["low"].isna()].tolist() == ["precision", "f1"]
    assert many.loc["true_negatives", ["estimated", "high"]].between(20, 40).all()


@pytest.mark.parametrize("wrong", [[0.1, np.nan], [0.1, 1.2], [-0.1, 0.2], [[0.1, 0.2]]])
def test_probabilities_must_be_known_and_between_0_and_1(wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        estimate(calibrated([0.1, 0.2], [0, 1]), wrong)
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibrated(wrong, [0, 1])


def test_outcomes_must_be_0_or_1_and_one_per_customer():
    for outcome in ([0, 2], [0, np.nan]):
        with pytest.raises(ValueError, match="0 or 1"):
            calibrated([0.1, 0.2], outcome)
    for p, outcome in (([], []), ([0.1, 0.2], [1])):
        with pytest.raises(ValueError, match="of each customer of the reference"):
            calibrated(p, outcome)
    with pytest.raises(ValueError, match="an outcome of each customer"):
        beside(calibrated([0.1, 0.2], [0, 1]), [0.1, 0.2], [1])


@pytest.mark.thorough
def test_intervals_hold_what_is_realised_as_often_as_promised():
    tables = [
        beside(calibrated(*customers(seed, 4_000)), *customers(10_000 + seed, 1_000, shift=0.4)) for seed in range(200)
    ]
    inside = np.mean([one["realised"].between(one["low"], one["high"]) for one in tables], axis=0)
    assert (inside >= by_chance(0.95, 200)[0]).all() and inside.mean() <= by_chance(0.95, 200)[1]
