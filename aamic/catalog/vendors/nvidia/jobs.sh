# dcgm-exporter has a file for each GPU with a line for each of its jobs. A file is emptied, not removed, as that would
# fail a scrape (internal/pkg/transformation/hpc.go).

nvidia_begin() {
    [ -d "$RUN/jobs/dcgm" ] || /bin/mkdir -p "$RUN/jobs/dcgm" 2>/dev/null
}

nvidia_show() {
    nvidia_told "$1"
    if [ "$result" != "$jobs" ]; then
        as_it_was=no
        nvidia_list 2>/dev/null >"$RUN/jobs/dcgm/$1"
    fi
}

nvidia_end() {
    :
}

# nvidia_told GPU: the jobs that the exporter reads of it, as words, or `none` if it has no file
nvidia_told() {
    result=none
    [ -f "$RUN/jobs/dcgm/$1" ] || return 0
    result=
    while read -r line; do
        result="$result $line"
    done 2>/dev/null <"$RUN/jobs/dcgm/$1"
    result=${result# }
}

# nvidia_list: a line for each of `jobs`
nvidia_list() {
    for each in $jobs; do
        printf '%s\n' "$each"
    done
}
