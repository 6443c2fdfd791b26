#!/usr/bin/env bash
# setup.sh run|test|test-garage|codecs|bench-loss: makes sure that the tools are there. On Debian and Ubuntu it installs what is missing (as
# root or by sudo); elsewhere it names each missing tool and what it is called there. It never changes what is already there.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-run}

# tool | Debian packages | why
run_tools='
cc|build-essential|compiles libopus and SQLite
make|build-essential|drives this build
cmake|cmake|configures libopus
'
test_tools='
ffmpeg|ffmpeg|makes and checks sound files of every format
sox|sox libsox-fmt-all|makes sound files by another hand
opusdec|opus-tools|checks Opus files by the reference tools
lame|lame|makes MP3 files
flac|flac|makes FLAC files
oggenc|vorbis-tools|makes Vorbis files
node|nodejs|runs the tests of the web client
npm|npm|installs the tests of the web client
chromium|chromium|records and plays in the browser tests
zsh|zsh|loads the completions that it gets
fish|fish|loads the completions that it gets
alsa|libasound2-dev pkg-config|lets the loudspeaker be built
pulseaudio|pulseaudio|is the loudspeaker of the tests
parec|pulseaudio-utils|records what comes out of it
alsa-pulse|libasound2-plugins|leads sound to it
python3|python3|runs clients of others
venv|python3-venv|installs them
'
loss_tools='
python3|python3|scores speech
venv|python3-venv|installs what scores it
python-h|python3-dev|compiles what scores it
espeak-ng|espeak-ng|speaks in voices that nobody has
'

codec_tools='
ffmpeg|ffmpeg|makes and checks sound files of every format
clang|clang libclang-dev|reads the headers of libxaac and of SILK
'

have() {
  case $1 in
    chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
    venv) python3 -c 'import ensurepip' ;;
    python-h) test -f "$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ;;
    alsa) pkg-config --exists alsa ;;
    alsa-pulse) ls /usr/lib*/*/alsa-lib/libasound_module_pcm_pulse.so || ls /usr/lib*/alsa-lib/libasound_module_pcm_pulse.so ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

missing() {
  printf '%s' "$1" | while IFS='|' read -r tool packages why; do
    [ -n "$tool" ] || continue
    have "$tool" || printf '%s|%s|%s\n' "$tool" "$packages" "$why"
  done
}

tools=$run_tools
case $mode in
  test | test-garage) tools=$run_tools$test_tools ;;
  codecs) tools=$run_tools$codec_tools ;;
  bench-loss) tools=$run_tools$test_tools$loss_tools ;;
esac
todo=$(missing "$tools")

if [ -n "$todo" ] && command -v apt-get >/dev/null 2>&1; then
  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    if command -v sudo >/dev/null 2>&1; then as_root=sudo; else as_root=no; fi
  fi
  if [ "$as_root" != no ]; then
    packages=$(printf '%s\n' "$todo" | cut -d'|' -f2 | tr ' ' '\n' | sort -u | tr '\n' ' ')
    printf 'Installing: %s\n' "$packages"
    $as_root apt-get update -q
    # shellcheck disable=SC2086 # a list of words on purpose
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages
    todo=$(missing "$tools")
  fi
fi

if [ -n "$todo" ]; then
  {
    echo 'These tools are missing. Please install them and run this again:'
    printf '%s\n' "$todo" | while IFS='|' read -r tool packages why; do
      printf '  %-9s %s (Debian: %s)\n' "$tool" "$why" "$packages"
    done
  } >&2
  exit 1
fi

if ! command -v cargo >/dev/null 2>&1; then
  echo 'Rust is missing. Install it with rustup ("Install Rust" on the site of the Rust language), then run this again.' >&2
  exit 1
fi
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
actual=$(rustc --version | cut -d' ' -f2 | cut -d- -f1)
if [ "$(printf '%s\n%s\n' "$wanted" "$actual" | sort -V | head -n 1)" != "$wanted" ]; then
  echo "Rust $actual is too old, $wanted or newer is needed. Run: rustup update stable" >&2
  exit 1
fi

# Programs of others that the tests talk to, built once and kept outside of this tree.
tools=${XDG_CACHE_HOME:-$HOME/.cache}/voxpost/tools
# tool CRATE VERSION FEATURES…
tool() {
  if [ ! -x "$tools/bin/$1" ] || ! grep -q "\"$1 $2 " "$tools/.crates.toml" 2>/dev/null; then
    printf 'Building %s %s into %s, once\n' "$1" "$2" "$tools"
    building=$(mktemp -d)
    CARGO_TARGET_DIR=$building cargo install --locked --root "$tools" --version "$2" "$1" "${@:3}"
    rm -rf "$building"
  fi
}
# Clients of others, in Python.
venv() {
  local venv=${XDG_CACHE_HOME:-$HOME/.cache}/voxpost/venv
  if [ ! "$venv/.installed" -nt scripts/test-requirements.txt ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q --disable-pip-version-check -r scripts/test-requirements.txt
    touch "$venv/.installed"
  fi
}
case $mode in
  test | test-garage) venv ;;
esac
case $mode in
  test) tool s3s-fs 0.14.1 --features binary ;;
  test-garage) tool garage 2.5.0 ;;
esac

if [ "$mode" = test ] || [ "$mode" = bench-loss ]; then
  major=$(node -p 'process.versions.node.split(".")[0]')
  if [ "$major" -lt 18 ]; then
    echo "Node.js $major is too old for the web client's tests; 18 or newer is needed." >&2
    exit 1
  fi
  # npm writes this file last, so it is older than the lock exactly when something has changed.
  if [ ! web/node_modules/.package-lock.json -nt web/package-lock.json ]; then
    npm --prefix web ci --no-audit --no-fund
    touch web/node_modules/.package-lock.json
  fi
fi
if [ "$mode" = test ]; then
  # Clients of other people, as they are, against the server's uploads.
  if [ ! tests/tus/node_modules/.package-lock.json -nt tests/tus/package-lock.json ]; then
    npm --prefix tests/tus ci --no-audit --no-fund
    touch tests/tus/node_modules/.package-lock.json
  fi
  if [ ! tests/tus/.venv/.installed -nt tests/tus/requirements.txt ]; then
    python3 -m venv tests/tus/.venv
    tests/tus/.venv/bin/pip install -q --disable-pip-version-check -r tests/tus/requirements.txt
    touch tests/tus/.venv/.installed
  fi
fi
