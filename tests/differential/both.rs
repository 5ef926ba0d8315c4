// SPDX-License-Identifier: LGPL-2.1-or-later
//! Cases that both scripts have. Defects are named by their number in docs/peers.md, or by a user's report.

use testkit::{Compression, KernelBuilder, ModuleBuilder, Package, SymversPlace};

use crate::case::{Case, Named};
use crate::distribution::{Distribution, driver, kernel};
use crate::sides::Original::{WeakModules, WeakModules2};

pub const CASES: &[Named] = &[
    ("a package comes and goes", comes_and_goes),
    ("an update relinks", update),
    ("an update in place keeps links", update_in_place),
    ("a reinstallation keeps links", reinstall),
    ("kernels come and go", kernels),
    ("a kernel with nothing for it", kernel_without_packages),
    ("provider, then user", pair),
    ("a user before its provider", user_first),
    ("a user before its provider, and a kernel", kernel_after_pair),
    ("a provider goes before its user", provider_goes),
    ("pairs of two builds", pairs),
    ("built for a kernel that is not there", never_was_here),
    ("a module that is none", garbage),
    ("one that is broken blocks no other", broken_neighbour),
    ("a vermagic of other flags", vermagic),
    ("a proprietary user of a GPL-only symbol", licence),
    ("symvers in /boot", boot),
    ("symvers of another compression", symvers_xz),
    ("a plus in the release", plus),
];

fn comes_and_goes(c: &mut Case) {
    let (d, [old, ..]) = (c.distribution, c.kernels_there());
    let foo = d.one("foo", "1", &old, 7);
    c.install(&foo);
    c.has_modules(d.same, &[("foo", d.old)]);
    c.has(d.old, &[]);
    c.has(d.other, &[]);
    c.erase(&foo);
    c.has(d.same, &[]);
}

fn update(c: &mut Case) {
    let (d, [old, same, _]) = (c.distribution, c.kernels_there());
    c.kernel_is_there(&kernel(d.last, 7));
    let (first, second) = (d.one("foo", "1", &old, 7), d.one("foo", "2", &same, 7));
    c.install(&first);
    c.has_modules(d.same, &[("foo", d.old)]);
    // Until the older one goes, the original leaves its link in the kernel that the newer one is for.
    c.update(&first, &second, Some("dkms#140"));
    c.has_modules(d.old, &[("foo", d.same)]);
    c.has_modules(d.last, &[("foo", d.same)]);
    c.has(d.same, &[]);
}

fn update_in_place(c: &mut Case) {
    let (d, [old, ..]) = (c.distribution, c.kernels_there());
    let (first, second) = (d.one("foo", "1", &old, 7), d.one("foo", "2", &old, 7));
    c.install(&first);
    // Both versions have the same path, and the old one's list names it.
    c.update(&first, &second, None);
    c.has_modules(d.same, &[("foo", d.old)]);
}

fn reinstall(c: &mut Case) {
    let (d, [old, ..]) = (c.distribution, c.kernels_there());
    let foo = d.one("foo", "1", &old, 7);
    c.install(&foo);
    c.by_defect_of(&[(WeakModules2, "bsc#1257055")], |c| c.reinstall(&foo));
    c.has_modules(d.same, &[("foo", d.old)]);
}

fn kernels(c: &mut Case) {
    let (d, [old, same, _]) = (c.distribution, c.kernels_there());
    c.install(&d.one("foo", "1", &old, 7));
    c.install(&d.one("bar", "1", &same, 7));
    let both = [("bar", d.same), ("foo", d.old)];
    let last = kernel(d.last, 7);
    c.add_kernel(&last);
    c.has_modules(d.last, &both);
    c.remove_kernel(&last);
    c.has(d.last, &[]);
    c.add_kernel(&last);
    c.has_modules(d.last, &both);
    c.add_kernel(&kernel(d.next, 9));
    c.has(d.next, &[]);
}

fn kernel_without_packages(c: &mut Case) {
    let old = kernel(c.distribution.old, 7);
    c.add_kernel(&old);
    c.remove_kernel(&old);
    c.has(old.krel(), &[]);
}

/// A module that exports a symbol with this CRC.
fn provider(d: &Distribution, version: &str, kernel: &KernelBuilder, crc: u32, exported: u32) -> Package {
    d.package("acme", version, kernel, &[("acme", driver("acme", kernel, crc).export("acme_open", exported))])
}

/// Its user.
fn user(d: &Distribution, version: &str, kernel: &KernelBuilder, crc: u32, exported: u32) -> Package {
    d.package("net", version, kernel, &[("net", driver("net", kernel, crc).need("acme_open", exported))])
}

/// Both, of a kernel.
fn both(krel: &str) -> [(&str, &str); 2] {
    [("acme", krel), ("net", krel)]
}

fn pair(c: &mut Case) {
    let (d, [old, ..]) = (c.distribution, c.kernels_there());
    c.install(&provider(d, "1", &old, 7, 1));
    c.install(&user(d, "1", &old, 7, 1));
    c.has_modules(d.same, &both(d.old));
    c.add_kernel(&kernel(d.last, 7));
    c.has_modules(d.last, &both(d.old));
}

fn user_first(c: &mut Case) {
    let (d, [old, ..]) = (c.distribution, c.kernels_there());
    c.install(&user(d, "1", &old, 7, 1));
    c.has(d.same, &[]);
    // The original makes up for it in the next kernel that comes, only.
    c.by_defect("15", |c| {
        c.install(&provider(d, "1", &old, 7, 1));
        c.add_kernel(&kernel(d.last, 7));
    });
    c.has_modules(d.same, &both(d.old));
    c.has_modules(d.last, &both(d.old));
}

