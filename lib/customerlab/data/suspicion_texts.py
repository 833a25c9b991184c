"""What is said of a log's oddities: for each its sentence, without ids, and the lines of the catalogue that fix it."""

from typing import Any

Found = dict[str, str]

# About: what is said, without ids, and how to fix it; without a fix it is information.
TEXTS: dict[str, tuple[str, str]] = {
    "cancellations above zero": (
        "The rule order_cancelled removed {rows} rows, mostly with amounts above zero ({share} of sales).",
        "leave order_cancelled out of clean, or {{order_cancelled: {{prefix: <how the ids of cancellations begin>}}}}",
    ),
    "orders of nobody": (
        "A customer id that means nobody has {count} of {total} orders ({share}): they count as those of one customer.",
        'customer_id: {{column: {customer_id}, empty: ["{name}"]}}, and the rule customer_missing',
    ),
    "orders of one customer": (
        "One customer has {count} of {total} orders ({share}): guests may share one id.",
        'customer_id: {{column: {customer_id}, empty: ["<the id>"]}}, and the rule customer_missing',
    ),
    "one product in most orders": (
        "One product has {count} lines in {total} orders: postage, a fee or a constant?",
        "clean: [{{drop_where: {{column: {product_id}, in: [<the id>]}}}}]",
    ),
    "ids cut by a spreadsheet": (
        "A spreadsheet wrote {count} of the {what} as 1.23E+11, or with zeros from the 16th digit on: several may have become one.",
        "export the file again, with {column} as text; the lost digits are in the shop's own system only",
    ),
    "test orders": (
        "The word test is in {count} of the {what}.",
        "clean: [{{drop_where: {{column: {column}, matches: '(?i)test'}}}}]",
    ),
    "ids that differ by letter case": (
        "Letter case alone divides {count} of the {what} from another one: one may count as two.",
        "{name}: {{column: {column}, case: lower}}",
    ),
    "ids that differ by zeros in front": (
        "Zeros in front alone divide {count} of the {what} from another one: one may count as two.",
        "export the file again, with {column} as text: a spreadsheet takes zeros in front away",
    ),
    "one price": (
        "All {count} lines have the unit price {value}, of {products} products.",
        "unit_price: <the column of prices>, in place of {unit_price}",
    ),
    "one quantity": (
        "All {count} lines have the quantity {value}.",
        "quantity: <the column of quantities>, in place of {quantity}",
    ),
    "prices that rise with the quantity": (
        "The unit price rises in proportion to the quantity (exponent {slope} within products; price lists have about 0): it looks like "
        "the total of the line.",
        "amount: {unit_price}, in place of unit_price: {unit_price}",
    ),
    "prices that fall with the quantity": (
        "The unit price falls in proportion to the quantity (exponent {slope} within products; price lists have about 0): a unit price "
        "may have been divided by the quantity.",
        "unit_price: {amount}, in place of amount: {amount}",
    ),
    "lines in two files": (
        "Exports overlap: {count} of the lines stand in two files or sheets, and count twice.",
        "clean: [exact_repeat]",
    ),
    "orders that last for weeks": (
        "Lines are more than {days} days apart in {count} of {total} orders.",
        "order_id: {{columns: [<shop or day>, {order_id}]}} where ids begin anew; otherwise correct the days in the file",
    ),
    "ancient days": (
        "There are orders of {days} ({lines}), {gap} days before all others, which begin on {edge}.",
        "correct {ordered_at} in the file{rule}",
    ),
    "future days": (
        "There are orders of {days} ({lines}), {gap} days after all others, which end on {edge}.",
        "correct {ordered_at} in the file{rule}",
    ),
    "a gap": (
        "There is no order between {days} ({gap} days; the next longest gap is {next}).",
        "add the file that is missing: `path: sales-*.csv` names several",
    ),
    "a sudden jump": (
        "From about {day} on there are {after} lines a week (median of eight weeks), before {before}.",
        "compare with the shop's own numbers: is a file missing, or one of another shop among them?",
    ),
    "a day with many lines": (
        "{share} of all lines are of {day}: the day of an import?",
        "ordered_at: <the column of the day of the order>, in place of {ordered_at}",
    ),
    "a clock of twelve hours": (
        "All hours are from 1 to 12: morning and evening may have become one.",
        "ordered_at: {{column: {ordered_at}, format: '%Y-%m-%d %I:%M %p'}}, where the column has AM or PM",
    ),
    "one message in several rows": (
        "{count} of {total} rows have the customer, campaign, channel and time of another one: each counts as a message.",
        "one row for each message: clean: [exact_repeat] where rows are alike; a log of events is to be summed by message first",
    ),
    "responses before sending": (
        "Customers responded before the message was sent in {count} of {total} rows: the times may be of two zones.",
        "{name}: {{column: {column}, from_zone: <its zone>, to_zone: <the shop's zone>}}, and the same zone for sent_at",
    ),
    "held out and contacted": (
        "Customers who were held out opened, clicked or unsubscribed in {count} of {total} rows: they may have been sent the message.",
        "held_out: <the column of those to whom nothing was sent>, in place of {held_out}",
    ),
    "nobody was held out": (
        "No row says that a customer was held out at random: what messages caused cannot be estimated, only what followed them.", ""
    ),
    "one decision in several rows": (
        "{count} of {total} rows are alike in customer, action, time and position: each counts as a decision.",
        "clean: [exact_repeat] where rows are alike; one row for each decision",
    ),
    "propensities missing": (
        "No row has a propensity, the probability with which the action was chosen: it has to be estimated from the log.",
        "",
    ),
    "propensities of chance": (
        "The mean of 1 / propensity is {mean}, and it should be the number of actions to choose from, of which {actions} are in the log: "
        "propensities may be of something else than the action.",
        "propensity: <the column of the probability with which the action was chosen>, in place of {propensity}",
    ),
    "rewards not known": ("The reward is empty in {count} of {total} rows: it is taken as not known yet.", ""),
    "days without times": ("{share} of lines are at 0:00: the log has dates without times.", ""),
    "weekdays without orders": ("No order on {days} in {weeks} weeks.", ""),
}  # fmt: skip


def found_of(about: str, example: str = "", fix: bool = True, **values: Any) -> Found:
    """A suspicion as reports have it: `about`, `said`, `example`, `fix`; whole numbers with their thousands marked."""
    shown = {name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    said, way = (text.format_map(shown) for text in TEXTS[about])
    return {"about": about, "said": said, "example": example, "fix": way if fix else ""}
