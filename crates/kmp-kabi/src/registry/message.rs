// SPDX-License-Identifier: LGPL-2.1-or-later
//! What a provider is sent: a message of mail (RFC 5322), or the text of an issue.
//!
//! A text depends on what was found alone, and not on when it is written, so that the same findings give the same text, and no
//! second message.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Item, Remedy, State, rfc5322};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// What its text is known by: the same findings have the same.
    pub digest: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub body: String,
    /// Addresses, without doubles.
    pub to: Vec<String>,
}

/// The message to a provider about what becomes of its packages. `None`: none of them stops. `why`: reasons of the kernel's, a
/// line each.
pub fn mail(items: &[&Item<'_>], kernel: &str, due: Option<&str>, why: &[String]) -> Option<Mail> {
    let stopped: Vec<&&Item<'_>> = items.iter().filter(|item| item.remedy().is_some()).collect();
    if stopped.is_empty() {
        return None;
    }
    let body = text(&stopped, kernel, due, why);
    let names: Vec<&str> = stopped.iter().map(|item| item.registration.package.name.as_str()).collect();
    let stops = match names[..] {
        [one] => format!("{one} stops"),
        [first, ..] => format!("{first} and {} more stop", names.len() - 1),
        [] => return None,
    };
    let subject = format!("{stops} loading with kernel {kernel}{}", by(due));
    Some(finished(subject, body, &stopped))
}

fn by(due: Option<&str>) -> String {
    due.map(|due| format!(", due {due}")).unwrap_or_default()
}

fn finished(subject: String, body: String, items: &[&&Item<'_>]) -> Mail {
    let mut to: Vec<String> = items.iter().map(|item| item.registration.provider.contact.clone()).collect();
    to.sort();
    to.dedup();
    let digest = Sha256::digest(format!("{}\n{subject}\n{body}", to.join(",")));
    let digest = digest.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Mail { digest, subject, body, to }
}

impl Mail {
    /// That all is well again: for a provider who was sent another message before.
    pub fn of_the_end(items: &[&Item<'_>], kernel: &str) -> Option<Self> {
        let items: Vec<&&Item<'_>> = items.iter().collect();
        if items.is_empty() || items.iter().any(|item| item.state != State::Fits) {
            return None;
        }
        let mut body = format!("The builds that are registered now load with kernel {kernel}:\n\n");
        items.iter().for_each(|item| body.push_str(&format!("  {}\n", item.registration.build.nevra)));
        body.push_str("\nThere is nothing more to do.\n");
        Some(finished(format!("all packages load with kernel {kernel}"), body, &items))
    }

    /// The message as RFC 5322 has it. `thread`: what the whole exchange about a provider and a kernel is known by; `is_first`: there
    /// was none before. `seconds`: since 1970.
    pub fn rfc5322(&self, from: &str, thread: &str, is_first: bool, seconds: u64) -> String {
        let id = |part: &str| format!("<{part}@kmp-registry.invalid>");
        let thread: String = thread
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .collect();
        let mut lines = vec![
            format!("From: {}", ascii(from)),
            format!("To: {}", ascii(&self.to.join(", "))),
            format!("Subject: [kmp] {}", ascii(&self.subject)),
            format!("Date: {}", rfc5322(seconds)),
            // For the feed, which is made of the messages.
            format!("X-KMP-Written: {seconds}"),
        ];
        if is_first {
            lines.push(format!("Message-ID: {}", id(&thread)));
        } else {
            lines.push(format!("Message-ID: {}", id(&format!("{thread}.{}", self.digest))));
            lines.push(format!("In-Reply-To: {}", id(&thread)));
            lines.push(format!("References: {}", id(&thread)));
        }
        lines.extend(
            [
                "MIME-Version: 1.0",
                "Content-Type: text/plain; charset=utf-8",
                "Content-Transfer-Encoding: 8bit",
                "Auto-Submitted: auto-generated",
            ]
            .map(String::from),
        );
        format!("{}\n\n{}", lines.join("\n"), self.body)
    }
}

/// A header has one line, and names in it come from files of others.
fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// So many reasons of a package are written.
const SOME: usize = 30;

fn text(items: &[&&Item<'_>], kernel: &str, due: Option<&str>, why: &[String]) -> String {
    let mut out = String::new();
    for item in items {
        let (package, build) = (&item.registration.package.name, &item.registration.build);
        let _ = writeln!(out, "{package} stops loading with kernel {kernel}{}.\n", by(due));
        let _ = writeln!(out, "Registered build: {} (for kernel {})\n", build.nevra, build.kernel);
        if item.state == State::StoppedBefore {
            out.push_str(
                "It does not load with the kernel before, either: is a newer build to be registered?\n\n",
            );
        }
        let remedy = match item.remedy() {
            Some(Remedy::Source) => "The source must change. A rebuild alone does not help, because of:",
            _ => "A rebuild suffices. Changed since that build:",
        };
        let _ = writeln!(out, "{remedy}\n");
        let source = item.findings.iter().filter(|finding| finding.needs_source());
        let rest = item.findings.iter().filter(|finding| !finding.needs_source());
        for finding in source.chain(rest).take(SOME) {
            let _ = writeln!(out, "  {}: {}", finding.module, finding.reason);
        }
        if item.findings.len() > SOME {
            let _ = writeln!(out, "  ... and {} more", item.findings.len() - SOME);
        }
        out.push_str("\nWhat to do: ");
        out.push_str(match item.remedy() {
            Some(Remedy::Source) => "port the driver to the new interface, build it for the new kernel, publish and register the build.\n\n",
            _ if item.registration.provider.rebuild_without_asking => {
                "nothing, if the distributor rebuilds it, as you allow; else build it for the new kernel, and publish it.\n\n"
            }
            _ => "build it for the new kernel, publish and register the build.\n\n",
        });
    }
    if !why.is_empty() {
        out.push_str("Most likely the versions changed because of:\n\n");
        why.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
    }
    out
}

/// The text of an issue (Markdown), which a job opens, updates and closes: the first line is what it is found by. `None`: none of the
/// packages stops.
pub fn issue(items: &[&Item<'_>], kernel: &str, due: Option<&str>, why: &[String]) -> Option<String> {
    let mail = mail(items, kernel, due, why)?;
    let provider = items.first().map(|item| item.provider).unwrap_or_default();
    let marker = format!("<!-- kmp-registry: {provider} {kernel} {} -->", mail.digest);
    // Indented lines are code there, which no name in them can leave.
    let body = mail.body.replace("\n  ", "\n      ");
    Some(format!("{marker}\n# {}\n\n{body}", ascii(&mail.subject)))
}

#[cfg(test)]
mod tests {
    use super::super::form::tests::registration;
    use super::super::judge::{Finding, Item, State};
    use super::*;
    use kmod_abi::{Reason, Rule};

    #[test]
    fn a_message_depends_on_what_was_found_alone() {
        let cam = registration("cam-kmp-default", &[("a", 1)]);
        let reason = Reason::new(Rule::Crc, "a was 0x1 when it was built, vmlinux has 0x2");
        let findings = vec![Finding { module: "cam".into(), reason }];
        let item = Item { provider: "acme", registration: &cam, state: State::Stops, findings };
        let one = mail(&[&item], "6.4.0-25-default", Some("2026-12-01"), &[]).unwrap();
        assert_eq!(one.subject, "cam-kmp-default stops loading with kernel 6.4.0-25-default, due 2026-12-01");
        assert_eq!(mail(&[&item], "6.4.0-25-default", Some("2026-12-01"), &[]).unwrap().digest, one.digest);
        assert_ne!(mail(&[&item], "6.4.0-26-default", None, &[]).unwrap().digest, one.digest);
        for text in ["A rebuild suffices.", "  cam: a was 0x1", "as you allow"] {
            assert!(one.body.contains(text), "{}", one.body);
        }
        let first = one.rfc5322("kernel@example.org", "acme 6.4", true, 0);
        assert!(first.contains("To: kmp@acme.example\nSubject: [kmp] cam-kmp-default stops"), "{first}");
        assert!(first.contains("Message-ID: <acme_6.4@kmp-registry.invalid>\nMIME"), "{first}");
        assert!(one.rfc5322("x", "acme", false, 0).contains("In-Reply-To: <acme@kmp-registry.invalid>\n"));
        let text = issue(&[&item], "6.4.0-25-default", None, &[]).unwrap();
        assert!(text.starts_with("<!-- kmp-registry: acme 6.4.0-25-default "), "{text}");
        let reason = Reason::new(Rule::UnknownSymbol, "nothing exports a");
        let findings = vec![Finding { module: "cam".into(), reason }];
        let gone = Item { findings, ..item.clone() };
        assert!(
            mail(&[&gone], "k", None, &["struct x".into()]).unwrap().body.contains("The source must change.")
        );
        let fits = Item { state: State::Fits, findings: Vec::new(), ..item };
        assert_eq!(mail(&[&fits], "k", None, &[]), None);
        assert!(Mail::of_the_end(&[&fits], "k").unwrap().body.contains("nothing more to do"));
        assert_eq!(Mail::of_the_end(&[&fits, &gone], "k"), None);
    }
}
