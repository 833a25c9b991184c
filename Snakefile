# The edges between notebooks, and nothing else. What a step reads and writes is read from the notebooks themselves;
# every rule calls the command line, so all of it works without Snakemake too.
#
# What is up to date is found by content, not by times: `settle` leaves a mark for each step and table that is, all with
# one time, and Snakemake executes what has no mark and what depends on it. A table is `ancient`, because a step knows
# by itself whether the tables that it opens have changed; a table made again asks for no other step.
import os
import sys

from customerlab.data.project import find_root
from customerlab.data.secrets import masked
from customerlab.errors import told
from customerlab.workbench.lock import hold
from customerlab.workbench.plan import make_plan
from customerlab.workbench.standing import settle

os.umask(0o077)  # results are their owner's to read
RUN = str(config.get("run", "demo") or "")  # Snakemake makes None of an empty text
try:
    plan = make_plan(find_root(), RUN)
    if workflow.is_main_process:
        hold(plan)
        if plan.in_engine:
            from customerlab.workbench.execute import prepare_tables

            prepare_tables(plan, plan.in_engine, lambda line: print(f"[data] {line}", file=sys.stderr))
        settle(plan)
except Exception as error:
    sys.exit(f"error: {masked(str(told(error, 'planning the run')))}")

for step in plan.steps:
    if step.left_out and workflow.is_main_process:
        print(f"[{step.name}] left out: {step.left_out}", file=sys.stderr)

MAKERS = {artifact: step.name for step in plan.included for artifact in step.notebook.saves}


def mark(name):
    return str(plan.mark(name).relative_to(plan.root))


def table_mark(table):
    return mark(f"table_{table}")


rule all:
    input:
        # each by name: Snakemake makes no missing file that nothing missing depends on
        [table_mark(table) for table in plan.tables],
        [mark(step.name) for step in plan.included],
        mark("site"),


for tables in plan.files:

    rule:
        name:
            "tables_" + "_".join(tables)
        output:
            [touch(table_mark(table)) for table in tables],
        params:
            # a parameter, because the command itself is put together only when the job starts, after the loop
            tables=tables,
        shell:
            "CUSTOMERLAB_HELD=1 customerlab data prepare {params.tables} --run {RUN}"


for step in plan.included:

    rule:
        name:
            step.name
        input:
            [ancient(table_mark(table)) for table in step.sources],
            [mark(MAKERS[artifact]) for artifact in step.loads],
        output:
            touch(mark(step.name)),
        params:
            notebook=step.name,
        shell:
            "CUSTOMERLAB_HELD=1 customerlab run {params.notebook} --run {RUN} --no-site"


rule site:
    input:
        [mark(step.name) for step in plan.included],
    output:
        touch(mark("site")),
    shell:
        "CUSTOMERLAB_HELD=1 customerlab site --run {RUN}"


onerror:
    # the pages show what there is, and what failed
    shell("CUSTOMERLAB_HELD=1 customerlab site --run {RUN}")
