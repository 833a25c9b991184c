"""Rates by region: shrunken towards the mean of all, and whether neighbouring regions are alike."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.disclosure import suppressed
from customerlab.analysis.inference import LEVEL, enough

SHARE, COUNT, AMOUNT = "share", "count", "amount"
FEWEST = 4  # regions from which the posterior distribution of the variance between them is proper
GRID = 400


@dataclass(frozen=True)
class Rates:
    """Rates by region: `table` as `shrunken` says, the `mean` of all customers, and the `spread` of regions.

    The spread is the standard deviation between the true rates of regions: zero if they differ no more than by chance.
    """

    table: pd.DataFrame
    mean: float
    spread: float


@dataclass(frozen=True)
class Moran:
    """Spatial autocorrelation of `regions` regions with `pairs` pairs of neighbours.

    `i` is Moran's I, `expected` its mean over all permutations, −1 / (regions − 1), and `p` two-sided.
    """

    i: float
    expected: float
    p: float
    regions: int
    pairs: int


def by_region(values: pd.Series, region: pd.Series) -> pd.DataFrame:
    """Customers by region, as `shrunken` takes them: `region`, `customers`, `total` and `variance` of a value.

    Both are of one row per customer with the same index. Customers without a value or a region are left out.

    Examples
    --------
    >>> by_region(pd.Series([1.0, 3.0, 5.0]), pd.Series(["A", "A", "B"])).values.tolist()
    [['A', 2, 4.0, 2.0], ['B', 1, 5.0, nan]]
    """
    known = pd.DataFrame({"region": region.astype(object), "value": values.astype(float)}).dropna()
    grouped = known.sort_values(["region", "value"]).groupby("region")["value"]
    return grouped.agg(customers="size", total="sum", variance="var").reset_index()


def shrunken(table: pd.DataFrame, kind: str = SHARE, *, smallest: int = 1) -> Rates:
    """Shrink the rates of regions towards the mean of all customers, the more the fewer customers a region has.

    Empirical Bayes with the global moment estimator of the variance between regions: of counts by Marshall (1991,
    Applied Statistics 40), of shares by Martuzzi and Elliott (1996, Statistics in Medicine 15), of amounts the same
    with the pooled variance within regions. Estimates are the means of the gamma, beta or normal posterior
    distribution. Intervals are of such distributions, with a variance that allows for not knowing the mean and the
    variance of regions (flat priors: Morris and Lysy 2012, Statistical Science 27), so that they are not too short.

    Parameters
    ----------
    table : DataFrame
        One row per region: `region`, `customers` and `total`, with `variance` for amounts; see `by_region`.
    kind : {"share", "count", "amount"}
        What the total is: how many customers did something, such as ordering again; how often all did it, such as
        orders; or a sum, such as spend.
    smallest : int
        Regions of fewer customers keep their names but not their numbers, and so do others that would reveal them
        (`disclosure.hidden`). They count in the mean and the spread.

    Returns
    -------
    Rates
        Its table, sorted by region: `region`, `customers`, `rate` (total per customer), `weight` (of the region's own
        rate, from 0 to 1), `shrunken` with `low` and `high` (95%, of each region), and `z` (the rate's standardised
        deviation, of equal variance in all regions, for `moran`: Assunção and Reis 1999). All but the first three are
        missing if there are fewer than 4 regions or fewer than 20 outcomes in all. Regions without customers have no
        row.

    Raises
    ------
    ValueError
        For another kind, a missing column, a region twice, and numbers that cannot be.

    Examples
    --------
    >>> again = {"E": (10, 6), "N": (200, 80), "S": (300, 80), "W": (400, 80)}
    >>> regions = pd.DataFrame(again, ["customers", "total"]).T.rename_axis("region").reset_index()
    >>> found = shrunken(regions)
    >>> round(found.mean, 3), round(found.spread, 3)
    (0.27, 0.079)
    >>> found.table[["region", "rate", "weight", "shrunken"]].round(3).values.tolist()
    [['E', 0.6, 0.246, 0.351], ['N', 0.4, 0.867, 0.383], ['S', 0.267, 0.907, 0.267], ['W', 0.2, 0.929, 0.205]]
    """
    table = _checked(table, kind)
    n, total = (table[name].to_numpy(dtype=float) for name in ("customers", "total"))
    mean = float(total.sum() / n.sum()) if len(table) else np.nan
    table["rate"] = rate = total / n
    names = ["weight", "shrunken", "low", "high", "z"]
    outcomes = (n.sum(), *({SHARE: [total.sum(), (n - total).sum()], COUNT: [total.sum()]}.get(kind, [])))
    if len(table) < FEWEST or not enough(*outcomes):
        found = table[["region", "customers", "rate"]].assign(**dict.fromkeys(names, np.nan))
        return Rates(suppressed(found, smallest), mean, np.nan)
    between, within = _variances(table, mean, kind)
    own = within / n
    weight = between / (between + own) if within else np.ones(len(n))
    estimate = weight * rate + (1 - weight) * mean
    ends = _ends(estimate, _uncertainty(rate, own, estimate), kind)
    z = (rate - mean) / np.sqrt(between + own) if between + within else np.zeros(len(n))
    found = table[["region", "customers", "rate"]].assign(**dict(zip(names, (weight, estimate, *ends, z), strict=True)))
    return Rates(suppressed(found, smallest), mean, float(np.sqrt(between)))


def _checked(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Regions with customers, sorted, if their numbers can be."""
    if kind not in (SHARE, COUNT, AMOUNT):
        raise ValueError(f"The kind of a rate is {kind!r}; expected 'share', 'count' or 'amount'.")
    needed = ["region", "customers", "total", *(["variance"] if kind == AMOUNT else [])]
    missing = [name for name in needed if name not in table]
    if missing:
        raise ValueError(f"The table of regions lacks {missing[0]!r}; expected the columns {needed}.")
    n, total = table["customers"], table["total"]
    if table["region"].isna().any() or table["region"].duplicated().any():
        raise ValueError("A region is there twice or has no name; expected one row per region.")
    bad = ~(np.isfinite(n.astype(float)) & np.isfinite(total.astype(float)) & (n >= 0))
    bad |= {SHARE: (total < 0) | (total > n), COUNT: total < 0}.get(kind, bad)
    if bad.any():
        expected = {SHARE: "a total from 0 to the number of customers", COUNT: "a total from 0"}.get(
            kind, "a finite total"
        )
        raise ValueError(f"The numbers of region {table['region'][bad].iloc[0]!r} cannot be; expected {expected}.")
    return table.loc[n > 0, needed].sort_values("region", ignore_index=True)


