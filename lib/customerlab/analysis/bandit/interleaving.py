"""Interleaving: two rankings mixed into one list per customer, and clicks or orders that say which one is preferred.

Both rankings are judged by the same customer on the same list, so differences between customers, which an A/B test has
to average out, cancel. Team-draft and probabilistic interleaving credit both alike under random clicks; balanced
interleaving does not, where one ranking is the other moved by a place (Chapelle, Joachims, Radlinski and Yue 2012).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import ibis
import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.experiment.design import Baseline, sample_size
from customerlab.analysis.inference import LEVEL, enough, percentile_interval, resampled, too_few
from customerlab.formats import interval, p_value

Method = Literal["balanced", "team-draft", "probabilistic"]
SOFTNESS = 3  # of the ranks: an item is drawn in proportion to rank^-3 (Hofmann, Whiteson and de Rijke 2011)


@dataclass(frozen=True)
class Mixed:
    """Interleaved lists, all arrays of shape (lists, length).

    Attributes
    ----------
    items : array of int
    rank_a, rank_b : array of int
        Ranks in the two rankings, from 1; one more than there are where a ranking lacks the item.
    share_a : array of float
        The probability, given the list, that the first ranking placed the item; of team-draft 0 or 1.
    """

    method: Method
    items: np.ndarray
    rank_a: np.ndarray
    rank_b: np.ndarray
    share_a: np.ndarray


def draws(customers: Sequence[str], day: str, test: str, number: int) -> np.ndarray:
    """Numbers in [0, 1) from a hash of customer, day and test: the same on every request of a day, and in any order.

    An MD5 hash, as in `experiment.assignment`, is the seed of a SplitMix64 sequence (Steele, Lea and Flood 2014) per
    customer. The result has the shape (customers, number).

    Examples
    --------
    >>> draws(["ann", "bob"], "2026-11-30", "home page", 2).round(3).tolist()
    [[0.789, 0.755], [0.282, 0.94]]
    """
    if not len(customers):
        return np.empty((0, number))
    units = ibis.memtable(pd.DataFrame({"row": range(len(customers)), "unit": list(customers)}))
    digest = (ibis.literal(f"interleaving {test} on {day}: ") + units.unit).hexdigest("md5").substr(0, 16)
    digits = units.select("row", digest=digest).order_by("row").to_pandas()["digest"]
    seed = np.frombuffer(bytes.fromhex("".join(digits)), dtype=">u8").astype(np.uint64)[:, None]
    z = seed + np.arange(1, number + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def interleave(a: np.ndarray, b: np.ndarray, uniform: np.ndarray, *, method: Method = "team-draft") -> Mixed:
    """Mix two rankings for each customer.

    Balanced (Joachims 2002): one coin says which ranking leads, then each adds its next item in turn, or nothing if the
    list has it. Team-draft (Radlinski, Kurup and Joachims 2008): in each round a coin says who picks first, and both
    add the best item that the list lacks. Probabilistic (Hofmann, Whiteson and de Rijke 2011): at each place a coin
    says which ranking draws, and it draws among all its items that the list lacks, in proportion to rank^-3.

    Parameters
    ----------
    a, b : array of int, of shape (customers, at least length)
        Item codes, the best first.
    uniform : array of shape (customers, 2 · length)
        From `draws`. The lists have half as many places.

    Raises
    ------
    ValueError
        For an unknown method, rankings shorter than the list, and a ranking that has an item twice.

    Examples
    --------
    >>> mixed = interleave(np.array([[1, 2, 3]]), np.array([[2, 4, 1]]), np.array([[0.9, 0.1, 0, 0, 0, 0]]))
    >>> mixed.items.tolist(), mixed.share_a.tolist()
    ([[2, 1, 3]], [[0.0, 1.0, 1.0]])
    """
    rows, length = len(uniform), uniform.shape[1] // 2
    if method not in get_args(Method):
        raise ValueError(f"method = {method!r}; expected one of {', '.join(get_args(Method))}")
    for ranking in (a, b):
        if ranking.shape[0] != rows or ranking.shape[1] < length:
            raise ValueError(f"rankings of shape {ranking.shape}; expected {rows} of at least {length} items")
        if (np.diff(np.sort(ranking, axis=1), axis=1) == 0).any():
            raise ValueError("A ranking has an item twice.")
    board = _Board(a, b, length)
    if method == "balanced":
        board.in_turn(uniform[:, 0] < 0.5)
    elif method == "team-draft":
        board.drafted(uniform < 0.5)
    else:
        board.drawn(uniform[:, ::2] < 0.5, uniform[:, 1::2])
    return Mixed(method, *board.found)


class _Board:
    """Lists in the making: which items of both rankings are taken, for all customers at once."""

    def __init__(self, a: np.ndarray, b: np.ndarray, length: int) -> None:
        same = a[:, :, None] == b[:, None, :]
        self.sides, self.rows, self.length = (a, b), np.arange(len(a)), length
        # where an item is in the other ranking; one beyond its end if nowhere
        self.other = [np.where(s.any(axis=2), s.argmax(axis=2), s.shape[2]) for s in (same, same.swapaxes(1, 2))]
        self.taken = [np.zeros((len(a), side.shape[1] + 1), dtype=bool) for side in self.sides]
        self.count = np.zeros(len(a), dtype=int)
        whole = [np.zeros((len(a), length), dtype=int) for _ in range(3)]
        self.found = (*whole, np.zeros((len(a), length)))

    def place(self, from_a: np.ndarray, place: np.ndarray, share_a: np.ndarray) -> None:
        """Add the item at a place of one of the rankings where the list lacks it and is not full."""
        for side, chosen in enumerate((from_a, ~from_a)):
            fits = chosen & (self.count < self.length)
            fits[fits] = ~self.taken[side][self.rows[fits], place[fits]]
            row, at = self.rows[fits], place[fits]
            elsewhere, to = self.other[side][row, at], self.count[row]
            ranks = (at + 1, elsewhere + 1) if side == 0 else (elsewhere + 1, at + 1)
            for array, value in zip(self.found, (self.sides[side][row, at], *ranks, share_a[row]), strict=True):
                array[row, to] = value
            self.taken[side][row, at] = self.taken[1 - side][row, elsewhere] = True
            self.taken[1 - side][:, -1] = False
            self.count[row] += 1

    def in_turn(self, a_leads: np.ndarray) -> None:
        """Balanced interleaving: the ranking that is behind is next, at a tie the one that leads."""
        for turn in range(2 * self.length):
            from_a = a_leads == (turn % 2 == 0)
            self.place(from_a, np.full(len(from_a), turn // 2), from_a.astype(float))

    def drafted(self, coin: np.ndarray) -> None:
        """Team-draft interleaving: two picks a round."""
        for turn in range(self.length):
            from_a = coin[:, turn // 2] == (turn % 2 == 0)
            best = [taken.argmin(axis=1) for taken in self.taken]
            self.place(from_a, np.where(from_a, *best), from_a.astype(float))

    def drawn(self, coin: np.ndarray, uniform: np.ndarray) -> None:
        """Probabilistic interleaving: a draw from one of the rankings at each place."""
        for turn in range(self.length):
            chances = []
            for taken in self.taken:
                weight = ~taken[:, :-1] * np.arange(1.0, taken.shape[1]) ** -SOFTNESS
                chances.append(np.pad(weight / weight.sum(axis=1, keepdims=True), ((0, 0), (0, 1))))
            below = [chance.cumsum(axis=1) for chance in chances]
            # rounding must not reach the end, where nothing is
            targets = [np.minimum(uniform[:, turn] * b[:, -1], np.nextafter(b[:, -1], 0)) for b in below]
            in_a, in_b = ((b <= target[:, None]).sum(axis=1) for b, target in zip(below, targets, strict=True))
            from_a = coin[:, turn]
            by_a = chances[0][self.rows, np.where(from_a, in_a, self.other[1][self.rows, in_b])]
            by_b = chances[1][self.rows, np.where(from_a, self.other[0][self.rows, in_a], in_b)]
            self.place(from_a, np.where(from_a, in_a, in_b), by_a / (by_a + by_b))


def credit(mixed: Mixed, outcomes: np.ndarray) -> np.ndarray:
    """What outcomes of each list credit to the first ranking less what they credit to the second.

    Team-draft credits an outcome to who placed the item, probabilistic interleaving by the share of each (the
    expectation over who placed it, given the list). Balanced interleaving looks only as far down both rankings as the
    lowest item with an outcome is in the better of them, and credits a ranking with all outcomes that far.

    Parameters
    ----------
    outcomes : array of shape (lists, length)
        Clicks, orders or amounts at each place, zero or more.

    Returns
    -------
    array of shape (lists,)

    Examples
    --------
    >>> mixed = interleave(np.array([[1, 2, 3]]), np.array([[2, 4, 1]]), np.array([[0.9, 0.1, 0, 0, 0, 0]]))
    >>> credit(mixed, np.array([[1, 0, 1]])).tolist(), credit(mixed, np.array([[0, 0, 1]])).tolist()
    ([0.0], [1.0])
    """
    outcomes = np.asarray(outcomes, dtype=float)
    if mixed.method != "balanced":
        return (outcomes * (2 * mixed.share_a - 1)).sum(axis=1)
    better = np.minimum(mixed.rank_a, mixed.rank_b)
    lowest = outcomes.shape[1] - 1 - (outcomes[:, ::-1] > 0).argmax(axis=1)
    depth = better[np.arange(len(outcomes)), lowest][:, None]
    return (outcomes * ((mixed.rank_a <= depth) * 1.0 - (mixed.rank_b <= depth))).sum(axis=1)


@dataclass(frozen=True)
class Preference:
    """Which ranking customers prefer.

    Attributes
    ----------
    wins_a, wins_b, ties : int
        Customers with more credit for the first, for the second, and with as much for both.
    p : float
        Of the sign test (two-sided, exact): that a customer with a preference has either one alike.
    mean, low, high : float
        The mean credit of the first less the second per customer, with its percentile bootstrap interval.
    finding : str
    """

    wins_a: int
    wins_b: int
    ties: int
    p: float
    mean: float
    low: float
    high: float
    finding: str


def preference(
    customers: Sequence[str], credits: np.ndarray, *, seed: int, resamples: int = 1000, confidence: float = LEVEL
) -> Preference:
    """Test which ranking customers prefer: the sign test decides, the mean says by how much.

    Parameters
    ----------
    customers : sequence of str
        Of each list. Customers are the units: their lists are added.
    credits : array of shape (lists,)
        From `credit`.

    Returns
    -------
    Preference
        With fewer than `LEAST` customers that have a preference `p`, `low` and `high` are missing.

    Examples
    --------
    >>> preference([f"c{n}" for n in range(60)], np.repeat([1.0, -1.0, 0.0], [30, 10, 20]), seed=1).finding
    '30 customers prefer A and 10 prefer B (sign test, p = 0.002); mean credit +0.333 (95% CI 0.133 to 0.517).'
    """
    table = pd.DataFrame({"customer_id": list(customers), "credit": credits}).sort_values(["customer_id", "credit"])
    sums = table.groupby("customer_id")["credit"].sum().round(12).to_numpy()
    a, b = int((sums > 0).sum()), int((sums < 0).sum())
    mean = float(sums.mean()) if len(sums) else float("nan")
    counts = (a, b, len(sums) - a - b)
    if not enough(a + b):
        said = f"Preference: {too_few(a + b, 'customers who prefer a ranking')}."
        return Preference(*counts, float("nan"), mean, float("nan"), float("nan"), said)
    p = float(stats.binomtest(a, a + b).pvalue)
    drawn = np.concatenate([block @ sums / len(sums) for block in resampled(len(sums), seed, resamples)])
    low, high = (float(end) for end in percentile_interval(drawn[:, None], confidence)[:, 0])
    decided = f"{a:,} customers prefer A and {b:,} prefer B (sign test, {p_value(p)})"
    said = f"{decided}; mean credit {mean:+.3f} ({interval(low, high, '{:.3f}', confidence)})."
    return Preference(*counts, p, mean, low, high, said)


def sensitivity(
    a: np.ndarray, b: np.ndarray, appeal: np.ndarray, length: int, *, seed: int, power: float = 0.8, alpha: float = 0.05
) -> pd.DataFrame:
    """How many customers each kind of interleaving, and an A/B test, need on the same simulated customers.

    A customer looks at place k with probability 1 / log2(k + 1) and clicks there with the appeal of the item; who would
    look and click is the same in all lists. The A/B test is of clicks per customer.

    Parameters
    ----------
    a, b : array of int, of shape (customers, at least length)
    appeal : array of shape (customers, items)
        Probabilities by item code.

    Returns
    -------
    DataFrame
        One row per method: `method`, `difference` (A less B, per customer), `deviation`, `customers` (of both arms in
        an A/B test) that find it with the wanted power; missing where it is too close to tell in these customers. Their
        relative error is twice that of the difference, so simulate many more than are needed.

    Examples
    --------
    >>> better, worse = np.tile([0, 1, 2, 3], (2000, 1)), np.tile([3, 2, 1, 0], (2000, 1))
    >>> table = sensitivity(better, worse, np.tile([0.4, 0.3, 0.2, 0.1], (2000, 1)), 3, seed=1)
    >>> table.set_index("method")["customers"].to_dict()
    {'A/B test': 130.0, 'balanced': 51.0, 'team-draft': 47.0, 'probabilistic': 67.0}
    """
    rng = np.random.default_rng(seed)
    liked = rng.random(appeal.shape) < appeal
    seen = rng.random((len(a), length)) < 1 / np.log2(np.arange(length) + 2)
    uniform = rng.random((len(a), 2 * length))
    one, other = ((np.take_along_axis(liked, side[:, :length], axis=1) & seen).sum(axis=1) for side in (a, b))
    credits = {"A/B test": one - other}
    for method in get_args(Method):
        mixed = interleave(a, b, uniform, method=method)
        credits[method] = credit(mixed, np.take_along_axis(liked, mixed.items, axis=1) & seen)
    table = pd.DataFrame(credits).agg(["mean", "std"]).T.set_axis(["difference", "deviation"], axis=1)
    errors = stats.norm.isf(alpha / 2) * table["deviation"] / np.sqrt(len(a))
    clear = table["difference"].abs() > errors
    noise = float(np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2))
    table.loc["A/B test", "deviation"] = noise
    quantiles = stats.norm.isf(alpha / 2) + stats.norm.ppf(power)
    table["customers"] = np.ceil((quantiles * table["deviation"] / table["difference"].where(clear)) ** 2)
    if clear["A/B test"]:
        needed = sample_size(Baseline(0, noise), one.mean() - other.mean(), power=power, alpha=alpha)
        table.loc["A/B test", "customers"] = needed["total"]
    return table.rename_axis("method").reset_index()
