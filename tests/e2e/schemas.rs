// SPDX-License-Identifier: LGPL-2.1-or-later
//! What `--json` prints is what `docs/schema` says.

use std::path::Path;
use std::process::Command;

use testkit::{TestRoot, run};

use crate::support::*;

/// Validates documents, each by the schema that stands before it in the list of arguments.
const VALIDATE: &str = "
import json, sys
from jsonschema import Draft202012Validator
for schema, document in zip(sys.argv[1::2], sys.argv[2::2]):
    schema = json.load(open(schema))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(document))
";

fn schema_file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/schema/{name}.json"))
}

/// Is a document what its schema says?
#[track_caller]
pub fn validate(name: &str, document: &str) {
    let mut command = Command::new("/usr/bin/python3");
    run(command.args(["-c", VALIDATE]).arg(schema_file(name)).arg(document)).expect_success();
}

/// Those of which a document is validated in tests of their own.
const ELSEWHERE: &[&str] = &["catalogue", "history", "medium", "sources"];

/// Of a verb's verb, both.
fn schema_of(args: &[&str]) -> String {
    if args.contains(&"--support") {
        return "support".into();
    }
    if ["kabi", "registry"].contains(&args[0]) { args[..2].join("-") } else { args[0].into() }
}

#[test]
fn what_is_printed_is_what_the_schemas_say() {
    let root = TestRoot::new();
    let [old, same, _] = three_kernels(&root);
    let breaks = driver("strange", &old, 7).need("nowhere", 1);
    root.write(format!("usr/lib/modules/{SAME}/extra/clash.ko"), driver("clash", &same, 7).build());
    root.write(format!("usr/lib/modules/{SAME}/extra/mine.ko"), driver("mine", &same, 7).build());
    root.install(&[
        &one_module("foo", "1", &old, 7),
        &one_module("clash", "1", &old, 7),
        &package("strange", "1", &old, &[("strange", breaks)]),
    ]);
    let dangling = format!("usr/lib/modules/{SAME}/weak-updates/updates/gone.ko");
    root.symlink(&dangling, format!("/usr/lib/modules/{OLD}/updates/gone.ko"));
    root.write("severities", "drivers/* PASS\nfoo_* PASS\n");
    let [registry, out] = ["registry", "out"].map(|path| root.join(path).to_str().unwrap().to_string());
    let kmp = one_module("foo", "1", &old, 7);
    let add = ["registry", "add", "--registry", &registry, "--provider", "acme", "--contact", "a@b.example"];
    ends(&root, &[&add[..], &[kmp.path().to_str().unwrap()]].concat(), 0);
    let [rules, clash] = ["severities", &format!("usr/lib/modules/{SAME}/extra/clash.ko")]
        .map(|path| root.join(path).to_str().unwrap().to_string());
    let machine = "{\"machine\":\"a\",\"kernels\":[\"kernel-default-6.4.0-0.x86_64\"],\"kmps\":[\"foo-kmp-default-1-1.x86_64\"]}\n";
    root.write("machines", machine);
    let of_kernel = testkit::PackageBuilder::kernel(&old).ksyms("default", &old.full_symvers()).build();
    root.write("repo/kernel.rpm", std::fs::read(of_kernel.path()).unwrap());
    run(Command::new("createrepo_c").arg("--quiet").arg(root.join("repo"))).expect_success();
    let [machines, repo] = ["machines", "repo"].map(|path| root.join(path).to_str().unwrap().to_string());
    let runs: &[&[&str]] = &[
        &["status"],
        &["check"],
        &["plan"],
        &["devices"],
        &["doctor"],
        &["status", "--support"],
        &["key", "list"],
        &["explain", "--kernel", OTHER, "foo"],
        &["explain", "--kernel", SAME, "strange"],
        &["sync", "--dry-run"],
        &["initrd", "--dry-run"],
        &["sync"],
        &["status"],
        &["sync"],
        &["add-kernel", OTHER],
        &["remove-kernel", OLD],
        &["add-kmp", "foo-kmp-default-1_k6.4.0_1-1"],
        &["remove-kmp", "foo-kmp-default-1_k6.4.0_1-1"],
        &["divert", "--restore"],
        &["kabi", "diff", OLD, OTHER],
        &["registry", "check", "--registry", &registry, "--old", OLD, "--new", OTHER, "--out", &out],
        &["facts", "--machine", "here"],
        &["fleet", "--machines", &machines, "--repo", &repo],
        &["rebuild-list", "--for", "plain", "--registry", &registry, "--new", OTHER],
        &["kabi", "exposure", "--rules", &rules, "--kernel", OLD, &clash],
    ];
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", VALIDATE]);
    for args in runs {
        let schema =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/schema/{}.json", schema_of(args)));
        command.arg(schema).arg(json(&root, args).to_string());
    }
    // What is read from standard input, written into the current directory, or takes a line each.
    let alone = |verb| (verb, crate::support::kmp(&root, &[verb, "--json"]).stdout);
    let mut special = vec![alone("update"), alone("hold")];
    let mut deps = crate::support::command(&root, &["deps", "--provides", "--dialect", "suse", "--json"]);
    special.push(("deps", run(deps.stdin(piped(&format!("{clash}\n")))).stdout));
    let written = run(root.command(KMP).current_dir(root.home()).args(["new", "--suse", "hello", "--json"]));
    special.push(("new", written.stdout));
    let lines = crate::support::kmp(&root, &["check", "--json-lines"]).stdout;
    assert!(lines.lines().count() > 3, "{lines}");
    special.extend(lines.lines().map(|line| ("check-lines", line.to_string())));
    let runs_before = crate::support::kmp(&root, &["history", "--json"]).stdout;
    special.extend(runs_before.lines().map(|line| ("history", line.to_string())));
    for (name, document) in &special {
        command.arg(schema_file(name)).arg(document);
    }
    run(&mut command).expect_success();
    // Nothing is promised that is not looked at here; others are where there is something to show (`history.rs`, `sources.rs`).
    let seen: std::collections::BTreeSet<String> = runs
        .iter()
        .map(|args| schema_of(args))
        .chain(special.iter().map(|(name, _)| (*name).into()))
        .collect();
    let committed = std::fs::read_dir(schema_file("x").parent().unwrap()).unwrap();
    let stem = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()
    };
    let missing: Vec<String> =
        committed.map(stem).filter(|name| !seen.contains(name) && !ELSEWHERE.contains(&&**name)).collect();
    assert_eq!(missing, [""; 0], "no run of these verbs is validated");
    // A validator that finds nothing would not be one.
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/sync.json");
    let mut wrong = Command::new("/usr/bin/python3");
    wrong.args(["-c", VALIDATE]).arg(schema).arg(r#"{"version": 3, "kernels": [{"release": 7}]}"#);
    assert!(run(&mut wrong).stderr.contains("7 is not of type 'string'"));
}
