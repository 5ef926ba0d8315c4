// SPDX-License-Identifier: LGPL-2.1-or-later
//! What the running system needs modules for: cheaply, by `/proc` and `/sys`.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::abi::name::normalized;
use crate::guard::Use;
use crate::problem::Problem;
use crate::root::{DirEntry, Root};

/// More of a file in `/proc` is not read.
const LIMIT: u64 = 1 << 22;

/// Devices upon devices (dm, md, bonds, bridges), at most.
const DEPTH: usize = 16;

/// Names of modules, `_` for `-`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InUse {
    loaded: HashSet<String>,
    root: HashSet<String>,
    network: HashSet<String>,
    console: HashSet<String>,
    /// What could not be looked at; more than is known here may be in use then.
    pub unread: Vec<Problem>,
}

impl InUse {
    /// Looks below `root` where that is the running system's; what is loaded here is loaded for no other root.
    pub fn of_running(root: &Root, is_running: bool) -> Self {
        if is_running { Self::load(root) } else { Self::default() }
    }

    /// Looks below `root`, which is the running system's.
    pub fn load(root: &Root) -> Self {
        let sys = Sys { root, unread: RefCell::default() };
        let text = |path: &str| {
            let path = Path::new(path);
            let bytes = sys.known(path, root.read_if_there(path, LIMIT)).flatten();
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        let loaded = text("/proc/modules");
        let loaded = loaded.lines().filter_map(|line| line.split(' ').next()).map(normalized).collect();
        let holding_root = sys.root_modules(&text("/proc/self/mountinfo"));
        let network = sys.network_modules(&text("/proc/net/route"), &text("/proc/net/ipv6_route"));
        let console = sys.console_modules(&text("/sys/class/tty/console/active"));
        Self { loaded, root: holding_root, network, console, unread: sys.unread.take() }
    }

    /// What a module (`_` for `-`) is needed for. One that is not loaded is needed for nothing.
    pub fn of(&self, module: &str) -> Use {
        let is_loaded = self.loaded.contains(module);
        Use {
            is_loaded,
            holds_root: is_loaded && self.root.contains(module),
            holds_network: is_loaded && self.network.contains(module),
            holds_console: is_loaded && self.console.contains(module),
        }
    }
}

struct Sys<'s> {
    root: &'s Root,
    unread: RefCell<Vec<Problem>>,
}

