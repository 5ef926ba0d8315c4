#!/bin/sh
# next-release.sh: runs the plugin's tests inside of the next Debian release, whose rpm is 4.20 or later (librpm.so.10).
#
# The chroot is made by debootstrap, which needs the network and some minutes; so this runs where CI is set, or where
# KMP_CHROOT names a directory: a chroot that is there already (with kmod, python3-rpm, rpm and binutils), or the place for one.
set -eu
release=${KMP_RELEASE:-trixie}
source=$(cd "$(dirname "$0")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$source/target}
if [ -z "${CI-}" ] && [ -z "${KMP_CHROOT-}" ]; then
	echo "skipped: no CI and no KMP_CHROOT; the plugin is not tested in $release" >&2
	exit 0
fi
made=
chroot=${KMP_CHROOT-}
[ -n "$chroot" ] || made=$(mktemp -d)
chroot=${chroot:-$made}
clean_up() {
	for mount in "$target" "$source" /proc; do
		! mountpoint -q "$chroot$mount" || umount "$chroot$mount"
	done
	[ -z "$made" ] || rm -rf --one-file-system "$made"
}
trap clean_up EXIT
[ -x "$chroot/usr/bin/rpm" ] || debootstrap --variant=minbase --include=rpm,kmod,python3-rpm,binutils "$release" "$chroot"

cd "$source"
plugin=$(cargo run --quiet --package xtask -- plugin --faults --debug)
program=$(cargo test --package kmp-cli --test plugin --no-run 2>&1 | sed -n 's/.*(\(.*\/plugin-[0-9a-f]*\))$/\1/p')
# Once out here: it leaves the packages that it has built for those in there.
"$program" --quiet
for mount in "$target" "$source"; do
	mkdir -p "$chroot$mount"
	mount --bind "$mount" "$chroot$mount"
done
mount -t proc proc "$chroot/proc"
chroot "$chroot" rpm --version
chroot "$chroot" env KMP_PLUGIN="$plugin" RUST_BACKTRACE=0 "$program" "$@"
