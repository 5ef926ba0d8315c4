// SPDX-License-Identifier: LGPL-2.1-or-later
//! Where drivers come from: sources that packages and administrators name, kmp's own repository, media, and catalogues.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::Command;

use rpm_meta::openpgp::groups;
use serde_json::{Value, json};
use testkit::{Package, PackageBuilder, Scripted, Server, SigningKey, TestRoot, corrupted, import_key, run};

use crate::schemas::validate;
use crate::support::{OLD, OTHER, command, ends, good, kernel, kmp};
use crate::update::{build, offered};

/// The kernel that comes.
const NEW: &str = OTHER;

/// The package of Acme's source, as packages of SUSE Linux Enterprise 9 had it.
const CODE_9: &str = "/var/lib/YaST2/download/foo-kmp-default";

/// The kernel [`OLD`] with the KMP foo, which has a source at `url`; and the kernel [`NEW`] in zypper's repository, in which foo does
/// not work.
fn site(url: &str, packages: &[PackageBuilder]) -> TestRoot {
    let root = TestRoot::new();
    let foo = build("foo", "1.0", &kernel(OLD, 7), 7).file(CODE_9, format!("{url};Acme Inc.\n"));
    let packages: Vec<PackageBuilder> =
        [offered(OLD, 7), foo].into_iter().chain(packages.iter().cloned()).collect();
    root.install(&PackageBuilder::build_all(&packages).iter().collect::<Vec<_>>());
    let cache = "var/cache/zypp/raw/base";
    root.write("etc/zypp/repos.d/base.repo", "[base]\nenabled=1\nbaseurl=http://127.0.0.1/\n");
    let new = offered(NEW, 8).build();
    root.write(format!("{cache}/new.rpm"), std::fs::read(new.path()).unwrap());
    run(Command::new("createrepo_c").arg("--quiet").arg(root.join(cache))).expect_success();
    root
}

/// A build of foo for the kernel that comes.
fn for_new(version: &str) -> Package {
    build("foo", version, &kernel(NEW, 8), 8).build()
}

fn put(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join(name), bytes).unwrap();
}

fn file_name(package: &Package) -> &str {
    package.path().file_name().unwrap().to_str().unwrap()
}

fn document(root: &TestRoot, args: &[&str]) -> Value {
    let output = kmp(root, &[args, &["--json"]].concat());
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output}"))
}

/// The build of foo that comes along with the new kernel.
fn build_of(document: &Value) -> &Value {
    let kernel = document["kernels"].as_array().unwrap().iter().find(|k| k["krel"] == NEW).unwrap();
    &kernel["drivers"][0]["build"]
}

/// Files of kmp's own repository.
fn fetched(root: &TestRoot) -> Vec<String> {
    let all = root
        .tree()
        .into_keys()
        .filter_map(|path| Some(path.strip_prefix("var/cache/kmp/repo").ok()?.to_owned()));
    let all = all.map(|path: PathBuf| path.display().to_string());
    all.filter(|path| path.ends_with(".rpm")).collect()
}

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

/// The list says one thing, and the file is another one; a list of hostile names; a server that is not waited for.
#[test]
fn a_server_that_is_changed_meanwhile_or_lies_delivers_nothing() {
    let key = SigningKey::new("Acme <a@b.example>");
    let served = tempfile::tempdir().unwrap();
    let package = for_new("2.0");
    put(served.path(), file_name(&package), std::fs::read(key.sign(&package).path()).unwrap());
    run(Command::new("createrepo_c").arg("--quiet").arg(served.path())).expect_success();
    let (dir, file) = (served.path().to_owned(), format!("/{}", file_name(&package)));
    let changed = build("foo", "2.0", &kernel(NEW, 8), 8).tag("URL", "http://other.example/").build();
    let another = std::fs::read(key.sign(&changed).path()).unwrap();
    let hostile = "<a href='../../etc/passwd'><a href='file:///etc/shadow'><a href='foo-kmp-default-9;id-1.x86_64.rpm'>\
                   <a href='foo-kmp-default-8-1.x86_64.rpm'>";
    let server = Scripted::new(move |path, stream| match path.strip_prefix("/list") {
        Some("/") => Scripted::answer(stream, hostile.as_bytes()),
        Some("/foo-kmp-default-8-1.x86_64.rpm") => Scripted::elsewhere(stream, "file:///etc/passwd"),
        Some(_) => Scripted::absent(stream),
        // Signed well, and of the same name; but it is not what the list says.
        None if path == file => Scripted::answer(stream, &another),
        None => match std::fs::read(dir.join(path.trim_start_matches('/'))) {
            Ok(bytes) => Scripted::answer(stream, &bytes),
            Err(_) => Scripted::absent(stream),
        },
    });
    let root = site(&server.url(), &[]);
    import_key(&root, &key.file());
    let said = ends(&root, &["update"], 1);
    assert!(said.stderr.contains("is refused: it is not the file that the source's list names"), "{said}");
    root.write("etc/kmp/sources/foo-kmp-default", format!("{}/list;L\n", server.url()));
    let said = ends(&root, &["update"], 1);
    assert!(said.stderr.contains("\"file:///etc/passwd\", which names a file of this machine"), "{said}");
    assert!(
        !server.asked().iter().any(|path| path.contains("passwd") || path.contains("id")),
        "{:?}",
        server.asked()
    );
    assert_eq!(fetched(&root), [""; 0]);
}

