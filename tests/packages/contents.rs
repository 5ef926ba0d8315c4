// SPDX-License-Identifier: LGPL-2.1-or-later
//! Every file of every package, with its mode, and where links lead.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use testkit::run;

use crate::support::*;

/// Package, path, mode as rpm has it (a file 100644, a directory 40755, a link 120777), and what the link leads to.
/// LIBDIR, DOCDIR, PYTHONDIR, VERSION: as they say. `*` at the end of a path: a page may be compressed.
const CONTENTS: &str = "
kmp                /etc/kmp                                                     40755
kmp                /etc/kmp/sources                                             40755
kmp                /etc/kmp.conf                                               100644
kmp                /etc/kmp.conf.d                                              40755
kmp                /run/kmp                                                     40755
kmp                /run/regenerate-initrd                                       40755
kmp                /usr/bin/kmp                                                100755
kmp                /usr/lib/depmod.d                                            40755
kmp                /usr/lib/depmod.d/kmp.conf                                  100644
kmp                /usr/lib/tmpfiles.d/kmp.conf                                100644
kmp                /usr/lib/systemd                                              40755
kmp                /usr/lib/systemd/catalog                                     40755
kmp                /usr/lib/systemd/catalog/kmp.catalog                        100644
kmp                /usr/lib/systemd/system                                      40755
kmp                /usr/lib/systemd/system-preset                                40755
kmp                /usr/lib/systemd/system/kmp-support.service                   100644
kmp                /usr/lib/systemd/system/kmp-update.service                    100644
kmp                /usr/lib/systemd/system/kmp-update.timer                      100644
kmp                /usr/lib/systemd/system-preset/90-kmp.preset                  100644
kmp                /usr/share/bash-completion                                   40755
kmp                /usr/share/bash-completion/completions                       40755
kmp                /usr/share/bash-completion/completions/kmp                  100644
kmp                /usr/share/fish                                              40755
kmp                /usr/share/fish/vendor_completions.d                         40755
kmp                /usr/share/fish/vendor_completions.d/kmp.fish               100644
kmp                /usr/sbin/kernel-update-tool                                120777 ../bin/kmp
kmp                /usr/share/kmp                                                40755
kmp                /usr/share/kmp/fleet                                          40755
kmp                /usr/share/kmp/fleet/README.md                               100644
kmp                /usr/share/kmp/fleet/ansible                                  40755
kmp                /usr/share/kmp/fleet/ansible/ask.yml                         100644
kmp                /usr/share/kmp/fleet/ansible/roles                            40755
kmp                /usr/share/kmp/fleet/ansible/roles/kmp_facts                  40755
kmp                /usr/share/kmp/fleet/ansible/roles/kmp_facts/defaults         40755
kmp                /usr/share/kmp/fleet/ansible/roles/kmp_facts/defaults/main.yml 100644
kmp                /usr/share/kmp/fleet/ansible/roles/kmp_facts/tasks            40755
kmp                /usr/share/kmp/fleet/ansible/roles/kmp_facts/tasks/main.yml  100644
kmp                /usr/share/kmp/fleet/ansible/roles/kmp_facts/templates        40755
kmp                /usr/share/kmp/fleet/ansible/roles/kmp_facts/templates/kmp.fact.j2 100644
kmp                /usr/share/kmp/fleet/katello                                  40755
kmp                /usr/share/kmp/fleet/katello/packages.json                   100644
kmp                /usr/share/kmp/fleet/salt                                     40755
kmp                /usr/share/kmp/fleet/salt/_grains                             40755
kmp                /usr/share/kmp/fleet/salt/_grains/kmp_drivers.py             100644
kmp                /usr/share/kmp/fleet/salt/_modules                            40755
kmp                /usr/share/kmp/fleet/salt/_modules/kmp.py                    100644
kmp                /usr/share/kmp/fleet/salt/_states                             40755
kmp                /usr/share/kmp/fleet/salt/_states/kmp.py                     100644
kmp                /usr/share/kmp/fleet/salt/kmp                                 40755
kmp                /usr/share/kmp/fleet/salt/kmp/init.sls                       100644
kmp                /usr/share/kmp/fleet/uyuni                                    40755
kmp                /usr/share/kmp/fleet/uyuni/packages.json                     100644
kmp                /usr/share/kmp/schema                                         40755
kmp                /usr/share/kmp/schema/add-kernel.json                        100644
kmp                /usr/share/kmp/schema/add-kmp.json                           100644
kmp                /usr/share/kmp/schema/catalogue.json                         100644
kmp                /usr/share/kmp/schema/check-lines.json                       100644
kmp                /usr/share/kmp/schema/check.json                             100644
kmp                /usr/share/kmp/schema/deps.json                              100644
kmp                /usr/share/kmp/schema/devices.json                           100644
kmp                /usr/share/kmp/schema/divert.json                            100644
kmp                /usr/share/kmp/schema/doctor.json                            100644
kmp                /usr/share/kmp/schema/explain.json                           100644
kmp                /usr/share/kmp/schema/facts.json                             100644
kmp                /usr/share/kmp/schema/fleet.json                             100644
kmp                /usr/share/kmp/schema/history.json                           100644
kmp                /usr/share/kmp/schema/hold.json                              100644
kmp                /usr/share/kmp/schema/initrd.json                            100644
kmp                /usr/share/kmp/schema/kabi-diff.json                         100644
kmp                /usr/share/kmp/schema/kabi-exposure.json                     100644
kmp                /usr/share/kmp/schema/key.json                               100644
kmp                /usr/share/kmp/schema/medium.json                            100644
kmp                /usr/share/kmp/schema/new.json                               100644
kmp                /usr/share/kmp/schema/plan.json                              100644
kmp                /usr/share/kmp/schema/rebuild-list.json                      100644
kmp                /usr/share/kmp/schema/registry-check.json                    100644
kmp                /usr/share/kmp/schema/remove-kernel.json                     100644
kmp                /usr/share/kmp/schema/remove-kmp.json                        100644
kmp                /usr/share/kmp/schema/sources.json                           100644
kmp                /usr/share/kmp/schema/status.json                            100644
kmp                /usr/share/kmp/schema/support.json                           100644
kmp                /usr/share/kmp/schema/sync.json                              100644
kmp                /usr/share/kmp/schema/update.json                            100644
kmp                /usr/share/kmp/catalogue                                     40755
kmp                /usr/share/kmp/sources                                       40755
kmp                /usr/share/man/man5/kmp.conf.5*                             100644
kmp                /usr/share/man/man8/kernel-update-tool.8*                   100644
kmp                /usr/share/man/man8/kmp-kabi.8*                             100644
kmp                /usr/share/man/man8/kmp.8*                                  100644
kmp                /usr/share/zsh                                               40755
kmp                /usr/share/zsh/site-functions                                40755
kmp                /usr/share/zsh/site-functions/_kmp                          100644
kmp                DOCDIR/kmp-registry                                          40755
kmp                DOCDIR/kmp-registry/_service                               100644
kmp                DOCDIR/kmp-registry/gitlab-ci.yml                          100644
kmp                DOCDIR/kmp-registry/kmp_registry                           100644
kmp                DOCDIR/kmp-registry/kmp_registry.service                   100644
kmp                DOCDIR/kmp-registry/post-build.sh                          100644
kmp                /var/cache/kmp                                               40755
kmp                /var/log/kmp                                                 40755
kmp                /var/log/kmp/history.jsonl                                  100644
kmp-rpm-macros     /usr/lib/rpm/fileattrs/kmp_kernel.attr                      100644
kmp-rpm-macros     /usr/lib/rpm/fileattrs/kmp_modules.attr                     100644
kmp-rpm-macros     /usr/lib/rpm/macros.d/macros.kernel-kmp                     100644
kmp-rpm-macros     /usr/lib/rpm/macros.d/macros.kernel-kmp-suse                100644
kmp-rpm-macros     /usr/share/man/man7/kmp-packaging.7*                          100644
kmp-rpm-macros     DOCDIR/kmp-rpm-macros                                40755
kmp-rpm-macros     DOCDIR/kmp-rpm-macros/examples                       40755
kmp-rpm-macros     DOCDIR/kmp-rpm-macros/examples/Kbuild               100644
kmp-rpm-macros     DOCDIR/kmp-rpm-macros/examples/kmod-kmp-hello.spec  100644
kmp-rpm-macros     DOCDIR/kmp-rpm-macros/examples/kmp-hello.spec       100644
kmp-rpm-macros     DOCDIR/kmp-rpm-macros/examples/kmp_hello.c          100644
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets                 40755
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/cert-post      120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/cert-posttrans 120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/cert-postun    120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/cert-pre       120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/cert-preun     120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/inkmp-post     120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/inkmp-posttrans 120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/inkmp-postun   120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/inkmp-pre      120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/inkmp-preun    120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/kmp-post       120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/kmp-posttrans  120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/kmp-postun     120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/kmp-pre        120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/kmp-preun      120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/rpm-post       120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/rpm-posttrans  120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/rpm-postun     120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/rpm-pre        120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/rpm-preun      120777 scriptlet
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/files.sh       100644
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/kernel.sh      100644
kmp-scriptlets     /usr/lib/module-init-tools/kernel-scriptlets/scriptlet      100755
kmp-scriptlets     /usr/lib/kmp                                                40755
kmp-scriptlets     /usr/lib/kmp/regenerate-initrd-posttrans                    120777 ../../bin/kmp
kmp-scriptlets     /usr/lib/module-init-tools/dracut-posttrans                 120777 initrd-functions
kmp-scriptlets     /usr/lib/module-init-tools/initrd-functions                 100755
kmp-scriptlets     /usr/lib/module-init-tools/mkosi-initrd-posttrans           120777 initrd-functions
kmp-scriptlets     /usr/lib/module-init-tools/regenerate-initrd-posttrans      120777 ../../bin/kmp
kmp-scriptlets     /usr/lib/module-init-tools/transfiletrigger                 100755
kmp-scriptlets     /usr/share/man/man8/regenerate-initrd-posttrans.8*          100644
kmp-weak-modules   /usr/lib/kernel                                              40755
kmp-weak-modules   /usr/lib/kernel/install.d                                    40755
kmp-weak-modules   /usr/lib/kernel/install.d/04-kmp.install                    100755
kmp-weak-modules   /usr/sbin/weak-modules                                      120777 ../bin/kmp
kmp-weak-modules   /usr/share/bash-completion/completions/weak-modules         100644
kmp-weak-modules   /usr/share/fish/vendor_completions.d/weak-modules.fish      100644
kmp-weak-modules   /usr/share/man/man8/weak-modules.8*                         100644
kmp-weak-modules   /usr/share/zsh/site-functions/_weak-modules                 100644
kmp-weak-modules2  /usr/lib/module-init-tools                                   40755
kmp-weak-modules2  /usr/lib/module-init-tools/weak-modules2                    120777 ../../bin/kmp
kmp-weak-modules2  /usr/sbin/weak-modules2                                     120777 ../bin/kmp
kmp-weak-modules2  /usr/share/bash-completion/completions/weak-modules2        100644
kmp-weak-modules2  /usr/share/fish/vendor_completions.d/weak-modules2.fish     100644
kmp-weak-modules2  /usr/share/man/man8/weak-modules2.8*                        100644
kmp-weak-modules2  /usr/share/zsh/site-functions/_weak-modules2                100644
libkmp-devel       /usr/include/kmp.h                                          100644
libkmp-devel       LIBDIR/libkmp.so                                            120777 libkmp.so.1
libkmp-devel       LIBDIR/pkgconfig/kmp.pc                                     100644
libkmp-devel       /usr/share/man/man3/libkmp.3*                               100644
libkmp1            LIBDIR/libkmp.so.1                                          120777 libkmp.so.1.VERSION
libkmp1            LIBDIR/libkmp.so.1.VERSION                                  100755
python3-kmp        PYTHONDIR/kmp                                                40755
python3-kmp        PYTHONDIR/kmp/__init__.py                                   100644
python3-kmp        PYTHONDIR/kmp/_abi.py                                       100644
rpm-plugin-kmp     /usr/lib/rpm/macros.d/macros.transaction_kmp                100644
rpm-plugin-kmp     PLUGINDIR                                                    40755
rpm-plugin-kmp     PLUGINDIR/kmp.so                                            100755
rpm-plugin-kmp     /usr/lib/zypp                                                40755
rpm-plugin-kmp     /usr/lib/zypp/plugins                                        40755
rpm-plugin-kmp     /usr/lib/zypp/plugins/commit                                 40755
rpm-plugin-kmp     /usr/lib/zypp/plugins/commit/kmp                            100755
rpm-plugin-kmp     /usr/lib/zypp/plugins/urlresolver                            40755
rpm-plugin-kmp     /usr/lib/zypp/plugins/urlresolver/kmp                       100755
rpm-plugin-kmp     /usr/share/kmp                                               40755
rpm-plugin-kmp     /usr/share/kmp/zypp-repository                               40755
rpm-plugin-kmp     /usr/share/kmp/zypp-repository/repodata                      40755
rpm-plugin-kmp     /usr/share/kmp/zypp-repository/repodata/primary.xml         100644
rpm-plugin-kmp     /usr/share/kmp/zypp-repository/repodata/repomd.xml          100644
rpm-plugin-kmp     /etc/zypp                                                    40755
rpm-plugin-kmp     /etc/zypp/repos.d                                            40755
rpm-plugin-kmp     /etc/zypp/repos.d/kmp.repo                                  100644
rpm-plugin-kmp     /usr/share/man/man8/rpm-plugin-kmp.8*                       100644
";

