#!/usr/bin/env bash
# Finds a Chromium for the browser test, or installs Debian's.
#
#   scripts/get-chromium.sh
#
# The only line on standard output is its path; whatever else there is to say goes to standard error.
#
# The first of these that works is taken:
#   1. $CHROMIUM, the path of an executable
#   2. chromium, chromium-browser, google-chrome or google-chrome-stable on PATH
#   3. Debian's package, installed with apt, which takes root
set -euo pipefail

say() { echo "get-chromium: $*" >&2; }
die() {
  say "$*"
  exit 1
}

works() { [ -x "$1" ] && "$1" --version >/dev/null 2>&1; }

find_on_path() {
  local name found
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if found=$(command -v "$name") && works "$found"; then
      echo "$found"
      return 0
    fi
  done
  return 1
}

if [ -n "${CHROMIUM:-}" ]; then
  works "$CHROMIUM" || die "CHROMIUM=$CHROMIUM is no Chromium that starts"
  echo "$CHROMIUM"
  exit 0
fi
if find_on_path; then exit 0; fi

advice='put chromium or google-chrome on PATH, or name one in CHROMIUM'
command -v apt-get >/dev/null || die "no Chromium, and no apt-get to install one with: $advice"
[ "$(id -u)" = 0 ] || die "no Chromium, and installing Debian's takes root (apt-get install chromium): $advice"

export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Another apt may be at work; and a fresh container knows no packages yet.
apt() { apt-get -qq -y -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1; }
say 'installing chromium with apt'
apt update || say 'apt could not read all package lists'
apt install --no-install-recommends chromium || {
  cat "$log" >&2
  die "apt could not install chromium: $advice"
}
find_on_path || die 'what was installed does not start'
