// SPDX-License-Identifier: LGPL-2.1-or-later
//! modprobe.d(5): the files that count, and their lines.

use super::machine_policy::LIMIT;
use crate::conf_d::DropIns;
use crate::root::Root;

const MODPROBE_D: DropIns = DropIns::of(&[
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
]);

/// Each line, in modprobe's order. What cannot be read is left to modprobe to complain of.
pub(super) fn each_line(root: &Root, mut take: impl FnMut(&str)) {
    for file in MODPROBE_D.find(root).files {
        if let Ok(text) = root.read(&file, LIMIT) {
            let text = String::from_utf8_lossy(&text).replace("\\\n", "");
            text.lines().for_each(&mut take);
        }
    }
}
