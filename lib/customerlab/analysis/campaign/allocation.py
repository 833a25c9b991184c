"""Whom to contact with which offer by which channel within a budget: the plan of the largest expected profit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from customerlab.analysis.campaign.allocation_path import NOTHING, Choices, Path, Values, improved, kept, path, prices
from customerlab.analysis.inference import percentile_interval

KEYS = ["customer_id", "offer", "channel"]
MONEY = ["effect", "cost"]
Caps = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Plan:
    """Who gets which offer by which channel, what that brings, and how far it is from the best possible at most.

    Attributes
    ----------
    chosen : DataFrame
        One row per customer contacted, in order of id: `customer_id`, `offer`, `channel`, `effect`, `cost`, `profit`
        (effect less cost).
    profit, cost : float
        Sums of these.
    shadow_price : float
        Profit that one more unit of budget brings, in the linear relaxation; 0 where the budget is not used up.
    bound : float
        Optimum of the linear relaxation, in which fractions of customers could be contacted: no plan has more profit.
    """

    chosen: pd.DataFrame
    profit: float
    cost: float
    shadow_price: float
    bound: float

    @property
    def gap(self) -> float:
        """The share of the bound that the profit falls short of it at most; 0 where nothing can be earned."""
        return max(0.0, 1 - self.profit / self.bound) if self.bound > 0 else 0.0


def allocate(
    options: pd.DataFrame,
    budget: float,
    *,
    caps: "Caps | None" = None,
    held_out: Iterable[object] = (),
    excluded: Iterable[object] = (),
) -> Plan:
    """Choose at most one offer and channel per customer, such that the expected profit is largest within the budget.

    Effects are incremental: what the contact *causes* compared with no contact, before its cost, as estimated from a
    randomised test. A propensity (the chance to buy, or expected revenue given a contact) is not an effect: it pays for
    customers who would have bought anyway.

    Parameters
    ----------
    options : DataFrame
        One row per customer and allowed option: `customer_id`, `offer`, `channel`, `effect` (expected profit caused,
        before the cost) and `cost`, both in the shop's currency. An option that is not allowed, say for want of
        consent, has no row. The order of rows is of no meaning.
    budget : float
        The largest sum of costs, in the shop's currency; sums may exceed it by rounding, 1e-9 of it.
    caps : mapping, optional
        The most customers of a channel or an offer: ``{("channel", "letter"): 1000, ("offer", "voucher"): 500}``.
    held_out, excluded : iterable of ids
        Customers who are never contacted: those of the hold-out group, and those excluded for other reasons. Ids are
        compared as texts.

    Returns
    -------
    Plan
        Options without profit are not chosen, so it may be empty: with no options, no budget for any, or costs above
        effects. Between equal plans the customer with the lower id is contacted.

    Raises
    ------
    ValueError
        If columns lack, an option of a customer is there twice, effects or costs are not finite, a cost, the budget or
        a cap is negative, or a cap is of something that no option has.

    Notes
    -----
    The multiple-choice knapsack problem. Without caps, the efficient increments of all customers (the upper convex
    hull of their options) are taken in order of profit per cost (Sinha and Zoltners 1979, Operations Research 27; Zemel
    1980, Operations Research 28). With caps, Lagrange multipliers take the place of the order (Fisher 1981, Management
    Science 27). The customers whose decision is closest are then decided exactly (HiGHS; a core as in Pisinger 1995,
    European Journal of Operational Research 83). Of up to 100 customers the plan is the optimum to 1e-7 of its profit,
    unless HiGHS needs more than 100 nodes; of more, `gap` says how close it is at least.

    Examples
    --------
    >>> options = pd.DataFrame({
    ...     "customer_id": ["ann", "ann", "bob", "cat"], "offer": "voucher",
    ...     "channel": ["mail", "letter", "mail", "letter"], "effect": [3.0, 9.0, 2.0, 1.0], "cost": [1, 4, 1, 4],
    ... })
    >>> plan = allocate(options, 5.0)
    >>> plan.chosen[["customer_id", "channel", "profit"]].values.tolist(), plan.profit, plan.cost
    ([['ann', 'letter', 5.0], ['bob', 'mail', 1.0]], 6.0, 5.0)
    >>> allocate(options, 5.0, caps={("channel", "letter"): 0}).profit, allocate(options, 5.0, held_out=["ann"]).profit
    (3.0, 1.0)
    """
    options, choices, row = _arrays(options, caps, held_out, excluded)
    choices = _paying(choices)
    choice, price, bound = _chosen(choices, path(choices), budget)
    chosen = _contacts(options, _rows(row, choice))
    return Plan(chosen, float(chosen["profit"].sum()), float(chosen["cost"].sum()), price, bound)


def profit_by_budget(
    options: pd.DataFrame,
    budgets: Sequence[float],
    *,
    caps: "Caps | None" = None,
    held_out: Iterable[object] = (),
    excluded: Iterable[object] = (),
    draws: "Values | None" = None,
    cells: "NDArray | pd.Series | None" = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """The profit of the plan of each budget, and an interval of it if the uncertainty of the effects is given.

    The interval is of the plan that is best by the expected effects. It assumes that the draws are about these, as
    those of a posterior are: the plan chooses large effects, and with estimates that are not shrunk its profit is too
    high, and so is the interval (Smith and Winkler 2006, Management Science 52).

    Parameters
    ----------
    options, caps, held_out, excluded
        As for `allocate`.
    budgets : sequence of float
        In the shop's currency.
    draws : array of shape (draws, cells), optional
        Effects drawn jointly (bootstrap or posterior); intervals are percentiles.
    cells : array of shape (rows,), optional
        The column of the draws that belongs to each row of `options`; the row's own place without.
    confidence : float
        Of the interval.

    Returns
    -------
    DataFrame
        One row per budget, in their order: `budget`, `profit`, `cost`, `customers`, `shadow_price`, `bound`, and `low`
        and `high`, missing without draws.

    Raises
    ------
    ValueError
        As `allocate`; if draws are of another shape or not finite.

    Examples
    --------
    >>> options = pd.DataFrame({"customer_id": ["ann", "bob"], "offer": "voucher", "channel": "mail"})
    >>> options = options.assign(effect=[5.0, 3.0], cost=2.0)
    >>> found = profit_by_budget(options, [0, 2, 9], draws=np.array([[4.0, 3.0], [6.0, 3.0]]))
    >>> found[["profit", "customers", "shadow_price", "low", "high"]].round(2).values.tolist()
    [[0.0, 0.0, 1.5, 0.0, 0.0], [3.0, 1.0, 0.5, 2.05, 3.95], [4.0, 2.0, 0.0, 3.05, 4.95]]
    """
    drawn, cell = _uncertainty(len(options), draws, cells)
    options, choices, row = _arrays(options, caps, held_out, excluded)
    choices = _paying(choices)
    increments = path(choices)
    found = []
    for budget in budgets:
        choice, price, bound = _chosen(choices, increments, budget)
        rows = _rows(row, choice)
        profit, cost = _contacts(options, rows)[["profit", "cost"]].sum()
        low, high = np.nan, np.nan
        if draws is not None:
            low, high = percentile_interval(
                drawn @ np.bincount(cell[rows], minlength=drawn.shape[1]) - cost, confidence
            )
        found.append((budget, profit, cost, len(rows), price, bound, low, high))
    columns = ["budget", "profit", "cost", "customers", "shadow_price", "bound", "low", "high"]
    return pd.DataFrame(found, columns=columns).astype(dict.fromkeys(columns, float) | {"customers": int})


def rivals(
    options: pd.DataFrame,
    budget: float,
    ranking: pd.Series,
    *,
    caps: "Caps | None" = None,
    held_out: Iterable[object] = (),
    excluded: Iterable[object] = (),
) -> pd.DataFrame:
    """Compare the plan with simpler rules within the same budget, caps and exclusions.

    - "optimal": the plan of `allocate`.
    - "top by …", with the name of the ranking: customers in its order, the highest first, all with one option.
    - "everybody": customers in order of id, each with the option of the largest profit.

    The one option is that with the largest sum of profits over all customers to whom it is open. These rules contact
    customers also where that brings no profit, and end when the budget does not cover the next customer.

    Parameters
    ----------
    options, budget, caps, held_out, excluded
        As for `allocate`.
    ranking : Series
        A number by `customer_id`, such as an RFM score; customers without one are not contacted by it. Equal ones are
        in order of id.

    Returns
    -------
    DataFrame
        `plan`, `customers`, `cost`, `profit` (expected).

    Raises
    ------
    ValueError
        As `allocate`, and if the ranking has a customer twice.

    Examples
    --------
    >>> options = pd.DataFrame({"customer_id": ["ann", "bob", "cat"], "offer": "voucher", "channel": "mail"})
    >>> options = options.assign(effect=[0.0, 3.0, 8.0], cost=2.0)
    >>> rivals(options, 4.0, pd.Series({"ann": 5, "bob": 9, "cat": 1}, name="RFM"))
             plan  customers  cost  profit
    0     optimal          2   4.0     7.0
    1  top by RFM          2   4.0    -1.0
    2   everybody          2   4.0    -1.0
    """
    if ranking.index.has_duplicates:
        raise ValueError("The ranking has a customer twice; expected one number per customer.")
    options, choices, row = _arrays(options, caps, held_out, excluded)
    plan, _, _ = _chosen(_paying(choices), path(_paying(choices)), budget)
    choices = replace(choices, limits=np.append(budget, choices.limits[1:]))
    score = options["customer_id"].iloc[row.max(axis=1)].map(ranking).to_numpy(float, na_value=np.nan)
    choices.profit[:, NOTHING] = -np.inf
    best = choices.profit.argmax(axis=1)
    one = np.where(row >= 0, choices.profit, 0.0).sum(axis=0)
    one[NOTHING] = -np.inf
    ranked = np.where((row[:, one.argmax()] >= 0) & ~np.isnan(score), one.argmax(), NOTHING)
    plans = {
        "optimal": plan,
        f"top by {ranking.name or 'ranking'}": kept(choices, ranked, np.argsort(-score, kind="stable")),
        "everybody": kept(choices, best, np.arange(len(best))),
    }
    tables = {name: _contacts(options, _rows(row, choice)) for name, choice in plans.items()}
    found = [(name, len(table), table["cost"].sum(), table["profit"].sum()) for name, table in tables.items()]
    return pd.DataFrame(found, columns=["plan", "customers", "cost", "profit"])


def _chosen(choices: Choices, increments: Path, budget: float) -> tuple[NDArray, float, float]:
    """The choice for a budget, its shadow price and its bound."""
    if not (np.isfinite(budget) and budget >= 0):
        raise ValueError(f"The budget is {budget:g}; expected a finite amount of at least 0.")
    choices = replace(choices, limits=np.append(budget, choices.limits[1:]))
    choice, price = increments.within(budget)
    at = np.append(price, np.zeros(len(choices.counted)))
    if len(choices.counted) and (price > 0 or not choices.fits(choice)):
        at = prices(choices)
        reduced = choices.reduced(at)
        choice = kept(choices, reduced.argmax(axis=1), np.argsort(-reduced.max(axis=1), kind="stable"))
    return improved(choices, at, choice), float(at[0]), choices.bound(at)


def _contacts(options: pd.DataFrame, rows: NDArray) -> pd.DataFrame:
    """The options that are chosen, with their profit."""
    chosen = options.iloc[rows].reset_index(drop=True)
    return chosen.assign(profit=chosen["effect"] - chosen["cost"])


def _rows(row: NDArray, choice: NDArray) -> NDArray:
    """The rows of the options that are chosen, in order of customers."""
    contacted = np.flatnonzero(choice != NOTHING)
    return row[contacted, choice[contacted]]


def _paying(choices: Choices) -> Choices:
    """The choices without options that bring no profit."""
    profit = np.where(choices.profit > 0, choices.profit, -np.inf)
    profit[:, NOTHING] = 0.0
    return replace(choices, profit=profit)


def _arrays(
    options: pd.DataFrame, caps: "Caps | None", held_out: Iterable[object], excluded: Iterable[object]
) -> tuple[pd.DataFrame, Choices, NDArray]:
    """The options checked, as arrays, and the row of each, of the arrays' shape; -1 where an option is not open."""
    options = _checked(options)
    ids, customers = pd.factorize(options["customer_id"], sort=True)
    pair = options.groupby(["offer", "channel"], observed=True).ngroup().to_numpy() + 1
    shape = (len(customers), int(pair.max(initial=0)) + 1)
    row = np.full(shape, -1)
    row[ids, pair] = np.arange(len(options))
    if (row >= 0).sum() < len(options):
        raise ValueError("A customer has the same offer and channel twice; expected one row for each.")
    counted, limits = _counted(options, pair, shape[1], caps or {})
    never = pd.Index(customers).astype(str).isin({str(one) for one in (*held_out, *excluded)})
    row = row[~never]
    effect, cost = (np.where(row >= 0, options[name].to_numpy(float)[row], 0.0) for name in MONEY)
    profit = np.where(row >= 0, effect - cost, -np.inf)
    profit[:, NOTHING] = 0.0
    return options, Choices(profit, cost, counted, np.append(0.0, limits)), row


