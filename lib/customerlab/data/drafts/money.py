"""What each column of money is, by the values where they tell: a price, a line's total, an order's, a discount."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from customerlab.data.drafts.lines import Line, in_rows, said, scalar
from customerlab.data.drafts.looks import MOST, words
from customerlab.data.drafts.roles import Log, of_order, seen


@dataclass
class Kind:
    """What a column of money is, ``unit_price``, ``amount``, ``order`` or not known; why; what is off it already."""

    name: str = ""
    why: str = ""
    less: str = ""


def money_lines(log: Log, chosen: dict[str, str]) -> list[Line]:
    """Unit price or line total, by the values where they tell, and what else of money there is."""
    quantity, order = chosen.get("quantity"), chosen.get("order_id")
    # a column of numbers below one is a share
    off = [name for name in log.candidates("minus")[0] if any(abs(n or 0) >= 1 for n in log.numbers(name))]
    kinds = _kinds(log, log.candidates("money")[0], off, chosen)
    own = [name for name in kinds if kinds[name].name != "order"]
    own.sort(key=lambda name: ("unit_price", "amount", "").index(kinds[name].name))
    off = [name for name in off if name not in {kind.less for kind in kinds.values()}]
    cents = [name for name in own if re.search(r"\b(cents?|pence|minor)\b", words(name))]
    # of several that say the same money one is taken; one piece or a line, less a discount or not, is a choice
    known = all(kinds[name].name for name in own) if quantity else len(own) == 1
    sole = known and not off and not cents and not any(kind.less for kind in kinds.values())
    lines = (
        []
        if own
        else [Line("unit_price: …", "no column looks like one; `amount: …` is for the total of a line", False)]
    )
    for name in own:
        key, why = kinds[name].name or ("unit_price" if quantity else "amount"), kinds[name].why + seen(log, name)
        unknown = quantity and not kinds[name].name
        lines.append(
            Line(
                f"{key}: {scalar(name)}", ("if it is of one piece: " if unknown else "") + why, sole and name == own[0]
            )
        )
        if unknown:
            key = "amount"
            lines.append(Line(f"{key}: {scalar(name)}", "or, if it is the total of a line", False))
        if name in cents:
            lines.append(Line(f"{key}: {{column: {scalar(name)}, scale: 0.01}}", "or, if it is in cents", False))
        if off and name == next((one for one in own if kinds[one].name == "amount"), own[0]):
            lines += _less(log, name, key, off, order)
    for name in (*(name for name in kinds if name not in own), *log.candidates("plus")[0]):
        level = {"once": ", once an order", "repeated": ", the same on all lines of an order"}
        lines.append(Line(f"not counted: {_counted(log, name)}{level.get(of_order(log, name, order), '')}", "", False))
    return lines


def _counted(log: Log, name: str) -> str:
    return f"{said(name)}, not zero in {in_rows(sum(bool(n) for n in log.numbers(name)))}"


def _less(log: Log, name: str, key: str, off: list[str], order: str | None) -> list[Line]:
    """A column of money less discounts and refunds, of the line or of the order; plus, where these are below zero."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in off:
        sign = "plus" if sum(n or 0 for n in log.numbers(one)) < 0 else "minus"
        found[f"{sign}_of_order" if of_order(log, one, order) else sign].append(one)
    lines = []
    for how, columns in found.items():
        told = f"or less {' and '.join(_counted(log, one) for one in columns)}"
        told += ", where that is of one piece" if key == "unit_price" and "order" not in how else ""
        lines.append(
            Line(f"{key}: {{column: {scalar(name)}, {how}: [{', '.join(map(scalar, columns))}]}}", told, False)
        )
    return lines


def _kinds(log: Log, names: list[str], off: list[str], chosen: dict[str, str]) -> dict[str, Kind]:
    """What each column of money is by its values."""
    quantity, kinds = chosen.get("quantity"), {name: Kind() for name in names}
    levels = {name: of_order(log, name, chosen.get("order_id")) for name in names}
    for name, level in levels.items():
        if level == "once" or (level and not all(levels.values())):
            kinds[name].name = "order"
    pairs = [(a, b) for a in names for b in names if a != b and "order" not in (kinds[a].name, kinds[b].name)]
    for (total, price), less in ((pair, less) for pair in pairs for less in (*off, None)) if quantity else ():
        if kinds[total].name or kinds[price].name == "amount":
            continue
        if rows := product_of(log, total, price, quantity, less):
            why = f"{said(quantity or '')} times {said(price)}{f' less {said(less)}' if less else ''} in {in_rows(rows)}; "
            kinds[total], kinds[price].name = Kind("amount", why, less or ""), "unit_price"
    for name in names if quantity else ():
        if not kinds[name].name:
            kind, products = grows(log, name, quantity or "", chosen.get("product_id"))
            how = "grows with the quantity" if kind == "amount" else "is the same whatever the quantity"
            kinds[name] = Kind(kind, f"it {how}, by {products:,} product{'s'[: products != 1]}; " if kind else "")
    for (total, price), less in ((pair, less) for pair in pairs for less in off):
        if not kinds[total].name and kinds[price].name and (rows := product_of(log, total, price, None, less)):
            kinds[total] = Kind(kinds[price].name, f"{said(price)} less {said(less)} in {in_rows(rows)}; ", less)
    return kinds


def grows(log: Log, money: str, quantity: str, product: str | None) -> tuple[str, int]:
    """Whether a column of money is one piece's, or a line's total, by products sold in several quantities.

    ``unit_price`` where it stays the same, ``amount`` where it grows with the quantity, empty where that is not seen;
    and how many products say so.
    """
    if product is None:
        return "", 0
    groups: dict[str, dict[float, set[float]]] = defaultdict(lambda: defaultdict(set))
    for key, pieces, value in zip(log.columns[product], log.numbers(quantity), log.numbers(money), strict=True):
        if key and pieces and value:
            groups[key][pieces].add(abs(value))
    votes: Counter[str] = Counter()
    for by_pieces in groups.values():
        if len(by_pieces) < 2:
            continue
        pairs = [(abs(pieces), value) for pieces, values in by_pieces.items() for value in values]
        each, total = [value for _, value in pairs], [value / pieces for pieces, value in pairs]
        steady = {what for what, found in (("unit_price", each), ("amount", total)) if max(found) <= 1.01 * min(found)}
        votes.update(steady if len(steady) == 1 else ())
    best = votes.most_common(1)
    return best[0] if best and best[0][1] >= 0.8 * votes.total() else ("", 0)


def product_of(log: Log, total: str, price: str, quantity: str | None, off: str | None = None) -> int:
    """In how many rows a total is the quantity times a price, less another column; 0 where in less than nine of ten.

    Rows in which that says nothing do not count: those of one piece, or with nothing to take off.
    """
    one = [1.0] * len(log.columns[total])
    rows = zip(
        log.numbers(total), log.numbers(price), log.numbers(quantity) if quantity else one,
        log.numbers(off) if off else one, strict=True,
    )  # fmt: skip
    telling = same = 0
    for found, each, pieces, less in rows:
        if found is not None and each is not None and pieces is not None and (less if off else pieces not in (0, 1)):
            telling += 1
            same += abs(found - each * pieces + (abs(less or 0) if off else 0)) <= 0.011
    return same if same >= MOST * telling else 0
