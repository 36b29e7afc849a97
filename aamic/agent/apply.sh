# shellcheck shell=sh
# One change of a host: all of it, or nothing.

# Reads a tar with `transaction`, `manifest`, `agent` and `files/PATH`. Nothing outside the state folder is touched until
# all of it is there and every digest is right.
receive() { # RELEASE
    incoming=$(incoming_of "$1") reason=''
    forget_interrupted
    # Twice, as another transfer that ends may remove the folder of both just now.
    if ! (umask 077 && rm -rf -- "$incoming" && { mkdir -p "$incoming" || mkdir -p "$incoming"; }) 2>/dev/null; then
        line result refused "cannot write to $state $(free_space)"
    elif ! message=$(tar -xf - -C "$incoming" --no-same-owner 2>&1) || ! arrived_whole; then
        line result refused "the transfer did not arrive whole: $(last_line "${reason:-$message}") $(free_space)"
    elif ! mv -f -- "$incoming/agent" "$state/agent"; then
        line result refused "cannot write to $state $(free_space)"
    else
        under_lock transact "$1"
    fi
    rm -rf -- "$incoming"
    rmdir -- "${incoming%/*}" 2>/dev/null
}

incoming_of() { printf '%s/incoming/%s/%s\n' "$state" "$(boot_id)" "$1"; } # RELEASE: where its transfer arrives

forget_interrupted() { # transfers that a power cut ended: nobody of another boot is still sending
    # shellcheck disable=SC2045  # names of boots are plain
    for old in $(ls "$state/incoming" 2>/dev/null); do
        if [ "$old" != "$(boot_id)" ]; then rm -rf -- "$state/incoming/$old"; fi
    done
}

arrived_whole() {
    if [ "$(tail -n 1 "$incoming/transaction" 2>/dev/null)" != end ]; then
        reason='it ended early;'
        return 1
    fi
    reason=$(while IFS=$tab read -r kind name digest _; do
        case $kind in
        put) printf '%s  files%s\n' "$digest" "$name" ;;
        sum) printf '%s  %s\n' "$digest" "$name" ;;
        esac
    done <"$incoming/transaction" | (cd "$incoming" && sha256sum --quiet --strict -c - 2>&1))
}

last_line() { # TEXT: what a program said last
    printf '%s\n' "${1##*"$newline"}"
}

# Runs a verb of the program that the host keeps, alone on this host, and prints what it reports.
under_lock() { # VERB ARGUMENT...
    if is_folder; then
        (main "$@")
        return
    fi
    report=$(systemd-run --quiet --collect --wait --pipe --unit="$lock_unit" --description="aamic: $1 $2" \
        /bin/sh "$state/agent" "$@" 2>&1 </dev/null)
    case $newline$report in
    *"${newline}result$tab"*) printf '%s\n' "$report" ;;
    *"already loaded"*) line result busy "another change is under way on this host" ;;
    *) without_result "$2" "$report" ;;
    esac
}

without_result() { # RELEASE REPORT: it was killed, or could not be started; what it left tells which
    if [ -e "$state/pending" ] || [ -e "$state/restoring" ]; then
        line note "$(last_line "$2")"
    elif [ "$(current_release)" = "$1" ]; then
        line result "done" "$1"
    else
        line result refused "the change did not run: $(last_line "$2")"
    fi
}

# The transaction. The lines of $incoming/transaction say what to do; the order here is what makes it safe.
transact() { # RELEASE
    release=$1 incoming=$(incoming_of "$1") undo=$state/undo/$1 reason='' notes=''
    read_settings
    if read_pending "$state/pending" || read_pending "$state/restoring"; then
        line result busy "release $pending_release of $pending_who is not confirmed yet"
        return
    fi
    sweep
    if ! reason=$(expectations); then
        line result moved "$reason"
    elif ! { install_packages && prepare && arm; }; then
        discard
        journal apply refused
        line result refused "$reason"
    elif exchange && validate && activate && watch && drop_late; then
        finish
    else
        failure=$reason
        mv -f -- "$state/pending" "$state/restoring"
        restore "$release"
        report_restored apply restored restored "$failure"
    fi
}

