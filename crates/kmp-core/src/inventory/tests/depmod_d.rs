// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is read from depmod.d beside what the real depmod makes of it.

use std::path::Path;
use std::process::Command;

use testkit::{KernelBuilder, TestRoot};

use super::open;
use crate::inventory::DepmodConfig;

const KREL: &str = "5.14.0-70.el9.x86_64";
const PLACES: [&str; 2] = ["kernel/a/foo-bar.ko", "weak-updates/foo/foo-bar.ko"];

/// Which of the two modules depmod lists with this configuration.
fn of_depmod(root: &TestRoot, text: &str) -> String {
    root.write("conf/a.conf", text);
    let mut depmod = Command::new("depmod");
    depmod.arg("-b").arg(root.path()).arg("-C").arg(root.join("conf")).arg(KREL);
    testkit::run(&mut depmod).expect_success();
    let text = root.read(format!("usr/lib/modules/{KREL}/modules.dep"));
    text.lines()
        .find_map(|l| l.split_once(':').filter(|(path, _)| path.contains("foo-bar")))
        .unwrap()
        .0
        .into()
}

#[test]
fn the_module_that_wins_is_the_one_that_depmod_lists() {
    let root = TestRoot::new();
    let kernel = KernelBuilder::new(KREL);
    kernel.write(&root.path());
    for place in PLACES {
        root.write(format!("usr/lib/modules/{KREL}/{place}"), kernel.driver("foo-bar").build());
    }
    root.write("ext/q/foo-bar.ko", kernel.driver("foo-bar").build());
    let ext = root.join("ext");
    let ext = ext.display();
    let usual = "search updates built-in weak-updates\n";
    let configs = [
        usual.to_string(),
        "search weak-updates built-in\n".into(),
        "search built-in\nsearch weak-updates\n".into(),
        "search weak-updates\nsearch built-in\n".into(),
        "search weak-updates/foo built-in weak-updates\n".into(),
        "search built-in weak-updates weak-updates/foo\n".into(),
        "search weak-updates\n".into(),
        "search kernel/a weak-updates\n".into(),
        " search weak-updates built-in".into(),
        "# search weak-updates built-in\nsearch built-in weak-updates # x".into(),
        "search updates built-in \\\nweak-updates\noverride foo-b\\\nar * weak-updates/foo".into(),
        format!("{usual}override foo-bar * weak-updates/foo\n"),
        format!("{usual}override foo_bar * weak-updates/foo\n"),
        format!("{usual}override foo-bar * weak-updates\n"),
        format!("{usual}override foo-bar * weak-updates/foo/\n"),
        format!("{usual}override foo-bar 5.14.0-.*.el9 weak-updates/foo\n"),
        format!("{usual}override foo-bar 5.14.0-* weak-updates/foo\n"),
        format!("{usual}override foo-bar ^70 weak-updates/foo\n"),
        format!("{usual}override foo-bar 70 weak-updates/foo\n"),
        format!("{usual}override foo-bar *.x86_64 weak-updates/foo\n"),
        format!("{usual}override foo-bar 5\\.14 weak-updates/foo\n"),
        format!("{usual}override foo-bar 5\\\\.14 weak-updates/foo\n"),
        format!("{usual}override foo-bar 5[.\\]14 weak-updates/foo\n"),
        format!("{usual}override foo-bar el(8|9)[[:punct:]] weak-updates/foo\n"),
        format!("{usual}override foo-bar 4{{1}}.0 weak-updates/foo\n"),
        format!("{usual}override foo-bar ( weak-updates/foo\n"),
        format!("{usual}override foo-bar * weak-updates/foo\noverride foo-bar * kernel/a\n"),
        format!("{usual}override foo-bar * kernel/a\noverride foo-bar * weak-updates/foo\n"),
        "search weak-updates built-in\noverride foo-bar * kernel/a\n".into(),
        format!("search external weak-updates built-in\nexternal .* {ext}\n"),
        format!("search weak-updates external built-in\nexternal 5.14 {ext}\n"),
        format!("search weak-updates built-in\nexternal * {ext}\n"),
        format!("search external weak-updates built-in\nexternal 4.18 {ext}\n"),
    ];
    for text in &configs {
        let mut config = DepmodConfig::default();
        config.read(text);
        let external = crate::inventory::depmod_d::external_modules(&config, &open(&root), KREL);
        // In the root they are elsewhere.
        assert!(external.unwrap().is_empty());
        let absolute = root.join("ext/q/foo-bar.ko");
        let mut candidates: Vec<&Path> = PLACES.iter().map(Path::new).collect();
        if text.contains("external") && !text.contains("4.18") {
            candidates.push(&absolute);
        }
        let less = |a: &&&Path, b: &&&Path| config.compare(KREL, a, b);
        let winner = candidates.iter().min_by(less).unwrap().display().to_string();
        assert_eq!(of_depmod(&root, text), winner, "{text}");
    }
}

#[test]
fn files_go_by_their_names_and_hide_those_of_later_directories() {
    let files = TestRoot::new();
    files.write("usr/lib/depmod.d/20-b.conf", "search built-in weak-updates\n");
    files.write("etc/depmod.d/10-a.conf", "override foo * weak-updates/foo\n");
    files.write("usr/lib/depmod.d/10-a.conf", "override foo * kernel\n");
    files.write("run/depmod.d/30-c.conf", "search weak-updates\n");
    files.write("etc/depmod.d/.hidden.conf", "search weak-updates\n");
    files.write("etc/depmod.d/00.txt", "search weak-updates\n");
    let config = crate::inventory::depmod_d::load(&open(&files)).unwrap();
    let wins = |link: &str| config.compare(KREL, Path::new(link), Path::new("kernel/foo.ko")).is_lt();
    assert!(wins("weak-updates/foo/foo.ko.xz") && !wins("weak-updates/bar/foo.ko"));
}
