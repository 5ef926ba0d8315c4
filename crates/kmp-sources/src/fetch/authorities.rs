// SPDX-License-Identifier: LGPL-2.1-or-later
//! The authorities that certificates of https are checked by: the system's, which its administrator can add to.

use std::path::Path;

use kmp_fs::root::Root;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

/// Where distributions have them: SUSE, Red Hat, Debian.
const FILES: [&str; 4] = [
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/certs/ca-certificates.crt",
];

/// Names another file, for OpenSSL's programs and for this.
const VARIABLE: &str = "SSL_CERT_FILE";

const LIMIT: u64 = 16 << 20;

/// The first file that is there; without one no certificate is good.
pub(super) fn authorities(root: &Root) -> RootCerts {
    let named = std::env::var_os(VARIABLE).and_then(|path| std::fs::read(path).ok());
    let systems = || FILES.iter().find_map(|file| root.read_if_there(Path::new(file), LIMIT).ok()?);
    let pem = named.or_else(systems).unwrap_or_else(|| {
        log::debug!("there is no list of certificate authorities in any of {}", FILES.join(", "));
        Vec::new()
    });
    let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    RootCerts::new_with_certs(&certificates)
}
