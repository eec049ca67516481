#!/usr/bin/env bash
# Checks deploy/grafana/research-mcp.json against a running server that does some work:
# its JSON against Grafana's schema, each query with Prometheus's own parser and engine.
# A real Grafana is in none of the package registries (its Go module is withheld, Debian
# and npm have only libraries), so this loads the dashboard into none.
#
#   dashboard.sh [BINARY]
set -euo pipefail
cd "$(dirname "$0")/../../.."
work=$(mktemp -d)
server=
stop() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	wait
	rm -rf "$work"
}
trap stop EXIT

bin=${1:-}
if [ -z "$bin" ]; then
	bin=$work/research-mcp
	go build -o "$bin" ./cmd/research-mcp
fi
(cd internal/testkit/dashboardcheck && go build -o "$work/check" .)

# start serves, and waits until the server says where. pubmed is on, and not asked: its rate
# limit is that of the public service.
start() {
	"$bin" serve --demo --http 127.0.0.1:0 --set sources.pubmed.enabled=true 2>"$work/log" &
	server=$!
	for _ in $(seq 1200); do
		at=$(sed -n 's|.*serving MCP at http://\([^/]*\)/.*|\1|p' "$work/log" 2>/dev/null || true)
		[ -z "$at" ] || return 0
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	cat "$work/log" >&2
	return 1
}
start

call() { # call TOOL ARGUMENTS
	curl -sS --fail-with-body "http://$at/mcp" -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -H 'Mcp-Protocol-Version: 2025-11-25' \
		-d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"'"$1"'","arguments":'"$2"'}}' >"$work/reply"
	grep -q '"result"' "$work/reply" || { cat "$work/reply" >&2; return 1; }
}

curl -sSf "http://$at/metrics" >"$work/before"
call research '{"question":"How does attention work in a transformer?","sources":["wikipedia","hackernews"]}'
call remember '{"text":"The quokka sleeps at noon."}'
call recall '{"query":"quokka"}'
call recall '{"k":"many"}'
call forget '{"source":"note"}'
curl -sS "http://$at/readyz"
curl -sSf "http://$at/metrics" >"$work/after"
"$work/check" deploy/grafana/research-mcp.json "$work/before" "$work/after"
