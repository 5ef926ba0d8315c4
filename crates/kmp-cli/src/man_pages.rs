// SPDX-License-Identifier: LGPL-2.1-or-later
//! Tests: the man pages say what the command line, the configuration and the environment take, and nothing else.

mod words;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use clap::{Arg, Command, CommandFactory};

use crate::args::Args;
use crate::drop_in::{kernel_update_tool, regenerate, weak_modules, weak_modules2};

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// A page's source, its minus signs as they are shown.
fn page(name: &str) -> String {
    fs::read_to_string(project().join("packaging/man").join(name)).unwrap().replace("\\-", "-")
}

fn pages() -> Vec<PathBuf> {
    let of = |dir: &str| fs::read_dir(project().join(dir)).unwrap().map(|e| e.unwrap().path());
    let all = of("packaging/man").chain(of("crates/kmp-capi/doc"));
    all.filter(|p| p.extension().is_some_and(|e| ["3", "5", "7", "8"].iter().any(|s| e == *s))).collect()
}

/// What follows a heading, with it, to the next of its kind.
fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    let start = page.find(&format!("{heading}\n")).or_else(|| page.find(&format!("{heading} ")));
    let start = start.unwrap_or_else(|| panic!("there is no {heading}"));
    let end = page[start + 1..].find("\n.SH").into_iter().chain(page[start + 1..].find("\n.SS")).min();
    end.map_or(&page[start..], |end| &page[start..start + 1 + end])
}

/// Items (`.TP`) whose tag has this word.
fn has_item(section: &str, word: &str) -> bool {
    let tags = section.split("\n.TP\n").skip(1).filter_map(|item| item.lines().next());
    let is_end = |c: char| c.is_whitespace() || c == '"' || c == ',';
    tags.into_iter().any(|tag| tag.split(is_end).any(|w| w == word))
}

/// What the items of a section are about: the first words of their tags, in bold in alternation with what separates them.
fn subjects(section: &str) -> Vec<String> {
    let tags = section.split("\n.TP\n").skip(1).filter_map(|item| item.lines().next());
    let is_end = |c: char| c.is_whitespace() || c == '"' || c == ',';
    let words = tags.flat_map(|tag| tag.split(is_end).filter(|w| !w.starts_with('.')));
    // An operand, or a value, is no subject.
    let is_subject = |w: &&str| w.starts_with('-') || w.len() > 2 && !w.contains(['=', '[']);
    words.filter(is_subject).map(ToString::to_string).collect()
}

/// One item has all that there is to say: two would contradict each other sooner or later.
#[test]
fn no_page_has_an_option_a_variable_or_a_setting_twice() {
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap().replace("\\-", "-");
        for section in page.split("\n.SH ").flat_map(|section| section.split("\n.SS ")) {
            let heading = section.lines().next().unwrap_or_default();
            let mut seen = BTreeSet::new();
            let is_operand =
                |w: &String| w.starts_with('-') || w.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            let keys = |w: &String| heading.contains("SETTINGS") || is_operand(w);
            for subject in subjects(section).into_iter().filter(keys) {
                let is_value = ["DIR", "FILE", "NAME", "KERNEL", "PROGRAM"].contains(&subject.as_str());
                assert!(
                    is_value || seen.insert(subject.clone()),
                    "{}: {heading}: {subject} twice",
                    path.display()
                );
            }
        }
    }
}

fn names(argument: &Arg) -> Vec<String> {
    let long = argument.get_long().map(|l| format!("--{l}"));
    long.into_iter().chain(argument.get_short().map(|s| format!("-{s}"))).collect()
}

/// Each option is an item of the section, and each operand is in its heading.
fn documents(section: &str, command: &Command, with_global: bool) {
    for argument in command.get_arguments().filter(|a| !a.is_hide_set()) {
        let is_everywhere =
            argument.is_global_set() || ["help", "version"].contains(&argument.get_id().as_str());
        if is_everywhere && !with_global {
            continue;
        }
        for name in names(argument) {
            assert!(has_item(section, &name), "{name} of {} is not in\n{section}", command.get_name());
        }
        for operand in
            argument.get_value_names().unwrap_or_default().iter().filter(|_| argument.is_positional())
        {
            assert!(section.contains(operand.as_str()), "{operand} is not in\n{section}");
        }
    }
}

fn options_of(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().flat_map(names);
    own.chain(command.get_subcommands().flat_map(options_of)).collect()
}

/// No page names an option that there is not.
fn names_no_other(page: &str, command: &Command) {
    let known = options_of(command);
    let words = page.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
    for word in words.filter(|w| w.len() > 2 && w.starts_with("--")) {
        assert!(known.contains(word), "there is no {word}");
    }
}

/// The verbs of kmp-kabi(8).
const OF_KABI: &[&str] = &["kabi", "registry"];

