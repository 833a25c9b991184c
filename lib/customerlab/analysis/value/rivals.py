"""What a purchase model has to beat: plain rules and boosted trees on the same history, and how they are compared."""

from collections.abc import Sequence
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import enough, holm, largest_share, resampled
from customerlab.analysis.rfm.choosing import DEPTH, gains

NAIVE, LAST, BOOSTED = "naive rate", "last period", "LightGBM"
RULES = (NAIVE, LAST, BOOSTED)
OUTCOMES = ("orders", "revenue")
ERROR, TOP = "squared error", "top 20%"
FEATURES = ["x", "t_x", "T", "recency", "mean", "last_orders", "last_revenue"]
LEAF, ROUNDS = 40, 100
SETTINGS = {
    "objective": "regression", "learning_rate": 0.05, "num_leaves": 15, "min_data_in_leaf": LEAF, "lambda_l2": 1.0,
    "max_bin": 63, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1,
}  # fmt: skip


def named(rule: str, outcome: str) -> str:
    """The column with what a rule predicts of an outcome."""
    return f"{outcome} by {rule}"


def rules_of(rows: pd.DataFrame) -> list[str]:
    """The rules that predict anything in a table of predictions."""
    return [rule for rule in RULES if named(rule, "orders") in rows]


def naive_rate(history: pd.DataFrame, horizon: int) -> pd.DataFrame:
    """Repeat orders, and their money, per unit of time so far, times the horizon.

    Where a customer is of age 0 it is the mean rate of the others; zero if there are none.

    Parameters
    ----------
    history : DataFrame
        `x`, `T` and `mean`, as `summary` returns them.

    Returns
    -------
    DataFrame
        `orders`, `revenue`, in the order of the rows.

    Examples
    --------
    >>> naive_rate(pd.DataFrame({"x": [3, 0, 0], "T": [6, 6, 0], "mean": [10.0, None, None]}), 4).values.tolist()
    [[2.0, 20.0], [0.0, 0.0], [1.0, 10.0]]
    """
    rates = pd.DataFrame({"orders": history["x"], "revenue": (history["x"] * history["mean"]).fillna(0.0)})
    rates = rates.div(history["T"].where(history["T"] > 0), axis=0)
    return horizon * rates.fillna(rates.mean()).fillna(0.0)


def last_period(history: pd.DataFrame) -> pd.DataFrame:
    """The orders and the net revenue of as many periods before: `last_orders` and `last_revenue`."""
    return history[["last_orders", "last_revenue"]].astype(float).set_axis(list(OUTCOMES), axis=1)


