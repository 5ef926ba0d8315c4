// SPDX-License-Identifier: LGPL-2.1-or-later
//! Cases for `weak-modules`. Defects are named by their number in docs/peers.md, or by a user's report.

use testkit::{Compression, KernelBuilder, ModuleBuilder, Package, PackageBuilder};

use crate::case::{self, Case, Named, driver, kernel};

const OLD: &str = "5.14.0-70.el9.x86_64";
const SAME: &str = "5.14.0-162.el9.x86_64";
const OTHER: &str = "5.14.0-284.el9.x86_64";
const LAST: &str = "5.14.0-362.el9.x86_64";

pub const CASES: &[Named] = &[
    ("modules come and go", comes_and_goes),
    ("an update relinks", update),
    ("an update in place keeps links", update_in_place),
    ("a reinstallation keeps links", reinstall),
    ("kernels come and go", kernels),
    ("a kernel that is not there", absent_kernel),
    ("a kernel with nothing for it", kernel_without_modules),
    ("provider, then user", pair),
    ("a user before its provider", user_first),
    ("a provider goes before its user", provider_goes),
    ("pairs of two builds", pairs),
    ("a list that fits in part", partly),
    ("a list of dependent modules that fits in part", dependent_partly),
    ("a group of dependent modules and a kernel", dependent_and_kernel),
    ("variants of kernels", variants),
    ("a native module", native),
    ("modules of no package", unpackaged),
    ("modules of no package, and kernels", unpackaged_and_kernels),
    ("builds of one module for several kernels", several_builds),
    ("an older version where the newest does not fit", older_fits),
    ("modules outside extra", outside_extra),
    ("a module directly below extra", flat),
    ("built for another kernel than its directory's", other_vermagic),
    ("built for a kernel that is not there", never_was_here),
    ("compressed modules", compressed),
    ("zst modules", zst),
    ("a module that is none", garbage),
    ("a broken module elsewhere in the tree", broken_neighbour),
    ("a vermagic of other flags", vermagic),
    ("a proprietary user of a GPL-only symbol", licence),
    ("symvers in /boot", boot),
    ("symvers of another compression", symvers_xz),
    ("a plus in the release", plus),
    ("the in-tree module of the same name", in_tree),
    ("a dry run", dry_run),
    ("an empty list", empty_list),
    ("wrong usage", usage),
    ("abbreviated and repeated options", options),
];

fn package(base: &str, version: &str, kernel: &KernelBuilder, modules: &[(&str, ModuleBuilder)]) -> Package {
    case::package(PackageBuilder::kmod, base, version, kernel, modules)
}

/// A package with one module of its own name.
fn one(base: &str, version: &str, kernel: &KernelBuilder, crc: u32) -> Package {
    package(base, version, kernel, &[(base, driver(base, kernel, crc))])
}

/// Three kernels, the last of which does not take what was built for the first.
fn kernels_there(c: &Case) -> [KernelBuilder; 3] {
    let kernels = [kernel(OLD, 7), kernel(SAME, 7), kernel(OTHER, 8)];
    kernels.iter().for_each(|k| c.kernel_is_there(k));
    kernels
}

const FOO: (&str, &str) = ("foo/foo.ko", OLD);

/// A module of no package below a kernel's directory, and its line in a list.
fn built(c: &Case, krel: &str, below: &str, module: &ModuleBuilder) -> String {
    c.write(&format!("usr/lib/modules/{krel}/{below}"), &module.build());
    format!("/lib/modules/{krel}/{below}\n")
}

fn comes_and_goes(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let foo = one("foo", "1", &old, 7);
    c.install(&foo);
    c.has(SAME, &[FOO]);
    c.has(OLD, &[]);
    c.has(OTHER, &[]);
    c.erase(&foo);
    c.has(SAME, &[]);
}

fn update(c: &mut Case) {
    let [old, same, _] = kernels_there(c);
    c.kernel_is_there(&kernel(LAST, 7));
    let (first, second) = (one("foo", "1", &old, 7), one("foo", "2", &same, 7));
    c.install(&first);
    c.has(SAME, &[FOO]);
    c.update(&first, &second, Some("dkms#140"));
    c.has(OLD, &[("foo/foo.ko", SAME)]);
    c.has(LAST, &[("foo/foo.ko", SAME)]);
    c.has(SAME, &[]);
}

