#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs an original in this machine's system, with the modules, /boot, /run and rpm database of a throwaway root in
# their places. Whatever else it writes is lost. In a mount namespace of its own:
#   unshare -m sh peer.sh ROOT HOME PROGRAM ARGUMENT...
set -eu
root=$1 home=$2 program=$3
shift 3
work=$home/peer
mkdir -p "$work"
mount -t tmpfs kmp-peer "$work"
upper=$work/upper system=$work/system
mkdir "$upper" "$system" "$work/work"
mkdir -p "$upper/usr/lib/modules" "$upper/usr/lib/rpm" "$upper/var/lib/rpm" "$upper/var/tmp" "$upper/tmp" \
    "$upper/boot" "$upper/run" "$upper/etc/depmod.d" "$upper/usr/lib/module-init-tools" "$upper/peer"
cp "$program" "$upper/peer/${program##*/}"
cp "$home/.rpmmacros" "$upper/peer/"
touch "$upper/etc/fstab"

# SUSE's depmod looks below BASE/usr/lib/modules, others below BASE/lib/modules.
cat >"$upper/peer/depmod" <<'END'
#!/bin/sh
before=
for argument; do
    [ "$before" != -b ] || [ -e "$argument/lib" ] || ln -s usr/lib "$argument/lib"
    before=$argument
done
exec /sbin/depmod "$@"
END

# SUSE's program by that name: NAME-VERSION-RELEASE line by line, sorted by version; -r: the newest first.
cat >"$upper/usr/lib/rpm/rpmsort" <<'END'
#!/bin/sh
exec rpm --eval '%{lua:
    local list = {}
    for line in io.lines() do table.insert(list, line) end
    local function parts(nvr) return string.match(nvr, "^(.*)-([^-]*)-([^-]*)$") end
    table.sort(list, function(a, b)
        local name, version, release = parts(a)
        local name2, version2, release2 = parts(b)
        if not name or not name2 then return a > b end
        if name ~= name2 then return name > name2 end
        local order = rpm.vercmp(version, version2)
        if order == 0 then order = rpm.vercmp(release, release2) end
        return order > 0
    end)
    for _, line in ipairs(list) do print(line .. "\n") end
}' | grep .
END

# An initrd is built by nobody here, and nothing is in one.
for stub in "$upper/peer/dracut" "$upper/usr/lib/module-init-tools/lsinitrd-quick"; do
    printf '#!/bin/sh\nexit 0\n' >"$stub"
done
chmod 755 "$upper"/peer/* "$upper/usr/lib/rpm/rpmsort" "$upper/usr/lib/module-init-tools/lsinitrd-quick"

mount -t overlay -o "lowerdir=/,upperdir=$upper,workdir=$work/work" kmp-peer "$system"
for dir in usr/lib/modules var/lib/rpm boot run; do
    mount --bind "$root/$dir" "$system/$dir"
done
for dir in proc dev; do
    mount --rbind "/$dir" "$system/$dir"
done
export HOME=/peer PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEPMOD=/peer/depmod DRACUT=/peer/dracut
exec chroot "$system" "/peer/${program##*/}" "$@"
