// SPDX-License-Identifier: LGPL-2.1-or-later
//! A kernel's symbol table, as `symvers.gz` and its kin hold it.

use std::collections::HashSet;
use std::fmt::Write as _;

use crate::module::MODULE_LAYOUT_CRC;
use crate::noise::Noise;
use crate::{Compression, compress};

/// One line of a symvers file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymversEntry {
    /// The CRC.
    pub crc: u32,
    /// The symbol.
    pub name: String,
    /// `vmlinux`, or the path of a module without `.ko`.
    pub exporter: String,
    /// `EXPORT_SYMBOL` or `EXPORT_SYMBOL_GPL`.
    pub kind: String,
    /// The namespace, or nothing.
    pub namespace: String,
}

/// How the lines are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Columns {
    /// CRC, symbol, exporter, type: up to Linux 5.3.
    Four,
    /// CRC, symbol, exporter, type, namespace: since Linux 5.6.
    #[default]
    Five,
    /// CRC, symbol, namespace, exporter, type: Linux 5.4 and 5.5.
    NamespaceThird,
}

/// A table of exported symbols.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Symvers {
    /// The lines, in order.
    pub entries: Vec<SymversEntry>,
    /// How they are laid out.
    pub columns: Columns,
}

impl Symvers {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an EXPORT_SYMBOL of vmlinux.
    pub fn vmlinux(self, name: &str, crc: u32) -> Self {
        self.add(crc, name, "vmlinux", false, "")
    }

    /// Adds an EXPORT_SYMBOL_GPL of vmlinux.
    pub fn vmlinux_gpl(self, name: &str, crc: u32) -> Self {
        self.add(crc, name, "vmlinux", true, "")
    }

    /// Adds an EXPORT_SYMBOL of a module, given by its path without `.ko`.
    pub fn module(self, exporter: &str, name: &str, crc: u32) -> Self {
        self.add(crc, name, exporter, false, "")
    }

    /// Adds any symbol.
    pub fn add(mut self, crc: u32, name: &str, exporter: &str, gpl: bool, namespace: &str) -> Self {
        self.entries.push(SymversEntry {
            crc,
            name: name.into(),
            exporter: exporter.into(),
            kind: if gpl { "EXPORT_SYMBOL_GPL" } else { "EXPORT_SYMBOL" }.into(),
            namespace: namespace.into(),
        });
        self
    }

    /// Sets the layout.
    pub fn columns(mut self, columns: Columns) -> Self {
        self.columns = columns;
        self
    }

    /// The CRC of a symbol that is in the table.
    pub fn crc(&self, name: &str) -> Option<u32> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| entry.crc)
    }

    /// A table of `count` symbols like a distribution kernel's: most in vmlinux, most GPL, some in namespaces.
    /// `module_layout` is the first, with [`MODULE_LAYOUT_CRC`].
    pub fn generate(count: usize, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let mut seen = HashSet::from(["module_layout".to_owned()]);
        let mut table = Self::new().vmlinux("module_layout", MODULE_LAYOUT_CRC);
        while table.entries.len() < count {
            let subsystem = noise.pick(SUBSYSTEMS);
            let name = match noise.below(8) {
                0 => format!("{}_{}", subsystem.0, noise.pick(VERBS)),
                1 => format!("__{}_{}_{}", subsystem.0, noise.pick(VERBS), noise.pick(NOUNS)),
                2 => format!(
                    "{}_{}_{}_{}",
                    subsystem.0,
                    noise.pick(NOUNS),
                    noise.pick(VERBS),
                    noise.pick(NOUNS)
                ),
                3 => format!("{}{}_{}", subsystem.0, noise.below(1000), noise.pick(VERBS)),
                _ => format!("{}_{}_{}", subsystem.0, noise.pick(NOUNS), noise.pick(VERBS)),
            };
            // The pools are finite: a number keeps the last names apart.
            let name = if seen.contains(&name) { format!("{name}_{:x}", noise.below(4096)) } else { name };
            if !seen.insert(name.clone()) {
                continue;
            }
            let in_module = !subsystem.1.is_empty() && noise.chance(0.6);
            let exporter = if in_module {
                format!("{}/{}_{}", subsystem.1, subsystem.0, noise.pick(NOUNS))
            } else {
                "vmlinux".to_owned()
            };
            let gpl = noise.chance(0.65);
            let namespace = if noise.chance(0.04) { subsystem.0.to_ascii_uppercase() } else { String::new() };
            // Never 0: that stands for "no CRC".
            let crc = u32::try_from(noise.next() >> 32).expect("32 bits").max(1);
            table = table.add(crc, &name, &exporter, gpl, &namespace);
        }
        table
    }

    /// The same table in a later kernel: `share` (0.0 to 1.0) of the CRCs differ. `module_layout` stays.
    pub fn changed(&self, share: f64, seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let mut table = self.clone();
        for entry in table.entries.iter_mut().filter(|entry| entry.name != "module_layout") {
            let (changes, crc) = (noise.chance(share), u32::try_from(noise.next() >> 32).expect("32 bits"));
            if changes {
                entry.crc = if crc == entry.crc { crc ^ 1 } else { crc }.max(1);
            }
        }
        table
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(self.entries.len() * 64);
        for SymversEntry { crc, name, exporter, kind, namespace } in &self.entries {
            let written = match self.columns {
                Columns::Four => writeln!(text, "0x{crc:08x}\t{name}\t{exporter}\t{kind}"),
                Columns::Five => writeln!(text, "0x{crc:08x}\t{name}\t{exporter}\t{kind}\t{namespace}"),
                Columns::NamespaceThird => {
                    writeln!(text, "0x{crc:08x}\t{name}\t{namespace}\t{exporter}\t{kind}")
                }
            };
            written.expect("a String takes everything");
        }
        text
    }

    /// The file's bytes, compressed.
    pub fn to_bytes(&self, compression: Compression) -> Vec<u8> {
        compress(self.to_text().as_bytes(), compression)
    }
}

