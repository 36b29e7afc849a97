# What prolog and epilog share. SLURM_* are hostile: each is checked here, and only what was checked is used further.
# Slurm sets no PATH, and a status other than 0 drains the node, so every program has its absolute path, nothing is
# fatal, and what a script decides is decided in a subshell whose failure is not the script's.
LC_ALL=C
IFS=' 	
'
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
unset ENV CDPATH BASH_ENV
umask 022
set -f -u

# tell TEXT...: a line in syslog; it is cut off, as a logger waits for ever for a syslog that does not read
tell() {
    if [ -x /usr/bin/timeout ]; then
        /usr/bin/timeout 2 "$LOGGER" -t "$TAG" -p daemon.warning -- "$*" </dev/null >/dev/null 2>&1
    else
        "$LOGGER" -t "$TAG" -p daemon.warning -- "$*" </dev/null >/dev/null 2>&1
    fi
    return 0
}

# whole TEXT: whether it is a number that arithmetic takes as it is read, without leading zeros
whole() {
    case $1 in
        '' | *[!0-9]* | 0?* | ????????????????*) return 1 ;;
    esac
}

# word TEXT: the text where it is a plain name, else -
word() {
    case $1 in
        '' | *[!A-Za-z0-9._@+-]* | .* | -*) result='-' ;;
        *) if [ "${#1}" -le 64 ]; then result=$1; else result='-'; fi ;;
    esac
}

# number TEXT: the text where it is a number, else -
number() {
    if whole "$1"; then result=$1; else result='-'; fi
}

# gpu_list TEXT: `0,2-3` as the words `0 2 3`; nothing where it is anything else, or more than 64
gpu_list() {
    result=
    case $1 in
        '' | *[!0-9,-]*) return 0 ;;
    esac
    [ "${#1}" -le 300 ] || return 0
    count=0
    IFS=,
    # shellcheck disable=SC2086  # it is split on purpose, and holds digits, commas and dashes alone
    set -- $1
    IFS=' 	
'
    for part; do
        first=${part%%-*}
        last=${part#*-}
        if ! whole "$first" || ! whole "$last" || [ "$last" -gt 1023 ] || [ "$first" -gt "$last" ]; then
            result=
            return 0
        fi
        while [ "$first" -le "$last" ]; do
            count=$((count + 1))
            [ "$count" -le 64 ] || { result=; return 0; }
            result="$result $first"
            first=$((first + 1))
        done
    done
    result=${result# }
}

# shellcheck disable=SC2034  # each of the two hooks reads some of these
# verdict: reads the verdict file into state, refuse, score and reason; where it does not count, `trouble` says why
verdict() {
    state='-' refuse=no score='-' reason='-' trouble='' written='' interval='' whole_file=no
    if [ ! -f "$RUN/verdict" ]; then
        trouble='there is no verdict'
        return 0
    fi
    if ! { IFS= read -r line && [ "$line" = 'aamic-verdict 1' ]; } 2>/dev/null <"$RUN/verdict"; then
        trouble='the verdict is unreadable'
        return 0
    fi
    lines=0
    while [ "$lines" -lt 400 ] && read -r key value; do
        lines=$((lines + 1))
        [ "$whole_file" = no ] || whole_file='no more'
        case $value in
            *[!\ -~]*) key=unprintable ;;
        esac
        case $key in
            verdict) state=$value ;;
            uptime) written=$value ;;
            interval) interval=$value ;;
            refuse) refuse=$value ;;
            score) number "$value"; score=$result ;;
            reason) reason=$value ;;
            end) [ "$whole_file" != no ] || whole_file=yes ;;
            unprintable) trouble='the verdict is unreadable' ;;
        esac
    done 2>/dev/null <"$RUN/verdict"
    case $state in
        ok | warn | fail | unknown) ;;
        *) trouble='the verdict is unreadable' ;;
    esac
    if [ "$whole_file" != yes ]; then
        trouble='the verdict is cut off'
    elif [ -z "$trouble" ]; then
        fresh
    fi
    [ -z "$trouble" ] || state='-' refuse=no
}

# fresh: sets `trouble` unless the verdict was written in the last three intervals of this boot
fresh() {
    now=
    read -r now line 2>/dev/null <"$UPTIME"
    now=${now%%.*}
    if ! whole "$now" || ! whole "$written" || ! whole "$interval"; then
        trouble='the age of the verdict is not known'
    elif [ "$written" -gt "$now" ] || [ $((now - written)) -gt $((3 * interval)) ]; then
        trouble="the verdict is old: written at $written, now it is $now"
    fi
}

# Which job has which GPU stands in files `GPU.JOB` of jobs/on, each with the job in JSON. What exporters read is made
# from these by the functions of each vendor, V_begin, V_show GPU and V_end, and looked at again until it is as they
# say: whoever writes also looks after it has written, so several jobs on one GPU, and several hooks at a time, need no
# lock. V_show writes what is not so, and then sets `as_it_was` to no; `jobs` are the GPU's.

# on_gpu GPU: the jobs that have it, in order of their names, as words
on_gpu() {
    set +f
    set -- "$RUN/jobs/on/$1."*
    set -f
    result=
    for entry; do
        case $entry in
            *'.*') ;;
            *) result="$result ${entry##*.}" ;;
        esac
    done
    result=${result# }
}

# first_line FILE: its first line, or nothing
first_line() {
    result=
    [ ! -f "$1" ] || IFS= read -r result 2>/dev/null <"$1"
}

# publish GPU...: let exporters know of these GPUs
publish() {
    rounds=0
    until published "$@"; do
        rounds=$((rounds + 1))
        [ "$rounds" -lt 6 ] || return 1
    done
}

# published GPU...: write what is not as it should be; fails if there was anything, as it is to be looked at again
published() {
    as_it_was=yes
    all_begin
    for gpu; do
        on_gpu "$gpu"
        jobs=$result
        all_show "$gpu"
    done
    all_end
    [ "$as_it_was" = yes ]
}
