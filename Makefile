# Every target sets up what it needs in .venv and .cache, and is quick the second time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two workers, whatever the number of cores: each starts control planes of its own. A file's tests
# stay on one worker, so that its fixtures are set up once.
PYTEST_WORKERS ?= --numprocesses=2 --dist=loadfile --no-loadscope-reorder
SOURCES := $(shell find authenticator client scripts -type f -not -name '*.pyc' 2>/dev/null) setup.py setup.cfg docs/lint.md

.DEFAULT_GOAL := help
.PHONY: help install demo quick pythons programs test nightly attack lint bench soak dist fuzz clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Every distribution by its hash; without dependency resolution, which is slower and could add more.
$(VENV)/.dependencies: dev/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null \
	  || { echo "make: Python 3.10 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "make: $(PYTHON) has no venv module; install it (Debian and Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) (once; a minute or two)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement dev/requirements.txt
	@touch $@

# A regular install, not an editable one: the command starts as it does for users.
$(VENV)/.installed: $(VENV)/.dependencies $(SOURCES)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@rm -rf build *.egg-info
	@touch $@

install: $(VENV)/.installed ## Install the command at .venv/bin/aws-iam-authenticator

demo: install ## Log in without an AWS account, edit a mapping, see a refusal and its reason
	@$(BIN)/python -m dev.demo

quick: install ## Run the tests that need Python and nothing else, in two minutes
	@$(BIN)/python -m pytest --quiet --quick $(PYTEST_WORKERS)

pythons: install ## Run the quick tests on the newest supported Python as well
	@$(BIN)/python -m dev.pythons

programs: install
	@$(BIN)/python -m dev.cluster build
	@$(BIN)/python -m dev.bench.reference
	@$(BIN)/python -m dev.oracle
	@$(BIN)/python -m dev.debian
	@$(BIN)/python -m dev.clients

test: programs ## Run every test, the real Kubernetes API server included
	@$(BIN)/python -m pytest $(PYTEST_WORKERS) --durations=20
	@$(BIN)/python -m dev.pythons

nightly: programs ## Run every test with 20 times the examples, tests that take minutes, and fuzz
	@$(BIN)/python -m pytest $(PYTEST_WORKERS) --durations=20 --nightly --timeout=3600
	@$(BIN)/python -m dev.fuzz --examples 1000000
	@$(MAKE) --no-print-directory fuzz

attack: programs ## Attack a server with floods, black holes and forgeries: half an hour, with a table
	@$(BIN)/python -m dev.attack

lint: install ## Check style, types, imports, wording and the dependencies
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m dev.words
	@$(BIN)/python -m dev.licences
	@$(BIN)/python -m dev.audit

# `make bench startup` measures one scenario: the words after bench are no targets of their own.
ifeq ($(firstword $(MAKECMDGOALS)),bench)
SCENARIOS := $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
$(SCENARIOS): bench
	@:
endif
soak: programs ## Ten minutes of faults under 100 logins a second (SECONDS=, SEED=)
	@$(BIN)/python -m tests.e2e.soaking --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED))

bench: install ## Measure against the Go reference, side by side (docs/benchmarks.md)
	@$(BIN)/python -m dev.bench $(SCENARIOS)

dist: install ## Make wheel, sdist, single-file plugin, SBOM and checksums of the last commit
	@$(BIN)/python -m dev.release

fuzz: install ## Fuzz what reads hostile bytes, a minute for each target
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement dev/fuzz/requirements.txt
	@$(BIN)/python -m dev.fuzz

clean: ## Remove what the targets made
	rm -rf $(VENV) .cache build dist *.egg-info
