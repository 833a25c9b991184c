"""Out-of-time validation of purchase models: fitted on earlier days, judged by what customers did next."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from customerlab.analysis.inference import largest_share
from customerlab.analysis.orders import Shop, Summary
from customerlab.analysis.rfm.holdout import by_segment
from customerlab.analysis.value import expected
from customerlab.analysis.value.fitting import MODELS, Fit
from customerlab.analysis.value.forecast import forecast
from customerlab.analysis.value.history import UNITS
from customerlab.analysis.value.outlook import order_intervals
from customerlab.analysis.value.rivals import (
    BOOSTED,
    LAST,
    NAIVE,
    OUTCOMES,
    boosted,
    compare,
    errors,
    last_period,
    naive_rate,
    named,
    rules_of,
)
from customerlab.analysis.value.windows import STEPS, Followed, follow

TENTHS: list = list(range(1, 11))
MANY = 7  # past repeat orders from which customers are one group
FEW = 20_000  # customers of a window whose prediction intervals are looked at; of more an even choice


@dataclass(frozen=True)
class Validation:
    """A purchase model on earlier days, and what followed.

    Orders are periods (days, weeks or months) with an order of lines that no return has annulled, revenue is net of
    returns. Customers are those known on the first day of a window; who comes later is not predicted. In tables over
    all windows a customer counts once per window, and intervals (95%) are clustered by customer.

    Attributes
    ----------
    model, unit : str
    horizon : int
        The length of a window, in units of time.
    windows : DataFrame
        One row per window, the earliest first: `formed_on`, `until`, `customers`, `came_back`, `expected_orders`,
        `orders`, `bias_orders` (expected over actual, less 1; missing where none is), the same of `revenue`, `largest`
        (share of one customer in revenue), `converged`, and `not_identified`, parameters that go to zero or infinity.
    tracking : DataFrame
        As `track` returns it, of the latest window.
    by_past : DataFrame
        Over all windows, by number of repeat orders before (`past`: 0, 1, …, 7+): `customers`, `came_back`, `expected`
        and `actual` (mean orders) with `low` and `high`.
    deciles : DataFrame
        Over all windows, by `outcome` (orders, revenue) and `decile` of its prediction in the window (1: the highest;
        equal predictions share a decile): `customers`, `came_back`, `expected` and `actual` (means) with `low`, `high`.
    errors, comparisons : DataFrame
        As `rivals.errors` and `rivals.compare` return them.
    calibration : DataFrame
        Over all windows, `by` (probability active, chance to order) and `decile` of it over all rows (1: the highest;
        equal values share a decile): `customers`, `came_back`, `active` (mean probability), `expected` (mean chance to
        order in the window) and `actual` (share who ordered) with `low` and `high`.
    calibration_error : float
        Expected calibration error: the mean over the deciles of the chance to order of the distance between the
        expected and the actual share, weighted by customers. Chance alone makes it larger than zero.
    coverage : DataFrame
        By window, and with a missing `formed_on` of all windows: `customers` (whose 95% prediction interval was looked
        at), `covered` (share whose orders lie within), `below`, `above` (shares outside) and `width` (mean).
    """

    model: str
    unit: str
    horizon: int
    windows: pd.DataFrame
    tracking: pd.DataFrame
    by_past: pd.DataFrame
    deciles: pd.DataFrame
    errors: pd.DataFrame
    comparisons: pd.DataFrame
    calibration: pd.DataFrame
    calibration_error: float
    coverage: pd.DataFrame


def validate(shop: Shop, model: str, *, horizon: int, unit: str = "week", seed: int) -> Validation | None:
    """Fit a model as of earlier days, and compare what it predicts for the following periods with what happened.

    Windows do not overlap, and the last one ends with the snapshot's day (of months, with the last whole one); at most
    12 are used. A log is at least as long before a window as the window is long. Rules of `rivals` are given the same
    history; LightGBM learns from the window before, and is left out where there is none. None if the log has no window,
    or there is a summary and no log.

    Parameters
    ----------
    model : str
        One of `MODELS`.
    horizon : int
        The length of a window, in units.
    unit : {"day", "week", "month"}
    seed : int
        Of the bootstrap of `rivals.compare`, and of the prediction intervals.

    Raises
    ------
    ValueError
        If the unit is none of these, or the horizon is less than 1.
    """
    if unit not in UNITS or horizon < 1:
        raise ValueError(f"unit is {unit!r}, horizon {horizon}; expected a unit of {', '.join(UNITS)}, and 1 or more")
    followed = None if isinstance(shop, Summary) else follow(shop, horizon, unit)
    if followed is None:
        return None
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        fits, parts = _predicted(followed.windows, model, horizon, seed)
        rows = pd.concat(parts, ignore_index=True)
        calibration = calibrated(rows)
        return Validation(
            model, unit, horizon, windows_of(parts, fits, model), track(followed, fits[-1], unit),
            by_past(rows, model), by_decile(rows, model), errors(rows, [model, *rules_of(rows)]),
            compare(rows, model, seed=seed), calibration, _calibration_error(calibration),
            covered(rows),
        )  # fmt: skip


def _predicted(
    windows: list[pd.DataFrame], model: str, horizon: int, seed: int
) -> tuple[list[Fit], list[pd.DataFrame]]:
    """The model of each window, and its customers with what each rule predicts of them."""
    fits, parts = [], []
    for place, history in enumerate(windows):
        fitted, table = forecast(MODELS[model], history, horizon)
        found = {model: table[list(OUTCOMES)], NAIVE: naive_rate(history, horizon), LAST: last_period(history)}
        if place:
            found[BOOSTED] = boosted(windows[place - 1], history)
        columns = [_named(rule, predicted) for rule, predicted in found.items()]
        part = pd.concat([history, table[["active", "chance"]], *columns], axis=1)
        some = history.iloc[:: -(-len(history) // FEW)]
        part = part.join(order_intervals(fitted, some, horizon, draws=200, seed=seed))
        fits.append(fitted)
        parts.append(part)
    return fits, parts


def _named(rule: str, predicted: pd.DataFrame) -> pd.DataFrame:
    return predicted.set_axis([named(rule, outcome) for outcome in predicted.columns], axis=1)


def windows_of(parts: list[pd.DataFrame], fits: list[Fit], name: str) -> pd.DataFrame:
    """The totals of each window, see `Validation`."""
    found = []
    for one, fitted in zip(parts, fits, strict=True):
        row = {"formed_on": one["formed_on"].iloc[0], "until": one["until"].iloc[0], "customers": len(one),
               "came_back": int(one["came_back"].sum())}  # fmt: skip
        for outcome in OUTCOMES:
            total, happened = one[named(name, outcome)].sum(), one[outcome].sum()
            bias = total / happened - 1 if happened > 0 else np.nan
            row |= {f"expected_{outcome}": total, outcome: happened, f"bias_{outcome}": bias}
        found.append(row | {"largest": largest_share(one["revenue"]), "converged": fitted.converged,
                      "not_identified": ", ".join(fitted.at_bounds)})  # fmt: skip
    return pd.DataFrame(found)


def track(followed: Followed, fitted: Fit, unit: str) -> pd.DataFrame:
    """The repeat orders of a cohort by period, before and after its model was fitted, beside those expected.

    The cohort is all customers known on the first day of the latest window. Expected are the unconditional mean orders
    of a new customer under the model, summed over customers by the period in which each began, before that day and
    after it alike, as in the tracking plots of Fader, Hardie and Lee (2005, Marketing Science 24). So the table shows
    whether the model describes the cohort; its predictions, which know what each customer did, are in the other tables.

    Returns
    -------
    DataFrame
        One row per period after that of the first order: `begins` (its first day), `known` (whether the model was
        fitted to it), `expected`, `actual` (repeat orders), and both as `…_cumulative`.
    """
    window, length = followed.windows[-1], len(followed.repeats)
    ages, begin = window["T"].to_numpy(int), window["formed_on"].iloc[0]
    born = np.bincount(ages.max() - ages)
    nothing = (np.zeros(1),) * 3
    by_age = [float(expected.orders(fitted.model, fitted.parameters, nothing, age)[0]) for age in range(1, length)]
    mean = np.convolve(born, np.diff([0.0, 0.0, *by_age]))[:length]
    days = pd.date_range(begin - int(ages.max()) * STEPS[unit], periods=length - 1, freq=STEPS[unit])
    table = pd.DataFrame({"begins": days, "known": days < begin, "expected": mean[1:], "actual": followed.repeats[1:]})
    return table.join(table[["expected", "actual"]].cumsum().add_suffix("_cumulative"))


def by_past(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Expected and actual mean orders by number of repeat orders before, see `Validation`."""
    names = [*map(str, range(MANY)), f"{MANY}+"]
    past = rows["x"].clip(upper=MANY).map(dict(enumerate(names)))
    return grouped(rows, past, names, named(name, "orders"), "orders").rename(columns={"segment": "past"})


