#!/usr/bin/env bash
# A real kiwix-serve for tests: Debian's packages, on loopback, with one small
# ZIM file made of internal/testkit/wiki/zim.
#
#   kiwix.sh start   install and build what is missing, start; the last line on
#                    stdout is its URL
#   kiwix.sh stop    end the server that start began
#   kiwix.sh status  say whether it runs, exit 0 if it does
#
#   KIWIX_TEST_URL=$(internal/testkit/scripts/kiwix.sh start) go test -run Real ./internal/sources
#
# KIWIX_PORT sets the port (8192). Everything else lives under
# ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/kiwix. Exit codes: 3 when the
# packages cannot be installed, 1 for anything else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/debian.sh" kiwix

pages=$here/../wiki/zim
zim=$root/small.zim
port=${KIWIX_PORT:-8192}
url=http://127.0.0.1:$port
mark=$zim

has_kiwix() { command -v kiwix-serve >/dev/null && command -v zimwriterfs >/dev/null; }

prepare() {
  needs has_kiwix kiwix-tools zim-tools
  local stamp
  stamp=$(cat "$pages"/* "${BASH_SOURCE[0]}" | sha256sum)
  ! built "$stamp" || return 0
  ! alive || stop
  say "building the ZIM file"
  rm -f "$zim"
  zimwriterfs -w index.html -I icon.png -l eng -n small -t "A small library" -d "Pages for tests" -c tests -p tests \
    "$pages" "$zim" >"$root/build.log" 2>&1 || die "zimwriterfs failed: see $root/build.log"
  printf '%s\n' "$stamp" >"$root/stamp"
}

run() { launch kiwix-serve --address 127.0.0.1 --port "$port" "$zim"; }

answers() { curl -fsS --max-time 10 "$1/catalog/v2/entries" 2>/dev/null | grep -q '<title>A small library</title>'; }

manage "${1:-start}"
