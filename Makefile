# The commands of the project; `make` without a target lists them. It works with GNU make 3.81 (macOS).
.DEFAULT_GOAL := help
.PHONY: help install run test test-quick test-matrix check format bench reliability front lock browser foreign secrets clean

# Where it is set, each of a hundred processes of a test run would compile all of our modules again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest -n auto --no-loadscope-reorder --durations=20
COMPILE := build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-emit-package tallystick

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## everything locked, into .venv; the second time takes seconds
	@deploy/setup/python.sh

run: ## the whole demo in the foreground, on SQLite in var/; installs what it needs first; Ctrl-C stops it
	@deploy/setup/python.sh demo
	@exec $(PYTHON) -m deploy.demo $(ARGS)

test: install browser foreign ## all tests; on PostgreSQL too where SQL can differ
	@$(PYTEST)

test-quick: install ## the tests for a developer at work: unit and protocol, on SQLite only
	@$(PYTEST) --matrix sqlite tests/unit tests/protocol

test-matrix: install browser foreign ## all tests, every one with a database on SQLite and on PostgreSQL, every conformance module in every plan
	@$(PYTEST) --matrix full

check: install ## formatting, lint, types; changes nothing
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy

format: install ## put the code into its canonical form
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

bench: install ## the benchmarks; prints tables, judges nothing
	@$(PYTHON) -m bench

reliability: install ## fault scenarios against real processes; prints a table, fails when a check fails
	@$(PYTHON) -m tests.reliability $(ARGS)

front: install ## the pair behind TLS on loopback, for a certification run (docs/conformance.md); Ctrl-C stops it
	@deploy/setup/nginx.sh
	@exec $(PYTHON) -m deploy.tls $(ARGS)

lock: install ## the lock files anew from the pyprojects, keeping what they pin; UPGRADE=--upgrade takes the newest
	@test -x build/lock/bin/uv || { $(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet uv; }
	@$(COMPILE) pyproject.toml $(UPGRADE) --all-extras --group dev --group demo -o requirements.lock
	@$(COMPILE) pyproject.toml --group demo -c requirements.lock -o requirements-demo.lock
	@echo uv | $(COMPILE) - $(UPGRADE) -o deploy/setup/requirements-uv.lock

browser: ## Chromium for the tests, by apt-get when you are root
	@deploy/setup/chromium.sh

foreign: ## nginx, Apache and npm packages for the tests with foreign clients, by apt-get when you are root
	@deploy/setup/nginx.sh
	@deploy/setup/foreign.sh

secrets: ## development secrets and certificates for docker compose, in var/compose/
	@deploy/compose/make_secrets.sh

clean: ## remove what make made, but not the demo's data in var/
	@rm -rf .venv build shared/build artifacts tests/foreign/node/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info shared/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
