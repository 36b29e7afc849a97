# The two commands of the README are `make demo` and `make test`; the rest is for those who change the code.
VENV ?= .venv
PYTHON = $(VENV)/bin/python
.DEFAULT_GOAL := help

.PHONY: help setup demo test lint types stale check update golden lock program bench bench-hosts bench-scale clean

help:            ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: $(VENV)/.ready-tests
$(VENV)/.ready-tests: tools/thanos
$(VENV)/.ready-%: requirements.lock pyproject.toml tools/setup
	@tools/setup $(VENV) $*

demo: $(VENV)/.ready-demo      ## Compile site.example and run it on loopback, with one injected fault
	@$(VENV)/bin/aamic twin -f site.example/site.yaml --inject xid:79@gpu-001/0

test: setup      ## Run every test
	$(PYTHON) -m pytest -q -n 2 --dist loadfile

lint: setup      ## Check style
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	shellcheck tools/setup tools/program tools/thanos .ci/run site.example/ci/with-key

types: setup     ## Check types
	$(VENV)/bin/mypy

stale: setup     ## Check that outputs/, schema/ and docs/site.md are what the sources give
	$(VENV)/bin/aamic schema --check
	$(VENV)/bin/aamic schema --of plan --check
	$(VENV)/bin/aamic schema --of health --check
	$(VENV)/bin/aamic schema --format markdown --check
	$(VENV)/bin/aamic render -f site.example/site.yaml --out outputs --check --verify

check: lint types stale test  ## All of the above, as CI does

update: setup    ## Write outputs/, schema/ and docs/site.md anew
	$(VENV)/bin/aamic schema --out schema/site.schema.json
	$(VENV)/bin/aamic schema --of plan --out schema/plan.schema.json
	$(VENV)/bin/aamic schema --of health --out schema/health.schema.json
	$(VENV)/bin/aamic schema --format markdown --out docs/site.md
	$(VENV)/bin/aamic render -f site.example/site.yaml --out outputs

golden: setup    ## Write the golden files of the tests anew; read the diff before committing it
	AAMIC_GOLDEN=update $(PYTHON) -m pytest -q -n 2 --dist loadfile

lock: setup      ## Write requirements.lock anew from pyproject.toml
	$(VENV)/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --extra dev \
		--no-header -o requirements.lock pyproject.toml

program: setup   ## Make one file of aamic for hosts, dist/aamic, and the tarball that a site names
	@tools/program $(VENV) dist

bench: setup     ## Measure compiling, beside peers
	$(PYTHON) bench/compile.py

bench-hosts: setup  ## Measure plan and apply on real sshds, beside peers; as root, half an hour
	$(PYTHON) bench/hosts.py
	$(PYTHON) bench/fleet.py

bench-scale: setup  ## Measure what docs/scale.md shows, as Markdown; an hour or two, 12 GiB; QUICK=--quick takes minutes
	$(PYTHON) bench/scale.py $(QUICK)

clean:           ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
