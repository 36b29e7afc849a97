# shellcheck shell=sh
# The copy of the site that an apply leaves on the central hosts: a site whose folder is lost can be imported from there.
#
# $state/site is JSON, whose first lines are the same in every copy, so that no more than that need be read here: `{`,
# rolled_back, release, revision, aamic.
copy=$state/site
copy_head=5
copy_most=33554432

# Takes a copy from standard input. `done`, `same` where it stands here already, `none` where no release is carried here,
# or `refused MESSAGE`. `always`: also where only the release is another.
site_keep() { # SHA256 always|changed
    new=$copy.$$.new
    if [ ! -f "$state/manifest" ]; then
        line result none -
    elif ! (umask 077 && cat >"$new") 2>/dev/null || ! sync -- "$new" 2>/dev/null; then
        line result refused "cannot write to $state $(free_space)"
    elif [ "$(sha256sum <"$new")" != "$1  -" ]; then
        line result refused "the transfer did not arrive whole"
    elif [ "$2" = changed ] && stands_here; then
        line result same -
    else
        exchange_copy
    fi
    rm -f -- "$new"
}

stands_here() { # is the same site here, for root alone, and does it still hold?
    is_copy && [ "$(stat -c %a -- "$copy")" = 600 ] && [ -z "$(undone)" ] && [ "$(body "$copy")" = "$(body "$new")" ]
}

is_copy() { [ -f "$copy" ] && [ ! -L "$copy" ]; }

body() { # FILE: a digest of what stands behind the head
    tail -n "+$((copy_head + 1))" -- "$1" | sha256sum
}

undone() { # the release that was rolled back since; anything at all where the head is not one of ours
    head -n 2 -- "$copy" | tail -n 1 | sed 's/^"rolled_back": "\([A-Za-z0-9._+-]*\)",$/\1/'
}

exchange_copy() {
    if mv -f -T -- "$new" "$copy" 2>/dev/null; then
        sync -- "$state" 2>/dev/null
        line result "done" -
    else
        line result refused "cannot replace $copy"
    fi
}

# Writes into the copy that a release was rolled back since. `done`, `none` where there is no copy, or `refused MESSAGE`.
site_undo() { # RELEASE
    new=$copy.$$.new
    case $1 in '' | *[!A-Za-z0-9._+-]*) line result refused "no name of a release" && return ;; esac
    if ! is_copy; then
        line result none -
    elif ! (umask 077 && sed "2s/^\"rolled_back\": .*/\"rolled_back\": \"$1\",/" <"$copy" >"$new") 2>/dev/null ||
        ! sync -- "$new" 2>/dev/null; then
        line result refused "cannot write to $state $(free_space)"
    else
        exchange_copy
    fi
    rm -f -- "$new"
}

# What is kept here: the release and its bundles, and the copy, whose bytes come behind the last line.
site_show() {
    shown=''
    if [ -r "$state/manifest" ]; then
        line release "$(current_release)"
        for bundle in $(bundles | sort -u); do line bundle "$bundle"; done
    fi
    if is_copy && [ ! -r "$copy" ]; then
        line copy unreadable
    elif is_copy; then
        size=$(stat -c %s -- "$copy")
        if [ "$size" -le "$copy_most" ]; then shown=yes; fi
        line copy "$size"
    elif [ -e "$copy" ] || [ -L "$copy" ]; then
        line copy none
    fi
    line end
    if [ -n "$shown" ]; then cat -- "$copy"; fi
}

bundles() {
    while IFS=$tab read -r kind _ a b c d e; do
        case $kind in
        file) printf '%s\n' "$e" ;;
        link) printf '%s\n' "$b" ;;
        unit) printf '%s\n' "$a" ;;
        line) printf '%s\n' "$c" ;;
        esac
    done <"$state/manifest"
}
