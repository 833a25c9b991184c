"""Send time: when to write to whom, and whether a personal time beats one time for all on later events.

Times are those of orders, or of other acts that customers begin themselves. Responses to messages do not serve: they
happen when messages are sent, so that their times show the sender's habits, unless sending times were drawn at random.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaln, gammaln, psi

from customerlab.analysis.inference import LEVEL, enough, percentile_interval, resampled, too_few

Values = NDArray[np.float64]
Slots = Callable[[pd.Series], "pd.Categorical[str]"]
CUSTOMER = "customer_id"
UNKNOWN = "no segment"
SHOP, SEGMENT, PERSONAL = "one time for all", "a time per segment", "a time per customer"
RULES = (SHOP, SEGMENT, PERSONAL)
COMPARISONS = ((1, 0), (2, 0), (2, 1))
RESAMPLES = 2_000
LOG_STRENGTH = (-7.0, 14.0)
ROUNDS = 200
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
PARTS = ("night", "morning", "afternoon", "evening")


def hours_of_day(at: pd.Series) -> "pd.Categorical[str]":
    """The hour of the day in six slots of four hours.

    Examples
    --------
    >>> list(hours_of_day(pd.Series(pd.to_datetime(["2024-05-06 03:59", "2024-05-06 20:00"]))))
    ['00–04', '20–24']
    """
    return pd.Categorical.from_codes(at.dt.hour // 4, pd.Index([f"{4 * n:02d}–{4 * n + 4:02d}" for n in range(6)]))


def parts_of_week(at: pd.Series) -> "pd.Categorical[str]":
    """Weekday and part of the day (night from 0, morning from 6, afternoon from 12, evening from 18), in 28 slots.

    Examples
    --------
    >>> list(parts_of_week(pd.Series(pd.to_datetime(["2024-05-06 05:59", "2024-05-12 18:00"]))))
    ['Mon night', 'Sun evening']
    """
    names = pd.Index([f"{day} {part}" for day in DAYS for part in PARTS])
    return pd.Categorical.from_codes(4 * at.dt.day_of_week + at.dt.hour // 6, names)


def slot_counts(events: pd.DataFrame, slots: Slots = hours_of_day) -> pd.DataFrame:
    """Number of events by customer and slot, of shape (customers, slots), sorted by customer.

    Parameters
    ----------
    events : DataFrame
        One row per event: `customer_id` and `at`, its time on the customer's clock.
    slots : callable
        The slot of each time, as a categorical with all slots among its categories.

    Raises
    ------
    ValueError
        Where a column or a time is missing.

    Examples
    --------
    >>> at = pd.to_datetime(["2024-05-06 09:00", "2024-05-07 10:00", "2024-05-07 22:00"])
    >>> slot_counts(pd.DataFrame({"customer_id": ["b", "b", "a"], "at": at})).loc["b"].tolist()
    [0, 0, 2, 0, 0, 0]
    """
    found = slots(_checked(events)["at"])
    codes, customers = pd.factorize(events[CUSTOMER], sort=True)
    number = len(found.categories)
    cells = np.bincount(codes * number + found.codes, minlength=number * len(customers))
    return pd.DataFrame(
        cells.reshape(-1, number), pd.Index(customers, name=CUSTOMER), pd.Index(found.categories, name="slot")
    )


def _checked(events: pd.DataFrame) -> pd.DataFrame:
    """The events, where all have a customer and a time."""
    if not {CUSTOMER, "at"} <= set(events) or events[[CUSTOMER, "at"]].isna().any(axis=None):
        raise ValueError(f"Events need a customer ({CUSTOMER!r}) and a time ('at') in every row.")
    return events


def log_marginal(counts: Values, alpha: Values) -> Values:
    """The Dirichlet-multinomial log-probability of each row of counts (Mosimann 1962, Biometrika 49).

    Parameters
    ----------
    counts : array of shape (..., slots)
        At least 0; an alpha of 0 is a ValueError, as its slot is impossible.
    alpha : array of shape (slots,) or (..., slots)

    Examples
    --------
    >>> np.exp(log_marginal(np.array([[1, 1], [2, 0]]), np.array([1.0, 1.0]))).round(6).tolist()
    [0.333333, 0.333333]
    """
    counts, alpha = np.asarray(counts, dtype=float), np.asarray(alpha, dtype=float)
    if not (alpha > 0).all():
        raise ValueError("A Dirichlet distribution needs parameters above zero.")
    n = counts.sum(axis=-1)
    arranged = gammaln(n + 1) - gammaln(counts + 1).sum(axis=-1)
    return arranged + _rising(alpha, counts).sum(axis=-1) - _rising(alpha.sum(axis=-1), n)


def _rising(alpha: Values, n: Values) -> Values:
    """ln Γ(α + n) - ln Γ(α), exact also where α is large: the difference of two logarithms would lose digits."""
    some = np.maximum(n, 1e-300)
    return np.where(n > 0, gammaln(some) - betaln(alpha, some), 0.0)


@dataclass(frozen=True)
class Times:
    """How events spread over slots: shop, segments, and how much customers differ from their segment.

    Attributes
    ----------
    strength, segment_strength : float
        Concentration of customers around their segment and of segments around the shop, in events: a customer with as
        many events has half the weight, the segment the other. Infinite where the data show no differences.
    shop : Series
        Share of events by slot.
    segments : DataFrame
        One row per segment, one column per slot: expected shares.
    """

    strength: float
    segment_strength: float
    shop: pd.Series
    segments: pd.DataFrame

    def parents(self, segments: pd.Series) -> Values:
        """Shares of the segment of each customer, of shape (customers, slots); the shop's for unknown segments."""
        return self.segments.reindex(segments.fillna(UNKNOWN)).fillna(self.shop).to_numpy(float)

    def shares(self, counts: pd.DataFrame, segments: pd.Series) -> Values:
        """Expected shares of each customer's next events (posterior mean), of shape (customers, slots)."""
        return _shrunk(counts.to_numpy(float), self.strength, self.parents(segments.reindex(counts.index)))


