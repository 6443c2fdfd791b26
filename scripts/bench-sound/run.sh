#!/usr/bin/env bash
# run.sh [resampler|complexity|fit|clips]…: tables of docs/benchmarks.md about files that are encoded; all of them without a word.
# Installs its Python tools into target/bench-sound.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${CARGO_TARGET_DIR:-target}/bench-sound
mkdir -p "$work"
[ -x "$work/venv/bin/pip" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet -r scripts/bench-sound/requirements.txt
cargo build --locked --quiet --release -p voxpost-audio --example transcode --example resample
for table in "${@:-resampler complexity fit clips}"; do
  for name in $table; do
    "$work/venv/bin/python" "scripts/bench-sound/$name.py" "${CARGO_TARGET_DIR:-target}/release/examples" "$work"
  done
done
