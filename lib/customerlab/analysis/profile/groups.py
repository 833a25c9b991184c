"""Outcomes by group of customers, as they are and at equal behaviour."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from customerlab.analysis.disclosure import hidden
from customerlab.analysis.inference import LEAST, LEVEL, holm, largest_share

Values = NDArray[np.float64]
OBSERVED, ADJUSTED = "as observed", "adjusted"
COLUMNS = ["mean", "low", "high", "difference", "difference_low", "difference_high", "p", "p_adjusted"]


def by_group(
    table: pd.DataFrame, outcome: str, group: str, behaviour: Sequence[str], *, smallest: int = 1
) -> pd.DataFrame:
    """Compare an outcome of each group of customers with that of the others, as observed and adjusted for behaviour.

    Adjusted means are what a model expects if every group had the behaviour of all customers together (direct
    standardisation, or g-computation: Robins 1986): a linear model of a number, a logistic one of a yes or no, with a
    term for each group and for each behaviour, which is taken to matter alike in all groups. Intervals are robust
    (Huber 1967, from influence functions, with the HC2 correction of MacKinnon and White 1985), and those as observed
    are Welch's. Both differences say what goes together with the group: an association, not an effect of belonging to
    it, as groups can differ in what was not measured, and behaviour can itself be a consequence of it.

    Parameters
    ----------
    table : DataFrame
        One row per customer. Rows with a missing outcome, group or behaviour are left out.
    outcome : str
        A number, such as spend, or a yes or no (bool), such as whether the customer ordered again.
    group : str
        A category, such as an age band.
    behaviour : sequence of str
        Numbers or bools, such as recency, frequency and tenure before the outcome.
    smallest : int
        Groups of fewer customers, and others that would reveal them (`disclosure.hidden`), are one group
        "(… others)"; if even that is too small, it has no numbers.

    Returns
    -------
    DataFrame
        Two rows per group, in the order of an ordered category, else sorted, the others last: `group`, `basis` ("as
        observed" or "adjusted"), `customers`, `mean` with `low` and `high` (95%), `difference` from the mean of the
        other groups, weighted by their customers, with `difference_low` and `difference_high` (simultaneous 95% over
        groups: Bonferroni), `p`, `p_adjusted` (Holm over the groups of a basis) and `largest_customer` (the largest
        customer's share of the sum). Of groups with fewer than 20 customers, or 20 with and without the outcome, only
        the observed mean is there; they take no part in the others' differences and in the model.

    Raises
    ------
    ValueError
        If a column is missing or of another type, or there is no behaviour.

    Examples
    --------
    >>> n = np.arange(120)
    >>> customers = pd.DataFrame({"age": np.where(n < 60, "-40", "40+"), "orders": n % 3 + 2 * (n < 60)})
    >>> customers["spend"] = 10.0 * customers["orders"] + 3 * (n < 60) + n % 2
    >>> found = by_group(customers, "spend", "age", ["orders"])
    >>> found[["group", "basis", "mean", "difference"]].round(2).values.tolist()[:2]
    [['-40', 'as observed', 33.5, 23.0], ['-40', 'adjusted', 23.5, 3.0]]
    """
    known, yes_or_no = _known(table, outcome, group, behaviour), pd.api.types.is_bool_dtype(table[outcome])
    label, order = _merged(known[group], table[group], smallest)
    y = known[outcome]
    parts = y.groupby(label.to_numpy()).agg(customers="size", total="sum").reindex(pd.Index(order, name="group"))
    n, total = parts["customers"], parts.pop("total")
    shown = ~hidden(n, smallest)
    judged = parts.index[shown & ((np.minimum(total, n - total) if yes_or_no else n) >= LEAST)]
    inside = label.isin(judged).to_numpy()
    dummies = (label[inside].to_numpy()[:, None] == judged.to_numpy()).astype(float)
    x = known.loc[inside, list(behaviour)].to_numpy(dtype=float)
    tables = []
    for basis, terms in ((OBSERVED, x[:, :0]), (ADJUSTED, x)):
        means, influence = _standardised(y[inside].to_numpy(), dummies, terms, yes_or_no)
        own = parts.join(_differences(judged, means, influence, n[judged].to_numpy(dtype=float)))
        tables.append(own.assign(largest_customer=np.nan if yes_or_no else largest_share(y, label)))
        tables[-1].insert(0, "basis", basis)
    tables[0]["mean"] = total / n
    numbers = tables[0].columns[1:]
    both = [one.assign(**one[numbers].mask(pd.Series(~shown, one.index))).reset_index() for one in tables]
    return pd.concat(both).sort_index(kind="stable").reset_index(drop=True).astype({"customers": "Int64"})


def _known(table: pd.DataFrame, outcome: str, group: str, behaviour: Sequence[str]) -> pd.DataFrame:
    """Complete rows, sorted by what is in them so that sums do not depend on their order."""
    columns = [outcome, group, *behaviour]
    missing = [name for name in columns if name not in table]
    if missing or not behaviour:
        raise ValueError(
            f"The table lacks {missing[0]!r}." if missing else "No behaviour to adjust for; expected names of columns."
        )
    for name in (outcome, *behaviour):
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise ValueError(f"The column {name!r} is of type {table[name].dtype}; expected numbers, or yes and no.")
    known = table[columns].dropna()
    numbers = known[[outcome, *behaviour]].astype(float)
    if not np.isfinite(numbers).all(axis=None):
        raise ValueError("The outcome or a behaviour is infinite; expected finite numbers.")
    known = numbers.assign(**{group: known[group]})
    return known.sort_values([group, outcome, *behaviour], ignore_index=True)


def _merged(names: pd.Series, asked: pd.Series, smallest: int) -> tuple[pd.Series, list]:
    """The group of each customer with small ones merged, and the groups in the order in which they are shown."""
    sizes = names.value_counts(sort=False)
    sizes = sizes[sizes > 0]
    ordered = isinstance(asked.dtype, pd.CategoricalDtype) and asked.dtype.ordered
    order = [name for name in asked.cat.categories if name in sizes.index] if ordered else sorted(sizes.index, key=str)
    small = [name for name, away in zip(order, hidden(sizes[order], smallest), strict=True) if away]
    names = names.astype(object)
    if len(small) < 2:  # one alone has no others to be among
        return names, order
    others = f"({len(small)} others)"
    return names.where(~names.isin(small), others), [name for name in order if name not in small] + [others]


def _standardised(y: Values, dummies: Values, x: Values, yes_or_no: bool) -> tuple[Values, Values]:
    """The standardised mean of each group, and influences of customers on it, of shape (customers, groups)."""
    x = x[:, np.ptp(x, axis=0) > 0] if len(x) else x[:, :0]
    x = (x - x.mean(axis=0)) / x.std(axis=0) if x.size else x
    terms, groups = np.column_stack([dummies, x]), dummies.shape[1]
    beta = _fitted(terms, y, yes_or_no)
    fitted, slope = _mean_and_slope(terms @ beta, yes_or_no)
    inverse = np.linalg.pinv(terms.T @ (terms * slope[:, None]), hermitian=True)
    leverage = np.clip(slope * ((terms @ inverse) * terms).sum(axis=1), 0, 1 - 1e-9)
    score = (terms @ inverse) * ((y - fitted) / np.sqrt(1 - leverage))[:, None]
    means, influence = np.empty(groups), np.empty(dummies.shape)
    for place in range(groups):
        expected, steep = _mean_and_slope(beta[place] + x @ beta[groups:], yes_or_no)
        gradient = np.concatenate([np.eye(groups)[place] * steep.mean(), steep @ x / len(y)])
        means[place] = expected.mean()
        influence[:, place] = (expected - means[place]) / len(y) + score @ gradient
    return means, influence


def _mean_and_slope(eta: Values, yes_or_no: bool) -> tuple[Values, Values]:
    """What a model expects at a linear predictor, and how steeply that rises with it."""
    if not yes_or_no:
        return eta, np.ones(len(eta))
    expected = expit(eta)
    return expected, expected * (1 - expected)


def _fitted(terms: Values, y: Values, yes_or_no: bool) -> Values:
    """The coefficients of a linear model by least squares, or of a logistic one by Newton's method."""
    if not yes_or_no:
        return np.asarray(np.linalg.lstsq(terms, y)[0], dtype=np.float64)
    beta = np.zeros(terms.shape[1])
    for _ in range(50):
        fitted, slope = _mean_and_slope(terms @ beta, True)
        curve = terms.T @ (terms * slope[:, None])
        step = np.linalg.pinv(curve, hermitian=True) @ (terms.T @ (y - fitted))
        beta = beta + step / max(1, np.abs(step).max() / 4)  # a long step would overshoot
        if np.abs(step).max() < 1e-10:
            break
    return beta


def _differences(names: pd.Index, means: Values, influence: Values, sizes: Values) -> pd.DataFrame:
    """Means with intervals, and differences from the other groups, from influences of customers."""
    k, found = len(names), pd.DataFrame(np.nan, names, COLUMNS)
    reach = norm.ppf((1 + LEVEL) / 2) * np.sqrt((influence**2).sum(axis=0))
    found["mean"], found["low"], found["high"] = means, means - reach, means + reach
    if k < 2:
        return found
    against = np.eye(k) - (1 - np.eye(k)) * sizes[:, None] / (sizes.sum() - sizes)
    error = np.sqrt(((influence @ against) ** 2).sum(axis=0))
    error[error <= 1e-12 * np.abs(means).max()] = 0  # what rounding leaves of no variance
    difference, tests = means @ against, k if k > 2 else 1  # of two groups one difference is the other's opposite
    reach = norm.ppf(1 - (1 - LEVEL) / (2 * tests)) * error
    found["difference"], found["difference_low"] = difference, difference - reach
    found["difference_high"] = difference + reach
    found["p"] = 2 * norm.sf(np.abs(difference) / np.where(error > 0, error, np.nan))
    found["p_adjusted"] = holm(found["p"]) if tests > 1 else found["p"]
    return found
