"""Order lines as whole numbers, with the returns that annulled them; splits are made from it."""

from dataclasses import dataclass, replace

import ibis.expr.types as ir
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from customerlab.analysis.sales import marked

DAY = 86_400_000_000  # microseconds
CENTS = 10_000  # parts of the currency in which money is counted, the four decimals of `amount`


NEVER = np.iinfo("int64").min  # later than any split date
PAIR = ["customer", "product"]
LITTLE = 1e-6  # of a quantity, which may be in kilograms


@dataclass(frozen=True)
class Log:
    """Order lines as whole numbers, sorted by order."""

    customers: pd.Index
    products: pd.Index
    customer: np.ndarray  # of each order, from a customer's oldest to their latest
    order: np.ndarray  # of each line, as are all below
    product: np.ndarray
    before: np.ndarray  # microseconds from the line to the split date
    returned: np.ndarray  # and from the return that annulled it; `NEVER` where none did
    amount: np.ndarray  # money in ten-thousandths
    # `customer`, `product`, `before` and `quantity` of sales and, below zero, of returns, of pairs with a return, by
    # customer, product and time (returns first): what says that a product was returned in full
    moved: pd.DataFrame

    def some(self, chosen: np.ndarray) -> "Log":
        """The same with some of the lines."""
        lines = ("order", "product", "before", "returned", "amount")
        return replace(self, **{name: getattr(self, name)[chosen] for name in lines})

    def known(self, end: int, start: int) -> "Log":
        """The log as it was at `end`, split at `start`: both in microseconds before the present split date."""
        past = self.some(self.before > end)
        returned = np.where(past.returned > end, past.returned - start, NEVER)
        moved = self.moved[self.moved["before"] > end]
        some_back = moved.groupby(PAIR)["quantity"].transform("min") < 0
        moved = moved[some_back].assign(before=moved["before"] - start).reset_index(drop=True)
        return replace(past, before=past.before - start, returned=returned, moved=moved)

    def sent_back(self) -> csr_matrix:
        """Customers by products: one where the customer had returned the product in full by the split date."""
        moved = self.moved[self.moved["before"] > 0]
        left = moved.groupby(PAIR, as_index=False)["quantity"].sum()
        gone = left[left["quantity"] < LITTLE]
        return csr_matrix((np.ones(len(gone)), (gone["customer"], gone["product"])), self.shape)

    def refused(self) -> np.ndarray:
        """Which lines are of a product that the customer had returned in full by the split date."""
        pairs = self.sent_back()
        if not pairs.nnz:
            return np.zeros(len(self.order), dtype=bool)
        return np.asarray(pairs[self.customer[self.order], self.product]).ravel() > 0

    @property
    def shape(self) -> tuple[int, int]:
        """Customers and products."""
        return len(self.customers), len(self.products)


def log_of(transactions: ir.Table, returns: ir.Table | None, date: pd.Timestamp, *, whole: bool = False) -> Log:
    """The log of canonical tables as whole numbers, time counted back from the split date.

    Without returns every line counts. With `whole` nothing lies after the split date, and later returns are known.
    """
    t = marked(transactions, returns)
    table = (
        t.group_by("customer_id", "order_id", "product_id", "ordered_at", "returned_at")
        .aggregate(amount=t.amount.sum().cast("float64"))
        .to_pandas()
    )
    customer, customers = pd.factorize(table["customer_id"], sort=True)
    product, products = pd.factorize(table["product_id"], sort=True)
    before = _until(table["ordered_at"], date)
    returned = np.where(table["returned_at"].isna(), NEVER, _until(table["returned_at"], date))
    # orders of a customer by the time of their first line, then by id
    named, _ = pd.factorize(table["order_id"], sort=True)
    order = customer.astype("int64") * len(table) + named
    _, of_line = np.unique(order, return_inverse=True)
    first = np.full(of_line.max(initial=-1) + 1, NEVER)
    np.maximum.at(first, of_line, before)
    by_time = np.lexsort((returned, before, product, order, -first[of_line], customer))
    begins = np.diff(order[by_time], prepend=-1) != 0
    log = Log(
        pd.Index(customers, name="customer_id"),
        pd.Index(products, name="product_id"),
        customer[by_time][begins],
        begins.cumsum() - 1,
        product[by_time],
        before[by_time],
        returned[by_time],
        np.rint(table["amount"].to_numpy()[by_time] * CENTS).astype("int64"),
        _moved(transactions, returns, date, customers, products),
    )
    if whole:
        back = np.where(log.returned > NEVER, np.maximum(log.returned, 1), NEVER)
        log = replace(log, returned=back, moved=log.moved.assign(before=log.moved["before"].clip(lower=1)))
    return log


def _until(times: pd.Series, date: pd.Timestamp) -> np.ndarray:
    """Microseconds from each time to the split date."""
    return (date - times.fillna(date)).to_numpy().astype("timedelta64[us]").astype("int64")


def _moved(
    transactions: ir.Table, returns: ir.Table | None, date: pd.Timestamp, customers: pd.Index, products: pd.Index
) -> pd.DataFrame:
    """What customers bought and returned, of products of which they returned any, in order of time."""
    if returns is None:
        return pd.DataFrame({name: np.array([], dtype="int64") for name in (*PAIR, "before")} | {"quantity": [0.0][:0]})
    pair = ["customer_id", "product_id"]
    both = transactions.semi_join(returns, pair).select(*pair, "ordered_at", "quantity")
    both = both.union(returns.select(*pair, "ordered_at", "quantity"))
    table = both.group_by(*pair, "ordered_at", back=both.quantity < 0).aggregate(quantity=both.quantity.sum())
    found = table.to_pandas()
    moved = pd.DataFrame(
        {
            "customer": pd.Index(customers).get_indexer(found["customer_id"]),
            "product": pd.Index(products).get_indexer(found["product_id"]),
            "before": _until(found["ordered_at"], date),
            "quantity": found["quantity"].astype(float),
        }
    )
    moved = moved[(moved["customer"] >= 0) & (moved["product"] >= 0)]  # others are in no history
    return moved.sort_values([*PAIR, "before", "quantity"], ascending=[True, True, False, True], ignore_index=True)
