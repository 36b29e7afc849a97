# What aamic runs on a managed host, as root. POSIX sh, coreutils, tar and systemd are all it needs.
# shellcheck shell=sh
#
# The controller sends this text and then, on the same standard input, what a verb reads:
#
#   observe              a request (see `observe`)         read-only; prints the host's state
#   fetch                paths, one a line                 read-only; prints a tar of those that all may read
#   apply RELEASE        a tar (see `receive`)             one transaction; prints its result
#   confirm RELEASE      nothing                           keeps the release; the host no longer restores the one before
#   rollback RELEASE     nothing                           restores the state before RELEASE, which must be the current one
#   recover              nothing                           ends what a dead controller or a power cut left half done
#
# A transaction runs as the transient unit aamic-transaction.service: systemd lets it run once at a time, and it outlives
# the connection that started it. Everything it changes is first copied to undo/RELEASE, and the file `pending` exists
# until the controller confirms; whoever renames that file (confirm, or the restoring side) has decided.
#
# With AAMIC_ROOT set, a folder stands for the host: files are written, nothing is started.
#
# Lines are fields between tabs; `-` is an empty field. Paths hold no white space (the compiler sees to that).
set -uf
umask 022
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/opt/aami/bin
export LC_ALL PATH

tab=$(printf '\t')
newline='
'
root=${AAMIC_ROOT:-}
state=$root/var/lib/aamic
lock_unit=aamic-transaction.service
timer_unit=aamic-confirm

line() { # FIELD...: one line of fields
    line_text=$1
    shift
    for field in "$@"; do line_text="$line_text$tab$field"; done
    printf '%s\n' "$line_text"
}

is_folder() { [ -n "$root" ]; }

boot_id() { cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo none; }

uptime_seconds() {
    read -r seconds _ </proc/uptime
    printf '%s\n' "${seconds%%.*}"
}

# --- observe ---------------------------------------------------------------------------------------------------------

# Reads lines `path P`, `unit U`, `package N`, `folder F`, `secret P`, `salt S`, and `end`. Adds what the host's own
# manifest names.
observe() {
    paths='' units='' packages='' folders='' secrets='' salt='' whole=''
    while IFS=$tab read -r kind name _; do
        case $kind in
        path) paths=$paths${name#/}$newline ;;
        unit) units=$units$name$newline ;;
        package) packages=$packages$name$newline ;;
        folder) folders=$folders$name$newline ;;
        secret) secrets=$secrets$name$newline ;;
        salt) salt=$name ;;
        end) whole=yes && break ;;
        esac
    done
    [ -n "$whole" ] || return 1
    cd "${root:-/}" || return 1
    line aamic 1 observe
    line clock "$(date +%s)"
    observe_release
    IFS=$newline
    observe_entries
    observe_units
    observe_packages
    observe_folders
    observe_ports
    observe_secrets
    IFS=$tab
    observe_pending
    if [ -r "$state/journal" ]; then line last "$(tail -n 1 "$state/journal")"; fi
    line end
}

observe_release() {
    [ -r "$state/manifest" ] || return 0
    while IFS=$tab read -r kind name rest; do
        case $kind in
        file | link | program) paths=$paths${name#/}$newline ;;
        unit) units=$units$name$newline ;;
        esac
        line record "$kind" "$name" "$rest"
    done <"$state/manifest"
}

observe_entries() {
    [ -n "$paths" ] || return 0
    # shellcheck disable=SC2086  # one word for each path
    entries=$(QUOTING_STYLE=literal stat --printf="entry$tab%F$tab%a$tab%U$tab%G$tab%N\n" -- $paths 2>/dev/null)
    regular=''
    for entry in $entries; do
        case $entry in
        "entry${tab}regular"*) regular=$regular${entry##*"$tab"}$newline ;;
        esac
    done
    printf '%s\n' "$entries"
    # shellcheck disable=SC2086
    if [ -n "$regular" ]; then sha256sum -- $regular 2>/dev/null; fi
}

