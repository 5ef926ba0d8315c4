// SPDX-License-Identifier: LGPL-2.1-or-later
//! The schemas of `docs/schema`, made of the types that are printed.

use std::path::Path;

use kmp_core::abi::Rule;
use kmp_core::state::State;
use kmp_core::survey::Place;
use schemars::{JsonSchema, schema_for};

use super::Document;
use crate::verbs::{
    check, deps, devices, divert, doctor, explain, facts, fleet, history, hold, initrd, kabi, key, medium,
    new, plan, rebuild_list, registry, sources, status, sync, update,
};

/// The names of all rules.
pub fn rules() -> Vec<&'static str> {
    Rule::ALL.iter().map(|rule| rule.as_str()).collect()
}

/// The words for the states of drivers.
pub fn states() -> Vec<&'static str> {
    State::ALL.iter().filter(|state| **state != State::Compatible).map(|state| state.word()).collect()
}

/// The words for what a kernel has of a driver.
pub fn places() -> Vec<&'static str> {
    Place::ALL.iter().map(|place| place.word()).collect()
}

fn text<K: JsonSchema>(verb: &str) -> String {
    whole::<Document<K>>(verb)
}

fn whole<D: JsonSchema>(verb: &str) -> String {
    titled::<D>(&format!("kmp {verb} --json"))
}

fn titled<D: JsonSchema>(title: &str) -> String {
    let mut schema = schema_for!(D);
    schema.insert("title".into(), title.into());
    format!("{}\n", serde_json::to_string_pretty(&schema).unwrap())
}

#[test]
fn schemas_are_those_of_what_is_printed() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema");
    let all = [
        ("status", whole::<status::Document>("status")),
        ("support", whole::<status::Support>("status --support")),
        ("check", whole::<check::Checked>("check")),
        ("check-lines", whole::<check::VerdictLine>("check --json-lines")),
        ("add-kernel", text::<sync::Kernel>("add-kernel")),
        ("remove-kernel", text::<sync::Kernel>("remove-kernel")),
        ("add-kmp", text::<sync::Kernel>("add-kmp")),
        ("remove-kmp", text::<sync::Kernel>("remove-kmp")),
        ("deps", whole::<deps::Document>("deps")),
        ("divert", whole::<divert::Document>("divert")),
        ("new", whole::<new::Document>("new")),
        ("plan", whole::<plan::Plan>("plan")),
        ("update", whole::<update::Document>("update")),
        ("hold", whole::<hold::Document>("hold")),
        ("devices", whole::<devices::Document>("devices")),
        ("doctor", whole::<doctor::Document>("doctor")),
        ("explain", text::<explain::Kernel>("explain")),
        ("key", whole::<key::Keys>("key")),
        ("catalogue", titled::<kmp_sources::catalogue::Catalogue>("A catalogue of providers of drivers")),
        ("medium", whole::<medium::Document>("medium add")),
        ("sources", whole::<sources::Document>("sources list")),
        ("sync", text::<sync::Kernel>("sync")),
        ("initrd", text::<initrd::Kernel>("initrd")),
        ("history", whole::<history::Document>("history")),
        ("kabi-diff", whole::<kabi::document::Diff>("kabi diff")),
        ("registry-check", whole::<registry::document::Report>("registry check")),
        ("facts", whole::<facts::Document>("facts")),
        ("fleet", whole::<fleet::Document>("fleet")),
        ("rebuild-list", whole::<rebuild_list::Document>("rebuild-list")),
        ("kabi-exposure", whole::<kabi::document::Exposure>("kabi exposure")),
    ];
    for (verb, schema) in &all {
        let path = dir.join(format!("{verb}.json"));
        if std::env::var_os("KMP_TEST_WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, schema).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == *schema,
            "docs/schema/{verb}.json is old: KMP_TEST_WRITE_SCHEMAS=1 cargo test -p kmp-cli schemas"
        );
    }
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), all.len(), "docs/schema has a schema of no verb");
}

/// What these change, the verbs beside them list: `kmp key list --json`, `kmp registry check --json`.
const WITHOUT: &[&str] = &["import", "add", "lint", "refresh", "enable", "disable", "make"];

/// Each verb, and each verb of a verb, has `--json`.
#[test]
fn every_verb_has_json() {
    fn all(command: &clap::Command, without: &mut Vec<String>) {
        for verb in command.get_subcommands().filter(|v| !v.is_hide_set() && v.get_name() != "help") {
            let has_json = verb.get_arguments().any(|argument| argument.get_long() == Some("json"));
            match verb.has_subcommands() {
                true => all(verb, without),
                false if has_json => {}
                false => without.push(verb.get_name().into()),
            }
        }
    }
    let mut without = Vec::new();
    all(&<crate::args::Args as clap::CommandFactory>::command(), &mut without);
    without.retain(|verb| !WITHOUT.contains(&verb.as_str()));
    assert_eq!(without, [""; 0]);
}
