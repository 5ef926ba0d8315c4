// SPDX-License-Identifier: LGPL-2.1-or-later
//! The drop-in for weak-modules: modes, lists, options, messages and exit codes.

use testkit::{Package, PackageBuilder, TestRoot, run};

use crate::support::*;

const FOO: &str = "/lib/modules/5.14.0-70.el9.x86_64/extra/foo/foo.ko\n";

/// Three kernels, and a package that fits two.
fn with_foo() -> (TestRoot, Package) {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    let foo = kmod_one("foo", "1", &old, 7);
    root.install(&[&foo]);
    (root, foo)
}

fn foo_linked() -> Vec<String> {
    el_linked(&[("foo/foo", EL_OLD)])
}

#[test]
fn modules_come_and_go() {
    let (root, foo) = with_foo();
    let said = wm(&root, &["--add-modules", "--verbose"], FOO).stdout;
    assert_eq!(links(&root, EL_SAME), foo_linked());
    assert!(links(&root, EL_OTHER).is_empty());
    assert_eq!(indexed(&root, EL_SAME), ["weak-updates/foo/foo.ko"]);
    for line in [
        format!("Kernel {EL_SAME}: kmod-foo-1-1 added\n"),
        format!("Module foo.ko of {EL_OLD} is compatible with kernel {EL_SAME}\n"),
        format!("foo.ko of {EL_OLD} not linked in kernel {EL_OTHER}: foo: changing was 0x00000007"),
    ] {
        assert!(said.contains(&line), "{line}\n{said}");
    }
    root.erase(&[foo.name()]);
    wm(&root, &["--remove-modules"], FOO);
    assert!(links(&root, EL_SAME).is_empty());
    assert!(indexed(&root, EL_SAME).is_empty());
}

/// In an update the old package's --remove-modules comes after the new one's --add-modules.
#[test]
fn modules_that_are_still_there_keep_their_links() {
    let (root, _) = with_foo();
    wm(&root, &["--add-modules"], FOO);
    writes_nothing(&root, || wm(&root, &["--remove-modules"], FOO));
    assert_eq!(links(&root, EL_SAME), foo_linked());
}

#[test]
fn lists_may_be_relative_below_basedir_and_longer_than_a_pipe() {
    let (root, _) = with_foo();
    let below = root.join(FOO.trim());
    for list in [
        format!("{}\n", below.display()),
        format!("\n{FOO}\n\n"),
        format!("{}{FOO}", "/lib/modules/none/extra/x.ko\n".repeat(4_000)),
        String::new(),
    ] {
        let root = red_hat();
        let [old, ..] = el_kernels(&root);
        root.install(&[&kmod_one("foo", "1", &old, 7)]);
        wm(&root, &["--add-modules"], &list);
        assert_eq!(links(&root, EL_SAME), foo_linked());
    }
    let (root, _) = with_foo();
    let dir = root.join(format!("usr/lib/modules/{EL_OLD}/updates"));
    root.write(
        format!("usr/lib/modules/{EL_OLD}/updates/bar.ko"),
        driver("bar", &kernel(EL_OLD, 7), 7).build(),
    );
    run(wm_command(&root, &["--add-modules"], "bar.ko\n").current_dir(dir)).expect_success();
    assert!(root.exists(format!("usr/lib/modules/{EL_SAME}/weak-updates/bar.ko")));
}

/// As the original: what is listed is linked wherever it is, but a kernel that comes gets what is below extra/ only.
#[test]
fn what_is_listed_is_linked_outside_extra_too_and_stays_until_it_goes() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    let file = format!("usr/lib/modules/{EL_OLD}/updates/dkms/bar.ko");
    root.write(&file, driver("bar", &old, 7).build());
    let list = format!("/lib/modules/{EL_OLD}/updates/dkms/bar.ko\n/opt/elsewhere.ko\n");
    let said = wm(&root, &["--add-modules"], &list).stdout;
    assert!(said.contains("/opt/elsewhere.ko is in no kernel's directory of modules"), "{said}");
    let linked = [format!("weak-updates/dkms/bar.ko -> /lib/modules/{EL_OLD}/updates/dkms/bar.ko")];
    assert_eq!(links(&root, EL_SAME), linked);
    good(&root, &["sync"]);
    assert_eq!(links(&root, EL_SAME), linked);
    let later = "5.14.0-170.el9.x86_64";
    write(&kernel(later, 7), &root);
    wm(&root, &["--add-kernel", later], "");
    assert!(links(&root, later).is_empty());
    std::fs::remove_file(root.join(&file)).unwrap();
    wm(&root, &["--remove-modules"], &list);
    assert!(links(&root, EL_SAME).is_empty());
}

