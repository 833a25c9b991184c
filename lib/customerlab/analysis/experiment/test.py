"""One randomised test: its options, and its results, each computed once, when it is first used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.experiment import questions
from customerlab.analysis.experiment.bayes import choices_of
from customerlab.analysis.experiment.compare import Metric, compare_arms, measured, totals
from customerlab.analysis.experiment.decision import Money, decision, no_effects
from customerlab.analysis.experiment.gatekeeping import gatekept
from customerlab.analysis.experiment.measured import SOME, Measured, kept
from customerlab.analysis.experiment.participants import Participants, took_part
from customerlab.analysis.experiment.periods import Split, in_periods, planned
from customerlab.analysis.experiment.planning import arrivals, reach, simulations
from customerlab.analysis.experiment.quantiles import quantile_effects
from customerlab.analysis.experiment.segments import BySegment, differences, distinct, no_segments
from customerlab.analysis.experiment.sensitivity import sensitivity
from customerlab.analysis.experiment.sequential import Spending, by_day, over_time
from customerlab.analysis.experiment.soundness import Soundness, soundness
from customerlab.analysis.experiment.split import SampleRatio, sample_ratio, sample_ratio_over_time
from customerlab.analysis.experiment.targeting import Curves, curves, profits
from customerlab.analysis.experiment.uplift import Predicted, predict_effects
from customerlab.data.tables import COVARIATE


def when_sound(measure: Callable[["Test"], pd.DataFrame]) -> "cached_property[pd.DataFrame]":
    """A table of a test that is measured once, and is empty where the test is not sound."""
    return cached_property(wraps(measure)(lambda test: measure(test) if test.sound else pd.DataFrame()))


def of_units(measure: Callable[["Test"], pd.DataFrame]) -> "cached_property[pd.DataFrame]":
    """The same, empty too where rows are totals of units."""
    return when_sound(wraps(measure)(lambda test: pd.DataFrame() if test.units.summed else measure(test)))


@dataclass(frozen=True)
class Test:
    """A randomised test. Where it is not valid its effects are empty, and so is all that follows from them.

    Attributes
    ----------
    table : ibis Table
        Canonical, with the covariates that are known of its units.
    control : str
        The control arm.
    confidence : float
        Of the intervals; the level of the whole test is one minus it.
    money : Money
        Ignored where the test has no metric of its name.
    planned_split, ratios, less_is_better, guardrails : sequences of str
        As "control: 9" (equal by default; `periods.planned`), "spend / conversion", names of metrics, and as
        "visit: 0.02".
    began, planned_units : str, int
        The first day, before which no unit may be exposed; the planned units of all arms, by default those that joined.
    primary : str
        The primary metric: by default the money, or else the first.
    wanted_lift, power : float
        The smallest relative effect worth detecting, and the probability of detecting it.
    runs, quantiles, alpha_spending, winsor_quantile : int, sequence of float, str, float
        Simulated tests; options of `quantile_effects`, `bounds` and `sensitivity`.
    segment_by : sequence of str
        Covariates; all that have few values by default.
    seed : int
        Of every random choice.

    Examples
    --------
    >>> import ibis
    >>> units = ibis.memtable({
    ...     "unit_id": [f"{i}" for i in range(900)], "variant": ["ab"[i % 2] for i in range(900)],
    ...     "outcome_visit": [float(i % 3 == 0 or i % 10 == 1) for i in range(900)],
    ... })
    >>> test = Test(units, control="a")
    >>> test.sound, test.effects[["metric", "variant", "effect"]].round(3).values.tolist()
    (True, [['visit', 'b', 0.133]])
    """

    __test__ = False  # no test of pytest's

    table: ir.Table
    control: str = "control"
    confidence: float = 0.95
    money: Money = field(default_factory=Money)
    planned_split: Sequence[str] = ()
    began: str = ""
    planned_units: int = 0
    ratios: Sequence[str] = ()
    less_is_better: Sequence[str] = ()
    guardrails: Sequence[str] = ()
    primary: str = ""
    wanted_lift: float = 0.05
    power: float = 0.8
    runs: int = 1000
    quantiles: Sequence[float] = (0.5, 0.9, 0.99)
    alpha_spending: Spending = "obrien-fleming"
    winsor_quantile: float = 0.95
    segment_by: Sequence[str] = ()
    seed: int = 7

    @cached_property
    def _rows(self) -> Measured:
        return Measured.of(kept(self.table))

    @cached_property
    def who(self) -> Participants:
        """Who takes part: units that were assigned, each in one arm."""
        return took_part(self._rows, self.control)

    @cached_property
    def _divided(self) -> tuple[Measured, list[str]]:
        own = self.who.units is self._rows.table
        units, names = questions.segments_of(self._rows if own else Measured(kept(self.who.units)), self.segment_by)
        return in_periods(units, self.split, finer=len(self.who.rows) > 0), names

    @property
    def units(self) -> Measured:
        """The units, with a column for each segment, and what was measured of them."""
        return self._divided[0]

    @property
    def segments(self) -> list[str]:
        """The columns of the segments."""
        return self._divided[1]

    @cached_property
    def metrics(self) -> list[Metric]:
        """Every outcome, then the ratios of two of them."""
        return questions.metrics_of(self.units, self.ratios, self.less_is_better)

    @cached_property
    def decisive(self) -> Metric:
        """The primary metric."""
        return questions.chosen(self.metrics, self.primary or self.worth.metric or self.metrics[0].name, "primary")

    @cached_property
    def guarded(self) -> list[Metric]:
        """The metrics that may get worse by a share at most."""
        return questions.guarded(self.metrics, questions.named_numbers(self.guardrails, "guardrails"))

    @cached_property
    def worth(self) -> Money:
        """The money, as far as the test has it."""
        known = self.money.metric in {metric.name for metric in self.metrics}
        return replace(self.money, metric=self.money.metric if known else "", per=self.who.per)

    @property
    def alpha(self) -> float:
        """The level of the whole test."""
        return 1 - self.confidence

    @property
    def interval(self) -> str:
        """The confidence in words, such as "95%"."""
        return f"{100 * self.confidence:g}%"

    @cached_property
    def split(self) -> Split | None:
        """The planned weights of the arms, by period."""
        return planned(self.planned_split)

    @property
    def changes(self) -> bool:
        """Whether the planned split changes while the test runs."""
        return bool(self.split and self.split.starts)

    @cached_property
    def ratio(self) -> SampleRatio:
        """The sizes of the arms against the plan."""
        return sample_ratio(self.units, self.control, self.split)

    @cached_property
    def arms(self) -> list[str]:
        """All arms but the control."""
        return [arm for arm in self.ratio.table["variant"] if arm != self.control]

    @property
    def came(self) -> int:
        """How many units came."""
        return int(self.ratio.table["units"].sum())

    @property
    def finished(self) -> bool:
        """Whether as many units came as were planned."""
        return self.came >= self.planned_units

    @cached_property
    def soundness(self) -> Soundness:
        """All checks that come before an outcome is compared."""
        self.worth.check(self.arms)
        pairs = [(one, "variant") for one in (self.units.joined, *self.segments) if one]
        facts = self.units.facts(COVARIATE)
        pairs += [(one, "variant") for one in facts if facts[one]["known"].sum() > facts[one]["numbers"].sum()]
        pairs += [(one, other) for place, other in enumerate(self.segments) for one in self.segments[:place]]
        self.units.cells(pairs)
        start, asked = pd.Timestamp(self.began) if self.began else None, (self.units, self.control)
        return soundness(*asked, planned=self.split, segments=self.segments, start=start, who=self.who)

    @property
    def sound(self) -> bool:
        """Whether anything may be concluded."""
        return self.soundness.sound

    @cached_property
    def arrivals(self) -> pd.Series:
        """New units a day."""
        return arrivals(self.units)

    @cached_property
    def ratio_over_time(self) -> pd.DataFrame:
        """Units by day and arm; none where they joined on one day, or rows are not units."""
        table = sample_ratio_over_time(self.units, self.control, self.split)
        return table.head(0) if self.who.kind.wrong or table["day"].nunique() < 2 else table

    @cached_property
    def totals(self) -> pd.DataFrame:
        """Numerator and denominator of each metric by arm."""
        return totals(self._measured, self.metrics)

    @when_sound
    def reach(self) -> pd.DataFrame:
        """The minimum detectable effect of each metric, and what the wanted effect needs."""
        pace = self.arrivals.tolist() if len(self.arrivals) > 1 else []
        return reach(
            self._measured, self.metrics, self.control, self.decisive,
            wanted_lift=self.wanted_lift, per_day=pace, alpha=self.alpha, power=self.power,
        )  # fmt: skip

    @of_units
    def simulated(self) -> pd.DataFrame:
        """Simulated error rates of the test of each metric."""
        planned = self.reach.to_dict("records")
        level, lift = ({row["metric"]: row[one] for row in planned} for one in ("level", "detectable_share"))
        asked = (self._measured, self.metrics, self.control, self.seed)
        return simulations(*asked, level=level, lift=lift, runs=self.runs)

    @cached_property
    def _measured(self) -> Measured:
        """The units with all moments that any comparison of the arms needs, and the values that leave the engine."""
        together = [[*metric.columns, one] for metric in self.metrics for one in self.covariates or metric.columns[:1]]
        columns = dict.fromkeys(name for group in together for name in group)
        self.units.moments(list(columns), together=together)
        outcomes = dict.fromkeys(name for metric in self.metrics for name in metric.columns)
        if not self.units.summed:
            self.units.values([*outcomes, *self.units.columns(COVARIATE)])
        parts = [self.units.joined] * (len(self.arrivals) > 1 and not self.changes) + self.segments
        some = dict.fromkeys(SOME + metric.counted for metric in self.metrics)
        self.units.moments_by(parts, [*outcomes, *some], together=[metric.columns for metric in self.metrics])
        return self.units

    @cached_property
    def covariates(self) -> list[str]:
        """The covariates that are a number for every unit."""
        return questions.numeric_covariates(self.units) if self.sound else []

    @cached_property
    def effects(self) -> pd.DataFrame:
        """The effects of all arms on all metrics, with adjusted p-values and simultaneous intervals."""
        if not self.sound:
            return no_effects()
        effects = self._compared(self.metrics)
        return gatekept(self.units, effects, self.metrics, self.decisive, self.seed, confidence=self.confidence)

    @cached_property
    def clear(self) -> pd.DataFrame:
        """The effects that are statistically significant."""
        return self.effects[self.effects["pvalue_adjusted"] < self.alpha]

    @cached_property
    def closer(self) -> list[str]:
        """The arms that figures, monitoring and models are made of."""
        return questions.leading(self.effects, self.decisive.name)

    @of_units
    def ways(self) -> pd.DataFrame:
        """The effect on the primary metric by every estimator."""
        return sensitivity(
            self._measured, self.decisive, self.control, covariates=self.covariates, segments=self.segments,
            winsor_quantile=self.winsor_quantile, confidence=self.confidence,
        )  # fmt: skip

    @of_units
    def moved(self) -> pd.DataFrame:
        """The effects on quantiles of the primary metric."""
        if not self.quantiles or self.decisive.proportion or self.decisive.below or self.changes:
            return pd.DataFrame()
        asked = (self.decisive, self.control, self.quantiles, self.seed)
        return quantile_effects(self._measured, *asked, confidence=self.confidence)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """The other arms compared with each other."""
        every = self._compared(self.metrics, each_other=True)
        return every[every["against"] != self.control]

    @cached_property
    def daily(self) -> dict[str, pd.DataFrame]:
        """By arm: sequential monitoring of the primary metric."""
        if not (self.closer and len(self.arrivals) > 1) or self.changes:
            return {}
        sums, sizes = by_day(self._measured, self.decisive.columns), self.units.sizes
        share = self.planned_units / self.came if self.planned_units else 1.0
        options: dict[str, Any] = {"confidence": 1 - self.alpha / len(self.arms), "spending": self.alpha_spending}
        planned = {arm: sizes[[self.control, arm]].sum() * share for arm in self.closer}
        tables = {
            arm: over_time(sums, self.decisive, arm, self.control, planned_units=units, **options)
            for arm, units in planned.items()
        }
        return {arm: table for arm, table in tables.items() if len(table)}

    @when_sound
    def bayesian(self) -> pd.DataFrame:
        """The Bayesian analysis of each metric."""
        found = measured(self._measured, self.metrics)
        return choices_of(found, self.metrics, self.control, confidence=self.confidence)

    @cached_property
    def distinct(self) -> tuple[list[str], dict[str, str]]:
        """The segments that are tested, and which of them each other one is nearly equivalent to."""
        return distinct(self.units, self.segments) if self.sound else ([], {})

    @cached_property
    def by_segment(self) -> BySegment:
        """The effects in every segment."""
        return self._differences(self._measured, self.control) if self.distinct[0] else no_segments()

    def _differences(self, units: Measured, against: str) -> BySegment:
        means = [metric for metric in self.metrics if not metric.ratio]
        return differences(units, means, against, self.distinct[0], confidence=self.confidence)

    @cached_property
    def differing(self) -> pd.DataFrame:
        """The differences by segment that are statistically significant."""
        tested = self.by_segment.tested()
        return tested[tested["pvalue_bh"] < self.alpha]

    @cached_property
    def fits(self) -> str:
        """Of several arms the one with the best estimate of the primary metric."""
        rows = self.effects[(self.effects["metric"] == self.decisive.name) & self.effects["variant"].isin(self.closer)]
        best = rows.sort_values("effect", ascending=self.decisive.less_is_better)["variant"]
        return str(best.iloc[0]) if len(best) > 1 else ""

    @cached_property
    def by_segment_against_best(self) -> BySegment:
        """The other arms against the one that looks best, in every segment."""
        known = self.distinct[0] and self.fits
        return self._differences(self.units.only(self.closer), self.fits) if known else no_segments()

    @cached_property
    def models(self) -> tuple[dict[str, Predicted], list[str]]:
        """By arm, the effects on customers predicted by models that have not seen them; and why an arm has none."""
        names, found, refused = self.units.columns(COVARIATE), {}, []
        if names and not (self.decisive.below or self.decisive.less_is_better or self.changes):
            for arm in self.closer:
                known = self._measured.values([self.decisive.above, *names])
                try:
                    found[arm] = predict_effects(known, self.decisive.above, arm, self.control, names, self.seed)
                except ValueError as error:
                    refused.append(f"No uplift model for {arm}: {error}.")
        return found, refused

    @cached_property
    def curves(self) -> dict[str, Curves]:
        """By arm: the Qini curves of all learners."""
        return {arm: curves(found, self.seed, confidence=self.confidence) for arm, found in self.models[0].items()}

    @cached_property
    def profits(self) -> dict[str, pd.DataFrame]:
        """By arm: the profit of each targeting policy, where money is the primary metric."""
        if self.decisive.name != self.worth.metric:
            return {}
        confidence = 1 - self.alpha / max(len(self.models[0]), 1)
        options: dict[str, Any] = {"margin": self.worth.margin, "confidence": confidence}
        return {
            arm: profits(found, self.seed, cost=self.worth.cost_of(arm), **options)
            for arm, found in self.models[0].items()
        }

    @cached_property
    def decision(self) -> pd.DataFrame:
        """Every effect and guardrail with its verdict, and what it is worth."""
        return decision(self.effects, self._compared(self.guarded), confidence=self.confidence, money=self.worth)

    @property
    def decided(self) -> pd.DataFrame:
        """The decision table; of a test that is not finished without verdicts."""
        return self.decision if self.finished else self.decision.assign(verdict="the test is not finished", sign=0)

    def _compared(self, metrics: Sequence[Metric], each_other: bool = False) -> pd.DataFrame:
        if not (self.sound and metrics):
            return no_effects()
        return compare_arms(self._measured, metrics, self.control, confidence=self.confidence, each_other=each_other)
