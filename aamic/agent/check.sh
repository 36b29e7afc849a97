#!/bin/sh
# Compares what aamic manages on this host with its manifest, and tells node_exporter's textfile collector.
#
#   aamic-check FOLDER       writes FOLDER/aamic.prom, at once or not at all; changes nothing else
#
# With AAMIC_ROOT set, a folder stands for the host. Exit status: 0 if the metrics were written, whatever they say.
#
# The manifest, /var/lib/aamic/manifest, is text: a record a line, fields between tabs.
#
#   aamic-manifest 1                              the first line
#   release RELEASE
#   file PATH SHA256 MODE OWNER GROUP BUNDLE      `-` for what was not set, and for the digest of a secret
#   link PATH TARGET BUNDLE
#   program PATH ORIGIN                           so only its presence can be checked
#   unit UNIT BUNDLE                              systemd's own metrics tell of it
#   line PATH TEXT UNIT BUNDLE                    a line that a file of somebody else must hold, not behind a `#`
#
# A manifest that is missing, cut short or not understood is a check that failed: nothing is said of files then.
set -uf
umask 022
LC_ALL=C
QUOTING_STYLE=literal # of stat
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL QUOTING_STYLE PATH

root=${AAMIC_ROOT:-}
state=$root/var/lib/aamic
manifest=$state/manifest
tab=$(printf '\t')
newline='
'
release='' ok=0 changed=0 missing=0 permissions=0

# Calls `$1 KIND FIELD...` for each record; false as soon as that is, or if the last line has no end.
records() {
    while IFS=$tab read -r kind a b c d e f rest; do
        if [ -n "$rest" ] || ! "$1" "$kind" "$a" "$b" "$c" "$d" "$e" "$f"; then return 1; fi
        kind=''
    done <"$manifest"
    [ -z "$kind" ]
}

# Whether each record is one of the manifest's; what is beside the path is compared as text and needs no check.
understood() {
    case $1 in
    aamic-manifest) [ -z "$header$3" ] && [ "$2" = 1 ] && header=1 ;;
    release) [ -n "$header" ] && [ -z "$release$3" ] && is_release "$2" && release=$2 ;;
    file) [ -n "$release" ] && is_path "$2" && is_digest "$3" && [ -n "$7" ] ;;
    link) [ -n "$release" ] && is_path "$2" && [ -n "$4" ] && [ -z "$5" ] ;;
    program) [ -n "$release" ] && is_path "$2" && [ -n "$3" ] && [ -z "$4" ] ;;
    unit) [ -n "$release" ] && [ -n "$3" ] && [ -z "$4" ] ;;
    line) [ -n "$release" ] && is_path "$2" && [ -n "$3" ] && [ -n "$5" ] && [ -z "$6" ] ;;
    *) false ;;
    esac
}

is_digest() { [ "$1" = - ] || [ "${#1}" = 64 ]; }

is_release() {
    case $1 in
    '' | *[!A-Za-z0-9._+-]*) false ;;
    esac
}

