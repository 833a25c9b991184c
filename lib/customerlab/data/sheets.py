"""Workbooks: which of their sheets are read, and their cells as they are."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customerlab.data.sources import ALL, Source
from customerlab.errors import DataError, in_brief

if TYPE_CHECKING:
    import pandas as pd


def damaged(path: Path, kind: str, error: Exception) -> DataError:
    """The error for a file that is not whole, or not of its kind."""
    return DataError(
        f"the file is damaged or incomplete, or no {kind} file: {in_brief(error)}",
        where=path.name, expected=f"a {kind} file", do="get the file again, or write it again by the program it is from",
    )  # fmt: skip


def frames(path: Path, source: Source, rows: int | None = None) -> tuple[dict[str, "pd.DataFrame"], list[str]]:
    """The sheets that are read, each as it is, and the names of the others.

    Cells are of all kinds, from the header on, at most `rows` rows of them. The keys are how messages name a sheet: the
    file, and the sheet too where several are read.
    """
    import pandas as pd

    try:
        with pd.ExcelFile(path, engine="openpyxl") as book:
            found = {}
            every = [str(name) for name in book.sheet_names]
            chosen = _chosen(every, path, source)
            for name in chosen:
                most = None if rows is None else rows + source.skip
                cells = pd.read_excel(book, sheet_name=name, header=None, nrows=most, dtype=object, na_filter=False)
                found[f"{path.name}, sheet {name}" if source.sheets else path.name] = cells[source.skip :]
            return found, [name for name in every if name not in chosen]
    except DataError:
        raise
    except Exception as error:  # openpyxl has no error of its own for what is no workbook, or half of one
        raise damaged(path, ".xlsx", error) from None


def names(found: dict[str, "pd.DataFrame"], source: Source) -> dict[str, list[str]]:
    """The names of the columns of sheets: those that the catalogue gives them, else what stands in the first row."""
    if source.header is not None:
        return {place: list(source.header) for place in found}
    return {place: [str(cell) for cell in frame[:1].to_numpy().ravel()] for place, frame in found.items()}


def below(path: Path, source: Source, wanted: list[str]) -> str:
    """The key to write where one of the first 20 rows of a sheet has all wanted columns."""
    for frame in frames(path, replace(source, skip=0), 20)[0].values():
        for number, cells in enumerate(frame.to_numpy().tolist()):
            if set(wanted) <= set(map(str, cells)):
                return f"`skip: {number}`"
    return ""


def _chosen(names: list[str], path: Path, source: Source) -> list[str]:
    """The names of the sheets that the catalogue asks for; a DataError where there is no such sheet, or two."""
    if source.sheet == ALL:
        return names
    chosen = []
    for sheet in source.sheet if isinstance(source.sheet, tuple) else (source.sheet,):
        by_place = names[sheet] if isinstance(sheet, int) and sheet < len(names) else None
        by_name = str(sheet) if str(sheet) in names else None
        if source.sheets and by_place and by_name and by_place != by_name:
            raise DataError(
                f"sheet {sheet} is the name of one sheet and the place of another, {by_place}", where=path.name,
                expected="one sheet", do=f'write `sheet: ["{sheet}"]` for the name, or the names of all sheets',
            )  # fmt: skip
        found = by_place or (by_name if isinstance(sheet, str) or source.sheets else None)
        if found is None:
            raise DataError(
                f"there is no sheet {sheet!r}", where=path.name, expected=f"one of: {', '.join(names)}",
                do="fix `sheet` in data/catalog.yml (its name, or its number from 0)",
            )  # fmt: skip
        chosen.append(found)
    if len(set(chosen)) < len(chosen):
        raise DataError("a sheet is listed twice", where=path.name, do="list each once in `sheet` of data/catalog.yml")
    return chosen


def cell(value: Any, decimal: str) -> str | None:
    """A cell of a workbook as text, as `cast.as_text` writes it; pandas has made whole numbers integers already."""
    if value == "" or value != value:
        return None
    return str(value).replace(".", decimal) if isinstance(value, float) else str(value)
