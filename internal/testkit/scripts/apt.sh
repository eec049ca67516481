#!/usr/bin/env bash
# apt-get as root, for scripts that run beside each other: apt.sh ARGUMENT...
# One at a time, and after whoever else on this machine holds apt's locks.
set -euo pipefail
as=()
[ "$(id -u)" = 0 ] || as=(sudo -n)
lock=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/apt.lock
mkdir -p "$(dirname "$lock")"
exec flock "$lock" "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@"
