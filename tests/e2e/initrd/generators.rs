// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which generator is run, and what becomes of what it says.

use super::*;

/// Nothing of a root is run where that was not said: initrds are only asked for. A dry run runs nothing in any case.
#[test]
fn nothing_of_a_root_is_run_without_leave() {
    let machine = Machine::kernels();
    let root = &machine.root;
    machine.program("usr/bin/sdbootutil", &noting("sdbootutil"));
    std::fs::remove_file(root.join(format!("boot/initrd-{SAME}"))).unwrap();
    let every_verb = [
        &["initrd", "--dry-run"][..],
        &["sync", "--dry-run"],
        &["status"],
        &["check"],
        &["--run-in-root", "initrd", "--dry-run"],
        &["--run-in-root", "sync", "--dry-run"],
    ];
    for verb in every_verb {
        writes_nothing(root, || kmp(root, verb));
    }
    let output = crate::support::good(root, &["initrd"]);
    assert!(
        output.stdout.contains(&format!("{SAME}: a new initrd was requested: there is no initrd")),
        "{output}"
    );
    assert!(output.stderr.contains("--run-in-root"), "{output}");
    run(&mut wm2_command(root, &["--add-kernel", SAME])).expect_success();
    let mut command = root.command(KMP);
    command.arg0("regenerate-initrd-posttrans").arg("--root").arg(root.path());
    let output = run(&mut command);
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("with --run-in-root only"), "{output}");
    assert_eq!((machine.markers(), machine.calls()), (vec![SAME.to_string()], vec![]));
    good(root, &["initrd", "--kernel", SAME]);
    let asked = "sdbootutil is-installed".to_string();
    let added = format!("sdbootutil --no-reuse-initrd --default-snapshot add-kernel {SAME}");
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![asked, added]));
}

#[test]
fn other_generators() {
    let machine = Machine::kernels();
    let root = &machine.root;
    machine.program("usr/bin/mkosi-initrd", &noting("mkosi-initrd"));
    machine.program("opt/other", &noting("other"));
    let mkosi = |krel| format!("mkosi-initrd --kernel-version {krel} -O /boot -o initrd-{krel}");
    root.write("etc/sysconfig/bootloader", "# text\nINITRD_GENERATOR=\"mkosi\"\n");
    machine.wm2(&[], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [mkosi(SAME)]);
    root.write("run/regenerate-initrd/all", "");
    machine.posttrans(&[]).expect_success();
    assert_eq!(machine.calls(), [mkosi(OLD), mkosi(SAME), mkosi(OTHER)]);
    // The file goes over the environment.
    machine.wm2(&[("INITRD_GENERATOR", "dracut")], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [mkosi(SAME)]);
    std::fs::remove_file(root.join("etc/sysconfig/bootloader")).unwrap();
    machine.wm2(&[("DRACUT", "/opt/other")], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [made(SAME).replace("dracut", "other")]);
    root.write("etc/sysconfig/bootloader", "INITRD_GENERATOR=booster\n");
    root.write(format!("run/regenerate-initrd/{SAME}"), "");
    let output = machine.posttrans(&[]);
    assert_eq!(output.status, Some(1), "{output}");
    assert!(output.stderr.contains("INITRD_GENERATOR is \"booster\""), "{output}");
    assert_eq!(machine.markers(), [SAME]);
    // sdbootutil goes over all, where it is in use; in a snapshot of transactional-update it has to wait.
    // What it is asked is no matter here.
    let sdbootutil = noting("sdbootutil").replace("echo \"sd", "[ $1 = --no-reuse-initrd ] && echo \"sd");
    machine.program("usr/bin/sdbootutil", &format!("[ \"$1\" != is-installed ] || exit 1\n{sdbootutil}"));
    assert_eq!(machine.posttrans(&[]).status, Some(1));
    machine.program("usr/bin/sdbootutil", &format!("[ \"$1\" != is-installed ] || exit 0\n{sdbootutil}"));
    // What it calls itself has to be known, and there.
    assert_eq!(machine.posttrans(&[]).status, Some(1));
    root.write("etc/sysconfig/bootloader", "INITRD_GENERATOR=dracut\n");
    machine.posttrans(&[]).expect_success();
    // What was requested may be about the snapshot that a transaction made; what changed, changed in the one that runs.
    assert_eq!(
        machine.calls(),
        [format!("sdbootutil --no-reuse-initrd --default-snapshot add-kernel {SAME}")]
    );
    machine.wm2(&[], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [format!("sdbootutil --no-reuse-initrd add-kernel {SAME}")]);
    let snapshot = [("TRANSACTIONAL_UPDATE", "true")];
    machine.wm2(&snapshot, &["--add-kernel", SAME]);
    machine.posttrans(&snapshot).expect_success();
    assert_eq!((machine.markers(), machine.calls()), (vec![SAME.to_string()], vec![]));
    root.write("run/regenerate-initrd/all", "");
    machine.posttrans(&[]).expect_success();
    let all = "sdbootutil --no-reuse-initrd --default-snapshot add-all-kernels".to_string();
    assert_eq!((machine.markers(), machine.calls()), (vec![], vec![all]));
    std::fs::remove_file(root.join("usr/bin/dracut")).unwrap();
    root.write("run/regenerate-initrd/all", "");
    assert!(machine.posttrans(&[]).expect_success().stderr.contains("dracut is not installed"));
    assert_eq!((machine.markers(), machine.calls()), (vec!["all".to_string()], vec![]));
}

