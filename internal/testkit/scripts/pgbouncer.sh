#!/usr/bin/env bash
# PgBouncer for the tests of memory/postgres: prints the folder of the program, which is that of
# the machine, or Debian's package, unpacked into ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp.
#
#   PATH=$PATH:$(internal/testkit/scripts/pgbouncer.sh) go test ./memory/postgres
#
# Exit codes: 3 when it cannot be had, 1 for anything else.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/debian.sh" pgbouncer

packages=(pgbouncer libevent-2.1-7 libc-ares2)

installed=$(PATH=$PATH:/usr/sbin command -v pgbouncer || true)
if [[ -n $installed ]]; then
  dirname "$installed"
  exit
fi
mkdir -p "$root"
exec 9>"$root/lock"
flock 9
if ! "$root/bin/pgbouncer" --version >/dev/null 2>&1; then
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || no_packages "it is not installed, and there is no apt-get"
  rm -rf "$root/packages" "$root/all" "$root/bin"
  mkdir -p "$root/packages" "$root/all" "$root/bin"
  fetch() { (cd "$root/packages" && apt-get -q download "${packages[@]}") >"$root/log" 2>&1; }
  fetch || { lists && fetch; } || no_packages "its packages cannot be had: $(tail -n 1 "$root/log")"
  # None of it is installed, and none of it runs, but the program.
  for package in "$root"/packages/*.deb; do dpkg -x "$package" "$root/all"; done
  printf '#!/bin/sh\nLD_LIBRARY_PATH=$(echo %q/usr/lib/*-linux-gnu) exec %q "$@"\n' "$root/all" "$root/all/usr/sbin/pgbouncer" >"$root/bin/pgbouncer"
  chmod +x "$root/bin/pgbouncer"
  "$root/bin/pgbouncer" --version >/dev/null 2>&1 || no_packages "the unpacked program does not start: $("$root/bin/pgbouncer" --version 2>&1 | tail -n 1)"
fi
printf '%s\n' "$root/bin"
