// SPDX-License-Identifier: LGPL-2.1-or-later
//! Cases for `weak-modules`. Defects are named by their number in docs/peers.md, or by a user's report.

use testkit::{Compression, KernelBuilder, ModuleBuilder, Package, PackageBuilder};

use crate::case::{Case, Named};
use crate::distribution::{RED_HAT, driver, kernel};

const OLD: &str = RED_HAT.old;
const SAME: &str = RED_HAT.same;
const OTHER: &str = RED_HAT.other;
const LAST: &str = RED_HAT.last;

pub const CASES: &[Named] = &[
    ("a kernel that is not there", absent_kernel),
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
    ("compressed modules", compressed),
    ("zst modules", zst),
    ("the in-tree module of the same name", in_tree),
    ("a dry run", dry_run),
    ("an empty list", empty_list),
    ("wrong usage", usage),
    ("abbreviated and repeated options", options),
];

const FOO: (&str, &str) = ("foo/foo.ko", OLD);

/// A module of no package below a kernel's directory, and its line in a list.
fn built(c: &Case, krel: &str, below: &str, module: &ModuleBuilder) -> String {
    c.write(&format!("usr/lib/modules/{krel}/{below}"), &module.build());
    format!("/lib/modules/{krel}/{below}\n")
}

fn absent_kernel(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    c.install(&RED_HAT.one("foo", "1", &old, 7));
    assert_eq!(c.call(&["--add-kernel", "4.18.0-1.el8.x86_64"], ""), Some(1));
    assert_eq!(c.call(&["--remove-kernel", "4.18.0-1.el8.x86_64"], ""), Some(0));
    c.has(SAME, &[FOO]);
}

/// Two modules that have nothing to do with each other, one of which fits.
fn halves(kernel: &KernelBuilder) -> Package {
    RED_HAT.package(
        "pair",
        "1",
        kernel,
        &[("one", driver("one", kernel, 7)), ("two", driver("two", kernel, 9))],
    )
}

fn partly(c: &mut Case) {
    let [old, ..] = c.kernels_there();
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
    let [old, ..] = c.kernels_there();
    c.install(&RED_HAT.package("zfs", "1", &old, &zfs(&old, 9)));
    c.has(SAME, &[]);
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[]);
}

fn dependent_and_kernel(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    c.install(&RED_HAT.package("zfs", "1", &old, &zfs(&old, 7)));
    let both = [("zfs/spl.ko", OLD), ("zfs/zfs.ko", OLD)];
    c.has(SAME, &both);
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &both);
    c.add_kernel(&kernel(RED_HAT.next, 9));
    c.has(RED_HAT.next, &[]);
}

fn variants(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let (debug, rt) = ("5.14.0-162.el9.x86_64+debug", "5.14.0-162.el9.x86_64+rt");
    c.kernel_is_there(&kernel(debug, 7));
    c.kernel_is_there(&kernel(rt, 9));
    c.install(&RED_HAT.one("foo", "1", &old, 7));
    c.has(debug, &[FOO]);
    c.has(rt, &[]);
}

fn native(c: &mut Case) {
    let [old, same, _] = c.kernels_there();
    built(c, SAME, "extra/foo/foo.ko", &driver("foo", &same, 7));
    let foo = RED_HAT.one("foo", "1", &old, 7);
    // The original makes a link that depmod passes over as long as the native module is there.
    c.by_defect("dkms#140", |c| c.install(&foo));
    c.has(SAME, &[]);
}

fn unpackaged(c: &mut Case) {
    let [old, ..] = c.kernels_there();
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
    let [old, same, other] = c.kernels_there();
    for kernel in [&old, &same] {
        built(c, kernel.krel(), "extra/foo.ko", &driver("foo", kernel, 7));
    }
    built(c, OTHER, "extra/foo.ko", &driver("foo", &other, 8));
    // The newest that fits, and the kernels with one of their own keep it.
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[("foo.ko", SAME)]);
    c.add_kernel(&kernel(RED_HAT.next, 8));
    c.has(RED_HAT.next, &[("foo.ko", OTHER)]);
}

fn older_fits(c: &mut Case) {
    let [old, _, other] = c.kernels_there();
    let (first, second) = (RED_HAT.one("foo", "1", &old, 7), RED_HAT.one("foo", "2", &other, 8));
    c.install(&first);
    c.install(&second);
    c.has(SAME, &[FOO]);
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[FOO]);
    // Another version that fits takes over when one goes; the original looks for none.
    let third = RED_HAT.one("foo", "3", &kernel(LAST, 7), 7);
    c.by_defect("dkms#140", |c| c.install(&third));
    c.has(SAME, &[("foo/foo.ko", LAST)]);
    c.by_defect("rhbz#1643299", |c| c.erase(&third));
    c.has(SAME, &[FOO]);
}

fn outside_extra(c: &mut Case) {
    let [old, ..] = c.kernels_there();
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
    let [old, ..] = c.kernels_there();
    let path = format!("lib/modules/{OLD}/extra/foo.ko");
    let foo = PackageBuilder::new("kmod-foo", "1", "1").file(path, driver("foo", &old, 7).build()).build();
    c.install(&foo);
    c.has(SAME, &[("foo.ko", OLD)]);
    c.erase(&foo);
    c.has(SAME, &[]);
}

fn other_vermagic(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let files = [("foo.ko", driver("foo", &kernel("5.14.0-1.el9.x86_64", 7), 7).build())];
    let foo = PackageBuilder::kmod("foo", "1", old.krel(), files).build();
    c.install(&foo);
    let path = format!("lib/modules/{OLD}/extra/foo/foo.ko");
    c.has_exactly(SAME, &[format!("weak-updates/{path} -> /{path}")]);
    c.add_kernel(&kernel(LAST, 7));
    c.has_exactly(LAST, &[format!("weak-updates/{path} -> /{path}")]);
}

fn in_form(c: &mut Case, compression: Compression) -> Package {
    let [old, ..] = c.kernels_there();
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

fn in_tree(c: &mut Case) {
    let with = |krel: &str| {
        let foo = ModuleBuilder::new("foo").need("printk", 0x1000_0001).export("foo_open", 3);
        kernel(krel, 7).module("drivers", foo)
    };
    let (old, same) = (with(OLD), with(SAME));
    c.kernel_is_there(&old);
    c.kernel_is_there(&same);
    c.install(&RED_HAT.package("foo", "1", &old, &[("foo", driver("foo", &old, 7).export("foo_open", 3))]));
    c.has(SAME, &[FOO]);
}

fn dry_run(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let foo = RED_HAT.one("foo", "1", &old, 7);
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
    c.kernels_there();
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
    let [old, ..] = c.kernels_there();
    let foo = RED_HAT.one("foo", "1", &old, 7);
    c.package_is_there(&[&foo]);
    let list = format!("/lib/modules/{OLD}/extra/foo/foo.ko\n");
    c.call(&["--verb", "--verbose", "--add-mod", "--delete-modules"], &list);
    c.has(SAME, &[FOO]);
    // Of several modes the same one counts.
    c.call(&["--remove-kernel", "--add-kernel", SAME, "more"], "");
    c.has(SAME, &[FOO]);
}
