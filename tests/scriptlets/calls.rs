// SPDX-License-Identifier: LGPL-2.1-or-later
//! Programs that would touch a machine: stand-ins that note their calls in `/calls`, and what they note.

/// A shell script that notes its name and each argument in brackets, and then does this.
pub fn noting(then: &str) -> String {
    format!(
        "#!/bin/sh\ncall=${{0##*/}}\nfor word; do call=\"$call [$word]\"; done\n\
         printf '%s\\n' \"$call\" >> /calls\n{then}\n"
    )
}

/// The generator's call for a kernel's initrd.
pub fn dracut(krel: &str) -> String {
    format!("dracut [-f] [--kver] [{krel}]")
}

/// The boot loader's call for a kernel of flavour `default`.
pub fn entry(verb: &str, krel: &str) -> String {
    format!("bootloader_entry [{verb}] [default] [{krel}] [vmlinuz-{krel}] [initrd-{krel}]")
}
