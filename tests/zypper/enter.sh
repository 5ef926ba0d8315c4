#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# enter.sh ROOT LAYERS WORK NAME=VALUE... PROGRAM ARGUMENT...
#
# Runs a program with ROOT as its "/", in namespaces that end with it. Its /usr is the machine's, below LAYERS
# (directories like /usr, separated by ":"; may be empty), below ROOT's own; only ROOT's is written to. No modules
# are seen but ROOT's own, and of /etc, /var, /run and /dev nothing but what is in ROOT. WORK is an empty directory
# beside ROOT.
set -eu
root=$1 layers=$2 work=$3
shift 3

if [ -z "${KMP_ENTERED-}" ]; then
	export KMP_ENTERED=1
	exec unshare --mount --pid --fork --kill-child --propagation private -- "$0" "$root" "$layers" "$work" "$@"
fi
mkdir -p "$work/overlay" "$work/modules" "$root/dev" "$root/proc" "$root/usr/lib/modules"
mount --bind "$root/usr/lib/modules" "$work/modules"
mount -t overlay overlay "$root/usr" \
	-o "lowerdir=${layers:+$layers:}/usr,upperdir=$root/usr,workdir=$work/overlay,userxattr"
mount --bind "$work/modules" "$root/usr/lib/modules"
for device in null zero urandom; do
	: >>"$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t proc proc "$root/proc"
# rpm's own plugins expect that "/" is a mount.
mount --rbind "$root" "$root"
cd "$root"
exec chroot . /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin LC_ALL=C "$@"
