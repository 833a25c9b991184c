"""What a run is going to do: which notebooks, with which parameters, from which data, and what has changed since."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from customerlab.data import fetch
from customerlab.data.catalog import Catalog, load_catalog, unknown_data_set
from customerlab.data.fingerprint import code_digest, reached, table_fingerprint
from customerlab.data.project import file_digest, read_sealed, text_digest
from customerlab.data.tables import RARE, SPOKEN, TABLES
from customerlab.data.yaml_files import load_yaml, parse_yaml, suggest
from customerlab.errors import CustomerlabError, ParameterError, shown
from customerlab.workbench.lacking import sentences, unmapped, why_lacking
from customerlab.workbench.notebook import OWN, Notebook, read_notebooks
from customerlab.workbench.parameters import RENAMED, Parameter
from customerlab.workbench.publish import record_of
from customerlab.workbench.scratch import FOLDER, scratch_name

# A letter first: a name such as 2024_06 is a number in YAML.
RUN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def check_run_name(name: str, where: str = "parameter run") -> str:
    """Return a run's name if it can name a file and a folder, or raise."""
    if not RUN_NAME.fullmatch(name):
        raise ParameterError(
            f"{shown(name)} cannot name a run", where=where,
            expected="letters, digits, _ and -, at most 64, and the first a letter",
        )  # fmt: skip
    return name


def source_of(table: str, run: str, parameters: dict[str, Any]) -> str:
    """The catalogue entry that a table of a run comes from.

    A parameter with the table's name decides where it is not empty; else `data`; else the run's own name.

    Examples
    --------
    >>> source_of("ratings", "my_shop", {"data": "", "ratings": "stars"})
    'stars'
    >>> source_of("transactions", "my_shop", {"data": ""})
    'my_shop'
    """
    return str(parameters.get(table) or parameters.get("data") or run)


AS_OF = "as_of.json"  # the day that a run was retrained to; it holds while the params file says what it said then

MEASURED = ("experiment", "ratings")
"""The tables that can be measured in another shop, and say nothing of this one then."""


def whose(catalog: Catalog, table: str, run: str, parameters: dict[str, Any]) -> str:
    """A sentence that says whose data a table holds; empty where they are those of the run's own shop.

    The shop is that of the entry that the orders come from; other entries are its own where their key `shop` says so.
    """
    own, other = (catalog.get(source_of(name, run, parameters)) for name in ("transactions", table))
    if other is None or other.shop == (own.shop if own else run):
        return ""
    return f"These data are not this shop's: they were measured in {other.title}."


@dataclass(frozen=True)
class Step:
    """One notebook in a run."""

    notebook: Notebook
    parameters: dict[str, Any]  # the resolved parameters, those that the notebook declares
    sources: dict[str, str]  # the tables that it opens and the catalogue entries that they come from
    # the artefacts that it names and reads: optional ones only where a notebook of the run makes them
    loads: tuple[str, ...] = ()
    # the artefacts that it makes: those that it names and, where it is opaque, those that it last made
    saves: tuple[str, ...] = ()
    left_out: str = ""  # why the notebook is not part of the run; empty where it is
    # what it does without, or has in place of what it would rather have, such as "without returns", and why
    without: tuple[tuple[str, str], ...] = ()

    @property
    def own(self) -> bool:
        """Whether it is one of the project's own notebooks, and no guest."""
        return self.name in OWN

    @property
    def name(self) -> str:
        """The notebook's name."""
        return self.notebook.name

    @property
    def notes(self) -> tuple[str, ...]:
        """What it does without, and why, as clauses."""
        return tuple(f"{what}: {why}" for what, why in self.without)


