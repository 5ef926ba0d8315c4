// SPDX-License-Identifier: LGPL-2.1-or-later
//! `cargo xtask demo`: the main job on real packages, in a throwaway root.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use testkit::{KernelBuilder, Output, Package, PackageBuilder, TestRoot, run as finish};

use crate::{install, privilege, run};
use testkit::packages::Use;

const OLD: &str = "6.4.0-21-default";
const NEW: &str = "6.4.0-25-default";

/// Show the main job on real packages in a throwaway root.
#[derive(clap::Args)]
pub struct Arguments {
    /// kmp is built: how the chore calls itself where it has the rights of root.
    #[arg(long, hide = true)]
    built: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), String> {
    if !arguments.built {
        install::ensure(&[Use::Demo])?;
        // With this program's own features of their common crates, so that none is built once more.
        run::cargo(&[], &["build", "--quiet", "--locked", "-p", "kmp-cli", "-p", "xtask"], &[])?;
        if privilege::again(&["demo", "--built"])?.is_some() {
            return Ok(());
        }
    }
    let kmp = install::target().join("debug/kmp");
    Demo { root: TestRoot::new(), kmp, wrong: Vec::new() }.show()
}

struct Demo {
    root: TestRoot,
    kmp: PathBuf,
    /// What was not as it should be.
    wrong: Vec<String>,
}

impl Demo {
    fn show(mut self) -> Result<(), String> {
        say("All of this happens in a throwaway root with an rpm database of its own,");
        say("with real packages built by rpmbuild just now. Left out of the commands as");
        say("they are shown: --root DIRECTORY, and rpm's --nodeps. Long lines are folded.");

        // Two kernels. In the second, usb_alert has another CRC, and pci_nudge is gone.
        let old = KernelBuilder::new(OLD).export("printk", 0x92d5_838e).export_gpl("usb_alert", 0x1f3a_0c11);
        let old = old.export("pci_nudge", 0x77aa_0004).export("net_poke", 0x0bad_cafe);
        let new = KernelBuilder::new(NEW).export("printk", 0x92d5_838e).export_gpl("usb_alert", 0x5e99_41d2);
        let new = new.export("net_poke", 0x0bad_cafe);
        let (old, new) = (in_tree(old), in_tree(new));
        let nic = |name| old.driver(name).need("printk", 0x92d5_838e).need("net_poke", 0x0bad_cafe);
        let cam = old.driver("cam").need("printk", 0x92d5_838e).need("usb_alert", 0x1f3a_0c11);
        let cam2 = new.driver("cam").need("printk", 0x92d5_838e).need("usb_alert", 0x5e99_41d2);
        let packages = PackageBuilder::build_all(&[
            PackageBuilder::kernel(&old),
            PackageBuilder::kernel(&new),
            PackageBuilder::kmp("nic", "default", "1.0", OLD, [("nic.ko", nic("nic").build())]),
            PackageBuilder::kmp(
                "cam",
                "default",
                "1.0",
                OLD,
                [("cam.ko", cam.need("pci_nudge", 0x77aa_0004).build())],
            ),
            PackageBuilder::kmp("cam", "default", "2.0", NEW, [("cam.ko", cam2.build())]),
        ]);
        let [old_kernel, new_kernel, nic, cam, cam2] = &packages[..] else {
            return Err("rpmbuild did not build five packages".into());
        };

        head("A machine with one kernel and two third-party drivers");
        self.rpm(&["-i"], &[old_kernel, nic, cam]);
        self.kmp(&["sync"], 0);
        let status = self.kmp(&["status"], 0);
        self.check("both drivers are the kernel's own", status.stdout.matches("  native").count() == 2);

        head("A kernel update: one driver fits, the other does not");
        self.rpm(&["-i"], &[new_kernel]);
        say("The kernel package's scriptlet calls:");
        let added = self.kmp(&["add-kernel", NEW], 0);
        self.check("nic is linked", added.stdout.contains("nic-kmp-default"));
        self.check(
            "cam is refused in words",
            added.stdout.contains("cam-kmp-default-1.0_k6.4.0_21-1 not linked"),
        );
        self.links(NEW, &[("nic.ko", OLD)]);
        let dep = self.root.read(format!("usr/lib/modules/{NEW}/modules.dep"));
        self.check("depmod knows nic", dep.contains("weak-updates/updates/nic.ko:"));
        let updated = self.kmp(&["status"], 1);
        self.check(
            "status shows both, and the symbol",
            ["linked", "refused", "usb_alert"].iter().all(|word| updated.stdout.contains(word)),
        );

        head("Why not? Every reason, and symbol by symbol");
        let check = self.kmp(&["check", "cam-kmp-default"], 1);
        self.check("the CRC is a reason", check.stdout.contains("usb_alert was 0x1f3a0c11"));
        self.check("the lost symbol is a reason", check.stdout.contains("nothing exports pci_nudge"));
        self.kmp(&["explain", "cam", "--kernel", NEW], 1);

        head("The vendor's update for the new kernel");
        say("The old kernel keeps the old version: KMPs are installed beside each other.");
        self.rpm(&["-i"], &[cam2]);
        self.kmp(&["add-kmp", cam2.nvr()], 0);
        let status = self.kmp(&["status"], 0);
        self.check("nothing is wrong any more", !status.stdout.contains("not linked"));
        self.links(NEW, &[("nic.ko", OLD)]);

        head("A driver is removed, then the old kernel");
        self.erase(nic);
        self.kmp(&["remove-kmp", nic.nvr()], 0);
        self.links(NEW, &[]);
        self.erase(old_kernel);
        self.kmp(&["remove-kernel", OLD], 0);
        self.kmp(&["status"], 0);
        self.kmp(&["sync", "--dry-run"], 0);

        head("In short");
        say("When the new kernel came, one driver was linked for it; the other was refused,");
        say("with the symbol that had changed. This is what kmp status said then:\n");
        self.print(&updated);
        println!();
        match self.wrong.is_empty() {
            true => {
                say("All was as it should be: links, indexes, messages and exit statuses.");
                Ok(())
            }
            false => Err(format!("not as it should be: {}", self.wrong.join("; "))),
        }
    }

