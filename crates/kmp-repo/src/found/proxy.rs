// SPDX-License-Identifier: LGPL-2.1-or-later
//! The proxy that dnf is configured to ask.

use std::fmt::Write as _;

use kmp_fs::root::Root;

use super::setting;

/// dnf's proxy as a URL, with its `proxy_username` and `proxy_password`; `None`: none is configured in `dnf.conf`.
pub fn proxy(root: &Root) -> Option<String> {
    let read =
        |name: &str| setting(root, "/etc/dnf/dnf.conf", "main", name).filter(|value| !value.is_empty());
    // dnf's words for none.
    let proxy = read("proxy").filter(|proxy| !matches!(proxy.as_str(), "_none_" | "none"))?;
    let Some(user) = read("proxy_username") else { return Some(proxy) };
    let (scheme, rest) = proxy.split_once("://").unwrap_or(("http", &proxy));
    let password = read("proxy_password").unwrap_or_default();
    Some(format!("{scheme}://{}:{}@{rest}", escaped(&user), escaped(&password)))
}

/// As it may be in a URL before its host.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte.into()),
            // Writing to a text cannot fail.
            byte => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use testkit::TestRoot;

    use super::*;

    #[test]
    fn dnfs_proxy_has_its_users_name() {
        let root = TestRoot::new();
        let of = |text: &str| {
            root.write("etc/dnf/dnf.conf", format!("[main]\n{text}"));
            proxy(&Root::open(&root.path()).unwrap())
        };
        assert_eq!(of("gpgcheck=1\n"), None);
        assert_eq!(of("proxy=_none_\n"), None);
        assert_eq!(of("proxy=http://p:3128\n").as_deref(), Some("http://p:3128"));
        let with = "proxy = http://p:3128/\nproxy_username = me\nproxy_password = a@b:%\n";
        assert_eq!(of(with).as_deref(), Some("http://me:a%40b%3A%25@p:3128/"));
    }
}