/// A medium is shown, nothing is done before somebody has agreed to its key, and what is not signed with it is refused.
#[test]
fn a_medium_registers_its_source_once_its_key_is_accepted() {
    let (key, other) = (SigningKey::new("Acme <a@b.example>"), SigningKey::new("Other <c@d.example>"));
    let root = site("http://127.0.0.1:9/", &[]);
    let (package, unsigned) = (key.sign(&for_new("2.0")), build("bar", "1.0", &kernel(OLD, 7), 7).build());
    let (dir, key_file) = (root.home().join("medium"), key.file());
    let make = |packages: &[&Package]| {
        let mut words = vec![
            "medium",
            "make",
            "--key",
            key_file.to_str().unwrap(),
            "--label",
            "Acme Inc.",
            "--contact",
            "a@b.example",
        ];
        words.extend(["--source", "ftp://127.0.0.1:9/kmp", "--name", "acme", dir.to_str().unwrap()]);
        words.extend(packages.iter().map(|package| package.path().to_str().unwrap()));
        kmp(&root, &words)
    };
    for (bad, why) in
        [(&unsigned, "is not signed, and nobody"), (&other.sign(&for_new("2.1")), "is not signed with")]
    {
        let said = make(&[&package, bad]);
        assert!(said.status == Some(2) && said.stderr.contains(why), "{said}");
        let _ = std::fs::remove_dir_all(&dir);
    }
    let said = make(&[&package]).expect_success();
    assert!(said.stdout.contains(&groups(key.fingerprint())), "{said}");
    for file in
        ["media.1/media", "media.1/products", "repodata/repomd.xml", "driver-setup", "kmp/sources/acme"]
    {
        assert!(dir.join(file).is_file(), "{file}");
    }
    // Somebody adds packages to a copy of it.
    put(&dir.join("packages"), file_name(&unsigned), std::fs::read(unsigned.path()).unwrap());
    let path = dir.to_str().unwrap();
    let before = root.tree();
    let said = ends(&root, &["medium", "add", path], 2);
    for shown in [
        "Acme Inc.",
        "contact: a@b.example",
        "newer packages will come from ftp://127.0.0.1:9/kmp/",
        &groups(key.fingerprint()),
    ] {
        assert!(said.stdout.contains(shown), "{shown}: {said}");
    }
    assert!(
        said.stdout.contains(
            "default-2.0_k6.4.0_3-1.x86_64.rpm: fits no kernel that is installed; signature: unknown-key"
        ),
        "{said}"
    );
    assert!(
        said.stdout.contains(&format!("{}: fits {OLD}; signature: unsigned", file_name(&unsigned))),
        "{said}"
    );
    assert!(said.stderr.contains("nobody can be asked") && said.stderr.contains(key.fingerprint()), "{said}");
    let said = ends(&root, &["medium", "add", "--accept-key", other.fingerprint(), path], 2);
    assert!(said.stderr.contains("nothing was registered"), "{said}");
    testkit::same_tree(&root.tree(), &before, "nothing was agreed to");
    // As an image, where this machine has loop devices; mounted for that command alone.
    let image = root.home().join("medium.img");
    run(Command::new("mksquashfs").arg(&dir).arg(&image).args(["-quiet", "-no-progress"])).expect_success();
    let has_loop = run(Command::new("losetup").arg("--find")).success();
    if !has_loop {
        testkit::skip("this machine has no loop devices: the medium is a directory");
    }
    let medium = if has_loop { image.to_str().unwrap() } else { path };
    let said = ends(&root, &["medium", "add", "--accept-key", key.fingerprint(), medium], 1);
    assert!(
        said.stderr.contains("bar-kmp-default-1.0_k6.4.0_1-1.x86_64.rpm is refused: it is not signed"),
        "{said}"
    );
    assert!(
        said.stdout.contains("zypper install foo-kmp-default") && !said.stdout.contains("bar-kmp-default\n"),
        "{said}"
    );
    assert!(!std::fs::read_to_string("/proc/mounts").unwrap().contains(image.to_str().unwrap()));
    assert_eq!(fetched(&root), ["acme/foo-kmp-default-2.0_k6.4.0_3-1.x86_64.rpm"]);
    let sources = document(&root, &["sources", "list"]);
    validate("sources", &sources.to_string());
    validate("medium", &document(&root, &["medium", "add", "--yes", path]).to_string());
    let acme = &sources["sources"][0];
    assert_eq!(
        (&acme["name"], &acme["state"], &acme["from"]),
        (&json!("acme"), &json!("enabled"), &json!("administrator"))
    );
    assert_eq!(acme["fingerprints"], json!([{"digits": key.fingerprint(), "trusted": true}]));
    assert_eq!(document(&root, &["key", "list"])["keys"][0]["sources"], json!(["acme"]));
    // What it brought is what the kernel that comes needs.
    ends(&root, &["update"], 0);
}

