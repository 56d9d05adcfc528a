#!/usr/bin/env bash
# Finds a bitcoind for regtest, or fetches one, and changes nothing outside its own folder.
#
#   scripts/get-bitcoind.sh [--force] [--private] [PREFIX]
#
# PREFIX is where a fetched one goes, ./.cache/bitcoind unless told. The only line on standard output is the
# folder with `bitcoind` and `bitcoin-cli` in it; whatever else there is to say goes to standard error.
#
# The first of these that works is taken:
#   1. $BITCOIND, the path of an executable, with bitcoin-cli beside it
#   2. PREFIX, filled by an earlier run             (--force: fetch it anew)
#   3. a bitcoind on PATH                           (--force, --private: not looked for)
#   4. the package in Debian's archive, with every library it needs, unpacked into PREFIX
#
# The fetched program is Bitcoin Knots, and for regtest only: on mainnet and testnet4 the versions since 29.4
# follow a chain of their own. Anywhere but on regtest use Bitcoin Core.
#
# The fetch goes through apt, which decides what matters: the mirror is one this machine's apt knows, what
# comes from it must be signed by Debian's archive key, and the libraries are those apt would install on a
# bare system. It runs on a private copy of apt's state, so it needs no root and no `apt-get update` first.
#
# Settings: BITCOIND_SUITE        release to take it from (sid)
#           BITCOIND_PACKAGES     names to try, in order ("bitcoind bitcoin-knots")
#           BITCOIND_DEB_VERSION  package version (the newest)
#           BITCOIND_MIRROR       mirror (found through apt)
#           BITCOIND_KEYRING      keyring file (the one of debian-archive-keyring)
set -euo pipefail
umask 022

say() { echo "get-bitcoind: $*" >&2; }
die() {
  say "$*"
  exit 1
}

usage() {
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0"
}

# Whether the folder $1 holds both programs and they start.
works() {
  [ -x "$1/bitcoind" ] && [ -x "$1/bitcoin-cli" ] && "$1/bitcoind" -version >/dev/null 2>&1
}

answer() {
  say "$("$1/bitcoind" -version | head -n1) in $1"
  echo "$1"
  exit 0
}

folder_of() { (cd "$(dirname "$1")" && pwd); }

force=0
private=0
prefix=$PWD/.cache/bitcoind
for arg in "$@"; do
  case $arg in
    --force) force=1 ;;
    --private) private=1 ;;
    -h | --help)
      usage
      exit 0
      ;;
    -*)
      say "unknown option $arg"
      exit 2
      ;;
    *) prefix=$arg ;;
  esac
done
suite=${BITCOIND_SUITE:-sid}
packages=${BITCOIND_PACKAGES:-bitcoind bitcoin-knots}

# ways 1 to 3: one that is here already

if [ -n "${BITCOIND:-}" ]; then
  [ -x "$BITCOIND" ] || die "BITCOIND=$BITCOIND is not an executable"
  dir=$(folder_of "$BITCOIND")
  works "$dir" || die "BITCOIND=$BITCOIND: $dir must hold a bitcoind and a bitcoin-cli that start"
  answer "$dir"
fi
if [ $force = 0 ] && works "$prefix/bin"; then answer "$(cd "$prefix/bin" && pwd)"; fi
if [ $force = 0 ] && [ $private = 0 ] && found=$(command -v bitcoind); then
  dir=$(folder_of "$found")
  if works "$dir"; then answer "$dir"; fi
fi

# way 4: Debian's archive

