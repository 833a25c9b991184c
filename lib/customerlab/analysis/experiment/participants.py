"""The units of analysis: one row per assigned unit, in one arm, by rows or by sums over them."""

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import norm

from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA
from customerlab.analysis.experiment.compare import Metric, compare_arms
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.rows import Kind, kind_of_rows
from customerlab.analysis.experiment.stats import spoken
from customerlab.analysis.experiment.units import SET_ASIDE, SIZE, by_assigned, in_one_arm
from customerlab.analysis.inference import LEAST, enough, holm, too_few
from customerlab.data.tables import OUTCOME
from customerlab.formats import p_value
from customerlab.wording import Led

DRAWS, SEED = 10_000, 7  # of arms that are dealt out anew
UNUSUAL = 0.05  # a smaller p-value of a split, or of numbers of rows, is said though it does not end the test


@dataclass(frozen=True)
class Participants:
    """The units that are compared, and how they were formed.

    Attributes
    ----------
    units : ibis Table
        Canonical, one row per assigned unit. Where rows are finer it has `size`, and means are those of rows, unless
        the treatment changes their number: then means are of sums per assigned unit.
    finer : ibis Table or None
        With `size` in any case; None where rows are assigned units.
    rows : DataFrame
        As `rows_by_arm` returns it; without a row where rows are assigned units.
    aside, assigned : int
        Units that were in several arms and are excluded, and all assigned units.
    kind : Kind
        What rows look like.
    """

    units: ir.Table
    finer: ir.Table | None
    rows: pd.DataFrame
    aside: int
    assigned: int
    kind: Kind

    @property
    def moved(self) -> bool:
        """Whether the treatment changes the number of rows per assigned unit."""
        return bool((self.rows["pvalue_holm"] < SAMPLE_RATIO_ALPHA).any())

    @property
    def per(self) -> str:
        """What means and money are per."""
        return "customer" if self.rows.empty else "assigned unit" if self.moved else "row"

    def grain(self) -> list[str]:
        """What means and errors are per, where rows are finer than assigned units; otherwise nothing."""
        if self.rows.empty:
            return []
        of = f"{self.per}{', and means per row are left out' * self.moved}"
        return [
            f"The {self.rows['rows'].sum():,} rows belong to {self.rows['units'].sum():,} units that were assigned at random.",
            f"Sample sizes and errors count assigned units; means, costs and money are per {of}.",
        ]

    def notes(self) -> list[str]:
        """What a reader has to know of the units before the effects, one sentence each; mostly nothing."""
        said = [self.kind.hint] if self.kind.hint else []
        if self.aside:
            said.append(
                f"{self.aside:,} of {self.assigned:,} units {'are' if self.aside > 1 else 'is'} in several arms and excluded (the limit is "
                f"{SET_ASIDE:.0%})."
            )
        if self.rows.empty:
            return said
        first, row = self.rows.iloc[0], self.rows.iloc[int(self.rows["pvalue_holm"].fillna(1).argmin())]
        found = (
            f"{row['variant']} has {row['rows_each']:,.3g} rows per assigned unit, {first['variant']} {first['rows_each']:,.3g} "
            f"({p_value(row['pvalue_holm'])})"
        )
        if self.rows["units"].min() < LEAST:
            few = too_few(self.rows["units"].min(), "assigned units in an arm")
            said.append(f"Whether the treatment changes the number of rows per assigned unit: {few}.")
        if self.moved:
            rest = f": {found}. Effects per row are therefore not comparable; sums per assigned unit decide."
            said.append(Led("The treatment changes how many rows there are", rest))
        elif row["pvalue_holm"] < UNUSUAL:
            said.append(
                f"The number of rows is unusual: {found}. Compare effects per assigned unit and per row before you act."
            )
        return said


def took_part(experiment: Units, control: str) -> Participants:
    """The units of analysis: units in several arms excluded, rows of assigned units added up.

    Where rows are finer (`assigned_id`), means are those of rows, unless the treatment changes their number: then means
    over rows compare different sets of rows, and sums per assigned unit decide.

    Examples
    --------
    >>> import ibis
    >>> sessions = ibis.memtable({
    ...     "unit_id": [f"s{i}" for i in range(160)], "assigned_id": [f"u{i % 60}" for i in range(160)],
    ...     "variant": ["b" if i % 60 < 40 and i % 2 else "a" for i in range(160)], "outcome_spend": [1.0] * 160,
    ... })
    >>> took_part(sessions, "a").rows[["variant", "units", "rows"]].values.tolist()
    [['a', 40, 100], ['b', 20, 60]]
    """
    units = Measured.of(experiment)
    if units.summed:
        return Participants(units.table, None, _no_rows(), 0, int(units.sizes.sum()), Kind(made_up=True))
    kind = kind_of_rows(units)
    kept, aside, assigned = in_one_arm(units)
    summed = SIZE in kept.columns
    if kind.wrong or not (summed or "assigned_id" in kept.columns):
        lone = kept.drop("assigned_id") if "assigned_id" in kept.columns else kept
        return Participants(lone, None, _no_rows(), aside, assigned, kind)
    finer = kept if summed else by_assigned(kept)
    found = Participants(finer, finer, rows_by_arm(finer, control), aside, assigned, kind)
    return Participants(finer.drop(SIZE), finer, found.rows, aside, assigned, kind) if found.moved else found


