# mod_qos for Apache httpd. `make` alone prints what there is.

export PATH := $(HOME)/.cargo/bin:$(PATH):/usr/sbin:/sbin
SHELL      := /bin/bash

CARGO      ?= cargo
APXS       ?= $(shell command -v apxs || command -v apxs2 || echo apxs)
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
MODULE     ?= $(TARGET_DIR)/release/libmod_qos.so
PORT       ?= 8080
DESTDIR    ?=
# Asked only when installing: apxs may not be there before `make setup`.
LIBEXECDIR ?= $(shell $(APXS) -q LIBEXECDIR)
SYSCONFDIR ?= $(shell $(APXS) -q SYSCONFDIR)
INCLUDEDIR ?= $(shell $(APXS) -q INCLUDEDIR)

.DEFAULT_GOAL := help
.PHONY: help setup build install uninstall run test bench oracle fuzz lint clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what building, running and testing need (apt; starts no service)
	@packaging/setup.sh

build: setup ## build target/release/libmod_qos.so
	$(CARGO) build --release --lib
	@ls -l $(TARGET_DIR)/release/libmod_qos.so

# An administrator installs as root what was built before as somebody else.
$(MODULE):
	$(MAKE) build

install: $(MODULE) ## install the module and its configuration (DESTDIR, LIBEXECDIR, SYSCONFDIR, INCLUDEDIR)
	@packaging/install.sh install "$(MODULE)" "$(DESTDIR)" "$(LIBEXECDIR)" "$(SYSCONFDIR)" "$(INCLUDEDIR)"

uninstall: ## remove what install put there
	@packaging/install.sh uninstall "$(MODULE)" "$(DESTDIR)" "$(LIBEXECDIR)" "$(SYSCONFDIR)" "$(INCLUDEDIR)"

run: build ## a private Apache on http://localhost:8080 (PORT=...) with the module; Ctrl-C stops it
	@PORT="$(PORT)" MODULE="$(MODULE)" packaging/run.sh

test: build ## all tests, against real Apache processes, and the concurrency model
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} $(CARGO) test --workspace --no-fail-fast
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="$(TARGET_DIR)/loom" $(CARGO) test -p qos-shm --release --lib loom

bench: build ## measure no module, the packaged original and ours side by side
	$(CARGO) run --release -p httpd-lab --bin bench

oracle: build ## what the packaged original agrees on, run against it
	QOS_ORACLE=1 $(CARGO) test --test oracle --test oracle_requests --test oracle_users

fuzz: setup ## random input for all parsers, FUZZ_SECONDS=60 for each (packaging/fuzz.sh)
	@CARGO="$(CARGO)" packaging/fuzz.sh

lint: setup ## formatting and clippy
	@for tool in fmt clippy; do $(CARGO) $$tool --version >/dev/null 2>&1 || \
	  { echo "lint: cargo $$tool is missing: rustup component add rustfmt clippy (Debian: apt-get install rustfmt rust-clippy)"; exit 1; }; done
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

clean: ## remove everything that was built
	$(CARGO) clean
