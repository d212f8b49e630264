# Everything a newcomer needs stands in `make help`, which is also what plain `make` says.
# `make setup` is called by the others; it costs nothing when the environment is current.

SHELL := /bin/sh
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help setup run test check generate format lock clean

help:  ## this page
	@echo "hosync keeps dossier states the same everywhere. What you can do here:"
	@echo
	@sed -n 's/^\([a-z]*\):.*##  *\(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'
	@echo
	@echo "First time? 'make run', wait a minute, open the address that it prints. Ctrl-C stops everything."

setup:  ## install what is needed into .venv (the others do this by themselves)
	@./scripts/setup.sh

run: setup  ## start the simulated province, PostgreSQL and Airflow; watch dossiers arrive (SIZE=2000 dossiers, ONCE=1 stops when all agree)
	@.venv/bin/hosync up $(if $(filter-out 0,$(ONCE)),--once) $(if $(SIZE),--size $(SIZE))

test: setup  ## run all tests, with real servers (ARGS='tests/ledger -x' runs some)
	@./scripts/chromium.sh
	@./scripts/php.sh
	.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup  ## style, types, who may import whom, exported schemas
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m schemas.export --check
	.venv/bin/python scripts/reference.py --check

generate: setup  ## write JSON Schemas and the reference pages anew, from the models
	.venv/bin/python -m schemas.export
	.venv/bin/python -m connectors.catalog_schema
	.venv/bin/python -m mappings.schema
	.venv/bin/python scripts/reference.py

format: setup  ## put the code into shape
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: setup  ## compile requirements/*.lock anew from pyproject.toml (UPGRADE=1 takes newer versions)
	@./scripts/lock.sh $(if $(filter-out 0,$(UPGRADE)),--upgrade)

clean:  ## remove what was made here: environment, caches, the data of 'make run'
	@if [ -e .venv/bin/hosync ] && [ -d .hosync ]; then .venv/bin/hosync down --home .hosync; fi
	rm -rf .venv .cache .hosync .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
