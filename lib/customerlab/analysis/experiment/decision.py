"""From effects to a decision: what is saved, the table that a manager reads, and the sentences that it supports."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from customerlab.analysis.experiment.compare import Metric

SAVED = {
    "metric": "outcome", "variant": "variant", "against_mean": "control_mean", "variant_mean": "variant_mean",
    "effect": "effect", "effect_low": "effect_low", "effect_high": "effect_high", "relative": "relative",
    "relative_low": "relative_low", "relative_high": "relative_high", "pvalue": "pvalue", "pvalue_holm": "pvalue_holm",
    "pvalue_bh": "pvalue_bh",
}  # fmt: skip
"""Columns of the artefact `experiment_effects`, by those of `compare_arms`."""

CLEAR = {1: "higher", -1: "lower", 0: "not to be told from no effect"}


def no_effects() -> pd.DataFrame:
    """The table of effects, as `compare_arms` returns it, of a test that is not sound: it has none."""
    texts = ("metric", "variant", "against")
    return pd.DataFrame(
        {name: pd.Series(dtype="str" if name in texts else "float64") for name in ["against", "error", *SAVED]}
    )


def saved(effects: pd.DataFrame) -> pd.DataFrame:
    """The effects in the form of the artefact: one row an outcome or ratio and arm, all compared with the control."""
    return effects[list(SAVED)].rename(columns=SAVED)


def decision(
    effects: pd.DataFrame,
    guardrails: pd.DataFrame,
    *,
    confidence: float,
    money: str = "",
    margin: float = 1.0,
    cost_per_unit: float = 0.0,
) -> pd.DataFrame:
    """What a manager reads: each effect, whether it is clear of chance, and what it is worth.

    Parameters
    ----------
    effects, guardrails : DataFrame
        As `compare_arms` returns them; the second of metrics with an allowed fall, or without a row.
    confidence : float
    money : str
        The metric that is money a unit.
    margin : float
        What is kept of it.
    cost_per_unit : float
        Of the treatment.

    Returns
    -------
    DataFrame
        `metric`, `variant`, `effect`, `effect_low`, `effect_high`, `relative`, `sign` (1 or -1 where the effect is
        clear of chance after adjustment, else 0), `verdict`, and `profit`, `profit_low`, `profit_high` a unit: margin
        times effect minus cost, of the metric that is money. A guardrail's row says whether it is shown to hold (sign
        1).
    """
    alpha = 1 - confidence
    rows = []
    for row in effects.to_dict("records"):
        sign = int(np.sign(row["effect"])) if row["pvalue_holm"] < alpha else 0
        one = {name: row[name] for name in ("metric", "variant", "effect", "effect_low", "effect_high", "relative")}
        one |= {"sign": sign, "verdict": CLEAR[sign] if row["pvalue_holm"] >= 0 else "does not vary: cannot be judged"}
        if row["metric"] == money:
            ends = {"": "effect", "_low": "effect_low", "_high": "effect_high"}
            one |= {f"profit{end}": margin * row[name] - cost_per_unit for end, name in ends.items()}
        rows.append(one)
    for row in guardrails.to_dict("records"):
        holds = bool(row["pvalue_holm"] < alpha)
        fall = f"a fall by {100 * row['allowed_fall']:g} % of its mean"
        rows.append(
            {name: row[name] for name in ("variant", "effect", "effect_low", "effect_high", "relative")}
            | {"metric": f"{row['metric']} (guardrail)", "sign": int(holds)}
            | {"verdict": f"holds: {fall} is excluded" if holds else f"{fall} is not excluded"}
        )
    columns = [
        "metric", "variant", "effect", "effect_low", "effect_high", "relative", "sign", "verdict", "profit", "profit_low", "profit_high",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns).astype({name: float for name in columns if name.startswith("profit")})


def for_managers(decided: pd.DataFrame, metrics: Sequence[Metric]) -> pd.DataFrame:
    """The same in words: percentage points for proportions, intervals in one column, money for 1,000 units."""
    shares = {metric.name for metric in metrics if metric.proportion}
    rows = []
    for row in decided.to_dict("records"):
        points = row["metric"].removesuffix(" (guardrail)") in shares
        ends = [_spelled(row[name], points) for name in ("effect", "effect_low", "effect_high")]
        one = {
            "metric": row["metric"], "arm": row["variant"], "effect": ends[0] + (" points" if points else ""),
            "interval": f"{ends[1]} to {ends[2]}" if np.isfinite(row["effect_low"]) else "–",
            "relative": "–" if np.isnan(row["relative"]) else f"{row['relative']:+.1%}", "verdict": row["verdict"],
        }  # fmt: skip
        worth = [1000 * row[name] for name in ("profit", "profit_low", "profit_high")]
        one["worth for 1,000 units"] = "–" if np.isnan(worth[0]) else "{:+,.0f} ({:+,.0f} to {:+,.0f})".format(*worth)
        rows.append(one)
    return pd.DataFrame(rows)


def _spelled(value: float, points: bool) -> str:
    if not np.isfinite(value):
        return "no limit"
    return f"{100 * value:+.2f}" if points else f"{value:+,.4g}"


def recommendation(
    decided: pd.DataFrame, pairs: pd.DataFrame, primary: str, *, control: str, confidence: float
) -> list[str]:
    """The sentences that the table supports.

    An arm is recommended where the primary metric is clearly higher, no guardrail is open, and, where the primary
    metric is money, its interval of profit is above zero. Of several the one with the largest effect is named,
    with what is known of its lead.

    Parameters
    ----------
    decided : DataFrame
        As `decision` returns it.
    pairs : DataFrame
        As `compare_arms` returns it for arms other than the control; may be empty.
    primary : str
        The metric that decides.
    control : str
    confidence : float
    """
    rows = decided[decided["metric"] == primary]
    open_guards = decided[decided["metric"].str.endswith(" (guardrail)") & (decided["sign"] == 0)]
    higher = rows[rows["sign"] == 1]
    good = higher[~higher["variant"].isin(open_guards["variant"]) & ~(higher["profit_low"] <= 0)]
    said = []
    if good.empty:
        said.append(f"**No arm is recommended over {control}** by {primary}.")
    else:
        best = good.sort_values("effect", ascending=False, kind="stable").iloc[0]
        said.append(
            f"**Roll out {best['variant']}**: {primary} is higher by {_with_interval(best, 'effect', confidence)}, clear of "
            f"chance after adjustment for all comparisons{_worth(best, confidence)}."
        )
        said += [
            _lead(pairs, primary, best["variant"], other, confidence)
            for other in good["variant"]
            if other != best["variant"]
        ]
    for row in rows[~rows["variant"].isin(good["variant"])].to_dict("records"):
        found = f"{row['variant']}: {primary} differs by {_with_interval(row, 'effect', confidence)}; {row['verdict']}"
        if row["sign"] == 1:
            guards = open_guards.loc[open_guards["variant"] == row["variant"], "metric"]
            why = [f"the {name} is not shown to hold" for name in guards]
            why += ["the interval of its profit includes loss"] if row["profit_low"] <= 0 else []
            found += f", but {' and '.join(why)}{_worth(row, confidence)}"
        said.append(found + ".")
    return said


def _with_interval(row: Any, name: str, confidence: float) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    limits = f" ({100 * confidence:g}% interval {low:+,.4g} to {high:+,.4g})" if np.isfinite(low) else ""
    return f"{row[name]:+,.4g}{limits}"


def _worth(row: Any, confidence: float) -> str:
    if np.isnan(row["profit"]):
        return ""
    return f"; after margin and cost that is {_with_interval(row, 'profit', confidence)} a unit"


def _lead(pairs: pd.DataFrame, primary: str, best: str, other: str, confidence: float) -> str:
    both = pairs[
        (pairs["metric"] == primary) & pairs["variant"].isin([best, other]) & pairs["against"].isin([best, other])
    ]
    sure = bool((both["pvalue_holm"] < 1 - confidence).any())
    return f"{other} is clearly higher too; that {best} is better than {other} is {'clear' if sure else 'not clear'} of chance."
