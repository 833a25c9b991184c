"""Retraining: bring a run to a day, replace models as the run's own decisions say, and leave a dated report.

A notebook that compares the models as just made, the challengers, with those that serve, the champions, saves the
artefact `model_decisions`. Nothing else promotes a model, but for its first version.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from customerlab.data.project import file_digest, write_sealed
from customerlab.data.yaml_files import load_yaml
from customerlab.errors import RunError, shown
from customerlab.workbench import runner
from customerlab.workbench.lock import hold
from customerlab.workbench.parameters import Parameter
from customerlab.workbench.plan import AS_OF, Plan, Step, make_plan
from customerlab.workbench.publish import record_of, remember
from customerlab.workbench.run import OBJECT
from customerlab.workbench.versions import DECISIONS, Model, Served, changing, keep_version, models

WORDS = ("keep", "watch", "recalibrate", "refit")
COLUMNS = ("model", "decision", "promote", "reason")
FIRST = "first version"
Say = Callable[[str, str], None]


@dataclass(frozen=True)
class Decision:
    """What a notebook has decided on a model: a word, whether the challenger is to serve, and why."""

    decision: str
    promote: bool
    reason: str


@dataclass(frozen=True)
class Challenger:
    """A model as the run has just made it, as JSON, and what is to be known of it."""

    text: str
    about: dict[str, Any]


def begin(root: Any, run: str, day: str = "") -> Plan:
    """Take a run for this process and bring its plan to a day, by default the run's own; nothing is executed yet.

    The day is kept beside the results, as `outputs/<run>/as_of.json`, so that whatever is executed later in this run
    means the same day: until a retraining for another one, or until the params file is given another `as_of`.

    Raises
    ------
    ParameterError
        If the day is none.
    Busy
        If another process is executing the run.
    """
    Parameter("as_of", "str", "", "only orders before it count", form="YYYY-MM-DD").check(day, "--as-of")
    plan = make_plan(root, run)
    hold(plan)
    own = load_yaml(root / "params" / f"{run}.yml", where=f"params/{run}.yml").get("as_of", "")
    if day and day != own:
        write_sealed(plan.home / AS_OF, {"as_of": day, "instead_of": own})
    else:
        (plan.home / AS_OF).unlink(missing_ok=True)
    return make_plan(root, run)


def retrain(
    plan: Plan, steps: list[Step], say: Say, render: Callable[[Plan], Any], *, day: str, jobs: int, keep: int
) -> str:
    """Execute what is due, promote models by decision, and write pages and report; the summary, in one line.

    Notebooks that have read a champion which is replaced are executed again, so that a second retraining changes
    nothing. Where one fails nothing is promoted, and a RunError says which.

    Parameters
    ----------
    plan, steps
        As `begin` gives it, and its steps that are not left out.
    say : callable
        Told what is going on: of whom, and a line.
    render : callable
        Renders the pages of a plan.
    day : str
        The day that was asked for, if any.
    jobs, keep : int
        How many notebooks at a time; how many versions of each model are kept.
    """
    promoted: set[str] = set()
    while not (broken := runner.run(plan, steps, say, jobs=jobs)):
        new = promote(plan, day_of(plan, day), keep, promoted)
        promoted |= new
        if not new:
            break
    remember(plan.folder)
    render(plan)
    if broken:
        raise RunError(
            f"not finished: {', '.join(broken)}; no model was replaced after that", where=f"{plan.place}/failed/",
            expected="the models that served before serve on, and all earlier results are in place",
            do="fix what the lines above say and run again",
        )  # fmt: skip
    from customerlab.workbench.reports import report  # it loads nbconvert

    return report(plan, day_of(plan, day), say)


def day_of(plan: Plan, asked: str = "") -> str:
    """The day of a retraining: as asked, that of the parameter `as_of`, or the day after the last of the data.

    Data are the orders, or else all dated tables that the run has read; a RunError where there are none.
    """
    given = [str(step.parameters.get("as_of") or "") for step in plan.included]
    tables = {name: table for record in _records(plan).values() for name, table in record["tables"].items()}
    last = _last_day(tables)
    if not (asked or any(given) or last):
        raise RunError(
            f"run {plan.run!r} has read no table with days in it", where=f"{plan.place}/manifest.json",
            expected="a day that the report is dated by", do="give it: --as-of YYYY-MM-DD",
        )  # fmt: skip
    return asked or max(given) or (date.fromisoformat(last) + timedelta(1)).isoformat()


def _records(plan: Plan) -> dict[str, dict[str, Any]]:
    """What is on record of the notebooks of a run."""
    return {step.name: one for step in plan.included if (one := record_of(plan.folder, step.name))}


def _last_day(tables: dict[str, dict[str, Any]]) -> str:
    """The last day of the orders, or else of all dated tables; empty where there is none."""
    ends = {name: table["days"][-1] for name, table in tables.items() if table.get("days")}
    return str(ends.get("transactions") or max(ends.values(), default=""))


def _content(plan: Plan, record: dict[str, Any], artifact: str) -> pd.DataFrame:
    """An artefact as a table; a RunError where it is not the one that the run wrote."""
    path = plan.folder / "artifacts" / f"{artifact}.parquet"
    if file_digest(path) != record["writes"][artifact]:
        raise RunError(
            f"{artifact} of run {plan.run!r} is not what was saved: it was edited", where=f"{plan.place}/artifacts/",
            do=f"customerlab run --run {plan.run}",
        )  # fmt: skip
    return pd.read_parquet(BytesIO(path.read_bytes()))


def challengers(plan: Plan, day: str) -> dict[str, Challenger]:
    """The models of a run as just made: the artefacts that are objects.

    What is known of them is the same for equal runs: no time, no machine.
    """
    found = {}
    for name, record in _records(plan).items():
        known_until = (date.fromisoformat(day) - timedelta(1)).isoformat()
        ended = min(_last_day(record["tables"]) or known_until, known_until)
        about = {"as_of": day, "data_ended": ended, "notebook": name, "fingerprint": record["fingerprint"]}
        for artifact in record["writes"]:
            if pq.read_schema(plan.folder / "artifacts" / f"{artifact}.parquet").names == [OBJECT]:
                text = str(_content(plan, record, artifact)[OBJECT].iloc[0])
                found[artifact] = Challenger(text, about)
    return found


def decisions(plan: Plan) -> tuple[str, dict[str, Decision]]:
    """The notebook of the run that decides on models and what it has decided; empty where there is none.

    A RunError where what it saved is no table of decisions.
    """
    maker = plan.makers.get(DECISIONS, "")
    if not maker:
        return "", {}
    table = _content(plan, _records(plan)[maker], DECISIONS)
    missing = [name for name in COLUMNS if name not in table]
    faults = [f"without {', '.join(missing)}"] if missing else []
    if not faults:
        faults += [f"with the decision {shown(word)}" for word in table["decision"] if word not in WORDS]
        faults += ["whose promote is not true or false"] * (len(table) > 0 and table["promote"].dtype != bool)
        faults += ["that names a model twice"] * bool(table["model"].duplicated().any())
        faults += ["without a reason"] * (not all(isinstance(one, str) and one.strip() for one in table["reason"]))
    if faults:
        raise RunError(
            f"{DECISIONS} is a table {faults[0]}", where=f"{maker}, lab.save({DECISIONS!r}, …)",
            expected=f"a row per model with {', '.join(COLUMNS)}; a decision is one of {', '.join(WORDS)}", do="fix the notebook",
        )  # fmt: skip
    rows = zip(*(table[name].tolist() for name in COLUMNS), strict=True)
    return maker, {str(model): Decision(*said) for model, *said in rows}


def promotes(model: Model, challenger: str, decision: Decision | None, champion: str | None) -> bool:
    """Whether a challenger is to replace the version that serves.

    Parameters
    ----------
    model : Model
        What is on record of it.
    challenger : str
        The version as just made.
    decision : Decision or None
        The run's decision, if it has one.
    champion : str or None
        The version that the decision was taken against, where it is known.

    Examples
    --------
    >>> served = Model((Served("a"),), ("a", "b"))
    >>> refit = Decision("refit", True, "Its groups are no longer those of the customers.")
    >>> promotes(Model(), "a", None, None), promotes(served, "b", None, None), promotes(served, "b", refit, "a")
    (True, False, True)
    >>> promotes(served, "a", refit, "a"), promotes(replace(served, withdrawn=("b",)), "b", refit, "a")
    (False, False)
    """
    if not model.version:
        return True
    asked = decision is not None and decision.promote
    against_it = champion is None or champion == model.version
    return asked and against_it and challenger != model.version and challenger not in model.withdrawn


def promote(plan: Plan, day: str, keep: int, but: set[str]) -> set[str]:
    """Keep the models of a run as versions, and let those serve that its decisions promote; which ones.

    All that change do so in one step. Models named in `but` stay as they are. A decision on a model of a notebook that
    is left out of the run has no effect.
    """
    made, (maker, decided) = challengers(plan, day), decisions(plan)
    known_to_notebooks = {artifact for step in plan.steps for artifact in step.saves}  # also to those that are left out
    unknown = sorted(set(decided) - set(made) - set(models(plan.home)) - known_to_notebooks)
    if unknown:
        raise RunError(
            f"{DECISIONS} decides on {shown(unknown[0])}, which is no model of this run", where=f"{maker}, lab.save({DECISIONS!r}, …)",
            expected=f"one of {', '.join(made) or '(none)'}: the artefacts that are objects", do="fix the notebook",
        )  # fmt: skip
    record = _records(plan)[maker] if maker else {"writes": {}}
    by, champions, promoted = record["writes"].get(DECISIONS, ""), record.get("champions", {}), set[str]()
    if not made:
        return promoted
    with changing(plan.home) as known:
        for name, one in made.items():
            version, model = keep_version(plan.home, name, one.text, one.about), known.get(name, Model())
            model = replace(model, kept=(*(other for other in model.kept if other != version), version))
            decision = decided.get(name)
            if name not in but and promotes(model, version, decision, champions.get(name)):
                word, why = (FIRST, "No version of it has served before.")
                if model.version and decision:
                    word, why = decision.decision, decision.reason
                served = Served(version, day, word, why, before=model.version, by=by)
                model = replace(model, served=(*(s for s in model.served if s.version != version), served))
                promoted.add(name)
            known[name] = model.trimmed(keep)
    return promoted
