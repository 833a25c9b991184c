"""Unit of analysis: is a row an assigned unit, or a total of many, an event, or a member of the assigned unit?

Standard errors and p-values assume that rows are independent. A table of totals, events or clusters has fewer
independent units than rows, and nothing in the arithmetic would show it. These rules use properties that such tables
have and tables of units do not have; a table of units meets one by a rare coincidence only.
"""

import re
from dataclasses import dataclass

import ibis.expr.types as ir
import pandas as pd
from scipy.stats import binom

from customerlab.analysis.experiment.measured import LARGE, Measured, Units
from customerlab.analysis.experiment.stats import labelled, spoken
from customerlab.analysis.experiment.units import SET_ASIDE, SIZE
from customerlab.data.tables import OUTCOME

COUNTED = {
    "users", "visitors", "customers", "clients", "people", "persons", "members", "subscribers", "recipients",
    "participants", "players", "shoppers", "accounts", "households", "devices", "cookies", "population", "sessions",
    "visits", "pageviews", "views", "impressions", "exposures", "exposed", "sent", "delivered", "emails", "opens",
    "clicks", "hits", "orders", "purchases", "conversions", "transactions", "signups", "enrollments", "payments",
    "installs", "downloads", "leads", "trials", "units", "samples", "rows", "count", "counts", "total", "size", "n",
    "num", "cnt", "nb",
}  # fmt: skip
"""Words in the names of outcomes that count people, or what many people did."""

SHARED = 0.8  # of the values of a key that are in every arm
MANY_TIMES = 7  # of one row per arm each, that are no accident
BY_CHANCE = 1e-6  # below it all rows of each value are in one arm by design
FEW = 0.05  # of the units in several rows: slips, and no log of events


@dataclass(frozen=True)
class Kind:
    """What the rows of a table look like.

    Attributes
    ----------
    wrong : str
        What they are in place of units, the evidence, and what to change; empty where they may well be units.
    counted : str
        Of totals, the outcome (a column) that counts the units, if there is one.
    hint : str
        A question that the table cannot answer, and a reader can.
    made_up : bool
        Whether rows have no ids of their own, so that a unit in two rows could not be seen.
    """

    wrong: str = ""
    counted: str = ""
    hint: str = ""
    made_up: bool = False


def kind_of_rows(experiment: Units) -> Kind:
    """What the rows of a canonical table look like, before they are analysed as units.

    Rows are *totals* where each arm has one row; where four ids in five are in every arm; where rows fill a grid (the
    same times, or labels, in every arm, and as many rows of each) and outcomes are counts; or where rows have no ids of
    their own and an outcome whose name counts people (`COUNTED`) has whole numbers of 30 and more in half of the rows
    and nowhere 0 or 1. A row that has an id of its own is taken to be a unit, such as a shop, unless its times fill
    a grid. Rows are *events, sessions or days* where an id has several rows in one arm. They are *members* of what was
    assigned where a covariate has many values with several rows, and all rows of a value are in one arm, which a draw
    for each row would do less than once in a million tables.

    Examples
    --------
    >>> import ibis
    >>> totals = ibis.memtable({"unit_id": ["row 1", "row 2"], "variant": ["a", "b"], "outcome_users": [983.0, 885.0]})
    >>> kind_of_rows(totals).wrong.split(":")[0]
    'a row has users = 934 on average, and each arm has one row'
    """
    units = Measured.of(experiment)
    experiment, arms = units.table, units.sizes
    if SIZE in experiment.columns or arms.empty:  # what was assigned, already summed
        return Kind()
    outcomes, by_value, made_up = _outcomes(units), units.by_value, units.made_up
    counts = outcomes[outcomes["whole"] & (outcomes["low"] >= 0) & (outcomes["large"] >= 0.5)]
    named = counts.loc[[name for name in counts.index if _words(name) & COUNTED]]
    shape = "" if outcomes.empty else _shape(units, outcomes, counts, named)
    if shape:
        of = named if len(named) else counts
        most = str(of["mean"].idxmax()) if len(of) else ""
        sized = f"a row has {most} = {of['mean'].max():,.0f} on average, and " if most else ""
        said = sized + shape + TOTALS.format("" if most else TRIED, most or "users") + (WAY_OUT if made_up else "")
        return Kind(said, OUTCOME + most if len(named) else "", "", made_up)
    wrong = (_repeated(experiment) if by_value["several"]["unit_id"] else "") or _members(arms, by_value)
    hint = ""
    if not wrong and len(named) and named["low"].max() >= LARGE:
        one = named["low"].idxmax()
        hint = (
            f"Every row has {one} of {named['low'].max():,.0f} or more, and is taken to be an assigned unit, such as a shop; if rows are "
            "totals, use the table before it was summed."
        )
    return Kind(wrong, "", hint, made_up)


TOTALS = (
    ": these look like totals of each arm{}, not units. 05 reads one row per unit: map the table from before it was summed, with "
    "what was assigned (such as the user) as `unit_id`; totals of yes-or-no outcomes can be compared by "
    "`experiment.proportions`, or name the column of the number of units in the catalogue: `counts: {}`"
)
TRIED = " (or like rows of units that were in every arm in turn)"
WAY_OUT = ". Where a row is one unit after all, such as a shop, map its name as `unit_id`"