/// (package, path) and the rest of a row.
fn rows() -> BTreeMap<(String, String), String> {
    let text = CONTENTS
        .replace("LIBDIR", &libdir())
        .replace("PLUGINDIR", &plugindir())
        .replace("DOCDIR", &docdir())
        .replace("PYTHONDIR", &pythondir())
        .replace("VERSION", env!("CARGO_PKG_VERSION"));
    let row = |line: &str| {
        let mut words = line.split_whitespace().map(String::from);
        let key = (words.next()?, words.next()?);
        Some((key, words.collect::<Vec<_>>().join(" ")))
    };
    text.lines().filter_map(row).collect()
}

/// Without what compresses pages.
fn plain(path: &str) -> String {
    let is_page = path.starts_with("/usr/share/man/");
    let path = [".gz", ".xz", ".zst", ".bz2"].iter().find_map(|s| path.strip_suffix(s)).unwrap_or(path);
    if is_page { format!("{path}*") } else { path.into() }
}

#[test]
fn each_package_has_its_files_and_no_other() {
    let mut found = BTreeMap::new();
    for name in NAMES {
        let lines = query(
            package(name, 1),
            "[%{FILENAMES}\t%{FILEMODES:octal}\t%{FILEUSERNAME}:%{FILEGROUPNAME}\t%{FILELINKTOS}\n]",
        );
        for line in lines {
            let words: Vec<&str> = line.split('\t').collect();
            let [path, mode, owner, target] = words[..] else { panic!("{line}") };
            assert_eq!(owner, "root:root", "{path}");
            // Where these are is each distribution's own, as is what links a build to its debug information.
            let is_example = ["kmp-rpm-macros", "kmp-registry"]
                .iter()
                .any(|of| path.starts_with(&format!("{}/{of}", docdir())));
            let others = ["/usr/lib/.build-id", "/usr/share/licenses", "/usr/share/doc"];
            // Some distributions' rpmbuild compiles Python.
            let is_compiled = path.contains("/__pycache__");
            if is_example || !is_compiled && !others.iter().any(|o| path.starts_with(o)) {
                found.insert((name.to_string(), plain(path)), format!("{mode} {target}").trim().to_string());
            }
        }
    }
    let rows = rows();
    for (key, value) in &rows {
        assert_eq!(found.get(key), Some(value), "{key:?}");
    }
    for key in found.keys() {
        assert!(rows.contains_key(key), "{key:?} is in no row");
    }
}

