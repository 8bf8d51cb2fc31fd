# Everything the project does, by name. `make help` lists it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PROFILE ?= demo
STAMP  := $(VENV)/.installed
AUDIT  := .venv-audit
AUDIT_STAMP := $(AUDIT)/.installed

.DEFAULT_GOAL := help
.PHONY: help setup demo scan check test lint types contracts docs docs-check picture bench bench-help reliability audit sbom lock clean

help:            ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv with the hash-pinned requirements

$(STAMP): requirements/dev.txt pyproject.toml
	@echo "setting up $(VENV) (once; about half a minute)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "aws-scanner needs Python 3.11 or newer; set PYTHON=python3.x")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --config-settings editable_mode=compat --editable .
	@touch $@

demo: $(STAMP)   ## scan an embedded fake AWS and show the report
	@$(BIN)/aws-scanner demo

scan: $(STAMP)   ## scan config/$(PROFILE).yaml (make scan PROFILE=prod)
ifeq ($(PROFILE),demo)
	@$(BIN)/aws-scanner demo
else
	@$(BIN)/aws-scanner scan $(PROFILE)
endif

check: $(STAMP)  ## prove the catalog against botocore's models
	@$(BIN)/aws-scanner check

test: $(STAMP)   ## run the tests
	@$(BIN)/python -m pytest -n 3

lint: $(STAMP)   ## ruff, mypy --strict, import contracts, unused dependencies
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/deptry .

docs: $(STAMP)   ## write the generated pages again (commands, profile, types, schemas)
	@$(BIN)/python -m scanner.docs

docs-check: $(STAMP)  ## fail where a generated page is not current
	@$(BIN)/python -m scanner.docs --check

picture: $(STAMP)  ## run the demo on a terminal and draw docs/demo.svg
	@$(BIN)/python -m scanner.picture

bench: $(STAMP)  ## beside today's tool on the same fake AWS
	@$(BIN)/python -m bench.run

bench-help: $(STAMP)  ## CPU of `--help` of every command
	@$(BIN)/python -m bench.help

reliability: $(STAMP)  ## prove it at length: faults, chance, kills, secrets; write docs/reliability.md
	@$(BIN)/python -m bench.reliability

audit: $(AUDIT_STAMP)  ## look the pinned packages up among the known vulnerabilities (asks a service)
	@$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
	  -r requirements/run.txt -r requirements/dev.txt -r requirements/audit.txt \
	  || { echo "audit: NOT PASSED: see above what is vulnerable, or could not be looked up" >&2; exit 1; }

sbom: $(AUDIT_STAMP)  ## write build/sbom.cdx.json: what is installed with the program, as CycloneDX
	@mkdir -p build
	@PYTHONWARNINGS=ignore $(AUDIT)/bin/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml \
	  --mc-type application --output-reproducible --output-format JSON --output-file build/sbom.cdx.json
	@echo "build/sbom.cdx.json"

$(AUDIT_STAMP): requirements/audit.txt
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/audit.txt
	@touch $@

lock:            ## pin the requirements again (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet pyproject.toml --extra demo --extra dev -o requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet pyproject.toml -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet --group audit -o requirements/audit.txt

clean:           ## remove what was made
	rm -rf $(VENV) $(AUDIT) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
