"""What to do with each model: keep, watch, recalibrate or refit, by rules whose false alarms are bounded."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.inference import LEAST, holm, too_few
from customerlab.formats import interval, p_value, percent

KEEP, WATCH, RECALIBRATE, REFIT = "keep", "watch", "recalibrate", "refit"
LEVEL = 0.05
LEAST_GAIN = 0.02  # of the loss: models of equal worth differ a little from fit to fit
LEAST_BIAS = 0.1  # of a total, that is worth a change
NEW_PRODUCTS = 0.1, 0.25  # of what customers buy, from which lists are watched, and made anew

RULES = pd.DataFrame(
    [
        (REFIT, f"the challenger's loss on the same customers is lower by {LEAST_GAIN:.0%} or more, significantly (Holm-adjusted)"),
        (RECALIBRATE, f"totals are biased by {LEAST_BIAS:.0%} or more, significantly (Holm-adjusted), and more than a year before"),
        (WATCH, "inputs have changed significantly (Holm-adjusted) and the loss has not; or totals are biased and no year before is known"),
        (KEEP, "none of these, or too few outcomes to tell"),
    ],
    columns=["decision", "rule"],
)  # fmt: skip
"""The rules; the first that holds decides. Refit and recalibrate share one family of tests, watch has another."""


def decide(trials: Sequence[Mapping[str, object]], drifted: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The decision on each model.

    In a shop in which nothing changes, any model is refitted or recalibrated with a probability of at most 5%, and
    another 5% that one is watched: p-values are adjusted by Holm over all models.

    Parameters
    ----------
    trials : sequence of mapping
        Rows of `challenge.compared`.
    drifted : mapping of str to sequence of str
        By model, the names of its inputs that have changed significantly.

    Returns
    -------
    DataFrame
        The rows with `p_holm` and `p_bias_holm`, `decision`, `promote` (whether the challenger replaces the champion)
        and `reason`, a sentence.
    """
    table = pd.DataFrame(list(trials))
    known = table["outcomes"] >= LEAST
    both = holm(pd.concat([table["p"].where(known), table["p_bias"].where(known)], ignore_index=True))
    table["p_holm"], table["p_bias_holm"] = both.iloc[: len(table)].to_numpy(), both.iloc[len(table) :].to_numpy()
    found = [_decided(row, drifted.get(str(row["model"]), ())) for row in table.to_dict("records")]
    table["decision"], table["reason"] = ([one[place] for one in found] for place in (0, 1))
    return table.assign(promote=table["decision"] == REFIT)


def _decided(row: Mapping, drifted: Sequence[str]) -> tuple[str, str]:
    """The decision on one model, and why."""
    if row["outcomes"] < LEAST:
        return KEEP, f"There are {too_few(row['outcomes'], 'customers with the rarer outcome')}."
    losses = f"{row['measure']} {row['champion']:.4g} against {row['challenger']:.4g}"
    more = f"difference {row['less']:.3g}, unadjusted {interval(row['low'], row['high'], '{:.3g}')}, Holm-adjusted {p_value(row['p_holm'])}"
    if row["p_holm"] < LEVEL and row["less"] >= LEAST_GAIN * row["champion"]:
        return (
            REFIT,
            f"The challenger predicts significantly better: {losses} ({more}; {row['customers']:,} customers).",
        )
    refit = f"A refit {_compared(row)}"
    if row["p_bias_holm"] < LEVEL and abs(row["bias"]) >= LEAST_BIAS:
        side = "above" if row["bias"] > 0 else "below"
        ends = interval(100 * row["bias_low"], 100 * row["bias_high"], "{:+.0f}%")
        p = p_value(row["p_bias_holm"])
        reason = f"Expected totals are {percent(abs(row['bias']))} {side} those that came ({ends}, Holm-adjusted {p}). {refit}."
        if row["season"]:
            return RECALIBRATE, reason
        return WATCH, f"{reason} The log has no such period a year before, so it may be the season."
    if drifted:
        return WATCH, f"Changed significantly: {', '.join(drifted)}. {refit} ({losses}; {more})."
    return KEEP, f"{refit}: {losses} ({more})."


