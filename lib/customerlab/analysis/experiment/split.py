"""Sample ratio: do the arms have the planned sizes, overall, in every part and by day?"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import chi2, chisquare, norm

from customerlab.analysis.experiment.balance import SAMPLE_RATIO_ALPHA
from customerlab.analysis.experiment.measured import Measured, Units
from customerlab.analysis.experiment.periods import PERIOD, Split, by_period, in_periods
from customerlab.analysis.experiment.stats import NONE
from customerlab.analysis.inference import holm

FEWEST = 5  # expected units of every arm that a chi-squared test needs
Planned = Mapping[str, float] | Split | None


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


def sample_ratio(experiment: Units, control: str, planned: Planned = None) -> SampleRatio:
    """Check the sample ratio against the planned split, before anything else is looked at.

    The planned shares need not sum to one, and are equal by default. Of a split that changes, sizes are compared within
    its periods, by the sum of their chi-squared statistics. ValueError if there is no such arm, fewer than two arms, or
    `planned` names other arms.

    References
    ----------
    Fabijan et al. (2019). Diagnosing sample ratio mismatch in online controlled experiments. KDD.
    """
    units, plan = Measured.of(experiment), Split.of(planned)
    if plan is None or not plan.starts:
        return ratio_of(units.sizes, control, plan.weights[0] if plan else None)
    whole = ratio_of(units.sizes, control, dict.fromkeys(plan.arms, 1.0))
    order = whole.table["variant"].tolist()
    seen = by_period(in_periods(units, plan), PERIOD, order, plan)[1].sum(axis=0, keepdims=True)
    expected, pvalue = _expected(seen, plan.shares(order), fewest=0)
    table = whole.table.assign(planned=expected.sum(axis=(0, 1)) / seen.sum())
    return SampleRatio(table, float(pvalue[0]), bool(pvalue[0] >= SAMPLE_RATIO_ALPHA))


def _expected(seen: np.ndarray, shares: np.ndarray, *, fewest: float) -> tuple[np.ndarray, np.ndarray]:
    """What was to be expected of units by part, period and arm, and the p-value of each part.

    Pearson's statistic is summed over the periods of a part in which every arm that is filled should have the `fewest`
    units; the p-value is NaN without one. A unit in an arm that gets none is a mismatch.
    """
    size = seen.sum(axis=2, keepdims=True)
    expected = size * shares
    tested = (size[..., 0] > 0) & (np.where(shares > 0, expected, np.inf).min(axis=2) >= fewest)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.where(expected > 0, (seen - expected) ** 2 / expected, np.where(seen > 0, np.inf, 0.0)).sum(axis=2)
    df = (tested * ((shares > 0).sum(axis=1) - 1)).sum(axis=1)
    statistic = np.where(tested, apart, 0.0).sum(axis=1)
    return expected, np.where(df > 0, chi2.sf(statistic, np.maximum(df, 1)), np.nan)


def ratio_of(counted: pd.Series, control: str, planned: Mapping[str, float] | None = None) -> SampleRatio:
    """The same of numbers of units by arm, counted before."""
    arms = [*counted.index, *sorted(set(planned or ()) - set(counted.index))]  # a planned arm may have got nobody
    if control not in arms or len(arms) < 2:
        near = [arm for arm in arms if plain(arm) == plain(control) and arm != control]
        hint = f"; {near[0]!r} looks like it: write that" if near else ""
        raise ValueError(
            f"control = {control!r}; the arms are {', '.join(map(repr, arms))}; expected two arms or more, one the control{hint}"
        )
    if planned is not None and (set(planned) != set(arms) or min(planned.values()) <= 0):
        raise ValueError(f"planned = {dict(planned)}; expected a weight above zero for each of the arms {arms}")
    order = [control, *[arm for arm in arms if arm != control]]
    table = pd.DataFrame({"variant": order, "units": counted.reindex(order, fill_value=0).to_numpy()})
    weights = table["variant"].map(planned) if planned else pd.Series(1.0, index=table.index)
    table["share"] = table["units"] / table["units"].sum()
    table["planned"] = weights / weights.sum()
    pvalue = float(chisquare(table["units"], table["planned"] * table["units"].sum()).pvalue)
    return SampleRatio(table, pvalue, pvalue >= SAMPLE_RATIO_ALPHA)


def sample_ratio_by(experiment: Units, by: str, control: str, planned: Planned = None) -> pd.DataFrame:
    """The sample ratio in every part of the test, such as every day (of a time) or every segment.

    A fault that hits some days or some browsers only can be lost in the whole.

    Columns: `part`, `units`, `worst` (the arm that is furthest from its plan), `share`, `planned` (of that arm),
    `pvalue`, `pvalue_holm` (over the parts; NaN where an arm should have fewer than five units), `sound`.
    """
    units, plan, arms = _asked(experiment, control, planned)
    parts, seen = by_period(units, by, arms, plan)
    expected, pvalue = _expected(seen, plan.shares(arms), fewest=FEWEST)
    size = seen.sum(axis=(1, 2))
    share, wanted = (one.sum(axis=1) / size[:, None] for one in (seen, expected))
    worst = np.abs(share - wanted).argmax(axis=1)
    row = np.arange(len(parts))
    table = pd.DataFrame(
        {
            "part": parts, "units": size, "worst": np.array(arms)[worst], "share": share[row, worst],
            "planned": wanted[row, worst], "pvalue": pvalue,
        }
    )  # fmt: skip
    table["pvalue_holm"] = holm(table["pvalue"])
    return table.assign(sound=~(table["pvalue_holm"] < SAMPLE_RATIO_ALPHA))


def _asked(experiment: Units, control: str, planned: Planned) -> tuple[Measured, Split, list[str]]:
    """The units with their periods, the plan, equal where there is none, and the arms, the control first."""
    units, plan = Measured.of(experiment), Split.of(planned or None)
    units = in_periods(units, plan)
    arms = sample_ratio(units, control, plan).table["variant"].tolist()
    return units, plan or Split((dict.fromkeys(arms, 1.0),)), arms


def sample_ratio_over_time(experiment: Units, control: str, planned: Planned = None) -> pd.DataFrame:
    """Units by day and arm, and the share of each arm in all units so far.

    Columns: `day`, `variant`, the control first, `units` (that joined on that day), `share` (of all units up to that
    day), `planned` (share of these), `low` and `high`: the range of shares of a valid test at the level of the check,
    for one arm on one day. With two arms and one split, the last day is outside of it exactly where the sample ratio
    check fails. Days without units are left out; without times in every arm there is no row.
    """
    units, plan, arms = _asked(experiment, control, planned)
    if not units.joined:
        return pd.DataFrame(columns=["day", "variant", "units", "share", "planned", "low", "high"])
    labels, seen = by_period(units, units.joined, arms, plan)
    known = labels != NONE
    days, seen = pd.to_datetime(labels[known]).astype("datetime64[us]"), seen[known]
    shares, size = plan.shares(arms), seen.sum(axis=2, keepdims=True)
    so_far = size.sum(axis=(1, 2)).cumsum()[:, None]
    share = seen.sum(axis=1).cumsum(axis=0) / so_far
    wanted = (size * shares).sum(axis=1).cumsum(axis=0) / so_far
    variance = (size * shares * (1 - shares)).sum(axis=1).cumsum(axis=0)
    reach = norm.isf(SAMPLE_RATIO_ALPHA / 2) * np.sqrt(variance) / so_far
    return pd.DataFrame(
        {
            "day": np.repeat(days, len(arms)), "variant": np.tile(arms, len(days)), "units": seen.sum(axis=1).ravel(),
            "share": share.ravel(), "planned": wanted.ravel(), "low": (wanted - reach).ravel(),
            "high": (wanted + reach).ravel(),
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