def _shrunk(counts: Values, strength: float, mean: Values) -> Values:
    """The mean of the Dirichlet posterior of each row; the prior mean where the strength is infinite."""
    n = counts.sum(axis=1, keepdims=True)
    weight = n / (n + strength)
    return weight * counts / np.maximum(n, 1e-300) + (1 - weight) * mean


def fit_times(counts: pd.DataFrame, segments: pd.Series) -> Times:
    """Fit the hierarchical Dirichlet-multinomial model of customers within segments within the shop.

    Each strength maximises the marginal likelihood given the parent's mean (Griffiths 1973, Biometrics 29, for two
    slots; Minka 2000, Estimating a Dirichlet distribution). A segment's evidence is the expected number of draws from
    its own distribution, Σ α (ψ(α + n) - ψ(α)), the weight of Minka's fixed point: a customer's many equal events are
    then not many customers. The two steps alternate until the segments' shares are stable. The shop's shares are those
    of all events and of one more, spread evenly, so that no slot is impossible.

    Parameters
    ----------
    counts : DataFrame of shape (customers, slots)
        Numbers of events, indexed by customer.
    segments : Series
        Segment by customer; customers without one are in a segment of their own.

    Raises
    ------
    ValueError
        For negative or missing counts, or no events.

    Notes
    -----
    With one event per customer the likelihood does not depend on the customers' strength, nor with one segment on that
    of segments: then the strength is infinite, and nothing is personal.

    Examples
    --------
    >>> counts = pd.DataFrame([[6, 0]] * 20 + [[0, 6]] * 20, columns=["day", "night"])
    >>> found = fit_times(counts, pd.Series("all", counts.index))
    >>> found.strength < 0.5, found.segment_strength, found.segments.round(3).loc["all"].tolist()
    (True, inf, [0.5, 0.5])
    """
    values = counts.to_numpy(float)
    if not (values >= 0).all() or not values.sum():
        raise ValueError("Counts of events by slot must not be negative or missing, and some must be above zero.")
    group, names = pd.factorize(segments.reindex(counts.index).fillna(UNKNOWN), sort=True)
    shop = (values.sum(axis=0) + 1 / values.shape[1]) / (values.sum() + 1)
    customers, means = _Cells.of(values, group), np.tile(shop, (len(names), 1))
    for _ in range(ROUNDS):
        strength = customers.best_strength(means)
        draws = customers.draws(strength, means)
        between = _Cells.of(draws, np.zeros(len(names), dtype=int)).best_strength(shop[None])
        before, means = means, _shrunk(draws, between, shop)
        if np.abs(means - before).max() < 1e-7:
            break
    table = pd.DataFrame(means, pd.Index(names, name="segment"), counts.columns)
    return Times(strength, between, pd.Series(shop, counts.columns), table)


