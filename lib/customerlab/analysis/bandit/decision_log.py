"""The log of decisions in the order of time: contexts as numbers, what each policy earned, and tests week by week."""

from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.inference import LEVEL, enough, wilson
from customerlab.analysis.orders import fetched

CONTEXT, POSITION = "context_", "position"
LEVELS = 8  # of a label: so many of the most frequent ones are told apart
EARLIER = 0.6  # the share of decisions that policies are learned from; they are judged on the rest
UNNAMED = "not stated"


@dataclass(frozen=True)
class DecisionLog:
    """Decisions whose reward is known, by time.

    Attributes
    ----------
    rows : DataFrame
        `decided_at`, `action`, `reward`, `policy`, and where the log has them `propensity`, `customer_id`, `position`.
    contexts : DataFrame
        Numbers, row by row: those of the log with the median in place of what is missing, labels as 0 and 1 for each of
        their most frequent levels, and the position as a label.
    actions : list of str
        The control first, then by how often they were chosen.
    labels : dict
        Of columns of `contexts` that are 0 and 1: the label and its level.
    unknown : int
        Decisions that are left out because their reward is not known.
    """

    rows: pd.DataFrame
    contexts: pd.DataFrame
    actions: list[str]
    labels: dict[str, tuple[str, str]]
    unknown: int

    def part(self, rows: np.ndarray) -> "DecisionLog":
        """Some of the decisions, chosen by an array of bool."""
        some, contexts = self.rows[rows].reset_index(drop=True), self.contexts[rows].reset_index(drop=True)
        return DecisionLog(some, contexts, self.actions, self.labels, 0)

    def split(self) -> tuple["DecisionLog", "DecisionLog"]:
        """The earlier decisions, to learn from, and the later ones, to judge on; the day between is a midnight."""
        at = self.rows["decided_at"]
        day = at.iloc[int(EARLIER * len(at))].normalize() if len(at) else pd.NaT
        return self.part((at < day).to_numpy()), self.part((at >= day).to_numpy())


