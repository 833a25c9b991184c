"""Questions to the prepared order lines as a whole: what no single row shows, and what a sound log hardly has.

Two queries answer them; only what is found is looked up. What cannot be is a DataError. A suspicion has a sentence
without ids, for pages, and an example for the owner's command line. Thresholds lie between what sound logs have
(Online Retail, and the simulated shop at many seeds) and what the fault makes of them; comments say both.
"""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from customerlab.data import clean
from customerlab.data.mapping import TableMap
from customerlab.data.read import FILE
from customerlab.data.suspicion_days import by_day, of_days, of_times
from customerlab.data.suspicion_texts import Found, found_of
from customerlab.errors import DataError
from customerlab.formats import percent

if TYPE_CHECKING:
    pass

Place = Callable[[ir.Table, str | None], str]

FEW = 20  # lines or orders below which a share, or what is usual, says nothing
LONG_ORDER = 7  # days from the first to the last line; Online Retail: an hour, the demo: a day
CUSTOMER = 0.1, 5  # a customer's share of orders, and its multiple of the next; Online Retail: 0.01 and 1
PRODUCT = 0.5, 5  # a product's lines per order, and their multiple of the next; Online Retail: 0.11 and 1.2
# Of log unit price on log quantity, within products: 0 for a price list, -0.04 in Online Retail, which gives rebates; 1
# where the price is that of the line, -1 where what is divided by the quantity is a unit price already.
SLOPE = 0.5
NOBODY = ("0", "-1", "guest", "anonymous", "unknown", "nobody", "none", "null", "n/a", "na", "-", "walk-in")
EXPONENT = r"^[0-9]([.,][0-9]+)?[eE]\+[0-9]+$"  # how a spreadsheet shows a number of twelve digits or more
CUT = "^[0-9]{15}0+$"  # what it makes of one of more than fifteen
TEST = "(^|[^a-z])test([^a-z]|$)"


def ask(
    rows: ir.Table,
    marked: ir.Table,
    table_map: TableMap,
    steps: list[dict[str, Any]],
    place: Place,
    *,
    several: bool = False,
) -> list[Found]:
    """What is odd about the order lines `rows`, which cleaning kept of `marked`; a DataError for what cannot be.

    `steps` are the row accounting, `place` names where rows of `marked` stand; `several` says that these are of several
    files. The same for any order of rows, and on any day: nothing is compared with today.
    """
    t = rows.select("customer_id", "order_id", "product_id", "ordered_at", "quantity", "unit_price")
    columns = {name: (m.column if (m := table_map.columns.get(name)) else None) or "<column>" for name in t.columns}
    orders = _orders(t)
    counted = _counted(t, orders)
    _check_orders(orders, counted, marked, columns, place)
    days = by_day(t)
    return [
        *_cancelled(steps, marked, table_map, columns, place), *_shares(t, orders, counted, columns), *_ids(t, counted, columns),
        *_money(t, counted, columns), *(_repeated(marked, place) if several else ()), *_long(orders, counted, columns),
        *of_days(days, columns["ordered_at"]), *of_times(days, columns["ordered_at"]),
    ]  # fmt: skip


def _orders(t: ir.Table) -> ir.Table:
    """One row per order; where its lines are of one customer, `customer_id` is that and equal to `other`."""
    each = t.group_by("order_id").aggregate(
        customer_id=t.customer_id.min(), other=t.customer_id.max(), begun=t.ordered_at.min(), ended=t.ordered_at.max()
    )
    return each.mutate(days=each.ended.date().delta(each.begun.date(), unit="day"))


def _counted(t: ir.Table, orders: ir.Table) -> dict[str, Any]:
    """What is asked of orders, customers and products, in one query."""
    customers = orders.group_by("customer_id").aggregate(orders=orders.count())
    # logarithms in thousandths, whole numbers: their sums are exact, whatever the order of rows
    sold = (t.quantity > 0) & (t.unit_price > 0)
    x, y = ((t[name].log() * 1_000).round().cast("int64") for name in ("quantity", "unit_price"))
    sums = {
        name: value.sum(where=sold) for name, value in {"x": x, "y": y, "xx": x * x, "xy": x * y, "yy": y * y}.items()
    }
    ends = {f"{end}_{name}": getattr(t[name], end)() for end in ("min", "max") for name in ("quantity", "unit_price")}
    products = t.group_by("product_id").aggregate(lines=t.count(), n=t.count(where=sold), **sums, **ends)
    p = products.filter(products.n > 1)
    n, sx, sy = (p[name].cast("float64") for name in ("n", "x", "y"))
    parts = [
        orders.aggregate(
            orders=orders.count(), shared=orders.count(where=orders.customer_id != orders.other),
            long=orders.count(where=orders.days > LONG_ORDER), **_forms(orders, "order_id"),
        ),
        customers.aggregate(
            most_orders=customers.orders.max(), nobodys=customers.orders.sum(where=customers.customer_id.lower().isin(NOBODY)),
            **_forms(customers, "customer_id"),
        ),
        products.aggregate(
            lines=products.lines.sum(), most_lines=products.lines.max(), **_forms(products, "product_id"),
            **{name: getattr(products[name], name[:3])() for name in ends},
        ),
        p.aggregate(
            free=p.n.sum() - p.count(), sxx=(p.xx - sx * sx / n).sum(), sxy=(p.xy - sx * sy / n).sum(), syy=(p.yy - sy * sy / n).sum()
        ),
    ]  # fmt: skip
    one = parts[0].cross_join(parts[1]).cross_join(parts[2]).cross_join(parts[3])
    return {name: 0 if value is None or value != value else value for name, value in one.to_pandas().iloc[0].items()}