fn kernel_after_pair(c: &mut Case) {
    let d = c.distribution;
    let old = kernel(d.old, 7);
    c.kernel_is_there(&old);
    c.install(&user(d, "1", &old, 7, 1));
    c.install(&provider(d, "1", &old, 7, 1));
    c.add_kernel(&kernel(d.same, 7));
    c.has_modules(d.same, &both(d.old));
}

fn provider_goes(c: &mut Case) {
    let (d, [old, ..]) = (c.distribution, c.kernels_there());
    let acme = provider(d, "1", &old, 7, 1);
    c.install(&acme);
    c.install(&user(d, "1", &old, 7, 1));
    c.by_defect_of(&[(WeakModules2, "14")], |c| c.erase(&acme));
    c.has(d.same, &[]);
}

fn pairs(c: &mut Case) {
    let (d, [old, _, other]) = (c.distribution, c.kernels_there());
    c.kernel_is_there(&kernel(d.last, 8));
    for (kernel, version, crc, exported) in [(&old, "1", 7, 1), (&other, "2", 8, 2)] {
        c.install(&provider(d, version, kernel, crc, exported));
        c.install(&user(d, version, kernel, crc, exported));
    }
    c.has_modules(d.same, &both(d.old));
    c.has_modules(d.last, &both(d.other));
}

fn never_was_here(c: &mut Case) {
    let d = c.distribution;
    for kernel in [kernel(d.same, 7), kernel(d.other, 8)] {
        c.kernel_is_there(&kernel);
    }
    let foo = d.one("foo", "1", &kernel(d.old, 7), 7);
    c.install(&foo);
    c.has_modules(d.same, &[("foo", d.old)]);
    c.has(d.other, &[]);
    c.erase(&foo);
    c.has(d.same, &[]);
}

fn garbage(c: &mut Case) {
    let (d, [old, ..]) = (c.distribution, c.kernels_there());
    let foo = d.package_of("foo", "1", &old, vec![("foo.ko".into(), b"no module".to_vec())]);
    c.by_defect("16", |c| c.install(&foo));
    c.has(d.same, &[]);
}

fn broken_neighbour(c: &mut Case) {
    let (d, [old, same, _]) = (c.distribution, c.kernels_there());
    // A module that needs what nobody has, in the kernel's own directory.
    let livepatch = driver("livepatch", &same, 7).need("nowhere", 1);
    c.write(&format!("usr/lib/modules/{}/extra/livepatch.ko", d.same), &livepatch.build());
    c.by_defect_of(&[(WeakModules2, "bsc#1250655")], |c| c.install(&d.one("foo", "1", &old, 7)));
    c.has_modules(d.same, &[("foo", d.old)]);
}

/// A module for the first kernel that the second refuses for what depmod does not look at.
pub fn refused(c: &mut Case, kernels: &[KernelBuilder; 2], module: ModuleBuilder) {
    let d = c.distribution;
    kernels.iter().for_each(|k| c.kernel_is_there(k));
    let foo = d.package("foo", "1", &kernels[0], &[("foo", module)]);
    c.by_defect("7", |c| c.install(&foo));
    c.has(d.same, &[]);
}

fn vermagic(c: &mut Case) {
    let in_tree = |krel, flags| {
        let net = ModuleBuilder::new("net").need("printk", 0x1000_0001);
        kernel(krel, 7).vermagic_flags(flags).module("drivers", net)
    };
    let old = in_tree(c.distribution.old, "SMP preempt mod_unload modversions ");
    let module = driver("foo", &old, 7);
    refused(c, &[old, in_tree(c.distribution.same, "SMP mod_unload modversions ")], module);
}

fn licence(c: &mut Case) {
    let d = c.distribution;
    let kernels = [d.old, d.same].map(|krel| kernel(krel, 7).export_gpl("gpl_only", 3));
    let module = driver("foo", &kernels[0], 7).need("gpl_only", 3).license("Proprietary");
    refused(c, &kernels, module);
}

/// The three kernels of most cases, each changed in the same way.
fn changed(c: &Case, change: impl Fn(KernelBuilder) -> KernelBuilder) -> [KernelBuilder; 3] {
    let d = c.distribution;
    let kernels = [(d.old, 7), (d.same, 7), (d.other, 8)].map(|(krel, crc)| change(kernel(krel, crc)));
    kernels.iter().for_each(|k| c.kernel_is_there(k));
    kernels
}

fn boot(c: &mut Case) {
    let (d, [old, ..]) = (c.distribution, changed(c, |kernel| kernel.symvers_place(SymversPlace::Boot)));
    c.install(&d.one("foo", "1", &old, 7));
    c.has_modules(d.same, &[("foo", d.old)]);
    c.has(d.other, &[]);
}

fn symvers_xz(c: &mut Case) {
    let (d, [old, ..]) = (c.distribution, changed(c, |kernel| kernel.symvers_compression(Compression::Xz)));
    let foo = d.one("foo", "1", &old, 7);
    // Without the table SUSE's goes by System.map, which has no versions.
    c.by_defect_of(&[(WeakModules2, "boo#1214428"), (WeakModules, "10")], |c| c.install(&foo));
    c.has_modules(d.same, &[("foo", d.old)]);
    c.has(d.other, &[]);
}

fn plus(c: &mut Case) {
    let d = c.distribution;
    let [odd, like] = d.plus.map(|krel| kernel(krel, 7));
    for kernel in [&odd, &like] {
        c.kernel_is_there(kernel);
    }
    let foo = d.one("foo", "1", &odd, 7);
    c.install(&foo);
    c.has_modules(like.krel(), &[("foo", odd.krel())]);
    c.erase(&foo);
    c.has(like.krel(), &[]);
}
