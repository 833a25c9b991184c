"""Customers' states by month: a hidden Markov model of monthly numbers of orders, Poisson by state.

A customer is in one state in each month, orders at its rate, and moves between months by one transition matrix. The
states are seen through the orders alone, so each has a probability. It is a second view of customers beside segments.

Sources: Baum, Petrie, Soules and Weiss (1970), Annals of Mathematical Statistics 41(1), for the estimates by
expectation-maximisation (EM); Zucchini and MacDonald (2009), *Hidden Markov Models for Time Series*, for the model.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from customerlab.analysis.inference import LEAST, enough, too_few
from customerlab.analysis.monitoring.hidden_em import (
    Parameters,
    Sequences,
    Values,
    emissions_of,
    forward,
    run_em,
    sequences,
)

SHORT, LONG = 50, 400  # EM steps of every start, and of the best of them (Biernacki, Celeux and Govaert 2003)
SAMPLE = 5_000  # customers that starts are compared on, at most


@dataclass(frozen=True)
class Hidden:
    """A fitted hidden Markov model. States are numbered from 1 by rising rate.

    Attributes
    ----------
    rates : array of shape (states,)
        Expected orders per month.
    transition : array of shape (states, states)
        Probability of each state in the next month, a row for each state of this month.
    initial : array of shape (states,)
        Probability of each state in a customer's first month.
    log_likelihood : float
    customers, months : int
        How many customers and customer-months it was fitted on.
    iterations : int
        Steps of EM from the best start.
    converged : bool
        Whether the last step gained less than `TOLERANCE` of the log-likelihood.
    """

    rates: Values
    transition: Values
    initial: Values
    log_likelihood: float
    customers: int
    months: int
    iterations: int
    converged: bool

    @property
    def parameters(self) -> int:
        """Number of free parameters: the rates, all but one of each row of transitions and of the initial state."""
        return len(self.rates) ** 2 + len(self.rates) - 1

    @property
    def bic(self) -> float:
        """Schwarz's criterion (1978); the observations are customer-months."""
        return self.parameters * float(np.log(self.months)) - 2 * self.log_likelihood

    def at_end(self, counts: "pd.DataFrame | np.ndarray") -> pd.DataFrame:
        """The most probable state of each customer in the last month, and its probability, given all months.

        `counts` is as in `fit_hidden`, of these or of other customers.

        Returns
        -------
        DataFrame
            One row per customer, in the same order and with the same index: `state`, the lower of two equally probable
            ones, and `probability`.
        """
        data, places = sequences(counts)
        last = forward(self._own, data, emissions_of(self.rates, data.values))[0][-1]
        table = pd.DataFrame({"state": last.argmax(axis=0) + 1, "probability": last.max(axis=0)}).iloc[places]
        return table.set_axis(counts.index if isinstance(counts, pd.DataFrame) else range(len(places)))

    @property
    def _own(self) -> Parameters:
        return Parameters(self.rates, self.transition, self.initial)


@dataclass(frozen=True)
class Choice:
    """Models with one state and more, and the one that is chosen.

    Attributes
    ----------
    table : DataFrame
        One row per number of `states`, from 1: `log_likelihood`, `parameters`, `bic`, `converged`.
    model : Hidden or None
        The one with the lowest BIC, of equal ones that with fewer states; None where there are too few months.
    note : str
        What has to be known beside it: too few months, or models whose fit has not converged; else empty.
    """

    table: pd.DataFrame
    model: Hidden | None
    note: str


