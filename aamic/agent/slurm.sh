# shellcheck shell=sh
# What is asked of Slurm on its controller, and of a node about a job, while hooks are rolled out.

# The nodes of a host list, or `ALL` of them, as scontrol tells them, each on one line.
slurm_nodes() { # CONF NODES
    find_slurm
    if [ "$2" = ALL ]; then asked=''; else asked=$2; fi
    SLURM_CONF=$1 timeout -k 5 20 scontrol show node -o ${asked:+"$asked"} </dev/null 2>/dev/null
    case $(SLURM_CONF=$1 timeout -k 5 10 scontrol ping </dev/null 2>&1) in
    *" is UP"*) line end ;;
    *) line down ;;
    esac
}

# Files beside a slurm.conf that were changed after slurmctld read them last: it reads these too when it is told to.
slurm_staged() { # CONF: `done FILE...`, or `none`
    find_slurm
    read_at=$(SLURM_CONF=$1 SLURM_TIME_FORMAT=%s timeout -k 5 20 scontrol show config </dev/null 2>/dev/null | head -n 1)
    case ${read_at##* } in
    '' | *[!0-9]*) line result none - ;;
    *)
        found=$(find "${1%/*}" -maxdepth 1 -name '*.conf' ! -name aamic.conf -newermt "@${read_at##* }" 2>/dev/null | sort)
        if [ -n "$found" ]; then line result "done" $found; else line result none -; fi
        ;;
    esac
}

# Sends one small job to a node: `done NUMBER`, `none MESSAGE` where none was started, or `failed MESSAGE`.
slurm_job() { # CONF NODE USER SECONDS PARTITION ACCOUNT QOS
    find_slurm
    conf=$1 node=$2 user=$3 seconds=$4
    wishes=''
    if [ "$5" != - ]; then wishes=$wishes--partition=$5$newline; fi
    if [ "$6" != - ]; then wishes=$wishes--account=$6$newline; fi
    if [ "$7" != - ]; then wishes=$wishes--qos=$7$newline; fi
    # shellcheck disable=SC2016  # the job's own shell expands it
    said=$(timeout -k 5 "$((seconds + 2))" "$(absolute runuser)" -u "$user" -- \
        /usr/bin/env -i -C / PATH="$PATH" HOME=/ SLURM_CONF="$conf" \
        srun --nodelist="$node" --nodes=1 --ntasks=1 --cpus-per-task=1 --mem=64M --time=1 --immediate="$seconds" \
        --job-name="aamic-$node" --input=none --mpi=none --quit-on-interrupt $wishes \
        /bin/sh -c 'echo "aamic-job $SLURM_JOB_ID"' </dev/null 2>&1)
    status=$?
    job=''
    for text in $said; do
        case $text in "aamic-job "*[!0-9]* | "aamic-job ") ;; "aamic-job "*) job=${text#aamic-job } ;; esac
    done
    case $status:$job:$said in
    0:[0-9]*) line result "done" "$job" ;;
    *"Unable to allocate resources"* | *"does not exist"* | 12[4567]::*) line result none "$(last_said)" ;;
    *) line result failed "$(last_said)" ;;
    esac
    if [ "$status" != 0 ]; then
        timeout -k 5 10 scancel --quiet --name="aamic-$node" --nodelist="$node" </dev/null >/dev/null 2>&1
    fi
}

last_said() {
    if [ "$status" = 124 ]; then line "it took longer than $seconds s"; fi
    printf '%s\n' "$said" | tail -n 3 | tr -s '\n\t ' ' '
}

absolute() { # PROGRAM
    for folder in /usr/sbin /sbin /usr/bin /bin; do
        if [ -x "$folder/$1" ]; then
            printf '%s/%s\n' "$folder" "$1"
            return
        fi
    done
    printf '%s\n' "$1"
}

# Whether the epilog on this node has written down a job: `done`, or `none`.
slurm_ran() { # JOB
    found=none
    for text in $(tail -n 200 "$state/jobs.journal" 2>/dev/null); do
        text=${text#*"$tab"} text=${text#*"$tab"}
        if [ "${text%%"$tab"*}" = "$1" ]; then found="done"; fi
    done
    line result "$found" "$1"
}

# Whether the prolog of this node refused a job in the last seconds because of what its check found: `done`, or `none`.
slurm_refused() { # SECONDS
    refused='' found=none
    if [ -r "$root/run/aamic/refused" ]; then IFS=' ' read -r refused _ <"$root/run/aamic/refused"; fi
    case ${refused%%.*} in
    '' | *[!0-9]*) ;;
    *) if [ "$(($(uptime_seconds) - ${refused%%.*}))" -le "$1" ]; then found="done"; fi ;;
    esac
    line result "$found" -
}

slurm_resume() { # CONF NODE
    find_slurm
    if message=$(SLURM_CONF=$1 timeout -k 5 20 scontrol update NodeName="$2" State=RESUME </dev/null 2>&1); then
        line result "done" "$2"
    else
        line result failed "$(printf '%s\n' "$message" | tail -n 1)"
    fi
}
