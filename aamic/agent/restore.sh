# shellcheck shell=sh
# Keeping a change, or going back to what was before it.

confirm() { # RELEASE
    release=$1
    if ! read_pending "$state/pending" || [ "$pending_release" != "$1" ] || [ "$pending_phase" != unconfirmed ]; then
        line result gone "release $1 does not wait to be confirmed"
    elif ! mv -- "$state/pending" "$state/confirmed" 2>/dev/null; then
        line result gone "release $1 is being restored"
    else
        systemctl --quiet stop aamic-confirm.timer 2>/dev/null
        who=$pending_who
        journal confirm "done"
        rm -f -- "$state/confirmed"
        forget_old
        line result "done" "$1"
    fi
}

# The restoring timer: waits for a transaction that still runs, and then decides.
expire() { # RELEASE
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
restore() { # RELEASE
    undo=$state/undo/$1 notes=''
    if [ -f "$undo/list" ]; then
        while IFS=$tab read -r kind path target; do
            case $kind in
            file) put_back "$path" ;;
            link) ln -s -f -n -T -- "$target" "$(beside "$path")" && mv -f -T -- "$(beside "$path")" "$root$path" ;;
            absent) rm -f -- "$root$path" ;;
            *) continue ;;
            esac
            rm -f -- "$(beside "$path")"
        done <"$undo/list"
        remove_folders
        restore_manifest
        restore_units
    fi
    rm -f -- "$state/manifest.new" "$state/pending.new" "$state/pending.next"
    sync -f "$state"
    rm -f -- "$state/restoring"
    rm -rf -- "$undo"
    tell_notes
}

put_back() { # PATH: as a whole; on a full disk, in place
    next=$(beside "$1")
    if cp -p -- "$undo/files$1" "$next" 2>/dev/null && mv -f -T -- "$next" "$root$1"; then return 0; fi
    rm -f -- "$next"
    cat -- "$undo/files$1" >"$root$1" || notes="$notes$1 could not be put back$newline"
}

restore_manifest() {
    if [ -f "$undo/manifest" ]; then
        cp -p -- "$undo/manifest" "$state/manifest.new" && mv -f -- "$state/manifest.new" "$state/manifest"
    else
        rm -f -- "$state/manifest"
    fi
}

remove_folders() { # those that were made, the deepest first; one that holds something else stays
    folders=''
    while IFS=$tab read -r kind path _; do
        if [ "$kind" = folder ]; then folders="$path$newline$folders"; fi
    done <"$undo/list"
    for folder in $folders; do rmdir -- "$root$folder" 2>/dev/null; done
}

restore_units() {
    if is_folder; then return 0; fi
    systemctl --quiet daemon-reload
    running=''
    while IFS=$tab read -r kind unit was action; do
        [ "$kind" = unit ] || continue
        systemctl --quiet reset-failed -- "$unit" 2>/dev/null
        case $was:$action in
        active:reload) systemctl --quiet reload-or-restart -- "$unit" ;;
        active:stop) systemctl --quiet start -- "$unit" ;;
        active:*) systemctl --quiet restart -- "$unit" ;;
        *) systemctl --quiet stop -- "$unit" ;;
        esac 2>/dev/null
        if [ "$was" = active ]; then running=$running$unit$newline; fi
    done <"$undo/list"
    for unit in $running; do await_active "$unit"; done
}

await_active() { # UNIT: or say that it does not come up again
    until=$(($(uptime_seconds) + 30))
    until systemctl --quiet is-active -- "$1"; do
        if [ "$(uptime_seconds)" -ge "$until" ]; then
            notes="$notes$1 did not become active again$(last_words "$1")$newline"
            return
        fi
        sleep 0.2
    done
}

rollback() { # RELEASE WHO
    under_lock roll_back "$@"
}

roll_back() { # RELEASE WHO: under the lock
    release=$1 who=$2 current=$(current_release)
    if read_pending "$state/pending" && [ "$pending_release" != "$1" ]; then
        line result busy "release $pending_release of $pending_who is not confirmed yet"
    elif [ "$current" != "$1" ]; then
        line result moved "the host runs release ${current:-none}, not $1"
    elif [ ! -f "$state/undo/$1/list" ]; then
        line result refused "nothing is kept of what was before release $1"
    else
        systemctl --quiet stop aamic-confirm.timer 2>/dev/null
        line "$1" restoring "$(boot_id)" 0 "$who" >"$state/restoring" && rm -f -- "$state/pending"
        restore "$1"
        journal rollback "done"
        line result "done" "$1"
    fi
}

recover() {
    under_lock recover_pending -
}

recover_pending() { # under the lock, so nothing changes this host any more
    forget_interrupted
    if read_pending "$state/restoring"; then
        rm -f -- "$state/pending"
    elif ! read_pending "$state/pending"; then
        line result "done" -
        return
    elif [ "$pending_phase" = unconfirmed ] && [ "$pending_boot" = "$(boot_id)" ] &&
        [ "$(uptime_seconds)" -lt "$pending_until" ]; then
        line result waiting "release $pending_release of $pending_who is not confirmed yet"
        return
    else
        mv -- "$state/pending" "$state/restoring" || return
    fi
    release=$pending_release who=$pending_who
    restore "$release"
    journal restore interrupted
    line result "done" "$release"
}

# The copy that a release leaves on the host is run by name; the controller calls `main` itself.
if [ "${0##*/}" = agent ]; then main "$@"; fi
