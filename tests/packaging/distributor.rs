// SPDX-License-Identifier: LGPL-2.1-or-later
//! The examples for distributors: each read by what reads it in earnest, and run.

use std::path::Path;
use std::process::Command;

use testkit::{ModuleBuilder, Output, PackageBuilder, TestRoot, run};

use crate::build::packaging;
use crate::corpus::KMP;

/// A registry with one driver that the new kernel breaks, and lists of both kernels' symbols.
fn site() -> TestRoot {
    let root = TestRoot::new();
    let line = |crc: u32| format!("0x{crc:08x}\tusb_alert\tvmlinux\tEXPORT_SYMBOL\t\n");
    root.write("symvers-old.gz", line(7));
    root.write("symvers-new.gz", line(8));
    root.write("kabi/severities", "kvm_* PASS\n");
    let module = ModuleBuilder::new("cam").module_layout(None).no_needs().need("usb_alert", 7).build();
    let package = PackageBuilder::kmp("cam", "default", "1.0", "6.4.0-1-default", [("cam.ko", module)])
        .source("cam")
        .build();
    let add =
        ["registry", "add", "--registry", "registry", "--provider", "acme", "--contact", "kmp@acme.example"];
    in_it(&root, Command::new(KMP).args(add).arg(package.path())).expect_success();
    root.symlink("bin/kmp", KMP);
    root
}

fn in_it(root: &TestRoot, command: &mut Command) -> Output {
    let path = format!("{}:{}", root.join("bin").display(), std::env::var("PATH").unwrap());
    let kernels = [("OLD_KERNEL", "symvers-old.gz"), ("NEW_KERNEL", "symvers-new.gz")];
    run(command.current_dir(root.path()).env("PATH", path).envs(kernels))
}

fn example(name: &str) -> String {
    packaging().join("distributor").join(name).to_str().unwrap().into()
}

fn messages(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|e| e == "eml")).count()
}

/// GitLab gives each job's lines to a shell, which ends at the first that fails.
#[test]
fn the_pipeline_for_gitlab() {
    let root = site();
    let read = "import json, sys, yaml\n\
        pipeline = yaml.safe_load(open(sys.argv[1]))\n\
        known = {'stage', 'script', 'artifacts', 'allow_failure', 'rules', 'needs'}\n\
        jobs = {k: v for k, v in pipeline.items() if k not in ('stages', 'variables')}\n\
        for name, job in jobs.items():\n    \
            assert job['stage'] in pipeline['stages'] and set(job) <= known, (name, job)\n    \
            assert all(isinstance(line, str) for line in job['script'])\n\
        print(json.dumps([pipeline['variables'], {k: v['script'] for k, v in jobs.items()}]))\n";
    let output =
        run(Command::new("/usr/bin/python3").args(["-c", read, &example("gitlab-ci.yml")])).expect_success();
    let (variables, jobs): (serde_json::Value, serde_json::Value) =
        serde_json::from_str(&output.stdout).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_string();
    let variables: Vec<(String, String)> =
        variables.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect();
    for (name, status) in [("registry-lint", 0), ("kabi", 1), ("registry-check", 0)] {
        let script: Vec<String> = jobs[name].as_array().unwrap().iter().map(text).collect();
        let script = script.join("\n");
        let mut command = Command::new("bash");
        let output = in_it(&root, command.args(["-eo", "pipefail", "-c", &script]).envs(variables.clone()));
        assert_eq!(output.status, Some(status), "{name}: {output}");
        let checked = run(Command::new("bash").args([
            "-c",
            "printf '#!/bin/bash\\n%s\\n' \"$0\" | shellcheck -",
            &script,
        ]));
        checked.expect_success();
    }
    assert_eq!(jobs.as_object().unwrap().len(), 3);
    assert!(root.read("public/kabi.html").contains("1 of 1 registered packages stop loading"));
    assert_eq!(messages(&root.join("public/drivers/acme")), 1);
    assert!(root.read("public/rebuild.txt").starts_with("cam"), "{}", root.read("public/rebuild.txt"));
}

/// The build service calls the script with each parameter of `_service`, all of which its description lists.
#[test]
fn the_service_of_the_build_service() {
    let root = site();
    let read = "import sys, xml.etree.ElementTree as tree\n\
        service = tree.parse(sys.argv[1]).getroot().find('service')\n\
        about = tree.parse(sys.argv[2]).getroot()\n\
        given = {p.get('name'): p.text for p in service.findall('param')}\n\
        known = {p.get('name'): p.find('required') is not None for p in about.findall('parameter')}\n\
        assert service.get('name') == about.get('name') == 'kmp_registry' and service.get('mode') == 'buildtime'\n\
        assert set(given) <= set(known) and all(n in given for n, needed in known.items() if needed), (given, known)\n\
        for name, value in given.items():\n    print('--' + name)\n    print(value)\n";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", read, &example("_service"), &example("kmp_registry.service")]);
    let output = run(&mut python).expect_success();
    root.mkdir("result");
    let script = example("kmp_registry");
    let call = |args: &[&str]| in_it(&root, Command::new("sh").arg(&script).args(args));
    call(&[&output.lines()[..], &["--outdir", "result"]].concat()).expect_success();
    let mail = root.join("result/drivers/acme");
    assert_eq!(messages(&mail), 1);
    assert!(root.read("result/drivers/report.json").contains("2027-01-31"));
    assert_eq!(call(&["--old", "symvers-old.gz"]).status, Some(2));
    assert_eq!(call(&["--older", "symvers-old.gz"]).status, Some(2));
}

#[test]
fn the_script_for_after_a_build_sends_each_message_once() {
    let root = site();
    root.write("bin/send", "#!/bin/sh\ncat >>sent\necho . >>sent\n");
    run(Command::new("chmod").arg("755").arg(root.join("bin/send"))).expect_success();
    let mut sent = Vec::new();
    for _ in 0..2 {
        let mut command = Command::new("sh");
        command.arg(example("post-build.sh")).args(["symvers-old.gz", "symvers-new.gz", "registry", "out"]);
        let output = in_it(&root, command.env("SENDMAIL", "send"));
        assert_eq!(output.status, Some(1), "{output}");
        sent.push(root.read("sent"));
    }
    assert_eq!(sent[0].matches("To: kmp@acme.example").count(), 1, "{}", sent[0]);
    assert_eq!(sent[0], sent[1]);
    assert!(root.read("out/rebuild.txt").starts_with("cam"));
}
