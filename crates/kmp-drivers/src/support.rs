// SPDX-License-Identifier: LGPL-2.1-or-later
//! Who supports modules, and how they taint the kernel. Pure, but for [`Loaded::read`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use kmp_core::abi::{KernelConfig, Module, SignatureState, Supported};
use kmp_core::dialect::Dialect;
use kmp_core::root::Root;

/// A taint: the bit in `/proc/sys/kernel/tainted`, its letter, and what it says (`Documentation/admin-guide/tainted-kernels.rst`).
type Taint = (u32, char, &'static str);

/// Those that all kernels have, in the order of their bits.
const TAINTS: &[Taint] = &[
    (0, 'P', "a proprietary module was loaded"),
    (1, 'F', "a module was loaded by force"),
    (2, 'S', "the system is out of specification"),
    (3, 'R', "a module was unloaded by force"),
    (4, 'M', "the processor reported a machine check"),
    (5, 'B', "a bad page was found"),
    (6, 'U', "a user asked for it"),
    (7, 'D', "the kernel died before"),
    (8, 'A', "an ACPI table was overridden"),
    (9, 'W', "the kernel warned before"),
    (10, 'C', "a staging driver was loaded"),
    (11, 'I', "a firmware bug was worked around"),
    (12, 'O', "a module from outside the kernel's sources was loaded"),
    (13, 'E', "a module without a valid signature was loaded"),
    (14, 'L', "a soft lockup occurred"),
    (15, 'K', "the kernel was live-patched"),
    (17, 'T', "the kernel was built with randomised structures"),
];

/// What a bit says where it is the distribution's own: SUSE's for support, and Red Hat's from 26 on; but for SUSE 16 is for the
/// distributor's use, and 18 is a test's.
const SUSE: &[Taint] = &[
    (16, 'X', "a module with external support was loaded"),
    (30, 'N', "a module without support was loaded"),
    (31, 'N', "a module without support was loaded"),
];
const RED_HAT: &[Taint] = &[
    (16, 'X', "the distributor's own mark is set"),
    (18, 'N', "a test of the kernel was run in it"),
    (26, 'p', "a module with a partner's support was loaded"),
    (27, 'r', "hardware is in use whose support was removed"),
    (28, 'H', "hardware is in use that was never supported"),
    (29, 'T', "a technology preview is in use"),
];

/// The taints in a number from `/proc/sys/kernel/tainted`: letters, and what they say. A bit of which nothing is known has `?`.
pub fn taints(number: u64, dialect: Dialect) -> Vec<(char, Cow<'static, str>)> {
    let own = match dialect {
        Dialect::Suse => SUSE,
        Dialect::RedHat => RED_HAT,
    };
    let taint = |at: u32| {
        let known = TAINTS.iter().chain(own).find(|(bit, ..)| *bit == at);
        known.map_or_else(
            || ('?', Cow::from(format!("bit {at} is set, of which nothing is known"))),
            |(_, letter, what)| (*letter, Cow::from(*what)),
        )
    };
    (0..u64::BITS).filter(|bit| number >> bit & 1 != 0).map(taint).collect()
}

/// The letters by which a module taints a kernel when it is loaded. Whether the kernel knows the key of its signature is not looked
/// at: `E` is there for modules without any.
pub fn would_set(module: &Module, config: &KernelConfig) -> String {
    let is_signed = matches!(module.signature, SignatureState::Signed(_));
    [
        ('P', !module.is_gpl()),
        ('O', !module.is_in_tree),
        ('E', config.signatures && !is_signed),
        ('X', config.suse_support && module.supported == Supported::External),
        ('N', config.suse_support && module.supported == Supported::No),
    ]
    .into_iter()
    .filter_map(|(letter, is_set)| is_set.then_some(letter))
    .collect()
}

/// What is loaded now, and how the kernel is tainted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The number in `/proc/sys/kernel/tainted`.
    pub tainted: Option<u64>,
    /// Modules that are loaded, `_` for `-`, and the letters by which each has tainted the kernel.
    pub modules: BTreeMap<String, String>,
}

impl Loaded {
    /// More of a file is not read.
    const LIMIT: u64 = 4 << 20;

    /// Reads `/proc` below a root; nothing where it is not that of a running system.
    pub fn read(root: &Root) -> Self {
        let text = |path: &str| {
            let bytes = root.read_if_there(Path::new(path), Self::LIMIT).ok().flatten();
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        // `cam 16384 0 - Live 0x0000000000000000 (OE)`
        let module = |line: &str| {
            let mut words = line.split_ascii_whitespace();
            let name = words.next()?.replace('-', "_");
            let letters = words.last().and_then(|last| last.strip_prefix('(')?.strip_suffix(')'));
            // `+` and `-`: it comes or goes.
            let letters = letters.unwrap_or_default().chars().filter(char::is_ascii_uppercase);
            Some((name, letters.collect()))
        };
        Self {
            tainted: text("/proc/sys/kernel/tainted").trim().parse().ok(),
            modules: text("/proc/modules").lines().filter_map(module).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use testkit::TestRoot;

    use super::*;

    #[test]
    fn the_same_bit_is_another_thing_in_another_distribution() {
        let letters =
            |number, dialect| taints(number, dialect).iter().map(|(letter, _)| *letter).collect::<String>();
        let number = 1 | 1 << 12 | 1 << 16 | 1 << 18 | 1 << 31;
        assert_eq!(letters(number, Dialect::Suse), "POX?N");
        assert_eq!(letters(number, Dialect::RedHat), "POXN?");
        assert_eq!(letters(15 << 26, Dialect::RedHat), "prHT");
        let unknown = taints(1 << 62, Dialect::Suse);
        assert_eq!(unknown, [('?', "bit 62 is set, of which nothing is known".into())]);
        assert_eq!(letters(0, Dialect::Suse), "");
    }

    #[test]
    fn what_is_loaded_has_its_letters() {
        let root = TestRoot::new();
        root.write("proc/sys/kernel/tainted", "12288\n");
        root.write("proc/modules", "cam-x 16384 0 - Live 0x0 (OE+)\next4 1 1 jbd2,x, Live 0x0\n\n");
        let loaded = Loaded::read(&Root::open(&root.path()).unwrap());
        assert_eq!(loaded.tainted, Some(12288));
        let modules: Vec<_> = loaded.modules.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(modules, [("cam_x", "OE"), ("ext4", "")]);
        assert_eq!(Loaded::read(&Root::open(&TestRoot::new().path()).unwrap()), Loaded::default());
    }
}
