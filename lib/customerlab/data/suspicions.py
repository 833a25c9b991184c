"""Questions to the prepared order lines as a whole: what no single row shows, and what a sound log hardly has.

Two queries answer them; only what is found is looked up. What cannot be is a DataError. A suspicion has a sentence
without ids, for pages, and an example for the owner's command line. Thresholds lie between what sound logs have
(Online Retail, and the simulated shop at many seeds) and what the fault makes of them; comments say both.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from customerlab.data import canonical, clean
from customerlab.data.mapping import TableMap
from customerlab.data.read import FILE
from customerlab.data.suspicion_days import by_day, of_days, of_times
from customerlab.data.suspicion_texts import Found, found_of
from customerlab.errors import DataError
from customerlab.formats import percent

# The columns that are looked at, and what stands for one that a shop does not have.
ASKED: dict[str, Any] = {
    "customer_id": "",
    "order_id": "",
    "product_id": "",
    "ordered_at": None,
    "quantity": 1.0,
    "unit_price": 0.0,
}

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


@dataclass(frozen=True)
class _Log:
    """The order lines that cleaning kept of `marked`, their orders, what is counted of them, their columns' sources."""

    t: ir.Table
    orders: ir.Table
    counted: dict[str, Any]
    marked: ir.Table
    place: canonical.Place
    columns: dict[str, str]

    def say(self, about: str, example: str = "", **values: Any) -> Found:
        told: dict[str, Any] = self.columns | values
        return found_of(about, example, **told)


def ask(
    rows: ir.Table, marked: ir.Table, table_map: TableMap, steps: list[dict[str, Any]], place: canonical.Place, *, several: bool = False
) -> list[Found]:  # fmt: skip
    """What is odd about the order lines `rows`, which cleaning kept of `marked`; a DataError for what cannot be.

    `steps` are the row accounting, `place` names where rows of `marked` stand; `several` says that these are of several
    files. The same for any order of rows, and on any day: nothing is compared with today.
    """
    t = rows.select(*(name for name in ASKED if name in rows.columns))
    t = t.mutate(**{name: ibis.literal(value) for name, value in ASKED.items() if name not in t.columns})
    columns = {
        name: (m.named if (m := table_map.columns.get(name)) else None) or "<column>" for name in (*ASKED, "amount")
    }
    orders, days = _orders(t), by_day(t)
    log = _Log(t, orders, _counted(t, orders), marked, place, columns)
    _check_orders(log)
    found = [*_cancelled(log, steps), *_shares(log), *_ids(log), *_money(log), *_long(log)]
    found += _repeated(log) if several else ()
    found += [*of_days(days, columns["ordered_at"]), *of_times(days, columns["ordered_at"])]
    return sorted(found, key=lambda one: not one["fix"])  # what is worth knowing comes last


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
    above = [ibis.cases((sold, t[name]), else_=1.0) for name in ("quantity", "unit_price")]  # others have no logarithm
    x, y = ((value.log() * 1_000).round().cast("int64") for value in above)
    of = {"x": x, "y": y, "xx": x * x, "xy": x * y, "yy": y * y}
    sums = {name: value.sum(where=sold) for name, value in of.items()}
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
    long, lower = (value.length() > 15) & value.re_search("^[0-9]+$"), value.lower()
    asked = {
        "exponent": table.count(where=value.contains("+") & value.re_search(EXPONENT)), "long": table.count(where=long),
        "cut": table.count(where=long & value.re_search(CUT)), "test": table.count(where=lower.contains("test") & lower.re_search(TEST)),
    }  # fmt: skip
    if name != "order_id":  # of which there are too many
        asked |= {"all": value.count(), "lower": lower.nunique(), "bare": _bare(value).nunique()}
    return {f"{what}_{name}": number for what, number in asked.items()}


def _bare(value: ir.StringValue) -> ir.StringValue:
    return ibis.cases((value.startswith("0"), value.re_replace("^0+", "")), else_=value)


