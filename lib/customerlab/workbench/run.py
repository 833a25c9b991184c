"""The Run: a notebook's one door to the data, to what other notebooks made, and to where its own results go."""

import hashlib
import os
import re
from collections.abc import Sequence
from csv import QUOTE_NONNUMERIC
from io import BytesIO
from pathlib import Path
from typing import Any

import ibis.expr.types as ir
import pandas as pd
from IPython.core.getipython import get_ipython

from customerlab.codec import from_json, to_json
from customerlab.data import warehouse
from customerlab.data.catalog import find_data_set, load_catalog
from customerlab.data.engine import DEFAULT, connect, open_table
from customerlab.data.prepare import Prepared, prepare
from customerlab.data.project import file_digest, find_root, private_folder, read_json, write_json, written_aside
from customerlab.data.tables import Attribute
from customerlab.data.yaml_files import load_yaml
from customerlab.errors import RunError
from customerlab.workbench.display import keep_drawings, tell_progress
from customerlab.workbench.lacking import unmapped, why_lacking
from customerlab.workbench.left_out import leave_out
from customerlab.workbench.notebook import Notebook, load_notebooks
from customerlab.workbench.plan import check_run_name, make_plan, source_of, whose
from customerlab.workbench.publish import OPENED, STEP, assemble, digests_of, finish, note_saved
from customerlab.workbench.scratch import FOLDER, begin, scratch_name
from customerlab.workbench.versions import serving, serving_since

