"""The command line. What is slow to import is imported where it is used, so that a wrong word fails at once."""

import io
import os
import signal
import sys
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from customerlab.data.project import find_root
from customerlab.data.secrets import masked
from customerlab.errors import DEBUG, CustomerlabError, RunError, shown, told
from customerlab.wording import visible
from customerlab.workbench import runner, versions as versions_
from customerlab.workbench.lock import Busy, hold
from customerlab.workbench.plan import Plan, Step, make_plan
from customerlab.workbench.publish import remember
from customerlab.workbench.standing import Standing, rendered, standings

# nbformat loads jsonschema, which builds a grammar of addresses for a second, where it can, and nothing here asks it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


class _Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM."""


def _terminate(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: a kernel and a folder are being put away
    raise _Terminated


class _Group(click.Group):
    """A group whose commands end with a clear message and status 1 (75: try later), whatever goes wrong in them."""

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a sign shows its number
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise  # click's own way out
        except Exception as error:
            if os.environ.get(DEBUG) and not isinstance(error, CustomerlabError):
                raise
            message = told(error, f"customerlab {ctx.invoked_subcommand}")
            click.echo(f"error: {masked(str(message))}", err=True)
            sys.exit(os.EX_TEMPFAIL if isinstance(error, Busy) and ctx.invoked_subcommand == "retrain" else 1)
        except KeyboardInterrupt as stopped:
            click.echo("Aborted!", err=True)
            sys.exit(128 + (signal.SIGTERM if isinstance(stopped, _Terminated) else signal.SIGINT))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """customerlab: notebooks for customer segmentation and personalisation."""
    os.umask(0o077)  # what is written, in kernels too, is for its owner
    signal.signal(signal.SIGTERM, _terminate)


def overrides_of(pairs: tuple[str, ...], where: str = "-p") -> dict[str, str]:
    """Split `key=value` words."""
    found = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign:
            raise CustomerlabError(f"{shown(pair)} sets nothing", where=where, expected="key=value, such as rfm_bins=4")
        found[key.strip()] = value.strip()
    return found


_run_option = click.option(
    "--run", "run_name", default="demo", show_default=True, help="The run: params/NAME.yml.", metavar="NAME"
)
_set_option = click.option(
    "-p", "--parameter", "pairs", multiple=True, metavar="KEY=VALUE", help="Override a parameter of the run."
)


_jobs_option = click.option(
    "--jobs", type=click.IntRange(1), default=os.cpu_count(), help="How many at a time; one a processor."
)


def _say(name: str, line: str) -> None:
    click.echo(visible(f"[{name}] {line}"))


@main.command()
@click.argument("notebooks", nargs=-1, metavar="[NN]...")
@_run_option
@_set_option
@_jobs_option
@click.option("--site/--no-site", default=True, show_default=True, help="Render the run's pages afterwards.")
def run(notebooks: tuple[str, ...], run_name: str, pairs: tuple[str, ...], jobs: int, site: bool) -> None:
    """Execute notebooks of a run: all that have changed, or those named by number or name, changed or not."""
    begin = time.monotonic()
    plan = make_plan(find_root(), run_name, overrides_of(pairs))
    steps = _chosen(plan, notebooks)
    if not steps:
        raise RunError(f"nothing in run {shown(run_name)} can be executed", where="the lines above say why")

    hold(plan)
    broken = runner.run(plan, steps, _say, jobs=jobs, anew=bool(notebooks))
    if not plan.scratch:
        remember(plan.folder)
    behind = _render(plan) if site else {}
    if broken:
        raise RunError(
            f"not finished: {', '.join(broken)}", where=f"{plan.place}/failed/",
            expected="the results of the others, and all earlier ones, are in place", do="fix what the lines above say and run again",
        )  # fmt: skip
    took = f"finished in {time.monotonic() - begin:.1f} s"
    _say(run_name, took if behind or not site else f"{took}, up to date: open {plan.place}/site/index.html")


def _chosen(plan: Plan, names: tuple[str, ...]) -> list[Step]:
    steps = [plan.step(name) for name in dict.fromkeys(names)] if names else plan.steps
    for name, error in plan.faults.items() if not names else ():
        _say(name, f"left out: {error}")
    for sentence in plan.lacking if not names else ():
        _say(plan.run, sentence)
    for step in steps if names else ():
        for why in [f"left out: {step.left_out}"] if step.left_out else step.notes:
            _say(step.name, why)
    return sorted((step for step in steps if not step.left_out), key=lambda step: step.name)


def _render(plan: Plan) -> dict[str, Standing]:
    """Render the pages of a run, unless they are there as they should be; what is not up to date."""
    if not rendered(plan):
        from customerlab.workbench import site as pages

        pages.render(plan)
    behind = standings(plan)
    for name, standing in behind.items():
        _say(name, f"not up to date: {standing.why}")
    if behind:
        _say("site", f"{plan.place}/site/index.html says what is not up to date")
    return behind


@main.command()
@_run_option
@click.option("--as-of", "day", default="", metavar="YYYY-MM-DD", help="The day; by default the run's own.")
@click.option("--keep", default=5, show_default=True, type=click.IntRange(1), help="Versions kept of each model.")
@_jobs_option
def retrain(run_name: str, day: str, keep: int, jobs: int) -> None:
    """Bring a run to a day, replace models as its decisions say, and report. Status 75: the run is being executed."""
    from customerlab.workbench import retrain as retraining

    plan = retraining.begin(find_root(), run_name, day)
    click.echo(visible(retraining.retrain(plan, _chosen(plan, ()), _say, _render, day=day, jobs=jobs, keep=keep)))


@main.command()
@click.argument("model")
@_run_option
@click.option("--to", "version", default="", metavar="VERSION", help="By default the one that served before.")
def rollback(model: str, run_name: str, version: str) -> None:
    """Let an earlier version of MODEL serve."""
    was, now = versions_.roll_back(make_plan(find_root(), run_name).home, model, version)
    _say(run_name, f"{model}: {now} serves" + (f" in place of {was}" if now != was else ", as before"))


@main.command()
@_run_option
def versions(run_name: str) -> None:
    """List the versions of a run's models, those made last first."""
    for line in versions_.listed(make_plan(find_root(), run_name).home):
        click.echo(visible(line))