def _compared(row: Mapping) -> str:
    """How a refit does beside the champion."""
    if np.isnan(row["p_holm"]) or row["p_holm"] >= LEVEL:
        return "does not predict significantly better"
    if row["less"] < 0:
        return "predicts significantly worse"
    return f"predicts significantly better, but by less than {LEAST_GAIN:.0%}"


@dataclass(frozen=True, eq=False)
class Champions:
    """The models that serve and can be judged.

    Attributes
    ----------
    day : Timestamp
        That of the oldest of them; where there is none, so many weeks ago.
    models : dict of str to object
        By what they are called in decisions; None for those that do not serve or are too recent.
    recent : DataFrame
        The decisions on those that are too recent: `model`, `decision`, `promote` and `reason`.
    """

    day: pd.Timestamp
    models: Mapping[str, Any]
    recent: pd.DataFrame


def champions(
    today: pd.Timestamp, served: Mapping[str, tuple[Any, pd.Timestamp | None]], *, weeks: int, period: int
) -> Champions:
    """The models that serve and were made before the day from which outcomes count.

    Parameters
    ----------
    today : Timestamp
    served : mapping of str to tuple
        By model: the version that serves and the day as of which it was made, both None where none serves.
    weeks, period : int
        Age of a champion where none can be judged, and weeks in which outcomes are counted.

    Examples
    --------
    >>> day = pd.Timestamp("2024-07-01")
    >>> found = champions(day, {"a": ("old", day - pd.Timedelta(weeks=30)), "b": ("new", day)}, weeks=26, period=13)
    >>> found.models, found.recent["model"].tolist(), f"{found.day:%Y-%m-%d}"
    ({'a': 'old', 'b': None}, ['b'], '2023-12-04')
    """
    begin = today - pd.Timedelta(weeks=period)
    days = {model: day for model, (_, day) in served.items() if day is not None}
    rows = [
        (model, KEEP, False, f"It is of {day:%Y-%m-%d}, and outcomes are counted from {begin:%Y-%m-%d}.")
        for model, day in days.items() if day > begin
    ]  # fmt: skip
    known = {model: day for model, day in days.items() if day <= begin}
    return Champions(
        min(known.values(), default=today - pd.Timedelta(weeks=weeks)),
        {model: one if model in known else None for model, (one, _) in served.items()},
        pd.DataFrame(rows, columns=["model", "decision", "promote", "reason"]),
    )


def on_products(found: Mapping[str, float]) -> dict[str, object]:
    """The decision on lists of recommendations, from `activity.turnover`."""
    row: dict[str, object] = {"model": "recommender", "customers": int(found["customers"]), "promote": False}
    if np.isnan(found["share"]):
        return row | {"decision": KEEP, "reason": f"There are {too_few(found['customers'], 'customers who ordered')}."}
    low = found["low"]
    decision = REFIT if low >= NEW_PRODUCTS[1] else WATCH if low >= NEW_PRODUCTS[0] else KEEP
    reason = (
        f"Products that were not on sale when lists were made are {percent(found['share'])} of what customers bought since "
        f"({interval(found['low'], found['high'], percent)}; {found['new']:,.0f} of {found['products']:,.0f} products)."
    )
    return row | {"decision": decision, "reason": reason}


def on_groups(served: Any, made: Any) -> list[dict[str, object]]:
    """The decision where all customers are one group in the segmentation that serves, and clusters are recommended now.

    These have passed the gates of the comparison of clusterings; one group has nothing to be compared with here.
    """
    if not served or not made or len(served.names) > 1 or len(made.names) == 1:
        return []
    reason = f"{len(made.names)} clusters are recommended now; in the version that serves all customers are one group."
    return [{"model": "segmentation", "decision": REFIT, "promote": True, "reason": reason}]


ARTEFACTS = {"RFM thresholds": "rfm_thresholds", "segmentation": "segmentation", "value model": "value_model"}


def as_artefact(decided: pd.DataFrame, made: Collection[str]) -> pd.DataFrame:
    """The decisions on models that are artefacts: `model` (the artefact), `decision`, `promote` and `reason`."""
    table = decided.assign(model=decided["model"].map(ARTEFACTS))
    return table.loc[table["model"].isin(made), ["model", "decision", "promote", "reason"]].reset_index(drop=True)
