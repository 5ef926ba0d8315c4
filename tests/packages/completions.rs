// SPDX-License-Identifier: LGPL-2.1-or-later
//! Completions, in the shells themselves, as `cargo xtask install` lays them out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use testkit::{KernelBuilder, PackageBuilder, TestRoot, run};

struct Installed {
    destdir: PathBuf,
    /// With a kernel and a KMP, to complete by.
    root: TestRoot,
}

fn installed() -> &'static Installed {
    static INSTALLED: OnceLock<Installed> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let destdir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("completions");
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        run(xtask.args(["install", "--debug", "--destdir"]).arg(&destdir)).expect_success();
        let root = TestRoot::new();
        let kernel = KernelBuilder::new("6.4.0-1-default").export("printk", 1);
        kernel.write(&root.path());
        let files = [("foo.ko", kernel.driver("foo").need("printk", 1).build())];
        root.install(&[&PackageBuilder::kmp("foo", "default", "1", kernel.krel(), files).build()]);
        Installed { destdir, root }
    })
}

impl Installed {
    fn shell(&self, program: &str, args: &[&str], script: &str) -> String {
        // A shell that waits for something ends, and the test fails.
        let mut command = Command::new("timeout");
        command.arg("60").arg(program).args(args).arg(script).stdin(Stdio::null()).env_clear();
        let bin = |dir: &str| self.destdir.join(dir).display().to_string();
        command.env("PATH", format!("{}:{}:/usr/bin:/bin", bin("usr/bin"), bin("usr/sbin")));
        command.env("HOME", self.root.home()).env("TERM", "dumb").env("LC_ALL", "C.UTF-8");
        command.env("D", &self.destdir).env("ROOT", self.root.path());
        run(&mut command).expect_success().stdout
    }
}

/// What a shell makes of the last word of a line.
const CASES: &[(&str, &str)] = &[
    ("kmp expl", "explain"),
    ("kmp sync --no-d", "--no-depmod"),
    ("kmp --root $ROOT status --kernel 6.", "6.4.0-1-default"),
    ("kmp --root $ROOT check foo-", "foo-kmp-default"),
    ("kmp --root $ROOT remove-kmp foo-", "foo-kmp-default-1_k6.4.0_1-1"),
    ("weak-modules2 --add-kernel-", "--add-kernel-modules"),
    ("weak-modules --no-i", "--no-initramfs"),
    ("weak-modules --basedir $ROOT --add-kernel 6.", "6.4.0-1-default"),
];

#[test]
fn bash_completes() {
    for (line, expected) in CASES {
        let name = line.split(' ').next().unwrap();
        let script = format!(
            "source $D/usr/share/bash-completion/completions/{name}
             COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9
             function=$(complete -p {name}); function=${{function##*-F }}; function=${{function%% *}}
             $function {name} \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let said = installed().shell("bash", &["--norc", "-c"], &script);
        assert_eq!(said.trim(), *expected, "{line}");
    }
}

#[test]
fn fish_completes() {
    for (line, expected) in CASES {
        let name = line.split(' ').next().unwrap();
        let line = line.replace("$ROOT", &installed().root.path().display().to_string());
        let script = format!(
            "source $D/usr/share/fish/vendor_completions.d/{name}.fish; complete --do-complete '{line}'"
        );
        let said = installed().shell("fish", &["--no-config", "-c"], &script);
        let first: Vec<&str> = said.lines().filter_map(|l| l.split('\t').next()).collect();
        assert_eq!(first, [*expected], "{line}");
    }
}

/// In a terminal of its own: zsh completes nowhere else.
#[test]
fn zsh_completes() {
    for (line, expected) in CASES {
        let line = line.replace("$ROOT", &installed().root.path().display().to_string());
        let script = format!(
            "zmodload zsh/zpty; zpty z 'zsh -f -i'
             zpty -w z \"PS1=; fpath=($D/usr/share/zsh/site-functions \\$fpath); autoload -U compinit\"
             zpty -w z \"compinit -u -D; COLUMNS=2000; echo LOA''DED\"
             zpty -r z out '*LOADED*'
             zpty -n -w z $'{line}\\t'
             zpty -r z out '*{expected}*' && echo completed"
        );
        let said = installed().shell("zsh", &["-f", "-c"], &script);
        assert!(said.ends_with("completed\n"), "{line}: {said}");
    }
}
