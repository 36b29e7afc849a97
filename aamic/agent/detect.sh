# shellcheck shell=sh
# What GPUs a host has: its PCI bus, its drivers, and what the vendors' own programs say. Nothing here writes.
#
#   detect [SYSROOT]     reads a request from standard input; prints the answer
#
# The request is lines of fields between tabs, the last one `end`:
#
#   vendor NUMBER                   a number of PCI, `0x10de`
#   module NAME                     a kernel module, of which the version is asked
#   folder PATH                     where programs may be too
#   program NUMBER NAME ARGUMENT... run where a device of that vendor is there and none of its programs said 0 yet
#
# The answer is such lines too. What a program said, on either output, is base64, so that nothing in it can be taken for
# a line of ours. With SYSROOT, or AAMIC_ROOT set, a folder has the host's /sys and /proc; with AAMIC_ROOT it stands for
# the host, and no program is run. POSIX sh and coreutils are all it needs, and no root.
set -uf
LC_ALL=C
PATH=/usr/bin:/usr/local/bin:/usr/sbin:/sbin:/bin:$PATH
export LC_ALL PATH
tab=$(printf '\t')
newline='
'

seconds=20     # that a program may take
most=262144    # bytes of what it prints that are kept
most_said=2000 # and of its errors, the last ones

line() { # FIELD...: one line of fields
    joined=$1
    shift
    for field in "$@"; do joined="$joined$tab$field"; done
    printf '%s\n' "$joined"
}

first_line() { # FILE: its first line, without tabs; nothing where it cannot be read
    text=''
    if [ -r "$1" ]; then IFS='' read -r text <"$1" 2>/dev/null || :; fi
    case $text in *"$tab"*) text='' ;; esac
    printf '%s' "$text"
}

detect() { # [SYSROOT]
    root=${1:-${AAMIC_ROOT:-}}
    vendors='' present='' modules='' asked='' programs=''
    while IFS='' read -r request; do
        case $request in
        "vendor$tab"*) vendors="$vendors ${request#*"$tab"}" ;;
        "module$tab"*) modules="$modules ${request#*"$tab"}" ;;
        "folder$tab"*) PATH=$PATH:${request#*"$tab"} ;;
        "program$tab"*) programs=$programs${request#*"$tab"}$newline ;;
        end) asked=yes && break ;;
        esac
    done
    [ -n "$asked" ] || return 1
    line aamic 1 detect
    line host "$(first_line "$root/proc/sys/kernel/hostname")"
    line kernel "$(first_line "$root/proc/sys/kernel/osrelease")"
    line cpus "$(first_line "$root/sys/devices/system/cpu/online")"
    line memory "$(memory)"
    detect_modules
    detect_devices
    if [ -z "${AAMIC_ROOT:-}" ]; then detect_programs; fi
    line end
}

memory() { # in KiB
    [ -r "$root/proc/meminfo" ] || return 0
    while IFS=' ' read -r key value _; do
        if [ "$key" = MemTotal: ]; then printf '%s' "$value" && return 0; fi
    done <"$root/proc/meminfo"
}

detect_modules() {
    IFS=' '
    for module in $modules; do
        if [ -d "$root/sys/module/$module" ]; then
            line module "$module" "$(first_line "$root/sys/module/$module/version")"
        fi
    done
}

# Display controllers and processing accelerators of the vendors asked for: address, class, vendor, number, driver, and
# whether it is a virtual function of another.
detect_devices() {
    bus=$root/sys/bus/pci/devices
    if [ ! -d "$bus" ]; then line no-bus && return 0; fi
    set +f
    for device in "$bus"/*; do
        class=$(first_line "$device/class")
        case $class in 0x03???? | 0x1200??) ;; *) continue ;; esac
        vendor=$(first_line "$device/vendor")
        case " $vendors " in *" $vendor "*) ;; *) continue ;; esac
        case " $present " in *" $vendor "*) ;; *) present="$present $vendor" ;; esac
        driver=$(readlink "$device/driver" 2>/dev/null)
        if [ -L "$device/physfn" ]; then part=virtual; else part=physical; fi
        line device "${device##*/}" "$class" "$vendor" "$(first_line "$device/device")" "${driver##*/}" "$part"
    done
    set -f
}

detect_programs() {
    answered=''
    exec 8>&1
    IFS=$newline
    for words in $programs; do
        IFS=$tab
        # shellcheck disable=SC2086
        set -- $words
        vendor=$1
        shift
        case " $present " in *" $vendor "*) ;; *) continue ;; esac
        case " $answered " in *" $vendor "*) continue ;; esac
        if found=$(command -v "$1"); then
            program=$1
            shift
            run_program "$found" "$@"
        fi
    done
    exec 8>&-
}

# Prints `ran VENDOR PROGRAM OUTPUT STATUS ERRORS`. The status has a way of its own: what the program leaves behind may
# still write. It comes first, as the errors are only encoded once nobody can write any more, or for $patience seconds.
run_program() { # PATH ARGUMENT...
    patience=$((seconds + 5))
    printf 'ran\t%s\t%s\t' "$vendor" "$program"
    said=$(
        exec 6>&1
        {
            {
                timeout -k 2 "$seconds" "$@" </dev/null 2>&1 >&7 6>&- 7>&- 8>&- 9>&-
                printf '%s\t' "$?" >&6
            } 7>&9 | timeout "$patience" cat | tail -c "$most_said" | base64 -w 0 >&6
        } 9>&1 | timeout "$patience" cat | head -c "$most" | base64 -w 0 >&8
    )
    if [ "${said%%"$tab"*}" = 0 ]; then answered="$answered $vendor"; fi
    printf '\t%s\n' "$said"
}

main() { # VERB ARGUMENT...
    if [ "$1" = detect ]; then
        shift
        detect "$@"
    fi
}
