#!/bin/sh
# bench.sh KMP.SO: what the plugin costs a transaction of 2,000 packages without kernel modules, in time and memory.
# shellcheck disable=SC2016 # what stands in single quotes is for rpmbuild
# Each package has 30 files in 10 directories. Needs rpmbuild, GNU time and the rights of root; cleans up after itself.
set -eu
plugin=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work/home"
mkdir -p "$HOME" "$work/out" "$work/plugins"
cp "$plugin" "$work/plugins/kmp.so"
{
	printf '%s\n' 'Name: bench' 'Version: 1' 'Release: 1' 'Summary: x' 'License: MIT' 'BuildArch: noarch' \
		'%global __os_install_post %{nil}' '%define _binary_payload w.ufdio' 'AutoReqProv: no' '%description' x
	i=0
	while [ $i -lt 2000 ]; do
		printf '%s\n' "%package -n p$i" 'Summary: x' 'AutoReqProv: no' "%description -n p$i" x \
			"%files -n p$i" "/usr/share/p$i"
		i=$((i + 1))
	done
	printf '%s\n' '%install' 'mkdir -p %{buildroot}/usr/share && cd %{buildroot}/usr/share' \
		'for f in 0 1 2 3 4 5 6 7 8; do mkdir -p d/d$f; touch d/d$f/a d/d$f/b d/d$f/c; done; touch d/a d/b d/c' \
		'i=0; while [ $i -lt 2000 ]; do cp -r d p$i; i=$((i+1)); done; rm -r d'
} >"$work/bench.spec"
rpmbuild -bb --quiet --define "_topdir $work/top" --define "_rpmdir $work/out" "$work/bench.spec" >"$work/log" 2>&1 ||
	{ cat "$work/log"; exit 1; }

run() { # run NAME MACRO RPM-OPTION...
	name=$1 macro=$2
	shift 2
	root="$work/root"
	rm -rf "$root"
	mkdir -p "$root"
	printf '%%__plugindir %s\n%%__transaction_kmp %s\n%%_dbpath /var/lib/rpm\n' "$work/plugins" "$macro" >"$HOME/.rpmmacros"
	find "$work/out" -name '*.rpm' -print0 |
		xargs -0 -s 2000000 env time -f "$name: %e s, %U s of CPU, %M KB" rpm --root "$root" --nosignature "$@" 2>&1 |
		grep -v '^rpm: '
}
for _ in 1 2 3; do
	run "test, without" '%{nil}' -i --test
	run "test, with   " '%{__plugindir}/kmp.so' -i --test
done
run "install, without" '%{nil}' -i
run "install, with   " '%{__plugindir}/kmp.so' -i
