"""Sales and returns: lines that a return annuls, and net revenue. All tables are canonical.

A log does not link returns to sales. A return annuls an earlier line of the same customer, product and quantity. Lines
and returns are matched one to one: each return with the latest line before it that no other return has annulled. All
other returns (of part of a line, of several lines, or of sales before the log) annul no line; they lower the revenue of
their product and customer.

Where orders name no products, a return annuls an earlier line of the same customer and amount.

Without a table of returns no line is annulled, and net revenue is gross. Results are expressions with the columns of
the transactions.
"""

import ibis
import ibis.expr.types as ir
import pandas as pd


def _alike(table: ir.Table) -> tuple[list[str], str]:
    """What a return shares with the line that it annuls: columns, and the size that it has with the other sign."""
    return (["customer_id", "product_id"], "quantity") if "product_id" in table.columns else (["customer_id"], "amount")


def _paired(transactions: ir.Table, returns: ir.Table) -> ir.Table:
    """Lines and returns of the same customer, product and quantity, each with the time and order of its counterpart.

    The open lines of a key are a stack: a line opens the next level, a return closes the highest one. Sorted by time,
    lines and returns of one level alternate: a line is followed at its level by the return that annuls it, and a return
    is preceded by the line that it annuls. A return at the time of a line does not count as later.
    """
    t, r = transactions, returns
    same, size = _alike(t)
    lines = t.semi_join(_sizes(r), [*same, size]).mutate(size=lambda s: s[size], step=ibis.literal(1, "int64"))
    back = r.select(*t.columns).mutate(size=lambda s: -s[size], step=ibis.literal(-1, "int64"))
    both = lines.union(back)
    order = [both.ordered_at, both.step, both.order_id, both.unit_price]
    depth = both.step.sum().over(ibis.window(group_by=[*same, "size"], order_by=order, rows=(None, 0)))
    both = both.mutate(level=depth + (both.step < 0).cast("int64"))
    order = [both.ordered_at, both.step, both.order_id, both.unit_price]
    at_level = ibis.window(group_by=[*same, "size", "level"], order_by=order)
    return both.mutate(
        returned_at=both.ordered_at.lead().over(at_level),
        sold_at=both.ordered_at.lag().over(at_level),
        sold_in=both.order_id.lag().over(at_level),
    )


def _sizes(returns: ir.Table) -> ir.Table:
    """The lines that returns could annul, by what they share with them."""
    same, size = _alike(returns)
    return returns.select(*same, **{size: -returns[size]}).distinct()


def marked(transactions: ir.Table, returns: ir.Table | None) -> ir.Table:
    """All order lines, with `returned_at`: the time of the return that annulled the line, missing for kept lines.

    A return is matched with an earlier line, so a line whose `returned_at` is after some day was kept as of that day.
    """
    if returns is None:
        return transactions.mutate(returned_at=ibis.null(transactions.ordered_at.type()))
    pairs = _paired(transactions, returns)
    same, size = _alike(transactions)
    others = transactions.anti_join(_sizes(returns), [*same, size])
    others = others.mutate(returned_at=ibis.null(transactions.ordered_at.type()))
    return others.union(pairs.filter(pairs.step > 0).select(*others.columns))


def annulled(transactions: ir.Table, returns: ir.Table) -> ir.Table:
    """The order lines that a later return annuls; as of a day, pass only the rows before it."""
    lines = marked(transactions, returns)
    return lines.filter(~lines.returned_at.isnull()).select(*transactions.columns)


def kept(transactions: ir.Table, returns: ir.Table | None) -> ir.Table:
    """The order lines that no return annuls, from which baskets and recommendations are made.

    Examples
    --------
    >>> def lines(orders, days, quantity):
    ...     return ibis.memtable({
    ...         "customer_id": "ann", "order_id": orders, "ordered_at": pd.to_datetime(days), "product_id": "pot",
    ...         "quantity": quantity, "unit_price": 2.0, "amount": 2 * quantity,
    ...     })
    >>> sold = lines(["1", "2"], ["2024-01-01", "2024-03-01"], 6.0)
    >>> kept(sold, lines(["C1"], ["2024-01-05"], -6.0)).order_id.to_pandas().tolist()
    ['2']
    """
    if returns is None:
        return transactions
    lines = marked(transactions, returns)
    return lines.filter(lines.returned_at.isnull()).select(*transactions.columns)


def net(transactions: ir.Table, returns: ir.Table | None) -> ir.Table:
    """Sales and returns as one log, whose amounts add up to net revenue by customer, product, order or period.

    All lines, and all returns with negative quantity and amount. A return that annuls a line takes the time and order
    of that line, so that both cancel in the same month and order; other returns keep their own.
    """
    if returns is None:
        return transactions
    pairs = _paired(transactions, returns)
    back = pairs.filter(pairs.step < 0)
    back = back.mutate(
        ordered_at=ibis.coalesce(back.sold_at, back.ordered_at), order_id=ibis.coalesce(back.sold_in, back.order_id)
    )
    return transactions.union(back.select(*transactions.columns))


def accounting(transactions: ir.Table, returns: ir.Table | None) -> pd.DataFrame:
    """From gross to net revenue, step by step.

    Returns
    -------
    DataFrame
        `step`, `lines`, `money` (negative for returns): gross revenue; lines that a return annuls; the difference where
        these were refunded at another price (no lines of its own); other returns; net revenue, with the lines that are
        kept. Without a table of returns the steps of returns are omitted.
    """

    def size(table: ir.Table) -> tuple[int, float]:
        row = table.aggregate(lines=table.count(), money=table.amount.sum().cast("float64")).to_pandas().iloc[0]
        return int(row["lines"]), float(row["money"]) if pd.notna(row["money"]) else 0.0

    lines, gross = size(transactions)
    rows: list[tuple[str, int | None, float]] = [("gross revenue", lines, gross)]
    net_lines, money = lines, gross
    if returns is not None:
        pairs = _paired(transactions, returns)
        void, voided = size(pairs.filter((pairs.step > 0) & ~pairs.returned_at.isnull()))
        _, repaid = size(pairs.filter((pairs.step < 0) & ~pairs.sold_at.isnull()))
        others, other = size(pairs.filter((pairs.step < 0) & pairs.sold_at.isnull()))
        net_lines, money = lines - void, gross + repaid + other
        rows.append(("lines that a return annuls", void, -voided))
        if round(voided + repaid, 4):
            rows.append(("price difference of their refunds", None, voided + repaid))
        rows.append(("other returns", others, other))
    rows.append(("net revenue", net_lines, money))
    return pd.DataFrame(rows, columns=["step", "lines", "money"]).astype({"lines": "Int64"})