def _words(name: str) -> set[str]:
    """Those of a column's name, however it is written."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def _outcomes(units: Measured) -> pd.DataFrame:
    """By outcome: its smallest value and mean, whether all are whole or binary, and how many are large."""
    rows = {}
    for name, facts in units.facts(OUTCOME).items():
        summed = facts.sum()
        within = summed["within"] or float("nan")
        means = [summed[one] / within for one in ("sum", "large", "plenty")]
        rows[spoken(name)] = [facts["low"].min(), *means, summed["broken"] == 0, summed["neither"] == 0]
    columns = ["low", "mean", "large", "plenty", "whole", "binary"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).astype({"whole": bool, "binary": bool})


def _shape(units: Measured, outcomes: pd.DataFrame, counts: pd.DataFrame, named: pd.DataFrame) -> str:
    """By what it is seen that rows are totals; empty where they may be units."""
    arms, by_value, made_up = units.sizes, units.by_value, units.made_up
    if arms.max() == 1 and len(counts):
        return "each arm has one row"
    in_all = by_value[(by_value["shared"] >= SHARED * by_value["values"]) & (by_value["values"] > 1)].index
    for name in ("unit_id", "assigned_id"):
        if name in in_all:
            of = by_value.loc[name].to_dict()
            return f"{of['shared']:,} of {of['values']:,} `{name}` are in every arm"
    keys = [name for name in in_all if not name.endswith("_id")]
    each, cells = _grid(units.table, keys, len(arms))
    timed = any(name.endswith("_at") for name in keys)
    named_by = ", ".join("time" if name.endswith("_at") else spoken(name) for name in keys)
    grid = f"each arm has {each:,} row{'s' if each > 1 else ''} for each of {cells:,} values of {named_by}"
    events = timed and cells >= MANY_TIMES and not outcomes["binary"].any()
    lone = (timed and cells > 2 and len(named)) or (made_up and (len(counts) or events))
    if (each == 1 and lone) or (each > 1 and made_up and len(named)):
        return grid
    if made_up and ((named["low"] > 1) & (named["plenty"] >= 0.5)).any() and not outcomes["binary"].any():
        return "no row has an id of its own"
    return ""


def _grid(experiment: ir.Table, keys: list[str], arms: int) -> tuple[int, int]:
    """How many rows every arm has of each combination of keys, and how many of these there are; zeros if unequal."""
    if not keys:
        return 0, 0
    columns = {f"key{place}": labelled(experiment[name]) for place, name in enumerate(keys)}
    cells = experiment.select("variant", **columns).group_by("variant", *columns).aggregate(rows=lambda t: t.count())
    by_key = cells.group_by(list(columns)).aggregate(arms=cells.count(), low=cells.rows.min(), high=cells.rows.max())
    row = by_key.aggregate(
        keys=by_key.count(), shared=(by_key.arms == arms).sum(), low=by_key.low.min(), high=by_key.high.max()
    ).to_pandas().iloc[0]  # fmt: skip
    equal = row["low"] == row["high"] and row["shared"] >= SHARED * row["keys"] and row["keys"] > 1
    return (int(row["low"]), int(row["keys"])) if equal else (0, 0)


def _repeated(experiment: ir.Table) -> str:
    """What several rows of one unit are; empty where each has one."""
    ids = [name for name in ("assigned_id", "unit_id") if name in experiment.columns]
    by_unit = experiment.group_by(*ids, "variant").aggregate(rows=experiment.count())
    found = by_unit.aggregate(
        units=by_unit.count(), rows=by_unit.rows.sum(), several=(by_unit.rows > 1).sum(), most=by_unit.rows.max()
    )
    units, rows, several, most = (int(x) for x in found.to_pandas().iloc[0])
    if not several:
        return ""
    first = by_unit.filter(by_unit.rows > 1).order_by("unit_id").limit(3).to_pandas()["unit_id"]
    said = f"{several:,} unit{'s have' if several > 1 else ' has'} several rows in one arm, up to {most:,}, such as {', '.join(first)}"
    if several <= FEW * units:
        alike = rows - int(experiment.distinct().count().to_pandas())
        if alike == rows - units:
            return f"{said}; these rows are alike in every column: list `exact_repeat` under `clean:`"
        return f"{said}: keep one row per unit, unless rows are events of units{FINER}"
    return f"{said}: rows look like {_pieces(experiment, rows)}{FINER}{LOG}"


FINER = (
    ". Write `unit_id: {row_number: true}`, and map as `assigned_id` what `unit_id` is now, so that the rows of what was "
    "assigned are added up"
)
LOG = ". Of a log of exposures and outcomes, write `events:` in the catalogue"


def _pieces(experiment: ir.Table, rows: int) -> str:
    """What rows of one unit are: days, where each has another whole day."""
    for name in [one for one in ("assigned_at", "exposed_at") if one in experiment.columns]:
        time = experiment[name]
        day = time.date()
        part = experiment.aggregate(x=(time != day.cast("timestamp(6)")).fill_null(True).any()).to_pandas()["x"].iloc[0]
        days = experiment.select("unit_id", day=day).distinct().count().to_pandas()
        if not part and int(days) == rows:
            return "days (or weeks) of units"
    return "events, sessions or orders of units"


def _members(arms: pd.Series, by_value: pd.DataFrame) -> str:
    """The covariate for whose values arms were drawn; empty where none looks so."""
    apart = 1 - ((arms / arms.sum()) ** 2).sum()  # the chance that two rows are in different arms
    if "assigned_id" in by_value.index:
        return ""
    for name in [one for one in by_value.index if one.startswith("covariate_")]:
        several, together = by_value.loc[name, ["several", "together"]].tolist()
        mixed = several - together
        if several and mixed <= SET_ASIDE * several and binom.cdf(mixed, several, apart) < BY_CHANCE:
            return (
                f"all rows of a {spoken(str(name))} are in one arm, for {together:,} of the {several:,} that have several: arms were drawn "
                f"for each {spoken(name)}, not for each row. Map it as `assigned_id`, not as a covariate"
            )
    return ""
