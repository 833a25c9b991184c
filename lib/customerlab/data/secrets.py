"""Secrets in addresses: named in a text as `${NAME}`, taken from the environment where they are used, shown nowhere.

A parameter or an entry of the catalogue holds the name, and whatever is made of it (plans, notebooks, manifests, pages)
holds the name too. Who connects or downloads calls `expanded`; who says something of it calls `masked`.
"""

import html
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

from customerlab.errors import CustomerlabError, ParameterError, RunError

NAME = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
LEAST = 6  # signs that a value has at least to be looked for: shorter ones stand in any text

_WORDS = r"pass(?:word|wd|phrase)?|pwd|token|secret|credential|signature|authorization|bearer|jwt|access|api[_.-]?key"
# a user and a password before the host; what follows a colon and is a port up to the next slash is none
_USER = re.compile(r"(://)(?:[^/?#@\s'\"]+|[^/?#@\s'\"]*:(?!\d*(?:[/?#]|$))[^@\s'\"]+)@")
_PASSWORD = re.compile(r"://[^/?#@\s]*:(?!\d*(?:[/?#]|$))([^@\s]+)@")
_SECRET_KEY = re.compile(rf"{_WORDS}|key(?:id)?$|(?:^|[^a-z])(?:pw|sas|sig|auth)(?:$|[^a-z])", re.IGNORECASE)
_PAIR = re.compile(r"([\w.-]{1,80})=([^\s&;,'\"]+)")
_QUERY = re.compile(r"([?&;])([\w.-]+)=([^\s&;,'\"]+)")
# begins with the word, not with the name that it stands in: that would be tried for each sign of a text forty times
_SAID = re.compile(rf"((?:{_WORDS})[\w.-]{{0,40}})(=['\"]?|['\"]: *['\"])[^\s&;,'\"]+", re.IGNORECASE)
# what services hand out looks like nothing else
_HANDED_OUT = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_\w{30,}|github_pat_\w{30,}|eyJ[\w-]{10,}\.[\w-]{10,}|xox[abp]-\w+|dapi[0-9a-f]{30,}"
)

_names: set[str] = set()  # the variables that addresses of this process name


def check_literal(text: str, where: str, *, kind: type[CustomerlabError] = ParameterError) -> None:
    """Raise `kind` where an address has a secret in it, and remember the variables `${NAME}` that it names.

    Examples
    --------
    >>> check_literal("postgres://shop:${SHOP_PASSWORD}@host/db", "params/shop.yml")
    """
    _names.update(NAME.findall(text))
    bare = NAME.sub("", text)
    malformed = "$" in bare and re.search(r"\$\{|\$[A-Z_]+", bare)
    if malformed:
        raise kind(
            "a variable of the environment is not named as it has to be", where=where,
            expected="${NAME}, of letters, digits and _", do="write it so, with both braces",
        )  # fmt: skip
    if any(_has_secret(form) for form in (bare, unquote(bare), unquote(unquote(bare)))):
        raise kind(
            "the address has a secret in it, which would stand in notebooks and pages", where=where,
            expected="the name of a variable of the environment, such as ${SHOP_DB}, for the address or the secret",
            do="put it into the environment (export SHOP_DB=…) and write ${SHOP_DB} in its place; change a secret that was shared",
        )  # fmt: skip


def _has_secret(text: str) -> bool:
    web = re.match(r"https?://[^/?#@]+@", text)  # a token may stand in the place of the user
    pairs = any(_SECRET_KEY.search(name) for name, _ in _PAIR.findall(text))
    return bool(web or pairs or _PASSWORD.search(text) or _HANDED_OUT.search(text))


def expanded(text: str, where: str) -> str:
    """An address with the values of the variables that it names; a ParameterError where one is not set, or empty."""
    _names.update(NAME.findall(text))
    for name in NAME.findall(text):
        if not os.environ.get(name):
            raise ParameterError(
                f"the environment has no variable {name}", where=where, expected=f"{name}, which the address names",
                do=f"set it before the command: export {name}=…",
            )  # fmt: skip
    return NAME.sub(lambda found: os.environ[found[1]], text)


def _values() -> list[tuple[str, str]]:
    """What may be shown nowhere, in every way that it is written, the longest first; and the variable it is from."""
    found: set[tuple[str, str]] = set()
    for name in _names:
        value = os.environ.get(name, "")
        parts = [value, *_PASSWORD.findall(value), *(v for key, v in _PAIR.findall(value) if _SECRET_KEY.search(key))]
        for part in parts:
            for plain in (part, unquote(part)):
                written = (plain, quote(plain, safe=""), html.escape(plain), json.dumps(plain)[1:-1], repr(plain)[1:-1])
                found |= {(form, name) for form in written if len(form) >= LEAST}
    return sorted(found, key=lambda pair: (-len(pair[0]), pair))


def masked(text: str) -> str:
    """A text without the values of the variables that addresses name, and without what looks like a secret in it.

    Examples
    --------
    >>> masked("cannot reach postgres://shop:hunter2@host/db?sslmode=require&token=abc")
    'cannot reach postgres://***@host/db?sslmode=require&token=***'
    """
    for value, _ in _values():
        text = text.replace(value, "***")
    if "://" in text:
        text = _USER.sub(r"\1***@", text)
        text = _QUERY.sub(lambda m: f"{m[1]}{m[2]}=***" if _SECRET_KEY.search(m[2]) else m[0], text)
    return _SAID.sub(r"\1\2***", text)


def check_clean(paths: Iterable[Path]) -> None:
    """Raise where a file to be published holds the value of a variable that an address names.

    The RunError names the file and the variable, never the value.
    """
    values = _values()
    for path in paths if values else ():
        text = path.read_text(encoding="utf-8")
        for value, name in values:
            if value in text:
                raise RunError(
                    f"the value of the variable {name} stands in {path.name}", where="what was to be published",
                    expected="its name alone, as in ${" + name + "}",
                    do="remove it from the notebook's code, and what prints it; change a secret that was shown",
                )  # fmt: skip