@dataclass(frozen=True)
class Plan:
    """A run as it is meant."""

    root: Path
    run: str
    steps: list[Step] = field(default_factory=list)  # in order
    # the catalogue entries that the run has for all canonical tables, whether or not they are there
    sources: dict[str, str] = field(default_factory=dict)
    # the notebooks that cannot be executed, by their names, and what is wrong with each
    faults: dict[str, CustomerlabError] = field(default_factory=dict)
    # the parameters that were given other values than the run's own: these values, and the run's
    scratch: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The run's own folder, `outputs/<run>`."""
        return self.root / "outputs" / self.run

    @property
    def folder(self) -> Path:
        """Where results go: the run's own folder, or one aside where parameters were given other values."""
        return self.home / FOLDER / self.values if self.scratch else self.home

    @property
    def values(self) -> str:
        """The values of parameters that are not the run's own, as the name of their folder; empty where all are."""
        return scratch_name({name: value for name, (value, _) in self.scratch.items()}) if self.scratch else ""

    @property
    def label(self) -> str:
        """The run's name and, where some are not its own, the parameters' values."""
        return f"{self.run} ({self.values})" if self.scratch else self.run

    @property
    def place(self) -> str:
        """The folder of its results as messages name it."""
        return self.folder.relative_to(self.root).as_posix()

    @property
    def included(self) -> list[Step]:
        """The steps that are part of the run."""
        return [step for step in self.steps if not step.left_out]

    @property
    def tables(self) -> dict[str, str]:
        """All tables that the steps open, with the catalogue entries that they come from."""
        return {table: source for step in self.included for table, source in step.sources.items()}

    @property
    def engine(self) -> str:
        """The engine that the tables are opened in."""
        steps = sorted(self.steps, key=lambda step: step.name not in OWN)
        return next((step.parameters["engine"] for step in steps if "engine" in step.parameters), "duckdb://")

    @property
    def in_engine(self) -> dict[str, str]:
        """Those of the tables that live in the engine, which has to be asked whether they have changed."""
        catalog = load_catalog(self.root)
        return {t: s for t, s in self.tables.items() if catalog[s].sources_of(t)[0].table}

    @property
    def lacking(self) -> list[str]:
        """What the run does not have, each once, with what becomes of its notebooks."""
        return sentences([(step.name, step.left_out, step.without) for step in self.steps])

    def step(self, name: str) -> Step:
        """The step of a notebook, by its name or its number."""
        for step in self.steps:
            if name in (step.name, step.name.partition("_")[0]):
                return step
        for notebook, error in self.faults.items():
            if name in (notebook, notebook.partition("_")[0]):
                raise error
        raise ParameterError(
            f"no notebook is called {shown(name)}", where="notebooks/",
            expected=suggest(name, [s.name for s in self.steps]),
        )  # fmt: skip

    @property
    def makers(self) -> dict[str, str]:
        """The artefacts of the run and the notebooks that make them."""
        return {artifact: step.name for step in self.included for artifact in step.saves}

    def whose(self, step: Step) -> dict[str, str]:
        """The tables of a step that hold another shop's data, and the sentence that says whose."""
        catalog = load_catalog(self.root)
        said = {table: whose(catalog, table, self.run, step.parameters) for table in MEASURED if table in step.sources}
        return {table: sentence for table, sentence in said.items() if sentence}

    def fingerprint(self, step: Step) -> str:
        """What a step's results depend on: code, parameters, data, the artefacts there are, and the locked packages."""
        lock = self.root / "requirements.lock"
        return text_digest(
            step.notebook.normal_code, code_digest(reached(step.notebook.imports)),
            json.dumps([step.parameters, sorted(step.loads), self.whose(step)], sort_keys=True),
            *[self.table_state(table) for table in sorted(step.sources)], file_digest(lock) if lock.is_file() else "",
        )  # fmt: skip

    def table_state(self, table: str, source: str | None = None) -> str:
        """What a canonical table depends on: its files, its part of the catalogue, the code that prepares it.

        `source` is the catalogue entry; by default the one that the run has for this table.
        """
        data_set = load_catalog(self.root)[source or self.tables[table]]
        sources = data_set.sources_of(table)
        if sources[0].table:  # what the engine said when it was last asked, which is when tables are prepared
            report = read_sealed(self.folder / "tables" / f"{table}.json")
            return str((report or {}).get("fingerprint", "not asked yet"))
        found = [fetch.locate(self.root, source) for source in sources]
        cache = fetch.digests(self.root)
        digests = [d for at in found for d in (map(cache.digest, at[1]) if at else ["not on this machine"])]
        return table_fingerprint(data_set, table, digests)