read_settings() {
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
}

each() { # KIND: the fields of the lines of that kind
    while IFS=$tab read -r kind fields; do
        if [ "$kind" = "$1" ]; then printf '%s\n' "$fields"; fi
    done <"$incoming/transaction"
}

has() { # KIND: is there a line of that kind?
    while IFS=$tab read -r kind _; do
        if [ "$kind" = "$1" ]; then return 0; fi
    done <"$incoming/transaction"
    return 1
}

first_fields() { # LINE...
    for fields in "$@"; do printf '%s\n' "${fields%%"$tab"*}"; done
}

# Under the lock: does every path that will be touched still look as it did when the plan was made?
expectations() {
    before=$(each release-before)
    current=$(current_release)
    if [ -n "$before" ] && [ "$before" != "${current:--}" ]; then
        printf 'the host has release %s by now, and not %s, for which this was planned\n' "${current:--}" "$before"
        return 1
    fi
    for expected in $(each expect); do
        path=${expected%%"$tab"*}
        found=$(look "$path")
        if [ "$found" != "${expected#*"$tab"}" ]; then
            printf '%s is no longer what was planned for; now it is: %s\n' "$path" "$found" | tr '\t' ' '
            return 1
        fi
    done
}

look() { # PATH: kind, content, mode, owner, group
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

attributes() { # PATH: mode, owner and group; in a folder that stands for a host they are nobody's
    if is_folder; then
        stat --printf='%04a\t-\t-\n' -- "$1"
    else
        stat --printf='%04a\t%U\t%G\n' -- "$1"
    fi
}

# --- before anything changes -----------------------------------------------------------------------------------------

install_packages() {
    wanted=$(each package)
    if [ -z "$wanted" ] || is_folder; then return 0; fi
    # A package's daemon must not start with a configuration that nobody wrote.
    masked=$(each mask)
    if [ -n "$masked" ]; then systemctl --quiet mask --runtime -- $masked 2>/dev/null; fi
    if command -v apt-get >/dev/null; then
        said=$(DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends --allow-downgrades \
            -o DPkg::Lock::Timeout=60 -o Dpkg::Options::=--force-confold -- $(packages '=') 2>&1 </dev/null)
    elif command -v dnf >/dev/null; then
        said=$(dnf install -y -q -- $(packages '-') 2>&1 </dev/null)
    else
        said='this host has neither apt-get nor dnf' && false
    fi
    status=$?
    if [ -n "$masked" ]; then systemctl --quiet unmask --runtime -- $masked 2>/dev/null; fi
    if [ "$status" -ne 0 ]; then
        reason="packages could not be installed: $(last_line "$said")"
        return 1
    fi
}

packages() { # SEPARATOR: the packages, those of an exact version with it
    for wish in $wanted; do
        case $wish in
        *"$tab-") printf '%s\n' "${wish%%"$tab"*}" ;;
        *) printf '%s%s%s\n' "${wish%%"$tab"*}" "$1" "${wish#*"$tab"}" ;;
        esac
    done
}

# Writes every new file beside its place, copies what will be replaced, and notes how to undo it all. A full disk or a
# read-only file system shows here.
prepare() {
    rm -rf -- "$undo"
    make_users
    (umask 077 && mkdir -p "$undo/files") 2>/dev/null && true >"$undo/list" || cannot "write to $state" || return 1
    for path in $(in_order $(first_fields $(each put) $(each link))) $(first_fields $(each drop)); do
        remember "$path" || return 1
    done
    for put in $(each put); do stage_file "$put" || return 1; done
    for link in $(each link); do stage_link "${link%%"$tab"*}" "${link#*"$tab"}" || return 1; done
    remember_units && prepare_state || cannot "write to $state" || return 1
    # shellcheck disable=SC2046
    sync -- "$undo/list" "$state/manifest.new" "$state/pending.new" "$state/pending.next" $(staged) 2>/dev/null &&
        sync -f "$undo" || cannot "write to disk"
}

cannot() { # WHAT [MESSAGE]
    reason="cannot $1${2:+: ${2##*: }} $(free_space)"
    return 1
}