/// Prefixes of symbols, and the directory of the modules that export some of them.
const SUBSYSTEMS: &[(&str, &str)] = &[
    ("acpi", ""),
    ("ata", "drivers/ata"),
    ("blk", ""),
    ("bio", ""),
    ("crypto", "crypto"),
    ("cfg80211", "net/wireless"),
    ("clk", ""),
    ("debugfs", ""),
    ("devm", ""),
    ("dma", ""),
    ("drm", "drivers/gpu/drm"),
    ("ext4", "fs/ext4"),
    ("fscrypt", ""),
    ("gpiod", ""),
    ("hid", "drivers/hid"),
    ("i2c", "drivers/i2c"),
    ("ib", "drivers/infiniband/core"),
    ("iommu", ""),
    ("irq", ""),
    ("kvm", "arch/x86/kvm"),
    ("md", "drivers/md"),
    ("mlx5", "drivers/net/ethernet/mellanox/mlx5/core"),
    ("mmc", "drivers/mmc/core"),
    ("nf", "net/netfilter"),
    ("nvme", "drivers/nvme/host"),
    ("pci", ""),
    ("phy", "drivers/net/phy"),
    ("regmap", ""),
    ("scsi", "drivers/scsi"),
    ("skb", ""),
    ("snd_soc", "sound/soc"),
    ("spi", "drivers/spi"),
    ("tcp", ""),
    ("usb", "drivers/usb/core"),
    ("v4l2", "drivers/media/v4l2-core"),
    ("vfs", ""),
    ("virtio", "drivers/virtio"),
    ("xfrm", "net/xfrm"),
];
const NOUNS: &[&str] = &[
    "buffer", "bus", "cache", "channel", "ctrl", "desc", "device", "dma", "driver", "endpoint", "entry",
    "event", "fence", "frame", "group", "handle", "host", "inode", "key", "link", "list", "lock", "mode",
    "msg", "node", "ops", "page", "pool", "port", "queue", "range", "request", "ring", "state", "table",
    "timer",
];
const VERBS: &[&str] = &[
    "add",
    "alloc",
    "attach",
    "bind",
    "clear",
    "complete",
    "create",
    "destroy",
    "disable",
    "enable",
    "exit",
    "find",
    "free",
    "get",
    "init",
    "lookup",
    "map",
    "probe",
    "put",
    "read",
    "register",
    "release",
    "remove",
    "reset",
    "resume",
    "set",
    "start",
    "stop",
    "submit",
    "suspend",
    "sync",
    "unmap",
    "unregister",
    "update",
    "wait",
    "write",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_columns_of_their_time() {
        let table = Symvers::new().vmlinux("printk", 0x1f).add(2, "x", "drivers/a/b", true, "NS");
        assert_eq!(
            table.to_text(),
            "0x0000001f\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n0x00000002\tx\tdrivers/a/b\tEXPORT_SYMBOL_GPL\tNS\n"
        );
        assert_eq!(
            table.clone().columns(Columns::Four).to_text(),
            "0x0000001f\tprintk\tvmlinux\tEXPORT_SYMBOL\n0x00000002\tx\tdrivers/a/b\tEXPORT_SYMBOL_GPL\n"
        );
        assert!(table.columns(Columns::NamespaceThird).to_text().contains("x\tNS\tdrivers/a/b\t"));
    }

    #[test]
    fn generated_tables_are_repeatable_and_change_by_their_share() {
        let table = Symvers::generate(24_000, 1);
        assert_eq!(table.entries.len(), 24_000);
        assert_eq!(table, Symvers::generate(24_000, 1));
        let names: HashSet<&str> = table.entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(names.len(), 24_000);
        for (share, range) in [(0.0, 0..=0), (0.5, 11_500..=12_500), (1.0, 23_999..=23_999)] {
            let later = table.changed(share, 2);
            let differ = table.entries.iter().zip(&later.entries).filter(|(a, b)| a.crc != b.crc).count();
            assert!(range.contains(&differ), "{share}: {differ}");
        }
    }
}
