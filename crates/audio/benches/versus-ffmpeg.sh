#!/bin/sh
# CPU time and PESQ of M4A, MP3, AMR and WAV → Opus next to ffmpeg, in one run: versus-ffmpeg.sh SPEECH.wav [PYTHON]
#
# SPEECH.wav is a recording of 60 s or more at 44.1 kHz. PYTHON is that of a virtual environment with pesq and numpy
# (see pesq/score.py); without it only the time is measured. Both sides run on one thread, alternating. AMR is made by sox
# (libsox-fmt-all).
set -eu
speech=$(realpath "$1")
python=${2:-}
cd "$(dirname "$0")/../../.."
cargo build --quiet --release -p voxpost-audio --example transcode
transcode=${CARGO_TARGET_DIR:-target}/release/examples/transcode
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
runs=${RUNS:-9}

ours() { "$transcode" "$1" "$tmp/voxpost.ogg"; }
theirs() {
    ffmpeg -nostdin -v error -y -threads 1 -i "$1" -ac 1 -c:a libopus -b:a 24k -threads 1 "$tmp/ffmpeg.ogg"
}
cpu() { # user + system seconds of this shell's children so far; no pipe, since a subshell has children of its own
    times > "$tmp/times"
    total=$(tail -1 "$tmp/times" | sed 's/[ms]/ /g' | awk '{ print $1 * 60 + $2 + $3 * 60 + $4 }')
}
measure() { # a round is as many runs as play a minute: one run of a short file is below the clock's step
    cpu; before=$total
    i=0
    while [ "$i" -lt "$repeat" ]; do "$@"; i=$((i + 1)); done
    cpu
    awk -v a="$before" -v b="$total" -v n="$repeat" 'BEGIN { printf "%.4f\n", (b - a) / n }'
}
figure() { sort -n "$1" | awk '{ t[NR] = $1 } END { printf "min %.3f median %.3f", t[1], t[int((NR + 1) / 2)] }'; }

for seconds in 10 60; do
    ffmpeg -v error -y -i "$speech" -t "$seconds" -ac 1 "$tmp/speech.wav"
    ffmpeg -v error -y -i "$tmp/speech.wav" -c:a aac -b:a 64k "$tmp/in.m4a"
    ffmpeg -v error -y -i "$tmp/speech.wav" -c:a libmp3lame -b:a 64k "$tmp/in.mp3"
    cp "$tmp/speech.wav" "$tmp/in.wav"
    sox "$tmp/speech.wav" -r 8000 -C 7 -t amr-nb "$tmp/in.amr"
    repeat=$((60 / seconds))
    for kind in m4a mp3 amr wav; do
        rm -f "$tmp/ours" "$tmp/theirs"
        for _ in $(seq "$runs"); do
            measure ours "$tmp/in.$kind" >> "$tmp/ours"
            measure theirs "$tmp/in.$kind" >> "$tmp/theirs"
        done
        echo "$seconds s $kind: voxpost CPU s $(figure "$tmp/ours"), ffmpeg $(figure "$tmp/theirs")"
        wc -c "$tmp/voxpost.ogg" "$tmp/ffmpeg.ogg" | awk '$2 != "total" { printf "  %d bytes %s\n", $1, $2 }'
        [ -z "$python" ] || "$python" crates/audio/benches/pesq/score.py "$tmp/speech.wav" "$tmp/in.$kind" "$tmp/voxpost.ogg" "$tmp/ffmpeg.ogg"
    done
done