/// bsc#1223278: with Xen on EFI, copies of the initrds are on the EFI system partition.
#[test]
fn bsc_1223278_xen_on_efi() {
    let machine = Machine::kernels();
    let root = &machine.root;
    machine.program("usr/sbin/update-bootloader", "echo \"update-bootloader $*\" >> /calls\nexit 3\n");
    let requested = |request: &str| {
        root.write(format!("run/regenerate-initrd/{request}"), "");
        let output = machine.posttrans(&[]);
        assert_eq!(output.status, Some(if root.exists("broken") { 7 } else { 0 }), "{output}");
        machine.calls()
    };
    let all = "dracut -f --regenerate-all".to_string();
    let refreshed = "update-bootloader --refresh".to_string();
    root.write("boot/xen-4.18.gz", "");
    assert_eq!(requested("all"), std::slice::from_ref(&all));
    root.mkdir("sys/firmware/efi");
    assert_eq!(requested("all"), [all, refreshed.clone()]);
    assert_eq!(requested(SAME), [made(SAME), refreshed.clone()]);
    machine.wm2(&[], &["--add-kernel", SAME]);
    assert_eq!(machine.calls(), [made(SAME), refreshed.clone()]);
    root.write(format!("run/regenerate-initrd/{SAME}"), "");
    assert!(good(root, &["initrd"]).stderr.contains("please run \"update-bootloader --refresh\""));
    assert_eq!(machine.calls(), [made(SAME), refreshed]);
    root.write("broken", "");
    assert_eq!(requested(SAME), [made(SAME)]);
    std::fs::remove_file(root.join("broken")).unwrap();
    std::fs::remove_file(root.join("boot/xen-4.18.gz")).unwrap();
    root.write("boot/xen.efi", "");
    assert_eq!(requested(SAME), [made(SAME)]);
}

#[test]
fn a_failed_generator_is_told_and_leaves_a_marker() {
    let machine = Machine::kernels();
    machine.root.write("broken", "");
    let output = ends(&machine.root, &["add-kernel", SAME], 2);
    assert!(output.stderr.contains("no space left"), "{output}");
    assert_eq!(machine.markers(), [SAME]);
    let output = run(&mut wm2_command(&machine.root, &["--run-in-root", "--add-kernel", SAME]));
    assert_eq!(output.status, Some(1), "{output}");
    std::fs::remove_file(machine.root.join("broken")).unwrap();
    // The marker says so, whatever is in the initrd.
    assert!(
        good(&machine.root, &["initrd"]).stdout.contains("a request in /run/regenerate-initrd asks for it")
    );
    assert!(machine.markers().is_empty());
}

