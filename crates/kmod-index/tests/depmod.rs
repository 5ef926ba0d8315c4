// SPDX-License-Identifier: LGPL-2.1-or-later
//! Made indexes beside those of real depmods, byte for byte.
//!
//! The machine's own depmod, and each that `KMP_TEST_DEPMODS` names (programs, separated by colons).
//! `KMP_TEST_INDEX_TREES`: how many random trees; `KMP_TEST_INDEX_SEED`: the first one's seed.
//! `KMP_TEST_INDEX_KERNELS`: directories of whole kernels' modules, separated by colons.

#![allow(clippy::unwrap_used, reason = "helpers are no #[test] functions, but fail like them")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use kmod_abi::IndexFacts;
use kmod_index::depmod_d::Config;
use kmod_index::trie::Trie;
use kmod_index::{Facts, Index, Lists, Module, Style, Unsure};
use testkit::{Compression, KernelBuilder, ModuleBuilder, Noise, compress};

const KREL: &str = "6.4.0-1-default";

/// A depmod, and how it writes.
struct Depmod {
    program: OsString,
    version: u32,
}

impl Depmod {
    fn all() -> Vec<Self> {
        let more = std::env::var_os("KMP_TEST_DEPMODS");
        // No list is one empty path.
        let more = more.iter().filter(|list| !list.is_empty());
        let more = more.flat_map(std::env::split_paths).map(PathBuf::into_os_string);
        std::iter::once("depmod".into()).chain(more).map(Self::new).collect()
    }

    fn new(program: OsString) -> Self {
        let text = testkit::run(Command::new(&program).arg("--version")).expect_success().stdout;
        let version = text.split_whitespace().nth(2).unwrap().split('.').next().unwrap().parse().unwrap();
        Self { program, version }
    }

    /// Runs it on a tree. Returns whether it wrote an index.
    fn index(&self, root: &Path) -> bool {
        let mut depmod = Command::new(&self.program);
        depmod.arg("-b").arg(root).arg("-C").arg(root.join("conf"));
        if self.version >= 34 {
            depmod.args(["-m", "/lib/modules"]);
        }
        testkit::run(depmod.arg(KREL)).success()
    }
}

/// A tree of modules on disk, and what is in it.
struct Tree {
    dir: tempfile::TempDir,
    config: String,
    facts: BTreeMap<String, Facts<'static>>,
}

fn facts(bytes: &[u8]) -> Facts<'static> {
    let read = IndexFacts::parse(bytes).unwrap();
    Facts::new([&read.exports[..], &read.needs, &read.aliases, &read.softdeps, &read.weakdeps])
}

