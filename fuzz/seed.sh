#!/bin/sh
# Fills corpus/ with the fixtures of the sound crate.
set -eu
cd "$(dirname "$0")"
fixtures=../crates/audio/fixtures
for target in ogg webm mp4 caf amr wav aiff flac frames normalise opus_packet; do mkdir -p "corpus/$target"; done
cp "$fixtures"/opus/*.ogg corpus/ogg/
cp "$fixtures"/opus/*.webm corpus/webm/
cp "$fixtures"/opus/*.mp4 corpus/mp4/
cp "$fixtures"/opus/*.caf "$fixtures"/sound/*.caf corpus/caf/
cp "$fixtures"/sound/*.ogg "$fixtures"/sound/*.oga corpus/ogg/
cp "$fixtures"/sound/*.webm "$fixtures"/sound/*.mka corpus/webm/
cp "$fixtures"/sound/*.mp4 "$fixtures"/sound/*.m4a "$fixtures"/sound/*.3gp corpus/mp4/
cp "$fixtures"/sound/*.wav corpus/wav/
cp "$fixtures"/sound/*.aif* corpus/aiff/
cp "$fixtures"/sound/*.flac corpus/flac/
cp "$fixtures"/sound/*.mp3 "$fixtures"/sound/*.aac corpus/frames/
for file in "$fixtures"/sound/*.amr; do
  case $file in
  *no-magic*) cp "$file" corpus/frames/ ;;
  *) cp "$file" corpus/amr/ ;;
  esac
done
find "$fixtures" -mindepth 2 -type f -size -64k -exec cp {} corpus/normalise/ \;
# Packets: one of every configuration and way to pack frames, and the headers of a few files.
i=0
while [ "$i" -lt 256 ]; do
  printf "\\$(printf %03o "$i")\\002\\001\\001\\001" > "corpus/opus_packet/toc-$i"
  i=$((i + 1))
done
for file in "$fixtures"/opus/*.ogg; do
  dd if="$file" bs=1 skip=28 count=19 of="corpus/opus_packet/head-$(basename "$file")" 2>/dev/null
done
mkdir -p corpus/playback_journal
cat > corpus/playback_journal/one <<'JSON'
{"player_id":"00000000-0000-0000-0000-000000000001","sequence":1,"base_version":3,"position_ms":30000,"speed":1.5,"moved":true,"heard":[[0,8000],[20000,30000]],"ended":false,"at":"2026-01-01T10:00:00.000Z"}
JSON
