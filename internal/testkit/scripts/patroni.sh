#!/usr/bin/env bash
# Three PostgreSQL servers under Patroni, with one etcd, on loopback and free ports:
# a primary, two standbys, and a new primary by itself when the first dies.
#
#   patroni.sh start       install what is missing, start, wait for three members, print
#                          shell assignments: PATRONI_TEST_URL, which names the three
#                          hosts, and PATRONI_TEST_SCRIPT, this script
#   patroni.sh members     print a line for each: NAME ROLE STATE
#   patroni.sh kill NAME   kill -9 its server, the children of that, and its Patroni,
#                          as a machine that loses its power
#   patroni.sh freeze NAME stop them where they are, as a machine that hangs
#   patroni.sh thaw NAME   let them go on
#   patroni.sh revive NAME start a killed one again
#   patroni.sh hold NAME   stop its Patroni where it is; the server goes on
#   patroni.sh let NAME    let that Patroni go on
#   patroni.sh stop        end everything, and delete the data
#   patroni.sh status      say whether it runs, exit 0 if it does
#
# The packages are those of postgres.sh --textsearch. Replication is synchronous to a
# quorum of one: what was acknowledged is on two of the three. Needs root. Exit codes: 3
# when the programs cannot be installed, 1 for anything else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/debian.sh" patroni
. "$here/postgres-debian.sh"

data=$programs/srv/patroni # /srv/patroni in the chroot
nodes="n1 n2 n3"

port() { local name=PORT_$1; printf '%s' "${!name}"; }
api() { local name=API_$1; printf '%s' "${!name}"; }
pid_of() { cat "$root/$1.pid" 2>/dev/null || true; }

