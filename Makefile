# Everything a newcomer needs; `make` alone lists it. Kept to what GNU make 3.81 (macOS) understands.
.DEFAULT_GOAL := help
.PHONY: help install run test check format bench reliability front lock browser foreign secrets clean

PYTHON := .venv/bin/python

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## everything locked, into .venv; the second time takes seconds
	@deploy/setup/python.sh

run: install ## the whole demo in the foreground, on SQLite in var/; Ctrl-C stops it
	@exec $(PYTHON) -m deploy.demo

test: install browser foreign ## all tests: unit, protocol on SQLite and on PostgreSQL, real browser, foreign clients
	@$(PYTHON) -m pytest -n auto --dist loadfile

check: install ## formatting, lint, types; changes nothing
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy

format: install ## put the code into its canonical form
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .

bench: install ## the benchmarks; prints tables, judges nothing
	@$(PYTHON) -m bench

reliability: install ## faults, done for real to real processes; prints a table, fails when something did not hold
	@$(PYTHON) -m bench.reliability $(ARGS)

front: install ## the pair behind TLS on loopback, for a certification run (docs/conformance.md); Ctrl-C stops it
	@deploy/setup/nginx.sh
	@exec $(PYTHON) -m deploy.tls $(ARGS)

lock: install ## requirements.lock anew from the pyprojects, keeping what it pins; UPGRADE=--upgrade takes the newest
	@test -x build/uv/bin/uv || { $(PYTHON) -m venv build/uv && build/uv/bin/python -m pip install --quiet uv; }
	@build/uv/bin/uv pip compile pyproject.toml --quiet $(UPGRADE) --all-extras --group dev --group demo \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-emit-package tallystick -o requirements.lock

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
