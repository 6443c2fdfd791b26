#!/usr/bin/env bash
# run.sh: what the capture chain does to noisy and clean speech, scored by PESQ and STOI: the table of docs/benchmarks.md.
# Installs its Python tools into target/bench-noise.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${CARGO_TARGET_DIR:-target}/bench-noise
mkdir -p "$work"
[ -x "$work/venv/bin/pip" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet -r scripts/bench-noise/requirements.txt
cargo build --locked --quiet -p voxpost-audio --example clean_up
"$work/venv/bin/python" scripts/bench-noise/score.py "${CARGO_TARGET_DIR:-target}/debug/examples/clean_up" "$work"