# runs NAME reports whether the process that start began still is: its id may have gone
# to another one.
runs() {
  local pid
  pid=$(pid_of "$1")
  [[ -n $pid ]] && { tr "\0" " " <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "/srv/patroni/$1"
}

# background NAME COMMAND... runs it in the chroot, without the script's lock.
background() {
  local name=$1
  shift
  (exec </dev/null >>"$root/$name.log" 2>&1 9>&-; detach=setsid in_debian nice -n 5 "$@") &
  printf '%s\n' $! >"$root/$name.pid"
}

# member writes the settings of one node.
member() {
  cat >"$data/$1.yml" <<EOM
scope: research
name: $1
restapi: {listen: "127.0.0.1:$(api "$1")", connect_address: "127.0.0.1:$(api "$1")"}
etcd3: {host: "127.0.0.1:$ETCD"}
bootstrap:
  dcs:
    ttl: 20 # Patroni's least: so long is a dead primary missed
    loop_wait: 2
    retry_timeout: 5
    synchronous_mode: quorum
    synchronous_node_count: 1
    postgresql:
      use_pg_rewind: true
      use_slots: true
      parameters: {max_connections: 100, max_locks_per_transaction: 256, shared_preload_libraries: pg_textsearch, hot_standby_feedback: "on", wal_log_hints: "on", shared_buffers: 128MB, jit: "off", max_wal_size: 1GB}
  initdb: [{encoding: UTF8}, {locale: C.UTF-8}, {locale-provider: builtin}, {builtin-locale: C.UTF-8}, data-checksums]
postgresql:
  listen: 127.0.0.1:$(port "$1")
  connect_address: 127.0.0.1:$(port "$1")
  data_dir: /srv/patroni/$1
  bin_dir: /usr/lib/postgresql/18/bin
  pgpass: /srv/patroni/$1.pgpass
  authentication:
    superuser: {username: postgres, password: "$PASSWORD"}
    replication: {username: replicator, password: "$PASSWORD"}
    rewind: {username: rewinder, password: "$PASSWORD"}
  parameters: {unix_socket_directories: ""}
  pg_hba: ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"]
EOM
}

revive() { background "$1" /usr/bin/python3 /usr/bin/patroni "/srv/patroni/$1.yml"; }

# members prints NAME ROLE STATE of each, as the first that answers sees them.
members() {
  local node
  for node in $nodes; do
    curl -fsS --max-time 2 "http://127.0.0.1:$(api "$node")/cluster" 2>/dev/null |
      python3 -c 'import json, sys
for m in json.load(sys.stdin)["members"]: print(m["name"], m["role"], m["state"])' 2>/dev/null && return 0
  done
  return 1
}

# complete reports whether a leader has two standbys, one of them synchronous.
complete() {
  local now
  now=$(members) && [[ $(grep -c ' leader running' <<<"$now") == 1 && $(grep -c ' streaming$' <<<"$now") == 2 && $now == *quorum_standby* ]]
}

alive() { load_state && runs etcd && for node in $nodes; do runs "$node" || return 1; done; }

run() {
  rm -rf "$data" && install -d -o $debian_user -g $debian_user "$data"
  local node ports
  read -ra ports < <(python3 "$here/ports.py" 8) || die "found no free ports"
  ETCD=${ports[6]} PEER=${ports[7]} PASSWORD=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
  printf 'ETCD=%s\nPASSWORD=%s\n' "$ETCD" "$PASSWORD" >"$state"
  for node in $nodes; do
    printf 'PORT_%s=%s\nAPI_%s=%s\n' "$node" "${ports[0]}" "$node" "${ports[1]}" >>"$state"
    ports=("${ports[@]:2}")
  done
  load_state
  background etcd /usr/bin/etcd --data-dir /srv/patroni/etcd --listen-client-urls "http://127.0.0.1:$ETCD" \
    --advertise-client-urls "http://127.0.0.1:$ETCD" --listen-peer-urls "http://127.0.0.1:$PEER" \
    --initial-advertise-peer-urls "http://127.0.0.1:$PEER" --initial-cluster "default=http://127.0.0.1:$PEER" \
    --heartbeat-interval 500 --election-timeout 5000
  for node in $nodes; do
    (umask 077 && member "$node")
    chown $debian_user "$data/$node.yml"
    : >"$root/$node.log"
    revive "$node"
  done
  for _ in $(seq 1500); do
    ! complete || return 0
    sleep 0.2
  done
  stop
  die "the three servers were not ready within five minutes: see $root/n1.log"
}

# postmaster prints the process of a node's server, if it is one.
postmaster() {
  local pid
  pid=$(head -n 1 "$data/$1/postmaster.pid" 2>/dev/null || true)
  if [[ -n $pid ]] && { tr "\0" " " <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "/srv/patroni/$1"; then printf '%s' "$pid"; fi
}

# end NAME SIGNAL signals the Patroni of a node, its server, and the children of that.
end() {
  local server patroni=
  server=$(postmaster "$1")
  ! runs "$1" || patroni=$(pid_of "$1")
  # shellcheck disable=SC2046
  kill "-$2" $patroni $server ${server:+$(ps -o pid= --ppid "$server")} 2>/dev/null || true
}

# still NAME SIGNAL stops or continues the Patroni of a node.
still() {
  runs "$1" || die "$1 does not run"
  kill "-$2" "$(pid_of "$1")"
}

stop() {
  load_state || { say "nothing was started"; return 0; }
  local node
  for node in $nodes; do end "$node" KILL; done # the data go anyway
  ! runs etcd || kill -KILL "$(pid_of etcd)"
  sleep 0.3
  rm -rf "$data" "$state" "$root"/*.pid
  say "stopped"
}

known() {
  load_state || die "nothing was started"
  [[ " $nodes " == *" ${1:-} "* ]] || die "'${1:-}' is no member: $nodes"
}

case ${1:-start} in
start)
  command -v curl >/dev/null || no_packages "needs curl"
  mkdir -p "$root"
  exec 9>"$root/lock"
  flock 9 # one start at a time
  if ! alive; then
    stop 2>/dev/null # what a killed one left
    unpack_debian
    run
  fi
  say "running on 127.0.0.1, ports $(port n1), $(port n2), $(port n3)"
  printf 'export PATRONI_TEST_URL="postgres://postgres:%s@127.0.0.1:%s,127.0.0.1:%s,127.0.0.1:%s/postgres?target_session_attrs=read-write"\nexport PATRONI_TEST_SCRIPT=%q\n' \
    "$PASSWORD" "$(port n1)" "$(port n2)" "$(port n3)" "$here/patroni.sh"
  ;;
members)
  load_state || die "nothing was started"
  members || die "no member answers"
  ;;
kill)
  known "${2:-}"
  end "$2" KILL
  ;;
freeze)
  known "${2:-}"
  end "$2" STOP
  ;;
thaw)
  known "${2:-}"
  end "$2" CONT
  ;;
revive)
  known "${2:-}"
  ! runs "$2" || die "$2 runs"
  revive "$2"
  ;;
hold)
  known "${2:-}"
  still "$2" STOP
  ;;
let)
  known "${2:-}"
  still "$2" CONT
  ;;
stop) stop ;;
status)
  alive || { say "not running"; exit 1; }
  say "running on 127.0.0.1, ports $(port n1), $(port n2), $(port n3)"
  ;;
*) die "unknown command '$1': start, members, kill, freeze, thaw, revive, hold or let NAME, stop or status" ;;
esac
