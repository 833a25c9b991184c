"""One notebook with every combination of some parameters' values, and a page that compares what came out."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from customerlab.errors import RunError
from customerlab.workbench import runner
from customerlab.workbench.compare import compare
from customerlab.workbench.lock import hold
from customerlab.workbench.plan import Plan, Step, make_plan
from customerlab.workbench.scratch import FOLDER
from customerlab.workbench.standing import needs

Say = Callable[[str, str], None]


def grid_of(values: dict[str, str]) -> dict[str, list[str]]:
    """The values of each parameter, separated by commas that are not within brackets.

    Examples
    --------
    >>> grid_of({"rfm_bins": "3,4", "recency_cuts": "[30, 90],[10, 60]"})
    {'rfm_bins': ['3', '4'], 'recency_cuts': ['[30, 90]', '[10, 60]']}
    """
    return {key: re.split(r",(?![^\[]*\])", text) for key, text in values.items()}


def sweep(root: Path, run: str, name: str, grid: dict[str, list[str]], say: Say, *, jobs: int) -> Path:
    """Execute a notebook once for every combination, and write the page that compares the results.

    What the notebook reads is brought up to date first, as the run's own results, and shared by all. Each combination
    has a folder of its own below `outputs/<run>/scratch/`; that of the run's own values is the run itself.

    Parameters
    ----------
    root : Path
        The project's folder.
    run, name : str
        The run; the notebook, by its number or name.
    grid : dict of str to list of str
        By parameter the values as the command line has them.
    say : callable
        Told what is going on: of whom, and a line.
    jobs : int
        How many at a time.

    Returns
    -------
    Path
        The page, `outputs/<run>/scratch/<notebook>.sweep.html`.

    Raises
    ------
    RunError
        If a combination fails; the others are in place.
    """
    home = make_plan(root, run)
    step = home.step(name)
    plans = [make_plan(root, run, dict(zip(grid, values, strict=True))) for values in product(*grid.values())]
    plans = list({plan.values: plan for plan in plans}.values())
    if step.left_out:
        raise RunError(f"{step.name} is left out of run {run!r}", where=step.left_out)
    hold(home)
    broken = runner.run(home, _before(home, step), say, jobs=jobs) + runner.prepare_tables(
        home, step.sources, lambda line: say("data", line)
    )
    for plan in plans if not broken else ():
        if plan.scratch:
            hold(plan)
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for failed in pool.map(lambda plan: _run(plan, step.name, say), plans if not broken else ()):
                broken += failed
        except BaseException:  # asked to end
            from customerlab.workbench.kernel import end_all

            end_all()
            raise
    if broken:
        raise RunError(f"not finished: {', '.join(broken)}", where=home.place, do="fix what the lines above say")
    return compare(plans, only=step.name, target=home.folder / FOLDER / f"{step.name}.sweep.html")


def _before(plan: Plan, step: Step) -> list[Step]:
    """The steps whose results a step reads, directly or by another one."""
    wanted: set[str] = set()
    waiting = needs(plan, step)
    while waiting - wanted:
        wanted |= waiting
        waiting = {name for one in wanted for name in needs(plan, plan.step(one))}
    return [one for one in plan.included if one.name in wanted]


def _run(plan: Plan, name: str, say: Say) -> list[str]:
    shown = plan.values or plan.run
    return [
        f"{one} with {shown}" for one in runner.run(plan, [plan.step(name)], lambda _, line: say(shown, line), jobs=1)
    ]
