"""Do recommenders find the tastes, habits and complements planted in the simulated shop? Figures are printed.

Lists are judged by the truth and not by what happened to be bought: by the planted chance that a choice of the customer
falls on the listed products, as a share of what the best list would have.
"""

import ibis
import numpy as np
import pandas as pd
import pytest

from customerlab.analysis import recommend
from customerlab.analysis.orders import before
from customerlab.analysis.recommend.models import (
    AllTimePopularity,
    Content,
    ItemNeighbours,
    PersonalFrequency,
    RP3beta,
    top,
)
from customerlab.data.simulate import simulate_shop

SEEDS = range(8)
CUT = pd.Timestamp("2024-09-01")  # before the season, which the planted chances leave aside
K = 10


@pytest.fixture(scope="module")
def histories():
    """Of each seed the shop, its history before the cut, and the true chances in the order of rows and columns."""
    made = []
    for seed in SEEDS:
        shop = simulate_shop(seed=seed, spoiled=False, as_of=CUT)
        log = shop.tables["transactions"].query("quantity > 0")
        table = ibis.memtable(log.astype({"ordered_at": "datetime64[us]", "quantity": float}))
        table = table.mutate(amount=(table.quantity * table.unit_price).round(4).cast("decimal(18, 4)"))
        split = recommend.whole_log(before(table, CUT))
        truth = shop.truth["affinities"].loc[split.customers, split.products].to_numpy(copy=True)
        kind = shop.truth["customers"].set_index("customer_id")["segment"][split.customers].to_numpy()
        # what is used up and bought again is left aside by the planted chances: no list is judged by it
        known = shop.truth["staples"].query("customer_id in @split.customers and product_id in @split.products")
        rows, columns = (
            split.customers.get_indexer(known["customer_id"]),
            split.products.get_indexer(known["product_id"]),
        )
        truth[rows, columns] = 0
        made.append((shop, split, truth, kind))
    return made


def worth(lists, truth, allowed):
    """The planted chance of each list as a share of that of the best list."""
    chance = np.where(lists >= 0, np.take_along_axis(truth, np.maximum(lists, 0), 1), 0).sum(axis=1)
    best = np.sort(np.where(allowed, truth, 0), axis=1)[:, ::-1][:, : lists.shape[1]].sum(axis=1)
    return chance / best


def judged(histories, models, which, customers):
    """Mean worth over some customers of each shop, by model."""
    table = []
    for _, split, truth, kind in histories:
        rows = np.flatnonzero(customers(split, kind))
        owned = split.history[rows].toarray() > 0
        allowed = (truth[rows] > 0) & (~owned if which == "explore" else True)
        table.append(
            {
                model.name: worth(top(model.fit(split).scores(rows), allowed, K), truth[rows], allowed).mean()
                for model in models
            }
        )
    return pd.DataFrame(table)


def orders_of(split):
    return np.bincount(split.orders.customer, minlength=len(split.customers))


def test_taste_is_found_by_models_of_products_and_not_by_popularity(histories, say):
    """Discoveries of customers with five orders and more, from whose products a taste can be read."""
    models = [
        AllTimePopularity(), ItemNeighbours(weighting="TF-IDF"), recommend.EASE(100),
        recommend.PureSVD(10), RP3beta(),
    ]  # fmt: skip
    found = judged(histories, models, "explore", lambda split, kind: orders_of(split) >= 5)
    said = ", ".join(f"{name} {value:.2f}" for name, value in found.mean().items())
    say(f"{len(found)} shops, planted taste among discoveries, share of the best list: {said}")
    for name in found.columns[1:]:
        assert (found[name] > found["popularity of all time"]).all(), name


def test_habit_is_found_by_personal_frequency(histories, say):
    """Where half of the choices are habit it wins; where few are, taste is worth more than the own past."""
    models = [
        PersonalFrequency(), AllTimePopularity(), ItemNeighbours(weighting="TF-IDF"),
        recommend.EASE(100), recommend.PureSVD(10), RP3beta(),
    ]  # fmt: skip
    of_habit = judged(histories, models, "all", lambda _, kind: np.isin(kind, ["regular", "trade"]))
    without = judged(histories, models, "all", lambda split, kind: (kind == "gift giver") & (orders_of(split) == 1))
    for found, who in ((of_habit, "planted habit"), (without, "hardly a habit, one order")):
        said = ", ".join(f"{name} {value:.2f}" for name, value in found.mean().items())
        say(f"{len(found)} shops, {who}, share of the best list: {said}")
    for name in of_habit.columns[1:]:
        assert (of_habit["personal frequency"] > of_habit[name]).all(), name
    lead = of_habit["personal frequency"] - of_habit["EASE"]
    assert (lead > without["personal frequency"] - without["EASE"]).all()


def test_content_finds_products_that_nobody_has_bought(histories, say):
    """Half a year before the cut: the products that were launched in it, which no other model can tell apart."""
    found = []
    for shop, whole, _, _ in histories:
        split = whole.earlier(184, 184)
        new = np.flatnonzero(split.history.getnnz(axis=0) == 0)
        rows = np.flatnonzero(orders_of(split) >= 3)
        truth = shop.truth["affinities"].loc[split.customers[rows], split.products[new]].to_numpy()
        scores = Content(shop.tables["products"]).fit(split).scores(rows)[:, new]
        everything = np.ones_like(truth, dtype=bool)
        chance = 3 * truth.mean(axis=1) / np.sort(truth, axis=1)[:, -3:].sum(axis=1)
        found.append((worth(top(scores, everything, 3), truth, everything).mean(), chance.mean(), len(new)))
        others = (ItemNeighbours(), recommend.EASE(), recommend.PureSVD(10), PersonalFrequency())
        assert not any(model.fit(split).scores(rows)[:, new].any() for model in others)
    content, chance, size = np.array(found).T
    say(
        f"{len(found)} shops, {size.min():.0f} to {size.max():.0f} products never sold, the first three, share of the "
        f"best list: content {content.mean():.2f}, by chance {chance.mean():.2f}"
    )
    assert (content > chance).all()


def test_planted_complements_are_among_the_nearest_neighbours(histories, say):
    ranks = []
    for shop, split, _, _ in histories:
        similar = ItemNeighbours(len(split.products), "TF-IDF").fit(split).similar_.toarray()
        order = np.argsort(-similar, axis=1, kind="stable")
        pairs = shop.truth["complements"]
        one, other = (split.products.get_indexer(pairs[name]) for name in ("product_id", "partner_id"))
        assert (one >= 0).all() and (other >= 0).all()
        for first, second in ((one, other), (other, one)):
            ranks.append((order[first] == second[:, None]).argmax(axis=1) + 1)
    ranks = np.concatenate(ranks)
    say(
        f"{len(histories)} shops, the partner of a product is its nearest neighbour in {(ranks == 1).mean():.0%} of planted "
        f"pairs, among the five nearest in {(ranks <= 5).mean():.0%} (by chance {5 / 249:.0%})"
    )
    assert (ranks <= 5).mean() > 0.9
