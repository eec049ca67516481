#!/usr/bin/env bash
# Tries what is in deploy/ with the program as it is built: deploy.sh BINARY.
# The image's file system as an unprivileged user with a read-only root, the unit by
# systemd-analyze, the proxies by nginx and Caddy where they are installed. Exit code 3:
# a part could not be tried here; it says which.
set -euo pipefail
binary=$(realpath "$1")
scripts=$(realpath "$(dirname "$0")")
cd "$scripts/../../.."
work=$(mktemp -d)
pids=()
image=
# end_image kills the image's process and unshare, which ignores SIGTERM. Of itself its child
# would stay: it lost the signal for its parent's death when it became another user.
end_image() {
  [ -n "$image" ] || return 0
  local children
  children=$(cat "/proc/$image/task/$image/children" 2>/dev/null || true)
  kill -KILL $children "$image" 2>/dev/null || true
}
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done; end_image; wait; umount "$work/root" 2>/dev/null || true; rm -rf "$work"' EXIT
code=0
not_run() { echo "NOT RUN: $*"; code=3; }

# serves_at FILE PROCESS: until the process has written into the file where it serves; $port
# is its port.
serves_at() {
  for _ in $(seq 1200); do
    port=$(sed -n 's|.*serving MCP at http://[^ ]*:\([0-9]*\)/mcp.*|\1|p' "$1" 2>/dev/null || true)
    [ -z "$port" ] || return 0
    kill -0 "$2" 2>/dev/null || break
    sleep 0.1
  done
  echo "waited in vain for a server:"; cat "$1"; exit 1
}

"$binary" token add check --data-dir "$work/state" >"$work/token" 2>/dev/null

echo "-- the unit"
if command -v systemd-analyze >/dev/null; then
  sed "s|/usr/local/bin/research-mcp|$binary|; /^EnvironmentFile/d; s|/etc/research-mcp/tokens.json|$work/state/tokens.json|" deploy/research-mcp.service >"$work/research-mcp.service"
  # Units of the machine that are missing are not our fault.
  if ! systemd-analyze verify --man=no "$work/research-mcp.service" >"$work/verify" 2>&1 || grep -q 'research-mcp.service' "$work/verify"; then
    if grep -q 'research-mcp.service' "$work/verify"; then cat "$work/verify"; exit 1; fi
  fi
  systemd-analyze security --offline=true "$work/research-mcp.service" 2>/dev/null | tail -n 1 || not_run "systemd-analyze security: this version cannot look at a file"
else
  not_run "the unit: there is no systemd-analyze"
fi

echo "-- the image's files, without root and on a read-only root"
root=$work/root
mkdir -p "$root"
if [ "$(id -u)" = 0 ] && command -v unshare >/dev/null && mount -t tmpfs tmpfs "$root" 2>/dev/null; then
  mkdir -p "$root/data" "$root/tmp" "$root/etc/ssl/certs" "$root/proc" "$root/dev" "$root/run/secrets"
  cp "$binary" "$root/research-mcp"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" 2>/dev/null || true
  cp "$work/state/tokens.json" "$root/run/secrets/tokens"
  cp "$work/token" "$root/run/secrets/token"
  chmod 0444 "$root/run/secrets/"*
  mkdir -p "$work/data" && chown 65532:65532 "$work/data"
  # A namespace of mounts of its own: /data is the volume, all else cannot be written to.
  unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1/data" "$1/root/data" && mount -t tmpfs tmpfs "$1/root/tmp" && mount -t proc proc "$1/root/proc" && mount -o remount,ro "$1/root" &&
    exec env -i RESEARCH_MCP_DATA_DIR=/data RESEARCH_MCP_SERVER_HTTP_TOKENS_FILE=/run/secrets/tokens "$2" --userspec=65532:65532 "$1/root" /research-mcp serve --http 0.0.0.0:0
  ' sh "$work" "$(command -v chroot)" >"$work/image.log" 2>&1 &
  image=$!
  serves_at "$work/image.log" "$image"
  "$binary" doctor --url "http://127.0.0.1:$port/mcp"
  "$binary" doctor --url "http://127.0.0.1:$port/mcp" --token-file "$work/token"
  ls -l "$work/data/memory.db" | grep -q . || { echo "nothing was kept in the volume"; exit 1; }
else
  not_run "the image's files: mounting or unshare is not allowed here"
fi
if ! docker version >/dev/null 2>&1; then not_run "docker build: no docker daemon is running"; fi

echo "-- the proxies"
"$binary" serve --http 127.0.0.1:0 --data-dir "$work/state" --set server.http.hosts=mcp.example.org,localhost >"$work/serve.log" 2>&1 &
pids+=($!)
serves_at "$work/serve.log" "${pids[-1]}"
http=$port
if ! command -v nginx >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  ("$scripts/apt.sh" update && "$scripts/apt.sh" install -y --no-install-recommends nginx-light) >"$work/apt" 2>&1 || true
fi
nginx=$(command -v nginx || true)
if [ -n "$nginx" ]; then
  tls=$(python3 "$scripts/ports.py")
  openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=mcp.example.org -addext 'subjectAltName=DNS:mcp.example.org,DNS:localhost' -keyout "$work/mcp.key" -out "$work/mcp.pem" 2>/dev/null
  {
    echo "pid $work/nginx.pid; error_log $work/nginx.err; events {} http { access_log off; client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;"
    sed "s|127.0.0.1:8931|127.0.0.1:$http|; s|listen 443|listen 127.0.0.1:$tls|; s|/etc/ssl/mcp|$work/mcp|" deploy/nginx.conf
    echo "}"
  } >"$work/nginx.conf"
  "$nginx" -t -c "$work/nginx.conf" 2>&1 | tail -n 1
  "$nginx" -c "$work/nginx.conf" -g 'daemon off;' &
  pids+=($!)
  for _ in $(seq 600); do [ -s "$work/nginx.pid" ] && break; kill -0 "${pids[-1]}" && sleep 0.1; done
  "$binary" doctor --url "https://localhost:$tls/mcp" --ca-file "$work/mcp.pem" --token-file "$work/token"
else
  not_run "nginx: it is not installed"
fi
if command -v caddy >/dev/null; then
  HOST=localhost UPSTREAM=127.0.0.1:$http caddy validate --adapter caddyfile --config deploy/Caddyfile
else
  not_run "Caddy: it is not installed"
fi
exit $code
