"""A randomised test: was it sound, and what did each arm do? Effects by tea-tasting, from sums made in the engine."""

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
import tea_tasting as tt
from scipy.stats import chisquare

from customerlab.data.tables import OUTCOME

SAMPLE_RATIO_ALPHA = 0.001  # a sound test fails this check once in a thousand times


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
    arms = counted["variant"].tolist()
    if control not in arms or len(arms) < 2:
        raise ValueError(
            f"control = {control!r}; the arms are {', '.join(map(repr, arms))}; expected two arms or more, one the control"
        )
    if planned is not None and set(planned) != set(arms):
        raise ValueError(f"planned names {sorted(planned)}; expected the arms {arms}")
    order = [control, *[arm for arm in arms if arm != control]]
    table = counted.set_index("variant").loc[order].reset_index()
    weights = table["variant"].map(planned) if planned else pd.Series(1.0, index=table.index)
    table["share"] = table["units"] / table["units"].sum()
    table["planned"] = weights / weights.sum()
    pvalue = float(chisquare(table["units"], table["planned"] * table["units"].sum()).pvalue)
    return SampleRatio(table, pvalue, pvalue >= SAMPLE_RATIO_ALPHA)


def missing_outcomes(experiment: ir.Table) -> pd.DataFrame:
    """Units without a value, by outcome.

    Returns
    -------
    DataFrame
        `outcome`, `missing`.
    """
    names = outcomes_of(experiment)
    row = experiment.aggregate(**{name: experiment[OUTCOME + name].isnull().sum() for name in names}).to_pandas()
    return pd.DataFrame({"outcome": names, "missing": [int(row.iloc[0][name]) for name in names]})


EFFECT_COLUMNS = (
    "outcome", "variant", "control_mean", "variant_mean", "effect", "effect_low", "effect_high",
    "relative", "relative_low", "relative_high", "pvalue", "pvalue_holm",
)  # fmt: skip


def no_effects() -> pd.DataFrame:
    """The table of effects of a test that is not sound: it has none."""
    return pd.DataFrame(
        {name: pd.Series(dtype="str" if name in EFFECT_COLUMNS[:2] else "float64") for name in EFFECT_COLUMNS}
    )


def effects(experiment: ir.Table, control: str, confidence: float = 0.95) -> pd.DataFrame:
    """Each arm against the control, for every outcome.

    Means are compared by Welch's t (Welch 1947), which for outcomes of zero and one compares proportions. The arms
    are never compared with one another's customers: an arm's control is the control arm alone. The interval of the
    relative effect takes the control's own error into account.

    Parameters
    ----------
    experiment : ibis Table
        Canonical, no outcome missing.
    control : str
    confidence : float
        Of the intervals.

    Returns
    -------
    DataFrame
        One row an outcome and arm: `outcome`, `variant`, `control_mean`, `variant_mean`, `effect` with `effect_low`,
        `effect_high` (in units of the outcome), `relative` with `relative_low`, `relative_high` (share of the
        control's mean), `pvalue`, and `pvalue_holm`, adjusted over all rows (Holm 1979). NaN where a number is not
        defined: interval and p-value of an outcome that is the same for every unit of both arms, and the relative
        effect where the control's mean is not above zero.

    Raises
    ------
    ValueError
        If an outcome is missing for some units.
    """
    missing = missing_outcomes(experiment)
    lacking = missing[missing["missing"] > 0]
    if len(lacking):
        row = lacking.iloc[0]
        raise ValueError(
            f"{row['missing']:,} units have no {row['outcome']}; expected a value for every unit (0 where nothing happened)"
        )
    sizes = experiment.group_by("variant").aggregate(units=experiment.count()).to_pandas().set_index("variant")["units"]
    if sizes.min() < 2:
        raise ValueError(f"the arm {sizes.idxmin()!r} has one unit; expected at least two in every arm")
    names = outcomes_of(experiment)
    metrics = {name: tt.Mean(OUTCOME + name, confidence_level=confidence) for name in names}
    with np.errstate(all="ignore"):  # an outcome without variance has no test; it gives NaN below
        results = tt.Experiment(metrics, variant="variant").analyze(experiment, control=control, all_variants=True)
    # Holm's own procedure; the default, Šidák's variant, does not hold under any dependence
    adjusted = tt.adjust_fwer(results, arbitrary_dependence=True, method="bonferroni")
    rows = []
    for name in names:
        for pair in sorted(results):
            one = results[pair][name]
            rows.append(
                {
                    "outcome": name, "variant": pair[1], "control_mean": one.control, "variant_mean": one.treatment,
                    "effect": one.effect_size, "effect_low": one.effect_size_ci_lower, "effect_high": one.effect_size_ci_upper,
                    "relative": one.rel_effect_size, "relative_low": one.rel_effect_size_ci_lower,
                    "relative_high": one.rel_effect_size_ci_upper, "pvalue": one.pvalue,
                    "pvalue_holm": adjusted[pair][name]["pvalue_adj"],
                }
            )  # fmt: skip
    table = pd.DataFrame(rows).replace([np.inf, -np.inf], np.nan)
    # a share of a mean that is not above zero has no meaning, and would turn the sign of an effect
    table.loc[table["control_mean"] <= 0, ["relative", "relative_low", "relative_high"]] = np.nan
    return table


def verdicts(effects: pd.DataFrame, control: str, confidence: float) -> list[str]:
    """One sentence an arm and outcome: the effect, its interval, and whether it is clear of chance.

    Parameters
    ----------
    effects : DataFrame
        As `effects` returns it.
    control : str
        The name of the control arm.
    confidence : float
        Of the intervals; an adjusted p-value below one minus it is clear of chance.
    """
    said = []
    percent = f"{100 * confidence:g}%"
    for row in effects.to_dict("records"):
        begin = f"**{row['variant']}** on {row['outcome']}: {row['effect']:+,.4g} against {control}"
        if np.isnan(row["pvalue_holm"]):
            said.append(f"{begin}; the outcome does not vary within the arms, so chance cannot be judged.")
            continue
        relative = "" if np.isnan(row["relative"]) else f", {row['relative']:+.1%} of its mean"
        clear = row["pvalue_holm"] < 1 - confidence
        said.append(
            f"{begin} ({percent} interval {row['effect_low']:+,.4g} to {row['effect_high']:+,.4g}){relative}; "
            + ("clear of chance" if clear else "not to be told from no effect")
            + " after adjustment for all comparisons."
        )
    return said
