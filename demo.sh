#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The demo, for a machine on which nothing is known yet: cargo cannot say that a C compiler is missing before it has one.
need() {
    command -v "$1" >/dev/null && return
    echo "$2 is needed ($1 is not installed). Please install it, then try again:" >&2
    echo "    Debian:   apt-get install $3" >&2
    echo "    openSUSE: zypper install $4" >&2
    echo "    Fedora:   dnf install $5" >&2
    exit 1
}
need cc 'A C compiler' 'gcc libc6-dev' gcc gcc
need cargo 'Rust 1.88 or later' 'cargo, or by rustup.rs' cargo cargo
cd "$(dirname "$0")" && exec cargo xtask demo
