"""The whole simulated shop: tables that a shop would know, and beside them the truth that it would not."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customerlab.data.simulate import choice, experiments, faults, people as knowledge, products, purchasing, returns
from customerlab.data.simulate.campaigns import CHANNELS, COLUMNS, Programme, schedule
from customerlab.data.simulate.decisions import simulate_decisions
from customerlab.data.simulate.products import Assortment

PART = 25_000  # customers a part; parts are drawn apart, so that any number of processes makes the same shop
NUMBERS = 1_000_000  # order numbers that are kept for each part
EPOCH = np.datetime64(purchasing.START, "s")


@dataclass(frozen=True)
class Part:
    """Some customers of a shop, with all that belongs to them."""

    # `transactions`, `customers`, `ratings`, `experiment`, `aa_test`, `broken_test`; with campaigns `messages` and
    # `decisions`
    tables: dict[str, pa.Table]
    # `customers`: latent traits and the expected effect of each arm on each outcome; `faults`: what was spoiled
    truth: dict[str, pa.Table]
    affinities: pd.DataFrame | None  # the true chance that a choice falls on a product; only where it was asked for


def assortment(seed: int) -> Assortment:
    """The products of the shop with this seed."""
    return products.simulate_products(np.random.default_rng([seed, 0]))


def simulate_part(
    seed: int, part: int, size: int, *, spoiled: bool, campaigns: bool = False, as_of: pd.Timestamp | None = None
) -> Part:
    """Simulate the `size` customers, at most `PART`, of the part with this number, from 0.

    `spoiled` plants the faults of real logs, `campaigns` sends campaigns and shows banners. `as_of` asks for the
    affinities of a day, a number for every customer and product.
    """
    rng, time, goods = np.random.default_rng([seed, 1, part]), purchasing.calendar(), assortment(seed)
    people = purchasing.simulate_customers(rng, size, time)
    natural = orders = purchasing.simulate_orders(rng, people, time)
    asked, attitude = knowledge.simulate_people(np.random.default_rng([seed, 2, part]), people)
    mails = Programme(
        np.random.default_rng([seed, 3, part]), schedule(seed) if campaigns else schedule(seed)[:0], people,
        asked["newsletter"].to_numpy(zero_copy_only=False) == "yes", time,
    )  # fmt: skip
    tests = {}
    for place, (name, (sent, arms)) in enumerate(experiments.TESTS.items(), 1):
        orders = mails.send(orders, natural, sent)
        units, members = experiments.participants(orders, natural, people, sent)
        table = experiments.simulate_test(rng, units, arms, sent).set_index(members)
        orders = experiments.placed(rng, orders, table, units, place, time)
        tests[name] = experiments.unlogged(rng, table) if name == "broken_test" else table
    orders = mails.send(orders, natural, purchasing.END)
    tastes = choice.simulate_tastes(rng, people, goods)
    lines = choice.simulate_lines(rng, orders, people, tastes, goods, time)
    lines, annulled = returns.annul(rng, orders, lines, people)
    _settle(tests, orders, lines)
    names = _texts("C", part * PART + rng.permutation(size) + 1, 8)
    places = purchasing.countries(rng, people)
    country = pa.DictionaryArray.from_arrays(places, list(purchasing.COUNTRIES))
    placed = EPOCH + orders.moment.astype("timedelta64[s]")
    numbers = _texts("", part * NUMBERS + np.arange(len(orders)) + 500_001, 9)
    ids = pa.array(goods.table["product_id"])
    log = _log(orders, lines, names, country, placed, numbers, ids)
    back = returns.returns(rng, log, orders, lines, people, goods, annulled)
    back = back.filter(pc.less(back["ordered_at"], pa.scalar(np.datetime64(purchasing.END, "s"))))
    log = pa.concat_tables([log, back]).unify_dictionaries().combine_chunks()
    spoilt = pa.table({name: pa.array([], pa.string()) for name in ("fault", "order_id", "product_id")})
    if spoiled:
        spared = numbers.filter(pa.array(orders.test > 0)).to_pandas()
        frame, found = faults.spoil(rng, _plain(log).to_pandas(), spared)
        log, spoilt = (pa.Table.from_pandas(t, preserve_index=False) for t in (frame, found))
    log = _by_time(log, "ordered_at")
    stars = choice.simulate_ratings(rng, orders, lines, tastes, goods)
    signed_up = purchasing.START + pd.to_timedelta(people.signed_up, unit="D")
    asked["region"] = pc.if_else(pa.array(places == 0), asked["region"], pa.scalar(None, pa.string()))
    since = pa.array(signed_up.astype("datetime64[s]"))
    tables = {
        "transactions": log,
        "customers": pa.table({"customer_id": names, "signed_up_at": since, "country": country, **asked}),
        "ratings": _ratings(stars, orders, lines, names, placed, ids),
        **{name: _named(table, names) for name, table in tests.items()},
    }
    tables["customers"] = tables["customers"].sort_by("customer_id")
    truth = {
        "customers": _truth(people, natural, names, units, members, attitude),
        "staples": _staples(tastes, names, ids),
        "annulled": pa.table({"order_id": numbers.filter(pa.array(annulled))}),
        "faults": spoilt,
    }
    if campaigns:
        sold = np.where(annulled, 0.0, lines.paid(orders))
        tables["messages"] = _messages(mails.messages(orders, sold), mails.campaigns["campaign_id"], names)
        tables["decisions"], shown = simulate_decisions(np.random.default_rng([seed, 5, part]), orders, names, time)
        truth |= {
            "decisions": shown,
            "caused": _caused(orders, mails.campaigns["campaign_id"], numbers),
            "campaigns": _responses(mails, names),
        }
    if as_of is None:
        return Part(tables, truth, None)
    chance = choice.affinities(people, tastes, goods, (as_of - purchasing.START).days)
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
    orders: purchasing.Orders, lines: choice.Lines, names: pa.Array, country: pa.DictionaryArray, placed: np.ndarray,
    numbers: pa.Array, ids: pa.Array,
) -> pa.Table:  # fmt: skip
    customer = orders.customer[lines.order]
    return pa.table(
        {
            "customer_id": _coded(customer, names),
            "order_id": _coded(lines.order, numbers),
            "ordered_at": pa.array(placed[lines.order]),
            "product_id": _coded(lines.product, ids),
            "quantity": pa.array(lines.quantity),
            "unit_price": pa.array(lines.price),
            "country": country.take(pa.array(customer)),
        }
    )


def _ratings(
    stars: choice.Ratings, orders: purchasing.Orders, lines: choice.Lines, names: pa.Array, placed: np.ndarray,
    ids: pa.Array,
) -> pa.Table:  # fmt: skip
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


def _settle(tests: dict[str, pd.DataFrame], orders: purchasing.Orders, lines: choice.Lines) -> None:
    """Write into the tables of the tests, whose index are customers, what their orders and those before them cost."""
    paid = lines.paid(orders)
    for place, (name, (sent, _)) in enumerate(experiments.TESTS.items(), 1):
        table = tests[name]
        for column, these in (
            ("spend", orders.test == place),
            ("past_spend", orders.day < (sent - purchasing.START).days),
        ):
            money = np.bincount(orders.customer[these], paid[these], minlength=table.index.max() + 1)
            table[column] = money[table.index].round(2)


def _named(table: pd.DataFrame, names: pa.Array) -> pa.Table:
    table = table.assign(exposed_at=table["exposed_at"].astype("datetime64[s]"))
    table.insert(0, "unit_id", names.take(pa.array(table.index)).to_pandas().to_numpy())
    return pa.Table.from_pandas(table, preserve_index=False).sort_by("unit_id")


def _messages(rows: pd.DataFrame, ids: pd.Series, names: pa.Array) -> pa.Table:
    def moments(name: str) -> pa.Array:
        seconds = rows[name].to_numpy()
        return pa.array(EPOCH + seconds.astype("timedelta64[s]"), mask=seconds < 0)

    channel = pa.array(rows["channel"].astype("int32"), mask=(rows["channel"] < 0).to_numpy())
    table = {
        "customer_id": _coded(rows["customer"].to_numpy(), names),
        "campaign_id": _coded(rows["row"].to_numpy(), pa.array(ids)),
        "channel": pa.DictionaryArray.from_arrays(channel, list(CHANNELS)),
        "sent_at": moments("sent"),
        "held_out": pa.array(rows["held_out"]),
        **{f"{name}_at": moments(name) for name in ("opened", "clicked", "unsubscribed", "converted")},
        "revenue": pa.array(rows["revenue"], from_pandas=True),
    }
    return _by_time(pa.table(table).unify_dictionaries(), "sent_at")


def _caused(orders: purchasing.Orders, ids: pd.Series, numbers: pa.Array) -> pa.Table:
    row = orders.test - len(experiments.TESTS) - 1
    theirs = row >= 0
    return pa.table(
        {"order_id": numbers.filter(pa.array(theirs)), "campaign_id": pa.array(ids.to_numpy()[row[theirs]])}
    )


def _responses(mails: Programme, names: pa.Array) -> pa.Table:
    table = pa.Table.from_pandas(mails.truth(), preserve_index=False)
    return table.add_column(0, "customer_id", names).sort_by("customer_id")


def _truth(
    people: purchasing.Customers, natural: purchasing.Orders, names: pa.Array, units: experiments.Units,
    members: np.ndarray, attitude: np.ndarray,
) -> pa.Table:  # fmt: skip
    frame = pd.DataFrame(
        {
            "customer_id": names.to_pandas(),
            "segment": people.trait("segment"),
            "rate_a_month": people.rate * 30.44,
            "drop": people.drop,
            "mean_order_value": people.usual,
            "state": np.array(purchasing.STATES)[natural.before(purchasing.DAYS, len(people))[2]],
            "attitude": attitude,
        }
    )
    control = experiments.expected(units, "control")
    for arm in experiments.ARMS[1:]:
        for name, effect in (experiments.expected(units, arm) - control).items():
            frame.loc[members, f"{arm}_{name}"] = effect.to_numpy()
    return pa.Table.from_pandas(frame, preserve_index=False).sort_by("customer_id")


def _staples(tastes: choice.Tastes, names: pa.Array, ids: pa.Array) -> pa.Table:
    customer = np.repeat(np.arange(len(tastes.staples)), choice.STAPLES)
    table = {"customer_id": names.take(pa.array(customer)), "product_id": ids.take(pa.array(tastes.staples.ravel()))}
    return pa.table({**table, "days": tastes.every.ravel()}).sort_by([(name, "ascending") for name in (*table, "days")])


@dataclass(frozen=True)
class Shop:
    """A simulated shop in memory.

    `tables` are what a shop would know: `transactions`, `products`, `customers`, `ratings`, and three tests,
    `experiment` (three arms, real effects), `aa_test` (no effect) and `broken_test` (units lost from one arm). The
    orders that the tests report are in the transactions, no fault spoils them, and no order of the same days stands
    beside them. With campaigns there are `campaigns` and `messages` too; the orders that these cause are in the
    transactions, beside those that would have been placed without. And there are `decisions` on banners to show.

    `truth` is what it would not know, as `data/README.md` has it, and `affinities`, customers by products: the chance
    that a choice on the day that was asked for falls on the product; season, launches, complements and staples are left
    aside. Effects on those who took part in `experiment` are by recency and state on the day of the first mails.
    """

    tables: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]


def simulate_shop(
    customers: int = 2_000, seed: int = 7, *, spoiled: bool = True, campaigns: bool = False,
    as_of: pd.Timestamp = purchasing.END,
) -> Shop:  # fmt: skip
    """Simulate eighteen months of a shop for home and garden goods, in memory.

    Parameters
    ----------
    customers : int
        How many customers sign up.
    seed : int
        The same seed gives the same shop.
    spoiled : bool
        Plant the faults of real logs: guest orders, samples, test orders, outliers, duplicates.
    campaigns : bool
        Send campaigns, whose messages cause orders, and show banners, which cause clicks alone. Without them all tables
        are as they are for shops without.
    as_of : Timestamp
        The day of the affinities, because tastes drift.

    Examples
    --------
    >>> shop = simulate_shop(customers=200, seed=1)
    >>> sorted(shop.tables)
    ['aa_test', 'broken_test', 'customers', 'experiment', 'products', 'ratings', 'transactions']
    """
    goods = assortment(seed)
    parts = [
        simulate_part(seed, n, size, spoiled=spoiled, campaigns=campaigns, as_of=as_of)
        for n, size in enumerate(part_sizes(customers))
    ]
    tables = {name: _plain(pa.concat_tables([p.tables[name] for p in parts])).to_pandas() for name in parts[0].tables}
    tables["products"] = goods.table
    if campaigns:
        tables["campaigns"] = schedule(seed)[COLUMNS]
    whole = ["age", *knowledge.LOADINGS]  # with gaps, which would make 34.0 of 34
    tables["customers"] = tables["customers"].astype(dict.fromkeys(whole, "Int64"))
    truth = {name: pa.concat_tables([p.truth[name] for p in parts]).to_pandas() for name in parts[0].truth}
    truth |= {
        "products": goods.traits,
        "complements": goods.complements,
        "effects": average_effects(truth["customers"]),
    }
    truth["affinities"] = pd.concat([part.affinities for part in parts if part.affinities is not None])
    return Shop(tables, truth)


def part_sizes(customers: int) -> list[int]:
    """How many customers each part has."""
    if customers < 1:
        raise ValueError(f"customers = {customers}; expected at least 1")
    return [min(PART, customers - begin) for begin in range(0, customers, PART)]


def average_effects(customers: pd.DataFrame) -> pd.DataFrame:
    """The true average effect of each arm on each outcome, over those who took part.

    Columns `variant`, `outcome`, `effect`.
    """
    rows = [
        (arm, name, customers[f"{arm}_{name}"].mean()) for arm in experiments.ARMS[1:] for name in experiments.OUTCOMES
    ]
    return pd.DataFrame(rows, columns=["variant", "outcome", "effect"])
