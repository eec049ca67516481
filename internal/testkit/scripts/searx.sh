#!/usr/bin/env bash
# A real searx, the ancestor of SearXNG, for tests: Debian's package, on
# loopback, with two engines: one searches the wiki of mediawiki.sh, which has to
# run, and one, in the category "it", cannot be reached.
#
#   searx.sh start   install what is missing, start; the last line on stdout is
#                    its URL
#   searx.sh stop    end the server that start began
#   searx.sh status  say whether it runs, exit 0 if it does
#
#   SEARXNG_TEST_URL=$(internal/testkit/scripts/searx.sh start) go test -run Real ./internal/sources
#
# SEARX_PORT sets the port (8193), SEARX_WIKI the wiki's URL
# (http://127.0.0.1:8191). Everything else lives under
# ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/searx. Exit codes: 3 when the
# packages cannot be installed, 1 for anything else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/debian.sh" searx

wiki=${SEARX_WIKI:-http://127.0.0.1:8191}
port=${SEARX_PORT:-8193}
url=http://127.0.0.1:$port
mark=$root/settings.yml

has_searx() { [[ -x /usr/bin/searx-run ]]; }

prepare() {
  needs has_searx searx
  ! built "$port $wiki" || return 0
  ! alive || stop
  cat >"$root/settings.yml" <<EOM
general: {debug: False, instance_name: test searx, contact_url: False, enable_stats: False}
brand: {git_url: "", git_branch: "", issue_url: "", docs_url: "", public_instances: "", wiki_url: "", twitter_url: ""}
search: {safe_search: 0, autocomplete: "", default_lang: "", ban_time_on_fail: 0, max_ban_time_on_fail: 0, prefer_configured_language: False}
server: {port: $port, bind_address: 127.0.0.1, secret_key: for tests only, base_url: False, image_proxy: False, http_protocol_version: "1.1", method: GET, default_http_headers: {}}
ui: {static_path: /usr/share/python3-searx/static, templates_path: /usr/share/python3-searx/templates, default_theme: oscar, default_locale: "", theme_args: {oscar_style: logicodev}}
outgoing: {request_timeout: 5.0, useragent_suffix: "", pool_connections: 10, pool_maxsize: 10, enable_http2: False}
locales: {en: English}
doi_resolvers: {oadoi.org: "https://oadoi.org/"}
default_doi_resolver: oadoi.org
engines:
  - {name: test wiki, engine: mediawiki, shortcut: w, base_url: "$wiki/", categories: general, enable_http: True, search_type: text, number_of_results: 10}
  - {name: unreachable, engine: mediawiki, shortcut: u, base_url: "http://127.0.0.1:9/", categories: it, enable_http: True}
EOM
  printf '%s\n' "$port $wiki" >"$root/stamp"
}

# The argument is for `ours` alone.
run() { SEARX_SETTINGS_PATH=$root/settings.yml launch /usr/bin/python3 /usr/bin/searx-run "$root/settings.yml"; }

answers() { curl -fsS --max-time 10 "$1/config" 2>/dev/null | grep -q '"test searx"'; }

manage "${1:-start}"
