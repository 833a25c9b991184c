"""Dated reports of retraining: which models serve, what was decided and why, and which numbers have changed."""

import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbconvert.filters import markdown2html

from customerlab.data.project import read_json, write_json
from customerlab.workbench.layout import MOST, findings
from customerlab.workbench.plan import Plan
from customerlab.workbench.publish import records
from customerlab.workbench.retrain import FIRST, WORDS, Decision, Say, challengers, decisions
from customerlab.workbench.site import cleaned, read, was_written, write_page
from customerlab.workbench.versions import DECISIONS, Model, models, read_version, version_of

REPORTS = "reports"
DAY = re.compile(r"\d{4}-\d\d-\d\d")
NOBODY = f"No notebook of this run saves {DECISIONS}, so no model is promoted beyond its first version."


@dataclass(frozen=True)
class Outcome:
    """What became of a model in a retraining."""

    model: str
    decision: str  # first version, keep, watch, recalibrate, refit; empty where nothing was decided
    promoted: bool
    reason: str
    serving: str  # the version that serves
    before: str  # the version that served before it
    made: str  # the version as just made by the run; empty where the run does not make it
    about: dict[str, Any]  # what is known of the version that serves

    @property
    def said(self) -> str:
        """The outcome in a few words.

        Examples
        --------
        >>> Outcome("segmentation", "refit", True, "It drifted.", "3f2a9c1b04de", "", "3f2a9c1b04de", {}).said
        'refit and promoted (3f2a9c1b04de)'
        """
        if self.promoted:
            return f"{self.decision}{'' if self.decision == FIRST else ' and promoted'} ({self.serving})"
        if self.decision in ("", "keep"):
            return "kept"
        return self.decision if self.decision == "watch" else f"{self.decision}, not promoted"


def outcome(name: str, model: Model, day: str, made: str, decision: Decision | None, about: dict[str, Any]) -> Outcome:
    """What became of a model as of a day: its promotion, where it was promoted for that day, else what was decided.

    It follows from what is on record alone, so that a second retraining for the day says the same.
    """
    serving = model.served[-1]
    if serving.as_of == day:
        return Outcome(name, serving.decision, True, serving.reason, serving.version, serving.before, made, about)
    reason = decision.reason if decision else ""
    if not made:
        reason = "This run does not make it; the version that serves stays."
    elif not decision:
        reason = "Nothing was decided on it."
    elif decision.promote and made in model.withdrawn:
        reason += f" Version {made} was rolled back, so only customerlab rollback {name} --to {made} lets it serve."
    return Outcome(
        name, decision.decision if decision else "", False, reason, serving.version, serving.before, made, about
    )


def report(plan: Plan, day: str, say: Say) -> str:
    """Write the report of a retraining, `reports/<day>/index.html` and `report.json`; its summary in one line."""
    maker, decided = decisions(plan)
    made = {name: version_of(one.text) for name, one in challengers(plan, day).items()}
    found = [
        outcome(
            name, model, day, made.get(name, ""), decided.get(name), read_version(plan.home, name, model.version)[1]
        )
        for name, model in models(plan.home).items()
        if model.version
    ]
    words = ("", *WORDS)  # what was replaced comes first, then what is to be looked at
    found.sort(key=lambda one: (not one.promoted, -words.index(one.decision) if not one.promoted else 0, one.model))
    _write(plan, day, found, maker)
    say("report", f"read it at {plan.place}/{REPORTS}/{day}/index.html")
    said = ", ".join(f"{one.model} {one.said}" for one in found) or "no model"
    return f"{plan.run} {day}: {said}{'' if maker else f' (no notebook saves {DECISIONS})'}"


def _write(plan: Plan, day: str, found: list[Outcome], maker: str) -> None:
    folder = plan.home / REPORTS / day
    metrics = read_json(plan.folder / "metrics.json") or {}
    last, was = _last(plan.home / REPORTS, day)
    changed = differences(was, metrics) if last else []
    first = findings(read(plan, plan.step(maker)))[:MOST] if maker else []
    said = {
        "run": plan.run, "as_of": day, "models": [asdict(one) | {"said": one.said} for one in found],
        "decided_by": maker, "findings": first, "metrics": metrics, "last_report": last, "changed": changed,
    }  # fmt: skip
    kept = records(plan.folder)
    pages = [step for step in plan.included if step.name in kept and was_written(plan, step, kept[step.name])]
    linked = [f"- {one.replace('](#', f'](../../site/{maker}.html#')}" for one in first]
    write_page(
        folder / "index.html", "report.html.j2", run=plan.run, day=day, found=found, maker=maker, nobody=NOBODY,
        findings=cleaned(str(markdown2html("\n".join(linked)))) if linked else "", last=last, changed=changed,
        pages=pages,
    )  # fmt: skip
    write_json(folder / "report.json", said)


def _last(reports: Path, day: str) -> tuple[str, dict[str, Any]]:
    """The day of the last report before a day, and its metrics; empty where there is none."""
    days = [path.name for path in reports.glob("*") if DAY.fullmatch(path.name) and path.name < day]
    for name in sorted(days, reverse=True):
        said = read_json(reports / name / "report.json")
        if isinstance(said, dict) and isinstance(said.get("metrics"), dict):
            return name, said["metrics"]
    return "", {}


def differences(was: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, str, Any, Any]]:
    """The recorded numbers that differ: notebook, name, before, now; None where there was or is none.

    Examples
    --------
    >>> differences({"02_rfm": {"customers": 3, "share": 0.5}}, {"02_rfm": {"customers": 4, "share": 0.5}})
    [('02_rfm', 'customers', 3, 4)]
    """
    old, new = ({(name, key): one for name, said in all_.items() for key, one in said.items()} for all_ in (was, now))
    return [(*key, old.get(key), new.get(key)) for key in sorted({**old, **new}) if old.get(key) != new.get(key)]
