// SPDX-License-Identifier: LGPL-2.1-or-later
//! Which proxies are asked: those of the environment, as every program takes them, or, as a service or a plugin of a package manager has
//! none there, those of `/etc/sysconfig/proxy` (SUSE) or the one of `/etc/dnf/dnf.conf`.

use std::path::Path;

use kmp_core::assignments::Assignments;
use kmp_fs::root::Root;

use crate::url::Scheme;

/// SUSE's settings.
const FILE: &str = "/etc/sysconfig/proxy";
const LIMIT: u64 = 1 << 20;

/// Proxies, each a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<String>,
    https: Option<String>,
    ftp: Option<String>,
    /// Hosts and domains, with commas between them, that are asked directly.
    none: String,
}

impl Proxies {
    /// Those of the environment; where it has none, those of the system's files.
    pub fn of(root: &Root) -> Self {
        let own = Self::of_environment(&|name| std::env::var(name).ok());
        if own != (Self { none: own.none.clone(), ..Self::default() }) {
            return own;
        }
        if let Ok(Some(bytes)) = root.read_if_there(Path::new(FILE), LIMIT) {
            return Self::of_sysconfig(&String::from_utf8_lossy(&bytes));
        }
        let proxy = kmp_repo::found::proxy(root);
        Self { http: proxy.clone(), https: proxy.clone(), ftp: proxy, none: own.none }
    }

    fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let either = |name: &str| set(name).or_else(|| set(&name.to_ascii_uppercase()));
        let all = either("all_proxy");
        let of = |name: &str| either(name).or_else(|| all.clone());
        Self {
            // In capitals it may come from a header that somebody sends to a CGI program.
            http: set("http_proxy").or_else(|| all.clone()),
            https: of("https_proxy"),
            ftp: of("ftp_proxy"),
            none: either("no_proxy").unwrap_or_default(),
        }
    }

    fn of_sysconfig(text: &str) -> Self {
        let mut file = Assignments::default();
        file.read(text);
        if !file.get("PROXY_ENABLED").eq_ignore_ascii_case("yes") {
            return Self::default();
        }
        let set = |name: &str| Some(file.get(name).trim().to_owned()).filter(|value| !value.is_empty());
        Self {
            http: set("HTTP_PROXY"),
            https: set("HTTPS_PROXY"),
            ftp: set("FTP_PROXY"),
            none: file.get("NO_PROXY").to_owned(),
        }
    }

    /// The proxy for a host (`HOST[:PORT]`), if it is asked by one.
    pub fn of_scheme(&self, scheme: Scheme, host: &str) -> Option<String> {
        let proxy = match scheme {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
            Scheme::Ftp => &self.ftp,
            Scheme::File => &None,
        };
        proxy.clone().filter(|_| !self.is_direct(host))
    }

    /// Is this host asked without a proxy?
    fn is_direct(&self, host: &str) -> bool {
        let name = match host.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            Some(six) => six,
            None => host.split(':').next().unwrap_or(host),
        };
        let words = self.none.split([',', ' ']).map(|word| word.trim().trim_start_matches(['.', '*']));
        words.filter(|word| !word.is_empty() || self.none.trim() == "*").any(|word| {
            let word = word.split(':').next().unwrap_or(word);
            word.is_empty() || name == word || name.strip_suffix(word).is_some_and(|rest| rest.ends_with('.'))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn the_systems_file_counts_where_it_is_enabled() {
        let text = "PROXY_ENABLED=\"yes\"\nHTTP_PROXY=\"http://p:3128\"\nNO_PROXY=\"localhost, 127.0.0.1, .example.com\"\n";
        let proxies = Proxies::of_sysconfig(text);
        let http = |host| proxies.of_scheme(Scheme::Http, host);
        assert_eq!(http("other.org:80"), Some("http://p:3128".into()));
        assert_eq!(http("notexample.com"), Some("http://p:3128".into()));
        for direct in ["localhost:8080", "127.0.0.1", "a.example.com", "example.com"] {
            assert_eq!(http(direct), None, "{direct}");
        }
        assert_eq!(proxies.of_scheme(Scheme::Ftp, "other.org"), None);
        assert_eq!(Proxies::of_sysconfig(&text.replace("yes", "no")), Proxies::default());
    }

    #[test]
    fn the_environment_is_taken_as_curl_takes_it() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(String, String)> =
                pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            Proxies::of_environment(&move |name| {
                pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
            })
        };
        let proxies = of(&[("all_proxy", "http://a:1"), ("HTTP_PROXY", "http://evil:1"), ("no_proxy", "*")]);
        assert_eq!(proxies.http, Some("http://a:1".into()));
        assert_eq!(proxies.of_scheme(Scheme::Https, "x"), None, "all are direct");
        assert_eq!(of(&[("FTP_PROXY", "http://f:1")]).of_scheme(Scheme::Ftp, "x"), Some("http://f:1".into()));
    }
}