@dataclass(frozen=True)
class _Cells:
    """How many rows of a group have so many events in a slot, and negative, in the slot after the last, so many in all.

    The likelihood needs no more of the rows, and has a term for each cell.
    """

    group: NDArray[np.int64]
    slot: NDArray[np.int64]
    events: Values
    rows: Values

    @classmethod
    def of(cls, values: Values, group: NDArray[np.int64]) -> "_Cells":
        """The cells of rows of shape (rows, slots), which need not be whole numbers."""
        padded = np.column_stack([values, values.sum(axis=1)])
        row, slot = np.nonzero(padded)
        cells, number = np.unique(np.column_stack([group[row], slot, padded[row, slot]]), axis=0, return_counts=True)
        codes = cells[:, :2].astype(np.int64)
        return cls(codes[:, 0], codes[:, 1], cells[:, 2], np.where(codes[:, 1] == values.shape[1], -1.0, 1.0) * number)

    def best_strength(self, means: Values) -> float:
        """The strength with the largest marginal likelihood; infinite where a larger one is never worse."""
        mean = np.column_stack([means, np.ones(len(means))])[self.group, self.slot]

        def loss(log: float) -> float:
            return -float((self.rows * _rising(np.exp(log) * mean, self.events)).sum())

        found = minimize_scalar(loss, bounds=LOG_STRENGTH, method="bounded", options={"xatol": 1e-6})
        return float(np.exp(found.x)) if found.fun < loss(LOG_STRENGTH[1]) - 1e-6 else np.inf

    def draws(self, strength: float, means: Values) -> Values:
        """The expected number of draws from each group's distribution, of the shape of the means."""
        inside = self.slot < means.shape[1]
        group, slot, events = self.group[inside], self.slot[inside], self.events[inside]
        alpha = strength * means[group, slot]
        each = alpha * (psi(alpha + events) - psi(alpha)) if np.isfinite(strength) else events
        found = np.bincount(group * means.shape[1] + slot, self.rows[inside] * each, means.size)
        return found.astype(float).reshape(means.shape)


def _largest(shares: Values) -> NDArray[np.int64]:
    """The slot of the largest share in each row, the first of equal ones."""
    return np.argmax(shares.round(12), axis=1).astype(np.int64)


def best_slot(times: Times, counts: pd.DataFrame, segments: pd.Series) -> pd.DataFrame:
    """The slot in which the next event of each customer is most probable; the first of equally probable ones.

    Parameters
    ----------
    times : Times
    counts : DataFrame of shape (customers, slots)
        Indexed by customer; a customer without events has the segment's slot.
    segments : Series
        Segment by customer; the shop's slot for those whose segment was not fitted.

    Returns
    -------
    DataFrame
        One row per customer: `slot` and `probability`, that an event of the customer falls into it.

    Examples
    --------
    >>> counts = pd.DataFrame([[6, 0]] * 20 + [[0, 6]] * 21, columns=["day", "night"])
    >>> of = pd.Series("all", counts.index)
    >>> best_slot(fit_times(counts, of), counts, of).iloc[[0, -1]]["slot"].tolist()
    ['day', 'night']
    """
    shares = times.shares(counts, segments)
    return pd.DataFrame({"slot": counts.columns[_largest(shares)], "probability": shares.max(axis=1)}, counts.index)


@dataclass(frozen=True)
class Judged:
    """Whether personal times beat one time for all on later events.

    Attributes
    ----------
    decision : str
        One of `RULES`, or "too few to tell (…)".
    rules : DataFrame
        One row per rule: `rule`, `hits` (share of later events in the recommended slot), `expected` (the same as
        predicted) and `log_likelihood` (mean per later event).
    gains : DataFrame
        One row per comparison: `rule`, `over`, `gain` (difference of hit shares), `low`, `high`, `differing` (customers
        whose hits differ between the two rules); no interval where these are too few, from 0 to 0 where there are none.
    customers, events : int
        Later events judged, and their customers.
    times : Times
        Fitted before the split day.
    """

    decision: str
    rules: pd.DataFrame
    gains: pd.DataFrame
    customers: int
    events: int
    times: Times


