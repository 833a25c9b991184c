"""Rules that the rows may ask for: each with the rows that it would take, none of them without a choice."""

import re
from collections import Counter

from customerlab.data.drafts.lines import OTHERS, Line, in_rows, said, scalar
from customerlab.data.drafts.looks import masked, words
from customerlab.data.drafts.roles import Log, nobody, of_order
from customerlab.data.yaml_files import odd_sign

STATUS = re.compile(
    r"cancel|refund|void|return|pending|fail|storn|erstatt|abgebroch|unpaid|declin|dispute|expired|chargeback|on-?hold|annul|^open$|draft",
    re.IGNORECASE,
)


def rule_lines(log: Log, chosen: dict[str, str]) -> list[Line]:
    """Rules that the rows may ask for, with the rows that they would take; all of them wait for a choice."""
    lines: list[Line] = []

    def rule(text: str, why: str) -> None:
        lines.append(Line(f"- {text}", why, False))

    customer, order, quantity = (chosen.get(role) for role in ("customer_id", "order_id", "quantity"))
    for role, name in (
        ("customer", customer),
        ("date", chosen.get("ordered_at")),
        ("order", order),
        ("product", chosen.get("product_id")),
    ):
        if name and (empty := log.columns[name].count("")):
            rule(
                f"{role}_missing",
                f"{said(name)} is empty in {in_rows(empty)}" + (", maybe of guests" if role == "customer" else ""),
            )
    if customer and (missing := nobody(log, customer)) and not log.columns[customer].count(""):
        rule("customer_missing", f"for {', '.join(missing)}, where they count as no customer")
    if quantity and (below := sum((n or 0) < 0 for n in log.numbers(quantity))):
        rule("quantity_not_positive", f"{said(quantity)} is below zero in {in_rows(below)}, maybe of returns")
    money = {name: sum((n or 0) < 0 for n in log.numbers(name)) for name in log.candidates("money")[0]}
    if lost := [f"{said(name)} in {in_rows(count)}" for name, count in money.items() if count]:
        rule("amount_not_positive", f"money below zero, maybe of returns: {', '.join(lost[:OTHERS])}")
    begin = Counter(re.match(r"[A-Za-z]?", value)[0] for value in set(log.filled(order) if order else ()))  # type: ignore[index]
    for prefix, times in sorted(begin.items()):
        if prefix and len(begin) > 1 and times < 0.3 * begin.total():
            rule(
                f"order_cancelled: {{prefix: {prefix}}}", f"{times:,} orders begin so, and most do not: cancelled ones?"
            )
    for name in log.columns:
        lines += _states(log, name, order)
    rows = Counter(zip(*log.columns.values(), strict=True))
    if repeats := rows.total() - len(rows):
        rule("exact_repeat", f"like another row in every column of the file: {in_rows(repeats)}")
    return lines


def _states(log: Log, name: str, order: str | None) -> list[Line]:
    """The rule for a column that looks like a status, or says that an order is a test."""
    counted = Counter(log.filled(name))
    if not counted or len(counted) > 15 or log.forms[name]:
        return []
    test = re.search(r"\btest\b|live ?mode", words(name))
    bad = [value for value in counted if STATUS.search(value) and "partial" not in value.lower() and _plain(value)]
    if test:
        live = "live" in words(name)
        bad = [value for value in counted if value.lower() in (("false", "0", "no") if live else ("true", "1", "yes"))]
    named = len(counted) > 1 and re.search(r"status|event type|^type$|transaction type", words(name))
    if not bad and not named:
        return []
    told = ", ".join(f"{said(masked(value, name, True))} {times:,}" for value, times in counted.most_common())
    spread = ", of: order" if of_order(log, name, order) == "once" else ""
    rule, values = ("drop_where", bad) if bad else ("keep_where", [value for value in counted if _plain(value)])
    text = f"- {{{rule}: {{column: {scalar(name)}, in: [{', '.join(map(scalar, sorted(values)))}]{spread}}}}}"
    return [Line(text, f"{'test orders?' if test else 'rows'}: {told}", False)]


def _plain(value: str) -> bool:
    """Whether a value can stand in a rule as it is, and is nobody's."""
    return "@" not in value and len(value) <= 40 and not odd_sign(value)
