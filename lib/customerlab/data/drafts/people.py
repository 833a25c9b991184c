"""A file of customers without orders: its key, and the others as attributes of the kind that their values have."""

import re
from collections import Counter
from collections.abc import Iterator

from customerlab.data import numbers
from customerlab.data.drafts.lines import Line, block, scalar
from customerlab.data.drafts.looks import PERSONAL, words
from customerlab.data.drafts.roles import NAMES, Log, seen

FEW = 5  # different whole numbers that may as well be codes
ANSWERS = {*numbers.YES, *numbers.NO, "0", "1"}
SENSITIVE = re.compile(r"\b(gender|sex|geschlecht|religion|ethnic\w*|race|nationality|disab\w*|health|orientation)\b")
CODED = re.compile(r"\b(region|zip|plz|postal|postcode|area|code)\b")


def key_of(log: Log) -> str:
    """The column of customers' ids, one row each; empty where there is none."""
    named = [name for name in log.columns if words(name) in ("id", "no", "nr")]
    for name in [*log.candidates("customer_id")[0], *named]:
        if log.filled(name) and len(set(log.columns[name])) == len(log.columns[name]):
            return name
    return ""


def is_people(log: Log) -> bool:
    """Whether rows are customers: nothing in them is ordered, and there is one row each, or no time."""
    ordered = any(re.search(NAMES["order_id"][0], words(name)) for name in log.columns)
    timed = any(log.forms[name] and re.search(NAMES["ordered_at"][0], words(name)) for name in log.columns)
    paid = timed and bool(log.candidates("money")[0])
    of_goods = any(log.candidates(role)[0] for role in ("product_id", "quantity"))
    return not (ordered or paid or of_goods) and bool(key_of(log) or not any(log.forms.values()))


def people_lines(log: Log) -> Iterator[str]:
    """The table of customers, as the entry has it."""
    key = key_of(log)
    yield "    customers:"
    yield "      columns:"
    made = Line(f"customer_id: {scalar(key)}", seen(log, key)) if key else Line(
        "customer_id: {row_number: true}", "no column has an id in every row; without one no other table can name them"
    )  # fmt: skip
    yield from block([made], 8)
    yield "      attributes:"
    for name in log.columns:
        if name != key:
            yield from block(_attribute(log, name), 8)


def _attribute(log: Log, name: str) -> list[Line]:
    """The kinds that a column can have."""
    filled, why = log.filled(name), seen(log, name)
    different = set(filled)
    if len(different) < 2:
        return [Line(f"{scalar(name)}: …", "the same in every row" if different else "empty in every row", False)]
    if log.forms[name]:
        lines = [(f"{{kind: date, format: {scalar(form)}}}" if form else "date") for form, _ in log.forms[name]]
        return [Line(f"{scalar(name)}: {one}", why, len(lines) == 1) for one in lines]
    if {value.lower() for value in different} <= ANSWERS:
        return [Line(f"{scalar(name)}: yes_no", why)]
    coded = CODED.search(words(name)) and all(re.fullmatch(r"0\d+", one) or one.isdigit() for one in different)
    if coded and any(one.startswith("0") for one in different):
        return [Line(f"{scalar(name)}: region", why)]
    if name in log.numeric:
        whole = len(different) <= FEW and all(re.fullmatch(r"\d+(\.0+)?", value) for value in different)
        return [Line(f"{scalar(name)}: {kind}", why, not whole) for kind in ("number", "category")[: 1 + whole]]
    if PERSONAL.search(words(name)) or max(Counter(filled).values()) == 1:
        return [Line(f"{scalar(name)}: category", f"no group has more than one, or it is a person's: {why}", False)]
    kind = "{kind: category, sensitive: true}" if SENSITIVE.search(words(name)) else "category"
    return [Line(f"{scalar(name)}: {kind}", why)]
