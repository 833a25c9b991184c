"""What the columns of a shop's files may be: candidates for each canonical column, by names and by values."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from customerlab.data.drafts.lines import in_rows, said, scalar
from customerlab.data.drafts.looks import MOST, formats, masked, number, signs, words
from customerlab.data.drafts.sniff import Sample

ID = "(id|no|nr|nummer|number|num|code|key|#)"
SALE = "order|invoice|inv|receipt|bestell(ung)?s?|auftrags?|rechnungs?|beleg|bon|ticket|sale|commande|pedido|factura"
PERSON = "customer|cust|client|buyer|user|member|shopper|kunden?|cliente|account|visitor"
GOODS = "product|item|lineitem|artikel|produkt|dish"
OFF = r"discount|rabatt|coupon|refund|erstatt"
PLUS = r"\btax|vat|mwst|steuer|gst|shipping|freight|versand|postage|\bfees?\b|\btip\b"
# By words of a column's name: what says it plainly comes first, what may mean it where nothing else does comes last.
NAMES = {
    "customer_id": (
        rf"\b({PERSON})( unique| pseudo)? ?{ID}$|^(kunde|kundin|klant)$",
        r"\be ?mail\b( address)?$",
        rf"^({PERSON}|c)$|\b({PERSON}|billing|full) ?(user ?)?name$|^name$|phone|kundenkarte|loyalty"
        r"|^(acct|account|acc|debitor|debtor)( no| id| number)?$",
    ),
    "order_id": (
        rf"^(.* )?({SALE}) ?(increment |reference )?{ID}( .*)?$|^({SALE}|bestellung|auftrag|rechnung)$|increment id",
        rf"^(id|name|number|nummer|no|nr)$|(transaction|checkout|session) ?{ID}|^o$",
        rf"(payment|charge|reference) ?{ID}",
    ),
    "ordered_at": (rf"({SALE}|purchase|kauf|created|placed|event|ordered)", ""),
    "product_id": (
        rf"\bsku\b|(product|(?<!order )item|article|artikel|variant|stock|listing) ?{ID}$|stock ?code|^(asin|isbn|ean|plu|gtin)$|barcode",
        rf"({GOODS}) ?(name|title|description)$|^({GOODS}|article|ware|listing|goods|title|p)$",
        r"\b(part|plan|model|style)\b|\bcode$",
    ),
    "quantity": (
        r"\b(qty|quantity|menge|anzahl|stück|stueck|stk|units?|pieces|pcs|cantidad|quantité|cds)\b",
        r"^(count|number|q)$",
    ),
    "money": (
        r"price|preis|prix|precio|amount|total|sales|revenue|gross|\bnet\b|netto|brutto|value|umsatz|betrag|summe|gesamt|paid|dollars|\bamt\b|cents|^u$",
    ),
    "country": (r"\b(country|land|pays|país)\b",),
    "channel": (r"channel|kanal|\bsource\b|\bstore\b|filiale|medium|\bshop\b|location",),
    "description": (rf"({GOODS}) ?(name|title)|description|bezeichnung|^({GOODS}|title)$", "^name$"),
    "category": (r"category|kategorie|warengruppe|department|collection",),
    "minus": (OFF,),
    "plus": (PLUS,),
}
AGAINST = {  # what speaks against it
    "ordered_at": r"birth|deliver|ship|estimat|updat|modif|cancel|refund|due|expir|approv|sign|fulfil|paid|complet|valid|return",
    "order_id": r"status|date|total|item|line|customer|quantity",
    "quantity": r"refund|return|cancel|fulfil|ship|stock|available|price|amount",
    "money": OFF + "|" + PLUS + r"|cost|profit|margin|balance|\brate\b|currency|method|compare|\bid$|outstanding",
    "minus": r"method|code|name|country|city|address|reason|date|\bid$|zone|status|street|zip|province|phone|company",
    "plus": r"method|code|name|country|city|address|reason|date|\bid$|zone|status|street|zip|province|phone|company|discount|refund",
    "customer_id": r"item|product|lineitem|vendor|discount|shipping|\bto email|file|shop|store",
    "description": r"category|customer|discount",
    "country": r"code|phone",
}  # fmt: skip
NOBODY = re.compile(r"0|-1|-|guest|gast|anonymous|anonym|unknown|unbekannt|walk-?in|none|null|nil", re.IGNORECASE)
NUMBERS = ("quantity", "money", "minus", "plus")
FULL = ("order_id", "ordered_at", "product_id")  # a column with a value in every row is meant before one with gaps


@dataclass
class Log:
    """The rows of a shop's lines with all that was joined to them, by column."""

    columns: dict[str, list[str]]
    home: dict[str, Sample]  # the file that each comes from
    decimal: dict[str, str]  # and the decimal sign there
    forms: dict[str, list[tuple[str, int]]] = field(default_factory=dict)  # the formats by which it is a time
    numeric: set[str] = field(default_factory=set)  # columns that hold numbers

    def __post_init__(self) -> None:
        """See which columns hold times, and which numbers."""
        for name in self.columns:
            filled = self.filled(name)
            self.forms[name] = formats(filled, name)
            if not self.forms[name] and sum(signs(value) is not None for value in filled) >= MOST * len(filled) > 0:
                self.numeric.add(name)

    def filled(self, name: str) -> list[str]:
        """The values of a column that are there."""
        return [value for value in self.columns[name] if value]

    def numbers(self, name: str) -> list[float | None]:
        """The values of a column as numbers; None where there is none."""
        return [number(value, self.decimal[name]) for value in self.columns[name]]

    def fits(self, name: str, role: str) -> bool:
        """Whether the values of a column can be what a canonical column wants."""
        if not self.filled(name) or role == "ordered_at":
            return bool(self.forms[name])
        if role in NUMBERS:
            return name in self.numeric
        if self.forms[name] or (role not in ("customer_id", "order_id", "product_id") and name in self.numeric):
            return False
        # the number of an order may be called Name, and so may a person
        return words(name) != "name" or role not in ("customer_id", "order_id") or (role == "order_id") == bool(
            sum(bool(re.search(r"\d", value)) for value in self.filled(name)) > MOST * len(self.filled(name))
        )  # fmt: skip

    def one_to_one(self, name: str, other: str) -> bool:
        """Whether two columns of ids say the same of all rows."""
        pairs = set(zip(self.columns[name], self.columns[other], strict=True))
        return len(pairs) == len({one for one, _ in pairs}) == len({one for _, one in pairs})

    def candidates(self, role: str) -> tuple[list[str], list[str]]:
        """Columns that may be what a canonical column wants: those of equal standing, and others behind them."""
        standing: dict[int, list[str]] = defaultdict(list)
        for name in self.columns:
            if not self.fits(name, role):
                continue
            said = words(name)
            tier = next((place for place, pattern in enumerate(NAMES[role]) if re.search(pattern, said)), None)
            if role in AGAINST and re.search(AGAINST[role], said):
                tier = 9 if role in ("ordered_at", "quantity") and (tier is not None or role == "ordered_at") else None
            if tier is not None:
                standing[tier].append(name)
        first = min(standing, default=0)
        best = standing.pop(first, [])
        if role in NUMBERS:
            return best, []
        if role in FULL:
            most = max((len(self.filled(name)) for name in best), default=0)
            standing[first] = [name for name in best if len(self.filled(name)) < 0.98 * most]
            best = [name for name in best if name not in standing[first]]
        same = [name for name in best[1:] if self.one_to_one(best[0], name)]
        standing[first] = same + standing[first]
        best = [name for name in best if name not in same]
        return best, [name for _, names in sorted(standing.items()) for name in names]


