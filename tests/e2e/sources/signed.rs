// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is taken from a source: what is signed as it has to be, by the keys that the source names, and only for what it is for.

use std::process::Command;

use rpm_meta::openpgp::groups;
use serde_json::{Value, json};
use testkit::{PackageBuilder, Server, SigningKey, corrupted, import_key, run};

use super::{NEW, build_of, document, fetched, file_name, for_new, put, site};
use crate::support::{command, ends, good};

/// The same server, by each protocol, with what is good, what somebody has changed, and what nobody has signed.
#[test]
fn a_kernel_update_fetches_the_newer_driver_and_refuses_what_is_not_signed_well() {
    let (key, other) =
        (SigningKey::new("Acme Drivers <keys@acme.example>"), SigningKey::new("Somebody <x@y.example>"));
    let served = tempfile::tempdir().unwrap();
    let [one, two, three, four] = ["2.0", "2.1", "2.2", "3.0"].map(for_new);
    let dir = served.path().join(NEW);
    put(&dir, file_name(&one), std::fs::read(key.sign(&one).path()).unwrap());
    put(&dir, file_name(&two), std::fs::read(two.path()).unwrap());
    put(&dir, file_name(&three), std::fs::read(other.sign(&three).path()).unwrap());
    put(&dir, file_name(&four), corrupted(&key.sign(&four), None));
    put(&dir, "foo-kmp-default-9-1.src.rpm", "x");
    let wanted = "foo-kmp-default-2.0_k6.4.0_3-1.x86_64";
    for server in [Server::ftp(served.path()), Server::http(served.path())] {
        let root = site(server.url(), &[]);
        import_key(&root, &key.file());
        // Nothing is asked for what is only looked at.
        assert_eq!(build_of(&document(&root, &["update", "--offline"])), &Value::Null);
        let said = ends(&root, &["update"], 0);
        for (of, why) in [
            ("3.0", "is refused: it is not what it was when it was made"),
            (
                "2.2",
                &format!(
                    "is refused: it is signed by the key {}, which rpm does not know here",
                    groups(other.fingerprint())
                ),
            ),
            ("2.1", "is refused: it is not signed, so that anybody may have made it"),
        ] {
            let line = said
                .stderr
                .lines()
                .find(|l| l.contains(&format!("default-{of}_k")))
                .unwrap_or_else(|| panic!("{said}"));
            assert!(line.contains("source foo-kmp-default (Acme Inc.): ") && line.contains(why), "{said}");
        }
        assert!(
            said.stdout.contains("The next update brings kernel-default 6.4.0-3 with foo-kmp-default"),
            "{said}"
        );
        assert_eq!(fetched(&root), [format!("foo-kmp-default/{wanted}.rpm")]);
        // It stays, and the server is not needed any more.
        drop(server);
        let found = document(&root, &["update"]);
        assert_eq!(build_of(&found), &json!(wanted), "{found}");
        assert_eq!(found["problems"], json!([]), "{found}");
        // dnf and libsolv, by createrepo_c's reader and ours.
        let listed = run(Command::new("dnf")
            .args(["repoquery", "--quiet", "--disableplugin=*", "--setopt=reposdir=/nowhere"])
            .args([
                format!("--setopt=cachedir={}", root.home().join("dnf").display()),
                format!("--installroot={}", root.path().display()),
                format!("--repofrompath=own,file://{}", root.join("var/cache/kmp/repo").display()),
                "--setopt=own.gpgcheck=0".into(),
                "--repo=own".into(),
                "--releasever=1".into(),
                "--queryformat=%{name}-%{version} %{requires}".into(),
            ]));
        assert!(
            listed.stdout.contains("foo-kmp-default-2.0_k6.4.0_3")
                && listed.stdout.contains("ksym(default:changing) = 8"),
            "{listed}"
        );
    }
}

