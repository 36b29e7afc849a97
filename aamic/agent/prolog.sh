# The prolog: may this job run here, and which GPUs does it have? Rendered by aamic; a change made here is undone.
TAG=aamic-prolog
REFUSED=10

# The decision; the subshell around it ends with REFUSED, and any other status lets the job run.
decide() {
    number "${SLURM_JOB_ID:-}"
    job=$result
    if [ "$CHECK" = yes ]; then
        verdict
        if [ -n "$trouble" ]; then
            tell "job $job runs: $trouble"
        elif [ "$state" = fail ]; then
            fails
        fi
    fi
    [ "$MAPPING" != yes ] || take
    return 0
}

# fails: refuse the job of a node that fails, or say what would be done
fails() {
    if [ "$refuse" != yes ]; then
        tell "job $job runs although this node fails: $reason"
    elif [ "$MODE" = on ]; then
        now_s=$(/bin/date +%s 2>/dev/null)
        # Without a record the drain that follows would not be known as ours.
        if whole "$now_s" && [ ! -d "$RUN/refused" ] && printf '%s %s %s\n' "$now" "$now_s" "$job" 2>/dev/null >"$RUN/.refused.$$" &&
            /bin/mv -f "$RUN/.refused.$$" "$RUN/refused" 2>/dev/null; then
            tell "job $job is refused: $reason"
            exit "$REFUSED"
        fi
        /bin/rm -f "$RUN/.refused.$$" 2>/dev/null
        tell "job $job runs, as its refusal could not be written down: $reason"
    elif [ "$MODE" = shadow ]; then
        tell "would refuse job $job: $reason"
    fi
}

# take: the GPUs are this job's
take() {
    gpu_list "${SLURM_JOB_GPUS:-}"
    gpus=$result
    if [ "$job" = '-' ] || [ -z "$gpus" ]; then
        return 0
    fi
    word "${SLURM_JOB_USER:-}"; user=$result
    word "${SLURM_JOB_PARTITION:-}"; partition=$result
    word "${SLURM_CLUSTER_NAME:-}"; cluster=$result
    [ -d "$RUN/jobs/on" ] || /bin/mkdir -p "$RUN/jobs/on" 2>/dev/null
    for gpu in $gpus; do
        printf '{"SLURM_JOB_ID":"%s","SLURM_JOB_USER":"%s","SLURM_JOB_PARTITION":"%s","SLURM_CLUSTER_NAME":"%s","CUDA_VISIBLE_DEVICES":"%s"}\n' \
            "$job" "$user" "$partition" "$cluster" "$((gpu % 128))" 2>/dev/null >"$RUN/jobs/on/$gpu.$job" || {
            tell "the GPUs of job $job could not be written down"
            return 0
        }
    done
    # shellcheck disable=SC2086  # numbers
    publish $gpus || tell "exporters may not know the GPUs of job $job"
}

# However this shell ends, also where it cannot even start another: a job is refused on purpose or not at all.
end=0
trap 'exit "$end"' EXIT
(decide) </dev/null >/dev/null 2>&1
if [ "$?" = "$REFUSED" ]; then
    end=1
fi