def _variances(table: pd.DataFrame, mean: float, kind: str) -> tuple[float, float]:
    """The variance between regions' true rates, and that of one customer within a region."""
    n, rate = table["customers"].to_numpy(dtype=float), table["rate"].to_numpy()
    observed, size = float((n * (rate - mean) ** 2).sum() / n.sum()), float(n.mean())
    if kind == SHARE:
        whole = mean * (1 - mean)
        between = max((observed - whole / size) / (1 - 1 / size), 0) if size > 1 else 0.0
        return between, max(whole - between, 0)
    within = mean
    if kind == AMOUNT:
        free = max((n - 1).sum(), 1)
        within = float(((n - 1) * np.nan_to_num(table["variance"].to_numpy(dtype=float))).sum() / free)
    return max(observed - within / size, 0), within


def _uncertainty(rate: np.ndarray, own: np.ndarray, estimate: np.ndarray) -> np.ndarray:
    """The mean squared error of estimates over the posterior distribution of the mean and the variance of regions.

    Both have flat priors. The variance is integrated over a grid, even in its share of itself and sampling variance.
    """
    if not own.any():
        return np.zeros(len(own))
    part = ((np.arange(GRID) + 0.5) / GRID)[:, None]
    between, step = own.mean() * part / (1 - part), 1 / (1 - part[:, 0]) ** 2
    precision = 1 / (own + between)
    total = precision.sum(axis=1)
    mean = (precision @ rate / total)[:, None]
    fit = np.log(precision).sum(axis=1) - np.log(total) - (precision * (rate - mean) ** 2).sum(axis=1)
    chance = np.exp((fit - fit.max()) / 2) * step
    pull = own * precision
    error = own * (1 - pull) + pull**2 / total[:, None] + (rate - pull * (rate - mean) - estimate) ** 2
    return chance @ error / chance.sum()


