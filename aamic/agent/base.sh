# What aamic runs on a managed host, as root. POSIX sh, coreutils, tar and systemd are all it needs.
# shellcheck shell=sh disable=SC2046,SC2086,SC2015
# (IFS is a line break, so an unquoted expansion is one word for each line; `a && b || cannot c` is meant as it reads.)
#
# The controller sends this text and then, on the same standard input, what a verb reads:
#
#   observe            a request          read-only; prints the host's state               observe.sh
#   fetch              paths              read-only; prints a tar of what all may read      observe.sh
#   apply RELEASE      a tar              one transaction; prints its result                apply.sh
#   confirm RELEASE    nothing            the host no longer restores what was before       restore.sh
#   rollback RELEASE   nothing            restores what was before RELEASE, the current     restore.sh
#   recover            nothing            ends what a dead controller or power cut left     restore.sh
#   slurm_nodes, slurm_staged, slurm_job, slurm_ran, slurm_refused, slurm_resume                          slurm.sh
#   site_keep, site_undo, site_show               the copy of the site on central hosts                   site.sh
#
# A transaction runs as the transient unit aamic-transaction.service: systemd lets it run once at a time, and it outlives
# the connection that started it. What it replaces is first copied to undo/RELEASE, and the file `pending` stands until
# the controller confirms; who renames that file, the one that confirms or the one that restores, has decided.
#
# With AAMIC_ROOT set, a folder stands for the host: files are written, nothing is started.
#
# Lines are fields between tabs; `-` is an empty field. Paths hold no white space: the compiler sees to that.
set -uf
umask 022
trap '' HUP PIPE
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/opt/aami/bin
tab=$(printf '\t')
newline='
'
IFS=$newline
export LC_ALL PATH

root=${AAMIC_ROOT:-}
state=$root/var/lib/aamic
lock_unit=aamic-transaction.service

line() { # FIELD...: one line of fields
    joined=$1
    shift
    for field in "$@"; do joined="$joined$tab$field"; done
    printf '%s\n' "$joined"
}

is_folder() { [ -n "$root" ]; }

boot_id() {
    boot=none
    if [ -r /proc/sys/kernel/random/boot_id ]; then read -r boot </proc/sys/kernel/random/boot_id; fi
    printf '%s\n' "$boot"
}

uptime_seconds() { # since boot: no clock that somebody sets
    IFS=' ' read -r seconds _ </proc/uptime
    printf '%s\n' "${seconds%%.*}"
}

free_space() {
    { df -P -k -- "$state" || df -P -k -- "$root/var/lib"; } 2>/dev/null | {
        read -r _
        IFS=' ' read -r _ _ _ free _ && printf '(%s KiB are free there)' "$free"
    }
}

current_release() {
    while IFS=$tab read -r kind name _; do
        if [ "$kind" = release ]; then printf '%s\n' "$name"; fi
    done <"$state/manifest"
} 2>/dev/null

find_slurm() { # Slurm's programs may stand in a folder of their own, beside its daemons
    for daemon in slurmctld.service slurmd.service; do
        daemon=$(readlink "/proc/$(systemctl show -P MainPID -- "$daemon" 2>/dev/null)/exe" 2>/dev/null) || continue
        daemon=${daemon%/*}
        case :$PATH: in *":${daemon%/*}/bin:"*) ;; *) PATH=$PATH:${daemon%/*}/bin ;; esac
    done
}

# `pending` is one line: release, phase (changing or unconfirmed), boot, uptime at which it expires, who, revision, plan.
read_pending() { # FILE
    [ -f "$1" ] || return 1
    IFS=$tab read -r pending_release pending_phase pending_boot pending_until pending_who pending_revision \
        pending_plan <"$1"
}

main() { # VERB ARGUMENT...
    verb=$1
    shift
    case $verb in
    observe | fetch | confirm | rollback | recover) line aamic 1 "$verb" && "$verb" "$@" ;;
    slurm_nodes | slurm_staged | slurm_job | slurm_ran | slurm_refused | slurm_resume) line aamic 1 "$verb" && "$verb" "$@" ;;
    site_keep | site_undo | site_show) line aamic 1 "$verb" && "$verb" "$@" ;;
    apply) line aamic 1 apply && receive "$@" ;;
    expire | transact | restore_pending | roll_back | recover_pending) "$verb" "$@" ;;
    *) line result refused "unknown verb $verb" ;;
    esac
}