prepare_state() {
    if [ -f "$state/manifest" ]; then cp -p -- "$state/manifest" "$undo/manifest" || return 1; fi
    expires=$(($(uptime_seconds) + confirm))
    cp -- "$incoming/manifest" "$state/manifest.new" &&
        line "$release" changing "$(boot_id)" "$expires" "$who" "$revision" "$plan" >"$state/pending.new" &&
        line "$release" unconfirmed "$(boot_id)" "$expires" "$who" "$revision" "$plan" >"$state/pending.next"
} 2>/dev/null

make_users() { # an owner must exist before a file is given to it; a system user alone does no harm
    if is_folder; then return 0; fi
    for path in $(each sysusers); do
        if [ -f "$incoming/files$path" ]; then systemd-sysusers "$incoming/files$path" >/dev/null 2>&1; fi
    done
}

remember() { # PATH: how to put back what stands there
    make_parents "$1" || return 1
    if [ -L "$root$1" ]; then
        line link "$1" "$(readlink -- "$root$1")"
    elif [ -f "$root$1" ]; then
        message=$({ mkdir -p "$undo/files${1%/*}" && cp -p -- "$root$1" "$undo/files$1"; } 2>&1) ||
            cannot "copy $1 to $state" "$message" || return 1
        remember_edits "$1"
    elif [ -e "$root$1" ]; then
        cannot "replace $1" "it is neither a file nor a link" || return 1
    else
        line absent "$1" "$(when_it_goes "$1")"
    fi >>"$undo/list"
}

remember_edits() { # PATH: of a file of somebody else, the digest of what is put there, and which lines come and go
    digest=-
    for edit in $(each edit); do
        if [ "${edit%%"$tab"*}" = "$1" ]; then
            line edit "$edit"
            digest=$(sha256sum <"$incoming/files$1")
        fi
    done
    line file "$1" "${digest%% *}"
}

make_parents() { # PATH: its folder exists; folders made for it are noted
    missing='' parent=${1%/*}
    while [ -n "$parent" ] && [ ! -d "$root$parent" ]; do
        missing="$parent$newline$missing" parent=${parent%/*}
    done
    for parent in $missing; do
        case $parent in */secrets) mode=0711 ;; *) mode=0755 ;; esac
        line folder "$parent" >>"$undo/list"
        message=$(mkdir -m "$mode" -- "$root$parent" 2>&1) || cannot "make $parent" "$message" || return 1
    done
}

beside() { printf '%s/.%s.aamic-new\n' "$root${1%/*}" "${1##*/}"; } # PATH: where its next content waits

staged() { # the files that wait; links need no sync of their own
    for path in $(first_fields $(each put)); do beside "$path"; done
}

stage_file() { # LINE of path, digest, mode, owner, group
    IFS=$tab read -r path _ mode owner group <<LINE
$1
LINE
    next=$(beside "$path")
    message=$({ rm -f -- "$next" && cp -- "$incoming/files$path" "$next" && chmod "$mode" "$next"; } 2>&1) ||
        cannot "write $path" "$message" || return 1
    if is_folder; then return 0; fi
    message=$(chown "$owner:$group" "$next" 2>&1) || cannot "give $path to $owner:$group" "$message"
}

stage_link() { # PATH TARGET
    next=$(beside "$1")
    message=$({ rm -f -- "$next" && ln -s -- "$2" "$next"; } 2>&1) || cannot "write $1" "$message"
}

remember_units() { # what each unit did before, and what the release does to it
    if is_folder; then return 0; fi
    for action in stop reload restart start; do
        for unit in $(each "$action"); do
            line unit "$unit" "$(systemctl is-active -- "$unit" 2>/dev/null)" "$action" || return 1
        done
    done >>"$undo/list"
    for reread in $(each reconfigure); do
        unit=${reread%%"$tab"*}
        line unit "$unit" "$(systemctl is-active -- "$unit" 2>/dev/null)" reconfigure "${reread#*"$tab"}" || return 1
    done >>"$undo/list"
}