@main.command()
@_run_option
def site(run_name: str) -> None:
    """Render the pages of a run from its executed notebooks, with the texts that these have now."""
    plan = make_plan(find_root(), run_name)
    hold(plan)
    if not _render(plan):
        _say("site", f"read it at {plan.place}/site/index.html")


@main.command()
@click.argument("name")
@click.option("--from", "source", metavar="NN", help="Copy this notebook, by number or name.")
def new(name: str, source: str | None) -> None:
    """Begin a notebook of your own, NAME, which runs with the others and writes over nothing of theirs."""
    from customerlab.workbench.new import new as begun

    root = find_root()
    path = begun(root, name, make_plan(root, "demo").step(source).notebook if source else None)
    _say("new", f"edit {path.relative_to(root)} (make lab), then: customerlab run {path.stem[:2]}")


@main.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN_A RUN_B...")
@click.option(
    "--only", metavar="NN", help="The one notebook that is compared; of up to three runs with all of its figures."
)
def compare(runs: tuple[str, ...], only: str | None) -> None:
    """Put runs side by side on one page: data, parameters, metrics, findings, segments, headline figures."""
    from customerlab.workbench.compare import compare as compared

    plans = [make_plan(find_root(), name) for name in dict.fromkeys(runs)]
    path = compared(plans, plans[0].step(only).name if only else "")
    _say("compare", f"open {path.relative_to(find_root())}")


@main.command()
@click.argument("notebook", metavar="NN")
@click.argument("values", nargs=-1, required=True, metavar="KEY=A,B,C...")
@_run_option
@_jobs_option
def sweep(notebook: str, values: tuple[str, ...], run_name: str, jobs: int) -> None:
    """Execute one notebook with every combination of some parameters' values, and compare the results on one page."""
    from customerlab.workbench.sweep import grid_of, sweep as swept

    begin = time.monotonic()
    path = swept(find_root(), run_name, notebook, grid_of(overrides_of(values, "sweep")), _say, jobs=jobs)
    _say("sweep", f"finished in {time.monotonic() - begin:.1f} s: open {path.relative_to(find_root())}")


@main.command()
@click.argument("notebooks", nargs=-1, metavar="[NN]...")
def refresh(notebooks: tuple[str, ...]) -> None:
    """Execute the committed notebooks on their own defaults and store their outputs in them."""
    plan = make_plan(find_root(), "demo")
    hold(plan)
    steps = _chosen(plan, notebooks)
    # first as a run, for the artefacts that notebooks read from one another
    broken = runner.run(plan, steps, _say, jobs=os.cpu_count() or 1)
    broken += runner.refresh(plan, [step for step in steps if step.name not in broken], _say)
    if broken:
        raise RunError(f"not stored: {', '.join(broken)} did not finish", where="notebooks/")


@main.command()
def doctor() -> None:
    """Say what is missing on this machine, and how to get it."""
    from customerlab.workbench import doctor as check

    sys.exit(check.report(find_root()))


@main.command()
@click.argument("name")
@click.option(
    "--customers", default=2_000, show_default=True, type=click.IntRange(1, 100_000_000), help="How many sign up."
)
@click.option("--seed", default=7, show_default=True, type=click.IntRange(0), help="The same seed gives the same shop.")
@click.option("--faults/--sound", default=False, show_default=True, help="Plant the faults of real logs.")
def simulate(name: str, customers: int, seed: int, faults: bool) -> None:
    """Simulate a shop whose truth is known, as the data set NAME in data/raw/."""
    from customerlab.data.simulate import write_shop
    from customerlab.workbench.plan import check_run_name

    root = find_root()
    folder = root / "data" / "raw" / check_run_name(name, where="NAME")
    begin = time.monotonic()
    entry = write_shop(folder, customers, seed, spoiled=faults, say=lambda line: _say(name, line))
    _say(
        name, f"written to data/raw/{name}/ in {time.monotonic() - begin:.1f} s; the truth is in data/raw/{name}/truth/"
    )
    click.echo(f"\nAdd this to data/catalog.yml, and a file params/{name}.yml with the line `run: {name}`:\n\n{entry}")