impl Sys<'_> {
    /// What was found, if something was; where the system could not look it is noted.
    fn known<T>(&self, path: &Path, found: io::Result<T>) -> Option<T> {
        let note = |e: &io::Error| {
            let problem = Problem::unreadable(self.root.display(path), e);
            self.unread.borrow_mut().extend(Some(problem).filter(|p| p.is_unread));
        };
        found.inspect_err(note).ok()
    }

    fn canonicalize(&self, path: &Path) -> Option<PathBuf> {
        self.known(path, self.root.canonicalize(path))
    }

    fn read_dir(&self, path: &Path) -> Vec<DirEntry> {
        self.known(path, self.root.read_dir(path)).unwrap_or_default()
    }

    /// The file system's module of `/`, and those of the devices that it is on.
    fn root_modules(&self, mountinfo: &str) -> HashSet<String> {
        // `36 35 98:0 / / rw,noatime shared:1 - ext4 /dev/sda1 rw`; the last one mounted there is seen.
        let mount = mountinfo.lines().rev().find_map(|line| {
            let (mount, system) = line.split_once(" - ")?;
            let mount: Vec<&str> = mount.split(' ').collect();
            let system: Vec<&str> = system.split(' ').collect();
            (*mount.get(4)? == "/").then_some((mount[2].to_string(), *system.first()?, *system.get(1)?))
        });
        let Some((number, kind, source)) = mount else { return HashSet::new() };
        let mut modules = HashSet::from([normalized(kind)]);
        // Some file systems have a number of their own that is no device's.
        let device = match number.strip_prefix("0:") {
            None => Some(Path::new("/sys/dev/block").join(number)),
            Some(_) => self
                .canonicalize(Path::new(source))
                .and_then(|device| Some(Path::new("/sys/class/block").join(device.file_name()?))),
        };
        if let Some(device) = device {
            modules.extend(self.below(&device, "slaves", DEPTH));
        }
        modules
    }

    /// The modules without which no default route is left.
    fn network_modules(&self, v4: &str, v6: &str) -> HashSet<String> {
        let mut interfaces: HashSet<&str> = HashSet::new();
        for line in v4.lines().skip(1) {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            if words.get(1) == Some(&"00000000") && words.get(7) == Some(&"00000000") {
                interfaces.extend(words.first());
            }
        }
        for line in v6.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let is_default =
                words.first().is_some_and(|to| to.bytes().all(|b| b == b'0')) && words.get(1) == Some(&"00");
            interfaces.extend(words.last().filter(|name| is_default && **name != "lo"));
        }
        let of_each =
            interfaces.into_iter().map(|name| self.interface(&Path::new("/sys/class/net").join(name), DEPTH));
        all_need(of_each)
    }

    /// The modules without which no console is left: `tty0 ttyS0`, of which the first is on every screen.
    fn console_modules(&self, active: &str) -> HashSet<String> {
        let is_nth = |name: &str, kind: &str| {
            name.strip_prefix(kind).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()))
        };
        let of_all =
            |devices: &[PathBuf]| all_need(devices.iter().map(|device| self.below(device, "slaves", 0)));
        let of_each = active.split_ascii_whitespace().map(|name| match name {
            screen if is_nth(screen, "tty") => of_all(&self.screens()),
            // A hypervisor's console hangs on no device; one by virtio is at a port (drivers/char/virtio_console.c).
            hypervisor if is_nth(hypervisor, "hvc") => of_all(&self.virtio_ports()),
            _ => self.below(&Path::new("/sys/class/tty").join(name), "slaves", 0),
        });
        all_need(of_each)
    }

    fn virtio_ports(&self) -> Vec<PathBuf> {
        let class = Path::new("/sys/class/virtio-ports");
        self.read_dir(class).into_iter().map(|entry| class.join(entry.name)).collect()
    }

    /// Frame buffers, and graphics cards but for their connectors (`card0-HDMI-A-1`).
    fn screens(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for (class, start) in [("/sys/class/graphics", "fb"), ("/sys/class/drm", "card")] {
            for entry in self.read_dir(Path::new(class)) {
                let name = entry.name.to_str().and_then(|name| name.strip_prefix(start)).unwrap_or_default();
                if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) {
                    found.push(Path::new(class).join(entry.name));
                }
            }
        }
        found
    }

    /// The modules without which an interface is of no use: its own, and those that all it is made of need.
    fn interface(&self, path: &Path, depth: usize) -> HashSet<String> {
        let Some(path) = self.canonicalize(path) else { return HashSet::new() };
        let mut modules = self.drivers(&path);
        let entries = self.read_dir(&path);
        let lower = entries.iter().filter(|e| e.name.as_encoded_bytes().starts_with(b"lower_"));
        let lower: Vec<PathBuf> = lower.map(|e| path.join(&e.name)).collect();
        if depth > 0 {
            modules.extend(all_need(lower.iter().map(|path| self.interface(path, depth - 1))));
        }
        modules
    }

    /// The modules of a device, and of those that it is made of.
    fn below(&self, device: &Path, parts: &str, depth: usize) -> HashSet<String> {
        let Some(device) = self.canonicalize(device) else { return HashSet::new() };
        let mut modules = self.drivers(&device);
        for entry in self.read_dir(&device.join(parts)) {
            if depth > 0 {
                modules.extend(self.below(&device.join(parts).join(entry.name), parts, depth - 1));
            }
        }
        modules
    }

    /// The modules of a device's driver and of those of all devices that it is a part of.
    fn drivers(&self, device: &Path) -> HashSet<String> {
        let of_sys = device.ancestors().take_while(|dir| dir.starts_with("/sys/devices"));
        let module = |dir: &Path| {
            let at = |dir: PathBuf| self.canonicalize(&dir.join("driver/module"));
            let module = at(dir.to_path_buf()).or_else(|| at(dir.join("device")))?;
            Some(normalized(module.file_name()?.to_str()?))
        };
        of_sys.filter_map(module).collect()
    }
}