#[test]
fn a_list_that_fits_in_part_is_not_linked() {
    let root = red_hat();
    let [old, ..] = el_kernels(&root);
    let modules = [("one", driver("one", &old, 7)), ("two", driver("two", &old, 9))];
    root.install(&[&kmod("pair", "1", &old, &modules)]);
    let list = ["one", "two"].map(|m| format!("/lib/modules/{EL_OLD}/extra/pair/{m}.ko\n")).concat();
    let said = wm(&root, &["--add-modules"], &list).stdout;
    assert!(links(&root, EL_SAME).is_empty());
    assert!(said.contains(&format!("not linked in kernel {EL_SAME}: two: changing was")), "{said}");
}

#[test]
fn kernels_come_and_go() {
    let (root, _) = with_foo();
    wm(&root, &["--add-kernel", EL_SAME], "");
    assert_eq!(links(&root, EL_SAME), foo_linked());
    let said = wm(&root, &["--add-kernel", EL_OTHER], "").stdout;
    assert!(said.starts_with(&format!("foo.ko of {EL_OLD} not linked in kernel {EL_OTHER}: ")), "{said}");
    wm(&root, &["--remove-kernel", EL_SAME], "");
    assert!(links(&root, EL_SAME).is_empty());
    assert!(!root.exists(format!("usr/lib/modules/{EL_SAME}/weak-updates")));
    wm(&root, &["--remove-kernel", "5.0.0-1.el9.x86_64"], "");
    let output = run(&mut wm_command(&root, &["--add-kernel", "5.0.0-1.el9.x86_64"], ""));
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("there is no kernel 5.0.0-1.el9.x86_64"), "{output}");
}

#[test]
fn another_root_has_no_running_kernel() {
    let (root, _) = with_foo();
    for mode in ["--add-kernel", "--remove-kernel"] {
        let output = writes_nothing(&root, || run(&mut wm_command(&root, &[mode], "")));
        assert_eq!(output.status, Some(1), "{output}");
        assert!(output.stderr.contains("name a kernel"), "{output}");
    }
}

#[test]
fn a_dry_run_writes_nothing() {
    let (root, _) = with_foo();
    for (args, list) in [
        (&["--add-modules", "--dry-run", "--verbose"][..], FOO),
        (&["--add-kernel", EL_SAME, "--dry-run", "--verbose"], ""),
    ] {
        let said = writes_nothing(&root, || wm(&root, args, list)).stdout;
        assert!(said.contains(&format!("Kernel {EL_SAME}: kmod-foo-1-1 added\n")), "{said}");
    }
    wm(&root, &["--add-modules"], FOO);
    for args in [&["--remove-modules", "--dry-run"][..], &["--remove-kernel", EL_SAME, "--dry-run"]] {
        writes_nothing(&root, || wm(&root, args, FOO));
    }
    assert_eq!(links(&root, EL_SAME), foo_linked());
}

#[test]
fn options_may_be_abbreviated_repeated_and_in_any_order() {
    for args in [
        &["--add-mod", "--verb"][..],
        &["--verbose", "--verbose", "--add-modules", "--delete-modules"],
        &["--no-init", "--add-modules", "--dracut", "/nowhere", "--check-initramfs-prog", "/bin/true"],
        // The first of this order counts, whichever is first here; further words are not looked at.
        &["--remove-kernel", "--add-modules", EL_SAME, "more", "words"],
    ] {
        let (root, _) = with_foo();
        wm(&root, args, FOO);
        assert_eq!(links(&root, EL_SAME), foo_linked(), "{args:?}");
    }
}

