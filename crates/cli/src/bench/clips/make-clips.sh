#!/usr/bin/env bash
# Makes the clips of `voxpost bench`: espeak-ng speaks, ffmpeg writes WebM as a live recorder does.
set -euo pipefail
cd "$(dirname "$0")"
texts=(
  "Hello, it is me. I am running late, the train stopped in the middle of nowhere and nobody knows why. Please start without me, and keep me a piece of the cake, the one with the cherries."
  "About tomorrow: the meeting moved to half past nine, in the big room on the second floor. Bring the drawings, the new ones, and call Martin before you leave, he has the key to the archive."
  "I have listened to your idea twice now and I like it. Two questions: who pays for the second week, and what do we do when it rains? Let us talk tonight, after eight, when the children sleep."
)
for n in 1 2 3; do
  espeak-ng -v en -s 150 -w speech.wav "${texts[n - 1]}"
  ffmpeg -nostdin -v error -y -i speech.wav -af apad -t 10 -ar 48000 -ac 1 \
    -c:a libopus -b:a 24k -application voip -f webm -live 1 "speech-$n.webm"
done
rm speech.wav
