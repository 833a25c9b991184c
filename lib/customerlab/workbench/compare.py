"""Runs side by side on one page: their data, parameters, metrics, findings, segments of customers and figures."""

import os
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
from nbconvert.filters import markdown2html

from customerlab.data.project import file_digest, read_json
from customerlab.errors import RunError
from customerlab.workbench.display import as_html, written
from customerlab.workbench.layout import findings, headline
from customerlab.workbench.plan import Plan
from customerlab.workbench.publish import records
from customerlab.workbench.site import cleaned, framed, read, recorded, was_written, write_page


@dataclass(frozen=True)
class Results:
    """What a run has left, of some notebooks."""

    plan: Plan
    chosen: frozenset[str]

    @cached_property
    def records(self) -> dict[str, dict[str, Any]]:
        """What is on record of each notebook."""
        return {name: record for name, record in records(self.plan.folder).items() if name in self.chosen}

    @cached_property
    def notebooks(self) -> dict[str, nbformat.NotebookNode]:
        """The executed notebooks."""
        return {name: read(self.plan, self.plan.step(name)) for name in self.records}

    @property
    def parameters(self) -> dict[tuple[str, str], str]:
        """Each notebook's parameters, but for the run's name."""
        pairs = ((name, record["parameters"].items()) for name, record in self.records.items())
        return {(name, key): str(value) for name, values in pairs for key, value in values if key != "run"}

    @property
    def data(self) -> dict[tuple[str, str], str]:
        """Of each table: rows, days and title."""
        tables = {table: record for entry in self.records.values() for table, record in entry["tables"].items()}
        return {
            (table, what): str(value)
            for table, one in tables.items()
            for what, value in (
                ("shop", one["title"]),
                ("rows", f"{one['rows']:,}"),
                ("days", " to ".join(one.get("days", []))),
            )
        }

    @property
    def metrics(self) -> dict[tuple[str, str], Any]:
        """Each notebook's recorded numbers: a number, or one with the two ends of its interval."""
        kept = read_json(self.plan.folder / "metrics.json") or {}
        return {(name, key): value for name in self.records for key, value in kept.get(name, {}).items()}

    @property
    def smallest_group(self) -> int:
        """How many customers a group has at least whose number is shown."""
        return max((int(record["parameters"].get("smallest_group", 1)) for record in self.records.values()), default=1)

    @property
    def segments(self) -> pd.Series | None:
        """The segment of each customer, where the run has saved them and nothing has changed them since."""
        path = self.plan.folder / "artifacts" / "rfm_segments.parquet"
        wanted = self.records.get("02_rfm", {"writes": {}})["writes"].get("rfm_segments")
        if not path.is_file() or file_digest(path) != wanted:
            return None
        return pd.read_parquet(path, columns=["customer_id", "segment"]).set_index("customer_id")["segment"]

    def figures(self, notebook: str, *, one: bool = False) -> list[dict[str, str]]:
        """A notebook's figures in their order, or the headline figure: `png`, `alt`, `caption`."""
        cells = self.notebooks[notebook].cells
        outputs = [
            output for cell in cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
        ]
        found = headline(cells) if one else None
        outputs = [found[1]] if found else outputs[: 1 if one else None]
        said = [(output.data["image/png"], output.metadata.get("image/png", {})) for output in outputs]
        return [{"png": png, "alt": of.get("alt", ""), "caption": of.get("caption", "")} for png, of in said]


Runs = dict[str, Results]
SIDE_BY_SIDE = 3  # runs that have a column each


def _executed(plan: Plan) -> frozenset[str]:
    """The notebooks of a run whose results are as the run wrote them."""
    found = records(plan.folder)
    return frozenset(s.name for s in plan.included if s.name in found and was_written(plan, s, found[s.name]))


def compare(plans: list[Plan], only: str = "", target: Path | None = None) -> Path:
    """Write the page that compares runs, the first with each of the others.

    Of more than three runs a table has a row each. Of more than three runs, or several notebooks, one figure of each
    notebook is shown.

    Parameters
    ----------
    plans : list of Plan
        Two or more, each executed.
    only : str
        The one notebook that is compared; all that the runs have in common by default.
    target : Path
        The page's file.

    Returns
    -------
    Path
        The page, which needs no network; by default `outputs/A.vs.B.html`, of one notebook
        `outputs/A.vs.B.NN_name.html`.

    Raises
    ------
    RunError
        If the runs have no notebook in common, or there is only one.
    """
    if len({plan.label for plan in plans}) < 2:
        raise RunError(
            "one run cannot be compared", where="customerlab compare", expected="the names of two runs or more"
        )
    there = {plan.label: _executed(plan) for plan in plans}
    if only:
        there = {label: names & {only} for label, names in there.items()}
    common = frozenset.intersection(*there.values())
    if not common:
        has = "; ".join(f"{run}: {', '.join(sorted(names)) or 'none'}" for run, names in there.items())
        raise RunError(
            "the runs have no notebook in common", where=f"outputs/: {has}", expected="a notebook that all runs have executed",
            do=f"make run RUN={min(there, key=lambda run: len(there[run]))}",
        )  # fmt: skip
    runs = {plan.label: Results(plan, common) for plan in plans}
    number, many = count(1), len(runs) > SIDE_BY_SIDE
    target = target or plans[0].root / "outputs" / f"{'.vs.'.join(runs)}{only and '.'}{only}.html"
    write_page(
        target, "compare.html.j2", runs=list(runs), compared=sorted(common),
        links={plan.label: os.path.relpath(plan.folder / "site" / "index.html", target.parent) for plan in plans},
        left_out=sorted(frozenset.union(*there.values()) - common),
        parameters="" if many else _differing(runs, number),
        metrics=_by_run(runs, number) if many else _metrics(runs, number), segments=_segments(runs, number),
        findings=_findings(runs), figures=_figures(runs, one=many or len(common) > 1),
        data=_framed(_beside(runs, "data"), "What the runs have read", number),
    )  # fmt: skip
    return target


