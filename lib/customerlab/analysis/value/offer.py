"""What a retention offer would bring: arithmetic on predicted churn, a cost, a margin and an assumed success rate."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.inference import enough, influence, percentile_interval, resampled, too_few
from customerlab.formats import interval, percent, short
from customerlab.wording import Led

SHARES = np.arange(101) / 100
RESAMPLES = 400


@dataclass(frozen=True)
class Offer:
    """The profit of a retention offer among customers whose churn is known.

    Attributes
    ----------
    cost, margin, success, value : float
        As assumed; `value` is the mean over customers.
    break_even : float
        The probability of churn from which a contact pays, at the mean value; infinite where none does.
    curve : DataFrame
        `share` of customers contacted, highest expected profit first, and `profit` with `low` and `high`.
    chosen : DataFrame
        One row each for the customers to contact and for all: `contacted` (break-even, everybody), `customers`,
        `share`, `churned`, `profit`, `low`, `high`.
    more : tuple of float
        Profit of the first of these less that of the second, with its interval.
    """

    cost: float
    margin: float
    success: float
    value: float
    break_even: float
    curve: pd.DataFrame
    chosen: pd.DataFrame
    more: tuple[float, float, float]


def offer(
    test: pd.DataFrame, model: str, *, cost: float, margin: float, success: float, value: "float | pd.Series", seed: int
) -> Offer:
    """The profit of contacting customers in the order of their predicted probability of churn.

    A contact brings ``success · churned · margin · value - cost``. Customers are contacted whose predicted probability
    p is at or above the break-even, ``p · success · margin · value >= cost``. So nothing is chosen by outcomes of the
    customers that the profit is of.

    Parameters
    ----------
    test : DataFrame
        One row per customer, sorted by id: `customer_id`, `churned`, and the probability in a column of the model's
        name.
    cost : float
        Of a contact, with what is given away: paid for all who are contacted, those who would have stayed included.
    margin : float
        The share of revenue that is profit, above 0 and at most 1.
    success : float
        The share of those about to churn who stay thanks to the offer, above 0 and at most 1: an assumption.
    value : float or Series
        Revenue of a customer who stays, in the time for which churn is predicted; from other customers than these or
        from earlier days, such as `Churn.stay_value`. By `customer_id`, or one for all.

    Returns
    -------
    Offer
        Intervals are 95% percentile bootstrap over customers (Efron 1979), on the curve for each share alone.

    Raises
    ------
    ValueError
        If a rate, the cost or the value is not as above.

    Notes
    -----
    The profit is that of Neslin, Gupta, Kamakura, Lu and Mason (2006, Journal of Marketing Research 43(2)) with the
    incentive in the cost, and without fixed costs. It assumes that success is the same for all who are about to churn,
    that who is won back spends as one who stays, and that the contact drives nobody away.

    Examples
    --------
    >>> test = pd.DataFrame({
    ...     "customer_id": ["ann", "bob", "cat"], "churned": [True, False, False], "model": [0.9, 0.6, 0.1],
    ... })
    >>> found = offer(test, "model", cost=2.0, margin=0.5, success=0.2, value=50.0, seed=1)
    >>> found.break_even, found.chosen[["contacted", "customers", "profit"]].values.tolist()
    (0.4, [['break-even', 2, 1.0], ['everybody', 3, -1.0]])
    """
    if not (np.isfinite(cost) and cost >= 0 and 0 < margin <= 1 and 0 < success <= 1):
        raise ValueError(
            f"cost {cost:g}, margin {margin:g} and success {success:g}; expected a cost of at least 0, a margin and a rate "
            "of success above 0 and at most 1"
        )
    worth = (
        test["customer_id"].map(value).to_numpy(float) if isinstance(value, pd.Series) else np.full(len(test), value)
    )
    if not np.isfinite(worth).all():
        raise ValueError("the value of a customer who stays is missing; expected a number for every customer")
    kept = success * margin * worth
    gain = kept * test["churned"].to_numpy(float) - cost
    expected = (kept * test[model].to_numpy(float) - cost).round(9)
    at_mean = success * margin * float(worth.mean())
    contacted, everybody = expected >= 0, np.ones(len(test), dtype=bool)
    each = np.column_stack([gain * contacted, gain, gain * contacted - gain])
    drawn = [block @ each for block in resampled(len(test), seed, RESAMPLES)]
    ends = percentile_interval(np.concatenate(drawn))
    rows = [
        (name, int(who.sum()), who.mean(), int(test.loc[who, "churned"].sum()), gain[who].sum(), *ends[:, place])
        for place, (name, who) in enumerate({"break-even": contacted, "everybody": everybody}.items())
    ]
    columns = ["contacted", "customers", "share", "churned", "profit", "low", "high"]
    return Offer(
        cost, margin, success, float(worth.mean()), cost / at_mean if at_mean > 0 else np.inf,
        _curve(expected, gain, seed), pd.DataFrame(rows, columns=columns).round({"profit": 9}),
        (float(each[:, 2].sum()), float(ends[0, 2]), float(ends[1, 2])),
    )  # fmt: skip


def _curve(expected: np.ndarray, gain: np.ndarray, seed: int) -> pd.DataFrame:
    """Profit by the share contacted, a straight line across customers of equal expected profit."""
    order = np.argsort(-expected, kind="stable")
    begins = np.flatnonzero(np.diff(expected[order], prepend=np.inf))

    def profit(weights: np.ndarray) -> np.ndarray:
        customers, money = (
            np.append(0, np.add.reduceat(part[order], begins).cumsum()) for part in (weights, weights * gain)
        )
        return np.interp(SHARES, customers / customers[-1], money)

    drawn = [profit(weights) for block in resampled(len(gain), seed, RESAMPLES) for weights in block]
    low, high = percentile_interval(np.array(drawn))
    return pd.DataFrame({"share": SHARES, "profit": profit(np.ones(len(gain))), "low": low, "high": high})


def offer_sentences(found: Offer, currency: str, *, largest: float = 0.0) -> list[str]:
    """Whom to contact, what that brings, and what is assumed; `largest` is the share of one customer in the value."""
    best, everybody = found.chosen.to_dict("records")
    own = [note for note in (influence(largest, "customer"),) if note]
    terms = (
        f"A contact costs {_money(found.cost)} {currency} and the margin is {percent(found.margin)}. Of those about to churn, "
        f"{percent(found.success)} are assumed to stay thanks to the offer, and to spend {_money(found.value)} {currency} "
        f"each{f' ({own[0]})' if own else ''}, as customers with as many orders who "
        "stay. At half the rate or half the spend it takes twice the probability to pay."
    )
    caution = (
        "The profit is arithmetic on this rate of success, taken as the same for all who are about to churn, with the cost paid for "
        "customers who would have stayed as well. Only an experiment measures the success of an offer."
    )
    return [_decision(found, best, everybody, currency), terms, caution]


def _decision(found: Offer, best: dict, everybody: dict, currency: str) -> str:
    """Whom to contact: nobody, those above the break-even, everybody, or not known."""
    if found.break_even > 1 and not best["customers"]:
        return Led(
            "No offer pays at these costs", ": a contact costs more than it brings even if the customer would churn."
        )
    pays = f"a contact pays from a probability of churn of {percent(found.break_even)}"
    if not best["customers"]:
        return Led("No offer pays at these costs", f": {pays}, which no customer reaches.")
    if not enough(best["churned"]):
        few = too_few(best["churned"], "of them churned")
        return Led(
            "Whether an offer pays is inconclusive", f": {pays}, which {best['customers']:,} customers reach; {few}."
        )
    everyone, (difference, low, high) = best["customers"] == everybody["customers"], found.more
    whom = "everybody" if everyone else f"the {percent(best['share'])} with the highest expected profit"
    lead = f"Contact {whom}, if the offer keeps {percent(found.success)} of those about to churn as assumed"
    if best["low"] <= 0:
        lead = "No offer pays at these costs" if best["high"] < 0 else "Whether an offer pays is inconclusive"
    more = f", {_money(difference)} ({interval(low, high, _money)}) more than from contacting everybody"
    return Led(
        lead,
        f": {pays}. The profit from {best['customers']:,} of the {everybody['customers']:,} customers in the test is "
        f"{_profit(best, currency)}{'' if everyone else more}.",
    )


def _profit(row: dict, currency: str) -> str:
    return f"{_money(row['profit'])} {currency} ({interval(row['low'], row['high'], _money)})"


def _money(value: float) -> str:
    return short(value) if abs(value) >= 100 else f"{value:,.2f}"
