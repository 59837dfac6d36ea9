# Two commands matter: `make demo` and `make test`. Everything they need goes into .venv, node_modules
# and target.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
# Each recipe is one script.
.ONESHELL:

PYTHON ?= python3
VECTORS ?= tests/vectors
VENV := .venv/bin
# The environment that the built wheel is installed into, and tested in.
INSTALLED := target/installed-python
# The environment in which it is measured, with the peers.
MEASURED := target/bench-python
# What else `make observed` is to do.
OBSERVE :=
WHEELS := target/wheels
# Those of the core that nothing else in the workspace turns on.
FEATURES := overcurrent/metrics,overcurrent/opentelemetry,overcurrent/reqwest-middleware,overcurrent/tower

CORE := $(shell find core -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
PYTHON_SOURCES := pyproject.toml $(shell find bindings-python -name '*.rs' -o -name '*.py' -o -name '*.pyi' -o -name Cargo.toml)
NODE_SOURCES := package.json tests/node/install.mjs \
	$(shell find bindings-node -not -path '*/dist/*' \( -name '*.rs' -o -name '*.ts' -o -name '*.mts' -o -name '*.mjs' -o -name Cargo.toml \))

.PHONY: demo test vectors proof bench-core bench-python bench-node soak-python soak-node lint format rust-tests models python-tests python-package node-tests prerequisites prometheus observed outage-svg clean

demo: prerequisites target/wheel.stamp target/package.stamp ## a real outage, in three languages
	cargo build --release --package overcurrent-outage
	target/release/outage --python $(INSTALLED)/bin/python --node node

test: prerequisites lint rust-tests models python-tests node-tests vectors demo observed ## everything
	@echo "all tests passed"

observed: prerequisites prometheus target/wheel.stamp target/package.stamp ## the outage before the eyes of a live Prometheus, which must see it
	cargo build --release --package overcurrent-outage
	target/release/observed --python $(INSTALLED)/bin/python --node node $(OBSERVE)

# What was seen is kept beside what it was drawn as; a test holds the two together.
outage-svg: OBSERVE := --history tests/drills/outage/observed.json
outage-svg: observed ## the same, and docs/outage.svg drawn anew from it
	target/release/draw < tests/drills/outage/observed.json > docs/outage.svg

vectors: target/wheel.stamp target/package.stamp ## replays the folder VECTORS in three languages
	@cargo build --quiet --package overcurrent-tests --bin vectors
	failed=0
	cargo run --quiet --package overcurrent-tests --bin vectors -- "$(VECTORS)" || failed=1
	$(INSTALLED)/bin/python tests/python/vectors.py "$(VECTORS)" || failed=1
	node tests/node/vectors.mjs "$(VECTORS)" || failed=1
	exit $$failed

proof: ## all that is too slow for every change, or only the PARTS named; docs/proof.md says what it is
	PYTHON="$(PYTHON)" tests/proof/proof.sh $(PARTS)

bench-core: ## what the core costs, beside the floors and the peers; writes target/bench-core.json too
	cargo run --release --package overcurrent-benches --bin bench-core

bench-python: target/bench-python.stamp ## what a guarded call costs in Python, beside peers; writes target/bench-python.json too
	$(MEASURED)/bin/python benches/python --json target/bench-python.json

bench-node: target/package.stamp benches/node/node_modules/stamp ## what a call costs in Node, beside bare code and peers
	node benches/node/bench.mjs

soak-python: target/wheel.stamp ## 10 million calls in Python, in every way they can go; memory must stay flat
	$(INSTALLED)/bin/python tests/python/soak.py

soak-node: target/package.stamp ## 10 million calls in Node, in every way they can go; memory must stay flat
	node --expose-gc --max-semi-space-size=2 tests/node/soak.mjs

prerequisites:
	@PYTHON="$(PYTHON)" tests/prerequisites.sh

prometheus: ## prometheus and promtool in target/prometheus/bin: those on PATH, or Debian's package, only unpacked
	@tests/prometheus.sh target/prometheus

# --- style ---------------------------------------------------------------------------------------

lint: .venv/stamp node_modules/stamp
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features $(FEATURES) -- --deny warnings
	tests/features.sh
	RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --no-deps --package overcurrent --all-features
	$(VENV)/ruff format --check bindings-python tests benches/python
	$(VENV)/ruff check bindings-python tests benches/python
	$(VENV)/mypy
	npm run --silent check

format: .venv/stamp
	cargo fmt --all
	$(VENV)/ruff format bindings-python tests benches/python
	$(VENV)/ruff check --fix bindings-python tests benches/python

# --- tests ---------------------------------------------------------------------------------------

rust-tests:
	cargo test --workspace --features $(FEATURES)

# Every interleaving of the cells' operations, by loom.
models:
	RUSTFLAGS="--cfg overcurrent_loom" CARGO_TARGET_DIR=target/loom \
		cargo test --package overcurrent --lib --profile proof models

# With the wheel, on each CPython that is found.
python-tests: target/wheel.stamp target/sdist.stamp node_modules/stamp
	$(VENV)/python tests/python/interpreters.py $(INSTALLED)/bin/python $(WHEELS)/*.whl

python-package: target/wheel.stamp target/sdist.stamp ## the sizes of what is shipped, and how long importing it takes
	$(VENV)/python tests/python/package.py $(WHEELS) $(INSTALLED)*/bin/python

node-tests: target/package.stamp
	npm run --silent test

# --- what is built -------------------------------------------------------------------------------

.venv/stamp: tests/python/requirements.txt
	$(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet --requirement tests/python/requirements.txt
	touch $@

node_modules/stamp: package.json package-lock.json
	npm ci --no-fund --no-audit
	touch $@

benches/node/node_modules/stamp: benches/node/package.json benches/node/package-lock.json
	npm ci --prefix benches/node --no-fund --no-audit
	touch $@

# The wheel, installed where nothing else of the project is.
target/wheel.stamp: .venv/stamp $(CORE) $(PYTHON_SOURCES)
	rm -rf $(WHEELS) $(INSTALLED)
	$(VENV)/maturin build --release --locked --interpreter $(VENV)/python --out $(WHEELS)
	$(PYTHON) -m venv $(INSTALLED)
	$(INSTALLED)/bin/python -m pip install --quiet --requirement tests/python/requirements.txt $(WHEELS)/*.whl
	touch $@

target/bench-python.stamp: target/wheel.stamp benches/python/requirements.txt
	rm -rf $(MEASURED)
	$(PYTHON) -m venv $(MEASURED)
	$(MEASURED)/bin/python -m pip install --quiet --requirement benches/python/requirements.txt $(WHEELS)/*.whl
	touch $@

# What the wheel can be built from elsewhere.
target/sdist.stamp: target/wheel.stamp README.md LICENSE-MIT LICENSE-APACHE
	rm -f $(WHEELS)/*.tar.gz
	PATH="$(CURDIR)/$(VENV):$$PATH" python bindings-python/sdist.py $(WHEELS)
	touch $@

# The package and that of this platform, packed and installed into a project of their own.
target/package.stamp: node_modules/stamp $(CORE) $(NODE_SOURCES)
	npm run --silent build
	npm run --silent install-packed
	touch $@

clean:
	rm -rf target .venv node_modules bindings-node/dist demo-report.html
