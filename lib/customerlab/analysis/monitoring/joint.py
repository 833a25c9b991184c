"""Drift of all features together: the discrepancy of two samples, and a classifier that tells them apart."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from customerlab.analysis.inference import enough
from customerlab.analysis.monitoring.drift import CUSTOMER, NUMBER, Values, kind_of

FOLDS = 5
PERMUTATIONS = 200
MOST = 500  # customers of each sample


@dataclass(frozen=True)
class Discrepancy:
    """The squared maximum mean discrepancy of two samples, its p-value, and how many customers of each it is of."""

    mmd: float
    p: float
    reference: int
    current: int


def mmd(reference: pd.DataFrame, current: pd.DataFrame, *, seed: int) -> Discrepancy:
    """Compare the joint distribution of all numeric features at two times by the maximum mean discrepancy.

    Gretton et al. (2012), Journal of Machine Learning Research 13: the unbiased estimate of the squared discrepancy,
    about zero and at times below it where nothing changed, with a Gaussian kernel whose width is the median distance
    (of those above zero, if most are zero). Features are standardised over both samples; a constant one has no weight.
    The p-value is the share of `PERMUTATIONS` that differ as much, the samples themselves being one of them. Of more
    than `MOST` customers at a time, a random sample counts.

    Parameters
    ----------
    reference, current : DataFrame
        One row per customer, with `customer_id` as a column or index; bool counts as no number. Customers with a
        missing number are left out.
    seed : int
        Of the permutations, and of the customers that are drawn.

    Raises
    ------
    ValueError
        Where `customer_id` or numeric features are lacking.

    Examples
    --------
    >>> before = pd.DataFrame({"customer_id": range(60), "recency": np.arange(60.0)})
    >>> mmd(before, before.assign(recency=before["recency"] + 40), seed=1).p
    0.004975124378109453
    """
    rng = np.random.default_rng(seed)
    samples = [_by_customer(table) for table in (reference, current)]
    names = list(samples[0].select_dtypes("number"))
    if not names or not set(names) <= set(samples[1]):
        raise ValueError("The maximum mean discrepancy needs numeric features, the same in both tables.")
    parts = [sample[names].dropna().to_numpy(dtype=float) for sample in samples]
    parts = [x if len(x) <= MOST else x[np.sort(rng.choice(len(x), MOST, replace=False))] for x in parts]
    n, m = map(len, parts)
    if not enough(n, m):
        return Discrepancy(np.nan, np.nan, n, m)
    first = np.arange(n + m) < n
    dealt = np.vstack([first, rng.permuted(np.tile(first, (PERMUTATIONS, 1)), axis=1)]).T.astype(float)
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        found = _discrepancies(_kernel(np.concatenate(parts)), dealt, n, m)
    p = (1 + (found[1:] >= found[0] - 1e-12).sum()) / (PERMUTATIONS + 1)
    return Discrepancy(float(found[0]), float(p), n, m)


def _kernel(points: Values) -> Values:
    """The Gaussian kernel of standardised points, with zeros for each point with itself."""
    spread = points.std(axis=0)
    constant = spread <= 1e-12 * np.abs(points).max(axis=0)
    squares = pdist((points - points.mean(axis=0)) / np.where(constant, np.inf, spread), "sqeuclidean")
    width = np.median(squares) or np.median(squares[squares > 0]) if squares.any() else 1.0
    return squareform(np.exp(-squares / (2 * width)))


def _discrepancies(kernel: Values, dealt: Values, n: int, m: int) -> Values:
    """The unbiased squared discrepancy for each column of `dealt`, which is 1 for customers of the first sample."""
    one = (dealt * (kernel @ dealt)).sum(axis=0)
    across = kernel.sum(axis=0) @ dealt - one
    other = kernel.sum() - one - 2 * across
    return one / (n * (n - 1)) + other / (m * (m - 1)) - 2 * across / (n * m)


def _by_customer(table: pd.DataFrame) -> pd.DataFrame:
    """A table indexed by, and sorted by, customer."""
    if CUSTOMER not in table and table.index.name != CUSTOMER:
        raise ValueError(f"A table lacks {CUSTOMER!r}, as a column or as its index.")
    return (table.set_index(CUSTOMER) if CUSTOMER in table else table).sort_index(kind="stable")


@dataclass(frozen=True)
class Separation:
    """How well a classifier tells the customers of two times apart: ROC AUC and its one-sided p-value.

    `losses` says how much AUC is lost (`loss`) if a `feature` is permuted (Breiman 2001), the largest first; `feature`
    is the first of them, and of no meaning where the AUC is that of chance.
    """

    auc: float
    p: float
    feature: str
    losses: pd.DataFrame


def domain_classifier(reference: pd.DataFrame, current: pd.DataFrame, *, seed: int) -> Separation:
    """Compare all features at two times by how well boosted trees tell current customers from those of the reference.

    Trees of four leaves are fitted in `FOLDS` folds and judged on the fold left out. A customer who is in both samples
    is in one fold with both rows, else trees would be judged on customers that they were fitted on. The p-value is that
    of the Mann–Whitney test (1947) of the scores, with z divided by √(1 + k / (k − 1)) for k folds: fits share
    customers, so that the plain test has too many false alarms (Nadeau and Bengio 2003, Machine Learning 52).

    Parameters
    ----------
    reference, current : DataFrame
        One row per customer, with `customer_id` as a column or index, and at least one feature, the same in both.
        Categories count as numbers in the order of their names; missing values are one more value.
    seed : int
        Of folds and permutations.

    Returns
    -------
    Separation
        Missing values and an empty name where a sample has too few customers.

    Raises
    ------
    ValueError
        As `compare`, and without `customer_id` or features.

    Examples
    --------
    >>> before = pd.DataFrame({"customer_id": range(100), "orders": [1, 2] * 50, "recency": range(100)})
    >>> found = domain_classifier(before, before.assign(recency=before["recency"] + 60), seed=1)
    >>> found.feature, found.auc > 0.7, found.p < 0.001
    ('recency', True, True)
    """
    samples = [_by_customer(table) for table in (reference, current)]
    names = [str(name) for name in samples[0]]
    kinds = {name: kind_of(name, samples) for name in names}
    if not names:
        raise ValueError("A classifier needs features.")
    if not enough(*map(len, samples)):
        return Separation(np.nan, np.nan, "", pd.DataFrame({"feature": names, "loss": np.nan}))
    both = pd.concat([sample[names].assign(**{"": label}) for label, sample in enumerate(samples)])
    both = both.sort_index(kind="stable")
    label = both.pop("").to_numpy()
    x = np.column_stack([_coded(both[name], kind) for name, kind in kinds.items()])
    scores = _scores(x, label, pd.factorize(both.index)[0], seed)
    aucs = [roc_auc_score(label, score) for score in scores]
    ahead = stats.mannwhitneyu(*(scores[0][label == one] for one in (1, 0)), alternative="greater", method="asymptotic")
    p = float(stats.norm.sf(stats.norm.isf(ahead.pvalue) / np.sqrt(1 + FOLDS / (FOLDS - 1))))
    losses = pd.DataFrame({"feature": names, "loss": aucs[0] - np.array(aucs[1:])})
    losses = losses.sort_values("loss", ascending=False, kind="stable", ignore_index=True)
    return Separation(float(aucs[0]), p, str(losses["feature"].iloc[0]), losses)


def _coded(values: pd.Series, kind: str) -> Values:
    """A feature as numbers for trees, missing ones as not a number."""
    if kind == NUMBER:
        return values.to_numpy(dtype=float, na_value=np.nan)
    codes = pd.factorize(values.astype(object).where(values.notna()).map(str, na_action="ignore"), sort=True)[0]
    return np.where(codes < 0, np.nan, codes)


def _scores(x: Values, label: NDArray, customer: NDArray, seed: int) -> Values:
    """Scores of rows left out of the fit, of shape (1 + features, rows): plain, and with each feature permuted."""
    rng = np.random.default_rng(seed)
    fold = rng.permutation(customer.max() + 1)[customer] % FOLDS
    scores = np.empty((1 + x.shape[1], len(x)))
    trees = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=4, early_stopping=False, random_state=seed)
    with threadpool_limits(1):
        for left in range(FOLDS):
            out = fold == left
            trees.fit(x[~out], label[~out])
            asked = np.tile(x[out], (len(scores), 1, 1))
            for place in range(x.shape[1]):
                asked[1 + place, :, place] = rng.permutation(asked[0, :, place])
            scores[:, out] = trees.decision_function(asked.reshape(-1, x.shape[1])).reshape(len(scores), -1)
    return scores
