"""Errors of predicted ratings: RMSE and MAE with intervals, by one temporal split and by random folds."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from customerlab.analysis.inference import LEAST, enough, percentile_interval, resampled, too_few
from customerlab.analysis.ratings.models import BUDGET, FittedModel, Mean, Size, affordable, models_named
from customerlab.analysis.ratings.split import RatingSplit, fold_rows, kept_of, one_per_pair, scale_of
from customerlab.formats import decimals, interval
from customerlab.wording import Led

LOG = logging.getLogger(__name__)  # a run shows it on the terminal, and no notebook stores it
LEVEL = 0.95
RESAMPLES = 1000
DIVERGED = "its fit diverged: what it learned is no finite number"
COLUMNS = [
    "split", "model", "folds", "ratings", "customers", "rmse", "rmse_low", "rmse_high", "mae", "mae_low", "mae_high",
]  # fmt: skip
SUMS = ["count", "squared", "absolute"]


@dataclass(frozen=True)
class RatingResult:
    """Errors of predicted ratings.

    Attributes
    ----------
    table : DataFrame
        One row per model: `model`, `folds`, `ratings`, `customers`, `rmse` with `rmse_low` and `rmse_high`, `mae` with
        `mae_low` and `mae_high`, in units of the ratings: means over the folds, as Surprise takes them, with 95%
        bootstrap intervals over customers. A temporal split is one fold.
    by_fold : DataFrame
        `model`, `fold`, `ratings`, `rmse`, `mae`; also of models for which the budget allows some folds only. Folds
        differ by more than models do, so these are in no mean.
    left_out : DataFrame
        `model`, `folds` (that were fitted), `why`: the budget does not allow it, or not in full, or its fit
        diverged.
    accounting : DataFrame
        `what`, `ratings`, `customers`, `products`.
    date : Timestamp or None
        Ratings before it were learned from; None where folds are random.
    by_customer : DataFrame
        `model`, `fold`, `customer_id`, and of the errors of their ratings `count`, `squared` and `absolute` (sums).
    """

    table: pd.DataFrame
    by_fold: pd.DataFrame
    left_out: pd.DataFrame
    accounting: pd.DataFrame
    date: pd.Timestamp | None
    by_customer: pd.DataFrame


def fit_ratings(
    split: RatingSplit, seed: int, *, models: Sequence[str] | None = None, budget: float = BUDGET
) -> tuple[list[FittedModel], pd.DataFrame]:
    """Fit models by name, all by default, on the ratings before the split date; also returns `left_out`.

    `seed` is of models that start at random, `budget` in seconds that a model may take, judged by the size of the data,
    never by a clock, so that results do not depend on the machine.
    """
    size = Size.of(split.train)
    allowed = [(model, *affordable(model, size, 1, budget)) for model in models_named(models)]
    paid = [model for model, fits, _ in allowed if fits]
    LOG.info("about %.0f s to fit on the ratings before the split date", sum(model.seconds(size) for model in paid))
    fitted = []
    for model in paid:
        LOG.info("%s, about %.0f s", model.name, model.seconds(size))
        fitted.append(FittedModel(model, split.train, split.scale, seed))
    left_out = [(model.name, fits, why) for model, fits, why in allowed if why]
    left_out += [(model.name, 0, DIVERGED) for model in fitted if model.diverged]
    return [model for model in fitted if not model.diverged], _left_out(left_out)


def time_errors(split: RatingSplit, fitted: Sequence[FittedModel], left_out: pd.DataFrame, seed: int) -> RatingResult:
    """Predict the later ratings of customers and products with an earlier one; `seed` is of the bootstrap."""
    test = split.test
    parts = [_part(model.name, 0, test, model.predict(test["customer_id"], test["product_id"])) for model in fitted]
    by_customer = pd.concat(parts, ignore_index=True)
    return RatingResult(*_summary(by_customer, seed), left_out, split.accounting, split.date, by_customer)


def cross_validate(
    ratings: pd.DataFrame,
    seed: int,
    *,
    folds: int = 5,
    models: Sequence[str] | None = None,
    budget: float = BUDGET,
    scale: tuple[float, float] | None = None,
) -> RatingResult:
    """Predict each of several random folds from the others, as in most published results.

    A random fold lets models learn from what customers did later, and from other ratings of the same evening. It
    predicts other ratings than the temporal split does, so that errors of the two cannot be compared. Every rating is
    predicted: where the customer or the product has none in the other folds, by what Surprise falls back to, the known
    bias or the mean.

    Folds are those of Surprise's `KFold(folds, random_state=seed)` on the ratings sorted by customer and product;
    models, all by default, are named as in `RATING_MODELS`, and the scale is that of `one_per_pair`. A model that needs
    more than the budget, in seconds for all folds, is in no mean, but in `by_fold` with what the budget pays.

    Intervals are over customers, who are resampled with all their ratings. The spread over folds is no measure of
    error: folds learn from the same ratings (Bengio and Grandvalet 2004).
    """
    table = one_per_pair(ratings, scale)
    rows = fold_rows(len(table), folds, seed)
    size = Size.of(table.iloc[np.concatenate(rows[1:])])
    allowed = [(model, *affordable(model, size, folds, budget)) for model in models_named(models)]
    parts, diverged = [], {}
    LOG.info("about %.0f s to fit on random folds", sum(model.seconds(size) * fits for model, fits, _ in allowed))
    for fold, held in enumerate(rows):
        LOG.info("fold %s of %s", fold + 1, folds)
        # in the order of Surprise's folds, because factor models learn in the order of rows
        train = table.iloc[np.concatenate([*rows[:fold], *rows[fold + 1 :]])]
        test = table.iloc[np.sort(held)]
        for model, fits, _ in allowed:
            if fold < fits and model.name not in diverged:
                learned = FittedModel(model, train, scale or scale_of(table), seed)
                if learned.diverged:
                    diverged[model.name] = fold
                    continue
                parts.append(_part(model.name, fold, test, learned.predict(test["customer_id"], test["product_id"])))
    by_customer = pd.concat(parts, ignore_index=True)
    left_out = [(model.name, fits, why) for model, fits, why in allowed if why and model.name not in diverged]
    left_out += [(name, fold, DIVERGED) for name, fold in diverged.items()]
    accounting = kept_of(ratings, table, "predicted, each once")
    return RatingResult(*_summary(by_customer, seed), _left_out(left_out), accounting, None, by_customer)


def error_table(folds: RatingResult, time: RatingResult) -> pd.DataFrame:
    """RMSE and MAE by random folds and by the temporal split side by side, sorted by RMSE of the temporal split."""
    names = {"rmse": "RMSE", "mae": "MAE"}
    parts = [result.table[["model", *names]].rename(columns=names) for result in (folds, time)]
    both = parts[0].merge(parts[1], on="model", how="outer", suffixes=(", random folds", ", temporal split"))
    return both.sort_values(["RMSE, temporal split", "model"], ignore_index=True)


def errors_by_split(results: Mapping[str, RatingResult]) -> pd.DataFrame:
    """The tables of several splits in one, `split` first; empty without any."""
    parts = [result.table.assign(split=split) for split, result in results.items()]
    return pd.concat(parts or [pd.DataFrame(columns=COLUMNS)], ignore_index=True)[COLUMNS]


def decision(result: RatingResult, seed: int, scale: tuple[float, float]) -> list[str]:
    """Whether any model predicts better than the mean of all ratings, which one, and how far the next is, as sentences.

    A few customers may hold most of the ratings. What counts is the number of equally active customers with the same
    information, (Σ n)² / Σ n² of their ratings n (Kish 1965): below `inference.LEAST` it is too few to tell. Else
    differences have bootstrap intervals over customers, adjusted for all models that could have been the other one.
    `scale` has the lowest and the highest rating.
    """
    table = result.table.set_index("model").sort_index().sort_values("rmse", kind="stable")
    rmse, mae = table["rmse"], table["mae"]
    ratings = result.by_customer.drop_duplicates("customer_id").set_index("customer_id")["count"]
    half = int(np.searchsorted(np.sort(ratings)[::-1].cumsum(), ratings.sum() / 2)) + 1
    of = f"half of the {ratings.sum():,} ratings are from {half:,} of {len(ratings):,} customers"
    best, floor = str(rmse.index[0]), Mean.name
    alike = ratings.sum() ** 2 / (ratings**2).sum()
    if not enough(alike):
        few = too_few(int(alike), f"customers in effect; at least {LEAST} are needed")
        return [Led("No model is recommended", f": {few}. By the temporal split {of}.")]
    if best == floor:
        return [
            Led("Do not predict ratings", f": no model has a lower RMSE than the {floor}, {rmse[floor]:.3f} ({of}).")
        ]
    said = {}
    for other in (floor, str(rmse.index[1])):
        difference, reach = _difference(result, best, other, seed)
        low, high = difference - reach, difference + reach
        digits = decimals(rmse[other], rmse[best], low, high)
        how = (
            f"difference {difference:.{digits}f}, {interval(low, high, f'{{:.{digits}f}}')}, adjusted for "
            f"{len(rmse) - 1} comparisons"
        )
        two = f"RMSE {rmse[best]:.{digits}f} and {rmse[other]:.{digits}f}"
        said[other] = ("significantly" if reach < difference else "not significantly", two, how)
    sure, two, how = said[floor]
    off = (
        f"off by {mae[best]:.3f} on average, on a scale from {scale[0]:g} to {scale[1]:g}, and always predicting the mean by "
        f"{mae[floor]:.3f} (MAE; {two}, {sure} lower, {how})."
    )
    first = Led("No model is recommended", f": inconclusive. {best} is {off}")
    if sure == "significantly":
        first = Led(f"Predict ratings with {best}", f": it is {off} Whether that is good enough to show is not tested.")
    other, (sure, two, how) = list(said.items())[-1]
    return [
        first,
        f"The next model, {other}, has {'a' if sure[0] == 's' else 'no'} significantly higher RMSE ({two}, {how}; {of}).",
    ]


def _difference(result: RatingResult, best: str, other: str, seed: int) -> tuple[float, float]:
    """How much higher another model's RMSE is, and half the interval, adjusted for all models beside the best."""
    two = result.by_customer[result.by_customer["model"].isin([best, other])]
    cube = two.pivot(index="customer_id", columns="model", values=["count", "squared"]).sort_index()
    drawn = _drawn(cube.to_numpy().reshape(len(cube), 2, 2), seed)
    spread = np.diff(np.sqrt(drawn[:, 1] / drawn[:, 0]), axis=1).std()
    rmse = result.table.set_index("model")["rmse"]
    return float(rmse[other] - rmse[best]), float(norm.isf((1 - LEVEL) / (2 * (len(rmse) - 1))) * spread)