for tool in apt-get apt-cache apt-config dpkg dpkg-deb; do
  command -v "$tool" >/dev/null || die "no bitcoind, and no $tool to fetch one with.
  Put a bitcoind on PATH or name it in BITCOIND: on macOS \`brew install bitcoin\`, elsewhere an official
  release of Bitcoin Core, checked against its SHA256SUMS and the signatures of those."
done

mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)

# Of two runs at once the second waits, and takes what the first one fetched.
if command -v flock >/dev/null; then
  exec 9>"$prefix/.lock"
  flock 9
  if [ $force = 0 ] && works "$prefix/bin"; then answer "$prefix/bin"; fi
fi

# The mirrors apt is set up with, one a line: those that carry the release this machine runs, or else those of
# any plain suite (a name with - or / in it is one of updates, backports or security). --print-uris answers
# from the configuration alone; what asks for package lists instead prints nothing in a fresh container.
known_mirrors() {
  local codename uris release mirrors=
  codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
  uris=$(apt-get -o Debug::NoLocking=1 --print-uris update 2>/dev/null || true)
  for release in "${codename:-none}" '[^/-]*'; do
    [ -n "$mirrors" ] || mirrors=$(sed -n "s|^'\(.*\)/dists/$release/InRelease'.*|\1/|p" <<<"$uris" | awk '!seen[$0]++')
  done
  echo "$mirrors"
}

mirrors=${BITCOIND_MIRROR:-$(known_mirrors)}
[ -n "$mirrors" ] || die "apt has no mirror set up: put a bitcoind on PATH, name it in BITCOIND, or set BITCOIND_MIRROR"

keyring=${BITCOIND_KEYRING:-}
for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
  if [ -z "$keyring" ] && [ -r "$file" ]; then keyring=$file; fi
done
[ -r "${keyring:-}" ] || die "no keyring of Debian's archive: install debian-archive-keyring or set BITCOIND_KEYRING"

# In /tmp and open to read: apt started by root fetches as another user, who has to get in here.
work=$(mktemp -d "${TMPDIR:-/tmp}/get-bitcoind.XXXXXXXX")
trap 'rm -rf "$work" "$prefix/root.new" "$prefix/bin.new"' EXIT
chmod 755 "$work"
mkdir -p "$work"/{state/lists/partial,cache/archives/partial,parts,trusted}

# The bare system has nothing installed but these two, which only the packages' set-up scripts ask for.
for name in systemd debconf; do
  printf 'Package: %s\nStatus: install ok installed\nVersion: 9999\n' "$name"
  printf 'Architecture: all\nMaintainer: none\nDescription: none\n\n'
done >"$work/state/status"

# Its own configuration: of the machine's only how to reach the network (Acquire), no hooks, pins or sources.
architecture=$(dpkg --print-architecture)
{
  apt-config dump --format '%f "%v";%n' Acquire |
    grep -vE '^Acquire::(IndexTargets|CompressionTypes|GzipIndexes|Languages)' || true
  cat <<CONF
Dir::State "$work/state";
Dir::State::status "$work/state/status";
Dir::Cache "$work/cache";
Dir::Log "$work";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "$work/parts";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$work/parts";
Dir::Etc::sourcelist "$work/archive.sources";
Dir::Etc::sourceparts "$work/parts";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "$work/trusted";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
APT::Install-Recommends "false";
APT::Install-Suggests "false";
APT::Get::AllowUnauthenticated "false";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
CONF
} >"$work/apt.conf"
export APT_CONFIG=$work/apt.conf

# Reads the package list of mirror $1. An apt older than 2.1 has no --error-on and passes over what it could
# not read; the package is then not found further down. A mirror that lags behind serves a list that is signed and
# out of date: an older bitcoind does for regtest.
read_list() {
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$1" "$suite" "$keyring" \
    >"$work/archive.sources"
  apt-get -qq --error-on=any update >"$work/log" 2>&1 && return 0
  if grep -q 'error-on' "$work/log"; then
    apt-get -qq update >"$work/log" 2>&1
    return
  fi
  grep -qE 'is expired|Check-Valid-Until' "$work/log" || return 1
  say "the mirror's list is out of date, and signed: taking it"
  echo 'Acquire::Check-Valid-Until "false";' >>"$work/apt.conf"
  apt-get -qq --error-on=any update >"$work/log" 2>&1
}

say "reading the package list of $suite"
updated=0
for mirror in $mirrors; do
  if read_list "$mirror"; then
    updated=1
    break
  fi
done
if [ $updated = 0 ]; then
  cat "$work/log" >&2
  die "no mirror apt knows has a signed $suite: put a bitcoind on PATH, name it in BITCOIND, or set BITCOIND_MIRROR"
fi

package=
for name in $packages; do
  if [ -z "$package" ] && apt-cache show --no-all-versions "$name" >/dev/null 2>&1; then package=$name; fi
done
[ -n "$package" ] || die "$suite has none of: $packages"

say "fetching $package and its libraries"
apt-get -qq -y -o Debug::NoLocking=1 --download-only install \
  "$package${BITCOIND_DEB_VERSION:+=$BITCOIND_DEB_VERSION}" >"$work/log" 2>&1 || {
  cat "$work/log" >&2
  die "apt could not fetch $package"
}

rm -rf "$prefix/root.new" "$prefix/bin.new"
mkdir -p "$prefix/root.new/usr/lib" "$prefix/root.new/usr/bin" "$prefix/bin.new"
ln -s usr/lib "$prefix/root.new/lib" # some packages still ship files in /lib
for deb in "$work"/cache/archives/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" |
    tar -x -C "$prefix/root.new" --keep-directory-symlink --no-same-owner \
      --exclude './usr/share/man' --exclude './usr/share/locale' --exclude './etc'
  basename "$deb" .deb >>"$prefix/root.new/packages.txt"
done

# The program is newer than this machine's C library may be, so it is started through the unpacked loader and
# with the unpacked libraries; by exec, so that a signal sent to the wrapper reaches the program.
loader=$(cd "$prefix/root.new" && find usr/lib* -name 'ld-linux*.so.*' -type f | head -n1)
[ -n "$loader" ] || die "the libraries that came with $package hold no loader"
libs=usr/lib/$(basename "$(dirname "$loader")")
for program in "$prefix"/root.new/usr/bin/bitcoin*; do
  name=$(basename "$program")
  cat >"$prefix/bin.new/$name" <<WRAPPER
#!/bin/sh
root=\$(cd "\$(dirname "\$(readlink -f "\$0")")/../root" && pwd)
exec "\$root/$loader" --library-path "\$root/$libs:\$root/usr/lib" --argv0 $name "\$root/usr/bin/$name" "\$@"
WRAPPER
  chmod 755 "$prefix/bin.new/$name"
done

rm -rf "${prefix:?}/root" "${prefix:?}/bin"
mv "$prefix/root.new" "$prefix/root"
mv "$prefix/bin.new" "$prefix/bin"
works "$prefix/bin" || {
  "$prefix/bin/bitcoind" -version >&2 || true
  die "what was fetched does not start"
}
answer "$prefix/bin"