def _checked(options: pd.DataFrame) -> pd.DataFrame:
    """The columns of the options that count, if they are as expected."""
    lacking = [name for name in KEYS + MONEY if name not in options]
    if lacking:
        raise ValueError(f"The options lack {', '.join(lacking)}; expected {', '.join(KEYS + MONEY)}.")
    options = options[KEYS + MONEY]
    if options[KEYS].isna().to_numpy().any():
        raise ValueError("An option lacks its customer, offer or channel.")
    effect, cost = (options[name].to_numpy(float, na_value=np.nan) for name in MONEY)
    if not np.isfinite([effect, cost]).all():
        raise ValueError("An effect or a cost is missing or infinite; an option that is not allowed has no row.")
    if (cost < 0).any():
        raise ValueError("A cost is negative; expected costs of at least 0.")
    return options


def _counted(options: pd.DataFrame, pair: NDArray, number: int, caps: Caps) -> tuple[Values, Values]:
    """Which pairs of offer and channel count against each cap, of shape (caps, pairs), and the caps."""
    counted = np.zeros((len(caps), number))
    for place, ((kind, name), most) in enumerate(sorted(caps.items())):
        if kind not in ("channel", "offer"):
            raise ValueError(f"A cap is of {kind!r}; expected 'channel' or 'offer'.")
        if not most >= 0:
            raise ValueError(f"The cap of {kind} {name!r} is {most}; expected a number of customers of at least 0.")
        own = (options[kind] == name).to_numpy()
        if len(own) and not own.any():
            raise ValueError(f"A cap is of {kind} {name!r}, which no option has.")
        counted[place, pair[own]] = 1.0
    return counted, np.array([most for _, most in sorted(caps.items())], dtype=float)


def _uncertainty(rows: int, draws: "Values | None", cells: "NDArray | pd.Series | None") -> tuple[Values, NDArray]:
    """Draws of effects by cell, and the cell of each row."""
    given = np.empty((0, rows)) if draws is None else np.asarray(draws, dtype=float)
    cell = np.arange(rows) if cells is None else np.asarray(cells)
    if given.ndim != 2 or cell.shape != (rows,) or not np.isfinite(given).all():
        raise ValueError(
            f"Draws are not finite numbers of shape (draws, cells), with a cell for each of {rows} options."
        )
    if rows and not 0 <= cell.min() <= cell.max() < given.shape[1]:
        raise ValueError(f"Cells of options are from {cell.min()} to {cell.max()}; draws have {given.shape[1]} cells.")
    return given, cell
