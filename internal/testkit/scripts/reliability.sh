#!/usr/bin/env bash
# Runs the tests that attack the program, in their longer form, and writes what they
# count, with the machine and the date: reliability.sh docs/RELIABILITY.md
# It takes up to ten minutes, and fails if a test does. What could not run is said.
set -uo pipefail
cd "$(dirname "$0")/../../.."
out=$1
raw=$(mktemp -d)
trap 'rm -rf "$raw"' EXIT
failed=0
table=$raw/table

# try TITLE PACKAGE TESTS [PATTERN] [NAME=VALUE...] runs tests. Their lines that match
# PATTERN are the figures; without a pattern the number of tests is.
try() {
  local title=$1 package=$2 tests=$3 pattern=${4:-} verdict=passed figures not
  shift $(($# < 4 ? $# : 4))
  echo "$title" >&2
  if ! env "$@" go test -count=1 -timeout 30m -v -run "^($tests)\$" "$package" >"$raw/log" 2>&1; then
    verdict='**FAILED**'
    failed=1
    grep -vE '^=== ' "$raw/log" | tail -n 40 >&2
  fi
  grep -q '^--- PASS' "$raw/log" || [ "$verdict" != passed ] || verdict='NOT RUN'
  if [ -n "$pattern" ]; then
    figures=$(grep -E "$pattern" "$raw/log" | sed -E 's/^ *([a-z_0-9]+\.go:[0-9]+: )?//' | paste -sd';' | sed 's/; */; /g; s/|/\\|/g')
  else
    figures="$(grep -c '^--- PASS' "$raw/log") tests"
  fi
  not=$(grep -c '^ *--- SKIP' "$raw/log")
  [ "$not" = 0 ] || verdict="$verdict, NOT RUN: $not"
  printf '| %s | %s | %s | `%s %s` |\n' "$title" "${figures:-none}" "$verdict" "${package#./}" "${tests//|/, }" >>"$table"
}

make --no-print-directory build >&2
try 'Kills and lost' ./memory/local 'TestKilledWritersLoseNothing' 'kills,' MEMORY_KILLS=60
try 'Writers and lost' ./memory/local 'TestThreeWritersOneReader' '3 writers'
try 'Power loss' ./memory/local 'TestPowerLossInTheLog|TestPowerLossWhileWriting' 'power loss' MEMORY_TRIES=50
try 'Damages told and rescued' ./memory/local 'TestRandomDamages' 'random damages' MEMORY_TRIES=50
try 'Disk full' ./memory/local 'TestFullDisk|TestFullDiskWhileErasing|TestForgetOnAFullDisk'
try 'Disk full or read-only, whole program' ./cmd/research-mcp 'TestFullDataFolder|TestFullDiskMovesTheMemory|TestReadOnlyMount|TestFolderOfAnotherUser'
try 'Forgotten bytes found in the memory' ./memory/local 'TestForgetLeavesNoCopyInSplitPages' 'forgotten bytes'
try 'Forgotten bytes found in answers, backups, the copy of a killed repair' ./memory/local 'TestForgetScrubsAnswersThatUsedIt|TestForgetSelectsAgainInBackups|TestForgetRemovesSealedDailyBackups|TestForgetRemovesTheCopyOfAKilledRepair'
try 'Forgotten bytes found in the cache, of other processes too' ./internal/fetch 'TestClearLeavesNoBytes|TestClearHoldsForOtherProcesses'
try 'Addresses reached (SSRF)' ./internal/fetch 'TestForbiddenAddressesAreNeverReached|TestListenersWouldNotice' 'forbidden addresses'
try 'Hidden ways that reach' ./internal/extract 'TestHiddenWays' 'ways reach'
try 'Invisible characters that reach' ./internal/text 'TestNoInvisibleCharacterPasses' 'invisible characters'
try 'Escapes that reach a terminal' ./internal/terminal 'TestNoControlCharacterReachesATerminal' 'escapes:'
try 'Escapes of hostile names that reach one' ./cmd/research-mcp 'TestHostileNamesOnATerminal'
try 'Canaries found' ./cmd/research-mcp 'TestNoSettingShowsACanary|TestCanariesReachNothing' 'secrets,'
try 'Soak' ./cmd/research-mcp 'TestSoak' 'soak, seed' SOAK_CALLS=1000 "SOAK_BINARY=$PWD/bin/research-mcp"
try 'Restrictions of the isolated child' ./internal/isolate 'TestSandboxHolds' 'restrict'
try 'System calls tried in the child' ./internal/isolate 'TestSandboxCalls' 'no figures'
calls=$(sed -nE 's/^ +([^:]+): ([A-Z]+)$/\2 \1/p' "$raw/log")
sed -i "\$s/| none |/| $(grep -c . <<<"$calls") tried, $(grep -cE '^E(PERM|NOSYS|INVAL) ' <<<"$calls") refused |/" "$table"

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
{
  printf '# Reliability\n\nWritten by `make reliability` on %s: %s, %s, %s cores, Linux %s.\n\n' "$(date -u +%F)" "${cpu:-unknown processor}" \
    "$(go version | cut -d' ' -f3,4)" "$(nproc 2>/dev/null || echo '?')" "$(uname -r)"
  cat <<'TEXT'
Each figure is what the named tests counted in that run; they are in the repository, and
`.ci/run` runs them in a shorter form. The column *tests* says how to run them alone:
`go test -v -run TEST ./PACKAGE`. MEMORY_KILLS, MEMORY_TRIES, MEMORY_SEED, SOAK_CALLS and
SOAK_SEED set how many cases there are, and which. NOT RUN counts what this machine did
not allow, such as the mounting of a small disk.

| what | figures | result | tests |
|---|---|---|---|
TEXT
  cat "$table"
  printf '\n## System calls in the isolated child\n\nWhat a child that was taken over could try, and what the kernel answers:\n\n'
  for errno in $(cut -d' ' -f1 <<<"$calls" | sort -u); do
    printf -- '- %s: %s.\n' "$errno" "$(sed -n "s/^$errno //p" <<<"$calls" | paste -sd, | sed 's/,/, /g')" | fold -s -w 95 | sed 's/ *$//; 2,$s/^/  /'
  done
} >"$out"
exit $failed
