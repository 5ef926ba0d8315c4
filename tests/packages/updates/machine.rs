// SPDX-License-Identifier: LGPL-2.1-or-later
//! A fresh root with a distribution's rpm and zypper and a repository with our packages. Programs that would touch a
//! machine note their calls.

use std::path::Path;
use std::process::Command;

use testkit::{KernelBuilder, Output, PackageBuilder, run_rpm};

use super::calls::noting;
use super::lines::kernel_package;
use super::packages::{kernel as plain_kernel, make_executable};
use super::site::{Mode, Site, goes_through};
use super::system::System;
use crate::support::{package, turn_on, wanted};

pub const FIRST: &str = "6.4.0-1-default";
/// Fits the drivers of [`FIRST`].
pub const SECOND: &str = "6.4.0-3-default";
/// Fits none of them.
pub const THIRD: &str = "6.4.0-5-default";

/// The sample's module, where it is installed to, and where it is linked.
pub const OWN: &str = "updates/kmp_hello.ko";
pub const LINKED: &str = "weak-updates/updates/kmp_hello.ko";

/// What the generator of initrds does: drivers of KMPs that are in the index are put in, and named in `/calls`.
const GENERATOR: &str = r#"for krel; do :; done
file() {
    size=0
    [ -z "$2" ] || size=$(wc -c <"$2")
    printf '070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s' \
        1 33188 0 0 1 0 "$size" 0 0 0 0 $((${#1} + 1)) 0 "$1"
    head -c $(((4 - (111 + ${#1}) % 4) % 4 + 1)) /dev/zero
    [ -z "$2" ] || cat "$2"
    head -c $(((4 - size % 4) % 4)) /dev/zero
}
cd "/usr/lib/modules/$krel"
for path in $(sed -n 's/^\(updates\|weak-updates\)\(.*\):.*/\1\2/p' modules.dep | sort); do
    echo "  $path" >>/calls
    file "usr/lib/modules/$krel/$path" "$path"
done >"/boot/initrd-$krel"
file TRAILER!!! '' >>"/boot/initrd-$krel""#;

/// A kernel of these tests.
pub fn kernel(krel: &str) -> KernelBuilder {
    plain_kernel(krel, if krel == THIRD { 8 } else { 7 }).export("_printk", 0x9271_4bbb)
}

/// Its package, with the scriptlets of today's SUSE kernels, and its symbols among its Provides.
pub fn packaged(krel: &str) -> PackageBuilder {
    let kernel = kernel(krel);
    let mut package = kernel_package(&kernel).ksyms("default", &kernel.full_symvers());
    for phase in ["pre", "post", "preun", "postun", "posttrans"] {
        package = package.tag(&format!("Requires({phase})"), "suse-kernel-rpm-scriptlets");
    }
    package.requires("suse-kernel-rpm-scriptlets")
}

pub struct Machine {
    pub site: Site,
}

impl Machine {
    /// Nothing is installed but a package with all that ours ask of a distribution.
    pub fn new(mode: Mode) -> Self {
        let site = Site::on(System::new(&[]), mode);
        let machine = Self { site };
        let root = machine.site.root();
        root.write("etc/fstab", "");
        // They are needed to boot.
        root.write("etc/dracut.conf.d/boot.conf", "add_drivers+=\" kmp_hello bar \"\n");
        machine.stand_in("usr/bin/dracut", GENERATOR);
        machine.stand_in(
            "usr/lib/bootloader/bootloader_entry",
            "[ $1 = remove ] || [ -s /boot/$5 ] || echo '  no initrd' >>/calls",
        );
        machine.stand_in("usr/bin/mokutil", "exit 1");
        machine.stand_in("usr/sbin/depmod", "exec /usr/libexec/as/depmod \"$@\"");
        let mut distribution = PackageBuilder::new("distribution", "1", "1").provides("kernel-syms");
        // What the sample asks for, beside what is there for all of rpmbuild.
        for name in ["gcc", "make"] {
            distribution = distribution.provides(name);
        }
        for name in wanted() {
            distribution = distribution.provides(&name);
        }
        machine.site.install(&[&distribution.build()]);
        machine
    }

    fn stand_in(&self, path: &str, then: &str) {
        self.site.root().write(path, noting(then));
        make_executable(&self.site.root().join(path));
    }

    /// Adds packages of ours to the repository, of release 1 or 2.
    pub fn offer_ours(&self, names: &[&str], release: u8) {
        self.site.offer_files(names.iter().map(|name| package(name, release)));
        if names.contains(&"rpm-plugin-kmp") {
            turn_on(self.site.root(), package("rpm-plugin-kmp", release));
        }
    }

    /// Builds the sample as its first lines say, by what our packages have brought, for a kernel. Its build system is
    /// made up: it hands out a module.
    pub fn offer_sample(&self, version: &str, krel: &str) {
        let kernel = kernel(krel);
        let changing = if krel == THIRD { 8 } else { 7 };
        let module = kernel.driver("kmp_hello").need("_printk", 0x9271_4bbb).need("changing", changing);
        let module = module.info("version", version);
        let root = self.site.root();
        let tree = "usr/src/linux-obj/x86_64/default";
        root.write(format!("{tree}/include/config/kernel.release"), format!("{krel}\n"));
        root.write(format!("{tree}/built.ko"), module.build());
        root.write(
            "usr/bin/make",
            "#!/bin/sh\nset -e\n[ \"$1 $4\" = '-C modules' ]\ncp \"$2/built.ko\" \"${3#M=}/kmp_hello.ko\"\n",
        );
        make_executable(&root.join("usr/bin/make"));
        let line = format!(
            "spec=$(rpm -ql kmp-rpm-macros | grep /kmp-hello.spec) && cp -r ${{spec%/*}} /root/sample && \
             cd /root/sample && sed -i 's/^Version:.*/Version: {version}/' kmp-hello.spec && \
             rpmbuild -bb --define \"_sourcedir $PWD\" --define 'debug_package %{{nil}}' kmp-hello.spec && \
             rm -r /root/sample"
        );
        self.site.sh(&line).expect_success();
        let kver = krel.trim_end_matches("-default").replace('-', "_");
        let file = format!("root/rpmbuild/RPMS/x86_64/kmp-hello-kmp-default-{version}_k{kver}-1.x86_64.rpm");
        let file = root.join(file);
        scriptlets_are_one_line(&file);
        self.site.offer_files([&*file]);
    }

    /// What was called since the last look.
    pub fn calls(&self) -> Vec<String> {
        let path = self.site.root().join("calls");
        let lines = std::fs::read_to_string(&path).unwrap_or_default();
        let _ = std::fs::remove_file(path);
        lines.lines().map(str::to_owned).collect()
    }

    /// zypper goes through, and these programs are called, in this order.
    #[track_caller]
    pub fn does(&self, arguments: &[&str], calls: &[String]) -> Output {
        let output = goes_through(self.site.zypper(arguments));
        assert!(
            !output.stdout.contains("scriptlet failed") && !output.stdout.contains("warning"),
            "{output}"
        );
        assert_eq!(self.calls(), calls, "{output}");
        output
    }

    /// The plugin stops it, and nothing has changed.
    #[track_caller]
    pub fn is_stopped(&self, arguments: &[&str]) {
        // zypper itself opens the database, which sqlite notes in it.
        self.site.sh("zypper --quiet search --installed-only").expect_success();
        let before = self.site.state();
        let output = self.site.zypper(arguments);
        let said = format!("{}{}", output.stdout, output.stderr);
        assert!(
            !output.success() && said.contains("error: kmp: kmp-hello-kmp-default-1.1_k6.4.0_1-1"),
            "{said}"
        );
        assert!(said.contains(THIRD) && said.contains("changing was 0x00000007"), "{said}");
        assert_eq!(self.site.state().0, before.0, "{said}");
        assert!(self.site.state().1 == before.1, "something has changed in the database: {said}");
        assert_eq!(self.calls(), [""; 0], "{said}");
    }

    /// The paths of the sample's module in a kernel's index.
    pub fn indexed(&self, krel: &str) -> Vec<String> {
        let index = self.site.root().read(format!("usr/lib/modules/{krel}/modules.dep"));
        let paths = index.lines().filter_map(|line| line.split_once(':')).map(|(path, _)| path.to_owned());
        paths.filter(|path| path.ends_with("/kmp_hello.ko")).collect()
    }

    /// The links of a kernel.
    pub fn links(&self, krel: &str) -> Vec<String> {
        let links = self.site.root().weak_updates(krel).into_iter();
        links
            .map(|(link, target)| {
                assert!(self.site.root().exists(target.strip_prefix("/").unwrap()), "{link:?} {target:?}");
                link.display().to_string()
            })
            .collect()
    }

    /// The names in a directory.
    pub fn names(&self, directory: impl AsRef<Path>) -> Vec<String> {
        let entries = std::fs::read_dir(self.site.root().join(directory)).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// As rpm shows them: a heading, and what follows it.
#[track_caller]
fn scriptlets_are_one_line(package: &Path) {
    let output = run_rpm(Command::new("rpm").args(["-qp", "--nosignature", "--scripts"]).arg(package));
    let shown = output.expect_success().stdout;
    let lines: Vec<&str> = shown.lines().collect();
    let headings = lines.iter().filter(|line| line.contains(" scriptlet (using /bin/sh):")).count();
    assert!(headings == 5 && lines.len() == 2 * headings, "{shown}");
}
