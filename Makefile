# What people and CI do with this repository. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

CARGO_TARGET_DIR ?= target
export CARGO_TARGET_DIR := $(abspath $(CARGO_TARGET_DIR))
export BELLWETHER_BIN ?= $(CARGO_TARGET_DIR)/release/bellwether
export BELLWETHER_AGENT_BIN ?= $(CARGO_TARGET_DIR)/release/bellwether-agent

# cargo-nextest where it is installed, cargo's own runner otherwise.
nextest := $(shell cargo nextest --version >/dev/null 2>&1 && echo yes)
run_tests := $(if $(nextest),nextest run --no-tests=pass,test)
# Tests on real engines measure time: .config/nextest.toml says which may share the machine.
two_at_most := $(if $(nextest),--test-threads=2,-- --test-threads=1)

dashboard_sources = $(shell [[ ! -d dashboard ]] || find dashboard -path dashboard/node_modules -prune -o \
  -path dashboard/dist -prune -o -type f \( -path 'dashboard/src/*' -o -path 'dashboard/public/*' \
  -o -path 'dashboard/*.json' -o -path 'dashboard/*.ts' -o -path 'dashboard/*.html' \) -print)

.PHONY: help run stop setup build dashboard openapi test ci format lint tidy unit sim sim-mutations \
  fuzz-api e2e browser clean-nodes bench-create bench-failover bench-endpoint \
  bench-anchors bench-backup soak

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## set up, build, start the server and a demo cluster, print the addresses
	@scripts/run

stop: ## stop the server that `make run` started; the databases go on
	@scripts/stop

setup: ## install what is missing: compilers, Docker, the node image, dashboard packages
	@scripts/ensure-rust
	@scripts/ensure-docker
	@scripts/ensure-images
	@scripts/ensure-node

build: dashboard ## compile the server, the command line and the agent for use
	@cargo build --release --package bellwether --package bellwether-agent

dashboard: dashboard/dist/index.html ## build the dashboard, which the server carries inside it

dashboard/dist/index.html: $(dashboard_sources)
	@scripts/ensure-node
	@cd dashboard && npm run build
	@touch $@

openapi: ## write openapi/v1.json and the dashboard's client from the code
	@cargo xtask openapi

test: setup ci ## set up, then everything CI runs

ci: format lint tidy unit sim fuzz-api e2e browser ## all checks and tests, cheapest first

format: ## is everything formatted?
	@cargo fmt --all --check

lint: dashboard ## clippy, warnings refused
	@cargo clippy --workspace --all-targets -- --deny warnings

tidy: ## file lengths, import directions, drift of generated files
	@cargo $(run_tests) --package xtask

unit: dashboard ## tests that need nothing but the code, and a kernel
	@scripts/apt-install iproute2 nftables util-linux
	@cargo $(run_tests) --workspace --exclude e2e --exclude xtask
	@cd dashboard && npm test

e2e: build ## one test for each promise, on real engines in containers
	@scripts/ensure-images
	@scripts/ensure-s3 >/dev/null
	@for image in "postgresql 15" "postgresql 18" "timescaledb 17" "hydra 15" "mariadb 11.8" \
	  "mysql 9.7" "valkey 8" "valkey 9" "redis 8"; do \
	  scripts/ensure-images $$image || \
	  echo "$$image cannot be had here; its tests say that they are not run"; done
	@cargo $(run_tests) --release --package e2e $(two_at_most)

SEEDS ?= 500
sim: ## the real decisions over a simulated world: SEEDS=1000 for more, SEED=7 to replay one
	@cargo run --quiet --profile sim --package sim -- $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

sim-mutations: ## deliberate mistakes, each of which some seed of the simulation has to notice
	@cargo run --quiet --profile sim --package sim --features mutations -- --mutations

fuzz-api: build ## thousands of odd questions to the API, made from its document (EXAMPLES=100)
	@scripts/fuzz-api

browser: build ## the dashboard in a real browser against the real server
	@scripts/ensure-images && scripts/ensure-images valkey 8
	@scripts/ensure-node
	@cd tests/identity-provider && { [[ node_modules -nt package-lock.json ]] || \
	  npm ci --no-audit --no-fund --loglevel=error && touch node_modules; }
	@export BELLWETHER_CHROMIUM=$$(scripts/ensure-browser | tail -n 1); \
	  cd dashboard && npx --no-install playwright test

clean-nodes: ## remove every container, disk, volume and network we made (OWNER=x: only x's)
	@scripts/clean-nodes $(OWNER)

bench-create: build ## how long creating clusters takes
	@scripts/ensure-images && scripts/ensure-postgresql-client && bench/create

ENGINE ?= postgresql
bench-failover: build ## how long writes stop when a primary dies (ENGINE=mariadb, mysql, …)
	@scripts/ensure-images $(ENGINE)
	@scripts/ensure-postgresql-client
	@scripts/apt-install iproute2 && bench/failover

bench-endpoint: build ## what the stable address costs per query
	@scripts/ensure-images && scripts/ensure-postgresql-client && bench/endpoint

bench-backup: build ## MEGABYTES=2000 backed up and restored, beside restic, Borg and pgBackRest alone
	@bench/backup

bench-anchors: build ## a killed primary beside Patroni and pg_auto_failover (ENGINE=valkey: Sentinel)
	@bench/anchors

soak: build ## MINUTES=30 with every core taken by others: no failover, no gate that closes
	@scripts/ensure-images && bench/soak
