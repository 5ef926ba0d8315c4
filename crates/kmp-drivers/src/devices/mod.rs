// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which devices there are, and which drivers are for each.

mod drivers;
mod names;
mod sysfs;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use kmp_core::abi::modalias;
use kmp_core::in_use::InUse;
use kmp_core::index::listed::aliases;
use kmp_core::root::Root;

pub use drivers::{Claimant, Drivers, InTree, least, word};
pub use names::Names;
pub use sysfs::{Device, devices};

/// A kernel's `modules.alias` has a megabyte or two.
const LIMIT: u64 = 64 << 20;

/// More aliases of one list are left out.
const MOST: usize = 1 << 20;

/// Patterns of aliases, and who has each: a module, or something else with a number.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// By what comes before the first colon. What has no plain text there may fit any.
    by_bus: HashMap<String, Vec<(String, usize)>>,
    any: Vec<(String, usize)>,
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    count: usize,
}

impl Claims {
    /// Those in a kernel's index (`modules.alias`); none where it has no index.
    pub fn of_kernel(root: &Root, dir: &Path) -> Self {
        let mut claims = Self::default();
        let text = root.read_if_there(&dir.join("modules.alias"), LIMIT).ok().flatten().unwrap_or_default();
        for (pattern, module) in aliases(&text) {
            claims.add(&String::from_utf8_lossy(pattern), &String::from_utf8_lossy(module));
        }
        claims
    }

    /// Adds a pattern of somebody's.
    pub fn add(&mut self, pattern: &str, name: &str) {
        self.count += 1;
        if self.count > MOST {
            return;
        }
        let number = *self.numbers.entry(name.to_string()).or_insert_with(|| {
            self.names.push(name.to_string());
            self.names.len() - 1
        });
        let bus = modalias::bus(pattern);
        let entry = (pattern.to_string(), number);
        // `-` and `_` are the same to libkmod.
        match bus.contains(['*', '?', '[', '\\']) || bus == pattern {
            true => self.any.push(entry),
            false => self.by_bus.entry(bus.replace('-', "_")).or_default().push(entry),
        }
    }

    /// Who claims a device.
    pub fn of(&self, alias: &str) -> BTreeSet<&str> {
        let own = self.by_bus.get(&modalias::bus(alias).replace('-', "_"));
        let patterns = own.into_iter().flatten().chain(&self.any);
        let fitting = patterns.filter(|(pattern, _)| modalias::claims(pattern, alias));
        fitting.map(|(_, number)| self.names[*number].as_str()).collect()
    }
}

/// What a device is needed for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NeededFor {
    /// The root file system is on it.
    pub root: bool,
    /// Without it there is no default route.
    pub network: bool,
    /// Without it no console is left.
    pub console: bool,
}

impl NeededFor {
    /// By the module of its driver.
    pub fn of(device: &Device, in_use: &InUse) -> Self {
        let used = device.module.as_deref().map(|module| in_use.of(module)).unwrap_or_default();
        Self { root: used.holds_root, network: used.holds_network, console: used.holds_console }
    }

    /// The words for it: `root`, `network`, `console`.
    pub fn words(self) -> Vec<&'static str> {
        let all = [(self.root, "root"), (self.network, "network"), (self.console, "console")];
        all.into_iter().filter_map(|(is_needed, word)| is_needed.then_some(word)).collect()
    }
}

/// Devices of one kind: the same alias and driver. A machine has many of some.
pub fn grouped<'d>(devices: &[&'d Device]) -> Vec<Vec<&'d Device>> {
    let mut order: Vec<Vec<&Device>> = Vec::new();
    let mut known: BTreeMap<(&str, Option<&str>), usize> = BTreeMap::new();
    for device in devices {
        let place = *known.entry((&device.modalias, device.driver.as_deref())).or_insert_with(|| {
            order.push(Vec::new());
            order.len() - 1
        });
        order[place].push(device);
    }
    order
}

#[cfg(test)]
mod tests {
    use testkit::TestRoot;

    use super::*;

    #[test]
    fn devices_are_found_with_bus_driver_and_module() {
        let root = TestRoot::new();
        let pci = "sys/devices/pci0000:00/0000:00:19.0";
        root.write(format!("{pci}/modalias"), "pci:v00008086d000010D3sv\n");
        root.symlink(format!("{pci}/subsystem"), "../../../bus/pci");
        root.symlink(format!("{pci}/driver"), "../../../bus/pci/drivers/e1000e");
        root.symlink("sys/bus/pci/drivers/e1000e/module", "../../../../module/e1000e-x");
        root.mkdir("sys/module/e1000e-x");
        let usb = "sys/devices/pci0000:00/usb1/1-1";
        root.write(format!("{usb}/manufacturer"), "Acme\n");
        root.write(format!("{usb}/product"), "Cam\x1b[2J\n");
        root.write(format!("{usb}/1-1:1.0/modalias"), "usb:v0B95p178Ad0100");
        root.symlink(format!("{usb}/1-1:1.0/subsystem"), "../../../../../bus/usb");
        // In uevent alone; not followed; empty; memory.
        root.write("sys/devices/ssb0/uevent", "DEVTYPE=x\nMODALIAS=ssb:v4243id0812rev0D\n");
        root.symlink("sys/devices/loop", "/sys/devices");
        root.write("sys/devices/none/modalias", "\n");
        root.write("sys/devices/system/memory/memory0/modalias", "x:y");
        let opened = Root::open(&root.path()).unwrap();
        let found = devices(&opened).unwrap();
        let texts: Vec<_> =
            found.iter().map(|d| (d.bus.as_str(), d.driver.as_deref(), d.module.as_deref())).collect();
        assert_eq!(
            texts,
            [("pci", Some("e1000e"), Some("e1000e_x")), ("usb", None, None), ("ssb", None, None)]
        );
        assert_eq!(found[1].says.as_deref(), Some("Acme Cam\\x1b[2J"));
        assert_eq!(devices(&Root::open(&TestRoot::new().path()).unwrap()).unwrap(), []);
        let all: Vec<&Device> = found.iter().chain(&found[..1]).collect();
        assert_eq!(grouped(&all).iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1]);
    }

    #[test]
    fn modules_claim_devices_by_their_patterns() {
        let root = TestRoot::new();
        let aliases = "# c\nalias pci:v00008086d*sv*sd*bc*sc*i* e1000e\nalias of:N*T*Cacme,cam* cam\nalias * any\nalias x y z\nalias fs-ext4 ext4\n";
        root.write("usr/lib/modules/1/modules.alias", aliases);
        let opened = Root::open(&root.path()).unwrap();
        let claims = Claims::of_kernel(&opened, Path::new("/usr/lib/modules/1"));
        let of = |alias: &str| claims.of(alias).into_iter().collect::<Vec<_>>();
        assert_eq!(of("pci:v00008086d000010D3sv1sd1bc02sc00i00"), ["any", "e1000e"]);
        assert_eq!(of("of:NcamT(null)Cacme,cam2"), ["any", "cam"]);
        assert_eq!(of("fs_ext4"), ["any", "ext4"]);
        assert_eq!(Claims::of_kernel(&opened, Path::new("/usr/lib/modules/2")).of("pci:v"), BTreeSet::new());
    }
}
