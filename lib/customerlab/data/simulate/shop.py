"""The whole simulated shop: tables that a shop would know, and beside them the truth that it would not."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customerlab.data.simulate import choice, experiments, faults, products, purchasing
from customerlab.data.simulate.products import Assortment

PART = 25_000  # customers a part; parts are drawn apart, so that any number of processes makes the same shop
RETURNED = 0.022  # share of lines that are sent back
COUNTRIES, COUNTRY_SHARES = ("United Kingdom", "Ireland", "France", "Germany"), (0.84, 0.07, 0.05, 0.04)
NUMBERS = 1_000_000  # order numbers that are kept for each part
EPOCH = np.datetime64(purchasing.START, "s")


@dataclass(frozen=True)
class Part:
    """Some customers of a shop, with all that belongs to them.

    Attributes
    ----------
    tables : dict of str to pyarrow Table
        `transactions`, `customers`, `ratings`, `experiment`, `aa_test`, `broken_test`.
    truth : dict of str to pyarrow Table
        `customers`: latent traits and the expected effect of each arm on each outcome; `faults`: what was spoiled.
    affinities : DataFrame of customers by products, or None
        The true chance that a choice falls on a product; only where it was asked for.
    """

    tables: dict[str, pa.Table]
    truth: dict[str, pa.Table]
    affinities: pd.DataFrame | None


def assortment(seed: int) -> Assortment:
    """The products of the shop with this seed."""
    return products.simulate_products(np.random.default_rng([seed, 0]))


def simulate_part(seed: int, part: int, size: int, *, spoiled: bool, with_affinities: bool = False) -> Part:
    """Simulate the customers of one part.

    Parameters
    ----------
    seed : int
        Of the shop.
    part : int
        Its number, from 0.
    size : int
        How many customers sign up, at most `PART`.
    spoiled : bool
        Plant the faults of real logs.
    with_affinities : bool
        Compute the affinities, which take a number for every customer and product.
    """
    rng, time, goods = np.random.default_rng([seed, 1, part]), purchasing.calendar(), assortment(seed)
    people = purchasing.simulate_customers(rng, size, time)
    orders = purchasing.simulate_orders(rng, people, time)
    tastes = choice.simulate_tastes(rng, size, goods)
    lines = choice.simulate_lines(rng, orders, people, tastes, goods, time)
    names = _texts("C", part * PART + rng.permutation(size) + 1, 8)
    country = pa.DictionaryArray.from_arrays(rng.choice(4, size, p=COUNTRY_SHARES).astype("int8"), list(COUNTRIES))
    placed = EPOCH + orders.day * np.timedelta64(86400, "s") + orders.second.astype("timedelta64[s]")
    numbers = _texts("", part * NUMBERS + np.arange(len(orders)) + 500_001, 9)
    ids = pa.array(goods.table["product_id"])
    log = _log(orders, lines, goods, names, country, placed, numbers, ids)
    log = pa.concat_tables([log, _returns(rng, log)]).unify_dictionaries().combine_chunks()
    spoilt = pa.table({name: pa.array([], pa.string()) for name in ("fault", "order_id", "product_id")})
    if spoiled:
        frame, found = faults.spoil(rng, _plain(log).to_pandas())
        log, spoilt = (pa.Table.from_pandas(t, preserve_index=False) for t in (frame, found))
    log = _by_time(log, "ordered_at")
    stars = choice.simulate_ratings(rng, orders, lines, tastes, goods)
    units, members = _participants(orders, lines, people, goods)
    tests = {
        "experiment": experiments.simulate_test(rng, units),
        "aa_test": experiments.simulate_test(rng, units, ("control", "control")),
        "broken_test": experiments.simulate_broken_test(rng, units),
    }
    unit_ids = names.take(pa.array(members)).to_pandas()
    signed_up = purchasing.START + pd.to_timedelta(people.signed_up, unit="D")
    tables = {
        "transactions": log,
        "customers": pa.table(
            {"customer_id": names, "signed_up_at": pa.array(signed_up.astype("datetime64[s]")), "country": country}
        ),
        "ratings": _ratings(stars, orders, lines, names, placed, ids),
        **{name: _named(table, unit_ids) for name, table in tests.items()},
    }
    tables["customers"] = tables["customers"].sort_by("customer_id")
    truth = {"customers": _truth(people, names, units, members), "faults": spoilt}
    if not with_affinities:
        return Part(tables, truth, None)
    chance = choice.affinities(people, tastes, goods)
    index = pd.Index(names.to_pandas(), name="customer_id")
    return Part(tables, truth, pd.DataFrame(chance, index, goods.table["product_id"].to_numpy()).sort_index())


def _texts(prefix: str, numbers: np.ndarray, width: int) -> pa.Array:
    """Numbers as ids of one width, made by arrow because Python's texts are slow."""
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0"), "")


