# The whole interface for people who work on Lostlight. `make help` lists it.
.DEFAULT_GOAL := help
.PHONY: help demo test cover tools check fix bench soak docs lock clean new-step

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Programs that the recipes start (snakemake, ruff, …) are those of the environment.
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

demo: $(STAMP) ## seven tiles of the simulated sky and a night of simulated frames; ends with the report's path
	$(BIN)/lostlight demo

test: $(STAMP) ## every test that runs in minutes
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

cover: $(STAMP) ## the same, and which lines no test reaches
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --cov=lostlight --cov-report=term-missing:skip-covered

soak: $(STAMP) ## the full counts of the bars; hours
	$(BIN)/python -m pytest -m soak

tools: ## install source-extractor, psfex, stilts, chromium, siril and swarp where that is allowed
	@sh scripts/dev/install_tools.sh

check: $(STAMP) ## everything a change must pass besides the tests
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	mypy
	lint-imports
	shellcheck .ci/run scripts/dev/*.sh
	$(BIN)/python scripts/dev/gen_docs.py --check
	$(BIN)/python scripts/dev/gen_schemas.py --check
	snakemake --lint
	$(BIN)/python -m pytest --quiet tests/house

fix: $(STAMP) ## format, and mend what can be mended
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

bench: $(STAMP) ## CPU seconds per tile of both engines
	$(BIN)/python scripts/dev/bench.py

docs: $(STAMP) ## make the generated files anew
	$(BIN)/python scripts/dev/gen_docs.py
	$(BIN)/python scripts/dev/gen_schemas.py

lock: ## pin the requirements anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
		--extra test --extra dev --output-file requirements.lock pyproject.toml

new-step: $(STAMP) ## make new-step NAME=15_trails AFTER=05_measure
	@test -n "$(NAME)" && test -n "$(AFTER)" || { echo "make new-step NAME=15_trails AFTER=05_measure"; exit 1; }
	$(BIN)/python scripts/dev/new_step.py $(NAME) --after $(AFTER)

clean: ## remove caches and the environment; runs and downloads stay
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache build dist
	find scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