def by_decile(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Expected and actual mean outcomes by decile of prediction, see `Validation`."""
    found = []
    for outcome in OUTCOMES:
        predicted = rows[named(name, outcome)]
        place = predicted.groupby(rows["formed_on"]).transform(decile)
        table = grouped(rows, place, TENTHS, predicted.name, outcome)
        found.append(table.rename(columns={"segment": "decile"}).assign(outcome=outcome))
    table = pd.concat(found, ignore_index=True)
    return table[["outcome", *table.columns.drop("outcome")]]


def calibrated(rows: pd.DataFrame) -> pd.DataFrame:
    """Who ordered beside the chance to, by decile of P(active) and of the chance, see `Validation`."""
    found = []
    for by, column in (("probability active", "active"), ("chance to order", "chance")):
        place = decile(rows[column])
        table = by_segment(place, rows.assign(money=rows["revenue"], gross=0.0), TENTHS).set_index("segment")
        means = rows.groupby(place)[["active", "chance"]].mean().rename(columns={"chance": "expected"})
        shares = table[["customers", "came_back", "repurchase_rate", "repurchase_rate_low", "repurchase_rate_high"]]
        shares = shares.set_axis(["customers", "came_back", "actual", "low", "high"], axis=1).join(means)
        found.append(shares.rename_axis("decile").reset_index().assign(by=by))
    columns = ["by", "decile", "customers", "came_back", "active", "expected", "actual", "low", "high"]
    return pd.concat(found, ignore_index=True)[columns]


def _calibration_error(table: pd.DataFrame) -> float:
    by_chance = table[table["by"] == "chance to order"]
    return float(np.average((by_chance["expected"] - by_chance["actual"]).abs(), weights=by_chance["customers"]))


def decile(values: pd.Series) -> pd.Series:
    """The decile of each value, 1 for the highest; equal values share that of their middle.

    Examples
    --------
    >>> decile(pd.Series([5.0, 5.0, 1.0, 9.0])).tolist()
    [5, 5, 9, 2]
    """
    middle = (values.rank(ascending=False, method="average") - 0.5) / len(values)
    return pd.Series(np.ceil(10 * middle), values.index).astype("int64")


def grouped(rows: pd.DataFrame, group: pd.Series, order: list, predicted: object, outcome: str) -> pd.DataFrame:
    """Means of a prediction and of its outcome by group, with the intervals of `by_segment` for money."""
    table = by_segment(group, rows.assign(money=rows[outcome].astype(float), gross=0.0), order)
    table["expected"] = table["segment"].map(rows[predicted].groupby(group.to_numpy()).mean())
    table = table[["segment", "customers", "came_back", "expected", "money", "money_low", "money_high"]]
    return table.set_axis(["segment", "customers", "came_back", "expected", "actual", "low", "high"], axis=1)


def covered(rows: pd.DataFrame) -> pd.DataFrame:
    """How often orders lie within their prediction intervals, by window and over all, see `Validation`."""
    rows = rows.dropna(subset="orders_low")
    each = pd.DataFrame({
        "formed_on": rows["formed_on"], "customers": 1, "below": rows["orders"] < rows["orders_low"],
        "above": rows["orders"] > rows["orders_high"], "width": rows["orders_high"] - rows["orders_low"],
    })  # fmt: skip
    how = {"customers": "sum", "below": "mean", "above": "mean", "width": "mean"}
    whole = each.assign(formed_on=pd.Series(pd.NaT, each.index)).groupby("formed_on", dropna=False).agg(how)
    table = pd.concat([each.groupby("formed_on").agg(how), whole]).reset_index()
    table.insert(2, "covered", 1 - table["below"] - table["above"])
    return table
