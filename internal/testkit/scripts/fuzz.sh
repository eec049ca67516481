#!/usr/bin/env bash
# Runs every fuzz target of the tree for a time: fuzz.sh 10s
# Making new inputs small is kept short: where a target goes through HTTP, it
# would take the whole time.
set -euo pipefail
cd "$(dirname "$0")/../../.."
time=${1:-10s}
found=0
while IFS=: read -r file name; do
  found=$((found + 1))
  echo "fuzzing $name in $(dirname "$file") for $time"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x "./$(dirname "$file")"
done < <(git grep -oE 'func (Fuzz[A-Za-z0-9]+)\(f \*testing\.F' -- '*_test.go' | sed -E 's/func (Fuzz[A-Za-z0-9]+).*/\1/')
[ "$found" -gt 0 ] || { echo "there is no fuzz target"; exit 1; }
