# shellcheck shell=sh
# What stands on the host. Nothing here writes.

# Reads lines `path P`, `edit P`, `unit U`, `package N`, `folder F`, `secret P`, `salt S`, and `end`. Adds what the host's
# own manifest names.
observe() {
    paths='' units=$lock_unit$newline packages='' folders='' secrets='' salt='' asked='' edits=''
    while IFS=$tab read -r kind name _; do
        case $kind in
        path) paths=$paths${name#/}$newline ;;
        edit) paths=$paths${name#/}$newline edits=$edits$name$newline ;;
        unit) units=$units$name$newline ;;
        package) packages=$packages$name$newline ;;
        folder) folders=$folders$name$newline ;;
        secret) secrets=$secrets$name$newline ;;
        salt) salt=$name ;;
        end) asked=yes && break ;;
        esac
    done
    if [ -z "$asked" ] || ! cd "${root:-/}"; then return 1; fi
    answer=$(tell) # all of it in one piece: as many packets as lines would cost the controller more than anything else
    printf '%s\n' "$answer"
}

tell() {
    line clock "$(date +%s)"
    observe_release
    observe_entries
    observe_packages
    observe_folders
    observe_shared
    observe_through
    observe_secrets
    observe_pending
    if is_folder; then
        line folder
    else
        observe_ports
        observe_units
    fi
    if [ -r "$state/journal" ]; then line last "$(tail -n 1 "$state/journal")"; fi
    line end
}

observe_release() {
    [ -r "$state/manifest" ] || return 0
    while IFS=$tab read -r kind name rest; do
        case $kind in
        file | link | program) paths=$paths${name#/}$newline ;;
        unit) units=$units$name$newline ;;
        line)
            paths=$paths${name#/}$newline edits=$edits$name$newline
            reader=${rest#*"$tab"} reader=${reader%%"$tab"*}
            if [ "$reader" != - ]; then units=$units$reader$newline; fi
            ;;
        esac
        line record "$kind" "$name" "$rest"
    done <"$state/manifest"
}

observe_entries() {
    [ -n "$paths" ] || return 0
    entries=$(QUOTING_STYLE=literal stat --printf="entry$tab%F$tab%04a$tab%U$tab%G$tab%N\n" -- $paths 2>/dev/null)
    regular=''
    for entry in $entries; do
        printf '%s\n' "$entry"
        case $entry in "entry${tab}regular"*) regular=$regular${entry##*"$tab"}$newline ;; esac
    done
    if [ -n "$regular" ]; then sha256sum -- $regular 2>/dev/null; fi
}

observe_units() {
    for unit in $units; do line unit "$unit"; done
    systemctl show -p LoadState -p ActiveState -p SubState -p NeedDaemonReload -- $units 2>/dev/null
}

observe_packages() {
    if [ -z "$packages" ] || is_folder; then return 0; fi
    if command -v dpkg-query >/dev/null; then
        # shellcheck disable=SC2016
        form='package\t${Package}\t${Version}\t${db:Status-Status}\n'
        dpkg-query -W -f="$form" $packages 2>/dev/null
    elif command -v rpm >/dev/null; then
        rpm -q --qf 'package\t%{NAME}\t%{VERSION}-%{RELEASE}\tinstalled\n' $packages 2>/dev/null
    fi
}

observe_folders() { # free space where each folder is, or would be
    [ -n "$folders" ] || return 0
    there=''
    for folder in $folders; do
        while [ ! -d "$root$folder/" ]; do folder=${folder%/*}; done
        there=$there$root$folder/$newline
    done
    df -P -k -- $there 2>/dev/null | {
        read -r _
        for folder in $folders; do
            IFS=' ' read -r _ _ _ free _ && line free "$folder" "$free"
        done
    }
}

# Files that other hosts have as well: on storage of the network, or below a folder that is a link to such a place.
observe_shared() {
    top=$(readlink -f -- "${root:-/}")
    for path in $edits; do
        [ -f "$root$path" ] || continue
        case $(stat -f -c %T -- "$root$path" 2>/dev/null) in
        nfs* | lustre | gpfs | fuse* | ceph | afs | smb* | cifs | v9fs | panfs | ocfs2 | gfs* | beegfs) line shared "$path" ;;
        *) [ "$(readlink -f -- "$root${path%/*}")" = "${top%/}${path%/*}" ] || line shared "$path" ;;
        esac
    done
}

# What a link leads to, of files that may get a line: it is read, and never written.
observe_through() {
    if is_folder; then return 0; fi
    for path in $edits; do
        if [ ! -L "$path" ] || [ ! -f "$path" ]; then continue; fi
        digest=$(sha256sum <"$path") && line through "$path" "${digest%% *}"
    done
}

observe_ports() {
    for table in /proc/net/tcp /proc/net/tcp6; do
        [ -r "$table" ] || continue
        while IFS=' ' read -r _ address _ status _; do
            if [ "$status" = 0A ]; then printf 'port\t%d\n' "0x${address##*:}"; fi
        done <"$table"
    done
}

observe_secrets() { # digests, with the controller's salt: nothing that could be looked up in a table
    for path in $secrets; do
        [ -f "$root$path" ] || continue
        digest=$({ printf '%s' "$salt" && cat -- "$root$path"; } | sha256sum)
        line secret "$path" "${digest%% *}"
    done
}

observe_pending() {
    if read_pending "$state/restoring"; then
        pending_phase=restoring
    elif ! read_pending "$state/pending"; then
        return 0
    fi
    left=0
    if [ "$pending_boot" = "$(boot_id)" ]; then left=$((pending_until - $(uptime_seconds))); fi
    line pending "$pending_release" "$pending_who" "$pending_phase" "$left"
}

# A tar of the regular files among the paths that every user may read; others may hold somebody's secrets. With `follow`,
# a link gives what it leads to.
fetch() { # [follow]
    cd "${root:-/}" || return 1
    follow='' readable=''
    if [ "${1:-}" = follow ] && ! is_folder; then follow=-h; fi
    while read -r path; do
        [ "$path" != end ] || break
        case $(stat ${follow:+-L} -c '%F %A' -- "${path#/}" 2>/dev/null) in
        "regular"*" -"??????r??) readable=$readable${path#/}$newline ;;
        esac
    done
    if [ -n "$readable" ]; then tar -c $follow -f - --owner=0 --group=0 --format=gnu -- $readable 2>/dev/null; fi
}
