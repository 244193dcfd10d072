# Outreach: `make` alone lists what there is. Needs only make and Python 3.11 or newer; everything else goes into .venv.

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; `make PYTHON=/path/to/python3.12 setup` picks another.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -qq
# Hashes are required, and a wheel is taken wherever there is one. The registry is whatever pip is set up to use.
INSTALL := $(PIP) install --progress-bar off --prefer-binary --require-hashes
CODE := outreach workers migrations tests
TESTS ?= tests
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint bench chaos lock migration clean

help: ## List what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.installed ## Install the service into .venv (the others call it)

demo: setup ## Run the whole service with its sample campaigns on http://127.0.0.1:8000 (OUTREACH_PORT for another port)
	@exec $(BIN)/outreach demo

test: $(VENV)/.installed-dev check ## Set up, then formatting, types, import rules and all tests
	@$(PYTEST) -n $${TEST_PROCESSES:-2} $(TESTS)

check: $(VENV)/.installed-dev
	@echo "Checking style, types and import rules …"
	@$(BIN)/ruff check -q $(CODE)
	@$(BIN)/mypy --strict --no-error-summary outreach workers
	@mkdir -p var && $(BIN)/lint-imports --no-logo >var/imports.log 2>&1 || { cat var/imports.log; exit 1; }

lint: $(VENV)/.installed-dev ## Mend what can be mended by itself, then check style, types and import rules
	@$(BIN)/ruff check --fix $(CODE)
	@$(MAKE) --no-print-directory check

bench: $(VENV)/.installed-dev ## Measure; prints a table and leaves it in var/bench.json
	@$(BIN)/python -m tests.bench

chaos: $(VENV)/.installed-dev ## Shoot at the whole service while 20,000 letters go out, then account for each: SEED=n for the same plan again
	@$(BIN)/python -m tests.chaos --form full $(if $(SEED),--seed $(SEED))

lock: $(VENV)/.installed-dev ## Pin the newest dependencies, with hashes, for every platform
	@for set in runtime dev; do \
		groups="--group build"; test $$set = dev && groups="$$groups --group dev"; \
		echo "Pinning requirements/$$set.txt …"; \
		$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
			--no-emit-index-url --no-emit-find-links pyproject.toml $$groups -o requirements/$$set.txt || exit 1; \
	done

migration: $(VENV)/.installed-dev ## Write a migration from what changed in outreach/models/: make migration m="what changed"
	@test -n "$(m)" || { echo 'Say what changed: make migration m="letters get a wave"'; exit 1; }
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && export OUTREACH_DATA_DIR="$$dir" OUTREACH_DATABASE_URL= && \
		$(BIN)/alembic -q upgrade head && $(BIN)/alembic revision --autogenerate -m "$(m)" && \
		echo "Now read it, tidy it, and run: make test TESTS=tests/house"

clean: ## Remove .venv and what tools left behind; var/ with its data stays
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Outreach needs Python 3.11 or newer; none was found."; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12 setup"; exit 1; }
	@echo "Making a virtual environment in $(VENV) with $$($(PYTHON) --version) …"
	@$(PYTHON) -m venv $(VENV) >$(VENV).log 2>&1 || { cat $(VENV).log; rm -rf $(VENV) $(VENV).log; \
		echo "Python could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@rm -f $(VENV).log
	@touch $@

$(VENV)/.runtime: requirements/runtime.txt | $(VENV)/.made
	@echo "Installing $$(grep -c '^[a-z0-9].*==' requirements/runtime.txt) pinned packages (the first time takes about a minute) …"
	@$(INSTALL) -r requirements/runtime.txt
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.runtime
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
	@echo "Installed. \`make demo\` runs it, \`make test\` tests it."

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed
	@echo "Installing what the tests need …"
	@$(INSTALL) -r requirements/dev.txt
	@touch $@
