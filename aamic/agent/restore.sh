# shellcheck shell=sh
# Keeping a change, or going back to what was before it.

confirm() { # RELEASE; asked again, because an answer was lost, it answers the same
    release=$1
    if read_pending "$state/pending" && [ "$pending_release" = "$1" ] && [ "$pending_phase" = unconfirmed ] &&
        mv -- "$state/pending" "$state/confirmed" 2>/dev/null; then
        systemctl --quiet stop aamic-confirm.timer 2>/dev/null
        take_origin
        journal confirm "done"
        rm -f -- "$state/confirmed"
        forget_old
        line result "done" "$1"
    elif [ ! -e "$state/pending" ] && [ ! -e "$state/restoring" ] && [ "$(current_release)" = "$1" ]; then
        line result "done" "$1"
    else
        line result gone "release $1 does not wait to be confirmed"
    fi
}

take_origin() { # who made the pending release, and from what
    who=$pending_who revision=$pending_revision plan=$pending_plan
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
        take_origin
        restore "$1"
        report_restored restore "not confirmed" "done" "$1"
    else
        line result "done" "$1"
    fi
}

# Puts back everything that undo/RELEASE lists. It can be repeated, so being interrupted does no harm. What could not be
# put back stands in $missing; then everything that is needed to try again is kept.
restore() { # RELEASE
    undo=$state/undo/$1 notes='' missing='' down='' late='' rereading=''
    if [ -f "$undo/list" ]; then
        # In reverse: what a line names must be there for as long as the line is.
        while IFS=$tab read -r kind path target; do
            case $kind in
            file) if is_others "$path" "$target"; then take_back_lines "$path"; else put_back "$path"; fi ;;
            link) ln -s -f -n -T -- "$target" "$(beside "$path")" && mv -f -T -- "$(beside "$path")" "$root$path" ;;
            absent)
                case $target in
                late) late=$late$path$newline ;;
                never) ;; # something else may count on it by now
                *) rm -f -- "$root$path" ;;
                esac
                ;;
            *) continue ;;
            esac 2>/dev/null || missing=$missing$path$newline
            rm -f -- "$(beside "$path")"
        done <<LIST
$(tac -- "$undo/list")
LIST
        restore_manifest || missing=$missing$state/manifest$newline
        if [ -z "$late" ]; then remove_folders; fi
        restore_units
        remove_late
    fi
    rm -f -- "$state/manifest.new" "$state/pending.new" "$state/pending.next"
    sync -f "$state"
    if [ -z "$missing" ]; then
        rm -f -- "$state/restoring"
        rm -rf -- "$undo"
    fi
}

report_restored() { # ACTION JOURNALLED RESULT TEXT: what became of it, as long as all is as it was
    tell_notes
    if [ -n "$missing" ]; then
        journal "$1" "half restored"
        line result half "could not be put back: $(printf '%s' "$missing" | tr '\n' ' ') (the host tries again); $4"
    elif [ -n "$down" ]; then
        journal "$1" "$2, with units down"
        line result half "all files are as they were, but $down; $4"
    else
        journal "$1" "$2"
        line result "$3" "$4"
    fi
}

remove_late() { # what running daemons named until they read their configuration again
    [ -n "$late" ] || return 0
    if [ -n "$rereading" ]; then sleep 2; fi
    for path in $late; do rm -f -- "$root$path" || missing=$missing$path$newline; done 2>/dev/null
    remove_folders
}

put_back() { # PATH: as a whole; where there is no room for both, what stands there goes first
    next=$(beside "$1")
    if cp -p -- "$undo/files$1" "$next" && mv -f -T -- "$next" "$root$1"; then return 0; fi
    rm -f -- "$next" "$root$1" && cp -p -- "$undo/files$1" "$next" && mv -f -T -- "$next" "$root$1"
}

