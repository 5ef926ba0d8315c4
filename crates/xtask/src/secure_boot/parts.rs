// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a machine with Secure Boot is made of: Debian's firmware, boot loaders, kernel and tools; keys of our own, and modules signed with
//! them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use testkit::PackageBuilder;

use crate::judge::boot::read_deps;
use crate::judge::fetch::{self, Fetched, Places};
use crate::judge::run::{self, Result};
use crate::judge::{build, cases, own};

/// What is taken from Debian's archive beside the kernel; nothing of it is installed.
const PACKAGES: [&str; 8] = [
    "mtools",
    "ovmf",
    "shim-signed",
    "shim-helpers-amd64-signed",
    "grub-efi-amd64-signed",
    "mokutil",
    "libefivar1",
    "busybox-static",
];

/// What the initrd loads, and what the machine does later.
const MODULES: [&str; 7] =
    ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "virtio_net", "virtio_console", "efivarfs"];
const IN_INITRD: usize = 4;

/// Where all is.
pub struct Parts {
    pub kernel: Fetched,
    /// Debian's packages, unpacked.
    pub packages: PathBuf,
    /// Made anew each time.
    pub work: PathBuf,
    /// The machine's root file system.
    root: PathBuf,
}

impl Parts {
    /// Downloads and unpacks.
    pub fn get() -> Result<Self> {
        let places = Places::find()?;
        let release = fetch::choose()?.swap_remove(0);
        fetch::tools(&fetch::compilers(std::slice::from_ref(&release))?)?;
        let kernel = fetch::kernel(&places, &release)?;
        let top = places.top.with_file_name("secure-boot");
        let (packages, work) = (top.join("packages"), top.join("work"));
        for dir in [&packages, &work] {
            run::fresh(dir)?;
        }
        let debs = top.join("debs");
        fs::create_dir_all(&debs)?;
        for file in fetch::download(&debs, &PACKAGES.map(String::from))? {
            run::output(Command::new("dpkg-deb").arg("-x").arg(file).arg(&packages))?;
        }
        let root = work.join("root");
        Ok(Self { kernel, packages, work, root })
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.packages.join(name)
    }

