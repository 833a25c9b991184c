# The edges between notebooks, and nothing else. What a step reads and writes is read from the notebooks themselves;
# every rule calls the command line, so all of it works without Snakemake too.
#
# A stamp changes when code, parameters or data of a step change, and only then: times of change are all that
# Snakemake has to compare. `update` keeps it from deleting earlier results before a step has new ones.
import sys

from customerlab.data.project import find_root
from customerlab.errors import CustomerlabError
from customerlab.workbench.plan import make_plan

RUN = str(config.get("run", "demo"))
try:
    plan = make_plan(find_root(), RUN)
    plan.write_stamps(plan.included)
except CustomerlabError as error:
    sys.exit(f"error: {error}")

for step in plan.steps:
    for reason in [step.left_out] if step.left_out else step.notes:
        print(f"[{step.name}] {'left out: ' if step.left_out else ''}{reason}", file=sys.stderr)

OUT = f"outputs/{RUN}"
TABLES = {table: f"{OUT}/tables/{table}.parquet" for table in plan.tables}


def artifact(name):
    return f"{OUT}/artifacts/{name}.parquet"


def stamp(step):
    return str(plan.stamp(step).relative_to(plan.root))


rule all:
    input:
        f"{OUT}/site/index.html",


rule tables:
    input:
        stamp(None),
    output:
        [update(path) for path in TABLES.values()],
    shell:
        "customerlab data prepare --run {RUN}"


for step in plan.included:

    rule:
        name:
            step.name
        input:
            stamp(step),
            [TABLES[table] for table in step.sources],
            [artifact(name) for name in step.notebook.loads],
        output:
            update(f"{OUT}/{step.name}.ipynb"),
            [update(artifact(name)) for name in step.notebook.saves],
        params:
            # a parameter, because the command itself is put together only when the job starts, after the loop
            notebook=step.name,
        shell:
            "customerlab run {params.notebook} --run {RUN} --no-site"


rule site:
    input:
        [f"{OUT}/{step.name}.ipynb" for step in plan.included],
    output:
        update(f"{OUT}/site/index.html"),
    shell:
        "customerlab site --run {RUN}"


onerror:
    # the pages show what there is, and what failed
    shell("customerlab site --run {RUN}")
