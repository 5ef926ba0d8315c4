#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Makes ROOT ($1) with an rpm database of 3,000 packages of a few files, 20 KMPs, and one package of 10,000 files.
set -eu
root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$root"
root=$(cd "$root" && pwd)

{
	cat <<'HEAD'
Name: bench
Version: 1
Release: 1
Summary: x
License: MIT
BuildArch: noarch
AutoReqProv: no
%global __os_install_post %{nil}
%global debug_package %{nil}
%define _binary_payload w0.gzdio
%description
x
%install
cd %{buildroot} || { mkdir -p %{buildroot}; cd %{buildroot}; }
i=0
while [ $i -lt 3000 ]; do
	mkdir -p usr/share/doc/p$i usr/share/p$i/sub usr/lib/p
	touch usr/share/doc/p$i/README usr/share/p$i/a usr/share/p$i/b usr/share/p$i/sub/c usr/lib/p/libp$i.so
	i=$((i+1))
done
i=0
while [ $i -lt 100 ]; do
	mkdir -p usr/src/linux/d$i
	(cd usr/src/linux/d$i && seq -f f%%g 100 | xargs touch)
	i=$((i+1))
done
i=0
while [ $i -lt 20 ]; do
	mkdir -p usr/lib/modules/6.4.0-$i-default/updates
	touch usr/lib/modules/6.4.0-$i-default/updates/drv$i.ko usr/lib/modules/6.4.0-$i-default/updates/aux$i.ko
	i=$((i+1))
done
%package -n big
Summary: x
%description -n big
x
%files -n big
/usr/src/linux
HEAD
	awk 'BEGIN {
		for (i = 0; i < 3000; i++)
			print "%package -n p" i "\nSummary: x\n%description -n p" i "\nx\n%files -n p" i \
				"\n/usr/share/doc/p" i "\n/usr/share/p" i "\n/usr/lib/p/libp" i ".so"
		for (i = 0; i < 20; i++) {
			n = "drv" i "-kmp-default"
			print "%package -n " n "\nVersion: 1.0_k6.4.0_" i "\nSummary: x"
			for (j = 0; j < 50; j++) print "Provides: ksym(default:sym" i "_" j ") = deadbeef"
			print "%description -n " n "\nx\n%files -n " n "\n/usr/lib/modules/6.4.0-" i "-default/updates"
		}
	}'
} >"$work/bench.spec"

rpmbuild -bb --quiet --define "_topdir $work" "$work/bench.spec"
rpm --root "$root" --dbpath /var/lib/rpm -i --justdb --nodeps --nosignature "$work"/RPMS/noarch/*.rpm