def fit_hidden(counts: "pd.DataFrame | np.ndarray", *, states: int, seed: int, starts: int = 5) -> Hidden:
    """Fit the model by EM, with free initial probabilities.

    Every start takes `SHORT` steps, on a sample of customers where more than `SAMPLE` differ, and the best of them goes
    on with all customers until it converges. The first start is fixed, the others are random. Equal customers count
    once, with a weight; the order of rows changes nothing.

    Parameters
    ----------
    counts : DataFrame or array of shape (customers, months)
        Numbers of orders, whole; missing before a customer's first month, and only there. All end in the same month.
    states : int
    seed : int
    starts : int

    Raises
    ------
    ValueError
        If a count is negative or not whole, missing after a customer's first month, or a customer has no month; if
        there are fewer than `inference.LEAST` customer-months for each state; or if more than one state is asked for
        where all counts are the same, as in a panel without an order.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> active = rng.random(300) < 0.4  # in every month, or in none
    >>> found = fit_hidden(rng.poisson(np.where(active, 2.0, 0.1)[:, None], (300, 12)), states=2, seed=0)
    >>> found.rates.round(1).tolist(), found.converged
    ([0.1, 2.0], True)
    """
    data, _ = sequences(counts)
    if states < 1 or starts < 1:
        raise ValueError(f"{states} states and {starts} starts; expected at least one of each")
    if not enough(data.months / states):
        raise ValueError(f"{too_few(data.months, 'customer-months')}; expected {LEAST} for each of {states} states")
    if states > 1 and data.constant:
        raise ValueError(f"{states} states where all counts are the same; expected 1")
    with threadpool_limits(1):  # sums over several threads differ in their last digits
        rng = np.random.default_rng(seed)
        few, mean = _drawn(data, rng), data.mean
        begun = [run_em(_start(mean, states, rng if place else None), few, SHORT) for place in range(starts)]
        best = max(begun, key=lambda run: run[1])  # the first of equal ones
        found, value, steps, converged = run_em(best[0], data, LONG)
    order = np.argsort(found.rates, kind="stable")
    rates, transition, initial = found.rates[order], found.transition[np.ix_(order, order)], found.initial[order]
    steps += best[2]
    return Hidden(rates, transition, initial, value, int(data.weights.sum()), data.months, steps, converged)


def choose_states(counts: "pd.DataFrame | np.ndarray", *, most: int = 4, seed: int, starts: int = 5) -> Choice:
    """Choose the number of states, from 1 to `most`, by the lowest BIC.

    Fewer are tried where there are not `inference.LEAST` customer-months for each, and only one where all counts are
    the same. The other parameters, and what raises, are as in `fit_hidden`; too few months do not raise.

    Examples
    --------
    >>> choose_states(np.random.default_rng(2).poisson(0.5, (100, 6)), most=2, seed=0).table["states"].tolist()
    [1, 2]
    >>> choose_states(np.zeros((3, 4)), seed=0).note
    'too few to tell (12 customer-months)'
    """
    if most < 1:
        raise ValueError(f"at most {most} states; expected at least 1")
    data, _ = sequences(counts)
    possible = 1 if enough(data.months) and data.constant else min(most, data.months // LEAST)
    models = [fit_hidden(counts, states=number, seed=seed, starts=starts) for number in range(1, possible + 1)]
    rows = [(len(m.rates), m.log_likelihood, m.parameters, m.bic, m.converged) for m in models]
    table = pd.DataFrame(rows, columns=["states", "log_likelihood", "parameters", "bic", "converged"])
    if not models:
        return Choice(table, None, too_few(data.months, "customer-months"))
    loose = [str(len(m.rates)) for m in models if not m.converged]
    note = f"The fit with {' and '.join(loose)} states did not converge in {LONG} steps." if loose else ""
    return Choice(table, min(models, key=lambda m: round(m.bic, 6)), note)


def _drawn(data: Sequences, rng: np.random.Generator) -> Sequences:
    """A sample of customers, or all where few of them differ."""
    if len(data.weights) <= SAMPLE:
        return data
    weights = rng.multinomial(SAMPLE, data.weights / data.weights.sum()).astype(float)
    return Sequences(data.values, np.ascontiguousarray(data.codes[:, weights > 0]), weights[weights > 0])


def _start(mean: float, states: int, rng: np.random.Generator | None) -> Parameters:
    """Where EM begins: rates spread about the mean count, states that mostly stay; at random where there is a `rng`."""
    even = np.full(states, 1 / states)
    if rng is None:
        return Parameters(2 * mean * (np.arange(states) + 0.5) / states, 0.8 * np.eye(states) + 0.2 * even, even)
    rates, moves = np.sort(mean * rng.gamma(1.0, size=states)), rng.dirichlet(np.ones(states), states)
    return Parameters(rates, 0.8 * np.eye(states) + 0.2 * moves, rng.dirichlet(np.ones(states)))
