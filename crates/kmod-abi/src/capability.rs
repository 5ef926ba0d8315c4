// SPDX-License-Identifier: LGPL-2.1-or-later
//! Symbol versions as packages state them: `ksym(FLAVOUR:SYMBOL) = CRC` (SUSE), `kernel(SYMBOL) = 0xCRC`
//! and `ksym(SYMBOL) = 0xCRC` (Red Hat).

use super::{Export, Licensing, SymbolTable, SymbolTableBuilder};

/// A capability that names a symbol and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymbolCapability<'c> {
    /// The flavour of kernel, in SUSE's form.
    pub flavour: Option<&'c str>,
    /// The symbol.
    pub symbol: &'c str,
    /// Its version.
    pub crc: u32,
}

impl<'c> SymbolCapability<'c> {
    /// Reads a capability's name and version; `None` for any other capability, SUSE's
    /// `kernel(FLAVOUR:SYMSET)` among them.
    pub fn parse(name: &'c str, version: &str) -> Option<Self> {
        let (kind, inner) = name.strip_suffix(')')?.split_once('(')?;
        let (flavour, symbol) = match inner.split_once(':') {
            Some((flavour, symbol)) => (Some(flavour), symbol),
            None => (None, inner),
        };
        if symbol.is_empty() || !(kind == "ksym" || (kind == "kernel" && flavour.is_none())) {
            return None;
        }
        let hex = version.strip_prefix("0x").unwrap_or(version);
        let crc = u32::from_str_radix(hex, 16).ok()?;
        Some(Self { flavour, symbol, crc })
    }
}

/// What a kernel exports according to its packages' Provides: names and versions, but not licences and namespaces. SUSE's
/// kernels list every symbol; Red Hat's may list only those of their stable list, so what is missing is unknown.
pub fn table<'c>(provides: impl IntoIterator<Item = SymbolCapability<'c>>) -> SymbolTable {
    let mut builder = SymbolTableBuilder::new();
    let mut complete = false;
    for SymbolCapability { flavour, symbol, crc } in provides {
        complete |= flavour.is_some() && symbol == "module_layout";
        let export = Export {
            crc: Some(crc),
            crc_known: true,
            exporter: "vmlinux",
            licensing: Licensing::Unknown,
            namespace: "",
        };
        builder.add(symbol, &export);
    }
    builder.finish(complete).unwrap_or_else(|_| SymbolTable::unknown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_distributions_forms_are_read() {
        let parsed = |n, v| SymbolCapability::parse(n, v).map(|c| (c.flavour, c.symbol, c.crc));
        assert_eq!(
            parsed("ksym(default:printk)", "27e1a049"),
            Some((Some("default"), "printk", 0x27e1_a049))
        );
        assert_eq!(parsed("ksym(default:x)", "1"), Some((Some("default"), "x", 1)));
        assert_eq!(parsed("kernel(printk)", "0x27e1a049"), Some((None, "printk", 0x27e1_a049)));
        assert_eq!(parsed("ksym(foo)", "0x00000001"), Some((None, "foo", 1)));
        // A set of symbols, a plain capability, a module.
        assert_eq!(parsed("kernel(default:drivers_net)", "1234abcd"), None);
        assert_eq!(parsed("kernel-uname-r", "6.4.0"), None);
        assert_eq!(parsed("kmod(foo.ko)", ""), None);
        assert_eq!(parsed("ksym(default:)", "1"), None);
    }

    #[test]
    fn a_table_with_module_layout_is_complete() {
        let capability = |symbol, flavour| SymbolCapability { flavour, symbol, crc: 7 };
        let suse = table([capability("module_layout", Some("default")), capability("a", Some("default"))]);
        assert!(suse.is_complete() && suse.get("a").is_some_and(|e| e.crc == Some(7)));
        assert!(!table([capability("module_layout", None)]).is_complete());
    }
}