/// What a generator says of itself is not believed: it ends with 0, and there is no new initrd that the kernel could boot with.
#[test]
fn a_generator_that_makes_nothing_has_failed() {
    let (one, old) = foo("1");
    for (script, present, why) in [
        ("exit 0", true, "is the one that was there before"),
        ("exit 0", false, "there is none"),
        (": > /boot/initrd-$3", true, "it cannot be read"),
        ("echo made > /boot/initrd-$3", false, "it cannot be read"),
        ("while read -r line; do :; done < /old > /elsewhere", true, "is the one that was there before"),
        // Times alone are no new initrd: it has the build that was to be replaced.
        ("exec /bin/cp /old /boot/initrd-$3", true, "foo: the initrd has another build"),
    ] {
        let machine = Machine::kernels();
        let root = &machine.root;
        root.install(&[&one]);
        machine.initrd_at("old", "cat", SAME, &[(LINK, old.clone())]);
        machine.initrd(SAME, &[(LINK, old.clone())]);
        root.update(&[&foo("2").0]);
        good(root, &["sync", "--no-initrd"]);
        root.add_program("/bin/cp", "/bin/cp");
        machine.program("usr/bin/dracut", &format!("echo \"dracut $*\" >> /calls\n{script}\n"));
        if !present {
            std::fs::remove_file(root.join(format!("boot/initrd-{SAME}"))).unwrap();
        }
        let output = ends(root, &["initrd", "--kernel", SAME], 2);
        let failed = format!(
            "/usr/bin/dracut could not make the initrd of kernel {SAME}: it ended without an error, but "
        );
        assert!(output.stderr.contains(&failed) && output.stderr.contains(why), "{script}: {output}");
        assert!(!output.stdout.contains("was made"), "{script}: {output}");
        assert_eq!(
            (machine.markers(), machine.calls()),
            (vec![SAME.to_string()], vec![made(SAME)]),
            "{script}"
        );
        // In the place of suse-module-tools' script its exit status counts, as there. What is wrong is said.
        let served = |what: &str, why: &str| {
            let output = machine.posttrans(&[]);
            assert_eq!((output.status, machine.markers()), (Some(0), Vec::new()), "{script}: {output}");
            let failed = format!("could not make {what}: it ended without an error, but ");
            assert!(output.stderr.contains(&failed) && output.stderr.contains(why), "{script}: {output}");
        };
        served(&format!("the initrd of kernel {SAME}"), why);
        let value = crate::support::json(root, &["--run-in-root", "initrd", "--kernel", SAME]);
        assert_eq!(value["kernels"][0]["done"], "failed", "{script}: {value}");
        assert_eq!(machine.markers(), [SAME], "{script}");
        root.write("run/regenerate-initrd/all", "");
        served("the initrds of all kernels", "kernel");
        // One that does what it says: all is done.
        machine.program("usr/bin/dracut", &format!("{DRACUT}{}", makes_empty_initrds()));
        good(root, &["initrd"]);
        assert!(machine.markers().is_empty(), "{script}");
    }
}

/// sdbootutil names an initrd by its contents: one that is equal stays where it is. About another snapshot, of which nothing is
/// known here, its word counts.
#[test]
fn an_equal_initrd_of_sdbootutil_is_new() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let entry = "*show-entry*) echo \"initrd /initrd-$3\";;";
    for (entry, is_new) in [(entry, true), ("*show-entry*) ;;", false), ("*show-entry*) exit 1;;", true)] {
        machine.program(
            "usr/bin/sdbootutil",
            &format!("for last; do :; done\nall=$*\nset -- a b \"$last\"\ncase $all in\n{entry}\nesac\n"),
        );
        root.write(format!("run/regenerate-initrd/{SAME}"), "");
        let output = machine.posttrans(&[]);
        assert_eq!((output.status, machine.markers()), (Some(0), Vec::new()), "{entry}: {output}");
        assert_eq!(!output.stderr.contains("could not make"), is_new, "{entry}: {output}");
    }
}

/// What is wrong, what it means and what to do, at 80 columns.
#[test]
fn whole_screens() {
    let machine = Machine::kernels();
    let root = &machine.root;
    let (one, old) = foo("1");
    root.install(&[&one]);
    machine.initrd(SAME, &[(LINK, old)]);
    root.update(&[&foo("2").0]);
    good(root, &["sync", "--no-initrd"]);
    std::fs::remove_file(root.join(format!("boot/initrd-{OTHER}"))).unwrap();
    // On a terminal: stdout and stderr are one.
    let screen = |args: &str, status: i32| {
        let line =
            format!("stty rows 24 cols 80; '{KMP}' --root '{}' --run-in-root {args}", root.path().display());
        let mut script = root.command("script");
        script.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", "xterm").env("NO_COLOR", "1");
        let output = run(script.stdin(std::process::Stdio::null()));
        assert_eq!(output.status, Some(status), "{output}");
        output.stdout.replace('\r', "").replace(&root.path().display().to_string(), "")
    };
    assert_eq!(
        screen("initrd --dry-run", 1),
        "6.4.0-1-default: no new initrd: the initrd is up to date\n\
         6.4.0-2-default: a new initrd is needed: foo: the initrd has another build\n\
         6.4.0-3-default: a new initrd is needed: there is no initrd\n"
    );
    machine.program("usr/bin/dracut", "exit 0\n");
    // Where its lines are broken depends on the root's path.
    assert_eq!(
        screen(&format!("initrd --kernel {SAME}"), 2).replace("\n  ", " "),
        "kmp: error: kernel 6.4.0-2-default needs a new initrd (foo: the initrd has another build), but \
         /usr/bin/dracut could not make the initrd of kernel 6.4.0-2-default: it ended without an error, but \
         /boot/initrd-6.4.0-2-default is the one that was there before\n"
    );
    machine.program("usr/bin/dracut", &makes_empty_initrds());
    assert_eq!(
        screen("initrd", 0),
        "6.4.0-1-default: no new initrd: the initrd is up to date\n\
         6.4.0-2-default: a new initrd was made: a request in /run/regenerate-initrd asks\n\
         for it\n\
         6.4.0-3-default: a new initrd was made: there is no initrd\n"
    );
}