def _beside(runs: Runs, what: str) -> pd.DataFrame:
    """One of the mappings of all runs as a table, a column a run."""
    values = pd.DataFrame({name: pd.Series(getattr(results, what), dtype=object) for name, results in runs.items()})
    table = values.rename_axis(["table" if what == "data" else "notebook", "name"]).reset_index()
    return table.assign(name=table["name"].str.replace("_", " ")) if what == "metrics" else table


def _differing(runs: Runs, number: "count[int]") -> str:
    """The parameters that differ, as HTML; empty where none do."""
    table = _beside(runs, "parameters")
    table = table[table[list(runs)].nunique(axis=1, dropna=False) > 1]
    return _framed(table, "Parameters that differ", number) if len(table) else ""


def _metrics(runs: Runs, number: "count[int]") -> str:
    """All recorded numbers, and how far the other runs are from the first, as HTML."""
    table = _beside(runs, "metrics")
    first, *others = runs
    numbers = table.assign(**{run: table[run].map(_point) for run in runs})
    numbers = numbers.assign(**{f"{other} less {first}": numbers[other] - numbers[first] for other in others})
    caption = "What the notebooks have recorded, with intervals in brackets"
    return _recorded(numbers, table[list(runs)], caption, number)


def _by_run(runs: Runs, number: "count[int]") -> str:
    """A row a run: the parameters that differ, and the recorded numbers that do, as HTML."""
    parts = []
    for what in ("parameters", "metrics"):
        table = _beside(runs, what)
        differs = table[list(runs)].map(str).nunique(axis=1, dropna=False) > 1
        parts.append(table[differs].drop(columns="notebook").drop_duplicates("name").set_index("name")[list(runs)].T)
    parameters, metrics = (part.rename(columns=lambda name: name.replace("_", " ")) for part in parts)
    numbers = pd.concat([parameters, metrics.map(_point)], axis=1).reset_index(drop=True)
    caption = "Parameters that differ, and recorded numbers that do, with intervals in brackets; one row per run"
    return _recorded(numbers, metrics.reset_index(drop=True), caption, number)


def _point(value: Any) -> float:
    """A recorded number without its interval."""
    return float("nan") if value is None else float(value[0] if isinstance(value, list) else value)


def _recorded(numbers: pd.DataFrame, full: pd.DataFrame, caption: str, number: "count[int]") -> str:
    """A table of numbers, those of `full` shown with their intervals."""
    floats = [name for name in numbers if pd.api.types.is_float_dtype(numbers[name])]
    shown = written(numbers, {})
    for name in floats:
        shown[name] = numbers[name].map(recorded)
    for name in full.columns:
        shown[name] = full[name].map(recorded)
    return framed(as_html(shown, numbers, caption), next(number))


def _segments(runs: Runs, number: "count[int]") -> list[tuple[str, int, str, str]]:
    """Of the first run and each other: its name, customers of both, those in another segment, and the moves as HTML."""
    first, *others = runs
    compared = []
    for other in others:
        was, now = runs[first].segments, runs[other].segments
        if was is None or now is None:
            continue
        both = pd.concat({first: was, other: now}, axis=1, join="inner")
        moves = both[both[first] != both[other]].value_counts().rename("customers").reset_index()
        moves = moves.sort_values(["customers", first, other], ascending=[False, True, True], ignore_index=True)
        smallest = max(runs[first].smallest_group, runs[other].smallest_group)
        shown = int((moves["customers"] >= smallest).sum())
        if 0 < moves["customers"][shown:].sum() < smallest:
            shown -= 1  # or the total would tell what is hidden
        caption = f"Moves between segments of {smallest} customers or more"
        table = _framed(moves[: max(shown, 0)], caption, number, {"customers": "{:,}"}) if shown > 0 else ""
        moved = int(moves["customers"].sum())
        said = f"fewer than {smallest}" if 0 < moved < smallest else f"{moved:,}"
        compared.append((other, len(both), said, table))
    return compared


def _findings(runs: Runs) -> dict[str, dict[str, str]]:
    """By notebook and run, as HTML, the findings that not all runs have."""
    differing = {}
    for notebook in sorted(next(iter(runs.values())).chosen):
        said = {run: findings(one.notebooks[notebook]) for run, one in runs.items()}
        common = set.intersection(*map(set, said.values()))
        own = {run: [f"- {sentence}" for sentence in found if sentence not in common] for run, found in said.items()}
        if any(own.values()):
            differing[notebook] = {run: cleaned(str(markdown2html("\n".join(found)))) for run, found in own.items()}
    return differing


def _figures(runs: Runs, *, one: bool = False) -> list[tuple[str, int, dict[str, dict[str, str]]]]:
    """Notebook, place and, by run, the figures that are not alike in all runs."""
    differing = []
    for notebook in sorted(next(iter(runs.values())).chosen):
        columns = {run: results.figures(notebook, one=one) for run, results in runs.items()}
        for place in range(max(map(len, columns.values()))):
            row = {run: figures[place] for run, figures in columns.items() if place < len(figures)}
            if len({figure["png"] for figure in row.values()}) > 1 or len(row) < len(runs):
                differing.append((notebook, place + 1, row))
    return differing


def _framed(table: pd.DataFrame, caption: str, number: "count[int]", formats: dict[str, str] | None = None) -> str:
    return framed(as_html(written(table, formats or {}), table, caption), next(number))
