#!/usr/bin/env bash
# Two replicas on one data folder behind nginx with round robin: balancer.sh BINARY.
# nginx is the machine's, or Debian's package, unpacked into
# ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/nginx. Exit code 3: it cannot be had.
set -euo pipefail
binary=$(realpath "$1")
root=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/nginx
cd "$(dirname "$0")/../sdkclient"

not_run() { echo "NOT RUN: nginx: $*"; exit 3; }

# unpack brings nginx into the cache; none of it is installed, and none of it runs.
unpack() {
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || not_run "it is not installed, and there is no apt-get"
  rm -rf "$root"
  mkdir -p "$root/packages"
  (cd "$root/packages" && apt-get -q download nginx) >"$root/log" 2>&1 ||
    { as_root apt-get -q update && (cd "$root/packages" && apt-get -q download nginx); } >>"$root/log" 2>&1 ||
    not_run "its package cannot be had: $(tail -n 1 "$root/log")"
  for package in "$root"/packages/*.deb; do dpkg -x "$package" "$root"; done
}
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

nginx=$(PATH=$PATH:/usr/sbin command -v nginx || true)
if [ -z "$nginx" ]; then
  nginx=$root/usr/sbin/nginx
  "$nginx" -v 2>/dev/null || unpack
  "$nginx" -v || not_run "the unpacked one does not start"
fi
BALANCER_NGINX=$nginx SDKCLIENT_BINARY=$binary go test -count=1 -run 'TestBalancer$' -v .
