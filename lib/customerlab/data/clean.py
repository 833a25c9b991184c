"""Cleaning as a list of named rules, with a report in which kept + removed = read.

Each rule is an Ibis predicate that marks rows to remove. A row is counted under the first rule that marks it, so that
the report adds up, and it costs one pass over the data.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the engine takes a second to import; the names of the rules are needed without it
    import ibis.expr.types as ir
    import pandas as pd

KEPT = "kept"
REPEAT = "__repeat__"  # the column in which repeats may stand already
WHERE = "__where_"  # prefix of the columns that say where the conditions of rules are met, by their place in the list
CONDITIONS = ("drop_where", "keep_where")  # rules that ask for a column of the source
MOST_NAMED = 3  # values of a condition that its reason names


@dataclass(frozen=True)
class Rule:
    """A named reason to remove a row."""

    why: str  # the reason, as the report prints it
    # table and settings in, boolean column out: true where the row goes
    marks: "Callable[[ir.Table, dict[str, Any]], ir.BooleanValue]"
    # the settings that the catalogue may give, with their defaults
    settings: dict[str, Any] = field(default_factory=dict)
    tables: tuple[str, ...] = ()  # the canonical tables that the rule is for; empty for all


def _repeats(table: "ir.Table", _: dict[str, Any]) -> "ir.BooleanValue":
    import ibis

    if REPEAT in table.columns:
        return table[REPEAT]
    columns = [name for name in table.columns if not name.startswith("__")]  # where a row stands is no value
    return ibis.row_number().over(ibis.window(group_by=columns, order_by=table[columns[0]])) > 0


def _not_a_return(table: "ir.Table", settings: dict[str, Any]) -> "ir.BooleanValue":
    import ibis

    returned = ibis.or_(*[RULES[name].marks(table, given) for name, given in settings["rules"]])
    return ~returned.fill_null(False) | (table.amount >= 0)


RULES: dict[str, Rule] = {
    "customer_missing": Rule(
        "no customer",
        lambda t, _: t.customer_id.isnull(),
        tables=("transactions", "ratings", "customer_summary", "customers", "messages", "decisions"),
    ),
    "product_missing": Rule(
        "no product", lambda t, _: t.product_id.isnull(), tables=("transactions", "ratings", "products")
    ),
    "date_missing": Rule("no date", lambda t, _: t.ordered_at.isnull(), tables=("transactions",)),
    "order_cancelled": Rule(
        "cancellation (by order prefix)",
        lambda t, s: t.order_id.startswith(s["prefix"]),
        {"prefix": "C"},
        ("transactions",),
    ),
    "quantity_not_positive": Rule("quantity not above zero", lambda t, _: t.quantity <= 0, tables=("transactions",)),
    "quantity_too_large": Rule(
        "quantity above the limit",
        lambda t, s: t.quantity > s["most"],
        {"most": 1_000_000},
        ("transactions",),
    ),
    "price_not_positive": Rule("price not above zero", lambda t, _: t.unit_price <= 0, tables=("transactions",)),
    "amount_not_positive": Rule("amount not above zero", lambda t, _: t.amount <= 0, tables=("transactions",)),
    "order_missing": Rule("no order", lambda t, _: t.order_id.isnull(), tables=("transactions",)),
    "quantity_missing": Rule("no quantity", lambda t, _: t.quantity.isnull(), tables=("transactions",)),
    "price_missing": Rule(
        "no price",
        lambda t, _: t.unit_price.isnull() | (t.amount.isnull() & ~t.quantity.isnull()),
        tables=("transactions",),
    ),
    "product_not_matching": Rule(
        "product id does not match the pattern",
        lambda t, s: ~t.product_id.re_search(s["pattern"]),
        {"pattern": ""},
        ("transactions", "products", "ratings"),
    ),
    "exact_repeat": Rule("exact repeat of another row", _repeats),
    # what they ask of a row's source stands in a column already, which `mark` names
    "drop_where": Rule("", lambda t, s: t[s["met"]]),
    "keep_where": Rule("", lambda t, s: ~t[s["met"]]),
    "not_a_return": Rule("a sale, not a return", _not_a_return, {"rules": ()}, ("returns",)),
}
# rules whose rows with money below zero are returns
RETURN_RULES = ("order_cancelled", "quantity_not_positive", "amount_not_positive")


def rules_of_returns(rules: "tuple[tuple[str, dict[str, Any]], ...]") -> "tuple[tuple[str, dict[str, Any]], ...]":
    """The rules that make the returns out of the same rows, from those that make the transactions.

    A return is a row of a negative amount that only a rule for cancellations keeps from the transactions. So no row is
    in both tables; where the transactions have no such rule, their negative lines stay in them and nothing is returned.

    Examples
    --------
    >>> [name for name, _ in rules_of_returns((("order_cancelled", {"prefix": "C"}), ("exact_repeat", {})))]
    ['exact_repeat', 'not_a_return']
    """
    taking = tuple((name, settings) for name, settings in rules if name in RETURN_RULES)
    return (*[rule for rule in rules if rule not in taking], ("not_a_return", {"rules": taking}))


def steps_of(rules: "tuple[tuple[str, dict[str, Any]], ...]") -> "dict[str, tuple[str, dict[str, Any]]]":
    """The rules by the names of their steps: a rule that is listed again has a number.

    Examples
    --------
    >>> list(steps_of((("drop_where", {}), ("exact_repeat", {}), ("drop_where", {}))))
    ['drop_where', 'exact_repeat', 'drop_where 2']
    """
    steps: dict[str, tuple[str, dict[str, Any]]] = {}
    for place, (name, settings) in enumerate(rules):
        times = sum(other == name for other, _ in rules[:place]) + 1
        met = {"met": f"{WHERE}{place}"} if name in CONDITIONS else {}
        steps[name if times == 1 else f"{name} {times}"] = name, settings | met
    return steps


def why(name: str, settings: dict[str, Any]) -> str:
    """The reason for which a rule removes rows, as the report prints it.

    Examples
    --------
    >>> why("drop_where", {"column": "Status", "in": ["voided", "refunded"], "of": "order"})
    'Status is voided or refunded (whole order)'
    >>> why("keep_where", {"column": "Total", "above": 0.0})
    'Total is not above 0'
    """
    if name not in CONDITIONS:
        return RULES[name].why
    dropped = name == "drop_where"
    verb = "is" if dropped else "is not"
    if "in" in settings:
        named = len(settings["in"]) <= MOST_NAMED and not any("@" in value for value in settings["in"])
        met = f"{verb} {' or '.join(settings['in'])}" if named else f"{verb} one of {len(settings['in'])} values"
    elif "empty" in settings:
        met = "is empty" if settings["empty"] == dropped else "is not empty"
    elif "matches" in settings:
        pattern = "a pattern" if "@" in settings["matches"] else settings["matches"]
        met = f"{'matches' if dropped else 'does not match'} {pattern}"
    else:
        bounds = [f"{key} {settings[key]:,.15g}" for key in ("above", "below") if key in settings]
        met = f"{verb} {' and '.join(bounds)}"
    return f"{settings['column']} {met}" + (" (whole order)" if "of" in settings else "")


def mark(table: "ir.Table", rules: "tuple[tuple[str, dict[str, Any]], ...]") -> "ir.Table":
    """Add the column `removed_by`: the first step of the catalogue's rules that marks the row, or ``kept``."""
    import ibis

    if not rules:
        return table.mutate(removed_by=ibis.literal(KEPT))
    # a comparison with an empty value marks nothing: emptiness has rules of its own
    steps = steps_of(rules).items()
    branches = [(RULES[name].marks(table, settings).fill_null(False), step) for step, (name, settings) in steps]
    return table.mutate(removed_by=ibis.cases(*branches, else_=KEPT))