impl Tree {
    fn kernel_dir(&self) -> PathBuf {
        self.dir.path().join("lib/modules").join(KREL)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.kernel_dir().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn module(&mut self, path: &str, module: &ModuleBuilder) {
        let bytes = module.build();
        self.facts.insert(path.to_owned(), facts(&bytes));
        let compression = match path {
            _ if path.ends_with(".xz") => Compression::Xz,
            _ if path.ends_with(".zst") => Compression::Zst,
            _ if path.ends_with(".gz") => Compression::Gz,
            _ => Compression::Plain,
        };
        self.write(path, compress(&bytes, compression));
    }

    /// A random one.
    fn random(seed: u64) -> Self {
        let mut noise = Noise::new(seed);
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("conf")).unwrap();
        let mut tree = Self { dir, config: String::new(), facts: BTreeMap::new() };
        let kernel = KernelBuilder::new(KREL);
        let count = 5 + noise.below(60);
        let mut exports: Vec<String> = Vec::new();
        let mut paths = Vec::new();
        let build = |name: &str, at: usize, noise: &mut Noise, exports: &mut Vec<String>| {
            let mut module = kernel.driver(name);
            for _ in 0..noise.below(6) {
                // Mostly of those before it, so that circles are rare; some that nobody has.
                let need = match exports.len() {
                    0 => "printk".into(),
                    count => exports[noise.below(count)].clone(),
                };
                module = match noise.below(8) {
                    0 => module.need_weak(need, Some(1)),
                    1 => module.version_only(need, 1),
                    2 => module.need(format!("absent_{at}"), 1),
                    _ => module.need(need, 1),
                };
            }
            for n in 0..noise.below(4) {
                let export = match noise.below(60) {
                    0 if !exports.is_empty() => exports[noise.below(exports.len())].clone(),
                    _ => format!("sym{n}_of_{at}"),
                };
                exports.push(export.clone());
                module = module.export(export, 1);
            }
            for n in 0..noise.below(5) {
                let alias = match noise.below(9) {
                    0 => format!("pci:v0000{at:04X}d*sv*"),
                    1 => "pci:v00001AF4d00001000sv*".into(),
                    2 => format!("of:N*T*Cacme,net-{n}"),
                    3 => format!("x-[a-{n}]-y"),
                    4 => format!("stray]{n}"),
                    5 => format!("devname:acme/{at}"),
                    6 => format!("char-major-{}-{n}", 10 + at),
                    7 => format!("block-major-{}-*", 10 + at),
                    _ => format!("fs-{}", "a".repeat(1 + noise.below(5))),
                };
                module = module.add_info("alias", alias);
            }
            if noise.below(5) == 0 {
                module = module.add_info("softdep", format!("pre: other-{at} post: last"));
                module = module.add_info("weakdep", format!("other-{at}"));
            }
            module
        };
        for at in 0..count {
            // Not every depmod can inflate gz.
            let suffix = [".ko", ".ko.zst", ".ko.xz"][noise.below(3)];
            let name =
                format!("{}{}m{at}", ["acme-", "net_", "x-y_"][noise.below(3)], "z".repeat(noise.below(4)));
            let place =
                ["kernel/fs", "kernel/drivers/net", "kernel/drivers/net/acme-x", "kernel"][noise.below(4)];
            let path = format!("{place}/{name}{suffix}");
            tree.module(&path, &build(&name, at, &mut noise, &mut exports));
            paths.push((path, name));
        }
        // Others of the same names elsewhere, and some of their own.
        for place in ["updates", "extra", "weak-updates/acme", "updates/dkms"].iter().take(noise.below(5)) {
            for _ in 0..1 + noise.below(4) {
                let (_, name) = paths[noise.below(count)].clone();
                let name = match noise.below(3) {
                    0 => name.replace('-', "_"),
                    1 => format!("own{}", noise.below(100)),
                    _ => name,
                };
                let path = format!("{place}/{name}.ko");
                let at = 1000 + noise.below(1000);
                tree.module(&path, &build(&name, at, &mut noise, &mut exports));
            }
        }
        tree.lists(&mut noise, &paths);
        tree
    }

    /// The kernel's own lists, and the configuration.
    fn lists(&mut self, noise: &mut Noise, paths: &[(String, String)]) {
        let plain = |path: &String| path.split(".ko").next().unwrap().to_owned() + ".ko";
        let mut order: Vec<String> = paths.iter().map(|(path, _)| plain(path)).collect();
        match noise.below(6) {
            0 => order.clear(),
            1 => order.truncate(order.len() / 2),
            2 => {
                let again = order[noise.below(order.len())].clone();
                order.push(again);
            }
            3 => order.reverse(),
            _ => noise.shuffle(&mut order),
        }
        if noise.below(8) > 0 {
            let end = if noise.below(6) == 0 { "" } else { "\n" };
            self.write("modules.order", order.join("\n") + end);
        }
        if noise.below(8) > 0 {
            self.write("modules.builtin", "kernel/fs/built-in.ko\nkernel/lib/other.ko\nkernel/lib/oth.ko\n");
        }
        if noise.below(8) > 0 {
            let text = b"built_in.alias=fs-x-y\0built_in.license=GPL\0other.alias=a]b\0other.alias=fs-x-y\0oth.alias=a[-]b-\0\
                other.author=x\0other.alias=built-\0";
            self.write("modules.builtin.modinfo", text);
        }
        let (_, name) = &paths[noise.below(paths.len())];
        self.config = match noise.below(6) {
            0 => String::new(),
            1 => "search updates extra built-in weak-updates\n".into(),
            2 => "search updates/dkms updates built-in\nsearch extra weak-updates\n".into(),
            3 => format!("search extra updates weak-updates built-in\noverride {name} * kernel/fs\n"),
            4 => format!("search built-in weak-updates updates extra\noverride {name} 6[.]4 updates\n"),
            _ => "# nothing\nsearch weak-updates/acme updates/dkms updates extra built-in\n".into(),
        };
        std::fs::write(self.dir.path().join("conf/a.conf"), &self.config).unwrap();
    }