discard() { # takes back what prepare left
    for path in $(first_fields $(each put) $(each link)); do rm -f -- "$(beside "$path")"; done
    systemctl --quiet stop aamic-confirm.timer 2>/dev/null
    rm -f -- "$state/manifest.new" "$state/pending.new" "$state/pending.next" "$state/pending"
    if [ -f "$undo/list" ]; then remove_folders; fi
    rm -rf -- "$undo"
}

sweep() { # takes back what a transaction left that was killed before it was armed: its list has no end
    # shellcheck disable=SC2045  # names of releases are plain
    for left in $(ls "$state/undo" 2>/dev/null); do
        undo=$state/undo/$left
        if [ "$(tail -n 1 "$undo/list" 2>/dev/null)" = end ]; then continue; fi
        while IFS=$tab read -r kind path _; do
            case $kind in file | link | absent) rm -f -- "$(beside "$path")" ;; esac
        done <"$undo/list"
        remove_folders
        rm -rf -- "$undo"
    done 2>/dev/null
    undo=$state/undo/$release
}

# From here on the host restores itself, unless it is told not to.
arm() {
    if [ "$confirm" -gt 0 ] && ! is_folder; then
        systemctl --quiet stop aamic-confirm.timer 2>/dev/null
        message=$(systemd-run --quiet --collect --unit=aamic-confirm --on-active="$confirm" \
            --timer-property=AccuracySec=100ms --description="aamic: restore unless $release is confirmed" \
            /bin/sh "$state/agent" expire "$release" 2>&1) || cannot "arm the restoring timer" "$message" || return 1
    fi
    mv -f -- "$state/pending.new" "$state/pending" && sync -- "$state" && line end >>"$undo/list" &&
        sync -- "$undo/list" || cannot "write to $state"
}

# --- the change ------------------------------------------------------------------------------------------------------

exchange() {
    for path in $(in_order $(first_fields $(each put) $(each link))); do
        message=$(mv -f -T -- "$(beside "$path")" "$root$path" 2>&1) || cannot "replace $path" "$message" || return 1
    done
    for path in $(each drop); do
        if is_late "$path"; then continue; fi
        message=$(rm -f -- "$root$path" 2>&1) || cannot "remove $path" "$message" || return 1
    done
    for path in $(first_fields $(each put) $(each link) $(each drop)); do printf '%s\n' "$root${path%/*}"; done |
        sort -u | { while read -r folder; do sync -- "$folder"; done; }
}

when_it_goes() { # PATH: of a new file, when the release is taken back
    case $newline$(each stays)$newline in *"$newline$1$newline"*) echo never && return ;; esac
    if is_late "$1"; then echo late; else echo -; fi
}

is_late() { # PATH: does it go only once nothing that runs names it any more?
    case $newline$(each late)$newline in *"$newline$1$newline"*) ;; *) false ;; esac
}

drop_late() { # a daemon that was told by a signal takes a moment to read
    if [ -n "$(each late)" ] && [ -n "$reread" ]; then sleep 2; fi
    for path in $(each drop); do
        message=$(rm -f -- "$root$path" 2>&1) || cannot "remove $path" "$message" || return 1
        sync -- "$root${path%/*}"
    done
}

in_order() { # PATH...: first what undoes the rest, should the power go now
    for path in "$@"; do
        case $path in */aamic-recover.service) printf '%s\n' "$path" ;; esac
    done
    for path in "$@"; do
        case $path in */aamic-recover.service) ;; *) printf '%s\n' "$path" ;; esac
    done
}

validate() {
    if is_folder; then return 0; fi
    for check in $(each check); do
        judged=${check#*"$tab"}
        case ${check%%"$tab"*} in
        prometheus) judge promtool check config "$judged" ;;
        rules) judge promtool check rules "$judged" ;;
        alertmanager) judge amtool check-config "$judged" ;;
        unit) judge_unit ;;
        slurm) judge_slurm ;;
        esac || return 1
    done
}

