#!/usr/bin/env bash
# A real MediaWiki for tests: Debian's package on SQLite behind PHP's own web
# server, on loopback, with the pages of internal/testkit/wiki/pages.txt.
#
#   mediawiki.sh start   install and build what is missing, start; the last line
#                        on stdout is its URL
#   mediawiki.sh stop    end the server that start began
#   mediawiki.sh status  say whether it runs, exit 0 if it does
#
#   MEDIAWIKI_TEST_URL=$(internal/testkit/scripts/mediawiki.sh start) go test -run Real ./internal/sources
#
# MEDIAWIKI_PORT sets the port (8191). Everything lives under
# ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/mediawiki: PHP is installed by
# apt-get, MediaWiki itself is only unpacked there, so that no Apache comes with
# it and no settings in /etc are touched. The first start takes about half a
# minute, a later one a second. Messages go to stderr.
#
# Exit codes: 3 when the packages cannot be installed, 1 for anything else.
set -euo pipefail

port=${MEDIAWIKI_PORT:-8191}
php_packages=(php-cli php-sqlite3 php-mbstring php-xml php-intl php-apcu)
php_modules=(pdo_sqlite mbstring xml intl apcu)

kit=$(cd "$(dirname "${BASH_SOURCE[0]}")/../wiki" && pwd)
root=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/mediawiki
code=$root/code
site=$root/site
state=$root/server.env
url=http://127.0.0.1:$port

