"""What each column of money is, by the values where they tell: a price, a line's total, an order's, a discount."""

from collections import Counter, defaultdict

from customerlab.data.drafts.lines import Line, in_rows, said, scalar
from customerlab.data.drafts.looks import MOST
from customerlab.data.drafts.roles import Log, of_order, seen


def money_lines(log: Log, chosen: dict[str, str]) -> list[Line]:
    """Unit price or line total, by the values where they tell, and what else of money there is."""
    names, quantity, order = log.candidates("money")[0], chosen.get("quantity"), chosen.get("order_id")
    less = [
        name for name in log.candidates("minus")[0] if any(abs(n or 0) > 1 for n in log.numbers(name))
    ]  # and no share
    kinds, whys = _kinds(log, names, less, chosen)
    if not names:
        return [Line("unit_price: …", "no column looks like a price; `amount: …` is for the total of a line", False)]
    own = [name for name in names if kinds[name] != "order"]
    best = next((name for kind in ("unit_price", "amount") for name in own if kinds[name] == kind), None)
    # of several that say the same money one is taken; less a discount or not, and one piece or a line, is a choice
    alone = (
        best is not None
        and all(kinds[name] for name in own)
        and not less
        and not any("less" in whys[name] for name in own)
    )
    alone = alone or (not quantity and len(own) == 1 and not less)
    lines = []
    for name in sorted(own, key=lambda name: ("unit_price", "amount", "").index(kinds[name])):
        kind, why = kinds[name] or ("" if quantity else "amount"), whys[name] + seen(log, name)
        if kind:
            lines.append(Line(f"{kind}: {scalar(name)}", why, alone and name in (best, own[0])[: 1 + (best is None)]))
        else:
            lines.append(Line(f"unit_price: {scalar(name)}", f"if it is the price of one piece; {why}", False))
            lines.append(Line(f"amount: {scalar(name)}", "or, if it is the total of a line", False))
        bearer = next((one for one in own if kinds[one] == "amount"), own[0])
        for key, columns in _less(log, less, order).items() if name == bearer else ():
            text = f"{{column: {scalar(name)}, {key}: [{', '.join(map(scalar, columns))}]}}"
            told = f"or less {' and '.join(_counted(log, one) for one in columns)}"
            told += ", where that is of one piece" if kind == "unit_price" and key == "minus" else ""
            lines.append(Line(f"{kind or 'amount'}: {text}", told, False))
    for name in (*(name for name in names if kinds[name] == "order"), *log.candidates("plus")[0]):
        level = {"once": ", once an order", "repeated": ", the same on all lines of an order"}.get(
            of_order(log, name, order), ""
        )
        lines.append(Line(f"not counted: {_counted(log, name)}{level}", "", False))
    return lines


def _counted(log: Log, name: str) -> str:
    return f"{said(name)}, not zero in {in_rows(sum(bool(n) for n in log.numbers(name)))}"


def _less(log: Log, names: list[str], order: str | None) -> dict[str, list[str]]:
    """Discounts and refunds by the key that takes them off: of the line, or of the whole order."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found["minus_of_order" if of_order(log, name, order) else "minus"].append(name)
    return found


def _kinds(
    log: Log, names: list[str], less: list[str], chosen: dict[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """What each column of money is by its values, ``unit_price``, ``amount``, ``order`` or not known, and why."""
    quantity = chosen.get("quantity")
    kinds, whys = dict.fromkeys(names, ""), dict.fromkeys(names, "")
    levels = {name: of_order(log, name, chosen.get("order_id")) for name in names}
    for name, level in levels.items():
        if level == "once" or (level and not all(levels.values())):
            kinds[name] = "order"
    pairs = [
        (total, price)
        for total in names
        for price in names
        if total != price and "order" not in (kinds[total], kinds[price])
    ]
    for (total, price), off in ((pair, off) for pair in pairs for off in (None, *less)) if quantity else ():
        if not kinds[total] and kinds[price] != "amount" and (rows := product_of(log, total, price, quantity, off)):
            kinds[total], kinds[price] = "amount", "unit_price"
            whys[total] = (
                f"{said(quantity or '')} times {said(price)}{f' less {said(off)}' if off else ''} in {in_rows(rows)}; "
            )
    for name in names if quantity else ():
        if not kinds[name]:
            kinds[name], products = grows(log, name, quantity or "", chosen.get("product_id"))
            how = "grows with the quantity" if kinds[name] == "amount" else "is the same whatever the quantity"
            whys[name] = f"it {how}, by {products:,} product{'s'[: products != 1]}; " if kinds[name] else ""
    for (total, price), off in ((pair, off) for pair in pairs for off in less):
        if not kinds[total] and kinds[price] and (rows := product_of(log, total, price, None, off)):
            kinds[total], whys[total] = kinds[price], f"{said(price)} less {said(off)} in {in_rows(rows)}; "
    return kinds, whys


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
