#!/usr/bin/env bash
# run.sh [CONDITION…]: what comes out behind lossy networks, measured: the table and the plot of docs/jitter-buffer.md.
# Installs its Python tools into target/bench-loss. The neteq crate plays in real time, all networks at once.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=${CARGO_TARGET_DIR:-target}/bench-loss
mkdir -p "$work/out"
rm -f "$work"/out/*
[ -x "$work/venv/bin/pip" ] || python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet -r scripts/bench-loss/requirements.txt
# The first clip is the warm-up; half a second of silence stands between two.
inputs=() chain=() n=0
for clip in es-mx katiesteve-1 jfk vosk katiesteve-2; do
  file=crates/testkit/fixtures/speech/$clip.flac
  inputs+=(-i "$file")
  chain+=("[$n:a]aresample=48000,apad=pad_dur=0.6[a$n];")
  n=$((n + 1))
done
filter="${chain[*]}[a0][a1][a2][a3][a4]concat=n=$n:v=0:a=1"
ffmpeg -v error -y "${inputs[@]}" -filter_complex "$filter" -ac 1 -sample_fmt s16 "$work/speech.wav"
cargo run --locked --quiet -p voxpost-client --example loss_lab "$work/speech.wav" "$work/out" "$@"
CARGO_TARGET_DIR=$work/peer cargo run --locked --quiet --manifest-path bench/neteq-peer/Cargo.toml -- \
  "$work"/out/*.packets >>"$work/out/runs.jsonl"
"$work/venv/bin/python" scripts/bench-loss/score.py "$work" "$@"
