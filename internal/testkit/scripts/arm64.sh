#!/usr/bin/env bash
# Asks the demo's questions with the binary for arm64 under qemu-user and with the one
# for this machine, and compares the answers: arm64.sh. Each is asked in a session and a
# memory of its own: a question waits half a second for vectors of what is remembered,
# which is too short for an emulated encoder. It takes some minutes. Exit code 3:
# qemu-user cannot be installed.
set -euo pipefail
cd "$(dirname "$0")/../../.."

if ! command -v qemu-aarch64-static >/dev/null; then
  command -v apt-get >/dev/null || { echo "arm64.sh: needs Debian's qemu-user-static" >&2; exit 3; }
  as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi; }
  as_root apt-get -q update >&2 && as_root apt-get -q -y install qemu-user-static >&2 || exit 3
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t questions < <(go run ./cmd/research-mcp demo --json | sed -n 's/^      "question": "\(.*\)",$/\1/p')
[[ ${#questions[@]} == 3 ]] || { echo "arm64.sh: the demo asked ${#questions[@]} questions, not 3" >&2; exit 1; }
for arch in arm64 "$(go env GOHOSTARCH)"; do
  GOARCH=$arch CGO_ENABLED=0 go build -o "$work/$arch" ./cmd/research-mcp
  run=()
  [[ $arch != arm64 ]] || run=(qemu-aarch64-static)
  for question in "${questions[@]}"; do
    # Emulated, the encoder takes longer than the budget of a question.
    OLLAMA_HOST=127.0.0.1:1 "${run[@]}" "$work/$arch" ask --demo --json --set research.budget=600s "$question"
  done >"$work/$arch.json"
done
answers() { grep -E '^  "(answer|status)": ' "$1"; }
diff <(answers "$work/arm64.json") <(answers "$work/$(go env GOHOSTARCH).json")
echo "arm64: $(answers "$work/arm64.json" | grep -c '"answer"') answers, the same as here"