COMPUTED = re.compile(r"'*\s*[=+\-@＝＋－＠]|'*[\t\r\n]")  # how a cell begins that a spreadsheet would compute
OBJECT = "customerlab object"  # the only column of an artefact that is no table
STAGING = "CUSTOMERLAB_STAGING"  # the folder that the runner lets a notebook write into, aside from the results


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """A table in which no text begins as a formula does: such a text, or column name, gets an apostrophe before it.

    So does a text of apostrophes and a formula: to go back, take one apostrophe off every text that begins in this way.
    Numbers and dates stay as they are.

    Examples
    --------
    >>> for_spreadsheets(pd.DataFrame({"id": ["=1+1", "'=1", "007", "Anna's"]}))["id"].tolist()
    ["'=1+1", "''=1", '007', "Anna's"]
    """

    def plain(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and COMPUTED.match(value) else value

    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    return table.assign(**{name: table[name].map(plain) for name in texts}).rename(columns=plain)


class Run:
    """One shop's run, seen from one notebook.

    The values that the notebook's parameters have when its Run is made must be such as its parameters cell declares:
    neither papermill, which puts values in, nor Jupyter looks at them.

    Parameters
    ----------
    name : str
        The run: `params/<name>.yml` and `outputs/<name>/`.
    notebook : str
        The notebook's own name, such as ``02_rfm``.
    engine : str
        The Ibis address of the engine that tables are opened in.
    data, **sources : str
        The catalogue entries of all tables, and of single tables by their names, where they are not the one that is
        named like the run.

    Raises
    ------
    ParameterError
        If a parameter has a value of another type, or out of its declared range.

    Examples
    --------
    >>> lab = Run("demo", "01_eda")
    >>> lab.table("products").count().execute() > 0
    True
    """

    def __init__(self, name: str, notebook: str, *, engine: str = DEFAULT, data: str = "", **sources: str) -> None:
        self.name = check_run_name(name)
        self.notebook = notebook
        self.root = find_root()
        self._sources: dict[str, Any] = {"data": data, **sources}
        self._engine = engine
        self._connection: Any = None
        self.lacking: set[str] = set()  # tables that were asked for and are not there, or another in their place
        staged = os.environ.get(STAGING)
        self._step: dict[str, Any] | None = read_json(Path(staged) / STEP) if staged else None  # None in plain Jupyter
        if self._step and (name, notebook) != (self._step["run"], self._step["notebook"]):
            raise RunError(
                f"Run({name!r}, {notebook!r}) in the notebook {self._step['notebook']}", where="the cell that makes the Run",
                expected=f'Run(run, "{self._step["notebook"]}", …), because what it saves is kept under that name',
                do="fix the name",
            )  # fmt: skip
        self.folder = self.root / (self._step["folder"] if self._step else f"outputs/{name}")
        self._check_parameters()
        finish(self.folder)
        leave_out(self.root / "notebooks" / f"{notebook}.ipynb", self.lacking)
        if staged and get_ipython() is not None:
            tell_progress()
            keep_drawings(Path(staged) / "figures", notebook)

    def _check_parameters(self) -> None:
        shell, path = get_ipython(), self.root / "notebooks" / f"{self.notebook}.ipynb"
        if self._step or shell is None or not path.is_file():
            return
        given = {
            name: parameter.check(shell.user_ns[name], f"{self.notebook}, parameters")
            for name, parameter in Notebook(path).parameters.items()
            if name in shell.user_ns
        }
        if (self.root / "params" / f"{self.name}.yml").is_file():
            self._set_aside(given)

    def _set_aside(self, given: dict[str, Any]) -> None:
        """Write into a folder aside where parameters have other values than the run's own."""
        plan = make_plan(self.root, self.name)
        own = next((step.parameters for step in plan.steps if step.name == self.notebook), {})
        other = {name: value for name, value in given.items() if name in own and value != own[name]}
        if not other:
            return
        home, self.folder = self.folder, self.folder / FOLDER / scratch_name(other)
        begin(home, self.folder)
        said = ", ".join(f"{name} = {value!r} (the run's: {own[name]!r})" for name, value in other.items())
        print(f"{said}: what is saved goes to {self.folder.relative_to(self.root)}/")

    def __repr__(self) -> str:
        return f"Run({self.name!r}, {self.notebook!r})"

    def _source(self, table: str) -> str:
        """The catalogue entry of a table: the notebook's parameters and the run's file must mean the same one."""
        where = f"params/{self.name}.yml"
        here = source_of(table, self.name, self._sources)
        if self._step:
            there = str(self._step["sources"].get(table, here))
        else:
            declared = load_yaml(self.root / where, where=where) if (self.root / where).is_file() else {}
            there = source_of(table, self.name, declared)
        if here != there:
            raise RunError(
                f"{table} would be read from {here!r}, but run {self.name!r} reads it from {there!r}",
                where=f"{self.notebook}, parameters cell, against {where}",
                expected="the same data set in both, so that one shop is never written into another's results",
                do=f"set `data` and `{table}` as {where} does, or choose the run that belongs to {here!r}",
            )
        return here

    def _prepare(self, table: str) -> Prepared:
        private_folder(self.folder)
        source = self._source(table)
        prepared = prepare(self.root, self.folder, table, source, engine=self._engine, progress=False)
        self._note("tables", table, source)
        return prepared

    def _note(self, kind: str, name: str, what: str) -> None:
        """Tell the runner what has been read: `tables` with their sources, `artifacts` and `champions` with digests."""
        if STAGING in os.environ:
            path = self._target() / OPENED
            opened = read_json(path) or {"tables": {}, "artifacts": {}, "champions": {}}
            opened[kind][name] = what
            write_json(path, opened)

    def table(
        self, name: str, *, optional: bool = False, needs: Sequence[str] = (), instead_of: str | Sequence[str] = ()
    ) -> ir.Table | None:
        """Open a canonical table as a lazy Ibis table, prepared first where that is due.

        Parameters
        ----------
        name : str
            For example ``transactions``.
        optional : bool
            Return None, instead of an error, where the run's data set has no such table, or its file is missing and
            has no address to download it from.
        needs : sequence of str
            Optional columns without which the table is of no use here, such as ``["product_id"]``: without them it
            counts as lacking.
        instead_of : str or sequence of str
            Other tables, which this one stands in for: return None where the data set has one of these.
        """
        data_set = find_data_set(self.root, self._source(name))
        for first in [instead_of] if isinstance(instead_of, str) else instead_of:
            if first in data_set.tables:
                if why_lacking(self.root, data_set, first):
                    self._prepare(first)  # which says what to do
                self.lacking.add(name)
                return None
        lacking = why_lacking(self.root, data_set, name, needs)
        if optional and lacking:
            self.lacking.add(name)
            return None
        if unmapped(data_set, name, needs) and name in data_set.tables:
            raise RunError(lacking, where=f"{self.notebook}, lab.table({name!r}, …)", do="map them in data/catalog.yml")
        prepared = self._prepare(name)
        self._connection = self._connection or connect(self._engine)
        if prepared.path.suffix == ".json":  # the table stays where it is
            return warehouse.expression(self._connection, find_data_set(self.root, self._source(name)), name)
        return open_table(self._connection, prepared.path)

    def source(self, table: str) -> dict[str, Any]:
        """The report of a prepared table: `title`, `licence`, `currency`, `row_accounting`, `missing` and more."""
        return self._prepare(table).report

    @property
    def currency(self) -> str:
        """The currency of the orders, such as "EUR"; "units of the shop's currency" where none is on record."""
        return find_data_set(self.root, self._source("transactions")).currency or "units of the shop's currency"

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """What the catalogue declares of customers: each with `name`, `kind`, `unit`, `meaning`, `levels`, `sensitive`.

        `profile.typed` gives the table ``customers`` the types that they say.
        """
        tables = find_data_set(self.root, self._source("customers")).tables
        return tables["customers"].attributes if "customers" in tables else ()

    def whose(self, table: str) -> str:
        """Say whose data a table, ``experiment`` or ``ratings``, holds where they are not those of the run's own shop.

        Returns a sentence such as "These data are not this shop's: they were measured in …", for the first line of a
        section, its findings and the front page; empty where the data are the shop's own.

        Examples
        --------
        >>> Run("demo", "05_ab_analysis").whose("experiment")
        ''
        """
        return whose(load_catalog(self.root), table, self.name, self._sources)

    def row_accounting(self, table: str) -> pd.DataFrame:
        """The row accounting of a table: every cleaning step, what it removed and what was left.

        Columns `step`, `rows removed`, `rows left` and, where the table has money, `amount removed`, `amount left` and
        `sales removed` (what of the money removed was above zero).
        """
        steps = pd.DataFrame(self.source(table)["row_accounting"]).drop(columns="step").rename(columns={"why": "step"})
        for column in ("amount_removed", "amount_left", "sales_removed"):
            if column in steps:
                steps[column] = steps[column].astype(float)
        return steps.rename(columns=lambda name: name.replace("_", " "))

    # -- artefacts ------------------------------------------------------------------------------------------------

    def _target(self) -> Path:
        staged = os.environ.get(STAGING)
        return Path(staged) if staged else private_folder(self.folder)

    def _is_made(self, artifact: str) -> bool:
        """Whether an earlier notebook of the run makes an artefact; without a params file, whether it is there."""
        if self._step:
            return artifact in self._step["makers"] and self._step["makers"][artifact] < self.notebook
        if not (self.root / "params" / f"{self.name}.yml").is_file():
            return (self.folder / "artifacts" / f"{artifact}.parquet").is_file()
        steps = make_plan(self.root, self.name).included
        return any(artifact in step.saves for step in steps if step.name < self.notebook)

    def load(self, artifact: str, *, optional: bool = False) -> Any:
        """Read what another notebook of this run saved: a table, or an object as `save` was given it.

        Parameters
        ----------
        artifact : str
            For example ``rfm_segments``.
        optional : bool
            Return None, instead of an error, where no notebook of this run makes it, because the one that would is
            left out.

        Raises
        ------
        RunError
            If that notebook has not run, or what it saved has been changed since; the message names the command.
        """
        if optional and not self._is_made(artifact):
            return None
        finish(self.folder)
        path = self.folder / "artifacts" / f"{artifact}.parquet"
        content = path.read_bytes() if path.is_file() else None
        makers = [notebook for notebook in load_notebooks(self.root) if artifact in notebook.saves]
        what = f"{artifact} has not been made in run {self.name!r}"
        if content is not None and hashlib.sha256(content).hexdigest() in digests_of(self.folder, artifact):
            self._note("artifacts", artifact, hashlib.sha256(content).hexdigest())
            table = pd.read_parquet(BytesIO(content))
            try:
                if list(table) == [OBJECT]:
                    return from_json(table[OBJECT].iloc[0])
                if not any(artifact in notebook.objects for notebook in makers):
                    return table
                raise ValueError("it is a table, and no object")
            except ValueError as error:
                what = f"{artifact} of run {self.name!r} was saved by another version: {error}"
        elif content is not None:
            what = f"{artifact} of run {self.name!r} is not what was saved: it is damaged or was edited"
        maker = makers[0].name if makers else None
        raise RunError(
            what, where=f"{self.folder.relative_to(self.root)}/artifacts/",
            expected=f"{artifact}.parquet, which {maker or 'no notebook'} saves",
            do=f"customerlab run {maker[:2]} --run {self.name}" if maker else "fix the name",
        )  # fmt: skip

    def save(self, artifact: str, table: Any, *, key: str | list[str] = OBJECT, csv: bool = False) -> Any:
        """Save a table for other notebooks and tools, in a fixed order of rows; or an object, as `codec` writes it.

        Parameters
        ----------
        artifact : str
            Its name, the file's without `.parquet`.
        table : DataFrame or dataclass
            At customer level, or smaller.
        key : str or list of str
            Of a table, the columns that name a row; rows are sorted by them and each may occur once.
        csv : bool
            Write `<artifact>.csv` beside it, for tools that read no parquet, with texts as `for_spreadsheets` has them.

        Returns
        -------
        object
            What `load` makes of an object, so that a notebook can look at what it hands over; None for a table.

        Raises
        ------
        RunError
            If a key occurs twice or is empty, or if another notebook makes this artefact.
        """
        if self._step:
            makers = self._step["makers"]
        else:
            makers = {saved: notebook.name for notebook in load_notebooks(self.root) for saved in notebook.saves}
        maker = makers.get(artifact, self.notebook)
        if maker != self.notebook:
            raise RunError(
                f"{artifact} is what {maker} makes", where=f"{self.notebook}, lab.save({artifact!r}, …)",
                expected="one notebook that makes an artefact", do="save it under another name",
            )  # fmt: skip
        text = None if isinstance(table, pd.DataFrame) else to_json(table)
        table = table if text is None else pd.DataFrame({OBJECT: [text]})
        keys = [key] if isinstance(key, str) else key
        if table.duplicated(keys).any() or table[keys].isna().any(axis=None):
            raise RunError(f"{', '.join(keys)} does not name every row of {artifact} once", where=self.notebook)
        table = table.sort_values(keys, ignore_index=True)
        path = self._target() / "artifacts" / f"{artifact}.parquet"
        if csv:
            with written_aside(path.with_suffix(".csv")) as aside:
                for_spreadsheets(table).to_csv(aside, index=False, date_format="%Y-%m-%d", quoting=QUOTE_NONNUMERIC)
        with written_aside(path) as aside:
            table.to_parquet(aside, index=False, compression="zstd")
            if STAGING not in os.environ:
                note_saved(self.folder, self.notebook, artifact, file_digest(aside))
        return None if text is None else from_json(text)

    def champion(self, model: str) -> Any:
        """The version of a model that serves, as `save` was given it; None where none serves yet.

        `customerlab retrain` chooses it, and a notebook that has read it is executed again when another one serves.

        Parameters
        ----------
        model : str
            The artefact's name, for example ``segmentation``.

        Raises
        ------
        RunError
            If the version is damaged or of another customerlab.
        """
        version, found = serving(self.root / "outputs" / self.name, model)
        self._note("champions", model, version)
        return found

    def champion_day(self, model: str) -> pd.Timestamp | None:
        """The day as of which the version that serves was made; None where none serves."""
        return serving_since(self.root / "outputs" / self.name, model)

    def record(self, **metrics: float | Sequence[float]) -> None:
        """Record this notebook's numbers, for `metrics.json`, the front page and comparisons of runs; call it once.

        A number with its interval is given as three: itself, the lower end and the upper one. Ten digits are kept:
        beyond them sums depend on the number of threads.
        """
        numbers = {
            name: _rounded(value) if isinstance(value, int | float) else [_rounded(one) for one in value]
            for name, value in metrics.items()
        }
        write_json(self._target() / ".state" / f"{self.notebook}.metrics.json", numbers)
        if STAGING not in os.environ:
            assemble(self.folder)


def _rounded(number: float) -> float:
    return number if isinstance(number, int) else float(f"{number:.10g}")
