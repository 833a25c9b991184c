"""Objects as text and back: dataclasses of numbers, texts, arrays and tables as JSON, which loading runs no code of.

Numbers come back to the last digit. An object is named by its class, so that one whose class has moved is not known any
more: it is made again, as any artefact is when code has changed.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd


def to_json(value: Any) -> str:
    """A value as JSON, the same text for the same value.

    It may be a dataclass, mapping, list, tuple, array, DataFrame, text, number or None, or of such; else a TypeError.
    """
    return json.dumps(_plain(value), ensure_ascii=False)


def from_json(text: str) -> Any:
    """The value that `to_json` wrote, lists as tuples; a ValueError for another text, or a class that is not known.

    Examples
    --------
    >>> from_json(to_json({"net": True, "cuts": [1.5, 2], "centre": np.array([0.1, 0.2])}))
    {'net': True, 'cuts': (1.5, 2), 'centre': array([0.1, 0.2])}
    """
    try:
        return _made(json.loads(text))
    except (AttributeError, ImportError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"what was saved is not what this customerlab reads: {error}") from None


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        kind = type(value)
        own = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"class": f"{kind.__module__}:{kind.__name__}"} | own
    if isinstance(value, np.ndarray):
        return {"array": str(value.dtype), "shape": value.shape, "values": value.ravel().tolist()}
    if isinstance(value, pd.DataFrame):
        return {"table": {name: column.tolist() for name, column in value.items()}}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _made(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_made, value))
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return np.array(value["values"], dtype=value["array"]).reshape(value["shape"])
    if "table" in value:
        return pd.DataFrame(value["table"])
    own = {name: _made(item) for name, item in value.items() if name != "class"}
    return _class(value["class"])(**own) if "class" in value else own


def _class(name: str) -> type:
    """A dataclass of this package, or of a module that is loaded."""
    home, _, kind = name.partition(":")
    module = import_module(home) if home.startswith("customerlab.") else sys.modules[home]
    found = getattr(module, kind)
    if not (isinstance(found, type) and is_dataclass(found)):
        raise TypeError(f"{name} is no class of such objects")
    return found