def _check_orders(log: _Log) -> None:
    """Raise where orders have several customers: their ids begin anew in each shop, at each till or on each day."""
    if not log.counted["shared"]:
        return
    orders, (customer, order) = log.orders, (log.columns[name] for name in ("customer_id", "order_id"))
    first = orders.filter(orders.customer_id != orders.other).order_by("order_id").limit(1).to_pandas()["order_id"][0]
    rows = log.marked.filter((log.marked.removed_by == clean.KEPT) & (log.marked.order_id == first))
    raise DataError(
        f"{log.counted['shared']:,} of {log.counted['orders']:,} order ids belong to several customers",
        where=f"{log.place(rows, order)}, the first of its lines", expected="one customer per order",
        do=f"where ids begin anew, by shop or by day, make them of two columns: `order_id: {{columns: [<shop or day>, {order}]}}`; "
        f"`order_id: {{columns: [{customer}, {order}]}}` always works",
    )  # fmt: skip


def _most(table: ir.Table, name: str) -> tuple[str, int, int]:
    """The id with most rows, how many, and how many the next one has; ties by id."""
    each = table.group_by(name).aggregate(count=table.count())
    top = each.order_by([ibis.desc("count"), ibis.asc(name)]).limit(2).to_pandas()
    return top[name][0], int(top["count"][0]), int(top["count"][1]) if len(top) > 1 else 0


def _cancelled(log: _Log, steps: list[dict[str, Any]]) -> Iterator[Found]:
    """Lines that were removed as cancellations and are sales: in Online Retail none of them has money above zero."""
    for step in steps:
        if step["step"].startswith("order_cancelled") and float(step.get("amount_removed", 0)) > 0:
            sold, left = float(step["sales_removed"]), max(float(steps[-1]["amount_left"]), 0)
            rows = log.marked.filter((log.marked.removed_by == step["step"]) & (log.marked.amount > 0))
            share, where = percent(sold / (sold + left)), log.place(rows, log.columns["order_id"])
            yield log.say("cancellations above zero", where, rows=step["rows_removed"], share=share)


def _shares(log: _Log) -> Iterator[Found]:
    """A customer or a product that has too much of the orders."""
    orders, total, nobodys = log.orders, int(log.counted["orders"]), int(log.counted["nobodys"])
    if nobodys >= max(2, CUSTOMER[0] / 10 * total):
        name, *_ = _most(orders.filter(orders.customer_id.lower().isin(NOBODY)), "customer_id")
        told = {"count": nobodys, "total": total, "share": percent(nobodys / total), "name": name}
        yield log.say("orders of nobody", f"customer {name!r}", **told)
    elif total >= FEW and log.counted["most_orders"] >= CUSTOMER[0] * total:
        name, count, following = _most(orders, "customer_id")
        if count >= CUSTOMER[1] * following:
            told = {"count": count, "total": total, "share": percent(count / total)}
            yield log.say("orders of one customer", f"customer {name!r}", **told)
    if total >= FEW and log.counted["most_lines"] >= PRODUCT[0] * total:
        name, count, following = _most(log.t, "product_id")
        if count >= PRODUCT[1] * following > 0:
            yield log.say("one product in most orders", f"product {name!r}", count=count, total=total)


def _ids(log: _Log) -> Iterator[Found]:
    """Ids that a spreadsheet spoiled, that are written in two ways, or that belong to tests."""
    for name in ("customer_id", "order_id", "product_id"):
        value, of = (
            log.t[name],
            {what.removesuffix(f"_{name}"): n for what, n in log.counted.items() if what.endswith(name)},
        )
        told = {"what": f"{name.removesuffix('_id')} ids", "name": name, "column": log.columns[name]}
        # one in ten of sound ids ends in 0: several, and most of the long ones
        cut = of["cut"] if FEW / 4 <= of["long"] < 2 * of["cut"] else 0
        spoiled = value.re_search(EXPONENT) | value.re_search(CUT)
        for about, count, which in (
            ("ids cut by a spreadsheet", of["exponent"] + cut, spoiled), ("test orders", of["test"], value.lower().re_search(TEST)),
        ):  # fmt: skip
            if count:
                first = log.t.filter(which)[name].min().to_pandas()
                yield log.say(about, f"{name} {first!r}", count=int(count), **told)
        for form, way, key in (("lower", "letter case", value.lower()), ("bare", "zeros in front", _bare(value))):
            if alike := int(of.get("all", 0) - of.get(form, 0)):
                each = log.t.group_by(key=key).aggregate(one=value.min(), two=value.max())
                two = each.filter(each.one != each.two).order_by("key").limit(1).to_pandas().iloc[0]
                yield log.say(
                    f"ids that differ by {way}", f"{name} {two['one']!r} and {two['two']!r}", count=alike, **told
                )


