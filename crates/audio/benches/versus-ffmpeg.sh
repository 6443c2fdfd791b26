#!/bin/sh
# CPU time and PESQ of M4A → Opus next to ffmpeg, in one run: versus-ffmpeg.sh SPEECH.wav [PYTHON]
#
# SPEECH.wav is a recording of 60 s or more at 44.1 kHz. PYTHON is that of a virtual environment with pesq and numpy
# (see pesq/score.py); without it only the time is measured. Both sides run on one thread, alternating.
set -eu
speech=$(realpath "$1")
python=${2:-}
cd "$(dirname "$0")/../../.."
cargo build --quiet --release -p voxpost-audio --example transcode
transcode=${CARGO_TARGET_DIR:-target}/release/examples/transcode
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ffmpeg -v error -i "$speech" -t 60 -ac 1 "$tmp/speech.wav"
ffmpeg -v error -i "$tmp/speech.wav" -c:a aac -b:a 64k "$tmp/in.m4a"

ours() { "$transcode" "$tmp/in.m4a" "$tmp/voxpost.ogg"; }
theirs() {
    ffmpeg -nostdin -v error -y -threads 1 -i "$tmp/in.m4a" -ac 1 -c:a libopus -b:a 24k -threads 1 "$tmp/ffmpeg.ogg"
}
cpu() { # user + system seconds of this shell's children so far; no pipe, since a subshell has children of its own
    times > "$tmp/times"
    total=$(tail -1 "$tmp/times" | sed 's/[ms]/ /g' | awk '{ print $1 * 60 + $2 + $3 * 60 + $4 }')
}
measure() {
    cpu; before=$total
    "$1"
    cpu
    awk -v a="$before" -v b="$total" 'BEGIN { printf "%.2f\n", b - a }'
}
for _ in 1 2 3 4 5 6 7 8 9; do
    measure ours >> "$tmp/ours"
    measure theirs >> "$tmp/theirs"
done
for who in ours theirs; do
    sort -n "$tmp/$who" | awk -v who=$who '{ t[NR] = $1 } END { printf "%-7s CPU s: min %.2f median %.2f\n", who, t[1], t[int((NR + 1) / 2)] }'
done
ls -l "$tmp"/voxpost.ogg "$tmp"/ffmpeg.ogg | awk '{ print $5, "bytes", $NF }'
[ -z "$python" ] || "$python" crates/audio/benches/pesq/score.py "$tmp/speech.wav" "$tmp/in.m4a" "$tmp/voxpost.ogg" "$tmp/ffmpeg.ogg"