def _plain(table: pa.Table) -> pa.Table:
    """The table with its dictionaries written out."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
    return table


def _by_time(table: pa.Table, column: str) -> pa.Table:
    return table.take(pa.array(np.argsort(table[column].to_numpy(), kind="stable")))


def _coded(codes: np.ndarray, values: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype("int32")), values)


def _log(
    orders: purchasing.Orders, lines: choice.Lines, goods: Assortment, names: pa.Array, country: pa.DictionaryArray,
    placed: np.ndarray, numbers: pa.Array, ids: pa.Array,
) -> pa.Table:  # fmt: skip
    customer = orders.customer[lines.order]
    return pa.table(
        {
            "customer_id": _coded(customer, names),
            "order_id": _coded(lines.order, numbers),
            "ordered_at": pa.array(placed[lines.order]),
            "product_id": _coded(lines.product, ids),
            "quantity": pa.array(lines.quantity),
            "unit_price": pa.array(goods.price[lines.product]),
            "country": country.take(pa.array(customer)),
        }
    )


def _returns(rng: np.random.Generator, log: pa.Table) -> pa.Table:
    """Lines that come back, as cancellations: a ``C`` before the order's number, quantities below zero."""
    back = np.flatnonzero(rng.random(len(log)) < RETURNED)
    part = log.take(pa.array(back))
    when = part["ordered_at"].to_numpy() + rng.integers(86400, 20 * 86400, len(back)).astype("timedelta64[s]")
    order = pc.binary_join_element_wise("C", part["order_id"].cast(pa.string()), "")
    quantity = -np.ceil(part["quantity"].to_numpy() * rng.choice([0.5, 1.0], len(back))).astype("int64")
    part = part.set_column(1, "order_id", order.combine_chunks().dictionary_encode())
    part = part.set_column(2, "ordered_at", pa.array(when)).set_column(4, "quantity", pa.array(quantity))
    return part.filter(pa.array(when < np.datetime64(purchasing.END, "s")))


def _ratings(
    stars: choice.Ratings,
    orders: purchasing.Orders,
    lines: choice.Lines,
    names: pa.Array,
    placed: np.ndarray,
    ids: pa.Array,
) -> pa.Table:
    order = lines.order[stars.line]
    when = placed[order] + stars.after.astype("timedelta64[s]")
    texts = pa.array([text for row in choice.TEXTS for text in row])
    table = pa.table(
        {
            "customer_id": _coded(orders.customer[order], names),
            "product_id": _coded(lines.product[stars.line], ids),
            "rating": pa.array(stars.stars),
            "rated_at": pa.array(when),
            "text": texts.take(pa.array(np.where(stars.text < 0, 0, stars.text), mask=stars.text < 0)),
        }
    )
    return _by_time(table.filter(pa.array(when < np.datetime64(purchasing.END, "s"))), "rated_at")


def _participants(
    orders: purchasing.Orders, lines: choice.Lines, people: purchasing.Customers, goods: Assortment
) -> tuple[experiments.Units, np.ndarray]:
    """The customers who had ordered before the mail was sent, and their rows."""
    before = orders.day < experiments.SENT_DAY
    count = np.bincount(orders.customer[before], minlength=len(people))
    known = before[lines.order]
    money = lines.quantity[known] * goods.price[lines.product[known]]
    spent = np.bincount(orders.customer[lines.order[known]], money, minlength=len(people))
    members = np.flatnonzero(count)
    return experiments.Units(people.segment[members], count[members], spent[members]), members


