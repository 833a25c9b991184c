"""Cadence: how much each message lowers the response to later ones, and whether fewer messages bring more responses."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from customerlab.analysis.inference import LEVEL, enough, too_few, wilson

Values = NDArray[np.float64]
Codes = NDArray[np.integer]
CUSTOMER = "customer_id"
NEEDED = [CUSTOMER, "sent", "campaign", "channel", "held_out"]
UNCHANGED = "no change"
ASSOCIATION = "an association, no effect: no customers were held out at random"
MOST = 4
NUMBERS = pd.Index([*map(str, range(MOST)), f"{MOST}+"])
RIDGE, ROUNDS = 1e-9, 100


def responses(messages: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Messages in one order, with `response`: 0, 1 or a count; missing where not known, but of times 0.

    Lacking columns, missing customers, campaigns or times of sending, and outcomes below zero are a ValueError.

    Examples
    --------
    >>> rows = [("b", pd.Timestamp("2024-05-06"), "May", "email", False, True)]
    >>> responses(pd.DataFrame(rows, columns=[*NEEDED, "clicked"]), "clicked")["response"].tolist()
    [1.0]
    """
    lacking = [name for name in [*NEEDED, outcome] if name not in messages]
    if lacking:
        raise ValueError(f"Messages lack {lacking[0]!r}; expected the columns {[*NEEDED, outcome]}.")
    if messages[[CUSTOMER, "campaign", "sent", "held_out"]].isna().any(axis=None):
        raise ValueError("Messages need a customer, a campaign, a time of sending and held_out in every row.")
    rows = messages[NEEDED].assign(held_out=messages["held_out"].astype(bool))
    for name, column in (("response", outcome), ("unsubscribed", "unsubscribed")):
        values = messages.get(column, pd.Series(np.nan, messages.index))
        values = values.notna() if pd.api.types.is_datetime64_any_dtype(values) else values
        rows[name] = values.astype("Float64").to_numpy(float, na_value=np.nan)
    if (rows["response"] < 0).any():
        raise ValueError(f"The outcome {outcome!r} is below zero in some rows; expected flags, times or counts.")
    return rows.sort_values([*NEEDED, "response", "unsubscribed"], ignore_index=True)


def fit_strata(x: Values, y: Values, n: Values, strata: Codes) -> tuple[Values, Values, Values]:
    """Poisson regression given the sums of strata (Hausman, Hall and Griliches 1984, Econometrica 52), by Newton.

    Of terms x (rows, terms), outcomes y, messages n and codes of strata: coefficients (0 where nothing is known of
    them), expected outcomes, and terms less their means in the stratum.

    Examples
    --------
    >>> found = fit_strata(np.array([[0.0], [1.0]]), np.array([10.0, 5.0]), np.array([99.0, 99.0]), np.array([0, 0]))
    >>> np.exp(found[0]).round(9).tolist()
    [0.5]
    """
    beta, total = np.zeros(x.shape[1]), np.bincount(strata, y)
    for _ in range(ROUNDS):
        weight = n * np.exp(x @ beta)
        share = weight / np.bincount(strata, weight)[strata]
        expected = total[strata] * share
        means = np.array([np.bincount(strata, share * term) for term in x.T]).reshape(len(beta), -1)
        apart = x - means.T[strata]
        information = apart.T @ (expected[:, None] * apart) + RIDGE * np.eye(len(beta))
        step = np.linalg.solve(information, (y - expected) @ apart - RIDGE * beta)
        step /= max(np.abs(step).max(initial=0), 1)
        if np.abs(step).max(initial=0) < 1e-12:
            break
        beta = beta + step
    return beta, expected, apart


def _factor(x: Values, y: Values, rows: pd.DataFrame) -> tuple[list[float], int]:
    """The factor of outcomes per unit of x with its interval and p, and the customers with responses on either side.

    These have responses above and below the stratum's mean of x; where the fewer are not enough, nothing is told. The
    variance is clustered by customer, with residuals corrected for leverage (MacKinnon and White 1985, HC2).
    """
    strata = rows.groupby(["campaign", "channel", "eligible"], dropna=False).ngroup().to_numpy(np.int64)
    beta, expected, apart = fit_strata(x[:, None], y, np.ones(len(y)), strata)
    who, apart = pd.factorize(rows[CUSTOMER])[0], apart[:, 0]
    few = min(len(set(who[(y > 0) & (side > 1e-6)])) for side in (apart, -apart))
    if not enough(few):
        return [np.nan] * 4, few
    information = expected * apart**2
    leverage = expected / np.maximum(np.bincount(strata, y), 1e-300)[strata] + information / information.sum()
    scores = np.bincount(who, (y - expected) * apart / np.sqrt(np.maximum(1 - leverage, 1e-3)))
    error = np.sqrt((scores**2).sum() * len(scores) / (len(scores) - 1)) / information.sum()
    ends = np.exp(beta[0] + norm.ppf((1 + LEVEL) / 2) * error * np.array([0, -1, 1]))
    return [*ends.tolist(), float(2 * norm.sf(abs(beta[0]) / error))], few