def of_order(log: Log, name: str, order: str | None) -> str:
    """How a column stands to the orders: ``once`` on one line of each, ``repeated`` on all of them, or empty: its own.

    Orders of one line say nothing.
    """
    if order is None or name == order:
        return ""
    groups = defaultdict(list)
    for key, value in zip(log.columns[order], log.columns[name], strict=True):
        groups[key].append(value)
    several = [values for key, values in groups.items() if key and len(values) > 1 and any(values)]
    if not several:
        return ""
    once = sum(sum(map(bool, values)) == 1 for values in several) >= 0.95 * len(several)
    same = sum(len(set(values)) == 1 for values in several) >= 0.95 * len(several)
    return "once" if once else "repeated" if same else ""


def seen(log: Log, name: str) -> str:
    """Some values of a column, how many different ones it has, and in how many rows it is empty."""
    filled = log.filled(name)
    counted = Counter(filled)
    repeated = len(counted) <= 12 and len(filled) >= 3 * len(counted)
    first = [value for value, _ in counted.most_common(3)]
    shown = ", ".join(said(value if log.forms[name] else masked(value, name, repeated)) for value in first)
    empty = len(log.columns[name]) - len(filled)
    return f"{shown}; {len(counted):,} different" + (f"; empty in {in_rows(empty)}" if empty else "")


def nobody(log: Log, name: str) -> dict[str, int]:
    """Values that may stand for no customer, with the rows that have them."""
    counted = Counter(log.filled(name))
    return {scalar(value): times for value, times in sorted(counted.items()) if NOBODY.fullmatch(value)}