#[test]
fn usage_errors_end_with_1() {
    let (root, _) = with_foo();
    for args in [&[][..], &["--verbose"], &["--no-such-option"], &["--add"], &["--basedir"], &["--dracut"]] {
        let output = writes_nothing(&root, || run(&mut wm_command(&root, args, FOO)));
        assert_eq!(output.status, Some(1), "{args:?}: {output}");
        let help = ["usage: weak-modules", "try '--help'"];
        assert!(help.iter().any(|h| output.stderr.to_lowercase().contains(h)), "{args:?}: {output}");
    }
    for option in ["-h", "--help"] {
        let output = wm(&root, &[option], "");
        assert!(output.stdout.contains("--check-initramfs-prog") && output.stderr.is_empty(), "{output}");
    }
}

/// As the original, which does nothing without a dracut.
#[test]
fn a_dracut_that_is_not_there_ends_with_1() {
    use std::os::unix::process::CommandExt;
    let (root, _) = with_foo();
    let mut command = root.command(KMP);
    command.arg0("weak-modules").arg("--basedir").arg(root.path()).args(["--run-in-root", "--add-modules"]);
    command.stdin(piped(FOO));
    let output = writes_nothing(&root, || run(command.args(["--dracut", "/nowhere/dracut"])));
    assert_eq!(output.status, Some(1), "{output}");
    assert!(
        output.stderr.contains("/nowhere/dracut is not installed; name another with --dracut"),
        "{output}"
    );
}

#[test]
fn no_depmod_ends_with_1() {
    let (root, _) = with_foo();
    let output = run(wm_command(&root, &["--add-modules"], FOO).env("DEPMOD", "/nowhere/depmod"));
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("/nowhere/depmod cannot be run"), "{output}");
}

#[test]
fn rhbz_1609372_a_plus_in_a_release_is_a_plus() {
    let root = red_hat();
    let odd = "5.14.0-70+1.el9.x86_64";
    let odd_kernel = kernel(odd, 7);
    write_all(&root, &[&odd_kernel, &kernel("5.14.0-7001.el9.x86_64", 7), &kernel(EL_SAME, 7)]);
    root.install(&[&kmod_one("foo", "1", &odd_kernel, 7)]);
    wm(&root, &["--add-modules"], &format!("/lib/modules/{odd}/extra/foo/foo.ko\n"));
    for krel in [EL_SAME, "5.14.0-7001.el9.x86_64"] {
        assert_eq!(links(&root, krel), el_linked(&[("foo/foo", odd)]));
    }
    wm(&root, &["--remove-kernel", odd], "");
    assert_eq!(links(&root, EL_SAME), el_linked(&[("foo/foo", odd)]));
}

#[test]
fn rhbz_1448349_no_depmod_for_an_absent_kernel() {
    let root = red_hat();
    write(&kernel(EL_SAME, 7), &root);
    root.install(&[&kmod_one("foo", "1", &kernel(EL_OLD, 7), 7)]);
    let depmod = DepmodLog::new(&root);
    run(wm_command(&root, &["--add-modules"], FOO)
        .env("DEPMOD", depmod.program())
        .env("KMP_INDEX", "depmod"))
    .expect_success();
    assert_eq!(depmod.runs(), [EL_SAME]);
    assert_eq!(links(&root, EL_SAME), foo_linked());
}

#[test]
fn rhbz_1448961_rhbz_1124352_what_is_purged_leaves_no_link() {
    let (root, _) = with_foo();
    wm(&root, &["--add-modules"], FOO);
    root.rpm(["-e", "--justdb", "--nodeps", "--noscripts", "kmod-foo"]).expect_success();
    std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{EL_OLD}"))).unwrap();
    wm(&root, &["--remove-kernel", EL_OLD], "");
    assert!(links(&root, EL_SAME).is_empty());
    assert!(!root.exists(format!("usr/lib/modules/{EL_OLD}")));
}

