"""How often are groups recommended over the RFM segments, and rightly so? Simulated shops: `make rates-clustering`.

Customers order at rates of their own until they stop. What they do in each of four periods is then dealt out anew among
the customers of one group, so that it is known what predicts it: nothing at all, the RFM segments, or the R × F cells.
In other shops a feature that RFM lacks, the share of one category, tells two kinds of customer apart who come back at
different rates. Counted is how often the whole decision of notebook 03 uses groups, and how often its comparison alone
calls some candidate significantly better, whatever the other gates say of it. Two methods with two to four clusters
stand for all. Seeds are fixed; a hundred shops of each kind take one core a quarter of an hour.
"""

import argparse
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
from promises import missed, rate, show

from customerlab.analysis import clustering, rfm

SIZE, DAYS, PERIOD = 400, 540, 90
NUMBERS, RESAMPLES = range(2, 5), 6
METHODS = {name: clustering.METHODS[name] for name in ("K-Means", "Bisecting K-Means")}
NAMES, OTHERS = ["recency", "frequency", "monetary", "tenure"], ["recency", "monetary", "share of a category"]
Deal = Callable[[np.random.Generator, pd.DataFrame, pd.DataFrame], pd.DataFrame]


def orders(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Days and amounts of every customer's orders; infinite where there are no more."""
    first = rng.uniform(0, DAYS, SIZE)
    pace, life = rng.gamma(1.2, 1 / 60, SIZE), rng.exponential(300, SIZE)
    gaps = rng.exponential(1 / pace[:, None], (SIZE, 200))
    times = first[:, None] + np.concatenate([np.zeros((SIZE, 1)), gaps.cumsum(axis=1)], axis=1)
    times[times > (first + life)[:, None]] = np.inf
    times[:, 0] = first
    return times, np.exp(rng.normal(3.5, 0.6, (SIZE, 1)) + rng.normal(0, 0.5, times.shape))


def known(times: np.ndarray, amounts: np.ndarray, day: float) -> pd.DataFrame:
    """Features and RFM segments of a day, of those who had ordered by then."""
    there = times < day
    table = pd.DataFrame(
        {
            "customer_id": np.arange(SIZE),
            "recency": np.ceil(day - np.where(there, times, -np.inf).max(axis=1)),
            "frequency": there.sum(axis=1),
            "monetary": np.where(there, amounts, 0).sum(axis=1),
            "tenure": np.ceil(day - times[:, 0]),
        }
    )
    return rfm.segment(rfm.score(table[there[:, 0]].reset_index(drop=True)), rfm.RULES)


def within(groups: pd.Series | pd.DataFrame, after: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """What came after, dealt out anew among the customers of each group."""
    codes = pd.DataFrame(groups).groupby(list(pd.DataFrame(groups)), sort=True).ngroup().to_numpy()
    place, mixed = np.argsort(codes, kind="stable"), np.lexsort([rng.random(len(codes)), codes])
    dealt = np.empty(len(codes), dtype=int)
    dealt[place] = mixed
    return after.iloc[dealt].reset_index(drop=True)


def nothing(rng: np.random.Generator, table: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """No group predicts anything."""
    return within(pd.Series(0, index=table.index, name="all"), after, rng)


def segments(rng: np.random.Generator, table: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Only the RFM segment matters."""
    return within(table["segment"], after, rng)


def cells(rng: np.random.Generator, table: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Only the scores of recency and frequency matter."""
    return within(table[["r_score", "f_score"]], after, rng)


def kinds(gap: float) -> Deal:
    """Only a kind of customer matters: of one kind a share does not come back who else would."""

    def deal(rng: np.random.Generator, table: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
        found = nothing(rng, table, after)
        stays = (table["customer_id"] % 2 == 0).to_numpy() | (rng.random(len(table)) > gap)
        return found.assign(came_back=found["came_back"] & stays, money=found["money"] * stays)

    return deal


def shop(seed: int, deal: Deal, *, category: bool) -> tuple[bool, bool]:
    """Whether the decision uses groups, and whether some candidate is called significantly better at all."""
    rng = np.random.default_rng(seed)
    times, amounts = orders(rng)
    share = np.where(np.arange(SIZE) % 2 == 0, rng.beta(20, 2, SIZE), rng.beta(2, 20, SIZE))
    names = OTHERS if category else NAMES

    def of(day: float) -> pd.DataFrame:
        table = known(times, amounts, day)
        return table.assign(**{OTHERS[-1]: share[table["customer_id"]]})

    customers = of(DAYS)
    space = clustering.fit_space(customers, names)
    past = []
    for place in range(1, 5):
        day = float(DAYS - place * PERIOD)
        table, inside = of(day), (times >= day) & (times < day + PERIOD)
        money = np.where(inside, amounts, 0).sum(axis=1)[table["customer_id"]]
        after = deal(rng, table, pd.DataFrame({"came_back": money > 0, "money": money}))
        formed = pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(day))
        outcomes, rivals = clustering.past.outcomes_of(after), clustering.past.baselines_of(table)
        past.append(clustering.past.Past(formed, table, space.points(table), rivals, outcomes))
    edges = clustering.ceilings(space, customers)
    judged = clustering.judge(
        space.points(customers), NUMBERS, seed, past=past, ceilings=edges, methods=METHODS, resamples=RESAMPLES
    )
    alone = clustering.verdict.compared(judged.models, past[:3], list(judged.models))
    return bool(judged.recommended), bool((alone["p_holm"] <= clustering.Gates().level).any())


def main() -> None:
    """Measure all kinds of shops, and end non-zero where a promise is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=100)
    shops = parser.parse_args().shops
    truths: dict[str, tuple[Deal, bool]] = {
        "the RFM segments are the truth": (segments, False),
        "the R × F cells are the truth": (cells, False),
        "the R × F cells are the truth, beside a category": (cells, True),
        "nothing predicts": (nothing, False),
        "a category is the truth: of one kind 1 of 2 come back who else would": (kinds(0.5), True),
        "a category is the truth: of one kind 1 of 4 come back who else would": (kinds(0.75), True),
    }
    for title, (deal, category) in truths.items():
        found = np.array([shop(seed, deal, category=category) for seed in range(shops)])
        promise = "" if title.startswith("a category") else "<= 0.05"
        show(
            title,
            [
                rate("the decision uses groups", found[:, 0], promise),
                rate("some candidate is called better", found[:, 1], promise),
            ],
        )
    if missed:
        sys.exit("\n".join(["", *missed]))


if __name__ == "__main__":
    main()