def _left_out(rows: list[tuple[str, int, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["model", "folds", "why"])


def _part(model: str, fold: int, test: pd.DataFrame, predicted: np.ndarray) -> pd.DataFrame:
    """Sums of errors by customer; a prediction that is no number is refused, as sums would ignore it."""
    if not np.isfinite(predicted).all():
        raise ValueError(
            f"{model} predicts {(~np.isfinite(predicted)).sum():,} of {len(predicted):,} ratings as no number"
        )
    error = predicted - test["rating"].to_numpy()
    sums = pd.DataFrame({"customer_id": test["customer_id"], "count": 1, "squared": error**2, "absolute": abs(error)})
    return sums.groupby("customer_id", as_index=False).sum().assign(model=model, fold=fold)


def _summary(sums: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means over folds with intervals, and the folds one by one. All models share the resamples of customers."""
    total = sums.groupby(["model", "fold"], sort=False)[SUMS].sum().reset_index()
    by_fold = total[["model", "fold"]].assign(
        ratings=total["count"], rmse=np.sqrt(total["squared"] / total["count"]), mae=total["absolute"] / total["count"]
    )
    having = by_fold.groupby("model")["fold"].size()
    whole = sums[sums["model"].isin(having.index[having == having.max()])]
    model, names = pd.factorize(whole["model"])
    customer, customers = pd.factorize(whole["customer_id"], sort=True)
    cube = np.zeros((len(customers), len(SUMS), len(names), having.max()))
    cube[customer, :, model, whole["fold"].to_numpy()] = whole[SUMS].to_numpy()
    rmse, mae = _scores(cube.sum(axis=0))
    drawn = np.array([_scores(one) for one in _drawn(cube, seed)])
    ends = percentile_interval(drawn, LEVEL)
    if len(customers) < 2:
        ends = np.full_like(ends, np.nan)  # one customer says nothing of others
    table = pd.DataFrame(
        {
            "model": names, "folds": having.max(), "ratings": int(cube[:, 0, 0].sum()), "customers": len(customers),
            "rmse": rmse, "rmse_low": ends[0, 0], "rmse_high": ends[1, 0],
            "mae": mae, "mae_low": ends[0, 1], "mae_high": ends[1, 1],
        }
    )  # fmt: skip
    return table, by_fold


def _scores(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """RMSE and MAE of every model, means over folds; `total` has the shape (sums, models, folds)."""
    count, squared, absolute = total
    some = count > 0  # a fold may have none of the customers that were drawn
    whole, folds = np.where(some, count, 1), np.maximum(some.sum(axis=1), 1)
    return np.sqrt(squared / whole).sum(axis=1) / folds, (absolute / whole).sum(axis=1) / folds


def _drawn(cube: np.ndarray, seed: int) -> np.ndarray:
    """Sums over customers drawn with replacement."""
    sums = [drawn @ cube.reshape(len(cube), -1) for drawn in resampled(len(cube), seed, RESAMPLES)]
    return np.vstack(sums).reshape(RESAMPLES, *cube.shape[1:])
