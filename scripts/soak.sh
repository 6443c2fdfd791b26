#!/usr/bin/env bash
# soak.sh: the long proofs. Everything here also runs in `make test` with small numbers.
set -euo pipefail
cd "$(dirname "$0")/.."
export VOXPOST_SOAK=1
scripts/timed.sh "soak: kills, mutated files, storms" \
  cargo test --locked --workspace --test e2e -- --nocapture --test-threads=1 soak_
scripts/timed.sh "soak: mutated files, within the process" cargo test --locked --workspace --test mutations
scripts/timed.sh "soak: damaged files of every format" cargo test --locked --workspace --lib mutations
PROPTEST_CASES=10000 scripts/timed.sh "soak: property tests" cargo test --locked -p voxpost-proto --lib
if [ -f fuzz/Cargo.toml ]; then
  cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz
  fuzz/seed.sh
  seconds=$((${SOAK_MINUTES:-30} * 60))
  targets=$(cargo +stable fuzz list)
  each=$((seconds / $(printf '%s\n' "$targets" | wc -l)))
  for target in $targets; do
    seeds=fuzz/seeds/$target
    mkdir -p "fuzz/corpus/$target"
    [ -d "$seeds" ] || seeds=
    # shellcheck disable=SC2086 # empty when there are no seeds
    scripts/timed.sh "fuzz: $target, $each s" \
      cargo +stable fuzz run -s none "$target" "fuzz/corpus/$target" $seeds -- -max_total_time="$each" -rss_limit_mb=2048
  done
fi
