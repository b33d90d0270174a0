# The two commands a newcomer needs: `make demo` and `make test`. Everything else is `make help`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
LOCK   := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11
# Two cores are the smallest machine we care for; more are used when they are there.
TEST_WORKERS ?= auto

.DEFAULT_GOAL := help

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit("Ogon needs Python 3.11 or newer; set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/pyvenv.cfg
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

.PHONY: help install dev demo test test-slow api-check check format texts bench-intake bench-burst lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.runtime ## create .venv with the locked dependencies

dev: $(VENV)/.dev ## the same, with the tools for tests and checks

demo: install ## real leads through the whole service; ARGS="--leads 50 --exit" ends by itself
	$(BIN)/ogon demo $(ARGS)

# Compiled once, whatever the surroundings say of it: the tests start scores of processes of ours.
test test-slow: export PYTHONDONTWRITEBYTECODE =

test: dev ## everything that must hold, in parallel
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal -m "not slow" $(ARGS)

test-slow: dev ## the long stories: 500 changes unheard, killed workers, a killed database, several processes
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal -m slow $(ARGS)

api-check: dev ## the whole API asked as its OpenAPI document says and otherwise; API_CHECK_SECONDS, API_CHECK_SEED
	$(BIN)/python -m pytest tests/web/api_check.py

check: dev ## what CI checks: format, lint, types, import borders
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: dev ## rewrite what the formatter and the safe fixes can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

texts: dev ## note new texts in the Russian catalogue; then translate the empty ones
	$(BIN)/pybabel -q extract --no-default-keywords -k message -k marked -k _ -k gettext -k ngettext:1,2 -F app/locale/babel.cfg --sort-output --no-location --omit-header -o $(VENV)/ogon.pot app
	$(BIN)/pybabel -q update -D ogon -i $(VENV)/ogon.pot -d app/locale --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --init-missing -l ru -w 120

bench-intake: dev ## webhooks a second beside the same INSERT by pgbench
	$(BIN)/python -m benchmarks.intake $(ARGS)

bench-burst: dev ## 1,000 new leads at once: REST requests beside the least possible
	$(BIN)/python -m benchmarks.burst $(ARGS)

lock: ## write the hash-pinned lock files anew (needs uv); the runtime takes the versions the tools agree to
	$(LOCK) --extra build --extra dev pyproject.toml -o requirements-dev.lock
	$(LOCK) --extra build --constraint requirements-dev.lock pyproject.toml -o requirements.lock

clean: ## remove the virtual environment and the demo's data
	rm -rf $(VENV) data

.PHONY: bench-client
bench-client: dev ## the REST client beside its public peers, at a portal's real limits; ARGS="--quick" for ours alone
	$(BIN)/python -m benchmarks.client $(ARGS)

.PHONY: chaos
chaos: dev ## leads and deals through a storm of lost webhooks, faults and killed processes; ARGS="--seed 7 --seconds 60"
	$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: fuzz
fuzz: dev ## 100,000 hostile requests at a real server, and what they leave behind; ARGS="--seed 7" repeats a run
	$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: bench-replay
bench-replay: dev ## 100,000 recorded cards through a draft of rules, beside a bare reading of the same rows
	$(BIN)/python -m benchmarks.replay $(ARGS)

.PHONY: bench-backfill
bench-backfill: dev ## a portal's past into our tables: requests beside the least possible; ARGS="--activities 1000000"
	$(BIN)/python -m benchmarks.backfill $(ARGS)

.PHONY: bench-reports
bench-reports: dev ## every report on a million leads, 300,000 deals, 5 million moves and activities; ARGS="--leads 20000"
	$(BIN)/python -m benchmarks.reports $(ARGS)

.PHONY: quarter
quarter: dev ## ten managers and 5,000 leads through a quarter of working time, reckoned again by an oracle
	$(BIN)/python -m tests.quarter $(ARGS)

.PHONY: screenshots
screenshots: dev ## the README's pictures, taken of the demo with Chromium (apt-get install chromium)
	$(BIN)/python -m tests.screenshots
