#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# After a kernel was built, by whatever builds it: post-build.sh OLD NEW REGISTRY OUT
# OLD and NEW are kernels as kmp-kabi(8) takes them, OUT is kept from one build to the next: a message that is there
# already is not sent again. SENDMAIL sends one from its standard input; the default is sendmail -t.
set -eu
[ $# -eq 4 ] || { echo "usage: post-build.sh OLD NEW REGISTRY OUT" >&2; exit 2; }
old=$1 new=$2 registry=$3 out=$4
mkdir -p "$out"
status=0
kmp registry lint --registry "$registry"
kmp registry check --quiet --registry "$registry" --old "$old" --new "$new" --out "$out" || status=$?
[ "$status" -le 1 ] || exit "$status"
# A message is sent once: what was sent has a mark beside it.
find "$out" -name '*.eml' | sort | while read -r message; do
    [ -e "$message.sent" ] || {
        ${SENDMAIL:-/usr/sbin/sendmail -t} <"$message"
        : >"$message.sent"
    }
done
kmp rebuild-list --for plain --registry "$registry" --new "$new" >"$out/rebuild.txt" || [ $? -eq 1 ]
exit "$status"
