# What postgres.sh and patroni.sh share; it is sourced after debian.sh. PostgreSQL 18
# with pgvector and pg_textsearch, Patroni and etcd, from Debian's testing suite, in the
# plain folder $programs. Nothing of the host is changed: apt works on lists and a status
# file of its own, packages are unpacked and not installed, and programs run in a chroot
# within a mount namespace of their own, so that no mount outlives them. Needs root.

suite=forky
packages="postgresql-18 postgresql-18-pgvector postgresql-18-pg-textsearch patroni python3-etcd etcd-server bash coreutils"
packed=${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/postgres-debian
programs=$packed/root
debian_user=70070 # of postgres in the chroot; no user of the host's

# mirror is the one that this machine uses for Debian's packages.
mirror() {
  { cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
    grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n 1
}

# apt_of_its_own writes the settings of an apt that knows nothing of the host.
apt_of_its_own() {
  local dir=$packed/apt uri
  uri=$(mirror)
  [[ -n $uri ]] || no_packages "no mirror of Debian's packages in /etc/apt/sources.list"
  mkdir -p "$dir"/{parts,prefs,state/lists/partial,cache/archives/partial}
  : >"$dir/empty"
  : >"$dir/status"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
    "$uri" "$suite" >"$dir/parts/debian.sources"
  cat >"$dir/conf" <<EOM
Dir::Etc::sourcelist "$dir/empty"; Dir::Etc::sourceparts "$dir/parts"; Dir::Etc::preferencesparts "$dir/prefs";
Dir::State "$dir/state"; Dir::State::status "$dir/status"; Dir::Cache "$dir/cache";
Acquire::Languages "none"; Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
EOM
  export APT_CONFIG=$dir/conf
}

# unpack_debian fills $programs, once.
unpack_debian() {
  [[ $(id -u) == 0 ]] || no_packages "pg_textsearch comes from packages that are unpacked and not installed: this needs root, for chroot"
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || no_packages "needs Debian's packages, and there is no apt-get to fetch them"
  mkdir -p "$packed"
  exec 8>"$packed/lock"
  flock 8 # the other script may be at it
  unpack_debian_once
  exec 8>&-
}

unpack_debian_once() {
  local stamp
  stamp=$(printf '%s\n' "$suite $packages" | cat - "${BASH_SOURCE[0]}" | sha256sum)
  [[ ! -f $packed/stamp || $(<"$packed/stamp") != "$stamp" ]] || return 0
  rm -rf "$packed/stamp" "$programs"
  say "fetching PostgreSQL, pg_textsearch, Patroni and etcd from Debian's $suite (88 MB, once)"
  (
    apt_of_its_own
    apt-get -q update >&2 || no_packages "apt-get update failed: is there a package mirror?"
    # shellcheck disable=SC2086
    apt-get -q install -y -d --no-install-recommends $packages >/dev/null 2>"$packed/log" ||
      no_packages "apt-get could not fetch the packages: $(tail -n 1 "$packed/log")"
  ) || exit $?
  lay_out
  rm -rf "$packed/apt"
  printf '%s\n' "$stamp" >"$packed/stamp"
}

lay_out() {
  mkdir -p "$programs"/usr/{bin,sbin,lib,lib64}
  local dir deb
  for dir in bin sbin lib lib64; do ln -sfn "usr/$dir" "$programs/$dir"; done
  for deb in "$packed"/apt/cache/archives/*.deb; do
    case $deb in */perl* | */libperl* | */systemd_*) continue ;; esac # for wrappers that are not called
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$programs" \
      --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale --exclude=./dev/?* -f - ||
      no_packages "the package $(basename "$deb") could not be unpacked"
  done
  ln -sf bash "$programs/usr/bin/sh"
  mkdir -p "$programs"/{tmp,dev,proc,run,etc,srv}
  chmod 1777 "$programs/tmp"
  printf 'root:x:0:0:root:/root:/bin/bash\npostgres:x:%s:%s::/tmp:/bin/sh\n' $debian_user $debian_user >"$programs/etc/passwd"
  printf 'root:x:0:\npostgres:x:%s:\n' $debian_user >"$programs/etc/group"
  printf '127.0.0.1 localhost\n' >"$programs/etc/hosts"
  [[ -x $programs/usr/lib/postgresql/18/bin/postgres ]] || no_packages "the package postgresql-18 has another layout than expected"
}

detach= # or setsid: the command leaves the script's terminal

# in_debian COMMAND... becomes the command, as postgres in the chroot; the process id
# is the caller's.
in_debian() {
  exec $detach unshare --mount --propagation private bash -c '
    root=$1 user=$2; shift 2
    mount --rbind /dev "$root/dev" && mount --bind /proc "$root/proc" || exit 1
    exec chroot --userspec="$user:$user" "$root" env -i HOME=/tmp LANG=C.UTF-8 LC_ALL=C.UTF-8 \
      PATH=/usr/lib/postgresql/18/bin:/usr/bin:/bin "$@"' in_debian "$programs" $debian_user "$@"
}