def run_names(root: Path) -> list[str]:
    """The runs that have a params file."""
    return sorted(path.stem for path in (root / "params").glob("*.yml"))


def make_plan(root: Path, run: str, overrides: dict[str, str] | None = None) -> Plan:
    """Resolve the parameters of a run and decide which notebooks are part of it.

    `overrides` are values of the command line, as text. Where one is not the run's own, results go to a folder aside.

    Raises
    ------
    ParameterError
        For a run or a parameter that does not exist, or a value of the wrong type or out of its range.
    """
    check_run_name(run)
    notebooks, faults = read_notebooks(root)
    guests_first = sorted(notebooks, key=lambda notebook: notebook.name in OWN)  # the project's own decide
    declared = {name: parameter for notebook in guests_first for name, parameter in notebook.parameters.items()}
    own = _values(root, run, {}, declared, unknown=bool(faults))
    values = _values(root, run, overrides, declared, unknown=bool(faults)) if overrides else own
    defaults = {key: parameter.default for key, parameter in declared.items()}
    differing = {key: (values[key], (defaults | own)[key]) for key in overrides or {}}
    catalog = load_catalog(root)
    saved = {artifact for notebook in notebooks for artifact in notebook.saves}
    made: dict[str, str] = {}  # artefacts, and why they are not made where they are not
    steps = []
    for notebook in notebooks:
        try:
            step = _step(root, notebook, run, values, catalog, made)
            if notebook.name not in OWN:
                _check_loads(notebook, saved | set(made))
        except CustomerlabError as error:
            if notebook.name in OWN:
                raise
            faults[notebook.name] = error
            continue
        made |= dict.fromkeys(step.saves, step.left_out)
        steps.append(step)
    sources = {table: source_of(table, run, values) for table in TABLES}
    scratch = {key: pair for key, pair in differing.items() if pair[0] != pair[1]}
    return Plan(root, run, steps, sources, dict(sorted(faults.items())), scratch)


def _values(
    root: Path, run: str, overrides: dict[str, str], known: dict[str, Parameter], *, unknown: bool
) -> dict[str, Any]:
    """The values that a run's file and the command line give, checked; `unknown` keys may be a faulty notebook's."""
    where = f"params/{run}.yml"
    if not (root / where).is_file():
        raise ParameterError(
            f"there is no run called {shown(run)}", where="params/", expected=suggest(run, run_names(root)),
            do=f"create {where} (params/README.md shows how), or choose another run",
        )  # fmt: skip
    given = load_yaml(root / where, where=where)
    for key in given:
        if key not in known and (key in RENAMED or not unknown):
            raise _unknown(key, where, known)
    if given.get("run") != run:
        raise ParameterError(
            f"run: {shown(given['run'])}" if "run" in given else "the key `run` is missing", where=where,
            expected=f"run: {run}, the file's own name", do="a rerun must not read one shop and write into another",
        )  # fmt: skip
    values = {key: known[key].check(value, where) for key, value in given.items() if key in known}
    retrained = read_sealed(root / "outputs" / run / AS_OF)
    if "as_of" in known and retrained and retrained["instead_of"] == values.get("as_of", ""):
        values["as_of"] = known["as_of"].check(retrained["as_of"], f"outputs/{run}/{AS_OF}")
    for key, text in overrides.items():
        if key not in known:
            raise _unknown(key, f"-p {shown(key)}", known)
        if key in ("run", "data", *TABLES):
            raise ParameterError(
                f"{key} is not to be overridden: a rerun must not read one shop and write into another",
                where=f"-p {key}", do="choose the run with --run, or write a params file for another shop",
            )  # fmt: skip
        values[key] = known[key].check(_from_text(text, known[key].kind), f"-p {key}")
    return values


def _unknown(key: str, where: str, known: dict[str, Parameter]) -> ParameterError:
    """The error for a parameter that there is not, or not any more."""
    if key in RENAMED:
        return ParameterError(f"the parameter {key} has been renamed", where=where, expected=RENAMED[key])
    return ParameterError(f"no notebook has a parameter {shown(key)}", where=where, expected=suggest(key, known))


