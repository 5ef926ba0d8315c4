#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# enter.sh ROOT MODE:DIRECTORY... -- PROGRAM ARGUMENT...
#
# Runs a program on the system in ROOT as on a machine of its own: "/" is a mount point, /proc, /sys, /dev, /tmp and /run are
# mounted, and processes outside are not seen. Each DIRECTORY has the same path there; MODE is ro or rw, or new for an empty
# one. All mounts end with the program.
set -eu
if [ -z "${KMP_ENTERED-}" ]; then
	export KMP_ENTERED=1
	exec unshare --mount --pid --fork --kill-child --propagation private -- "$0" "$@"
fi
root=$1
shift
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs run
while [ "$1" != -- ]; do
	directory=${1#*:}
	mkdir -p ".$directory"
	case $1 in
		new:*) mount -t tmpfs -o mode=755 tmpfs ".$directory" ;;
		*) mount --bind "$directory" ".$directory" ;;
	esac
	case $1 in
		ro:*) mount -o remount,bind,ro ".$directory" ;;
	esac
	shift
done
shift
# The old root is put on top of the new one, and taken away: in a chroot there are no user namespaces.
pivot_root . .
umount --lazy .
cd /
unset KMP_ENTERED OLDPWD
# Not in this shell's place: what is left behind by programs that have ended is for process 1 to wait for.
"$@"
