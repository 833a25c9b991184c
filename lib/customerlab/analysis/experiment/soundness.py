"""May anything be concluded? Sizes of the arms, balance, missing outcomes, units in two arms, exposure too early.

A check that fails means that the arms differ by more than the treatment, or that units were lost on the way: then every
effect, its interval and its p-value are of something else, and what is wrong is reported in place of conclusions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import or_

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, chisquare

from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA, balance, covariates_of
from customerlab.analysis.experiment.stats import spoken
from customerlab.analysis.experiment.units import joined_at
from customerlab.analysis.inference import holm
from customerlab.data.tables import OUTCOME


def outcomes_of(experiment: ir.Table) -> list[str]:
    """The names of the outcomes, in the order of the table."""
    return [name.removeprefix(OUTCOME) for name in experiment.columns if name.startswith(OUTCOME)]


@dataclass(frozen=True)
class SampleRatio:
    """Whether the arms have the sizes that the split planned.

    Attributes
    ----------
    table : DataFrame
        `variant`, `units`, `share`, `planned` (share), the control first.
    pvalue : float
        Of Pearson's chi-squared test over all arms.
    sound : bool
        Whether it is at least `SAMPLE_RATIO_ALPHA`.
    """

    table: pd.DataFrame
    pvalue: float
    sound: bool


def sample_ratio(experiment: ir.Table, control: str, planned: dict[str, float] | None = None) -> SampleRatio:
    """Check the sizes of the arms against the planned split, before anything else is looked at.

    Parameters
    ----------
    experiment : ibis Table
        Canonical.
    control : str
        The arm that the others are compared with.
    planned : dict of str to float, optional
        The planned shares, which need not sum to one; equal by default.

    Raises
    ------
    ValueError
        If there is no such arm, fewer than two arms, or `planned` names other arms.

    References
    ----------
    Fabijan et al. (2019). Diagnosing sample ratio mismatch in online controlled experiments. KDD.
    """
    counted = experiment.group_by("variant").aggregate(units=experiment.count()).order_by("variant").to_pandas()
    counted = counted.set_index("variant")["units"]
    arms = [*counted.index, *sorted(set(planned or ()) - set(counted.index))]  # a planned arm may have got nobody
    if control not in arms or len(arms) < 2:
        raise ValueError(
            f"control = {control!r}; the arms are {', '.join(map(repr, arms))}; expected two arms or more, one the control"
        )
    if planned is not None and (set(planned) != set(arms) or min(planned.values()) <= 0):
        raise ValueError(f"planned = {planned}; expected a weight above zero for each of the arms {arms}")
    order = [control, *[arm for arm in arms if arm != control]]
    table = pd.DataFrame({"variant": order, "units": counted.reindex(order, fill_value=0).to_numpy()})
    weights = table["variant"].map(planned) if planned else pd.Series(1.0, index=table.index)
    table["share"] = table["units"] / table["units"].sum()
    table["planned"] = weights / weights.sum()
    pvalue = float(chisquare(table["units"], table["planned"] * table["units"].sum()).pvalue)
    return SampleRatio(table, pvalue, pvalue >= SAMPLE_RATIO_ALPHA)


UNUSUAL = 0.05  # a split with a smaller p-value is said, though it does not end the test
LEAST_UNITS = 2  # of an arm, without which nothing varies
FEWEST = 5  # expected units of every arm that a chi-squared test needs


def sample_ratio_by(
    experiment: ir.Table, by: str | ir.Column, control: str, planned: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """The sizes of the arms in every part of the test, such as every day or every segment.

    A fault that hits some days or some browsers only can be lost in the whole.

    Parameters
    ----------
    experiment : ibis Table
    by : str or column
        A column, or an expression such as `experiment.exposed_at.date()`.
    control, planned
        As in `sample_ratio`.

    Returns
    -------
    DataFrame
        `part`, `units`, `worst` (the arm that is furthest from its plan), `share`, `planned` (of that arm), `pvalue`,
        `pvalue_holm` (over the parts; NaN where an arm should have fewer than five units), `sound`.
    """
    whole = sample_ratio(experiment, control, dict(planned) if planned else None).table.set_index("variant")["planned"]
    part = (experiment[by] if isinstance(by, str) else by).cast("string").name("part")
    counted = (
        experiment.select(part, "variant").group_by("part", "variant").aggregate(units=lambda t: t.count()).to_pandas()
    )
    wide = counted.fillna({"part": "(none)"}).pivot_table(
        index="part", columns="variant", values="units", aggfunc="sum", fill_value=0
    )
    wide = wide.reindex(columns=whole.index, fill_value=0).sort_index()
    units = wide.sum(axis=1)
    expected = np.outer(units, whole)
    enough = expected.min(axis=1) >= FEWEST
    pvalue = np.where(enough, chisquare(wide.to_numpy(), expected, axis=1).pvalue, np.nan)
    apart = (wide.div(units, axis=0) - whole).abs()
    worst = apart.idxmax(axis=1)
    table = pd.DataFrame(
        {
            "part": wide.index,
            "units": units.to_numpy(),
            "worst": worst.to_numpy(),
            "share": [wide.loc[one, arm] / units[one] for one, arm in worst.items()],
            "planned": whole[worst].to_numpy(),
            "pvalue": pvalue,
        }
    )
    table["pvalue_holm"] = holm(table["pvalue"].dropna()).reindex(table.index)
    return table.assign(sound=~(table["pvalue_holm"] < SAMPLE_RATIO_ALPHA))


def missing_by_arm(experiment: ir.Table) -> pd.DataFrame:
    """Units without a value, or with one that is not finite, by outcome and arm.

    Returns
    -------
    DataFrame
        `outcome`, `variant`, `units`, `missing`, `infinite`, `share` (missing), and `pvalue`: whether arms differ in
        what they lack (chi-squared, one for each outcome; NaN where none lacks).
    """
    names = [name for name in experiment.columns if name.startswith(OUTCOME)]
    sums = {}
    for place, name in enumerate(names):
        value = experiment[name].cast("float64")
        sums[f"missing{place}"] = (value.isnull() | value.isnan()).sum()
        sums[f"infinite{place}"] = value.isinf().sum()
    found = experiment.group_by("variant").aggregate(units=experiment.count(), **sums).order_by("variant").to_pandas()
    parts = []
    for place, name in enumerate(names):
        part = pd.DataFrame({"outcome": spoken(name), "variant": found["variant"], "units": found["units"]})
        part["missing"] = found[f"missing{place}"].fillna(0).astype(int)
        part["infinite"] = found[f"infinite{place}"].fillna(0).astype(int)
        part["share"] = part["missing"] / part["units"]
        there = np.array([part["missing"], part["units"] - part["missing"]])
        part["pvalue"] = (
            float(chi2_contingency(there, correction=False).pvalue) if (there.sum(axis=1) > 0).all() else np.nan
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def repeated_units(experiment: ir.Table) -> tuple[int, int]:
    """How many units are in two arms or more, and how many are in one arm twice."""
    by_unit = experiment.group_by("unit_id").aggregate(arms=experiment.variant.nunique(), rows=experiment.count())
    found = by_unit.aggregate(
        several=(by_unit.arms > 1).sum(), twice=((by_unit.arms == 1) & (by_unit.rows > 1)).sum()
    ).to_pandas()
    several, twice = found.fillna(0).iloc[0]
    return int(several), int(twice)


def _such_as(experiment: ir.Table, most: int = 3) -> str:
    """The first units that have several rows."""
    rows = experiment.group_by("unit_id").aggregate(rows=experiment.count())
    ids = rows.filter(rows.rows > 1).order_by("unit_id").limit(most).to_pandas()["unit_id"]
    return f", such as {', '.join(ids)}"


def exposed_early(experiment: ir.Table, start: pd.Timestamp | None = None) -> int:
    """How many units saw the treatment before they were assigned, or were assigned or saw it before the test began.

    Raises
    ------
    ValueError
        If there are not two times of a unit to compare, nor a time and the start.
    """
    times = [experiment[name] for name in ("assigned_at", "exposed_at") if name in experiment.columns]
    early = [later < earlier for earlier, later in pairwise(times)]
    early += [] if start is None else [time < pd.Timestamp(start).to_pydatetime() for time in times]
    if not early:
        raise ValueError("there is no assigned_at; expected the start of the test")
    any_early = reduce(or_, (one.fill_null(False) for one in early))
    return int(experiment.aggregate(early=any_early.sum()).to_pandas().fillna(0).iloc[0, 0])


@dataclass(frozen=True)
class Soundness:
    """What the checks found.

    Attributes
    ----------
    table : DataFrame
        `check`, `found` (in words), `pvalue` (NaN where the check is a count), `sound`.
    """

    table: pd.DataFrame

    @property
    def sound(self) -> bool:
        """Whether every check passed."""
        return bool(self.table["sound"].all())

    @property
    def reasons(self) -> list[str]:
        """What is wrong, one sentence a failed check."""
        failed = self.table[~self.table["sound"]]
        return [f"{row['check']}: {row['found']}" for row in failed.to_dict("records")]

    def notes(self) -> list[str]:
        """What a reader has to know of the units before the effects, one sentence each; mostly nothing.

        An unusual split that does not end the test, units that were set aside, rows that the treatment moved.
        """
        split = self.table.iloc[0]
        if split["sound"] and split["pvalue"] < UNUSUAL:
            return [
                f"The split is unusual (p {split['pvalue']:.4f}: {split['found']}); look at its cause before you act."
            ]
        return []

    def refusal(self) -> str:
        """What stands in place of conclusions; empty where the test is sound."""
        if self.sound:
            return ""
        wrong = "; ".join(self.reasons)
        return f"**No conclusion is drawn from this test.** {wrong}. Find the cause in the assignment or the logging first."


def soundness(
    experiment: ir.Table,
    control: str,
    *,
    planned: Mapping[str, float] | None = None,
    segments: Sequence[str] = (),
    start: pd.Timestamp | None = None,
) -> Soundness:
    """All checks of a test, before any outcome is compared.

    Parameters
    ----------
    experiment : ibis Table
        Canonical.
    control : str
    planned : mapping of str to float, optional
        The planned split as weights, such as `{"control": 9, "new": 1}`; equal by default.
    segments : sequence of str
        Columns in whose parts the split is checked too.
    start : Timestamp, optional
        When the test began: nobody may have been assigned or exposed before.

    Notes
    -----
    Each check by p-value has the level 0.001 over all that it looks at (Holm): a sound test fails one of k such checks
    at most k times in a thousand.
    """
    split = dict(planned) if planned else None
    whole = sample_ratio(experiment, control, split)
    worst = whole.table.iloc[int((whole.table["share"] - whole.table["planned"]).abs().argmax())]
    rows = [
        ("sizes of the arms", f"{worst['variant']} has {worst['share']:.2%} of the units, planned {worst['planned']:.2%}",
         whole.pvalue, whole.sound)
    ]  # fmt: skip
    joined = joined_at(experiment)
    parts = [] if joined is None else [("day", joined.date())]
    for name, column in [*parts, *((spoken(name), experiment[name]) for name in segments)]:
        table = sample_ratio_by(experiment, column, control, split)
        rows.append(_parts(name, table))
    fewest = int(whole.table["units"].min())
    rows.append(("enough units", f"the smallest arm has {fewest:,}", np.nan, fewest >= LEAST_UNITS))
    several, twice = repeated_units(experiment)
    found = (
        f"{counted(several)} in several arms, {twice:,} twice in one{_such_as(experiment) if several or twice else ''}"
    )
    rows.append(("units in one arm", found, np.nan, not (several or twice)))
    times = [name for name in ("assigned_at", "exposed_at") if name in experiment.columns]
    if len(times) + (start is not None) > 1 and times:
        early = exposed_early(experiment, start)
        since = "" if start is None else f", or before the test began on {start:%Y-%m-%d}"
        rows.append(("exposure after assignment", f"{counted(early)} exposed before{since}", np.nan, early == 0))
    if covariates_of(experiment):
        rows.append(_balanced(balance(experiment, control)))
    rows += _missing(missing_by_arm(experiment)) if outcomes_of(experiment) else []
    return Soundness(pd.DataFrame(rows, columns=["check", "found", "pvalue", "sound"]).astype({"sound": bool}))


Row = tuple[str, str, float, bool]


def counted(units: int) -> str:
    """How many units, in words."""
    return f"{units:,} unit{'' if units == 1 else 's'}"


def _parts(name: str, table: pd.DataFrame) -> Row:
    tested = table.dropna(subset="pvalue_holm")
    label = f"sizes of the arms by {name}"
    if tested.empty:
        return label, "too few units in every part to tell", np.nan, True
    row = tested.iloc[int(tested["pvalue_holm"].argmin())]
    bad = int((~tested["sound"]).sum())
    words = (
        f"{bad} of {len(tested)} parts off; the furthest is {row['part']} with {row['share']:.2%} in {row['worst']}, "
        f"planned {row['planned']:.2%}"
    )
    return label, words, float(row["pvalue_holm"]), bad == 0


def _balanced(table: pd.DataFrame) -> Row:
    tested = table.dropna(subset="pvalue_holm")
    if tested.empty:
        return "balance of covariates", "no covariate varies", np.nan, True
    row = tested.iloc[int(tested["pvalue_holm"].argmin())]
    what = f"{row['covariate']} {row['value']}".strip()
    words = f"the furthest is {what} in {row['variant']}, {row['smd']:+.3f} standard deviations from the control"
    return "balance of covariates", words, float(row["pvalue_holm"]), bool(tested["sound"].all())


def _missing(table: pd.DataFrame) -> list[Row]:
    rows = []
    for word, column in (("outcomes missing", "missing"), ("outcomes infinite", "infinite")):
        lacking = table[table[column] > 0]
        said = ", ".join(
            f"{row['outcome']} in {row['variant']} for {counted(row[column])}" for row in lacking.to_dict("records")
        )
        pvalue = float(lacking["pvalue"].min()) if column == "missing" and len(lacking) else np.nan
        rows.append((word, f"{said}; where nothing happened, write 0" if said else "none", pvalue, lacking.empty))
    return rows
