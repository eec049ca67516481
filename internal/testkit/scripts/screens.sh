#!/usr/bin/env bash
# Writes what each command shows on terminals of 40, 80 and 140 columns as text files:
# screens.sh DIR. It fails if a line is longer than the terminal or a word is broken.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1"
SCREENS_DIR=$(cd "$1" && pwd)
export SCREENS_DIR
cd "$(dirname "$0")/../../.."
go test -count=1 -run '^TestScreens$' ./cmd/research-mcp
echo "$(find "$SCREENS_DIR" -name '*.txt' | wc -l) screens in $SCREENS_DIR"
