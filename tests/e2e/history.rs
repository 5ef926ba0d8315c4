// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp history`: what runs leave, and what becomes of a log that is damaged or cannot be written.

use std::process::Command;

use serde_json::Value;
use testkit::{TestRoot, run};

use crate::hostile::in_namespace;
use crate::support::*;

const LOG: &str = "var/log/kmp/history.jsonl";

/// Three kernels and a driver, which the second loads and the third does not; and a place for logs.
fn site() -> TestRoot {
    let root = TestRoot::new();
    let [old, ..] = three_kernels(&root);
    root.install(&[&one_module("foo", "1", &old, 7)]);
    root.mkdir("var/log");
    root
}

/// The runs, the oldest first.
fn runs(root: &TestRoot) -> Vec<Value> {
    let output = good(root, &["history", "--json"]);
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn unlink(root: &TestRoot) {
    std::fs::remove_dir_all(root.join(format!("usr/lib/modules/{SAME}/weak-updates"))).unwrap();
}

#[test]
fn a_run_that_changes_something_is_an_entry_and_no_other_is() {
    let root = site();
    assert_eq!(good(&root, &["history"]).stdout, "no run has changed anything yet\n");
    ends(&root, &["sync", "--dry-run"], 1);
    assert!(!root.exists("var/log/kmp"));
    good(&root, &["sync", "--no-initrd"]);
    // Nothing to do, and verbs that only look.
    good(&root, &["sync", "--no-initrd"]);
    ends(&root, &["status"], 1);
    assert_eq!(runs(&root).len(), 1);
    unlink(&root);
    good(&root, &["add-kernel", OTHER]);
    let runs = runs(&root);
    assert_eq!(runs.len(), 2);
    let foo = "foo-kmp-default-1_k6.4.0_1-1";
    let first = &runs[0];
    assert_eq!((&first["version"], &first["run"], &first["outcome"]), (&3.into(), &1.into(), &"done".into()));
    let call = first["caller"]["call"].as_str().unwrap();
    assert!(call.starts_with("kmp --root ") && call.ends_with(" sync --no-initrd"), "{call}");
    let kernel = |run: &Value, release: &str| {
        let kernels = run["kernels"].as_array().unwrap();
        kernels.iter().find(|kernel| kernel["release"] == release).cloned().unwrap_or_default()
    };
    let same = kernel(first, SAME);
    assert_eq!(
        (&same["changes"][0]["change"], &same["changes"][0]["package"]),
        (&"added".into(), &foo.into())
    );
    assert_eq!(same["index"], "depmod");
    // A new kernel that does not get the driver.
    let other = kernel(&runs[1], OTHER);
    assert_eq!(
        (&other["not_linked"][0]["package"], &other["not_linked"][0]["state"]),
        (&foo.into(), &"refused".into())
    );

    let list = good(&root, &["history", "--number", "1"]).stdout;
    let (newest, more) = list.split_once('\n').unwrap();
    assert!(
        newest.starts_with("2  20") && newest.contains(&format!(" add-kernel {OTHER}: {foo} added")),
        "{list}"
    );
    assert_eq!(more, "1 older ones: kmp history --number 0\n");
    let detail = good(&root, &["history", "1"]).stdout;
    for line in [format!("Kernel {SAME}:\n  {foo} added\n"), "  its index was written by depmod\n".into()] {
        assert!(detail.contains(&line), "{line}: {detail}");
    }
    assert!(detail.starts_with("Run 1, 20") && detail.contains("\nCalled by "), "{detail}");
    let both = good(&root, &["-v", "history"]).stdout;
    let refused = format!("Kernel {OTHER}:\n  {foo} not linked: foo: changing was 0x00000007");
    assert!(both.contains("Run 2, ") && both.contains("Run 1, ") && both.contains(&refused), "{both}");
    assert!(ends(&root, &["history", "7"], 2).stderr.contains("has runs 1 to 2"));
    assert_eq!(good(&root, &["history", "--since", "1 hour"]).lines().len(), 2);
    assert!(
        good(&root, &["history", "--since", "2100-01-01"])
            .stdout
            .starts_with("no run has changed anything since")
    );
    assert!(ends(&root, &["history", "--since", "soon"], 2).stderr.contains("is no time"));
    // The same in kmp status.
    let shown = kmp(&root, &["status"]).stdout;
    assert!(
        shown.contains("\nLast run: 20")
            && shown.contains(&format!("add-kernel {OTHER}: done (kmp history 2)\n")),
        "{shown}"
    );
    let last = &json(&root, &["status"])["machine"]["last_run"];
    assert_eq!(
        (&last["run"], &last["outcome"], &last["time"]),
        (&2.into(), &"done".into(), &runs[1]["time"])
    );
}

#[test]
fn a_run_that_fails_is_an_entry_of_the_package_manager_above_it() {
    let root = site();
    root.write("sbin/false-depmod", "#!/bin/sh\nexit 1\n");
    run(Command::new("chmod").arg("755").arg(root.join("sbin/false-depmod"))).expect_success();
    // What calls scriptlets, by its name.
    let line =
        format!("'{KMP}' --root '{}' add-kmp foo-kmp-default-1_k6.4.0_1-1; true", root.path().display());
    let mut bash = root.command("bash");
    bash.args(["-c", "exec -a /usr/bin/rpm bash -c \"$1\" -Uvh 'a b.rpm'", "bash", &line]);
    run(bash.env("DEPMOD", root.join("sbin/false-depmod")).env("KMP_INDEX", "depmod")).expect_success();
    let runs = runs(&root);
    assert_eq!(
        (runs.len(), &runs[0]["outcome"], &runs[0]["kernels"][1]["index"]),
        (1, &"failed".into(), &"failed".into())
    );
    let by = runs[0]["caller"]["by"].as_str().unwrap();
    assert!(by.starts_with("rpm -c ") && runs[0]["caller"]["uid"].is_u64(), "{by}");
    let list = good(&root, &["history"]).stdout;
    assert!(list.contains("  rpm -c ") && list.contains("failed: depmod for kernel "), "{list}");
}

#[test]
fn a_root_without_logs_has_no_history_and_an_unsafe_place_none_either() {
    let root = site();
    std::fs::remove_dir(root.join("var/log")).unwrap();
    assert_eq!(good(&root, &["sync", "--no-initrd"]).stderr, "");
    assert!(!root.exists("var/log"));
    root.mkdir("var/log");
    root.mkdir("elsewhere");
    root.symlink("var/log/kmp", "/elsewhere");
    unlink(&root);
    let output = good(&root, &["sync", "--no-initrd"]);
    assert!(
        output.stderr.contains("warning: this run is not in the history")
            && output.stderr.contains("is a link"),
        "{output}"
    );
    assert_eq!(std::fs::read_dir(root.join("elsewhere")).unwrap().count(), 0);
}

#[test]
fn damage_is_reported_and_spoils_nothing() {
    let root = site();
    good(&root, &["sync", "--no-initrd"]);
    let whole = root.read(LOG);
    root.write(LOG, format!("{whole}\x1b[2J not JSON\n{{\"run\": 1e99}}\n{}", &whole[..whole.len() / 2]));
    let output = good(&root, &["history"]);
    assert_eq!(
        (output.lines().len(), output.stderr.matches("a line is no entry").count()),
        (1, 3),
        "{output}"
    );
    assert!(!output.stderr.contains('\x1b'), "{output}");
    unlink(&root);
    assert_eq!(good(&root, &["sync", "--no-initrd"]).stderr, "");
    let numbers: Vec<Value> = runs(&root).iter().map(|run| run["run"].clone()).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn two_at_once_leave_an_entry_for_what_was_done_once() {
    let root = site();
    let both: Vec<_> = (0..2).map(|_| command(&root, &["sync", "--no-initrd"]).spawn().unwrap()).collect();
    for mut child in both {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(runs(&root).len(), 1);
}

#[test]
fn a_full_disk_costs_the_entry_and_nothing_else() {
    let root = site();
    let script = r#"
        set -e; mount -t tmpfs -o size=8k,mode=755 tmpfs $1/var/log
        timeout 60 $2 --root $1 sync --no-initrd
        cp $1/var/log/kmp/history.jsonl $1/before; head -c 1M /dev/zero >$1/var/log/fill 2>/dev/null || true
        while echo "{}" >>$1/var/log/kmp/history.jsonl; do :; done 2>/dev/null; rm -r $1/usr/lib/modules/6.4.0-2-default/weak-updates
        s=0; timeout 60 $2 --root $1 sync --no-initrd || s=$?; echo "status $s"
        rm $1/var/log/fill; cp $1/before $1/var/log/kmp/history.jsonl; rm -r $1/usr/lib/modules/6.4.0-2-default/weak-updates
        timeout 60 $2 --root $1 sync --no-initrd; timeout 60 $2 --root $1 history
    "#;
    let output = in_namespace(&root, script);
    assert_eq!(output.status, Some(0), "{output}");
    assert!(output.stdout.contains("status 0"), "{output}");
    assert_eq!(output.stderr.matches("warning: this run is not in the history").count(), 1, "{output}");
    let listed: Vec<&str> =
        output.stdout.lines().filter(|line| line.contains("sync --no-initrd: ")).collect();
    assert!(listed.len() == 2 && listed[0].starts_with("2  ") && listed[1].starts_with("1  "), "{output}");
}