observe_units() {
    if [ -z "$units" ] || is_folder; then return 0; fi
    for unit in $units; do line unit "$unit"; done
    # shellcheck disable=SC2086
    systemctl show -p LoadState -p ActiveState -p SubState -p NeedDaemonReload -- $units 2>/dev/null
}

observe_packages() {
    if [ -z "$packages" ] || is_folder; then return 0; fi
    # shellcheck disable=SC2086,SC2016
    if command -v dpkg-query >/dev/null; then
        dpkg-query -W -f="package$tab"'${Package}'"$tab"'${Version}'"$tab"'${db:Status-Status}\n' $packages 2>/dev/null
    elif command -v rpm >/dev/null; then
        rpm -q --qf "package$tab%{NAME}$tab%{VERSION}-%{RELEASE}${tab}installed\n" $packages 2>/dev/null
    fi
}

observe_folders() {
    [ -n "$folders" ] || return 0
    there=''
    for folder in $folders; do
        while [ ! -d "$root$folder" ]; do folder=${folder%/*}; done
        there=$there${root:-}${folder:-/}$newline
    done
    # shellcheck disable=SC2086
    df -P -k -- $there 2>/dev/null | {
        read -r _
        for folder in $folders; do
            IFS=' ' read -r _ _ _ free _ || break
            line free "$folder" "$free"
        done
    }
}

observe_ports() {
    if is_folder; then return 0; fi
    for table in /proc/net/tcp /proc/net/tcp6; do
        [ -r "$table" ] || continue
        while IFS=' ' read -r _ address _ status _; do
            if [ "$status" = 0A ]; then printf 'port\t%d\n' "0x${address##*:}"; fi
        done <"$table"
    done
}

observe_secrets() {
    for path in $secrets; do
        [ -f "$root$path" ] || continue
        digest=$({ printf '%s' "$salt" && cat -- "$root$path"; } | sha256sum)
        line secret "$path" "${digest%% *}"
    done
}

observe_pending() {
    for name in restoring pending; do
        read_pending "$state/$name" || continue
        if [ "$name" = restoring ]; then pending_phase=restoring; fi
        seconds=0
        if [ "$pending_boot" = "$(boot_id)" ]; then seconds=$((pending_until - $(uptime_seconds))); fi
        [ "$pending_phase" = changing ] && is_running && pending_phase=running
        line pending "$pending_release" "$pending_who" "$pending_phase" "$seconds"
        return 0
    done
    if is_running; then line pending - - running 0; fi
}

# `pending` is one line: release, phase (changing or unconfirmed), boot, uptime in seconds at which it expires, who.
read_pending() {
    [ -f "$1" ] || return 1
    IFS=$tab read -r pending_release pending_phase pending_boot pending_until pending_who <"$1"
}

is_running() { ! is_folder && systemctl --quiet is-active "$lock_unit"; }

# --- fetch -----------------------------------------------------------------------------------------------------------

# A tar of the regular files among the paths that every user may read; others may be secrets of somebody.
fetch() {
    cd "${root:-/}" || return 1
    line aamic 1 fetch
    readable=''
    while IFS= read -r path; do
        [ "$path" != end ] || break
        case $(stat -c '%F %A' -- "${path#/}" 2>/dev/null) in
        "regular"*" -"??????r??) readable=$readable${path#/}$newline ;;
        esac
    done
    IFS=$newline
    # shellcheck disable=SC2086
    tar -cf - --owner=0 --group=0 -- $readable 2>/dev/null
}

# --- apply -----------------------------------------------------------------------------------------------------------

# Reads a tar with `transaction`, `manifest`, `agent` and `files/PATH`; nothing outside /var/lib/aamic is touched until
# all of it is there and every digest is right.
receive() {
    release=$1
    line aamic 1 apply
    incoming=$state/incoming/$release
    (umask 077 && mkdir -p "$state/incoming") || fail "cannot make $state/incoming"
    rm -rf -- "$incoming"
    (umask 077 && mkdir "$incoming") || fail "cannot make $incoming"
    if ! message=$(tar -xf - -C "$incoming" --no-same-owner 2>&1) || ! whole; then
        rm -rf -- "$incoming"
        fail "the transfer did not arrive whole: ${message:-it ended early}"
    fi
    under_lock transact "$release"
    rm -rf -- "$incoming"
}

whole() { # the transfer in $incoming is complete and undamaged
    [ "$(tail -n 1 "$incoming/transaction" 2>/dev/null)" = end ] || return 1
    while IFS=$tab read -r kind name content _; do
        case $kind in
        put) line "$content  files$name" ;;
        sum) line "$content  $name" ;;
        esac
    done <"$incoming/transaction" >"$incoming/sums" || return 1
    message=$(cd "$incoming" && sha256sum --quiet --strict -c sums 2>&1)
}

fail() { # MESSAGE: nothing has changed on this host
    line result refused "$1"
    exit 0
}

# Runs a verb of this program alone on this host, and prints what it reports.
under_lock() {
    if is_folder; then
        (main "$@")
        return
    fi
    report=$state/report.$$
    install_agent "${incoming:-}/agent"
    message=$(systemd-run --quiet --collect --wait --unit="$lock_unit" --description="aamic: $1 $2" \
        --property=IgnoreSIGPIPE=yes /bin/sh -c 'exec >"$0" 2>&1; exec /bin/sh "$@"' \
        "$report" "$state/agent" "$@" 2>&1)
    if [ -f "$report" ]; then
        cat -- "$report"
        rm -f -- "$report"
    else
        line result busy "another change is under way on this host: ${message:-unknown}"
    fi
}

# Later verbs on this host, such as the restoring timer's, run the program that came with the release.
install_agent() {
    if [ -f "$1" ]; then cp -- "$1" "$state/agent.new" && mv -f -- "$state/agent.new" "$state/agent"; fi
}

# The transaction itself. Lines of $incoming/transaction say what to do; the order here is what makes it safe.
transact() {
    release=$1 incoming=$state/incoming/$1 undo=$state/undo/$1 temporary='' made='' notes=''
    if [ -e "$state/pending" ] || [ -e "$state/restoring" ]; then
        read_pending "$state/pending" || read_pending "$state/restoring"
        line result busy "release $pending_release of $pending_who is not confirmed yet"
        return
    fi
    confirm=0 settle=0 ready=0 who=- revision=- plan=-
    while IFS=$tab read -r kind name _; do
        case $kind in
        confirm) confirm=$name ;;
        settle) settle=$name ;;
        ready) ready=$name ;;
        who) who=$name ;;
        revision) revision=$name ;;
        plan) plan=$name ;;
        esac
    done <"$incoming/transaction"
    if ! reason=$(expectations); then
        line result moved "$reason"
        return
    fi
    if ! install_packages || ! prepare; then
        discard
        journal apply "refused"
        line result refused "$reason"
        return
    fi
    if ! arm; then
        discard
        line result refused "$reason"
        return
    fi
    if exchange && validate && activate && watch; then
        finish
    else
        failure=$reason
        mv -f -- "$state/pending" "$state/restoring"
        restore "$release"
        journal apply "restored"
        line result restored "$failure"
    fi
}

each() { # KIND: the lines of that kind, without it
    while IFS=$tab read -r kind fields; do
        if [ "$kind" = "$1" ]; then printf '%s\n' "$fields"; fi
    done <"$incoming/transaction"
}

# Under the lock: does every path that will be touched still look as it did when the plan was made?
expectations() {
    each expect | while IFS=$tab read -r path kind content mode owner group; do
        found=$(look "$path")
        [ "$found" = "$(line "$kind" "$content" "$mode" "$owner" "$group")" ] || {
            line "$path is no longer what was planned for: $found"
            exit 1
        }
    done
}

look() { # PATH: kind, content, mode, owner, group, as `expect` lines have them
    if [ -L "$root$1" ]; then
        line link "$(readlink -- "$root$1")" - - -
    elif [ -f "$root$1" ]; then
        digest=$(sha256sum <"$root$1")
        line file "${digest%% *}" "$(attributes "$root$1")"
    elif [ -d "$root$1" ]; then
        line folder - "$(attributes "$root$1")"
    elif [ -e "$root$1" ]; then
        line other - "$(attributes "$root$1")"
    else
        line absent - - - -
    fi
}

attributes() { # PATH: mode, owner and group; those of a folder's host are nobody's
    if is_folder; then
        set -- "$(stat -c '%a' -- "$1")" - -
    else
        # shellcheck disable=SC2046
        set -- $(IFS=' ' && stat -c "%a$newline%U$newline%G" -- "$1")
    fi
    printf '%04d\t%s\t%s\n' "$1" "$2" "$3"
}

install_packages() {
    wanted=$(each package)
    if [ -z "$wanted" ] || is_folder; then return 0; fi
    # A package's daemon must not start with a configuration that nobody wrote: its unit is masked until reboot or
    # until the release masks it for good.
    for unit in $(each mask); do systemctl --quiet mask --runtime -- "$unit" 2>/dev/null; done
    log=$incoming/packages.log
    if command -v apt-get >/dev/null; then
        list=$(printf '%s\n' "$wanted" | while IFS=$tab read -r name version; do
            if [ "$version" = - ]; then line "$name"; else line "$name=$version"; fi
        done)
        # shellcheck disable=SC2086
        IFS=$newline && set -- $list && IFS=$tab
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=60 \
            -o Dpkg::Options::=--force-confold -- "$@" >"$log" 2>&1
        status=$?
    elif command -v dnf >/dev/null; then
        list=$(printf '%s\n' "$wanted" | while IFS=$tab read -r name version; do
            if [ "$version" = - ]; then line "$name"; else line "$name-$version"; fi
        done)
        # shellcheck disable=SC2086
        IFS=$newline && set -- $list && IFS=$tab
        dnf install -y -q -- "$@" >"$log" 2>&1
        status=$?
    else
        reason="this host has neither apt-get nor dnf to install packages with"
        return 1
    fi
    for unit in $(each mask); do systemctl --quiet unmask --runtime -- "$unit" 2>/dev/null; done
    if [ "$status" -ne 0 ]; then
        reason="packages could not be installed: $(tail -n 3 "$log" | tr '\n\t' '  ')"
        return 1
    fi
}

# Writes every new file beside its place, copies what will be replaced, and notes how to undo it all. A full disk or a
# read-only file system shows here, while nothing has changed.
prepare() {
    rm -rf -- "$undo"
    (umask 077 && mkdir -p "$undo/files") || { reason="cannot write $undo" && return 1; }
    make_users
    exec 9>"$undo/list"
    for path in $(each put && each link && each drop); do
        path=${path%%"$tab"*}
        remember "$path" || return 1
    done
    for path in $(each put); do
        # shellcheck disable=SC2086
        IFS=$tab && set -- $path && IFS=$newline
        stage_file "$@" || return 1
    done
    for path in $(each link); do
        # shellcheck disable=SC2086
        IFS=$tab && set -- $path && IFS=$newline
        stage_link "$1" "$2" || return 1
    done
    remember_units
    exec 9>&-
    if [ -f "$state/manifest" ]; then cp -p -- "$state/manifest" "$undo/manifest" || return 1; fi
    cp -- "$incoming/manifest" "$state/manifest.new" || { reason="cannot write $state" && return 1; }
    line "$release" unconfirmed "$(boot_id)" "$(($(uptime_seconds) + confirm))" "$who" >"$state/pending.next" &&
        line "$release" changing "$(boot_id)" "$(($(uptime_seconds) + confirm))" "$who" >"$state/pending.new" ||
        { reason="cannot write $state" && return 1; }
    # shellcheck disable=SC2086
    IFS=$newline && sync -- $temporary "$undo/list" "$state/manifest.new" "$state/pending.new" "$state/pending.next" &&
        sync -f "$undo" || { reason="cannot write to disk: $temporary" && return 1; }
}

make_users() {
    if is_folder; then return 0; fi
    for path in $(each sysusers); do
        if [ -f "$incoming/files$path" ]; then systemd-sysusers "$incoming/files$path"; fi
    done
}

remember() { # PATH: how to put back what stands there
    make_parents "$1" || return 1
    if [ -L "$root$1" ]; then
        line link "$1" "$(readlink -- "$root$1")" >&9
    elif [ -f "$root$1" ]; then
        mkdir -p "$undo/files${1%/*}" && cp -p -- "$root$1" "$undo/files$1" ||
            { reason="cannot copy $1 to $undo" && return 1; }
        line file "$1" >&9
    elif [ -e "$root$1" ]; then
        reason="$1 is neither a file nor a link" && return 1
    else
        line absent "$1" >&9
    fi
}

make_parents() { # PATH: its folder exists; folders made for it are noted
    missing=''
    parent=${1%/*}
    while [ -n "$parent" ] && [ ! -d "$root$parent" ]; do
        missing="$parent$newline$missing"
        parent=${parent%/*}
    done
    for parent in $missing; do
        mode=0755
        if [ "${parent##*/}" = secrets ]; then mode=0711; fi
        message=$(mkdir -m "$mode" -- "$root$parent" 2>&1) || { reason="cannot make $parent: ${message##*: }" && return 1; }
        made="$parent$newline$made"
        line folder "$parent" >&9
    done
}

