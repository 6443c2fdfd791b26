#!/usr/bin/env bash
# check-tree.sh: rules of this tree that no compiler knows. Prints every breach, fails if there is one.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
fail() {
  printf '%s\n' "$@" >&2
  failed=1
}

# 1. The READMEs tell the same in both languages: same headings by level, same commands.
outline() { awk '/^```/ { code = !code } !code && /^#+ / { print $1 }' "$1"; }
commands() { awk '/^```/ { code = !code; next } code' "$1" | sed 's/ *#.*//' | grep -v '^$'; }
if ! diff <(outline README.md) <(outline README.zh-CN.md) >/dev/null; then
  fail 'README.md and README.zh-CN.md have different sections:' \
    "$(diff <(grep -E '^#+ ' README.md) <(grep -E '^#+ ' README.zh-CN.md))"
fi
if ! diff <(commands README.md) <(commands README.zh-CN.md); then
  fail 'README.md and README.zh-CN.md show different commands (above).'
fi

# 2. No address of a package registry: people build from mirrors. (Cargo.lock names its index by design.)
hosts='crates[.]io|npmjs[.](org|com)|pypi[.]org|pythonhosted[.]org|deb[.]debian[.]org|rustup[.]rs'
if found=$(git grep -nIE "$hosts" -- . ':!*Cargo.lock'); then
  fail 'These lines name a package registry:' "$found"
fi

# 3. Time and randomness are arguments here; clippy.toml lists the calls, the attribute makes them errors.
for file in crates/audio/src/lib.rs crates/proto/src/lib.rs crates/server/src/domain/mod.rs; do
  grep -q 'deny(clippy::disallowed_methods' "$file" || fail "$file lacks #![deny(clippy::disallowed_methods)]"
done

# 4. Relative links in the documents lead somewhere.
while IFS=: read -r file link; do
  target=$(dirname "$file")/${link%%#*}
  [ -e "$target" ] || fail "$file links to $link, which is not there"
done < <(git ls-files '*.md' | xargs grep -oHE '\]\([^)#: ]+[^): ]*\)' | sed -E 's/\]\(([^)]*)\)/\1/')

# 5. Shell scripts parse.
while read -r file; do
  bash -n "$file" || fail "$file does not parse"
done < <(git ls-files 'scripts/*.sh' .ci/run)

# 6. A file that tells one story is shorter than this.
while read -r lines file; do
  [ "$lines" -le 700 ] || fail "$file has $lines lines; split it"
done < <(git ls-files '*.rs' 'web/*.js' | xargs wc -l | grep -v ' total$')

exit "$failed"
