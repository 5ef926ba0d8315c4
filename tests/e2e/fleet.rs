// SPDX-License-Identifier: LGPL-2.1-or-later
//! `kmp facts` and `kmp fleet`: many machines, asked elsewhere what `kmp update` says on each.

use serde_json::Value;
use testkit::fleet::Fleet;
use testkit::{KernelBuilder, PackageBuilder, TestRoot, run};

use crate::support::*;
use crate::update::{build, offered, repository};

/// The verdict of each machine in each kernel: `MACHINE KERNEL VERDICT DRIVERS`.
fn verdicts(document: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_string();
    let list = |value: &Value, key: &str| {
        value.as_array().unwrap().iter().map(|d| word(&d[key])).collect::<Vec<_>>().join(",")
    };
    let mut lines = Vec::new();
    for group in document["groups"].as_array().unwrap() {
        for machine in group["machines"].as_array().unwrap() {
            for fate in group["fates"].as_array().unwrap() {
                let kernel =
                    word(&fate["kernel"]).replace("kernel-default-6.4.0-", "").replace(".x86_64", "");
                let (drivers, builds) = (list(&fate["drivers"], "driver"), list(&fate["builds"], "package"));
                let line =
                    format!("{} {kernel} {} {drivers} {builds}", word(machine), word(&fate["verdict"]));
                lines.push(line.trim_end().to_string());
            }
        }
    }
    lines.sort();
    lines
}

