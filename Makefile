# make demo: run the sample checks; make test: run the tests; make help: list all targets.
#
# PYTHON=...  the Python to use (3.10 or newer; otherwise the first such one on the PATH)
# VENV=...    the virtual environment, created on first use
# RESOLUTION=lowest-direct   installs the oldest dependencies that pyproject.toml allows, not the newest

VENV ?= .venv
PYTHON ?=
# Tests mostly wait for jobs and sessions, so more processes than processors are useful.
JOBS ?= 4
PYTEST_ARGS ?=
BENCH_ARGS ?=
FAULTS_ARGS ?=
RESOLUTION ?=
GITLAB_CI_LOCAL = gitlab-ci-local@4.73.0

BIN = $(VENV)/bin
DEMO = .sandbox
PYTHONS = $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.10)

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-slurm test-v1 test-pipelines bench faults docs pictures lint clean distclean
.SUFFIXES:

help:
	@echo "make demo        run the sample checks through the sandbox"
	@echo "make test        run all tests except the pipelines', with coverage"
	@echo "make test-unit   run the tests that need no gateway"
	@echo "make test-slurm  run the end-to-end tests over a real Slurm (start it with ci/slurm.sh)"
	@echo "make test-pipelines  execute the pipelines for GitLab, GitHub and others (needs npm, rsync and Node.js 20 or newer)"
	@echo "make test-v1     run the end-to-end tests over FirecREST v1"
	@echo "make bench       measure requests, times, bytes and memory; BENCH_ARGS=--help lists all options"
	@echo "make faults      fail each request in each way (1.5 h; 5 min for one kind of failure); FAULTS_ARGS=--help lists all options"
	@echo "make docs        write the reference pages and drawings from the code, and build the site in site/"
	@echo "make pictures    the same drawings, and screenshots of the report page (needs Chromium and its driver)"
	@echo "make lint        run ruff, mypy and the other checks of .pre-commit-config.yaml"
	@echo "make clean       remove files of the targets above; make distclean removes $(VENV) and .pipelines too"

demo: $(VENV)/.installed-sandbox
	@rm -rf $(DEMO)
	@$(BIN)/reframe-firecrest demo --directory $(DEMO)

test: $(VENV)/.installed-dev
	@$(BIN)/pytest -q -n $(JOBS) -m "not pipelines" --cov --cov-report=term $(PYTEST_ARGS)

test-unit: $(VENV)/.installed-dev
	@$(BIN)/pytest -q -n $(JOBS) -m "not e2e and not pipelines" $(PYTEST_ARGS)

test-slurm: $(VENV)/.installed-dev
	@SANDBOX_RUNNER=slurm $(BIN)/pytest -q -m e2e $(or $(PYTEST_ARGS),tests/e2e)

test-v1: $(VENV)/.installed-dev
	@SANDBOX_API=1 $(BIN)/pytest -q -m e2e $(or $(PYTEST_ARGS),tests/e2e)

test-pipelines: $(VENV)/.installed-dev .pipelines/.installed-$(GITLAB_CI_LOCAL)
	@echo "collecting packages in .pipelines/wheels"
	@rm -rf .pipelines/wheels
	@$(BIN)/python -m pip wheel -qq --disable-pip-version-check --wheel-dir .pipelines/wheels . reframe-hpc==4.10.4
	@$(BIN)/pytest -q -n $(JOBS) -m pipelines $(or $(PYTEST_ARGS),tests/ci)

# 4.73.0 is the last version that runs on Node.js 20.
.pipelines/.installed-$(GITLAB_CI_LOCAL):
	@echo "installing $(GITLAB_CI_LOCAL) into .pipelines"
	@mkdir -p .pipelines
	@npm install --prefix .pipelines --no-audit --no-fund --loglevel=error $(GITLAB_CI_LOCAL)
	@touch $@

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m bench $(BENCH_ARGS)

faults: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.faults $(FAULTS_ARGS)

# A broken link is an error, and so is any other warning.
docs: $(VENV)/.installed-docs
	@$(BIN)/python -m docs._reference
	@$(BIN)/python -m docs._pictures
	@rm -rf site
	@$(BIN)/sphinx-build -q -W --keep-going docs site
	@echo "site/index.html"

pictures: $(VENV)/.installed-dev
	@$(BIN)/python -m docs._pictures
	@$(BIN)/python -m docs._screenshots

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@if ! git rev-parse --git-dir > /dev/null 2>&1; then exit 0; fi; \
	git grep -Ilz '' | xargs -0 $(BIN)/trailing-whitespace-fixer && \
	git grep -Ilz '' | xargs -0 $(BIN)/end-of-file-fixer && \
	git grep -Ilz '' | xargs -0 $(BIN)/check-merge-conflict && \
	git ls-files -z '*.yml' '*.yaml' | xargs -0 $(BIN)/check-yaml --unsafe && \
	git ls-files -z .ci/run '.ci/*.sh' 'ci/*.sh' | xargs -0 $(BIN)/shellcheck --severity=warning

clean:
	@rm -rf $(DEMO) build dist site .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@rm -rf stage output perflogs reframe.log reframe.out

distclean: clean
	@rm -rf $(VENV) .pipelines

# A stamp is newer than pyproject.toml while the installation is up to date. The package is installed in
# place, so changes of the code need no new installation.
$(VENV)/.installed-sandbox: EXTRA = sandbox
$(VENV)/.installed-docs: EXTRA = docs
$(VENV)/.installed-dev: EXTRA = dev
$(VENV)/.installed-sandbox $(VENV)/.installed-docs $(VENV)/.installed-dev: pyproject.toml | $(VENV)/bin/python
	@echo "installing reframe-firecrest[$(EXTRA)] into $(VENV)"
	@if [ -z "$(RESOLUTION)" ]; then \
	    $(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[$(EXTRA)]'; \
	else \
	    $(BIN)/python -m pip install -qq --disable-pip-version-check uv && \
	    $(BIN)/uv pip install -q --python $(BIN)/python --resolution $(RESOLUTION) --editable '.[$(EXTRA)]'; \
	fi
	@touch $@

# Try to start each Python: version managers put commands on the PATH for versions that are not installed.
$(VENV)/bin/python:
	@python=; for candidate in $(PYTHONS); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then \
	        python=$$candidate; break; \
	    fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "no Python 3.10 or newer among: $(PYTHONS); install one, or name it with PYTHON=/path/to/python3" >&2; \
	    exit 1; \
	fi; \
	if ! "$$python" -m venv "$(VENV)"; then \
	    rm -rf "$(VENV)"; \
	    echo "$$python can't make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
	    exit 1; \
	fi