def judge_times(
    events: pd.DataFrame, split_day: pd.Timestamp, slots: Slots, segments: pd.Series, *, seed: int
) -> Judged:
    """Compare one slot for all, a slot per segment and a slot per customer on events from the split day on.

    All three are fitted on events before that day, and judged on the later events of customers known by then. The
    measure is the share of later events in the recommended slot. Intervals are percentile bootstrap over customers, at
    a confidence of 97.5%, for the two claims that segments and that customers need times of their own (Bonferroni). A
    time per customer is recommended if its gains over both other rules have lower ends above zero (intersection–union;
    Berger 1982, Technometrics 24), else a time per segment if its gain over one time for all has, else one time.

    Parameters
    ----------
    events : DataFrame
        As `slot_counts`.
    split_day : Timestamp
    slots : callable
        As `slot_counts`.
    segments : Series
        Segment by customer, as known on the split day.
    seed : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        As `slot_counts`, and where no customer has events both before the split day and later.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=20)
    >>> own = pd.Series(np.repeat([8, 20], 30), [f"c{n:02d}" for n in range(60)])
    >>> rows = [(name, day + pd.Timedelta(hours=hour)) for name, hour in own.items() for day in days]
    >>> events = pd.DataFrame(rows, columns=["customer_id", "at"])
    >>> found = judge_times(events, days[10], hours_of_day, pd.Series("all", own.index), seed=1)
    >>> found.decision, found.rules["hits"].tolist()
    ('a time per customer', [0.5, 0.5, 1.0])
    """
    early = _checked(events)["at"] < split_day
    before, later = slot_counts(events[early], slots), slot_counts(events[~early], slots)
    known = later.index.intersection(before.index).sort_values()
    if known.empty:
        raise ValueError("No customer has events both before the split day and later; choose another day.")
    times, after = fit_times(before, segments), later.loc[known].to_numpy(float)
    of = segments.reindex(known)
    shares = np.stack([
        np.tile(times.shop.to_numpy(), (len(known), 1)), times.parents(of), times.shares(before.loc[known], of)
    ])  # fmt: skip
    chosen = np.stack([_largest(one) for one in shares], axis=1)
    hits, n = np.take_along_axis(after, chosen, axis=1), after.sum(axis=1)
    expected = [n @ one.max(axis=1) / n.sum() for one in shares]
    likelihood = [(after * np.log(one)).sum() / n.sum() for one in shares]
    rules = pd.DataFrame({
        "rule": RULES, "hits": hits.sum(axis=0) / n.sum(), "expected": expected, "log_likelihood": likelihood
    })  # fmt: skip
    gains = _gains(hits, n, seed)
    return Judged(_decision(gains, len(known)), rules, gains, len(known), int(n.sum()), times)


def _gains(hits: Values, n: Values, seed: int) -> pd.DataFrame:
    """Differences of hit shares between rules, with intervals where enough customers' hits differ."""
    one, other = np.array(COMPARISONS).T
    apart = hits[:, one] - hits[:, other]
    sums = np.concatenate([block @ np.column_stack([apart, n]) for block in resampled(len(n), seed, RESAMPLES)])
    ends = percentile_interval(sums[:, :-1] / sums[:, -1:], 1 - (1 - LEVEL) / 2)
    differing = (apart != 0).sum(axis=0)
    told = [not number or enough(number) for number in differing]
    return pd.DataFrame({
        "rule": [RULES[place] for place in one], "over": [RULES[place] for place in other],
        "gain": apart.sum(axis=0) / n.sum(), "low": np.where(told, ends[0], np.nan),
        "high": np.where(told, ends[1], np.nan), "differing": differing,
    })  # fmt: skip


def _decision(gains: pd.DataFrame, customers: int) -> str:
    """The rule that is recommended, or that there are too few customers to tell."""
    if not enough(customers):
        return too_few(customers, "customers with later events")
    segment, personal, beyond = gains["low"] > 0
    if personal and beyond:
        return PERSONAL
    few = gains.loc[gains["low"].isna(), "differing"]
    if not segment and len(few):
        return too_few(few.max(), "customers for whom the rules differ in later events")
    return SEGMENT if segment else SHOP
