#!/usr/bin/env bash
# Runs the benchmarks and writes their figures, with the machine and the date, and the
# graph of growth beside them: bench.sh docs/BENCHMARKS.md
# With --large only the graph of growth and its rows, up to 1,000,000 chunks, less than half an
# hour on two idle cores: bench.sh --large docs/BENCHMARKS.md
# GROWTH_SIZES="1000 20000" are other sizes, to try it. What could not be measured is named,
# also in the rows, and makes the exit code 3.
set -euo pipefail
cd "$(dirname "$0")/../../.."
large=
[ "${1:-}" != --large ] || { large=yes && shift; }
out=$1
work=$(mktemp -d)
raw=$work/raw csv=$work/csv missing=$work/missing started=
export TMPDIR=$work # the folders of the benchmarks, too
touch "$raw" "$csv" "$missing"
end() {
  [ -z "$started" ] || internal/testkit/scripts/postgres.sh stop --textsearch --name bench >&2 || true
  rm -rf "$work"
}
trap end EXIT
trap 'exit 130' INT TERM
export BENCH_BINARY=$PWD/bin/research-mcp

run() { go test -run '^$' -bench "$1" -benchtime "$2" "$3" | tee -a "$raw" >&2; }
# rivals installs other servers outside of the tree, and names them in RIVALS.
rivals() {
  local root=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/rivals
  local node=$root/node/node_modules/.bin/mcp-server-memory python=$root/python/bin/web-researcher-mcp
  mkdir -p "$root/node" "$root/python"
  [ -x "$node" ] || (cd "$root/node" && npm install --no-audit --no-fund --loglevel=error --prefix . @modelcontextprotocol/server-memory) >&2 || true
  [ -x "$python" ] || (cd "$root/python" && python3 -m venv . && bin/pip install -q --disable-pip-version-check web-researcher-mcp) >&2 || true
  export RIVALS=""
  if [ -x "$node" ]; then RIVALS+=" server-memory=$node"; else echo "NOT RUN: server-memory could not be installed" >&2; fi
  if [ -x "$python" ]; then RIVALS+=" web-researcher-mcp=$python"; else echo "NOT RUN: web-researcher-mcp could not be installed" >&2; fi
}

# not_run names what is missing, here and in the rows: not_run GROWTH/LINE REASON
not_run() {
  echo "NOT RUN: $1: $2" >&2
  printf '| %s | not measured: %s |\n' "$1" "$2" >>"$missing"
}

# growth measures memories up to $1 chunks, each in a process of its own, and draws them.
growth() {
  local python=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/plot line
  if started=$(internal/testkit/scripts/postgres.sh start --textsearch --name bench); then
    eval "$started"
    export POSTGRES_TEST_URL
  else
    started=
    unset POSTGRES_TEST_URL
    not_run Growth/postgres "PostgreSQL could not be installed"
  fi
  # As the program is built: without C.
  if ! GROWTH_CSV=$csv GROWTH_KEEP=$work/kept MEMORY_BENCH=$1 CGO_ENABLED=0 go test -timeout 60m -run '^$' -bench Growth -benchtime 1x ./memory 2>&1 | tee -a "$raw" >&2; then
    while read -r line; do not_run "$line" "it failed"; done < <(sed -n 's/^ *--- FAIL: Benchmark\(Growth\/[a-z]*\/[0-9]*\).*/\1/p' "$raw")
    grep -q '^BenchmarkGrowth/' "$raw" || not_run Growth "no line was measured"
  fi
  [ -s "$csv" ] || return 0
  [ -x "$python/bin/python" ] || python3 -m venv "$python" >&2 || true
  if "$python/bin/pip" install -q --disable-pip-version-check matplotlib==3.11.2 >&2; then
    "$python/bin/python" internal/testkit/scripts/growth.py "$csv" "${out%.md}-growth.svg"
  else
    not_run "the graph of growth" "matplotlib could not be installed"
  fi
}

everything() {
run 'FanOut|Answer|Hang' 3x ./internal/app
run 'Isolated|Start' 30x ./internal/app
MEMORY_BENCH=100k run ServeLarge 10x ./internal/app
run ServeIdle 1x ./internal/app
rivals
run Servers 10x ./internal/app
run 'Busy|Beside|Cache' 20x ./internal/fetch
run 'Page200kB' 40x ./internal/extract
run Start 100x ./internal/isolate
run Pool 3000x ./internal/isolate
run 'Chunk' 1s ./internal/app
run . 1s ./internal/models/builtin
run . 1s ./internal/text
MEMORY_BENCH=100k run . 20x ./memory/local
growth 100k
}

cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
machine=$(printf '%s: %s, %s, %s cores' "$(date -u +%F)" "${cpu:-unknown processor}" "$(go version | cut -d' ' -f3,4)" "$(nproc 2>/dev/null || echo '?')")

# rows writes what the benchmarks said as rows of a table.
rows() {
  awk '/^Benchmark/ { name = $1; sub(/-[0-9]+$/, "", name); sub(/^Benchmark/, "", name); line = ""
    for (i = 3; i < NF; i += 2) line = line (line == "" ? "" : ", ") $i " " $(i + 1)
    if (line != "") printf "| %s | %s |\n", name, line }' "$raw"
  cat "$missing"
}

# about_growth says what the rows of growth are.
about_growth() {
  cat <<TEXT
- **Growth**: a memory of so many chunks × 384, each measured in a process of its own:
  ours, ours in PostgreSQL (up to 100k), plain chromem-go with the same vectors, and FTS5
  of SQLite with the same words. \`first\` is from opening to the first answer, \`ready\` until the whole
  index is loaded, \`resident\` after the recalls, the test's own 15 MB included.
  [The graph](BENCHMARKS-growth.svg). \`make bench-large\` measures a million.
  **ServeGrowth** is ServeLarge with the largest of these memories.
  The rows were measured on $machine. The vectors have clearer themes than real ones,
  of which more cells are read: of 30,000 real passages 22 to 32 %, here 2 %.
TEXT
}

# with_growth passes the document on, with that text in the place of the old one, or of GROWTH.
with_growth() {
  awk -v about="$(about_growth)" '
    /^- \*\*Growth\*\*/ || /^GROWTH$/ { print about; old = 1; next }
    old && /^  / { next }
    { old = 0; print }'
}

if [ -n "$large" ]; then
  growth 1m
  for kept in "$work"/kept/*; do
    GROWTH_KEPT=$kept run ServeGrowth 10x ./internal/app || not_run "ServeGrowth/${kept##*/}" "it failed"
  done
  grep -q '^BenchmarkGrowth/.* MB-resident' "$raw" || { echo "nothing was measured; $out is as it was" >&2; exit 1; }
  rest=$(grep -v '^| \(\(Serve\)\?Growth\b\|the graph of growth\)' "$out" | with_growth)
  { printf '%s\n' "$rest"; rows; } >"$out"
  [ ! -s "$missing" ] || exit 3
  exit 0
fi
everything
{
  printf '# Benchmarks\n\nWritten by `make bench` on %s.\n' "$machine"
  sed 's/^    //' <<'TEXT' | with_growth

    Ratios within one run are reliable; absolute times are less so, because the machine
    is shared. The comments of the benchmarks in the code explain their names.

    - **FanOut**: n sources at once over real HTTP, each with its own port and a
      latency from 50 to 500 ms. `x-slowest` is the time of the whole gathering
      divided by the slowest healthy latency; `lost` counts lost answers of healthy sources. With 10 % bad
      sources (500, hang, reset, broken JSON in turn) the hanging ones cost their own
      deadline of 2 s.
    - **Answer**: the demo's first question in the real program, with memory and isolated
      process. `ms-beside-network` is the total time minus that of the slowest source.
      **AnswerWithoutEncoder**: the same with `models.builtin=off`.
    - **Hang**: the same with one source of three that never answers.
    - **Isolated**: one analysis in a child process, its start and end included.
    - **HangAmongFour**: four sources over real HTTP, one of which hangs until its timeout of 8 s.
    - **ServeLarge**: the server as a process beside 100k chunks x 384 of the built-in
      embedder: from its start to `initialize` and to the first recall, then recalls
      through the tool, and its resident memory after them.
    - **ServeIdle**: the resident memory of a server that does nothing, after `initialize`
      and 30 s after a question that the encoder ranked.
    - **Servers**: from starting a server to its answer to `initialize`, and its resident
      memory two seconds later, beside npm's @modelcontextprotocol/server-memory and PyPI's
      web-researcher-mcp, in the versions that were installed.
    - **Page200kB**: extraction of a page in an isolated process that is ready (warm)
      or is started for it (cold).
    - **Start**: from starting the process to its answer to `initialize`, and its end.
    GROWTH
    - The memory's benchmarks name the number of chunks, each with 384 dimensions.

TEXT
  printf '| benchmark | figures |\n|---|---|\n'
  rows
} >"$out"
[ ! -s "$missing" ] || exit 3
