#!/usr/bin/env bash
# Runs every fuzz target of the tree for a time: fuzz.sh 10s
# The tests of a package are built once, and run from its folder, so that an input that
# fails is kept in its testdata. Making new inputs small is kept short: where a target goes
# through HTTP, it would take the whole time.
set -euo pipefail
cd "$(dirname "$0")/../../.."
time=${1:-10s}
again=100x # inputs of a second run, which has no end of its time
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
corpus=$(go env GOCACHE)/fuzz # where go test -fuzz keeps what it found

fuzz() { # NAME PACKAGE TIME
  (cd "$2" && "$work/tests" -test.run '^$' -test.fuzz "^$1\$" -test.fuzztime "$3" -test.fuzzminimizetime 10x \
    -test.fuzzcachedir "$corpus/$(go list)") 2>&1 | tee "$work/out"
}

# ended_late: the run failed, and all that it says is that its time was over.
# Go reports the end of -fuzztime as a failure now and then, if a worker is busy
# at that moment (golang/go#75804); an input that fails is always named.
ended_late() {
  grep -q '^ *context deadline exceeded$' "$work/out" && ! grep -qE 'Failing input|panic|testdata/fuzz|_test\.go:' "$work/out"
}

found=0 built=
while IFS=: read -r file name; do
  found=$((found + 1))
  package=./$(dirname "$file")
  if [ "$package" != "$built" ]; then
    go test -c -fuzz . -o "$work/tests" "$package"
    built=$package
  fi
  echo "fuzzing $name in $package for $time"
  if ! fuzz "$name" "$package" "$time"; then
    ended_late || exit 1
    echo "$name named no input that fails, only the end of its time: once more, $again inputs"
    fuzz "$name" "$package" $again
  fi
done < <(git grep -oE 'func (Fuzz[A-Za-z0-9]+)\(f \*testing\.F' -- '*_test.go' | sed -E 's/func (Fuzz[A-Za-z0-9]+).*/\1/' |
  awk -F: '{ folder = $1; sub("/[^/]*$", "", folder); print folder "\t" $0 }' | sort | cut -f 2)
[ "$found" -gt 0 ] || { echo "there is no fuzz target"; exit 1; }
echo "$found targets found no input that fails"
