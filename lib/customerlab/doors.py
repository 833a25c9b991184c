"""What notebooks call says what it expects, where it is given another kind of table.

A function that fails on what it was given fails with pandas' or Ibis' words, about an attribute that the one or the
other lacks. Only then its arguments are held against its annotations; a call that succeeds is not looked at.
"""

import inspect
import re
from collections.abc import Callable
from functools import wraps
from types import FunctionType, ModuleType, UnionType
from typing import Any, get_args

import ibis.expr.types as ir
import pandas as pd

NAMES = {ir.Table: "an Ibis table", pd.DataFrame: "a DataFrame", pd.Series: "a Series", type(None): "None"}


def guard(module: ModuleType) -> ModuleType:
    """Guard the functions that a package offers, each once; the package comes back."""
    for name in getattr(module, "__all__", []):
        function = getattr(module, name)
        if isinstance(function, FunctionType) and not hasattr(function, "__wrapped__"):
            setattr(module, name, guarded(function, f"{module.__name__.rpartition('.')[2]}.{name}"))
    return module


def guarded(function: Callable[..., Any], called: str) -> Callable[..., Any]:
    """A function that fails, where an argument is of another kind than its annotation, with the kind that it expects.

    Examples
    --------
    >>> def mean(customers: pd.DataFrame) -> float:
    ...     return customers.filter(["money"]).to_numpy().mean()
    >>> guarded(mean, "rfm.mean")(pd.Series([1.0], name="money").to_dict())
    Traceback (most recent call last):
    ...
    TypeError: rfm.mean was given a dict as customers; expected a DataFrame
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            said = _wrong(function, args, kwargs, error)
            if said is None:
                raise
            raise TypeError(f"{called} {said}") from error

    return call


def _wrong(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: Exception) -> str | None:
    """What is wrong with the arguments; None if it is none of their kinds and no column."""
    signature = inspect.signature(function)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return None
    for name, value in given.items():
        kinds = _kinds(signature.parameters[name].annotation)
        if kinds and not isinstance(value, kinds):
            expected = " or ".join(_named(kind) for kind in kinds)
            return f"was given {_named(type(value))} as {name}; expected {expected}{_told(function, name)}"
        if isinstance(error, KeyError) and pd.DataFrame in kinds and isinstance(value, pd.DataFrame):
            (column,) = error.args[:1] or ("",)
            if isinstance(column, str) and column.isidentifier() and column not in value.columns:
                return f"found no column {column!r} in {name}{_told(function, name)}"
    return None


def _kinds(annotation: Any) -> tuple[type, ...]:
    """The kinds of an annotation that names a kind of table or a class of the library; none of any other."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    if not all(isinstance(kind, type) and not getattr(kind, "_is_protocol", False) for kind in kinds):
        return ()
    own = [kind for kind in kinds if kind in NAMES or kind.__module__.startswith("customerlab.")]
    return tuple(kinds) if own and own != [type(None)] else ()


def _named(kind: type) -> str:
    return NAMES.get(kind, f"a {kind.__name__}" if kind.__module__ == "builtins" else kind.__name__)


def _told(function: Callable[..., Any], name: str) -> str:
    """What the docstring says of a parameter, in brackets."""
    text = inspect.getdoc(function) or ""
    found = re.search(rf"(?m)^(?:\w+, )*{name}(?:, \w+)* : .*\n((?:    .*\n?)+)", text)
    return f" ({' '.join(found[1].split())})" if found else ""
