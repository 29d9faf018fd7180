# make demo | up | test | test-vllm | check | bench: each sets up what it needs first. Nothing else to remember.
SHELL := /bin/bash
PYTHON := .venv/bin/python
CHECK_VAR := var/check
.DEFAULT_GOAL := help
.PHONY: help demo up test test-vllm check bench setup setup-dev

help:
	@echo "make demo       set up, start, run a small cascade and show what it forgot (ONCE=1: exit when it is over)"
	@echo "make up         set up and start: web, workers, database"
	@echo "make test       set up and run all tests"
	@echo "make test-vllm  set up vLLM for a CPU and test sampling and training with it"
	@echo "make check      format, lint, types, import contracts, deploy check, migrations, API schema"
	@echo "make bench      run the benchmarks and write their tables"

define bootstrap
@command -v python3 >/dev/null || { echo "found no python3, expected Python 3.11 or later; run: apt-get install python3 python3-venv"; exit 1; }
@python3 cascade_web/bootstrap.py
endef

setup:
	$(bootstrap)

setup-dev:
	$(bootstrap) --dev

demo: setup
	@$(PYTHON) manage.py demo $(if $(ONCE),--once) $(if $(PRESET),--preset $(PRESET)) $(if $(SEED),--seed $(SEED))

up: setup
	@$(PYTHON) manage.py up

test: setup-dev
	@python3 cascade_web/bootstrap.py --browser
	@$(PYTHON) -m pytest

test-vllm: setup-dev
	@python3 cascade_web/bootstrap.py --vllm
	@.venv-vllm/bin/python -m pytest -m vllm tests/training

check: export CASCADE_VAR = $(CHECK_VAR)
check: setup-dev
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy
	$(PYTHON) .venv/bin/lint-imports
	SECRET_KEY=$$($(PYTHON) -c "import secrets; print(secrets.token_urlsafe(50))") PUBLIC_URL=https://cascade.example.org \
		$(PYTHON) manage.py check --deploy --fail-level WARNING
	$(PYTHON) -m runs.management.embedded $(PYTHON) manage.py makemigrations --check --dry-run
	@$(PYTHON) manage.py spectacular --validate --fail-on-warn --file $(CHECK_VAR)/openapi.yaml
	@cmp -s docs/openapi.yaml $(CHECK_VAR)/openapi.yaml || { \
		echo "found docs/openapi.yaml out of date; run: $(PYTHON) manage.py spectacular --file docs/openapi.yaml"; exit 1; }
	@echo "All checks passed."

bench: setup-dev
	@$(PYTHON) -m bench.engine
	@$(PYTHON) -m bench.scaling
	@python3 cascade_web/bootstrap.py --vllm
	@.venv-vllm/bin/python -m bench.sampling
	@$(PYTHON) -m bench.recovery
	@$(PYTHON) -m bench.sandbox
	@$(PYTHON) -m bench.verdict
