#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds what a dkms.conf says, as dkms would: KERNEL_TREE SOURCE DESTINATION. Written by kmp new; dkms is not needed.
# shellcheck disable=SC2034,SC2153  # dkms.conf reads these variables, and assigns those.
set -e
kernel_source_dir=$1 source=$2 destination=$3
release=$kernel_source_dir/include/generated/utsrelease.h
if [ -e "$release" ]; then
    kernelver=$(sed -n 's/.*"\(.*\)".*/\1/p' "$release")
else
    kernelver=$(cat "$kernel_source_dir/include/config/kernel.release")
fi
arch=$(uname -m) kernel_version=$kernelver
dkms_tree=$destination.dkms source_tree=$(dirname "$source")
conf=$source/dkms.conf
# They are named in dkms.conf before they are assigned, in some.
name() { sed -n "s/^ *$1=[\"']\{0,1\}\([^\"' ]*\).*/\1/p" "$conf" | head -n 1; }
module=$(name PACKAGE_NAME) module_version=$(name PACKAGE_VERSION)
# shellcheck source=/dev/null
. "$conf"
build=$dkms_tree/$PACKAGE_NAME/$PACKAGE_VERSION/build
rm -rf "$destination" "$dkms_tree"
mkdir -p "$destination" "$build"
cp -a "$source/." "$build"
cd "$build"
export kernelver kernel_source_dir arch
# A number in brackets counts one thing of several; a pattern says for which kernels it is.
for i in "${!PATCH[@]}"; do
    if [ -z "${PATCH_MATCH[$i]}" ] || [[ $kernelver =~ ${PATCH_MATCH[$i]} ]]; then
        patch -p1 <"patches/${PATCH[$i]}"
    fi
done
if [ -n "$PRE_BUILD" ]; then
    eval "./$PRE_BUILD"
fi
make=${MAKE[0]}
for i in "${!MAKE[@]}"; do
    if [ -n "${MAKE_MATCH[$i]}" ] && [[ $kernelver =~ ${MAKE_MATCH[$i]} ]]; then
        make=${MAKE[$i]}
    fi
done
: "${make:=make -C $kernel_source_dir M=$build}"
# dkms passes the release, too. Types for BPF programs would need the kernel's vmlinux.
case $make in
make | make\ * | "'make'"*)
    make=${make#\'make\'} make=${make#make}
    make="make KERNELRELEASE=$kernelver CONFIG_DEBUG_INFO_BTF_MODULES= $make"
    ;;
esac
eval "$make"
: "${BUILT_MODULE_NAME[0]:=$PACKAGE_NAME}"
for i in "${!BUILT_MODULE_NAME[@]}"; do
    built=${BUILT_MODULE_LOCATION[$i]:-.}/${BUILT_MODULE_NAME[$i]}.ko
    cp "$built" "$destination/${DEST_MODULE_NAME[$i]:-${BUILT_MODULE_NAME[$i]}}.ko"
done
