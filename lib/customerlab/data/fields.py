"""Values of a catalogue's entry as they are read: of the right kind, or an error that names entry and key."""

from typing import Any

from customerlab.errors import DataError, shown


def unfit(value: Any, where: str, expected: str) -> DataError:
    """The error for a value of another kind than `expected`."""
    return DataError(f"found {shown(value)}", where=where, expected=expected)


def text(raw: dict[str, Any], key: str, where: str) -> str:
    """A text; a whole number counts as one, because names such as 2024 are written like that."""
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise unfit(value, f"{where}, {key}", "a text, in quotes where it looks like something else")
    return str(value)


def optional(raw: dict[str, Any], key: str, where: str) -> str | None:
    """A text, or None where there is none."""
    return None if raw.get(key) in (None, "") else text(raw, key, where)


def listed(raw: dict[str, Any], key: str, where: str, of: str) -> list[Any]:
    """A list, which may be empty; messages say what it is a list `of`."""
    value = raw.get(key)
    if value is not None and not isinstance(value, list):
        one = f"{value}" if isinstance(value, str | int) and not isinstance(value, bool) else " … "
        raise unfit(value, f"{where}, {key}", f"a list of {of}: `{key}: [{one}]`")
    return value or []


def names(raw: dict[str, Any], key: str, where: str) -> list[str]:
    """The names of columns in a list."""
    found = listed(raw, key, where, "columns of the file")
    return [text({str(place): name}, str(place), f"{where}, {key}, item") for place, name in enumerate(found, 1)]


def items(raw: Any, where: str, key: str) -> list[tuple[str, Any]]:
    """The entries of a mapping that has some."""
    if not isinstance(raw, dict) or not raw:
        like = {"files": f"sales: {raw if isinstance(raw, str) and raw else 'sales.csv'}"}.get(key)
        raise unfit(
            raw, f"{where}, {key}", "a mapping with at least one entry" + (f": `{key}: {{{like}}}`" if like else "")
        )
    return list(raw.items())
