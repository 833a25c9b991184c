"""What a run does not have: tables, columns of them, artefacts; and how that is told, once and in an owner's words."""

from collections.abc import Collection, Iterable
from pathlib import Path

from customerlab.data import fetch
from customerlab.data.catalog import DataSet
from customerlab.data.tables import ATTRIBUTES, TABLES, lacks


def unmapped(data_set: DataSet, table: str, needs: Collection[str] = ()) -> str:
    """Why a data set cannot serve as a table with the optional columns that are needed, as a clause; empty if it can.

    What is made from another table is lacking because that one is.
    """
    columns = {
        name: [*table_map.columns, *[ATTRIBUTES] * bool(table_map.attributes)]
        for name, table_map in data_set.tables.items()
    }
    origin = TABLES[table].made_from or table
    return lacks(data_set.name, columns, table if origin in columns else origin, needs)


def why_lacking(root: Path, data_set: DataSet, table: str, needs: Collection[str] = ()) -> str:
    """Why a run cannot have a table, as a clause; empty where it can."""
    if why := unmapped(data_set, table, needs):
        return why
    for source in data_set.sources_of(table):
        if not fetch.obtainable(root, source):
            paths = " or ".join(form.path for form in source.forms)
            return f"the file {paths} of the data set {data_set.name} is not on this machine, and has no address"
    return ""


def sentences(steps: Iterable[tuple[str, str, Iterable[tuple[str, str]]]]) -> list[str]:
    """One sentence for each thing that is lacking: what it is, and which notebooks are left out or do without.

    `steps` are names of notebooks, each with why it is left out (empty where it is not), and what it does without, with
    the reasons.

    Examples
    --------
    >>> why = "the data set s has no orders"
    >>> sentences([("01_a", why, []), ("02_b", why, []), ("05_c", "", [("without orders", why), ("without x", why)])])
    ['The data set s has no orders: 01_a and 02_b are left out; 05_c runs without orders and x.']
    """
    found: dict[str, dict[str, list[str]]] = {}
    for name, left_out, without in steps:
        for what, why in [("", left_out)] if left_out else without:
            found.setdefault(why, {}).setdefault(name, []).append(what)
    said = []
    for why, whose in found.items():
        alike: dict[str, list[str]] = {}  # notebooks of one fate are named together
        for name, fate in whose.items():
            alike.setdefault(_listed(fate), []).append(name)
        fates = [f"{_listed(names)} {_fate(what, len(names))}" for what, names in alike.items()]
        said.append(f"{why[0].upper()}{why[1:]}: {'; '.join(fates)}.")
    return said


def _fate(what: str, number: int) -> str:
    if what:
        return f"{'runs' if number == 1 else 'run'} {what}"
    return f"{'is' if number == 1 else 'are'} left out"


def _listed(words: list[str]) -> str:
    """Words as a list in a sentence; of several that begin with "without", the first says it for all.

    Examples
    --------
    >>> _listed(["01_eda", "02_rfm", "03_clustering"]), _listed(["without orders", "without returns"])
    ('01_eda, 02_rfm and 03_clustering', 'without orders and returns')
    """
    first, *others = words
    others = [word.removeprefix("without ") if first.startswith("without ") else word for word in others]
    return f"{', '.join([first, *others[:-1]])} and {others[-1]}" if others else first