is_others() { # PATH DIGEST: has somebody changed a file, which is his, since it got a line?
    if [ "${2:--}" = - ] || [ ! -f "$root$1" ] || [ -L "$root$1" ]; then return 1; fi
    now=$(sha256sum <"$root$1") before=$(sha256sum <"$undo/files$1")
    [ "${now%% *}" != "$2" ] && [ "$now" != "$before" ]
}

take_back_lines() { # PATH: only the lines of the release go, or come back at the top
    added=$newline top=''
    while IFS=$tab read -r kind path what text; do
        case $kind:$path:$what in
        "edit:$1:add") added=$added$text$newline ;;
        "edit:$1:remove") top=$top$text$newline ;;
        esac
    done <"$undo/list"
    next=$(beside "$1")
    cp -p -- "$root$1" "$next" && {
        printf '%s' "$top"
        while IFS= read -r text || [ -n "$text" ]; do
            case $added in *"$newline$text$newline"*) ;; *) printf '%s\n' "$text" ;; esac
        done <"$root$1"
    } >"$next" && mv -f -T -- "$next" "$root$1"
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
    running='' unread=''
    while IFS=$tab read -r kind unit was action conf; do
        [ "$kind" = unit ] || continue
        systemctl --quiet reset-failed -- "$unit"
        case $was:$action in
        active:reconfigure)
            reread_or_start "$unit" "$conf" >/dev/null 2>&1
            rereading=$rereading$unit$newline
            continue
            ;;
        *:reconfigure) continue ;;
        active:reload) systemctl --quiet reload-or-restart -- "$unit" ;;
        active:stop) systemctl --quiet start -- "$unit" ;;
        active:*) systemctl --quiet restart -- "$unit" ;;
        activating:* | reloading:* | refreshing:*) systemctl --quiet restart --no-block -- "$unit" ;;
        *) systemctl --quiet stop -- "$unit" ;;
        esac
        if [ "$was" = active ]; then running=$running$unit$newline; fi
    done <"$undo/list" 2>/dev/null
    await_active
}

# The configuration that is back: a daemon that died of the other one starts again; one that runs is never restarted.
reread_or_start() { # UNIT CONF
    if systemctl --quiet is-active -- "$1" && ! reconfigure "$1" "$2" 120; then
        sleep 1
        if systemctl --quiet is-active -- "$1"; then unread=$1; fi
    fi
    systemctl --quiet is-active -- "$1" || systemctl --quiet start -- "$1"
}

await_active() { # what ran before must run again, and keep running; or $down says what does not
    [ -n "$running$rereading" ] || return 0
    until=$(($(uptime_seconds) + 30))
    while ! are_active; do
        if [ "$(uptime_seconds)" -ge "$until" ]; then
            down="$unit did not become active again$(last_words "$unit")"
            return
        fi
        sleep 0.2
    done
    if [ -n "$unread" ]; then down="$unread runs, and has not read again what is back"; fi
    before=$(identities_of $running $rereading)
    sleep 3
    for identity in $before; do
        unit=${identity%%"$tab"*}
        if [ "$(identities_of "$unit")" != "$identity" ] || ! systemctl --quiet is-active -- "$unit"; then
            down="$unit does not stay up$(last_words "$unit")"
            return
        fi
    done
}

are_active() { # or $unit is not
    for unit in $running $rereading; do systemctl --quiet is-active -- "$unit" || return 1; done
}

rollback() { # RELEASE WHO; systemd would expand a `$` of a name
    under_lock roll_back "$1" "$(printf '%s' "${2:--}" | tr '$' '_')"
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
        line "$1" restoring "$(boot_id)" 0 "$who" - - >"$state/restoring" && rm -f -- "$state/pending"
        restore "$1"
        report_restored rollback "done" "done" "$1"
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
    release=$pending_release
    take_origin
    restore "$release"
    report_restored restore interrupted "done" "$release"
}

# The copy that a release leaves on the host is run by name; the controller calls `main` itself.
if [ "${0##*/}" = agent ]; then main "$@"; fi
