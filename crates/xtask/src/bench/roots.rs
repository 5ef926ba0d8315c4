// SPDX-License-Identifier: LGPL-2.1-or-later
//! The roots that are measured: made once, kept below the target directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::{Compression, Export, KernelBuilder, ModuleBuilder, PackageBuilder, Symvers, compress};

/// Raise it when what is made changes.
const FORMAT: u32 = 2;

pub const SYMBOLS: usize = 24_000;
pub const IN_TREE: usize = 4_000;
const EXPORTERS: usize = 1_200;

/// Release, and how many of the first kernel's CRCs it has changed.
pub const KERNELS: [(&str, f64); 6] = [
    ("6.4.0-150600.21-default", 0.0),
    ("6.4.0-150600.25-default", 0.0),
    ("6.4.0-150600.30-default", 0.01),
    ("6.4.0-150600.33-default", 0.3),
    ("6.4.0-150600.38-default", 0.0),
    ("6.4.0-150600.42-default", 0.5),
];

/// A root that stays.
pub struct BenchRoot {
    dir: PathBuf,
}

impl BenchRoot {
    /// The one in a directory that is made already.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// A command in a clean environment, whose HOME makes librpm use the root's database.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.env("HOME", self.dir.join("home")).current_dir(&self.dir).stdin(Stdio::null());
        command
    }

    /// Third-party modules and symvers, as paths on the machine.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for (release, _) in KERNELS {
            let dir = self.path().join("usr/lib/modules").join(release);
            let names = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
            files.extend(names(&dir.join("updates")));
            files.extend(
                names(&dir)
                    .filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("symvers"))),
            );
        }
        files.sort();
        files
    }
}

/// A new root without packages in `dir`, and what makes librpm use its database.
pub fn empty_root(dir: &Path) -> PathBuf {
    let root = dir.join("root");
    for below in ["usr/lib/modules", "var/lib/rpm", "var/tmp", "run", "boot", "tmp", "etc"] {
        fs::create_dir_all(root.join(below)).expect("a new directory");
    }
    std::os::unix::fs::symlink("usr/lib", root.join("lib")).expect("a new link");
    fs::write(root.join("etc/os-release"), "ID=sles\n").expect("a new file");
    fs::create_dir_all(dir.join("home")).expect("a new directory");
    fs::write(dir.join("home/.rpmmacros"), "%_dbpath /var/lib/rpm\n").expect("a new file");
    root
}

/// The root for `check` (100 KMPs), and that for `sync` (20).
pub fn make(base: &Path) -> (BenchRoot, BenchRoot) {
    let roots = [("check", 80, 20), ("sync", 20, 0)].map(|(name, names, doubles)| {
        let dir = base.join(format!("{name}-{FORMAT}"));
        if !dir.join("done").exists() {
            println!("making {} (once)", dir.display());
            let _ = fs::remove_dir_all(&dir);
            one(&dir, base, names, doubles);
            fs::write(dir.join("done"), "").expect("a new file");
        }
        BenchRoot { dir }
    });
    let [check, sync] = roots;
    (check, sync)
}

