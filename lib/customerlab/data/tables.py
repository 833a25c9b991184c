"""The canonical tables: their names, columns, types and checks.

The data dictionary in `data/README.md` says the same in words. A column marked optional may be missing from a data
set; a column marked nullable may hold empty values.
"""

from dataclasses import dataclass, field

OUTCOME = "outcome_"  # prefix of the experiment table's outcome columns
COVARIATE = "covariate_"  # prefix of its covariate columns, known before the experiment
OF_UNITS = "units"  # its column of how many units a row is the total of, where rows are totals
SQUARES = "squares_"  # prefix of its columns of sums of squares, where rows are totals
EVENT = "event_"  # prefix of what events are chosen by, in a log that is not yet one row per unit
# A year of two digits that is read as one of four, or 9999 for "never", is no day that a shop had.
EARLIEST, LATEST = "1900-01-01", "2100-01-01"


@dataclass(frozen=True)
class Column:
    """One column of a canonical table: its Ibis type and what may be missing."""

    type: str
    optional: bool = False
    nullable: bool = False
    derived: bool = False


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


TABLES: dict[str, Table] = {
    "transactions": Table(
        {
            "customer_id": Column("string"),
            "order_id": Column("string"),
            "ordered_at": Column("timestamp(6)"),
            "product_id": Column("string"),
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
            OUTCOME: Column("float64", nullable=True),
            # kept as read: a covariate may be a number or a label
            COVARIATE: Column("string", nullable=True),
            SQUARES: Column("float64", nullable=True),
            EVENT: Column("string", nullable=True),
        },
    ),
}

# Returned lines, which the cleaning rules for cancellations remove from the transactions: amounts below zero.
TABLES["returns"] = Table(TABLES["transactions"].columns, made_from="transactions")


def is_id(name: str) -> bool:
    """Whether a canonical column holds ids, which are kept exactly as they are."""
    return name.endswith("_id")