beside() { printf '%s/.%s.aamic-new\n' "${1%/*}" "${1##*/}"; } # PATH: where its next content waits

stage_file() { # PATH SHA256 MODE OWNER GROUP
    target=$root$(beside "$1")
    temporary=$temporary$target$newline
    message=$(cp -- "$incoming/files$1" "$target" 2>&1 && chmod "$3" "$target" 2>&1) ||
        { reason="cannot write $1: ${message##*: }" && return 1; }
    if is_folder; then return 0; fi
    message=$(chown "$4:$5" "$target" 2>&1) || { reason="cannot give $1 to $4:$5: ${message##*: }" && return 1; }
}

stage_link() { # PATH TARGET
    target=$root$(beside "$1")
    rm -f -- "$target"
    message=$(ln -s -- "$2" "$target" 2>&1) || { reason="cannot write $1: ${message##*: }" && return 1; }
    made_links="${made_links:-}$target$newline"
}

remember_units() { # what each unit did before, and what the release does to it
    if is_folder; then return 0; fi
    for action in stop reload restart start; do
        for unit in $(each "$action"); do
            line unit "$unit" "$(systemctl is-active -- "$unit")" "$action" >&9
        done
    done
}

discard() { # takes back what prepare left
    # shellcheck disable=SC2086
    IFS=$newline && rm -f -- $temporary ${made_links:-} "$state/manifest.new" "$state/pending.new" "$state/pending.next"
    for parent in $made; do rmdir -- "$root$parent" 2>/dev/null; done
    rm -rf -- "$undo"
}

