#!/usr/bin/env bash
# bench.sh: the figures of docs/benchmarks.md. Ask for a quiet machine; every run prints the disk's fsync beside it.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --release --bin voxpost
bin=${CARGO_TARGET_DIR:-target}/release/voxpost
scripts/timed.sh "bench: sound" cargo bench --locked -p voxpost-audio
scripts/timed.sh "bench: ingest" "$bin" bench ingest
scripts/timed.sh "bench: socket" "$bin" bench socket
