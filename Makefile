# make help lists what there is. Every target builds the environment first where that is due.
SHELL := /bin/bash
RUN ?= demo
# Given texts reach the shell through the environment alone: what is pasted into a recipe would be executed.
override RUN := $(value RUN)
export RUN
LINES ?= 1e6,1e7,1e8
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
SPARK := .venv/.spark
AUDIT := .venv/audit
# In the order of the folders, because whole runs come early there and are long. Compiled modules are kept even where the
# environment says otherwise: some three hundred commands and kernels would compile the library anew, a second each.
# nbval takes seconds to load in each process, and the tests that use it call it by themselves.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -p no:nbval -n auto --dist loadgroup --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup spark run check test test-all test-weekly coverage mutation fuzz bench bench-preparation bench-clustering bench-metrics bench-recommend bench-experiment bench-value bench-increments bench-bandit rates rates-segments rates-clustering rates-monitoring rates-campaigns lab lint docs audit refresh site lock clean clean-venv

help: ## list the targets
	@echo "make TARGET [RUN=name]     RUN is a file of params/, $$RUN now"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: $(READY) ## create .venv from requirements.lock

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1); expected Python 3.11, 3.12 or 3.13; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "[setup] creating .venv from requirements.lock (once; one to three minutes)"
	@$(PYTHON) -m venv --clear .venv
	@# without looking at dependencies, all of which are in the lock: older pips take the newest release of a[extra] for the one that is pinned as a
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

spark: $(SPARK) ## add Spark, the second engine, to .venv (470 MB; it needs Java 17 or 21)

$(SPARK): $(READY) requirements-spark.lock
	@echo "[spark] adding Spark from requirements-spark.lock (once; one to three minutes)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r requirements-spark.lock
	@touch $(SPARK)

run: $(READY) ## execute what has changed in a run, in parallel, and render its pages
	@$(BIN)/customerlab run --run "$$RUN" --jobs "$(JOBS)"

check: lint ## make lint and the quick tests
	@$(PYTEST) --hypothesis-profile=few -m "not slow and not thorough and not weekly"

test: $(READY) ## run the tests on DuckDB and the simulated shop
	@$(PYTEST) -m "not thorough and not weekly"

test-all: $(READY) $(SPARK) ## those of make test and those marked thorough: Spark, real data, rates, faults, killed runs
	@$(PYTEST) -m "not weekly"

test-weekly: $(READY) ## the tests too long for every change: all notebooks on Online Retail (fetched where it is not here)
	@$(BIN)/customerlab data get online_retail hillstrom_email
	@$(PYTEST) -m weekly

coverage: $(READY) ## which lines of the library make test executes; that takes half as long again
	@$(PYTEST) --cov -m "not thorough and not weekly"

mutation: $(READY) ## change 60 tokens of the methods one at a time, and list the changes that no test finds
	@$(BIN)/python tests/mutation.py

fuzz: $(READY) ## play other examples than those of make test through all properties, and 20,000 odd inputs
	@FUZZ=20000 $(PYTEST) --hypothesis-profile=odd tests/property

bench: $(READY) ## what customer features cost beside pandas and a bare scan (LINES=1e6,1e7,1e8)
	@$(BIN)/python tests/benchmarks/features.py --lines $(LINES)

bench-preparation: $(READY) ## what preparing a log costs beside a bare COPY of its columns, from parquet and CSV (LINES=1e6,1e7)
	@$(BIN)/python tests/benchmarks/preparation.py $(if $(filter command line environment,$(origin LINES)),--lines $(LINES))

bench-clustering: $(READY) ## what the clustering comparison costs, and trees over a million customers, beside scipy
	@$(BIN)/python tests/benchmarks/comparison.py && $(BIN)/python tests/benchmarks/hierarchy.py

bench-metrics: $(READY) ## what the ranking metrics of 100,000 customers by top 10 cost, beside pandas
	@$(BIN)/python tests/benchmarks/metrics.py

bench-recommend: $(READY) ## what it costs to fit EASE, ALS and the hybrid
	@$(BIN)/python tests/benchmarks/recommenders.py