#[test]
fn configuration_is_kept_and_documentation_is_marked() {
    let flags = query(package("kmp", 1), "[%{FILEFLAGS:fflags} %{FILENAMES}\n]");
    let config: Vec<&String> = flags.iter().filter(|l| l.split(' ').next().unwrap().contains('c')).collect();
    assert_eq!(config, ["cn /etc/kmp.conf"]);
    for file in ["README.md", "CHANGELOG.md"] {
        assert!(
            flags.iter().any(|l| l.starts_with("d /usr/share/doc/") && l.ends_with(file)),
            "{file}: {flags:?}"
        );
    }
    assert!(flags.iter().any(|l| l.starts_with("d ") && plain(&l[2..]).ends_with("kmp.8*")), "{flags:?}");
}

#[test]
fn what_is_compiled_comes_with_its_licence() {
    for name in ["kmp", "libkmp1", "rpm-plugin-kmp"] {
        let flags = query(package(name, 1), "[%{FILEFLAGS:fflags} %{FILENAMES}\n]");
        let is_licence = |line: &String| line.starts_with("l ") && line.ends_with("/LICENSE");
        assert!(flags.iter().any(is_licence), "{name}: {flags:?}");
    }
}

/// The lock file knows what is linked in: the packages say it of themselves, as distributions ask for it.
#[test]
fn what_is_linked_in_is_among_the_provides_and_in_the_licence() {
    let lock =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock")).unwrap();
    for name in NAMES {
        let provides = query(package(name, 1), "[%{PROVIDES} %{PROVIDEVERSION}\n]");
        let bundled = provides.iter().filter_map(|line| line.strip_prefix("bundled(crate("));
        let bundled: Vec<(&str, &str)> = bundled.map(|rest| rest.split_once(")) ").unwrap()).collect();
        let licence = query(package(name, 1), "%{LICENSE}\n").remove(0);
        if ["kmp", "libkmp1", "rpm-plugin-kmp"].contains(name) {
            assert!(bundled.len() > 20, "{name}: {bundled:?}");
            for word in ["LGPL-2.1-or-later", "MIT", "BSD-3-Clause", "(Apache-2.0 OR MIT)"] {
                assert!(licence.contains(word), "{name}: {licence}");
            }
            assert!(provides.iter().any(|p| p.starts_with("bundled(zstd) ")), "{name}: {provides:?}");
        } else {
            assert!(bundled.is_empty() && licence == "LGPL-2.1-or-later", "{name}: {bundled:?} {licence}");
        }
        for (krate, version) in bundled {
            let entry = format!("name = \"{krate}\"\nversion = \"{}\"\n", version.replace('~', "-"));
            assert!(lock.contains(&entry), "{name}: {krate} {version} is not in Cargo.lock");
        }
    }
}