def _ends(middle: np.ndarray, variance: np.ndarray, kind: str) -> np.ndarray:
    """The ends of intervals, of a distribution with this mean and variance: beta, gamma or normal."""
    at = np.array([[(1 - LEVEL) / 2], [(1 + LEVEL) / 2]])
    if not variance.any():
        return np.array([middle, middle])
    if kind == AMOUNT:
        return stats.norm.ppf(at, middle, np.sqrt(variance))
    if kind == COUNT:
        return stats.gamma.ppf(at, middle**2 / variance, scale=variance / middle)
    size = middle * (1 - middle) / variance - 1
    return stats.beta.ppf(at, middle * size, (1 - middle) * size)


def moran(values: pd.Series, pairs: pd.DataFrame | Iterable[tuple], *, seed: int, permutations: int = 999) -> Moran:
    """Whether neighbouring regions have similar values: Moran's I (1950, Biometrika 37), tested by permutation.

    Neighbours have weight 1. I is above its expected value where neighbours are alike, and below where they are
    unlike. Rates of regions with few customers vary more: give `shrunken`'s `z`, whose variance is the same in all.

    Parameters
    ----------
    values : Series
        One value per region, indexed by region.
    pairs : DataFrame of two columns, or tuples
        Neighbours; a pair that is there twice, or both ways, counts once.
    seed : int
    permutations : int
        Of the values over the regions. p is (1 + those at least as far from the expected value) / (1 + permutations).

    Returns
    -------
    Moran
        Regions without a value and those without a neighbour that has one are left out. If all values are equal, I is
        missing and p is 1.

    Raises
    ------
    ValueError
        If a region is there twice, or no pair of neighbours has values.

    Examples
    --------
    >>> line = pd.Series([1.0, 2.0, 3.0, 4.0, 5.0], list("ABCDE"))
    >>> found = moran(line, [("A", "B"), ("B", "C"), ("C", "D"), ("D", "E")], seed=1)
    >>> found.i, found.expected, found.regions, found.pairs
    (0.5, -0.25, 5, 4)
    """
    known = values.dropna().astype(float)
    if known.index.duplicated().any():
        raise ValueError("A region has two values; expected one per region.")
    both = {tuple(sorted(pair)) for pair in np.asarray(list(getattr(pairs, "to_numpy", lambda: pairs)()), dtype=object)}
    linked = sorted(pair for pair in both if pair[0] != pair[1] and known.index.isin(pair).sum() == 2)
    if not linked:
        raise ValueError("No pair of neighbours has values; expected names of regions as in the index of the values.")
    names = sorted({name for pair in linked for name in pair})
    place = {name: at for at, name in enumerate(names)}
    one, other = np.array([[place[name] for name in pair] for pair in linked]).T
    z = known[names].to_numpy() - known[names].mean()
    n, expected, spread = len(names), -1 / (len(names) - 1), float(z @ z)
    if np.ptp(z) <= 1e-12 * max(np.abs(known).max(), 1e-300):
        return Moran(np.nan, expected, 1.0, n, len(linked))
    rng = np.random.default_rng(seed)
    drawn = [z, *(rng.permutation(z) for _ in range(permutations))]
    found = np.array([each[one] @ each[other] for each in drawn]) * n / (len(linked) * spread)
    far = np.abs(found - expected)
    p = (1 + (far[1:] >= far[0] - 1e-12).sum()) / (1 + permutations)
    return Moran(float(found[0]), expected, float(p), n, len(linked))