#[test]
fn a_fleet_is_told_what_each_machine_would_be() {
    // Two machines, one of which is asked itself.
    let (root, middle) = (TestRoot::new(), kernel("6.4.0-2-default", 8));
    let old = kernel(OLD, 7);
    root.install(&[&offered(OLD, 7).build(), &build("foo", "1.0", &old, 7).build()]);
    root.write("etc/hostname", "web01\n");
    root.write("proc/modules", "foo 1 1 - Live 0x0\n");
    let base = repository(
        &root,
        "base",
        &[offered(OLD, 7), offered("6.4.0-2-default", 8), offered("6.4.0-3-default", 9)],
    );
    let drivers = repository(
        &root,
        "drivers",
        &[build("foo", "1.0", &old, 7), build("foo", "2.0", &middle, 8), build("bar", "1.0", &old, 7)],
    );
    let facts = ends(&root, &["facts", "--json"], 0);
    assert_eq!(facts.stdout.lines().count(), 1, "{facts}");
    assert!(facts.stdout.contains("\"machine\":\"web01\""), "{facts}");
    // Of another root nobody knows what is loaded; here the machine says it.
    let said =
        facts.stdout.replace("\"loaded\":false,\"holds_root\":false", "\"loaded\":true,\"holds_root\":true");
    let (kernel, foo) = ("kernel-default-6.4.0-1.x86_64", "foo-kmp-default-1.0_k6.4.0_1-1.x86_64");
    let bar = foo.replace("foo", "bar");
    root.write("machines/a.json", said.replace("web01", "asked"));
    root.write(
        "machines/b.jsonl",
        format!(
            "{{\"machine\":\"b1\",\"kernels\":[\"{kernel}\"],\"kmps\":[\"{bar}\"]}}\n\
             {{\"machine\":\"b2\",\"packages\":[\"{kernel}\",\"bash-5-1.x86_64\"]}}\n\
             {{\"machine\":\"b3\",\"kernels\":[\"{kernel}\"],\"kmps\":[\"of-nobody-kmp-default-1-1.x86_64\"]}}\n\
             {{\"machine\":\"b4\",\"kernels\":[\"kernel-default-6.3.9-7.1.x86_64\"],\"kmps\":[\"{foo}\"]}}\n"
        ),
    );
    let machines = root.join("machines").display().to_string();
    let args = ["fleet", "--machines", &machines, &base, &drivers];
    let document = json(&root, &args);
    let comes = "loses-nothing  foo-kmp-default-2.0_k6.4.0_2-1.x86_64";
    assert_eq!(
        verdicts(&document),
        [
            format!("asked 2 {comes}"),
            "asked 3 loses foo-kmp-default".into(),
            "b1 2 loses bar-kmp-default".into(),
            "b1 3 loses bar-kmp-default".into(),
            "b2 2 loses-nothing".into(),
            "b2 3 loses-nothing".into(),
            "b3 2 unknown of-nobody-kmp-default".into(),
            "b3 3 unknown of-nobody-kmp-default".into(),
            // Its kernel is in no repository any more, and older than the first that is.
            "b4 1 loses-nothing".into(),
            format!("b4 2 {comes}"),
            "b4 3 loses foo-kmp-default".into(),
        ],
        "{document}"
    );
    // The same as the machine says itself, by the same words.
    let own = ["update", "--dry-run", &base, &drivers, "--json"];
    let update: Value = serde_json::from_str(&kmp(&root, &own).stdout).unwrap();
    let of_update: Vec<&Value> =
        update["kernels"].as_array().unwrap().iter().filter(|k| k["installed"] == false).collect();
    let asked = document["groups"].as_array().unwrap().iter().find(|g| g["machines"][0] == "asked").unwrap();
    for (own, fate) in of_update.iter().zip(asked["fates"].as_array().unwrap()) {
        assert_eq!(
            (&own["package"], &own["reason"]),
            (&fate["kernel"], &fate["reason"]),
            "{update}\n{document}"
        );
    }
    let lost = &asked["fates"][0]["drivers"][0];
    assert_eq!(
        (&lost["loaded"], &lost["boots_from"], &asked["with_facts"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert!(lost["remedy"].as_str().unwrap().ends_with("a rebuild suffices"), "{lost}");

    let screen = writes_nothing(&root, || ends(&root, &args, 2));
    for line in [
        "kernel-default-6.4.0-3.x86_64, from base: 3 machines lose a driver, 1 machine is not known, 1 machine\n",
        "(asked): lose foo-kmp-default (loaded on 1, 1 boot from it)",
        "kernel-default-6.3.9-7.1.x86_64 is in no repository that was read",
    ] {
        let text = screen.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&line), "{line}: {screen}");
    }
    // One kernel only, from its repository, and from its file.
    let next = repository(&root, "next", &[offered("6.4.0-3-default", 9)]);
    let next = next.replace("--repo=", "--kernel-from=");
    let only = [&args[..], &[next.as_str()]].concat();
    assert!(verdicts(&json(&root, &only)).iter().all(|line| line.contains(" 3 ")));
    // A file that lists no symbols: its symvers are read.
    let file = PackageBuilder::kernel(&kernel_of_file()).build();
    let only = [&args[..], &["--kernel-from", file.path().to_str().unwrap()]].concat();
    let lines = verdicts(&json(&root, &only));
    assert!(lines.contains(&"b1 4 loses-nothing".into()) && lines.len() == 5, "{lines:?}");
    std::fs::remove_file(root.join("machines/b.jsonl")).unwrap();
    ends(&root, &args, 1);
    ends(&root, &only, 0);
}

fn kernel_of_file() -> KernelBuilder {
    kernel("6.4.0-4-default", 7)
}

#[test]
fn servers_that_manage_machines_are_asked_in_their_place() {
    let root = TestRoot::new();
    let base = repository(&root, "base", &[offered(OLD, 7), offered("6.4.0-2-default", 8)]);
    let drivers = repository(&root, "drivers", &[build("foo", "1.0", &kernel(OLD, 7), 7)]);
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/fleet");
    for server in ["uyuni", "katello"] {
        let answers = examples.join(server).join("packages.json").display().to_string();
        let args = ["fleet", "--from", server, "--machines", &answers, &base, &drivers];
        let lines = verdicts(&json(&root, &args));
        assert_eq!(lines, ["db01.example.org 2 loses-nothing", "web01.example.org 2 loses foo-kmp-default"]);
    }
    root.write("cut.json", "{\"web01\":");
    let cut = root.join("cut.json").display().to_string();
    let output = ends(&root, &["fleet", "--from", "katello", "--machines", &cut, &base], 2);
    assert!(output.stderr.contains("cut.json is no object of machines and packages"), "{output}");
}

#[test]
fn many_machines_take_no_more_memory_than_what_they_differ_in() {
    let root = TestRoot::new();
    let fleet = Fleet { machines: 20_000, groups: 20, kernels: 8, symbols: 24_000, drivers: 60 };
    let (repo, machines) = fleet.write(&root.home());
    let mut kmp = root.command("prlimit");
    kmp.args(["--as=268435456", "--cpu=120", KMP, "fleet", "--json", "--machines"]).arg(machines);
    let output = run(kmp.arg("--repo").arg(repo));
    assert_eq!(output.status, Some(1), "{}", output.stderr);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&document["machines"], document["groups"].as_array().unwrap().len()), (&20_000.into(), 20));
    let loses = document["kernels"].as_array().unwrap().iter().filter(|kernel| kernel["lose"] != 0);
    assert!(loses.count() > 1, "{}", document["kernels"]);
}