fn update_in_place(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let (first, second) = (one("foo", "1", &old, 7), one("foo", "2", &old, 7));
    c.install(&first);
    c.update(&first, &second, None);
    c.has(SAME, &[FOO]);
}

fn reinstall(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let foo = one("foo", "1", &old, 7);
    c.install(&foo);
    c.reinstall(&foo);
    c.has(SAME, &[FOO]);
}

fn kernels(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    c.install(&one("foo", "1", &old, 7));
    c.install(&one("bar", "1", &old, 7));
    let last = kernel(LAST, 7);
    c.add_kernel(&last);
    c.has(LAST, &[("bar/bar.ko", OLD), FOO]);
    c.remove_kernel(&last);
    c.has(LAST, &[]);
    c.add_kernel(&last);
    c.has(LAST, &[("bar/bar.ko", OLD), FOO]);
    c.add_kernel(&kernel("5.14.0-427.el9.x86_64", 9));
    c.has("5.14.0-427.el9.x86_64", &[]);
}

fn absent_kernel(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    c.install(&one("foo", "1", &old, 7));
    assert_eq!(c.call(&["--add-kernel", "4.18.0-1.el8.x86_64"], ""), Some(1));
    assert_eq!(c.call(&["--remove-kernel", "4.18.0-1.el8.x86_64"], ""), Some(0));
    c.has(SAME, &[FOO]);
}

fn kernel_without_modules(c: &mut Case) {
    let old = kernel(OLD, 7);
    c.add_kernel(&old);
    c.remove_kernel(&old);
    c.has(OLD, &[]);
}

fn provider(kernel: &KernelBuilder, version: &str, crc: u32, exported: u32) -> Package {
    package("acme", version, kernel, &[("acme", driver("acme", kernel, crc).export("acme_open", exported))])
}

fn user(kernel: &KernelBuilder, version: &str, crc: u32, exported: u32) -> Package {
    package("net", version, kernel, &[("net", driver("net", kernel, crc).need("acme_open", exported))])
}

const BOTH: [(&str, &str); 2] = [("acme/acme.ko", OLD), ("net/net.ko", OLD)];

fn pair(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    c.install(&provider(&old, "1", 7, 1));
    c.install(&user(&old, "1", 7, 1));
    c.has(SAME, &BOTH);
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &BOTH);
}

fn user_first(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    c.install(&user(&old, "1", 7, 1));
    c.has(SAME, &[]);
    c.by_defect("15", |c| c.install(&provider(&old, "1", 7, 1)));
    c.has(SAME, &BOTH);
}

fn provider_goes(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let acme = provider(&old, "1", 7, 1);
    c.install(&acme);
    c.install(&user(&old, "1", 7, 1));
    c.erase(&acme);
    c.has(SAME, &[]);
}

fn pairs(c: &mut Case) {
    let [old, _, other] = kernels_there(c);
    c.kernel_is_there(&kernel(LAST, 8));
    for (kernel, version, crc, exported) in [(&old, "1", 7, 1), (&other, "2", 8, 2)] {
        c.install(&provider(kernel, version, crc, exported));
        c.install(&user(kernel, version, crc, exported));
    }
    c.has(SAME, &BOTH);
    c.has(LAST, &[("acme/acme.ko", OTHER), ("net/net.ko", OTHER)]);
}

/// Two modules that have nothing to do with each other, one of which fits.
fn halves(kernel: &KernelBuilder) -> Package {
    package("pair", "1", kernel, &[("one", driver("one", kernel, 7)), ("two", driver("two", kernel, 9))])
}

fn partly(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    c.install(&halves(&old));
    c.has(SAME, &[]);
    // By a list it is all or nothing; when a kernel comes it is module by module.
    c.by_defect("15", |c| c.add_kernel(&kernel(LAST, 7)));
    c.has(LAST, &[]);
}

fn zfs(kernel: &KernelBuilder, crc: u32) -> [(&'static str, ModuleBuilder); 2] {
    let spl = driver("spl", kernel, 7).export("spl_alloc", 5);
    [("spl", spl), ("zfs", driver("zfs", kernel, crc).need("spl_alloc", 5))]
}

fn dependent_partly(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    c.install(&package("zfs", "1", &old, &zfs(&old, 9)));
    c.has(SAME, &[]);
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[]);
}

