# AMD's exporter has a file for each GPU with one job, the last of `jobs`, as it stands in jobs/on; its numbers of GPUs
# end at 127. A file is written beside and moved there, as nobody but us vouches for that folder: a link in it would be
# followed.
AMD=/run/exporter

amd_begin() {
    gone='' new=''
    [ ! -d "$AMD" ] || [ -d "$RUN/jobs/amd" ] || /bin/mkdir -p "$RUN/jobs/amd" 2>/dev/null
}

amd_show() {
    [ -d "$AMD" ] || return 0
    result=
    [ -z "$jobs" ] || first_line "$RUN/jobs/on/$1.${jobs##* }"
    wanted=$result
    file="$AMD/$(($1 % 128))"
    first_line "$file"
    if [ -z "$wanted" ] && [ -e "$file" ]; then
        as_it_was=no
        gone="$gone $file"
    elif [ "$result" != "$wanted" ]; then
        as_it_was=no
        beside="$RUN/jobs/amd/$(($1 % 128))"
        printf '%s\n' "$wanted" 2>/dev/null >"$beside" && new="$new $beside"
    fi
}

amd_end() {
    # shellcheck disable=SC2086  # paths of our own, without blanks
    [ -z "$gone" ] || /bin/rm -f $gone 2>/dev/null
    # shellcheck disable=SC2086  # the same
    [ -z "$new" ] || /bin/mv -f $new "$AMD/" 2>/dev/null
}
