# nginx for tests: the machine's, or Debian's package, unpacked into
# ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/nginx. Sourced by balancer.sh and cluster.sh,
# which calls find_nginx; then nginx is the program, or, with status 1, no_nginx says why not.
find_nginx() {
  local root=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/nginx here
  here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  nginx=$(PATH=$PATH:/usr/sbin command -v nginx || true)
  [ -z "$nginx" ] || return 0
  nginx=$root/usr/sbin/nginx
  ! "$nginx" -v 2>/dev/null || return 0
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || { no_nginx="it is not installed, and there is no apt-get"; return 1; }
  # None of it is installed, and none of it runs, but the program.
  rm -rf "$root"
  mkdir -p "$root/packages"
  (cd "$root/packages" && apt-get -q download nginx) >"$root/log" 2>&1 ||
    { "$here/apt.sh" update && (cd "$root/packages" && apt-get -q download nginx); } >>"$root/log" 2>&1 ||
    { no_nginx="its package cannot be had: $(tail -n 1 "$root/log")"; return 1; }
  local package
  for package in "$root"/packages/*.deb; do dpkg -x "$package" "$root"; done
  "$nginx" -v || { no_nginx="the unpacked one does not start"; return 1; }
}