@main.group()
def data() -> None:
    """Data sets of the catalogue."""


@data.command("list")
def data_list() -> None:
    """List the data sets: where they are, what they hold."""
    from customerlab.data.catalog import load_catalog
    from customerlab.data.fetch import locate, obtainable

    root = find_root()
    catalog = load_catalog(root)
    for name in catalog:
        try:
            data_set = catalog[name]
        except CustomerlabError as error:  # the other entries are listed all the same
            click.echo(f"{name}: WRONG\n  {error}")
            continue
        sources = data_set.sources.values()
        here = all(source.table or locate(root, source) is not None for source in sources)
        state = "here" if here else "can be downloaded" if all(obtainable(root, s) for s in sources) else "not here"
        click.echo(
            f"{name}: {state}\n  {data_set.title}\n  licence: {data_set.licence}\n  tables: {', '.join(data_set.tables)}"
        )


@data.command("get")
@click.argument("names", nargs=-1, required=True, metavar="DATA_SET...")
def data_get(names: tuple[str, ...]) -> None:
    """Find data sets, or download them, and check their checksums."""
    from customerlab.data import fetch
    from customerlab.data.catalog import find_data_set
    from customerlab.data.project import relative

    root = find_root()
    for name in names:
        data_set = find_data_set(root, name)
        for source in data_set.sources.values():
            if source.table:
                _say(name, f"{source.table} stays in the engine of the run")
                continue
            for path in fetch.fetch(root, data_set, source):
                _say(
                    name,
                    f"{relative(path, root)}  {path.stat().st_size:,} bytes  sha256 {fetch.digests(root).digest(path)[:16]}…",
                )


@data.command("draft")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
def data_draft(files: tuple[Path, ...]) -> None:
    """Look at the files of a shop's export, and print an entry for data/catalog.yml to judge and to paste."""
    from customerlab.data.drafts import draft

    click.echo(draft(list(files), find_root()), nl=False)


@data.command("check")
@click.argument("names", nargs=-1, metavar="[DATA_SET]...")
def data_check(names: tuple[str, ...]) -> None:
    """Read data sets in full, and check content, columns, types and cleaning; all that are here by default."""
    import tempfile

    from customerlab.data.catalog import find_data_set, load_catalog
    from customerlab.data.fetch import locate
    from customerlab.data.prepare import prepare

    root = find_root()
    failed = 0
    for name in names or load_catalog(root):
        try:
            data_set = find_data_set(root, name)
        except CustomerlabError as error:
            if names:
                raise
            failed += 1
            _say(name, f"FAILED  {error}")
            continue
        if not names and not all(locate(root, source) for source in data_set.sources.values()):
            _say(data_set.name, "skipped: not on this machine")
            continue
        faults: dict[str, None] = {}  # tables of the same rows have the same
        for table in data_set.tables:
            try:
                with tempfile.TemporaryDirectory() as folder:
                    report = prepare(root, Path(folder), table, data_set.name, anew=True).report
                for line in [*_accounting_lines(report["row_accounting"]), *report["notes"], *_suspicion_lines(report)]:
                    _say(data_set.name, f"{table:<13} {line}")
            except Exception as error:  # the other tables are checked all the same
                faults |= dict.fromkeys(map(str, getattr(error, "faults", [told(error, f"checking {table}")])))
        failed += len(faults)
        for fault in faults:
            _say(data_set.name, f"FAILED  {fault}")
    sys.exit(1 if failed else 0)


def _accounting_lines(steps: list[dict[str, Any]]) -> list[str]:
    """The accounting of a table for reading on a terminal: read − removed = left."""

    def line(what: str, step: dict[str, Any], of: str, why: str = "") -> str:
        money = f"   {Decimal(step[f'amount_{of}']):>18,.3f} money" if f"amount_{of}" in step else ""
        return f"{what:<8} {step[f'rows_{of}']:>11,} rows{money}{why and '   ' + why}"

    read, *removals = steps
    removed = [line("removed", step, "removed", step["why"]) for step in removals]
    return [line("read", read, "left"), *removed, line("left", steps[-1], "left")]


def _suspicion_lines(report: dict[str, Any]) -> list[str]:
    """What is odd about a table as a whole: what, an example, and how to fix it, or that it is worth knowing."""
    lines = []
    for one in report["suspicions"]:
        lines.append(f"{'suspect' if one['fix'] else 'note':<8} {one['said']}")
        lines += [f"{'':<8} {what}: {one[what]}" for what in ("example", "fix") if one[what]]
    last = report["days"][1] if report["days"] else ""
    if last > f"{date.today():%Y-%m-%d}":  # only here: a run says the same on any day
        lines.append(f"{'suspect':<8} The last day, {last}, is after today.")
    return lines


if __name__ == "__main__":
    main()