fn dependent_and_kernel(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    c.install(&package("zfs", "1", &old, &zfs(&old, 7)));
    let both = [("zfs/spl.ko", OLD), ("zfs/zfs.ko", OLD)];
    c.has(SAME, &both);
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &both);
    c.add_kernel(&kernel("5.14.0-427.el9.x86_64", 9));
    c.has("5.14.0-427.el9.x86_64", &[]);
}

fn variants(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let (debug, rt) = ("5.14.0-162.el9.x86_64+debug", "5.14.0-162.el9.x86_64+rt");
    c.kernel_is_there(&kernel(debug, 7));
    c.kernel_is_there(&kernel(rt, 9));
    c.install(&one("foo", "1", &old, 7));
    c.has(debug, &[FOO]);
    c.has(rt, &[]);
}

fn native(c: &mut Case) {
    let [old, same, _] = kernels_there(c);
    built(c, SAME, "extra/foo/foo.ko", &driver("foo", &same, 7));
    let foo = one("foo", "1", &old, 7);
    // The original makes a link that depmod passes over as long as the native module is there.
    c.by_defect("dkms#140", |c| c.install(&foo));
    c.has(SAME, &[]);
}

fn unpackaged(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let list = built(c, OLD, "extra/one.ko", &driver("one", &old, 7));
    c.call(&["--add-modules"], &list);
    c.has(SAME, &[("one.ko", OLD)]);
    let group: String = zfs(&old, 7)
        .iter()
        .map(|(name, module)| built(c, OLD, &format!("extra/zfs/{name}.ko"), module))
        .collect();
    c.call(&["--add-modules"], &group);
    let all = [("one.ko", OLD), ("zfs/spl.ko", OLD), ("zfs/zfs.ko", OLD)];
    c.has(SAME, &all);
    // As long as the files are there a removal removes nothing.
    c.call(&["--remove-modules"], &group);
    c.has(SAME, &all);
    c.delete(&format!("usr/lib/modules/{OLD}/extra/zfs"));
    c.call(&["--remove-modules"], &group);
    c.has(SAME, &[("one.ko", OLD)]);
}

fn unpackaged_and_kernels(c: &mut Case) {
    let old = kernel(OLD, 7);
    c.kernel_is_there(&old);
    built(c, OLD, "extra/one.ko", &driver("one", &old, 7));
    built(c, OLD, "extra/bad.ko", &driver("bad", &old, 9));
    for (name, module) in zfs(&old, 7) {
        built(c, OLD, &format!("extra/{name}.ko"), &module);
    }
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[("one.ko", OLD), ("spl.ko", OLD), ("zfs.ko", OLD)]);
}

fn several_builds(c: &mut Case) {
    let [old, same, other] = kernels_there(c);
    for kernel in [&old, &same] {
        built(c, kernel.krel(), "extra/foo.ko", &driver("foo", kernel, 7));
    }
    built(c, OTHER, "extra/foo.ko", &driver("foo", &other, 8));
    // The newest that fits, and the kernels with one of their own keep it.
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[("foo.ko", SAME)]);
    c.add_kernel(&kernel("5.14.0-427.el9.x86_64", 8));
    c.has("5.14.0-427.el9.x86_64", &[("foo.ko", OTHER)]);
}

fn older_fits(c: &mut Case) {
    let [old, _, other] = kernels_there(c);
    let (first, second) = (one("foo", "1", &old, 7), one("foo", "2", &other, 8));
    c.install(&first);
    c.install(&second);
    c.has(SAME, &[FOO]);
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[FOO]);
    // Another version that fits takes over when one goes; the original looks for none.
    let third = one("foo", "3", &kernel(LAST, 7), 7);
    c.by_defect("dkms#140", |c| c.install(&third));
    c.has(SAME, &[("foo/foo.ko", LAST)]);
    c.by_defect("rhbz#1643299", |c| c.erase(&third));
    c.has(SAME, &[FOO]);
}