# From here on the host restores itself unless it is told not to.
arm() {
    if [ "$confirm" -gt 0 ] && ! is_folder; then
        systemctl --quiet stop "$timer_unit.timer" 2>/dev/null
        message=$(systemd-run --quiet --collect --unit="$timer_unit" --on-active="$confirm" \
            --timer-property=AccuracySec=100ms --description="aamic: restore unless $release is confirmed" \
            /bin/sh "$state/agent" expire "$release" 2>&1) ||
            { reason="cannot arm the restoring timer: $message" && return 1; }
    fi
    mv -f -- "$state/pending.new" "$state/pending" && sync -- "$state"
}

exchange() {
    # shellcheck disable=SC2046
    IFS=$newline && set -- $(each put && each link)
    for path in "$@"; do
        path=${path%%"$tab"*}
        message=$(mv -f -T -- "$root$(beside "$path")" "$root$path" 2>&1) ||
            { reason="cannot replace $path: ${message##*: }" && return 1; }
    done
    for path in $(each drop); do
        message=$(rm -f -- "$root$path" 2>&1) || { reason="cannot remove $path: ${message##*: }" && return 1; }
    done
}

validate() {
    if is_folder; then return 0; fi
    for check in $(each check); do
        # shellcheck disable=SC2086
        IFS=$tab && set -- $check && IFS=$newline
        case $1 in
        prometheus) judge "$2" promtool check config "$2" || return 1 ;;
        rules) judge "$2" promtool check rules "$2" || return 1 ;;
        alertmanager) judge "$2" amtool check-config "$2" || return 1 ;;
        unit) judge_unit "$2" || return 1 ;;
        esac
    done
}

