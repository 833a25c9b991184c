"""The split of a test: have the arms the sizes that were planned, in all and in every part?"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.stats import chisquare

from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA
from customerlab.analysis.inference import holm

FEWEST = 5  # expected units of every arm that a chi-squared test needs


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
    return ratio_of(counted.set_index("variant")["units"], control, planned)


def ratio_of(counted: pd.Series, control: str, planned: dict[str, float] | None = None) -> SampleRatio:
    """The same of numbers of units by arm, counted before."""
    arms = [*counted.index, *sorted(set(planned or ()) - set(counted.index))]  # a planned arm may have got nobody
    if control not in arms or len(arms) < 2:
        near = [arm for arm in arms if plain(arm) == plain(control) and arm != control]
        hint = f"; {near[0]!r} looks like it: write that" if near else ""
        raise ValueError(
            f"control = {control!r}; the arms are {', '.join(map(repr, arms))}; expected two arms or more, one the control{hint}"
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


def plain(name: str) -> str:
    """A name without what is easily overlooked: case, blanks, also invisible ones, hyphens and underscores inside.

    Examples
    --------
    >>> plain("Control\u200b "), plain("new-mail") == plain("New mail"), plain("-1") == plain("1")
    ('control', True, False)
    """
    kept = [sign for sign in unicodedata.normalize("NFKC", name).casefold() if unicodedata.category(sign) != "Cf"]
    return re.sub(r"\s|_|(?<=\w)-", "", "".join(kept))
