# One command each; `make` alone lists them. The work is done by revops_admin/runtime/.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python -m revops_admin.runtime
CORE = @$(PYTHON) revops_admin/runtime/install.py $(VENV) requirements.lock
DEV = @$(PYTHON) revops_admin/runtime/install.py $(VENV) requirements-dev.lock

.PHONY: help up down reset services test check witnesses soak bench lock
.DEFAULT_GOAL := help

help: ## List the commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1	\2/' | expand -t 18
	@echo
	@echo '  Settings: PORT (8000), SANDBOX_PORT (8001), REVOPS_HOME (.local), DATABASE_URL and REDIS_URL'
	@echo '  (servers of your own instead of the embedded ones), PYTHON (python3).'

up: ## Run everything: servers, migrations, demo, sandbox CRM, web, worker, beat; Ctrl-C ends it
	$(CORE)
	@$(RUN) up

down: ## End a running `make up` and its servers; the data stays
	$(CORE)
	@$(RUN) down

reset: ## End everything and delete the data (asks; CONFIRM=yes does not)
	$(CORE)
	@$(RUN) reset $(if $(filter yes,$(CONFIRM)),--yes)

services: ## Start PostgreSQL and Redis alone, for work with manage.py; `make down` ends them
	$(CORE)
	@$(RUN) services start

test: ## Run all tests on servers of their own; ARGS='tests/audit -k seal' for some
	$(DEV)
	@$(RUN) test -- $(ARGS)

check: ## Lint, format, types, layers, deployment settings, missing migrations, the wall on a server of its own
	$(DEV)
	@$(RUN) check

witnesses: ## Try the sandbox with Salesforce and HubSpot clients that others wrote
	$(DEV)
	@$(RUN) witnesses

soak: ## A hundred rounds of changes, faults and SIGKILL in both CRMs; SOAK_ROUNDS=20 for fewer, SOAK_SEED=7 for other ones
	$(DEV)
	@SOAK_ROUNDS=$${SOAK_ROUNDS:-100} $(RUN) test -- tests/soak -n 0

bench: ## Measure, as ratios against a floor in the same run
	$(DEV)
	@$(VENV)/bin/python -m benchmarks $(ARGS)

lock: ## Write the lock files from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra embedded --universal -p 3.11 --generate-hashes --no-emit-index-url -o requirements.lock
	uv pip compile pyproject.toml --extra embedded --extra dev -c requirements.lock --universal -p 3.11 --generate-hashes --no-emit-index-url -o requirements-dev.lock
	uv pip compile requirements-witness.in --universal -p 3.11 --generate-hashes --no-emit-index-url -o requirements-witness.txt
	for name in dlt tap-salesforce target-postgres airbyte-source pandas-loop guardian pycasbin; do uv pip compile benchmarks/peers/requirements/$$name.in --universal -p 3.11 --generate-hashes --no-emit-index-url -o benchmarks/peers/requirements/$$name.txt || exit 1; done
