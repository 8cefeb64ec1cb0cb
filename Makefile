# Every target sets up what it needs: Python 3.11 or newer, make and a package index are enough. ARGS go to the command it runs.

# A uv on PATH serves if it is at least this one; else this one is installed under .tools.
UV_VERSION := 0.13.9
own_uv := .tools/uv-$(UV_VERSION)/bin/uv
UV := $(shell printf '%s\n' $(UV_VERSION) "$$(uv --version 2>/dev/null | cut -d ' ' -f 2)" | sort -VC && command -v uv || echo $(own_uv))

# The machine's own Python is used, never one that uv fetches, unless the caller asks for it.
export UV_PYTHON_DOWNLOADS ?= never
export UV_PREVIEW_FEATURES := package-conflicts
export UV_PROJECT_ENVIRONMENT := .venv
export SAM_CLI_TELEMETRY ?= 0
# Another environment that happens to be active is not ours.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH
# Without byte code that is kept, each process that a test starts would compile all its packages anew: seconds of it.
unexport PYTHONDONTWRITEBYTECODE

sam := PATH="$(CURDIR)/.venv-sam/bin:$$PATH" .venv-sam/bin/sam
# The functions' own Python, found as functions/Makefile finds it; empty where there is none.
runtime := $(shell sed -n 's/^ *Runtime: python//p' template.yaml)
define find_runtime_python
for python in python$(runtime) "$$("$(UV)" python find --no-project $(runtime))" "$$HOME"/.pyenv/versions/$(runtime).*/bin/python; do
  "$$python" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(runtime)")' && echo "$$python" && break;
done 2>/dev/null
endef
runtime_python = $(shell $(find_runtime_python))
requirements := --quiet export --locked --no-dev --no-emit-project --no-header

# One worker more than the machine has processors, for some tests wait: for a process, for Java.
workers := $(shell expr 1 + "$$(getconf _NPROCESSORS_ONLN)")

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

.PHONY: run
run: .venv ## Serve the webhook on this machine, over a table in memory
	.venv/bin/orderhook serve $(ARGS)

# By another name, for `make --dry-run` runs each line that has make's own: here the tests with it.
make := $(MAKE)

.PHONY: test
test: .venv ## Check format, lint, types, template and lock files, and run the unit and integration tests beside
	@log=$$(mktemp); \
	$(make) --no-print-directory checks >"$$log" 2>&1 & checks=$$!; \
	.venv/bin/pytest -n $(workers) --dist worksteal tests/unit tests/integration $(ARGS); tests=$$?; \
	wait $$checks; checks=$$?; cat "$$log"; rm "$$log"; exit $$((tests || checks))

.PHONY: checks
checks: .venv ## Check format, lint, types, template and lock files
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/mypy --platform win32 --cache-dir .mypy_cache/win32 bridge
	.venv/bin/lint-imports --no-cache
	.venv/bin/cfn-lint template.yaml
	"$(UV)" --quiet lock --check
	"$(UV)" $(requirements) | diff functions/requirements.txt - || { echo "functions/requirements.txt is out of date: run \`make lock\`"; exit 1; }

.PHONY: test-api
test-api: .venv ## Play every operation of the HTTP API, with what its description allows and with what it does not
	.venv/bin/pytest -n auto --dist worksteal tests/schema $(ARGS)

.PHONY: test-console
test-console: .venv ## Use the console in a browser (Chromium), on a desk and on a phone
	.venv/bin/pytest -n auto --dist worksteal tests/console $(ARGS)

.PHONY: pictures
pictures: .venv ## Make the pictures of docs/pictures from the demo (Chromium)
	.venv/bin/python -m tests.console.pictures

.PHONY: test-engine
test-engine: .venv ## Run the integration tests, races and faults on DynamoDB Local (Java 17 and Maven)
	.venv/bin/pytest -n $(workers) --dist worksteal tests/engine tests/integration --engine $(ARGS)

.PHONY: prove
prove: .venv ## Race, compare with a model, fuzz, simulate and kill, after seeded defects prove that these notice (about an hour)
	.venv/bin/python -m verification $(ARGS)