    /// Shows `kmp ARGUMENTS` and what it says.
    fn kmp(&mut self, arguments: &[&str], status: i32) -> Output {
        println!("\n$ kmp {}", arguments.join(" "));
        let mut command = self.root.command(&self.kmp);
        command.arg("--root").arg(self.root.path()).args(arguments).stdin(Stdio::null());
        let output = finish(&mut command);
        self.print(&output);
        if output.status != Some(0) {
            println!("[exit status {}]", output.status.unwrap_or(-1));
        }
        let what = format!("the exit status of kmp {}", arguments.join(" "));
        self.check(&what, output.status == Some(status));
        output
    }

    fn rpm(&mut self, options: &[&str], packages: &[&Package]) {
        let names: Vec<String> = packages.iter().map(|p| format!("{}.rpm", p.nevra())).collect();
        println!("\n$ rpm {} {}", options.join(" "), names.join(" \\\n      "));
        let files = packages.iter().map(|p| p.path().as_os_str());
        let fixed = ["--nodeps", "--noscripts", "--ignorearch"];
        let output = self.root.rpm(options.iter().chain(&fixed).map(std::ffi::OsStr::new).chain(files));
        self.print(&output);
        self.check("rpm", output.success());
    }

    fn erase(&mut self, package: &Package) {
        println!("\n$ rpm -e {}", package.nevra());
        let output = self.root.rpm(["-e", "--nodeps", "--noscripts", package.nevra()]);
        self.print(&output);
        self.check("rpm", output.success());
    }

    /// Shows the links of a kernel and checks them: each module's, with the kernel that it comes from.
    fn links(&mut self, kernel: &str, modules: &[(&str, &str)]) {
        println!("\n$ cd /usr/lib/modules/{kernel}\n$ find weak-updates -type l -printf '%p ->\\n    %l\\n'");
        let links = self.root.weak_updates(kernel);
        for (link, target) in &links {
            println!("{} ->\n    {}", link.display(), target.display());
        }
        let right: BTreeMap<PathBuf, PathBuf> = modules
            .iter()
            .map(|(file, from)| {
                let link = Path::new("weak-updates/updates").join(file);
                (link, PathBuf::from(format!("/usr/lib/modules/{from}/updates/{file}")))
            })
            .collect();
        self.check(&format!("the links of {kernel}"), links == right);
    }

    /// A program's output, with the throwaway root left out of its paths.
    fn print(&self, output: &Output) {
        let root = self.root.path();
        let root = root.to_string_lossy();
        for line in output.stdout.lines().chain(output.stderr.lines()) {
            fold(&line.replace(&*root, ""));
        }
    }

    fn check(&mut self, what: &str, right: bool) {
        if !right {
            println!("!!! not as it should be: {what}");
            self.wrong.push(what.into());
        }
    }
}

/// In-tree modules tell a kernel's vermagic.
fn in_tree(kernel: KernelBuilder) -> KernelBuilder {
    let ext4 = kernel.driver("ext4").need("printk", 0x92d5_838e);
    kernel.module("fs/ext4", ext4)
}

/// Prints a line in at most 80 columns, as far as its words allow.
fn fold(line: &str) {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let mut row = " ".repeat(indent);
    // Blanks that align columns stay.
    for word in text.split_inclusive(' ') {
        if !row.trim_start().is_empty() && row.chars().count() + word.trim_end().chars().count() > 80 {
            println!("{}", row.trim_end());
            row = " ".repeat(indent + 4);
        }
        row.push_str(word);
    }
    println!("{}", row.trim_end());
}

fn head(text: &str) {
    println!("\n{text}\n{}", "-".repeat(text.len()));
}

fn say(text: &str) {
    println!("{text}");
}