fn one(dir: &Path, base: &Path, names: usize, doubles: usize) {
    let root = empty_root(dir);
    let (first, in_tree) = first_kernel();
    let pool = pool(base, &in_tree);
    let mut kernels = Vec::new();
    for (index, (release, share)) in KERNELS.into_iter().enumerate() {
        // .38 is a rebuild of .33.
        let table = match index {
            4 => first.changed(KERNELS[3].1, 3),
            _ => first.changed(share, index as u64),
        };
        let packed = [Compression::Zst, Compression::Gz, Compression::Xz][index % 3];
        let mut kernel = KernelBuilder::new(release).symvers(table.clone()).symvers_compression(packed);
        let order: String = in_tree.iter().map(|(path, _)| format!("kernel/{path}.ko\n")).collect();
        kernel = kernel.file("modules.order", order);
        let place = kernel.write(&root);
        for ((path, _), from) in in_tree.iter().zip(&pool) {
            let to = place.join("kernel").join(format!("{path}.ko.zst"));
            fs::create_dir_all(to.parent().expect("below the kernel")).expect("a new directory");
            fs::hard_link(from, to).expect("one file system");
        }
        kernels.push((kernel, table));
    }

    let mut packages = Vec::new();
    let mut count = 0;
    for kmp in 0..names + doubles {
        // The last ones are older versions of the first.
        let (base, version) = if kmp < names { (kmp, "2.0") } else { (kmp - names, "1.0") };
        let (kernel, table) = &kernels[kmp % 3];
        // Where indexes are written: not every depmod reads gzip, and what it cannot read is left to it.
        let packings = match doubles {
            0 => &[Compression::Plain, Compression::Zst, Compression::Xz][..],
            _ => Compression::ALL.as_slice(),
        };
        let modules: Vec<(String, Vec<u8>)> = (0..3)
            .map(|part| {
                let name = format!("drv{base}_{}", ["core", "bus", "ui"][part]);
                let packed = packings[count % packings.len()];
                let mut module = kernel
                    .driver(&name)
                    .need_some_of(table, 20 + count % 50, 1000 + count as u64)
                    .text_size(size(count))
                    .local_symbols(200 + count % 400)
                    .seed(count as u64);
                for alias in 0..8 {
                    module = module.alias(&format!("pci:v{base:08X}d{alias:08X}sv*sd*bc*sc*i*"));
                }
                count += 1;
                (format!("{name}.ko{}", packed.suffix()), module.build_compressed(packed))
            })
            .collect();
        packages.push(PackageBuilder::kmp(&format!("drv{base}"), "default", version, kernel.krel(), modules));
    }
    let built = PackageBuilder::build_all(&packages);
    let mut rpm = Command::new("rpm");
    rpm.env("HOME", dir.join("home")).arg("--root").arg(&root).args(["--dbpath", "/var/lib/rpm", "-i"]);
    rpm.args(["--noscripts", "--nodeps", "--ignorearch"]).args(built.iter().map(|p| p.path()));
    testkit::run(&mut rpm).expect_success();
}

/// Bytes of a module's code: half of them below 70 KiB, a few of megabytes.
fn size(index: usize) -> usize {
    match index % 37 {
        0 => (1 << 20) + (index / 37) * (512 << 10),
        n => (8 + n * 4) << 10,
    }
}

/// The first kernel's exports, and its in-tree modules by their path below `kernel/`.
fn first_kernel() -> (Symvers, Vec<(String, ModuleBuilder)>) {
    let mut table = Symvers::generate(SYMBOLS, 1);
    let path = |module: usize| format!("drivers/bus{}/mod{module}", module % 60);
    let mut exports: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, entry) in table.entries.iter_mut().enumerate().filter(|(_, e)| e.exporter != "vmlinux") {
        let module = at % EXPORTERS;
        entry.exporter = path(module);
        exports.entry(module).or_default().push(at);
    }
    let kernel = KernelBuilder::new(KERNELS[0].0).symvers(table.clone());
    let modules = (0..IN_TREE).map(|module| {
        let mut built = kernel
            .driver(&format!("mod{module}"))
            .need_some_of(&table, 15 + module % 30, module as u64)
            .text_size((4 + module % 40) << 10)
            .local_symbols(40 + module % 100);
        for at in exports.get(&module).into_iter().flatten() {
            let entry = &table.entries[*at];
            let export = Export::new(&*entry.name).crc(entry.crc).namespace(&*entry.namespace);
            let gpl = entry.kind == "EXPORT_SYMBOL_GPL";
            built = built.export_with(if gpl { export.gpl() } else { export });
        }
        // Each uses some of the exporters before it.
        for used in 1..=module % 5 {
            let Some(from) = exports.get(&(module * used / 7 % EXPORTERS).min(module)) else { continue };
            let entry = &table.entries[from[module % from.len()]];
            if entry.exporter != path(module) {
                built = built.need(&*entry.name, entry.crc);
            }
        }
        for alias in 0..10 {
            built = built.alias(&format!("pci:v{module:08X}d{alias:08X}sv*sd*bc*sc*i*"));
        }
        (path(module), built)
    });
    let modules = modules.collect();
    (table, modules)
}

/// The in-tree modules' files, one set for all kernels.
fn pool(base: &Path, modules: &[(String, ModuleBuilder)]) -> Vec<PathBuf> {
    let dir = base.join(format!("pool-{FORMAT}"));
    fs::create_dir_all(&dir).expect("a directory below target");
    let mut files = Vec::new();
    for (index, (_, module)) in modules.iter().enumerate() {
        let file = dir.join(format!("{index}.ko.zst"));
        if !file.exists() {
            let beside = dir.join("new");
            fs::write(&beside, compress(&module.build(), Compression::Zst)).expect("a new file");
            fs::rename(&beside, &file).expect("one directory");
        }
        files.push(file);
    }
    files
}
