#!/bin/busybox sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash
# The first process of the machine with Secure Boot, from its initrd on: mounts the disk with kmp, asks kmp about each module, has the
# kernel load it, and writes both to the second serial port, a line each.
export PATH=/usr/sbin:/usr/bin:/bin HOME=/root
if [ ! -e /usr/bin/kmp ]; then
	/bin/busybox mkdir -p /proc /sys /dev /new
	/bin/busybox mount -t proc proc /proc
	/bin/busybox mount -t sysfs sysfs /sys
	/bin/busybox mount -t devtmpfs dev /dev
	while read -r module; do
		/bin/busybox insmod "/modules/$module"
	done </modules/order
	until [ -b /dev/vdb ]; do
		/bin/busybox sleep 1
	done
	/bin/busybox mount -t ext4 /dev/vdb /new
	for dir in proc sys dev; do
		/bin/busybox mount --move "/$dir" "/new/$dir"
	done
	exec /bin/busybox switch_root /new /init
fi

exec </dev/null >/dev/ttyS1 2>&1
stty raw </dev/ttyS1
release=$(uname -r)
for module in virtio_net virtio_console efivarfs; do
	modprobe "$module" || echo "FAILED modprobe $module"
done
mount -t securityfs none /sys/kernel/security
mount -t efivarfs none /sys/firmware/efi/efivars
ip link set eth0 up
ip address add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2

check() {
	echo "CHECK $1 $(kmp check --json --kernel "$release" "/cases/$1/"*.ko 2>/tmp/errors)"
	sed 's/^/SAID /' /tmp/errors
}

load() {
	if error=$(insmod "/cases/$1/"*.ko 2>&1); then
		echo "LOAD $1 loaded"
		rmmod "$(basename "/cases/$1/"*.ko .ko)"
	else
		echo "LOAD $1 ${error##*: }"
	fi
}

# The firmware has written there, too.
echo
echo "LOCKDOWN $(cat /sys/kernel/security/lockdown)"
for dir in /cases/*; do
	check "${dir#/cases/}"
	load "${dir#/cases/}"
done
echo "DEVICES $(kmp devices --json 2>/dev/null)"
echo "SUPPORT $(kmp status --support --json 2>/dev/null)"
if grep -q import-key /proc/cmdline; then
	mokutil --generate-hash=secret >/tmp/hash
	mokutil --import /keys/waiting.der --hash-file /tmp/hash || echo "FAILED mokutil"
	echo IMPORTED
	check waiting
	load waiting
fi
echo DONE
sync
poweroff -f