def _named(table: pd.DataFrame, unit_ids: pd.Series) -> pa.Table:
    table.insert(0, "unit_id", unit_ids.loc[table.index])
    return pa.Table.from_pandas(table.astype({"exposed_at": "datetime64[s]"}), preserve_index=False).sort_by("unit_id")


def _truth(people: purchasing.Customers, names: pa.Array, units: experiments.Units, members: np.ndarray) -> pa.Table:
    frame = pd.DataFrame(
        {
            "customer_id": names.to_pandas(),
            "segment": people.trait("segment"),
            "rate_a_month": people.rate * 30.44,
            "drop": people.drop,
            "mean_order_value": purchasing.SPEND_P / people.spend_rate,
        }
    )
    control = experiments.expected(units, "control")
    for arm in experiments.ARMS[1:]:
        for name, effect in (experiments.expected(units, arm) - control).items():
            frame.loc[members, f"{arm}_{name}"] = effect.to_numpy()
    return pa.Table.from_pandas(frame, preserve_index=False).sort_by("customer_id")


@dataclass(frozen=True)
class Shop:
    """A simulated shop in memory.

    Attributes
    ----------
    tables : dict of str to DataFrame
        What a shop would know: `transactions`, `products`, `customers`, `ratings`, and three tests, `experiment` (three
        arms, real effects), `aa_test` (no effect) and `broken_test` (units lost from one arm).
    truth : dict of str to DataFrame
        What it would not: `customers` (segment, rate, drop-out, scale of spending, expected effect of each arm on each
        outcome; no effect for customers who took no part), `complements`, `effects` (average by arm and outcome),
        `faults`, and `affinities` (customers by products).
    """

    tables: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]


def simulate_shop(customers: int = 2_000, seed: int = 7, *, spoiled: bool = True) -> Shop:
    """Simulate eighteen months of a shop for home and garden goods, in memory.

    Parameters
    ----------
    customers : int
        How many customers sign up.
    seed : int
        The same seed gives the same shop.
    spoiled : bool
        Plant the faults of real logs: guest orders, samples, test orders, outliers, duplicates.

    Examples
    --------
    >>> shop = simulate_shop(customers=200, seed=1)
    >>> sorted(shop.tables)
    ['aa_test', 'broken_test', 'customers', 'experiment', 'products', 'ratings', 'transactions']
    """
    goods = assortment(seed)
    parts = [
        simulate_part(seed, n, size, spoiled=spoiled, with_affinities=True)
        for n, size in enumerate(part_sizes(customers))
    ]
    tables = {name: _plain(pa.concat_tables([p.tables[name] for p in parts])).to_pandas() for name in parts[0].tables}
    tables["products"] = goods.table
    truth = {name: pa.concat_tables([p.truth[name] for p in parts]).to_pandas() for name in parts[0].truth}
    truth |= {"complements": goods.complements, "effects": average_effects(truth["customers"])}
    truth["affinities"] = pd.concat([part.affinities for part in parts if part.affinities is not None])
    return Shop(tables, truth)


def part_sizes(customers: int) -> list[int]:
    """How many customers each part has."""
    if customers < 1:
        raise ValueError(f"customers = {customers}; expected at least 1")
    return [min(PART, customers - begin) for begin in range(0, customers, PART)]


def average_effects(customers: pd.DataFrame) -> pd.DataFrame:
    """The true average effect of each arm on each outcome, over those who took part.

    Returns
    -------
    DataFrame
        `variant`, `outcome`, `effect`.
    """
    rows = [
        (arm, name, customers[f"{arm}_{name}"].mean()) for arm in experiments.ARMS[1:] for name in experiments.OUTCOMES
    ]
    return pd.DataFrame(rows, columns=["variant", "outcome", "effect"])
