"""Features of customers as of a day: one column per feature, each with its meaning and unit."""

import difflib
from collections.abc import Iterable, Sequence

import ibis
import ibis.expr.types as ir
import pandas as pd

from customerlab.analysis.described import Described
from customerlab.analysis.orders import Shop, Snapshot, Summary, fetched

FEATURES: dict[str, str] = {
    "recency": "whole days since the day of the last order, at least 1",
    "frequency": "orders",
    "monetary": "revenue, in the shop's currency; net of returns if asked for",
    "tenure": "whole days since the day of the first order, at least 1",
    "days_per_order": "tenure divided by orders, in days; also known for customers with one order",
    "basket_value": "monetary divided by orders (average order value)",
    "basket_products": "mean number of different products per order",
    "breadth": "different products bought",
    "categories": "different categories of product bought",
    "returned_share": "returns as a share of gross revenue (0 to 1)",
    "weekend_share": "share of the orders that began on Saturday or Sunday (0 to 1)",
    "evening_share": "share of the orders that began at 18:00 or later (0 to 1)",
    "category_shares": "one column for each of the eight categories with most revenue: share of the customer's revenue (0 to 1)",
}
"""The features that can be asked for, and what each says in which unit."""

SHARE = "share of "  # what the name of a column of `category_shares` begins with; the category follows
MOST_CATEGORIES = 8
EVENING = 18  # the hour from which it is evening


def customer_features(shop: Shop | Described, *, names: Iterable[str], net: bool = False) -> pd.DataFrame:
    """The requested features of every customer, as of a day.

    Parameters
    ----------
    shop : Snapshot, Summary or Described
        On that day. Of customers that are described by attributes alone, the features are what is made of these,
        whatever names are requested. `categories` and `category_shares` need its products with their `category`;
        products without one count in no category, but in the customer's revenue. `returned_share` and `net` need its
        returns. Orders without products, and a summary, do with fewer features.
    names : iterable of str
        Of `FEATURES`. A column of `category_shares` can be requested by its own name, such as ``share of Kitchen``: the
        largest categories may differ on another day, and new customers need the columns that a clustering was fitted
        on.
    net : bool
        Whether `monetary` and `basket_value` are net of returns; they can then be below zero. All shares are of gross
        revenue.

    Returns
    -------
    DataFrame
        Sorted by `customer_id`: that, and the features in the requested order, each once. None is missing: without
        revenue all category shares are 0, and `returned_share` is 0, or 1 where there are returns all the same. Ties
        between categories are broken by name.

    Raises
    ------
    ValueError
        If a name is unknown or none is given, a table is lacking that a feature needs, no order was placed by then, or
        the log has dates without times and `evening_share` is asked for.

    Examples
    --------
    >>> import ibis
    >>> from customerlab.analysis.orders import Snapshot
    >>> log = ibis.memtable({
    ...     "customer_id": ["ann", "ann", "bob"], "order_id": ["1", "2", "3"], "product_id": ["x", "y", "x"],
    ...     "ordered_at": pd.to_datetime(["2024-01-06", "2024-01-11", "2024-01-31"]), "amount": [5.0, 7.0, 9.0],
    ... })
    >>> shop = Snapshot(log, pd.Timestamp("2024-02-01"))
    >>> customer_features(shop, names=["basket_value", "breadth", "weekend_share"]).values.tolist()
    [['ann', 6.0, 2, 0.5], ['bob', 9.0, 1, 0.0]]
    """
    if isinstance(shop, Described):
        return shop.values.copy()
    wanted, products = list(dict.fromkeys(names)), shop.products
    _check_orders(wanted, shop)
    asked = _by_category(wanted, products) if _of_categories(wanted) else []
    _check(wanted, asked, shop, net=net)
    table = _spending(shop.customers(), net=net)
    known, customers = shop.known, table["customer_id"]
    # the log's own matter: on an earlier day all orders so far may happen to be at 0:00
    if "evening_share" in wanted and isinstance(shop, Snapshot) and not _has_times(shop.transactions):
        raise ValueError("the feature 'evening_share' needs times of day, but all orders are at 0:00; leave it out")
    if habits := [name for name in ("basket_products", "weekend_share", "evening_share") if name in wanted]:
        counted = _matched(_habits(known, habits), customers)
        table[counted.columns] = counted.div(table["frequency"], axis=0)
    if "breadth" in wanted:
        table["breadth"] = _matched(_breadth(known), customers)["breadth"].astype("int64")
    if products is not None and _of_categories(wanted):
        top = _top_categories(known, products) if "category_shares" in wanted else []
        shown = list(dict.fromkeys(top + asked))
        found = _matched(_categories(known, products, shown), customers)
        table["categories"] = found.pop("categories").astype("int64")
        shares = found.div(table["gross"].where(table["gross"] > 0), axis=0).clip(0, 1).fillna(0.0)
        table = pd.concat([table, shares.set_axis([SHARE + name for name in shown], axis=1)], axis=1)
        wanted = _expanded(wanted, [SHARE + name for name in top])
    return table[["customer_id", *wanted]]


