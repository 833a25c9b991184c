"""Policies simulated on one's own rates, beside an A/B test with its decision rule: what each loses until the horizon.

Regret is what the best action at each time would have earned more, in rewards. It is all that is compared here: a test
also estimates its effect without bias, and shows what happens to those who come back, for which a policy is not made.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import pandas as pd
from scipy import stats

from customerlab.analysis.bandit.learner import Values
from customerlab.analysis.bandit.policies import Policy
from customerlab.analysis.experiment.design import Baseline, sample_size
from customerlab.analysis.inference import LEVEL, enough, too_few
from customerlab.formats import interval, short

TEST = "A/B test"
POINTS = 50  # of a curve, at most
BANDIT, TESTING, CLOSE = "bandit", TEST, "too close to tell"


@dataclass(frozen=True)
class World:
    """Rates of reward of each action (0 to 1) over time, in decisions.

    Stationary with `rates` alone; seasonal with `season`, the rates half a period later: between them runs a cosine,
    and the best action changes where rates cross; with `novelty`, what is added at the start and then halves.

    Parameters
    ----------
    rates : sequence of float
        One for each action, at the start.
    season : sequence of float, optional
    period : float
        Decisions in a week or a year.
    novelty : sequence of float, optional
    half_life : float
        Decisions.

    Examples
    --------
    >>> World([0.1, 0.2], season=[0.3, 0.2], period=100).at([0, 25, 50]).round(3).tolist()
    [[0.1, 0.2], [0.2, 0.2], [0.3, 0.2]]
    >>> World([0.1, 0.1], novelty=[0, 0.08], half_life=10).at([0, 10]).round(3).tolist()
    [[0.1, 0.18], [0.1, 0.14]]
    """

    rates: tuple[float, ...] | list[float]
    season: tuple[float, ...] | list[float] | None = None
    period: float = 1.0
    novelty: tuple[float, ...] | list[float] | None = None
    half_life: float = 1.0

    def at(self, times: object) -> Values:
        """The rates after so many decisions, of shape (times, actions); ValueError where one is not from 0 to 1."""
        time, start = np.asarray(times, dtype=float)[:, None], np.asarray(self.rates, dtype=float)
        rates = np.tile(start, (len(time), 1))
        if self.season is not None:
            rates = rates + (np.asarray(self.season) - start) * (1 - np.cos(2 * np.pi * time / self.period)) / 2
        if self.novelty is not None:
            rates = rates + np.asarray(self.novelty) * 0.5 ** (time / self.half_life)
        if not ((rates >= -1e-12) & (rates <= 1 + 1e-12)).all():
            raise ValueError("A rate of the world is below 0 or above 1.")
        return np.clip(rates, 0, 1)


def worlds(rates: np.ndarray, horizon: int) -> dict[str, World]:
    """Three worlds of one's own rates.

    Constant; changing with a season of half the horizon, in the middle of which the best and the worst rate, the second
    best and the second worst, and so on have changed places; and with a novelty, where all actions but the best one
    start half as high again and lose that with a half-life of a twentieth of the horizon.

    Examples
    --------
    >>> found = worlds(np.array([0.1, 0.2]), 1_000)
    >>> list(found), found["seasonal"].at([250]).round(2).tolist(), found["with a novelty"].at([0]).round(2).tolist()
    (['constant', 'seasonal', 'with a novelty'], [[0.2, 0.1]], [[0.15, 0.2]])
    """
    start = np.asarray(rates, dtype=float)
    swapped = np.sort(start)[::-1][start.argsort(kind="stable").argsort()]
    added = np.where(start == start.max(), 0.0, np.minimum(0.5 * start, 1 - start))
    return {
        "constant": World(start.tolist()),
        "seasonal": World(start.tolist(), season=swapped.tolist(), period=horizon / 2),
        "with a novelty": World(start.tolist(), novelty=added.tolist(), half_life=horizon / 20),
    }


@dataclass(frozen=True)
class Plan:
    """The A/B test: how it is planned and decided.

    Decisions are shared equally until the rewards of the planned number are known. Then each treatment is compared with
    the control by a two-sided score test at the level over the number of comparisons (Bonferroni), and all further
    decisions go to the significantly better treatment with the highest rate, or else to the control.

    Parameters
    ----------
    effect : float
        The difference of rates that the test is to detect.
    baseline : float
        The rate of the control that the plan assumes.
    control : int
    alpha, power : float
    """

    effect: float
    baseline: float
    control: int = 0
    alpha: float = 0.05
    power: float = 0.8

    def decisions(self, actions: int) -> int:
        """The planned sample size, all arms together; 0 for one action."""
        if actions < 2:
            return 0
        base = Baseline(self.baseline, 0, proportion=True)
        return int(sample_size(base, self.effect, arms=actions, power=self.power, alpha=self.alpha)["total"])

    def decided(self, sums: Values) -> np.ndarray:
        """The action that the test ends with in each run, from counts and sums of shape (runs, actions, 2)."""
        count, total = np.maximum(sums[..., 0], 1), sums[..., 1]
        of = slice(self.control, self.control + 1)
        rate, pooled = total / count, (total + total[:, of]) / (count + count[:, of])
        error = np.sqrt(pooled * (1 - pooled) * (1 / count + 1 / count[:, of]))
        z = (rate - rate[:, of]) / np.where(error > 0, error, np.inf)
        critical = stats.norm.isf(self.alpha / 2 / max(rate.shape[1] - 1, 1))
        winner = np.where(z > critical, rate, -np.inf).argmax(axis=1)
        return np.where((z > critical).any(axis=1), winner, self.control)


@dataclass(frozen=True)
class Simulation:
    """What policies lose in a world.

    Attributes
    ----------
    regret : DataFrame
        The regret at the horizon, one row per run and a column for each policy, the A/B test last.
    curve : DataFrame
        `policy`, `decisions`, mean `regret` until then with `low` and `high`, its 95% interval over runs.
    horizon : int
    planned : int
        Decisions that the A/B test is planned for.
    decided : bool
        Whether their rewards are known before the horizon; else the test splits decisions equally to the end.
    """

    regret: pd.DataFrame
    curve: pd.DataFrame
    horizon: int
    planned: int
    decided: bool


def simulate(
    policies: Mapping[str, Policy],
    world: World,
    horizon: int,
    batch: int,
    runs: int,
    seed: int,
    *,
    plan: Plan,
    delay: int = 0,
) -> Simulation:
    """Simulate policies and the A/B test for so many decisions, in batches, in many runs at once.

    Each policy starts without data. Its random numbers depend on the seed and its name alone, so the others do not
    change its result. A period of discounts and windows is a batch.

    Parameters
    ----------
    policies : mapping of Policy
        By name; `A/B test` is kept for the test. Thompson sampling takes no more draws than a batch has decisions.
    batch : int
        Decisions between updates.
    delay : int
        Batches that rewards come late.

    Raises
    ------
    ValueError
        For policies of another number of actions than the world, and for numbers below one.

    Examples
    --------
    >>> plan = Plan(effect=0.1, baseline=0.2)
    >>> found = simulate({"UCB1": Policy("ucb1", 2)}, World([0.2, 0.5]), 2_000, 20, 100, seed=1, plan=plan)
    >>> found.planned, found.regret.columns.tolist(), bool((found.regret >= 0).all(axis=None))
    (588, ['UCB1', 'A/B test'], True)
    """
    actions = len(world.rates)
    if min(horizon, batch, runs) < 1 or delay < 0 or any(policy.actions != actions for policy in policies.values()):
        raise ValueError(f"Policies have the {actions} actions of the world; horizon, batch and runs are at least 1.")
    if TEST in policies or not 0 <= plan.control < actions:
        raise ValueError(f"The name {TEST!r} is kept for the test, whose control is one of the {actions} actions.")
    planned = plan.decisions(actions)
    begins = np.arange(0, horizon, batch)
    ends = np.minimum(begins + batch, horizon)
    rates = world.at(np.arange(horizon))
    sizes = (ends - begins)[:, None]
    means = np.add.reduceat(rates, begins, axis=0) / sizes
    gaps = np.add.reduceat(rates.max(axis=1, keepdims=True) - rates, begins, axis=0) / sizes
    steps = list(zip(sizes[:, 0].tolist(), np.clip(means, 0, 1), gaps, strict=True))
    points = np.unique(np.linspace(0, len(steps) - 1, POINTS).round().astype(int))
    regret, curves = {}, []
    for name, policy in {**policies, TEST: Policy("ab test", actions)}.items():
        rng = np.random.default_rng([seed, crc32(name.encode())])
        test = (plan, planned) if name == TEST else None
        lost = _lost(_started(policy, batch, runs), steps, rng, delay, test, points)
        regret[name] = lost[-1]
        curves.append(pd.DataFrame({"policy": name, "decisions": ends[points], **_summary(lost.T)}))
    in_time = len(steps) > delay + 1 and bool(ends[len(steps) - 2 - delay] >= planned)
    return Simulation(pd.DataFrame(regret), pd.concat(curves, ignore_index=True), horizon, planned, in_time)


def _started(policy: Policy, batch: int, runs: int) -> Policy:
    """A policy without data, with a cell for each run."""
    draws = policy.draws if policy.rule == "top-two thompson" else min(policy.draws, batch)
    return replace(policy, cells=runs, draws=draws, sums=np.empty(0), committed=np.empty(0, dtype=np.int64))


def _lost(
    policy: Policy,
    steps: list[tuple[int, Values, Values]],
    rng: np.random.Generator,
    delay: int,
    test: tuple[Plan, int] | None,
    points: np.ndarray,
) -> Values:
    """The regret of each run until some of the steps, of shape (points, runs)."""
    waiting, known, lost, kept = deque[tuple[np.ndarray, Values]](), 0, np.zeros(policy.cells), []
    action, cell = (at.ravel() for at in np.indices((policy.cells, policy.actions))[::-1])
    ages, wanted = policy.discount < 1 or policy.window > 0, set(points.tolist())
    for step, (size, rates, gaps) in enumerate(steps):
        count = rng.multinomial(size, policy.probabilities(rng=rng))
        lost = lost + count @ gaps
        waiting.append((count, rng.binomial(count, rates) / np.maximum(count, 1)))
        if step in wanted:
            kept.append(lost)
        if len(waiting) > delay:
            count, mean = waiting.popleft()
            known += int(count[0].sum())
            policy = policy.update(action, mean.ravel(), cell, count.ravel(), age=delay if ages else 0)
        if ages:
            policy = policy.advance()
        if test and known >= test[1]:
            policy, test = policy.commit(test[0].decided(policy.sums.sum(axis=0))), None
    return np.array(kept)


def _summary(values: Values, comparisons: int = 1) -> dict[str, Values]:
    """Means over runs and their t intervals, at a level shared by so many comparisons; missing for too few runs."""
    runs = len(values)
    mean = values.mean(axis=0)
    if not enough(runs):
        return {"regret": mean, "low": np.full_like(mean, np.nan), "high": np.full_like(mean, np.nan)}
    reach = stats.t.isf((1 - LEVEL) / 2 / comparisons, runs - 1) * values.std(axis=0, ddof=1) / np.sqrt(runs)
    return {"regret": mean, "low": mean - reach, "high": mean + reach}


def compared(found: Mapping[str, Simulation]) -> pd.DataFrame:
    """When a bandit pays and when a test is better: each policy against the A/B test, in each world.

    Parameters
    ----------
    found : mapping of Simulation
        By the name of the world.

    Returns
    -------
    DataFrame
        `world`, `policy`, `decisions`, `planned` and `decided` of the A/B test, `regret` of the policy, `test_regret`,
        `saved` (the difference in rewards, above zero where the policy loses less) with `low` and `high`, the 95%
        intervals over runs that hold for all policies of a world together (Bonferroni), and `better`: `bandit`,
        `A/B test`, or `too close to tell` where the interval holds zero. With too few runs, intervals are missing.

    Examples
    --------
    >>> worlds = {"apart": World([0.1, 0.5]), "equal": World([0.3, 0.3])}
    >>> policies, plan = {"Thompson": Policy("thompson", 2)}, Plan(effect=0.1, baseline=0.1)
    >>> found = {name: simulate(policies, world, 1_000, 20, 50, 1, plan=plan) for name, world in worlds.items()}
    >>> compared(found)["better"].tolist()
    ['bandit', 'too close to tell']
    """
    rows = []
    for world, one in found.items():
        regret = one.regret.drop(columns=TEST)
        ends = _summary(-regret.sub(one.regret[TEST], axis=0).to_numpy(), regret.shape[1])
        for name, saved, low, high in zip(regret, ends["regret"], ends["low"], ends["high"], strict=True):
            better = BANDIT if low > 0 else TESTING if high < 0 else CLOSE
            better = better if low <= high else too_few(len(regret), "runs")
            means = {"regret": regret[name].mean(), "test_regret": one.regret[TEST].mean()}
            of = {"world": world, "policy": name, "decisions": one.horizon, "planned": one.planned}
            of["decided"] = one.decided
            rows.append(of | means | {"saved": saved, "low": low, "high": high, "better": better})
    columns = [
        "world",
        "policy",
        "decisions",
        "planned",
        "decided",
        "regret",
        "test_regret",
        "saved",
        "low",
        "high",
        "better",
    ]
    return pd.DataFrame(rows, columns=columns)


def in_words(table: pd.DataFrame) -> list[str]:
    """A sentence for each row of `compared`.

    Examples
    --------
    >>> row = {"world": "seasonal", "policy": "UCB1", "decisions": 9000, "decided": True, "saved": 51.2, "low": 40.1}
    >>> print(*in_words(pd.DataFrame([row | {"high": 62.0, "better": "bandit"}])))
    seasonal: UCB1 earns 51.2 rewards more than the A/B test in 9,000 decisions (95% CI 40.1 to 62): the bandit pays.
    """
    sentences = []
    for row in table.to_dict("records"):
        size = f"{short(abs(round(row['saved'], 1)))} rewards {'more' if row['saved'] >= 0 else 'fewer'}"
        begin = f"{row['world']}: {row['policy']} earns {size} than the A/B test in {row['decisions']:,} decisions"
        between = interval(row["low"], row["high"], lambda end: short(round(end, 1)))
        end = {BANDIT: "the bandit pays", TESTING: "the A/B test is better"}.get(row["better"], row["better"])
        said = f"{begin} ({between}): {end}." if row["low"] <= row["high"] else f"{begin}: {end}."
        late = "" if row["decided"] else " The test is not decided by then."
        sentences.append(said + late)
    return sentences