judge() { # PATH TOOL ARGUMENT...: what a tool says of a file; where it is missing, that is noted
    judged=$1
    shift
    if ! command -v "$1" >/dev/null; then
        notes="$notes$judged is not checked: $1 is not on this host$newline"
        return 0
    fi
    message=$("$@" 2>&1) || {
        reason="$1 refuses $judged: $(printf '%s' "$message" | tail -n 3 | tr '\n\t' '  ')"
        return 1
    }
}

judge_unit() { # PATH: systemd-analyze also tells of other units; only what it says of this one counts
    command -v systemd-analyze >/dev/null || return 0
    said=$(systemd-analyze verify --man=no "$1" 2>&1)
    for complaint in $said; do
        case $complaint in
        *"${1##*/}"*) reason="systemd refuses ${1##*/}: $complaint" && return 1 ;;
        esac
    done
}

activate() {
    if is_folder; then return 0; fi
    units=$(each stop)
    # shellcheck disable=SC2086
    if [ -n "$units" ]; then act stop $units || return 1; fi
    if [ -n "$(each daemon-reload)" ]; then act daemon-reload || return 1; fi
    for path in $(each tmpfiles); do
        if [ -f "$path" ]; then
            message=$(systemd-tmpfiles --create "$path" 2>&1) || notes="$notes$path: $message$newline"
        fi
    done
    for action in reload restart start; do
        for unit in $(each "$action"); do
            # A unit that is not running has nothing to read again; it starts with what is there.
            if [ "$action" = reload ] && ! systemctl --quiet is-active -- "$unit"; then continue; fi
            act "$action" "$unit" || return 1
        done
    done
}

