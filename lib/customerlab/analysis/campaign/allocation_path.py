"""The arithmetic of a budget's allocation: efficient increments, multipliers of the limits, and an exact core."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

Values = NDArray[np.floating]

NOTHING = 0  # the first option of every customer: no contact, no cost, no profit
PARTS = 20  # of the customers, each with cutting planes of its own
CUTS = 200  # rounds of cutting planes at most
LARGE = 1e4  # what linear programs have their numbers scaled to, whose tolerance is 1e-7
MORE = 1e-6  # of all costs, by which the budget is raised to find what more of it would bring
CORE = 100  # kinds of customers that are decided together and exactly
NODES = 100  # of branch and bound at most: a limit of time would make results depend on the machine
CLOSE = 1e-7  # of the bound, by which an exact plan may still fall short
ROUNDING = 1e-9  # of a limit, by which sums of floats may exceed it


@dataclass(frozen=True)
class Choices:
    """What can be chosen for n customers (in order of id) among m options, of which the first is `NOTHING`.

    `profit` and `cost` are of shape (n, m), the profit is -inf where an option is not open to a customer. The budget is
    the first of the `limits`, caps follow; `counted`, of shape (caps, m), has 1 where an option counts against a cap.
    """

    profit: Values
    cost: Values
    counted: Values
    limits: Values

    def of(self, table: Values, choice: NDArray) -> Values:
        """The entries of a table that belong to a choice, one option per customer."""
        return np.take_along_axis(table, choice[:, None], axis=1)[:, 0]

    def earned(self, choice: NDArray) -> float:
        """The profit of a choice."""
        return float(self.of(self.profit, choice).sum())

    def used(self, choice: NDArray) -> Values:
        """What a choice uses up of each limit."""
        return np.append(self.of(self.cost, choice).sum(), self.counted[:, choice].sum(axis=1))

    def fits(self, choice: NDArray) -> bool:
        """Whether a choice keeps to all limits."""
        return bool((self.used(choice) <= self.limits * (1 + ROUNDING)).all())

    def reduced(self, prices: Values) -> Values:
        """Profit less the price of what an option uses up, of shape (n, m)."""
        return self.profit - prices[0] * self.cost - prices[1:] @ self.counted

    def bound(self, prices: Values) -> float:
        """What no choice within the limits exceeds, by weak duality: of any prices that are not negative."""
        return float(self.limits @ prices + self.reduced(prices).max(axis=1).sum())


@dataclass(frozen=True)
class Path:
    """Efficient increments, the most profitable per unit of cost first: who moves to which option, and what that costs.

    `free` is the choice that costs nothing; `spent` is the cost of the increments so far, `slope` the profit per cost.
    """

    free: NDArray
    customer: NDArray
    option: NDArray
    spent: Values
    slope: Values

    def within(self, budget: float) -> tuple[NDArray, float]:
        """The choice that a budget is enough for, in the order of the path, and the slope of the next increment."""
        number = int(np.searchsorted(self.spent, budget * (1 + ROUNDING), side="right"))
        choice = self.free.copy()
        choice[self.customer[:number]] = self.option[:number]  # the last increment of a customer counts
        return choice, float(self.slope[number]) if number < len(self.slope) else 0.0


def path(choices: Choices) -> Path:
    """The upper convex hull of every customer's options, walked along for all customers at once, in order of slope.

    Sinha and Zoltners (1979), Zemel (1980): filled up to a budget, this is the optimum of the linear relaxation without
    caps. Of equal slopes, the first customer goes first.
    """
    profit, cost = choices.profit, choices.cost
    free = np.where(cost == 0, profit, -np.inf).argmax(axis=1)
    who, at, steep = np.arange(len(free)), free, np.full(len(free), np.inf)
    steps = []
    for step in range(profit.shape[1]):
        more_cost, more = (table[who] - choices.of(table[who], at)[:, None] for table in (cost, profit))
        gains = (more > 0) & (more_cost > 0)
        slope = np.divide(more, more_cost, out=np.full_like(more, -np.inf), where=gains)
        at = slope.argmax(axis=1)
        on = gains.any(axis=1)
        who, at, steep = who[on], at[on], np.minimum(choices.of(slope, at), steep)[on]  # collinear, up to rounding
        steps.append((steep, who, np.full(len(who), step), at, choices.of(more_cost[on], at)))
    slope, customer, step_of, option, paid = map(np.concatenate, zip(*steps, strict=True))
    order = np.lexsort((step_of, customer, -slope))
    return Path(free, customer[order], option[order], paid[order].cumsum(), slope[order])


def prices(choices: Choices) -> Values:
    """Prices of the limits at which the Lagrangian bound is least, which is the optimum of the linear relaxation.

    Cutting planes (Kelley 1960), one for each part of the customers and round, until the bound is within `ROUNDING` of
    its own lower bound, or for `CUTS` rounds; the bound holds for any prices. Where several prices of the budget are
    optimal, it is the lowest: what one more unit brings.
    """
    profit, number = choices.profit, len(choices.limits)
    firsts = np.unique(np.arange(PARTS) * len(profit) // PARTS)
    unit = np.append(choices.cost.max(axis=1).sum(), np.full(number - 1, float(len(profit))))
    unit, money = np.where(unit > 0, unit, 1.0), profit.max(axis=1).sum() or 1.0
    limits = choices.limits + np.where(np.arange(number) == 0, MORE * unit, 0.0)
    target = np.append(limits / unit, np.ones(len(firsts)))
    rows: list[sparse.csr_array] = []
    sides: list[Values] = []
    now = best = np.zeros(number)
    least = np.inf
    for _ in range(CUTS):
        reduced = choices.reduced(now)
        choice = reduced.argmax(axis=1)
        bound = limits @ now + choices.of(reduced, choice).sum()
        best, least = (now, bound) if bound < least else (best, least)
        used = np.column_stack([choices.of(choices.cost, choice), choices.counted[:, choice].T]) / unit
        rows.append(sparse.hstack([np.add.reduceat(used, firsts), sparse.eye_array(len(firsts))], format="csr"))
        sides.append(np.add.reduceat(choices.of(profit, choice), firsts) * LARGE / money)
        found = linprog(target, A_ub=-sparse.vstack(rows), b_ub=-np.concatenate(sides), method="highs")
        now = np.maximum(found.x[:number], 0.0) * money / LARGE / unit
        if least - found.fun * money / LARGE <= ROUNDING * least:
            break
    return best


def kept(choices: Choices, choice: NDArray, order: NDArray) -> NDArray:
    """A choice without the customers, last in an order, who exceed a limit: first each cap, then the budget."""
    choice = choice.copy()
    for counted, most in zip(choices.counted, choices.limits[1:], strict=True):
        late = counted[choice[order]].cumsum() > most
        choice[order[late & (counted[choice[order]] > 0)]] = NOTHING
    late = choices.of(choices.cost, choice)[order].cumsum() > choices.limits[0] * (1 + ROUNDING)
    choice[order[late]] = NOTHING
    return choice


def improved(choices: Choices, at: Values, choice: NDArray) -> NDArray:
    """A choice, or a better one in which the customers whose decision is closest at some prices are decided exactly.

    First among options that are tied at the prices, as many can be with caps, then of `CORE` customers more, all others
    having their best option at the prices. Last, from there, among all options that can be in a better choice: none
    that loses more at the prices than the bound exceeds the profit. If these are of at most `CORE` kinds of customers,
    the result is the optimum.
    """
    reduced, bound = choices.reduced(at), choices.bound(at)
    loss = reduced.max(axis=1)[:, None] - reduced
    second = np.sort(_second(loss))
    tied = ROUNDING * bound
    more = np.append(second, np.inf)[min(int(np.searchsorted(second, tied, side="right")) + CORE, len(second))]
    for largest in (0.0, more, np.inf):
        gap = bound - choices.earned(choice)
        if gap <= tied:
            break
        start = reduced.argmax(axis=1) if largest < np.inf else choice
        new = _decided(choices, start, loss <= min(gap, largest) + tied, loss)
        if choices.fits(new) and choices.earned(new) > choices.earned(choice) * (1 + ROUNDING):
            choice = new
    return choice


def _second(loss: Values) -> Values:
    """What the second-best option of each customer loses; infinite if there is none."""
    return np.partition(loss, 1, axis=1)[:, 1] if loss.shape[1] > 1 else np.full(len(loss), np.inf)


def _decided(choices: Choices, choice: NDArray, left: NDArray, loss: Values) -> NDArray:
    """A choice in which `CORE` kinds of customers, closest first, are decided exactly among the options left to them.

    Customers are of one kind if the same options are left to them, with the same differences in profit and cost.
    """
    core = np.flatnonzero(left.sum(axis=1) > 1)
    if not len(core):
        return choice
    left, first_left = left[core], left[core].argmax(axis=1)
    profit, cost = (
        np.where(left, table[core] - choices.of(table[core], first_left)[:, None], -np.inf).round(9)
        for table in (choices.profit, choices.cost)
    )
    _, first, kind = np.unique(np.column_stack([profit, cost]), axis=0, return_index=True, return_inverse=True)
    closest = np.lexsort((first, _second(loss[core[first]])))[:CORE]
    rank = np.full(len(first), -1)
    rank[closest] = np.arange(len(closest))
    inside, first = rank[kind] >= 0, first[closest]
    core, kind, new = core[inside], rank[kind][inside], choice.copy()
    new[core] = first_left[inside]
    numbers = _numbers(choices, new, profit[first], cost[first], np.bincount(kind))
    order = np.argsort(-profit[first], axis=1, kind="stable")  # the lowest ids have the largest profit
    repeats = np.take_along_axis(numbers, order, axis=1)
    if (repeats.sum(axis=1) != np.bincount(kind)).any():
        return choice
    new[core[np.argsort(kind, kind="stable")]] = np.repeat(order.ravel(), repeats.ravel())
    return new


def _numbers(choices: Choices, choice: NDArray, profit: Values, cost: Values, size: NDArray) -> NDArray:
    """How many customers of each kind get each option, of shape (kinds, m), by HiGHS; none where it finds nothing.

    Profit and cost are differences to `choice`, in which each kind has the first option that is left to it.
    """
    kind, option = np.nonzero(np.isfinite(profit))
    profit, cost = profit[kind, option], cost[kind, option]
    firsts = np.unique(kind, return_index=True)[1]
    counted = choices.counted[:, option] - choices.counted[:, option[firsts]][:, kind]
    unit = np.abs(cost).max() or 1.0  # HiGHS keeps to limits, and numbers whole, within 1e-6
    room = choices.limits - choices.used(choice)
    of_kind = sparse.csr_array((np.ones(len(kind)), (kind, np.arange(len(kind)))))
    found = milp(
        -profit - choices.earned(choice) / size.sum(),  # the objective is the whole profit, which the gap is a share of
        integrality=np.ones(len(kind)),
        bounds=Bounds(0, size[kind]),
        constraints=[
            LinearConstraint(of_kind, size, size),
            LinearConstraint(np.vstack([cost / unit, counted]), -np.inf, np.append(room[0] / unit, room[1:])),
        ],
        options={"node_limit": NODES, "mip_rel_gap": CLOSE},
    )
    numbers = np.zeros((len(size), choices.profit.shape[1]), dtype=int)
    if found.x is not None:
        numbers[kind, option] = np.rint(found.x)
    return numbers
