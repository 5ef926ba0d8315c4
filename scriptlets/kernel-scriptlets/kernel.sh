# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh disable=SC2034,SC2154
# A kernel comes and goes: its names in /boot, its boot entry, the flag of purge-kernels.

# A 4 KiB kernel cannot mount what a 64 KiB kernel has made.
check_page_size() {
    if [ "$flavor" = default ] && [ "$FORCE_4K" != 1 ] && [ "$YAST_IS_RUNNING" != instsys ] && have uname &&
        [ "$(uname -m)" = aarch64 ] && zgrep -q CONFIG_ARM64_64K_PAGES=y /proc/config.gz; then
        say 'this system runs a kernel with pages of 64 KiB. kernel-default has pages of 4 KiB and could not
mount its btrfs file systems or its swap, so it is not installed. Install kernel-64kb, boot it, and remove
kernel-default; or set FORCE_4K=1 in the environment to install it all the same.'
        status=1
    fi
}

uses_sdbootutil() {
    # An image that is being built may get its boot loader later.
    [ -x /usr/bin/sdbootutil ] && { /usr/bin/sdbootutil is-installed || [ -e /.buildenv ]; }
}

# Names in /boot for what the package has beside its modules. Across file systems they are copies.
boot_files() {
    if is_mount_point /boot || is_mount_point /usr; then separate=1; else separate=; fi
    for file in "$image" sysctl.conf System.map config; do
        for pair in "$file:$file-$krel" ".$file.hmac:.$file-$krel.hmac"; do
            from=$modules/${pair%%:*}
            to=/boot/${pair#*:}
            if [ ! -e "$from" ]; then
                continue
            elif [ -n "$separate" ]; then
                copy "$from" "$to" || status=$?
            elif [ ! -e "$to" ]; then
                symlink "..$from" "$to" || status=$?
            fi
        done
    done
}

# /boot/vmlinuz and /boot/initrd lead to this release, once it has both.
boot_links() {
    missing=
    for file in "$image" initrd; do
        [ -f "/boot/$file-$1" ] || missing="$missing /boot/$file-$1"
    done
    # There, the initrd is made later.
    if [ -n "$missing" ] && [ ! -e /.buildenv ] && [ ! -e /image/config.xml ]; then
        say "missing:$missing. /boot/$image and /boot/initrd stay what they are"
    else
        symlink "$image-$1" "/boot/$image"
        symlink "initrd-$1" /boot/initrd
    fi
    if [ -e "/boot/.$image-$1.hmac" ]; then
        symlink ".$image-$1.hmac" "/boot/.$image.hmac"
    else
        remove "/boot/.$image.hmac"
    fi
}

boot_entry() {
    advice='set up your boot loader for this kernel'
    if uses_sdbootutil; then
        # The plugin of snapper does it when the snapshot becomes the default.
        if [ ! -e /.buildenv ] && [ -z "$TRANSACTIONAL_UPDATE" ]; then
            /usr/bin/sdbootutil --image="$image" add-kernel "$krel" || status=$?
            /usr/bin/sdbootutil set-default-snapshot || status=$?
        fi
        return
    elif [ -e /.buildenv ]; then
        :
    elif [ ! -f /etc/fstab ]; then
        say "$advice"
    elif [ -e "/boot/initrd-$krel" ] || [ ! -e "$modules" ]; then
        initrd=initrd-$krel
        [ -e "/boot/$initrd" ] || initrd=
        default=
        [ "$flavor" != rt ] || default=force-default
        if [ -x "$entry_tool" ]; then
            "$entry_tool" add "$flavor" "$krel" "$image-$krel" "$initrd" ${default:+"$default"} || status=$?
        else
            say "$advice"
        fi
    fi
    boot_links "$krel"
}

# What the boot loader needs is there after this one, or in posttrans.
is_postponed() {
    [ -n "$INITRD_IN_POSTTRANS$KMP_TRANSACTION" ]
}

kernel_post() {
    case $count in
        '' | *[!0-9]* | 0 | 1) ;;
        *)
            debug 'purge-kernels is asked for'
            printf '' > /boot/do_purge_kernels || status=$?
            ;;
    esac
    uses_sdbootutil || boot_files
    if [ -x "$wm2" ]; then
        weak_modules --add-kernel "$krel" || status=$?
    else
        say "there is no $wm2; run depmod and make the initrd yourself"
        status=1
    fi
    # The note is for posttrans, which need not have the same environment.
    if is_postponed; then printf '' > "$postponed"; else boot_entry; fi
    certificates
}

kernel_posttrans() {
    initrds
    if is_postponed || [ -e "$postponed" ]; then
        remove "$postponed"
        boot_entry
    fi
}

# Beside a rebuilt kernel of the same release, the old one's postun has nothing to take away.
is_kernel_there() {
    [ -e "$modules/System.map" ] || [ -e "$modules/$image" ] ||
        { [ -e "/boot/System.map-$krel" ] && [ -d "$modules/kernel" ]; }
}

kernel_postun() {
    debug 'purge-kernels is not asked for any more'
    remove /boot/do_purge_kernels
    if ! is_kernel_there; then
        [ "$(link_target "/boot/.$image.hmac")" != ".$image-$krel.hmac" ] || remove "/boot/.$image.hmac"
        [ ! -x "$wm2" ] || weak_modules --remove-kernel "$krel"
        if uses_sdbootutil; then
            if [ ! -e /.buildenv ] && [ -z "$TRANSACTIONAL_UPDATE" ]; then
                /usr/bin/sdbootutil --image="$image" remove-kernel "$krel"
            fi
        elif [ -f /etc/fstab ]; then
            [ ! -x "$entry_tool" ] || "$entry_tool" remove "$flavor" "$krel" "$image-$krel" "initrd-$krel"
            relink_boot
        fi
    fi
    certificates
}

# The newest kernel that is left gets the links.
relink_boot() {
    if [ -L /boot/initrd ] &&
        { [ ! -f /boot/initrd ] || [ "$(link_target /boot/initrd)" = "initrd-$krel" ]; }; then
        remove /boot/initrd
        remove "/boot/$image"
    fi
    [ ! -f /boot/initrd ] || [ ! -f "/boot/$image" ] || return 0
    newest=
    for file in /boot/initrd-*; do
        release=${file#/boot/initrd-}
        if [ -f "$file" ] && [ -f "/boot/$image-$release" ] && is_newer "$release" "$newest"; then
            newest=$release
        fi
    done
    if [ -n "$newest" ]; then boot_links "$newest"; else say 'no kernel with an initrd is left in /boot'; fi
}

# Where rpm cannot tell, the names are taken in their order.
is_newer() {
    [ -z "$2" ] || ! have rpm || [ "$(lua 'print(rpm.vercmp(file, other))' "$1" "$2")" = 1 ]
}