#[test]
fn rhbz_1643299_and_rhbz_1649211_older_versions_and_pairs() {
    let root = red_hat();
    let [old, same, other] = el_kernels(&root);
    let later = "5.14.0-170.el9.x86_64";
    write(&kernel(later, 7), &root);
    let provider = |kernel: &testkit::KernelBuilder, crc: u32, exported: u32| {
        kmod(
            "acme",
            &crc.to_string(),
            kernel,
            &[("acme", driver("acme", kernel, crc).export("open", exported))],
        )
    };
    let user = driver("net", &old, 7).need("open", 1);
    let packages = [provider(&old, 7, 1), kmod("net", "1", &old, &[("net", user)]), provider(&other, 8, 2)];
    // The newest provider fits elsewhere only: the older one is linked, and with it the user.
    root.install(&packages.iter().collect::<Vec<_>>());
    wm(&root, &["--add-kernel", later], "");
    assert_eq!(links(&root, later), el_linked(&[("acme/acme", EL_OLD), ("net/net", EL_OLD)]));
    assert_eq!(links(&root, same.krel()), links(&root, later));
    // Without its provider the user goes, too.
    root.erase(&["kmod-acme-7-1"]);
    wm(&root, &["--remove-modules"], &format!("/lib/modules/{EL_OLD}/extra/acme/acme.ko\n"));
    assert!(links(&root, later).is_empty());
}

#[test]
fn rpm_ostree_1091_a_read_only_root_says_so() {
    let (root, foo) = with_foo();
    wm(&root, &["--add-modules"], FOO);
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && \
                  exec -a weak-modules \"$0\" --basedir \"$1\" --no-initramfs --remove-modules";
    let on_read_only = || {
        let mut command = root.command("unshare");
        run(command.args(["-m", "bash", "-c", script, KMP]).arg(root.path()).stdin(piped(FOO)))
    };
    on_read_only().expect_success();
    root.erase(&[foo.name()]);
    let output = on_read_only();
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("is read-only"), "{output}");
}

/// What packages run, in rpm's own order, in a chroot.
#[test]
fn scriptlets_of_real_packages() {
    let root = crate::scriptlets::live();
    root.write("etc/os-release", "ID=fedora\n");
    root.symlink("usr/sbin/weak-modules", "kmp");
    let [old, same, _] = el_kernels(&root);
    let later = "5.14.0-170.el9.x86_64";
    write(&kernel(later, 7), &root);
    let package = |version: &str, kernel: &testkit::KernelBuilder| {
        let krel = kernel.krel();
        let module = format!("/lib/modules/{krel}/extra/foo/foo.ko");
        let list = "/run/rpm-kmod-foo-modules";
        let wm = "weak-modules --no-initramfs --verbose";
        PackageBuilder::kmod("foo", version, krel, [("foo.ko", driver("foo", kernel, 7).build())])
            .scriptlet(
                "post",
                &format!("echo {module} | {wm} --add-modules >> /log 2>&1 || echo FAILED >> /log"),
            )
            .scriptlet("preun", &format!("echo {module} > {list}"))
            .scriptlet(
                "postun",
                &format!("{wm} --remove-modules < {list} >> /log 2>&1 || echo FAILED >> /log"),
            )
            .build()
    };
    let (first, second) = (package("1", &old), package("2", &same));
    crate::scriptlets::rpm(&root, &["-i"], &[&first]);
    for krel in [EL_SAME, later] {
        assert_eq!(links(&root, krel), foo_linked(), "{}", root.read("log"));
        assert_eq!(indexed(&root, krel), ["weak-updates/foo/foo.ko"]);
    }
    crate::scriptlets::rpm(&root, &["-U", "--reinstall"], &[&first]);
    assert_eq!(links(&root, later), foo_linked(), "{}", root.read("log"));
    crate::scriptlets::rpm(&root, &["-U"], &[&second]);
    for krel in [EL_OLD, later] {
        assert_eq!(links(&root, krel), el_linked(&[("foo/foo", EL_SAME)]), "{}", root.read("log"));
    }
    assert!(links(&root, EL_SAME).is_empty());
    crate::scriptlets::rpm(&root, &["-e", "kmod-foo"], &[]);
    for krel in [EL_OLD, EL_SAME, later] {
        assert!(links(&root, krel).is_empty(), "{}", root.read("log"));
    }
}
