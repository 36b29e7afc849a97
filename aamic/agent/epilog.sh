# The epilog: the job's GPUs are free again, and what became of it is written down. Rendered by aamic.
TAG=aamic-epilog
MOST=1000000

finish() {
    number "${SLURM_JOB_ID:-}"; job=$result
    gpu_list "${SLURM_JOB_GPUS:-}"; gpus=$result
    [ "$MAPPING" != yes ] || give_back
    [ "$JOURNAL" != yes ] || record
}

# give_back: take the job away from its GPUs, also from those that it is no longer said to have
give_back() {
    [ "$job" != '-' ] || return 0
    set +f
    set -- "$RUN/jobs/on/"*".$job"
    set -f
    had=
    for entry; do
        case $entry in
            *'/*'*) ;;
            *) gpu=${entry##*/}; had="$had ${gpu%%.*}" ;;
        esac
    done
    [ -n "$had" ] || return 0
    /bin/rm -f "$@" 2>/dev/null
    gpus=${gpus:-${had# }}
    # shellcheck disable=SC2086  # numbers
    publish $had || tell "exporters may still see job $job on its GPUs"
}

# record: one line of the journal; Slurm's exit code is `EXIT:SIGNAL`
record() {
    verdict
    case ${SLURM_JOB_EXIT_CODE2:-} in
        *[!0-9:]* | *:*:* | :* | *: | ????????????*) exit_code='-' ;;
        *:*) exit_code=$SLURM_JOB_EXIT_CODE2 ;;
        *) exit_code='-' ;;
    esac
    now_s=$(/bin/date +%s 2>/dev/null)
    number "$now_s"; at=$result
    word "${SLURM_JOB_USER:-}"; user=$result
    number "${SLURM_JOB_UID:-}"; uid=$result
    word "${SLURM_JOB_PARTITION:-}"; partition=$result
    word "${SLURM_JOB_ACCOUNT:-}"; account=$result
    word "${SLURMD_NODENAME:-}"; node=$result
    number "${SLURM_JOB_RESTART_COUNT:-0}"; restarts=$result
    listed=
    for gpu in $gpus; do
        listed="$listed,$gpu"
    done
    [ "$state" != '-' ] || reason=$trouble
    keep_short "$STATE/jobs.journal"
    printf '1\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.200s\n' "$at" "$job" "$user" "$uid" "$partition" \
        "$account" "${listed#,}" "$exit_code" "$state" "$score" "$node" "$restarts" "$reason" \
        2>/dev/null >>"$STATE/jobs.journal" || tell "job $job is missing in $STATE/jobs.journal"
}

# keep_short FILE: a file that is long becomes FILE.1; one job in ten looks, and of several at a time one does it
keep_short() {
    case $job in
        *[1-9]) return 0 ;;
    esac
    size=$(/usr/bin/wc -c 2>/dev/null <"$1")
    size=${size##* }
    whole "$size" && [ "$size" -gt "$MOST" ] || return 0
    if /bin/mkdir "$1.lock" 2>/dev/null; then
        /bin/mv -f "$1" "$1.1" 2>/dev/null
        /bin/rmdir "$1.lock" 2>/dev/null
    elif [ "$size" -gt $((2 * MOST)) ]; then
        /bin/rmdir "$1.lock" 2>/dev/null # of an epilog that was killed
    fi
    return 0
}

# However this shell ends, also where it cannot even start another: an epilog that fails drains the node.
trap 'exit 0' EXIT
(finish) </dev/null >/dev/null 2>&1
