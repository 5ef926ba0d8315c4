# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
# Files for the scriptlets, also where a first installation has no coreutils yet: rpm's Lua stands in.

# Names come by the environment, so none of them can be code. rpm itself ends its answer with a newline.
lua() {
    answer=$(FILE=$2 OTHER=$3 rpm --eval "%{lua: local file, other = os.getenv('FILE'), os.getenv('OTHER') $1}") ||
        return
    [ -z "$answer" ] || printf '%s\n' "$answer"
}

remove() {
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then
        return 0
    elif have rm; then
        rm -f "$1"
    else
        lua 'assert(os.remove(file))' "$1"
    fi
}

# symlink TARGET LINK: in place of whatever is there, with no moment without it.
symlink() {
    if have ln; then
        ln -sfn "$1" "$2"
    else
        lua "local new = other .. '.new' os.remove(new)
            assert(posix.symlink(file, new)) assert(os.rename(new, other))" "$1" "$2"
    fi
}

hard_link() {
    if have ln; then
        ln -f "$1" "$2"
    else
        lua 'os.remove(other) assert(posix.link(file, other))' "$1" "$2"
    fi
}

# copy FILE COPY: whole, or not at all.
copy() {
    if have cp && have mv; then
        cp -a "$1" "$2.new" && mv -f "$2.new" "$2"
    else
        lua "local from, to = assert(io.open(file, 'rb')), assert(io.open(other .. '.new', 'wb'))
            assert(to:write(from:read('a'))) assert(to:close())
            assert(os.rename(other .. '.new', other))" "$1" "$2"
    fi
}

# Nothing, where there is no link.
link_target() {
    if [ ! -L "$1" ]; then
        return 1
    elif have readlink; then
        readlink "$1"
    else
        lua 'print(posix.readlink(file))' "$1"
    fi
}

# Where it cannot be known, the answer is yes.
is_mount_point() {
    if have mountpoint; then
        mountpoint -q "$1"
        return
    fi
    [ -r /proc/self/mountinfo ] || return 0
    while read -r _ _ _ _ place _; do
        [ "$place" != "$1" ] || return 0
    done < /proc/self/mountinfo
    return 1
}
