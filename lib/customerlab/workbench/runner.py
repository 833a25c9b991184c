"""Execute what is due in a run: notebooks side by side, each as soon as those that it reads from are done.

What is due is judged by content (`standing`), and only when what a notebook reads is there, so that one whose inputs
come out as they were is not executed. Kernels are the processes; a thread of this process follows each.
"""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter

from customerlab.errors import CustomerlabError, told
from customerlab.workbench.plan import Plan, Step
from customerlab.workbench.publish import forget_failure, record_of
from customerlab.workbench.standing import due, needs, table_due

GUESS = 10.0  # seconds of a notebook that has not been executed yet
Say = Callable[[str, str], None]  # whose line it is, and the line


def run(plan: Plan, steps: list[Step], say: Say, *, jobs: int, anew: bool = False) -> list[str]:
    """Prepare the tables of some steps and execute those that are due; what fails stops only those that read it.

    Parameters
    ----------
    say : callable
        Told what is going on, a line at a time.
    jobs : int
        How many notebooks are executed at a time.
    anew : bool
        Execute also what is not due.

    Returns
    -------
    list of str
        What failed or was not reached: the names of steps, or of tables where they were all that was due.
    """
    wanted = {table: source for step in steps for table, source in step.sources.items()}
    lacking = {f"the {table} table" for table in prepare_tables(plan, wanted, lambda line: say("data", line))}
    lost, broken, names = sorted(lacking), [], {step.name for step in steps}
    order = TopologicalSorter({step.name: needs(plan, step) & names for step in steps})
    order.prepare()
    ahead, ready = _seconds_ahead(plan, steps), set[str]()
    running: dict[Future[bool], Step] = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while order.is_active():
                ready |= set(order.get_ready())
                for name in sorted(ready, key=lambda name: (ahead[name], name), reverse=True)[: jobs - len(running)]:
                    ready.remove(name)
                    step = plan.step(name)
                    running[pool.submit(_succeeds, plan, step, frozenset(lacking), say, anew=anew)] = step
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    step = running.pop(future)
                    if not future.result():
                        broken.append(step.name)
                        lacking |= set(step.saves)
                    order.done(step.name)
        except BaseException:  # asked to end: the threads end with their kernels
            from customerlab.workbench.kernel import end_all

            end_all()
            raise
    return sorted(broken) or lost


def _succeeds(plan: Plan, step: Step, lacking: frozenset[str], say: Say, *, anew: bool) -> bool:
    """Execute a step where it is due; whether its results are in place."""
    try:
        if not anew and not due(plan, step):
            forget_failure(plan.folder, step.name)
            return True
        missing = [name for name in (*(f"the {table} table" for table in step.sources), *step.loads) if name in lacking]
        if missing:
            say(step.name, f"not run: {missing[0]} could not be made")
            return False
        say(step.name, f"starts: {step.notebook.title}")
        from customerlab.workbench.execute import run_step  # it takes a second, and often nothing is due

        run_step(plan, step, lambda line: say(step.name, line))
        return True
    except Exception as error:
        from customerlab.workbench.kernel import ending

        if not ending.is_set():
            say(step.name, f"FAILED  {told(error, f'executing {step.name}')}")
        return False


def _seconds_ahead(plan: Plan, steps: list[Step]) -> dict[str, float]:
    """How long it takes from the start of each step to the end of the last one that waits for it.

    Seconds are those of the last execution, or equal where there was none; of equal ones the later notebook begins
    first, because models come after descriptions and take longer.
    """
    ahead: dict[str, float] = {}
    for step in reversed(steps):  # who waits has a higher number
        own = (record_of(plan.folder, step.name) or {"seconds": GUESS})["seconds"]
        after = [ahead[other.name] for other in steps if other.name in ahead and step.name in needs(plan, other)]
        ahead[step.name] = own + max(after, default=0.0)
    return ahead


def prepare_tables(plan: Plan, tables: dict[str, str], say: Callable[[str], None]) -> list[str]:
    """Bring some of a run's tables up to date, before any kernel starts; return those that cannot be used.

    What was said of each is kept in `failed/` for the notebooks that open it.
    """
    unusable: list[str] = []
    said: set[str] = set()
    for table, source in tables.items():
        if table not in plan.in_engine and not table_due(plan, table):
            continue
        from customerlab.data.prepare import prepare  # it loads ibis, and often nothing is due
        from customerlab.workbench.execute import keep_failed

        try:
            prepared = prepare(plan.root, plan.folder, table, source, engine=plan.engine)
        except CustomerlabError as error:
            unusable.append(table)
            if str(error) not in said:  # two tables may come from one file
                said.add(str(error))
                say(f"FAILED  {error}")
            for step in plan.included:
                if table in step.sources:
                    keep_failed(plan, step, None, error)
            continue
        if prepared.made:
            read, kept = prepared.report["row_accounting"][0]["rows_left"], prepared.report["rows"]
            say(f"table {table:<13} {read:>9,} rows read, {kept:>9,} kept   from {source}")
    return unusable


def refresh(plan: Plan, steps: list[Step], say: Say) -> list[str]:
    """Execute the committed notebooks on their own defaults and store the normalised outputs in them.

    Returns the names of those that did not come to their end, which stay as they are.
    """
    import nbformat

    from customerlab.data.project import written_aside
    from customerlab.workbench.execute import run_step

    broken = []
    for step in steps:
        try:
            executed = run_step(plan, step, lambda line, name=step.name: say(name, line), inject=False)  # type: ignore[misc]
        except CustomerlabError as error:
            say(step.name, f"FAILED  {error}")
            broken.append(step.name)
            continue
        with written_aside(step.notebook.path, mode=step.notebook.path.stat().st_mode & 0o777) as aside:
            nbformat.write(executed, aside)
    return broken
