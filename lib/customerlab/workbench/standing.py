"""What stands in a run's folder, held against its plan: which results are up to date, and why others are not.

Results are compared by content: what a step depends on, and what its manifest says that it wrote and read. Times of
files say nothing, so results written by hand are seen, and data put back as they were ask for nothing.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from customerlab.data.catalog import load_catalog
from customerlab.data.fetch import digests
from customerlab.data.fingerprint import code_digest, report_of
from customerlab.data.project import file_digest, read_sealed, text_digest
from customerlab.workbench.plan import Plan, Step
from customerlab.workbench.publish import HISTORY, STATE, finish, record_of
from customerlab.workbench.versions import DECISIONS, superseded

TEMPLATES = Path(__file__).parent / "templates"
GLOSSARY = "docs/glossary.md"  # of which pages are made, too
RENDERER = "customerlab.workbench.site"  # by name: importing it would load nbconvert


def due(plan: Plan, step: Step) -> str:
    """Why a step has to be executed; empty where its results are those that the plan asks for."""
    finish(plan.folder)
    record = record_of(plan.folder, step.name)
    if not record or not (plan.folder / f"{step.name}.ipynb").is_file():
        return "it has not been executed"
    if _digest(plan.folder / f"{step.name}.ipynb") != record["notebook"]:
        again = f"customerlab run {step.name.partition('_')[0]} --run {plan.run}" + "".join(
            f" -p {name}={value}" for name, (value, _) in plan.scratch.items()
        )
        return f"{plan.place}/{step.name}.ipynb is not the one that the run wrote; {again} makes it again"
    if record["fingerprint"] != plan.fingerprint(step):
        return "its code, parameters, data or packages have changed"
    artifacts = plan.folder / "artifacts"
    written = {artifacts / f"{name}.parquet": digest for name, digest in record["writes"].items()}
    written |= {artifacts / f"{name}.csv": digest for name, digest in record["csv"].items()}
    written[plan.folder / ".state" / f"{step.name}.metrics.json"] = record["metrics"]
    if any(_digest(path) != digest for path, digest in written.items()):
        return "its results are no longer those that it wrote"
    others = [name for name, digest in record["reads"].items() if _digest(artifacts / f"{name}.parquet") != digest]
    if others:
        return f"{others[0]} has been made anew"
    if why := superseded(plan.home, record.get("champions", {}), record["writes"].get(DECISIONS, "")):
        return why
    catalog = load_catalog(plan.root)
    for table, report in record["tables"].items():  # of those that the plan knows the state is in the fingerprint
        source = report["data_set"]
        known = source in catalog and table in catalog[source].tables
        if table not in step.sources and not (known and plan.table_state(table, source) == report["fingerprint"]):
            return f"the {table} table, which it has read, has changed"
    return ""


def needs(plan: Plan, step: Step) -> set[str]:
    """The steps whose results a step reads, or may read: an opaque one waits for all that come before it."""
    if step.notebook.opaque:
        return {other.name for other in plan.included if other.name < step.name}
    return {plan.makers[artifact] for artifact in step.loads}


def _digest(path: Path) -> str:
    return file_digest(path) if path.is_file() else ""


def table_due(plan: Plan, table: str) -> bool:
    """Whether a canonical table has to be prepared."""
    target, wanted = plan.folder / "tables" / f"{table}.parquet", plan.table_state(table)
    if table in plan.in_engine:
        return (read_sealed(target.with_suffix(".json")) or {}).get("fingerprint") != wanted
    return report_of(target, wanted, digests(plan.root)) is None


def pages_state(plan: Plan) -> str:
    """Digest of all that the pages of a run are rendered from."""
    said = [[s.name, s.left_out, *s.notes, *map(s.notebook.source, s.notebook.cells)] for s in plan.steps]
    said += [[name, str(error)] for name, error in plan.faults.items()]
    said += [[name, standing.why, standing.failure] for name, standing in standings(plan).items()]
    templates = [path for path in TEMPLATES.rglob("*") if path.is_file()]
    results = [plan.folder / f"{step.name}.ipynb" for step in plan.included]
    results += [
        plan.root / GLOSSARY,
        plan.folder / "manifest.json",
        plan.folder / STATE / HISTORY,
        *(plan.folder / "tables").glob("*.json"),
    ]
    files = [f"{path.name} {_digest(path)}" for path in sorted([*templates, *results])]
    return text_digest(json.dumps(said), *files, code_digest([RENDERER]))


def rendered(plan: Plan) -> bool:
    """Whether the pages are those that would be rendered now."""
    record = read_sealed(plan.folder / ".state" / "site.json") or {"state": "", "pages": {}}
    pages = {path.name: file_digest(path) for path in (plan.folder / "site").glob("*.html")}
    return record["state"] == pages_state(plan) and record["pages"] == pages


@dataclass(frozen=True)
class Standing:
    """Why the results of a step are not those that its plan asks for, as a clause.

    `failure` is what the last run said of it, where it failed.
    """

    why: str
    failure: str = ""


def standings(plan: Plan) -> dict[str, Standing]:
    """The steps of a run that are not up to date, in order."""
    found: dict[str, Standing] = {}
    for step in plan.included:
        why = due(plan, step)
        read = {*step.loads, *(record_of(plan.folder, step.name) or {"reads": {}})["reads"]}
        waits = [name for name in found if set(plan.step(name).saves) & read]
        failure = plan.folder / "failed" / f"{step.name}.txt"
        if why and failure.is_file():
            said = failure.read_text(encoding="utf-8", errors="replace").strip() or "nothing is left of the message"
            found[step.name] = Standing(f"the last run failed: {said.splitlines()[0]}", said)
        elif waits:
            found[step.name] = Standing(f"it waits for {waits[0]}")
        elif why:
            found[step.name] = Standing(why)
    return found