.PHONY: mutate
mutate: .venv ## Break the code in every small way: types or tests must notice, or it is listed (ARGS=commands.cancel)
	.venv/bin/python -m verification.mutation $(ARGS)

.PHONY: test-runtime
test-runtime: .venv .venv-sam ## Run the built artifact under Lambda's runtime client and emulator, without a container
	.venv/bin/pytest tests/runtime $(ARGS)

.PHONY: test-deploy
test-deploy: .venv .venv-sam .venv-deploy ## Deploy the stack onto an emulator of AWS, and use, update, restore and remove it
	@if [ -x .venv-deploy/bin/ministack ]; then set -x; .venv/bin/pytest tests/deploy $(ARGS); \
	else echo "Skipped: the emulator needs the functions' Python $(runtime), and there is none on this machine."; fi

.PHONY: bench
bench: .venv .venv-sam ## Measure cold start, warm cancels, size and requests, and write verification/bench/RESULTS.md
	.venv/bin/python -m verification.bench $(ARGS)

.PHONY: format
format: .venv ## Format the code, and repair what ruff can
	.venv/bin/ruff check --fix-only
	.venv/bin/ruff format

.PHONY: docs
docs: .venv ## Write docs/errors.md, docs/openapi.json and the tables of docs/api.md from the code
	.venv/bin/python -m orderhook.reference
	.venv/bin/python -m orderhook.console.api.openapi

.PHONY: lock
lock: $(filter $(own_uv),$(UV)) ## Update uv.lock after a change of pyproject.toml, and functions/requirements.txt with it
	"$(UV)" lock $(ARGS)
	"$(UV)" $(requirements) --output-file functions/requirements.txt

# Vulnerabilities are not in a package index: this asks osv.dev, and is no part of what a change has to pass.
.PHONY: audit
audit: $(filter $(own_uv),$(UV)) ## Compare the locked packages with the known vulnerabilities of osv.dev
	@"$(UV)" audit --preview-features audit-command --locked $(ARGS); case $$? in \
	  0) echo "osv.dev knows of no vulnerability in the locked packages." ;; \
	  1) echo "A package above has a known vulnerability: see CONTRIBUTING.md, Dependencies." >&2; exit 1 ;; \
	  *) echo "Nothing was compared: osv.dev was not reached, for the reason above." >&2; exit 2 ;; esac

.PHONY: build
build: .venv-sam ## Build what is deployed, into .aws-sam
	$(sam) build $(ARGS)

.PHONY: validate
validate: .venv-sam ## Validate the template as SAM and as CloudFormation
	$(sam) validate --lint $(ARGS)

.PHONY: clean
clean: ## Remove what was built, and caches; environments stay
	rm -rf .aws-sam dist .hypothesis .mypy_cache .pytest_cache .ruff_cache

# Always run: uv knows best whether an environment is up to date, and finds out in no time.
.PHONY: .venv
.venv: $(filter $(own_uv),$(UV))
	@"$(UV)" sync --locked $(if $(wildcard .venv/bin/orderhook),--quiet)

# Apart, because the SAM CLI pins a boto3 of its own.
.PHONY: .venv-sam
.venv-sam: $(filter $(own_uv),$(UV))
	@UV_PROJECT_ENVIRONMENT=.venv-sam "$(UV)" sync --locked --only-group sam $(if $(wildcard .venv-sam/bin/sam),--quiet)

# The emulator of AWS runs the functions with its own Python; without the runtime's there is none.
.PHONY: .venv-deploy
.venv-deploy: $(filter $(own_uv),$(UV))
	@python="$(runtime_python)"; [ -z "$$python" ] || UV_PROJECT_ENVIRONMENT=.venv-deploy "$(UV)" sync --locked \
	  --only-group deploy --python "$$python" $(if $(wildcard .venv-deploy/bin/ministack),--quiet)

$(own_uv):
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Installing uv $(UV_VERSION) into .tools"; \
	    "$$python" -m venv --clear ".tools/uv-$(UV_VERSION)" && "$(@D)/python" -m pip install --quiet uv==$(UV_VERSION); \
	    exit; \
	  fi; \
	done; \
	echo "orderhook needs Python 3.11 or newer, and there is none on PATH." >&2; exit 1
