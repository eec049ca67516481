#!/usr/bin/env bash
# Asks the demo's questions with the binary for arm64 under qemu-user and with the one
# for this machine, and compares the answers: arm64.sh. It takes some minutes. Exit
# code 3: qemu-user cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/../../.."

if ! command -v qemu-aarch64-static >/dev/null; then
  command -v apt-get >/dev/null || { echo "arm64.sh: needs Debian's qemu-user-static" >&2; exit 3; }
  as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi; }
  as_root apt-get -q update >&2 && as_root apt-get -q -y install qemu-user-static >&2 || exit 3
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for arch in arm64 "$(go env GOHOSTARCH)"; do
  GOARCH=$arch CGO_ENABLED=0 go build -o "$work/$arch" ./cmd/research-mcp
  run=()
  [[ $arch != arm64 ]] || run=(qemu-aarch64-static)
  # Emulated, the encoder takes longer than the budget of a question.
  RESEARCH_MCP_DATA_DIR=$work/data-$arch OLLAMA_HOST=127.0.0.1:1 "${run[@]}" "$work/$arch" demo --json --set research.budget=600s >"$work/$arch.json"
done
answers() { grep -E '^      "(answer|status)": ' "$1"; }
diff <(answers "$work/arm64.json") <(answers "$work/$(go env GOHOSTARCH).json")
echo "arm64: $(answers "$work/arm64.json" | grep -c '"answer"') answers, the same as here"
