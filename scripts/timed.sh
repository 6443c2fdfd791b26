#!/usr/bin/env bash
# timed.sh NAME COMMAND…: runs the command and says how long it took, also when it fails.
set -uo pipefail
name=$1
shift
printf '== %s\n' "$name"
start=$SECONDS
"$@"
status=$?
if [ "$status" -eq 0 ]; then word=ok; else word="FAILED (exit $status)"; fi
printf '== %s: %s, %d s\n' "$name" "$word" $((SECONDS - start))
exit "$status"