def report(
    counted: "pd.DataFrame", rules: "tuple[tuple[str, dict[str, Any]], ...]", late: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """Turn rows and money by `removed_by` into the row accounting, from what was read to what was kept.

    Parameters
    ----------
    counted : DataFrame
        `removed_by`, `rows` and, of money, exact decimals `amount` and `sales` (of amounts above zero); of events
        `units`.
    rules : tuple of (name, settings)
        In the order of the catalogue.
    late : dict of str to str, optional
        Reasons that come after the rules, and what they are called; those without a row are left out.

    Returns
    -------
    list of dict
        One step each: `step`, `why`, `rows_removed`, `rows_left`; of money, as exact decimal texts, `amount_removed`,
        `amount_left` and `sales_removed` (what of it was above zero).
    """
    from decimal import Decimal

    def exact(value: Any) -> Decimal:
        return Decimal(0) if value is None or value != value else Decimal(value)

    by_rule = {row["removed_by"]: row for row in counted.to_dict("records")}
    rows = sum(int(row["rows"]) for row in by_rule.values())
    amount = sum((exact(row.get("amount")) for row in by_rule.values()), Decimal(0))
    steps: list[dict[str, Any]] = []
    late = {name: why for name, why in (late or {}).items() if name in by_rule}
    reasons = {"read": "rows read"} | {step: why(*rule) for step, rule in steps_of(rules).items()} | late
    for name, reason in reasons.items():
        row = by_rule.get(name, {})
        removed, paid, sold = int(row.get("rows", 0)), exact(row.get("amount")), exact(row.get("sales"))
        rows, amount = rows - removed, amount - paid
        of = f" ({int(row['units']):,} unit{'s' * (row['units'] != 1)})" if name in late and "units" in row else ""
        step: dict[str, Any] = {"step": name, "why": reason + of, "rows_removed": removed, "rows_left": rows}
        if "amount" in counted.columns:
            step |= {"amount_removed": str(paid), "amount_left": str(amount), "sales_removed": str(sold)}
        steps.append(step)
    return steps