act() { # VERB UNIT...
    message=$(systemctl --quiet "$@" 2>&1) || {
        reason="systemctl $* failed: $(printf '%s' "$message" | head -n 1)$(why "${2:-}")"
        return 1
    }
}

why() { # UNIT: the last thing that it said
    if [ -n "$1" ]; then
        said=$(journalctl -q -n 3 -o cat -u "$1" 2>/dev/null | tr '\n\t' '  ')
        if [ -n "$said" ]; then printf '%s' "; its log ends: $said"; fi
    fi
}

# Every unit must become active and listen, and then stay so without a restart for a while.
watch() {
    if is_folder || [ -z "$(each watch)" ]; then return 0; fi
    until=$(($(uptime_seconds) + ready))
    while ! all_ready; do
        if [ "$(uptime_seconds)" -ge "$until" ]; then
            reason="$not_ready within $ready seconds$(why "$slow_unit")"
            return 1
        fi
        sleep 0.2
    done
    before=$(identities)
    until=$(($(uptime_seconds) + settle))
    while [ "$(uptime_seconds)" -lt "$until" ]; do
        sleep 0.5
        if ! all_ready || [ "$(identities)" != "$before" ]; then
            reason="$(changed_unit "$before") did not stay up for $settle seconds$(why "$slow_unit")"
            return 1
        fi
    done
}

all_ready() {
    listening=$newline$(observe_ports)$newline
    for watched in $(each watch); do
        # shellcheck disable=SC2086
        IFS=$tab && set -- $watched && IFS=$newline
        slow_unit=$1
        if ! systemctl --quiet is-active -- "$1"; then
            not_ready="$1 did not become active"
            return 1
        fi
        shift
        for port in "$@"; do
            case $listening in
            *"port$tab$port$newline"*) ;;
            *)
                if [ "$port" != - ]; then
                    not_ready="$slow_unit did not listen on port $port"
                    return 1
                fi
                ;;
            esac
        done
    done
}

