#!/usr/bin/env bash
# Runs every fuzz target of the tree for a time: fuzz.sh 10s
# Making new inputs small is kept short: where a target goes through HTTP, it
# would take the whole time.
set -euo pipefail
cd "$(dirname "$0")/../../.."
time=${1:-10s}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

fuzz() { # NAME PACKAGE
  go test -run '^$' -fuzz "^$1\$" -fuzztime "$time" -fuzzminimizetime 10x "$2" 2>&1 | tee "$out"
}

# ended_late: the run failed, and all that it says is that its time was over.
# Go reports the end of -fuzztime as a failure now and then, if a worker is busy
# at that moment (golang/go#75804); an input that fails is always named.
ended_late() {
  grep -q '^ *context deadline exceeded$' "$out" && ! grep -qE 'Failing input|panic|testdata/fuzz|_test\.go:' "$out"
}

found=0
while IFS=: read -r file name; do
  found=$((found + 1))
  package=./$(dirname "$file")
  echo "fuzzing $name in $package for $time"
  if ! fuzz "$name" "$package"; then
    ended_late || exit 1
    echo "$name named no input that fails, only the end of its time: once more"
    fuzz "$name" "$package"
  fi
done < <(git grep -oE 'func (Fuzz[A-Za-z0-9]+)\(f \*testing\.F' -- '*_test.go' | sed -E 's/func (Fuzz[A-Za-z0-9]+).*/\1/')
[ "$found" -gt 0 ] || { echo "there is no fuzz target"; exit 1; }