def _from_text(text: str, kind: str) -> Any:
    if kind == "str":
        return text
    try:
        return parse_yaml(text, where="-p")
    except CustomerlabError:
        return text  # which is then refused as what it is


def _check_loads(notebook: Notebook, saved: set[str]) -> None:
    """Raise where a notebook cannot do without an artefact that no notebook at all makes."""
    for artifact, optional in notebook.loads.items():
        if artifact not in saved and not optional and not notebook.opaque:
            raise ParameterError(
                f"no notebook saves {shown(artifact)}", where=f'notebooks/{notebook.path.name}, lab.load("{artifact}")',
                expected=suggest(artifact, sorted(saved)), do="fix the name, or save it in a notebook with a lower number",
            )  # fmt: skip


def _step(
    root: Path, notebook: Notebook, run: str, values: dict[str, Any], catalog: Catalog, made: dict[str, str]
) -> Step:
    where = f"params/{run}.yml, for {notebook.name}"
    parameters = {
        name: p.check(values[name], where) if name in values else p.default for name, p in notebook.parameters.items()
    }
    sources: dict[str, str] = {}
    left_out = ""
    without: dict[str, str] = {}
    stand_ins = notebook.stand_ins
    for table, optional in sorted(notebook.tables.items(), key=lambda pair: len(stand_ins.get(pair[0], ()))):
        if table not in TABLES:
            raise CustomerlabError(
                f"unknown table {shown(table)}", where=notebook.path.name, expected=suggest(table, TABLES)
            )
        name = _meant(notebook, table, run, parameters, values, catalog)
        data_set, needs, spoken = catalog[name], notebook.needs.get(table, ()), SPOKEN[table]
        lacking, firsts = why_lacking(root, data_set, table, needs), stand_ins.get(table, ())
        if firsts:
            why = max(without.pop(f"without {SPOKEN[first]}", "") for first in firsts)
            there = [first for first in firsts if first in data_set.tables]
            if there:  # maybe not on this machine, which its preparation says
                sources[there[0]] = name
                continue
            lacking = lacking and why
            without |= {} if lacking else {f"on the {spoken}": why}
        if lacking and optional:
            without |= {} if needs and RARE.issuperset(needs) else {f"without {spoken}": lacking}
        elif not unmapped(data_set, table, needs) and not (
            lacking and table in MEASURED
        ):  # other shops' may be nowhere
            sources[table] = name
        else:
            left_out = left_out or lacking
    unmade = {name: optional for name, optional in notebook.loads.items() if made.get(name) != ""}
    for name in [name for name in unmade if unmade[name]]:
        without[f"without {name}"] = made.get(name) or f"no notebook of this run makes {name}"
    needed = [name for name in unmade if not unmade[name]]
    if needed and not left_out:
        left_out = f"no earlier notebook of this run makes {', '.join(needed)}"
    loads = tuple(name for name in notebook.loads if name not in unmade)
    record = record_of(root / "outputs" / run, notebook.name) if notebook.opaque else None
    saves = {*notebook.saves, *(record or {"writes": {}})["writes"]} - notebook.unsaved({*notebook.tables} - {*sources})
    return Step(notebook, parameters, sources, loads, tuple(sorted(saves)), left_out, tuple(without.items()))


def _meant(
    notebook: Notebook, table: str, run: str, parameters: dict[str, Any], values: dict[str, Any], catalog: Catalog
) -> str:
    """The catalogue entry of a table, which the notebook's parameters and the run's file name alike."""
    name, meant = source_of(table, run, parameters), source_of(table, run, values)
    if name != meant:
        raise ParameterError(
            f"{table} would be read from {shown(name)}, but run {run!r} reads it from {shown(meant)}", where=notebook.path.name,
            expected="the same data set, so that one shop is never written into another's results",
            do=f"declare the parameters `data` and `{table}` with an empty default",
        )  # fmt: skip
    if name not in catalog:
        key = next((key for key in (table, "data") if parameters.get(key)), "which has no `data:`")
        raise unknown_data_set(name, catalog, where=f"params/{run}.yml, {key}")
    return name