bench-experiment: $(READY) ## what the effects of ten metrics of 10 million units in three arms cost, beside tea-tasting and pandas
	@$(BIN)/python tests/benchmarks/experiment.py

bench-value: $(READY) ## what a million customers' models of orders cost, and the summary of a log beside a bare scan (LINES=1e7)
	@$(BIN)/python tests/benchmarks/value.py $(if $(filter command line environment,$(origin LINES)),--lines $(LINES))

bench-increments: $(READY) ## what bringing customer features up to date by a day costs beside the full computation (LINES=1e7)
	@$(BIN)/python tests/benchmarks/increments.py $(if $(filter command line environment,$(origin LINES)),--lines $(LINES))

bench-bandit: $(READY) ## what a million decisions of linear Thompson sampling cost, beside a loop
	@OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/bandit.py

rates: $(READY) ## how often intervals, tests and checks of experiments are right, on 500 to 2,000 simulated tests each
	@OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/experiment_rates.py
	@OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/unit_rates.py

rates-segments: $(READY) ## how often what is said of segments is right, on 200 simulated shops
	@OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/segment_rates.py

rates-clustering: $(READY) ## how often groups are recommended over the RFM segments, and rightly so, on simulated shops
	@OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/clustering_rates.py

rates-monitoring: $(READY) ## false alarms, power and delay of what is said of change, on 200 simulated shops
	@OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/monitoring_rates.py

rates-campaigns: $(READY) ## whether effects, hours, channels and fatigue of campaigns are found, on 50 simulated shops
	@OMP_NUM_THREADS=1 PYTHONPATH=tests $(BIN)/python tests/benchmarks/campaign_rates.py

lab: $(READY) ## open the notebooks in JupyterLab
	@$(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" # no news of Jupyter's
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter lab --notebook-dir=. --LabApp.default_url=/lab/tree/notebooks \
	  --ContentsManager.pre_save_hook=customerlab.workbench.normalise.before_saving \
	  $(if $(filter 0,$(shell id -u)),--allow-root)

lint: $(READY) ## check style, types and the direction of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/lint-imports

docs: $(READY) ## write a reference of the library from its docstrings into docs/api
	@$(BIN)/pdoc --docformat numpy --output-directory docs/api $(addprefix customerlab.,analysis figures data workbench.run workbench.display wording errors)
	@echo "open docs/api/index.html"

audit: $(AUDIT) ## look for known vulnerabilities of the locked packages (asks the public lists, so it needs a network)
	@for lock in requirements.lock requirements-spark.lock requirements-audit.lock; do echo "[audit] $$lock"; \
	  $(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock || exit 1; done

$(AUDIT): requirements-audit.lock | $(READY)
	@$(PYTHON) -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-audit.lock
	@touch $(AUDIT)

refresh: $(READY) ## execute the committed notebooks again and store their outputs
	@$(BIN)/customerlab refresh

site: $(READY) ## render the pages of a run again
	@$(BIN)/customerlab site --run "$$RUN"

UV_LOCK := uv pip compile --universal --python-version 3.11 --upgrade --generate-hashes --no-emit-index-url \
  --no-emit-find-links --no-annotate --no-header --quiet

lock: $(READY) ## renew the locks (needs uv)
	@$(UV_LOCK) pyproject.toml --extra dev --fork-strategy fewest -o requirements.lock
	@for extra in spark audit; do sed -n "s/^$$extra = \[\"\(.*\)\"\].*/\1/p" pyproject.toml \
	  | $(UV_LOCK) - -o requirements-$$extra.lock || exit 1; done

clean: ## remove the results of a run
	@[[ "$$RUN" =~ ^[A-Za-z][A-Za-z0-9_-]*$$ ]] || { echo "error: '$$RUN' cannot name a run"; exit 1; }
	@rm -rf "outputs/$$RUN" && echo "removed outputs/$$RUN"

clean-venv: ## remove the environment
	@rm -rf .venv && echo "removed .venv"
