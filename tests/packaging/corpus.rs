// SPDX-License-Identifier: LGPL-2.1-or-later
//! A build root with a kernel and a package of modules, and `kmp deps` on its files.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use testkit::{Compression, CrcStyle, ModuleBuilder, Output, run};

/// The command under test.
pub const KMP: &str = env!("CARGO_BIN_EXE_kmp");

pub const K: &str = "6.4.0-1-default";
const MODULES: &str = "usr/lib/modules/6.4.0-1-default";

pub struct Corpus {
    dir: TempDir,
}

impl Corpus {
    pub fn new() -> Self {
        let corpus = Self { dir: tempfile::tempdir().unwrap() };
        let module = |name: &str| ModuleBuilder::new(name).built_for(K);
        let net = module("acme_net")
            .need("printk", 0x1000_0001)
            .need("acme_open", 0x0000_00ab)
            .need("small", 0x7)
            .info("version", "1.0 beta/2")
            .alias("pci:v00001AF4d00001000sv*sd*bc*sc*i*")
            .alias("pci:v00001AF4d00001005sv*sd*bc*sc*i*")
            .alias("pci:v00001AF4d00001041sv*sd*bc*sc*i*")
            .alias("of:N*T*Cacme,net-2C*")
            .alias("acpi*:ACME0001:*")
            .alias("acme_old_name");
        let acme = module("acme").need("printk", 0x1000_0001).export("acme_open", 0xab).alias("usb:v1d*");
        let old = module("old")
            .crc_style(CrcStyle::Absolute)
            .export_gpl("old_open", 0x00c0_ffee)
            .export("old_close", 0x0000_0002)
            .need("old_open", 0x00c0_ffee)
            .need("printk", 0x1000_0001);
        let fs = module("fs").export("fs_open", 0x1234_5678).alias("fs-x:y");
        corpus.write(&format!("{MODULES}/updates/acme.ko"), &acme.build());
        corpus.write(&format!("{MODULES}/updates/acme-net.ko.xz"), &net.build_compressed(Compression::Xz));
        corpus.write(&format!("{MODULES}/extra/old.ko.zst"), &old.build_compressed(Compression::Zst));
        corpus.write(&format!("{MODULES}/kernel/fs/fs.ko"), &fs.build());
        corpus.write(&format!("{MODULES}/modules.builtin"), b"kernel/lib/built-in.ko\n");
        let symvers = b"0x10000001\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n0x00000007\tsmall\tvmlinux\tEXPORT_SYMBOL_GPL\tNS\n\
            0x12345678\tfs_open\tfs/fs\tEXPORT_SYMBOL\t\n";
        corpus.write(&format!("{MODULES}/symvers.gz"), &testkit::compress(symvers, Compression::Gz));
        corpus.write("Module.symvers", symvers);
        corpus.write("usr/lib/modules-load.d/acme.conf", b"# at boot\nacme-net\nother-one\nbuilt-in\n");
        corpus.write("usr/share/doc/acme/README", b"nothing to see here\n");
        corpus.write("boot/symsets/symsets-6.4.0-1-default/vmlinux.0123456789abcdef", symvers);
        corpus.symsets();
        corpus.image();
        // Links the original generators follow: packages were built before the usr-merge, too.
        std::os::unix::fs::symlink("usr/lib", corpus.path("lib")).unwrap();
        corpus
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// The archive of symbol sets that older SUSE kernels have in `/boot`.
    fn symsets(&self) {
        let (from, to) = (self.path("boot/symsets"), self.path("boot/symsets-6.4.0-1-default.tar.gz"));
        let made =
            run(Command::new("tar").arg("-czf").arg(to).arg("-C").arg(&from).arg("symsets-6.4.0-1-default"));
        made.expect_success();
        std::fs::remove_dir_all(from).unwrap();
    }

    /// A kernel's image, linked to addresses as a real one is.
    fn image(&self) {
        let text = ".globl _start\n.text\n_start: nop\n.section __kcrctab,\"a\"\n\
            .globl __crc_printk\n__crc_printk: .long 0x10000001\n\
            .globl __crc_small\n__crc_small: .long 0x7\n.globl __crc_abs\n.set __crc_abs, 0xbeef\n";
        self.write("vmlinux.s", text.as_bytes());
        let mut cc = Command::new("cc");
        cc.args(["-nostdlib", "-static", "-no-pie", "-Wl,-Ttext=0x1000000", "-o"]);
        run(cc.arg(self.path("vmlinux")).arg(self.path("vmlinux.s"))).expect_success();
        let bytes = std::fs::read(self.path("vmlinux")).unwrap();
        self.write(&format!("{MODULES}/vmlinux.xz"), &testkit::compress(&bytes, Compression::Xz));
    }

    /// The build root.
    pub fn top(&self) -> &Path {
        self.dir.path()
    }

    /// A path below the build root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// The files of a package of modules.
    pub fn package(&self) -> Vec<PathBuf> {
        let files = ["extra/old.ko.zst", "updates/acme-net.ko.xz", "updates/acme.ko"];
        let mut list: Vec<PathBuf> = files.iter().map(|f| self.path(MODULES).join(f)).collect();
        list.push(self.path("usr/lib/modules-load.d/acme.conf"));
        list.push(self.path("usr/share/doc/acme/README"));
        list
    }

    /// The files of a kernel's package.
    pub fn kernel(&self) -> Vec<PathBuf> {
        ["vmlinux.xz", "symvers.gz", "modules.builtin", "kernel/fs/fs.ko"]
            .iter()
            .map(|f| self.path(MODULES).join(f))
            .collect()
    }

    /// `kmp deps ARGS` on a list of files.
    pub fn deps(&self, args: &[&str], list: &[PathBuf]) -> Output {
        let mut command = Command::new(KMP);
        command.env("RPM_BUILD_ROOT", self.dir.path()).arg("deps").args(args);
        command.arg("--symvers").arg(self.path("Module.symvers"));
        if !args.contains(&"--symset-dir") {
            command.arg("--symset-dir").arg(self.path("boot"));
        }
        on_list(command, list)
    }
}

/// Runs a command with paths on standard input, one a line.
pub fn on_list(mut command: Command, list: &[impl AsRef<Path>]) -> Output {
    let mut file = tempfile::tempfile().unwrap();
    for path in list {
        file.write_all(AsRef::<OsStr>::as_ref(path.as_ref()).as_encoded_bytes()).unwrap();
        file.write_all(b"\n").unwrap();
    }
    std::io::Seek::rewind(&mut file).unwrap();
    run(command.stdin(Stdio::from(file)))
}
