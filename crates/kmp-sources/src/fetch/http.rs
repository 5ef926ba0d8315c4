// SPDX-License-Identifier: LGPL-2.1-or-later
//! http and https, by ureq.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kmp_fs::root::Root;
use ureq::tls::{TlsConfig, TlsProvider};
use ureq::{Agent, Proxy, ProxyProtocol};

use super::authorities::authorities;
use super::{CONNECT, FetchError, Proxies, Take, by_proxy};
use crate::url::{Scheme, Url};

/// How often a server may send elsewhere.
const REDIRECTIONS: usize = 5;

/// The largest header of an answer, in bytes.
const HEADER: usize = 64 << 10;

/// One that follows no redirection by itself, and takes no error for something to be read.
pub(super) fn agent(root: &Root) -> Agent {
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(authorities(root))
        .build();
    Agent::config_builder()
        .tls_config(tls)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(CONNECT))
        .max_response_header_size(HEADER)
        // Of each call, as it depends on the host.
        .proxy(None)
        .user_agent(concat!("kmp/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity")
        .build()
        .into()
}

pub(super) fn read(
    agent: &Agent,
    proxies: &Proxies,
    url: &Url,
    len: Option<u64>,
    left: Duration,
    take: Take<'_>,
) -> Result<u64, FetchError> {
    let failed = |why: String| FetchError::Failed { url: url.clone(), why };
    let end = Instant::now() + left;
    let mut at = url.clone();
    for _ in 0..=REDIRECTIONS {
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let proxy = match proxies.of_scheme(at.scheme(), at.host()) {
            Some(proxy) => {
                Some(Proxy::new(&proxy).map_err(|e| failed(format!("the proxy of {}: {e}", at.host())))?)
            }
            None => None,
        };
        let len = len.filter(|len| *len > 0);
        let of_proxy =
            |proxy: &&Proxy| at.scheme() == Scheme::Http && proxy.protocol() == ProxyProtocol::Http;
        let (status, location, mut body): (u16, Option<String>, Box<dyn Read>) =
            if let Some(proxy) = proxy.as_ref().filter(of_proxy) {
                let answer = by_proxy::get(proxy, &at, len, end).map_err(|e| {
                    let text = format!("by the proxy {}:{}: {e}", proxy.host(), proxy.port());
                    read_error(url, left, io::Error::new(e.kind(), text))
                })?;
                (answer.status, answer.location, Box::new(answer.body))
            } else {
                let config = agent.get(at.to_string()).config();
                let mut request = config.timeout_global(Some(left)).proxy(proxy).build();
                if let Some(len) = len {
                    request = request.header("Range", format!("bytes=0-{}", len - 1));
                }
                let answer = request.call().map_err(|e| error(url, left, &e))?;
                let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
                let location = location.map(str::to_owned);
                (answer.status().as_u16(), location, Box::new(answer.into_body().into_reader()))
            };
        match status {
            200 | 206 => return take(&mut body).map_err(|e| read_error(url, left, e)),
            407 => return Err(failed("the proxy wants a user's name and password, in its URL".into())),
            301 | 302 | 303 | 307 | 308 => {
                let location = location.unwrap_or_default();
                at = at.redirected(&location).map_err(|why| FetchError::Redirected {
                    url: url.clone(),
                    location,
                    why,
                })?;
            }
            404 | 410 => return Err(FetchError::Absent { url: url.clone() }),
            status => return Err(failed(format!("the server answers with the status {status}"))),
        }
    }
    Err(failed(format!("the server sends elsewhere more than {REDIRECTIONS} times")))
}

fn error(url: &Url, left: Duration, error: &ureq::Error) -> FetchError {
    match error {
        ureq::Error::Timeout(_) => FetchError::Late { url: url.clone(), after: left },
        error => {
            let hint = match (url.scheme(), error) {
                (Scheme::Https, ureq::Error::Rustls(_) | ureq::Error::Tls(_) | ureq::Error::Io(_)) => {
                    ". If that is about the server's certificate: it has to be vouched for by an authority that this system \
                     knows"
                }
                _ => "",
            };
            FetchError::Failed { url: url.clone(), why: format!("{error}{hint}") }
        }
    }
}

fn read_error(url: &Url, left: Duration, error: io::Error) -> FetchError {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<ureq::Error>());
    match (inner, error.kind()) {
        (Some(ureq::Error::Timeout(_)), _) | (_, io::ErrorKind::TimedOut) => {
            FetchError::Late { url: url.clone(), after: left }
        }
        _ => FetchError::Failed { url: url.clone(), why: error.to_string() },
    }
}
