// SPDX-License-Identifier: LGPL-2.1-or-later
//! What kmp is for, on one screen: rpm is stopped where a driver would be lost, and goes through once the driver comes along.
//! `cargo xtask demo` shows it, README.md has a part of it, and a test compares both with what it says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::{KernelBuilder, Output, Package, PackageBuilder, TestRoot, run};

const OLD: &str = "6.4.0-21-default";
const NEW: &str = "6.4.0-25-default";

/// The columns of a screen.
const COLUMNS: usize = 80;

/// The headings between which README.md has the screen.
const STOPPED: &str = "A kernel update that would lose a driver";

/// What was shown.
#[derive(Debug, Default)]
pub struct Shown {
    /// All of it, at most 80 columns wide.
    pub screen: String,
    /// What was not as it should be.
    pub wrong: Vec<String>,
}

impl Shown {
    /// The part that README.md has, as a block of Markdown: what happens to the update.
    #[must_use]
    pub fn for_readme(&self) -> String {
        let part = self.screen.split(&format!("{STOPPED}\n")).nth(1).unwrap_or_default();
        let lines = part.lines().skip(1).map(|line| format!("    {line}"));
        let text: Vec<String> = lines.map(|line| line.trim_end().to_string()).collect();
        text.join("\n").trim_matches('\n').to_string() + "\n"
    }
}

/// Plays it in a throwaway root, with these builds of the command and of rpm's plugin; `line` is given each line of the screen
/// as it comes.
pub fn play(kmp: &Path, plugin: &Path, line: &mut dyn FnMut(&str)) -> Shown {
    let mut demo = Demo { root: TestRoot::new(), kmp: kmp.into(), shown: Shown::default(), line };
    demo.root.write("etc/fstab", "");
    demo.root.set_macro("__plugindir", &plugin.parent().unwrap_or(plugin).display().to_string());
    demo.root.set_macro("__transaction_kmp", "%{__plugindir}/kmp.so");
    demo.play();
    demo.shown
}

struct Demo<'l> {
    root: TestRoot,
    kmp: PathBuf,
    shown: Shown,
    line: &'l mut dyn FnMut(&str),
}