def _spending(table: pd.DataFrame, *, net: bool) -> pd.DataFrame:
    """What follows from recency, frequency, money and tenure alone, beside the money before returns, `gross`."""
    gross, returned = table["monetary"], table["returned"]
    share = (returned / gross.where(gross > 0)).clip(0, 1).fillna((returned > 0).astype(float))
    table = table.assign(gross=gross, returned_share=share)
    if net:
        table["monetary"] = (gross - returned).round(4)  # as `Snapshot.customers` has it
    table["days_per_order"] = table["tenure"] / table["frequency"]
    table["basket_value"] = table["monetary"] / table["frequency"]
    return table


def _of_categories(wanted: list[str]) -> list[str]:
    """Those of the names that need the categories of products."""
    return [name for name in wanted if name in ("categories", "category_shares") or name.startswith(SHARE)]


def _by_category(wanted: list[str], products: ir.Table | None) -> list[str]:
    """The categories whose shares are asked for one by one, after a look at what the table of products has."""
    why = f"the feature {_of_categories(wanted)[0]!r} needs the category of products"
    if products is None:
        raise ValueError(f"{why}, but this shop has no table of products; leave the feature out or add the table")
    if "category" not in products.columns:
        raise ValueError(f"{why}, but the table of products has no column 'category'; leave the feature out or map it")
    filled = products.filter(~products.category.isnull())
    there = fetched(filled.select("category").distinct())["category"].tolist()
    if not there:
        raise ValueError(f"{why}, but no product has one; leave the feature out")
    asked = [name.removeprefix(SHARE) for name in wanted if name.startswith(SHARE)]
    for category in asked:
        if category not in there:
            raise ValueError(
                f"no product is of the category {category!r}; the nearest is {_nearest(category, there)!r}"
            )
    return asked


def _check_orders(wanted: list[str], shop: Shop) -> None:
    """Raise where a feature needs orders one by one, or the products in them, and the shop does not have these."""
    if isinstance(shop, Summary):
        why = "the orders of each customer, but this shop's customers come already summarised"
        lacking = [name for name in wanted if _of_orders(name) or name in shop.unknown]
    elif "product_id" not in shop.transactions.columns:
        why = "the products of each order, but this shop's orders name none"
        lacking = [name for name in wanted if name in ("basket_products", "breadth") or _of_categories([name])]
    else:
        return
    if lacking:
        raise ValueError(f"the feature {lacking[0]!r} needs {why}; leave the feature out")


def _of_orders(name: str) -> bool:
    """Whether a feature is made of single orders."""
    return name in ("basket_products", "breadth", "weekend_share", "evening_share") or bool(_of_categories([name]))


