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
# minute, a later one a second. Exit codes: 3 when the packages cannot be
# installed, 1 for anything else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/debian.sh" mediawiki

kit=$here/../wiki
code=$root/code
site=$root/site
url=http://127.0.0.1:${MEDIAWIKI_PORT:-8191}
mark=$root/router.php

has_php() {
  command -v php >/dev/null || return 1
  local have module
  have=$(php -m)
  for module in pdo_sqlite mbstring xml intl apcu; do
    grep -qix "$module" <<<"$have" || return 1
  done
}

# unpack puts MediaWiki into $code, without what a test of its API never needs.
unpack() {
  [[ ! -f $code/api.php ]] || return 0
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

maintain() {
  local script=$1
  shift
  MW_CONFIG_FILE=$site/LocalSettings.php php "$code/maintenance/$script.php" "$@" >>"$root/build.log" 2>&1 ||
    die "MediaWiki's $script failed: $(tail -n 3 "$root/build.log"): see $root/build.log"
}

build() {
  local stamp
  stamp=$(cat "$kit/pages.txt" "$kit"/*.php "${BASH_SOURCE[0]}" "$code/includes/Defines.php" | sha256sum)
  ! built "$stamp" || return 0
  ! alive || stop # it serves what is about to go
  say "building the wiki"
  rm -rf "$site" && mkdir -p "$site/data" "$site/cache" "$root/empty"
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
wfLoadExtension( 'PageImages' );
if ( empty( $_SERVER['MEDIAWIKI_PLAIN'] ) ) { // see router.php
	wfLoadExtension( 'TextExtracts' );
}
EOM
  php "$kit/dump.php" "$kit/pages.txt" >"$root/dump.xml" || die "the pages could not be read"
  maintain deleteBatch <<<'Main Page'
  maintain importDump --no-updates "$root/dump.xml"
  maintain rebuildall # links, the text index, recent changes
  maintain runJobs
  cp "$kit/router.php" "$root/router.php"
  printf '%s\n' "$stamp" >"$root/stamp"
}

prepare() {
  needs has_php php-cli php-sqlite3 php-mbstring php-xml php-intl php-apcu
  unpack
  build
}

run() {
  MEDIAWIKI_CODE=$code MW_CONFIG_FILE=$site/LocalSettings.php MEDIAWIKI_URL=$url PHP_CLI_SERVER_WORKERS=4 \
    launch php -S "${url#http://}" -t "$root/empty" "$root/router.php"
}

answers() { curl -fsS --max-time 10 "$1/w/api.php?action=query&meta=siteinfo&format=json" 2>/dev/null | grep -q '"Research test wiki"'; }

manage "${1:-start}"
