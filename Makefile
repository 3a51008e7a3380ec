# Everything sets itself up: a virtual environment in .venv with the locked, hashed dependencies.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help demo ui test coverage torture month mutants lint types bench docs screenshots defs lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

demo: $(RUNTIME) ## bring the last 30 days of every report home from the provider sandbox, and print a table
	@$(BIN)/python -m reporting_dags.cli demo

ui: $(RUNTIME) ## open the Dagster UI on the instance that `make demo` filled, sandbox running (PORT=3001 for another port)
	@$(BIN)/python -m reporting_dags.cli ui $(if $(PORT),--port $(PORT))

test: $(DEV) ## run the whole test suite, in 15 to 20 minutes on two cores, and print its slowest ten tests
	@$(BIN)/python -m pytest -n 3 --durations=10

# From Python 3.12 on the interpreter counts lines by itself, at less cost.
coverage: $(DEV) ## run the test suite, and list the lines of the package that it does not run
	@rm -f .coverage .coverage.*
	@COVERAGE_CORE=$$($(BIN)/python -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")') \
		$(BIN)/python -m coverage run -m pytest -n 3; status=$$?; \
		$(BIN)/python -m coverage combine --quiet && $(BIN)/python -m coverage report && exit $$status

torture: $(DEV) ## every fault, kill and race, a row each, in about 30 minutes (OF="races" for one section)
	@$(BIN)/python -m reporting_dags_tests.torture $(if $(OF),"$(OF)")

month: $(DEV) ## a simulated month, every tick and run of it, and a table of what it cost (within 20 minutes)
	@$(BIN)/python -W ignore -m reporting_dags_tests.month

mutants: $(DEV) ## change the code in small ways, and list what no test notices (OF='reporting_dags.jobs.ledger.rate_limit*')
	@$(BIN)/python -m mutmut run --max-children 2 '$(or $(OF),reporting_dags.jobs.ledger.quota*)'
	@$(BIN)/python -m mutmut results | grep -v 'not checked' || true

lint: $(DEV) ## ruff, the import contracts, plain words, and that every import is a declared dependency
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m pytest -q --no-header reporting_dags_tests/test_words.py
	@$(BIN)/deptry reporting_dags
	@$(BIN)/deptry benchmarks reporting_dags_tests --ignore DEP002,DEP004

types: $(DEV) ## strict pyright
	@$(BIN)/pyright

bench: $(DEV) ## count the provider calls of a backfill of 90 days of every report, and measure how landing scales
	@$(BIN)/python -W ignore -m benchmarks.machines
	@$(BIN)/python -m benchmarks.calls

docs: $(RUNTIME) ## write the data dictionary, docs/datasets.md, from the declarations
	@$(BIN)/python -m reporting_dags.cli docs

screenshots: $(DEV) ## renew the pictures of Dagster's UI in docs/ (needs Chromium)
	@$(BIN)/python -m reporting_dags_tests.ui.screenshots

defs: $(DEV) ## check that Dagster loads every definition
	@$(BIN)/python -m reporting_dags.cli instance
	@DAGSTER_HOME=$(CURDIR)/.dagster VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/dg check defs

lock: $(DEV) ## renew the hashed locks from pyproject.toml
	@$(BIN)/uv pip compile $(LOCK) --extra build pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile $(LOCK) --extra build --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

LOCK := --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-strip-extras

clean: ## remove the virtual environment and the local instance; data stays
	rm -rf $(VENV) .dagster mutants build dist .coverage*

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV)"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "setting up $(VENV) for development"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(RUNTIME)