    fn made(&self, style: Style) -> Result<Index, Unsure> {
        let modules: Vec<Module<'_>> =
            self.facts.iter().map(|(path, facts)| Module { path: path.as_bytes(), facts }).collect();
        let read = |name: &str| std::fs::read(self.kernel_dir().join(name)).ok();
        let (order, builtin) = (read("modules.order"), read("modules.builtin"));
        let builtin_modinfo = read("modules.builtin.modinfo");
        let mut config = Config::default();
        config.read(&self.config);
        let lists = Lists {
            order: order.as_deref(),
            builtin: builtin.as_deref(),
            builtin_modinfo: builtin_modinfo.as_deref(),
        };
        Index::make(&modules, lists, &config, KREL, style)
    }

    /// Every file is the one that depmod writes.
    fn is_as_depmod_has_it(&self, depmod: &Depmod, what: &str) -> Result<(), Unsure> {
        let made = self.made(Style::of_kmod(depmod.version));
        // Not run where modules need each other: kmods describe some circles without end (30) or until memory is out (34).
        let made = made?;
        let wrote = depmod.index(self.dir.path());
        assert!(wrote, "{what}: kmod {} writes nothing", depmod.version);
        for (name, bytes) in &made.files {
            let theirs = std::fs::read(self.kernel_dir().join(name)).unwrap();
            assert!(
                *bytes == theirs,
                "{what}: kmod {}, {name}: {}",
                depmod.version,
                differ(name, bytes, &theirs)
            );
        }
        let written = std::fs::read_dir(self.kernel_dir()).unwrap();
        for entry in written {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let own = ["modules.order", "modules.builtin", "modules.builtin.modinfo"];
            let is_known =
                !name.starts_with("modules.") || own.contains(&&*name) || made.file(&name).is_some();
            assert!(is_known, "{what}: kmod {} writes {name}", depmod.version);
            if name.starts_with("modules.") && !own.contains(&&*name) {
                std::fs::remove_file(self.kernel_dir().join(name)).unwrap();
            }
        }
        Ok(())
    }
}

/// The first difference, in words.
fn differ(name: &str, ours: &[u8], theirs: &[u8]) -> String {
    if !name.ends_with(".bin") {
        let (ours, theirs) = (String::from_utf8_lossy(ours), String::from_utf8_lossy(theirs));
        let first = ours.lines().zip(theirs.lines()).find(|(a, b)| a != b);
        return format!("{first:?}, of {} and {} lines", ours.lines().count(), theirs.lines().count());
    }
    let at = ours.iter().zip(theirs).position(|(a, b)| a != b);
    let entries = |bytes| Trie::parse(bytes).and_then(|trie| trie.entries());
    let is_the_same = entries(ours) == entries(theirs);
    format!("byte {at:?} of {} and {}; the same entries: {is_the_same}", ours.len(), theirs.len())
}