#[test]
fn kmp_8_has_every_verb_and_every_option() {
    let page = page("kmp.8");
    let mut command = Args::command();
    command.build();
    documents(section(&page, ".SH OPTIONS"), &command, true);
    for verb in command.get_subcommands().filter(|v| !v.is_hide_set() && v.get_name() != "help") {
        let section = section(&page, &format!(".SS kmp {}", verb.get_name()));
        documents(section, verb, false);
        // Their verbs have a page of their own.
        let is_elsewhere = OF_KABI.contains(&verb.get_name());
        for verb in verb.get_subcommands().filter(|v| v.get_name() != "help" && !is_elsewhere) {
            assert!(section.contains(verb.get_name()), "{} is not in\n{section}", verb.get_name());
            documents(section, verb, false);
        }
    }
    let kabi = self::page("kmp-kabi.8");
    for verb in command.get_subcommands().filter(|v| OF_KABI.contains(&v.get_name())) {
        for of in verb.get_subcommands().filter(|of| of.get_name() != "help") {
            documents(section(&kabi, &format!(".SS kmp {} {}", verb.get_name(), of.get_name())), of, false);
        }
    }
    names_no_other(&page, &command);
    names_no_other(&kabi, &command);
}

#[test]
fn each_other_name_has_every_option_in_its_page() {
    for (name, mut command) in [
        ("weak-modules2.8", weak_modules2::command()),
        ("weak-modules.8", weak_modules::command()),
        ("regenerate-initrd-posttrans.8", regenerate::command()),
        ("kernel-update-tool.8", kernel_update_tool::command()),
    ] {
        let page = page(name);
        command.build();
        names_no_other(&page, &command);
        // Operands are in the synopsis.
        let options = command.mut_args(|a| if a.is_positional() { a.hide(true) } else { a });
        documents(section(&page, ".SH OPTIONS"), &options, true);
    }
}

#[test]
fn kmp_conf_5_has_every_setting() {
    let page = page("kmp.conf.5");
    for key in kmp_core::config::KEYS {
        assert!(has_item(section(&page, ".SH SETTINGS"), key), "{key}");
    }
    let shipped = fs::read_to_string(project().join("packaging/kmp.conf")).unwrap();
    let mut config = kmp_core::config::Config::default();
    assert_eq!(config.read(&shipped), Vec::<String>::new());
    assert_eq!(config, kmp_core::config::Config::default());
    // And with every setting that it shows switched on: those are the defaults.
    let shown = shipped
        .replace("\n#download", "\ndownload")
        .replace("\n#on", "\non")
        .replace("\n#protect", "\nprotect")
        .replace("\n#dialect", "\ndialect");
    assert_eq!(config.read(&shown.replace("#[", "[")), Vec::<String>::new());
    assert_eq!(config.protect, kmp_core::config::Protect::All);
    for key in kmp_core::config::KEYS {
        assert!(shipped.contains(key), "{key}");
    }
}

/// The names between quotes that follow one of these in the source.
fn variables(source: &str) -> Vec<String> {
    const READERS: &[&str] = &[
        "var_os(\"",
        "var(\"",
        "variable(\"",
        "variable: \"",
        "getenv(\"",
        "VARIABLE: &str = \"",
        "VARIABLE \"",
        "value(\"",
    ];
    let found = READERS.iter().flat_map(|r| source.split(r).skip(1));
    found.filter_map(|rest| Some(rest.split_once('"')?.0.to_string())).collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()) {
        if path.is_dir() {
            sources(&path, found);
        } else if !path.ends_with(Path::new(file!()).file_name().unwrap()) {
            found.push(path);
        }
    }
}

#[test]
fn every_variable_that_is_read_is_in_a_page() {
    let mut files = Vec::new();
    for part in ["crates/kmp-cli/src", "crates/kmp-core/src", "crates/kmp-capi/src", "rpm-plugin"] {
        sources(&project().join(part), &mut files);
    }
    let mut read: BTreeSet<String> =
        files.iter().flat_map(|f| variables(&String::from_utf8_lossy(&fs::read(f).unwrap()))).collect();
    let is_name =
        |name: &String| name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    // Keys of os-release are asked for by the same word.
    read.retain(|name| {
        !name.starts_with("KMP_TEST_")
            && !["ID", "ID_LIKE", "IMAGE_ID"].contains(&name.as_str())
            && is_name(name)
    });
    let all: String = pages().iter().map(|p| fs::read_to_string(p).unwrap()).collect();
    assert!(
        ["DEPMOD", "INITRD_GENERATOR", "KMP_POLICY", "KMP_TRANSACTION", "WM2_DEBUG"]
            .iter()
            .all(|v| read.contains(*v)),
        "{read:?}"
    );
    for name in read {
        assert!(all.contains(&name), "no page documents {name}");
    }
}

#[test]
fn every_page_has_its_sections() {
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        for heading in ["NAME", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"]
        {
            let is_there = page.lines().any(|l| l.trim_start_matches(".SH ").trim_matches('"') == heading);
            // A library has no exit status, and neither has a course of action.
            let of_library = path.extension().is_some_and(|e| e == "3" || e == "7");
            assert!(is_there || of_library, "{} has no {heading}", path.display());
        }
    }
}

/// By what the distribution shows pages with, and by mandoc, which is stricter.
#[test]
fn no_page_has_a_fault() {
    for path in pages() {
        let mut man = Program::new("man");
        man.args(["--warnings", "--encoding=UTF-8", "--local-file"]).arg(&path);
        let output = man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").output().expect("man");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{}: {said}", path.display());
        let mut mandoc = Program::new("mandoc");
        let output = mandoc.args(["-T", "lint", "-W", "warning"]).arg(&path).output().expect("mandoc");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: {said}", path.display());
    }
}
