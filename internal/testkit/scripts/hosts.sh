#!/usr/bin/env bash
# The host matrix: real hosts and SDK clients from npm and PyPI call the tools of the
# binary, and what each gives its model is checked (see internal/testkit/hosts). Most start
# the server; those named -url reach a running one over HTTP, with a token, and those named
# -connect do so by the command connect.
#
#   hosts.sh BINARY [NAME...]   install what is missing, run all of them or the named ones
#   hosts.sh install            install only
#   hosts.sh remove             remove what was installed
#
# They are installed below ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/hosts, about 2 GB,
# and what models were given is kept there in the folder given. The versions are those
# below; a change of one installs it anew. Exit codes: 3 when nothing failed but something
# could not be installed or started, which is named; 1 for anything else.
set -euo pipefail

root=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/hosts
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# folder, registry, packages. The folders are those that internal/testkit/hosts looks into;
# node comes first, because the others run with it.
packages=(
  "node|npm|node@22.19.0"
  "claude-code|npm|@anthropic-ai/claude-code@2.1.197"
  "codex|npm|@openai/codex@0.171.0"
  "gemini|npm|@google/gemini-cli@0.61.0"
  "opencode|npm|opencode-ai@1.18.33"
  "copilot|npm|@github/copilot@1.0.102"
  "inspector|npm|@modelcontextprotocol/inspector@2.12.0"
  "tssdk|npm|@modelcontextprotocol/client@2.4.0 @modelcontextprotocol/sdk@1.32.2"
  "pysdk|pypi|mcp==2.3.0"
  "openai-agents|pypi|openai-agents==0.24.0"
  "pydantic-ai|pypi|pydantic-ai-slim[openai,mcp]==2.68.0"
  "fastmcp|pypi|fastmcp==4.2.3"
)

say() { printf 'hosts.sh: %s\n' "$*" >&2; }

# from_npm and from_pypi install packages into the current folder. npm's cache is not
# kept: it would double the space.
from_npm() {
  command -v npm >/dev/null || { echo "there is no npm"; return 1; }
  local cache=$PWD/.npm-cache code=0
  PATH=$root/node/node_modules/.bin:$PATH npm install --no-audit --no-fund --loglevel=error --cache "$cache" --prefix . "$@" || code=$?
  rm -rf "$cache"
  return $code
}

from_pypi() {
  command -v python3 >/dev/null || { echo "there is no python3"; return 1; }
  python3 -m venv . && bin/pip install -q --no-cache-dir --disable-pip-version-check "$@"
}

# installed FOLDER REGISTRY PACKAGES installs them unless they are there. What cannot be
# had is absent afterwards, and is named by the run.
installed() {
  local folder=$root/$1 wanted="$2 $3" names
  if [[ -f $folder/.installed && $(<"$folder/.installed") == "$wanted" ]]; then return 0; fi
  say "installing $3"
  rm -rf "$folder"
  mkdir -p "$folder"
  read -ra names <<<"$3"
  if (cd "$folder" && "from_$2" "${names[@]}") >"$root/$1.log" 2>&1; then
    printf '%s\n' "$wanted" >"$folder/.installed"
  else
    say "$3 could not be installed: $(tail -n 2 "$root/$1.log")"
    rm -rf "$folder"
  fi
}

# install_from REGISTRY installs what comes from there, in the order of the list.
install_from() {
  local entry folder registry names
  for entry in "${packages[@]}"; do
    IFS='|' read -r folder registry names <<<"$entry"
    [[ $registry != "$1" ]] || installed "$folder" "$registry" "$names"
  done
}

install_all() {
  mkdir -p "$root"
  exec 9>"$root/lock"
  flock 9 # one run at a time
  install_from npm &
  install_from pypi
  wait
}

case ${1:-} in
install) install_all ;;
remove) rm -rf "$root" ;;
"" | -*)
  sed -n '2,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
  ;;
*)
  binary=$(realpath "$1")
  shift
  install_all
  cd "$here/../../.."
  mkdir -p "$root/bin" # "go run" would not pass the exit code on
  go build -o "$root/bin/hosts" ./internal/testkit/hosts
  "$root/bin/hosts" -binary "$binary" -installed "$root" -only "$*"
  ;;
esac
