"""What is said of a test, sentence by sentence, in the order in which it is read."""

from customerlab.analysis.experiment.carriers import carried, influential
from customerlab.analysis.experiment.decision import open_guardrails
from customerlab.analysis.experiment.planning import doubtful, powered
from customerlab.analysis.experiment.quantiles import of_quantiles
from customerlab.analysis.experiment.questions import ratios_left_out
from customerlab.analysis.experiment.recommend import other_effects, recommendation, reconciled
from customerlab.analysis.experiment.segments import differing
from customerlab.analysis.experiment.sensitivity import fragile
from customerlab.analysis.experiment.sequential import first_outside, interim
from customerlab.analysis.experiment.targeting import advice, ordered
from customerlab.analysis.experiment.test import Test
from customerlab.data.tables import COVARIATE

UNSOUND = "the test is not sound"
UNKNOWN = "nothing is known of the units before the test"


def compared(test: Test) -> list[str]:
    """What is compared, and of what the means are."""
    names = ", ".join(metric.name for metric in test.metrics)
    return [f"Compared: {names}; what decides is {test.decisive.name}.", *test.who.grain()]


def soundness(test: Test) -> list[str]:
    """Whether the checks passed, and what the test lacks."""
    lacking = [] if test.segments else ["It has no covariates: balance, adjustment and segments are left out."]
    if len(test.arrivals) < 2:
        what = "the split by day, the run length and section 4"
        lacking.append(f"It has no times on several days in every arm: {what} are left out.")
    return [test.soundness.summary(), *test.soundness.notes(), *lacking]


def ratios(test: Test) -> list[str]:
    """Which ratios are left out."""
    return [f"{name} is left out: {why}." for name, why in ratios_left_out(test.units, test.ratios).items()]


def days(test: Test) -> list[str]:
    """Why nothing is shown day by day, where that is so."""
    if test.daily:
        return []
    return [f"Left out: {'it takes days with twenty units of every arm' if test.sound else UNSOUND}."]


def beliefs(test: Test) -> list[str]:
    """Which metrics cannot be read as beliefs."""
    read = set() if test.beliefs.empty else set(test.beliefs["metric"])
    unread = [metric.name for metric in test.metrics if metric.name not in read] if test.sound else []
    return [f"Left out: {', '.join(unread)}, which does not vary in some arm."] if unread else []


def segments(test: Test) -> list[str]:
    """Which segments say the same, or why there are none."""
    if not (test.sound and test.segments):
        return [f"Left out: {UNKNOWN if test.sound else UNSOUND}."]
    return [
        f"{one} says the same as {other}, so that it is not tested again." for one, other in test.distinct[1].items()
    ]


def models(test: Test) -> list[str]:
    """Why there is no model of effects, where that is so."""
    if any(test.models):
        return test.models[1]
    name = test.decisive.name
    reason = (
        UNSOUND if not test.sound
        else UNKNOWN if not test.units.columns(COVARIATE)
        else f"{name} is one of which less is better" if test.decisive.less_is_better
        else f"{name} is no mean of what was assigned" if test.decisive.below
        else f"{name} does not vary"
    )  # fmt: skip
    return [f"No model of effects: {reason}."]


def findings(test: Test, whose: str = "") -> list[str]:
    """What is concluded, the decision first; of data that are not this shop's (says `whose`) nothing is recommended."""
    about = [f"{whose} What follows describes that test; it recommends nothing to this shop."] if whose else []
    if not test.sound:
        return [*about, test.soundness.refusal()]
    first = interim(test.daily, test.decisive.name, test.came, test.planned_units)
    if test.finished:
        first = recommendation(
            test.decision, test.pairs, test.decisive,
            control=test.control, confidence=test.confidence, money=test.worth, elsewhere=bool(whose),
        )  # fmt: skip
    said = [first[0], *test.soundness.notes(), *first[1:], *open_guardrails(test.decision)]
    said += influential(carried(test.units, test.metrics), test.metrics)
    return [*about, *said, *(_supported(test) if test.finished else [])]


def _supported(test: Test) -> list[str]:
    """What else the sections of a finished test say, in their order."""
    name = test.decisive.name
    found = list(test.clear.loc[test.clear["metric"] == name, "variant"])
    counts = {"significant": len(found), "arms": len(test.arms)}
    against = differing(test.by_segment_against_best, test.metrics, test.alpha, same=test.distinct[1])
    said = [
        *reconciled(test.beliefs, test.decision, test.pairs, name, control=test.control, confidence=test.confidence),
        *(advice(table, arm) for arm, table in test.profits.items()),
        *other_effects(test.decision, test.metrics, name, confidence=test.confidence),
        *first_outside(test.daily, name),
        *powered(test.reach, name, power=test.power, wanted_lift=test.wanted_lift, **counts),
        *doubtful(test.rehearsed),
        *fragile(test.ways, name, found, test.alpha),
        *of_quantiles(test.moved, name, test.control, test.confidence),
        *differing(test.by_segment, test.metrics, test.alpha, same=test.distinct[1]),
        *(f"Against {test.fits}, {one}" for one in against),
        *ordered({arm: of["qini"].areas for arm, of in test.curves.items()}, test.alpha),
    ]
    if test.segments and test.differing.empty:
        said.append("No segment is shown to react differently from the rest (adjusted by Benjamini and Hochberg).")
    return said
