"""The grammar of segments in plain words: a text is read by recursive descent, or refused with the place of its fault.

docs/language.md has the grammar for readers; the forms of conditions are `FORMS` of `tree`.
"""

import difflib
import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

from customerlab.analysis.language.tree import (
    FORMS,
    NEGATIONS,
    ONCE,
    OPERATORS,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Dates,
    Name,
    Node,
    Not,
    OneOf,
    Period,
    Relative,
    Segment,
    Value,
    canonical,
    of_revenue,
    quoted,
)

LONGEST, DEEPEST, MOST = (
    4_000,
    20,
    50,
)  # signs of a text and of its canonical form; nested brackets and nots; conditions
LARGEST, DIGITS = 10**9, 15  # of a number of times or an amount; of any number, so that it is exact as a float
COMPARED = 5_000  # names that a misspelt one is compared with
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2100, 1, 1)
UNITS = {"day": 36_500, "week": 5_200, "month": 1_200, "year": 100}  # and the most of each
# the forms with more words first: `bought product 'x'` before `bought 'x'`, `is not` before `is`
ORDER = [(kind, form) for kind, forms in FORMS.items() for form in forms]
ORDER.sort(key=lambda one: -sum(part[0] != "<" for part in one[1].split()))
MEASURES = ("revenue", "orders", "average order value")
TOKEN = re.compile(
    r"""(?P<name>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?![\w-]))"""
    r"""|(?P<number>-?[0-9]+(?:\.[0-9]+)?)|(?P<word>[^\W\d]\w*)|(?P<sign>[(),%])"""
)


class LanguageError(ValueError):
    """A text that is no segment: what was expected and found, and where, with a mark below the place.

    `line` and `column` count from 1; they are 0 for a tree that was not read, and for a text that is too long.
    """

    def __init__(self, message: str, source: str = "", at: int = -1) -> None:
        self.line = self.column = 0
        if source and at >= 0:
            begin, end = source.rfind("\n", 0, at) + 1, source.find("\n", at)
            self.line, self.column = source.count("\n", 0, at) + 1, at - begin + 1
            left = max(begin, at - 60)
            excerpt = source[left : min(at + 40, len(source) if end < 0 else end)]
            seen = "".join(sign if sign.isprintable() else "·" for sign in excerpt)
            message = f"line {self.line}, column {self.column}: {message}\n  {seen}\n  {' ' * (at - left)}^"
        super().__init__(message)


def near(word: str, names: Iterable[str]) -> str:
    """The name that is most like a word, as a question that ends a sentence; empty if none is."""
    folded: dict[str, str] = {}
    for name in sorted(names, key=lambda one: (abs(len(one) - len(word)), one))[:COMPARED]:
        folded.setdefault(name.casefold(), name)
    found = difflib.get_close_matches(word.casefold(), folded, n=1)
    return f"; did you mean {quoted(folded[found[0]])}?" if found else ""


def parse(source: str) -> Segment:
    """Read a segment; names of products, attributes and segments are looked up when it is compiled.

    Raises
    ------
    LanguageError
        A ValueError with line and column, for any text that is not of the grammar, too long, or too deeply nested.

    Examples
    --------
    >>> canonical(parse("Ordered since 2024-01-01 or (bought 'it''s' and not (are in the top 20 percent by orders))"))
    "customers who ordered since 2024-01-01 or bought product 'it''s' and are not in the top 20% by orders"
    >>> parse("customers who ordered at laest 3 times")
    Traceback (most recent call last):
    customerlab.analysis.language.grammar.LanguageError: line 1, column 26: expected 'least' or 'most', found 'laest'; \
did you mean 'least'?
      customers who ordered at laest 3 times
                               ^
    """
    if len(source) > LONGEST:
        raise LanguageError(f"the text has {len(source):,} signs; expected at most {LONGEST:,}")
    segment = _Parser(source).segment()
    if len(canonical(segment)) > LONGEST:
        raise LanguageError(f"the text has more than {LONGEST:,} signs in its canonical form; shorten it")
    return segment


class _Token(NamedTuple):
    """A word, sign, name, number or date as it stands, and where; `word` is a word or sign in small letters."""

    kind: str
    raw: str
    at: int

    @property
    def word(self) -> str:
        return self.raw.lower() if self.kind in ("word", "sign") else ""


def _tokens(source: str) -> list[_Token]:
    """The tokens of a text, with one of the kind `end` behind them."""
    tokens, at = [], 0
    while (at := len(source) - len(source[at:].lstrip())) < len(source):
        found = TOKEN.match(source, at)
        if found is None:
            said = "a quotation mark without its end" if source[at] in "'\"" else f"{source[at]!r}"
            raise LanguageError(f"found {said}; expected words, numbers, dates or names in quotes", source, at)
        tokens.append(_Token(str(found.lastgroup), found[0], at))
        at = found.end()
    return [*tokens, _Token("end", "", len(source))]


