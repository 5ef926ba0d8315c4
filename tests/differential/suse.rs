// SPDX-License-Identifier: LGPL-2.1-or-later
//! Cases for `weak-modules2`. Defects are named by their number in docs/peers.md, or by a user's report.

use testkit::{Compression, KernelBuilder, ModuleBuilder, Package, PackageBuilder, Versions};

use crate::both::refused;
use crate::case::{Case, Named};
use crate::distribution::{SUSE, driver, kernel};

const OLD: &str = SUSE.old;
const SAME: &str = SUSE.same;
const OTHER: &str = SUSE.other;
const LAST: &str = SUSE.last;

pub const CASES: &[Named] = &[
    ("the newest version that fits is linked", versions),
    ("an older version takes the place of one that goes", older_takes_over),
    ("a kernel that is not there", absent_kernel),
    ("lists of in-tree modules", kernel_modules),
    ("flavours", flavours),
    ("two packages with one module", clash),
    ("a native module", native),
    ("a module in extra", extra),
    ("compressed modules", compressed),
    ("a module of two names", dashes),
    ("the same module compressed and not", compressed_twins),
    ("a package of the kernel itself", in_kernel),
    ("a namespace that is not imported", namespace),
    ("an export that is there already", duplicate),
    ("modules packaged below /lib", below_lib),
    ("extended versions", extended),
    ("a dry run", dry_run),
    ("a dry removal of a kernel", dry_remove_kernel),
    ("twelve KMPs and a kernel", many),
    ("links of somebody else", foreign),
    ("wrong usage", usage),
    ("requests for an initrd", initrds),
];

/// A KMP of one module.
fn single(base: &str, kernel: &KernelBuilder, module: ModuleBuilder) -> Package {
    SUSE.package(base, "1", kernel, &[(base, module)])
}

const FOO: (&str, &str) = ("updates/foo.ko", OLD);

fn versions(c: &mut Case) {
    let [old, same, other] = c.kernels_there();
    c.kernel_is_there(&kernel(LAST, 7));
    // Versions for kernels that are not here.
    let built_for = |krel| kernel(krel, 7);
    let (nine, ten) = (built_for("6.4.0-10-default"), built_for("6.4.0-9-default"));
    // 1.10 is newer than 1.9.
    c.install(&SUSE.one("foo", "1.9", &nine, 7));
    c.install(&SUSE.one("foo", "1.10", &ten, 7));
    let newest = [("updates/foo.ko", "6.4.0-9-default")];
    c.has(SAME, &newest);
    // One that fits nowhere else changes nothing.
    c.install(&SUSE.one("foo", "3", &other, 8));
    c.has(SAME, &newest);
    // An older one that comes later does not, either.
    c.install(&SUSE.one("foo", "0.9", &built_for("6.4.0-0-default"), 7));
    c.has(SAME, &newest);
    c.has(LAST, &newest);
    // Where a version comes that is the kernel's own, the original leaves its link to another.
    c.install(&SUSE.one("bar", "1", &old, 7));
    let second = SUSE.one("bar", "2", &same, 7);
    c.by_defect("dkms#140", |c| c.install(&second));
    c.has(SAME, &newest);
    c.has(LAST, &[("updates/bar.ko", SAME), newest[0]]);
}

fn older_takes_over(c: &mut Case) {
    let [old, same, _] = c.kernels_there();
    c.kernel_is_there(&kernel(LAST, 7));
    let (first, second) = (SUSE.one("foo", "1", &old, 7), SUSE.one("foo", "2", &same, 7));
    c.install(&first);
    c.by_defect("dkms#140", |c| c.install(&second));
    c.has(LAST, &[("updates/foo.ko", SAME)]);
    c.erase(&second);
    c.has(SAME, &[FOO]);
    c.has(LAST, &[FOO]);
    c.has(OLD, &[]);
}

fn absent_kernel(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    c.install(&SUSE.one("foo", "1", &old, 7));
    assert_eq!(c.call(&["--add-kernel", "5.3.18-1-default"], ""), Some(0));
    c.has(SAME, &[FOO]);
}

fn kernel_modules(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    c.install(&SUSE.one("foo", "1", &old, 7));
    let list = format!("/usr/lib/modules/{SAME}/kernel/drivers/net/more.ko\n");
    c.call(&["--add-kernel-modules", SAME], &list);
    c.call(&["--remove-kernel-modules", SAME], &list);
    c.has(SAME, &[FOO]);
}