/// One tree, changed step by step; what is known of files that did not change is not read again.
#[test]
fn a_history_of_changes() {
    let depmods = Depmod::all();
    for seed in [5, 7] {
        let mut tree = Tree::random(seed);
        let mut noise = Noise::new(seed);
        let kernel = KernelBuilder::new(KREL);
        let mut compared = 0;
        for step in 0..20 {
            let name = format!("step{}", noise.below(6));
            let path = format!("{}/{name}.ko", ["updates", "extra", "weak-updates/acme"][noise.below(3)]);
            match noise.below(3) {
                0 => {
                    tree.facts.remove(&path);
                    let _ = std::fs::remove_file(tree.kernel_dir().join(&path));
                }
                _ => {
                    let module =
                        kernel.driver(&name).export(format!("{name}_f"), 1).alias(&format!("x:{step}*"));
                    let need = format!("step{}_f", noise.below(6));
                    let module =
                        if need == format!("{name}_f") { module } else { module.need_weak(need, Some(1)) };
                    tree.module(&path, &module);
                }
            }
            for depmod in &depmods {
                let same = tree.is_as_depmod_has_it(depmod, &format!("seed {seed}, step {step}"));
                compared += usize::from(same.is_ok());
            }
        }
        assert!(compared >= 10, "seed {seed}: {compared} compared");
    }
}

#[test]
#[ignore = "needs directories of real kernels' modules, in KMP_TEST_INDEX_KERNELS"]
fn whole_kernels() {
    let named = std::env::var_os("KMP_TEST_INDEX_KERNELS").expect("KMP_TEST_INDEX_KERNELS");
    for from in std::env::split_paths(&named) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("conf")).unwrap();
        std::fs::create_dir_all(dir.path().join("lib/modules")).unwrap();
        let mut tree = Tree { dir, config: String::new(), facts: BTreeMap::new() };
        let mut copy = Command::new("sh");
        copy.args([
            "-c",
            r#"mkdir -p "$2" && cd "$1" && cp -r kernel "$2" && for f in modules.order modules.builtin*; do
            case $f in *.bin) ;; *) [ ! -e "$f" ] || cp "$f" "$2" ;; esac; done"#,
            "sh",
        ]);
        testkit::run(copy.arg(&from).arg(tree.kernel_dir())).expect_success();
        let mut dirs = vec![tree.kernel_dir()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let below = path.strip_prefix(tree.kernel_dir()).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    dirs.push(path);
                } else if [".ko", ".ko.xz", ".ko.zst"].iter().any(|suffix| below.ends_with(suffix)) {
                    let bytes = std::fs::read(&path).unwrap();
                    let bytes = kmp_fs::unpack::inflate(bytes, 1 << 30).unwrap();
                    tree.facts.insert(below, facts(&bytes));
                }
            }
        }
        assert!(tree.facts.len() > 100, "{}", from.display());
        for depmod in Depmod::all() {
            tree.is_as_depmod_has_it(&depmod, &from.display().to_string()).unwrap();
            println!(
                "{}: {} modules, the same bytes as kmod {}'s",
                from.display(),
                tree.facts.len(),
                depmod.version
            );
        }
    }
}

#[test]
fn random_trees() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (trees, first) = (number("KMP_TEST_INDEX_TREES", 300), number("KMP_TEST_INDEX_SEED", 1));
    let depmods = Depmod::all();
    let (mut compared, mut unsure) = (0, BTreeMap::<String, u32>::new());
    for seed in first..first + trees {
        let tree = Tree::random(seed);
        for depmod in &depmods {
            match tree.is_as_depmod_has_it(depmod, &format!("seed {seed}")) {
                Ok(()) => compared += 1,
                Err(e) => {
                    *unsure.entry(e.to_string().split(':').next().unwrap().to_owned()).or_default() += 1
                }
            }
        }
    }
    println!("{compared} indexes are the same bytes; left to depmod: {unsure:?}");
    assert!(compared * 2 > trees * depmods.len() as u64, "{compared} compared, left to depmod: {unsure:?}");
}