def _forms(table: ir.Table, name: str) -> dict[str, ir.Value]:
    """How many ids there are, in what forms, and how many but for letter case and for zeros in front."""
    value = table[name]
    long = (value.length() > 15) & value.re_search("^[0-9]+$")
    asked = {
        "exponent": table.count(where=value.contains("+") & value.re_search(EXPONENT)), "long": table.count(where=long),
        "cut": table.count(where=long & value.re_search(CUT)), "test": table.count(where=value.lower().re_search(TEST)),
    }  # fmt: skip
    if name != "order_id":  # of which there are too many
        asked |= {"all": value.count(), "lower": value.lower().nunique(), "bare": _bare(value).nunique()}
    return {f"{what}_{name}": number for what, number in asked.items()}


def _bare(value: ir.StringValue) -> ir.StringValue:
    return ibis.cases((value.startswith("0"), value.re_replace("^0+", "")), else_=value)


def _check_orders(
    orders: ir.Table, counted: dict[str, Any], marked: ir.Table, columns: dict[str, str], place: Place
) -> None:
    """Raise where orders have several customers: their ids begin anew in each shop, at each till or on each day."""
    if not counted["shared"]:
        return
    first = orders.filter(orders.customer_id != orders.other).order_by("order_id").limit(1).to_pandas().iloc[0]
    rows = marked.filter((marked.removed_by == clean.KEPT) & (marked.order_id == first["order_id"]))
    own = f"`order_id: {{columns: [<shop or day>, {columns['order_id']}]}}`"
    raise DataError(
        f"{counted['shared']:,} of {counted['orders']:,} order ids belong to several customers",
        where=f"{place(rows, columns['order_id'])}, the first of its lines", expected="one customer per order",
        do=f"where ids begin anew in each shop or on each day, make them of two columns: {own}; "
        f"`order_id: {{columns: [{columns['customer_id']}, {columns['order_id']}]}}` always works",
    )  # fmt: skip


def _most(table: ir.Table, name: str) -> tuple[str, int, int]:
    """The id with most rows, how many, and how many the next one has; ties by id."""
    each = table.group_by(name).aggregate(count=table.count())
    top = each.order_by([ibis.desc("count"), ibis.asc(name)]).limit(2).to_pandas()
    return top[name][0], int(top["count"][0]), int(top["count"][1]) if len(top) > 1 else 0


def _cancelled(
    steps: list[dict[str, Any]], marked: ir.Table, table_map: TableMap, columns: dict[str, str], place: Place
) -> Iterator[Found]:
    """Lines that were removed as cancellations and are sales: in Online Retail none of them has money above zero."""
    for step in steps:
        if step["step"] == "order_cancelled" and float(step.get("amount_removed", 0)) > 0:
            sold, left = float(step["sales_removed"]), float(steps[-1]["amount_left"])
            rows = marked.filter((marked.removed_by == step["step"]) & (marked.amount > 0))
            others = ", ".join(name for name, _ in table_map.clean if name != step["step"])
            share = percent(sold / (sold + max(left, 0)))
            yield found_of(
                "cancellations above zero",
                place(rows, columns["order_id"]),
                rows=step["rows_removed"],
                share=share,
                others=others,
            )


def _shares(t: ir.Table, orders: ir.Table, counted: dict[str, Any], columns: dict[str, str]) -> Iterator[Found]:
    """A customer or a product that has too much of the orders."""
    total = int(counted["orders"])
    if counted["nobodys"] >= max(2, CUSTOMER[0] / 10 * total):
        name, *_ = _most(orders.filter(orders.customer_id.lower().isin(NOBODY)), "customer_id")
        count, share = int(counted["nobodys"]), percent(counted["nobodys"] / total)
        yield found_of(
            "orders of nobody",
            f"customer {name!r}",
            count=count,
            total=total,
            share=share,
            name=name,
            column=columns["customer_id"],
        )
    elif total >= FEW and counted["most_orders"] >= CUSTOMER[0] * total:
        name, count, following = _most(orders, "customer_id")
        if count >= CUSTOMER[1] * following:
            share, column = percent(count / total), columns["customer_id"]
            yield found_of(
                "orders of one customer", f"customer {name!r}", count=count, total=total, share=share, column=column
            )
    if total >= FEW and counted["most_lines"] >= PRODUCT[0] * total:
        name, count, following = _most(t, "product_id")
        if count >= PRODUCT[1] * following > 0:
            column = columns["product_id"]
            yield found_of("one product in most orders", f"product {name!r}", count=count, total=total, column=column)


