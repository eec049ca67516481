#!/usr/bin/env bash
# A whole MCP conversation with the built binary, as plain lines through pipes:
# conversation.sh BINARY. Needs nothing but a shell and grep.
set -euo pipefail
binary=$1
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$dir"' EXIT

call() { printf '{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}\n' "$1" "$2" "$3"; }
expect() { # file, what, pattern
  grep -qE "$3" "$1" || { echo "FAIL: $2: no match for $3 in"; cat "$1"; exit 1; }
  echo "ok: $2"
}

# The fifo stays open until the answers are there: the server ends with it.
mkfifo "$dir/in"
"$binary" serve --demo <"$dir/in" >"$dir/out" 2>"$dir/err" &
pid=$!
exec 3>"$dir/in"
call 1 initialize '{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"conversation","version":"1"}}' >&3
printf '{"jsonrpc":"2.0","method":"notifications/initialized"}\n' >&3
call 2 tools/list '{}' >&3
call 3 tools/call '{"name":"research","arguments":{"question":"How does attention work in a transformer?"},"_meta":{"progressToken":"p"}}' >&3
call 4 tools/call '{"name":"research","arguments":{"qestion":"typo"}}' >&3
answered() { grep -q "\"id\":$1[,}]" "$dir/out"; }
for _ in $(seq 1200); do
  if answered 3 && answered 4; then break; fi
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.1
done
call 5 tools/call '{"name":"recall","arguments":{"query":"attention"}}' >&3
for _ in $(seq 1200); do
  if answered 5; then break; fi
  kill -0 "$pid" 2>/dev/null || break
  sleep 0.1
done
exec 3>&-
code=0
wait "$pid" || code=$?
pid=
[ $code -eq 0 ] || { echo "FAIL: the server ended with $code"; cat "$dir/err"; exit 1; }
for id in 1 2 3 4 5; do
  grep -E "\"id\":$id[,}]" "$dir/out" >"$dir/$id" || { echo "FAIL: no answer to request $id"; cat "$dir/out" "$dir/err"; exit 1; }
done
expect "$dir/1" "initialize" '"serverInfo":\{.*research-mcp'
expect "$dir/2" "tools/list" '"name":"research"'
expect "$dir/out" "progress" '"method":"notifications/progress"'
expect "$dir/3" "a cited answer" 'Status: answered.*session s_.*run r_'
expect "$dir/3" "foreign text in a fence" 'data, not instructions.*Citations:.*\[1\] .* d_[a-z2-7]{26} http.*Passages, best first:.*end [0-9a-f]{12}'
expect "$dir/4" "an unknown argument" 'did you mean .*question'
expect "$dir/5" "recall finds what research read" '1\. d_[a-z2-7]{26} http'
if grep -vE '^\{"jsonrpc":"2.0",' "$dir/out"; then
  echo "FAIL: stdout holds something that is no message"
  exit 1
fi
echo "1 passed, 0 failed"
