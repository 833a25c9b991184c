"""Sample ratio: do the arms have the planned sizes, overall, in every part and by day?"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chisquare, norm

from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.stats import NONE
from customerlab.analysis.inference import holm

FEWEST = 5  # expected units of every arm that a chi-squared test needs


@dataclass(frozen=True)
class SampleRatio:
    """Whether the arms have the sizes that the split planned.

    Attributes
    ----------
    table : DataFrame
        `variant`, `units`, `share`, `planned` (share), the control first.
    pvalue, sound : float, bool
        Of Pearson's chi-squared test over all arms; whether it is at least `SAMPLE_RATIO_ALPHA`.
    """

    table: pd.DataFrame
    pvalue: float
    sound: bool


def sample_ratio(experiment: Units, control: str, planned: dict[str, float] | None = None) -> SampleRatio:
    """Check the sample ratio against the planned split, before anything else is looked at.

    The planned shares need not sum to one, and are equal by default. ValueError if there is no such arm, fewer than two
    arms, or `planned` names other arms.

    References
    ----------
    Fabijan et al. (2019). Diagnosing sample ratio mismatch in online controlled experiments. KDD.
    """
    return ratio_of(Measured.of(experiment).sizes, control, planned)


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
    experiment: Units, by: str, control: str, planned: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """The sample ratio in every part of the test, such as every day (of a time) or every segment.

    A fault that hits some days or some browsers only can be lost in the whole.

    Columns: `part`, `units`, `worst` (the arm that is furthest from its plan), `share`, `planned` (of that arm),
    `pvalue`, `pvalue_holm` (over the parts; NaN where an arm should have fewer than five units), `sound`.
    """
    units = Measured.of(experiment)
    whole = sample_ratio(units, control, dict(planned) if planned else None).table.set_index("variant")["planned"]
    wide = units.cells([(by, "variant")])[0]
    wide = wide.reindex(columns=whole.index, fill_value=0).sort_index()
    size = wide.sum(axis=1)
    expected = np.outer(size, whole)
    enough = expected.min(axis=1) >= FEWEST
    pvalue = np.where(enough, chisquare(wide.to_numpy(), expected, axis=1).pvalue, np.nan)
    shares = wide.to_numpy() / size.to_numpy()[:, None]
    worst = np.abs(shares - whole.to_numpy()).argmax(axis=1)
    table = pd.DataFrame(
        {
            "part": wide.index, "units": size.to_numpy(), "worst": whole.index[worst],
            "share": shares[np.arange(len(wide)), worst], "planned": whole.to_numpy()[worst], "pvalue": pvalue,
        }
    )  # fmt: skip
    table["pvalue_holm"] = holm(table["pvalue"])
    return table.assign(sound=~(table["pvalue_holm"] < SAMPLE_RATIO_ALPHA))


def sample_ratio_over_time(experiment: Units, control: str, planned: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Units by day and arm, and the share of each arm in all units so far.

    Columns: `day`, `variant`, the control first, `units` (that joined on that day), `share` (of all units up to that
    day), `planned` (share), `low` and `high`: the range of shares of a valid test at the level of the check, for one
    arm on one day. With two arms, the last day is outside of it exactly where the sample ratio check fails. Days
    without units are left out; without times in every arm there is no row.
    """
    units = Measured.of(experiment)
    plan = sample_ratio(units, control, dict(planned) if planned else None).table.set_index("variant")["planned"]
    if not units.joined:
        return pd.DataFrame(columns=["day", "variant", "units", "share", "planned", "low", "high"])
    wide = units.cells([(units.joined, "variant")])[0].drop(NONE, errors="ignore")
    wide = wide.reindex(columns=plan.index, fill_value=0).sort_index()
    so_far = wide.cumsum()
    share, size = so_far.div(so_far.sum(axis=1), axis=0), so_far.sum(axis=1).to_numpy()[:, None]
    reach = norm.isf(SAMPLE_RATIO_ALPHA / 2) * np.sqrt((plan * (1 - plan)).to_numpy() / size)
    days = pd.to_datetime(wide.index).astype("datetime64[us]")
    return pd.DataFrame(
        {
            "day": np.repeat(days, len(plan)), "variant": np.tile(plan.index, len(wide)), "units": wide.to_numpy().ravel(),
            "share": share.to_numpy().ravel(), "planned": np.tile(plan, len(wide)),
            "low": (plan.to_numpy() - reach).ravel(), "high": (plan.to_numpy() + reach).ravel(),
        }
    )  # fmt: skip


def plain(name: str) -> str:
    """A name without what is easily overlooked: case, blanks, also invisible ones, hyphens and underscores inside.

    Examples
    --------
    >>> plain("Control\u200b "), plain("new-mail") == plain("New mail"), plain("-1") == plain("1")
    ('control', True, False)
    """
    kept = [sign for sign in unicodedata.normalize("NFKC", name).casefold() if unicodedata.category(sign) != "Cf"]
    return re.sub(r"\s|_|(?<=\w)-", "", "".join(kept))
