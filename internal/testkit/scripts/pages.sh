#!/usr/bin/env bash
# Real pages as a browser shows them: documentation from Debian's packages, and the
# innerText of its main part by Debian's Chromium.
#
#   pages.sh   download the packages, ask Chromium; the last line on stdout is a
#              folder with NAME.html (the page) and NAME.txt (its innerText)
#
#   PAGES_TEST_DIR=$(internal/testkit/scripts/pages.sh) go test -v -run TestRealPages ./internal/extract
#
# The packages are unpacked, not installed, below
# ${XDG_CACHE_HOME:-$HOME/.cache}/research-mcp/pages. Exit codes: 3 when packages
# cannot be had, 1 for anything else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/debian.sh" pages

# package, page below usr/share, main part as a CSS selector; with what made it.
pages=(
  "python3.11-doc|doc/python3.11/html/library/re.html|[role=main]"                                    # Sphinx
  "postgresql-doc-15|doc/postgresql-doc-15/html/sql-select.html|.refentry"                            # DocBook
  "git-doc|doc/git-doc/git-rebase.html|#content"                                                      # AsciiDoc
  "nodejs-doc|doc/nodejs/api/fs.html|#apicontent"                                                     # Node's own
  "rust-doc|doc/rust-doc/html/alloc/vec/struct.Vec.html|#main-content"                                # rustdoc
  "rust-doc|doc/rust-doc/html/book/ch04-01-what-is-ownership.html|main"                               # mdBook
  "bash-doc|doc/bash/bashref.html|body"                                                               # Texinfo
  "mkdocs-doc|doc/mkdocs/html/dev-guide/themes.html|[role=main]"                                      # MkDocs
  "apache2-doc|doc/apache2-doc/manual/en/mod/core.html|#page-content"                                 # XSLT
  "sqlite3-doc|doc/sqlite3/datatype3.html|body"                                                       # SQLite's own
  "sqlite3-doc|doc/sqlite3/lang_update.html|body"                                                     # drawings with text (SVG)
  "libcommons-io-java-doc|doc/libcommons-io-java/api/org/apache/commons/io/FileUtils.html|main"       # Javadoc
  "libglib2.0-doc|gtk-doc/html/glib/glib-GVariant.html|.refentry"                                     # gtk-doc
  "netcdf-doc|doc/netCDF/html/group__variables.html|.contents"                                        # Doxygen
)

has_chromium() { command -v chromium >/dev/null; }

# unpacked PACKAGE puts the package's files below $root/PACKAGE.
unpacked() {
  [[ ! -d $root/$1 ]] || return 0
  lists
  local part=$root/$1.part
  rm -rf "$part"
  mkdir -p "$part"
  say "downloading $1"
  (cd "$part" && apt-get -q download "$1" >&2) || no_packages "apt-get could not download $1"
  dpkg-deb -x "$part"/*.deb "$part"
  rm "$part"/*.deb
  mv "$part" "$root/$1"
}

# shown PAGE SELECTOR prints the innerText of a part of a page. A copy beside the
# page, with a script that leaves only the text, has the page's style sheets.
shown() {
  local copy=${1%.html}.innertext.html
  {
    cat "$1"
    printf '<style>* { content-visibility: visible !important }</style>\n'
    printf '<script>addEventListener("load", () => { const text = document.querySelector("%s").innerText; document.head.innerHTML = ""; document.body.replaceChildren(); const pre = document.createElement("pre"); pre.id = "innertext"; pre.textContent = text; document.body.append(pre) })</script>\n' "$2"
  } >"$copy"
  timeout 60 chromium --headless --no-sandbox --disable-gpu --allow-file-access-from-files --virtual-time-budget=5000 \
    --user-data-dir="$root/profile" --dump-dom "file://$copy" 2>"$root/chromium.log" |
    sed -n '/<pre id="innertext">/,/<\/pre>/p' |
    sed -e 's/.*<pre id="innertext">//' -e 's/<\/pre>.*//' -e 's/&lt;/</g; s/&gt;/>/g; s/&nbsp;/ /g; s/&amp;/\&/g'
  rm -f "$copy"
}

command -v dpkg-deb >/dev/null || no_packages "needs Debian's packages, and there is no dpkg-deb to unpack them"
mkdir -p "$root"
exec 9>"$root/lock"
flock 9 # one run at a time
rm -rf "$root/shown"
mkdir "$root/shown"
needs has_chromium chromium
for entry in "${pages[@]}"; do
  IFS='|' read -r package page selector <<<"$entry"
  name=$package-$(basename "$page" .html)
  unpacked "$package"
  cp -L "$root/$package/usr/share/$page" "$root/shown/$name.html"
  shown "$(readlink -f "$root/$package/usr/share/$page")" "$selector" >"$root/shown/$name.txt"
  [[ -s $root/shown/$name.txt ]] || die "Chromium gave no text of $page: see $root/chromium.log"
done
printf '%s\n' "$root/shown"
