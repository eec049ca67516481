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
	rm -rf "$work"
}
trap stop EXIT

bin=${1:-}
if [ -z "$bin" ]; then
	bin=$work/research-mcp
	go build -o "$bin" ./cmd/research-mcp
fi
(cd internal/testkit/dashboardcheck && go build -o "$work/check" .)

# pubmed is on, and not asked: its rate limit is that of the public service.
mkfifo "$work/in"
at=127.0.0.1:$((20000 + RANDOM % 12000)) # below the ports that the kernel gives away
"$bin" serve --demo --set watch.address=$at --set sources.pubmed.enabled=true \
	<"$work/in" >"$work/out" 2>"$work/log" &
server=$!
exec 3>"$work/in"

# until_line PATTERN FILE waits for a line.
until_line() {
	for _ in $(seq 600); do
		grep -q -- "$1" "$2" && return 0
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	echo "no line with $1 in $2:" >&2
	cat "$work/log" "$2" >&2
	return 1
}

call() { # call ID TOOL ARGUMENTS
	printf '{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"%s","arguments":%s}}\n' "$1" "$2" "$3" >&3
	until_line "\"id\":$1[,}]" "$work/out"
}

printf '%s\n' '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"dashboard","version":"1"}}}' >&3
until_line '"id":0[,}]' "$work/out"
curl -sSf "http://$at/metrics" >"$work/before"
call 1 research '{"question":"How does attention work in a transformer?","sources":["wikipedia","hackernews"]}'
call 2 remember '{"text":"The quokka sleeps at noon."}'
call 3 recall '{"query":"quokka"}'
call 4 recall '{"k":"many"}'
call 5 forget '{"source":"note"}'
curl -sSf "http://$at/healthz" >/dev/null
curl -sS "http://$at/readyz"
curl -sSf "http://$at/metrics" >"$work/after"
"$work/check" deploy/grafana/research-mcp.json "$work/before" "$work/after"
