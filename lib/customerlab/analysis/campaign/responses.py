"""What messages cause by segment, offer and channel, against customers held out at random; few data are shrunk."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from customerlab.analysis.inference import LEVEL, enough

CUSTOMER = "customer_id"
CELL = ["segment", "offer", "channel"]
GRID = 400  # shares of the whole variance that is between cells, on which the posterior is integrated
DRAWS = 1_000

Values = NDArray[np.floating]


@dataclass(frozen=True)
class Responses:
    """Effects of one message on what follows in its window.

    Attributes
    ----------
    table : DataFrame
        One row per segment, offer and channel: `messages`, `held_out` (rows of the same campaigns and segment that were
        held out), `buyers` (the segment's customers who ordered after messages, or when held out, whichever are fewer),
        `effect` (per message, as observed), `error`,
        `shrunken` with `low` and `high` (95%) and `deviation` (of the posterior distribution); missing for cells that
        cannot be estimated.
    draws : array of shape (draws, cells)
        Of the joint posterior distribution; 0 for cells that cannot be estimated.
    spread : float
        Posterior mean of the standard deviation of true effects around their mean.
    """

    table: pd.DataFrame
    draws: Values
    spread: float


def effects(log: pd.DataFrame, outcome: str, *, seed: int) -> Responses:
    """Effects of messages by segment, offer and channel, against held-out customers of the same campaign and segment.

    Within each campaign and segment, customers with a message by the channel are compared with those held out; these
    differences are averaged with weights n1 n0 / (n1 + n0), which is least squares with a constant for each campaign
    and segment. Customers are counted as assigned, whether they read a message or not. The variance, clustered by
    customer (Liang and Zeger 1986, Biometrika 73), is that of all messages to the segment, per unit of weight: that of
    a cell with few orders would be too uncertain itself.

    Effects are then shrunk towards their common mean, with a normal distribution whose standard deviation has a flat
    prior, integrated over a grid (Rubin 1981, Journal of Educational Statistics 6; Gelman et al. 2013, Bayesian Data
    Analysis, 5.4). A plan takes the largest effects of all offers and channels, so that a mean of their own for each
    would leave them too large. Errors are taken as independent, though cells share customers who were held out.

    Parameters
    ----------
    log : DataFrame
        As `with_segments` returns it. Rows without a segment or the outcome are left out.
    outcome : str
        A column of numbers, such as `revenue_after`.
    seed : int
        Of the draws.

    Returns
    -------
    Responses
        The cells of a segment are estimated if `enough` of its customers ordered after messages and when held out.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> log = pd.DataFrame({
    ...     "customer_id": [f"c{n:04d}" for n in range(4000)], "campaign": "May", "offer": "voucher",
    ...     "channel": "email", "held_out": np.arange(4000) % 4 == 0, "segment": "all",
    ...     "orders_after": 1.0 * (rng.random(4000) < 0.1),
    ... })
    >>> log.loc[~log["held_out"], "orders_after"] += 0.05
    >>> found = effects(log, "orders_after", seed=1).table
    >>> found[["messages", "held_out", "effect"]].round(2).values.tolist()
    [[3000.0, 1000.0, 0.06]]
    """
    rows = log.dropna(subset=["segment", outcome]).sort_values([CUSTOMER, "campaign", outcome])
    whole = compared(rows, outcome, "segment").set_index("segment")
    away = rows[rows["held_out"]]
    found = []
    for (offer, channel), sent in rows[~rows["held_out"]].groupby(["offer", "channel"]):
        both = pd.concat([sent, away[away["campaign"].isin(sent["campaign"])]])
        found.append(compared(both, outcome, "segment").assign(offer=str(offer), channel=str(channel)))
    columns = [*CELL, "messages", "held_out", "buyers", "effect", "error", "weight"]
    table = pd.concat(found)[columns] if found else pd.DataFrame(columns=columns)
    table = table.sort_values(CELL, ignore_index=True)
    table["buyers"] = table["segment"].map(whole["buyers"]).astype(int)
    told = table["buyers"].map(enough)
    of_one = table["segment"].map(whole["error"] * np.sqrt(whole["weight"])).astype(float)
    table["error"] = (of_one / np.sqrt(table["weight"].astype(float))).where(told)
    table["effect"] = table["effect"].astype(float).where(told)
    return _shrunk(table.drop(columns="weight"), seed)


OTHERS = "other segments"


def pooled(log: pd.DataFrame, outcome: str) -> pd.Series:
    """The group in which each segment is estimated: its own, or `OTHERS` where too few of its customers ordered.

    The rule looks at how many ordered, not at effects. Without held-out customers all are `OTHERS`.
    """
    rows = log.dropna(subset=["segment", outcome])
    found = compared(rows.sort_values([CUSTOMER, "campaign", outcome]), outcome, "segment").set_index("segment")
    own = found.index[found["buyers"].map(enough)]
    names = pd.Index(sorted(rows["segment"].unique()))
    return pd.Series([name if name in own else OTHERS for name in names], names, dtype="str")


@dataclass(frozen=True)
class Worth:
    """What an order that messages cause is worth, as estimated, and the mean of all orders after messages.

    `value` has the standard deviation `error`, of the posterior distribution.
    """

    value: float
    error: float
    mean: float


def worth_of_an_order(log: pd.DataFrame) -> Worth:
    """What an additional order is worth: the effect of all messages on revenue, divided by that on orders.

    Orders that messages cause need not be as large as others. The ratio has the error of the delta method, with errors
    clustered by customer, and is combined with a prior: as much as the mean order, give or take half of it (normal
    distributions). Where effects on orders are not above zero for sure, the prior alone counts.
    """
    rows = log.dropna(subset=["orders_after", "revenue_after"]).assign(all="all")
    rows = rows.sort_values([CUSTOMER, "campaign", "orders_after", "revenue_after"])
    mean = float(rows["revenue_after"].sum() / max(rows["orders_after"].sum(), 1))
    prior = (max(mean, 0.0), abs(mean) / 2)
    orders = compared(rows, "orders_after", "all")
    if orders.empty or not orders["effect"].iloc[0] > 2 * orders["error"].iloc[0]:
        return Worth(*prior, mean)
    ratio = float(compared(rows, "revenue_after", "all")["effect"].iloc[0] / orders["effect"].iloc[0])
    apart = rows.assign(apart=rows["revenue_after"] - ratio * rows["orders_after"])
    error = float(compared(apart, "apart", "all")["error"].iloc[0] / orders["effect"].iloc[0])
    if not error > 0 or not prior[1] > 0:
        return Worth(max(ratio, 0.0), error, mean)
    precision = np.array([1 / error**2, 1 / prior[1] ** 2])
    value = float(precision @ [ratio, prior[0]] / precision.sum())
    return Worth(max(value, 0.0), float(precision.sum() ** -0.5), mean)


def valued(found: Responses, log: pd.DataFrame, worth: Worth, *, seed: int) -> Responses:
    """Effects on orders as effects on revenue, with what an additional order is worth.

    Effects on revenue by segment, offer and channel are too uncertain themselves, since few large orders decide them.
    An additional order is worth the same share of the mean order in every segment. `found` is of `orders_after`. The
    table gets `base`, the mean revenue of the segment's customers who were held out, and `value`, that of their orders.
    """
    groups = log.groupby("segment", observed=True)[["revenue_after", "orders_after"]].sum()
    value = (groups["revenue_after"] / groups["orders_after"].where(groups["orders_after"] > 0)).clip(lower=0)
    base = log[log["held_out"]].groupby("segment", observed=True)["orders_after"].mean() * value
    table = found.table.assign(
        **{name: found.table["segment"].map(of).astype(float) for name, of in (("base", base), ("value", value))}
    )
    relative = table["value"] / worth.mean if worth.mean else 0.0 * table["value"]
    drawn = np.maximum(np.random.default_rng(seed).normal(worth.value, worth.error, (len(found.draws), 1)), 0.0)
    effect, deviation = table["shrunken"], table["deviation"]
    spread = np.sqrt((effect * worth.error) ** 2 + (deviation * worth.value) ** 2 + (deviation * worth.error) ** 2)
    money = {name: table[name] * worth.value * relative for name in ("effect", "error", "shrunken")}
    table = _with_ends(table.assign(**money, deviation=spread * relative))
    return Responses(table, found.draws * drawn * relative.fillna(0.0).to_numpy(), float("nan"))


def profits(
    found: Responses, margin: float, discounts: Mapping[str, float], costs: Mapping[str, float] | None = None
) -> Responses:
    """Effects on revenue (`valued`) as effects on profit, before the cost of the contact.

    With a margin m and an offer that takes a share d off the price, R of revenue at full price brings m R of profit,
    less d for all revenue in the window, that of orders which would have been placed anyway (`base`) included: every
    order is taken to use the discount. So the effect is (m − d) R − d base. A cost of an offer per order, such as that
    of delivery, is a discount of its share in the value of an order.

    Examples
    --------
    >>> table = pd.DataFrame({"offer": ["news", "voucher"], "effect": 10.0, "error": 1.0, "shrunken": 10.0, "low": 8.0,
    ...     "high": 12.0, "deviation": 1.0, "base": 5.0, "value": 50.0})
    >>> profits(Responses(table, np.full((1, 2), 10.0), 0.0), 0.3, {"voucher": 0.1}).table["shrunken"].round(2).tolist()
    [3.0, 1.5]
    """
    off, per_order = (found.table["offer"].map(dict(of or {})).fillna(0.0).astype(float) for of in (discounts, costs))
    off = off + (per_order / found.table["value"].where(found.table["value"] > 0)).fillna(0.0)
    share, lost = margin - off, (off * found.table["base"]).fillna(0.0)
    table = found.table.assign(**{name: found.table[name] * share - lost for name in ("effect", "shrunken")})
    table = table.assign(**{name: table[name] * share.abs() for name in ("error", "deviation")})
    return Responses(_with_ends(table), found.draws * share.to_numpy() - lost.to_numpy(), float("nan"))


def saved(found: Responses | None) -> pd.DataFrame:
    """The table of effects, empty where there are none."""
    columns = [
        *CELL,
        "messages",
        "held_out",
        "buyers",
        "effect",
        "error",
        "shrunken",
        "low",
        "high",
        "deviation",
        "base",
    ]
    return pd.DataFrame(columns=columns) if found is None else found.table[columns]


def compared(rows: pd.DataFrame, outcome: str, by: str) -> pd.DataFrame:
    """Effects of messages by group: the mean difference to held-out rows within campaigns, as `effects` says.

    Parameters
    ----------
    rows : DataFrame
        Sorted, so that sums do not depend on the order; campaigns in which a group has no rows of both kinds are left
        out.
    outcome, by : str
        The columns of the outcome and of the group.

    Returns
    -------
    DataFrame
        One row per group: `by`, `messages`, `held_out`, `buyers` (customers with an outcome above zero, in the smaller
        group), `effect` (per message), its `error`, and `weight`, the sum of n1 n0 / (n1 + n0).
    """
    rows = rows.assign(treated=(~rows["held_out"]).astype(float), y=rows[outcome].astype(float))
    within = rows.groupby([by, "campaign"], observed=True)[["treated", "y"]].transform("mean")
    told = within["treated"].between(0, 1, inclusive="neither")
    rows, within = rows[told], within[told]
    rows = rows.assign(t=rows["treated"] - within["treated"], r=rows["y"] - within["y"])
    rows = rows.assign(tt=rows["t"] ** 2, ty=rows["t"] * rows["r"])
    groups = rows.groupby(by, observed=True)
    total = groups[["tt", "ty", "treated"]].sum()
    effect = total["ty"] / total["tt"]
    score = rows["t"] * (rows["r"] - effect.reindex(rows[by]).to_numpy(float) * rows["t"])
    customers = (
        score.groupby([rows[by], rows[CUSTOMER]], observed=True).sum().pow(2).groupby(level=0).agg(["sum", "size"])
    )
    error = np.sqrt(customers["sum"] * customers["size"] / (customers["size"] - 1)) / total["tt"]
    bought = rows[rows["y"] > 0].groupby([by, "held_out"], observed=True)[CUSTOMER].nunique().unstack()
    fewest = bought.reindex(index=total.index, columns=[False, True]).fillna(0).min(axis=1).astype(int)
    sent = total["treated"].round().astype(int)
    return pd.DataFrame({
        "messages": sent, "held_out": groups.size() - sent, "buyers": fewest, "effect": effect, "error": error,
        "weight": total["tt"],
    }).rename_axis(by).reset_index()  # fmt: skip


def _shrunk(table: pd.DataFrame, seed: int) -> Responses:
    """The posterior distribution of effects around their mean."""
    known = table.dropna(subset=["effect", "error"])
    known = known[known["error"] > 0]
    posterior = Posterior.of(known["effect"].to_numpy(float), known["error"].to_numpy(float))
    draws = np.zeros((DRAWS, len(table)))
    draws[:, known.index] = posterior.draws(np.random.default_rng(seed), DRAWS)
    mean, deviation = posterior.moments()
    columns = {"shrunken": mean, "deviation": deviation}
    table = _with_ends(table.join(pd.DataFrame(columns, index=known.index)))
    return Responses(table, draws, float(posterior.weight @ posterior.between) if len(known) else np.nan)


def _with_ends(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the normal interval of its shrunken effects."""
    half = stats.norm.ppf((1 + LEVEL) / 2) * table["deviation"]
    return table.assign(low=table["shrunken"] - half, high=table["shrunken"] + half)


@dataclass(frozen=True)
class Posterior:
    """Normal effects around a mean, given a grid of standard deviations between them and its weights.

    The mean and the standard deviation have flat priors. Arrays are of shape (grid, effects), the others of (grid,).
    """

    pull: Values  # the weight of the estimate itself
    mean: Values
    variance: Values  # given the common mean
    centre: Values  # variance of the common mean
    between: Values
    weight: Values

    @classmethod
    def of(cls, effect: Values, error: Values) -> "Posterior":
        """The posterior distribution of effects that are estimated with these errors.

        Of fewer than three a flat prior says nothing of the standard deviation, and nothing is shrunk.
        """
        part = (np.arange(GRID) + 0.5) / GRID
        scale = error.mean() if len(error) else 1.0
        between = (scale * part / (1 - part))[:, None]
        precision = 1 / (error**2 + between**2)
        total = np.maximum(precision.sum(axis=1, keepdims=True), 1e-300)
        middle = (precision * effect).sum(axis=1, keepdims=True) / total
        fit = np.log(precision).sum(axis=1) - np.log(total[:, 0]) - (precision * (effect - middle) ** 2).sum(axis=1)
        weight = np.exp((fit - fit.max()) / 2) / (1 - part) ** 2
        if len(effect) < 3:
            weight = (part == part[-1]).astype(float)
        pull = between**2 * precision
        mean, variance = pull * effect + (1 - pull) * middle, pull * error**2
        return cls(pull, mean, variance, 1 / total, between[:, 0], weight / weight.sum())

    def moments(self) -> tuple[Values, Values]:
        """Mean and standard deviation of each effect."""
        mean = self.weight @ self.mean
        variance = self.variance + (1 - self.pull) ** 2 * self.centre
        return mean, np.sqrt(self.weight @ (variance + (self.mean - mean) ** 2))

    def draws(self, rng: np.random.Generator, number: int) -> Values:
        """Joint draws of the effects, of shape (number, effects)."""
        at = rng.choice(len(self.weight), number, p=self.weight)
        away, own = rng.standard_normal((number, 1)), rng.standard_normal((number, self.mean.shape[1]))
        shifted = (1 - self.pull[at]) * np.sqrt(self.centre[at]) * away
        return self.mean[at] + shifted + np.sqrt(self.variance[at]) * own