/// Whom a catalogue offers is used once somebody has agreed; one that nobody has signed counts for nothing.
#[test]
fn providers_of_a_signed_catalogue_are_offered() {
    let key = SigningKey::new("My Linux <keys@linux.example>");
    let root = site("http://127.0.0.1:9/", &[]);
    root.write("etc/os-release", "ID=sles\nID_LIKE=suse\nVERSION_ID=15.6\n");
    let provider = json!({
        "name": "acme", "label": "Acme Inc.", "contact": "a@b.example", "urls": ["https://acme.example/kmp"],
        "fingerprints": [key.fingerprint()], "key": "https://acme.example/key.asc", "distributions": ["sles 15.*"],
        "packages": ["acme-kmp-*"], "vendors": ["pci:1af4"], "modaliases": ["pci:v00001AF4d00001000sv*sd*bc*sc*i*"]
    });
    let file = root.home().join("acme.json");
    let made = root.home().join("catalogue");
    let words = ["catalogue", "make", "--issuer", "My Linux", made.to_str().unwrap(), file.to_str().unwrap()];
    let mut claims = provider.clone();
    claims["modaliases"] = json!(["pci:v00008086d*"]);
    std::fs::write(&file, claims.to_string()).unwrap();
    let said = ends(&root, &words, 2);
    assert!(said.stderr.contains("begins with none of its vendor IDs"), "{said}");
    std::fs::write(&file, provider.to_string()).unwrap();
    good(&root, &words);
    let text = std::fs::read_to_string(made.join("catalogue.json")).unwrap();
    validate("catalogue", &text);
    assert!(
        std::fs::read_to_string(made.join("kmp-catalogue.spec"))
            .unwrap()
            .contains("/usr/share/kmp/catalogue/catalogue.json")
    );
    let package = PackageBuilder::new("kmp-catalogue", "1", "1")
        .file("/usr/share/kmp/catalogue/catalogue.json", text)
        .build();
    root.install(&[&package]);
    let listed = || kmp(&root, &["sources", "list"]).expect_success();
    let said = listed();
    assert!(
        said.stderr.contains("kmp-catalogue is not signed with a key that rpm trusts")
            && !said.stdout.contains("acme"),
        "{said}"
    );
    root.erase(&["kmp-catalogue"]);
    import_key(&root, &key.file());
    root.install(&[&key.sign(&package)]);
    let said = listed();
    assert!(
        said.stdout.contains("acme, Acme Inc.: offered") && said.stdout.contains("catalogue of My Linux"),
        "{said}"
    );
    let said = ends(&root, &["sources", "enable", "acme"], 2);
    assert!(
        said.stderr.contains("kmp sources enable --agree acme") && !root.exists("etc/kmp/sources/acme"),
        "{said}"
    );
    good(&root, &["sources", "enable", "--agree", "acme"]);
    let acme = document(&root, &["sources", "list"])["sources"][0].clone();
    assert_eq!((&acme["state"], &acme["packages"]), (&json!("enabled"), &json!(["acme-kmp-*"])));
    good(&root, &["sources", "disable", "acme"]);
    assert!(listed().stdout.contains("acme, Acme Inc.: disabled"));
    // Somebody has changed it since.
    root.write("usr/share/kmp/catalogue/catalogue.json", "{}");
    assert!(listed().stderr.contains("it is not what the package kmp-catalogue brought"));
}

/// https is checked by the authorities that the system knows.
#[test]
fn a_key_comes_from_a_server_that_somebody_vouches_for() {
    let key = SigningKey::new("Acme <a@b.example>");
    let root = TestRoot::new();
    let served = tempfile::tempdir().unwrap();
    put(served.path(), "key.asc", key.public());
    let (server, certificate) = Server::https(served.path(), &root.home());
    let url = format!("{}/key.asc", server.url());
    let show =
        |authorities: &Path| run(command(&root, &["key", "show", &url]).env("SSL_CERT_FILE", authorities));
    let said = show(Path::new("/dev/null"));
    assert!(said.status == Some(2) && said.stderr.contains("certificate"), "{said}");
    let said = show(&certificate).expect_success();
    assert!(said.stdout.contains(&groups(key.fingerprint())), "{said}");
}
