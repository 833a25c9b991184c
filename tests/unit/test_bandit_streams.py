"""Online false-discovery control: published levels, the formulas of the papers, and its rate on streams."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaincc, zeta
from scipy.stats import norm

from customerlab.analysis.bandit.streams import RULES, Stream, decide, gamma, summary
from customerlab.codec import from_json, to_json

# The example of the R package onlineFDR (Robertson and others 2019, Bioinformatics 35(20)), version 2.x: p-values and
# levels as printed in its reference manual for LORD, SAFFRON, ADDIS and Alpha_spending with random=FALSE.
P = [2.90e-08, 0.06743, 0.01514, 0.08174, 0.00171, 3.60e-05, 0.79149, 0.27201,
     0.28295, 7.59e-08, 0.69274, 0.30443, 0.00136, 0.72342, 0.54757]  # fmt: skip
PUBLISHED = {
    "lord++": [0.0002675839, 0.0024664457, 0.0005732818, 0.0004872805, 0.0004059066, 0.0003447286, 0.0029745013,
               0.0008450114, 0.0007305648, 0.0006243143, 0.0032185913, 0.0010617227, 0.0009256825, 0.0008019657,
               0.0007059610],
    "saffron": [0.005468627, 0.010937254, 0.010937254, 0.010937254, 0.010937254, 0.021874508, 0.032811762, 0.010823845,
                0.010823845, 0.010823845, 0.021761099, 0.009265591, 0.009265591, 0.020202846, 0.009064367],
    "addis": [0.002734314, 0.005468627, 0.005468627, 0.005468627, 0.005468627, 0.010937254, 0.016405881, 0.016405881,
              0.005411923, 0.002828822, 0.008297449, 0.008297449, 0.003589243, 0.009057870, 0.009057870],
    "alpha-spending": [0.0026758385, 0.0005819103, 0.0004956249, 0.0004121803, 0.0003494435, 0.0003022950, 0.0002659722,
                       0.0002372613, 0.0002140474, 0.0001949126, 0.0001788796, 0.0001652568, 0.0001535420, 0.0001433627,
                       0.0001344368],
}  # fmt: skip
FOUND = {"lord++": [1, 6, 10], "saffron": [1, 5, 6, 10, 13], "addis": [1, 5, 6, 10, 13], "alpha-spending": [1, 6, 10]}


def log(p):
    """Tests a day apart, named in their order."""
    names = [f"t{n:04d}" for n in range(1, len(p) + 1)]
    days = pd.date_range("2026-01-01", periods=len(p)) if len(p) else pd.to_datetime([])
    return pd.DataFrame({"test": names, "decided_at": days, "p": np.array(p, dtype=float)})


@pytest.mark.parametrize("procedure", PUBLISHED)
def test_published_levels_and_discoveries(procedure):
    table, stream = decide(log(P), Stream(procedure))
    digits = 9 if procedure in ("saffron", "addis") else 10  # as many as are printed
    # the package's γ of SAFFRON has ten digits and that of LORD seven, which is the last digit here
    assert table["level"].to_numpy() == pytest.approx(PUBLISHED[procedure], abs=0.51 * 10.0**-digits)
    assert (np.flatnonzero(table["significant"]) + 1).tolist() == FOUND[procedure]
    assert (stream.tests, len(stream.discoveries)) == (15, len(FOUND[procedure]))


def test_the_shares_of_the_level_add_up_to_at_most_one():
    most = 10**6
    numbers = np.arange(1, most + 1)
    assert gamma(numbers, power=True).sum() + zeta(1.6, most + 1) / zeta(1.6) == pytest.approx(1, abs=1e-12)
    # Euler and Maclaurin's rest of Σ log j / (j exp(√log j)): with u = √log j the integral of 2 u³ exp(-u)
    rest = 0.07720838 * 12 * gammaincc(4, np.sqrt(np.log(most))) - gamma(np.array(most)) / 2
    assert gamma(numbers).sum() + rest == pytest.approx(0.97631, abs=1e-5)  # the printed constant is a little small
    for power in (False, True):
        assert (np.diff(gamma(numbers, power=power)) <= 0).all()


def by_the_papers(p, procedure, alpha=0.05):
    """Levels by the formulas as printed, with all counts taken anew for each test."""
    c, tau, w = {"lord++": (0, 1, 0.1), "saffron": (0.5, 1, 0.5), "addis": (0.25, 0.5, 0.5)}[procedure]
    p, w, levels = np.array(p), w * alpha, []
    for t in range(len(p)):
        found = [i for i in range(t) if p[i] <= levels[i]]

        def index(after, t=t, found=found):
            past = slice(0 if after < 0 else found[after] + 1, t)
            candidates = 0 if procedure == "lord++" else int((p[past] <= c).sum())
            selected = int((p[past] <= tau).sum())
            return gamma(np.array(selected - candidates + 1), power=procedure != "lord++")

        level = w * index(-1) + sum((alpha - (w if j == 0 else 0)) * index(j) for j in range(len(found)))
        levels.append((tau - c) * level if procedure == "lord++" else min(c, (tau - c) * level))
    return levels


@pytest.mark.parametrize("procedure", ["lord++", "saffron", "addis"])
def test_levels_are_those_of_the_formulas_in_the_papers(procedure):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        p = np.where(rng.random(80) < 0.5, rng.random(80), rng.random(80) ** 6)
        table, _ = decide(log(p), Stream(procedure))
        assert table["significant"].sum() >= 5
        assert table["level"].to_numpy() == pytest.approx(by_the_papers(p, procedure), rel=1e-12)


def test_many_discoveries_do_not_raise_the_level_beyond_the_candidates():
    table, _ = decide(log([0.0] * 100), Stream("saffron"))
    assert table["level"].max() == 0.5
    lord, stream = decide(log([0.0] * 100), Stream("lord++"))  # p = 0 counts too
    assert stream.discoveries == tuple(range(1, 101)) and lord["level"].is_monotonic_increasing


@pytest.mark.parametrize("procedure", RULES)
def test_a_stream_goes_on_tomorrow_where_it_stopped(procedure):
    whole, end = decide(log(P), Stream(procedure))
    first, middle = decide(log(P).head(6), Stream(procedure))
    second, last = decide(log(P).tail(9), from_json(to_json(middle)))
    pd.testing.assert_frame_equal(pd.concat([first, second], ignore_index=True), whole)
    assert last == end
    assert decide(log([]), middle)[1] == middle and decide(log([]), middle)[0].empty
    with pytest.raises(ValueError, match="not later than those decided before"):
        decide(log(P), middle)


def test_the_order_of_rows_changes_nothing():
    tests = log(P)
    tests["decided_at"] = tests["decided_at"].dt.to_period("W").dt.start_time  # several at a time
    whole = decide(tests, Stream("addis"))
    again = decide(tests.sample(frac=1, random_state=1), Stream("addis"))
    pd.testing.assert_frame_equal(again[0], whole[0])
    assert again[1] == whole[1]


def test_what_is_not_counted_changes_no_level():
    plain, stream = decide(log(P), Stream("saffron"))
    gap = log(P)
    gap.loc[14.5] = ["later", pd.Timestamp("2026-01-03 12:00"), np.nan]
    table, same = decide(gap, Stream("saffron"))
    assert table.loc[3, "decision"] == "no p-value: not counted" and not table.loc[3, "significant"]
    assert table["level"].dropna().tolist() == plain["level"].tolist() and same == stream
    p = [1e-9, 0.9, 0.6, 0.51, 0.2]  # ADDIS discards what is above 1/2, and spares candidates
    assert decide(log(p), Stream("addis"))[0]["level"].iloc[1:].nunique() == 1


def test_a_test_at_its_level_is_significant():
    level = Stream("lord++").level
    assert decide(log([level]), Stream("lord++"))[0]["significant"].tolist() == [True]
    assert decide(log([np.nextafter(level, 1)]), Stream("lord++"))[0]["significant"].tolist() == [False]


def test_what_can_be_put_right_is_said():
    tests = log(P)
    bad = {
        "lacks the column 'p'": tests.drop(columns="p"),
        "more than once": pd.concat([tests, tests.tail(1)]),
        "below 0 or above 1": tests.assign(p=tests["p"] - 0.5),
        "no time": tests.assign(decided_at=pd.NaT),
    }
    for said, table in bad.items():
        with pytest.raises(ValueError, match=said):
            decide(table, Stream())
    for said, options in {"expected one of": {"procedure": "lord"}, "between 0 and 1": {"alpha": 1.0}}.items():
        with pytest.raises(ValueError, match=said):
            Stream(**options)


def test_the_summary_says_what_is_controlled():
    assert "15 tests are significant (ADDIS, false discovery rate at most 5%)" in summary(
        decide(log(P), Stream("addis"))[1]
    )
    assert "chance of any false discovery at most 1%" in summary(Stream("alpha-spending", 0.01))


@pytest.mark.thorough
def test_the_false_discovery_rate_is_kept_with_more_power_than_bonferroni():
    rng, number, streams = np.random.default_rng(1), 120, 150
    shares, powers = {name: [] for name in RULES}, {name: [] for name in RULES}
    for _ in range(streams):
        effect = rng.random(number) < 0.2
        z = rng.normal(np.where(effect, 3.0, -0.3))  # one-sided, with conservative nulls
        p = norm.sf(z)
        for name in RULES:
            found = decide(log(p), Stream(name))[0]["significant"].to_numpy()
            shares[name].append((found & ~effect).sum() / max(found.sum(), 1))
            powers[name].append(found[effect].mean())
    for name in RULES:
        rate, error = np.mean(shares[name]), np.std(shares[name]) / np.sqrt(streams)
        print(f"{name}: FDR {rate:.4f} ({error:.4f}), power {np.mean(powers[name]):.3f}")
        assert rate - 3 * error <= 0.05
    for name in ("lord++", "saffron", "addis"):
        gain = np.array(powers[name]) - np.array(powers["alpha-spending"])
        assert gain.mean() > 5 * gain.std() / np.sqrt(streams)
    assert np.mean(powers["addis"]) > np.mean(powers["saffron"])  # Tian and Ramdas (2019), with conservative nulls
