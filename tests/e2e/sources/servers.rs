// SPDX-License-Identifier: LGPL-2.1-or-later
//! Servers as no server should be, and whom to believe about them.

use std::io::Write;
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

/// By a proxy that connects to no port but those of https, as they are configured.
#[test]
fn servers_are_asked_by_the_proxy_that_is_configured() {
    let key = SigningKey::new("Acme <a@b.example>");
    let root = TestRoot::new();
    let served = tempfile::tempdir().unwrap();
    put(served.path(), "key.asc", key.public());
    let (http, ftp) = (Server::http(served.path()), Server::ftp(served.path()));
    let (https, certificate) = Server::https(served.path(), &root.home());
    let proxy = Scripted::proxy(https.url().rsplit(':').next().and_then(|port| port.parse().ok()));
    let url = proxy.url();
    let with_name = url.replace("://", "://me:secret@");
    let show = |server: &str, variables: &[(&str, &str)]| {
        let mut show = command(&root, &["key", "show", &format!("{server}/key.asc")]);
        // This machine's own.
        for name in ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"] {
            show.env_remove(name).env_remove(name.to_ascii_uppercase());
        }
        show.env("SSL_CERT_FILE", &certificate).envs(variables.iter().copied());
        let said = run(&mut show);
        assert!(said.status != Some(0) || said.stdout.contains(&groups(key.fingerprint())), "{said}");
        said
    };
    let mut asked = 0;
    let mut is_asked = || {
        let before = std::mem::replace(&mut asked, proxy.asked().len());
        asked > before
    };
    for (server, variables, by_proxy) in [
        (http.url(), vec![("http_proxy", url.as_str())], true),
        (http.url(), vec![("all_proxy", &with_name)], true),
        (http.url(), vec![("https_proxy", &url)], false),
        (http.url(), vec![("http_proxy", &url), ("no_proxy", "127.0.0.1")], false),
        (https.url(), vec![("https_proxy", &url)], true),
        (ftp.url(), vec![("http_proxy", &url)], false),
    ] {
        show(server, &variables).expect_success();
        assert_eq!(is_asked(), by_proxy, "{server} {variables:?}: {:?}", proxy.asked());
    }
    // ftp by a proxy is http, and this one does not do that.
    let said = show(ftp.url(), &[("ftp_proxy", &url)]);
    assert!(said.status == Some(2) && is_asked(), "{said}");
    // Those of the system, which a service has not in its environment.
    root.write("etc/dnf/dnf.conf", format!("[main]\nproxy={url}\nproxy_username=me\nproxy_password=a@b\n"));
    show(http.url(), &[]).expect_success();
    assert!(is_asked());
    root.write("etc/sysconfig/proxy", format!("PROXY_ENABLED=\"yes\"\nHTTP_PROXY=\"{url}\"\n"));
    show(http.url(), &[]).expect_success();
    assert!(is_asked());
    root.write("etc/sysconfig/proxy", format!("PROXY_ENABLED=\"no\"\nHTTP_PROXY=\"{url}\"\n"));
    show(http.url(), &[]).expect_success();
    assert!(!is_asked());
    // One that is not there, and one that wants to know who asks.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = show(http.url(), &[("http_proxy", &format!("http://{gone}"))]);
    assert!(said.status == Some(2) && said.stderr.contains(&format!("by the proxy {gone}")), "{said}");
    let strict = Scripted::new(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 407 Who?\r\nContent-Length: 0\r\n\r\n");
    });
    let said = show(http.url(), &[("http_proxy", &strict.url())]);
    assert!(said.status == Some(2) && said.stderr.contains("wants a user's name"), "{said}");
}
