#!/usr/bin/env bash
# The official conformance suite of MCP, in two releases, against serve --http and against
# the fixtures that it calls (internal/testkit/conformance) on the same transport.
#
#   conformance.sh BINARY    install what is missing, and run
#   conformance.sh install   install only
#
# The suite and its node are installed below
# ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/conformance, about 250 MB. Exit codes: 3 if
# they cannot be installed, 1 if a scenario that has to pass does not.
set -euo pipefail

root=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/conformance
binary=$(realpath "${1:?usage: conformance.sh BINARY, or conformance.sh install}")
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

# What has to pass: of our own tools, all that needs no fixture; of the fixtures, all but
# the tasks extension.
ours_stable="server-initialize logging-set-level ping tools-list resources-list prompts-list
  server-sse-multiple-streams dns-rebinding-protection completion-complete
  resources-subscribe resources-unsubscribe"
ours_next="server-stateless completion-complete tools-list resources-list prompts-list sep-2164-resource-not-found
  caching http-header-validation dns-rebinding-protection server-sse-multiple-streams
  input-required-result-unsupported-methods"
calls="tools-call-simple-text tools-call-image tools-call-audio
  tools-call-embedded-resource tools-call-mixed-content tools-call-error
  tools-call-with-progress json-schema-2020-12 resources-read-text resources-read-binary
  resources-templates-read prompts-get-simple prompts-get-with-args
  prompts-get-embedded-resource prompts-get-with-image"
fixtures_stable="$ours_stable $calls tools-call-with-logging tools-call-sampling
  tools-call-elicitation elicitation-sep1034-defaults elicitation-sep1330-enums"
fixtures_next="$ours_next $calls http-custom-header-server-validation"
for scenario in basic-elicitation basic-sampling basic-list-roots request-state multiple-input-requests multi-round \
  missing-input-response non-tool-request result-type tampered-state capability-check ignore-extra-params validate-input; do
  fixtures_next="$fixtures_next input-required-result-$scenario"
done

install() { # VERSION
  local folder=$root/$1
  [ ! -f "$folder/.installed" ] || return 0
  rm -rf "$folder"
  mkdir -p "$folder"
  (cd "$folder" && npm install --no-audit --no-fund --loglevel=error --cache "$folder/.npm" --prefix . \
    node@22.19.0 "@modelcontextprotocol/conformance@$1" && rm -rf .npm && touch .installed) >"$root/install.log" 2>&1 ||
    { echo "conformance.sh: $1 cannot be installed: $(tail -n 1 "$root/install.log")" >&2; exit 3; }
}

work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; wait; rm -rf "$work"' EXIT

# start NAME COMMAND... sets $url to the address that a server prints.
start() {
  local name=$1
  shift
  "$@" >"$work/$name.log" 2>&1 &
  pids+=($!)
  for _ in $(seq 1200); do
    url=$(grep -om1 'http://[^ ;]*/mcp' "$work/$name.log") && return
    kill -0 "${pids[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "conformance.sh: the $name server does not start:" >&2
  cat "$work/$name.log" >&2
  exit 1
}

# run NAME VERSION SCENARIOS [OPTION...] runs the suite against $url.
failed=0
run() {
  local name=$1 version=$2 scenarios=$3 out=$work/$1-$2 passed=0
  shift 3
  mkdir "$out"
  PATH=$root/$version/node_modules/.bin:$PATH timeout 600 node "$root/$version/node_modules/@modelcontextprotocol/conformance/dist/index.js" \
    server --url "$url" --suite all -o "$out" "$@" >"$out.log" 2>&1 || true # scenarios without fixtures fail
  for scenario in $scenarios; do
    # Some checks of a scenario need fixtures that nobody has; they say so.
    if PATH=$root/$version/node_modules/.bin:$PATH node -e '
      const fs = require("fs"), [out, scenario] = process.argv.slice(1)
      const found = fs.readdirSync(out).filter(d => d.startsWith(`server-${scenario}-2`))
      const checks = found.flatMap(d => JSON.parse(fs.readFileSync(`${out}/${d}/checks.json`)))
      const bad = checks.filter(c => c.status === "FAILURE" && !/^Not testable/.test(c.errorMessage || ""))
      for (const c of bad) console.log(`  ${c.id}: ${c.errorMessage}`)
      process.exit(bad.length > 0 || !checks.some(c => c.status === "SUCCESS") ? 1 : 0)' "$out" "$scenario"; then
      passed=$((passed + 1))
    else
      echo "FAIL: $name, $version: $scenario"
      failed=1
    fi
  done
  echo "$name, $version: $passed of $(wc -w <<<"$scenarios") scenarios that have to pass do"
}

command -v npm >/dev/null || { echo "conformance.sh: there is no npm" >&2; exit 3; }
stable=0.1.16 next=0.2.0-alpha.12
mkdir -p "$root"
exec 9>"$root/lock"
flock 9 # one installation at a time
install $stable
install $next
exec 9>&-
[ "$1" != install ] || exit 0
go build -tags conformance -o "$work/fixtures" ./internal/testkit/conformance

start "serve --http" "$binary" serve --demo --http 127.0.0.1:0
run serve $stable "$ours_stable"
run serve $next "$ours_next" --spec-version 2026-07-28
start fixtures "$work/fixtures"
run fixtures $stable "$fixtures_stable"
run fixtures $next "$fixtures_next" --spec-version 2026-07-28
exit $failed