def boosted(past: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Boosted trees (LightGBM, squared error) that learn from the window before; predictions are not below zero.

    Parameters
    ----------
    past : DataFrame
        The customers known at the begin of the window before: `x`, `t_x`, `T`, `mean`, `last_orders`, `last_revenue` as
        of that day, and the outcomes `orders` and `revenue`. Of fewer than 80 it is their mean.
    now : DataFrame
        The same of the customers to predict, without outcomes.
    """
    given, asked = (part.assign(recency=part["T"] - part["t_x"])[FEATURES].to_numpy(float) for part in (past, now))
    found: dict[str, Any] = {}
    for outcome in OUTCOMES:
        target = past[outcome].to_numpy(float)
        if len(past) < 2 * LEAF:
            found[outcome] = np.full(len(now), target.mean())
            continue
        data = lightgbm.Dataset(given, target, params=SETTINGS)
        found[outcome] = lightgbm.train(SETTINGS, data, ROUNDS).predict(asked, num_threads=1)
    return pd.DataFrame(found, now.index).clip(lower=0.0)


def clustered(values: np.ndarray, who: np.ndarray) -> tuple[float, float, int]:
    """The mean of rows, its standard error clustered by customer, and the number of customers."""
    mean = float(values.mean())
    sums = np.bincount(pd.factorize(who)[0], values - mean)
    units = len(sums)
    error = np.sqrt((sums**2).sum() * units / (units - 1)) / len(values) if units > 1 else np.nan
    return mean, float(error), units


def errors(rows: pd.DataFrame, rules: Sequence[str]) -> pd.DataFrame:
    """How far the predictions of each rule are from what happened, over the windows in which there are any.

    Parameters
    ----------
    rows : DataFrame
        One row per customer and window: `customer_id`, `formed_on`, `came_back`, the outcomes `orders` and `revenue`,
        and of each rule its predictions in columns `named` after it, missing in windows for which it has none.

    Returns
    -------
    DataFrame
        One row per `outcome` and `rule`: `windows`, `customers` (rows), `mse` and `mae` (mean squared and mean absolute
        error), `bias` (predicted total over that which happened, less 1) with `bias_low` and `bias_high` (95% interval,
        clustered by customer), `top_share` (share of the outcome from the 20% of customers with the highest
        predictions, mean of the windows). Bias is missing where the total is not above zero, intervals where not
        `enough` customers came back.
    """
    found = []
    for outcome in OUTCOMES:
        for rule in rules:
            here = rows[rows[named(rule, outcome)].notna()]
            if here.empty:
                continue
            predicted, happened = (here[name].to_numpy(float) for name in (named(rule, outcome), outcome))
            shares = [
                _share(one[named(rule, outcome)], one[outcome])
                for _, one in here.groupby("formed_on") if one[outcome].sum() > 0
            ]  # fmt: skip
            found.append({
                "outcome": outcome, "rule": rule, "windows": here["formed_on"].nunique(), "customers": len(here),
                "mse": ((predicted - happened) ** 2).mean(), "mae": np.abs(predicted - happened).mean(),
                **_bias(predicted, happened, here), "top_share": np.mean(shares) if shares else np.nan,
            })  # fmt: skip
    return pd.DataFrame(found)


def _share(predicted: pd.Series, happened: pd.Series) -> float:
    curve = gains(predicted.to_numpy(), happened.to_numpy(float))
    return float(np.interp(DEPTH, curve["share_of_customers"], curve["share_of_outcome"]))


def _bias(predicted: np.ndarray, happened: np.ndarray, here: pd.DataFrame) -> dict[str, float]:
    """The ratio of the totals less 1, with its interval by linearisation."""
    if not happened.sum() > 0:
        return dict.fromkeys(("bias", "bias_low", "bias_high"), np.nan)
    ratio = predicted.sum() / happened.sum()
    _, error, units = clustered(predicted - ratio * happened, here["customer_id"].to_numpy())
    reach = stats.t.ppf(0.975, units - 1) * error / happened.mean() if enough(here["came_back"].sum()) else np.nan
    return {"bias": ratio - 1, "bias_low": ratio - 1 - reach, "bias_high": ratio - 1 + reach}


def compare(rows: pd.DataFrame, model: str, *, seed: int, resamples: int = 200) -> pd.DataFrame:
    """A model against each other rule, on the same customers of the same windows.

    By squared error, which is proper for a mean: nobody has a lower expected one than who predicts the mean. Absolute
    error is not: the median lowers it, which is zero for most customers, and a rule that says zero of all would win
    (Gneiting 2011, JASA 106). And by the share of the outcome from the 20% of customers with the highest predictions,
    which depends on their order alone, and less on the largest of them.

    Parameters
    ----------
    rows : DataFrame
        As in `errors`, with the predictions of the `model` in every window.
    resamples : int
        Bootstrap samples of customers, each with all of its windows, for the shares.

    Returns
    -------
    DataFrame
        One row per `outcome`, `measure` and `rule`: `windows`, `customers` (distinct) and `came_back` (distinct, who
        ordered in one of the windows), `by_model`, `by_rule` (mean squared error; mean share), `advantage` of the
        model (what the rule's error is larger, or the rule's share smaller) with its 95% interval `low`, `high`, and
        `pvalue`, `pvalue_holm` (Holm 1979, over all rows); `agree`, windows whose advantage has the sign of the whole.
        For errors `largest` is the share of one customer in the sum of differences by absolute amount, and
        `without_largest` the advantage without that customer. Standard errors are clustered by customer; Student's
        interval for errors, for shares a normal one from the root mean square deviation of resamples. They are missing
        where not `enough` customers came back, and a window counts for shares only where enough did. What a window has
        in common for all customers, such as a season, is not part of them: `agree` shows it.
    """
    rules = rules_of(rows)
    found = [_by_error(rows, outcome, model, rule) for outcome in OUTCOMES for rule in rules]
    shares = _shares(rows, [model, *rules], seed, resamples)
    for outcome, rule in shares:
        if rule != model:
            found += _by_share(rows, outcome, rule, shares[outcome, model], shares[outcome, rule])
    columns = ["outcome", "measure", "rule", "windows", "customers", "came_back", "by_model", "by_rule", "advantage",
               "low", "high", "pvalue", "agree", "largest", "without_largest"]  # fmt: skip
    table = pd.DataFrame(found, columns=columns)
    table.insert(columns.index("agree"), "pvalue_holm", holm(table["pvalue"].astype(float)))
    order = [table[name].map(list(of).index) for name, of in (("measure", (ERROR, TOP)), ("outcome", OUTCOMES))]
    return table.iloc[np.lexsort(order[::-1])].reset_index(drop=True)


def _counted(here: pd.DataFrame) -> dict[str, int]:
    return {
        "windows": here["formed_on"].nunique(), "customers": here["customer_id"].nunique(),
        "came_back": here.loc[here["came_back"], "customer_id"].nunique(),
    }  # fmt: skip


def _by_error(rows: pd.DataFrame, outcome: str, model: str, rule: str) -> dict[str, object]:
    here = rows[rows[named(rule, outcome)].notna()]
    ours, theirs = ((here[named(who, outcome)] - here[outcome]).pow(2) for who in (model, rule))
    apart, who = theirs - ours, here["customer_id"]
    advantage, error, units = clustered(apart.to_numpy(), who.to_numpy())
    counted = _counted(here)
    error = error if enough(counted["came_back"]) else np.nan
    reach = stats.t.ppf(0.975, units - 1) * error
    each = apart.groupby(who).sum()
    others = apart[who != each.abs().idxmax()]
    return {
        "outcome": outcome, "measure": ERROR, "rule": rule, **counted, "by_model": ours.mean(), "by_rule": theirs.mean(),
        "advantage": advantage, "low": advantage - reach, "high": advantage + reach,
        "pvalue": 2 * stats.t.sf(_away(advantage, error), units - 1),
        "agree": int((np.sign(apart.groupby(here["formed_on"]).mean()) == np.sign(advantage)).sum()),
        "largest": largest_share(each), "without_largest": others.mean() if len(others) else np.nan,
    }  # fmt: skip


def _away(advantage: float, error: float) -> float:
    """An advantage in standard errors; nothing is not away from zero, however sure."""
    return 0.0 if advantage == 0 and error == error else abs(advantage) / error if error > 0 else np.nan


def _shares(rows: pd.DataFrame, rules: Sequence[str], seed: int, resamples: int) -> dict[tuple[str, str], np.ndarray]:
    """The share of an outcome from the top 20% by a rule, of shape (windows, 1 + samples), the observed one first.

    Missing where a rule has no predictions, or not enough customers came back.
    """
    coded, customers = pd.factorize(rows["customer_id"])
    windows = [np.flatnonzero(rows["formed_on"] == day) for day in rows["formed_on"].unique()]
    told = [enough(rows["came_back"].to_numpy()[place].sum()) for place in windows]
    values = {
        name: rows[name].to_numpy(float)
        for outcome in OUTCOMES
        for name in (outcome, *(named(r, outcome) for r in rules))
    }

    def at(place: np.ndarray, rule: str, outcome: str, weights: np.ndarray) -> np.ndarray:
        predicted = values[named(rule, outcome)][place]
        if np.isnan(predicted).any():
            return np.full(len(weights), np.nan)
        return top_shares(predicted, values[outcome][place], weights[:, coded[place]])

    found: dict[tuple[str, str], list[np.ndarray]] = {(outcome, rule): [] for outcome in OUTCOMES for rule in rules}
    for weights in (np.ones((1, len(customers))), *resampled(len(customers), seed, resamples)):
        for (outcome, rule), blocks in found.items():
            known = [at(place, rule, outcome, weights) for place, use in zip(windows, told, strict=True) if use]
            blocks.append(np.array(known).reshape(-1, len(weights)))
    return {key: np.concatenate(blocks, axis=1) for key, blocks in found.items()}


def _by_share(
    rows: pd.DataFrame, outcome: str, rule: str, ours: np.ndarray, theirs: np.ndarray
) -> list[dict[str, object]]:
    """The shares by the model against those by a rule, mean of the windows; nothing where no window has both."""
    apart = ours - theirs
    told = rows.groupby("formed_on")["came_back"].sum()
    used = told.index[told.map(enough)][~np.isnan(apart[:, 0])]
    apart, here = apart[~np.isnan(apart[:, 0])], rows[rows["formed_on"].isin(used)]
    if not len(apart):
        return []
    advantage = float(apart[:, 0].mean())
    # around the observed difference, not around the mean: a few outliers bias the resamples
    error = float(np.sqrt(np.nanmean((apart[:, 1:].mean(axis=0) - advantage) ** 2)))
    reach = stats.norm.ppf(0.975) * error
    seen = [shares[~np.isnan(ours[:, 0] - theirs[:, 0]), 0].mean() for shares in (ours, theirs)]
    return [{
        "outcome": outcome, "measure": TOP, "rule": rule, **_counted(here), "by_model": seen[0], "by_rule": seen[1],
        "advantage": advantage, "low": advantage - reach, "high": advantage + reach,
        "pvalue": 2 * stats.norm.sf(_away(advantage, error)),
        "agree": int((np.sign(apart[:, 0]) == np.sign(advantage)).sum()), "largest": np.nan, "without_largest": np.nan,
    }]  # fmt: skip


def top_shares(predicted: np.ndarray, happened: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The share of an outcome from the top 20% by their predictions, in each sample of customers.

    As `rfm.gains` at 20%: equal predictions are in random order, on average.

    Parameters
    ----------
    predicted, happened : ndarray, shape (customers,)
    weights : ndarray, shape (samples, customers)
        How often each customer is drawn.

    Returns
    -------
    ndarray, shape (samples,)
        Missing where the outcome of a sample is not above zero.

    Examples
    --------
    >>> top_shares(np.array([3, 2, 1, 1, 0]), np.array([6, 2, 2, 0, 0]), np.array([[1, 1, 1, 1, 1], [0, 1, 2, 2, 0]]))
    array([0.6       , 0.33333333])
    """
    order = np.argsort(-predicted, kind="stable")
    ranked = predicted[order]
    begins = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    drawn = weights[:, order]
    customers = np.add.reduceat(drawn, begins, axis=1).cumsum(axis=1)
    held = np.add.reduceat(drawn * happened[order], begins, axis=1).cumsum(axis=1)
    depth, total, sample = DEPTH * customers[:, -1], held[:, -1], np.arange(len(weights))
    group = (customers < depth[:, None]).sum(axis=1)
    before, over = (np.where(group > 0, of[sample, group - 1], 0.0) for of in (customers, held))
    size, more = customers[sample, group] - before, held[sample, group] - over
    part = np.divide(depth - before, size, out=np.zeros(len(weights)), where=size > 0)
    return np.divide(over + part * more, total, out=np.full(len(weights), np.nan), where=total > 0)
