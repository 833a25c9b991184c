"""Online false-discovery control: the level of each test in a stream of tests without an end.

A team that runs one test after another at 5% collects false discoveries. Each procedure here gives the next test its
level from the results of those before, so that the false discovery rate (FDR), the expected share of false ones among
the discoveries, stays at most `alpha` at any time, for independent p-values. "Alpha-spending" (Bonferroni), the
baseline, bounds the chance of any false discovery, whatever the dependence.

The three procedures are one formula. A test counts if λ < p ≤ τ; with N counted so far and N_j at the j-th discovery,
the level is (τ - λ) (w γ(N + 1) + (α - w) γ(N - N_1 + 1) + α Σ_{j≥2} γ(N - N_j + 1)), and at most λ. LORD++ counts
every test, SAFFRON those with p > λ, and ADDIS those between λ and τ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import zeta

from customerlab.formats import percent, short

Procedure = Literal["lord++", "saffron", "addis", "alpha-spending"]
EQUATION_31 = 0.07720838  # as printed by Javanmard and Montanari (2018): the shares add up to 0.976, on the safe side


@dataclass(frozen=True)
class Rule:
    """Constants of a procedure: λ (0: no candidates), τ, the first wealth w by α, whether discoveries earn, and γ."""

    candidate: float
    selected: float
    start: float
    earns: bool = True
    power: bool = False  # γ falls like j^-1.6, else as log j / (j exp(√log j))


RULES: Mapping[str, Rule] = {
    "lord++": Rule(0, 1, 0.1),
    "saffron": Rule(0.5, 1, 0.5, power=True),
    "addis": Rule(0.25, 0.5, 0.5, power=True),
    "alpha-spending": Rule(0, 1, 1, earns=False),
}


def gamma(number: np.ndarray, *, power: bool = False) -> np.ndarray:
    """The share γ of the level for the first, second, … counted test: falling, with a sum of at most 1.

    Examples
    --------
    >>> gamma(np.array([1, 2, 3])).round(4).tolist(), gamma(np.array([1, 2, 3]), power=True).round(4).tolist()
    ([0.0535, 0.0116, 0.0099], [0.4375, 0.1443, 0.0754])
    """
    j = np.asarray(number, dtype=float)
    if power:
        return j**-1.6 / zeta(1.6)
    return EQUATION_31 * np.log(np.maximum(j, 2)) / (j * np.exp(np.sqrt(np.log(j))))


@dataclass(frozen=True)
class Stream:
    """A procedure and where it stands, as plain numbers: all that is needed to go on tomorrow.

    LORD++ is by Ramdas, Yang, Wainwright and Jordan (2017), SAFFRON by Ramdas, Zrnic, Wainwright and Jordan (2018),
    ADDIS by Tian and Ramdas (2019). Constants are the defaults of the R package onlineFDR (Robertson and others 2019).

    Attributes
    ----------
    procedure : {"lord++", "saffron", "addis", "alpha-spending"}
    alpha : float
        The false discovery rate; of alpha-spending the chance of any false discovery.
    tests, counted : int
        Tests decided so far, and those of them that the procedure counts.
    discoveries : tuple of int
        The number of counted tests at each discovery.
    until : str
        The time of the latest decision (ISO 8601).

    Raises
    ------
    ValueError
        For an unknown procedure, or an `alpha` beyond 0 and 1.

    Examples
    --------
    >>> round(Stream("saffron").level, 6), round(Stream("lord++").level, 7)
    (0.005469, 0.0002676)
    """

    procedure: Procedure = "saffron"
    alpha: float = 0.05
    tests: int = 0
    counted: int = 0
    discoveries: tuple[int, ...] = ()
    until: str = ""

    def __post_init__(self) -> None:
        if self.procedure not in RULES:
            raise ValueError(f"procedure = {self.procedure!r}; expected one of {', '.join(RULES)}")
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha = {self.alpha}; expected a number between 0 and 1")

    @cached_property
    def level(self) -> float:
        """The level of the next test: also the one to plan it with, or to monitor it at."""
        rule = RULES[self.procedure]
        start = rule.start * self.alpha
        wealth = start * gamma(np.array(self.counted + 1), power=rule.power)
        if rule.earns and self.discoveries:
            earned = gamma(self.counted + 1 - np.array(self.discoveries), power=rule.power)
            wealth += self.alpha * earned.sum() - start * earned[0]
        level = float((rule.selected - rule.candidate) * wealth)
        return min(level, rule.candidate) if rule.candidate else level

    def after(self, p: float) -> "Stream":
        """The stream after a test with this p-value."""
        rule, found = RULES[self.procedure], p <= self.level
        counts = p <= rule.selected and (p > rule.candidate or not rule.candidate)
        counted = self.counted + counts
        discoveries = (*self.discoveries, counted) if found else self.discoveries
        return replace(self, tests=self.tests + 1, counted=counted, discoveries=discoveries)


def decide(tests: pd.DataFrame, stream: Stream) -> tuple[pd.DataFrame, Stream]:
    """Decide new tests in the order of time; the table of decisions, and the stream after them.

    Parameters
    ----------
    tests : DataFrame
        One row per test: `test` (its name), `decided_at` (when it was read), `p`. Tests of one time are in the order of
        their names. A test without a p-value is not counted.
    stream : Stream
        Where the procedure stands. Later tests may be decided in a later call: results are those of a single one.

    Returns
    -------
    (DataFrame, Stream)
        `test`, `decided_at`, `p`, `level`, `significant` (p ≤ level) and `decision` in words, ordered by time.

    Raises
    ------
    ValueError
        For a lacking column, a repeated test, a p-value beyond 0 and 1, a missing time, and for a test that is not
        later than those decided before, whose level would have depended on it.

    Examples
    --------
    >>> tests = pd.DataFrame({"test": ["a", "b"], "decided_at": ["2026-01-01", "2026-01-09"], "p": [1e-6, 0.009]})
    >>> table, stream = decide(tests, Stream("saffron"))
    >>> table[["test", "level", "significant"]].round(5).values.tolist()
    [['a', 0.00547, True], ['b', 0.01094, True]]
    >>> stream.tests, stream.discoveries, stream.until
    (2, (0, 0), '2026-01-09T00:00:00')
    """
    table = _ordered(tests, stream.until)
    levels = []
    for p in table["p"]:
        levels.append(np.nan if np.isnan(p) else stream.level)
        stream = stream if np.isnan(p) else stream.after(p)
    table["level"] = np.array(levels, dtype=float)
    table["significant"] = table["p"] <= table["level"]
    words = np.where(table["significant"], "significant", "not significant")
    table["decision"] = np.where(table["p"].isna(), "no p-value: not counted", words)
    return table, replace(stream, until=table["decided_at"].max().isoformat()) if len(table) else stream


def _ordered(tests: pd.DataFrame, until: str) -> pd.DataFrame:
    """The tests in the order of time, checked."""
    if lacking := [name for name in ("test", "decided_at", "p") if name not in tests]:
        raise ValueError(f"The table of tests lacks the column {lacking[0]!r}.")
    table = tests[["test", "decided_at", "p"]].assign(
        decided_at=pd.to_datetime(tests["decided_at"]), p=tests["p"].astype(float)
    )
    if table["test"].duplicated().any():
        raise ValueError(f"The test {table['test'][table['test'].duplicated()].iloc[0]!r} is there more than once.")
    if not table["p"].dropna().between(0, 1).all():
        raise ValueError("A p-value is below 0 or above 1.")
    if table["decided_at"].isna().any():
        raise ValueError("A test has no time of its decision.")
    if until and (table["decided_at"] <= pd.Timestamp(until)).any():
        raise ValueError(f"A test is not later than those decided before, until {until}: expected new tests alone.")
    return table.sort_values(["decided_at", "test"], ignore_index=True)


def summary(stream: Stream) -> str:
    """What a team reads above the table of tests.

    Examples
    --------
    >>> summary(Stream("lord++", tests=15, counted=15, discoveries=(1, 6, 10)))
    '3 of 15 tests are significant (LORD++, false discovery rate at most 5%). The next test has the level 0.000631.'
    """
    controls = "false discovery rate" if RULES[stream.procedure].earns else "chance of any false discovery"
    name = stream.procedure if stream.procedure == "alpha-spending" else stream.procedure.upper()
    found = f"{len(stream.discoveries):,} of {stream.tests:,} tests are significant"
    next_level = f"The next test has the level {short(stream.level)}."
    return f"{found} ({name}, {controls} at most {percent(stream.alpha)}). {next_level}"
