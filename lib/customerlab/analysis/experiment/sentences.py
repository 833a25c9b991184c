"""What is said of a test, sentence by sentence, in the order of importance."""

from customerlab.analysis.experiment.carriers import carried, influential
from customerlab.analysis.experiment.compare import measured
from customerlab.analysis.experiment.decision import open_guardrails
from customerlab.analysis.experiment.planning import doubtful, missed, powered
from customerlab.analysis.experiment.quantiles import of_quantiles
from customerlab.analysis.experiment.questions import ratios_left_out
from customerlab.analysis.experiment.recommend import other_effects, recommendation, reconciled
from customerlab.analysis.experiment.segments import differing
from customerlab.analysis.experiment.sensitivity import fragile
from customerlab.analysis.experiment.sequential import first_outside, interim
from customerlab.analysis.experiment.targeting import advice, ordered
from customerlab.analysis.experiment.test import Test
from customerlab.data.tables import COVARIATE

UNSOUND = "the test is not valid"
UNKNOWN = "no covariates are known from before the test"
CHANGES = "the planned split changes during the test"
TOTALS = (
    "Rows are totals. Left out is what needs single units: covariates, segments, simulations, the randomisation test, other estimators, "
    "quantiles and uplift models. Means are compared by Welch's t-test alone."
)
VALIDITY, POWER, EFFECTS = "1 Test validity", "2 Power and minimum detectable effect", "3 Effects"
MONITORING, BAYES, SEGMENTS, DECISION = (
    "4 Sequential monitoring", "5 Bayesian analysis", "6 Heterogeneous effects and targeting", "7 Decision",
)  # fmt: skip
"""The sections of the notebook that findings are from."""


def compared(test: Test) -> list[str]:
    """The metrics, and what means are taken over."""
    names = ", ".join(metric.name for metric in test.metrics)
    chosen = "" if test.primary else " by default (parameter primary)"
    return [f"Metrics: {names}. The primary metric is {test.decisive.name}{chosen}.", *test.who.grain()]


def soundness(test: Test) -> list[str]:
    """Whether the checks passed, and what the test lacks."""
    lacking = [] if test.segments else ["The test has no covariates: balance, adjustment and segments are left out."]
    if test.units.summed:
        lacking = [TOTALS]
    lacking += changing(test)
    if len(test.arrivals) < 2:
        what = "the sample ratio by day, the run length and sequential monitoring"
        lacking.append(f"The test has no times on several days in every arm: {what} are left out.")
    return [test.soundness.summary(), *test.soundness.notes(), *lacking]


def changing(test: Test) -> list[str]:
    """What a planned split that changes means for the results; of one that does not, nothing."""
    if not (test.sound and test.changes):
        return []
    said = (
        f"The planned split changes ({test.split}): effects are those within its periods, averaged with the same weights in every arm, "
        "and proportions are compared as means. Sequential monitoring, winsorised means, quantiles and uplift models are left out."
    )
    counted = measured(test.units, test.metrics).count.sum()
    out = f"{test.came - counted:,} units joined in periods without all arms, and are in no effect."
    return [said] + [out] * bool(test.came > counted)


def ratios(test: Test) -> list[str]:
    """Which ratios are left out."""
    return [f"{name} is left out: {why}." for name, why in ratios_left_out(test.units, test.ratios).items()]


def days(test: Test) -> list[str]:
    """Why nothing is shown day by day, where that is so."""
    if test.daily:
        return []
    why = CHANGES if test.changes else "no days with twenty units in every arm"
    return [f"Left out: {why if test.sound else UNSOUND}."]


def bayesian(test: Test) -> list[str]:
    """Which metrics have no Bayesian analysis."""
    read = set() if test.bayesian.empty else set(test.bayesian["metric"])
    unread = [metric.name for metric in test.metrics if metric.name not in read] if test.sound else []
    return [f"Left out, because it does not vary in some arm: {', '.join(unread)}."] if unread else []


def segments(test: Test) -> list[str]:
    """Which segments are not tested, or why there are none."""
    if not (test.sound and test.segments):
        return [f"Left out: {UNKNOWN if test.sound else UNSOUND}."]
    return [f"{one} is not tested: it is nearly equivalent to {other}." for one, other in test.distinct[1].items()]


