// SPDX-License-Identifier: LGPL-2.1-or-later
//! Servers as no server should be, and whom to believe about them.

use std::path::Path;
use std::process::Command;

use rpm_meta::openpgp::groups;
use testkit::{Scripted, Server, SigningKey, TestRoot, import_key, run};

use super::{NEW, fetched, file_name, for_new, put, site};
use crate::support::{command, ends, kernel};
use crate::update::build;

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