fn outside_extra(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let list = built(c, OLD, "updates/dkms/foo.ko", &driver("foo", &old, 7));
    c.call(&["--add-modules"], &list);
    let expected = format!("weak-updates/dkms/foo.ko -> /lib/modules/{OLD}/updates/dkms/foo.ko");
    c.has_exactly(SAME, std::slice::from_ref(&expected));
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[]);
    c.call(&["--remove-modules"], &list);
    c.has_exactly(SAME, &[expected]);
    c.delete(&format!("usr/lib/modules/{OLD}/updates"));
    c.call(&["--remove-modules"], &list);
    c.has(SAME, &[]);
}

fn flat(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let path = format!("lib/modules/{OLD}/extra/foo.ko");
    let foo = PackageBuilder::new("kmod-foo", "1", "1").file(path, driver("foo", &old, 7).build()).build();
    c.install(&foo);
    c.has(SAME, &[("foo.ko", OLD)]);
    c.erase(&foo);
    c.has(SAME, &[]);
}

fn other_vermagic(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let files = [("foo.ko", driver("foo", &kernel("5.14.0-1.el9.x86_64", 7), 7).build())];
    let foo = PackageBuilder::kmod("foo", "1", old.krel(), files).build();
    c.install(&foo);
    let path = format!("lib/modules/{OLD}/extra/foo/foo.ko");
    c.has_exactly(SAME, &[format!("weak-updates/{path} -> /{path}")]);
    c.add_kernel(&kernel(LAST, 7));
    c.has_exactly(LAST, &[format!("weak-updates/{path} -> /{path}")]);
}

fn never_was_here(c: &mut Case) {
    for kernel in [kernel(SAME, 7), kernel(OTHER, 8)] {
        c.kernel_is_there(&kernel);
    }
    let foo = one("foo", "1", &kernel(OLD, 7), 7);
    c.install(&foo);
    c.has(SAME, &[FOO]);
    c.has(OTHER, &[]);
    c.erase(&foo);
    c.has(SAME, &[]);
}

fn in_form(c: &mut Case, compression: Compression) -> Package {
    let [old, ..] = kernels_there(c);
    let file = format!("foo.ko{}", compression.suffix());
    let module = driver("foo", &old, 7).build_compressed(compression);
    PackageBuilder::kmod("foo", "1", OLD, [(file, module)]).build()
}

fn compressed(c: &mut Case) {
    let foo = in_form(c, Compression::Xz);
    c.install(&foo);
    c.has(SAME, &[("foo/foo.ko.xz", OLD)]);
    c.has(OTHER, &[]);
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[("foo/foo.ko.xz", OLD)]);
    c.erase(&foo);
    c.has(SAME, &[]);
}

fn zst(c: &mut Case) {
    let foo = in_form(c, Compression::Zst);
    c.package_is_there(&[&foo]);
    c.by_defect("11", |c| c.add_kernel(&kernel(LAST, 7)));
    c.has(LAST, &[("foo/foo.ko.zst", OLD)]);
}

fn garbage(c: &mut Case) {
    kernels_there(c);
    let files = [("foo.ko", b"no module".to_vec())];
    let foo = PackageBuilder::kmod("foo", "1", OLD, files).build();
    c.by_defect("16", |c| c.install(&foo));
    c.has(SAME, &[]);
}

fn broken_neighbour(c: &mut Case) {
    let [old, same, _] = kernels_there(c);
    built(c, SAME, "extra/odd.ko", &driver("odd", &same, 7).need("nowhere", 1));
    c.install(&one("foo", "1", &old, 7));
    c.has(SAME, &[FOO]);
}

/// A package that the kernel refuses for what depmod does not look at.
fn refused(c: &mut Case, kernels: [KernelBuilder; 2], module: ModuleBuilder) {
    kernels.iter().for_each(|k| c.kernel_is_there(k));
    let foo = package("foo", "1", &kernels[0], &[("foo", module)]);
    c.by_defect("7", |c| c.install(&foo));
    c.has(SAME, &[]);
}

fn vermagic(c: &mut Case) {
    let in_tree = |krel, flags| {
        let net = ModuleBuilder::new("net").need("printk", 0x1000_0001);
        kernel(krel, 7).vermagic_flags(flags).module("drivers", net)
    };
    let old = in_tree(OLD, "SMP preempt mod_unload modversions ");
    let module = driver("foo", &old, 7);
    refused(c, [old, in_tree(SAME, "SMP mod_unload modversions ")], module);
}

