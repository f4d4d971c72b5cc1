# `make` lists what there is. Everything runs in a virtual environment of its own, made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PYTEST := $(BIN)/pytest
# Its libraries and ours do not fit together.
CHECKOV := $(VENV)/checkov/bin/checkov

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types e2e e2e-services bench torture pairs conformance replay clouds rights azurerm schemas docs dist engine clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make the virtual environment

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(READY)

demo: $(READY) ## the whole story on this computer (the first time it builds the engine)
	$(BIN)/karrots demo

engine: $(READY) ## build the local engine: etcd, Kubernetes, kwok, Flux (once, about 8 minutes)
	$(BIN)/karrots engine build

test: $(READY) engine ## all tests, fast tiers first
	$(PYTEST) -n 2 tests/unit tests/golden tests/cli tests/conformance
	$(PYTEST) tests/integration tests/e2e tests/torture

check: $(READY) lint types ## the fast tiers: lint, types, unit, golden, command line
	$(PYTEST) -n 2 tests/unit tests/golden tests/cli tests/conformance

lint: $(READY) ## ruff and the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY) ## mypy --strict
	$(BIN)/mypy

e2e: $(READY) engine ## stories on real clusters
	$(PYTEST) tests/e2e

e2e-services: $(READY) engine ## the services' real controllers on real clusters; builds them when they are not there
	$(PYTEST) tests/services

bench: $(READY) engine ## the figures, side by side with what one would use instead
	$(BIN)/python -m benchmarks

torture: $(READY) engine ## faults on purpose, about 20 minutes; N=5 does five times as many, CLASS= and SEED= choose
	$(BIN)/python -m tests.torture $(CLASS) $(if $(N),--times $(N)) $(if $(SEED),--replay $(SEED))

pairs: $(READY) ## pairs of objects by seed: no planted difference missed, none invented; N=10000 of them
	KARROTS_DIFF_PAIRS=$(or $(N),10000) $(PYTEST) tests/unit/diff/test_generated_pairs.py

conformance: $(READY) ## what every provider must do, and its table: providers and cases
	$(PYTEST) -n 2 tests/conformance

replay: $(READY) ## every cloud's Terraform against recorded schemas, no cloud; ONLY=eks-pools chooses
	$(BIN)/python -m tests.replay $(ONLY)

schemas: $(READY) ## record those schemas again (npm, network; MIRROR=FOLDER has unpacked providers)
	$(BIN)/python -m tests.schemas --npm $(if $(MIRROR),--mirror $(MIRROR))

clouds: $(READY) engine $(CHECKOV) ## EKS from init to its receipt under AWS's own provider, and checkov's opinion; offline
	KARROTS_TEST_CHECKOV=$(abspath $(CHECKOV)) $(PYTEST) -n 2 --dist loadfile tests/clouds

$(CHECKOV):
	$(PYTHON) -m venv $(VENV)/checkov
	$(VENV)/checkov/bin/pip install --quiet --disable-pip-version-check checkov==3.3.30

rights: $(READY) ## each right of Terraform on AWS taken away: is it missed? some minutes; offline
	$(PYTEST) tests/rights

azurerm: $(READY) ## the AKS root under HashiCorp's own provider, which is built once; MIRROR=FOLDER only puts it there
	$(if $(MIRROR),$(BIN)/python -m tests.azurerm $(MIRROR),$(PYTEST) tests/azurerm)

docs: $(READY) ## make the generated pages again
	$(BIN)/python docs/generate.py

dist: $(READY) ## wheel and source archive
	$(BIN)/python -m build --outdir dist

clean: ## remove what make made here (not the engine's cache)
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
