"""A world of decisions whose truth is known: which of three actions is best depends on a context of two values."""

import numpy as np
import pandas as pd

from customerlab.analysis.bandit import DecisionLog

ACTIONS = ["a", "b", "c"]
CHANCE = np.array([[0.20, 0.30, 0.10], [0.20, 0.10, 0.40]])  # of a reward, by a context of two values


def world(seed, n=3_000, chance=CHANCE, shares=(0.5, 0.3, 0.2), customers=True):
    """Decisions logged with fixed shares, a context that tells which action is best, and the chances of each row."""
    rng = np.random.default_rng(seed)
    context = rng.integers(0, 2, n)
    action = rng.choice(3, n, p=shares)
    rows = pd.DataFrame(
        {
            "decided_at": pd.Timestamp("2024-03-01") + pd.to_timedelta(np.arange(n), unit="min"),
            "action": np.array(ACTIONS)[action],
            "reward": (rng.random(n) < chance[context, action]).astype(float),
            "policy": "shares", "propensity": np.array(shares)[action],
        }
    )  # fmt: skip
    if customers:
        rows["customer_id"] = [f"c{k}" for k in rng.integers(0, n // 2, n)]
    return DecisionLog(rows, pd.DataFrame({"old": context.astype(float)}), ACTIONS, {}, 0), chance[context]


def always(a, n):
    return np.tile(np.eye(3)[a], (n, 1))


def by_context(log):
    return np.where(log.contexts[["old"]].to_numpy() == 1, np.eye(3)[2], np.eye(3)[1])