identities() { # what changes when a unit restarts
    for watched in $(each watch); do
        unit=${watched%%"$tab"*}
        line "$unit" "$(systemctl show -P MainPID -- "$unit")" "$(systemctl show -P NRestarts -- "$unit")"
    done
}

changed_unit() { # IDENTITIES: the first unit that is no longer what it was
    now=$newline$(identities)$newline
    for identity in $1; do
        slow_unit=${identity%%"$tab"*}
        case $now in
        *"$newline$identity$newline"*) systemctl --quiet is-active -- "$slow_unit" && continue ;;
        esac
        break
    done
    line "$slow_unit"
}

finish() {
    mv -f -- "$state/manifest.new" "$state/manifest"
    if [ "$confirm" -gt 0 ] && ! is_folder; then
        mv -f -- "$state/pending.next" "$state/pending"
    else
        rm -f -- "$state/pending.next" "$state/pending"
        forget_old
    fi
    sync -- "$state"
    journal apply "done"
    for note in $notes; do line note "$note"; done
    line result "done" "$release"
}

journal() { # ACTION RESULT
    line "$(date +%s)" "$1" "$release" "${who:--}" "${revision:--}" "${plan:--}" "$2" >>"$state/journal"
}

forget_old() { # keeps what the last three releases replaced
    cd "$state/undo" 2>/dev/null || return 0
    set +f
    set -- *
    set -f
    while [ $# -gt 3 ]; do
        rm -rf -- "./$1"
        shift
    done
    cd /
}

# --- confirm, restore, recover ---------------------------------------------------------------------------------------

confirm() {
    line aamic 1 confirm
    release=$1
    if ! read_pending "$state/pending" || [ "$pending_release" != "$1" ] || [ "$pending_phase" != unconfirmed ]; then
        line result gone "release $1 no longer waits to be confirmed"
        return
    fi
    if ! mv -- "$state/pending" "$state/confirmed" 2>/dev/null; then
        line result gone "release $1 is being restored"
        return
    fi
    systemctl --quiet stop "$timer_unit.timer" 2>/dev/null
    rm -f -- "$state/confirmed"
    who=$pending_who
    journal confirm "done"
    forget_old
    line result "done" "$1"
}

# The restoring timer: waits for a transaction that is still running, and then decides.
expire() {
    until=$(($(uptime_seconds) + 3600))
    while [ "$(uptime_seconds)" -lt "$until" ]; do
        case $(under_lock restore_pending "$1") in
        *"result${tab}busy"*) sleep 1 ;;
        *) return ;;
        esac
    done
}

restore_pending() { # RELEASE: under the lock
    release=$1
    if read_pending "$state/pending" && [ "$pending_release" = "$1" ] &&
        mv -- "$state/pending" "$state/restoring" 2>/dev/null; then
        who=$pending_who
        restore "$1"
        journal restore "not confirmed"
    fi
    line result "done" "$1"
}

# Puts back everything that undo/RELEASE lists. It can be repeated, so being interrupted does no harm.
restore() {
    undo=$state/undo/$1
    if [ ! -f "$undo/list" ]; then
        line note "nothing is kept to restore from $undo"
        return 1
    fi
    while IFS=$tab read -r kind path rest; do
        case $kind in
        file) put_back "$path" ;;
        link) ln -s -f -n -T -- "$rest" "$root$path.aamic-old" && mv -f -T -- "$root$path.aamic-old" "$root$path" ;;
        absent) rm -f -- "$root$path" ;;
        esac
        case $kind in file | link | absent) rm -f -- "$root$(beside "$path")" ;; esac
    done <"$undo/list"
    remove_folders
    rm -f -- "$state/manifest.new" "$state/pending.new" "$state/pending.next"
    if [ -f "$undo/manifest" ]; then
        cp -p -- "$undo/manifest" "$state/manifest.old" && mv -f -- "$state/manifest.old" "$state/manifest"
    else
        rm -f -- "$state/manifest"
    fi
    restore_units
    rm -rf -- "$undo"
    rm -f -- "$state/restoring"
    sync -f "$state"
}

