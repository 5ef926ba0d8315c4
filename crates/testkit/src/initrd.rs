// SPDX-License-Identifier: LGPL-2.1-or-later
//! Stand-ins for programs that make initrds: scripts that need no program but the shell.

/// An archive of cpio's with nothing in it, as a format of the shell's `printf`.
fn empty_archive() -> String {
    format!("070701{:032}{:08}{:048}0000000b{:08}TRAILER!!!\\000\\000\\000\\000", 0, 1, 0, 0)
}

/// Lines for a script that is called as dracut, mkosi-initrd or sdbootutil: they write initrds with nothing in them to where
/// these do, and answer `sdbootutil show-entry`.
pub fn makes_empty_initrds() -> String {
    let archive = empty_archive();
    format!(
        "make() {{ printf '{archive}' >\"$1\"; }}\n\
         for last; do :; done\n\
         case \" $* \" in\n\
         *' --regenerate-all '* | *' add-all-kernels '*)\n\
         \x20   for kernel in /lib/modules/*; do make \"/boot/initrd-${{kernel##*/}}\"; done ;;\n\
         *' --kver '* | *' -o '* | *' add-kernel '*) make \"/boot/initrd-${{last#initrd-}}\" ;;\n\
         *' show-entry '*) [ ! -e \"/boot/initrd-$last\" ] || echo \"initrd /initrd-$last\" ;;\n\
         *' -f '*) while [ \"$1\" != -f ]; do shift; done; make \"$2\" ;;\n\
         esac\n"
    )
}