judge() { # TOOL ARGUMENT...: what a tool says of $judged; where it is missing, that is told
    if ! command -v "$1" >/dev/null; then
        notes="$notes$judged is not checked: $1 is not on this host$newline"
        return 0
    fi
    message=$("$@" 2>&1) && return 0
    reason="$1 refuses $judged: $(printf '%s\n' "$message" | tail -n 3 | tr -s '\n\t ' ' ')"
    return 1
}

judge_unit() { # systemd-analyze also tells of other units, and of keys that an older systemd leaves out
    command -v systemd-analyze >/dev/null || return 0
    for complaint in $(systemd-analyze verify --man=no "$judged" 2>&1); do
        case $complaint in
        *ignoring*) ;;
        *"${judged##*/}"*)
            reason="systemd refuses ${judged##*/}: $complaint"
            return 1
            ;;
        esac
    done
}

judge_slurm() { # nothing checks a slurm.conf alone, but scontrol reads all of it before it expands a host list
    find_slurm
    if ! command -v scontrol >/dev/null; then
        notes="$notes$judged is not checked: scontrol is not on this host$newline"
        return 0
    fi
    message=$(SLURM_CONF=$judged timeout -k 5 30 scontrol show hostnames aamic 2>&1) && return 0
    reason="scontrol refuses $judged: $(printf '%s\n' "$message" | tail -n 3 | tr -s '\n\t ' ' ')"
    return 1
}

activate() {
    reread=''
    if is_folder; then return 0; fi
    for unit in $(each stop); do act stop "$unit" || return 1; done
    if has daemon-reload; then act daemon-reload || return 1; fi
    for path in $(each tmpfiles); do
        [ -f "$path" ] || continue
        message=$(systemd-tmpfiles --create "$path" 2>&1) || notes="$notes$path: $(last_line "$message")$newline"
    done
    for action in reload restart start; do
        for unit in $(each "$action"); do
            # A unit that does not run has nothing to read again; it will start with what is there.
            if [ "$action" = reload ] && ! systemctl --quiet is-active -- "$unit"; then continue; fi
            act "$action" "$unit" || return 1
        done
    done
    for wish in $(each reconfigure); do
        unit=${wish%%"$tab"*}
        if ! systemctl --quiet is-active -- "$unit"; then continue; fi
        reread=$reread$unit$tab$(systemctl show -P NRestarts -- "$unit")$tab${wish#*"$tab"}$newline
        if ! message=$(reconfigure "$unit" "${wish#*"$tab"}" "$(patience)" 2>&1); then
            reason="$unit did not read its configuration again: $(last_line "$message")$(last_words "$unit")"
            return 1
        fi
    done
}

patience() { # seconds that a large cluster gets to read its configuration, within those until the host restores itself
    if [ "$confirm" -gt 0 ] && [ "$confirm" -lt 180 ]; then echo "$((confirm * 2 / 3))"; else echo 120; fi
}

reconfigure() { # UNIT CONF SECONDS: a daemon of Slurm reads its configuration again; slurmctld has the nodes do so, too
    if [ "$1" = slurmctld.service ]; then
        scontrol_of "$2" "$3" reconfigure
    elif [ "$(systemctl show -P CanReload -- "$1")" = yes ]; then
        systemctl --quiet reload -- "$1"
    else
        systemctl --quiet kill --kill-who=main --signal=HUP -- "$1"
    fi
}

scontrol_of() { # CONF SECONDS ARGUMENT...; never without an end
    find_slurm
    if [ "$1" != - ]; then export SLURM_CONF="$1"; fi
    most=$2
    shift 2
    timeout -k 5 "$most" scontrol "$@" </dev/null
    ended=$?
    if [ "$ended" = 124 ]; then line "scontrol $1 took longer than $most s"; fi
    return "$ended"
}

act() { # VERB [UNIT]
    message=$(systemctl --quiet "$@" 2>&1) && return 0
    reason="systemctl $1 ${2:-} failed: ${message%%"$newline"*}$(last_words "${2:-}")"
    return 1
}

last_words() { # UNIT: the end of its log
    [ -n "$1" ] || return 0
    said=$(journalctl -q -n 3 -o cat -u "$1" 2>/dev/null | tr -s '\n\t ' ' ')
    if [ -n "$said" ]; then printf '; its log ends: %s' "$said"; fi
}

# Every unit must become active and listen, and then stay so, without a restart, for a while.
watch() {
    if is_folder || ! { has watch || has reconfigure; }; then return 0; fi
    until=$(($(uptime_seconds) + ready))
    until all_ready; do
        if [ "$(uptime_seconds)" -ge "$until" ]; then
            reason="$not_ready within $ready seconds$(last_words "$unit")"
            return 1
        fi
        sleep 0.2
    done
    until all_answer; do
        if [ "$(uptime_seconds)" -ge "$until" ]; then
            reason="$unit did not answer within $ready seconds$(last_words "$unit")"
            return 1
        fi
        sleep 1
    done
    before=$(identities)
    until=$(($(uptime_seconds) + settle))
    while [ "$(uptime_seconds)" -lt "$until" ]; do
        sleep 0.5
        if ! all_ready || unit=$(restarted); then
            reason="$unit did not stay up for $settle seconds$(last_words "$unit")"
            return 1
        fi
    done
}

all_ready() { # or $unit is not, as $not_ready says
    listening=$newline$(observe_ports)$newline
    for watched in $(each watch); do
        unit=${watched%%"$tab"*}
        if ! systemctl --quiet is-active -- "$unit"; then
            not_ready="$unit did not become active"
            return 1
        fi
        for port in $(printf '%s\n' "${watched#*"$tab"}" | tr '\t' '\n'); do
            case $port$listening in
            -* | *"${newline}port$tab$port$newline"*) ;;
            *)
                not_ready="$unit did not listen on port $port"
                return 1
                ;;
            esac
        done
    done
    for wish in $reread; do
        unit=${wish%%"$tab"*} before_it=${wish#*"$tab"}
        if ! systemctl --quiet is-active -- "$unit" ||
            [ "$(systemctl show -P NRestarts -- "$unit")" != "${before_it%%"$tab"*}" ]; then
            not_ready="$unit did not survive its new configuration"
            return 1
        fi
    done
}