/// Directories may be shared, files not.
#[test]
fn no_file_is_in_two_packages() {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for name in NAMES {
        for line in query(package(name, 1), "[%{FILENAMES}\t%{FILEMODES:octal}\n]") {
            let (path, mode) = line.split_once('\t').unwrap();
            if !mode.starts_with("40") {
                let other = owners.insert(path.into(), name);
                assert_eq!(other, None, "{path} is in {name} and in another");
            }
        }
    }
}

/// `cargo xtask install` lays out the same as the packages have, and nothing else.
#[test]
fn the_chore_lays_out_what_the_packages_have() {
    let place = tempfile::tempdir().unwrap();
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let destdir = place.path().join("tree");
    xtask
        .args(["install", "--debug", "--libdir", &libdir(), "--plugindir", &plugindir()])
        .args(["--docdir", &docdir(), "--pythondir", &pythondir(), "--destdir"])
        .arg(&destdir);
    run(&mut xtask).expect_success();
    let mut found = BTreeMap::new();
    list(&destdir, "", &mut found);
    let mut wanted: BTreeMap<String, String> =
        rows().into_iter().map(|((_, path), rest)| (path, rest)).collect();
    // Directories are there with what is in them.
    wanted.retain(|_, rest| !rest.starts_with("40"));
    // A ghost: the first run that changes something makes it.
    assert!(wanted.remove("/var/log/kmp/history.jsonl").is_some());
    assert_eq!(found.remove("/etc/kmp.conf.d").as_deref(), Some("40755"));
    assert_eq!(
        found.into_iter().filter(|(_, rest)| !rest.starts_with("40")).collect::<BTreeMap<_, _>>(),
        wanted
    );
    // Twice is as good as once.
    run(&mut xtask).expect_success();
}

