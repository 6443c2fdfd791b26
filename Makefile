# Voxpost: everything a person or CI calls. `make` alone lists it.

SHELL := /bin/bash
# Where rustup puts cargo, for shells that were opened before.
export PATH := $(PATH):$(HOME)/.cargo/bin
TIMED := scripts/timed.sh
CODECS := voxpost/enc-aac,voxpost/enc-mp3,voxpost/silk
BIN   := $(or $(CARGO_TARGET_DIR),target)/debug/voxpost
# The path that browser tests get must hold from inside web/.
ABSBIN = $(abspath $(BIN))
# What is tested has all of its features; what is run and shipped needs no sound device (FEATURES=voxpost/sound adds it).
ALL := --features voxpost/sound

.DEFAULT_GOAL := help
.PHONY: help run build test test-codecs test-garage lint audit bench bench-loss bench-noise bench-sound soak setup setup-test

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## Install what is missing, build, start the server and print its address
	@scripts/timed.sh "build" cargo build --locked --bin voxpost --features "$(FEATURES)"
	@exec $(BIN) serve $(ARGS)

build: setup ## Build the release binary: target/release/voxpost
	cargo build --locked --release --bin voxpost --features "$(FEATURES)"

test: setup-test ## All tests: Rust, end to end on the built binary, web, browser
	@$(TIMED) "rust tests: build" cargo test --locked --workspace $(ALL) --no-run
	@$(TIMED) "rust tests, end to end included" cargo test --locked --workspace $(ALL) --no-fail-fast
	@VOXPOST_BIN=$(ABSBIN) $(TIMED) "uploads: tus clients of others" npm --prefix tests/tus test
	@$(TIMED) "web: types" npm --prefix web run types
	@$(TIMED) "web: unit tests" npm --prefix web test
	@VOXPOST_BIN=$(ABSBIN) $(TIMED) "browser: two people talk" npm --prefix web run e2e

test-codecs: ## Build AAC, MP3 and SILK (features enc-aac, enc-mp3, silk) and test them, in the audio crate and over HTTP
	@scripts/setup.sh codecs
	@$(TIMED) "codecs: build" cargo test --locked --workspace --features $(CODECS) --no-run --test renditions --test silk --test e2e
	@$(TIMED) "codecs: files out" cargo test --locked --workspace --features $(CODECS) --test renditions
	@$(TIMED) "codecs: SILK" cargo test --locked --workspace --features $(CODECS) --test silk
	@$(TIMED) "codecs: server" cargo test --locked --workspace --features $(CODECS) --test e2e -- formats:: http_audio::

test-garage: ## Sounds in Garage (another S3 server, built once for this: 20 minutes and more)
	@scripts/setup.sh test-garage
	@VOXPOST_TEST_S3=garage $(TIMED) "sounds in Garage" cargo test --locked --workspace $(ALL) --test e2e -- in_any_s3

lint: setup-test ## Formatting, clippy, docs, web types, and the tree's own rules
	@$(TIMED) "lint: format" cargo fmt --all --check
	@$(TIMED) "lint: tree" scripts/check-tree.sh
	@$(TIMED) "lint: clippy" cargo clippy --locked --workspace $(ALL) --all-targets -- -D warnings
	@$(TIMED) "lint: clippy, as it is shipped" cargo clippy --locked --bin voxpost -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(TIMED) "lint: docs" cargo doc --locked --workspace $(ALL) --no-deps
	@$(TIMED) "lint: web types" npm --prefix web run types

audit: setup ## Licences, duplicate versions and sources of all dependencies (cargo-deny)
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked cargo-deny
	cargo deny --locked check licenses bans sources

bench: setup ## Load and sound benchmarks, release build: docs/benchmarks.md says what they mean
	scripts/bench.sh

bench-loss: ## Speech behind lossy networks, scored by PESQ and STOI: the table of docs/jitter-buffer.md
	@scripts/setup.sh bench-loss
	scripts/bench-loss/run.sh

bench-noise: ## Noisy speech before and after the capture chain, scored by PESQ and STOI: a table of docs/benchmarks.md
	@scripts/setup.sh bench-loss
	scripts/bench-noise/run.sh

bench-sound: ## The resampler beside soxr, complexity, bit rate of narrow sound, eight clips beside ffmpeg: tables of docs/benchmarks.md
	@scripts/setup.sh bench-loss
	scripts/bench-sound/run.sh

soak: setup-test ## Hours of proof: kills, mutated files, fuzzing (SOAK_MINUTES, default 30)
	scripts/soak.sh

setup:
	@scripts/setup.sh run

setup-test:
	@scripts/setup.sh test
