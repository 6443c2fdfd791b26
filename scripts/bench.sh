#!/usr/bin/env bash
# bench.sh: the figures of docs/benchmarks.md. Ask for a quiet machine; every run prints the disk's fsync beside it.
# BENCH_DIR: where the servers keep their data, on the disk that counts (default: the system's temporary directory).
# RUNS: how often each load is repeated (default 5); docs/benchmarks.md has the medians.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --release --bin voxpost
bin=${CARGO_TARGET_DIR:-target}/release/voxpost
dir=${BENCH_DIR:-${TMPDIR:-/tmp}}
scripts/timed.sh "bench: sound" cargo bench --locked -p voxpost-audio
for run in $(seq "${RUNS:-5}"); do
    scripts/timed.sh "bench: ingest, run $run" "$bin" bench ingest --dir "$dir"
    scripts/timed.sh "bench: socket, run $run" "$bin" bench socket --dir "$dir"
    scripts/timed.sh "bench: playback, run $run" "$bin" bench playback --dir "$dir"
done
