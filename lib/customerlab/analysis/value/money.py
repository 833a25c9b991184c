"""The money of orders under Gamma-Gamma, and whether it depends on how many there are, which the model excludes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import digamma
from scipy.stats import norm

from customerlab.analysis.inference import LEVEL, enough, too_few
from customerlab.analysis.value.fitting import Fit, fit
from customerlab.analysis.value.likelihood import Values, gamma_gamma
from customerlab.formats import interval, p_value
from customerlab.wording import Led

ALPHA = 0.05
CORRELATED = 0.1  # a correlation of number and value of orders from which Gamma-Gamma misses the value of many


@dataclass(frozen=True)
class Money:
    """What the money of orders follows.

    Attributes
    ----------
    fit : Fit or None
        Of Gamma-Gamma; None where too few customers have repeat orders of a value above zero.
    independence : dict of str to float
        `correlation` of number and mean value of repeat orders (on logarithms), its 95% interval `low` and `high`, its
        `pvalue`, and `customers`; missing where there are too few, or no variation.
    left_out : int
        Customers with repeat orders whose mean value is not above zero; their order value is predicted from zero.
    notes : tuple of str
        What a reader has to know.
    """

    fit: Fit | None
    independence: dict[str, float]
    left_out: int
    notes: tuple[str, ...]


def fit_money(summary: pd.DataFrame) -> Money:
    """Gamma-Gamma on the mean money of repeat orders, with a test of what it assumes (Fader and Hardie 2013, note 025).

    Parameters
    ----------
    summary : DataFrame
        One row per customer: `x` and `mean`, as `summary` returns them.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1, 2, 0], "mean": [5.0, 7.0, np.nan]})
    >>> fit_money(table).notes
    ('Revenue is not predicted: too few to tell (2 customers with repeat orders above zero).',)
    """
    again = summary["x"] > 0
    known = summary.loc[again & (summary["mean"] > 0), ["x", "mean"]]
    left_out = int(again.sum() - len(known))
    notes = []
    if left_out:
        notes.append(
            f"Repeat orders of {left_out:,} customer{'s' * (left_out > 1)} are worth nothing or less; the model of money leaves them out."
        )
    if not enough(len(known)):
        few = too_few(len(known), "customers with repeat orders above zero")
        return Money(None, {}, left_out, (*notes, Led("Revenue is not predicted", f": {few}.")))
    found = fit(gamma_gamma, known)
    related = independence(known, found.parameters["p"])
    return Money(found, related, left_out, (*notes, *_said(found, related)))


def paid(known: pd.DataFrame) -> tuple[Values, Values]:
    """Repeat orders and their mean money, which is at least nothing."""
    return known["x"].to_numpy(float), known["mean"].fillna(0.0).clip(lower=0.0).to_numpy(float)


def independence(known: pd.DataFrame, p: float) -> dict[str, float]:
    """The correlation of number and value of orders, on logarithms, with an interval that needs no equal variances.

    Money has heavy tails, of which plain correlations find a dependence too often. The mean of a few gamma distributed
    amounts is skewed: its logarithm is expected to be lower by ``log(p x) - digamma(p x)``, which is added first, or
    customers with few orders would seem to spend less. The variance is that of the influence function; the interval is
    on the scale of Fisher's z (1921).

    Parameters
    ----------
    known : DataFrame
        `x` and `mean`, both above zero.
    p : float
        Of Gamma-Gamma.
    """
    rows = known.sort_values(["x", "mean"])
    x, n = rows["x"].to_numpy(float), len(rows)
    table = np.column_stack([np.log(x), np.log(rows["mean"]) + np.log(p * x) - digamma(p * x)])
    spread = table.std(axis=0)
    missing = dict.fromkeys(("correlation", "low", "high", "pvalue"), np.nan)
    if not enough(n) or rows["x"].nunique() < 2 or rows["mean"].nunique() < 2:
        return missing | {"customers": float(n)}
    one, other = ((table - table.mean(axis=0)) / spread).T
    r = float((one * other).mean())
    se = np.std(one * other - r / 2 * (one**2 + other**2)) / np.sqrt(n) / (1 - r**2)
    low, high = np.tanh(np.arctanh(r) + np.array([-1, 1]) * norm.ppf((1 + LEVEL) / 2) * se)
    p_value_ = 2 * norm.sf(abs(np.arctanh(r)) / se)
    return {"correlation": r, "low": float(low), "high": float(high), "pvalue": float(p_value_), "customers": float(n)}


def _said(found: Fit, related: dict[str, float]) -> list[str]:
    """What the assumptions of the model come to."""
    said = []
    r = related["correlation"]
    if np.isnan(r):
        said.append("Whether number and value of orders are independent cannot be tested: they do not vary.")
    else:
        how = (
            f"correlation of logarithms {r:.2f}, {interval(related['low'], related['high'], '{:.2f}')}, {p_value(related['pvalue'])}, "
            f"n = {related['customers']:,.0f}"
        )
        if related["pvalue"] < ALPHA and abs(r) >= CORRELATED:
            more, side = ("more", "under") if r > 0 else ("less", "over")
            lead = f"Customers who order more often spend {more} per order"
            said.append(
                Led(
                    lead,
                    f" ({how}). Gamma-Gamma takes both as independent; it {side}estimates the revenue of frequent customers.",
                )
            )
        else:
            said.append(
                f"Gamma-Gamma takes number and value of orders as independent; no relevant dependence is found ({how})."
            )
    if found.parameters["q"] <= 1:
        said.append(
            Led("The mean value of an order does not exist", ": too few customers spend by far the most (q ≤ 1).")
        )
    elif not found.converged:
        said.append(Led("The model of money did not converge", ": its parameters have no intervals."))
    return said