def _ids(t: ir.Table, counted: dict[str, Any], columns: dict[str, str]) -> Iterator[Found]:
    """Ids that a spreadsheet spoiled, that are written in two ways, or that belong to tests."""
    for name, column in columns.items():
        if not name.endswith("_id"):
            continue
        value = t[name]
        about: dict[str, Any] = {"what": f"{name.removesuffix('_id')} ids", "name": name, "column": column}
        # one in ten of sound ids ends in 0: several, and most of the long ones
        cut = counted[f"cut_{name}"] if FEW / 4 <= counted[f"long_{name}"] < 2 * counted[f"cut_{name}"] else 0
        questions = {
            "ids cut by a spreadsheet": (counted[f"exponent_{name}"] + cut, value.re_search(EXPONENT) | value.re_search(CUT)),
            "test orders": (counted[f"test_{name}"], value.lower().re_search(TEST)),
        }  # fmt: skip
        for kind, (count, which) in questions.items():
            if count:
                first = t.filter(which).aggregate(first=lambda rows, id=name: rows[id].min()).to_pandas().iloc[0, 0]
                yield found_of(kind, f"{name} {first!r}", count=int(count), **about)
        for kind, way, key in (("lower", "letter case", value.lower()), ("bare", "zeros in front", _bare(value))):
            alike = int(counted.get(f"all_{name}", 0) - counted.get(f"{kind}_{name}", 0))
            if alike:
                each = t.group_by(key=key).aggregate(one=value.min(), two=value.max())
                two = each.filter(each.one != each.two).order_by("key").limit(1).to_pandas().iloc[0]
                yield found_of(
                    f"ids that differ by {way}", f"{name} {two['one']!r} and {two['two']!r}", count=alike, **about
                )


def _money(t: ir.Table, counted: dict[str, Any], columns: dict[str, str]) -> Iterator[Found]:
    """One price or one quantity throughout; prices that are a line's total, or that were divided twice."""
    lines, column = int(counted["lines"]), columns["unit_price"]
    for name, about in (("unit_price", "one price"), ("quantity", "one quantity")):
        value, products = counted[f"min_{name}"], int(counted["all_product_id"])
        if lines >= FEW and value == counted[f"max_{name}"] and products >= FEW / 4:
            piece = name == "quantity" and value == 1  # where each piece has a line of its own
            yield found_of(
                about, fix=not piece, count=lines, value=f"{value:g}", products=products, column=columns[name]
            )
    free = counted["free"] - 1
    if free < FEW or not counted["sxx"] > 0:
        return
    slope = counted["sxy"] / counted["sxx"]
    error = math.sqrt(max(counted["syy"] - slope * counted["sxy"], 0) / free / counted["sxx"])
    if abs(slope) - 2 * error > SLOPE:
        about = f"prices that {'rise' if slope > 0 else 'fall'} with the quantity"
        yield found_of(about, _priced(t), slope=f"{slope:.2f}", column=column)


def _priced(t: ir.Table) -> str:
    """A product with its lowest and its highest quantity, and the unit price at each."""
    sold = t.filter((t.quantity > 0) & (t.unit_price > 0))
    each = sold.group_by("product_id", "quantity").aggregate(price=sold.unit_price.min())
    spread = each.group_by("product_id").aggregate(times=each.quantity.max() / each.quantity.min())
    name = spread.order_by([ibis.desc("times"), ibis.asc("product_id")]).limit(1).to_pandas()["product_id"][0]
    rows = each.filter(each.product_id == name).order_by("quantity").to_pandas().iloc[[0, -1]]
    return f"product {name!r}: " + ", ".join(f"{r.price:,.2f} at quantity {r.quantity:g}" for r in rows.itertuples())


def _repeated(marked: ir.Table, place: Place) -> Iterator[Found]:
    """Lines of one file that stand in another, too."""
    names = [name for name in marked.columns if not name.startswith("__") and name != "removed_by"]
    rows = marked.filter(marked.removed_by == clean.KEPT)
    each = rows.group_by(names).aggregate(lines=rows.count() - 1, one=rows[FILE].min(), two=rows[FILE].max())
    each = each.filter(each.one != each.two)
    if count := int(each.lines.sum().to_pandas() or 0):
        first = each.order_by(names).limit(1).to_pandas().iloc[0]
        again = rows.filter((rows.order_id == first["order_id"]) & (rows[FILE] == first["two"]))
        yield found_of("lines in two files", f"{place(again, None)}; the same in {first['one']}", count=count)


def _long(orders: ir.Table, counted: dict[str, Any], columns: dict[str, str]) -> Iterator[Found]:
    """Orders that last for weeks: ids that begin anew for one customer, or a mistyped day."""
    if counted["long"]:
        first = orders.order_by([ibis.desc("days"), ibis.asc("order_id")]).limit(1).to_pandas().iloc[0]
        example = f"order {first['order_id']!r}, from {first['begun']:%Y-%m-%d} to {first['ended']:%Y-%m-%d}"
        count, total = int(counted["long"]), int(counted["orders"])
        yield found_of(
            "orders that last for weeks", example, count=count, total=total, days=LONG_ORDER, column=columns["order_id"]
        )