def _money(log: _Log) -> Iterator[Found]:
    """One price or one quantity throughout; prices that are a line's total, or that were divided twice."""
    of, (lines, products) = log.counted, (int(log.counted[name]) for name in ("lines", "all_product_id"))
    for name, about in (("unit_price", "one price"), ("quantity", "one quantity")):
        value = of[f"min_{name}"]
        if lines >= FEW and products >= FEW / 4 and value == of[f"max_{name}"] and log.columns[name] != "<column>":
            piece = name == "quantity" and value == 1  # where each piece has a line of its own
            yield log.say(about, fix=not piece, count=lines, value=f"{value:g}", products=products)
    free = of["free"] - 1
    if free >= FEW and of["sxx"] > 0:
        slope = of["sxy"] / of["sxx"]
        error = math.sqrt(max(of["syy"] - slope * of["sxy"], 0) / free / of["sxx"])
        if abs(slope) - 2 * error > SLOPE:
            way = "rise" if slope > 0 else "fall"
            yield log.say(f"prices that {way} with the quantity", _priced(log.t), slope=f"{slope:.2f}")


def _priced(t: ir.Table) -> str:
    """A product with its lowest and its highest quantity, and the unit price at each."""
    sold = t.filter((t.quantity > 0) & (t.unit_price > 0))
    each = sold.group_by("product_id", "quantity").aggregate(price=sold.unit_price.min())
    spread = each.group_by("product_id").aggregate(times=each.quantity.max() / each.quantity.min())
    name = spread.order_by([ibis.desc("times"), ibis.asc("product_id")]).limit(1).to_pandas()["product_id"][0]
    rows = each.filter(each.product_id == name).order_by("quantity").to_pandas().iloc[[0, -1]]
    return f"product {name!r}: " + ", ".join(f"{r.price:,.2f} at quantity {r.quantity:g}" for r in rows.itertuples())


def _repeated(log: _Log) -> Iterator[Found]:
    """Lines of one file that stand in another, too."""
    names = canonical.values_of(log.marked)
    rows = log.marked.filter(log.marked.removed_by == clean.KEPT)
    each = rows.group_by(names).aggregate(lines=rows.count() - 1, one=rows[FILE].min(), two=rows[FILE].max())
    each = each.filter(each.one != each.two)
    if count := int(each.lines.sum().to_pandas() or 0):
        first = each.order_by(names).limit(1).to_pandas().iloc[0]
        again = rows.filter((rows.order_id == first["order_id"]) & (rows[FILE] == first["two"]))
        yield log.say("lines in two files", f"{log.place(again, None)}; the same in {first['one']}", count=count)


def _long(log: _Log) -> Iterator[Found]:
    """Orders that last for weeks: ids that begin anew for one customer, or a mistyped day."""
    if log.counted["long"]:
        first = log.orders.order_by([ibis.desc("days"), ibis.asc("order_id")]).limit(1).to_pandas().iloc[0]
        example = f"order {first['order_id']!r}, from {first['begun']:%Y-%m-%d} to {first['ended']:%Y-%m-%d}"
        count, total = (int(log.counted[name]) for name in ("long", "orders"))
        yield log.say("orders that last for weeks", example, count=count, total=total, days=LONG_ORDER)
