"""Channel: which channel for whom, and whether a channel per segment beats one for all on later messages."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.campaign.cadence import CUSTOMER, Values, fit_strata, responses
from customerlab.analysis.inference import LEVEL, enough, percentile_interval, resampled, too_few

UNKNOWN = "no segment"
RULES = ONE, SEGMENT = "one channel for all", "a channel per segment"
KEYS = ["segment", "channel"]
RESAMPLES, GRID = 2_000, 200


@dataclass(frozen=True)
class Balance:
    """Whether channels depend on segments: a statistic, its degrees of freedom, and p (missing without any)."""

    statistic: float
    df: int
    p: float


def channel_balance(messages: pd.DataFrame, segments: pd.Series) -> Balance:
    """Test whether channels are independent of segments within campaigns, as they are if drawn at random.

    The generalised Cochran–Mantel–Haenszel test of general association (Landis, Heyman and Koch 1978, International
    Statistical Review 46) of the messages that `judge_channels` takes, known outcome or not. A channel drawn once per
    customer, not per message, makes p too small.

    Examples
    --------
    >>> mails = pd.DataFrame({"customer_id": list("abcd"), "campaign": "May", "held_out": False,
    ...                       "channel": ["email", "email", "letter", "letter"]})
    >>> channel_balance(mails, pd.Series(list("RRTT"), list("abcd"))).statistic
    3.0
    """
    sent = messages[~messages["held_out"].astype(bool) & messages["channel"].notna()]
    of = sent[CUSTOMER].map(segments).astype(object).fillna(UNKNOWN)
    axes = [pd.factorize(values, sort=True) for values in (sent["campaign"], of, sent["channel"])]
    cells = np.zeros([len(names) for _, names in axes])
    np.add.at(cells, tuple(codes for codes, _ in axes), 1)
    row, column, n = cells.sum(axis=2)[:, :-1], cells.sum(axis=1)[:, :-1], cells.sum(axis=(1, 2))
    apart = (cells[:, :-1, :-1] - np.einsum("hi,hk,h->hik", row, column, 1 / n)).sum(axis=0).ravel()
    both = [np.einsum("h,hi,ij->hij", n, m, np.eye(m.shape[1])) - m[:, :, None] * m[:, None] for m in (row, column)]
    variance = np.einsum("h,hij,hkl->ikjl", 1 / (n**2 * np.maximum(n - 1, 1)), *both).reshape(apart.size, apart.size)
    df = int(np.linalg.matrix_rank(variance, hermitian=True)) if apart.size else 0
    statistic = float(apart @ np.linalg.pinv(variance, hermitian=True) @ apart) if df else 0.0
    return Balance(statistic, df, float(stats.chi2.sf(statistic, df)) if df else np.nan)


@dataclass(frozen=True)
class Judged:
    """Whether a channel per segment beats one for all on later messages.

    Attributes
    ----------
    decision : str
        One of `RULES`, or "too few to tell (…)".
    rules : DataFrame
        One row per rule: `rule`, `value` (outcomes per later message, by weighting) and `expected` (as predicted).
    gains : DataFrame
        One row: `rule`, `over`, `gain` (difference of values), `low`, `high` (95%), and `differing` (customers whose
        outcomes count differently); no interval where these are too few, from 0 to 0 where both rules are the same.
    by : DataFrame
        One row per segment and channel: `messages`, `rate` (outcomes per message; missing without messages),
        `shrunken` (expected rate if all messages of the segment had the channel), `low`, `high` (95%; missing where
        the segment or the channel has no outcomes), and `best`.
    channel : str
        The best one for all, and for segments that are new.
    customers, messages : int
        Later messages judged, and their customers.
    """

    decision: str
    rules: pd.DataFrame
    gains: pd.DataFrame
    by: pd.DataFrame
    channel: str
    customers: int
    messages: int


def judge_channels(
    messages: pd.DataFrame, split_day: pd.Timestamp, segments: pd.Series, outcome: str, *, seed: int
) -> Judged:
    """Compare one channel for all and a channel per segment on messages from the split day on.

    Rates before that day are those of a Poisson regression within campaigns on segment and channel, times the ratio of
    outcomes to those expected, which is shrunken towards 1 (gamma–Poisson, Clayton and Kaldor 1987, Biometrics 43;
    uniform shrinkage prior, Daniels 1999, Canadian Journal of Statistics 27). Segments thus have the channels' common
    order unless their own outcomes say otherwise, and a segment that responds little is not drawn to others' level.

    A rule's value is Horvitz and Thompson's (1952): outcomes of later messages whose channel is the rule's, over the
    channel's share of its campaign. For one channel that is the mean of campaigns' rates weighted by their messages.
    Normalised weights would gain little, as most outcomes are 0; without them sums are linear in customers. The
    interval is percentile bootstrap over customers with these shares fixed, which is conservative. Only campaigns in
    which all recommended channels occur are judged. The gain is an effect only if channels were drawn at random within
    campaigns (see `channel_balance`); else it is an association: who is sent letters may respond more to anything.

    Parameters
    ----------
    messages : DataFrame
        One row per message: `cadence.NEEDED` and the outcome. Held-out rows and those without a channel or a known
        outcome are left out.
    split_day : Timestamp
    segments : Series
        Segment by customer, as known on the split day; customers without one are in a segment of their own.
    outcome : str
        A column of flags, times or counts, such as `converted` or `orders_after`.
    seed : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        As `cadence.responses`, and where no messages were sent before the split day or none from then on.

    Examples
    --------
    >>> names, day = ["customer_id", "segment", "campaign", "sent", "channel"], pd.Timestamp("2024-05-01")
    >>> rows = [(f"c{n}", "RT"[(n // 2) % 2], f"M{m}", day + pd.Timedelta(days=m), ("email", "letter")[(n + m) % 2])
    ...         for n in range(80) for m in range(8)]
    >>> mails = pd.DataFrame(rows, columns=names).assign(held_out=False)
    >>> mails["clicked"] = (mails["segment"] == "R") == (mails["channel"] == "email")
    >>> of = mails.groupby("customer_id")["segment"].first()
    >>> found = judge_channels(mails, day + pd.Timedelta(days=4), of, "clicked", seed=1)
    >>> found.decision, found.rules["value"].tolist()
    ('a channel per segment', [0.5, 1.0])
    """
    rows = responses(messages, outcome)
    rows = rows[~rows["held_out"] & rows["channel"].notna() & rows["response"].notna()]
    rows["segment"] = rows[CUSTOMER].map(segments).astype(object).fillna(UNKNOWN)
    early, later = rows[rows["sent"] < split_day], rows[rows["sent"] >= split_day]
    if early.empty or later.empty:
        raise ValueError("No messages were sent before the split day, or none from it on; choose another day.")
    by = _rates(early)
    whole = by.groupby("segment")["messages"].transform("sum") / len(early)
    overall = (by["shrunken"] * whole).groupby(by["channel"]).sum()
    best = str(overall.round(12).idxmax())
    own = by[by["best"]].set_index("segment")["channel"]
    later = later.assign(one=best, own=later["segment"].map(own).fillna(best))
    shares = pd.crosstab(later["campaign"], later["channel"], normalize="index")
    judged = shares.reindex(columns=list({best, *later["own"]}), fill_value=0.0).gt(0).all(axis=1)
    later = later[later["campaign"].map(judged)]
    share = shares.stack().reindex(pd.MultiIndex.from_frame(later[["campaign", "channel"]])).to_numpy()
    hits = later[["one", "own"]].eq(later["channel"], axis=0).mul(later["response"] / share, axis=0)
    sums = hits.assign(n=1.0).groupby(later[CUSTOMER]).sum().to_numpy()
    fitted = by.set_index(KEYS)["shrunken"]
    places = [pd.MultiIndex.from_frame(later[["segment", rule]]) for rule in ("one", "own")]
    expected = [fitted.reindex(at).fillna(overall[best]).mean() for at in places]
    rules = pd.DataFrame({"rule": RULES, "value": hits.mean().to_numpy(), "expected": expected})
    gains = _gains(sums, seed, same=set(own) == {best})
    return Judged(_decision(gains, early, later), rules, gains, by, best, len(sums), len(later))


def _rates(early: pd.DataFrame) -> pd.DataFrame:
    """Rates by segment and channel, shrunken towards what segment and channel give without an interaction."""
    each = early.assign(square=early["response"] ** 2).groupby(["campaign", *KEYS])
    cells = each.agg(n=("response", "size"), total=("response", "sum"), square=("square", "sum")).reset_index()
    n, total = cells["n"].to_numpy(float), cells["total"].to_numpy(float)
    terms = [_contrasts(cells, name) for name in KEYS]
    beta, expected, _ = fit_strata(np.hstack(terms), total, n, cells.groupby("campaign").ngroup().to_numpy())
    factor = np.exp(terms[1] @ beta[terms[0].shape[1] :])
    some = expected > 0
    spread = (cells["square"] * n / expected - 2 * total + expected)[some].sum() / max(n[some].sum(), 1)
    cells = cells.assign(expected=expected, level=expected / factor)
    grid = pd.MultiIndex.from_product([sorted(set(early[name])) for name in KEYS], names=KEYS)
    sums = cells.groupby(KEYS)[["n", "total", "expected", "level"]].sum().reindex(grid, fill_value=0.0)
    whole = sums.groupby("segment")[["level", "n"]].transform("sum")
    of = dict(zip(cells["channel"], factor.tolist(), strict=True))
    base = (whole["level"] / whole["n"]).to_numpy() * grid.get_level_values("channel").map(of).to_numpy()
    table = pd.DataFrame({"messages": sums["n"].astype(int), "rate": sums["total"] / sums["n"].where(sums["n"] > 0)})
    table[["shrunken", "low", "high"]] = (base * _ratios(sums, max(spread, 1e-9))).T
    table = table.reset_index()
    return table.assign(best=table.index.isin(table["shrunken"].round(12).groupby(table["segment"]).idxmax()))


def _contrasts(cells: pd.DataFrame, name: str) -> Values:
    """An indicator of each channel or segment but the one with the most outcomes."""
    outcomes = cells.groupby(name)["total"].sum()
    return pd.get_dummies(cells[name]).drop(columns=outcomes.idxmax()).to_numpy(float)


def _ratios(sums: pd.DataFrame, spread: float) -> Values:
    """Outcomes over expected ones by segment and channel, shrunken towards 1, with the ends of their intervals.

    A mixture of gamma distributions over a grid of the weight that 1 has in a cell of mean size, by a normal
    likelihood of what degrees of freedom the regression leaves. The expected outcomes' own variance (of a log-linear
    model without interaction) counts as far as they do. Outcomes are in units of their spread, variance over mean.
    """
    outcomes, expected = (sums[name].to_numpy() / spread for name in ("total", "expected"))
    if not outcomes.sum():
        return np.array([np.ones(len(sums)), *np.full((2, len(sums)), np.nan)])
    margins = [sums.groupby(name)["total"].transform("sum").to_numpy() / spread for name in KEYS]
    own = sum(1 / np.maximum(one, 0.5) for one in margins) - 1 / outcomes.sum()
    cells = expected > 1e-6
    free = max(cells.sum() - sum(sums.index[cells].get_level_values(name).nunique() for name in KEYS) + 1, 0)
    part = ((np.arange(GRID) + 0.5) / GRID)[:, None]
    prior = expected[cells].mean() * part / (1 - part)
    excess, misfit = 1 + expected[cells] / prior, (outcomes - expected)[cells] ** 2 / expected[cells]
    fit = -(np.log(excess) * free / cells.sum() + misfit / excess).sum(axis=1) / 2
    chance = np.exp(fit - fit.max()) / np.exp(fit - fit.max()).sum() if free else np.eye(GRID)[-1]
    mean, pull = (outcomes + prior) / (expected + prior), prior / (expected + prior)
    middle = chance @ mean
    variance = chance @ (mean / (expected + prior) + (pull * mean) ** 2 * own + mean**2) - middle**2
    ends = stats.gamma.ppf([[(1 - LEVEL) / 2], [(1 + LEVEL) / 2]], middle**2 / variance, scale=variance / middle)
    return np.array([middle, *np.where(np.minimum(*margins) > 0, ends, np.nan)])


def _gains(sums: Values, seed: int, *, same: bool) -> pd.DataFrame:
    """The difference of the rules' values, with an interval where enough customers' outcomes differ."""
    pair = np.column_stack([sums[:, 1] - sums[:, 0], sums[:, 2]])
    differing = int((np.abs(pair[:, 0]) > 1e-12).sum())
    gain, low, high = pair[:, 0].sum() / pair[:, 1].sum() if len(pair) else np.nan, np.nan, np.nan
    if len(pair) and (same or enough(differing)):
        drawn = np.concatenate([block @ pair for block in resampled(len(pair), seed, RESAMPLES)])
        low, high = percentile_interval(drawn[:, 0] / drawn[:, 1])
    names = ["rule", "over", "gain", "low", "high", "differing"]
    return pd.DataFrame([[SEGMENT, ONE, gain, low, high, differing]], columns=names)


def _decision(gains: pd.DataFrame, early: pd.DataFrame, later: pd.DataFrame) -> str:
    """The rule that is recommended, or that there are too few outcomes to tell."""
    for rows, when in ((early, "earlier"), (later, "later")):
        number = rows.loc[rows["response"] > 0, CUSTOMER].nunique()
        if not enough(number):
            return too_few(number, f"customers with {when} responses")
    low, differing = gains[["low", "differing"]].iloc[0]
    if np.isnan(low):
        return too_few(differing, "customers for whom the channels differ in later responses")
    return SEGMENT if low > 0 else ONE
