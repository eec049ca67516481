#!/usr/bin/env bash
# The program against databases that several servers share: cluster.sh BINARY TEST
#
#   failover   the primary of three is killed under load, with its Patroni (patroni.sh);
#              FAILOVER_KILLS says how often, FAILOVER_BOUNDS=1 checks how long it takes
#   replicas   two servers with two tenants in two databases, one killed (postgres.sh); then
#              two servers with one database behind nginx (nginx.sh), one killed; then two
#              of which one is killed while it removes what is old, and while it folds
#   standby    what a standby shows while there is no primary, or it is frozen (patroni.sh)
#
# What it started it stops. Exit code 3: the databases cannot be had.
set -euo pipefail
CLUSTER_BINARY=$(realpath "$1")
export CLUSTER_BINARY
scripts=$(cd "$(dirname "$0")" && pwd)
cd "$scripts/../../.."

stops=()
trap 'for server in "${stops[@]}"; do ${server/ / stop } || true; done' EXIT

# serve SCRIPT [OPTION...] starts a server; $served is what it says.
serve() {
  local script=$scripts/$1
  shift
  "$script" status "$@" 2>/dev/null || stops+=("$script $*")
  served=$("$script" start "$@")
}

case ${2:-} in
failover)
  serve patroni.sh || exit $?
  eval "$served"
  go test -count=1 -v -timeout 20m -run 'TestFailover$' ./internal/testkit/cluster
  ;;
replicas)
  for name in first second; do
    serve postgres.sh --name $name || exit $?
    eval "$served"
    declare -x "${name^^}_TEST_URL=$POSTGRES_TEST_URL"
  done
  CLUSTER_NGINX=
  . "$scripts/nginx.sh"
  if find_nginx; then CLUSTER_NGINX=$nginx; else echo "NOT RUN: two servers behind nginx: $no_nginx"; fi
  export CLUSTER_NGINX
  go test -count=1 -v -timeout 10m -run 'TestReplicas(BehindBalancer)?$|TestRetentionMoves$|TestFoldingMoves$' ./internal/testkit/cluster
  ;;
standby)
  serve patroni.sh || exit $?
  eval "$served"
  go test -count=1 -v -timeout 10m -run 'TestStandby$|TestFrozenPrimary$' ./memory/postgres
  ;;
*)
  echo "cluster.sh: unknown test '${2:-}': failover, replicas or standby" >&2
  exit 1
  ;;
esac