say() { printf 'mediawiki.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
no_packages() { say "$*"; exit 3; }

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# lists brings apt's package lists up to date, once in a run.
listed=
lists() {
  [[ -z $listed ]] || return 0
  command -v apt-get >/dev/null || no_packages "needs Debian's packages, and there is no apt-get to install them"
  as_root apt-get -q update >&2 || no_packages "apt-get update failed: is there a package mirror?"
  listed=yes
}

php_ready() {
  command -v php >/dev/null || return 1
  local have module
  have=$(php -m)
  for module in "${php_modules[@]}"; do
    grep -qix "$module" <<<"$have" || return 1
  done
}

install_php() {
  php_ready && return
  lists
  say "installing ${php_packages[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${php_packages[@]}" >&2 ||
    no_packages "apt-get could not install ${php_packages[*]}"
  php_ready || no_packages "PHP still lacks one of ${php_modules[*]}"
}

# unpack puts MediaWiki into $code, without what a test of its API never needs.
unpack() {
  [[ -f $code/api.php ]] && return
  lists
  local tmp=$root/unpack
  rm -rf "$tmp" && mkdir -p "$tmp/code"
  say "fetching and unpacking mediawiki"
  (cd "$tmp" && apt-get -q download mediawiki mediawiki-classes) >&2 || no_packages "apt-get could not fetch mediawiki"
  local deb
  for deb in "$tmp"/mediawiki*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tmp/code" --strip-components=4 \
      --exclude='./usr/share/mediawiki/extensions-core/[!TP]*' ./usr/share/mediawiki >&2 ||
      no_packages "the package $(basename "$deb") could not be unpacked"
  done
  find "$tmp/code" -maxdepth 1 -type l -delete # to places of an installed package
  mv "$tmp/code/extensions-core" "$tmp/code/extensions"
  [[ -f $tmp/code/api.php && -d $tmp/code/extensions/TextExtracts ]] || no_packages "the package mediawiki has another layout than expected"
  rm -rf "$code" && mv "$tmp/code" "$code"
  rm -rf "$tmp"
}

# stamp tells one build of the wiki from another.
stamp() { cat "$kit/pages.txt" "$kit/dump.php" "${BASH_SOURCE[0]}" "$code/includes/Defines.php" | sha256sum | cut -d ' ' -f 1; }

maintain() {
  local script=$1
  shift
  MW_CONFIG_FILE=$site/LocalSettings.php php "$code/maintenance/$script.php" "$@" >>"$root/build.log" 2>&1 ||
    die "MediaWiki's $script failed: $(tail -n 3 "$root/build.log"): see $root/build.log"
}

build() {
  [[ -f $site/stamp && $(<"$site/stamp") == "$(stamp)" ]] && return
  ! alive || stop # it serves what is about to go
  say "building the wiki"
  rm -rf "$site" && mkdir -p "$site/data" "$site/cache"
  : >"$root/build.log"
  php "$code/maintenance/install.php" --confpath "$site" --dbtype sqlite --dbpath "$site/data" \
    --server "$url" --scriptpath /w --lang en --pass "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" \
    "Research test wiki" Admin >>"$root/build.log" 2>&1 || die "MediaWiki's install failed: see $root/build.log"
  # Its own settings; the port may differ from start to start.
  cat >>"$site/LocalSettings.php" <<'EOM'
$wgServer = getenv( 'MEDIAWIKI_URL' ) ?: $wgServer;
$wgArticlePath = '/wiki/$1';
$wgJobRunRate = 0;
$wgMainCacheType = CACHE_ACCEL;
$wgCacheDirectory = __DIR__ . '/cache';
$wgEnableUploads = false;
$wgPingback = false;
wfLoadExtension( 'TextExtracts' );
wfLoadExtension( 'PageImages' );
EOM
  php "$kit/dump.php" "$kit/pages.txt" >"$root/dump.xml" || die "the pages could not be read"
  maintain deleteBatch <<<'Main Page'
  maintain importDump --no-updates "$root/dump.xml"
  maintain rebuildall
  maintain runJobs
  stamp >"$site/stamp"
}

load_state() { [[ -f $state ]] && . "$state"; }

# ours reports whether the process is the server that start began: its id may
# have gone to another one since.
ours() { [[ -n ${MEDIAWIKI_PID:-} ]] && ps -o args= -p "$MEDIAWIKI_PID" 2>/dev/null | grep -qF "$root/router.php"; }

answers() { curl -fsS --max-time 10 "$1/w/api.php?action=query&meta=siteinfo&format=json" 2>/dev/null | grep -q '"Research test wiki"'; }

alive() { load_state && ours && answers "$MEDIAWIKI_URL"; }

start_server() {
  # The script's lock must not live on in the server.
  cp "$kit/router.php" "$root/router.php"
  mkdir -p "$root/empty"
  MEDIAWIKI_CODE=$code MW_CONFIG_FILE=$site/LocalSettings.php MEDIAWIKI_URL=$url PHP_CLI_SERVER_WORKERS=4 \
    setsid nohup php -d opcache.enable=1 -S "127.0.0.1:$port" -t "$root/empty" "$root/router.php" >"$root/server.log" 2>&1 </dev/null 9>&- &
  MEDIAWIKI_PID=$! MEDIAWIKI_URL=$url
  printf 'MEDIAWIKI_URL=%s\nMEDIAWIKI_PID=%s\n' "$MEDIAWIKI_URL" "$MEDIAWIKI_PID" >"$state"
  for _ in $(seq 150); do
    kill -0 "$MEDIAWIKI_PID" 2>/dev/null || { rm -f "$state"; die "the server ended at once, is port $port taken? $(tail -n 2 "$root/server.log")"; }
    answers "$url" && return
    sleep 0.2
  done
  stop
  die "the server did not answer within 30 seconds: see $root/server.log"
}

stop() {
  load_state || { say "nothing was started"; return 0; }
  if ours; then
    kill -- "-$MEDIAWIKI_PID" # with its workers: it leads a group of its own
    for _ in $(seq 50); do
      kill -0 -- "-$MEDIAWIKI_PID" 2>/dev/null || break
      sleep 0.1
    done
    ! kill -0 -- "-$MEDIAWIKI_PID" 2>/dev/null || die "process group $MEDIAWIKI_PID does not end"
  fi
  rm -f "$state"
  say "stopped"
}

case ${1:-start} in
start)
  mkdir -p "$root"
  exec 9>"$root/lock"
  flock 9
  install_php
  unpack
  build
  if alive && [[ $MEDIAWIKI_URL != "$url" ]]; then stop; fi
  alive || start_server
  say "running as process $MEDIAWIKI_PID"
  printf '%s\n' "$url"
  ;;
stop)
  stop
  ;;
status)
  alive || { say "not running"; exit 1; }
  say "running on $MEDIAWIKI_URL as process $MEDIAWIKI_PID"
  ;;
*)
  die "unknown command '$1': start, stop or status"
  ;;
esac