fn licence(c: &mut Case) {
    let kernels = [OLD, SAME].map(|krel| kernel(krel, 7).export_gpl("gpl_only", 3));
    let module = driver("foo", &kernels[0], 7).need("gpl_only", 3).license("Proprietary");
    refused(c, kernels, module);
}

fn boot(c: &mut Case) {
    let kernels = [(OLD, 7), (SAME, 7), (OTHER, 8)]
        .map(|(krel, crc)| kernel(krel, crc).symvers_place(testkit::SymversPlace::Boot));
    kernels.iter().for_each(|k| c.kernel_is_there(k));
    c.install(&one("foo", "1", &kernels[0], 7));
    c.has(SAME, &[FOO]);
    c.has(OTHER, &[]);
}

fn symvers_xz(c: &mut Case) {
    let kernels = [(OLD, 7), (SAME, 7), (OTHER, 8)]
        .map(|(krel, crc)| kernel(krel, crc).symvers_compression(Compression::Xz));
    kernels.iter().for_each(|k| c.kernel_is_there(k));
    let foo = one("foo", "1", &kernels[0], 7);
    c.by_defect("10", |c| c.install(&foo));
    c.has(SAME, &[FOO]);
    c.has(OTHER, &[]);
}

fn plus(c: &mut Case) {
    let odd = kernel("5.14.0-70+1.el9.x86_64", 7);
    for kernel in [&odd, &kernel("5.14.0-7001.el9.x86_64", 7)] {
        c.kernel_is_there(kernel);
    }
    let foo = one("foo", "1", &odd, 7);
    c.install(&foo);
    c.has("5.14.0-7001.el9.x86_64", &[("foo/foo.ko", "5.14.0-70+1.el9.x86_64")]);
    c.erase(&foo);
    c.has("5.14.0-7001.el9.x86_64", &[]);
}

fn in_tree(c: &mut Case) {
    let with = |krel: &str| {
        let foo = ModuleBuilder::new("foo").need("printk", 0x1000_0001).export("foo_open", 3);
        kernel(krel, 7).module("drivers", foo)
    };
    let (old, same) = (with(OLD), with(SAME));
    c.kernel_is_there(&old);
    c.kernel_is_there(&same);
    c.install(&package("foo", "1", &old, &[("foo", driver("foo", &old, 7).export("foo_open", 3))]));
    c.has(SAME, &[FOO]);
}

fn dry_run(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let foo = one("foo", "1", &old, 7);
    c.package_is_there(&[&foo]);
    let list = format!("/lib/modules/{OLD}/extra/foo/foo.ko\n");
    assert_eq!(c.call(&["--dry-run", "--add-modules"], &list), Some(0));
    assert_eq!(c.call(&["--dry-run", "--add-kernel", SAME], ""), Some(0));
    c.has(SAME, &[]);
    c.call(&["--add-modules"], &list);
    assert_eq!(c.call(&["--dry-run", "--remove-kernel", SAME], ""), Some(0));
    c.has(SAME, &[FOO]);
}

fn empty_list(c: &mut Case) {
    kernels_there(c);
    assert_eq!(c.call(&["--add-modules"], ""), Some(0));
    assert_eq!(c.call(&["--remove-modules"], "\n\n"), Some(0));
}

fn usage(c: &mut Case) {
    for args in [&[][..], &["--verbose"], &["--no-such-option"], &["--basedir"], &["--add"]] {
        assert_eq!(c.call(args, ""), Some(1), "{args:?}");
    }
    for option in ["-h", "--help"] {
        assert_eq!(c.call(&[option], ""), Some(0));
    }
}

fn options(c: &mut Case) {
    let [old, ..] = kernels_there(c);
    let foo = one("foo", "1", &old, 7);
    c.package_is_there(&[&foo]);
    let list = format!("/lib/modules/{OLD}/extra/foo/foo.ko\n");
    c.call(&["--verb", "--verbose", "--add-mod", "--delete-modules"], &list);
    c.has(SAME, &[FOO]);
    // Of several modes the same one counts.
    c.call(&["--remove-kernel", "--add-kernel", SAME, "more"], "");
    c.has(SAME, &[FOO]);
}