def decision_log(decisions: ir.Table, control: str = "") -> DecisionLog:
    """Fetch a log of decisions.

    Parameters
    ----------
    decisions : ibis Table
        Canonical.
    control : str
        The action that others are compared with; by default the one that was chosen most often.

    Raises
    ------
    ValueError
        For a control that is not among the actions.

    Examples
    --------
    >>> import ibis
    >>> table = ibis.memtable({
    ...     "decided_at": pd.to_datetime(["2024-05-07", "2024-05-06", "2024-05-08"]),
    ...     "action": ["mail", "none", "mail"],
    ...     "reward": [1.0, 0.0, None], "context_device": ["phone", None, "phone"], "context_orders": [1.0, 2.0, 3.0],
    ... })
    >>> log = decision_log(table)
    >>> log.actions, log.unknown, log.contexts.columns.tolist()
    (['mail', 'none'], 1, ['device: phone', 'orders'])
    """
    table = fetched(decisions)
    table["decided_at"] = pd.to_datetime(table["decided_at"]).astype("datetime64[us]")
    table["policy"] = table["policy"].fillna(UNNAMED) if "policy" in table else UNNAMED
    keys = [name for name in ("decided_at", "customer_id", "action", POSITION) if name in table]
    rest = [str(name) for name in table if name not in keys]
    table = table.sort_values([*keys, *rest], ignore_index=True)  # no order of rows changes a result
    known = table[table["reward"].notna()].reset_index(drop=True)
    counts = known["action"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    if control and control not in counts:
        raise ValueError(f"control_action = {control!r}; expected one of {', '.join(map(str, counts.index[:20]))}")
    actions = [str(name) for name in counts.index]
    actions = [control, *(name for name in actions if name != control)] if control else actions
    given = [str(name) for name in known if str(name).startswith(CONTEXT)]
    columns = {name.removeprefix(CONTEXT): known[name] for name in given}
    columns |= {POSITION: known[POSITION]} if POSITION in known and POSITION not in columns else {}
    contexts, labels = _numbers(columns, len(known))
    own = ["decided_at", "action", "reward", "policy", "propensity", "customer_id", POSITION]
    rows = known[[name for name in own if name in known]]
    if "customer_id" in rows:  # decisions of nobody are each their own
        own_id = pd.Series(rows.index, rows.index).map("row {}".format)
        rows = rows.assign(customer_id=rows["customer_id"].fillna(own_id))
    return DecisionLog(rows, contexts, actions, labels, len(table) - len(known))


def _numbers(columns: dict[str, pd.Series], length: int) -> tuple[pd.DataFrame, dict[str, tuple[str, str]]]:
    """Columns of numbers and of labels as numbers; those that do not vary are left out."""
    found: dict[str, pd.Series] = {}
    labels = {}
    for name, column in columns.items():
        if pd.api.types.is_numeric_dtype(column):
            found[name] = column.fillna(column.median()).astype(float)
            continue
        counts = column.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        for level in counts.index[:LEVELS]:
            key = f"{name}: {level}"
            found[key], labels[key] = (column == level).fillna(False).astype(float), (name, str(level))
    table = pd.DataFrame(found, index=range(length))
    kept: list[str] = []
    for name in map(str, table):  # of a label with two levels the second says nothing more
        opposite = any((table[name] == 1 - table[other]).all() for other in kept)
        if table[name].nunique() > 1 and not opposite:
            kept.append(name)
    return table[kept], {name: labels[name] for name in kept if name in labels}


def by_policy(log: DecisionLog) -> pd.DataFrame:
    """What each policy earned while it decided.

    Returns
    -------
    DataFrame
        `policy`, `first`, `last` (days), `decisions`, `customers` (missing if not logged), `actions`, `least`
        (propensity, missing if not logged), `value` (mean reward) with `low` and `high` (95%, over customers), missing
        where there are too few rewards.
    """
    rows = []
    for policy, table in log.rows.groupby("policy", sort=True):
        ids = table.get("customer_id")
        value, error = clustered(table["reward"].to_numpy(float), ids)
        reach = stats.norm.ppf((1 + LEVEL) / 2) * error if rewarded(table["reward"]) else np.nan
        rows.append(
            {
                "policy": str(policy), "first": table["decided_at"].iloc[0].strftime("%Y-%m-%d"),
                "last": table["decided_at"].iloc[-1].strftime("%Y-%m-%d"), "decisions": len(table),
                "customers": np.nan if ids is None else ids.nunique(), "actions": table["action"].nunique(),
                "least": table["propensity"].min() if "propensity" in table else np.nan,
                "value": value, "low": value - reach, "high": value + reach,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def rewarded(reward: pd.Series) -> bool:
    """Whether enough rewards differ from the most frequent one for an interval."""
    counts = reward.value_counts()
    return enough(len(reward) - counts.iloc[0]) if len(counts) else False


def clustered(values: np.ndarray, ids: pd.Series | None) -> tuple[float, float]:
    """A mean of decisions with its standard error over customers, or over decisions without them.

    Examples
    --------
    >>> [round(one, 3) for one in clustered(np.array([1.0, 0.0, 1.0, 0.0]), pd.Series(["a", "a", "b", "b"]))]
    [0.5, 0.0]
    """
    mean = float(values.mean())
    unit = np.arange(len(values)) if ids is None else pd.factorize(ids)[0]
    sums = np.bincount(unit, values - mean)
    size = len(sums)
    return mean, float(np.sqrt((sums**2).sum() * size / max(size - 1, 1)) / len(values))


def rates(log: DecisionLog) -> pd.Series:
    """The share of decisions with a reward for each action, shrunken towards their mean by their errors.

    Decisions are weighed by one over their propensity, where there is one. The estimates vary more than the shares
    themselves: of their variance, the mean squared error is taken off (Hedges 1983).
    """
    hit = (log.rows["reward"] > 0).astype(float)
    weight = 1 / log.rows["propensity"] if "propensity" in log.rows else pd.Series(1.0, log.rows.index)
    parts = pd.DataFrame({"action": log.rows["action"], "w": weight, "wh": weight * hit, "ww": weight**2})
    sums = parts.groupby("action")[["w", "wh", "ww"]].sum().reindex(log.actions)
    share, number = sums["wh"] / sums["w"], sums["w"] ** 2 / sums["ww"]  # Kish's effective number
    low, high = wilson(share, number)
    squared = ((high - low) / 2 / stats.norm.ppf(0.975)) ** 2
    between = max(float(share.var(ddof=1) - squared.mean()), 0.0) if len(share) > 1 else 0.0
    mean = float(hit.mean()) if between == 0 else float(share.mean())
    return (mean + between / (between + squared) * (share - mean)).rename("rate")


def monthly_tests(log: DecisionLog) -> pd.DataFrame:
    """Each action against the control in each month, as a team would test that reads its numbers once a month.

    Means are weighed by one over the propensity (Hájek 1971), errors are over decisions.

    Returns
    -------
    DataFrame
        `test`, `decided_at` (the first of the next month), `action`, `effect` (difference of the mean reward), `p`;
        only tests with enough decisions with and without a reward in both groups.
    """
    columns = ["test", "decided_at", "action", "effect", "p"]
    if len(log.rows):  # a month that is not over is not read yet
        last = log.rows["decided_at"].iloc[-1].normalize() + pd.Timedelta(days=1)
        log = log.part((log.rows["decided_at"] < last.to_period("M").start_time).to_numpy())
    month = log.rows["decided_at"].dt.to_period("M")
    weight = 1 / log.rows["propensity"] if "propensity" in log.rows else pd.Series(1.0, log.rows.index)
    rows = pd.DataFrame({"month": month, "action": log.rows["action"], "w": weight, "hit": log.rows["reward"] != 0})
    rows["wr"] = weight * log.rows["reward"]
    by = rows.groupby(["month", "action"])
    table = by.agg(n=("w", "size"), w=("w", "sum"), wr=("wr", "sum"), hits=("hit", "sum"))
    table["mean"] = table["wr"] / table["w"]
    left = rows["wr"] - rows["w"] * by["wr"].transform("sum") / by["w"].transform("sum")
    table["variance"] = (left**2).groupby([rows["month"], rows["action"]]).sum() / table["w"] ** 2
    table = table[[enough(hits, n - hits) for hits, n in zip(table["hits"], table["n"], strict=True)]].reset_index()
    control = table["action"] == (log.actions[0] if log.actions else "")
    both = table[~control].merge(table[control], on="month", suffixes=("", "_control"))
    if both.empty:
        return pd.DataFrame(columns=columns)
    effect = both["mean"] - both["mean_control"]
    found = {
        "test": both["action"] + ", " + both["month"].astype(str),
        "decided_at": (both["month"] + 1).dt.start_time, "action": both["action"], "effect": effect,
        "p": 2 * stats.norm.sf((effect / np.sqrt(both["variance"] + both["variance_control"])).abs()),
    }  # fmt: skip
    return pd.DataFrame(found).sort_values(["decided_at", "test"], ignore_index=True)