/// Which keys a source's packages have to be signed with, and who may say so.
#[test]
fn a_source_delivers_by_its_own_keys_and_only_what_it_is_for() {
    let (old, new) = (SigningKey::new("Old <a@b.example>"), SigningKey::new("New <a@b.example>"));
    let served = tempfile::tempdir().unwrap();
    let package = for_new("2.0");
    put(served.path(), file_name(&package), std::fs::read(new.sign(&package).path()).unwrap());
    // As a repository.
    run(Command::new("createrepo_c").arg("--quiet").arg(served.path())).expect_success();
    let server = Server::http(served.path());
    // Another package claims to have newer ones of foo, and of itself.
    let claims = PackageBuilder::new("bar", "1", "1")
        .file("/usr/share/kmp/sources/bar", format!("url = {}\npackages = foo-* bar\n", server.url()));
    let root = site("http://127.0.0.1:9/", &[claims]);
    [&old, &new].iter().for_each(|key| import_key(&root, &key.file()));
    let said = ends(&root, &["update"], 1);
    let refused = "names foo-*, but bar, which it belongs to, may name a source only for itself";
    assert!(said.stderr.contains(refused), "{said}");
    assert!(said.stderr.contains("http://127.0.0.1:9/"), "the package's own source is not there: {said}");
    // The administrator's goes over it; both keys are trusted by rpm, and one of them by the source.
    let record = |digits: &[&str]| {
        let keys: String = digits.iter().map(|digits| format!("fingerprint = {digits}\n")).collect();
        root.write(
            "etc/kmp/sources/foo-kmp-default",
            format!("url = {}\nlabel = A\npackages = foo-*\n{keys}", server.url()),
        );
    };
    record(&[old.fingerprint()]);
    let said = ends(&root, &["update"], 1);
    assert!(
        said.stderr.contains("but this source names other keys")
            && said.stderr.contains(&groups(old.fingerprint())),
        "{said}"
    );
    assert_eq!(fetched(&root), [""; 0]);
    let held = document(&root, &["hold"]);
    // Rotation: either will do.
    record(&[old.fingerprint(), new.fingerprint()]);
    ends(&root, &["update"], 0);
    assert_eq!(fetched(&root).len(), 1);
    assert!(held["held"][0]["missing"][0]["why"].as_str().unwrap().contains("names other keys"), "{held}");
    let keys = document(&root, &["key", "list"]);
    let of = |key: &SigningKey| {
        keys["keys"].as_array().unwrap().iter().find(|k| k["fingerprint"] == key.fingerprint()).unwrap()
    };
    assert_eq!(
        (&of(&old)["sources"], &of(&new)["sources"]),
        (&json!(["foo-kmp-default"]), &json!(["foo-kmp-default"]))
    );
    // What was fetched from a source goes with it.
    good(&root, &["sources", "disable", "foo-kmp-default"]);
    assert_eq!(fetched(&root), [""; 0]);
    ends(&root, &["update"], 1);
    good(&root, &["sources", "enable", "--agree", "foo-kmp-default"]);
    // The settings of old.
    root.write("etc/sysconfig/onlineupdate", "DOWNLOAD_DRIVER_PACKAGES=\"no\"\n");
    ends(&root, &["update"], 1);
    assert_eq!(fetched(&root), [""; 0]);
    root.write("etc/sysconfig/onlineupdate", "DOWNLOAD_DRIVER_PACKAGES=\"yes\"\n");
    // Under the name of old, for one kernel.
    let tool = |kernel: &str| {
        use std::os::unix::process::CommandExt;
        let mut command = command(&root, &[]);
        command.arg0("kernel-update-tool").arg(kernel);
        run(&mut command)
    };
    let said = tool(NEW);
    assert_eq!(said.status, Some(0), "{said}");
    assert_eq!(fetched(&root).len(), 1);
    root.write("etc/kmp/sources/foo-kmp-default", "");
    std::fs::remove_dir_all(root.join("var/cache/kmp/repo")).unwrap();
    assert_eq!(tool(NEW).status, Some(1));
    assert_eq!(tool("6.9.9-1-default").status, Some(2));
}