def models(test: Test) -> list[str]:
    """Why there is no uplift model, where that is so."""
    if any(test.models):
        return test.models[1]
    name = test.decisive.name
    reason = (
        UNSOUND if not test.sound
        else UNKNOWN if not test.units.columns(COVARIATE)
        else CHANGES if test.changes
        else f"{name} is a metric that should fall" if test.decisive.less_is_better
        else f"{name} is not a mean per assigned unit" if test.decisive.below
        else f"{name} does not vary"
    )  # fmt: skip
    return [f"No uplift models: {reason}."]


def findings(test: Test, whose: str = "") -> list[tuple[str, list[str]]]:
    """The findings, the decision first: pairs of a section of the notebook and sentences from it.

    Of data that are not this shop's (as `whose` says) nothing is recommended.
    """
    about = [f"{whose} Nothing is recommended to this shop."] if whose else []
    if not test.sound:
        return [(VALIDITY, [test.soundness.refusal(), *about])]
    if not test.finished:
        first = interim(test.daily, test.decisive, test.came, test.planned_units, test.worth.unit(test.decisive))
        early = [(DECISION, [first[0], *about]), *_caveats(test), (MONITORING, first[1:])]
        return [one for one in early if one[1]]
    name = test.decisive.name
    said = recommendation(
        test.decision, test.pairs, test.decisive, control=test.control, confidence=test.confidence, money=test.worth,
        missed=missed(test.reach, name, test.power), elsewhere=bool(whose),
    )  # fmt: skip
    found = list(test.clear.loc[test.clear["metric"] == name, "variant"])
    counts = {"significant": len(found), "arms": len(test.arms)}
    limits = powered(test.reach, name, power=test.power, wanted_lift=test.wanted_lift, **counts)
    notes, guardrails, checks, outliers = _caveats(test)
    top = [(DECISION, [said[0], *about]), notes, (DECISION, said[1:3]), (POWER, limits), checks]
    return [one for one in (*top, (DECISION, said[3:]), guardrails, outliers, *_supported(test, found)) if one[1]]


def _caveats(test: Test) -> list[tuple[str, list[str]]]:
    """What limits the decision: the split, guardrails, the checks, single units."""
    return [
        (VALIDITY, test.soundness.notes()),
        (DECISION, open_guardrails(test.decision)),
        (VALIDITY, [test.soundness.summary()]),
        (EFFECTS, influential(carried(test.units, test.metrics), test.metrics)),
    ]


def _supported(test: Test, found: list[str]) -> list[tuple[str, list[str]]]:
    """The evidence of a finished test, by section; `found` are the arms that are significant by the primary metric."""
    name, same = test.decisive.name, test.distinct[1]
    currency = test.worth.currency if name == test.worth.metric else ""
    against = differing(test.by_segment_against_best, test.metrics, test.alpha, same=same, against=test.fits)
    segments = differing(test.by_segment, test.metrics, test.alpha, same=same)
    if test.segments and test.differing.empty:
        segments.append("No effect differs significantly by segment (BH-adjusted).")
    targeting = [
        advice(table, arm, test.worth, test.interval, len(test.profits)) for arm, table in test.profits.items()
    ]
    targeting += [test.worth.basis] if targeting and not test.worth.known else []
    return [
        (DECISION, other_effects(test.decision, test.metrics, name, money=test.worth, confidence=test.confidence)),
        (SEGMENTS, [*segments, *against, *targeting]),
        (SEGMENTS, ordered({arm: one.areas for arm, one in test.curves.items()}, test.alpha)),
        (EFFECTS, fragile(test.ways, name, found, test.alpha)),
        (EFFECTS, of_quantiles(test.moved, name, test.control, test.confidence, currency)),
        (MONITORING, first_outside(test.daily, name)),
        (POWER, doubtful(test.simulated)),
        (BAYES, reconciled(
            test.bayesian, test.decision, test.pairs, name, control=test.control, confidence=test.confidence
        )),
    ]  # fmt: skip


def recorded(test: Test) -> dict[str, list[float]]:
    """By arm, `effect_<arm>`, the effect on the primary metric with the two ends of its interval; none without one."""
    effects = test.effects[test.effects["metric"] == test.decisive.name].dropna(subset=["effect_low", "effect_high"])
    ends = effects.set_index("variant")[["effect", "effect_low", "effect_high"]].astype(float)
    return {f"effect_{arm}": row.tolist() for arm, row in zip(ends.index, ends.to_numpy(), strict=True)}