/// What is in each of these sets.
fn all_need(sets: impl Iterator<Item = HashSet<String>>) -> HashSet<String> {
    sets.reduce(|all, one| all.intersection(&one).cloned().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use testkit::TestRoot;

    use super::*;

    /// A device with its driver's module.
    fn device(root: &TestRoot, path: &str, module: &str) {
        let driver = format!("sys/bus/any/drivers/{module}");
        root.mkdir(format!("sys/module/{module}"));
        root.mkdir(&driver);
        if !root.exists(format!("{driver}/module")) {
            root.symlink(format!("{driver}/module"), format!("/sys/module/{module}"));
        }
        root.mkdir(format!("sys/devices/{path}"));
        root.symlink(format!("sys/devices/{path}/driver"), format!("/{driver}"));
    }

    fn in_use(root: &TestRoot) -> InUse {
        InUse::load(&Root::open(&root.path()).unwrap())
    }

    #[test]
    fn the_root_file_system_is_held_by_all_that_its_device_is_made_of() {
        let root = TestRoot::new();
        root.write(
            "proc/modules",
            "xfs 1 1 - Live 0x0\nraid-card 1 1 - Live 0x0\nscsi_bus 1 1 - Live 0x0\nother 1 0 - Live 0x0\n",
        );
        root.write("proc/self/mountinfo", "1 0 8:1 / / rw - ext4 /dev/old rw\n2 1 253:0 / / rw shared:1 - xfs /dev/mapper/r rw\n3 1 8:2 / /home rw - zfs x rw\n");
        device(&root, "pci0/card", "raid_card");
        device(&root, "pci0/card/host0/disk", "scsi_bus");
        device(&root, "pci0/unused", "other");
        root.mkdir("sys/devices/pci0/card/host0/disk/block/sda/sda2");
        root.mkdir("sys/devices/virtual/block/dm-0/slaves");
        root.mkdir("sys/dev/block");
        root.symlink(
            "sys/devices/virtual/block/dm-0/slaves/sda2",
            "/sys/devices/pci0/card/host0/disk/block/sda/sda2",
        );
        root.symlink("sys/dev/block/253:0", "/sys/devices/virtual/block/dm-0");
        let found = in_use(&root);
        for (module, loaded, holds) in [
            ("xfs", true, true),
            ("raid_card", true, true),
            ("scsi_bus", true, true),
            ("other", true, false),
            ("zfs", false, false),
            ("ext4", false, false),
        ] {
            let expected = Use { is_loaded: loaded, holds_root: holds, ..Use::default() };
            assert_eq!(found.of(module), expected, "{module}");
        }
        // btrfs has a number of its own.
        root.write("proc/self/mountinfo", "1 0 0:33 / / rw - btrfs /dev/sda2 rw\n");
        root.write("dev/sda2", "");
        root.mkdir("sys/class/block");
        root.symlink("sys/class/block/sda2", "/sys/devices/pci0/card/host0/disk/block/sda/sda2");
        assert!(in_use(&root).of("raid_card").holds_root && !in_use(&root).of("xfs").holds_root);
    }

    #[test]
    fn the_console_is_held_by_what_every_console_needs() {
        let root = TestRoot::new();
        root.write("proc/modules", "gpu 1 1 - Live 0x0\nserial 1 1 - Live 0x0\n");
        device(&root, "pci0/vga", "gpu");
        device(&root, "pci0/uart", "serial");
        for (class, name, of) in [
            ("graphics", "fb0", "vga/graphics/fb0"),
            ("drm", "card0", "vga/drm/card0"),
            ("drm", "card0-HDMI-A-1", "vga/drm/card0/card0-HDMI-A-1"),
            ("tty", "ttyS0", "uart/tty/ttyS0"),
        ] {
            root.mkdir(format!("sys/devices/pci0/{of}"));
            root.mkdir(format!("sys/class/{class}"));
            root.symlink(format!("sys/class/{class}/{name}"), format!("/sys/devices/pci0/{of}"));
        }
        root.mkdir("sys/devices/virtual/graphics/fbcon");
        root.symlink("sys/class/graphics/fbcon", "/sys/devices/virtual/graphics/fbcon");
        let held = |active: &str| {
            root.write("sys/class/tty/console/active", active);
            let found = in_use(&root);
            (found.of("gpu").holds_console, found.of("serial").holds_console)
        };
        assert_eq!(held(""), (false, false));
        assert_eq!(held("tty0\n"), (true, false));
        assert_eq!(held("ttyS0\n"), (false, true));
        assert_eq!(held("tty0 ttyS0\n"), (false, false));
        // A hypervisor's.
        root.mkdir("sys/devices/virtual/tty/hvc0");
        root.symlink("sys/class/tty/hvc0", "/sys/devices/virtual/tty/hvc0");
        assert_eq!(held("hvc0\n"), (false, false));
        root.mkdir("sys/devices/pci0/uart/virtio-ports/vport0p0");
        root.mkdir("sys/class/virtio-ports");
        root.symlink("sys/class/virtio-ports/vport0p0", "/sys/devices/pci0/uart/virtio-ports/vport0p0");
        assert_eq!(held("hvc0\n"), (false, true));
        // A screen that needs no module.
        root.mkdir("sys/devices/platform/simple-framebuffer.0/graphics/fb1");
        root.symlink("sys/class/graphics/fb1", "/sys/devices/platform/simple-framebuffer.0/graphics/fb1");
        assert_eq!(held("tty0\n"), (false, false));
    }

    #[test]
    fn the_network_is_held_by_what_every_default_route_needs() {
        let root = TestRoot::new();
        root.write("proc/modules", "one 1 1 - Live 0x0\ntwo 1 1 - Live 0x0\n");
        root.mkdir("sys/class/net");
        for (name, module) in [("eth0", "one"), ("eth1", "one"), ("eth2", "two")] {
            device(&root, &format!("pci0/{name}"), module);
            root.mkdir(format!("sys/devices/pci0/{name}/net/{name}"));
            root.symlink(format!("sys/class/net/{name}"), format!("/sys/devices/pci0/{name}/net/{name}"));
        }
        root.mkdir("sys/devices/virtual/net/bond0");
        root.symlink("sys/class/net/bond0", "/sys/devices/virtual/net/bond0");
        let route = |names: &[&str]| {
            let line =
                |name: &&str| format!("{name}\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
            root.write(
                "proc/net/route",
                format!("Iface\tDestination\n{}", names.iter().map(line).collect::<String>()),
            );
            let found = in_use(&root);
            (found.of("one").holds_network, found.of("two").holds_network)
        };
        assert_eq!(route(&[]), (false, false));
        assert_eq!(route(&["eth0"]), (true, false));
        assert_eq!(route(&["eth0", "eth1"]), (true, false));
        assert_eq!(route(&["eth0", "eth2"]), (false, false));
        root.symlink("sys/devices/virtual/net/bond0/lower_eth0", "/sys/devices/pci0/eth0/net/eth0");
        assert_eq!(route(&["bond0"]), (true, false));
        root.symlink("sys/devices/virtual/net/bond0/lower_eth2", "/sys/devices/pci0/eth2/net/eth2");
        assert_eq!(route(&["bond0"]), (false, false));
        root.write(
            "proc/net/ipv6_route",
            format!("{0} 00 {0} 00 fe80 1 1 1 1 eth2\n{0} 00 {0} 00 0 1 1 1 1 lo\n", "0".repeat(32)),
        );
        assert_eq!(route(&[]), (false, true));
    }
}
