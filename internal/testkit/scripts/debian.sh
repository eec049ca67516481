# What the scripts of servers from Debian's packages share; it is sourced, with
# the name of the server. The script sets
#
#   url       where the server shall listen
#   mark      what its command line holds and no other process's does
#   answers   a function: does our server answer at the URL $1?
#   prepare   a function: install and build what is missing
#   run       a function: launch the server
#   here      the folder of the scripts
#
# and then calls manage. Messages go to stderr. Exit codes: 3 when packages cannot
# be installed, 1 for anything else.

server=$1
root=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/$server
state=$root/server.env

say() { printf '%s.sh: %s\n' "$server" "$*" >&2; }
die() { say "$*"; exit 1; }
no_packages() { say "$*"; exit 3; }

# lists brings apt's package lists up to date, once in a run.
listed=
lists() {
  [[ -z $listed ]] || return 0
  command -v apt-get >/dev/null || no_packages "needs Debian's packages, and there is no apt-get to install them"
  "$here/apt.sh" update >&2 || no_packages "apt-get update failed: is there a package mirror?"
  listed=yes
}

# needs TEST PACKAGE... installs the packages unless the command TEST succeeds.
needs() {
  local test=$1
  shift
  ! $test || return 0
  lists
  say "installing $*"
  "$here/apt.sh" install -y --no-install-recommends "$@" >&2 ||
    no_packages "apt-get could not install $*"
  $test || no_packages "it is not usable although apt-get installed $*"
}

# built STAMP reports whether $root/stamp says that this very thing was built.
built() { [[ -f $root/stamp && $(<"$root/stamp") == "$1" ]]; }

load_state() { [[ -f $state ]] && . "$state"; }

# ours reports whether the process is the server that start began: its id may
# have gone to another one since.
ours() { [[ -n ${PID:-} ]] && grep -qF -- "$mark" "/proc/$PID/cmdline" 2>/dev/null; }

alive() { load_state && ours && answers "$URL"; }

# launch COMMAND... runs the server in the background, in a process group of its
# own and without the script's lock, and waits until it answers at $url.
launch() {
  setsid nohup "$@" >"$root/server.log" 2>&1 </dev/null 9>&- &
  PID=$! URL=$url
  printf 'URL=%s\nPID=%s\n' "$URL" "$PID" >"$state"
  for _ in $(seq 600); do
    kill -0 "$PID" 2>/dev/null || { rm -f "$state"; die "the server ended at once, is its port taken? $(tail -n 2 "$root/server.log")"; }
    ! answers "$url" || return 0
    sleep 0.2
  done
  stop
  die "the server did not answer within two minutes: see $root/server.log"
}

stop() {
  load_state || { say "nothing was started"; return 0; }
  if ours; then
    kill -- "-$PID" # with its workers
    for _ in $(seq 300); do
      kill -0 -- "-$PID" 2>/dev/null || break
      sleep 0.1
    done
    ! kill -0 -- "-$PID" 2>/dev/null || die "process group $PID does not end"
  fi
  rm -f "$state"
  say "stopped"
}

# manage COMMAND is start, stop or status.
manage() {
  case $1 in
  start)
    command -v curl >/dev/null || no_packages "needs curl"
    mkdir -p "$root"
    exec 9>"$root/lock"
    flock 9 # one start at a time
    prepare
    if alive && [[ $URL != "$url" ]]; then stop; fi
    alive || run
    say "running as process $PID"
    printf '%s\n' "$url"
    ;;
  stop)
    stop
    ;;
  status)
    alive || { say "not running"; exit 1; }
    say "running on $URL as process $PID"
    ;;
  *)
    die "unknown command '$1': start, stop or status"
    ;;
  esac
}
