// SPDX-License-Identifier: LGPL-2.1-or-later
//! Names of devices, from hwdata's `pci.ids` and `usb.ids`. Pure, but for [`Names::load`].

use std::collections::{HashMap, HashSet};
use std::path::Path;

use kmp_core::printable;
use kmp_core::root::Root;

use super::sysfs::Device;

/// Where distributions have the files.
const DIRS: &[&str] = &["/usr/share/hwdata", "/usr/share/misc", "/usr/share"];

/// pci.ids has a megabyte and a half.
const LIMIT: u64 = 16 << 20;

/// A longer name is cut.
const LONGEST: usize = 120;

/// A vendor's and a device's number, as the files have them: four small hexadecimal digits each.
type Number = (String, String);

/// The names of those devices that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Names(HashMap<(&'static str, Number), String>);

impl Names {
    /// Reads the names of these devices, where the files are there.
    pub fn load(root: &Root, devices: &[Device]) -> Self {
        let mut names = Self::default();
        for (bus, file) in [("pci", "pci.ids"), ("usb", "usb.ids")] {
            let paths = DIRS.iter().map(|dir| Path::new(dir).join(file));
            let text = paths.into_iter().find_map(|path| root.read_if_there(&path, LIMIT).ok().flatten());
            if let Some(text) = text {
                let aliases = devices.iter().map(|device| device.modalias.as_str());
                names.read(bus, &String::from_utf8_lossy(&text), aliases);
            }
        }
        names
    }

    /// Reads a file's text: the names of what is on that bus (`pci`, `usb`) and calls itself so.
    pub fn read<'a>(&mut self, bus: &'static str, text: &str, aliases: impl Iterator<Item = &'a str>) {
        let wanted: HashSet<Number> = aliases.filter_map(|alias| number(bus, alias)).collect();
        if wanted.is_empty() {
            return;
        }
        // `8086  Intel Corporation`, then `<TAB>10d3  82574L Gigabit Network Connection`. Classes follow behind letters.
        let mut vendor: Option<(&str, &str)> = None;
        for line in text.lines() {
            let (line, is_device) = match line.strip_prefix('\t') {
                Some(rest) if rest.starts_with('\t') => continue,
                Some(rest) => (rest, true),
                None => (line, false),
            };
            let entry = line.split_once("  ").filter(|(number, _)| is_number(number));
            match (entry, is_device, vendor) {
                (Some((device, name)), true, Some((vendor, maker))) => {
                    let number = (vendor.to_lowercase(), device.to_lowercase());
                    if wanted.contains(&number) {
                        self.0.insert((bus, number), shown(&format!("{maker} {name}")));
                    }
                }
                (entry, false, _) => {
                    vendor = entry;
                    // Where the device is not in the list, its maker may be.
                    if let Some((vendor, maker)) = entry {
                        for number in wanted.iter().filter(|(of, _)| of.eq_ignore_ascii_case(vendor)) {
                            let name = format!("{maker} {}:{}", number.0, number.1);
                            self.0.insert((bus, number.clone()), shown(&name));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// What to call a device: by the files, else as it calls itself, else by its numbers.
    pub fn of(&self, device: &Device) -> String {
        for bus in ["pci", "usb"] {
            if let Some(number) = number(bus, &device.modalias) {
                let numbers = format!("{}:{}", number.0, number.1);
                let listed = self.0.get(&(bus, number)).cloned();
                return listed.or_else(|| device.says.as_deref().map(shown)).unwrap_or(numbers);
            }
        }
        device.says.as_deref().map_or_else(|| shown(&device.modalias), shown)
    }
}

/// What two fields of an alias say: `pci:v00008086d000010D3...`, `usb:v1D6Bp0002...`.
fn number(bus: &str, alias: &str) -> Option<Number> {
    let rest = alias.strip_prefix(bus)?.strip_prefix(":v")?;
    let (width, letter) = if bus == "pci" { (8, 'd') } else { (4, 'p') };
    let (vendor, rest) = rest.split_at_checked(width)?;
    let device = rest.strip_prefix(letter)?.get(..width)?;
    let digits = |field: &str| {
        let field = field.get(width - 4..)?;
        is_number(field).then(|| field.to_lowercase())
    };
    Some((digits(vendor)?, digits(device)?))
}

fn is_number(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn shown(text: &str) -> String {
    let short: String = text.trim().chars().take(LONGEST).collect();
    printable(short.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(modalias: &str, says: Option<&str>) -> Device {
        Device {
            path: "/sys/devices/x".into(),
            modalias: modalias.into(),
            bus: "x".into(),
            driver: None,
            module: None,
            says: says.map(Into::into),
        }
    }

    #[test]
    fn a_device_has_the_name_of_the_list_or_its_own() {
        let list = "# c\n8086  Intel\n\t10d3  82574L\n\t\t8086 a01f  Card\n\t10d4  Other\n1d6b  Linux\n\t0002  Hub\x1b[2J\nC 01  Storage\n\t10d3  No device\n";
        let alias = "pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00";
        let devices =
            [alias, "pci:v00008086d0000FFFFsv", "pci:v00001D6Bd00000002sv"].map(|a| device(a, None));
        let mut names = Names::default();
        names.read("pci", list, devices.iter().map(|d| d.modalias.as_str()));
        assert_eq!(devices.map(|d| names.of(&d)), ["Intel 82574L", "Intel 8086:ffff", "Linux Hub\\x1b[2J"]);
        assert_eq!(names.of(&device("usb:v1D6Bp0002d0602", Some("Acme Cam"))), "Acme Cam");
        assert_eq!(names.of(&device("usb:v1D6Bp0002d0602", None)), "1d6b:0002");
        assert_eq!(names.of(&device("acpi:PNP0C0A:", None)), "acpi:PNP0C0A:");
        for odd in ["pci:v", "pci:v0000808\u{e9}d0", "usb:v1D6Bp00", "pci:v00008086x"] {
            assert_eq!(number("pci", odd).or(number("usb", odd)), None, "{odd}");
        }
    }
}
