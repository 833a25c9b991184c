"""The canonical tables: their names, columns, types and checks.

The data dictionary in `data/README.md` says the same in words. A column marked optional may be missing from a data
set; a column marked nullable may hold empty values.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

OUTCOME = "outcome_"  # prefix of the experiment table's outcome columns
COVARIATE = "covariate_"  # prefix of its covariate columns, known before the experiment
CONTEXT = "context_"  # prefix of what was known when a decision was made
AS_READ = (COVARIATE, CONTEXT)  # prefixes of columns that are numbers where all of their values are, else texts
OF_UNITS = "units"  # its column of how many units a row is the total of, where rows are totals
SQUARES = "squares_"  # prefix of its columns of sums of squares, where rows are totals
EVENT = "event_"  # prefix of what events are chosen by, in a log that is not yet one row per unit
# What customers do with a message: each is a column of messages, and behind `_at` the column of its time.
RESPONSES = ("opened", "clicked", "unsubscribed", "converted")
# A year of two digits that is read as one of four, or 9999 for "never", is no day that a shop had.
EARLIEST, LATEST = "1900-01-01", "2100-01-01"


KINDS = {
    "number": "float64", "ordered": "string", "category": "string", "yes_no": "boolean", "date": "timestamp(6)",
    "region": "string",
}  # fmt: skip
"""The kinds of declared attributes of customers, and the Ibis type of each."""


@dataclass(frozen=True)
class Attribute:
    """What the catalogue says of an attribute of customers, a column of their table.

    Attributes
    ----------
    kind : str
        Of `KINDS`. A region is a code, which is no number: zeros in front count.
    unit, meaning, missing : str
        Of numbers; in words; what an empty value means. Empty where nothing is said.
    levels : tuple of str
        All there can be, of an ordered attribute the lowest first; none where any may be. An ordered attribute without
        levels has numbers. Of yes and no: the words for them in the file.
    sensitive : bool
        Whether no group is formed by it unless that is asked for.
    """

    name: str
    kind: str
    unit: str = ""
    meaning: str = ""
    levels: tuple[str, ...] = ()
    sensitive: bool = False
    missing: str = ""


@dataclass(frozen=True)
class Column:
    """One column of a canonical table: its Ibis type and what may be missing."""

    type: str
    optional: bool = False
    nullable: bool = False
    derived: bool = False
    answers: bool = False  # words for yes and no count as 1 and 0


@dataclass(frozen=True)
class Table:
    """One canonical table: its columns, its `key`, which must be unique, and the table it is `made_from`.

    A table that is made from another one has no entry of its own in the catalogue.
    """

    columns: dict[str, Column]
    key: tuple[str, ...] = ()
    prefixes: dict[str, Column] = field(default_factory=dict)
    made_from: str | None = None

    def column(self, name: str) -> Column | None:
        """The declaration of `name`, by its own name or by its prefix; None where the table has no such column."""
        if name in self.columns:
            return self.columns[name]
        return next((column for prefix, column in self.prefixes.items() if name.startswith(prefix)), None)

    def answers(self, name: str) -> bool:
        """Whether words for yes and no count as 1 and 0 in a column."""
        column = self.column(name)
        return column is not None and column.answers


TABLES: dict[str, Table] = {
    "transactions": Table(
        {
            "customer_id": Column("string"),
            "order_id": Column("string"),
            "ordered_at": Column("timestamp(6)"),
            # optional: a shop with totals only names no products
            "product_id": Column("string", optional=True),
            "quantity": Column("float64"),
            "unit_price": Column("float64"),
            # quantity * unit_price to four decimals. Exact decimals, so that sums of money do not depend
            # on the order of rows, the number of threads or the engine.
            "amount": Column("decimal(18, 4)", derived=True),
            "country": Column("string", optional=True, nullable=True),
            "channel": Column("string", optional=True, nullable=True),
        }
    ),
    "products": Table(
        {
            "product_id": Column("string"),
            "description": Column("string", nullable=True),
            "category": Column("string", optional=True, nullable=True),
        },
        key=("product_id",),
    ),
    "customers": Table(
        {
            "customer_id": Column("string"),
            "signed_up_at": Column("timestamp(6)", optional=True, nullable=True),
            "country": Column("string", optional=True, nullable=True),
            "contract_ended_at": Column("timestamp(6)", optional=True, nullable=True),  # empty while it runs
        },
        key=("customer_id",),
    ),
    "ratings": Table(
        {
            "customer_id": Column("string"),
            "product_id": Column("string"),
            "rating": Column("float64"),
            "rated_at": Column("timestamp(6)"),
            "text": Column("string", optional=True, nullable=True),
        }
    ),
    "experiment": Table(
        {
            "unit_id": Column("string"),
            "variant": Column("string"),
            "assigned_at": Column("timestamp(6)", optional=True, nullable=True),
            "exposed_at": Column("timestamp(6)", optional=True, nullable=True),
            # of what was assigned at random, where units are finer than that
            "assigned_id": Column("string", optional=True),
            # how many units a row is the total of, in place of unit_id
            OF_UNITS: Column("float64", optional=True, derived=True),
        },
        # no key: a unit in two rows is a fault of the test, which its own checks report
        prefixes={
            OUTCOME: Column("float64", nullable=True, answers=True),
            # kept as read: see AS_READ
            COVARIATE: Column("string", nullable=True, answers=True),
            SQUARES: Column("float64", nullable=True),
            EVENT: Column("string", nullable=True),
        },
    ),
    "campaigns": Table(
        {
            "campaign_id": Column("string"),
            "name": Column("string", optional=True, nullable=True),
            "offer": Column("string", optional=True, nullable=True),
        },
        key=("campaign_id",),
    ),
    "messages": Table(
        {
            "customer_id": Column("string"),
            "campaign_id": Column("string"),
            "channel": Column("string", optional=True, nullable=True),
            "sent_at": Column("timestamp(6)"),  # of a row that is held out: when it would have been sent
            **dict.fromkeys(("held_out", *RESPONSES), Column("float64", optional=True, nullable=True, answers=True)),
            **dict.fromkeys(
                (f"{response}_at" for response in RESPONSES), Column("timestamp(6)", optional=True, nullable=True)
            ),
            "revenue": Column("float64", optional=True, nullable=True),  # that the mail tool attributes to the message
        }
        # no key: a campaign may send to a customer twice
    ),
    "decisions": Table(
        {
            "decided_at": Column("timestamp(6)"),
            "action": Column("string"),
            "reward": Column("float64", nullable=True, answers=True),  # empty while it is not known
            "propensity": Column("float64", optional=True),
            "policy": Column("string", optional=True, nullable=True),  # that made the decision
            "customer_id": Column("string", optional=True, nullable=True),
            "position": Column("string", optional=True, nullable=True),
        },
        # no key: a customer may be shown an action twice
        prefixes={CONTEXT: Column("string", nullable=True, answers=True)},
    ),
}

# Customers already summarised, in place of orders.
TABLES["customer_summary"] = Table(
    {
        "customer_id": Column("string"),
        "last_order_at": Column("timestamp(6)", optional=True),
        "recency": Column("float64", optional=True),  # in place of it: whole days to the day of the summary
        "first_order_at": Column("timestamp(6)", optional=True),
        "orders": Column("float64"),
        "revenue": Column("float64"),
    },
    key=("customer_id",),
)

# Returned lines, which the cleaning rules for cancellations remove from the transactions, or a table of refunds that
# the shop keeps by itself: amounts below zero.
TABLES["returns"] = Table(TABLES["transactions"].columns, made_from="transactions")

SPOKEN = {
    "transactions": "orders", "returns": "returns", "products": "names of products", "customers": "list of customers",
    "ratings": "ratings", "experiment": "test with arms", "customer_summary": "summary of customers",
    "campaigns": "list of campaigns", "messages": "log of messages", "decisions": "log of decisions",
}  # fmt: skip
"""What each table holds, as sentences for a shop's owner call it."""
ATTRIBUTES = "attributes"  # what notebooks need of customers where they need any that is declared
UNNAMED = {
    ("transactions", "product_id"): "name no products", ("customers", ATTRIBUTES): "declares no attributes",
    ("messages", "held_out"): "does not say who was held out", ("messages", "channel"): "names no channels",
    ("campaigns", "offer"): "names no offers",
}  # fmt: skip
"""What sentences say of a table without one of its optional columns, where they have words for it."""
RARE = frozenset({"contract_ended_at"})
"""Columns that few shops have: that one is not there is not told."""


def lacks(data_set: str, tables: Mapping[str, Collection[str]], table: str, needs: Collection[str] = ()) -> str:
    """Why a data set with these tables and columns cannot serve as a table, as a clause; empty where it can.

    `needs` are the optional columns without which the table is of no use.

    Examples
    --------
    >>> lacks("my_shop", {"transactions": ["customer_id", "order_id"]}, "transactions", ["product_id"])
    'the orders of the data set my_shop name no products'
    >>> lacks("my_shop", {}, "transactions")
    'the data set my_shop has no orders (table transactions)'
    """
    spoken = SPOKEN[table]
    if table not in tables:
        return f"the data set {data_set} has no {spoken}" + f" (table {table})" * (spoken != table)
    declared = TABLES[table].columns
    absent = [name for name in needs if name not in tables[table] and not (name in declared and declared[name].derived)]
    if not absent:
        return ""
    verb = "have" if spoken.partition(" ")[0].endswith("s") else "has"
    why = UNNAMED.get((table, absent[0]), f"{verb} no {' and no '.join(absent)}")
    return f"the {spoken} of the data set {data_set} {why}"


def is_id(name: str) -> bool:
    """Whether a canonical column holds ids, which are kept exactly as they are."""
    return name.endswith("_id")
