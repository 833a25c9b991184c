"""Validity of a test: sample ratio, balance, missing outcomes, units in two arms, exposure before assignment.

A failed check means that the arms differ by more than the treatment, or that units were lost: then effects, intervals
and p-values are invalid, and the failed checks are reported in place of conclusions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import or_

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

from customerlab.analysis.experiment.balance import balance
from customerlab.analysis.experiment.measured import TIMES, Measured, Units
from customerlab.analysis.experiment.participants import UNUSUAL, Participants, took_part
from customerlab.analysis.experiment.periods import PERIOD, Split, in_periods
from customerlab.analysis.experiment.split import SampleRatio, plain, ratio_of, sample_ratio, sample_ratio_by
from customerlab.analysis.experiment.stats import spoken
from customerlab.analysis.experiment.units import SIZE
from customerlab.data.tables import COVARIATE, OF_UNITS, OUTCOME
from customerlab.wording import Led

LEAST_UNITS = 2  # of an arm, without which nothing varies
UNITS, ARMS, COUNTS = "one row per unit", "units in one arm", "sample ratio, counted by "
FINER = "rows per assigned unit"
UNSEEN = "not checkable"
Row = tuple[str, str, float, bool]


def missing_by_arm(experiment: Units) -> pd.DataFrame:
    """Units without a value, or with one that is not finite, by outcome and arm.

    `outcome`, `variant`, `units`, `missing`, `infinite`, `share` (missing), and `pvalue`: whether arms differ in what
    they lack (chi-squared, one for each outcome; NaN where none lacks).
    """
    units = Measured.of(experiment)
    parts = []
    for name, facts in units.facts(OUTCOME).items():
        part = units.sizes.reset_index().assign(outcome=spoken(name))[["outcome", "variant", "units"]]
        part["missing"], part["infinite"] = (facts[one].astype(int).to_numpy() for one in ("missing", "infinite"))
        part["share"] = part["missing"] / part["units"]
        there = np.array([part["missing"], part["units"] - part["missing"]])
        known = (there.sum(axis=1) > 0).all()
        parts.append(part.assign(pvalue=chi2_contingency(there, correction=False).pvalue if known else np.nan))
    return pd.concat(parts, ignore_index=True)


def _such_as(experiment: ir.Table) -> str:
    """The first units that are in several arms."""
    rows = experiment.group_by("unit_id").aggregate(arms=experiment.variant.nunique())
    ids = rows.filter(rows.arms > 1).order_by("unit_id").limit(3).to_pandas()["unit_id"]
    return f", such as {', '.join(ids)}"


def exposed_early(experiment: ir.Table, start: pd.Timestamp | None = None) -> int:
    """How many units saw the treatment before they were assigned, or were assigned or saw it before the test began.

    ValueError if there are neither two times of a unit to compare, nor a time and the start.
    """
    times = [experiment[name] for name in TIMES if name in experiment.columns]
    early = [later < earlier for earlier, later in pairwise(times)]
    early += [] if start is None else [time < pd.Timestamp(start).to_pydatetime() for time in times]
    number = experiment[OF_UNITS] if OF_UNITS in experiment.columns else 1
    if not early:
        raise ValueError("there is no assigned_at; expected the start of the test")
    any_early = reduce(or_, (one.fill_null(False) for one in early))
    return int(experiment.aggregate(early=(any_early.cast("int64") * number).sum()).to_pandas().fillna(0).iloc[0, 0])


@dataclass(frozen=True)
class Soundness:
    """What the checks found.

    Attributes
    ----------
    table : DataFrame
        `check`, `found` (in words), `pvalue` (NaN where the check is a count), `sound`, and `answer`: "pass", "FAIL",
        or "unusual" where a check passes with p below 0.05; "not checkable" of rows without ids; "per assigned unit"
        where the treatment changes the number of rows.
    who : Participants
        Of whose units the checks are.
    """

    table: pd.DataFrame
    who: Participants

    @property
    def sound(self) -> bool:
        """Whether every check passed."""
        return bool(self.table["sound"].all())

    @property
    def reasons(self) -> list[str]:
        """What is wrong, one sentence a failed check."""
        failed = self.table[~self.table["sound"]]
        return [f"{row['check']}: {row['found']}" for row in failed.to_dict("records")]

    def shown(self) -> pd.DataFrame:
        """The table for readers: `check`, `result`, `detail`, `p-value`; those that did not pass first."""
        first = self.table.sort_values("answer", key=lambda answer: answer == "pass", kind="stable")
        shown = first[["check", "answer", "found", "pvalue"]].set_axis(["check", "result", "detail", "p-value"], axis=1)
        return shown.assign(detail=shown["detail"].str.replace("`", ""))

    @property
    def open(self) -> int:
        """How many checks did not plainly pass."""
        return int((self.table["answer"] != "pass").sum())

    def summary(self) -> str:
        """Whether the checks passed, or what stands in place of conclusions."""
        if not self.sound:
            return self.refusal()
        if not self.open:
            return f"No check found a fault: {len(self.table)} of {len(self.table)} passed."
        rows = self.table[~self.table["answer"].isin(["pass", UNSEEN])].to_dict("records")
        said = ", ".join(f"{row['check']} ({row['answer']})" for row in rows)
        lacking = self.table.loc[self.table["answer"] == UNSEEN, "check"]
        unseen = f" Rows have no ids, so these cannot be checked: {', '.join(lacking)}." if len(lacking) else ""
        look = f"; look at {said}" if said else ""
        return f"No check found a fault: {len(self.table) - self.open} of {len(self.table)} passed{look}.{unseen}"

    def notes(self) -> list[str]:
        """What a reader has to know of the units before the effects, one sentence each; mostly nothing.

        An unusual sample ratio that does not fail, units that were set aside, rows whose number the treatment changes.
        """
        split = self.table.iloc[0]
        unusual = f"The split is unusual: {split['found']} (p = {split['pvalue']:.4f}). Find its cause before you act."
        return [unusual] * bool(split["answer"] == "unusual") + self.who.notes()

    def refusal(self) -> str:
        """What stands in place of conclusions; empty where the test is valid.

        Where rows are not units only that is said: the other checks assume units.
        """
        if self.sound:
            return ""
        no = "No conclusion is drawn from this test."
        if self.who.kind.wrong:
            return Led(no, f" {'; '.join(one for one in self.reasons if one.startswith((UNITS, COUNTS)))}.")
        return Led(no, f" {'; '.join(self.reasons)}. Find the cause in the assignment or the logging first.")


def soundness(
    experiment: Units,
    control: str,
    *,
    planned: Mapping[str, float] | Split | None = None,
    segments: Sequence[str] = (),
    start: pd.Timestamp | None = None,
    who: Participants | None = None,
) -> Soundness:
    """All validity checks of a test, before any outcome is compared.

    Each check by p-value has the level 0.001, Holm-adjusted over its parts: a valid test fails one of k such checks at
    most k times in a thousand. Where the treatment changes the number of rows per assigned unit, means over rows are
    invalid; where `who` has replaced these by sums per assigned unit, the check says so and does not fail.

    Parameters
    ----------
    planned : mapping of str to float or Split, optional
        The planned split as weights, such as `{"control": 9, "new": 1}`; equal by default. Of one that changes, sizes
        are compared within its periods.
    segments : sequence of str
        Columns in whose parts the split is checked too.
    start : Timestamp, optional
        When the test began: nobody may have been assigned or exposed before.
    who : Participants, optional
        As `took_part` returned it, if `experiment` are its units; of the table itself by default.
    """
    split = Split.of(planned or None)
    units = in_periods(Measured.of(experiment), split)
    experiment = units.table
    who = took_part(units, control) if who is None else who
    whole = sample_ratio(units, control, split)
    changes = split is not None and bool(split.starts)
    furthest = _in_period(units, control, split) if split and changes else _furthest(whole, "units")
    rows = [("sample ratio", furthest, whole.pvalue, whole.sound)]
    rows += [*_units(units, who), *_counts(experiment, who.kind.counted, control, split)]
    parts = {units.joined: "day"} if units.joined else {}
    for column, name in (parts | {one: spoken(one) for one in segments}).items():
        rows.append(_parts(name, sample_ratio_by(units, column, control, split), changes=changes))
    fewest = int(whole.table["units"].min())
    rows.append(("enough units", f"the smallest arm has {fewest:,} units", np.nan, fewest >= LEAST_UNITS))
    rows.append(_names(whole.table["variant"].tolist(), planned is not None))
    times = [name for name in TIMES if name in experiment.columns]
    if len(times) + (start is not None) > 1 and times:
        early = exposed_early(experiment, start)
        since = "" if start is None else f", or before the test began on {start:%Y-%m-%d}"
        rows.append(("exposure after assignment", f"{counted(early)} exposed before{since}", np.nan, early == 0))
    if units.columns(COVARIATE):
        rows.append(_balanced(balance(units, control)))
    rows += _missing(missing_by_arm(units)) if units.columns(OUTCOME) else []
    table = pd.DataFrame(rows, columns=["check", "found", "pvalue", "sound"]).astype({"sound": bool})
    low = table["pvalue"] < np.where(table["sound"], UNUSUAL, 0)
    unseen = table["check"].isin([UNITS, ARMS]) & who.kind.made_up
    conditions = [~table["sound"], unseen, table["check"].eq(FINER) & who.moved, low]
    answers = np.select(conditions, ["FAIL", UNSEEN, "per assigned unit", "unusual"], "pass")
    return Soundness(table.assign(answer=answers), who)


def counted(units: int) -> str:
    """How many units, in words."""
    return f"{units:,} unit{'' if units == 1 else 's'}"


def _furthest(whole: SampleRatio, of: str) -> str:
    worst = whole.table.iloc[int((whole.table["share"] - whole.table["planned"]).abs().argmax())]
    return f"{worst['variant']} has {worst['share']:.2%} of the {of}, planned {worst['planned']:.2%}"


def _in_period(units: Measured, control: str, split: Split) -> str:
    """The arm that is furthest from its plan in the period that fits it least."""
    table = sample_ratio_by(units, PERIOD, control, split)
    row = table.iloc[int(table["pvalue"].fillna(1).argmin())]
    since = ["in the first period", *(f"from {day:%Y-%m-%d}" for day in split.starts)][int(row["part"])]
    return f"{row['worst']} has {row['share']:.2%} of the units {since}, planned {row['planned']:.2%}"


def _counts(experiment: ir.Table, column: str, control: str, split: Split | None) -> list[Row]:
    """The split of what totals count: of users, not of days."""
    if not column or (split and split.starts):
        return []
    sums = experiment.group_by("variant").aggregate(units=experiment[column].sum()).order_by("variant").to_pandas()
    found = ratio_of(sums.set_index("variant")["units"].fillna(0), control, split.weights[0] if split else None)
    return [(COUNTS + spoken(column), _furthest(found, spoken(column)), found.pvalue, found.sound)]


def _units(units: Measured, who: Participants) -> list[Row]:
    """Is a row a unit, in one arm, and of as many as in the other arms?"""
    unseen = "rows have no ids: {} cannot be detected".format if who.kind.made_up else "".format
    alike = unseen("duplicate units") or "each unit has one row"
    several, twice = (int(units.by_value[what]["unit_id"]) for what in ("mixed", "together"))
    aside = f", {who.aside:,} set aside" if who.aside and not several else ""
    such = _such_as(units.table) if several else ""
    rows = [
        (UNITS, who.kind.wrong or alike, np.nan, not (who.kind.wrong or twice)),
        (
            ARMS,
            unseen("units in several arms") or f"{counted(several)} in several arms{such}{aside}",
            np.nan,
            several == 0,
        ),
    ]
    if len(who.rows):
        found = ", ".join(f"{row['rows_each']:,.3g} in {row['variant']}" for row in who.rows.to_dict("records"))
        pvalue = who.rows["pvalue_holm"].min()
        rows.append((FINER, found, float(pvalue), not (who.moved and SIZE in units.table.columns)))
    return rows


def _names(arms: list[str], planned: bool) -> Row:
    """Are two arms one, written in two ways? A plan that names both says that they are two."""
    twins = [[repr(one) for one in arms if plain(one) == name] for name in dict.fromkeys(map(plain, arms))]
    alike = [" and ".join(names) for names in twins if len(names) > 1]
    found = f"{'; '.join(alike)} look alike: if they are one arm, spell it one way" if alike else "no two look alike"
    return "distinct arm names", found, np.nan, planned or not alike


def _parts(name: str, table: pd.DataFrame, *, changes: bool = False) -> Row:
    tested, label = table.dropna(subset="pvalue_holm"), f"sample ratio by {name}"
    if tested.empty:
        return label, "too few units in every part to test", np.nan, True
    row, bad = tested.iloc[int(tested["pvalue_holm"].argmin())], int((~tested["sound"]).sum())
    furthest = f"{row['part']} with {row['share']:.2%} in {row['worst']}, planned {row['planned']:.2%}"
    words = f"mismatch in {bad} of {len(tested)} parts; largest deviation: {furthest}"
    if bad and name == "day" and not changes:
        words += (
            " (if the split was changed on purpose, planned_split takes days: `from 2024-03-08: control: 1, new: 1`)"
        )
    return label, words, float(row["pvalue_holm"]), bad == 0


def _balanced(table: pd.DataFrame) -> Row:
    tested, label = table.dropna(subset="pvalue_holm"), "covariate balance"
    if tested.empty:
        return label, "no covariate varies", np.nan, True
    row = tested.iloc[int(tested["pvalue_holm"].argmin())]
    what = f"{row['covariate']} {row['value']}".strip()
    words = f"largest difference: {what} in {row['variant']}, {row['smd']:+.3f} standard deviations from the control"
    return label, words, float(row["pvalue_holm"]), bool(tested["sound"].all())


def _missing(table: pd.DataFrame) -> list[Row]:
    rows = []
    for word, column in (("missing outcomes", "missing"), ("infinite outcomes", "infinite")):
        lacking = table[table[column] > 0]
        of = lacking.to_dict("records")
        said = ", ".join(f"{row['outcome']} in {row['variant']} for {counted(row[column])}" for row in of)
        pvalue = float(lacking["pvalue"].min()) if column == "missing" and len(lacking) else np.nan
        rows.append((word, f"{said}; write 0 where nothing happened" if said else "none", pvalue, lacking.empty))
    return rows