    /// A key that signs modules, and its certificate in DER.
    pub fn key(&self, name: &str) -> Result<Key> {
        let dir = self.work.join("keys");
        fs::create_dir_all(&dir)?;
        let (key, certificate) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.der")));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-new", "-x509", "-nodes", "-newkey", "rsa:2048", "-sha256", "-days", "36500"]);
        openssl.args(["-outform", "DER", "-subj", &format!("/O=kmp/CN=Driver key ({name})")]);
        run::output(openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate))?;
        let der = fs::read(&certificate)?;
        Ok(Key { key, certificate, der })
    }

    /// Builds the module that all cases are copies of.
    pub fn build(&self) -> Result<PathBuf> {
        let dir = self.work.join("module");
        fs::create_dir_all(&dir)?;
        let source = "#include <linux/module.h>\nstatic int __init begin(void) { return 0; }\nstatic void __exit end(void) {}\n\
                      module_init(begin);\nmodule_exit(end);\nMODULE_LICENSE(\"GPL\");\nMODULE_DESCRIPTION(\"kmp\");\n";
        fs::write(dir.join("kmp_signed.c"), source)?;
        fs::write(dir.join("Kbuild"), "obj-m += kmp_signed.o\n")?;
        build::make(&self.kernel, &dir)?;
        Ok(dir.join("kmp_signed.ko"))
    }

    /// A case: a module's file in a directory of its own, signed or not.
    pub fn case(&self, name: &str, module: &Path, key: Option<(&Key, &str)>) -> Result<PathBuf> {
        let dir = self.root.join("cases").join(name);
        fs::create_dir_all(&dir)?;
        let file = dir.join(module.file_name().ok_or("a module has a name")?);
        fs::copy(module, &file)?;
        if let Some((key, digest)) = key {
            own::signing::with(&self.kernel.headers, &key.key, &key.certificate, digest, &file)?;
        }
        Ok(file)
    }

    /// One of the kernel's own modules, as Debian has signed it.
    pub fn in_tree(&self, name: &str) -> Result<PathBuf> {
        build::in_tree_file(&self.kernel, name).ok_or_else(|| format!("the kernel has no {name}").into())
    }

    /// The disk with the root file system: kmp, its libraries, rpm's, the kernel's index and some of its modules, and a package with a
    /// driver.
    pub fn disk(&self, kmp: &Path, guest: &Path, driver: &[u8]) -> Result<PathBuf> {
        let root = &self.root;
        for dir in [
            "usr/bin",
            "usr/sbin",
            "usr/lib",
            "usr/lib64",
            "proc",
            "sys",
            "dev",
            "tmp",
            "root",
            "var/lib/rpm",
            "etc/rpm",
            "keys",
        ] {
            fs::create_dir_all(root.join(dir))?;
        }
        for (link, to) in
            [("bin", "usr/bin"), ("sbin", "usr/sbin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")]
        {
            symlink(to, root.join(link))?;
        }
        fs::write(root.join("etc/rpm/macros"), "%_dbpath /var/lib/rpm\n")?;
        fs::write(root.join("etc/os-release"), "NAME=Test\nID=opensuse-tumbleweed\nID_LIKE=suse\n")?;
        fs::copy(guest, root.join("init"))?;
        fs::copy(self.work.join("keys/waiting.der"), root.join("keys/waiting.der"))?;
        let busybox = self.file("bin/busybox");
        fs::copy(&busybox, root.join("usr/bin/busybox"))?;
        for applet in run::output(Command::new(&busybox).arg("--list"))?.lines() {
            let _ = symlink("busybox", root.join("usr/bin").join(applet));
        }
        let librpm = librpm().ok_or("this machine has no librpm")?;
        let mokutil = self.file("usr/bin/mokutil");
        fs::copy(kmp, root.join("usr/bin/kmp"))?;
        fs::copy(&mokutil, root.join("usr/bin/mokutil"))?;
        let own = self.file("usr/lib/x86_64-linux-gnu");
        for program in [kmp, &mokutil, &librpm] {
            self.libraries(program, &own)?;
        }
        self.put(&librpm, &librpm)?;
        run::output(Command::new("cp").args(["-a", "/usr/lib/rpm"]).arg(root.join("usr/lib/")))?;
        run::output(Command::new("rpm").arg("--root").arg(root).args([
            "--dbpath",
            "/var/lib/rpm",
            "--initdb",
        ]))?;
        let release = &self.kernel.release;
        let files = [("kmp_signed.ko".to_owned(), driver.to_vec())];
        let package =
            PackageBuilder::kmp("signed", "default", "1.0", release, files).tag("Vendor", "Acme").build();
        let mut rpm = Command::new("rpm");
        rpm.arg("--root").arg(root).args([
            "--dbpath",
            "/var/lib/rpm",
            "-i",
            "--nodeps",
            "--noscripts",
            "--noplugins",
        ]);
        run::output(rpm.arg(package.path()))?;
        self.modules()?;
        let image = self.work.join("root.img");
        let mut mke2fs = Command::new("mke2fs");
        mke2fs.env("PATH", fetch::PATH).args(["-q", "-t", "ext4", "-d"]).arg(root).arg(&image).arg("600M");
        run::output(&mut mke2fs)?;
        Ok(image)
    }

    /// Puts a file into the root where another path has it here.
    fn put(&self, file: &Path, path: &Path) -> Result<()> {
        let to = self.root.join(path.strip_prefix("/")?);
        if let Some(dir) = to.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::copy(file, &to).map_err(|e| format!("{} -> {}: {e}", file.display(), to.display()))?;
        Ok(())
    }

    /// The libraries of a program: `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)`, `/lib64/ld-linux-x86-64.so.2 (0x...)`.
    fn libraries(&self, program: &Path, own: &Path) -> Result<()> {
        let listed = run::output(Command::new("ldd").arg(program).env("LD_LIBRARY_PATH", own))?;
        for line in listed.lines() {
            let Some(path) = line.split_whitespace().find(|word| word.starts_with('/')) else { continue };
            let path = Path::new(path);
            let place = match path.strip_prefix(own) {
                Ok(name) => Path::new("/usr/lib/x86_64-linux-gnu").join(name),
                Err(_) => path.to_path_buf(),
            };
            self.put(path, &place)?;
        }
        Ok(())
    }

    /// The kernel's directory with the modules that the machine needs, and an index; and its image.
    fn modules(&self) -> Result<()> {
        let kernel = &self.kernel;
        let plain = kernel.plain.join("lib/modules").join(&kernel.release);
        let dir = self.root.join("usr/lib/modules").join(&kernel.release);
        for path in self.needed(&MODULES)? {
            self.put(&plain.join(&path), &Path::new("/usr/lib/modules").join(&kernel.release).join(&path))?;
        }
        for name in ["symvers", "config"] {
            fs::copy(kernel.modules.join(name), dir.join(name))?;
        }
        for name in ["modules.order", "modules.builtin", "modules.builtin.modinfo"] {
            fs::copy(plain.join(name), dir.join(name))?;
        }
        fs::copy(&kernel.image, dir.join("vmlinuz"))?;
        run::output(
            Command::new("depmod").env("PATH", fetch::PATH).arg("-b").arg(&self.root).arg(&kernel.release),
        )?;
        Ok(())
    }

    /// The files of modules, below the kernel's directory, each behind those that it needs.
    fn needed(&self, names: &[&str]) -> Result<Vec<String>> {
        let plain = self.kernel.plain.join("lib/modules").join(&self.kernel.release);
        let deps = read_deps(&plain)?;
        let mut order: Vec<String> = Vec::new();
        for name in names {
            // What is built in needs no file.
            let Some((path, needs)) = deps.iter().find(|(path, _)| cases::name_of(path) == *name) else {
                continue;
            };
            for path in needs.iter().chain([path]) {
                if !order.contains(path) {
                    order.push(path.clone());
                }
            }
        }
        Ok(order)
    }

    /// The initrd: what mounts the disk.
    pub fn initrd(&self, guest: &Path) -> Result<PathBuf> {
        let plain = self.kernel.plain.join("lib/modules").join(&self.kernel.release);
        let dir = self.work.join("initrd");
        fs::create_dir_all(dir.join("bin"))?;
        fs::create_dir_all(dir.join("modules"))?;
        fs::copy(guest, dir.join("init"))?;
        fs::copy(self.file("bin/busybox"), dir.join("bin/busybox"))?;
        let mut order = String::new();
        for path in self.needed(&MODULES[..IN_INITRD])? {
            let name =
                Path::new(&path).file_name().ok_or("a module has a name")?.to_string_lossy().into_owned();
            fs::copy(plain.join(&path), dir.join("modules").join(&name))?;
            order.push_str(&name);
            order.push('\n');
        }
        fs::write(dir.join("modules/order"), order)?;
        let image = self.work.join("initrd.img");
        let script = "cd \"$1\" && find . | cpio --quiet -o -H newc | gzip -1 >\"$2\"";
        run::output(Command::new("sh").args(["-c", script, "sh"]).arg(&dir).arg(&image))?;
        Ok(image)
    }

    /// The EFI system partition: shim, which loads MokManager or GRUB, which loads the kernel.
    pub fn partition(&self, initrd: &Path) -> Result<PathBuf> {
        let image = self.work.join("esp.img");
        fs::File::create(&image)?.set_len(64 << 20)?;
        run::output(self.mtools("mformat", &image).args(["-F", "::"]))?;
        run::output(self.mtools("mmd", &image).args(["::/EFI", "::/EFI/BOOT", "::/EFI/debian"]))?;
        let grub = self.file("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed");
        let files = [
            (self.file("usr/lib/shim/shimx64.efi.signed"), "::/EFI/BOOT/BOOTX64.EFI"),
            (self.file("usr/lib/shim/mmx64.efi.signed"), "::/EFI/BOOT/mmx64.efi"),
            (grub, "::/EFI/BOOT/grubx64.efi"),
            (self.kernel.image.clone(), "::/vmlinuz"),
            (initrd.to_path_buf(), "::/initrd.img"),
        ];
        for (file, to) in files {
            run::output(self.mtools("mcopy", &image).arg(file).arg(to))?;
        }
        Ok(image)
    }

    /// What the kernel is booted with, from now on. A busy host's emulated timer is too late for the kernel's check of it.
    pub fn command_line(&self, partition: &Path, more: &str) -> Result<()> {
        let file = self.work.join("grub.cfg");
        fs::write(
            &file,
            format!(
                "set timeout=0\nserial --unit=0 --speed=115200\nterminal_input serial\nterminal_output serial\n\
                 search --file --set=root /vmlinuz\nlinux /vmlinuz console=hvc0 panic=-1 no_timer_check {more}\ninitrd /initrd.img\nboot\n"
            ),
        )?;
        run::output(self.mtools("mcopy", partition).arg("-o").arg(file).arg("::/EFI/debian/grub.cfg"))?;
        Ok(())
    }

    /// A program of mtools, on an image of a file system.
    fn mtools(&self, program: &str, image: &Path) -> Command {
        let mut command = Command::new(self.file("usr/bin").join(program));
        command.env("MTOOLSRC", "/dev/null").env("MTOOLS_SKIP_CHECK", "1").arg("-i").arg(image);
        command
    }
}

/// The library that kmp takes.
fn librpm() -> Option<PathBuf> {
    let names = ["librpm.so.10", "librpm.so.9"];
    names.iter().map(|name| Path::new("/usr/lib/x86_64-linux-gnu").join(name)).find(|path| path.exists())
}

/// A key that signs modules.
pub struct Key {
    key: PathBuf,
    certificate: PathBuf,
    pub der: Vec<u8>,
}

impl Key {
    /// The SHA-256 of what is signed of the certificate.
    pub fn to_be_signed(&self) -> Result<[u8; 32]> {
        let signed = kmp_core::abi::signature::Certificate::to_be_signed(&self.der);
        Ok(Sha256::digest(signed.ok_or("openssl made no certificate")?).into())
    }
}
