// SPDX-License-Identifier: LGPL-2.1-or-later
//! What is fetched from real servers, and from such as no server should be.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use kmp_fs::root::Root;
use kmp_sources::fetch::{FetchError, Fetcher};
use kmp_sources::url::Url;
use testkit::{Scripted, Server};

fn fetcher(seconds: u64) -> Fetcher {
    Fetcher::new(&Root::open(Path::new("/")).unwrap(), Duration::from_secs(seconds))
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn files_and_lists_come_from_real_servers_and_no_more_than_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("sub/a.rpm"), vec![b'x'; 300_000]).unwrap();
    fs::write(dir.path().join("sub/b-1.0^2.rpm"), b"short").unwrap();
    let servers = [Server::http(dir.path()), Server::ftp(dir.path())];
    let urls = servers.iter().map(|server| server.url().to_owned());
    for base in urls.chain([format!("dir://{}", dir.path().display())]) {
        let base = url(&base).below("sub").unwrap();
        let fetcher = fetcher(300);
        let file = base.below("a.rpm").unwrap();
        assert_eq!(fetcher.bytes(&file, 300_000).unwrap().len(), 300_000, "{file}");
        let error = fetcher.bytes(&file, 299_999).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { limit: 299_999, .. }), "{error}");
        assert_eq!(fetcher.beginning(&file, 1000).unwrap(), vec![b'x'; 1000], "{file}");
        assert_eq!(fetcher.bytes(&base.below("b-1.0^2.rpm").unwrap(), 9).unwrap(), b"short", "{file}");
        let listing = String::from_utf8(fetcher.listing(&base, 100_000).unwrap()).unwrap();
        assert!(listing.contains("a.rpm") && !listing.contains("passwd"), "{listing}");
        for absent in ["none.rpm", "none/"] {
            let error = fetcher.bytes(&base.below(absent).unwrap(), 9).unwrap_err();
            assert!(error.is_absent() && error.to_string().contains(absent), "{error}");
        }
    }
}

#[test]
fn no_server_leads_to_a_file_of_this_machine_and_none_is_waited_for() {
    let server = Scripted::new(|path, stream| match path {
        "/once" => Scripted::elsewhere(stream, "/there"),
        "/there" => Scripted::answer(stream, b"found"),
        "/ever" => Scripted::elsewhere(stream, "/ever"),
        "/file" => Scripted::elsewhere(stream, "file:///etc/passwd"),
        "/ftp" => Scripted::elsewhere(stream, "ftp://127.0.0.1/x"),
        "/nowhere" => Scripted::elsewhere(stream, ""),
        "/endless" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        }
        "/short" => {
            Scripted::ok(stream, 100);
            let _ = stream.write_all(b"only this");
        }
        "/slow" => {
            Scripted::ok(stream, 100);
            // Until nobody listens any more.
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        "/header" => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            while stream.write_all(b"X-Header: some more\r\n").is_ok() {}
        }
        _ => {
            let _ = stream.write_all(b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let get = |path: &str| fetcher(60).bytes(&url(&format!("{}{path}", server.url())), 1 << 20);
    assert_eq!(get("/once").unwrap(), b"found");
    let said = |path: &str| get(path).unwrap_err().to_string();
    assert!(said("/ever").contains("more than 5 times"), "{}", said("/ever"));
    assert!(
        said("/file").contains("\"file:///etc/passwd\", which names a file of this machine"),
        "{}",
        said("/file")
    );
    assert!(said("/ftp").contains("leads from http to ftp") && said("/nowhere").contains("not followed"));
    assert!(matches!(get("/endless"), Err(FetchError::TooLarge { .. })));
    assert!(matches!(get("/short"), Err(FetchError::Failed { .. })), "{:?}", get("/short"));
    assert!(get("/header").is_err() && said("/broken").contains("500"));
    let slow = fetcher(1).bytes(&url(&format!("{}/slow", server.url())), 1 << 20).unwrap_err();
    assert!(matches!(slow, FetchError::Late { .. }), "{slow}");
    // Nobody is there, or nobody answers.
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for scheme in ["http", "ftp"] {
        let error = fetcher(60).bytes(&url(&format!("{scheme}://{gone}/x")), 9).unwrap_err();
        assert!(matches!(error, FetchError::Failed { .. }), "{error}");
    }
}
