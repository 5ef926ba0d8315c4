// SPDX-License-Identifier: LGPL-2.1-or-later

use super::*;

#[test]
fn later_settings_and_more_special_ones_win() {
    let mut config = Config::default();
    let faults = config.read(
        "# comment\non-lost-driver = warn\nprotect = loaded\n\n[nvidia-*]\non-lost-driver = off\n\
         [nvidia-gfx]\non-lost-driver=ABORT\n",
    );
    assert!(faults.is_empty(), "{faults:?}");
    assert_eq!(config.policy_for("foo-kmp-default"), Policy::Warn);
    assert_eq!(config.policy_for("nvidia-open"), Policy::Off);
    assert_eq!(config.policy_for("nvidia-gfx"), Policy::Abort);
    assert!(config.protects("foo", &[], true) && !config.protects("foo", &[], false));
    config.read("protect = bar, qla*\non-lost-driver = off");
    assert!(config.protects("x", &["qla2xxx".into()], false) && !config.protects("x", &["y".into()], true));
    assert_eq!(config.policy_for("foo"), Policy::Off);
}

#[test]
fn what_is_not_understood_is_named_by_its_line_and_changes_nothing() {
    let mut config = Config::default();
    let faults = config.read(
        "on-lost-driver = perhaps\n[\nwhat\nspeed = high\ndialect = debian\n[a]\nprotect = all\ndialect = suse\n",
    );
    assert_eq!(faults.len(), 7, "{faults:?}");
    assert!(faults[0].starts_with("line 1: "), "{faults:?}");
    assert_eq!(config, Config::default());
}

#[test]
fn a_section_goes_over_what_holds_for_all_and_both_over_the_package() {
    let mut config = Config::default();
    let own = Wish { never: Some("x".into()), kernels: None };
    assert_eq!(config.wish("foo", own.clone()), own);
    let faults = config.read(
        "[foo*]\nno-weak-updates = no\nkernels = >= 6.4, 6.*\n[bar]\nkernels = <6.4\n[nvidia-*]\nno-weak-updates = yes\n",
    );
    assert!(faults.is_empty(), "{faults:?}");
    let against = |config: &Config, package: &str, release: &str| {
        config.wish(package, own.clone()).against(release).unwrap_or_default()
    };
    assert_eq!(against(&config, "foo-kmp-default", "6.4.0-1-default"), "");
    assert!(against(&config, "foo-kmp-default", "5.14.0").contains("kernels >= 6.4, 6.* only: kmp.conf"));
    assert!(against(&config, "bar", "6.3.0").contains(": x"));
    assert!(against(&config, "nvidia-kmp-default", "6.3.0").contains(": kmp.conf"));
    let mut global = Config::default();
    global.read("no-weak-updates = yes\n");
    assert!(against(&global, "foo", "6.3.0").contains("kmp.conf"));
    global.read("[foo]\nno-weak-updates = no\n");
    assert_eq!(against(&global, "foo", "6.3.0"), "");
    let faults = global.read("no-weak-updates = perhaps\nkernels = 5 - 6\n");
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn the_dialect_is_configured_or_the_distributions_and_else_unknown() {
    let files = tempfile::tempdir().unwrap();
    for dir in ["etc", "usr/lib"] {
        std::fs::create_dir_all(files.path().join(dir)).unwrap();
    }
    let write = |file: &str, text: &str| std::fs::write(files.path().join(file), text).unwrap();
    let root = Root::open(files.path()).unwrap();
    let mut problems = Vec::new();
    let mut which = || dialect(&root, &mut problems).unwrap();
    let says = |which: Which| which.known().unwrap_err().to_string();
    assert!(says(which()).starts_with("there is no os-release file, so"));
    write("usr/lib/os-release", "ID=fedora\n");
    assert_eq!(which(), Which::Known(Dialect::RedHat));
    write("etc/os-release", "ID=opensuse-tumbleweed\n");
    assert_eq!(which(), Which::Known(Dialect::Suse));
    write("etc/os-release", "NAME=x\n");
    assert!(says(which()).contains("the os-release file has no ID"));
    write("etc/os-release", "ID=debian\n");
    let unknown = says(which());
    assert!(unknown.contains("\"debian\"") && unknown.contains("\"dialect = redhat\""), "{unknown}");
    assert_eq!(which().for_reading(), Dialect::Suse);
    write("etc/kmp.conf", "dialect = redhat\n");
    assert_eq!(which(), Which::Known(Dialect::RedHat));
    assert!(problems.is_empty(), "{problems:?}");
    write("etc/kmp.conf", "dialect = slackware\n");
    assert!(dialect(&root, &mut problems).unwrap().unknown().is_some());
    assert!(problems[0].to_string().contains("line 1: dialect is suse or redhat"), "{problems:?}");
}

#[test]
fn every_setting_is_known_by_its_name() {
    for key in KEYS {
        let faults = Config::default().read(&format!("{key} = off"));
        assert!(!faults.iter().any(|f| f.contains("there is no setting")), "{faults:?}");
    }
}
