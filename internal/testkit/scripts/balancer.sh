#!/usr/bin/env bash
# Two replicas on one data folder behind nginx with round robin: balancer.sh BINARY.
# See nginx.sh for which nginx. Exit code 3: it cannot be had.
set -euo pipefail
binary=$(realpath "$1")
. "$(dirname "$0")/nginx.sh"
cd "$(dirname "$0")/../sdkclient"

find_nginx || { echo "NOT RUN: nginx: $no_nginx"; exit 3; }
BALANCER_NGINX=$nginx SDKCLIENT_BINARY=$binary go test -count=1 -run 'TestBalancer$' -v .
