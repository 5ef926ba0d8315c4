//! Faults of ours are a warning each, and rpm goes on.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use testkit::run;

use crate::support::{NEW, kernel, kmp, link, plugin, rpm_env, site, telling};

#[test]
fn a_panic_in_any_hook_does_not_stop_rpm() {
    let new = kernel(NEW, 8);
    let packages =
        [telling(&new).scriptlet("posttrans", "exit 0").build(), kmp("foo", "2.0", &new, 8).build()];
    for hook in ["init", "tsm_pre", "psm_post", "scriptlet_pre", "scriptlet_fork_post", "tsm_post", "cleanup"]
    {
        let root = site();
        let environment = [("KMP_TEST_PANIC", hook)];
        let output = rpm_env(&root, &environment, &["-i"], &[&packages[0], &packages[1]]).expect_success();
        // A forked child's words may be lost with it.
        if hook != "scriptlet_fork_post" {
            assert_eq!(output.stderr.matches("warning: kmp: ").count(), 1, "{hook}: {output}");
            assert!(output.stderr.contains(hook), "{output}");
        }
        assert!(root.exists(link(NEW, "bar")), "{hook}");
        let gone = crate::support::rpm_with(&root, &environment, ["-e", "bar-kmp-default"]);
        gone.expect_success();
        assert!(!root.exists(link(NEW, "bar")), "{hook}");
    }
}

#[test]
fn a_panic_does_not_lift_the_veto() {
    let root = site();
    let environment = [("KMP_TEST_PANIC", "tsm_pre")];
    assert!(!rpm_env(&root, &environment, &["-i"], &[&telling(&kernel(NEW, 8)).build()]).success());
}

#[test]
fn an_rpm_that_lacks_a_function_goes_on_without_us() {
    let root = site();
    let environment = [("KMP_TEST_SYMBOL", "rpmNoSuchFunction")];
    let output = rpm_env(&root, &environment, &["-i"], &[&telling(&kernel(NEW, 8)).build()]).expect_success();
    assert_eq!(
        output.stderr.matches("warning: kmp: this rpm lacks rpmNoSuchFunction").count(),
        1,
        "{output}"
    );
}

#[test]
fn a_configuration_that_is_not_understood_is_told_once() {
    let root = site();
    root.write("etc/kmp.conf", "on-lost-driver = perhaps\n");
    let new = kernel(NEW, 8);
    let packages = [telling(&new).build(), kmp("foo", "2.0", &new, 8).build()];
    let output = rpm_env(&root, &[], &["-i"], &[&packages[0], &packages[1]]).expect_success();
    assert_eq!(output.stderr.matches("warning: kmp: ").count(), 1, "{output}");
    assert!(output.stderr.contains("kmp.conf"), "{output}");
}

#[test]
fn the_system_log_hears_of_it() {
    let root = site();
    let path = root.home().join("log");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let environment = [("KMP_TEST_SYSTEM_LOG", path.to_str().unwrap())];
    rpm_env(&root, &environment, &["-i"], &[&telling(&kernel(NEW, 8)).build()]);
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    let text = String::from_utf8_lossy(&buffer[..length]);
    assert!(text.starts_with("<27>") && text.contains(" kmp[") && text.contains("foo-kmp-default"), "{text}");
    assert!(!text.contains('\n'));
}

#[test]
fn it_exports_its_hooks_and_needs_no_librpm() {
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(plugin())).expect_success();
    let names: Vec<&str> = symbols.lines().into_iter().filter_map(|l| l.split_whitespace().nth(2)).collect();
    assert_eq!(names, ["kmp_hooks"]);
    let undefined = run(Command::new("nm").args(["-D", "--undefined-only"]).arg(plugin())).expect_success();
    assert!(!undefined.stdout.contains(" U rpm") && !undefined.stdout.contains(" U Fileno"), "{undefined}");
    let dynamic = run(Command::new("readelf").args(["-dW"]).arg(plugin())).expect_success().stdout;
    for line in dynamic.lines().filter(|l| l.contains("NEEDED")) {
        assert!(["libc.so", "libgcc_s.so", "ld-linux", "libm.so"].iter().any(|l| line.contains(l)), "{line}");
    }
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}
