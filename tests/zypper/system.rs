// SPDX-License-Identifier: LGPL-2.1-or-later
//! A throwaway root that is "/" for what runs in it: libzypp's commit plugins work for no other.

use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use testkit::{Output, TestRoot, run, xtask};

/// A root of its own with the machine's programs: its `/usr` lies over theirs, and nothing but it is written to.
/// Between two runs everything is to be seen and changed through [`root`](Self::root), too.
pub struct System {
    pub root: TestRoot,
    /// Directories that lie below the root's `/usr` and over the programs'.
    layers: Vec<PathBuf>,
}

impl System {
    pub fn new(layers: &[&Path]) -> Self {
        let root = TestRoot::new();
        // What the root has goes over what is below it.
        for empty in ["usr/bin", "usr/sbin", "usr/lib64"] {
            std::fs::remove_dir(root.join(empty)).unwrap();
        }
        for dir in ["home", "root", "sys", "var/log", "var/cache"] {
            root.mkdir(dir);
        }
        root.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
        root.write("etc/group", "root:x:0:\n");
        root.write("etc/os-release", "NAME=Test\nID=opensuse-tumbleweed\nID_LIKE=suse\nVERSION_ID=1\n");
        if let Ok(cache) = std::fs::read("/etc/ld.so.cache") {
            root.write("etc/ld.so.cache", cache);
        }
        // Debian's is root's home directory.
        root.write("etc/rpm/macros", "%_dbpath /var/lib/rpm\n");
        Self { root, layers: layers.iter().map(|layer| layer.to_path_buf()).collect() }
    }

    /// Runs a program in it, with variables.
    pub fn run(&self, variables: &[(&str, &str)], command: &[&str]) -> Output {
        run(&mut self.enter(variables, command))
    }

    /// The same on a terminal of 80 columns: what is to be seen there, without blanks at the ends of lines.
    pub fn on_a_terminal(&self, variables: &[(&str, &str)], command: &[&str]) -> String {
        self.typed_on_a_terminal(variables, command, "")
    }

    /// The same, where somebody types that.
    pub fn typed_on_a_terminal(&self, variables: &[(&str, &str)], command: &[&str], typed: &str) -> String {
        let enter = self.enter(variables, command);
        let words = std::iter::once(enter.get_program()).chain(enter.get_args());
        let words: Vec<String> = words.map(|w| format!("'{}'", w.to_str().unwrap())).collect();
        let line = format!("stty rows 50 cols 80; exec {}", words.join(" "));
        let mut script = Command::new("script");
        let mut keyboard = tempfile::tempfile().unwrap();
        keyboard.write_all(typed.as_bytes()).unwrap();
        keyboard.rewind().unwrap();
        script.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", "dumb").stdin(keyboard);
        let shown = run(&mut script).stdout.replace("\r\n", "\n");
        shown.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    fn enter(&self, variables: &[(&str, &str)], command: &[&str]) -> Command {
        let layers: Vec<&str> = self.layers.iter().map(|layer| layer.to_str().unwrap()).collect();
        let mut enter = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/zypper/enter.sh"));
        enter.arg(self.root.path()).arg(layers.join(":")).arg(self.root.home().join("work"));
        // Tests here count how often it runs.
        enter
            .arg("KMP_INDEX=depmod")
            .args(variables.iter().map(|(name, value)| format!("{name}={value}")))
            .args(command);
        enter
    }
}

/// What `cargo xtask install` lays out for the machine's rpm: a directory like `/usr`.
pub fn installed() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let eval = |name: &str| run(Command::new("rpm").args(["--eval", name])).expect_success();
        let [libdir, plugins] = ["%_libdir", "%__plugindir"].map(|name| eval(name).stdout.trim().to_string());
        let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("installed");
        let mut install = xtask();
        install.args(["install", "--debug", "--libdir", &libdir, "--plugindir", &plugins, "--destdir"]);
        run(install.arg(&to)).expect_success();
        to.join("usr")
    })
}