fn flavours(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let rt = kernel("6.4.0-1-rt", 7);
    for kernel in [&rt, &kernel("6.4.0-2-rt", 7), &kernel("6.4.0-2-nondefault", 7)] {
        c.kernel_is_there(kernel);
    }
    c.install(&SUSE.one("foo", "1", &old, 7));
    c.install(&SUSE.one("foo", "1", &rt, 7));
    c.has(SAME, &[FOO]);
    c.has("6.4.0-2-rt", &[("updates/foo.ko", "6.4.0-1-rt")]);
    c.has("6.4.0-2-nondefault", &[]);
}

fn clash(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let with = |name: &str| {
        let path = format!("usr/lib/modules/{OLD}/updates/{name}/foo.ko");
        PackageBuilder::kmp(
            name,
            "default",
            "1",
            OLD,
            [(format!("{name}.ko"), driver(name, &old, 7).build())],
        )
        .file(path, driver("foo", &old, 7).build())
        .build()
    };
    c.install(&with("a"));
    c.install(&with("b"));
    c.has(SAME, &[("updates/a/foo.ko", OLD), ("updates/a.ko", OLD)]);
}

fn native(c: &mut Case) {
    let [old, same, _] = c.kernels_there();
    c.kernel_is_there(&kernel(LAST, 7));
    c.write(&format!("usr/lib/modules/{SAME}/updates/dkms/foo.ko"), &driver("foo", &same, 7).build());
    c.write(&format!("usr/lib/modules/{LAST}/extra/foo.ko"), &driver("foo", &same, 7).build());
    c.install(&SUSE.one("foo", "1", &old, 7));
    c.has(SAME, &[]);
    c.has(LAST, &[]);
}

fn extra(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let path = format!("usr/lib/modules/{OLD}/extra/sub/foo.ko");
    let foo =
        PackageBuilder::new("foo-kmp-default", "1", "1").file(path, driver("foo", &old, 7).build()).build();
    c.install(&foo);
    c.has(SAME, &[("extra/sub/foo.ko", OLD)]);
    c.erase(&foo);
    c.has(SAME, &[]);
}

fn compressed(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let files = |crc: u32, base: &str| {
        [Compression::Xz, Compression::Zst].map(|compression| {
            let name = format!("{base}{}", compression.suffix().trim_start_matches('.'));
            (
                format!("{name}.ko{}", compression.suffix()),
                driver(&name, &old, crc).build_compressed(compression),
            )
        })
    };
    let good = PackageBuilder::kmp("good", "default", "1", OLD, files(7, "good")).build();
    c.install(&good);
    c.install(&PackageBuilder::kmp("bad", "default", "1", OLD, files(9, "bad")).build());
    c.has(SAME, &[("updates/goodxz.ko.xz", OLD), ("updates/goodzst.ko.zst", OLD)]);
    c.has(OTHER, &[]);
    c.erase(&good);
    c.has(SAME, &[]);
}

fn dashes(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    c.install(&SUSE.package("a", "1", &old, &[("dm-boost", driver("dm_boost", &old, 7))]));
    c.by_defect("17", |c| {
        c.install(&SUSE.package("b", "1", &old, &[("dm_boost", driver("dm_boost", &old, 7))]))
    });
    c.has(SAME, &[("updates/dm-boost.ko", OLD)]);
}

fn compressed_twins(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    c.install(&SUSE.one("a", "1", &old, 7));
    let twin = [("a.ko.xz", driver("a", &old, 7).build_compressed(Compression::Xz))];
    c.by_defect("5", |c| c.install(&PackageBuilder::kmp("b", "default", "1", OLD, twin).build()));
    c.has(SAME, &[("updates/a.ko", OLD)]);
}

fn in_kernel(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let files = [("foo.ko", driver("foo", &old, 7).build())];
    let foo = PackageBuilder::kmp("foo", "default", "1", OLD, files).provides("kmp_in_kernel").build();
    c.package_is_there(&[&foo]);
    c.add_kernel(&kernel(LAST, 7));
    c.has(LAST, &[]);
}

fn namespace(c: &mut Case) {
    let kernels = [OLD, SAME].map(|krel| kernel(krel, 7).export_ns("walled", 3, "WALL"));
    let module = driver("foo", &kernels[0], 7).need("walled", 3);
    refused(c, &kernels, module);
}