put_back() { # PATH: as a whole; on a full disk, in place
    target=$root$1.aamic-old
    if cp -p -- "$undo/files$1" "$target" 2>/dev/null && mv -f -T -- "$target" "$root$1"; then return 0; fi
    rm -f -- "$target"
    cat -- "$undo/files$1" >"$root$1"
}

remove_folders() { # the deepest first; those that hold something else stay
    folders=''
    while IFS=$tab read -r kind path _; do
        if [ "$kind" = folder ]; then folders="$path$newline$folders"; fi
    done <"$undo/list"
    IFS=$newline
    for folder in $folders; do rmdir -- "$root$folder" 2>/dev/null; done
}

restore_units() {
    if is_folder; then return 0; fi
    systemctl --quiet daemon-reload
    while IFS=$tab read -r kind unit was action; do
        [ "$kind" = unit ] || continue
        case $was:$action in
        active:reload | reloading:reload) systemctl --quiet reload-or-restart -- "$unit" ;;
        active:stop | activating:stop) systemctl --quiet start -- "$unit" ;;
        active:* | activating:* | reloading:*) systemctl --quiet restart -- "$unit" ;;
        *) systemctl --quiet stop -- "$unit" 2>/dev/null ;;
        esac
        systemctl --quiet reset-failed -- "$unit" 2>/dev/null
    done <"$undo/list"
}

rollback() {
    line aamic 1 rollback
    under_lock roll_back "$1" "${2:--}"
}

roll_back() { # RELEASE WHO: under the lock
    release=$1 who=$2
    if [ -e "$state/pending" ] && read_pending "$state/pending" && [ "$pending_release" != "$1" ]; then
        line result busy "release $pending_release of $pending_who is not confirmed yet"
        return
    fi
    IFS=$tab read -r _ current <<TEXT
$(while IFS=$tab read -r kind name; do if [ "$kind" = release ]; then line release "$name"; fi; done <"$state/manifest" 2>/dev/null)
TEXT
    if [ "$current" != "$1" ]; then
        line result moved "the host runs release ${current:-none}, not $1"
        return
    fi
    if [ ! -f "$state/undo/$1/list" ]; then
        line result refused "nothing is kept of what stood before release $1"
        return
    fi
    systemctl --quiet stop "$timer_unit.timer" 2>/dev/null
    if [ -e "$state/pending" ]; then
        mv -f -- "$state/pending" "$state/restoring"
    else
        line "$1" restoring "$(boot_id)" 0 "$who" >"$state/restoring"
    fi
    restore "$1"
    journal rollback "done"
    line result "done" "$1"
}

recover() {
    line aamic 1 recover
    under_lock recover_pending -
}

recover_pending() { # under the lock, so whatever was changing is no longer
    if read_pending "$state/restoring"; then
        :
    elif read_pending "$state/pending"; then
        if [ "$pending_phase" = unconfirmed ] && [ "$pending_boot" = "$(boot_id)" ] &&
            [ "$(uptime_seconds)" -lt "$pending_until" ]; then
            line result waiting "release $pending_release of $pending_who is not confirmed yet"
            return
        fi
        mv -- "$state/pending" "$state/restoring" || return
    else
        line result "done" -
        return
    fi
    release=$pending_release who=$pending_who
    restore "$release"
    journal restore "interrupted"
    line result "done" "$release"
}

main() {
    verb=$1
    shift
    case $verb in
    observe | fetch | confirm | rollback | recover | transact | expire | restore_pending | roll_back | recover_pending)
        "$verb" "$@"
        ;;
    apply) receive "$@" ;;
    *) line result refused "unknown verb $verb" ;;
    esac
}

if [ "${1:-}" ] && [ "${0##*/}" = agent ]; then main "$@"; fi