@dataclass(frozen=True)
class Cadence:
    """How much each message lowers the response to later ones, and whether fewer messages would bring more responses.

    Attributes
    ----------
    decision : str
        "at most … messages in … days", "no change", or "too few to tell (…)".
    recommended : int or None
        The number of messages in the decision.
    factor, low, high, p : float
        Factor of the response per message received before (1 is no fatigue), 95% interval, p-value; before the split.
    table : DataFrame
        By number of messages `before` ("0" to "3", "4+"), not adjusted, before the split day: `messages`, `outcomes`
        (with a response), `rate`, `low` and `high` (Wilson 1927, 95%), and `unsubscribe_rate` (missing if not known).
    note : str
        That the factor is an association; empty where it is an effect.
    best, present : float
        Number of messages with the most expected responses (infinite without fatigue); mean number from the split on.
    ratio, ratio_low, ratio_high : float
        Responses per customer in such a time with more than the best number of messages over those with just that
        number, from the split day on, and the 95% interval; missing where too few received more.
    """

    decision: str
    recommended: int | None
    factor: float
    low: float
    high: float
    p: float
    table: pd.DataFrame
    note: str
    best: float
    present: float
    ratio: float
    ratio_low: float
    ratio_high: float


def judge_cadence(messages: pd.DataFrame, split_day: pd.Timestamp, outcome: str, *, days: float = 28) -> Cadence:
    """Fit how responses fall with the messages received in the days before, and judge a limit on later messages.

    Customers who receive more messages may be the more active ones. Messages are therefore compared within campaign,
    channel and the number of campaigns that the customer was eligible for in those days, held-out rows included: what
    differs then is chance, if customers were held out per campaign. Without held-out rows they are compared within
    campaign and channel, and the factor is an association. Poisson regression with a variance clustered by customer
    (Liang and Zeger 1986, Biometrika 73) serves for yes and no as well (Zou 2004, Am. J. Epidemiology 159).

    With k messages in the days, each has k - 1 before it, and k r f^(k - 1) responses are expected, for a rate r
    without any before and the factor f: most at k = -1 / ln f, in whole messages at the largest k below 1 / (1 - f).
    Then one more takes as many from the others as it brings. This limit is recommended if the factor's interval, before
    the split day, is below 1, and if from that day on more messages brought fewer responses in all: n times the rate of
    the n-th message, for n above k over n = k, compared in the same way, has an interval below 1. No later messages
    above k mean no change. What unsubscribing costs is left out.

    Parameters
    ----------
    messages : DataFrame
        One row per message or held-out customer: `NEEDED`, the outcome, and `unsubscribed` if known. Messages of the
        first `days` only count as received before others; held-out ones and unknown outcomes are no messages to judge.
    split_day : Timestamp
        A day after all messages leaves the factor of all, and no limit.
    outcome : str
        A column of flags, times or counts, such as `clicked`; there is a response where it is above zero. Responses
        that the message did not cause, such as most orders, bring the factor nearer to 1.
    days : float
        Messages less than so many days before count; of those sent at once none is before another.

    Raises
    ------
    ValueError
        As `responses`.

    Examples
    --------
    >>> judge_cadence(pd.DataFrame(columns=[*NEEDED, "clicked"]), pd.Timestamp("2024-07-01"), "clicked").decision
    'too few to tell (0 customers with responses after more or fewer messages)'
    """
    rows = _counted(messages, outcome, days)
    y, n = np.where(rows["response"] > 0, 1.0, 0.0), rows["number"].to_numpy(float) + 1
    later = (rows["sent"] >= split_day).to_numpy()
    (factor, low, high, p), few = _factor(n[~later], y[~later], rows[~later])
    best = np.inf if factor >= 1 else float(np.ceil(1 / (1 - factor)) - 1)
    among = later & (n >= best)
    over = (n > best)[among].astype(np.float64)
    (*ratio, _), fewer = _factor(over, (n * y)[among], rows[among])
    decision, recommended = UNCHANGED, None
    if np.isnan(factor):
        decision = too_few(few, "customers with responses after more or fewer messages")
    elif high < 1 and over.any() and np.isnan(ratio[0]):
        decision = too_few(fewer, f"customers with later responses at or above {best:.0f} messages")
    elif high < 1 and ratio[2] < 1:
        decision, recommended = f"at most {best:.0f} messages in {days:g} days", int(best)
    present, note = float(n[later].mean()) if later.any() else np.nan, "" if rows["causal"].all() else ASSOCIATION
    return Cadence(decision, recommended, factor, low, high, p, _by_number(rows[~later]), note, best, present, *ratio)


def _counted(messages: pd.DataFrame, outcome: str, days: float) -> pd.DataFrame:
    """Messages of known response, with the numbers of messages and of campaigns eligible for in the days before."""
    rows = responses(messages, outcome)
    who = pd.factorize(rows[CUSTOMER])[0].astype(np.int64)
    sent, within = rows["sent"].to_numpy("datetime64[us]"), np.timedelta64(pd.Timedelta(days=days))
    times, at = np.unique(sent, return_inverse=True)
    begin, end = (who * len(times) + place for place in (np.searchsorted(times, sent - within, side="right"), at))
    for name, keys in (("number", end[~rows["held_out"]]), ("eligible", end)):
        rows[name] = np.searchsorted(keys, end) - np.searchsorted(keys, begin)
    rows["causal"] = bool(rows["held_out"].any())
    rows["eligible"] *= rows["causal"]
    return rows[~rows["held_out"] & rows["response"].notna() & (sent >= times[:1] + within)]


def _by_number(rows: pd.DataFrame) -> pd.DataFrame:
    """The table of `Cadence`."""
    before = pd.Categorical.from_codes(rows["number"].clip(upper=MOST).to_numpy(int), NUMBERS)
    each = rows.assign(before=before, outcome=rows["response"] > 0).groupby("before", observed=False)
    table = each.agg(messages=("outcome", "size"), outcomes=("outcome", "sum")).astype(int)
    table["rate"] = table["outcomes"] / table["messages"]
    table["low"], table["high"] = wilson(table["rate"], table["messages"])
    return table.assign(unsubscribe_rate=each["unsubscribed"].mean()).reset_index()