fn duplicate(c: &mut Case) {
    let library = || ModuleBuilder::new("library").need("printk", 0x1000_0001).export("library_open", 3);
    let kernels = [OLD, SAME].map(|krel| kernel(krel, 7).module("lib", library()));
    kernels.iter().for_each(|k| c.kernel_is_there(k));
    // The kernel minds it only where the in-tree module is loaded, too.
    c.install(&single("foo", &kernels[0], driver("foo", &kernels[0], 7).export("library_open", 3)));
    c.has(SAME, &[FOO]);
}

fn below_lib(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let path = format!("lib/modules/{OLD}/updates/foo.ko");
    let foo =
        PackageBuilder::new("foo-kmp-default", "1", "1").file(path, driver("foo", &old, 7).build()).build();
    c.by_defect("4", |c| c.install(&foo));
    c.has(SAME, &[FOO]);
}

fn extended(c: &mut Case) {
    let kernels = ["6.14.0-1-default", "6.14.0-2-default"].map(|krel| kernel(krel, 7));
    kernels.iter().for_each(|k| c.kernel_is_there(k));
    let foo = single("foo", &kernels[0], driver("foo", &kernels[0], 7).versions(Versions::Extended));
    // depmod reads their versions as 0.
    c.by_defect("extended versions", |c| c.install(&foo));
    c.has("6.14.0-2-default", &[("updates/foo.ko", "6.14.0-1-default")]);
}

fn dry_run(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let foo = SUSE.one("foo", "1", &old, 7);
    c.package_is_there(&[&foo]);
    assert_eq!(c.call(&["--dry-run", "--add-kmp", foo.nvr()], ""), Some(0));
    assert_eq!(c.call(&["--dry-run", "--add-kernel", SAME], ""), Some(0));
    c.has(SAME, &[]);
}

fn dry_remove_kernel(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    c.install(&SUSE.one("foo", "1", &old, 7));
    c.by_defect("1", |c| {
        c.call(&["--dry-run", "--remove-kernel", SAME], "");
    });
    c.has(SAME, &[FOO]);
}

fn many(c: &mut Case) {
    let old = kernel(OLD, 7);
    c.kernel_is_there(&old);
    let builders: Vec<PackageBuilder> = (0..12)
        .map(|i| {
            let base = format!("kmp{i:02}");
            let crc = if i % 4 == 0 { 9 } else { 7 };
            let files = [(format!("{base}.ko"), driver(&base, &old, crc).build())];
            PackageBuilder::kmp(&base, "default", "1", OLD, files)
        })
        .collect();
    let packages = PackageBuilder::build_all(&builders);
    c.package_is_there(&packages.iter().collect::<Vec<_>>());
    c.add_kernel(&kernel(SAME, 7));
    let names: Vec<String> =
        (0..12).filter(|i| i % 4 != 0).map(|i| format!("updates/kmp{i:02}.ko")).collect();
    c.has(SAME, &names.iter().map(|n| (n.as_str(), OLD)).collect::<Vec<_>>());
}

fn foreign(c: &mut Case) {
    let [old, ..] = c.kernels_there();
    let mine = format!("usr/lib/modules/{SAME}/weak-updates/mine/bar.ko");
    c.write(&mine, &driver("bar", &old, 7).build());
    let foo = SUSE.one("foo", "1", &old, 7);
    c.install(&foo);
    c.install(&SUSE.one("bar", "1", &old, 7));
    c.has(SAME, &[FOO]);
    c.erase(&foo);
    c.has(SAME, &[]);
}

fn usage(c: &mut Case) {
    for args in [
        &[][..],
        &["-v"],
        &["--add-kmp"],
        &["--remove-kmp"],
        &["--add-kernel-modules"],
        &["--add-kernel", SAME, OTHER],
        &["--no-such-option"],
        &["--logfile"],
        &["--add", SAME],
    ] {
        assert_eq!(c.call(args, ""), Some(1), "{args:?}");
    }
    for option in ["-h", "--help", "--usage"] {
        assert_eq!(c.call(&[option], ""), Some(0));
    }
}

fn initrds(c: &mut Case) {
    c.variable("INITRD_IN_POSTTRANS", "1");
    let [old, ..] = c.kernels_there();
    // None of them has an initrd: those whose links change, and the KMP's own, are to get one.
    c.install(&SUSE.one("foo", "1", &old, 7));
    c.wants_initrds(&[OLD, SAME]);
    c.delete("run/regenerate-initrd");
    c.add_kernel(&kernel(LAST, 7));
    c.wants_initrds(&[LAST]);
    c.delete("run/regenerate-initrd");
    c.add_kernel(&kernel("6.4.0-5-kdump-default", 9));
    c.wants_initrds(&[]);
}