impl Demo<'_> {
    fn play(&mut self) {
        let [old_kernel, new_kernel, nic, cam, cam2] = packages();

        self.head("A machine with one kernel and two drivers of third parties");
        let output = self.rpm(&["-i"], &[&old_kernel, &nic, &cam]);
        self.check("rpm installs them without a word", output.success() && is_silent(&output));
        self.kmp(&["status"], 0);

        self.head(STOPPED);
        let output = self.rpm(&["-i"], &[&new_kernel]);
        self.check("rpm is stopped", output.status == Some(1));
        let words = ["cam-kmp-default-1.0", "usb_alert", NEW];
        self.check("it says why", words.iter().all(|word| output.stderr.contains(word)));
        let there = self.query();
        self.check("nothing was changed", there.stdout.lines().count() == 1);

        self.head("The same update, with the driver's build for that kernel");
        let output = self.rpm(&["-i"], &[&new_kernel, &cam2]);
        self.check("rpm goes through without a word", output.success() && is_silent(&output));
        let status = self.kmp(&["status"], 0);
        self.check("both are shown", ["cam", "nic"].iter().all(|name| status.stdout.contains(name)));
        self.links(NEW, &[("nic.ko", OLD)]);
        let index = self.root.read(format!("usr/lib/modules/{NEW}/modules.dep"));
        self.check("depmod knows nic", index.contains("weak-updates/updates/nic.ko:"));
    }

    fn kmp(&mut self, arguments: &[&str], status: i32) -> Output {
        self.say("");
        self.say(&format!("$ kmp {}", arguments.join(" ")));
        let mut command = self.root.command(&self.kmp);
        command.arg("--root").arg(self.root.path()).args(arguments).stdin(Stdio::null());
        let output = run(&mut command);
        self.print(&output);
        self.check(&format!("the exit status of kmp {}", arguments.join(" ")), output.status == Some(status));
        output
    }

    fn rpm(&mut self, options: &[&str], packages: &[&Package]) -> Output {
        let names: Vec<String> = packages.iter().map(|p| format!("{}.rpm", p.nevra())).collect();
        self.say("");
        self.say(&format!("$ rpm {} {}", options.join(" "), names.join(" \\\n      ")));
        let files = packages.iter().map(|p| p.path().as_os_str());
        let fixed = ["--nodeps", "--noscripts", "--ignorearch"];
        let output = self.root.rpm(options.iter().chain(&fixed).map(std::ffi::OsStr::new).chain(files));
        self.print(&output);
        output
    }

    fn query(&mut self) -> Output {
        self.say("");
        self.say("$ rpm -q kernel-default");
        let output = self.root.rpm(["-q", "kernel-default"]);
        self.print(&output);
        output
    }

    /// Shows the links of a kernel and checks them: each module's, with the kernel that it comes from.
    fn links(&mut self, kernel: &str, modules: &[(&str, &str)]) {
        self.say("");
        self.say(&format!("$ cd /usr/lib/modules/{kernel}"));
        self.say("$ find weak-updates -type l -printf '%p ->\\n    %l\\n'");
        let links = self.root.weak_updates(kernel);
        for (link, target) in &links {
            self.say(&format!("{} ->\n    {}", link.display(), target.display()));
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
    fn print(&mut self, output: &Output) {
        let root = self.root.path();
        let root = root.to_string_lossy();
        for line in output.stdout.lines().chain(output.stderr.lines()) {
            // By rpm itself, in words of its own in each version, of what kmp has said already.
            if !line.contains("Plugin kmp: hook ") {
                let line = line.replace(&*root, "");
                // Packages are named by where they were built: shown as if that were the working directory.
                let words = line.split(' ').map(|word| match word.ends_with(".rpm") {
                    true => format!("./{}", word.rsplit('/').next().unwrap_or(word)),
                    false => word.to_string(),
                });
                let line = words.collect::<Vec<_>>().join(" ");
                self.say(&fold(&line));
            }
        }
        if output.status != Some(0) {
            self.say(&format!("[exit status {}]", output.status.unwrap_or(-1)));
        }
    }

    fn head(&mut self, text: &str) {
        if !self.shown.screen.is_empty() {
            self.say("");
        }
        self.say(&format!("{text}\n{}", "-".repeat(text.len())));
    }

    fn say(&mut self, text: &str) {
        (self.line)(text);
        self.shown.screen.push_str(text);
        self.shown.screen.push('\n');
    }

    fn check(&mut self, what: &str, right: bool) {
        if !right {
            self.say(&format!("!!! not as it should be: {what}"));
            self.shown.wrong.push(what.into());
        }
    }
}

/// Two kernels, and drivers for them. In the second kernel usb_alert has another CRC.
fn packages() -> [Package; 5] {
    let kernel = |release, crc| {
        let kernel = KernelBuilder::new(release).export("printk", 0x92d5_838e).export_gpl("usb_alert", crc);
        let kernel = kernel.export("net_poke", 0x0bad_cafe);
        // In-tree modules tell a kernel's vermagic.
        let ext4 = kernel.driver("ext4").need("printk", 0x92d5_838e);
        kernel.module("fs/ext4", ext4)
    };
    let (old, new) = (kernel(OLD, 0x1f3a_0c11), kernel(NEW, 0x5e99_41d2));
    let nic = old.driver("nic").need("printk", 0x92d5_838e).need("net_poke", 0x0bad_cafe);
    let cam = |kernel: &KernelBuilder, crc| {
        kernel.driver("cam").need("printk", 0x92d5_838e).need("usb_alert", crc).build()
    };
    let (cam, cam2) = (cam(&old, 0x1f3a_0c11), cam(&new, 0x5e99_41d2));
    let built = PackageBuilder::build_all(&[
        PackageBuilder::kernel(&old),
        PackageBuilder::kernel(&new),
        PackageBuilder::kmp("nic", "default", "1.0", OLD, [("nic.ko", nic.build())]),
        PackageBuilder::kmp("cam", "default", "1.0", OLD, [("cam.ko", cam)]),
        PackageBuilder::kmp("cam", "default", "2.0", NEW, [("cam.ko", cam2)]),
    ]);
    built.try_into().unwrap_or_else(|built: Vec<Package>| panic!("rpmbuild built {}", built.len()))
}

fn is_silent(output: &Output) -> bool {
    output.stdout.is_empty() && output.stderr.is_empty()
}

/// A line in rows of at most 80 columns, as far as its words allow.
fn fold(line: &str) -> String {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let mut rows = Vec::new();
    let mut row = " ".repeat(indent);
    // Blanks that align columns stay.
    for word in text.split_inclusive(' ') {
        if !row.trim_start().is_empty() && row.chars().count() + word.trim_end().chars().count() > COLUMNS {
            rows.push(row.trim_end().to_string());
            row = " ".repeat(indent + 4);
        }
        row.push_str(word);
    }
    rows.push(row.trim_end().to_string());
    rows.join("\n")
}