def rows_by_arm(units: ir.Table, control: str) -> pd.DataFrame:
    """Does the treatment change the number of rows per assigned unit (`by_assigned`, with `size`)?

    Where it does, such as by bringing customers back for more sessions, the rows of the arms are not comparable, and a
    mean over rows is a biased estimate of the effect.

    Columns: `variant`, the control first, `units` (that were assigned), `rows`, `rows_each` (for each of these),
    `pvalue` (of the rank sum of an arm and the control) and `pvalue_holm` (over the arms): NaN for the control, with
    fewer than twenty units in an arm, and where nothing varies. No row at all without a control or another arm.

    Numbers of rows are skewed, and arms may be of nine to one: there Welch's t fails at 0.001 in up to 15% of tests
    without a difference. The rank sum (Wilcoxon 1945) is compared with what it is when arms are dealt out anew, 10,000
    times, which needs no distribution; beyond the furthest of these it is taken to be normal.
    """
    counted = units.group_by("variant", SIZE).aggregate(n=units.count()).to_pandas()
    wide = counted.pivot_table(index=SIZE, columns="variant", values="n", aggfunc="sum", fill_value=0).sort_index()
    if control not in wide or wide.shape[1] < 2:
        return _no_rows()
    order = [control, *sorted(set(wide.columns) - {control})]
    number = wide[order].sum()
    rows = wide[order].mul(wide.index.to_numpy(), axis=0).sum()
    counted = {"units": number, "rows": rows.round().astype(int), "rows_each": rows / number}
    table = pd.DataFrame(counted, index=order).rename_axis("variant").reset_index()
    tested = [
        _rank_sum(wide[control].to_numpy(), wide[arm].to_numpy()) if enough(number[control], number[arm]) else np.nan
        for arm in order[1:]
    ]
    table["pvalue"] = [np.nan, *tested]
    return table.assign(pvalue_holm=holm(table["pvalue"]))


def _rank_sum(one: np.ndarray, other: np.ndarray) -> float:
    """The p-value of a difference between two samples, each given by how often it has each value, in rising order."""
    both = one + other
    if (both > 0).sum() < 2:
        return float("nan")
    rank = both.cumsum() - both / 2
    found, size, whole = other @ rank, other.sum(), both.sum()
    rng = np.random.default_rng(SEED)
    block = (both, size, DRAWS // 10)
    drawn = np.concatenate([rng.multivariate_hypergeometric(*block, method="marginals") @ rank for _ in range(10)])
    beyond = min((drawn <= found).sum(), (drawn >= found).sum())
    if beyond:
        return min(1.0, 2 * (1 + beyond) / (1 + DRAWS))
    middle = both @ rank / whole
    spread = np.sqrt(both @ (rank - middle) ** 2 / (whole - 1) * size * (whole - size) / whole)
    return min(2 / (1 + DRAWS), float(2 * norm.sf(abs(found - size * middle) / spread)))


def _no_rows() -> pd.DataFrame:
    numbers = ["units", "rows", "rows_each", "pvalue", "pvalue_holm"]
    return pd.DataFrame({"variant": pd.Series(dtype="str"), **{name: pd.Series(dtype="float64") for name in numbers}})


def per_assigned_and_row(finer: ir.Table, control: str, *, confidence: float = 0.95) -> pd.DataFrame:
    """The effects on every outcome twice: on its sum for each that was assigned, and on its mean over rows.

    One row per outcome, arm and way: `outcome`, `variant`, `per` (``assigned unit``, ``row``), `against_mean`,
    `variant_mean`, `effect`, `effect_low`, `effect_high` and `pvalue`, which is not adjusted. Errors count what was
    assigned in both ways.
    """
    names = [name for name in finer.columns if name.startswith(OUTCOME)]
    ways = {"assigned unit": None, "row": SIZE}
    metrics = [Metric(f"{per}: {name}", name, below) for name in names for per, below in ways.items()]
    table = compare_arms(finer, metrics, control, confidence=confidence)
    what = table["metric"].str.partition(": ")
    table = table.assign(per=what[0], outcome=what[2].map(spoken), place=what[2].map(names.index))
    numbers = ["against_mean", "variant_mean", "effect", "effect_low", "effect_high", "pvalue"]
    ordered = table.sort_values(["place", "variant", "per"], kind="stable", ignore_index=True)
    return ordered[["outcome", "variant", "per", *numbers]]
