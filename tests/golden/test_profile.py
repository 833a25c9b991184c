"""Published numbers of latent classes and survey scales, of published data that fit into a test."""

import numpy as np
import pandas as pd
import pytest

from customerlab.analysis.profile.latent import fit_classes
from customerlab.analysis.profile.scales import alpha, alpha_interval, reliability

# Patterns of answers, 1 for no and 2 for yes, and their counts.
CARCINOMA = {  # seven pathologists A to G rate 118 slides (Agresti 2002, table 13.1)
    "1111111": 34, "1111211": 2, "1211111": 6, "1211112": 1, "1211211": 4, "1211212": 5, "2111111": 2, "2121212": 1,
    "2211111": 2, "2211112": 1, "2211211": 2, "2211212": 7, "2211222": 1, "2212112": 1, "2212212": 2, "2212222": 3,
    "2221212": 13, "2221222": 5, "2222212": 10, "2222222": 16,
}  # fmt: skip
VALUES = {  # universalistic and particularistic values of 216 students (Stouffer and Toby 1951; Goodman 1974)
    "1111": 20, "1112": 2, "1121": 9, "1122": 2, "1211": 6, "1212": 1, "1221": 4, "1222": 1,
    "2111": 38, "2112": 7, "2121": 24, "2122": 6, "2211": 25, "2212": 6, "2221": 23, "2222": 42,
}  # fmt: skip
CHEATING = {  # four kinds of cheating, 319 students (Dayton 1998, table 3.4)
    "1111": 207, "1112": 46, "1121": 7, "1122": 5, "1211": 13, "1212": 4, "1221": 1, "1222": 2,
    "2111": 10, "2112": 3, "2121": 1, "2122": 2, "2211": 11, "2212": 4, "2221": 1, "2222": 2,
}  # fmt: skip
ATTITUDE = """
43 51 30 39 61 92 45  63 64 51 54 63 73 47  71 70 68 69 76 86 48  61 63 45 47 54 84 35  81 78 56 66 71 83 47
43 55 49 44 54 49 34  58 67 42 56 66 68 35  71 75 50 55 70 66 41  72 82 72 67 71 83 31  67 61 45 47 62 80 41
64 53 53 58 58 67 34  67 60 47 39 59 74 41  69 62 57 42 55 63 25  68 83 83 45 59 77 35  77 77 54 72 79 77 46
81 90 50 72 60 54 36  74 85 64 69 79 79 63  65 60 65 75 55 80 60  65 70 46 57 75 85 46  50 58 68 54 64 78 52
50 40 33 34 43 64 33  64 61 52 62 66 80 41  53 66 52 50 63 80 37  40 37 42 58 50 57 49  63 54 42 48 66 75 33
66 77 66 63 88 76 72  78 75 58 74 80 78 49  48 57 44 45 51 83 38  85 85 71 71 77 74 55  82 82 39 59 64 78 39
"""  # seven ratings of 30 departments (Chatterjee and Price 1977), R's data set `attitude`
LIKERT = """
3 5 7 2 6 1 4 2 6 5 4 4 5 6 4  2 4 3 4 5 2 3 4 5 4 3 2 5 5 3  4 6 5 3 6 3 5 4 5 6 5 3 6 5 5
1 3 5 3 5 4 3 3 5 4 2 2 2 4 5  4 5 6 2 4 2 5 7 1 3 5 5 3 2 3  5 1 4 2 4 5 2 2 6 5 3 3 3 2 1
1 2 3 2 4 2 1 2 5 3 2 4 2 1 3  4 5 3 6 6 3 2 4 2 1 3 2 4 4 2  3 5 6 6 7 5 4 6 3 7 4 3 4 6 3
2 5 5 3 5 2 3 5 2 2 1 4 5 5 4
"""  # ten items, 15 subjects each: the example data of Pingouin's `cronbach_alpha` (Vallat 2018)


def answers(counts: dict[str, int]) -> pd.DataFrame:
    """One row per customer, a column of texts per item."""
    rows = [list(pattern) for pattern, number in counts.items() for _ in range(number)]
    return pd.DataFrame(rows, columns=list("ABCDEFG")[: len(rows[0])])


@pytest.mark.parametrize(
    ("data", "classes", "log_likelihood"),
    [  # as printed with the data sets of poLCA (Linzer and Lewis 2011, Journal of Statistical Software 42(10))
        (VALUES, 1, -543.6498), (VALUES, 2, -504.4677), (VALUES, 3, -503.3011),
        (CARCINOMA, 2, -317.2568), (CARCINOMA, 3, -293.705), (CARCINOMA, 4, -289.2858), (CHEATING, 2, -440.0271),
    ],
)  # fmt: skip
def test_log_likelihoods_are_those_of_polca(data, classes, log_likelihood):
    found = fit_classes(answers(data), classes=classes, seed=1)
    assert round(found.log_likelihood, 4) == log_likelihood and found.converged


def test_three_classes_of_slides_are_those_of_agresti():
    # Agresti (2002), table 13.3; Linzer and Lewis (2011), section 5.1, with more digits
    found = fit_classes(answers(CARCINOMA), classes=3, seed=1)
    assert found.sizes.round(4).tolist() == [0.4447, 0.3736, 0.1817]
    assert (found.parameters, round(found.bic, 4)) == (23, 697.1357)
    assert found.probabilities.loc[("A", "2"), 3].round(4) == 0.5128
    assert found.probabilities.loc[("C", "2"), 1].round(4) == 0.8575
    assert round(fit_classes(answers(CARCINOMA), classes=2, seed=1).bic, 4) == 706.0739


def test_bivariate_residuals_are_those_of_polca():
    # its tests of bvr(); of two classes it prints what it has at a log-likelihood 1e-8 below the maximum
    one, two = (fit_classes(answers(VALUES), classes=k, seed=1).residuals["residual"].tolist() for k in (1, 2))
    assert one == pytest.approx([12.378947, 5.704402, 8.308752, 15.586100, 23.562456, 23.779559], abs=1e-6)
    assert two == pytest.approx([1.172162, 0.003304, 0.010098, 0.037914, 0.016504, 0.055859], abs=5e-5)


def test_omega_of_attitude_is_that_of_mbess():
    # ci.reliability(attitude, type = "omega") of MBESS (Kelley 2007) estimates 0.8563268
    table = pd.DataFrame(np.array(ATTITUDE.split(), dtype=float).reshape(30, 7)).add_prefix("q")
    found = reliability(table, list(table))
    assert round(found.omega, 7) == 0.8563268
    assert round(found.alpha, 2) == 0.84  # psych (Revelle), alpha(attitude)
    turned = reliability(table, ["q0", "-q1", "q2", "q3", "q4", "-q5", "q6"])
    assert round(turned.alpha, 2) == 0.18  # psych, alpha(attitude, keys = c("complaints", "critical"))


def test_alpha_and_feldt_s_interval_are_those_of_pingouin():
    table = np.array(LIKERT.split(), dtype=float).reshape(10, 15)
    found = alpha(np.cov(table))
    assert found == pytest.approx(0.5917188485995826, abs=1e-12)
    assert [round(end, 3) for end in alpha_interval(found, 15, 10)] == [0.195, 0.84]