all_answer() { # or $unit does not; a process of slurmd says by itself that it is there
    for wish in $reread; do
        unit=${wish%%"$tab"*}
        if [ "$unit" = slurmctld.service ] && ! is_up "${wish##*"$tab"}"; then return 1; fi
    done
}

is_up() { # CONF
    case $(scontrol_of "$1" 30 ping 2>&1) in *" is UP"*) ;; *) false ;; esac
}

identities() { identities_of $(first_fields $(each watch)); }

identities_of() { # UNIT...: of each, what is another after a restart
    for unit in "$@"; do
        line "$unit" "$(systemctl show -P MainPID -- "$unit")" "$(systemctl show -P NRestarts -- "$unit")"
    done
}

restarted() { # prints the first unit that is not what it was in $before
    now=$newline$(identities)$newline
    for identity in $before; do
        case $now in
        *"$newline$identity$newline"*) ;;
        *)
            printf '%s\n' "${identity%%"$tab"*}"
            return 0
            ;;
        esac
    done
    return 1
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
    tell_notes
    line result "done" "$release"
}

tell_notes() { for note in $notes; do line note "$note"; done; }

journal() { # ACTION RESULT; as a whole, and a full disk must not stop what is under way
    if {
        tail -n 999 "$state/journal"
        if [ -n "$(tail -c 1 "$state/journal")" ]; then printf '\n'; fi
        line "$(date +%s)" "$1" "$release" "${who:--}" "${revision:--}" "${plan:--}" "$2"
    } >"$state/journal.new"; then
        sync -- "$state/journal.new"
        mv -f -- "$state/journal.new" "$state/journal"
    else
        rm -f -- "$state/journal.new"
    fi
} 2>/dev/null

forget_old() { # keeps what the last three releases replaced
    # shellcheck disable=SC2012  # names of releases are plain
    for old in $(cd "$state/undo" 2>/dev/null && ls -r | tail -n +4); do
        if [ "$old" != "$(current_release)" ]; then rm -rf -- "$state/undo/$old"; fi
    done
}
