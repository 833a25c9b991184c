"""What the simulated shop knows of its customers beside their orders: attributes with a planted relation to these.

They are drawn from a stream of their own, so that all other tables are the same with and without them. Given the
segment (and, for income, what an order of the customer is worth), each is independent of all behaviour; a garden
depends on the home, and the answers on one attitude. The region is independent of everything, but unknown abroad.
"""

import numpy as np
import pandas as pd
import pyarrow as pa

from customerlab.data.simulate.purchasing import SEGMENTS, SPEND_GAMMA, Customers

INCOMES = ("low", "lower middle", "upper middle", "high")
INCOME_CUTS = (-0.8, 0.2, 1.1)  # of the score behind them, which is normal around the segment's mean
WORTH = 0.5  # correlation of this score, within segments, with the logarithm of the mean value of an order
LOG_MEAN, LOG_SPREAD = 1.388871, 0.498724  # of the logarithm of a Gamma variable of shape `SPEND_Q` = 4.5
HOMES = ("flat", "terraced house", "detached house", "other")
GARDENS = (0.2, 0.8, 0.95, 0.4)  # the chance of a garden, by home
CHANNELS = ("search engine", "advertisement", "recommendation", "shop window")
GENDERS = ("female", "male", "other")
REGIONS = 24
LOADINGS = {"home_time": 0.8, "home_pride": 0.75, "home_plans": 0.7}  # of three answers from 1 to 5 on the attitude
ANSWER_CUTS = (-1.5, -0.5, 0.5, 1.5)
SILENT, SKIPPED = 0.3, 0.02  # share of customers who answered no question; share of the others' answers that is missing
UNSAID = 0.05  # share of customers whose gender is not known

# By segment: age in years (mean of a normal with `AGE_SPREAD`) and the chance that it is missing; people in the
# household beside the customer (Poisson); means of the score of income and of the attitude; chance of the newsletter;
# shares of `HOMES`, `CHANNELS` and `GENDERS`.
AGE_SPREAD, YOUNGEST, OLDEST = 11.0, 18, 90
PLANTED = pd.DataFrame(
    [
        ("regular", 50, 0.08, 1.6, 0.3, 0.8, 0.65, (0.20, 0.30, 0.45, 0.05), (0.2, 0.1, 0.5, 0.2), (0.62, 0.37, 0.01)),
        ("occasional", 44, 0.12, 1.2, 0.0, 0.0, 0.35, (0.45, 0.30, 0.20, 0.05), (0.4, 0.3, 0.2, 0.1), (0.58, 0.40, 0.02)),
        ("gift giver", 38, 0.12, 1.8, 0.1, 0.3, 0.50, (0.50, 0.30, 0.15, 0.05), (0.2, 0.5, 0.2, 0.1), (0.70, 0.28, 0.02)),
        ("one-time", 34, 0.30, 0.8, -0.3, -0.6, 0.15, (0.65, 0.20, 0.10, 0.05), (0.4, 0.5, 0.05, 0.05), (0.55, 0.43, 0.02)),
        ("trade", 46, 0.05, 1.5, 0.8, 0.0, 0.40, (0.10, 0.25, 0.35, 0.30), (0.3, 0.1, 0.4, 0.2), (0.40, 0.59, 0.01)),
    ],
    columns=["segment", "age", "unknown", "others", "income", "attitude", "newsletter", "homes", "channels", "genders"],
)  # fmt: skip

DECLARED = """\
      attributes:
        age: {kind: number, unit: years, meaning: age at sign-up, missing: not stated}
        household: {kind: number, unit: people, meaning: people in the household}
        income: {kind: ordered, levels: [low, lower middle, upper middle, high], meaning: income of the household}
        home: {kind: category, levels: [flat, terraced house, detached house, other], meaning: kind of home}
        garden: {kind: yes_no, meaning: whether the home has a garden}
        newsletter: {kind: yes_no, meaning: whether the newsletter is ordered}
        first_channel: {kind: category, meaning: how the shop was found}
        region: {kind: region, meaning: first two digits of the postcode, missing: lives abroad}
        gender: {kind: category, sensitive: true, missing: not stated}
        home_time: {kind: ordered, levels: [1, 2, 3, 4, 5], meaning: '"I spend much time on my home", 5 agrees most'}
        home_pride: {kind: ordered, levels: [1, 2, 3, 4, 5], meaning: '"I like to show my home", 5 agrees most'}
        home_plans: {kind: ordered, levels: [1, 2, 3, 4, 5], meaning: '"I have plans for my home", 5 agrees most'}
"""
"""How the catalogue declares them."""


def simulate_people(rng: np.random.Generator, customers: Customers) -> tuple[dict[str, pa.Array], np.ndarray]:
    """Draw the attributes of customers, as if nobody lived abroad, and the attitude behind the answers."""
    size, of = len(customers), PLANTED.iloc[customers.segment]
    age = np.clip(np.round(rng.normal(of["age"], AGE_SPREAD)), YOUNGEST, OLDEST).astype("int64")
    no_age = rng.random(size) < of["unknown"].to_numpy()
    household = 1 + rng.poisson(of["others"])
    own = customers.spend_rate * SEGMENTS["value"].to_numpy()[customers.segment] * SPEND_GAMMA
    worth = (LOG_MEAN - np.log(own)) / LOG_SPREAD  # of mean 0 and variance 1: an order is worth more for a lower rate
    score = of["income"].to_numpy() + WORTH * worth + np.sqrt(1 - WORTH**2) * rng.standard_normal(size)
    home = _chosen(rng, of["homes"])
    garden = rng.random(size) < np.array(GARDENS)[home]
    newsletter = rng.random(size) < of["newsletter"].to_numpy()
    channel, gender = _chosen(rng, of["channels"]), _chosen(rng, of["genders"])
    unsaid = rng.random(size) < UNSAID
    region = 1 + np.floor(REGIONS * rng.random(size) ** 2).astype("int64")  # the first are the largest
    attitude = of["attitude"].to_numpy() + rng.standard_normal(size)
    silent = rng.random(size) < SILENT
    answers = {}
    for name, loading in LOADINGS.items():
        said = loading * attitude + np.sqrt(1 - loading**2) * rng.standard_normal(size)
        skipped = silent | (rng.random(size) < SKIPPED)
        answers[name] = pa.array(1 + np.searchsorted(ANSWER_CUTS, said), mask=skipped)
    yes = np.array(["no", "yes"])
    table = {
        "age": pa.array(age, mask=no_age),
        "household": pa.array(household),
        "income": pa.array(np.array(INCOMES)[np.searchsorted(INCOME_CUTS, score)]),
        "home": pa.array(np.array(HOMES)[home]),
        "garden": pa.array(yes[garden.astype(int)]),
        "newsletter": pa.array(yes[newsletter.astype(int)]),
        "first_channel": pa.array(np.array(CHANNELS)[channel]),
        "region": pa.array(np.char.zfill(region.astype(str), 2)),
        "gender": pa.array(np.array(GENDERS)[gender], mask=unsaid),
    }
    return table | answers, attitude


def _chosen(rng: np.random.Generator, shares: pd.Series) -> np.ndarray:
    """A place for every customer, by the shares of each."""
    edges = np.stack(shares.to_list()).cumsum(axis=1)
    return (rng.random((len(edges), 1)) > edges[:, :-1]).sum(axis=1)