/// On Red Hat's side there are two packages more, for dnf 4 and where that is no more for dnf 5; on SUSE's there is nothing of
/// either.
#[test]
fn what_dnf_reads_is_in_packages_of_its_own() {
    let place = tempfile::tempdir().unwrap();
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/kmp.spec");
    let spec = place.path().join("kmp.spec");
    let text = std::fs::read_to_string(template).unwrap();
    std::fs::write(&spec, text.replace("@VERSION@", env!("CARGO_PKG_VERSION"))).unwrap();
    let rpmspec = |words: &[&str], system: Option<&str>| {
        let mut rpmspec = Command::new("rpmspec");
        rpmspec.args(words).args(["--define", &format!("python3_sitelib {}", pythondir())]);
        for define in system.into_iter().chain(["cargo_prep %{nil}", "cargo_build %{nil}"]) {
            rpmspec.args(["--define", define]);
        }
        run(rpmspec.arg(&spec)).expect_success().stdout
    };
    let of_dnf = |system: Option<&str>| {
        let names = rpmspec(&["-q", "--qf", "%{NAME}\n"], system);
        names.lines().filter(|name| name.contains("dnf")).map(String::from).collect::<Vec<_>>()
    };
    let both = ["python3-dnf-plugin-kmp", "libdnf5-plugin-kmp"];
    assert_eq!(of_dnf(Some("fedora 42")), both);
    assert_eq!(of_dnf(Some("rhel 9")), both[..1]);
    assert!(of_dnf(None).is_empty());

    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let destdir = place.path().join("tree");
    xtask.args(["install", "--debug", "--dialect", "redhat", "--pythondir", &pythondir(), "--destdir"]);
    run(xtask.arg(&destdir)).expect_success();
    let plugin = format!("{}/dnf-plugins/kmp.py", pythondir());
    assert!(destdir.join(plugin.trim_start_matches('/')).is_file());
    let place = plugin.trim_end_matches("/kmp.py");
    assert!(rpmspec(&["-P"], Some("rhel 9")).lines().any(|line| line == place));
}

