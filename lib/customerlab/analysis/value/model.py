"""A fitted model of customer value that can be saved, and applied to any other day of a shop."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from customerlab.analysis.orders import Snapshot
from customerlab.analysis.value.fitting import MODELS, Fit, fit
from customerlab.analysis.value.history import summary
from customerlab.analysis.value.likelihood import Values, gamma_gamma
from customerlab.analysis.value.money import Money, fit_money
from customerlab.analysis.value.outlook import DRAWS, Outlook, predict


@dataclass(frozen=True, eq=False)
class ValueModel:
    """What a shop's customers are worth, as plain numbers: what was fitted on a day, and how it is used.

    Attributes
    ----------
    model : str
        One of `MODELS`.
    unit : str
        Of time: ``day``, ``week`` or ``month``.
    horizon : float
        Units of time that are predicted.
    yearly_discount : float
    fitted_on : str
        The day up to which orders were known, as an ISO date.
    orders, money : DataFrame
        The parameters, as `Fit.estimates`; `money` is that of Gamma-Gamma, or None.
    orders_covariance, money_covariance : ndarray
        As `Fit.covariance`.
    fitted_to : dict of str to float
        `customers`, `orders_log_likelihood`, and 1 or 0 for `orders_converged` and `money_converged`.
    at_bounds, notes : tuple of str
        As `Fit.at_bounds`, and `Money.notes`.
    draws, seed : int
        Of `predict`.
    """

    model: str
    unit: str
    horizon: float
    yearly_discount: float
    fitted_on: str
    orders: pd.DataFrame
    orders_covariance: Values
    money: pd.DataFrame | None
    money_covariance: Values | None
    fitted_to: dict[str, float]
    at_bounds: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    draws: int = DRAWS
    seed: int = 0

    @property
    def fit(self) -> Fit:
        """The model of orders."""
        about = self.fitted_to
        return Fit(
            MODELS[self.model], self.orders, self.orders_covariance, about["orders_log_likelihood"], about["customers"],
            bool(about["orders_converged"]), tuple(self.at_bounds),
        )  # fmt: skip

    @property
    def priced(self) -> Money:
        """The model of money, without what is known of the customers that it was fitted to."""
        if self.money is None or self.money_covariance is None:
            return Money(None, {}, 0, tuple(self.notes))
        found = Fit(
            gamma_gamma, self.money, self.money_covariance, np.nan, np.nan, bool(self.fitted_to["money_converged"]), ()
        )
        return Money(found, {}, 0, tuple(self.notes))

    def outlook(self, shop: Snapshot, groups: pd.DataFrame | None = None) -> Outlook:
        """What is expected of the customers of a shop on a day, and of groups of them, as `predict` returns it."""
        return predict(
            self.fit, summary(shop.transactions, shop.day, self.unit, shop.returns), self.horizon, unit=self.unit,
            money=self.priced, groups=groups, yearly_discount=self.yearly_discount, draws=self.draws, seed=self.seed,
        )  # fmt: skip

    def on(self, shop: Snapshot) -> pd.DataFrame:
        """The customers of a day, as in `Outlook`, from orders and returns before that day."""
        return self.outlook(shop).customers


def fit_value(
    shop: Snapshot, *, model: str = "BG/NBD", unit: str = "week", horizon: float = 26, yearly_discount: float = 0.1,
    draws: int = DRAWS, seed: int = 0,
) -> ValueModel:  # fmt: skip
    """Fit a model of repeat orders, and Gamma-Gamma, to the customers of a shop.

    Parameters
    ----------
    shop : Snapshot
        Lines that a return has annulled before its day were not bought.
    model : str
        One of `MODELS`.
    unit : str
        ``day``, ``week`` or ``month``.
    horizon : float
        Units of time to predict.
    yearly_discount : float
        Of money to come, such as 0.1.

    Raises
    ------
    ValueError
        If the model or the unit is not known.

    Examples
    --------
    >>> import ibis
    >>> from customerlab.codec import from_json, to_json
    >>> rng = np.random.default_rng(1)
    >>> log = ibis.memtable(pd.DataFrame({
    ...     "customer_id": rng.integers(0, 90, 300), "amount": rng.gamma(4.0, 5.0, 300),
    ...     "ordered_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 182, 300), unit="D"),
    ... }))
    >>> shop = Snapshot(log, pd.Timestamp("2024-07-01"))
    >>> saved = to_json(fit_value(shop, model="NBD", horizon=4))
    >>> from_json(saved).on(shop).columns[:8].tolist()
    ['customer_id', 'x', 't_x', 'T', 'past_revenue', 'active', 'orders', 'orders_low']
    """
    if model not in MODELS:
        raise ValueError(f"model is {model!r}; expected one of: {', '.join(MODELS)}")
    known = summary(shop.transactions, shop.day, unit, shop.returns)
    found, money = fit(MODELS[model], known), fit_money(known)
    about = {
        "customers": found.customers, "orders_log_likelihood": found.log_likelihood,
        "orders_converged": float(found.converged), "money_converged": float(bool(money.fit and money.fit.converged)),
    }  # fmt: skip
    return ValueModel(
        model, unit, horizon, yearly_discount, f"{shop.day:%Y-%m-%d}", found.estimates, found.covariance,
        money.fit.estimates if money.fit else None, money.fit.covariance if money.fit else None, about, found.at_bounds,
        money.notes, draws, seed,
    )  # fmt: skip
