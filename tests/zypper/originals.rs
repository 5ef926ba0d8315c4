// SPDX-License-Identifier: LGPL-2.1-or-later
//! The distribution's own command in a kernel's %posttrans, beside the plugin: what it links and the kernel refuses is taken
//! out again. `KMP_PEER_WM2` and `KMP_PEER_WM` name the originals; without, a script links as they do.

use std::path::Path;

use testkit::PackageBuilder;

use crate::packages::{NEW, OLD, kernel, make_executable, telling};
use crate::support::{Mode, Site};

/// Links all modules that are installed for the old kernel into the new one, and has them indexed.
fn stand_in(from: &str) -> String {
    let (old, new) = (format!("/usr/lib/modules/{OLD}"), format!("/usr/lib/modules/{NEW}"));
    let below = if from == "updates" { "weak-updates/updates" } else { "weak-updates" };
    format!(
        "#!/bin/sh\ncd {old}/{from} && find . -name '*.ko' | while read -r file; do\nmkdir -p {new}/{below}/${{file%/*}}\n\
         ln -sf {old}/{from}/${{file#./}} {new}/{below}/$file\ndone\ndepmod {new2}\n",
        new2 = NEW
    )
}

struct Original {
    variable: &'static str,
    path: &'static str,
    os_release: &'static str,
    /// Where its modules are, and how its packages are named.
    from: &'static str,
    call: String,
}

/// A module that depmod finds nothing wrong with, and the kernel does not load: its licence is not one for that symbol.
fn goes_through(original: &Original) {
    let site = Site::bare(Mode::any());
    let root = site.root();
    root.write("etc/os-release", original.os_release);
    root.write("etc/fstab", "");
    match std::env::var_os(original.variable).filter(|named| !named.is_empty()) {
        Some(named) => root.write(original.path, std::fs::read(Path::new(&named)).unwrap()),
        None => root.write(original.path, stand_in(original.from)),
    }
    make_executable(&root.join(original.path));
    // What originals call, where the machine's names are links into its /etc.
    root.symlink("usr/bin/awk", "/usr/bin/mawk");
    root.symlink("dev/fd", "/proc/self/fd");
    root.write("usr/lib/rpm/rpmsort", "#!/bin/sh\nexec sort -V \"$@\"\n");
    make_executable(&root.join("usr/lib/rpm/rpmsort"));
    // SUSE's depmod looks below usr/lib of the directory that it is given.
    root.write(
        "usr/sbin/depmod",
        "#!/bin/sh\nfor a; do [ \"$last\" != -b ] || [ -e \"$a/lib\" ] || ln -s usr/lib \"$a/lib\"; last=$a; done\n\
         exec /usr/libexec/as/depmod \"$@\"\n",
    );
    let with = |krel| kernel(krel, 7).export_gpl("for_gpl_only", 9);
    let old = with(OLD);
    let refused = old
        .driver("refused")
        .license("Proprietary")
        .need("printk", 0x1000_0001)
        .need("for_gpl_only", 9)
        .build();
    let fit = old.driver("fit").need("printk", 0x1000_0001).build();
    let drivers =
        ["refused", "fit"].into_iter().zip([refused, fit]).map(|(name, module)| match original.from {
            "updates" => PackageBuilder::kmp(name, "default", "1", OLD, [(format!("{name}.ko"), module)]),
            _ => PackageBuilder::kmod(name, "1", OLD, [(format!("{name}/{name}.ko"), module)]),
        });
    let mut packages: Vec<PackageBuilder> = drivers.collect();
    packages.push(PackageBuilder::kernel(&old));
    site.install(&PackageBuilder::build_all(&packages).iter().collect::<Vec<_>>());
    let new = telling(&with(NEW)).scriptlet(
        "posttrans",
        &format!(
            "{} >/said 2>&1\nfind /usr/lib/modules/{NEW}/weak-updates -name '*.ko' >/put",
            original.call
        ),
    );
    site.copy(&new.build(), "var/tmp");
    let output = site.sh("KMP_POLICY=warn rpm -i --nodeps /var/tmp/*.rpm").expect_success();
    let (put, said) = (root.read("put"), root.read("said"));
    assert!(put.contains("/refused.ko") && put.contains("/fit.ko"), "it linked nothing: {put}{said}{output}");
    let links: Vec<String> = root.weak_updates(NEW).keys().map(|l| l.display().to_string()).collect();
    assert!(links.len() == 1 && links[0].ends_with("/fit.ko"), "{links:?}, {said}{output}");
    let index = root.read(format!("usr/lib/modules/{NEW}/modules.dep"));
    assert!(index.contains("/fit.ko:") && !index.contains("refused"), "{index}");
}

#[test]
fn weak_modules2() {
    goes_through(&Original {
        variable: "KMP_PEER_WM2",
        path: "usr/lib/module-init-tools/weak-modules2",
        os_release: "ID=opensuse-tumbleweed\nID_LIKE=suse\nVERSION_ID=1\n",
        from: "updates",
        call: format!("INITRD_IN_POSTTRANS=1 /usr/lib/module-init-tools/weak-modules2 --add-kernel {NEW}"),
    });
}

#[test]
fn weak_modules() {
    goes_through(&Original {
        variable: "KMP_PEER_WM",
        path: "usr/sbin/weak-modules",
        os_release: "ID=almalinux\nID_LIKE=\"rhel centos\"\nVERSION_ID=\"9.6\"\n",
        from: "extra",
        call: format!("/usr/sbin/weak-modules --no-initramfs --add-kernel {NEW}"),
    });
}