fn list(destdir: &std::path::Path, below: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(destdir.join(below.trim_start_matches('/'))).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{below}/{}", entry.file_name().to_str().unwrap());
        let metadata = entry.metadata().unwrap();
        let mode = format!("{:o}", metadata.permissions().mode());
        if metadata.is_dir() {
            list(destdir, &path, found);
            found.insert(path, mode);
        } else if metadata.is_symlink() {
            let target = std::fs::read_link(entry.path()).unwrap();
            found.insert(path, format!("{mode} {}", target.display()));
        } else {
            found.insert(plain(&path), mode);
        }
    }
}

#[test]
fn names_and_dependencies_are_those_that_others_ask_for() {
    let provides = |name: &str| query(package(name, 1), "[%{PROVIDES}\n]");
    let requires = |name: &str| query(package(name, 1), "[%{REQUIRES}\n]");
    for name in ["suse-kernel-rpm-scriptlets", "sdbootutil-rpm-scriptlets"] {
        assert!(provides("kmp-scriptlets").contains(&name.into()), "{name}");
    }
    // A package that asks for a path finds it, though it is a ghost.
    let owns =
        |name: &str, path: &str| query(package(name, 1), "[%{FILENAMES}\n]").contains(&path.to_string());
    assert!(owns("kmp-weak-modules", "/usr/sbin/weak-modules"));
    assert!(owns("kmp-weak-modules2", "/usr/lib/module-init-tools/weak-modules2"));
    assert!(owns("kmp-scriptlets", "/usr/lib/module-init-tools/kernel-scriptlets/rpm-post"));
    assert!(provides("kmp-weak-modules2").contains(&"weak-modules2".into()));
    assert!(
        provides("libkmp1").iter().any(|p| p.starts_with("libkmp.so.1(KMP_1.0)")),
        "{:?}",
        provides("libkmp1")
    );
    assert!(requires("rpm-plugin-kmp").contains(&"kmp".into()));
    assert!(requires("kmp-scriptlets").contains(&"kmp".into()));
    assert!(requires("python3-kmp").contains(&"libkmp1".into()));
    assert!(requires("libkmp-devel").iter().any(|r| r.starts_with("libkmp1")));
    // rpm has to be able to load the plugin, whatever librpm it has.
    for name in ["rpm-plugin-kmp", "libkmp1", "kmp"] {
        assert!(!requires(name).iter().any(|r| r.starts_with("librpm")), "{:?}", requires(name));
    }
}
