// SPDX-License-Identifier: LGPL-2.1-or-later
//! Made-up repositories and machines, as many as a distributor has.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// Machines.
    pub machines: usize,
    /// Groups of equal ones.
    pub groups: usize,
    /// Kernels of one line; machines have one of the first two.
    pub kernels: usize,
    /// What each of them exports.
    pub symbols: usize,
    /// Drivers, each with builds for two of three kernels.
    pub drivers: usize,
}

impl Fleet {
    /// The CRC of a symbol in a kernel: one in five symbols changes with each kernel, others less often.
    fn crc(symbol: usize, kernel: usize) -> u32 {
        let number = (symbol * 2_654_435_761).wrapping_add(kernel / (1 + symbol % 5) * 40_503);
        u32::try_from(number & 0xffff_ffff).unwrap_or_default()
    }

    /// Writes the repository, `DIR/repo`, and the list of machines, `DIR/machines`; returns both.
    ///
    /// # Panics
    /// Something cannot be written, or `sha256sum` cannot be run.
    pub fn write(&self, dir: &Path) -> (PathBuf, PathBuf) {
        let repo = dir.join("repo");
        let primary = repo.join("repodata/primary.xml");
        fs::create_dir_all(repo.join("repodata")).expect("a directory");
        fs::write(&primary, self.primary()).expect("a file");
        let output = Command::new("sha256sum").arg(&primary).output().expect("sha256sum");
        let text = String::from_utf8_lossy(&output.stdout);
        let sum = text.split(' ').next().unwrap_or_default();
        let repomd = format!(
            "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><data type=\"primary\">\
             <checksum type=\"sha256\">{sum}</checksum><location href=\"repodata/primary.xml\"/></data></repomd>"
        );
        fs::write(repo.join("repodata/repomd.xml"), repomd).expect("a file");
        let machines = dir.join("machines");
        fs::write(&machines, self.lines()).expect("a file");
        (repo, machines)
    }

    fn primary(&self) -> String {
        let mut xml = String::from(
            "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\">\n",
        );
        for kernel in 0..self.kernels {
            let mut provides = entry("kernel-uname-r", &format!("6.4.0-{kernel}-default"));
            provides.push_str(&entry("ksym(default:module_layout)", "1"));
            for symbol in 0..self.symbols {
                let crc = format!("{:x}", Self::crc(symbol, kernel));
                provides.push_str(&entry(&format!("ksym(default:symbol_number_{symbol:05})"), &crc));
            }
            package(&mut xml, "kernel-default", "6.4.0", &format!("{kernel}.1"), &provides, "");
        }
        for driver in 0..self.drivers {
            for kernel in (0..self.kernels).filter(|kernel| *kernel < 2 || (driver + kernel) % 3 != 0) {
                let mut requires = entry("ksym(default:module_layout)", "1");
                for at in 0..40 {
                    let symbol = (driver * 97 + at * 13) % self.symbols;
                    let crc = format!("{:x}", Self::crc(symbol, kernel));
                    requires.push_str(&entry(&format!("ksym(default:symbol_number_{symbol:05})"), &crc));
                }
                let provides = entry(&format!("kmod(driver{driver:02}.ko)"), "");
                let name = format!("driver{driver:02}-kmp-default");
                package(&mut xml, &name, &format!("1.0_k6.4.0_{kernel}"), "1.1", &provides, &requires);
            }
        }
        xml.push_str("</metadata>\n");
        xml
    }

    fn lines(&self) -> String {
        let mut text = String::new();
        for machine in 0..self.machines {
            let group = machine % self.groups;
            let kernel = group % 2;
            let driver = |at: usize| (group * 7 + at * (1 + group / self.drivers)) % self.drivers;
            let kmps = (0..5)
                .map(|at| format!("\"driver{:02}-kmp-default-1.0_k6.4.0_{kernel}-1.1.x86_64\"", driver(at)));
            let kmps = kmps.collect::<Vec<_>>().join(",");
            let _ = writeln!(
                text,
                "{{\"machine\":\"machine{machine:05}\",\"kernels\":[{{\"release\":\"6.4.0-{kernel}-default\",\
                 \"packages\":[\"kernel-default-6.4.0-{kernel}.1.x86_64\"]}}],\"kmps\":[{kmps}]}}"
            );
        }
        text
    }
}

fn entry(name: &str, version: &str) -> String {
    format!("<rpm:entry name=\"{name}\" flags=\"EQ\" epoch=\"0\" ver=\"{version}\"/>")
}

fn package(xml: &mut String, name: &str, version: &str, release: &str, provides: &str, requires: &str) {
    let _ = writeln!(
        xml,
        "<package type=\"rpm\"><name>{name}</name><arch>x86_64</arch><version epoch=\"0\" ver=\"{version}\" rel=\"{release}\"/>\
         <checksum type=\"sha256\" pkgid=\"YES\">{:064}</checksum><location href=\"x.rpm\"/><format>\
         <rpm:sourcerpm>{name}-{version}-{release}.src.rpm</rpm:sourcerpm><rpm:provides>{provides}</rpm:provides>\
         <rpm:requires>{requires}</rpm:requires></format></package>",
        0
    );
}