def _check(wanted: list[str], asked: list[str], shop: Shop, *, net: bool) -> None:
    """Raise where a name is unknown, or where returns are needed and not known."""
    if not wanted:
        raise ValueError(f"no feature is named; expected some of {', '.join(FEATURES)}")
    for name in wanted:
        if name not in FEATURES and name not in [SHARE + category for category in asked]:
            nearest = _nearest(name, list(FEATURES))
            raise ValueError(f"unknown feature {name!r}; did you mean {nearest!r}? Known are {', '.join(FEATURES)}")
    if shop.returns is None and (net or "returned_share" in wanted):
        what = "net money" if net else "the feature 'returned_share'"
        raise ValueError(f"{what} needs the table of returns, which this shop does not have")


def _nearest(name: str, known: list[str]) -> str:
    """The known name that looks most like another; the first by name of those that look alike."""
    lower = {text.lower(): text for text in sorted(known, reverse=True)}
    return lower[difflib.get_close_matches(name.lower(), sorted(lower), 1, cutoff=0)[0]]


def _expanded(wanted: list[str], columns: list[str]) -> list[str]:
    """The names asked for, `category_shares` replaced by its columns, each once."""
    wide = [[name] if name != "category_shares" else columns for name in wanted]
    return list(dict.fromkeys(name for group in wide for name in group))


def _matched(found: ir.Table, customers: pd.Series) -> pd.DataFrame:
    """An expression's rows in the order of the customers; zero for a customer that has none, as for empty sums."""
    return fetched(found).set_index("customer_id").reindex(customers).fillna(0).reset_index(drop=True)


def _habits(t: ir.Table, names: Sequence[str]) -> ir.Table:
    """Over a customer's orders: the sums that divided by orders are the features of these names.

    Whole numbers all, which every engine adds up alike. An order begins with its first line.
    """
    products = {"products": t.product_id.nunique()} if "basket_products" in names else {}
    orders = t.group_by("customer_id", "order_id").aggregate(begun=t.ordered_at.min(), **products)
    sums = {
        "basket_products": lambda t: t.products.sum(),
        "weekend_share": lambda t: (t.begun.day_of_week.index() >= 5).sum(),
        "evening_share": lambda t: (t.begun.hour() >= EVENING).sum(),
    }
    return orders.group_by("customer_id").aggregate(**{name: sums[name](orders).cast("int64") for name in names})


def _has_times(t: ir.Table) -> bool:
    """Whether any order of the log is at another time than 0:00."""
    latest = t.aggregate(hour=t.ordered_at.hour().max(), minute=t.ordered_at.minute().max())
    return bool(fetched(latest).iloc[0].any())


def _breadth(t: ir.Table) -> ir.Table:
    """How many different products each customer bought; without a set of them for every customer in memory."""
    pairs = t.select("customer_id", "product_id").distinct()
    return pairs.group_by("customer_id").aggregate(breadth=pairs.count())


def _categorised(t: ir.Table, products: ir.Table) -> ir.Table:
    """The lines whose product has a category, with it."""
    known = products.filter(~products.category.isnull()).select("product_id", "category")
    return t.select("customer_id", "product_id", "amount").inner_join(known, "product_id")


def _top_categories(t: ir.Table, products: ir.Table) -> list[str]:
    """The categories with most revenue, ties by name."""
    lines = _categorised(t, products)
    summed = lines.group_by("category").aggregate(money=lines.amount.sum())
    ranked = summed.order_by([ibis.desc("money"), ibis.asc("category")]).limit(MOST_CATEGORIES)
    return fetched(ranked)["category"].tolist()


def _categories(t: ir.Table, products: ir.Table, shown: list[str]) -> ir.Table:
    """How many categories each customer bought from, and the money in some of them: `money_0`, `money_1` and so on."""
    lines = _categorised(t, products)
    money = lines.group_by("customer_id", "category").aggregate(amount=lines.amount.sum())
    sums = {
        f"money_{place}": money.amount.sum(where=money.category == name).cast("float64")
        for place, name in enumerate(shown)
    }
    return money.group_by("customer_id").aggregate(categories=money.count(), **sums)