class _Parser:
    """One pass over a text. A fault is shown at the furthest place reached, with all that could stand there."""

    def __init__(self, source: str) -> None:
        self.source, self.tokens = source, _tokens(source)
        self.place = self.depth = self.count = self.furthest = 0
        self.wanted: list[str] = []

    def ahead(self, number: int = 0) -> _Token:
        return self.tokens[min(self.place + number, len(self.tokens) - 1)]

    def want(self, what: str, place: int) -> None:
        """Remember what could have stood at a place."""
        if place > self.furthest:
            self.furthest, self.wanted = place, []
        if place == self.furthest and what not in self.wanted:
            self.wanted.append(what)

    def take(self, *phrases: str) -> str:
        """The first of the phrases that stands here, passed over; empty if none does."""
        for phrase in phrases:
            words = phrase.split()
            matched = 0
            while matched < len(words) and self.ahead(matched).word == words[matched]:
                matched += 1
            if matched == len(words):
                self.place += matched
                return phrase
            self.want(quoted(" ".join(words[matched:])), self.place + matched)
        return ""

    def need(self, *phrases: str) -> str:
        return self.take(*phrases) or self.fail()

    def token(self, kind: str, what: str) -> _Token:
        """The token of a kind that must stand here, passed over."""
        if self.ahead().kind != kind:
            self.want(what, self.place)
            self.fail()
        self.place += 1
        return self.tokens[self.place - 1]

    def fail(self) -> NoReturn:
        """Say what was expected at the furthest place."""
        token, wanted = self.tokens[self.furthest], self.wanted
        found = "the end" if token.kind == "end" else quoted(token.raw[:60])
        said = " or ".join(filter(None, [", ".join(wanted[:-1]), wanted[-1]]))
        phrases = {form for what in wanted if what[0] == "'" for form in (what[1:-1], what[1:-1].split()[0])}
        raise LanguageError(f"expected {said}, found {found}{near(token.raw[:60], phrases)}", self.source, token.at)

    def check(self, right: bool, expected: str, token: _Token) -> None:
        if not right:
            raise LanguageError(f"expected {expected}, found {quoted(token.raw[:60])}", self.source, token.at)

    # the whole, and its parts

    def segment(self) -> Segment:
        self.take("customers")
        condition, gross = self.any_of(), False
        if self.take(","):
            gross = self.need("net of returns", "gross of returns").startswith("gross")
        self.token("end", "the end")
        return Segment(condition, gross and of_revenue(condition), self.source)

    def any_of(self) -> Node:
        return self.chain(AnyOf, "or", self.all_of)

    def all_of(self) -> Node:
        return self.chain(AllOf, "and", self.part)

    def chain(self, kind: type[AllOf] | type[AnyOf], word: str, part: Callable[[], Node]) -> Node:
        """Parts with a word between them; those of a bracket of the same kind are parts of the whole."""
        parts = [part()]
        while self.take(word):
            parts.append(part())
        flat = [inner for one in parts for inner in (one.parts if isinstance(one, kind) else (one,))]
        return kind(tuple(flat)) if len(flat) > 1 else flat[0]

    def part(self) -> Node:
        self.take("who")
        start = self.ahead()
        opened = self.take("not", "(")
        if not opened:
            return self.condition()
        self.depth += 1
        self.check(self.depth <= DEEPEST, f"brackets and nots nested at most {DEEPEST} deep", start)
        # the bracket behind a not is no further level: canonical texts have one there
        if opened == "(" or self.take("("):
            found = self.any_of()
            self.need(")")
        else:
            found = self.part()
        self.depth -= 1
        return found if opened == "(" else Not(found)

    def condition(self) -> Node:
        """One condition, in the first of all forms whose words stand here."""
        start = self.place
        self.count += 1
        self.check(self.count <= MOST, f"at most {MOST} conditions", self.ahead())
        for kind, form in ORDER:
            values: list[Any] = []
            for part in form.split():
                if part[0] == "<":
                    values.append(getattr(self, f"slot_{part[1:-1]}")())
                elif not self.take(part):
                    self.place = start
                    break
            else:
                negated = form.startswith(NEGATIONS) or " is not " in form
                return Not(Condition(kind, tuple(values))) if negated else Condition(kind, tuple(values))
        self.fail()

    # what stands in slots

    def slot_count(self) -> Compare:
        """A number of times; at least once where none stands here."""
        found = self.compare(self.whole)
        if found:
            self.need("times", "time")
        return found or ONCE

    def slot_amount(self) -> Compare:
        return self.compare(self.amount, needed=True) or self.fail()

    def slot_period(self) -> Period | None:
        """A period, or None."""
        if self.take("in the last", "within the last", "in the past"):
            return self.relative()
        if self.take("since"):
            return Dates(self.day(), None)
        if self.take("before"):
            return Dates(None, self.day() - timedelta(days=1))
        if self.ahead(1).kind == "date" and self.take("between"):
            first = self.day()
            self.need("and")
            start, last = self.ahead(), self.day()
            self.check(first <= last, "the earlier day first", start)
            return Dates(first, last)
        return None

    def slot_when(self) -> Period:
        """A period that is needed, and may have ended some time ago."""
        if found := self.slot_period():
            return found
        self.need("more than")
        ago = self.relative(ago=True)
        self.need("ago")
        return ago

    def slot_product(self) -> Name:
        return self.name("a product in quotes")

    def slot_category(self) -> Name:
        self.take("category")
        return self.name("a category in quotes")

    def slot_segment(self) -> Name:
        return self.name("a segment in quotes")

    def slot_of(self) -> Name | None:
        return self.name("a segmentation in quotes") if self.take("of") else None

    def slot_end(self) -> str:
        return self.need("top", "bottom")

    def slot_measure(self) -> str:
        return self.need(*MEASURES)

    def slot_share(self) -> Decimal:
        start, share = self.ahead(), self.amount()
        self.check(0 < share <= 100, "a percentage above 0, up to 100", start)
        self.need("%", "percent")
        return share

    def slot_attribute(self) -> Name:
        kind = "word" if self.ahead().kind == "word" else "name"
        return self.name("the name of an attribute", kind)

    def slot_test(self) -> Compare | OneOf | Period | bool | None:
        """What an attribute is."""
        if self.take("missing"):
            return None
        if found := self.take("yes", "no"):
            return found == "yes"
        if self.take("one of"):
            self.need("(")
            values = [self.value()]
            while self.take(","):
                values.append(self.value())
            self.need(")")
            return OneOf(tuple(values))
        ago = self.ahead(3).word.removesuffix("s") in UNITS  # more than 3 days, not more than 3
        if period := self.slot_when() if ago else self.slot_period():
            return period
        compared = self.compare(self.value, needed=True) or self.fail()
        return OneOf((compared.value,)) if compared.sign == "=" else compared

    # comparisons and values

    def compare(self, value: Callable[[], Value], *, needed: bool = False) -> Compare | None:
        """A comparison; a value alone is compared exactly. None if there is none and none is needed."""
        if sign := self.take(*OPERATORS):
            return Compare(OPERATORS[sign], value())
        if self.ahead(1).kind != "date" and self.take("between"):
            low = value()
            self.need("and")
            start, high = self.ahead(), value()
            texts = [isinstance(one, str) for one in (low, high)]
            self.check(all(texts) or (not any(texts) and low <= high), "the smaller value first", start)  # type: ignore[operator]
            return Compare("between", low, high)
        return Compare("=", value()) if needed or self.ahead().kind == "number" else None

    def number(self) -> Decimal:
        token = self.token("number", "a number")
        digits = len(token.raw.strip("-0").replace(".", ""))
        self.check(len(token.raw) <= 2 * DIGITS and digits <= DIGITS, f"a number of at most {DIGITS} digits", token)
        return Decimal(token.raw).normalize() + 0  # no zeros at the end, no minus before zero

    def whole(self) -> int:
        token, value = self.ahead(), self.number()
        self.check(value == int(value) and 0 <= value <= LARGEST, f"a whole number from 0 to {LARGEST:,}", token)
        return int(value)

    def amount(self) -> Decimal:
        token, value = self.ahead(), self.number()
        right = abs(value) <= LARGEST and value == round(value, 4)
        self.check(right, f"an amount of at most four decimals, up to {LARGEST:,}", token)
        return value

    def name(self, what: str, kind: str = "name") -> Name:
        token = self.token(kind, what)
        mark = token.raw[0]
        return Name(token.raw[1:-1].replace(mark * 2, mark) if kind == "name" else token.raw, token.at)

    def value(self) -> Value:
        return self.number() if self.ahead().kind == "number" else self.name("a number or a text in quotes")

    def day(self) -> date:
        token = self.token("date", "a date such as 2024-01-31")
        try:
            found = date.fromisoformat(token.raw)
        except ValueError:
            found = date.max
        self.check(FIRST_DAY <= found <= LAST_DAY, f"a day of the calendar from {FIRST_DAY} to {LAST_DAY}", token)
        return found

    def relative(self, *, ago: bool = False) -> Relative:
        token, number = self.ahead(), self.whole()
        unit = self.need(*(form for unit in UNITS for form in (f"{unit}s", unit))).removesuffix("s")
        self.check(1 <= number <= UNITS[unit], f"1 to {UNITS[unit]:,} {unit}s", token)
        return Relative(number, unit, ago)
