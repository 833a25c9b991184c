"""A planned split that changes while the test runs, as where a new arm gets more units week by week.

Where outcomes change over time too, the arms of the whole test are not comparable: one has more of the later units. So
sizes are compared within the periods of one split, and effects are those within periods, averaged with the same weights
in every arm (a stratified estimate; without it, Simpson's paradox).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd

from customerlab.analysis.experiment.measured import Measured
from customerlab.analysis.experiment.questions import named_numbers
from customerlab.errors import DataError, ParameterError

PERIOD, ARM_THEN = "__period__", "__arm_then__"  # columns: the period in which a unit joined, and its arm with it
FROM = re.compile(r"^from\s+(\S+?)\s*:\s*(.*)$", re.DOTALL)


@dataclass(frozen=True)
class Split:
    """The planned weights of the arms, by period.

    Attributes
    ----------
    weights : tuple of mappings of str to float
        Of each period; an arm that is not named gets no units in it.
    starts : tuple of Timestamp
        The first day of each period but the first.
    """

    weights: tuple[Mapping[str, float], ...]
    starts: tuple[pd.Timestamp, ...] = ()

    @classmethod
    def of(cls, planned: "Mapping[str, float] | Split | None") -> "Split | None":
        """A split, whether it changes or not; None where none is planned."""
        return planned if planned is None or isinstance(planned, Split) else cls((planned,))

    @property
    def arms(self) -> list[str]:
        """All arms of all periods."""
        return list(dict.fromkeys(arm for period in self.weights for arm in period))

    def shares(self, arms: Sequence[str]) -> np.ndarray:
        """The planned share of each arm in each period, of shape (periods, arms)."""
        weights = np.array([[period.get(arm, 0.0) for arm in arms] for period in self.weights])
        return weights / weights.sum(axis=1, keepdims=True)

    def __str__(self) -> str:
        return ", ".join(f"{day:%Y-%m-%d}" for day in self.starts)


def planned(texts: Sequence[str]) -> Split | None:
    """The split that the parameter `planned_split` plans; None where it is empty.

    Raises
    ------
    ParameterError
        If a text has another form, days do not rise, or no period has all arms.

    Examples
    --------
    >>> plan = planned(["control: 9", "new: 1", "from 2024-03-08: control: 1, new: 1"])
    >>> plan.shares(["control", "new"]).tolist(), str(plan)
    ([[0.9, 0.1], [0.5, 0.5]], '2024-03-08')
    """
    first, later = [], []
    for text in texts:
        found = FROM.match(text)
        if not found:
            first.append(text)
            continue
        try:
            day = pd.Timestamp(pd.to_datetime(found[1], format="%Y-%m-%d"))
        except ValueError:
            raise ParameterError(
                f"{text!r} in planned_split", expected="'from DAY: …' with a day such as 2024-03-08"
            ) from None
        later.append((day, named_numbers([one.strip() for one in found[2].split(",")], "planned_split")))
    days = [day for day, _ in later]
    if later and (not first or days != sorted(set(days))):
        expected = "the weights of the first days, then 'from 2024-03-08: control: 1, new: 1', days in their order"
        raise ParameterError(f"planned_split: {', '.join(texts)}", expected=expected)
    plan = Split((named_numbers(first, "planned_split"), *(one for _, one in later)), tuple(days))
    if later and not any(len(period) == len(plan.arms) for period in plan.weights):
        expected = "a period in which every arm gets units: only there can all be compared"
        raise ParameterError("planned_split has no period with all arms", expected=expected)
    return plan if first else None


def in_periods(units: Measured, plan: Split | None, *, finer: bool = False) -> Measured:
    """The units with the period in which each joined, so that their moments are made alike over periods.

    DataError where units have no times, or rows are `finer` than what was assigned: sessions of a unit differ in number
    by its period too.
    """
    if plan is None or not plan.starts or units.strata:
        return units
    if finer:
        raise DataError(
            "planned_split changes by day, and rows are finer than what was assigned (assigned_id)",
            where="table experiment", expected="one row per assigned unit",
            do="add up the rows of each first; an event log is added up by `events:` (data/README.md)",
        )  # fmt: skip
    if not units.joined or units.timed < units.sizes.sum():
        lacking = int(units.sizes.sum()) - units.timed
        raise DataError(
            "planned_split changes by day, and " + (f"{lacking:,} units have no time" if units.joined else "an arm has no times"),
            where="table experiment", expected="`assigned_at` or `exposed_at` of every unit",
            do="map the time, or leave the days out of planned_split",
        )  # fmt: skip
    time, last = units.table[units.joined], len(plan.starts)
    steps = [(time < day.to_pydatetime(), f"{place}") for place, day in enumerate(plan.starts)]
    period = ibis.cases(*steps, else_=f"{last}")
    columns = {PERIOD: period, ARM_THEN: period + " " + units.table.variant}
    return units.with_columns(columns, strata=PERIOD)


def by_period(units: Measured, by: str, arms: Sequence[str], plan: Split) -> tuple[pd.Index, np.ndarray]:
    """The labels of a column, and how many units have each: of shape (labels, periods, arms)."""
    if not plan.starts:
        wide = units.cells([(by, "variant")])[0]
        columns = list(arms)
    else:
        wide = in_periods(units, plan).cells([(by, ARM_THEN)])[0]
        columns = [f"{period} {arm}" for period in range(len(plan.weights)) for arm in arms]
    wide = wide.reindex(columns=columns, fill_value=0).sort_index()
    return wide.index, wide.to_numpy().reshape(len(wide), len(plan.weights), len(arms))
