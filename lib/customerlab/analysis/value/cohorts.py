"""Whether a fit can be relied on, in words, and the same model fitted to each acquisition cohort."""

import numpy as np
import pandas as pd

from customerlab.analysis.inference import LEAST, enough, too_few
from customerlab.analysis.value import expected
from customerlab.analysis.value.fitting import MODELS, Fit, fit
from customerlab.analysis.value.likelihood import Model, bg_nbd, nbd
from customerlab.formats import percent
from customerlab.wording import Led

NIL = 0.02  # share of customers estimated to have left, below which a fit finds practically nobody
ENDS = {"estimate": "", "low": "_low", "high": "_high"}
HOW = ["active", "converged", "at_bounds"]
EVERY = {"month": "M", "quarter": "Q", "half-year": "2Q", "year": "Y"}


def repeat_customers(summary: pd.DataFrame) -> int:
    """How many customers have ordered in a second period."""
    again = summary["x"] > 0
    return int(summary.loc[again, "customers"].sum() if "customers" in summary else again.sum())


def share_active(found: Fit, summary: pd.DataFrame, *, could_leave: bool = False) -> float:
    """The share of customers who are estimated to be still active.

    With `could_leave`, of those whom the model gives a chance to leave: under BG/NBD nobody does before a repeat order.
    """
    rows = summary[summary["x"] > 0] if could_leave and found.model is bg_nbd else summary
    if rows.empty:
        return np.nan
    history = (rows["x"].to_numpy(float), rows["t_x"].to_numpy(float), rows["T"].to_numpy(float))
    there = expected.active(found.model, found.of(rows) if found.covariates else found.parameters, history)
    return float(np.average(there, weights=rows.get("customers")))


def said(found: Fit, summary: pd.DataFrame, unit: str = "week") -> list[str]:
    """What stands against a fit: too few customers, no convergence, parameters at a bound, no drop-out; maybe nothing.

    Parameters
    ----------
    found : Fit
    summary : DataFrame
        What it was fitted to: `x`, `t_x` and `T`.
    unit : str
        Of time.

    Examples
    --------
    >>> few = pd.DataFrame({"x": [0, 2], "t_x": [0, 5], "T": [9, 9]})
    >>> said(fit(bg_nbd, few), few)
    ['Orders are not predicted: too few to tell (1 customers who ordered again).']
    """
    again = repeat_customers(summary)
    if not enough(again):
        return [Led("Orders are not predicted", f": {too_few(again, 'customers who ordered again')}.")]
    sentences: list[str] = []
    name = next(key for key, model in MODELS.items() if model is found.model)
    if found.at_bounds:
        sentences.append(
            Led(
                f"The log does not identify {' and '.join(found.at_bounds)} of {name}",
                ": the likelihood is flat there. No interval is given, and predictions take the estimate as it is.",
            )
        )
    elif not found.converged:
        sentences.append(
            Led(f"The fit of {name} did not converge", ": its parameters have no intervals. Choose another model.")
        )
    left = 1 - share_active(found, summary, could_leave=True)
    if found.model is nbd:
        sentences.append("The NBD has no drop-out: all customers are taken as active.")
    elif left < NIL:
        sentences.append(
            Led(f"Almost nobody is estimated to have left ({percent(max(left, 0.0))})", _why(summary["T"], unit))
        )
    return sentences


def _why(ages: pd.Series, unit: str) -> str:
    """What nobody who has left is a sign of, and what to do."""
    if ages.max() - ages.min() < ages.max() / 4:  # as of one cohort
        return f": in {ages.max():,.0f} {unit}s leaving cannot be separated from long intervals between orders. A longer log can."
    return (
        f". In a log of customers of mixed ages ({ages.min():,.0f} to {ages.max():,.0f} {unit}s) leaving cannot be separated "
        "from long intervals between orders and from changes in demand. It is no sign of loyalty: compare fits by "
        "acquisition cohort."
    )


def first_days(summary: pd.DataFrame, day: pd.Timestamp, unit: str) -> pd.Series:
    """The last day of the period in which each customer first ordered, from the age on a `day`."""
    age, last = summary["T"].round().astype("int64"), pd.Timestamp(day) - pd.Timedelta(days=1)
    if unit == "month":
        months = last.year * 12 + last.month - 1 - age
        return pd.to_datetime({"year": months // 12, "month": months % 12 + 1, "day": 1})
    return last - pd.to_timedelta(age * (7 if unit == "week" else 1), unit="D")


def by_cohort(
    model: Model, summary: pd.DataFrame, day: pd.Timestamp, unit: str = "week", *, every: str = "quarter"
) -> pd.DataFrame:
    """A model fitted to each acquisition cohort: the customers who first ordered in a quarter, half-year or year.

    Parameters
    ----------
    model : function of `likelihood`
    summary : DataFrame
        As `summary` returns it for the `day` and the `unit`.
    every : str
        ``month``, ``quarter``, ``half-year`` or ``year``. A week belongs to the one in which it ends.

    Returns
    -------
    DataFrame
        One row per cohort of at least `LEAST` customers who ordered again, the earliest first: `cohort`, `customers`,
        `ordered_again`, the parameters, each with `…_low` and `…_high` (95% interval), `active` (share of customers
        estimated to be active), `converged` and `at_bounds`.

    Raises
    ------
    ValueError
        If `every` is none of these.
    """
    if every not in EVERY:
        raise ValueError(f"every is {every!r}; expected one of: {', '.join(EVERY)}")
    first = first_days(summary, day, unit)
    labels = first.dt.to_period(EVERY[every][-1]).astype(str).str.replace("Q", " Q")
    if every == "half-year":
        labels = first.dt.year.astype(str) + " H" + ((first.dt.month + 5) // 6).astype(str)
    rows = []
    for cohort, own in summary.groupby(labels.to_numpy(), sort=True):
        again = repeat_customers(own)
        if enough(again):
            found = fit(model, own)
            about = {"cohort": cohort, "customers": int(found.customers), "ordered_again": again}
            for one in found.estimates.to_dict("records"):
                about |= {f"{one['parameter']}{end}": one[name] for name, end in ENDS.items()}
            how = {"active": share_active(found, own), "converged": found.converged, "at_bounds": found.at_bounds}
            rows.append(about | how)
    table = pd.DataFrame(rows, columns=None if rows else ["cohort", "customers", "ordered_again", *HOW])
    return table.assign(at_bounds=table["at_bounds"].map(", ".join))


def compared(cohorts: pd.DataFrame, found: Fit, summary: pd.DataFrame) -> str:
    """What fits by cohort say beside that of all customers, as `by_cohort` returns them."""
    if cohorts.empty:
        return f"Fits by acquisition cohort: no cohort has {LEAST} customers who ordered again."
    active, everybody = cohorts["active"], share_active(found, summary)
    least, most = (cohorts["cohort"].iloc[place] for place in (active.argmin(), active.argmax()))
    if active.min() > 1 - NIL:
        return Led(
            f"Fits by acquisition cohort find almost nobody who has left either ({len(cohorts)} cohorts)",
            ". Mixed ages are not the reason. Judge predictions by a hold-out period, or use a longer log.",
        )
    return Led(
        f"Fits by acquisition cohort find {percent(active.min())} ({least}) to {percent(active.max())} ({most}) of "
        "customers active",
        f", the fit of all together {percent(everybody)}. {int(cohorts['converged'].sum())} of {len(cohorts)} converged.",
    )