# A path that the outputs of sha256sum and stat show as it is.
is_path() {
    case $1 in
    *[[:space:][:cntrl:]\\]*) false ;;
    /*) ;;
    *) false ;;
    esac
}

# Both tools are asked once, about what is there: a file that goes meanwhile has no line in their answers, so it differs.
observe() {
    set --
    while IFS=$tab read -r kind path _; do
        if [ "$kind" = file ] && is_plain "$root$path"; then set -- "$@" "$root$path"; fi
    done <"$manifest"
    digests=$newline
    if [ $# -gt 0 ]; then digests=$newline$(sha256sum -- "$@" 2>/dev/null)$newline; fi
    while IFS=$tab read -r kind path _; do
        if [ "$kind" = link ] && [ -L "$root$path" ]; then set -- "$@" "$root$path"; fi
    done <"$manifest"
    facts=$newline
    if [ $# -gt 0 ]; then facts=$newline$(stat -c '%04a %U %G %N' -- "$@" 2>/dev/null)$newline; fi
}

# Opening anything else might wait for ever.
is_plain() { [ -f "$1" ] && ! [ -L "$1" ]; }

exists() { [ -e "$1" ] || [ -L "$1" ]; }

has_digest() {
    if [ "$2" = - ]; then return 0; fi
    case $digests in
    *"$newline$2  $1$newline"*) ;;
    *) false ;;
    esac
}

has_facts() { # PATH MODE OWNER GROUP
    case $facts in
    *"$newline$2 $3 $4 $1$newline"*) return 0 ;;
    esac
    [ "$3" = - ] || [ "$4" = - ] || return 1
    # Only where a folder stands for a host; taking texts apart is slow.
    found=${facts%%" $1$newline"*}
    if [ "$found" = "$facts" ]; then return 1; fi
    found=${found##*"$newline"}
    owners=${found#* }
    [ "${found%% *}" = "$2" ] && is_or_any "${owners% *}" "$3" && is_or_any "${owners#* }" "$4"
}

is_or_any() { [ "$2" = - ] || [ "$1" = "$2" ]; }

leads_to() {
    case $facts in
    *" $1 -> $2$newline"*) ;;
    *) false ;;
    esac
}

compare() {
    case $1 in
    file) count_file "$root$2" "$3" "$4" "$5" "$6" ;;
    link) count_link "$root$2" "$3" ;;
    program) count_program "$root$2" ;;
    line) count_line "$root$2" "$3" ;;
    esac
}

count_file() { # PATH SHA256 MODE OWNER GROUP
    if ! exists "$1"; then
        missing=$((missing + 1))
    elif ! has_digest "$1" "$2"; then
        changed=$((changed + 1))
    elif ! has_facts "$1" "$3" "$4" "$5"; then
        permissions=$((permissions + 1))
    else
        ok=$((ok + 1))
    fi
}

count_link() { # PATH TARGET
    if ! exists "$1"; then
        missing=$((missing + 1))
    elif ! leads_to "$1" "$2"; then
        changed=$((changed + 1))
    else
        ok=$((ok + 1))
    fi
}

count_program() { # PATH
    if ! exists "$1"; then
        missing=$((missing + 1))
    elif ! [ -f "$1" ]; then
        changed=$((changed + 1))
    elif ! [ -x "$1" ]; then
        permissions=$((permissions + 1))
    else
        ok=$((ok + 1))
    fi
}

count_line() { # PATH TEXT
    if ! exists "$1"; then
        missing=$((missing + 1))
    elif [ -f "$1" ] && holds "$1" "$2"; then
        ok=$((ok + 1))
    else
        changed=$((changed + 1))
    fi
}

holds() { # PATH TEXT: white space does not matter, nor do the case of `Include` and the folder of the same file
    here=${1#"$root"} here=${here%/*} sought=$(plain "$2")
    while IFS= read -r text || [ -n "$text" ]; do
        case $text in *"${sought##* }"*) ;; *) continue ;; esac
        if [ "$(plain "${text%%#*}")" = "$sought" ]; then return 0; fi
    done <"$1"
    return 1
}

plain() { # LINE
    IFS=" $tab"
    # shellcheck disable=SC2086  # words are what is wanted
    set -- $1
    case ${1:-} in
    [Ii][Nn][Cc][Ll][Uu][Dd][Ee])
        name=${2:-} name=${name#"$here"/}
        set -- Include "${name#./}"
        ;;
    esac
    IFS=' '
    printf '%s\n' "$*"
}

check() {
    kind='' header=''
    if ! { [ -f "$manifest" ] && [ -r "$manifest" ] && records understood && [ -n "$release" ]; }; then
        release=''
        return 1
    fi
    observe && records compare
}

# `restoring` is what `pending` becomes while the release before is put back.
is_pending() { [ -e "$state/pending" ] || [ -e "$state/restoring" ]; }

number() { if "$@"; then echo 1; else echo 0; fi; }

metric() { # NAME HELP
    printf '# HELP %s %s\n# TYPE %s gauge\n' "$1" "$2" "$1"
}

managed_files() {
    metric aamic_managed_files 'Files that aamic manages here, by state; absent when the check failed.'
    printf 'aamic_managed_files{state="changed"} %s\n' "$changed"
    printf 'aamic_managed_files{state="missing"} %s\n' "$missing"
    printf 'aamic_managed_files{state="ok"} %s\n' "$ok"
    printf 'aamic_managed_files{state="permissions"} %s\n' "$permissions"
}

# The manifest is exchanged by each apply, and keeps its time when it is put back.
applied_at() {
    at=$(stat -c %Y -- "$manifest" 2>/dev/null) || return 0
    metric aamic_applied_timestamp_seconds 'When the release that is here was applied; absent when the check failed.'
    printf 'aamic_applied_timestamp_seconds %s\n' "$at"
}

metrics() {
    if [ "$success" = 1 ]; then applied_at; fi
    metric aamic_apply_pending 'Whether a change by aamic is under way or not confirmed.'
    printf 'aamic_apply_pending %s\n' "$pending"
    metric aamic_check_success 'Whether the manifest was there, whole, and compared.'
    printf 'aamic_check_success %s\n' "$success"
    metric aamic_check_timestamp_seconds 'When the managed files were compared.'
    printf 'aamic_check_timestamp_seconds %s\n' "$now"
    if [ "$success" = 1 ]; then managed_files; fi
    metric aamic_release_info 'The release that was applied; empty when no manifest says so.'
    printf 'aamic_release_info{release="%s"} 1\n' "$release"
}

fail() {
    printf 'aamic-check: %s\n' "$1" >&2
    exit 1
}

# The new file is made under a name that the collector does not read, and not through a link that somebody left there.
publish() { # FOLDER
    new=$1/.aamic.prom.new
    rm -f -- "$new" && set -C || return 1
    if ! metrics >"$new" || ! mv -f -- "$new" "$1/aamic.prom"; then
        rm -f -- "$new"
        return 1
    fi
}

if ! { [ $# = 1 ] && [ -d "$1" ]; }; then fail "usage: aamic-check FOLDER, which must exist"; fi
now=$(date +%s) pending=$(number is_pending) success=0
if check; then success=1; else printf 'aamic-check: no usable manifest at %s\n' "$manifest" >&2; fi
publish "$1" || fail "cannot write to $1"
