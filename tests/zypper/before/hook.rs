// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where zypper calls kmp: when it does, and what becomes of an update if kmp fails there.

use testkit::PackageBuilder;

use super::scene::{Row, Scene};
use super::{driver, offer, offered, site_with_rules};
use crate::managers::said;
use crate::packages::make_executable;
use crate::support::Site;

const HOOK: &str = "usr/lib/zypp/plugins/urlresolver/kmp";
const RULES: &str = "etc/zypp/systemCheck.d/kmp.check";

/// A program of kmp's place; what was there is below, and to be seen again when this is removed.
fn replace(site: &Site, path: &str, script: &str) {
    site.root().write(path, format!("#!/bin/sh\n{script}\n"));
    make_executable(&site.root().join(path));
}

/// kmp fails in each way that a program can. libzypp has its valid, empty repository, the rules from before stay in force, and
/// what was not judged does not come.
#[test]
fn whatever_becomes_of_kmp_the_update_goes_on_with_a_valid_repository() {
    let Some(site) = site_with_rules() else { return };
    offer(&site, &[offered(0), offered(1), driver("1.0", 0, "One"), PackageBuilder::new("tool", "1", "1")]);
    site.sh("zypper --quiet refresh").expect_success();
    let before = site.root().read(RULES);
    assert!(before.contains("kmp-hold(foo-kmp-default) if (kernel-default = 6.4.0-2 "), "{before}");
    offer(&site, &[offered(2), PackageBuilder::new("tool", "2", "1")]);
    let scene = Scene::of(&site);
    for script in [
        "exit 2",
        "echo 'kmp: it is broken' >&2; exit 139",
        "kill -9 $$",
        "printf '\\001\\002nothing that libzypp knows'; exit 1",
        "read -r word; exit 1",
        "exec /usr/bin/no-such-program",
    ] {
        // Only for the hook: everything else has kmp.
        site.sh("cp /usr/bin/kmp /usr/bin/kmp.real").expect_success();
        let others = "case \" $* \" in *' update '*) ;; *) exec /usr/bin/kmp.real \"$@\";; esac";
        replace(&site, "usr/bin/kmp", &format!("{others}\n{script}"));
        let row = Row { words: "update", comes: &["tool-2"], status: 0, says: &["kernel-default"] };
        let output = row.check(&site);
        assert!(!said(&output).contains("~kmp"), "{script}: {output}");
        assert_eq!(site.root().read(RULES), before, "{script}");
        std::fs::remove_file(site.root().join("usr/bin/kmp")).unwrap();
        scene.again();
    }
    // The hook's own script is damaged, or cannot be run at all: libzypp takes the second URL of the repository.
    let (place, plugins) = (format!("/{HOOK}"), "/usr/lib/zypp/plugins");
    let zypper = "ZYPP_PLUGIN_TIMEOUT=1 zypper --non-interactive update";
    for how in [
        "printf '#!/bin/sh\\nexit 1\\n' >PLACE",
        "printf '#!/bin/sh\\necho garbage\\n' >PLACE",
        "printf '#!/bin/sh\\nkill -9 $$\\n' >PLACE",
        "printf '#!/bin/sh\\nexec sleep 1000\\n' >PLACE",
        // In the middle of its answer.
        "printf '#!/bin/sh\\nprintf \"RESOLVEDURL\\\\n\\\\ndir:\"\\n' >PLACE",
        "printf '#!/no/such/interpreter\\n' >PLACE",
        "printf '\\177ELF, and no more' >PLACE",
        ": >PLACE",
        // As where somebody may not run it.
        "chmod a-x PLACE",
        "rm PLACE",
        "rm PLACE; mkdir PLACE",
        "rm PLACE; ln -s /no/such/file PLACE",
        "rm PLACE; ln -s kmp PLACE",
        "mount --bind PLUGINS PLUGINS && mount -o remount,bind,noexec PLUGINS",
    ] {
        let prepare = how.replace("PLACE", &place).replace("PLUGINS", plugins);
        let output = site.sh(&format!("{prepare} && {zypper}"));
        let words = said(&output);
        assert!(output.status == Some(0) && !words.contains("~kmp"), "{how}: {words}");
        assert!(site.has("tool-2") && !site.has("kernel-default-6.4.0-3"), "{how}: {words}");
        assert!(!site.has("kernel-default-6.4.0-2"), "{how}: {words}");
        assert_eq!(site.root().read(RULES), before, "{how}");
        // That of kmp's package is to be seen again.
        let _ = std::fs::remove_dir_all(site.root().join("usr/lib/zypp"));
        scene.again();
    }
    Row { words: "update", comes: &["tool-2"], status: 0, says: &["kernel-default"] }.check(&site);
    assert!(site.root().read(RULES).contains("kernel-default = 6.4.0-3 "));
}

/// zypper asks whenever it looks at its repositories, and not else. What came meanwhile is not judged yet, and does not come.
#[test]
fn kmp_is_asked_whenever_repositories_are_looked_at() {
    let Some(site) = site_with_rules() else { return };
    offer(&site, &[offered(0), driver("1.0", 0, "One"), PackageBuilder::new("tool", "1", "1")]);
    let delay = |minutes: u32| {
        site.root()
            .write("etc/zypp/zypp.conf.d/test.conf", format!("[main]\nrepo.refresh.delay = {minutes}\n"));
        let conf =
            format!("[main]\nmultiversion = provides:multiversion(kernel)\nrepo.refresh.delay = {minutes}\n");
        site.root().write("etc/zypp/zypp.conf", conf);
    };
    let asks = |words: &str| {
        let _ = std::fs::remove_file(site.root().join("var/cache/kmp/update"));
        site.sh(&format!("zypper --non-interactive {words}")).expect_success();
        site.root().exists("var/cache/kmp/update")
    };
    for (words, is_asked) in [
        ("refresh", true),
        ("search tool", true),
        ("list-updates", true),
        ("update --dry-run", true),
        ("repos", false),
        ("--no-refresh update --dry-run", false),
    ] {
        assert_eq!(asks(words), is_asked, "{words}");
    }
    // Within the delay: not a second time, whatever it finds elsewhere.
    delay(10);
    assert!(asks("refresh --force"));
    offer(&site, &[offered(1), driver("1.2", 1, "Two"), PackageBuilder::new("tool", "2", "1")]);
    site.sh("zypper --non-interactive refresh --force repo").expect_success();
    let scene = Scene::of(&site);
    let not_yet = |words| Row { words, comes: &["tool-2"], status: 0, says: &["kernel-default"] };
    for words in ["update", "--no-refresh update"] {
        not_yet(words).check(&site);
        scene.again();
    }
    let says = &["kmp-not-yet-judged(foo-kmp-default)"];
    Row { words: "install kernel-default=6.4.0-2", comes: &[], status: 4, says }.check(&site);
    scene.again();
    // By itself, once the time is over.
    delay(0);
    let comes = &["kernel-default-6.4.0-2", "foo-kmp-default-1.2_k6.4.0_2", "tool-2"];
    Row { words: "update", comes, status: 0, says: &[] }.check(&site);
}
